package results

import (
	"regexp"
	"strings"
)

// markdown renders d as GitHub-flavoured Markdown.
func (d *document) markdown() string {
	var b strings.Builder
	b.WriteString("# " + escapeMarkdown(d.title) + "\n")
	for _, p := range d.parts {
		b.WriteByte('\n')
		switch p := p.(type) {
		case heading:
			b.WriteString(strings.Repeat("#", p.level) + " " + escapeMarkdown(p.text) + "\n")
		case paragraph:
			b.WriteString(escapeMarkdown(string(p)) + "\n")
		case list:
			writeList(&b, p)
		case listing:
			writeListing(&b, p)
		case linked:
			writeLinks(&b, p)
		case picture:
			b.WriteString("![" + escapeMarkdown(p.alt) + "](" + p.file + ")\n")
		case *grid:
			writeGrid(&b, p)
		}
	}
	return b.String()
}

func writeList(b *strings.Builder, items []string) {
	for _, item := range items {
		b.WriteString("- " + escapeMarkdown(item) + "\n")
	}
}

func writeLinks(b *strings.Builder, items []link) {
	for _, item := range items {
		b.WriteString("- " + escapeMarkdown(item.text))
		if item.file != "" {
			b.WriteString(": [" + escapeMarkdown(item.label) + "](" + item.file + ")")
		}
		b.WriteByte('\n')
	}
}

// writeListing fences code with more backquotes than any run of them in it.
func writeListing(b *strings.Builder, lines []string) {
	fence := "```"
	for _, line := range lines {
		for strings.Contains(line, fence) {
			fence += "`"
		}
	}
	b.WriteString(fence + "\n")
	for _, line := range lines {
		b.WriteString(printable(line) + "\n")
	}
	b.WriteString(fence + "\n")
}

func writeGrid(b *strings.Builder, g *grid) {
	for _, c := range g.columns {
		b.WriteString("| " + escapeMarkdown(c.head) + " ")
	}
	b.WriteString("|\n")
	for _, c := range g.columns {
		if c.left {
			b.WriteString("|:---")
		} else {
			b.WriteString("|---:")
		}
	}
	b.WriteString("|\n")
	for _, r := range g.rows {
		for _, cell := range r.cells {
			b.WriteString("| " + escapeMarkdown(cell) + " ")
		}
		b.WriteString("|\n")
	}
	if under := append(append([]string(nil), g.facts...), g.notes.lines()...); len(under) > 0 {
		b.WriteByte('\n')
		writeList(b, under)
	}
}

// special is what GitHub's Markdown may read as markup anywhere in a line ($ starts mathematics), and lineStart what it may
// at the start of one.
var (
	special   = regexp.MustCompile("[\\\\`*_<>\\[\\]|~&#$]")
	lineStart = regexp.MustCompile(`^(\d{0,9})([-+=.)])(\s|$|-|=)`)
)

// escapeMarkdown makes one line of plain text of s.
func escapeMarkdown(s string) string {
	s = special.ReplaceAllString(strings.TrimSpace(printable(s)), `\$0`)
	return lineStart.ReplaceAllString(s, `$1\$2$3`)
}
