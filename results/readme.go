package results

import (
	"bytes"
	"fmt"
	"strings"
)

// readmeScenario is the question that the README answers.
const readmeScenario = "plaintext"

// ReadmeTable is the short Markdown table of the scenario plaintext, for the generated block of the README. It is empty for a
// record without that scenario.
func ReadmeTable(rec *Record) string {
	cells := Cells(rec)
	t := headlineTable(rec, cells)
	if t == nil || t.key.Scenario != readmeScenario {
		return ""
	}
	head, share := "CPU ÷ "+ReferenceTarget, t.headline()
	columns := []tableColumn{
		{column{headTarget, true}, func(t *loadTable, row *tableRow) string {
			name := t.showTarget(row)
			if row.target.Limit {
				name += " (limit, never ranked)"
			}
			return name
		}},
		{column{headVerdict, true}, (*loadTable).showVerdict},
		{column{head: head}, func(t *loadTable, row *tableRow) string { return t.showRatio(row, t.reference, ReferenceTarget, share) }},
		figureColumn("CPU µs per request", ServerCPU, micros),
		spreadColumn("req/s", Throughput, formatCount),
	}
	var b strings.Builder
	g := t.grid
	for _, c := range columns {
		g.columns = append(g.columns, c.column)
	}
	for _, row := range t.rows {
		var r gridRow
		for _, c := range columns {
			r.cells = append(r.cells, c.show(t, row))
		}
		g.rows = append(g.rows, r)
	}
	h := &rec.Run.Host
	g.facts = []string{
		fmt.Sprintf("run %s, commit %s; %s, %d CPUs, kernel %s", rec.Run.ID, orElse(rec.Run.Commit, "unknown"),
			orElse(h.CPU, "unknown CPU"), h.CPUs, orElse(h.Kernel, "unknown")),
	}
	if loads := t.loads(); len(loads) > 0 {
		g.facts = append(g.facts, "placement "+orElse(placements[t.key.Placement], orElse(t.key.Placement, "not asked for"))+"; "+t.loadLine(loads[0].Load))
	}
	g.facts = append(g.facts, t.roundsLine(), t.leftOutLine(), noiseLine(t.noise(), runNoise(cells, t.key)))
	writeGrid(&b, g)
	return b.String()
}

// headline is the figure by which a table compares the cost of targets.
func (t *loadTable) headline() Figure {
	if t.key.Placement == PlacementOne {
		return CPUShare
	}
	return ServerCPU
}

// headlineTable is the table that answers the first question: of plaintext, or of the first scenario without it, in the
// placement one if it was measured; always a closed loop. It is nil without any.
func headlineTable(rec *Record, cells []*Cell) *loadTable {
	best, rank := Key{}, 0
	for _, c := range cells {
		if c.Role != RoleRanked || c.Loop != LoopClosed {
			continue
		}
		r := 1
		if c.Placement == PlacementOne {
			r += 1
		}
		if c.Scenario == readmeScenario {
			r += 2
		}
		if r > rank {
			best, rank = c.Key, r
		}
	}
	if rank == 0 {
		return nil
	}
	best.Target = ""
	return newLoadTable(&rec.Run, best, cells)
}

// ReplaceBlock puts content, on lines of its own, between the markers <!-- lab:name --> and <!-- /lab:name --> of readme, and
// returns the new text. Each marker must be there once.
func ReplaceBlock(readme []byte, name, content string) ([]byte, error) {
	open, end := []byte("<!-- lab:"+name+" -->"), []byte("<!-- /lab:"+name+" -->")
	if strings.Contains(content, "<!-- ") {
		return nil, fmt.Errorf("results: the content of block %s has a comment, which could end the block", name)
	}
	for _, marker := range [][]byte{open, end} {
		if n := bytes.Count(readme, marker); n != 1 {
			return nil, fmt.Errorf("results: the marker %s stands %d times in the text, want once", marker, n)
		}
	}
	from, to := bytes.Index(readme, open)+len(open), bytes.Index(readme, end)
	if to < from {
		return nil, fmt.Errorf("results: the marker %s stands before %s", end, open)
	}
	var b bytes.Buffer
	b.Write(readme[:from])
	b.WriteString("\n" + strings.Trim(content, "\n") + "\n")
	b.Write(readme[to:])
	return b.Bytes(), nil
}
