package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// ReferenceTarget is the target that all others are held against.
const ReferenceTarget = "nginx"

// Key names one cell of a run: everything but the round.
type Key struct {
	Scenario, Case, Target, Role, Generator, Loop, Placement string
}

// Cell is the trials of one key, in the order of the record.
type Cell struct {
	Key
	Trials []*Trial
}

// Cells groups the trials that were loaded, in the order of their first appearance. Trials without a load (skipped, failed)
// have neither generator nor loop in their key. The trials belong to the record.
func Cells(rec *Record) []*Cell {
	index := map[Key]*Cell{}
	var cells []*Cell
	for i := range rec.Trials {
		t := &rec.Trials[i]
		k := Key{Scenario: t.Scenario, Case: t.Case, Target: t.Target, Role: t.Role, Placement: t.Placement}
		if t.Load != nil {
			k.Generator, k.Loop = t.Load.Generator, t.Load.Loop
		}
		c := index[k]
		if c == nil {
			c = &Cell{Key: k}
			index[k] = c
			cells = append(cells, c)
		}
		c.Trials = append(c.Trials, t)
	}
	return cells
}

// Rounds is the figure of each round that has it. Rounds in which something else took the CPU are left out, unless there are
// no others.
func (c *Cell) Rounds(f Figure) Rounds {
	r := Rounds{}
	if c == nil {
		return r
	}
	n, of := c.disturbed()
	for _, t := range c.Trials {
		if n > 0 && n < of && Disturbed(t) {
			continue
		}
		if v, ok := f.Of(t); ok {
			r[t.Round] = v
		}
	}
	return r
}

// Estimate is the figure's median over the rounds.
func (c *Cell) Estimate(f Figure) (Estimate, bool) {
	var values []float64
	for _, v := range c.Rounds(f) {
		values = append(values, v)
	}
	return Median(values)
}

// Sum is the figure added up over all trials, for counts that a median would hide.
func (c *Cell) Sum(f Figure) (sum float64, ok bool) {
	for _, t := range c.Trials {
		if v, has := f.Of(t); has {
			sum, ok = sum+v, true
		}
	}
	return sum, ok
}

// Lack says why the cell has no figure, by its first trial that says so.
func (c *Cell) Lack(f Figure) string {
	for _, t := range c.Trials {
		if _, ok := f.Of(t); !ok {
			return f.Lack(t)
		}
	}
	return f.Name + ": not measured"
}

// Mark is a warning of a cell: how many of its rounds have it, and the text of the first.
type Mark struct {
	Warning
	Rounds, Of int
}

// String is the warning for people.
func (m Mark) String() string {
	if m.Of == 1 {
		return fmt.Sprintf("%s: %s", m.Code, m.Text)
	}
	rounds := "rounds"
	if weigh(m.Code) == leaves && m.Rounds < m.Of {
		rounds = "rounds, which are left out"
	}
	return fmt.Sprintf("%s in %d of %d %s: %s", m.Code, m.Rounds, m.Of, rounds, m.Text)
}

// WarnFailed stands in a cell of which some rounds failed. It is never recorded: the trial's Error is.
const WarnFailed = "failed"

// Marks are the warnings of the cell's trials, one for each code, in the order of their first appearance.
func (c *Cell) Marks() []Mark {
	var marks []Mark
	for _, t := range c.Trials {
		warnings := Check(t)
		if t.Error != "" {
			warnings = append(warnings, Warning{WarnFailed, t.Error})
		}
		for i, w := range warnings {
			if hasCode(warnings[:i], w.Code) {
				continue
			}
			at := slices.IndexFunc(marks, func(m Mark) bool { return m.Code == w.Code })
			if at < 0 {
				marks = append(marks, Mark{Warning: Warning{w.Code, textsOf(warnings, w.Code)}, Of: len(c.Trials)})
				at = len(marks) - 1
			}
			marks[at].Rounds++
		}
	}
	return marks
}

// textsOf joins what a trial's warnings of one code say.
func textsOf(ws []Warning, code string) string {
	var texts []string
	for _, w := range ws {
		if w.Code == code && !slices.Contains(texts, w.Text) {
			texts = append(texts, w.Text)
		}
	}
	return strings.Join(texts, "; ")
}

// soundness is what the verdict and the warnings leave of a cell.
type soundness struct {
	ranked  bool // at all
	speed   bool // by throughput and latency
	bounded bool // throughput is a lower bound
}

func (c *Cell) soundness() soundness {
	v, _ := c.Verdict()
	s := soundness{ranked: v.Sound(), speed: v.Sound(), bounded: v.Kind == GeneratorBound}
	if s.bounded {
		s.speed = false
	}
	for _, m := range c.undisturbed().Marks() {
		if weigh(m.Code) == disturb && 2*m.Rounds >= m.Of {
			s.speed = false
		}
	}
	return s
}

// Ratio is a's figure ÷ b's, paired by round.
func Ratio(a, b *Cell, f Figure) (Estimate, bool) { return Paired(a.Rounds(f), b.Rounds(f)) }

// Side says on which side of b the figure of a is proven to lie, -1 below, 1 above, 0 not proven. The share of server and
// generator CPU proves nothing by itself where the generator's own cost differs between the two: the plain cost of a
// request must be proven on the same side. Where it differs by more than OtherLoadCost the generator does other work (it
// connects anew for each request, or gets its answers one by one), the share is of different things, and the plain cost
// decides alone. bias is how far an A/A ratio is proven to lie from 1: what lies nearer is not proven by anything.
func Side(a, b *Cell, f Figure, bias float64) int {
	e, ok := Ratio(a, b, f)
	if f.Unit == CPUShare.Unit && otherLoad(a, b) {
		e, ok = Ratio(a, b, ServerCPU)
	}
	if !ok || math.Abs(e.Median-1) <= bias {
		return 0
	}
	side := e.Side(1)
	if f.Unit != CPUShare.Unit || side == 0 || SameLoad(a, b) || otherLoad(a, b) {
		return side
	}
	plain, ok := Ratio(a, b, ServerCPU)
	if !ok || plain.Side(1) != side {
		return 0
	}
	return side
}

// otherLoad reports whether a request of a costs the generator so much more or less than one of b that it does other work.
func otherLoad(a, b *Cell) bool {
	gen, ok := Ratio(a, b, ClientCPU)
	return ok && math.Abs(math.Log(gen.Median)) > math.Log(OtherLoadCost)
}

// SameLoad reports whether a request of a cost the generator as much as one of b, within SameGeneratorCost. Where it does
// not (a connection for each request, say), CPUShare divides by different things, and the plain ServerCPU must stand beside it.
func SameLoad(a, b *Cell) bool {
	gen, ok := Ratio(a, b, ClientCPU)
	return ok && math.Abs(gen.Median-1) <= SameGeneratorCost
}

// Rank gives each cell one more than the number of cells that are proven better, and reports whether any proven difference
// was found at all. Cells that share a number are not proven different from all others that have it.
func Rank(cells []*Cell, f Figure, bias float64) (ranks []int, any bool) {
	ranks = make([]int, len(cells))
	better := 1
	if f.Falls {
		better = -1
	}
	for i := range cells {
		ranks[i] = 1
		for j := range cells {
			if i != j && Side(cells[j], cells[i], f, bias) == better {
				ranks[i]++
				any = true
			}
		}
	}
	return ranks, any
}

// Noise is the A/A ratio of one figure: what the lab shows for no difference at all.
type Noise struct {
	Scenario, Case, Target string
	Figure                 Figure
	Ratio                  Estimate
}

// NoiseFloor is the A/A ratio of each target that was measured twice in cells of the same kind as k, for the figure.
func NoiseFloor(cells []*Cell, k Key, f Figure) []Noise {
	var floor []Noise
	for _, aa := range cells {
		if aa.Role != RoleAA || !aa.sameTable(k) {
			continue
		}
		for _, c := range cells {
			if c.Role == RoleRanked && c.Target == aa.Target && c.sameTable(k) {
				if e, ok := Ratio(aa, c, f); ok {
					floor = append(floor, Noise{k.Scenario, k.Case, c.Target, f, e})
				}
			}
		}
	}
	return floor
}

// bias is the farthest that a proven A/A ratio's median lies from 1; 0 where no A/A difference is proven, as it should be.
func bias(floor []Noise) float64 {
	var far float64
	for _, n := range floor {
		if n.Ratio.Side(1) != 0 {
			far = max(far, math.Abs(n.Ratio.Median-1))
		}
	}
	return far
}

// sameTable reports whether c stands in the table of k, or would but for its role.
func (c *Cell) sameTable(k Key) bool {
	return c.Scenario == k.Scenario && c.Case == k.Case && c.Generator == k.Generator && c.Loop == k.Loop && c.Placement == k.Placement
}
