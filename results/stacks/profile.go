package stacks

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// KernelModule is the module of the kernel's own frames; those of its loadable modules are named in brackets as well.
const KernelModule = "[kernel]"

// IdleRoot is the root frame of samples in which the CPU had nothing to do.
const IdleRoot = "idle"

// noSymbol is the name of a function for which there is none, noModule the module of an address that is in no file.
const (
	noSymbol = "[unknown]"
	noModule = "unknown"
)

// Frame is one function on a stack.
type Frame struct {
	Name   string // "tcp_sendmsg", "corelab/httpcore.(*Conn).Feed"; "[unknown]" where there is no symbol
	Module string // KernelModule, or the base name of the file that has it: "coreserver", "libc.so.6"; "unknown" for none; "" for a root
}

// Kernel reports whether the frame is the kernel's.
func (f Frame) Kernel() bool { return strings.HasPrefix(f.Module, "[") }

// Stack is what was seen so often, or so long.
type Stack struct {
	Frames []Frame // from the root to the leaf; the first is the program's name, or IdleRoot
	Value  int64   // in the profile's unit
}

// Profile is stacks, each once, sorted by their frames. It is not changed after it is made, and any goroutine may read it.
type Profile struct {
	Unit   string // of Value: "nanoseconds", "count", "bytes"
	Stacks []Stack
	Total  int64 // of all values
}

const (
	// maxStacks bounds a profile: one of a server has some thousands of different stacks.
	maxStacks = 1 << 20
	// maxStackFrames bounds a stack: perf records 127 frames, and Go puts inlined functions between them.
	maxStackFrames = 1 << 12
	// maxBytes bounds a profile's file when it is unpacked.
	maxBytes = 256 << 20
)

// Read reads a file in the format of profile.proto, gzipped or not, and takes its value of that type ("cpu", "delay",
// "inuse_space"), or its last one where kind is empty: of perf's and Go's CPU profiles that is the time.
func Read(r io.Reader, kind string) (*Profile, error) {
	p, err := parse(r)
	if err != nil {
		return nil, fmt.Errorf("stacks: read a profile: %w", err)
	}
	at := len(p.SampleType) - 1
	if kind != "" {
		at = slices.IndexFunc(p.SampleType, func(v *profile.ValueType) bool { return v.Type == kind })
	}
	if at < 0 {
		return nil, fmt.Errorf("stacks: the profile has no values of the type %q", kind)
	}
	if len(p.Sample) > maxStacks {
		return nil, fmt.Errorf("stacks: the profile has %d samples, more than %d", len(p.Sample), maxStacks)
	}
	g := gatherer{index: map[string]int{}}
	for _, s := range p.Sample {
		if err := g.add(framesOf(s), s.Value[at]); err != nil {
			return nil, fmt.Errorf("stacks: read a profile: %w", err)
		}
	}
	return g.profile(p.SampleType[at].Unit), nil
}

// parse unpacks and checks a file.
func parse(r io.Reader) (*profile.Profile, error) {
	data, err := bounded(r)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if data, err = bounded(z); err != nil {
			return nil, err
		}
	}
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		return nil, err
	}
	return p, p.CheckValid()
}

// bounded reads all of r, if that is no more than maxBytes.
func bounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("it is longer than %d MiB", maxBytes>>20)
	}
	return data, err
}

// gatherer makes a profile of stacks that come more than once.
type gatherer struct {
	stacks []Stack
	index  map[string]int // in stacks, by keyOf
	total  int64
}

// add takes in one sample. It keeps frames.
func (g *gatherer) add(frames []Frame, value int64) error {
	switch {
	case len(frames) > maxStackFrames:
		return fmt.Errorf("a stack has %d frames, more than %d", len(frames), maxStackFrames)
	case value < 0:
		return errors.New("a value is below zero: a difference of two profiles is none")
	case value > math.MaxInt64-g.total:
		return errors.New("the sum of its values does not fit 64 bits")
	case value == 0:
		return nil
	}
	g.total += value
	key := keyOf(frames)
	if i, known := g.index[key]; known {
		g.stacks[i].Value += value
		return nil
	}
	g.index[key] = len(g.stacks)
	g.stacks = append(g.stacks, Stack{frames, value})
	return nil
}

// profile ends the gathering.
func (g *gatherer) profile(unit string) *Profile {
	slices.SortFunc(g.stacks, func(a, b Stack) int { return slices.CompareFunc(a.Frames, b.Frames, compareFrames) })
	return &Profile{Unit: unit, Stacks: g.stacks, Total: g.total}
}

func compareFrames(a, b Frame) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Module, b.Module)
}

// framesOf turns a sample's locations, which begin at the leaf, and their inlined functions into frames.
func framesOf(s *profile.Sample) []Frame {
	frames := make([]Frame, 0, len(s.Location)+4)
	for i := len(s.Location) - 1; i >= 0; i-- {
		l := s.Location[i]
		module := ""
		if l.Mapping != nil {
			module = moduleOf(l.Mapping.File)
		}
		if module == "" && i < len(s.Location)-1 {
			module = noModule // only a root has none
		}
		for j := len(l.Line) - 1; j >= 0; j-- {
			name := noSymbol
			if f := l.Line[j].Function; f != nil && f.Name != "" {
				name = f.Name
			}
			frames = append(frames, Frame{name, module})
		}
		if len(l.Line) == 0 {
			frames = append(frames, Frame{noSymbol, module})
		}
	}
	return frames
}

// moduleOf is a mapping's file as a module. perf names what no file is mapped to in brackets: the kernel and its modules,
// and, in a process, the code that the kernel gives it, and memory, which are no kernel frames.
func moduleOf(file string) string {
	switch {
	case strings.HasPrefix(file, "[kernel"), strings.HasPrefix(file, "[guest.kernel"):
		return KernelModule
	case file == "[vdso]", file == "[vsyscall]", file == "[heap]", file == "[stack]", file == noSymbol, strings.HasPrefix(file, "[anon"):
		return strings.Trim(file, "[]")
	case strings.HasPrefix(file, "["):
		return file
	}
	return file[strings.LastIndexByte(file, '/')+1:]
}

func keyOf(frames []Frame) string {
	var b strings.Builder
	for _, f := range frames {
		b.WriteString(f.Name)
		b.WriteByte(0)
		b.WriteString(f.Module)
		b.WriteByte(1)
	}
	return b.String()
}
