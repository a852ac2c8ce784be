package results

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// workCase begins the name of a case in which a gateway does a work.
const workCase = "work="

// bareWork is the work that the price of all others is counted from, where a scenario has it, else its first one is; nullWork
// is the control: a stage that does nothing.
const (
	bareWork = "bare"
	nullWork = "null"
)

// Reuse is the part of a gateway's requests to its upstreams that went over a connection that was open already. Both are
// counted by the upstreams.
var Reuse = Figure{Name: "upstream reuse", Unit: "reuse", Field: []string{"upstream"}, of: func(t *Trial) (float64, bool) {
	if t.Upstream == nil || t.Upstream.Requests == 0 {
		return 0, false
	}
	return 1 - float64(min(t.Upstream.Accepted, t.Upstream.Requests))/float64(t.Upstream.Requests), true
}}

// Added is a's figure less b's, paired by round: what the machine did meanwhile met both.
func Added(a, b *Cell, f Figure) (Estimate, bool) {
	base := b.Rounds(f)
	var differences []float64
	for round, v := range a.Rounds(f) {
		if w, both := base[round]; both {
			differences = append(differences, v-w)
		}
	}
	return Median(differences)
}

// priceRow is one work of one target.
type priceRow struct {
	target Target
	work   string
	cell   *Cell
	base   *Cell // of the same target, at the work that others are counted from; nil where it was not measured
}

// baseOf is the work that the others of the scenario are counted from; "" where its cases are no works.
func baseOf(rec *Record, s Scenario) (base string) {
	for _, name := range orderedCases(rec, s) {
		if work, ok := strings.CutPrefix(name, workCase); ok && (base == "" || work == bareWork) {
			base = work
		}
	}
	return base
}

// priceRows are the works of a scenario's targets, by target and then in the order of the cases; nil where the cases of the
// scenario are no works.
func priceRows(rec *Record, s Scenario, cells []*Cell) []priceRow {
	find := func(target, work string) *Cell {
		for _, c := range cells {
			if c.Scenario == s.Name && c.Target == target && c.Case == workCase+work && c.Role == RoleRanked {
				return c
			}
		}
		return nil
	}
	var rows []priceRow
	base := baseOf(rec, s)
	for _, target := range orderedTargets(&rec.Run, cells) {
		for _, name := range orderedCases(rec, s) {
			work, ok := strings.CutPrefix(name, workCase)
			if !ok {
				continue
			}
			if c := find(target.Name, work); c != nil {
				rows = append(rows, priceRow{target, work, c, find(target.Name, base)})
			}
		}
	}
	return rows
}

// priceGrid is the price list: what each work costs each target, and what it adds to the first of them, the bare proxy where
// that is one; nil where the scenario has no works.
func priceGrid(rec *Record, s Scenario, cells []*Cell) *grid {
	rows := priceRows(rec, s, cells)
	if len(rows) == 0 {
		return nil
	}
	base := baseOf(rec, s)
	g := &grid{columns: []column{{"target", true}, {"work", true}, {"CPU µs per request", false}, {"added to " + base + ", µs", false},
		{"÷ " + ReferenceTarget + " " + base, false}, {"req/s", false}, {"p50", false}, {"p99", false}, {"p99 ÷ " + base, false}, {"p99.9", false}, {"reuse", false}}}
	var reference *Cell
	for _, r := range rows {
		if r.target.Name == ReferenceTarget && r.work == base {
			reference = r.cell
		}
	}
	for _, r := range rows {
		if why := r.skipped(); why != "" {
			continue // that a target cannot do a work is said once, below
		}
		g.rows = append(g.rows, r.cells(g, reference))
	}
	if len(g.rows) == 0 {
		return nil
	}
	g.facts = append(g.facts, "added is the difference to the same target's "+base+" in the same round, p99 ÷ "+base+" the quotient: the median over rounds, and its 95 % interval; ~ stands before what is not proven to differ from nothing")
	if slices.ContainsFunc(rows, func(r priceRow) bool { return r.work == nullWork && r.skipped() == "" }) {
		g.facts = append(g.facts, "null is the control: a stage that does nothing; what it adds is what the measurement cannot tell from nothing")
	}
	g.facts = append(g.facts, "reuse is the part of requests to the upstreams that went over a connection that was open already, as the upstreams counted: every trial's first requests open them")
	g.facts = append(g.facts, skippedWorks(rows)...)
	return g
}

// skipped says why nothing was tried.
func (r priceRow) skipped() string {
	if len(r.cell.Trials) == 0 {
		return ""
	}
	return r.cell.Trials[0].Skipped
}

// skippedWorks says once for each target which works it has no row of.
func skippedWorks(rows []priceRow) (out []string) {
	at := map[string]int{}
	for _, r := range rows {
		why := r.skipped()
		if why == "" {
			continue
		}
		key := r.target.Name + "\x00" + why
		if i, known := at[key]; known {
			out[i] = strings.Replace(out[i], ": ", ", "+r.work+": ", 1)
			continue
		}
		at[key] = len(out)
		out = append(out, fmt.Sprintf("%s has no row of %s: %s", r.target.Name, r.work, why))
	}
	return out
}

// cells is the row as the table shows it.
func (r priceRow) cells(g *grid, reference *Cell) gridRow {
	row := gridRow{limit: r.target.Limit}
	mark := ""
	for _, m := range r.cell.undisturbed().Marks() {
		mark += g.notes.mark(m.String())
	}
	if v, ok := r.cell.Verdict(); ok && !v.Sound() {
		row.doubtful = true
		mark += g.notes.mark(string(v.Kind) + ": " + v.Reason)
	}
	plain := func(f Figure, show func(float64) string) string {
		e, ok := r.cell.Estimate(f)
		if !ok {
			return "–" + g.notes.mark(r.cell.Lack(f))
		}
		return show(e.Median)
	}
	row.cells = []string{r.target.Name, strings.TrimSpace(r.work + " " + mark), plain(ServerCPU, micros), r.added(), r.ratio(reference, ServerCPU),
		plain(Throughput, formatCount), plain(P50, formatTime), plain(P99, formatTime), r.ratio(r.base, P99), plain(P999, formatTime), plain(Reuse, func(v float64) string {
			return strconv.FormatFloat(100*v, 'f', 2, 64) + " %"
		})}
	return row
}

// added is what the work adds to the one that others are counted from.
func (r priceRow) added() string {
	if r.base == nil || r.base == r.cell {
		return ""
	}
	e, ok := Added(r.cell, r.base, ServerCPU)
	if !ok {
		return "–"
	}
	lo, hi := e.Range()
	text := fmt.Sprintf("%+.2f (%+.2f to %+.2f)", e.Median/1e3, lo/1e3, hi/1e3)
	if e.Side(0) == 0 {
		text = "~ " + text
	}
	return text
}

// ratio is the row's figure against that of another cell, in the same rounds.
func (r priceRow) ratio(reference *Cell, f Figure) string {
	switch {
	case reference == nil:
		return "–"
	case reference == r.cell:
		return "1"
	}
	e, ok := Ratio(r.cell, reference, f)
	if !ok {
		return "–"
	}
	lo, hi := e.Range()
	text := fmt.Sprintf("%.2f (%.2f–%.2f)", e.Median, lo, hi)
	if e.Side(1) == 0 {
		text = "~ " + text
	}
	return text
}
