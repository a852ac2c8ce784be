package results

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// How a history tells a change from noise. All of it is done with logarithms of medians, so that ratios are differences.
//
// Two runs of the same commit differ by more than their intervals say: an interval covers what happened within a run, not
// that another run has other addresses, another layout of memory, another neighbour. So the noise between runs is measured
// where the record allows it: from runs of the same clean commit on the same kernel, in one line, or in all lines of the
// machine together where one has too few. With fewer than minRepeats such differences it is taken from defaultNoise and said.
//
// The limit for the difference of two runs is Student's quantile × √2 × that noise, at 99 %, or the farthest A/A ratio of
// either run where that is more. A change is shown where it is beyond this limit and the two runs' own intervals (95 %) do
// not touch. Its interval is the larger of this limit and of both runs' intervals together.
//
// A step is a change against the level: the median of the last levelRuns runs since the step before. Whether it is one
// tells the run after it: if that lies nearer to the new value than to the level, the step is confirmed; if not, the run
// stands alone, is marked as once, and has no part in the level. Without a later run it is new, and wants another run.
const (
	minRepeats        = 4    // differences between runs of one commit, as degrees of freedom
	levelRuns         = 5    // that make the level
	creepRuns         = 6    // the fewest in which a change too slow for a step is looked for
	defaultRelative   = 0.03 // limit for two runs, where it could not be measured, of a figure ÷ the reference's
	defaultAbsolute   = 0.15 // likewise of a figure that drifts with the machine
	normalQuantile995 = 2.576
)

// Flags of points.
const (
	HistoryChanged = "changed" // a step: later runs stay there
	HistoryOnce    = "once"    // this run alone: the ones after it are where those before were
	HistoryNew     = "new"     // the last run: another one must tell
	historyCrept   = "crept"
)

// Verdicts of changes.
const (
	historyBetter = "better"
	historyWorse  = "worse"
	historySame   = "no difference shown"
)

// HistoryNoise is by how much two runs of the same differ.
type HistoryNoise struct {
	Limit   float64 `json:"limit"`   // a difference within it means nothing, 0.012 is 1.2 %
	Repeats int     `json:"repeats"` // differences between runs of the same commit that it was measured from
	Basis   string  `json:"basis"`   // in words
}

// HistoryChange is a run against an earlier one.
type HistoryChange struct {
	From    string  `json:"from"` // the earlier run
	Ratio   float64 `json:"ratio"`
	Lo      float64 `json:"lo"`
	Hi      float64 `json:"hi"`
	Verdict string  `json:"verdict"`
}

// HistoryStep is a change that is flagged. Between its two commits lie the suspects.
type HistoryStep struct {
	HistoryChange
	Flag      string          `json:"flag"`
	To        string          `json:"to"` // the run that shows it
	OldCommit string          `json:"old_commit,omitempty"`
	NewCommit string          `json:"new_commit,omitempty"`
	OldDirty  bool            `json:"old_dirty,omitempty"`
	NewDirty  bool            `json:"new_dirty,omitempty"`
	Stayed    int             `json:"stayed"`             // later runs that are there too
	Alone     bool            `json:"alone,omitempty"`    // a single run stands for the level before
	Beside    []string        `json:"beside,omitempty"`   // what else changed
	Suspects  []HistoryCommit `json:"suspects,omitempty"` // commits behind OldCommit up to NewCommit, the newest first
	Note      string          `json:"note,omitempty"`     // on the suspects: why there are none, or not all
	Compare   string          `json:"compare,omitempty"`  // a command that measures the two against each other
}

// HistoryCommit is a commit, as git names it.
type HistoryCommit struct {
	Hash    string `json:"hash"`
	Subject string `json:"subject"`
}

func (p *HistoryPoint) log() float64 { return math.Log(p.Value.Median) }

// half is half of the interval's width, as a logarithm.
func (p *HistoryPoint) half() float64 {
	return (math.Log(p.Value.e.Hi) - math.Log(p.Value.e.Lo)) / 2
}

// apart reports whether the intervals of two runs do not touch.
func apart(a, b *HistoryPoint) bool {
	return a.Value.e.Hi < b.Value.e.Lo || b.Value.e.Hi < a.Value.e.Lo
}

// proving are the points that prove something.
func (l *HistoryLine) proving() []*HistoryPoint {
	var all []*HistoryPoint
	for i := range l.Points {
		if l.Points[i].Doubt == "" {
			all = append(all, &l.Points[i])
		}
	}
	return all
}

// spread is a sum of squares with its degrees of freedom.
type spread struct {
	squares float64
	dof     int
}

func (s spread) add(o spread) spread { return spread{s.squares + o.squares, s.dof + o.dof} }

// repeats is how far runs of the same clean commit on the same kernel lie apart.
func (l *HistoryLine) repeats() (sum spread) {
	groups := map[string][]float64{}
	for _, p := range l.proving() {
		if p.Commit != "" && !p.Dirty {
			key := p.Commit + " " + p.env["kernel"].text
			groups[key] = append(groups[key], p.log())
		}
	}
	for _, values := range groups {
		mean := 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			sum.squares += (v - mean) * (v - mean)
		}
		sum.dof += len(values) - 1
	}
	return sum
}

// measureNoise sets the noise of each line.
func (h *History) measureNoise() {
	type kind struct {
		machine  int
		relative bool
	}
	pool := map[kind]spread{}
	for _, l := range h.Lines {
		k := kind{l.Machine, l.Relative}
		pool[k] = pool[k].add(l.repeats())
	}
	for _, l := range h.Lines {
		own, all := l.repeats(), pool[kind{l.Machine, l.Relative}]
		switch {
		case own.dof >= minRepeats:
			l.Noise = own.noise("runs of the same commit in this line")
		case all.dof >= minRepeats:
			l.Noise = all.noise("runs of the same commit in all lines of this machine")
		default:
			l.Noise = HistoryNoise{Limit: defaultAbsolute, Repeats: own.dof}
			if l.Relative {
				l.Noise.Limit = defaultRelative
			}
			if own.dof > 0 { // too few to lower the limit, enough to raise it
				l.Noise.Limit = max(l.Noise.Limit, own.noise("").Limit)
			}
			l.Noise.Basis = "taken, not measured"
		}
	}
}

func (s spread) noise(of string) HistoryNoise {
	sd := math.Sqrt(s.squares / float64(s.dof))
	return HistoryNoise{Limit: math.Expm1(studentQuantile995(s.dof) * math.Sqrt2 * sd), Repeats: s.dof,
		Basis: fmt.Sprintf("measured by %d differences between %s", s.dof, of)}
}

// studentQuantile995 is the 99.5 % quantile of Student's distribution, by its expansion around the normal one: within 2 % from
// four degrees of freedom on. Below that it is taken as that of four.
func studentQuantile995(dof int) float64 {
	n, z := float64(max(dof, minRepeats)), normalQuantile995
	z3, z5, z7 := z*z*z, math.Pow(z, 5), math.Pow(z, 7)
	return z + (z3+z)/(4*n) + (5*z5+16*z3+3*z)/(96*n*n) + (3*z7+19*z5+17*z3-15*z)/(384*n*n*n)
}

// limit is that of the difference of two runs, as a logarithm.
func (l *HistoryLine) limit(a, b *HistoryPoint) float64 {
	return max(math.Log1p(l.Noise.Limit), a.aa, b.aa)
}

// change holds p against an earlier point.
func (l *HistoryLine) change(from, p *HistoryPoint) HistoryChange {
	d, limit := p.log()-from.log(), l.limit(from, p)
	reach := max(limit, math.Hypot(from.half(), p.half()))
	c := HistoryChange{From: from.Run, Ratio: math.Exp(d), Lo: math.Exp(d - reach), Hi: math.Exp(d + reach), Verdict: historySame}
	if math.Abs(d) <= limit || !apart(from, p) || !l.backed(from, p, d) {
		return c
	}
	c.Verdict = historyWorse
	if (d < 0) == l.figure.Falls {
		c.Verdict = historyBetter
	}
	return c
}

// backed reports whether a change of the share of server and generator CPU is one of the server: where the generator's own
// cost of a request changed by more than SameGeneratorCost as well, the plain cost must have gone the same way.
func (l *HistoryLine) backed(from, p *HistoryPoint, d float64) bool {
	if l.figure.Unit != CPUShare.Unit || from.gen.N == 0 || p.gen.N == 0 || from.plain.N == 0 || p.plain.N == 0 {
		return true
	}
	if math.Abs(p.gen.Median/from.gen.Median-1) <= SameGeneratorCost {
		return true
	}
	plain := math.Log(p.plain.Median / from.plain.Median)
	return (plain < 0) == (d < 0) && math.Abs(plain) > l.limit(from, p)
}

// compareRuns sets the change of each point against the one before, and what else changed. A run that stands alone is passed
// over: that the next one is back is no change.
func (l *HistoryLine) compareRuns() {
	var before, last *HistoryPoint
	for i := range l.Points {
		p := &l.Points[i]
		if before != nil {
			p.Marks = append(p.Marks, changedFacts(before.env, p.env)...)
		}
		before = p
		if p.Doubt != "" {
			continue
		}
		if last != nil {
			c := l.change(last, p)
			p.Change = &c
		}
		if p.Flag != HistoryOnce {
			last = p
		}
	}
}

// changedFacts says in which facts two runs differ.
func changedFacts(a, b map[string]fact) (changed []string) {
	names := slices.Sorted(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		from, to := a[name], b[name]
		switch {
		case from == to || from.text == "" || to.text == "": // not recorded is not changed
		case from.long || to.long:
			changed = append(changed, name+" changed")
		default:
			changed = append(changed, fmt.Sprintf("%s %s → %s", name, from.text, to.text))
		}
	}
	return changed
}

// findSteps flags the changes of the line.
func (l *HistoryLine) findSteps() {
	points := l.proving()
	var level []*HistoryPoint // the runs since the last step, without those that stand alone
	for i, p := range points {
		if len(level) == 0 {
			level = append(level, p)
			continue
		}
		last := level[len(level)-1]
		at := levelOf(level)
		d := p.log() - at
		if math.Abs(d) <= l.limit(last, p) || !apart(last, p) || !l.backed(last, p, d) {
			level = append(level, p)
			continue
		}
		step := l.step(last, p, d)
		step.Alone = len(level) == 1
		nearer := func(q *HistoryPoint) bool { return math.Abs(q.log()-p.log()) < math.Abs(q.log()-at) }
		later := points[i+1:]
		switch {
		case len(later) == 0:
			step.Flag = HistoryNew
		case nearer(later[0]):
			step.Flag = HistoryChanged
			for _, q := range later {
				if !nearer(q) {
					break
				}
				step.Stayed++
			}
			l.findCreep(level)
			level = []*HistoryPoint{p}
		default:
			step.Flag = HistoryOnce
		}
		p.Flag = step.Flag
		l.Steps = append(l.Steps, step)
	}
	l.findCreep(level)
}

// levelOf is the median of the last levelRuns points, as a logarithm.
func levelOf(points []*HistoryPoint) float64 {
	var values []float64
	for _, p := range points[max(0, len(points)-levelRuns):] {
		values = append(values, p.log())
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// step is the change by d between two runs, from the level to p.
func (l *HistoryLine) step(from, p *HistoryPoint, d float64) HistoryStep {
	reach := max(l.limit(from, p), math.Hypot(from.half(), p.half()))
	verdict := historyWorse
	if (d < 0) == l.figure.Falls {
		verdict = historyBetter
	}
	return HistoryStep{
		HistoryChange: HistoryChange{From: from.Run, Ratio: math.Exp(d), Lo: math.Exp(d - reach), Hi: math.Exp(d + reach), Verdict: verdict},
		To:            p.Run, OldCommit: from.Commit, NewCommit: p.Commit, OldDirty: from.Dirty, NewDirty: p.Dirty,
		Beside: changedFacts(from.env, p.env),
	}
}

// findCreep looks for a change in steps too small to be flagged, over the runs between two steps.
func (l *HistoryLine) findCreep(points []*HistoryPoint) {
	if len(points) < creepRuns {
		return
	}
	first, last := points[:creepRuns/2], points[len(points)-creepRuns/2:]
	a, b := first[0], last[len(last)-1]
	d := levelOf(last) - levelOf(first)
	if math.Abs(d) <= l.limit(a, b) || !apart(a, b) || !l.backed(a, b, d) {
		return
	}
	step := l.step(a, b, d)
	step.Flag = historyCrept
	l.Creeps = append(l.Creeps, step)
}
