package results

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"corelab/results/stacks"
)

// colourOf is a layer's colour: the one that it has in flame graphs.
func colourOf(l stacks.Layer) color.NRGBA {
	v, err := strconv.ParseUint(strings.TrimPrefix(l.Colour(), "#"), 16, 32)
	if err != nil {
		panic(fmt.Sprintf("results: the colour of %s is %q, not #rrggbb", l, l.Colour()))
	}
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}

// luminance is how bright a colour is, 0 to 1, by WCAG.
func luminance(c color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// layersPlot is the begin of the names of the pictures of layers; the scenario and the case follow.
const layersPlot = "layers-"

// layersFile is the name of the picture of a case.
func layersFile(scenario, name string) string {
	return layersPlot + fileWord(caseName(scenario, name)) + ".svg"
}

// caseName joins a scenario and its case, if it has one.
func caseName(scenario, name string) string {
	if name == "" {
		return scenario
	}
	return scenario + "-" + name
}

// Measures of the picture of layers, in pixels.
const (
	layerLeft  = 108 // of the names
	layerRight = 118 // of the totals
	layerStep  = 30
	layerBar   = 20
	layerTop   = 62
	barFactor  = 2.5 // times the median: a longer bar is drawn at a smaller scale, or all others would be too short to read
)

// layerPictures draws the layers of each profiled case into files.
func layerPictures(files map[string][]byte, rec *Record, cells []*Cell) {
	for _, s := range orderedScenarios(rec) {
		for _, name := range orderedCases(rec, s) {
			k, ok := layerKey(rec, s.Name, name, tableKeys(cells, s.Name, name))
			if !ok {
				continue
			}
			if rows := profiledRows(layerRows(rec, k, cells)); len(rows) > 0 {
				files[layersFile(s.Name, name)] = drawLayers(k, rows)
			}
		}
	}
}

// profiledRows are those that have a profile.
func profiledRows(rows []layerRow) []layerRow {
	return slices.DeleteFunc(rows, func(r layerRow) bool { return r.cost == nil })
}

// drawLayers draws one bar a target, as long as a request's CPU time, in the parts of its layers.
func drawLayers(k Key, rows []layerRow) []byte {
	most := layerScale(rows)
	legend := legendLines(usedLayers(rows), canvasWidth-24)
	bottom := float64(layerTop + layerStep*len(rows))
	title := k.Scenario + ": where the CPU time of a request goes"
	if k.Case != "" {
		title = k.Scenario + ", " + k.Case + ": where the CPU time of a request goes"
	}
	c := newCanvas(canvasWidth, bottom+44+legendHeight(legend), title)
	c.text(14, 26, ink{size: canvasTitle, bold: true}, ink{size: canvasTitle, bold: true}.fit(printable(title), canvasWidth-28))
	c.text(14, 44, ink{size: canvasSmall, colour: quietColour}, ink{size: canvasSmall}.fit("µs of the server's CPU per request, by layer; rest the pointer on a part for its figures. "+rows[0].basis(), canvasWidth-28))
	scale := (canvasWidth - layerLeft - layerRight) / most
	for _, v := range niceTicks(most, 8) {
		x := layerLeft + v*scale
		c.line(x, layerTop-6, x, bottom, gridColour, 1)
		c.text(x, bottom+14, ink{size: canvasSmall, anchor: "middle", colour: quietColour}, digitsShort(v))
	}
	c.text(canvasWidth-layerRight+8, bottom+14, ink{size: canvasSmall, colour: quietColour}, "µs per request")
	for i, r := range rows {
		y := float64(layerTop + layerStep*i)
		name := r.target.Name
		if r.target.Limit {
			name += " (limit)"
		}
		c.text(layerLeft-8, y+layerBar-6, ink{anchor: "end"}, ink{}.fit(printable(name), layerLeft-16))
		total := r.cost.CPU / 1e3
		shrunk := shrunkTo(total, most)
		end := c.stack(layerLeft, y, total/shrunk*scale, layerBar, r.target.Name, r.cost, microLabels)
		label := digits(total) + " µs"
		if shrunk > 1 {
			label += fmt.Sprintf(" (at 1 : %.0f)", shrunk)
		}
		if !r.sound() {
			v, _ := r.cell.Verdict()
			label += ", " + string(v.Kind)
		}
		c.text(end+6, y+layerBar-6, ink{bold: shrunk > 1}, ink{bold: shrunk > 1}.fit(label, canvasWidth-end-8))
	}
	drawLegend(c, 14, bottom+38, legend)
	return c.bytes()
}

// basis says what the layers of a row stand on, in a few words.
func (r layerRow) basis() string {
	return fmt.Sprintf("Shares by %s; CPU by the ranked trials.", orElse(r.cost.Profile.Event, "a profile"))
}

// layerScale is the longest bar, in µs, that is drawn as long as the others would be.
func layerScale(rows []layerRow) float64 {
	var totals []float64
	for _, r := range rows {
		totals = append(totals, r.cost.CPU/1e3)
	}
	return barScale(totals)
}

// barScale is the largest value that is not far from the others.
func barScale(values []float64) (most float64) {
	e, _ := Median(values)
	for _, v := range values {
		if v <= barFactor*e.Median {
			most = max(most, v)
		}
	}
	return most
}

// shrunkTo is by how much a bar of v must be shortened, in whole times, to be no longer than most.
func shrunkTo(v, most float64) float64 { return max(1, math.Ceil(v/most-1e-9)) }

// usedLayers are those that any row has some of, in order.
func usedLayers(rows []layerRow) []stacks.Layer {
	shown, _ := layerColumns(rows, false)
	return shown
}

// Labels of a part of a bar, from the longest; the first that fits stands in it.
type partLabels func(l stacks.Layer, c *LayerCost) []string

func microLabels(l stacks.Layer, c *LayerCost) []string {
	return []string{layerHeads[l] + " " + layerMicros(c.Of(l)), layerHeads[l], layerMicros(c.Of(l))}
}

func shareLabels(l stacks.Layer, c *LayerCost) []string {
	return []string{layerHeads[l] + " " + percentShort(c.Share(l)), layerHeads[l], percentShort(c.Share(l))}
}

func percentShort(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }

// stack draws a bar in the parts of its layers, and returns where it ends. Parts that are wide enough say what they are.
func (c *canvas) stack(x, y, width, height float64, name string, cost *LayerCost, labels partLabels) (end float64) {
	begin := x
	for _, group := range layerGroups {
		if x > begin && cost.ShareOf(group.layers) > 0 {
			c.line(x, y, x, y+height, color.NRGBA{255, 255, 255, 255}, 3) // kinds stand a little apart
		}
		for _, l := range group.layers {
			x = c.part(x, y, cost.Share(l)*width, height, name, l, cost, labels)
		}
	}
	return x
}

// part draws the part of one layer, and returns where it ends.
func (c *canvas) part(x, y, w, height float64, name string, l stacks.Layer, cost *LayerCost, labels partLabels) (end float64) {
	if w <= 0 {
		return x
	}
	hint := fmt.Sprintf("%s: %s: %s µs, %s of the CPU time (± %s)", name, l, layerMicros(cost.Of(l)), sharePercent(cost.Share(l)), sharePercent(cost.ShareError(l)))
	c.rect(x, y, w, height, colourOf(l), hint)
	if w > 3 {
		c.line(x+w-0.5, y, x+w-0.5, y+height, color.NRGBA{255, 255, 255, 255}, 1)
	}
	style := ink{size: canvasSmall, anchor: "middle", colour: on(colourOf(l))}
	for _, text := range labels(l, cost) {
		if style.wide(text) <= w-6 {
			c.text(x+w/2, y+height/2+4, style, text)
			break
		}
	}
	return x + w
}

// legendItem is one word of the legend: a kind of layers, or a layer with its colour.
type legendItem struct {
	group string
	layer stacks.Layer
	wide  float64
}

// legendLines are the layers by kind, in lines of at most width.
func legendLines(used []stacks.Layer, width float64) [][]legendItem {
	var lines [][]legendItem
	x := width
	add := func(it legendItem, with float64) {
		if x+it.wide+with > width || len(lines) == 0 {
			lines, x = append(lines, nil), 0
		}
		at := len(lines) - 1
		lines[at], x = append(lines[at], it), x+it.wide
	}
	for _, g := range layerGroups {
		first := true
		for _, l := range g.layers {
			if !slices.Contains(used, l) {
				continue
			}
			it := legendItem{layer: l, wide: 17 + ink{size: canvasSmall}.wide(string(l)) + 12}
			if first {
				add(legendItem{group: g.name, wide: ink{size: canvasSmall, bold: true}.wide(g.name+":") + 8}, it.wide)
				first = false
			}
			add(it, 0)
		}
	}
	return lines
}

const legendLine = 18

func legendHeight(lines [][]legendItem) float64 { return float64(legendLine * len(lines)) }

// drawLegend draws the lines, the first with its baseline at y.
func drawLegend(c *canvas, x, y float64, lines [][]legendItem) {
	for _, line := range lines {
		at := x
		for _, it := range line {
			if it.group != "" {
				c.text(at, y, ink{size: canvasSmall, bold: true}, it.group+":")
			} else {
				c.rect(at, y-9, 12, 11, colourOf(it.layer), "")
				c.text(at+17, y, ink{size: canvasSmall}, string(it.layer))
			}
			at += it.wide
		}
		y += legendLine
	}
}

// niceTicks are at most n round numbers from 0 to most.
func niceTicks(most float64, n int) []float64 {
	if most <= 0 || math.IsInf(most, 0) || math.IsNaN(most) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, times := range []float64{1, 2, 5, 10} {
		if most/(times*step) <= float64(n) {
			step *= times
			break
		}
	}
	var ticks []float64
	for i := 0.0; i*step <= most*1.0001; i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

// digitsShort is a tick's number, without zeros that say nothing.
func digitsShort(v float64) string {
	if v >= 1000 {
		return formatCount(v)
	}
	return fmt.Sprintf("%.3g", v)
}
