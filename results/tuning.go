package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Tuning is what a run of corelab tuning was asked: steps, each of which is a comparison of its own. The run's Targets are
// those of its steps, two of each, in that order.
type Tuning struct {
	Steps []TuningStep `json:"steps"`
}

// TuningStep is one change of a server, and why it should pay. Its windows are the run's trials of the two targets, by the names
// that these have in the run.
type TuningStep struct {
	Name       string  `json:"name"`
	Hypothesis string  `json:"hypothesis"`
	Fate       string  `json:"fate"`           // one of the Tuning… names
	Note       string  `json:"note,omitempty"` // on its fate
	Before     string  `json:"before"`         // the name of a Target of the run
	After      string  `json:"after"`
	Scenario   string  `json:"scenario"` // of the run's Scenarios
	Case       string  `json:"case,omitempty"`
	Compare    Compare `json:"compare"`
}

// What became of a step.
const (
	TuningKept    = "kept"
	TuningDropped = "dropped"  // it did not pay, or not for what it costs otherwise
	TuningWhole   = "together" // several steps at once, which no product counts a second time
)

// TuningFates are all of them.
var TuningFates = []string{TuningKept, TuningDropped, TuningWhole}

// Tuned is a step and what came of it.
type Tuned struct {
	TuningStep
	Comparison *Comparison `json:"comparison"` // A is before, B is after
	// Product is of the CPU ratios of this step and all before it that were kept, in the same scenario and case; 0 where one of
	// them is not known, and of a step that was not kept. ProductHalf is the half-width of its interval, as a logarithm: those of
	// the steps, which are independent, added as squares.
	Product     float64 `json:"product,omitempty"`
	ProductHalf float64 `json:"product_half,omitempty"`
	Flames      string  `json:"flames,omitempty"` // the differential flame graph, below the run's folder
}

// Tunings are the steps of a run with what came of each; nil in a run of another kind.
func Tunings(rec *Record) ([]Tuned, error) {
	if rec.Run.Tuning == nil {
		return nil, nil
	}
	products, halves := map[[2]string]float64{}, map[[2]string]float64{}
	var all []Tuned
	for _, s := range rec.Run.Tuning.Steps {
		c, err := s.compared(rec)
		if err != nil {
			return nil, err
		}
		t := Tuned{TuningStep: s, Comparison: c}
		if _, p := rec.ProfileOf(s.Scenario, s.Case, s.Before, ProfileCPU); p != nil {
			if _, p = rec.ProfileOf(s.Scenario, s.Case, s.After, ProfileCPU); p != nil {
				t.Flames = FlameDiffFile(s.Scenario, s.Case, s.Before, s.After)
			}
		}
		if s.Fate == TuningKept {
			key := [2]string{s.Scenario, s.Case}
			if _, begun := products[key]; !begun {
				products[key] = 1
			}
			cpu := c.Find(CompareCPU)
			products[key] *= cpu.Ratio
			if cpu.CouldShow == nil {
				products[key] = 0 // not known, nor is any product behind it
			} else {
				half := math.Log1p(*cpu.CouldShow)
				halves[key] += half * half
			}
			if t.Product = products[key]; t.Product > 0 {
				t.ProductHalf = math.Sqrt(halves[key])
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// compared is the step as a comparison: the run with its two targets and their windows alone.
func (s TuningStep) compared(rec *Record) (*Comparison, error) {
	one := Record{Run: rec.Run, End: rec.End}
	one.Run.Tuning, one.Run.Compare = nil, &s.Compare
	one.Run.Targets, one.Run.Scenarios = nil, nil
	for _, name := range []string{s.Before, s.After} {
		i := slices.IndexFunc(rec.Run.Targets, func(t Target) bool { return t.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("results: the run %s has no target %q, which its step %q names", rec.Run.ID, name, s.Name)
		}
		one.Run.Targets = append(one.Run.Targets, rec.Run.Targets[i])
	}
	for _, sc := range rec.Run.Scenarios {
		if sc.Name == s.Scenario && (s.Case == "" || slices.Contains(sc.Cases, s.Case)) && one.Run.Scenarios == nil {
			sc.Cases = nil
			if s.Case != "" {
				sc.Cases = []string{s.Case}
			}
			one.Run.Scenarios = []Scenario{sc}
		}
	}
	var first, last time.Time
	for _, t := range rec.Trials {
		if t.Role == RoleCompared && (t.Target == s.Before || t.Target == s.After) {
			if one.Trials == nil {
				first = t.Started
			}
			last = t.Started
			one.Trials = append(one.Trials, t)
		}
	}
	c, err := Compared(&one)
	if err != nil {
		return nil, err
	}
	c.Elapsed = last.Sub(first) + s.Compare.Window // rec.End is of all steps
	return c, nil
}

// tuningSteps are the differences between profiles that a run of a tuning draws.
func tuningSteps(rec *Record) (steps []Step) {
	for _, s := range rec.Run.Tuning.Steps {
		steps = append(steps, Step{s.Scenario, s.Case, s.Before, s.After, FlameDiffFile(s.Scenario, s.Case, s.Before, s.After)})
	}
	return steps
}

// tuningCosts are what a request costs the targets of a tuning, by scenario, case and target: in its windows, for it has no
// ranked trials.
func tuningCosts(rec *Record) map[[3]string]float64 {
	costs := map[[3]string]float64{}
	tuned, err := Tunings(rec)
	if err != nil {
		return costs
	}
	for _, t := range tuned {
		cpu := t.Comparison.Find(CompareCPU)
		costs[[3]string{t.Scenario, t.Case, t.Before}], costs[[3]string{t.Scenario, t.Case, t.After}] = cpu.A, cpu.B
	}
	return costs
}

// cpuWords is the ratio with its interval, as a change: "−1.20 % (−1.90 to −0.50)".
func (t *Tuned) cpuWords() string {
	cpu := t.Comparison.Find(CompareCPU)
	switch {
	case cpu.Ratio == 0:
		return Dash
	case cpu.Lo == nil:
		return signedPercent(cpu.Ratio - 1)
	}
	mark := ""
	if cpu.Verdict == NoDifference {
		mark = "~ "
	}
	return mark + signedPercent(cpu.Ratio-1) + " (" + changes(*cpu.Lo, *cpu.Hi) + ")"
}

// changes is an interval of ratios, as changes in percent.
func changes(lo, hi float64) string {
	short := func(v float64) string { return strings.TrimSuffix(signedPercent(v-1), " %") }
	return short(lo) + " to " + short(hi)
}

func (t *Tuned) productWords() string {
	if t.Product == 0 {
		return Dash
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", t.Product, t.Product*math.Exp(-t.ProductHalf), t.Product*math.Exp(t.ProductHalf))
}

// addTuning adds the table of a run's steps, what each was expected to do, and the graphs of what changed.
func addTuning(d *document, rec *Record, files map[string][]byte) {
	tuned, err := Tunings(rec)
	if err != nil {
		d.add(paragraph(err.Error()))
		return
	}
	d.add(heading{2, "Steps"})
	d.add(tuningGrid(rec, tuned))
	d.add(heading{2, "Why, and what came of it"})
	var graphs linked
	for i, t := range tuned {
		d.add(heading{3, fmt.Sprintf("%d. %s", i+1, t.Name)})
		d.add(paragraph("Hypothesis: " + t.Hypothesis))
		if t.Note != "" {
			d.add(paragraph(t.Fate + ": " + t.Note))
		}
		d.add(list{"before: " + t.side(0), "after: " + t.side(1), t.Comparison.question() + ": " + t.Comparison.Load})
		if files[t.Flames] != nil {
			graphs = append(graphs, link{fmt.Sprintf("%d. %s", i+1, t.Name), "what changed", t.Flames})
		}
	}
	if graphs != nil {
		d.add(heading{2, "Flame graphs of the differences"})
		d.add(paragraph("One self-contained SVG each: opened in a browser it zooms (click, Enter) and searches (/). It shows what the server after a step spends more or less of."))
		d.add(graphs)
	}
}

// side is a target as one types it, and what it is.
func (t *Tuned) side(i int) string {
	s := []CompareSide{t.Comparison.A, t.Comparison.B}[i]
	name := s.Target
	if _, typed, found := strings.Cut(name, ": "); found {
		name = typed
	}
	if s.Version == "" {
		return name
	}
	return name + " (" + s.Version + ")"
}

// tuningGrid is the table.
func tuningGrid(rec *Record, tuned []Tuned) *grid {
	g := &grid{columns: []column{{head: "#"}, {"step", true}, {"fate", true}, {head: "CPU per request"}, {head: "product of those kept"}, {head: "throughput"}, {head: "CPU µs, before"}, {head: "after"}, {head: "blocks"}}}
	for i := range tuned {
		t := &tuned[i]
		c := t.Comparison
		cpu, through := c.Find(CompareCPU), c.Find(CompareThroughput)
		name := t.Name
		if q := c.question(); q != rec.Run.Scenarios[0].Name {
			name += " [" + q + "]"
		}
		if c.Error != "" {
			name += " " + g.notes.markExactly(c.Error)
		}
		if cpu.Lo == nil && cpu.Why != "" {
			name += " " + g.notes.markExactly(cpu.Why)
		}
		if cpu.Basis != BasisShare && cpu.Ratio > 0 {
			name += " " + g.notes.mark("a request after the step costs the generator itself more or less than before, or may: the change is that of the server's CPU alone, or the interval spans both")
		}
		row := gridRow{doubtful: c.Error != "" || cpu.Lo == nil, cells: []string{fmt.Sprint(i + 1), name, t.Fate, t.cpuWords(), t.productWords(), Dash, Dash, Dash, formatCount(float64(c.Blocks))}}
		if through.Ratio > 0 {
			row.cells[5] = map[bool]string{true: "~ "}[through.Verdict == NoDifference] + signedPercent(through.Ratio-1)
			row.cells[6], row.cells[7] = digits(cpu.A/1e3), digits(cpu.B/1e3)
		}
		g.rows = append(g.rows, row)
	}
	g.facts = []string{
		fmt.Sprintf("each step is a comparison: both servers are started anew for each block and loaded in short windows, in a random ABBA order, on one CPU together with the generator; changes are of the server after the step against the one before, with intervals of %.0f %%", 100*CompareConfidence),
		"CPU per request: server CPU ÷ generator CPU in the same windows, in which the machine's speed falls out; ~ means that the interval covers no change at all. The plain figures beside it are of their own minutes, and not to be held against those of other rows",
		"product of those kept: what all steps together make of the CPU of a request, with the steps' own intervals",
	}
	return g
}

// TuningText is the table of a run's steps for a terminal.
func TuningText(rec *Record, width int, colour bool) string {
	d := &document{title: "corelab run " + rec.Run.ID}
	tuned, err := Tunings(rec)
	if err != nil {
		d.add(paragraph(err.Error()))
	} else {
		d.add(tuningGrid(rec, tuned))
	}
	return d.terminal(width, colour)
}
