package stacks

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// kernelMark is behind the name of a kernel function in folded text, as other people's tools know it.
const kernelMark = "_[k]"

// maxFolded bounds a line of folded text.
const maxFolded = 1 << 20

// Fold writes p as folded text: a line for each stack, its functions from the root to the leaf with semicolons between, a
// space, and its value. Behind a function of the kernel stands _[k], behind one of another file than the program's own that
// file, as _[libc.so.6]. A name's own semicolons become colons, and what would break a line becomes a space.
func Fold(w io.Writer, p *Profile) error {
	out := bufio.NewWriter(w)
	for _, s := range p.Stacks {
		for i, f := range s.Frames {
			if i > 0 {
				out.WriteByte(';')
			}
			out.WriteString(foldName(f.Name))
			switch {
			case f.Kernel():
				out.WriteString(kernelMark)
			case f.Module != "" && f.Module != s.Frames[0].Name:
				out.WriteString("_[" + foldName(f.Module) + "]")
			}
		}
		out.WriteByte(' ')
		out.WriteString(strconv.FormatInt(s.Value, 10))
		out.WriteByte('\n')
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("stacks: write folded stacks: %w", err)
	}
	return nil
}

// foldName is a name as folded text can hold it.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ';':
			return ':'
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, s)
}

// Unfold reads folded text, as Fold or another tool wrote it; unit is its values'. A first function without a file is the
// program's name, and those without a file behind it are the program's own.
func Unfold(r io.Reader, unit string) (*Profile, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxFolded)
	g := gatherer{index: map[string]int{}}
	n := 0
	for in.Scan() {
		n++
		line := in.Text()
		if line == "" {
			continue
		}
		if len(g.stacks) >= maxStacks {
			return nil, fmt.Errorf("stacks: read folded stacks: line %d: more than %d stacks", n, maxStacks)
		}
		names, number, _ := cutLast(line, " ")
		value, err := strconv.ParseInt(number, 10, 64)
		if err == nil {
			err = g.add(unfoldStack(names), value)
		}
		if err != nil {
			return nil, fmt.Errorf("stacks: read folded stacks: line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("stacks: read folded stacks: line %d: %w", n+1, err)
	}
	return g.profile(unit), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// unfoldStack is one line without its value.
func unfoldStack(line string) []Frame {
	names := strings.Split(line, ";")
	frames := make([]Frame, len(names))
	program := ""
	for i, name := range names {
		f := Frame{name, program}
		if before, kernel := strings.CutSuffix(name, kernelMark); kernel {
			f = Frame{before, KernelModule}
		} else if before, module, marked := cutLast(name, "_["); marked && strings.HasSuffix(module, "]") && before != "" {
			f = Frame{before, strings.TrimSuffix(module, "]")}
		} else if i == 0 {
			program = name
		}
		frames[i] = f
	}
	return frames
}
