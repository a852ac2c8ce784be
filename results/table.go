package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Heads of columns that tests and terminals look for: the one that names the rows, and the one that judges them.
const (
	headTarget  = "target"
	headVerdict = "verdict"
)

// loadTable is one table of ranked trials: one case of one scenario under one generator, loop and placement.
type loadTable struct {
	run       *Run
	key       Key
	rows      []*tableRow
	reference *Cell // nil where it was not measured
	limits    []*Cell
	sameRate  bool // an open loop that offers each target the same
	floor     map[string][]Noise
	seconds   string // by which cells of the run two generators were held against each other
	grid      *grid
}

// tableRow is one target in a loadTable.
type tableRow struct {
	target  Target
	cell    *Cell // of all its trials, failed and skipped ones too
	marks   []Mark
	verdict Verdict // of no kind where nothing was tried
	soundness
}

// newLoadTable gathers the rows of the cells of one key, in the order of the run's targets. noise may hold A/A cells.
func newLoadTable(run *Run, k Key, cells []*Cell) *loadTable {
	t := &loadTable{run: run, key: k, grid: &grid{}, floor: map[string][]Noise{}}
	for _, target := range orderedTargets(run, cells) {
		row := &tableRow{target: target, cell: &Cell{Key: k}}
		row.cell.Target = target.Name
		for _, c := range cells {
			if c.Target == target.Name && c.Role == RoleRanked && (c.sameTable(k) || c.unloaded(k)) {
				row.cell.Trials = append(row.cell.Trials, c.Trials...)
			}
		}
		if len(row.cell.Trials) == 0 {
			continue
		}
		row.verdict, _ = row.cell.Verdict()
		row.marks = append(row.cell.Marks(), generatorMarks(row.cell, cells)...)
		row.soundness = row.cell.soundness()
		t.rows = append(t.rows, row)
		switch {
		case target.Name == ReferenceTarget:
			t.reference = row.cell
		case target.Limit:
			t.limits = append(t.limits, row.cell)
		}
	}
	t.seconds = secondsLine(k, cells)
	t.sameRate = t.key.Loop != LoopOpen || t.ratesAgree()
	for _, f := range []Figure{CPUShare, ServerCPU, Throughput, P99} {
		t.floor[f.Unit] = NoiseFloor(cells, k, f)
	}
	return t
}

// unloaded reports whether c holds trials that were skipped or failed before any load, in the case of k.
func (c *Cell) unloaded(k Key) bool {
	return c.Generator == "" && c.Scenario == k.Scenario && c.Case == k.Case && (c.Placement == "" || c.Placement == k.Placement)
}

// orderedTargets are the run's targets, and behind them those that only trials name.
func orderedTargets(run *Run, cells []*Cell) []Target {
	targets := slices.Clone(run.Targets)
	for _, c := range cells {
		if !slices.ContainsFunc(targets, func(t Target) bool { return t.Name == c.Target }) {
			targets = append(targets, Target{Name: c.Target})
		}
	}
	return targets
}

// ratesAgree reports whether all rows of an open loop were offered the same rate, but for rounding.
func (t *loadTable) ratesAgree() bool {
	lo, hi := math.Inf(1), 0.0
	for _, row := range t.rows {
		if e, ok := row.cell.Estimate(Offered); ok {
			lo, hi = min(lo, e.Min), max(hi, e.Max)
		}
	}
	return hi <= lo*1.001
}

// tableColumn makes one column of a loadTable.
type tableColumn struct {
	column
	show func(t *loadTable, row *tableRow) string
}

func figureColumn(head string, f Figure, format func(float64) string) tableColumn {
	return tableColumn{column{head: head}, func(t *loadTable, row *tableRow) string {
		e, ok := row.cell.Estimate(f)
		if !ok {
			return t.dash(row, f)
		}
		return format(e.Median)
	}}
}

// spreadColumn adds how far the interval, or the rounds, reach from the median.
func spreadColumn(head string, f Figure, format func(float64) string) tableColumn {
	return tableColumn{column{head: head}, func(t *loadTable, row *tableRow) string {
		e, ok := row.cell.Estimate(f)
		if !ok {
			return t.dash(row, f)
		}
		s := format(e.Median)
		if e.N > 1 {
			s += fmt.Sprintf(" ±%.0f %%", 100*e.Spread())
		}
		if row.bounded && f.Unit == Throughput.Unit {
			s = "≥ " + s
		}
		return s
	}}
}

// columns are those of the table's kind: ranks first, then the target and its figures.
func (t *loadTable) columns() []tableColumn {
	one, open := t.key.Placement == PlacementOne, t.key.Loop == LoopOpen
	var cs []tableColumn
	switch {
	case open:
		cs = append(cs, t.rankColumn("# p99", P99))
	case one:
		cs = append(cs, t.rankColumn("#", CPUShare))
	default:
		cs = append(cs, t.rankColumn("# req/s", Throughput), t.rankColumn("# CPU", ServerCPU))
	}
	cs = append(cs, tableColumn{column{headTarget, true}, (*loadTable).showTarget},
		tableColumn{column{headVerdict, true}, (*loadTable).showVerdict},
		tableColumn{column{head: "busy"}, (*loadTable).showBusy})
	if open {
		cs = append(cs, figureColumn("offered/s", Offered, formatCount))
	}
	cs = append(cs, spreadColumn("req/s", Throughput, formatCount))
	for _, f := range []Figure{P50, P90, P99, P999} {
		cs = append(cs, figureColumn(f.Name, f, formatTime))
	}
	if one {
		cs = append(cs, t.ratioColumns("server÷gen", CPUShare)...)
	} else {
		cs = append(cs, t.ratioColumns("CPU", ServerCPU)...)
	}
	if !one && !open {
		cs = append(cs, t.ratioColumns("req/s", Throughput)[0])
	}
	return append(cs,
		spreadColumn("CPU µs/req", ServerCPU, micros),
		figureColumn("user", ServerUser, micros),
		figureColumn("system", ServerSystem, micros),
		figureColumn("generator µs/req", ClientCPU, micros),
		figureColumn("switches/req", Switches, digits),
		figureColumn("RSS MiB", Memory, mebibytes),
		tableColumn{column{head: "errors"}, (*loadTable).showErrors},
		tableColumn{column{head: "allocs/req"}, (*loadTable).showAllocs})
}

// dash is the sign of a missing figure with the number of its reason. A row in which nothing was tried has its reason at the
// name of the target.
func (t *loadTable) dash(row *tableRow, f Figure) string {
	if word, _ := row.untried(); word != "" {
		return Dash
	}
	return Dash + t.grid.notes.mark(row.cell.Lack(f))
}

// untried is what became of a row of which no trial got as far as its load, in a word, and why; empty for the others.
func (r *tableRow) untried() (word, why string) {
	for _, t := range r.cell.Trials {
		switch {
		case t.Load != nil:
			return "", ""
		case t.Error != "":
			word, why = "failed", t.Error
		case word == "":
			word, why = "skipped", orElse(t.Skipped, "the record gives no reason")
		}
	}
	return word, why
}

// showTarget is the name with the numbers of all that has to be said about the row.
func (t *loadTable) showTarget(row *tableRow) string {
	s := row.target.Name
	if word, why := row.untried(); word != "" {
		return s + " (" + word + ")" + t.grid.notes.markExactly(word+": "+why)
	}
	for _, m := range row.marks {
		s += " " + t.grid.notes.markExactly(m.String())
	}
	return s
}

// showVerdict is the word, and for a row that is refused the number of the reason.
func (t *loadTable) showVerdict(row *tableRow) string {
	switch v := row.verdict; {
	case v.Kind == "":
		return Dash
	case v.Sound():
		return string(v.Kind)
	default:
		return string(v.Kind) + t.grid.notes.markExactly(v.Reason) // most often that of a mark at the name
	}
}

// showBusy is how busy server and generator were.
func (t *loadTable) showBusy(row *tableRow) string {
	server, okServer := row.cell.Estimate(serverBusy)
	client, okClient := row.cell.Estimate(clientBusy)
	if !okServer || !okClient {
		return Dash
	}
	return fmt.Sprintf("%.0f / %.0f %%", 100*server.Median, 100*client.Median)
}

// showErrors adds up all rounds: a median would hide them.
func (t *loadTable) showErrors(row *tableRow) string {
	n, ok := row.cell.Sum(Failed)
	if !ok {
		return t.dash(row, Failed)
	}
	return formatCount(n)
}

func (t *loadTable) showAllocs(row *tableRow) string {
	e, ok := row.cell.Estimate(Allocs)
	switch {
	case ok:
		return digits(e.Median)
	case row.target.Kind == "core":
		return t.dash(row, Allocs)
	}
	if word, _ := row.untried(); word != "" {
		return Dash
	}
	return Dash + t.grid.notes.mark("only corelab's own cores count their allocations")
}

// rankColumn ranks the sound rows by f, as far as that is proven.
func (t *loadTable) rankColumn(head string, f Figure) tableColumn {
	var sound []*Cell
	for _, row := range t.rows {
		if t.ranks(row, f) {
			sound = append(sound, row.cell)
		}
	}
	ranks, proven := Rank(sound, f, bias(t.floor[f.Unit]))
	shared := map[int]int{}
	for _, r := range ranks {
		shared[r]++
	}
	return tableColumn{column{head: head}, func(t *loadTable, row *tableRow) string {
		i := slices.Index(sound, row.cell)
		switch {
		case row.target.Limit:
			return "limit"
		case i < 0:
			return Dash + t.unranked(row, f)
		case !proven:
			return Unproven
		case shared[ranks[i]] > 1:
			return fmt.Sprintf("%d=", ranks[i])
		}
		return fmt.Sprint(ranks[i])
	}}
}

// ranks reports whether the row takes part in the ranking by f.
func (t *loadTable) ranks(row *tableRow, f Figure) bool {
	if _, ok := row.cell.Estimate(f); !ok || row.target.Limit || !row.ranked || !t.sameRate {
		return false
	}
	return row.speed || f.Unit == CPUShare.Unit || f.Unit == ServerCPU.Unit
}

// unranked says why the row has no rank where the marks at its name do not.
func (t *loadTable) unranked(row *tableRow, f Figure) string {
	if _, ok := row.cell.Estimate(f); !ok || !row.ranked {
		return "" // said at the verdict, or at the figure
	}
	if !t.sameRate {
		return t.grid.notes.mark("rows that were offered different rates are not ranked against each other")
	}
	if row.bounded && f.Unit == Throughput.Unit {
		return t.grid.notes.mark("a lower bound has no rank")
	}
	return ""
}

// ratioColumns hold f against the reference and against each of the limits. Where there is none, the column of raw says why.
func (t *loadTable) ratioColumns(head string, f Figure) []tableColumn {
	against := func(base *Cell, name string) tableColumn {
		return tableColumn{column{head: head + " ÷ " + name}, func(t *loadTable, row *tableRow) string {
			return t.showRatio(row, base, name, f)
		}}
	}
	cs := []tableColumn{against(t.reference, ReferenceTarget)}
	for _, limit := range t.limits {
		cs = append(cs, against(limit, limit.Target))
	}
	if t.limits == nil {
		cs = append(cs, against(nil, "raw"))
	}
	return cs
}

// showRatio is the row's figure ÷ that of base, paired by round.
func (t *loadTable) showRatio(row *tableRow, base *Cell, name string, f Figure) string {
	if _, ok := row.cell.Estimate(f); !ok {
		return t.dash(row, f)
	}
	if base == nil {
		return Dash + t.grid.notes.mark(t.absent(name))
	}
	if !t.sameRate {
		return Dash + t.grid.notes.mark("costs at different rates are not held against each other")
	}
	if row.cell == base {
		return "1"
	}
	e, ok := Ratio(row.cell, base, f)
	if !ok {
		return Dash + t.grid.notes.mark("no round has "+f.Name+" of both this row and "+name)
	}
	s := formatRatio(e, Side(row.cell, base, f, bias(t.floor[f.Unit])) != 0)
	basis := base.soundness()
	if f.Unit == Throughput.Unit {
		switch {
		case row.bounded && basis.bounded:
			return Dash + t.grid.notes.mark("both throughputs are lower bounds: their ratio says nothing")
		case row.bounded:
			s = "≥ " + s
		case basis.bounded:
			s = "≤ " + s
		}
	}
	if f.Unit == CPUShare.Unit && !SameLoad(row.cell, base) {
		if plain, ok := Ratio(row.cell, base, ServerCPU); ok {
			s += " · plain " + formatRatio(plain, plain.Side(1) != 0) + t.grid.notes.mark(
				"the generator's own cost per request differs from that on "+name+" by more than 3 %: plain is the ratio of CPU per request; a verdict needs both to agree, and beyond 1.25 times plain decides alone")
		}
	}
	if !basis.ranked {
		s += t.grid.notes.mark("the row of " + name + " is doubtful itself, so this is too")
	}
	return s
}

// absent says why there is no row to hold others against.
func (t *loadTable) absent(name string) string {
	for _, m := range t.run.Missing {
		if m.Figure == name || strings.HasPrefix(m.Figure, name+" ") {
			return name + " is not in this run: " + m.Reason
		}
	}
	return name + " has no row here to hold others against"
}

// build renders the rows and what stands under them.
func (t *loadTable) build(fallback []Noise) *grid {
	columns := t.columns()
	for _, c := range columns {
		t.grid.columns = append(t.grid.columns, c.column)
	}
	for _, row := range t.rows {
		r := gridRow{doubtful: row.verdict.Kind != "" && !row.ranked, limit: row.target.Limit, about: row}
		for _, c := range columns {
			r.cells = append(r.cells, c.show(t, row))
		}
		t.grid.rows = append(t.grid.rows, r)
	}
	t.grid.facts, t.grid.key = t.facts(fallback), t.key
	return t.grid
}

// loadsOf are the loads of the table's trials.
func (t *loadTable) loads() []*Trial {
	var trials []*Trial
	for _, row := range t.rows {
		for _, trial := range row.cell.Trials {
			if trial.Load != nil {
				trials = append(trials, trial)
			}
		}
	}
	return trials
}

// elapsed is the median length of the table's trials.
func (t *loadTable) elapsed() time.Duration {
	var all []float64
	for _, trial := range t.loads() {
		all = append(all, float64(trial.Load.Elapsed))
	}
	e, _ := Median(all)
	return time.Duration(e.Median)
}
