package results

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kballard/go-shellquote"
)

// writeTable renders a grid: the table in a box that scrolls by itself, and under it its facts and notes. Each row is a tbody
// of its own, in which what is known of the row stands behind it: rows are sorted with what belongs to them.
func writeTable(b *strings.Builder, h *hypertext, g *grid) {
	t := &tableText{b: b, id: fmt.Sprintf("t%d", h.tables), grid: g, page: h}
	caption := h.title()
	if h.under != "" {
		caption += ", " + h.under
	}
	fmt.Fprintf(b, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"%s-caption\">\n<table class=\"grid\" id=\"%s\">\n<caption id=\"%s-caption\">%s</caption>\n<thead><tr>",
		t.id, t.id, t.id, escaped(caption))
	for _, c := range g.columns {
		kind := "number"
		if c.left {
			kind = "text"
		}
		fmt.Fprintf(b, "<th scope=\"col\" class=\"%s\"><button type=\"button\" class=\"sort\">%s</button></th>", kind, escaped(c.head))
	}
	b.WriteString("</tr></thead>\n")
	for i, r := range g.rows {
		t.row(i+1, r)
	}
	b.WriteString("</table>\n</div>\n")
	if len(g.facts) > 0 {
		writeItems(b, `<ul class="facts">`, g.facts, `</ul>`)
	}
	t.notes()
}

// tableText renders the parts of one table.
type tableText struct {
	b    *strings.Builder
	id   string
	grid *grid
	page *hypertext
}

// row is one target, and behind it what is known of it.
func (t *tableText) row(n int, r gridRow) {
	class := ""
	switch {
	case r.doubtful:
		class = ` class="doubtful"`
	case r.limit:
		class = ` class="limit"`
	}
	fmt.Fprintf(t.b, "<tbody%s><tr>", class)
	named := t.nameColumn()
	for i, cell := range r.cells {
		tag := "td"
		if i == named {
			tag = `th scope="row"`
		}
		value := ""
		kind := "number"
		if t.grid.columns[i].left {
			kind = "text"
		} else if v, ok := sortValue(cell); ok {
			value = fmt.Sprintf(" data-sort=\"%s\"", strconv.FormatFloat(v, 'g', 8, 64))
		}
		fmt.Fprintf(t.b, "<%s class=\"%s\"%s>", tag, kind, value)
		plain := 0
		if i == named && r.about != nil && strings.HasPrefix(cell, r.about.target.Name) {
			plain = len(r.about.target.Name)
		}
		t.marked(cell, plain)
		if i == named && r.about != nil {
			t.opener(n, r.about)
		}
		t.b.WriteString("</" + tag[:2] + ">")
	}
	t.b.WriteString("</tr>\n")
	if r.about != nil {
		t.behind(n, r)
	}
	t.b.WriteString("</tbody>\n")
}

// nameColumn is the column that names the rows: that of the targets, or else the first.
func (t *tableText) nameColumn() int {
	return max(0, slices.IndexFunc(t.grid.columns, func(c column) bool { return c.head == headTarget }))
}

// marked writes a cell's text with its marks as links to the notes. The first plain bytes have none.
func (t *tableText) marked(text string, plain int) {
	t.b.WriteString(escaped(text[:plain]))
	text = text[plain:]
	for text != "" {
		at := strings.IndexFunc(text, isSuperscript)
		if at < 0 {
			break
		}
		t.b.WriteString(escaped(text[:at]))
		text = text[at:]
		end := strings.IndexFunc(text, func(r rune) bool { return !isSuperscript(r) })
		if end < 0 {
			end = len(text)
		}
		t.links(text[:end])
		text = text[end:]
	}
	t.b.WriteString(escaped(text))
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹"

func isSuperscript(r rune) bool { return strings.ContainsRune(superscripts, r) }

// links writes a run of superscript digits. It is one mark, or where there are not so many notes several, each as long as
// there are.
func (t *tableText) links(run string) {
	for run != "" {
		n, used := 0, 0
		for i, r := range run {
			next := 10*n + utf8.RuneCountInString(superscripts[:strings.IndexRune(superscripts, r)])
			if next == 0 || next > len(t.grid.notes.texts) {
				break
			}
			n, used = next, i+utf8.RuneLen(r)
		}
		if n == 0 { // no mark of this table: text that has such a digit
			_, size := utf8.DecodeRuneInString(run)
			t.b.WriteString(run[:size])
			run = run[size:]
			continue
		}
		fmt.Fprintf(t.b, "<sup><a href=\"#%s-n%d\" aria-label=\"note %d\">%d</a></sup>", t.id, n, n, n)
		run = run[used:]
	}
}

// notes are the table's footnotes, where its marks lead.
func (t *tableText) notes() {
	if len(t.grid.notes.texts) == 0 {
		return
	}
	t.b.WriteString("<ol class=\"notes\">\n")
	for i, line := range t.grid.notes.lines() {
		_, text, _ := strings.Cut(line, " ")
		fmt.Fprintf(t.b, "<li id=\"%s-n%d\">%s</li>\n", t.id, i+1, escaped(text))
	}
	t.b.WriteString("</ol>\n")
}

// opener is the button that shows what stands behind a row; without scripts it is not there, and all is shown.
func (t *tableText) opener(n int, row *tableRow) {
	text := "more"
	switch len(row.marks) {
	case 0:
	case 1:
		text = "1 warning"
	default:
		text = fmt.Sprintf("%d warnings", len(row.marks))
	}
	fmt.Fprintf(t.b, " <button type=\"button\" class=\"why\" aria-expanded=\"false\" aria-controls=\"%s-r%d\">%s<span class=\"unseen\"> about %s</span></button>",
		t.id, n, text, escaped(row.target.Name))
}

// behind is what is known of a row: what limits it, what speaks against it, and how to measure it again.
func (t *tableText) behind(n int, r gridRow) {
	row := r.about
	fmt.Fprintf(t.b, "<tr class=\"behind\" id=\"%s-r%d\"><td colspan=\"%d\"><div>\n", t.id, n, len(r.cells))
	t.limit(row)
	if len(row.marks) > 0 {
		var warnings []string
		for _, m := range row.marks {
			warnings = append(warnings, m.String())
		}
		writeItems(t.b, `<ul class="warnings">`, warnings, `</ul>`)
	}
	for _, c := range t.commands(row) {
		fmt.Fprintf(t.b, "<p>%s</p>\n", escaped(c.what))
		writeCode(t.b, []string{c.line})
	}
	t.b.WriteString("</div></td></tr>\n")
}

// limit says what limits a row, or why it has no figures.
func (t *tableText) limit(row *tableRow) {
	if word, why := row.untried(); word != "" {
		fmt.Fprintf(t.b, "<p><strong>%s</strong>: %s</p>\n", escaped(word), escaped(why))
		return
	}
	said := false
	if c := t.page.cell(row); c != nil {
		if b, ok := t.page.rec.BottleneckOf(t.page.cells, c); ok {
			fmt.Fprintf(t.b, "<p class=\"limits\"><strong>What limits it:</strong> %s</p>\n", escaped(b.Sentence))
			writeItems(t.b, `<ul>`, b.Evidence, `</ul>`)
			fmt.Fprintf(t.b, "<p>What would move it: %s</p>\n", escaped(b.Moves))
			if b.Lacks != "" {
				fmt.Fprintf(t.b, "<p>%s</p>\n", escaped(b.Lacks))
			}
			said = slices.Contains(b.Evidence, row.verdict.Reason)
		}
	}
	if row.verdict.Kind != "" && !said {
		fmt.Fprintf(t.b, "<p><strong>%s</strong>: %s</p>\n", escaped(string(row.verdict.Kind)), escaped(row.verdict.Reason))
	}
}

// command is a line that a person may type, and what it is.
type command struct{ what, line string }

// commands are the server, its load, and the lab's own command for the cell.
func (t *tableText) commands(row *tableRow) []command {
	var all []command
	if len(row.target.Command) > 0 {
		what := "The server:"
		if row.target.Config != "" {
			what = "The server; its configuration stands under Targets:"
		}
		all = append(all, command{what, commandLine(row.target.Command)})
	}
	for _, trial := range row.cell.Trials {
		if trial.Load != nil && len(trial.Load.Command) > 0 {
			all = append(all, command{fmt.Sprintf("Its load, of round %d:", trial.Round), shellquote.Join(trial.Load.Command...)})
			break
		}
	}
	if words := t.again(row); words != nil {
		all = append(all, command{"This row alone, by the lab:", commandLine(words)})
	}
	return all
}

// again measures a row alone; nil where the record does not have all that the command needs: a foreign server's, or the user's
// own request.
func (t *tableText) again(row *tableRow) []string {
	run := &t.page.rec.Run
	own := slices.ContainsFunc(run.Command, func(w string) bool { return strings.HasPrefix(w, "--request") })
	if len(run.Command) == 0 || run.Knee != nil || own || row.target.Kind != "core" && row.target.Kind != "peer" {
		return nil
	}
	k := t.grid.key
	words := []string{run.Command[0], "bench", k.Scenario}
	if k.Case != "" {
		words = append(words, "--case", k.Case)
	}
	// A core with flags is named as it was given.
	words = append(words, "--cores", "none", "--target", row.target.Name)
	if k.Generator != "" {
		words = append(words, "--generator", k.Generator)
	}
	if k.Placement != "" {
		words = append(words, "--placement", k.Placement)
	}
	return append(words, "--seed", strconv.FormatUint(run.Seed, 10))
}

// sortValue is the number by which a cell is sorted: its first one, in nanoseconds if it is a time; ok is false where it has
// none. What is said to take forever comes last.
func sortValue(cell string) (v float64, ok bool) {
	words := strings.FieldsFunc(cell, func(r rune) bool { return r == ' ' || isSuperscript(r) })
	for i, w := range words {
		if w == "never" {
			return 1e300, true
		}
		if d, err := time.ParseDuration(w); err == nil && w != "0" {
			return float64(d), true
		}
		v, err := strconv.ParseFloat(strings.TrimRight(strings.ReplaceAll(w, ",", ""), "=%"), 64)
		if err != nil {
			continue
		}
		if i+1 < len(words) {
			v *= unitOf(words[i+1])
		}
		return v, true
	}
	return 0, false
}

// unitOf is what a time in that unit is multiplied by.
func unitOf(word string) float64 {
	switch word {
	case "µs":
		return 1e3
	case "ms":
		return 1e6
	case "s":
		return 1e9
	}
	return 1
}
