package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the phases of a load with a burst.
const (
	PhaseBefore = "before"
	PhaseBurst  = "burst"
	PhaseAfter  = "after"
)

// A target has recovered from a burst with the first of RecoverySlices slices in a row whose requests were all answered,
// with a p99 of at most RecoveryTimes that before the burst, or RecoverySlack above it, whichever is more. Before the burst
// it must have been well itself: at most WellShare of the requests without their answer.
const (
	RecoveryTimes  = 2
	RecoverySlack  = time.Millisecond
	RecoverySlices = 3
	WellShare      = 0.01
)

// In a burst the generator itself was the limit if it sent more than OwnLateShare of the requests late by its own doing, or
// if requests waited for a connection for more than BehindShare of the time and it hardly ever waited for the server
// meanwhile: for less than WaitedShare of that, for it had answers to read all the rest.
const (
	OwnLateShare = 0.01
	BehindShare  = 0.10
	WaitedShare  = 1 - BusyLimit
)

// The figures of a burst.
var (
	BurstOffered = Figure{Name: "offered in the burst", Unit: "burst-offered/s", Field: []string{"load", "phases"}, of: burst(func(p *Phase) (float64, bool) {
		return p.Rate, true
	})}
	BurstGoodput = Figure{Name: "goodput in the burst", Unit: "burst-goodput/s", Field: []string{"load", "phases"}, of: burst(func(p *Phase) (float64, bool) {
		return float64(p.Served) / p.Elapsed.Seconds(), true
	})}
	BurstP99 = Figure{Name: "p99 in the burst", Unit: "burst-p99-ns", Falls: true, Field: []string{"load", "phases"}, of: burst(phaseP99)}
	BaseP99  = Figure{Name: "p99 before the burst", Unit: "base-p99-ns", Falls: true, Field: []string{"load", "phases"}, of: func(t *Trial) (float64, bool) {
		if p := t.phase(PhaseBefore); p != nil {
			return phaseP99(p)
		}
		return 0, false
	}}
	BurstErrors = Figure{Name: "errors in the burst", Unit: "burst-errors", Falls: true, Field: []string{"load", "phases"}, of: burst(func(p *Phase) (float64, bool) {
		return float64(p.Errors.Total()), true
	})}
	BurstUnsent = Figure{Name: "unsent in the burst", Unit: "burst-unsent", Falls: true, Field: []string{"load", "phases"}, of: burst(func(p *Phase) (float64, bool) {
		return float64(p.Unsent), true
	})}
	Recovery = Figure{Name: "recovery after the burst", Unit: "recovery-ns", Falls: true, Field: []string{"load", "phases"}, of: func(t *Trial) (float64, bool) {
		d, why := t.Recovered()
		return float64(d), why == ""
	}}
)

// phase is the trial's phase of that name, nil where there is none that lasted.
func (t *Trial) phase(name string) *Phase {
	if t.Load == nil {
		return nil
	}
	i := slices.IndexFunc(t.Load.Phases, func(p Phase) bool { return p.Name == name && p.Elapsed > 0 })
	if i < 0 {
		return nil
	}
	return &t.Load.Phases[i]
}

func burst(of func(*Phase) (float64, bool)) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		if p := t.phase(PhaseBurst); p != nil {
			return of(p)
		}
		return 0, false
	}
}

// phaseP99 takes as many answers as any p99 does.
func phaseP99(p *Phase) (float64, bool) {
	if p.Latency == nil || p.Latency.Count < P99.Samples {
		return 0, false
	}
	return float64(p.Latency.P99), true
}

// Recovered says how long after the burst's end the target was back to normal, as the constants above say; without that why
// says what was instead.
func (t *Trial) Recovered() (d time.Duration, why string) {
	before, burst, after := t.phase(PhaseBefore), t.phase(PhaseBurst), t.phase(PhaseAfter)
	switch {
	case t.Error != "":
		return 0, "failed: " + t.Error
	case before == nil || burst == nil || after == nil || before.Latency == nil:
		return 0, "there is no time before, in and after a burst"
	case float64(before.Due-before.Answered) > WellShare*float64(before.Due):
		return 0, fmt.Sprintf("it was not well before the burst: of %s requests %s were answered in time", formatCount(float64(before.Due)), formatCount(float64(before.Answered)))
	}
	end := before.Elapsed + burst.Elapsed
	bound := max(RecoveryTimes*before.Latency.P99, before.Latency.P99+RecoverySlack)
	var first time.Duration
	well := 0
	for _, s := range t.Load.Slices {
		switch {
		case s.Begin < end || s.Due == 0:
		case s.Answered < s.Due || s.P99 > bound:
			well = 0
		default:
			if well == 0 {
				first = s.Begin
			}
			if well++; well == RecoverySlices {
				return first - end, ""
			}
		}
	}
	return 0, fmt.Sprintf("did not recover within %s, to a p99 of %s", formatSpan(after.Elapsed), formatTime(float64(bound)))
}

// bursts reports whether the trial's rate changed.
func (t *Trial) bursts() bool { return t.Load != nil && len(t.Load.Phases) > 0 }

// burstWarnings are the checks of a trial with phases. Requests that are lost, late or not sent are what it asks about; what
// speaks against it is a wrong answer, and a generator that was late by its own doing.
func burstWarnings(t *Trial) []Warning {
	var ws []Warning
	if e := t.Load.Errors; e.Length+e.Body+e.Parse > 0 {
		ws = append(ws, checkErrors(t))
	}
	if kind, reason := limitOfBurst(t); kind == GeneratorBound {
		ws = append(ws, Warning{WarnGenerator, reason})
	}
	return append(ws, checkTaken(t))
}

// limitOfBurst says what kept a burst from being answered as offered, and how that is known.
func limitOfBurst(t *Trial) (Kind, string) {
	p := t.phase(PhaseBurst)
	if p == nil || p.Due == 0 {
		return "", ""
	}
	part := func(n, of uint64) float64 { return float64(n) / float64(of) }
	behind := float64(p.Behind) / float64(p.Elapsed)
	waited := float64(p.Waited) / max(float64(p.Behind), 1)
	switch own := part(p.LateOwn, p.Due); {
	case own > OwnLateShare:
		return GeneratorBound, fmt.Sprintf("%.1f %% of the burst's requests were sent late though a connection was free or answers lay unread: the generator could not offer them", 100*own)
	case behind > BehindShare && waited < WaitedShare:
		return GeneratorBound, fmt.Sprintf("for %.0f %% of the burst requests waited for a connection, and in %.0f %% of that the generator still had answers to read", 100*min(behind, 1), 100*(1-waited))
	case behind > BehindShare:
		return ServerBound, fmt.Sprintf("for %.0f %% of the burst requests waited for a connection, all of which waited for the server", 100*min(behind, 1))
	case p.Answered < p.Due:
		return ServerBound, fmt.Sprintf("%s of %s requests were not answered in time, though connections were free", formatCount(float64(p.Due-p.Answered)), formatCount(float64(p.Due)))
	}
	return RateBound, "all that was due was sent when it was due, and answered in time"
}

// overloadRow is one target at one percentage.
type overloadRow struct {
	target  Target
	cell    *Cell
	ceiling *Cell // nil where none was measured
	kind    Kind
	reason  string
}

// overloadRows are the rows of a scenario with a burst, by target and then by case; nil where the scenario has no trial with
// a burst.
func overloadRows(rec *Record, s Scenario, cells []*Cell) []overloadRow {
	if !slices.ContainsFunc(rec.Trials, func(t Trial) bool { return t.Scenario == s.Name && t.bursts() }) {
		return nil
	}
	var rows []overloadRow
	for _, target := range orderedTargets(&rec.Run, cells) {
		var ceiling *Cell
		for _, c := range cells {
			if c.Scenario == s.Name && c.Target == target.Name && c.Role == RoleCeiling {
				ceiling = c
			}
		}
		names := orderedCases(rec, s)
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(trailing(a), trailing(b)) })
		for _, name := range names {
			row := overloadRow{target: target, ceiling: ceiling, cell: &Cell{Key: Key{Scenario: s.Name, Case: name, Target: target.Name}}}
			for _, c := range cells {
				if c.Scenario == s.Name && c.Target == target.Name && c.Case == name && c.Role == RoleRanked {
					row.cell.Trials = append(row.cell.Trials, c.Trials...)
				}
			}
			if len(row.cell.Trials) > 0 {
				row.kind, row.reason = row.cell.limitOfBursts()
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// trailing is the number at the end of a case's name: a plan asks the cases first that it drops last.
func trailing(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '=')+1:])
	if err != nil {
		return 0
	}
	return n
}

// limitOfBursts is the verdict of a cell with bursts: the worst of its sound rounds.
func (c *Cell) limitOfBursts() (Kind, string) {
	if kind, reason := c.judgeAnswersOfBursts(); kind != "" {
		return kind, reason
	}
	n, of := c.disturbed()
	if of == 0 {
		return "", ""
	}
	if 2*n > of {
		return TooNoisy, fmt.Sprintf("in %d of %d rounds something else took the CPU", n, of)
	}
	found := map[Kind]string{}
	for _, t := range c.Trials {
		if t.bursts() && t.Error == "" && !Disturbed(t) {
			kind, reason := limitOfBurst(t)
			found[kind] = reason
		}
	}
	for _, kind := range []Kind{GeneratorBound, ServerBound, RateBound} {
		if reason, ok := found[kind]; ok {
			return kind, reason
		}
	}
	return "", ""
}

// judgeAnswersOfBursts finds what no overload excuses.
func (c *Cell) judgeAnswersOfBursts() (Kind, string) {
	for _, m := range c.Marks() {
		switch m.Code {
		case WarnFailed, WarnDied, WarnErrors, WarnPlacement:
			return Erroneous, m.String()
		}
	}
	return "", ""
}

// overloadGrid is the table of a scenario with a burst; nil where it has none.
func overloadGrid(rec *Record, s Scenario, cells []*Cell) *grid {
	rows := overloadRows(rec, s, cells)
	if rows == nil {
		return nil
	}
	g := &grid{columns: []column{{headTarget, true}, {"burst", true}, {head: "offered/s"}, {head: "goodput/s"}, {head: "÷ ceiling"},
		{head: "p99 before"}, {head: "p99 in burst"}, {head: "errors"}, {head: "unsent"}, {head: "recovered after"}, {"verdict", true}}}
	for _, row := range rows {
		g.rows = append(g.rows, gridRow{cells: row.cells(g), doubtful: !(Verdict{Kind: row.kind}).Sound() || row.kind == GeneratorBound, limit: row.target.Limit})
	}
	g.facts = overloadFacts(rows)
	return g
}

// cells are the columns of overloadGrid.
func (row overloadRow) cells(g *grid) []string {
	name := row.target.Name
	if word, why := (&tableRow{cell: row.cell}).untried(); word != "" {
		return append([]string{name + " (" + word + ")" + g.notes.markExactly(word+": "+why), row.cell.Case}, slices.Repeat([]string{Dash}, 9)...)
	}
	show := func(f Figure, format func(float64) string) string {
		if e, ok := row.cell.Estimate(f); ok {
			return format(e.Median)
		}
		return Dash + g.notes.mark(row.cell.Lack(f))
	}
	sum := func(f Figure) string {
		if n, ok := row.cell.Sum(f); ok {
			return formatCount(n)
		}
		return Dash + g.notes.mark(row.cell.Lack(f))
	}
	verdict := Dash
	if row.kind != "" {
		verdict = string(row.kind) + g.notes.mark(row.reason)
	}
	goodput := show(BurstGoodput, formatCount)
	if row.kind == GeneratorBound {
		goodput = "≥ " + goodput
	}
	return []string{name, row.cell.Case, show(BurstOffered, formatCount), goodput, row.share(g),
		show(BaseP99, formatTime), show(BurstP99, formatTime), sum(BurstErrors), sum(BurstUnsent), row.recovery(g), verdict}
}

// share is the goodput as a part of the ceiling.
func (row overloadRow) share(g *grid) string {
	e, ok := row.cell.Estimate(BurstGoodput)
	if !ok {
		return Dash + g.notes.mark(row.cell.Lack(BurstGoodput))
	}
	ceiling, ok := row.ceiling.estimateOf(Throughput)
	if !ok {
		return Dash + g.notes.mark("its ceiling was not measured")
	}
	s := fmt.Sprintf("%.2f", e.Median/ceiling.Median)
	if row.kind == GeneratorBound {
		s = "≥ " + s
	}
	return s
}

// estimateOf is Estimate of a cell that may not be there.
func (c *Cell) estimateOf(f Figure) (Estimate, bool) {
	if c == nil {
		return Estimate{}, false
	}
	return c.Estimate(f)
}

// recovery is the median of the rounds that recovered, and how many did not.
func (row overloadRow) recovery(g *grid) string {
	n, whole := 0, row.cell.Rounds(BurstGoodput)
	why := ""
	for _, t := range row.cell.Trials {
		if _, measured := whole[t.Round]; !measured || !t.bursts() {
			continue
		}
		if _, reason := t.Recovered(); reason != "" {
			n, why = n+1, reason
		}
	}
	e, ok := row.cell.Estimate(Recovery)
	if !ok {
		word := "never"
		if !strings.HasPrefix(why, "did not") {
			word = Dash
		}
		return word + g.notes.mark(orElse(why, row.cell.Lack(Recovery)))
	}
	s := formatSpan(time.Duration(e.Median))
	if n > 0 {
		s += fmt.Sprintf(" (not in %d of %d rounds)", n, len(whole)) + g.notes.mark(why)
	}
	return s
}

// overloadFacts say how the table was measured and what its words mean.
func overloadFacts(rows []overloadRow) []string {
	var first *Trial
	rounds := 0
	for _, row := range rows {
		rounds = max(rounds, len(row.cell.Rounds(BurstGoodput)))
		for _, t := range row.cell.Trials {
			if first == nil && t.bursts() && t.phase(PhaseBurst) != nil {
				first = t
			}
		}
	}
	if first == nil {
		return nil
	}
	l := first.Load
	var phases []string
	for _, p := range l.Phases {
		phases = append(phases, p.Name+" "+formatSpan(p.Elapsed))
	}
	slice := time.Duration(math.MaxInt64)
	if len(l.Slices) > 1 {
		slice = l.Slices[1].Begin - l.Slices[0].Begin
	}
	return []string{
		fmt.Sprintf("placement %s; generator %s, open loop, %d connections, %s arrivals; phases: %s; %d rounds, figures are medians, errors and unsent are sums",
			orElse(placements[first.Placement], first.Placement), l.Generator, l.Connections, orElse(l.Arrival, "constant"), strings.Join(phases, ", "), rounds),
		"goodput: right answers that came in the burst, each within the time-out from when it was due; p99: from when a request was due, of those that were answered; unsent: waited for a connection for longer than the time-out, and were given up",
		fmt.Sprintf("recovered: the first of %d slices of %s in a row whose requests were all answered, with a p99 of at most %d times that before the burst, or %v above it", RecoverySlices, formatSpan(slice), RecoveryTimes, RecoverySlack),
		"verdict, of the burst: rate-bound: all was sent when it was due, and answered; server-bound: requests waited for connections, and these for the server; generator-bound: the generator was late by itself, so goodput is a lower bound",
	}
}
