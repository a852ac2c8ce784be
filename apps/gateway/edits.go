package gateway

import "corelab/httpcore"

// Edits are changes to the field lines of a head that is passed on: lines that are added, and names whose lines are left
// out. The zero Edits change nothing. Its memory is kept for the next request.
type Edits struct {
	lines []byte
	drops []string
}

// maxEditBytes and maxDrops bound what Edits keeps from one request to the next.
const (
	maxEditBytes = 4 << 10
	maxDrops     = 32
)

// Empty reports whether there is nothing to change.
func (e *Edits) Empty() bool { return len(e.lines) == 0 && len(e.drops) == 0 }

// Add adds a line. name is a valid token; control characters in value, which could end the line, become spaces.
func (e *Edits) Add(name string, value []byte) {
	e.lines = append(e.lines, name...)
	e.lines = append(e.lines, ": "...)
	from := len(e.lines)
	e.lines = append(e.lines, value...)
	for i := from; i < len(e.lines); i++ {
		if c := e.lines[i]; c < ' ' && c != '\t' || c == 0x7f {
			e.lines[i] = ' '
		}
	}
	e.lines = append(e.lines, "\r\n"...)
}

// AddLines adds whole lines, each with its CRLF, that are known to be valid.
func (e *Edits) AddLines(lines string) { e.lines = append(e.lines, lines...) }

// Drop leaves out the lines of that name that come from the other side. It does not undo an Add.
func (e *Edits) Drop(name string) { e.drops = append(e.drops, name) }

// Set is Drop and Add.
func (e *Edits) Set(name string, value []byte) {
	e.Drop(name)
	e.Add(name, value)
}

// Drops reports whether the lines of that name, in any case, are left out.
func (e *Edits) Drops(name []byte) bool {
	for _, d := range e.drops {
		if foldEqual(name, d) {
			return true
		}
	}
	return false
}

// Lines are the lines to add, each with its CRLF, borrowed until the next change.
func (e *Edits) Lines() []byte { return e.lines }

// Apply appends lines to dst as the edits want them.
func (e *Edits) Apply(dst, lines []byte) []byte {
	if len(e.drops) == 0 {
		dst = append(dst, lines...)
	} else {
		for line := range Lines(lines) {
			if !e.Drops(fieldName(line)) {
				dst = append(dst, line...)
			}
		}
	}
	return append(dst, e.lines...)
}

// reset forgets all changes.
func (e *Edits) reset() {
	if cap(e.lines) > maxEditBytes {
		e.lines = nil
	}
	if cap(e.drops) > maxDrops {
		e.drops = nil
	}
	clear(e.drops)
	e.lines, e.drops = e.lines[:0], e.drops[:0]
}

// Lines yields each line of a head's field lines, with its CRLF.
func Lines(lines []byte) func(yield func(line []byte) bool) {
	return func(yield func([]byte) bool) {
		for len(lines) > 0 {
			n := 0
			for n < len(lines) && lines[n] != '\n' {
				n++
			}
			n = min(n+1, len(lines))
			if !yield(lines[:n:n]) {
				return
			}
			lines = lines[n:]
		}
	}
}

// FieldOf returns the value of the first line of that name, in any case, and whether there is one.
func FieldOf(lines []byte, name string) ([]byte, bool) {
	for line := range Lines(lines) {
		if n := fieldName(line); foldEqual(n, name) {
			v := line[len(n):]
			if len(v) > 0 {
				v = v[1:]
			}
			return trim(v), true
		}
	}
	return nil, false
}

// fieldName is what stands before a line's colon.
func fieldName(line []byte) []byte {
	for i, c := range line {
		if c == ':' {
			return line[:i]
		}
	}
	return nil
}

// trim cuts white space and the line's end off.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 {
		switch b[len(b)-1] {
		case ' ', '\t', '\r', '\n':
			b = b[:len(b)-1]
			continue
		}
		break
	}
	return b
}

// foldEqual compares without regard to the case of ASCII letters.
func foldEqual(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		c, d := b[i], s[i]
		if c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

var _ httpcore.Sink = (*inflow)(nil)
var _ httpcore.Source = (*outflow)(nil)
