package stacks

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// colours of the layers. Each kind has a hue of Okabe and Ito's, which colour-blind people tell apart, user code green, the
// runtime orange, the kernel's system calls blue and its network and scheduler purple; within a kind the layers differ in how
// dark they are. The other pictures of a report have the same.
var colours = map[Layer]string{
	Parse: "#004d3a", Route: "#009e73", Handler: "#5cc49c", Reply: "#a6ffc7",
	Scheduler: "#9c4500", Memory: "#e69f00", Netpoller: "#eae793",
	CallEntry: "#082a54", Epoll: "#0072b2", SocketRead: "#57a9db", SocketSend: "#c2e4f8",
	Transmit: "#571940", Receive: "#b04f8c", Wakeup: "#db97c1", Setup: "#fabbdd",
	Other: "#999999", Idle: "#f2f2f2",
}

// Colour is the colour of a layer in pictures, "#rrggbb".
func (l Layer) Colour() string { return colours[l] }

// The frames of the whole and of its programs are in no layer.
const (
	rootClass  = "r"
	rootColour = "#dcdcdc"
)

// layerClass is the class of the layer's frames.
func layerClass(l Layer) string { return "l" + strconv.Itoa(slices.Index(Layers, l)) }

// diverging are the colours of differences, from much less to much more: blue and orange, which colour-blind people tell
// apart, and the paler the smaller the difference.
var diverging = [2*degrees + 1]string{"#3d8fd1", "#78b1e0", "#abd0ee", "#cde2f4", "#ececec", "#fce0c2", "#f9c48b", "#f3a352", "#e67e1c"}

// degrees is how many degrees of more there are, and of less.
const degrees = 4

// diffClass is the class of frames that changed by so many degrees, -degrees to degrees.
func diffClass(degree int) string { return "d" + strconv.Itoa(degree+degrees) }

// paints are the style rules of all classes: the fill, and what can be read on it.
func paints() string {
	var b strings.Builder
	rule := func(class, colour string) {
		fmt.Fprintf(&b, ".corelab-flame .%s>rect{fill:%s}", class, colour)
		if dark(colour) {
			fmt.Fprintf(&b, ".corelab-flame .f.%s>text{fill:#fff}", class)
		}
		b.WriteByte('\n')
	}
	rule(rootClass, rootColour)
	for _, l := range Layers {
		rule(layerClass(l), l.Colour())
	}
	for i, colour := range diverging {
		rule(diffClass(i-degrees), colour)
	}
	return b.String()
}

// dark reports whether white text can be read better on the colour than black.
func dark(colour string) bool { return luminance(colour) < 0.18 }

// luminance is how bright a colour is, 0 to 1, by WCAG.
func luminance(colour string) float64 {
	v, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		panic("stacks: a colour is #rrggbb, not " + colour)
	}
	linear := func(shift uint) float64 {
		s := float64(v>>shift&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
