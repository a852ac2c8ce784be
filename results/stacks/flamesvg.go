package stacks

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	//go:embed flame.js
	flameScript string
	//go:embed flame.css
	flameStyle string
)

// FlamePolicy is the Content-Security-Policy under which a server may hand out what Flame and FlameDiff make: it lets their own
// script and style run, by their digests, and nothing else.
func FlamePolicy() string {
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + digest(script()) + "; style-src " + digest(style()) + "; frame-ancestors 'self'"
}

// script is what stands in the SVG: without the comments, which are for who reads flame.js.
func script() string {
	var b strings.Builder
	b.WriteByte('\n')
	for line := range strings.Lines(flameScript) {
		if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "//") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func style() string { return "\n" + flameStyle + paints() }

// Measures of the picture in pixels. Widths of frames are parts of the whole, so it fits any width; what depends on the width
// (how many keys stand in a row, how much of a name fits) is told for flameWidth, and the script tells it anew.
const (
	flameWidth = 1200
	sidePart   = 0.006 // of the width, left and right
	rowHeight  = 16    // flame.js has it too
	lineHeight = 17
	keyHeight  = 18
	keyColumns = 4
	barHeight  = 66 // of the line with the search and what it stands above, which the script makes
	letter     = 6.63
	inset      = 3 // of a name in its frame
	fewest     = 3 // letters of a name that are worth showing
)

// drawing is a picture before it is written.
type drawing struct {
	what   string // the values are of
	unit   string
	cost   float64 // 0: none
	diff   bool
	lines  []string // the first is the title
	keys   []key
	graphs []graph

	b bytes.Buffer
	y float64
}

// key is an entry of the legend.
type key struct{ class, name, text string }

// account says of how much the graph is, and what of it is not drawn.
func (d *drawing) account(g graph, idle int64) string {
	if g.total == 0 {
		if idle > 0 {
			return "Nothing to draw: in all samples the CPU was idle."
		}
		return "Nothing to draw: the profile has no samples."
	}
	s := "All is " + amount(float64(g.total), d.unit) + " of " + d.what
	if d.cost > 0 {
		s += ", " + duration(d.cost) + " a request"
	}
	s += "."
	if g.hidden > 0 {
		s += fmt.Sprintf(" %s of it is in frames narrower than %.2g %%, which are not drawn.", percent(g.hidden, g.total), 100*g.share)
	}
	if idle > 0 {
		s += fmt.Sprintf(" Idle time, %s of all that was sampled, is not drawn.", percent(idle, idle+g.total))
	}
	return s
}

// layerKeys are the layers that a graph shows, with their shares of all stacks' time.
func layerKeys(list []Stack, g graph, waiting bool) []key {
	by := map[Layer]int64{}
	for _, s := range list {
		l, _ := LayerOf(s)
		if waiting {
			l = waitedIn(s)
		}
		by[l] += s.Value
	}
	var keys []key
	for _, l := range Layers {
		class := layerClass(l)
		shown := slices.ContainsFunc(g.boxes, func(b box) bool { return b.class == class })
		switch {
		case by[l] > 0:
			keys = append(keys, key{class, string(l), string(l) + " " + percent(by[l], g.total)})
		case shown:
			keys = append(keys, key{class, string(l), string(l)})
		}
	}
	return keys
}

// waitedIn is the layer of what led a thread to wait. All waiting ends in a system call that switches to another thread.
func waitedIn(s Stack) Layer {
	for n := len(s.Frames); n > 1; n-- {
		if l, _ := LayerOf(Stack{Frames: s.Frames[:n]}); l != Wakeup && l != CallEntry {
			return l
		}
	}
	return Wakeup
}

// svg writes the picture.
func (d *drawing) svg() []byte {
	for i, line := range d.lines {
		class, size := "line", lineHeight
		if i == 0 {
			class, size = "title", 24
		}
		d.y += float64(size)
		fmt.Fprintf(&d.b, "<text class=\"%s\" x=\"%s\" y=\"%s\">%s</text>\n", class, part(sidePart), pixels(d.y), escape(line))
	}
	d.y += 10
	for i, k := range d.keys {
		fmt.Fprintf(&d.b, `<svg class="key %s" x="%s" y="%s" width="%s" height="%d" data-name="%s"><rect y="2" width="13" height="13"/><text x="19" y="13">%s</text></svg>`+"\n",
			k.class, part(sidePart+(1-2*sidePart)/keyColumns*float64(i%keyColumns)), pixels(d.y+float64(i/keyColumns*keyHeight)),
			part((1-2*sidePart)/keyColumns-0.004), keyHeight, escape(k.name), escape(k.text))
	}
	d.y += float64((len(d.keys) + keyColumns - 1) / keyColumns * keyHeight)
	fmt.Fprintf(&d.b, "<text class=\"rest\" x=\"%s\" y=\"%s\">At rest: opened by itself, in a browser, the picture zooms and searches.</text>\n", part(sidePart), pixels(d.y+30))
	d.y += barHeight
	for i := range d.graphs {
		d.graph(&d.graphs[i])
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"corelab-flame\" width=\"%d\" height=\"%s\" data-what=\"%s\" data-unit=\"%s\"",
		flameWidth, pixels(d.y+8), escape(d.what), escape(d.unit))
	if d.diff {
		out.WriteString(` data-diff=""`)
	}
	fmt.Fprintf(&out, ">\n<title>%s</title>\n<style>%s</style>\n<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n", escape(d.lines[0]), style())
	out.Write(d.b.Bytes())
	fmt.Fprintf(&out, "<script><![CDATA[%s]]></script>\n</svg>\n", script())
	return out.Bytes()
}

// graph writes the frames of one graph.
func (d *drawing) graph(g *graph) {
	if g.heading != "" {
		d.y += 22
		fmt.Fprintf(&d.b, "<text class=\"heading\" x=\"%s\" y=\"%s\">%s</text>\n", part(sidePart), pixels(d.y), escape(g.heading))
		d.y += 8
	}
	fmt.Fprintf(&d.b, "<svg class=\"flames\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%d\" data-cost=\"%s\" data-name=\"%s\" data-side=\"%s\">\n",
		part(sidePart), pixels(d.y), part(1-2*sidePart), g.rows*rowHeight, number(g.cost), escape(g.name), g.side)
	for i := range g.boxes {
		d.box(g, &g.boxes[i])
	}
	d.b.WriteString("</svg>\n")
	d.y += float64(g.rows * rowHeight)
}

// box writes a frame: a picture of its own, which cuts off what of the name has no room. The name stands in the text if the
// frame has room for it at flameWidth, else shortened, and beside it.
func (d *drawing) box(g *graph, b *box) {
	width := float64(b.value) / float64(g.total)
	name := cut(b.Name)
	shown := name
	room := int((width*flameWidth*(1-2*sidePart) - 2*inset) / letter)
	if utf8.RuneCountInString(name) > room {
		shown = shortName(name)
	}
	fmt.Fprintf(&d.b, `<svg class="f %s" x="%s" y="%d" width="%s" height="%d" data-v="%d"`,
		b.class, part(float64(b.from)/float64(g.total)), b.depth*rowHeight, part(width), rowHeight, b.value)
	if shown != name {
		fmt.Fprintf(&d.b, ` data-n="%s"`, escape(name))
	}
	if b.Module != "" {
		fmt.Fprintf(&d.b, ` data-m="%s"`, escape(cut(b.Module)))
	}
	if d.diff {
		fmt.Fprintf(&d.b, ` data-b="%s" data-a="%s"`, number(b.change.before), number(b.change.after))
		switch {
		case b.change.alone:
			d.b.WriteString(` data-o=""`)
		case b.change.noise():
			d.b.WriteString(` data-s=""`)
		}
	}
	fmt.Fprintf(&d.b, `><rect width="100%%" height="%d"/><text x="%d" y="11.5"`, rowHeight, inset)
	if room < fewest {
		d.b.WriteString(` display="none"`)
	}
	fmt.Fprintf(&d.b, ">%s</text></svg>\n", escape(shown))
}

// shortName is a function's name without the path of its package.
func shortName(name string) string {
	head := name
	if i := strings.IndexAny(head, "[("); i >= 0 {
		head = head[:i]
	}
	return name[strings.LastIndexByte(head, '/')+1:]
}

// cut is a name of at most maxName characters, without its middle if it has more.
func cut(name string) string {
	r := []rune(name)
	if len(r) <= maxName {
		return name
	}
	return string(r[:maxName/2]) + "…" + string(r[len(r)-maxName/2+1:])
}

// escape makes plain text of s in an element or an attribute: what XML cannot hold, what drives a terminal and what changes the
// writing direction becomes U+FFFD.
func escape(s string) string {
	return markup.Replace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == '\uFFFE', r == '\uFFFF':
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// part is a part of the width.
func part(v float64) string { return number(math.Round(1e5*v)/1e3) + "%" }

func pixels(v float64) string { return number(v) }

// number is v in the shortest form, with at most three places behind the point.
func number(v float64) string { return strconv.FormatFloat(math.Round(1e3*v)/1e3, 'f', -1, 64) }

// percent is v's share, with so many digits that a small one is not zero.
func percent(v, of int64) string { return percentage(100 * float64(v) / float64(of)) }

func percentage(v float64) string {
	switch a := math.Abs(v); {
	case a >= 9.95:
		return fmt.Sprintf("%.0f %%", v)
	case a >= 0.0095:
		return fmt.Sprintf("%.2g %%", v)
	case a == 0:
		return "0 %"
	}
	return "<0.01 %"
}

// amount is a value with its unit.
func amount(v float64, unit string) string {
	switch unit {
	case "nanoseconds":
		return duration(v)
	case "bytes":
		for _, name := range []string{"bytes", "KiB", "MiB"} {
			if v < 1024 {
				return digits(v) + " " + name
			}
			v /= 1024
		}
		return digits(v) + " GiB"
	}
	return digits(v)
}

// duration is ns nanoseconds with three digits and the unit that fits.
func duration(ns float64) string {
	switch v := math.Abs(ns); {
	case v < 999.5:
		return digits(ns) + " ns"
	case v < 999.5e3:
		return digits(ns/1e3) + " µs"
	case v < 999.5e6:
		return digits(ns/1e6) + " ms"
	}
	return digits(ns/1e9) + " s"
}

// digits is v with three significant digits, and no fewer than those before the point.
func digits(v float64) string {
	places := 2
	switch a := math.Abs(v); {
	case a >= 99.95 || v == math.Trunc(v):
		places = 0
	case a >= 9.995:
		places = 1
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}
