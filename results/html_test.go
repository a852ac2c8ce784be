package results

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sectionsOf are the sections of a record's HTML in one text, without the bytes of the pictures.
func sectionsOf(t *testing.T, rec *Record) string {
	t.Helper()
	sections, err := HTML(rec)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&b, "== %s | %s | %s\n%s", s.ID, escaped(s.Title), escaped(s.Scenario), s.HTML())
	}
	return regexp.MustCompile(`base64,[^"]*`).ReplaceAllString(b.String(), "base64,…")
}

// small is a record of a core, the reference and a foreign server with a hostile name.
func small() *Record {
	const hostile = "<script>alert(1)</script>\"'&²"
	rec := &Record{Dir: ".", Run: Run{ID: "20261122-100000-bench", Started: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Command: []string{"bin/corelab", "bench"}, Commit: "abc", Seed: 7,
		Host:      Host{Kernel: "6.18", CPU: "<b>", CPUs: 2, GoVersion: "go1.26"},
		Scenarios: []Scenario{{Name: "plaintext", Question: "What does <i>it</i> cost?", Load: "GET /"}, {Name: "</h2><script>", Load: "GET /"}},
		Targets: []Target{{Name: "reactor", Kind: "core", Command: []string{"bin/coreserver", "--core", "reactor"}},
			{Name: "nginx", Kind: "peer", Command: []string{"nginx"}, Config: "events {}\n</code></pre><script>\n"},
			{Name: hostile, Kind: "foreign", Command: []string{"./a b", "$(c)"}}}}}
	for i, target := range rec.Run.Targets {
		for round := 1; round <= 2; round++ {
			rec.Trials = append(rec.Trials, Trial{Kind: KindTrial, Scenario: "plaintext", Target: target.Name, Round: round, Placement: PlacementOne,
				Load: &Load{Generator: "corelab", Command: []string{"corelab", "load", "it's"}, Loop: LoopClosed, Connections: 10, Depth: 1, Elapsed: time.Second, Requests: 10000,
					Latency: &Latency{Count: 10000, Mean: time.Millisecond, P50: time.Millisecond, P90: 2 * time.Millisecond, P99: 3 * time.Millisecond, Max: time.Second}},
				Server:  &Usage{Elapsed: time.Second, CPU: time.Duration(400+10*i+round) * time.Millisecond, Affinity: "0"},
				Client:  &Usage{Elapsed: time.Second, CPU: 500 * time.Millisecond, Affinity: "0"},
				Missing: []Missing{{"server.user_ns", "<img src=x onerror=alert(1)> of 5 ticks"}}})
		}
		rec.Trials = append(rec.Trials, Trial{Kind: KindTrial, Scenario: "</h2><script>", Target: target.Name, Round: 1, Skipped: "</td></table>"})
	}
	return rec
}

func TestHTMLGolden(t *testing.T) { golden(t, "sections.html", []byte(sectionsOf(t, small()))) }

// tags are those that the fragments may have.
var tags = regexp.MustCompile(`^</?(a|button|caption|code|div|h3|img|li|noscript|ol|p|pre|span|strong|sup|table|tbody|td|th|thead|tr|ul)[ >]`)

func TestHTMLHasNoOtherTags(t *testing.T) {
	for _, rec := range []*Record{small(), sample(t)} {
		sections, err := HTML(rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections {
			text := s.HTML()
			for at := strings.IndexByte(text, '<'); at >= 0; at = strings.IndexByte(text, '<') {
				text = text[at:]
				if !tags.MatchString(text) {
					t.Fatalf("%s has %.40q", s.ID, text)
				}
				text = text[1:]
			}
		}
	}
}

func TestHTMLIsBalanced(t *testing.T) {
	for _, rec := range []*Record{small(), sample(t)} {
		var open []string
		for _, tag := range regexp.MustCompile(`<(/?)([a-z0-9]+)`).FindAllStringSubmatch(sectionsOf(t, rec), -1) {
			switch {
			case tag[2] == "img":
			case tag[1] == "":
				open = append(open, tag[2])
			case len(open) == 0 || open[len(open)-1] != tag[2]:
				t.Fatalf("</%s> closes %q", tag[2], open)
			default:
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("left open: %q", open)
		}
	}
}

// The HTML shows what the Markdown shows: every cell and every note.
func TestHTMLHasAllOfTheReport(t *testing.T) {
	rec := sample(t)
	text := regexp.MustCompile(`<sup><a [^>]*>(\d+)</a></sup>`).ReplaceAllStringFunc(sectionsOf(t, rec), func(mark string) string {
		n := 0
		fmt.Sscanf(mark[strings.Index(mark, "note ")+5:], "%d", &n)
		return superscript(n)
	})
	d := newDocument(rec, map[string][]byte{})
	addTargets(d, &rec.Run)
	for _, p := range d.parts {
		switch p := p.(type) {
		case paragraph:
			if !strings.Contains(text, escaped(string(p))) {
				t.Errorf("lacks %q", p)
			}
		case *grid:
			for _, r := range p.rows {
				for _, cell := range r.cells {
					if !strings.Contains(text, ">"+escaped(cell)) {
						t.Errorf("lacks the cell %q", cell)
					}
				}
			}
			for _, note := range append(p.facts, p.notes.texts...) {
				if !strings.Contains(text, escaped(note)) {
					t.Errorf("lacks the note %q", note)
				}
			}
		}
	}
}

func TestSortValue(t *testing.T) {
	for cell, want := range map[string]float64{
		"12,345 ±3 %": 12345, "≥ 12,345 ±3 %": 12345, "~ 0.996 (0.98–1.01)": 0.996, "≥ ~ 1.2 (1–2)": 1.2, "1.5 ms": 1.5e6, "850 µs": 850e3, "12 ns": 12, "1.2 s": 1.2e9,
		"97 / 60 %": 97, "2=": 2, "1": 1, "350ms (not in 1 of 3 rounds)¹": 350e6, "1m30s": 90e9, "never²": 1e300, "1 · plain 2": 1, "-3": -3, "12.5³": 12.5, "0": 0, "0.31 %": 0.31,
	} {
		if got, ok := sortValue(cell); !ok || got != want {
			t.Errorf("%q is %v (%v), want %v", cell, got, ok, want)
		}
	}
	for _, cell := range []string{Dash, Dash + "¹", Unproven, "limit", "", "³"} {
		if got, ok := sortValue(cell); ok {
			t.Errorf("%q has no number, and is %v", cell, got)
		}
	}
}

func TestMarksBecomeLinks(t *testing.T) {
	notes := footnotes{}
	for i := range 12 {
		notes.markExactly(fmt.Sprint(i))
	}
	link := func(n int) string {
		return fmt.Sprintf(`<sup><a href="#t1-n%d" aria-label="note %d">%d</a></sup>`, n, n, n)
	}
	for _, c := range []struct {
		text  string
		plain int
		want  string
	}{
		{"–¹", 0, "–" + link(1)}, {"nginx ¹ ¹²", 0, "nginx " + link(1) + " " + link(12)}, {"1¹³", 0, "1" + link(1) + link(3)},
		{"x² ³", len("x²"), "x² " + link(3)}, {"⁰", 0, "⁰"}, {"m⁹⁹ <", 0, "m" + link(9) + link(9) + " &lt;"},
	} {
		var b strings.Builder
		(&tableText{b: &b, id: "t1", grid: &grid{notes: notes}}).marked(c.text, c.plain)
		if b.String() != c.want {
			t.Errorf("%q: got %s, want %s", c.text, b.String(), c.want)
		}
	}
}

func TestAgain(t *testing.T) {
	rec := small()
	h := &hypertext{rec: rec}
	row := &tableRow{target: Target{Name: "reactor --threads 8", Kind: "core"}, cell: &Cell{}}
	words := func(k Key) string {
		return commandLine((&tableText{page: h, grid: &grid{key: k}}).again(row))
	}
	if got, want := words(Key{Scenario: "latency", Case: "percent=50", Generator: "wrk", Placement: PlacementOne}),
		`bin/corelab bench latency --case percent=50 --cores none --target 'reactor --threads 8' --generator wrk --placement one --seed 7`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	row.target.Kind = "foreign"
	if got := words(Key{Scenario: "latency"}); got != "" {
		t.Errorf("of a foreign server: %s", got)
	}
	row.target.Kind, rec.Run.Command = "core", []string{"bin/corelab", "bench", "--request", "GET /mine"}
	if got := words(Key{Scenario: "latency"}); got != "" {
		t.Errorf("of the user's own request: %s", got)
	}
}
