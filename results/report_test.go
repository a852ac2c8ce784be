package results

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// tableOf renders the table of one case and loop of the sample.
func tableOf(t *testing.T, scenario, name string) (heads []string, rows map[string][]string, under string) {
	t.Helper()
	rec := sample(t)
	cells := Cells(rec)
	keys := tableKeys(cells, scenario, name)
	if len(keys) != 1 {
		t.Fatalf("%s %s has %d tables", scenario, name, len(keys))
	}
	g := newLoadTable(&rec.Run, keys[0], cells).build(runNoise(cells, keys[0]))
	at := 0
	for i, c := range g.columns {
		heads = append(heads, c.head)
		if c.head == headTarget {
			at = i
		}
	}
	rows = map[string][]string{}
	for _, r := range g.rows {
		rows[strings.Fields(r.cells[at])[0]] = r.cells
	}
	return heads, rows, strings.Join(append(g.facts, g.notes.lines()...), "\n")
}

// cell is the text in a row's column.
func cell(t *testing.T, heads, row []string, head string) string {
	t.Helper()
	for i, h := range heads {
		if h == head {
			return row[i]
		}
	}
	t.Fatalf("there is no column %q in %q", head, heads)
	return ""
}

func TestTheTrapIsMarked(t *testing.T) {
	heads, rows, under := tableOf(t, "connections", "connections=800")
	pool := rows["pool"]
	if rank := cell(t, heads, pool, "# req/s"); rank != Dash {
		t.Errorf("a row that breaks Little's law has the rank %q", rank)
	}
	if name := cell(t, heads, pool, headTarget); name == "pool" {
		t.Error("a row that breaks Little's law is not marked")
	}
	if want := "800 connections ÷ 21,489 req/s = 37.2 ms, but the mean latency is reported as 23.5 ms"; !strings.Contains(under, want) {
		t.Errorf("under the table: %s\nwant %s", under, want)
	}
}

func TestLowerBoundsAreNotRanked(t *testing.T) {
	heads, rows, _ := tableOf(t, "connections", "connections=50")
	reactor := rows["reactor"]
	if v := cell(t, heads, reactor, "req/s"); !strings.HasPrefix(v, "≥ ") {
		t.Errorf("a lower bound prints %q", v)
	}
	if v := cell(t, heads, reactor, "# req/s"); !strings.HasPrefix(v, Dash) {
		t.Errorf("a lower bound has the rank %q", v)
	}
	if v := cell(t, heads, reactor, "# CPU"); v != "1" {
		t.Errorf("the cost beside a lower bound has the rank %q, want 1", v)
	}
	if v := cell(t, heads, reactor, "req/s ÷ nginx"); !strings.HasPrefix(v, Dash) {
		t.Errorf("the ratio of two lower bounds is %q", v)
	}
	if v := cell(t, heads, rows["goroutine"], "req/s ÷ nginx"); !strings.HasPrefix(v, "≤ ") {
		t.Errorf("the ratio to a lower bound is %q", v)
	}
	if v := cell(t, heads, rows["raw"], "# CPU"); v != "limit" {
		t.Errorf("the limit has the rank %q", v)
	}
}

func TestFewRoundsProveNothing(t *testing.T) {
	heads, rows, under := tableOf(t, "connections", "connections=800")
	for _, target := range []string{"goroutine", "reactor"} {
		if v := cell(t, heads, rows[target], "CPU ÷ nginx"); !strings.HasPrefix(v, Unproven) {
			t.Errorf("three rounds prove that %s costs %q", target, v)
		}
		if v := cell(t, heads, rows[target], "# CPU"); v != Unproven {
			t.Errorf("three rounds give %s the rank %q", target, v)
		}
	}
	if !strings.Contains(under, "an interval takes 6") {
		t.Errorf("nothing says why: %s", under)
	}
}

func TestMissingIsNeverZero(t *testing.T) {
	heads, rows, under := tableOf(t, "plaintext", "")
	mine := rows["mine|*<i>"]
	for _, head := range []string{"user", "system", "RSS MiB", "p99.9", "allocs/req"} {
		if v := cell(t, heads, mine, head); !strings.HasPrefix(v, Dash) || v == Dash {
			t.Errorf("%s: %q, want a dash and the number of its reason", head, v)
		}
	}
	for _, why := range []string{"ticks in the window are too few", "permission denied", "wrk prints none"} {
		if !strings.Contains(under, why) {
			t.Errorf("the reason %q is missing", why)
		}
	}
}

func TestClosedAndOpenNeverShareATable(t *testing.T) {
	rec := sample(t)
	open := *rec.Trials[0].Load
	open.Loop, open.Rate, open.Generator = LoopOpen, 1000, "corelab"
	trial := rec.Trials[0]
	trial.Load = &open
	rec.Trials = append(rec.Trials, trial)
	keys := tableKeys(Cells(rec), "plaintext", "")
	if len(keys) != 2 || keys[0].Loop != LoopClosed || keys[1].Loop != LoopOpen {
		t.Fatalf("tables %v", keys)
	}
	if text := newDocument(rec, nil).markdown(); !strings.Contains(text, "### open loop, corelab, placement one") || !strings.Contains(text, "### closed loop, wrk, placement one") {
		t.Error("the two tables are not told apart")
	}
}

func TestDifferentRatesAreNotRanked(t *testing.T) {
	heads, rows, under := tableOf(t, "latency", "share=75%")
	for target, row := range rows {
		if v := cell(t, heads, row, "# p99"); !strings.HasPrefix(v, Dash) {
			t.Errorf("%s has the rank %q", target, v)
		}
	}
	if v := cell(t, heads, rows["reactor"], "offered/s"); v != "60,000" {
		t.Errorf("the rate is %q", v)
	}
	if !strings.Contains(under, "different rates") {
		t.Error("nothing says why")
	}
}

func TestOtherRolesStayOut(t *testing.T) {
	rec := sample(t)
	for _, c := range Cells(rec) {
		if c.Target == "reactor" && c.Scenario == "plaintext" && c.Role == RoleRanked && len(c.Trials) != 6 {
			t.Errorf("reactor counts %d trials of 6", len(c.Trials))
		}
	}
	g := secondGrid(&rec.Run, "plaintext", "", Cells(rec))
	if got := []string{g.rows[0].cells[4], g.rows[1].cells[4]}; got[0] != "yes" || got[1] != "no" {
		t.Errorf("the generators agree on reactor, nginx: %v, want yes, no", got)
	}
}

func TestReportsOfUnfinishedRuns(t *testing.T) {
	rec := sample(t)
	rec.Torn = "line 9 is torn"
	rec.End.Trials = len(rec.Trials) + 1
	text := newDocument(rec, nil).markdown()
	for _, want := range []string{"THE RECORD LACKS TRIALS", "line 9 is torn"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	rec.End.Interrupted = true
	if !strings.Contains(newDocument(rec, nil).markdown(), "interrupted after 9m31s") {
		t.Error("the report does not say that the run was interrupted")
	}
	rec.End = nil
	if !strings.Contains(newDocument(rec, nil).markdown(), "NOT WHOLE: the run was killed") {
		t.Error("the report does not say that the run was killed")
	}
	empty := &Record{Run: Run{ID: "x", Scenarios: []Scenario{{Name: "plaintext"}}}}
	files, err := Report(empty)
	if err != nil || !strings.Contains(string(files[ReportFile]), "No trial of this scenario was made") {
		t.Errorf("a run without trials: %v\n%s", err, files[ReportFile])
	}
	if got := ReadmeTable(empty); got != "" {
		t.Errorf("a README table of nothing: %s", got)
	}
}

func TestReportIsPure(t *testing.T) {
	rec := sample(t)
	first, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Report(rec)
	if err != nil || len(first) != len(again) {
		t.Fatal(err)
	}
	for name, b := range first {
		if !bytes.Equal(b, again[name]) {
			t.Errorf("%s differs the second time", name)
		}
	}
}

func TestWriteReport(t *testing.T) {
	dir := t.TempDir()
	b, err := os.ReadFile(filepath.Join("testdata", "run", RunFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{RunFile: b, ReportFile: []byte("older")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteReport(dir); err != nil {
		t.Fatal(err)
	}
	want, err := Report(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != len(want)+1 {
		t.Errorf("files %v, want those of Report and the record", entries)
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBenchReadsBack(t *testing.T) {
	rec := sample(t)
	b, err := Bench(rec)
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for i := range rec.Trials {
		if _, ok := Throughput.Of(&rec.Trials[i]); ok {
			loaded++
		}
	}
	r := benchfmt.NewReader(bytes.NewReader(b), BenchFile)
	lines := 0
	var shares []float64
	for r.Scan() {
		switch res := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(res)
		case *benchfmt.Result:
			lines++
			if res.GetConfig("commit") != "3f2a9c1d0b7e+dirty" || res.GetConfig("goos") != "linux" || res.GetConfig("cpu") == "" {
				t.Fatalf("configuration %v", res.Config)
			}
			if string(res.Name) == "Plaintext/target=reactor/conns=64/loop=closed/generator=wrk/placement=one" {
				v, ok := res.Value("cpu-sec/req")
				if !ok {
					t.Fatalf("a line without CPU: %v", res.Values)
				}
				shares = append(shares, v)
			}
		}
	}
	if err := r.Err(); err != nil || lines != loaded {
		t.Errorf("%d lines of %d trials, %v", lines, loaded, err)
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(shares, &benchmath.DefaultThresholds), Confidence)
	if len(shares) != 6 || s.Center < 8e-6 || s.Center > 10e-6 || s.Lo >= s.Hi {
		t.Errorf("reactor costs %v in %d rounds: %v", s.Center, len(shares), shares)
	}
}

func TestPlotsAreWholeSVG(t *testing.T) {
	files, err := Plots(sample(t))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d pictures, %v", len(files), err)
	}
	for name, b := range files {
		d := xml.NewDecoder(bytes.NewReader(b))
		texts := map[string]bool{}
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch token := token.(type) {
			case xml.CharData:
				texts[strings.TrimSpace(string(token))] = true
			case xml.StartElement:
				if token.Name.Local == "script" || token.Name.Local == "image" {
					t.Errorf("%s has a %s", name, token.Name.Local)
				}
			}
		}
		if !texts["reactor"] || !texts["nginx"] {
			t.Errorf("%s does not name its targets: %v", name, texts)
		}
		if !bytes.Contains(b, []byte("fill:#FFFFFF")) && !bytes.Contains(b, []byte(`fill="#ffffff"`)) {
			t.Errorf("%s has no background of its own", name)
		}
	}
	if !bytes.Contains(files[CostPlot], []byte("mine|*&lt;i&gt;")) {
		t.Error("a name is not escaped")
	}
}

func TestPlotsOfLittle(t *testing.T) {
	rec := sample(t)
	rec.Trials = rec.Trials[:3] // no nginx among them, and one number of connections
	for i := range rec.Trials {
		rec.Trials[i].Target = "reactor"
	}
	if files, err := Plots(rec); err != nil || len(files) != 0 {
		t.Errorf("pictures of nothing: %v, %v", len(files), err)
	}
	// One p99 that is the same everywhere, and none at all.
	rec = sample(t)
	for i := range rec.Trials {
		if l := rec.Trials[i].Load; l != nil && l.Latency != nil {
			l.Latency.P99 = 1e6
		}
	}
	if files, err := Plots(rec); err != nil || len(files) != 3 {
		t.Errorf("of a flat p99: %v, %v", len(files), err)
	}
	for i := range rec.Trials {
		if l := rec.Trials[i].Load; l != nil {
			l.Latency = nil
		}
	}
	if files, err := Plots(rec); err != nil || len(files) != 3 {
		t.Errorf("without any p99: %v, %v", len(files), err)
	}
}

func TestReplaceBlock(t *testing.T) {
	const readme = "# x\n<!-- lab:plaintext -->\nold\n<!-- /lab:plaintext -->\ntail\n"
	got, err := ReplaceBlock([]byte(readme), "plaintext", "| a |\n")
	if want := "# x\n<!-- lab:plaintext -->\n| a |\n<!-- /lab:plaintext -->\ntail\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if again, err := ReplaceBlock(got, "plaintext", "| a |\n"); err != nil || !bytes.Equal(again, got) {
		t.Errorf("put in again: %q, %v", again, err)
	}
	for name, tt := range map[string]struct{ text, content string }{
		"no marker":       {"# x\n", ""},
		"no end":          {"<!-- lab:plaintext -->\n", ""},
		"twice":           {readme + readme, ""},
		"upside down":     {"<!-- /lab:plaintext -->\n<!-- lab:plaintext -->\n", ""},
		"ends the block":  {readme, "<!-- /lab:plaintext -->"},
		"only of another": {strings.ReplaceAll(readme, "plaintext", "json"), ""},
	} {
		if got, err := ReplaceBlock([]byte(tt.text), "plaintext", tt.content); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}
