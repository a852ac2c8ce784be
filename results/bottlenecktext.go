package results

import (
	"slices"
	"strings"
)

// bottleneckTitle stands above the list of a table's bottlenecks.
const bottleneckTitle = "What limits each row:"

// addBottlenecks adds what limits each row of a table, in the table's order. brief leaves out what was seen of it.
func addBottlenecks(d *document, rec *Record, rows []limited, cells []*Cell, brief bool) {
	var l list
	moved := map[string]string{} // what moves a bottleneck → the row that says it
	var lacks []string
	for _, row := range rows {
		b, ok := rec.BottleneckOf(cells, row.cell)
		if !ok {
			continue
		}
		l = append(l, b.item(row.name, moved, brief))
		if b.Lacks != "" && !slices.Contains(lacks, b.Lacks) {
			lacks = append(lacks, b.Lacks)
		}
	}
	if len(l) == 0 {
		return
	}
	d.add(paragraph(bottleneckTitle))
	d.add(append(l, lacks...))
}

// item is one line of the list. What moves several rows is said once.
func (b *Bottleneck) item(name string, moved map[string]string, brief bool) string {
	var text strings.Builder
	text.WriteString(name + ": " + b.Sentence + ".")
	if seen := b.besidesSentence(); !brief && len(seen) > 0 {
		text.WriteString(" Seen: " + strings.Join(seen, "; ") + ".")
	}
	if first, said := moved[b.Moves]; said {
		text.WriteString(" Moves: as for " + first + ".")
	} else {
		moved[b.Moves] = name
		text.WriteString(" Moves: " + b.Moves + ".")
	}
	return text.String()
}

// besidesSentence is the evidence that the sentence does not say already.
func (b *Bottleneck) besidesSentence() []string {
	return slices.DeleteFunc(slices.Clone(b.Evidence), func(e string) bool { return strings.Contains(b.Sentence, e) })
}

// limited is a row that has a bottleneck, and what it is called.
type limited struct {
	name string
	cell *Cell
}

// limited are the rows of the table.
func (t *loadTable) limited() (rows []limited) {
	for _, row := range t.rows {
		rows = append(rows, limited{row.target.Name, row.cell})
	}
	return rows
}

// overloadLimited are the rows of the table of bursts.
func overloadLimited(rec *Record, sc Scenario, cells []*Cell) (rows []limited) {
	for _, row := range overloadRows(rec, sc, cells) {
		rows = append(rows, limited{row.target.Name + " " + row.cell.Case, row.cell})
	}
	return rows
}
