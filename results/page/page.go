package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"corelab/results"
)

// Assets are the styles and scripts of the page, below "assets": page.css, early.js, charts.js, flame.js and page.js are ours,
// uplot is somebody else's, as it was published.
//
//go:embed assets
var Assets embed.FS

// File is the name of the page that Write makes.
const File = "report.html"

// Names of the assets, in the order in which a page needs them.
var (
	styles  = []string{"uplot/uPlot.min.css", "page.css"}
	early   = "early.js" // in the head, before anything is painted
	scripts = []string{"uplot/uPlot.iife.min.js", "charts.js", "flame.js", "page.js"}
)

// Page is the report of a record as one HTML file. It is a pure function of the record, but for the profiles, which it reads
// from the record's folder.
func Page(rec *results.Record) ([]byte, error) {
	sections, err := results.HTML(rec)
	if err != nil {
		return nil, err
	}
	data := DataOf(rec)
	encoded, err := EncodeData(data)
	if err != nil {
		return nil, err
	}
	// What was found comes first, how it was made behind it.
	slices.SortStableFunc(sections, func(a, b results.Section) int { return place(a) - place(b) })
	w := &writer{rec: rec, data: data}
	if err := w.head(); err != nil {
		return nil, err
	}
	w.contents(sections)
	w.text("<main id=\"main\">\n")
	behind := slices.IndexFunc(sections, func(s results.Section) bool { return s.About })
	if behind < 0 {
		behind = len(sections)
	}
	for _, s := range sections[:behind] {
		w.section(s)
	}
	w.flames()
	for _, s := range sections[behind:] {
		w.section(s)
	}
	w.text("</main>\n</div>\n<script type=\"application/json\" id=\"corelab-data\">", string(encoded), "</script>\n")
	for _, name := range scripts {
		w.script(asset(name))
	}
	w.text("</body>\n</html>\n")
	return w.b.Bytes(), nil
}

// place is where a section stands.
func place(s results.Section) int {
	if s.About {
		return 1
	}
	return 0
}

// EncodeData is data as JSON that may stand in a script element of HTML: nothing in it can end the element, or a line of a
// script that reads it.
func EncodeData(d *Data) ([]byte, error) {
	b, err := json.Marshal(d) // escapes <, >, & and U+2028 and U+2029
	if err != nil {
		return nil, fmt.Errorf("page: encode the data of the charts: %w", err)
	}
	return b, nil
}

// Write reads the record in dir and writes its Page beside it, replacing an older one at once.
func Write(dir string) error {
	rec, err := results.Read(dir)
	if err != nil {
		return err
	}
	b, err := Page(rec)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, File)
	tmp := path + ".new"
	err = os.WriteFile(tmp, b, 0o666)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("page: write a report: %w", err), removed(tmp))
	}
	return nil
}

// removed takes away what was half written.
func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("page: take away what was half written: %w", err)
	}
	return nil
}

// asset is a file of Assets, which are part of the program.
func asset(name string) string {
	b, err := Assets.ReadFile("assets/" + name)
	if err != nil {
		panic("page: the program lacks its own asset: " + err.Error())
	}
	return string(b)
}

// Styles are the styles of the page in one text, for a style element or a file.
func Styles() string {
	var b strings.Builder
	for _, name := range styles {
		b.WriteString(asset(name) + "\n")
	}
	return b.String()
}

// Early is the script for the head, and Scripts are those for the body's end, in order.
func Early() string { return asset(early) }

// Scripts are the scripts for the body's end in one text, see Early.
func Scripts() string {
	var b strings.Builder
	for _, name := range scripts {
		b.WriteString(asset(name) + "\n")
	}
	return b.String()
}

// policy forbids the page all that it does not bring along: no network, no frames, no forms, no scripts but its own, known by
// their digests.
func policy() string {
	var digests []string
	for _, name := range append([]string{early}, scripts...) {
		sum := sha256.Sum256([]byte(asset(name)))
		digests = append(digests, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; script-src " + strings.Join(digests, " ")
}

// writer builds a page.
type writer struct {
	b    bytes.Buffer
	rec  *results.Record
	data *Data
}

func (w *writer) text(parts ...string) {
	for _, p := range parts {
		w.b.WriteString(p)
	}
}

// script writes a script; its bytes are those of which the policy has the digest.
func (w *writer) script(text string) { w.text("<script>", text, "</script>\n") }

func escaped(s string) string { return html.EscapeString(results.Printable(s)) }

func (w *writer) head() error {
	if strings.Contains(Styles(), "</style") || strings.Contains(Early()+Scripts(), "</script") {
		return errors.New("page: an asset ends the element that it stands in")
	}
	title := escaped("corelab run " + w.rec.Run.ID)
	w.text("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
		"<meta http-equiv=\"Content-Security-Policy\" content=\"", policy(), "\">\n",
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>", title, "</title>\n<style>", Styles(), "</style>\n")
	w.script(Early())
	w.text("</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<div class=\"page\">\n<header>\n<h1>", title, "</h1>\n<p>", escaped(w.where()), "</p>\n",
		"<div class=\"controls\"><button type=\"button\" id=\"theme\">Theme</button>",
		"<button type=\"button\" id=\"expand\" aria-pressed=\"false\">All about each row</button></div>\n",
		"<noscript><p>The tables and texts are whole. Charts and flame graphs are drawn by JavaScript, which is off here.</p></noscript>\n</header>\n")
	return nil
}

// where is on what the run was made, in a line.
func (w *writer) where() string {
	h := &w.rec.Run.Host
	parts := []string{w.rec.Run.Started.UTC().Format("2 January 2006, 15:04 UTC")}
	if h.CPU != "" {
		parts = append(parts, fmt.Sprintf("%s, %d CPUs", h.CPU, h.CPUs))
	}
	if h.Virtual != "" {
		parts = append(parts, "a virtual machine")
	}
	if h.Kernel != "" {
		parts = append(parts, "kernel "+h.Kernel)
	}
	return strings.Join(parts, "; ")
}

// flamesID is the section of the flame graphs.
const flamesID = "flame-graphs"

func (w *writer) contents(sections []results.Section) {
	w.text("<nav class=\"contents\" aria-labelledby=\"contents-title\"><h2 id=\"contents-title\">Contents</h2>\n<ul>\n")
	flames := len(w.data.Flames) == 0 // or they are listed
	for _, s := range sections {
		if s.About && !flames {
			w.text("<li><a href=\"#", flamesID, "\">Flame graphs</a></li>\n")
			flames = true
		}
		w.text("<li><a href=\"#", s.ID, "\">", escaped(s.Title), "</a></li>\n")
	}
	w.text("</ul></nav>\n")
}

func (w *writer) section(s results.Section) {
	w.text("<section aria-labelledby=\"", s.ID, "\">\n<h2 id=\"", s.ID, "\">", escaped(s.Title), "</h2>\n")
	first := slices.IndexFunc(s.Fragments, func(f results.Fragment) bool { return f.Table != (results.Key{}) })
	for i, f := range s.Fragments {
		if first >= 0 && (i == first || strings.HasPrefix(f.HTML, "<h3")) { // before the first table and its heading
			w.overConnections(s.Fragments[first].Table)
			first = -1
		}
		w.text(f.HTML)
		if f.Table != (results.Key{}) {
			w.charts(f.Table)
		}
	}
	w.text("</section>\n")
}

// overConnections are the charts of a scenario whose closed loops differ in the number of connections.
func (w *writer) overConnections(k results.Key) {
	seen := map[int]bool{}
	for _, c := range w.data.Cells {
		if c.Scenario == k.Scenario && c.Loop == k.Loop && c.Generator == k.Generator && c.Placement == k.Placement {
			seen[c.Connections] = true
		}
	}
	if k.Loop != results.LoopClosed || len(seen) < 2 {
		return
	}
	k.Case = anyCase
	w.text("<div class=\"charts\">\n")
	w.figure("connections", "throughput", k, "Throughput over connections", "answers per second; hollow: doubtful, or a lower bound; lines at the points: 95 % interval, or all rounds")
	w.figure("connections", "p99", k, "p99 over connections", "of the closed loop, in which latency grows with connections by Little’s law whatever the server does")
	w.text("</div>\n")
}

// charts are those of one table.
func (w *writer) charts(k results.Key) {
	cells, courses, whole := 0, false, true
	for _, c := range w.data.Cells {
		if c.Scenario != k.Scenario || c.Case != k.Case || c.Generator != k.Generator || c.Loop != k.Loop || c.Placement != k.Placement {
			continue
		}
		cells++
		courses = courses || c.Course != nil
		whole = whole && (c.Latency == nil || c.Latency.Whole)
	}
	if cells == 0 {
		return
	}
	what := "from when a request was sent, so that who waits asks less: an open loop measures latency"
	if k.Loop == results.LoopOpen {
		what = "from when a request was due"
	}
	if !whole {
		what += "; where the record has no histograms only the points are known"
	}
	w.text("<div class=\"charts\">\n")
	w.figure("percentiles", "", k, "Latency by percentile", what+"; rounds merged")
	w.figure("bars", "", k, "What a request costs", "CPU of the server per request, µs, by where it went; ?: in doubt")
	if courses {
		note := "one trial of each target, whose throughput is nearest to the median"
		w.figure("course", "throughput", k, "Throughput in the course of a trial", "answers per second; "+note)
		w.figure("course", "server", k, "CPU of the server in the course of a trial", "100 % is one CPU; "+note)
		w.figure("course", "client", k, "CPU of the generator in the course of a trial", "100 % is one CPU; "+note)
	}
	w.text("</div>\n")
}

// anyCase as a key's case stands for all of them.
const anyCase = "\x00"

// figure makes room for a chart, which a script draws.
func (w *writer) figure(chart, which string, k results.Key, title, note string) {
	w.text("<figure class=\"chart\" data-chart=\"", chart, "\"")
	if which != "" {
		w.text(" data-figure=\"", which, "\"")
	}
	for _, a := range [][2]string{{"scenario", k.Scenario}, {"case", k.Case}, {"generator", k.Generator}, {"loop", k.Loop}, {"placement", k.Placement}} {
		if a[1] != anyCase {
			w.text(" data-", a[0], "=\"", html.EscapeString(a[1]), "\"")
		}
	}
	where := strings.TrimSpace(k.Scenario + " " + strings.TrimPrefix(k.Case, anyCase))
	w.text("><figcaption>", escaped(title), " <small>", escaped(where+": "+note), "</small></figcaption>")
	if chart == "bars" { // its height is known
		fmt.Fprintf(&w.b, "<div class=\"plot\" style=\"height:%dpx\">", w.barsHeight(k))
	} else {
		w.text("<div class=\"plot\">")
	}
	w.text("<p class=\"nojs\">Drawn by JavaScript; the figures are in the tables.</p></div><div class=\"legend\"></div></figure>\n")
}

// barHeight is that of a row in charts.js.
const barHeight = 27

func (w *writer) barsHeight(k results.Key) int {
	n := 0
	for _, c := range w.data.Cells {
		if c.Scenario == k.Scenario && c.Case == k.Case && c.Generator == k.Generator && c.Loop == k.Loop && c.Placement == k.Placement && c.CPU != nil {
			n++
		}
	}
	return max(n, 2) * barHeight
}

// flames is the section of the flame graphs, one figure for each target in each case.
func (w *writer) flames() {
	if len(w.data.Flames) == 0 {
		return
	}
	w.text("<section aria-labelledby=\"", flamesID, "\">\n<h2 id=\"", flamesID, "\">Flame graphs</h2>\n",
		"<p>Each frame is a function, as wide as its part of the time; below it stands what it called. A click, or Enter, makes a frame the whole width; Escape goes back; the arrow keys walk. Held against another target, colours say what takes a larger or a smaller part. ",
		"A frame has the colour of the layer that it leads to. Profiles are from trials of their own: profiling slows, so these are never ranked.</p>\n")
	type place struct{ scenario, name, target string }
	seen := map[place]bool{}
	title := ""
	for _, f := range w.data.Flames {
		p := place{f.Scenario, f.Case, f.Target}
		if seen[p] {
			continue
		}
		seen[p] = true
		if t := strings.TrimSpace(f.Scenario + " " + f.Case); t != title {
			title = t
			w.text("<h3>", escaped(title), "</h3>\n")
		}
		fmt.Fprintf(&w.b, "<figure class=\"flame\" style=\"height:%dpx\"", w.flameHeight(f))
		for _, a := range [][2]string{{"scenario", f.Scenario}, {"case", f.Case}, {"target", f.Target}} {
			w.text(" data-", a[0], "=\"", html.EscapeString(a[1]), "\"")
		}
		w.text("><figcaption>", escaped(f.Target), " <small>", escaped(title+"; the file for go tool pprof: "+f.Path), "</small></figcaption>",
			"<div class=\"bar\"></div><div class=\"box\"><p class=\"nojs\">Drawn by JavaScript; \"go tool pprof\" opens the file.</p></div><div class=\"line\" role=\"status\"></div></figure>\n")
	}
	w.text("</section>\n")
}

// Heights of a flame graph, in pixels; flame.js draws rows as high.
const (
	flameRow    = 17
	flameAround = 150 // captions and controls
	flameMost   = 620 // a deeper one scrolls in its box
)

// flameHeight is the height of the figure of f's target: of the deepest of its trees.
func (w *writer) flameHeight(f FlameGraph) int {
	rows := 0
	for _, g := range w.data.Flames {
		if g.Scenario == f.Scenario && g.Case == f.Case && g.Target == f.Target && g.Root != nil {
			rows = max(rows, g.Root.depth())
		}
	}
	return min(flameAround+rows*flameRow, flameMost)
}

// depth is how many frames lie one below the other.
func (f *Frame) depth() int {
	most := 0
	for _, c := range f.Children {
		most = max(most, c.depth())
	}
	return most + 1
}
