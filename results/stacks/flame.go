package stacks

import (
	"math"
	"slices"
)

// Bounds of a flame graph.
const (
	minFlameShare = 0.001 // of the whole: narrower frames are not drawn, and the head says how much time is in them
	maxFrames     = 1000  // that are drawn: of a profile with more, the narrowest that are drawn are wider
	maxDepth      = 200   // of a stack: what is deeper counts for the frame there
	maxName       = 200   // characters of a name that are kept
)

// FlameOptions is what stands around a flame graph.
type FlameOptions struct {
	Title, Subtitle string
	What            string  // the values are of: "CPU time"; made of the profile's unit where it is empty
	Cost            float64 // of a request, in ns of all that is drawn; 0 where it is not known
	Waiting         bool    // the values are of time that threads waited: the legend says in what, and not that they switched
}

// Flame draws a profile as one SVG that needs nothing else. A frame is as wide as its time and all below it, and stands below
// those that called it: the root is at the top. Frames of one function under the same callers are one; beside each other they
// are in the order of their names, so that the same code is in the same place on two graphs. The colour says the layer in which
// a frame's own time falls. Time in which the CPU was idle is not drawn, only told.
//
// Opened by itself, or in an object, an iframe or inline in a page, it zooms and searches; as an image it is the same picture
// at rest. The same profile and options give the same bytes.
func Flame(p *Profile, o FlameOptions) []byte {
	list, idle := busy(p)
	d := drawing{what: o.What, unit: p.Unit, cost: o.Cost}
	if d.what == "" {
		d.what = whatOf(p.Unit)
	}
	g := d.layered(list)
	d.lines = append(d.lines, o.Title)
	if o.Subtitle != "" {
		d.lines = append(d.lines, o.Subtitle)
	}
	d.lines = append(d.lines, d.account(g, idle))
	d.keys = layerKeys(list, g, o.Waiting)
	d.graphs = []graph{g}
	return d.svg()
}

// whatOf is what a profile's values are of, by their unit.
func whatOf(unit string) string {
	switch unit {
	case "nanoseconds":
		return "time"
	case "bytes":
		return "memory"
	}
	return "samples"
}

// busy are the stacks with something in them in which the CPU was not idle, and the rest's value.
func busy(p *Profile) (list []Stack, idle int64) {
	for _, s := range p.Stacks {
		switch {
		case s.Value <= 0 || len(s.Frames) == 0:
		case s.Frames[0].Name == IdleRoot:
			idle += s.Value
		default:
			list = append(list, s)
		}
	}
	return list, idle
}

// node is a function in its place: below those that called it.
type node struct {
	Frame
	value    int64 // its own and that of all below
	children []*node
	known    map[Frame]*node
}

// grow merges stacks into a tree.
func grow(root Frame, list []Stack) *node {
	top := &node{Frame: root}
	for _, s := range list {
		at := top
		at.value += s.Value
		for _, f := range s.Frames[:min(len(s.Frames), maxDepth)] {
			at = at.child(f)
			at.value += s.Value
		}
	}
	top.order()
	return top
}

func (n *node) child(f Frame) *node {
	c := n.known[f]
	if c == nil {
		c = &node{Frame: f}
		if n.known == nil {
			n.known = map[Frame]*node{}
		}
		n.known[f] = c
		n.children = append(n.children, c)
	}
	return c
}

func (n *node) order() {
	slices.SortFunc(n.children, func(a, b *node) int { return compareFrames(a.Frame, b.Frame) })
	for _, c := range n.children {
		c.order()
	}
}

// box is a node that is drawn.
type box struct {
	*node
	depth  int
	from   int64  // where it begins, in the profile's unit
	class  string // its colour
	change change // in a graph of differences
}

// graph is a tree that is laid out.
type graph struct {
	name    string  // for who cannot see it
	side    string  // "before" or "after"; empty where there is one graph
	heading string  // above it; empty where there is one graph
	cost    float64 // of a request, ns of all that is drawn; 0: not known
	boxes   []box   // every parent before its children
	rows    int
	total   int64
	share   float64 // of the whole, that the narrowest has at least
	hidden  int64   // in frames that are not drawn, though those that called them are
}

// lay lays a tree out, with as many frames as a graph may have. paint completes a box; path is its frames from below the root.
func lay(top *node, least float64, paint func(b *box, path []Frame)) graph {
	g := graph{total: top.value, share: least}
	for ; count(top, g.least()) > maxFrames; g.share *= 1.25 {
	}
	var path []Frame
	var put func(n *node, depth int, from int64)
	put = func(n *node, depth int, from int64) {
		b := box{node: n, depth: depth, from: from}
		paint(&b, path)
		g.boxes = append(g.boxes, b)
		g.rows = max(g.rows, depth+1)
		for _, c := range n.children {
			if c.value < g.least() {
				g.hidden += c.value
				continue
			}
			path = append(path, c.Frame)
			put(c, depth+1, from)
			path = path[:len(path)-1]
			from += c.value
		}
	}
	if top.value > 0 {
		put(top, 0, 0)
	}
	return g
}

// least is the smallest value that is drawn.
func (g *graph) least() int64 { return max(1, int64(math.Ceil(g.share*float64(g.total)))) }

// count is how many nodes have at least that value.
func count(n *node, least int64) int {
	sum := 1
	for _, c := range n.children {
		if c.value >= least {
			sum += count(c, least)
		}
	}
	return sum
}

// layered lays stacks out under one root, coloured by layer.
func (d *drawing) layered(list []Stack) graph {
	g := lay(grow(Frame{Name: "all"}, list), minFlameShare, func(b *box, path []Frame) {
		b.class = rootClass
		if len(path) > 1 {
			l, _ := LayerOf(Stack{Frames: path, Value: b.value})
			b.class = layerClass(l)
		}
	})
	g.cost, g.name = d.cost, "all frames"
	return g
}
