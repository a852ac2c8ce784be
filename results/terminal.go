package results

import (
	"strings"
	"unicode/utf8"
)

// Styles of a terminal.
const (
	styleBold   = "\x1b[1m"
	styleDim    = "\x1b[2m"
	styleYellow = "\x1b[33m"
	styleEnd    = "\x1b[0m"
)

// MinWidth is the narrowest terminal that tables are cut for; a column that does not fit stands beyond the edge.
const MinWidth = 40

// screen renders a document for a terminal.
type screen struct {
	b      strings.Builder
	width  int
	colour bool
}

// terminal renders d in lines of at most width columns, where words and table columns allow it.
func (d *document) terminal(width int, colour bool) string {
	s := &screen{width: max(width, MinWidth), colour: colour}
	s.line(styleBold, printable(d.title))
	for _, p := range d.parts {
		if _, ok := p.(picture); ok {
			continue
		}
		s.b.WriteByte('\n')
		switch p := p.(type) {
		case heading:
			s.line(styleBold, printable(p.text))
			if p.level == 2 {
				s.line(styleDim, strings.Repeat("─", min(s.width, utf8.RuneCountInString(printable(p.text)))))
			}
		case paragraph:
			s.wrap("", "", "", string(p))
		case list:
			for _, item := range p {
				s.wrap("", "- ", "  ", item)
			}
		case linked:
			for _, item := range p {
				s.wrap("", "- ", "  ", item.text)
			}
		case listing:
			for _, line := range p {
				s.line("", "    "+printable(line))
			}
		case *grid:
			s.grid(p)
		}
	}
	return s.b.String()
}

func (s *screen) line(style, text string) {
	if s.colour && style != "" && text != "" {
		text = style + text + styleEnd
	}
	s.b.WriteString(text + "\n")
}

// wrap breaks text between words; first and next are the indents.
func (s *screen) wrap(style, first, next, text string) {
	line, used := first, utf8.RuneCountInString(first)
	empty := true
	for word := range strings.FieldsSeq(printable(text)) {
		n := utf8.RuneCountInString(word)
		if !empty && used+1+n > s.width {
			s.line(style, line)
			line, used, empty = next, utf8.RuneCountInString(next), true
		}
		if !empty {
			line, used = line+" ", used+1
		}
		line, used, empty = line+word, used+n, false
	}
	s.line(style, line)
}

// grid prints a table aligned. One that is too wide goes on in further blocks, which repeat the column of the targets.
func (s *screen) grid(g *grid) {
	widths := make([]int, len(g.columns))
	name := 0
	for i, c := range g.columns {
		if c.head == headTarget {
			name = i
		}
		widths[i] = utf8.RuneCountInString(printable(c.head))
		for _, r := range g.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(r.cells[i])))
		}
	}
	for from := 0; from < len(g.columns); {
		var block []int
		used := 0
		if from > name {
			block, used = append(block, name), widths[name]+2
		}
		to := from
		for to < len(g.columns) && (to == from || used+widths[to] <= s.width) {
			block, used = append(block, to), used+widths[to]+2
			to++
		}
		if from > 0 {
			s.b.WriteByte('\n')
		}
		s.block(g, block, widths)
		from = to
	}
	for _, fact := range g.facts {
		s.wrap(styleDim, "  ", "    ", fact)
	}
	for _, note := range g.notes.lines() {
		s.wrap(styleDim, "  ", "    ", note)
	}
}

func (s *screen) block(g *grid, columns, widths []int) {
	cells := func(of func(i int) string) string {
		var b strings.Builder
		for n, i := range columns {
			text := printable(of(i))
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if n > 0 {
				b.WriteString("  ")
			}
			if g.columns[i].left {
				b.WriteString(text + gap)
			} else {
				b.WriteString(gap + text)
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	s.line(styleBold, cells(func(i int) string { return g.columns[i].head }))
	for _, r := range g.rows {
		style := ""
		switch {
		case r.doubtful:
			style = styleYellow
		case r.limit:
			style = styleDim
		}
		s.line(style, cells(func(i int) string { return r.cells[i] }))
	}
}
