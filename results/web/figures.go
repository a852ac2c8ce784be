package web

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"corelab/results"
	"corelab/results/stacks"
)

// besideFigures are the rows of two cells beside each other.
var besideFigures = []results.Figure{
	results.CPUShare, results.ServerCPU, results.ServerUser, results.ServerSystem, results.ClientCPU,
	results.Offered, results.Throughput, results.P50, results.P90, results.P99, results.P999,
	results.Switches, results.Memory, results.Allocs, results.Failed,
}

// figureRow is one figure of both cells.
type figureRow struct {
	Name  string
	A, B  figureView
	Ratio string    // B ÷ A, where both are of one run
	Why   string    // there is no ratio
	Says  string    // better, worse or nothing, where it is proven
	Own   [2]string // ÷ the reference, each in its own run, where the runs are two
}

// Good reports whether a difference is proven.
func (r figureRow) Good() bool {
	return r.Says == saysBetter || r.Says == saysWorse || r.Says == saysOther
}

// What a row says of B.
const (
	saysBetter = "B is better"
	saysWorse  = "B is worse"
	saysOther  = "B differs"
)

// figuresOf holds two cells against each other. Those of one run are paired by its rounds; those of two are shown as they are,
// and each against the reference of its own run.
func figuresOf(a, b *side) []figureRow {
	var rows []figureRow
	apart := a.Run.ID != b.Run.ID
	rates := ratesDiffer(a.cell, b.cell)
	for _, f := range besideFigures {
		ea, okA := a.cell.Estimate(f)
		eb, okB := b.cell.Estimate(f)
		if !okA && !okB && (f.Unit == results.Offered.Unit || f.Unit == results.Allocs.Unit) {
			continue // closed loops are offered nothing, and only our own cores count allocations
		}
		row := figureRow{Name: f.Name, A: shown(a.cell, f, ea, okA), B: shown(b.cell, f, eb, okB)}
		switch {
		case f.Unit == results.Offered.Unit || f.Unit == results.Failed.Unit:
		case apart:
			row.Own = [2]string{a.own(f), b.own(f)}
		case !okA || !okB:
			row.Why = "one of them is missing"
		case rates != "":
			row.Why = rates
		default:
			row.hold(a, b, f)
		}
		rows = append(rows, row)
	}
	return rows
}

// shown is a cell's median with how far its interval reaches.
func shown(c *results.Cell, f results.Figure, e results.Estimate, ok bool) figureView {
	v := figureView{Name: f.Name}
	if !ok {
		v.Lack = results.Printable(c.Lack(f))
		return v
	}
	v.Value = f.Text(e.Median)
	if f.Unit == results.Failed.Unit {
		sum, _ := c.Sum(f) // a median would hide them
		v.Value = f.Text(sum)
		return v
	}
	if e.N > 1 {
		v.Value += fmt.Sprintf(" ±%.0f %%", 100*e.Spread())
	}
	if f.Unit == results.Throughput.Unit && bounded(c) {
		v.Value = "≥ " + v.Value
	}
	return v
}

// bounded reports whether a cell's throughput is a lower bound.
func bounded(c *results.Cell) bool {
	v, _ := c.Verdict()
	return v.Kind == results.GeneratorBound
}

// hold fills in B ÷ A of one run.
func (r *figureRow) hold(a, b *side, f results.Figure) {
	if f.Unit == results.Throughput.Unit && (bounded(a.cell) || bounded(b.cell)) {
		r.Why = "a throughput that is a lower bound is held against nothing"
		return
	}
	e, ok := results.Ratio(b.cell, a.cell, f)
	if !ok {
		r.Why = "no round has it of both"
		return
	}
	noise := 0.0
	if a.key == b.key {
		noise = results.Bias(results.NoiseFloor(a.cells, a.key, f))
	}
	which := results.Side(b.cell, a.cell, f, noise)
	r.Ratio = e.RatioText(which != 0)
	if f.Unit == results.CPUShare.Unit && !results.SameLoad(b.cell, a.cell) {
		if plain, ok := results.Ratio(b.cell, a.cell, results.ServerCPU); ok {
			r.Ratio += " · plain " + plain.RatioText(plain.Side(1) != 0)
		}
	}
	switch doubt := doubtOf(a.cell, f) + doubtOf(b.cell, f); {
	case doubt != "":
		r.Says = "in doubt"
	case which == 0:
		r.Says = "not proven"
	case f.Unit == results.ClientCPU.Unit:
		r.Says = saysOther // which is no merit of the server's
	case (which < 0) == f.Falls:
		r.Says = saysBetter
	default:
		r.Says = saysWorse
	}
}

// costFigures are known well where throughput and latency are not.
var costFigures = []string{results.CPUShare.Unit, results.ServerCPU.Unit}

// doubtOf says so where the cell's figure is in no rank.
func doubtOf(c *results.Cell, f results.Figure) string {
	v, ok := c.Verdict()
	if !ok || !v.Sound() || !c.Sound() && !slices.Contains(costFigures, f.Unit) && v.Kind != results.GeneratorBound {
		return "in doubt"
	}
	return ""
}

// own is the side's figure ÷ that of the reference in its own run.
func (v *side) own(f results.Figure) string {
	base := v.reference()
	if base == nil {
		return ""
	}
	if base == v.cell {
		return "1"
	}
	e, ok := results.Ratio(v.cell, base, f)
	if !ok || ratesDiffer(v.cell, base) != "" {
		return ""
	}
	text := e.RatioText(results.Side(v.cell, base, f, results.Bias(results.NoiseFloor(v.cells, v.key, f))) != 0)
	if doubtOf(v.cell, f)+doubtOf(base, f) != "" {
		text += " (in doubt)"
	}
	return text
}

// lacksOf says why figures are missing, those with the same reason together.
func lacksOf(rows []figureRow) []string {
	var reasons []string
	figures := map[string][]string{}
	for _, r := range rows {
		for _, lack := range [][2]string{{"of A", r.A.Lack}, {"of B", r.B.Lack}, {"no ratio", r.Why}} {
			if lack[1] == "" {
				continue
			}
			reason := lack[0] + ": " + strings.TrimPrefix(lack[1], r.Name+": ")
			if figures[reason] == nil {
				reasons = append(reasons, reason)
			}
			figures[reason] = append(figures[reason], r.Name)
		}
	}
	for i, reason := range reasons {
		reasons[i] = strings.Join(figures[reason], ", ") + ", " + reason
	}
	return reasons
}

// ratesDiffer says so where two open loops were offered different rates, or only one of the two is an open loop.
func ratesDiffer(a, b *results.Cell) string {
	if a.Loop != b.Loop {
		return "an open loop and a closed one share no figure"
	}
	ea, okA := a.Estimate(results.Offered)
	eb, okB := b.Estimate(results.Offered)
	if okA && okB && math.Abs(ea.Median/eb.Median-1) > 0.001 {
		return "figures at different rates are not held against each other"
	}
	return ""
}

// layerRow is what a request costs on both sides in one layer.
type layerRow struct {
	Name string
	A, B layerCost
	Wide bool // the difference is more than chance makes with so many samples
}

// layerCost is the layer's part of the server's CPU time, and what that is of a request.
type layerCost struct{ Part, Cost string }

// layersOf are the layers that one of two profiles has, in the order in which a request meets them.
func layersOf(a, b *results.LayerCost) []layerRow {
	var rows []layerRow
	for _, l := range stacks.Layers {
		if a.Of(l) == 0 && b.Of(l) == 0 {
			continue
		}
		apart := math.Abs(a.Of(l) - b.Of(l))
		chance := math.Hypot(a.ShareError(l)*a.CPU, b.ShareError(l)*b.CPU)
		rows = append(rows, layerRow{string(l), costIn(a, l), costIn(b, l), apart > chance})
	}
	return rows
}

func costIn(c *results.LayerCost, l stacks.Layer) layerCost {
	return layerCost{fmt.Sprintf("%.1f %%", 100*c.Share(l)), results.ServerCPU.Text(c.Of(l))}
}

// limitView is what limits a cell, and its warnings.
type limitView struct {
	Verdict, Reason string
	Rounds          string
	Warnings        []string
}

func limitOf(c *results.Cell) limitView {
	v, ok := c.Verdict()
	view := limitView{Verdict: string(v.Kind), Reason: results.Printable(v.Reason), Rounds: fmt.Sprintf("%d rounds", v.Rounds)}
	if !ok {
		view.Verdict = "not tried"
	}
	if v.LeftOut > 0 {
		view.Rounds += fmt.Sprintf(", %d left out", v.LeftOut)
	}
	for _, m := range c.Marks() {
		view.Warnings = append(view.Warnings, results.Printable(m.String()))
	}
	return view
}

// apartRow is something in which two runs differ.
type apartRow struct{ Name, A, B string }

// apartness lists in what two runs differ, beyond that they are two.
func apartness(a, b *results.Run) []apartRow {
	rows := []apartRow{{"started", moment(a.Started), moment(b.Started)}}
	add := func(name, x, y string) {
		if x != y {
			rows = append(rows, apartRow{name, orNone(x), orNone(y)})
		}
	}
	add("commit", a.Commit, b.Commit)
	for _, f := range []struct {
		name string
		of   func(*results.Host) string
	}{
		{"host", func(h *results.Host) string { return h.Hostname }},
		{"CPU", func(h *results.Host) string { return h.CPU }},
		{"CPUs", func(h *results.Host) string { return fmt.Sprint(h.CPUs) }},
		{"memory", func(h *results.Host) string {
			if h.MemoryKiB == 0 {
				return ""
			}
			return fmt.Sprintf("%d MiB", h.MemoryKiB>>10)
		}},
		{"kernel", func(h *results.Host) string { return h.Kernel }},
		{"Go", func(h *results.Host) string { return h.GoVersion }},
	} {
		add(f.name, f.of(&a.Host), f.of(&b.Host))
	}
	settings := map[string]bool{}
	for _, m := range []map[string]string{a.Host.Sysctl, b.Host.Sysctl} {
		for name := range m {
			settings[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		add(name, a.Host.Sysctl[name], b.Host.Sysctl[name])
	}
	add("command", strings.Join(a.Command, " "), strings.Join(b.Command, " "))
	return rows
}

// orNone is printable text, or a word for none.
func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return results.Printable(s)
}
