package results

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// CostPlot is the name of the picture of what a request costs on each target. Those of throughput and p99 against
// connections are named after their scenarios, with connectionsPlot behind it.
const (
	CostPlot        = "cost.svg"
	connectionsPlot = "-over-connections.svg"
)

// The colours of Okabe and Ito, which colour-blind people tell apart, on white with dark text: the pictures carry their own
// background, so that they can be read on a dark page as well.
var (
	palette = []color.NRGBA{{0x00, 0x72, 0xB2, 255}, {0xD5, 0x5E, 0x00, 255}, {0x00, 0x9E, 0x73, 255}, {0xCC, 0x79, 0xA7, 255},
		{0x56, 0xB4, 0xE9, 255}, {0xE6, 0x9F, 0x00, 255}, {0x00, 0x00, 0x00, 255}, {0x99, 0x99, 0x00, 255}}
	inkColour  = color.NRGBA{0x22, 0x22, 0x22, 255}
	gridColour = color.NRGBA{0xDD, 0xDD, 0xDD, 255}
	kindColour = map[string]color.NRGBA{"core": palette[0], "peer": palette[5], "foreign": palette[3]}
	limitGrey  = color.NRGBA{0x88, 0x88, 0x88, 255}
)

// Sizes of the pictures, in points.
const (
	plotWidth  = 640
	barHeight  = 26
	plotHeight = 300
	plotMargin = 6
	legendWide = 130
	textSize   = 10
)

// Plots makes the pictures of a record as SVG, by file name: the same record gives the same bytes. What the record has no
// figures for has no picture.
func Plots(rec *Record) (map[string][]byte, error) {
	files := map[string][]byte{}
	cells := Cells(rec)
	if t := headlineTable(rec, cells); t != nil {
		b, err := costPlot(t)
		if err != nil {
			return nil, fmt.Errorf("results: draw %s: %w", CostPlot, err)
		}
		if b != nil {
			files[CostPlot] = b
		}
	}
	if m := newMigration(rec, cells); m != nil {
		files[MigrationPlot] = m.draw()
	}
	layerPictures(files, rec, cells)
	for _, s := range orderedScenarios(rec) {
		name := fileWord(s.Name) + connectionsPlot
		b, err := overConnections(rec, s, cells)
		if err != nil {
			return nil, fmt.Errorf("results: draw %s: %w", name, err)
		}
		if b != nil {
			files[name] = b
		}
		if err := overloadPlots(files, rec, s, cells); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// fileWord makes a file name of a scenario's name.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_') {
			return r
		}
		return '_'
	}, s)
}

// bar is one target in the picture of the cost.
type bar struct {
	name     string
	ratio    Estimate
	doubtful bool // the row has no rank
	plain    bool // the ratio of plain CPU per request: the generator's cost was not the same
	colour   color.NRGBA
}

// barEnd bounds the axis of the cost: a bar beyond it is cut there and says its value, so that the others can be told apart.
const barEnd = 2.5

// bars are the targets that can be held against the reference, from the top.
func (t *loadTable) bars() []bar {
	var bars []bar
	for _, row := range t.rows {
		e, ok := Ratio(row.cell, t.reference, t.headline())
		if !ok {
			continue
		}
		b := bar{name: printable(row.target.Name), ratio: e, colour: limitGrey}
		if t.headline().Unit == CPUShare.Unit && row.cell != t.reference && !SameLoad(row.cell, t.reference) {
			if plain, ok := Ratio(row.cell, t.reference, ServerCPU); ok {
				b.ratio, b.plain = plain, true
			}
		}
		if c, known := kindColour[row.target.Kind]; known && !row.target.Limit {
			b.colour = c
		}
		if row.target.Limit {
			b.name += " (limit)"
		}
		if !row.ranked {
			b.doubtful, b.colour = true, pale(b.colour)
		}
		bars = append(bars, b)
	}
	return bars
}

// pale is c with less of it, for what is doubtful.
func pale(c color.NRGBA) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 2*255) / 3) }
	return color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

// costPlot draws the headline: CPU per request relative to the reference, with whiskers for the interval.
func costPlot(t *loadTable) ([]byte, error) {
	bars := t.bars()
	if len(bars) < 2 {
		return nil, nil // nothing is held against anything
	}
	p := newPlot(fmt.Sprintf("%s: what a request costs (%s = 1, less is better)", printable(t.key.Scenario), ReferenceTarget))
	p.X.Label.Text = t.costBasis(bars)
	p.X.Min = 0
	points := ratioPoints{}
	var names []string
	for i, b := range bars {
		y := float64(len(bars) - 1 - i)
		at := min(b.ratio.Median, barEnd)
		lo, hi := b.ratio.Range()
		points.at = append(points.at, plotter.XY{X: at, Y: y})
		points.low = append(points.low, max(0, at-lo))
		points.high = append(points.high, max(0, min(hi, barEnd)-at))
		points.text = append(points.text, b.text())
		names = append([]string{b.name}, names...)
	}
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = gridColour, nil
	p.Add(lines)
	for i, b := range bars {
		chart, err := plotter.NewBarChart(plotter.Values{min(b.ratio.Median, barEnd)}, barHeight*0.62)
		if err != nil {
			return nil, err
		}
		chart.Horizontal, chart.Color, chart.LineStyle.Width, chart.XMin = true, b.colour, 0, float64(len(bars)-1-i)
		p.Add(chart)
	}
	whiskers, err := plotter.NewXErrorBars(points)
	if err != nil {
		return nil, err
	}
	whiskers.LineStyle.Color, whiskers.LineStyle.Width, whiskers.CapWidth = inkColour, 1, 6
	labels, err := plotter.NewLabels(points.labels())
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font, labels.TextStyle[i].Color = sans(textSize), inkColour
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	labels.Offset.X = 4
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(bars)) - 0.5}})
	if err != nil {
		return nil, err
	}
	one.Color, one.Width, one.Dashes = inkColour, 0.75, []vg.Length{3, 3}
	p.Add(one, whiskers, labels)
	p.NominalY(names...)
	p.Y.Tick.Label.Font = sans(textSize)
	p.X.Max = 1.12 * points.farthest()
	p.X.Tick.Marker = ratioTicks{}
	return render(p, plotWidth, vg.Length(barHeight*len(bars)+80))
}

// text is the bar's value, marked where it is not the headline's.
func (b bar) text() string {
	s := strconv.FormatFloat(b.ratio.Median, 'f', 2, 64)
	if b.plain {
		s += "*"
	}
	if b.ratio.Median > barEnd {
		s = "▸ " + s
	}
	return s
}

// costBasis says what the axis is, and what marks and colours mean.
func (t *loadTable) costBasis(bars []bar) string {
	whiskers := "95 % interval"
	for _, row := range t.rows {
		if e, ok := row.cell.Estimate(t.headline()); ok && !e.Bounded() {
			whiskers = "all rounds"
		}
	}
	what := "CPU per request"
	if t.headline().Unit == CPUShare.Unit {
		what = "server CPU ÷ generator CPU"
	}
	text := what + " ÷ " + ReferenceTarget + "’s; whiskers: " + whiskers
	if slices.ContainsFunc(bars, func(b bar) bool { return b.doubtful }) {
		text += "; pale: in doubt"
	}
	if slices.ContainsFunc(bars, func(b bar) bool { return b.plain }) {
		text += "\n* plain CPU per request: the generator’s own cost differs by more than 3 %"
	}
	return text
}

// ratioPoints are the bars' ends with their intervals.
type ratioPoints struct {
	at        plotter.XYs
	low, high []float64
	text      []string
}

func (r ratioPoints) Len() int                       { return len(r.at) }
func (r ratioPoints) XY(i int) (x, y float64)        { return r.at.XY(i) }
func (r ratioPoints) XError(i int) (low, hi float64) { return r.low[i], r.high[i] }

// labels are the ratios as text, behind the whiskers, and behind the line at 1 where they would stand across it.
func (r ratioPoints) labels() plotter.XYLabels {
	l := plotter.XYLabels{}
	for i, p := range r.at {
		x := p.X + r.high[i]
		if x > 0.8 && x < 1 {
			x = 1
		}
		l.XYs = append(l.XYs, plotter.XY{X: x, Y: p.Y})
		l.Labels = append(l.Labels, r.text[i])
	}
	return l
}

func (r ratioPoints) farthest() float64 {
	far := 1.0
	for i, p := range r.at {
		far = max(far, p.X+r.high[i])
	}
	return far
}

// newPlot is an empty plot in our style.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = title
	p.Title.Padding = 8
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(textSize+2), inkColour
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = sans(textSize), inkColour
		a.Tick.Label.Font, a.Tick.Label.Color = sans(textSize), inkColour
		a.LineStyle.Color, a.Tick.LineStyle.Color = inkColour, inkColour
	}
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = sans(textSize), inkColour
	return p
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// render draws p alone, with a margin: where the font is not installed, another one's text may be wider.
func render(p *plot.Plot, w, h vg.Length) ([]byte, error) {
	c := vgsvg.New(w, h)
	whole := blank(c, w, h)
	p.Draw(draw.Crop(whole, 4*plotMargin, -2*plotMargin, plotMargin, -plotMargin))
	return finish(c)
}

// blank is the whole canvas, painted white.
func blank(c *vgsvg.Canvas, w, h vg.Length) draw.Canvas {
	whole := draw.NewCanvas(c, w, h)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	return whole
}

// finish is the picture's text. Where the font is not installed, one of the same widths shall take its place.
func finish(c *vgsvg.Canvas) ([]byte, error) {
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}

// ratioTicks are ticks at round parts of the reference.
type ratioTicks struct{}

func (ratioTicks) Ticks(lo, hi float64) []plot.Tick {
	step := 0.25
	for hi/step > 12 {
		step *= 2
	}
	var ticks []plot.Tick
	for v := 0.0; v <= hi; v += step {
		if v >= lo {
			ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
		}
	}
	return ticks
}
