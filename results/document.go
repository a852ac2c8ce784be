package results

import (
	"strings"
	"unicode"
)

// A document is a report before it is Markdown or terminal text. All its strings are plain: a renderer escapes every one of
// them, so nothing in a record can pose as markup or drive a terminal.
type document struct {
	title string
	parts []part
}

// part is one of the types below.
type part any

type (
	heading struct {
		level int // 2 and 3; the title is 1
		text  string
	}
	paragraph string
	list      []string
	listing   []string // lines of code, kept as they are
	picture   struct{ file, alt string }
	linked    []link
)

// link is an item of a list that may name a file beside the report.
type link struct {
	text        string
	label, file string // empty without one
}

// grid is a table with what stands under it.
type grid struct {
	columns []column
	rows    []gridRow
	facts   []string // placement, noise floor …
	notes   footnotes
	key     Key // of the ranked trials that the rows are; zero for other tables
}

type column struct {
	head string
	left bool // aligned
}

type gridRow struct {
	cells    []string
	doubtful bool // a warning keeps it out of the ranks
	limit    bool
	about    *tableRow // what the row was made of; nil in tables that have no more to say about it
}

func (d *document) add(p part) { d.parts = append(d.parts, p) }

// footnotes are the numbered reasons under one table. Reasons that differ only in their numbers share one.
type footnotes struct {
	texts []string
	index map[string]int
	alike map[int]bool
}

// mark returns the superscript number of the reason.
func (f *footnotes) mark(text string) string {
	shape := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || r == '.' || r == ',' {
			return -1
		}
		return r
	}, text)
	return f.markAs(shape, text)
}

// markExactly is mark for a reason whose numbers matter: it shares a footnote only with the same text.
func (f *footnotes) markExactly(text string) string { return f.markAs("="+text, text) }

func (f *footnotes) markAs(key, text string) string {
	if f.index == nil {
		f.index, f.alike = map[string]int{}, map[int]bool{}
	}
	n, known := f.index[key]
	if !known {
		f.texts = append(f.texts, text)
		n = len(f.texts)
		f.index[key] = n
	} else if f.texts[n-1] != text {
		f.alike[n] = true
	}
	return superscript(n)
}

// lines are the footnotes with their numbers.
func (f *footnotes) lines() []string {
	var lines []string
	for i, text := range f.texts {
		if f.alike[i+1] {
			text += " (here in one row, alike in the others)"
		}
		lines = append(lines, superscript(i+1)+" "+text)
	}
	return lines
}

func superscript(n int) string {
	const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹"
	if n < 10 {
		return string([]rune(digits)[n])
	}
	return superscript(n/10) + superscript(n%10)
}

// printable replaces what could drive a terminal or reorder a line: control characters, line ends, and the marks that change
// the writing direction.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029':
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
