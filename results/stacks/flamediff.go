package stacks

import (
	"fmt"
	"math"
)

// DiffOptions is what stands around a differential flame graph.
type DiffOptions struct {
	Title, Subtitle             string
	BeforeName, AfterName       string  // of the two: "epoll", "reactor"
	BeforeCost, AfterCost       float64 // of a request, in ns of the time that the CPU was busy with it; shares are compared where one is 0
	BeforeSamples, AfterSamples uint64  // that were taken while the CPU was busy; 0: not known, and no difference is held against chance
}

// minDiffShare is minFlameShare of the graph of what was before.
const minDiffShare = 0.0025

// serverRoot is the root of both graphs: the two programs need not have the same name.
var serverRoot = Frame{Name: "server"}

// FlameDiff draws two profiles as one SVG that needs nothing else: above, the flame graph of after, and below, with fewer of
// the narrow frames, that of before, where what is gone can still be seen. The colour says how much more (orange) or less
// (blue) a request spends in that function and all below it, wherever it is called: two programs call the same functions of
// the kernel from places that have nothing in common, so places are not compared. A function that only one of the two has counts
// without what it calls of those that both have: the main loop of another program is not the cost of all it does. Where both costs
// are known the difference is in time per request, else in parts of each profile's own time. What chance alone may do with so few
// samples is grey.
//
// Time in which the CPU was idle is left out. Everything else is as in Flame.
func FlameDiff(before, after *Profile, o DiffOptions) []byte {
	old, _ := busy(before)
	now, _ := busy(after)
	old, now = rootless(old), rootless(now)
	d := drawing{what: "CPU time", unit: after.Unit, diff: true, lines: []string{o.Title}}
	c := compare(old, now, o)
	if o.Subtitle != "" {
		d.lines = append(d.lines, o.Subtitle)
	}
	d.lines = append(d.lines, c.account())
	d.keys = c.keys()
	d.graphs = []graph{
		c.graph("after", o.AfterName, now, c.costs[1], minFlameShare),
		c.graph("before", o.BeforeName, old, c.costs[0], minDiffShare),
	}
	return d.svg()
}

// rootless takes the programs' names off.
func rootless(list []Stack) []Stack {
	out := make([]Stack, len(list))
	for i, s := range list {
		out[i] = Stack{s.Frames[1:], s.Value}
	}
	return out
}

// change is what a function and all below it has of a request in two profiles: ns, or percent where costs are not known.
type change struct {
	before, after float64
	alone         bool    // only one of the two has the function: without what it calls of those that both have
	chance        float64 // how far apart the two may lie by chance, in 19 of 20 cases
}

func (c change) by() float64 { return c.after - c.before }

// noise reports whether chance alone may have made the difference that there is.
func (c change) noise() bool { return c.by() != 0 && math.Abs(c.by()) <= c.chance }

// comparison is two profiles by function.
type comparison struct {
	changes map[Frame]change
	costs   [2]float64 // of a request before and after, ns; 0 in both: shares are compared
	full    [2]float64 // what all of a profile is: its cost, or 100 percent
	scale   float64    // the larger of full
}

// compare works out the changes of all functions.
func compare(before, after []Stack, o DiffOptions) *comparison {
	c := &comparison{changes: map[Frame]change{}, full: [2]float64{100, 100}}
	if o.BeforeCost > 0 && o.AfterCost > 0 {
		c.costs = [2]float64{o.BeforeCost, o.AfterCost}
		c.full = c.costs
	}
	c.scale = max(c.full[0], c.full[1])
	known := [2]map[Frame]bool{functionsOf(before), functionsOf(after)}
	both := func(f Frame) bool { return known[0][f] && known[1][f] }
	parts := [2]map[Frame]float64{partsOf(before, both), partsOf(after, both)}
	for i := range parts {
		for f := range known[i] {
			a, b := parts[0][f], parts[1][f]
			c.changes[f] = change{a * c.full[0], b * c.full[1], !both(f),
				1.96 * math.Hypot(c.full[0]*spread(a, o.BeforeSamples), c.full[1]*spread(b, o.AfterSamples))}
		}
	}
	return c
}

// functionsOf are all functions of a profile, and the root of the graph.
func functionsOf(list []Stack) map[Frame]bool {
	known := map[Frame]bool{serverRoot: true}
	for _, s := range list {
		for _, f := range s.Frames[:min(len(s.Frames), maxDepth)] {
			known[f] = true
		}
	}
	return known
}

// spread is the standard error of a part that was found in so many samples, as if one more had been in it and one more not;
// 0 where nobody counted them.
func spread(part float64, samples uint64) float64 {
	if samples == 0 {
		return 0
	}
	n := float64(samples)
	p := (part*n + 1) / (n + 2)
	return math.Sqrt(p * (1 - p) / n)
}

// partsOf is the part of all time that each function has: with what it calls where both profiles have it, else only until
// one is called that both have. One that calls itself counts once.
func partsOf(list []Stack, both func(Frame) bool) map[Frame]float64 {
	values := map[Frame]int64{}
	total := int64(0)
	seen := map[Frame]bool{}
	for _, s := range list {
		total += s.Value
		clear(seen)
		alone := true
		frames := s.Frames[:min(len(s.Frames), maxDepth)]
		for i := len(frames) - 1; i >= 0; i-- {
			f := frames[i]
			shared := both(f)
			if !seen[f] && (shared || alone) {
				values[f] += s.Value
			}
			seen[f] = true
			alone = alone && !shared
		}
	}
	parts := map[Frame]float64{}
	if total > 0 {
		parts[serverRoot] = 1
		for f, v := range values {
			parts[f] = float64(v) / float64(total)
		}
	}
	return parts
}

// bounds are the degrees' lower ends, in parts of the scale.
var bounds = [degrees]float64{0.005, 0.02, 0.05, 0.15}

// degree is how much more, or less, a change is: -degrees to degrees.
func (c *comparison) degree(ch change) int {
	if ch.noise() {
		return 0
	}
	n := 0
	for n < degrees && math.Abs(ch.by()) >= bounds[n]*c.scale {
		n++
	}
	if ch.by() < 0 {
		return -n
	}
	return n
}

// graph lays out one of the two.
func (c *comparison) graph(side, name string, list []Stack, cost, least float64) graph {
	g := lay(grow(serverRoot, list), least, func(b *box, _ []Frame) {
		b.change = c.changes[b.Frame]
		b.class = diffClass(c.degree(b.change))
	})
	if name != "" {
		name = ": " + name
	}
	g.side, g.name, g.heading, g.cost = side, side+name, side+name, cost
	if g.total == 0 {
		g.heading += ": the profile has no samples"
		return g
	}
	if cost > 0 {
		g.heading += ", " + duration(cost) + " a request"
	}
	if g.hidden > 0 {
		g.heading += fmt.Sprintf("; %s of the time is in frames narrower than %.2g %%, not drawn", percent(g.hidden, g.total), 100*g.share)
	}
	return g
}

// account says what the colours compare.
func (c *comparison) account() string {
	unit := "CPU time"
	if c.costs[0] == 0 {
		unit = "percent of each profile's own time, as what a request cost is not known of both"
	}
	return "Colour: what a request spends in the function and all it calls, wherever it is called, after minus before, in " + unit +
		"; a function that only one of the two has counts without the calls of those that both have."
}

// amount is a value of a change with its unit.
func (c *comparison) amount(v float64) string {
	if c.costs[0] > 0 {
		return duration(v)
	}
	return number(v) + " %"
}

// keys are the legend: one for each degree, with the differences that it stands for.
func (c *comparison) keys() []key {
	var keys []key
	add := func(degree int, text string) { keys = append(keys, key{diffClass(degree), text, text}) }
	at := func(n int) string { return c.amount(bounds[n] * c.scale) }
	add(-degrees, "less by "+at(degrees-1)+" and more")
	for n := degrees - 1; n > 0; n-- {
		add(-n, "less by "+at(n-1)+" to "+at(n))
	}
	add(0, "within ±"+at(0)+", or chance")
	for n := 1; n < degrees; n++ {
		add(n, "more by "+at(n-1)+" to "+at(n))
	}
	add(degrees, "more by "+at(degrees-1)+" and more")
	return keys
}
