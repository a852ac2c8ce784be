package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"corelab/results"
)

// pageOf is a record's page as text.
func pageOf(t testing.TB, rec *results.Record) string {
	t.Helper()
	b, err := Page(rec)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// mainOf is what is between a page's styles and its scripts.
func mainOf(text string) string {
	_, text, _ = strings.Cut(text, "<body>")
	text, _, _ = strings.Cut(text, `<script type="application/json"`)
	return text
}

// embedded is the JSON of a page.
var embedded = regexp.MustCompile(`(?s)<script type="application/json" id="corelab-data">(.*?)</script>`)

func TestHostileNamesStayText(t *testing.T) {
	text := pageOf(t, made(t))
	if n := strings.Count(text, "<script"); n != len(scripts)+2 { // with the early one and the data
		t.Errorf("%d script elements, want %d", n, len(scripts)+2)
	}
	if n := strings.Count(text, "</script"); n != len(scripts)+2 {
		t.Errorf("%d ends of scripts, want %d", n, len(scripts)+2)
	}
	if !strings.Contains(text, "&lt;script&gt;document.title") {
		t.Error("the name is not there as text")
	}
	data := embedded.FindStringSubmatch(text)
	if data == nil {
		t.Fatal("no data")
	}
	if strings.ContainsAny(data[1], "<>&\u2028\u2029") {
		t.Error("the data has what ends a script, or a line of one")
	}
	var d Data
	if err := json.Unmarshal([]byte(data[1]), &d); err != nil {
		t.Fatal(err)
	}
	if d.Targets[2].Name != hostile {
		t.Errorf("the name arrives as %q", d.Targets[2].Name)
	}
}

// The page must not need anything that it does not bring along.
func TestNothingFromOutside(t *testing.T) {
	text := pageOf(t, made(t))
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("no policy")
	}
	text = mainOf(text)
	for _, found := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if step := strings.HasPrefix(found[1], "flame/diff-"); !step && !strings.HasPrefix(found[1], "#") && !strings.HasPrefix(found[1], "data:image/svg+xml;base64,") {
			t.Errorf("refers to %.80q", found[1])
		}
	}
}

// Every link inside the page leads somewhere, and every id is there once.
func TestLinksAndIDs(t *testing.T) {
	text := mainOf(pageOf(t, made(t)))
	ids := map[string]int{}
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		ids[id[1]]++
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("the id %q is there %d times", id, n)
		}
	}
	for _, to := range regexp.MustCompile(`(?:href="#|aria-controls="|aria-labelledby=")([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if ids[to[1]] == 0 {
			t.Errorf("nothing has the id %q", to[1])
		}
	}
}

func TestChartsAreWhereTheirTablesAre(t *testing.T) {
	text := mainOf(pageOf(t, made(t)))
	for chart, want := range map[string]int{"percentiles": 3, "bars": 3, "course": 9, "connections": 2} {
		if n := strings.Count(text, `data-chart="`+chart+`"`); n != want {
			t.Errorf("%d charts %s, want %d", n, chart, want)
		}
	}
	if n := strings.Count(text, `<figure class="flame"`); n != 3 {
		t.Errorf("%d flame graphs, want 3", n)
	}
}

func TestDataOf(t *testing.T) {
	d := DataOf(made(t))
	if len(d.Cells) != 9 || len(d.Flames) != 3 {
		t.Fatalf("%d cells, %d flame graphs", len(d.Cells), len(d.Flames))
	}
	c := d.Cells[0]
	switch {
	case c.Throughput == nil || c.Throughput.Lo > c.Throughput.Median || c.Throughput.Hi < c.Throughput.Median:
		t.Errorf("throughput %+v", c.Throughput)
	case c.Latency == nil || !c.Latency.Whole || c.Latency.Count != 6*20000 || len(c.Latency.NS) > 100 || len(c.Latency.NS) != len(c.Latency.Decades):
		t.Errorf("latency %+v", c.Latency)
	case c.Course == nil || len(c.Course.Throughput) != 10 || c.Course.Server[0] != 0.4:
		t.Errorf("course %+v", c.Course)
	case c.CPU == nil || c.User == nil:
		t.Errorf("cost %+v %+v", c.CPU, c.User)
	}
	for i := 1; i < len(c.Latency.NS); i++ {
		if c.Latency.NS[i] < c.Latency.NS[i-1] || c.Latency.Decades[i] <= c.Latency.Decades[i-1] {
			t.Errorf("the line falls at %d: %v, %v", i, c.Latency.Decades, c.Latency.NS)
		}
	}
	f := d.Flames[0]
	if f.Root == nil || f.Root.Value != 920e6 || f.Lack != "" || f.Hidden != 0 {
		t.Fatalf("%+v", f)
	}
	var layers []string
	var walk func(*Frame)
	walk = func(at *Frame) {
		layers = append(layers, fmt.Sprint(f.Names[at.Name], ": ", d.Layers[at.Layer].Name))
		sum := int64(0)
		for _, c := range at.Children {
			sum += c.Value
			walk(c)
		}
		if sum > at.Value {
			t.Errorf("%s has %d, its children %d", f.Names[at.Name], at.Value, sum)
		}
	}
	walk(f.Root)
	for _, want := range []string{"all: other", "corelab/httpcore.(*Conn).Feed: parse", "runtime.schedule: Go scheduler", hostile + ": handler"} {
		if !slices.Contains(layers, want) {
			t.Errorf("no frame %q among %q", want, layers)
		}
	}
}

// Without histograms there is a line through what is known, and without a profile a reason.
func TestDataOfLess(t *testing.T) {
	rec := made(t)
	for i := range rec.Trials {
		trial := &rec.Trials[i]
		if trial.Load != nil {
			trial.Load.Latency.HDR, trial.Load.Course, trial.Profiles = "", nil, nil
		}
	}
	d := DataOf(rec)
	c := d.Cells[0]
	if c.Latency == nil || c.Latency.Whole || len(c.Latency.NS) != 4 || c.Course != nil || c.Layers != nil || c.Lack == "" || d.Flames != nil {
		t.Errorf("%+v, latency %+v, %d flame graphs", c, c.Latency, len(d.Flames))
	}
	if text := mainOf(pageOf(t, rec)); strings.Contains(text, `data-chart="course"`) || strings.Contains(text, `<figure class="flame"`) {
		t.Error("there is room for charts of which nothing is known")
	}
}

func TestBrokenProfile(t *testing.T) {
	rec := made(t)
	if err := os.WriteFile(filepath.Join(rec.Dir, "profiles", "p0.pb.gz"), []byte("nothing"), 0o666); err != nil {
		t.Fatal(err)
	}
	d := DataOf(rec)
	if d.Flames[0].Root != nil || d.Flames[0].Lack == "" || d.Flames[1].Root == nil {
		t.Errorf("%+v", d.Flames[0])
	}
}

func TestRounded(t *testing.T) {
	for in, want := range map[float64]string{0: "0", 123456: "123500", 0.123456: "0.1235", -12.3456: "-12.35", 1e-9: "1e-09", 99999: "100000", 1234567891: "1235000000"} {
		if got := fmt.Sprint(rounded(in)); got != want && fmt.Sprintf("%.0f", rounded(in)) != want {
			t.Errorf("%v is %s, want %s", in, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	rec := made(t)
	path := filepath.Join(rec.Dir, File)
	if err := os.WriteFile(path, []byte("older"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(rec.Dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := results.Read(rec.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := pageOf(t, again); !bytes.Equal(got, []byte(want)) {
		t.Error("the file is not the record's page: the same record must give the same bytes")
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("something is left over")
	}
	if err := Write(t.TempDir()); err == nil {
		t.Error("no error of a folder without a record")
	}
}

// maxReference bounds the page of a reference run, which has no profiles: it is read on phones too.
const maxReference = 2 << 20

func TestReferenceRuns(t *testing.T) {
	for _, name := range []string{"bench", "peers"} {
		rec, err := results.Read(filepath.Join("..", "reference", name))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(pageOf(t, rec)); n > maxReference {
			t.Errorf("the page of %s has %d bytes, more than %d", name, n, maxReference)
		}
	}
}
