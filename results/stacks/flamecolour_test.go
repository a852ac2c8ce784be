package stacks

import (
	"math"
	"strconv"
	"testing"
)

// seen is a colour as linear red, green and blue.
type seen [3]float64

func colourOf(t *testing.T, text string) seen {
	t.Helper()
	v, err := strconv.ParseUint(text[1:], 16, 32)
	if err != nil || len(text) != 7 || text[0] != '#' {
		t.Fatalf("%q is no colour", text)
	}
	var c seen
	for i := range c {
		s := float64(v>>(16-8*i)&0xff) / 255
		if c[i] = s / 12.92; s > 0.04045 {
			c[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return c
}

// visions are how people see colours: all of them, and the three kinds who lack a receptor, by the matrices of Machado,
// Oliveira and Fernandes (2009) for what is lacking wholly.
var visions = map[string][3]seen{
	"ordinary":     {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func (c seen) by(m [3]seen) (out seen) {
	for i, row := range m {
		for j, v := range row {
			out[i] += v * c[j]
		}
		out[i] = min(max(out[i], 0), 1)
	}
	return out
}

// lab is the colour in CIE L*a*b*, in which distances are as people see them.
func (c seen) lab() seen {
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047)
	y := f(0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2])
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883)
	return seen{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func distance(a, b seen) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// leastApart is the least distance of two colours; about 2.3 can just be noticed side by side.
const leastApart = 9

func TestLayersCanBeToldApart(t *testing.T) {
	for vision, m := range visions {
		for i, a := range Layers {
			for _, b := range Layers[:i] {
				if d := distance(colourOf(t, a.Colour()).by(m).lab(), colourOf(t, b.Colour()).by(m).lab()); d < leastApart {
					t.Errorf("%s: %s and %s are %.1f apart", vision, a, b, d)
				}
			}
		}
	}
}

func TestDegreesCanBeToldApart(t *testing.T) {
	for vision, m := range visions {
		for i, a := range diverging {
			for _, b := range diverging[:i] {
				if d := distance(colourOf(t, a).by(m).lab(), colourOf(t, b).by(m).lab()); d < leastApart {
					t.Errorf("%s: %s and %s are %.1f apart", vision, a, b, d)
				}
			}
		}
	}
}

// Names can be read on every colour, with the contrast that WCAG asks for.
func TestNamesCanBeRead(t *testing.T) {
	check := func(colour string) {
		t.Helper()
		ink := luminance("#111111")
		if dark(colour) {
			ink = 1
		}
		l := luminance(colour)
		if contrast := (max(l, ink) + 0.05) / (min(l, ink) + 0.05); contrast < 4.5 {
			t.Errorf("text on %s has a contrast of %.1f", colour, contrast)
		}
	}
	check(rootColour)
	for _, l := range Layers {
		check(l.Colour())
	}
	for _, colour := range diverging {
		check(colour)
	}
}
