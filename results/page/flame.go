package page

import (
	"cmp"
	"slices"
	"strings"

	"corelab/results"
	"corelab/results/stacks"
)

// FlameGraph is a profile as a tree.
type FlameGraph struct {
	Scenario string   `json:"scenario"`
	Case     string   `json:"case,omitempty"`
	Target   string   `json:"target"`
	Kind     string   `json:"kind"`  // a kind of results.Profile
	Unit     string   `json:"unit"`  // of the values
	Event    string   `json:"event"` // what was sampled
	Samples  uint64   `json:"samples"`
	Path     string   `json:"path"`  // of the file below the run's folder
	Names    []string `json:"names"` // of functions
	Root     *Frame   `json:"root"`
	Idle     int64    `json:"idle,omitempty"`   // in which the CPU had nothing to do; it is not in the tree
	Hidden   float64  `json:"hidden,omitempty"` // the part of the time in frames that are too narrow to be here
	Lack     string   `json:"lack,omitempty"`   // why there is no tree
}

// Frame is one function, on all stacks that lead to it alike.
type Frame struct {
	Name     int      `json:"n"` // in Names
	Value    int64    `json:"v"` // with its children's
	Layer    int      `json:"l"` // the place in stacks.Layers of what the way to it decides
	Children []*Frame `json:"c,omitempty"`
}

// Bounds of a tree: a frame that is narrower than narrowest of the whole is not in it.
const (
	narrowest = 0.0005
	maxDepth  = 256
)

// flameKinds are the profiles that are shown as trees, in this order.
var flameKinds = []string{results.ProfileCPU, results.ProfileOffCPU, results.ProfileGoCPU, results.ProfileHeap, results.ProfileBlock, results.ProfileMutex}

// flamesOf are the trees of a record's profiles, by target in the order of the run.
func flamesOf(rec *results.Record) []FlameGraph {
	var all []FlameGraph
	order := map[string]int{}
	for i, t := range results.TargetsOf(rec) {
		order[t.Name] = i
	}
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if t.Role != results.RoleProfiled || t.Error != "" {
			continue
		}
		for _, kind := range flameKinds {
			at := slices.IndexFunc(t.Profiles, func(p results.Profile) bool { return p.Kind == kind })
			if at < 0 {
				continue
			}
			all = append(all, flameOf(rec, t, &t.Profiles[at]))
		}
	}
	slices.SortStableFunc(all, func(a, b FlameGraph) int {
		return cmp.Or(strings.Compare(a.Scenario, b.Scenario), strings.Compare(a.Case, b.Case), order[a.Target]-order[b.Target])
	})
	return all
}

func flameOf(rec *results.Record, t *results.Trial, p *results.Profile) FlameGraph {
	g := FlameGraph{Scenario: t.Scenario, Case: t.Case, Target: t.Target, Kind: p.Kind, Event: p.Event, Samples: p.Samples, Path: p.Path}
	s, err := rec.Stacks(p)
	switch {
	case err != nil:
		g.Lack = err.Error()
	case s.Total <= 0:
		g.Lack = "the profile is empty"
	default:
		g.fill(s)
	}
	return g
}

// branch is a Frame while the tree is built.
type branch struct {
	frame    stacks.Frame
	value    int64
	children map[stacks.Frame]*branch
}

func (b *branch) child(f stacks.Frame) *branch {
	if b.children == nil {
		b.children = map[stacks.Frame]*branch{}
	}
	c := b.children[f]
	if c == nil {
		c = &branch{frame: f}
		b.children[f] = c
	}
	return c
}

func (g *FlameGraph) fill(s *stacks.Profile) {
	g.Unit = s.Unit
	all := &branch{frame: stacks.Frame{Name: "all"}}
	for _, stack := range s.Stacks {
		if stack.Value <= 0 || len(stack.Frames) == 0 {
			continue
		}
		if stack.Frames[0].Name == stacks.IdleRoot {
			g.Idle += stack.Value
			continue
		}
		at := all
		at.value += stack.Value
		for _, f := range stack.Frames[:min(len(stack.Frames), maxDepth)] {
			at = at.child(f)
			at.value += stack.Value
		}
	}
	if all.value == 0 {
		g.Lack = "the profile has nothing but idle time"
		return
	}
	b := treeBuilder{graph: g, names: map[string]int{}, least: max(1, int64(narrowest*float64(all.value)))}
	g.Root = b.build(all, nil)
	g.Hidden = rounded(float64(b.hidden) / float64(all.value))
}

// treeBuilder turns branches into frames.
type treeBuilder struct {
	graph  *FlameGraph
	names  map[string]int
	least  int64
	hidden int64
}

// build makes the frame of a branch; way is what leads there from below the root, and it.
func (b *treeBuilder) build(from *branch, way []stacks.Frame) *Frame {
	f := &Frame{Name: b.name(from.frame.Name), Value: from.value, Layer: layerOf(way, from.value)}
	children := make([]*branch, 0, len(from.children))
	for _, c := range from.children {
		if c.value < b.least {
			b.hidden += c.value
			continue
		}
		children = append(children, c)
	}
	slices.SortFunc(children, func(x, y *branch) int {
		return cmp.Or(strings.Compare(x.frame.Name, y.frame.Name), strings.Compare(x.frame.Module, y.frame.Module))
	})
	for _, c := range children {
		f.Children = append(f.Children, b.build(c, append(way, c.frame)))
	}
	return f
}

// layerOf is the place of the layer that a stack leads to.
func layerOf(way []stacks.Frame, value int64) int {
	l := stacks.Other
	if len(way) > 0 {
		l, _ = stacks.LayerOf(stacks.Stack{Frames: way, Value: value})
	}
	return slices.Index(stacks.Layers, l)
}

func (b *treeBuilder) name(of string) int {
	n, known := b.names[of]
	if !known {
		n = len(b.graph.Names)
		b.names[of] = n
		b.graph.Names = append(b.graph.Names, of)
	}
	return n
}
