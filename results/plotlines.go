package results

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// line is one target in a picture over connections.
type line struct {
	name   string
	points plotter.XYs
	hollow map[float64]bool // by connections
}

// linesOf are the targets' medians of f in one scenario over the number of connections, under the generator of its first cell.
func linesOf(rec *Record, s Scenario, cells []*Cell, f Figure) []line {
	var lines []line
	var k *Key
	for _, target := range orderedTargets(&rec.Run, cells) {
		l := line{name: printable(target.Name), hollow: map[float64]bool{}}
		for _, c := range cells {
			if c.Scenario != s.Name || c.Target != target.Name || c.Role != RoleRanked || c.Loop != LoopClosed || c.Trials[0].Load.Connections < 1 {
				continue
			}
			if k == nil {
				k = &c.Key
			}
			if c.Generator != k.Generator || c.Placement != k.Placement || slices.ContainsFunc(l.points, func(p plotter.XY) bool {
				return p.X == float64(c.Trials[0].Load.Connections)
			}) {
				continue // two cases with as many connections differ in something else
			}
			if e, ok := c.Estimate(f); ok {
				sound := c.soundness()
				x := float64(c.Trials[0].Load.Connections)
				l.points = append(l.points, plotter.XY{X: x, Y: e.Median})
				l.hollow[x] = !sound.ranked || !sound.speed
			}
		}
		slices.SortFunc(l.points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
		if len(l.points) > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

// overConnections draws throughput and p99 side by side over the connections of a scenario's closed loops; nil where all of
// them have as many. Without any p99 it draws the throughput alone.
func overConnections(rec *Record, s Scenario, cells []*Cell) ([]byte, error) {
	speed, tail := linesOf(rec, s, cells, Throughput), linesOf(rec, s, cells, P99)
	at := connectionsOf(speed)
	if len(at) < 2 {
		return nil, nil
	}
	numbers := map[string]int{}
	for _, l := range speed {
		numbers[l.name] = len(numbers)
	}
	left := newPanel(printable(s.Name)+": throughput, req/s", at)
	left.Y.Min, left.Y.Tick.Marker = 0, thousands{}
	legend := plot.NewLegend()
	legend.TextStyle = left.Legend.TextStyle
	if err := addLines(left, speed, numbers, &legend); err != nil {
		return nil, err
	}
	panels := []*plot.Plot{left}
	if len(tail) > 0 {
		right, err := tailPanel(tail, numbers, at)
		if err != nil {
			return nil, err
		}
		panels = append(panels, right)
	}
	c := vgsvg.New(plotWidth+legendWide, plotHeight)
	whole := blank(c, plotWidth+legendWide, plotHeight)
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 3 * plotMargin,
		PadTop: plotMargin, PadBottom: plotMargin, PadLeft: 2 * plotMargin, PadRight: plotMargin}
	canvases := plot.Align([][]*plot.Plot{panels}, tiles, draw.Crop(whole, 0, -legendWide, 0, 0))
	for i, p := range panels {
		p.Draw(canvases[0][i])
	}
	legend.Top, legend.Left, legend.ThumbnailWidth = true, true, 24
	legend.Draw(draw.Crop(whole, plotWidth+plotMargin, 0, 0, -4*plotMargin))
	return finish(c)
}

// newPanel is an empty plot over connections. Its range is set: one of a single value would be widened down to zero, which
// has no logarithm.
func newPanel(title string, at plot.ConstantTicks) *plot.Plot {
	p := newPlot(title)
	p.X.Label.Text = "connections (hollow: doubtful or ≥)"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, at
	p.X.Min, p.X.Max = at[0].Value, at[len(at)-1].Value
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = gridColour, gridColour
	p.Add(lines)
	return p
}

// tailPanel draws the p99, on a logarithmic axis whose range is set for the same reason.
func tailPanel(tail []line, numbers map[string]int, at plot.ConstantTicks) (*plot.Plot, error) {
	p := newPanel("p99 of the closed loop, ms", at)
	lo, hi := math.Inf(1), 0.0
	for _, l := range tail {
		for i := range l.points {
			l.points[i].Y /= 1e6 // from ns
			lo, hi = min(lo, l.points[i].Y), max(hi, l.points[i].Y)
		}
	}
	if err := addLines(p, tail, numbers, nil); err != nil {
		return nil, err
	}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min, p.Y.Max = lo/1.2, hi*1.2
	return p, nil
}

// connectionsOf are the ticks of the axis: the numbers of connections that were measured.
func connectionsOf(lines []line) plot.ConstantTicks {
	var at plot.ConstantTicks
	for _, l := range lines {
		for _, p := range l.points {
			if !slices.ContainsFunc(at, func(t plot.Tick) bool { return t.Value == p.X }) {
				at = append(at, plot.Tick{Value: p.X, Label: formatCount(p.X)})
			}
		}
	}
	slices.SortFunc(at, func(a, b plot.Tick) int { return cmp.Compare(a.Value, b.Value) })
	return at
}

// addLines draws the lines, each target in the colour and shape of its number, and names them in legend where there is one.
func addLines(p *plot.Plot, lines []line, numbers map[string]int, legend *plot.Legend) error {
	filled := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}
	hollow := []draw.GlyphDrawer{draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
	for _, l := range lines {
		n := numbers[l.name]
		colour := palette[n%len(palette)]
		drawn, points, err := plotter.NewLinePoints(l.points)
		if err != nil {
			return err
		}
		drawn.Color, drawn.Width = colour, 1.5
		if n >= len(palette) {
			drawn.Dashes = []vg.Length{4, 2}
		}
		points.GlyphStyleFunc = func(i int) draw.GlyphStyle {
			style := draw.GlyphStyle{Color: colour, Radius: 3, Shape: filled[n%len(filled)]}
			if l.hollow[l.points[i].X] {
				style.Shape = hollow[n%len(hollow)]
			}
			return style
		}
		p.Add(drawn, points)
		if legend != nil {
			points.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: 3, Shape: filled[n%len(filled)]}
			legend.Add(l.name, drawn, points)
		}
	}
	return nil
}

// thousands are ticks with commas.
type thousands struct{}

func (thousands) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = formatCount(math.Round(ticks[i].Value))
		}
	}
	return ticks
}
