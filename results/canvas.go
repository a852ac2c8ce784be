package results

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// canvas draws SVG by hand, for what gonum/plot has no form: links, hints, and labels inside of bars where they fit. What is
// drawn is told in pixels from the top left. Every text is escaped, and the same calls give the same bytes.
type canvas struct {
	b             bytes.Buffer
	width, height float64
}

// ink is how a text looks. Its zero value is the smallest ordinary one.
type ink struct {
	size   float64     // pixels; 0: canvasText
	colour color.NRGBA // none: inkColour
	bold   bool
	anchor string // "middle", "end"; empty: the text begins at its place

	underlined bool
	halo       bool // white around it: it may stand across a line
}

// Sizes of text on a canvas, in pixels: a README shows a picture of canvasWidth nearly as large as it is.
const (
	canvasWidth = 880
	canvasText  = 12
	canvasSmall = 11
	canvasTitle = 16
)

var (
	quietColour = color.NRGBA{0x59, 0x59, 0x59, 255} // text that comes second: 7 to 1 on white
	linkColour  = color.NRGBA{0x00, 0x5A, 0x9C, 255}
)

// newCanvas begins a picture with a white background of its own: it is read on dark pages as well. title is for who cannot
// see it.
func newCanvas(width, height float64, title string) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(&c.b, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" font-family="'Liberation Sans',Arial,Helvetica,sans-serif">
<title>%s</title>
`, px(width), px(height), escapeXML(title))
	c.rect(0, 0, width, height, color.NRGBA{255, 255, 255, 255}, "")
	return c
}

// bytes ends the picture.
func (c *canvas) bytes() []byte {
	c.b.WriteString("</svg>\n")
	return c.b.Bytes()
}

// rect fills a rectangle. hint shows where a pointer rests on it; it may be empty.
func (c *canvas) rect(x, y, w, h float64, fill color.NRGBA, hint string) {
	c.shape(x, y, w, h, `fill="`+hex(fill)+`"`, hint)
}

// frame draws a rectangle's border, dashed where that is asked for, around white.
func (c *canvas) frame(x, y, w, h float64, stroke color.NRGBA, dashed bool, hint string) {
	style := `fill="#ffffff" stroke="` + hex(stroke) + `" stroke-width="1.5"`
	if dashed {
		style += ` stroke-dasharray="4 2.5"`
	}
	c.shape(x, y, w, h, style, hint)
}

func (c *canvas) shape(x, y, w, h float64, style, hint string) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s" %s`, px(x), px(y), px(w), px(h), style)
	c.end("rect", hint)
}

// dot draws a circle, hollow or full.
func (c *canvas) dot(x, y, r float64, colour color.NRGBA, hollow bool, hint string) {
	fill := hex(colour)
	if hollow {
		fill = "#ffffff"
	}
	fmt.Fprintf(&c.b, `<circle cx="%s" cy="%s" r="%s" fill="%s" stroke="%s" stroke-width="1.5"`, px(x), px(y), px(r), fill, hex(colour))
	c.end("circle", hint)
}

// end closes an element, with the hint in it.
func (c *canvas) end(name, hint string) {
	if hint == "" {
		c.b.WriteString("/>\n")
		return
	}
	c.b.WriteString("><title>" + escapeXML(hint) + "</title></" + name + ">\n")
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour color.NRGBA, width float64) {
	fmt.Fprintf(&c.b, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="%s"/>`+"\n", px(x1), px(y1), px(x2), px(y2), hex(colour), px(width))
}

// text writes s with its baseline at y.
func (c *canvas) text(x, y float64, i ink, s string) {
	fmt.Fprintf(&c.b, `<text x="%s" y="%s" font-size="%s" fill="%s"`, px(x), px(y), px(i.pixels()), hex(i.paint()))
	if i.bold {
		c.b.WriteString(` font-weight="bold"`)
	}
	if i.halo {
		c.b.WriteString(` stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`)
	}
	if i.underlined {
		c.b.WriteString(` text-decoration="underline"`)
	}
	if i.anchor != "" {
		c.b.WriteString(` text-anchor="` + i.anchor + `"`)
	}
	c.b.WriteString(">" + escapeXML(s) + "</text>\n")
}

// link wraps what draw draws into a link to a file beside the picture.
func (c *canvas) link(file string, draw func()) {
	c.b.WriteString(`<a href="` + escapeXML(file) + "\">\n")
	draw()
	c.b.WriteString("</a>\n")
}

func (i ink) pixels() float64 {
	if i.size == 0 {
		return canvasText
	}
	return i.size
}

func (i ink) paint() color.NRGBA {
	if i.colour.A == 0 {
		return inkColour
	}
	return i.colour
}

// otherFont is how much wider than ours a font may be that takes its place where neither it nor its like is installed.
const otherFont = 1.16

// wide is how wide s may be, in pixels, with another font than ours.
func (i ink) wide(s string) float64 {
	f := font.Font{Typeface: "Liberation", Variant: "Sans"}
	if i.bold {
		f.Weight = xfont.WeightBold
	}
	face := font.DefaultCache.Lookup(f, vg.Length(i.pixels()))
	return otherFont * float64(face.Width(s))
}

// fit is s, or as much of its begin as has room in width.
func (i ink) fit(s string, width float64) string {
	if i.wide(s) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if short := strings.TrimRight(string(runes[:n]), " ,;:") + "…"; i.wide(short) <= width {
			return short
		}
	}
	return ""
}

// px is a length with one place behind the point where it needs one.
func px(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// on is the colour for text on that background: dark or white, whichever stands out more.
func on(background color.NRGBA) color.NRGBA {
	white, l := color.NRGBA{255, 255, 255, 255}, luminance(background)
	if (l+0.05)/(luminance(inkColour)+0.05) > 1.05/(l+0.05) {
		return inkColour
	}
	return white
}

// escapeXML makes plain text of s in an element or an attribute.
func escapeXML(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(printable(s))) // a buffer takes all
	return b.String()
}
