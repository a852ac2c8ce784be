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
	Path     string   `json:"path"`   // of the file below the run's folder
	Names    []string `json:"names"`  // of functions
	Colours  []int    `json:"colors"` // of each name: a frameColour
	Root     *Frame   `json:"root"`
	Hidden   float64  `json:"hidden,omitempty"` // the part of the time in frames that are too narrow to be here
	Lack     string   `json:"lack,omitempty"`   // why there is no tree
}

// Frame is one function on all stacks that lead to it alike: [name, value, children …] in JSON would save little.
type Frame struct {
	Name     int      `json:"n"` // in Names
	Value    int64    `json:"v"` // with its children's
	Children []*Frame `json:"c,omitempty"`
}

// What a frame is, for its colour.
const (
	frameProgram = iota // the root frame
	frameKernel
	frameOurs    // a function of corelab
	frameRuntime // of Go's runtime
	frameOther   // of another library or program
)

// Bounds of a tree: a frame that is narrower than narrowest of the whole is not in it.
const (
	narrowest = 0.0005
	maxDepth  = 256
)

// flameKinds are the profiles that are shown as trees, in this order.
var flameKinds = []string{results.ProfileCPU, results.ProfileOffCPU, results.ProfileGoCPU, results.ProfileHeap, results.ProfileBlock, results.ProfileMutex}

// flamesOf are the trees of a record's profiles, in the order of its trials.
func flamesOf(rec *results.Record) []FlameGraph {
	var all []FlameGraph
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
		if stack.Value <= 0 {
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
		g.Lack = "the profile is empty"
		return
	}
	b := treeBuilder{graph: g, names: map[stacks.Frame]int{}, least: max(1, int64(narrowest*float64(all.value)))}
	g.Root = b.build(all, 0)
	g.Hidden = rounded(float64(b.hidden) / float64(all.value))
}

// treeBuilder turns branches into frames.
type treeBuilder struct {
	graph  *FlameGraph
	names  map[stacks.Frame]int
	least  int64
	hidden int64
}

func (b *treeBuilder) build(from *branch, depth int) *Frame {
	f := &Frame{Name: b.name(from.frame, depth), Value: from.value}
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
		f.Children = append(f.Children, b.build(c, depth+1))
	}
	return f
}

func (b *treeBuilder) name(f stacks.Frame, depth int) int {
	n, known := b.names[f]
	if !known {
		n = len(b.graph.Names)
		b.names[f] = n
		b.graph.Names = append(b.graph.Names, f.Name)
		b.graph.Colours = append(b.graph.Colours, frameColour(f, depth))
	}
	return n
}

func frameColour(f stacks.Frame, depth int) int {
	switch {
	case depth <= 1 && f.Module == "":
		return frameProgram
	case f.Kernel():
		return frameKernel
	case strings.HasPrefix(f.Name, "corelab/"), strings.HasPrefix(f.Name, "main."):
		return frameOurs
	case strings.HasPrefix(f.Name, "runtime."), strings.HasPrefix(f.Name, "runtime/"):
		return frameRuntime
	}
	return frameOther
}
