package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// maxStacks bounds the different stacks of a profile: one of a server has some thousands.
const maxStacks = 1 << 20

// stackBuilder makes a profile of stacks, each of them once. Functions have neither lines nor addresses: a frame is a function.
type stackBuilder struct {
	made      *profile.Profile
	locations map[*symbol]*profile.Location
	roots     map[string]*profile.Location
	mappings  map[string]*profile.Mapping
	stacks    map[string]*profile.Sample
	key       []byte
	count     uint64
	full      bool
}

func newStackBuilder() *stackBuilder {
	return &stackBuilder{
		made:      &profile.Profile{},
		locations: make(map[*symbol]*profile.Location),
		roots:     make(map[string]*profile.Location),
		mappings:  make(map[string]*profile.Mapping),
		stacks:    make(map[string]*profile.Sample),
	}
}

// add counts one sample of a stack, whose leaf is first, under roots, whose first is the outermost.
func (b *stackBuilder) add(value int64, stack []*symbol, roots ...string) {
	b.key = b.key[:0]
	for _, f := range stack {
		b.key = binary.AppendUvarint(b.key, b.location(f).ID)
	}
	for _, root := range slices.Backward(roots) {
		b.key = binary.AppendUvarint(b.key, b.root(root).ID)
	}
	s := b.stacks[string(b.key)]
	if s == nil {
		if len(b.stacks) >= maxStacks {
			b.full = true
			return
		}
		s = &profile.Sample{Value: make([]int64, 2)}
		for _, f := range stack {
			s.Location = append(s.Location, b.location(f))
		}
		for _, root := range slices.Backward(roots) {
			s.Location = append(s.Location, b.root(root))
		}
		b.stacks[string(b.key)] = s
		b.made.Sample = append(b.made.Sample, s)
	}
	s.Value[0]++
	s.Value[1] += value
	b.count++
}

// root is a frame of no file.
func (b *stackBuilder) root(name string) *profile.Location {
	l := b.roots[name]
	if l == nil {
		l = b.newLocation(name, nil)
		b.roots[name] = l
	}
	return l
}

func (b *stackBuilder) location(f *symbol) *profile.Location {
	l := b.locations[f]
	if l == nil {
		l = b.newLocation(f.name, b.mapping(f.file))
		b.locations[f] = l
	}
	return l
}

func (b *stackBuilder) newLocation(name string, m *profile.Mapping) *profile.Location {
	f := &profile.Function{ID: uint64(len(b.made.Function) + 1), Name: name, SystemName: name}
	l := &profile.Location{ID: uint64(len(b.made.Location) + 1), Mapping: m, Line: []profile.Line{{Function: f}}}
	b.made.Function, b.made.Location = append(b.made.Function, f), append(b.made.Location, l)
	return l
}

// vdsoFile is the name of the code that the kernel lends to processes: perf writes it in brackets, as if it were the kernel's.
const vdsoFile = "linux-vdso.so.1"

// mapping is a file; nil where it is not known.
func (b *stackBuilder) mapping(file string) *profile.Mapping {
	switch file {
	case unknownSymbol, "":
		return nil
	case "[vdso]":
		file = vdsoFile
	}
	m := b.mappings[file]
	if m == nil {
		m = &profile.Mapping{ID: uint64(len(b.made.Mapping) + 1), File: file, HasFunctions: true}
		b.mappings[file] = m
		b.made.Mapping = append(b.made.Mapping, m)
	}
	return m
}

// finish is the profile, of values of that type in nanoseconds. The program's own file comes first, which is the one that pprof shows
// as the profile's.
func (b *stackBuilder) finish(kind, program string, s *Sampled) (*profile.Profile, uint64, error) {
	if b.full {
		return nil, 0, fmt.Errorf("it has more than %d different stacks", maxStacks)
	}
	p := b.made
	p.SampleType = []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: kind, Unit: "nanoseconds"}}
	p.DefaultSampleType = kind
	p.PeriodType = &profile.ValueType{Type: kind, Unit: "nanoseconds"}
	p.Period = 1
	if s.Rate > 0 {
		p.Period = int64(1e9 / s.Rate)
	}
	p.DurationNanos = s.Elapsed.Nanoseconds()
	p.Comments = append(p.Comments, "recorded by "+strings.Join(s.Command, " "))
	if s.Lost > 0 {
		p.Comments = append(p.Comments, fmt.Sprintf("%d samples were lost", s.Lost))
	}
	slices.SortStableFunc(p.Mapping, func(a, b *profile.Mapping) int { return first(a, program) - first(b, program) })
	for i, m := range p.Mapping {
		m.ID = uint64(i + 1)
	}
	if err := p.CheckValid(); err != nil {
		return nil, 0, errors.Join(errors.New("the profile is not a valid one"), err)
	}
	return p, b.count, nil
}

func first(m *profile.Mapping, program string) int {
	if m.File == program {
		return 0
	}
	return 1
}
