package results

import (
	"encoding/base64"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
)

// Section is a part of a run's report as HTML. Every string of the record in it is escaped; it has no scripts and no styles,
// and names nothing outside the document.
type Section struct {
	ID        string // unique in the report, as the target of links
	Title     string // plain text: who shows it escapes it
	Scenario  string // whose tables it holds; empty in the others
	About     bool   // it says how the run was made and how it is read, not what was found
	Fragments []Fragment
}

// Fragment is a piece of a Section.
type Fragment struct {
	HTML string
	// Table says that the piece is a table of ranked trials, and of which: its Target is empty. It is zero for other pieces.
	Table Key
}

// HTML is the section without its heading.
func (s Section) HTML() string {
	var b strings.Builder
	for _, f := range s.Fragments {
		b.WriteString(f.HTML)
	}
	return b.String()
}

// HTML is report.md as HTML: the same text and tables, a Section for each of its headings of the second level, and behind a
// table's row what is known of it: what limits it, its warnings, how to repeat it. The pictures of which a page that runs
// scripts draws its own stand in noscript.
func HTML(rec *Record) ([]Section, error) {
	files, err := Plots(rec)
	if err != nil {
		return nil, err
	}
	for _, s := range Steps(rec) {
		files[s.File] = []byte{} // is linked: it stands beside the report, and a page that runs scripts draws its own
	}
	d := newDocument(rec, files)
	found, head := len(d.parts), &document{}
	addTargets(d, &rec.Run)
	addHead(head, rec) // with which d begins
	h := &hypertext{rec: rec, cells: Cells(rec), files: files, ids: map[string]bool{}}
	h.open("summary", "Summary", "")
	for i, p := range d.parts {
		before := len(h.sections)
		h.part(p)
		if len(h.sections) > before {
			h.sections[before].About = i < len(head.parts) || i >= found
		}
	}
	return h.sections, nil
}

// TargetsOf are the run's targets, and behind them those that only trials name.
func TargetsOf(rec *Record) []Target { return orderedTargets(&rec.Run, Cells(rec)) }

// Sound reports whether the cell may be ranked by its throughput and its latency.
func (c *Cell) Sound() bool {
	s := c.soundness()
	return s.ranked && s.speed
}

// hypertext renders a document as sections.
type hypertext struct {
	rec      *Record
	cells    []*Cell
	files    map[string][]byte
	sections []Section
	ids      map[string]bool
	under    string // the last heading of the third level
	tables   int
}

// open begins a section.
func (h *hypertext) open(id, title, scenario string) {
	h.sections = append(h.sections, Section{ID: h.id(id), Title: title, Scenario: scenario})
	h.under = ""
}

// maxID bounds an id made of a title.
const maxID = 60

// id makes an id of a title that no other has.
func (h *hypertext) id(title string) string {
	word := strings.ToLower(fileWord(title))
	word = word[:min(len(word), maxID)]
	id := word
	for n := 2; h.ids[id]; n++ {
		id = fmt.Sprintf("%s-%d", word, n)
	}
	h.ids[id] = true
	return id
}

func (h *hypertext) add(f Fragment) {
	s := &h.sections[len(h.sections)-1]
	s.Fragments = append(s.Fragments, f)
}

// title is that of the section that is open.
func (h *hypertext) title() string { return h.sections[len(h.sections)-1].Title }

func (h *hypertext) part(p part) {
	var b strings.Builder
	switch p := p.(type) {
	case heading:
		if p.level == 2 {
			h.open("s-"+p.text, p.text, h.scenario(p.text))
			return
		}
		h.under = p.text
		fmt.Fprintf(&b, "<h3 id=\"%s\">%s</h3>\n", h.id(h.sections[len(h.sections)-1].ID+"-"+p.text), escaped(p.text))
	case paragraph:
		fmt.Fprintf(&b, "<p>%s</p>\n", escaped(string(p)))
	case list:
		writeItems(&b, `<ul>`, p, `</ul>`)
	case linked:
		writeLinkItems(&b, p)
	case listing:
		writeCode(&b, p)
	case picture:
		h.picture(&b, p)
	case *grid:
		h.tables++
		writeTable(&b, h, p)
		h.add(Fragment{HTML: b.String(), Table: p.key})
		return
	default:
		panic(fmt.Sprintf("results: a document has a part of type %T, which has no HTML", p))
	}
	h.add(Fragment{HTML: b.String()})
}

// picture writes a picture into the page itself, in a box that scrolls where it is too narrow.
func (h *hypertext) picture(b *strings.Builder, p picture) {
	open, end := "<p class=\"picture\" tabindex=\"0\">", "</p>\n"
	if p.file == CostPlot || strings.HasSuffix(p.file, connectionsPlot) || strings.HasPrefix(p.file, layersPlot) {
		open, end = "<noscript>"+open, "</p></noscript>\n"
	}
	svg := h.files[p.file]
	fmt.Fprintf(b, "%s<img src=\"data:image/svg+xml;base64,%s\" alt=\"%s\"%s>%s", open, base64.StdEncoding.EncodeToString(svg), escaped(p.alt), sizeOf(svg), end)
}

// svgSize is the size that a picture says of itself, at its begin.
var svgSize = regexp.MustCompile(`<svg width="([\d.]+)pt" height="([\d.]+)pt"`)

// sizeOf are the attributes that keep a picture's place until it is there.
func sizeOf(svg []byte) string {
	const pixels = 4.0 / 3 // in a point
	m := svgSize.FindSubmatch(svg[:min(len(svg), 1000)])
	if m == nil {
		return ""
	}
	w, _ := strconv.ParseFloat(string(m[1]), 64)
	h, _ := strconv.ParseFloat(string(m[2]), 64)
	return fmt.Sprintf(" width=\"%.0f\" height=\"%.0f\"", w*pixels, h*pixels)
}

// cell is the row's cell among those of the record; nil where no trial of it was loaded.
func (h *hypertext) cell(row *tableRow) *Cell {
	for _, c := range h.cells {
		if c.Key == row.cell.Key {
			return c
		}
	}
	return nil
}

// scenario is the title of a section if that is a scenario's name.
func (h *hypertext) scenario(title string) string {
	for _, s := range orderedScenarios(h.rec) {
		if s.Name == title {
			return title
		}
	}
	return ""
}

// escaped is one line of text in HTML.
func escaped(s string) string { return html.EscapeString(printable(s)) }

func writeItems(b *strings.Builder, open string, items []string, end string) {
	b.WriteString(open + "\n")
	for _, item := range items {
		fmt.Fprintf(b, "<li>%s</li>\n", escaped(item))
	}
	b.WriteString(end + "\n")
}

// writeLinkItems writes links to the files beside the report.
func writeLinkItems(b *strings.Builder, items []link) {
	b.WriteString("<ul>\n")
	for _, item := range items {
		fmt.Fprintf(b, "<li>%s", escaped(item.text))
		if item.file != "" {
			fmt.Fprintf(b, ": <a href=\"%s\">%s</a>", escaped(item.file), escaped(item.label))
		}
		b.WriteString("</li>\n")
	}
	b.WriteString("</ul>\n")
}

// writeCode keeps lines as they are. The box scrolls, so that it must be reachable by keyboard.
func writeCode(b *strings.Builder, lines []string) {
	b.WriteString(`<pre tabindex="0"><code>`)
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(escaped(line))
	}
	b.WriteString("</code></pre>\n")
}
