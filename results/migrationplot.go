package results

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
)

// Measures of the picture of the migration, in pixels. The three panels share the rows.
const (
	migrationTop   = 108 // of the first row
	migrationBar   = 22
	migrationPitch = 48 // from row to row, with a line on the step between
	nameEnd        = 122
	speedLeft      = 132
	speedWide      = 164
	tailLeft       = 318
	tailWide       = 138
	layersLeft     = 478
	layersWide     = 318
	layersTotal    = 84 // of the figures at the right
)

// panel is one column of the picture: where it lies, and how its values become pixels.
type panel struct {
	left, wide float64
	lo, hi     float64
	log        bool
}

func (p panel) x(v float64) float64 {
	if p.log {
		return p.left + p.wide*math.Log(v/p.lo)/math.Log(p.hi/p.lo)
	}
	return p.left + p.wide*(v-p.lo)/(p.hi-p.lo)
}

// draw is the picture.
func (m *migration) draw() []byte {
	legend := [][]legendItem(nil)
	if m.profiled {
		legend = legendLines(usedLayers(m.layerRows()), canvasWidth-28)
	}
	bottom := float64(migrationTop + migrationPitch*len(m.rows) - (migrationPitch - migrationBar) + 6)
	notes := m.notes()
	c := newCanvas(canvasWidth, bottom+40+legendHeight(legend)+float64(15*len(notes)), migrationTitle)
	bold := ink{size: canvasTitle, bold: true}
	c.text(14, 27, bold, bold.fit(migrationTitle, canvasWidth-28))
	quiet := ink{size: canvasSmall, colour: quietColour}
	c.text(14, 46, quiet, quiet.fit(printable(m.subtitle()), canvasWidth-28))

	speed := panel{left: speedLeft, wide: speedWide, hi: m.fastest()}
	m.drawSpeed(c, speed, bottom)
	m.drawTails(c, bottom)
	if m.profiled {
		m.drawShares(c, bottom)
	} else {
		m.drawCosts(c, bottom)
	}
	for i, r := range m.rows {
		y := m.y(i)
		c.text(nameEnd, y+10, ink{size: 13, bold: true, anchor: "end"}, r.name)
		c.text(nameEnd, y+22, ink{size: 10.5, colour: quietColour, anchor: "end"}, r.about)
		if r.step != nil {
			m.drawStep(c, y-7, r.step)
		}
	}
	drawLegend(c, 14, bottom+38, legend)
	for i, note := range notes {
		c.text(14, bottom+42+legendHeight(legend)+float64(15*i), quiet, quiet.fit(printable(note), canvasWidth-28))
	}
	return c.bytes()
}

// y is where the bar of a row begins.
func (m *migration) y(row int) float64 { return float64(migrationTop + migrationPitch*row) }

// layerRows are the rows that have layers, as the pictures of layers take them.
func (m *migration) layerRows() []layerRow {
	var rows []layerRow
	for _, r := range m.rows {
		if r.cost != nil {
			rows = append(rows, layerRow{target: r.target, cell: r.cell, cost: r.cost})
		}
	}
	return rows
}

// subtitle says what was measured.
func (m *migration) subtitle() string {
	t := m.table
	parts := []string{t.key.Scenario}
	if t.key.Case != "" {
		parts = append(parts, t.key.Case)
	}
	if loads := t.loads(); len(loads) > 0 {
		l := loads[0].Load
		parts = append(parts, fmt.Sprintf("%d clients in a closed loop, by %s", l.Connections, l.Generator))
	}
	if p, ok := strings.CutPrefix(placements[t.key.Placement], t.key.Placement+": "); ok {
		parts = append(parts, p)
	}
	return strings.Join(append(parts, t.roundsShort(), "run "+t.run.ID), " · ")
}

// roundsShort is how much was measured.
func (t *loadTable) roundsShort() string {
	rounds := 0
	for _, row := range t.rows {
		rounds = max(rounds, len(row.cell.Rounds(Throughput)))
	}
	return fmt.Sprintf("medians of %d × %s", rounds, formatSpan(t.elapsed()))
}

// heading writes a panel's name, and below it how to read it.
func (c *canvas) heading(x float64, name, how string) {
	c.text(x, migrationTop-34, ink{size: 13, bold: true}, name)
	c.text(x, migrationTop-20, ink{size: 10.5, colour: quietColour}, how)
}

// ruler draws the lines of a panel's axis, with their values below.
func (c *canvas) ruler(p panel, at []float64, label func(float64) string, bottom float64) {
	end := math.Inf(-1)
	for _, v := range at {
		x := p.x(v)
		c.line(x, migrationTop-10, x, bottom, gridColour, 1)
		style := ink{size: 10.5, colour: quietColour, anchor: "middle"}
		if half := style.wide(label(v)) / 2; x-half > end {
			c.text(x, bottom+13, style, label(v))
			end = x + half + 4
		}
	}
}

// colour is that of the row's kind, a limit's grey.
func (r *migrationRow) colour() color.NRGBA {
	if known, ok := kindColour[r.target.Kind]; ok && !r.target.Limit {
		return known
	}
	return limitGrey
}

// hollow reports whether the row is not to be ranked by what a panel shows.
func (r *migrationRow) hollow() bool { return !r.ranked }

// refusal is why the row is hollow, in a word.
func (r *migrationRow) refusal() string {
	if r.ranked {
		return ""
	}
	return ", " + string(r.verdict.Kind)
}

func (m *migration) fastest() float64 {
	most := 1.0
	for _, r := range m.rows {
		e, _ := r.cell.Estimate(Throughput)
		most = max(most, e.Median)
	}
	return most
}

func (m *migration) drawSpeed(c *canvas, p panel, bottom float64) {
	how := "more is better"
	if slices.ContainsFunc(m.rows, func(r *migrationRow) bool { return r.bounded }) {
		how = "≥: the generator was the limit"
	}
	c.heading(p.left, "requests per second", how)
	c.ruler(p, niceTicks(p.hi, 5), thousandsShort, bottom)
	for i, r := range m.rows {
		e, ok := r.cell.Estimate(Throughput)
		if !ok {
			continue
		}
		label := formatCount(e.Median)
		if r.bounded {
			label = "≥ " + label
		}
		lo, hi := e.Range()
		hint := fmt.Sprintf("%s: %s requests per second (%s–%s)%s", r.name, label, formatCount(lo), formatCount(hi), r.refusal())
		c.valueBar(p.left, m.y(i), p.x(e.Median)-p.left, p.wide, r.colour(), r.hollow(), label+r.refusal(), hint)
	}
}

// valueBar draws a bar with its value inside, or behind it where it is too short; room is how far the panel reaches.
func (c *canvas) valueBar(x, y, w, room float64, colour color.NRGBA, hollow bool, label, hint string) {
	style := ink{bold: true}
	outside := ink{bold: true, halo: true}
	if hollow {
		c.frame(x+0.75, y+0.75, max(0, w-1.5), migrationBar-1.5, colour, true, hint)
	} else {
		c.rect(x, y, w, migrationBar, colour, hint)
	}
	fits := style.wide(label)+12 <= w
	switch {
	case fits && !hollow:
		style.colour = on(colour)
		c.text(x+6, y+15, style, label)
	case fits, hollow && outside.wide(label) > room-w:
		c.text(x+6, y+15, outside, label) // it may stand across the end of a bar that is only a frame
	default:
		c.text(x+w+5, y+15, outside, outside.fit(label, max(room-w+12, 60)))
	}
}

// cut marks a bar that ends at x and would be longer.
func (c *canvas) cut(x, y float64) {
	white := color.NRGBA{255, 255, 255, 255}
	for _, from := range []float64{16, 10} {
		c.line(x-from, y+migrationBar+1, x-from+6, y-1, white, 2.5)
	}
}

// drawTails draws the p99 of each row, and the way from the p50 to it.
func (m *migration) drawTails(c *canvas, bottom float64) {
	c.heading(tailLeft, "p99, closed loop", "log scale; line from the p50")
	lo, hi := math.Inf(1), 0.0
	for _, r := range m.rows {
		if e, ok := r.cell.Estimate(P99); ok {
			lo, hi = min(lo, e.Median), max(hi, e.Median)
			if half, ok := r.cell.Estimate(P50); ok {
				lo = min(lo, half.Median)
			}
		}
	}
	if hi == 0 {
		c.text(tailLeft, m.y(0)+15, ink{size: canvasSmall, colour: quietColour}, "no row has one")
		return
	}
	p := panel{left: tailLeft, wide: tailWide, lo: lo / 1.25, hi: hi * 1.25, log: true}
	c.ruler(p, logTicks(p.lo, p.hi), formatTick, bottom)
	for i, r := range m.rows {
		e, ok := r.cell.Estimate(P99)
		y := m.y(i) + migrationBar/2
		if !ok {
			c.text(tailLeft, y+4, ink{size: canvasSmall, colour: quietColour}, ink{size: canvasSmall}.fit(Dash+" "+printable(r.cell.Lack(P99)), tailWide+8))
			continue
		}
		x, begin := p.x(e.Median), p.x(e.Median)
		hint := fmt.Sprintf("%s: p99 %s", r.name, formatTime(e.Median))
		if half, ok := r.cell.Estimate(P50); ok {
			begin = p.x(half.Median)
			hint += ", p50 " + formatTime(half.Median)
			c.line(begin, y, x, y, pale(r.colour()), 4)
			c.line(begin, y-4, begin, y+4, r.colour(), 1.5)
		}
		c.dot(x, y, 5, r.colour(), r.hollow() || !r.speed && !r.bounded, hint+r.refusal())
		style := ink{size: canvasSmall, bold: true, halo: true}
		label := formatTime(e.Median)
		switch wide := style.wide(label); {
		case x+9+wide <= tailLeft+tailWide+14:
			c.text(x+9, y+4, style, label)
		case begin-5-wide >= tailLeft-4:
			style.anchor = "end"
			c.text(begin-5, y+4, style, label)
		default: // across the line, which is long then
			style.anchor = "end"
			c.text(x-9, y+4, style, label)
		}
	}
}

func (m *migration) drawShares(c *canvas, bottom float64) {
	c.heading(layersLeft, "where the server's CPU time goes", "parts of it by layer: user code, runtime, kernel")
	right := ink{size: 10.5, colour: quietColour, anchor: "end"}
	c.text(canvasWidth-14, migrationTop-34, ink{size: 13, bold: true, anchor: "end"}, "CPU")
	c.text(canvasWidth-14, migrationTop-20, right, "per request")
	p := panel{left: layersLeft, wide: layersWide, hi: 1}
	c.ruler(p, []float64{0, 0.25, 0.5, 0.75, 1}, percentShort, bottom)
	for i, r := range m.rows {
		y := m.y(i)
		if r.cost != nil {
			c.stack(layersLeft, y, layersWide, migrationBar, r.name, r.cost, shareLabels)
		} else {
			style := ink{size: canvasSmall, colour: quietColour}
			c.text(layersLeft+4, y+15, style, style.fit("not profiled: "+printable(r.lack), layersWide-8))
		}
		if e, ok := r.cell.Estimate(ServerCPU); ok {
			style := ink{bold: true, anchor: "end"}
			if r.hollow() {
				style = ink{colour: quietColour, anchor: "end"}
			}
			c.text(canvasWidth-14, y+15, style, formatTime(e.Median))
		}
	}
}

// drawCosts draws CPU per request, where nothing was profiled.
func (m *migration) drawCosts(c *canvas, bottom float64) {
	c.heading(layersLeft, "CPU per request of the server", "not profiled: bench --profile shows the layers")
	var values []float64
	for _, r := range m.rows {
		if e, ok := r.cell.Estimate(ServerCPU); ok {
			values = append(values, e.Median)
		}
	}
	if len(values) == 0 {
		c.text(layersLeft, m.y(0)+15, ink{size: canvasSmall, colour: quietColour}, "no row has one")
		return
	}
	p := panel{left: layersLeft, wide: layersWide, hi: barScale(values) / 1e3}
	c.ruler(p, niceTicks(p.hi, 6), func(v float64) string { return digitsShort(v) + " µs" }, bottom)
	for i, r := range m.rows {
		e, ok := r.cell.Estimate(ServerCPU)
		if !ok {
			continue
		}
		at, label := min(e.Median/1e3, p.hi), formatTime(e.Median)
		lo, hi := e.Range()
		hint := fmt.Sprintf("%s: CPU per request %s (%s–%s)%s", r.name, formatTime(e.Median), formatTime(lo), formatTime(hi), r.refusal())
		c.valueBar(p.left, m.y(i), p.x(at)-p.left, layersWide+layersTotal-20, r.colour(), r.hollow(), label+r.refusal(), hint)
		if e.Median/1e3 > p.hi {
			c.cut(p.x(p.hi), m.y(i))
		}
	}
}

// drawStep writes what the step changed between the bars of its rows, and links it to its flame graph.
func (m *migration) drawStep(c *canvas, y float64, s *migrationStep) {
	style := ink{size: canvasSmall, colour: quietColour, halo: true}
	arrow := "↓ "
	if !s.to.path {
		arrow = "↓ from " + s.from.name + ": "
	}
	if s.file == "" {
		c.text(speedLeft, y, style, style.fit(arrow+strings.Join(s.words(), " · "), canvasWidth-speedLeft-14))
		return
	}
	c.link(s.file, func() {
		const label = "flame graph of the difference"
		under := ink{size: canvasSmall, colour: linkColour, anchor: "end", underlined: true, halo: true}
		c.text(speedLeft, y, style, style.fit(arrow+strings.Join(s.words(), " · "), canvasWidth-speedLeft-30-under.wide(label)))
		c.text(canvasWidth-14, y, under, label)
	})
}

// notes stand under the picture.
func (m *migration) notes() []string {
	var notes []string
	var kinds []Kind
	for _, r := range m.rows {
		if r.hollow() && !slices.Contains(kinds, r.verdict.Kind) {
			kinds = append(kinds, r.verdict.Kind)
		}
	}
	for _, kind := range kinds {
		var names []string
		reason := ""
		for _, r := range m.rows {
			if r.verdict.Kind == kind {
				names, reason = append(names, r.name), orElse(reason, r.verdict.Reason)
			}
		}
		notes = append(notes, fmt.Sprintf("hollow, %s: %s (%s: %s)", kind, strings.Join(names, ", "), names[0], reason))
	}
	marks := "1 to 4: the stages of the published four-stage server. Steps say what is proven; " + Unproven + ": no difference is proven."
	if slices.ContainsFunc(m.rows, func(r *migrationRow) bool { return r.target.Limit }) {
		marks += " Grey: a limit that does less than the others."
	}
	notes = append(notes, marks)
	if m.profiled {
		notes = append(notes, "Shares come from profiled trials of their own; requests per second, p99 and CPU per request from trials that nothing slowed.")
	}
	return notes
}

// thousandsShort is a tick of thousands: "60k".
func thousandsShort(v float64) string {
	if v >= 1000 && math.Mod(v, 1000) == 0 {
		return fmt.Sprintf("%.0fk", v/1000)
	}
	return digitsShort(v)
}

// logTicks are 1, 2 and 5 times powers of ten between lo and hi; fewer where that is many.
func logTicks(lo, hi float64) []float64 {
	steps := []float64{1, 2, 5}
	if hi/lo > 300 {
		steps = []float64{1}
	}
	var ticks []float64
	for p := math.Pow(10, math.Floor(math.Log10(lo))); p <= hi; p *= 10 {
		for _, s := range steps {
			if v := s * p; v >= lo && v <= hi {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// formatTick is a round time without digits that say nothing: "5 ms".
func formatTick(ns float64) string {
	switch {
	case ns < 1e3:
		return digitsShort(ns) + " ns"
	case ns < 1e6:
		return digitsShort(ns/1e3) + " µs"
	case ns < 1e9:
		return digitsShort(ns/1e6) + " ms"
	}
	return digitsShort(ns/1e9) + " s"
}
