package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ends of the names of the pictures of a scenario with a burst.
const (
	ratePlot = "-over-rate.svg" // goodput against the offered rate
	timePlot = "-over-time.svg" // p99 of the slices, at the highest burst
)

// overloadPlots adds the pictures of a scenario with a burst to files.
func overloadPlots(files map[string][]byte, rec *Record, s Scenario, cells []*Cell) error {
	rows := overloadRows(rec, s, cells)
	for _, p := range []struct {
		name string
		draw func(string, []overloadRow) ([]byte, error)
	}{{fileWord(s.Name) + ratePlot, goodputOverRate}, {fileWord(s.Name) + timePlot, tailOverTime}} {
		b, err := p.draw(printable(s.Name), rows)
		if err != nil {
			return fmt.Errorf("results: draw %s: %w", p.name, err)
		}
		if b != nil {
			files[p.name] = b
		}
	}
	return nil
}

// overloadPictures are those among files.
func overloadPictures(s Scenario, files map[string][]byte) (ps []picture) {
	for _, p := range []picture{{fileWord(s.Name) + ratePlot, "goodput against the offered rate"}, {fileWord(s.Name) + timePlot, "p99 before, in and after the burst"}} {
		if files[p.file] != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// numbered gives each target of the rows the number of its colour and shape.
func numbered(rows []overloadRow) map[string]int {
	numbers := map[string]int{}
	for _, row := range rows {
		if name := printable(row.target.Name); row.cell.hasBurst() {
			if _, known := numbers[name]; !known {
				numbers[name] = len(numbers)
			}
		}
	}
	return numbers
}

func (c *Cell) hasBurst() bool {
	return slices.ContainsFunc(c.Trials, func(t *Trial) bool { return t.bursts() && t.Error == "" })
}

// goodputOverRate draws what each target answered in bursts of several rates. Points of a cell that is not the server's
// limit are hollow. Below two rates there is nothing to draw.
func goodputOverRate(scenario string, rows []overloadRow) ([]byte, error) {
	var lines []line
	numbers, most := numbered(rows), 0.0
	for name := range numbers {
		l := line{name: name, hollow: map[float64]bool{}}
		for _, row := range rows {
			x, ok := row.cell.Estimate(BurstOffered)
			y, ok2 := row.cell.Estimate(BurstGoodput)
			if printable(row.target.Name) != name || !ok || !ok2 {
				continue
			}
			l.points = append(l.points, plotter.XY{X: x.Median, Y: y.Median})
			l.hollow[x.Median] = row.kind != ServerBound && row.kind != RateBound
			most = max(most, x.Median)
		}
		slices.SortFunc(l.points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
		if len(l.points) > 1 {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(numbers[a.name], numbers[b.name]) })
	p := newPlot(scenario + ": goodput in a burst, against what was offered")
	p.X.Label.Text, p.Y.Label.Text = "offered, requests/s (hollow: doubtful, or ≥)", "right answers in time, per second"
	all, err := plotter.NewLine(plotter.XYs{{}, {X: most, Y: most}})
	if err != nil {
		return nil, err
	}
	all.Color, all.Width, all.Dashes = inkColour, 0.75, []vg.Length{3, 3}
	p.Add(backdrop(), all)
	p.X.Min, p.Y.Min, p.X.Tick.Marker, p.Y.Tick.Marker = 0, 0, thousands{}, thousands{}
	return beside(p, func(legend *plot.Legend) error {
		legend.Add("all offered", all)
		return addLines(p, lines, numbers, legend)
	})
}

// tailOverTime draws the p99 of the slices at the highest burst that was offered, median over the rounds.
func tailOverTime(scenario string, rows []overloadRow) ([]byte, error) {
	name := highestCase(rows)
	numbers := numbered(rows)
	p := newPlot(fmt.Sprintf("%s, %s: p99 of the requests that were due then, ms", scenario, printable(name)))
	p.X.Label.Text = "seconds; the burst lies between the dashed lines; requests that were never answered have no time"
	var lines []line
	lo, hi := math.Inf(1), 0.0
	var edges [2]time.Duration
	for _, row := range rows {
		if row.cell.Case != name || !row.cell.hasBurst() {
			continue
		}
		l := line{name: printable(row.target.Name), points: row.cell.tailOfSlices()}
		for _, xy := range l.points {
			lo, hi = min(lo, xy.Y), max(hi, xy.Y)
		}
		if len(l.points) > 1 {
			lines = append(lines, l)
		}
		for _, t := range row.cell.Trials {
			if b, in := t.phase(PhaseBefore), t.phase(PhaseBurst); b != nil && in != nil {
				edges = [2]time.Duration{b.Elapsed, b.Elapsed + in.Elapsed}
			}
		}
	}
	if len(lines) == 0 || edges[1] == 0 {
		return nil, nil
	}
	p.Add(backdrop())
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min, p.Y.Max = lo/1.2, hi*1.2
	for _, at := range edges {
		edge, err := plotter.NewLine(plotter.XYs{{X: at.Seconds(), Y: p.Y.Min}, {X: at.Seconds(), Y: p.Y.Max}})
		if err != nil {
			return nil, err
		}
		edge.Color, edge.Width, edge.Dashes = inkColour, 0.75, []vg.Length{3, 3}
		p.Add(edge)
	}
	p.X.Min = 0
	return beside(p, func(legend *plot.Legend) error { return addPlainLines(p, lines, numbers, legend) })
}

// highestCase is the case in which the most was offered, as a part of the ceiling: its trials' bursts are the highest
// multiples of what was offered before.
func highestCase(rows []overloadRow) (name string) {
	highest := 0.0
	for _, row := range rows {
		for _, t := range row.cell.Trials {
			if b, in := t.phase(PhaseBefore), t.phase(PhaseBurst); b != nil && in != nil && in.Rate/b.Rate > highest*1.001 {
				name, highest = row.cell.Case, in.Rate/b.Rate
			}
		}
	}
	return name
}

// tailOfSlices are the p99 of the cell's slices over the seconds, the median of its rounds, in ms.
func (c *Cell) tailOfSlices() plotter.XYs {
	values := map[time.Duration][]float64{}
	sound := c.Rounds(BurstGoodput)
	for _, t := range c.Trials {
		if _, ok := sound[t.Round]; !ok || !t.bursts() {
			continue
		}
		for _, s := range t.Load.Slices {
			if s.P99 > 0 {
				values[s.Begin] = append(values[s.Begin], float64(s.P99)/1e6)
			}
		}
	}
	var points plotter.XYs
	for begin, all := range values {
		e, _ := Median(all)
		points = append(points, plotter.XY{X: begin.Seconds(), Y: e.Median})
	}
	slices.SortFunc(points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	return points
}

// addPlainLines draws lines without marks: they have many points.
func addPlainLines(p *plot.Plot, lines []line, numbers map[string]int, legend *plot.Legend) error {
	for _, l := range lines {
		drawn, err := plotter.NewLine(l.points)
		if err != nil {
			return err
		}
		n := numbers[l.name]
		drawn.Color, drawn.Width = palette[n%len(palette)], 1.5
		if n >= len(palette) {
			drawn.Dashes = []vg.Length{4, 2}
		}
		p.Add(drawn)
		legend.Add(l.name, drawn)
	}
	return nil
}

func backdrop() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = gridColour, gridColour
	return g
}

// beside draws p with a legend at its right, which add fills together with p.
func beside(p *plot.Plot, add func(*plot.Legend) error) ([]byte, error) {
	legend := plot.NewLegend()
	legend.TextStyle = p.Legend.TextStyle
	if err := add(&legend); err != nil {
		return nil, err
	}
	c := vgsvg.New(plotWidth+legendWide, plotHeight)
	whole := blank(c, plotWidth+legendWide, plotHeight)
	p.Draw(draw.Crop(whole, 2*plotMargin, -legendWide-plotMargin, plotMargin, -plotMargin))
	legend.Top, legend.Left, legend.ThumbnailWidth = true, true, 24
	legend.Draw(draw.Crop(whole, plotWidth+plotMargin, 0, 0, -4*plotMargin))
	return finish(c)
}
