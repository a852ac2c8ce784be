package results

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"corelab/results/stacks"
)

func flamesOf(t *testing.T, rec *Record) map[string][]byte {
	t.Helper()
	files, err := Flames(rec)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wellFormed(t *testing.T, name string, b []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestFlames(t *testing.T) {
	rec := profiledSample(t)
	trial, _ := rec.ProfileOf("plaintext", "", "reactor", ProfileCPU)
	writeProfile(t, rec.Dir, "profiles/off.pb.gz", "coreserver", map[stacks.Layer]int64{stacks.Wakeup: 9})
	trial.Profiles = append(trial.Profiles, Profile{Kind: ProfileOffCPU, Path: "profiles/off.pb.gz", Event: "sched:sched_switch"})
	files := flamesOf(t, rec)
	var names []string
	for name, b := range files {
		names = append(names, name)
		if strings.HasSuffix(name, ".svg") {
			wellFormed(t, name, b)
		} else if !bytes.Contains(b, []byte("tcp_sendmsg_[k] ")) {
			t.Errorf("%s is not folded: %.100q", name, b)
		}
	}
	slices.Sort(names)
	want := []string{
		"flame/diff-plaintext-goroutine-pool.svg", "flame/diff-plaintext-pool-reactor.svg", "flame/diff-plaintext-reactor-nginx.svg",
		"flame/diff-plaintext-sequential-goroutine.svg",
		"flame/plaintext-goroutine.svg", "flame/plaintext-mine___i_.svg", "flame/plaintext-nginx.svg", "flame/plaintext-pool.svg",
		"flame/plaintext-reactor-off-cpu.svg", "flame/plaintext-reactor.svg", "flame/plaintext-sequential.svg",
		"profiles/plaintext-goroutine-cpu.folded", "profiles/plaintext-mine___i_-cpu.folded", "profiles/plaintext-nginx-cpu.folded",
		"profiles/plaintext-pool-cpu.folded", "profiles/plaintext-reactor-cpu.folded", "profiles/plaintext-sequential-cpu.folded",
	}
	if !slices.Equal(names, want) {
		t.Errorf("files\ngot  %q\nwant %q", names, want)
	}
	if again := flamesOf(t, rec); !bytes.Equal(again[want[0]], files[want[0]]) || !bytes.Equal(again[want[4]], files[want[4]]) {
		t.Error("the same record makes other bytes")
	}
	cost, ok := cellOf(t, rec, "reactor").Estimate(ServerCPU)
	if !ok {
		t.Fatal("the sample has no cost of reactor")
	}
	if b := files["flame/plaintext-reactor.svg"]; !bytes.Contains(b, []byte(formatTime(cost.Median)+" a request")) {
		t.Errorf("the graph does not say what a request costs, %s", formatTime(cost.Median))
	}
	if !bytes.Contains(files["flame/plaintext-mine___i_.svg"], []byte("plaintext: mine|*&lt;i&gt;, CPU time")) {
		t.Error("a hostile target is not named as it is")
	}
}

// The chart of the migration links the files that there are.
func TestStepsAreThoseOfTheChart(t *testing.T) {
	rec := profiledSample(t)
	files := flamesOf(t, rec)
	m := newMigration(rec, Cells(rec))
	if m == nil {
		t.Fatal("no chart")
	}
	linked := 0
	for _, s := range m.steps {
		if s.file == "" {
			continue
		}
		linked++
		if files[s.file] == nil {
			t.Errorf("the step %s → %s links %s, which is not there", s.from.name, s.to.name, s.file)
		}
	}
	if linked == 0 {
		t.Error("no step has a differential flame graph")
	}
	for _, s := range Steps(rec) {
		if files[s.File] == nil {
			t.Errorf("%s → %s has no graph", s.From, s.To)
		}
	}
}

func TestReportLinksFlames(t *testing.T) {
	rec := profiledSample(t)
	trial, _ := rec.ProfileOf("plaintext", "", "pool", ProfileCPU)
	rubbish(rec, trial)
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	text := string(files[ReportFile])
	for _, want := range []string{
		"## Flame graphs", "- plaintext, reactor: [CPU time](flame/plaintext-reactor.svg)",
		"- plaintext, what changed: [reactor → nginx](flame/diff-plaintext-reactor-nginx.svg)",
		"- plaintext, evio, CPU time: perf ended early: no permission", "- plaintext, pool, CPU time: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if files[FlameFile("plaintext", "", "pool", ProfileCPU)] != nil {
		t.Error("a profile that cannot be read has a graph")
	}
	bare, err := Report(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(bare[ReportFile]), "Flame graphs") {
		t.Error("a run without profiles has a section for them")
	}
}

func TestWriteReportMakesFolders(t *testing.T) {
	rec := profiledSample(t)
	var b bytes.Buffer
	if err := WriteSlim(&b, rec); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rec.Dir, "run.jsonl"), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 { // over older files as well
		if err := WriteReport(rec.Dir); err != nil {
			t.Fatal(err)
		}
	}
	for name := range flamesOf(t, rec) {
		if info, err := os.Stat(filepath.Join(rec.Dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFlameNamesStayInTheFolder(t *testing.T) {
	long := strings.Repeat("x", 500)
	for _, name := range []string{
		FlameFile("../../etc", "a/b", "x\x00y", ProfileOffCPU), FlameFile(long, long, long, "../kind"), FlameDiffFile("..", "", "/", "\\"),
		foldedFile("a\nb", "connections=50", "..") + ".svg",
	} {
		folder, base := filepath.Split(name)
		if folder != flameFolder && folder != foldedFolder || strings.ContainsAny(base, "/\\\x00\n") || strings.HasPrefix(base, ".") || len(base) > 255 || !filepath.IsLocal(name) {
			t.Errorf("%q", name)
		}
	}
	if got, want := FlameFile("connections", "connections=50", "pool", ProfileCPU), "flame/connections-connections_50-pool.svg"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFlameDiffOfTargets(t *testing.T) {
	rec := profiledSample(t)
	b := FlameDiff(rec, "plaintext", "", "mine|*<i>", "reactor")
	wellFormed(t, "difference", b)
	if !bytes.Contains(b, []byte("mine|*&lt;i&gt; → reactor")) {
		t.Error("does not say of what it is")
	}
	if FlameDiff(rec, "plaintext", "", "evio", "reactor") != nil || FlameDiff(rec, "plaintext", "no case", "reactor", "reactor") != nil {
		t.Error("without a profile there is a difference")
	}
}
