package results

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Sizes of the picture of a history.
const (
	historyPanel  = 150 // height of one line's, in points
	maxPanels     = 16
	historyLabels = 8 // dates below a panel
)

// flagColour marks steps.
var flagColour = color.NRGBA{0xD5, 0x5E, 0x00, 255}

// HistoryPlot draws the lines below each other as SVG, each with its own scale: runs in the order of time, their intervals,
// and a dashed line before each step. It refuses more than maxPanels lines.
func HistoryPlot(h *History) ([]byte, error) {
	if len(h.Lines) == 0 || len(h.Lines) > maxPanels {
		return nil, fmt.Errorf("results: a picture takes 1 to %d lines, and these are %d: --target, --scenario and --case choose some", maxPanels, len(h.Lines))
	}
	height := vg.Length(historyPanel * len(h.Lines))
	c := vgsvg.New(plotWidth, height)
	whole := blank(c, plotWidth, height)
	var panels [][]*plot.Plot
	for _, l := range h.Lines {
		p, err := l.panel()
		if err != nil {
			return nil, fmt.Errorf("results: draw the history of %s: %w", l.Target, err)
		}
		panels = append(panels, []*plot.Plot{p})
	}
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: 2 * plotMargin,
		PadTop: plotMargin, PadBottom: plotMargin, PadLeft: 2 * plotMargin, PadRight: 4 * plotMargin}
	for i, row := range plot.Align(panels, tiles, whole) {
		panels[i][0].Draw(row[0])
	}
	return finish(c)
}

// historyDots are the runs with their intervals.
type historyDots struct {
	at        plotter.XYs
	low, high []float64
}

func (d historyDots) Len() int                       { return len(d.at) }
func (d historyDots) XY(i int) (x, y float64)        { return d.at.XY(i) }
func (d historyDots) YError(i int) (low, hi float64) { return d.low[i], d.high[i] }

// panel draws one line.
func (l *HistoryLine) panel() (*plot.Plot, error) {
	p := newPlot(printable(l.Target + ": " + l.Shape.String()))
	p.Title.TextStyle.Font = sans(textSize)
	if p.Y.Label.Text = l.figure.Name; l.Relative {
		p.Y.Label.Text += " ÷ " + ReferenceTarget
	}
	var dots historyDots
	var ticks plot.ConstantTicks
	every := (len(l.Points) + historyLabels - 1) / historyLabels
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, point := range l.Points {
		from, to := point.Value.e.Range()
		lo, hi = min(lo, from), max(hi, to)
		dots.at = append(dots.at, plotter.XY{X: float64(i), Y: point.Value.Median})
		dots.low, dots.high = append(dots.low, point.Value.Median-from), append(dots.high, to-point.Value.Median)
		tick := plot.Tick{Value: float64(i)}
		if i%every == 0 {
			tick.Label = formatDay(point.Started)
		}
		ticks = append(ticks, tick)
	}
	room := max((hi-lo)/10, hi*l.Noise.Limit/2)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(len(l.Points))-0.5, lo-room, hi+room
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks, historyTicks{l.figure, l.Relative}
	return p, l.drawOn(p, dots)
}

// drawOn draws the runs and the steps.
func (l *HistoryLine) drawOn(p *plot.Plot, dots historyDots) error {
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = nil, gridColour
	p.Add(lines)
	for i, point := range l.Points {
		if point.Flag != HistoryChanged && point.Flag != HistoryNew {
			continue
		}
		x := float64(i) - 0.5
		step, err := plotter.NewLine(plotter.XYs{{X: x, Y: p.Y.Min}, {X: x, Y: p.Y.Max}})
		if err != nil {
			return err
		}
		step.Color, step.Width, step.Dashes = flagColour, 1, []vg.Length{3, 3}
		p.Add(step)
	}
	line, err := plotter.NewLine(dots.at)
	if err != nil {
		return err
	}
	line.Color, line.Width = palette[4], 1
	whiskers, err := plotter.NewYErrorBars(dots)
	if err != nil {
		return err
	}
	whiskers.LineStyle.Color, whiskers.LineStyle.Width, whiskers.CapWidth = inkColour, 0.75, 4
	points, err := plotter.NewScatter(dots.at)
	if err != nil {
		return err
	}
	points.GlyphStyleFunc = func(i int) draw.GlyphStyle {
		style := draw.GlyphStyle{Color: palette[0], Radius: 2.5, Shape: draw.CircleGlyph{}}
		switch {
		case l.Points[i].Doubt != "":
			style.Shape = draw.RingGlyph{}
		case l.Points[i].Flag != "":
			style.Color = flagColour
		}
		return style
	}
	p.Add(line, whiskers, points)
	return nil
}

// historyTicks are ticks in the figure's own words.
type historyTicks struct {
	figure   HistoryFigure
	relative bool
}

func (t historyTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i := range ticks {
		switch {
		case ticks[i].Label == "":
		case t.relative:
			ticks[i].Label = strconv.FormatFloat(ticks[i].Value, 'g', 4, 64)
		default:
			ticks[i].Label = t.figure.format(ticks[i].Value)
		}
	}
	return ticks
}
