package settings

import (
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// positionsOf returns where each key of a valid document stands, those of inline tables included.
func positionsOf(src []byte) map[string]position {
	s := scan{found: map[string]position{}, arrays: map[string]int{}, lines: linesOf(src)}
	s.parser.Reset(src)
	table := ""
	for s.parser.NextExpression() {
		e := s.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table, _ = s.key("", e.Key())
		case unstable.ArrayTable:
			_, at := s.key("", e.Key())
			table = join(s.last, strconv.Itoa(s.arrays[s.last]))
			s.arrays[s.last]++
			s.found[table] = at
		case unstable.KeyValue:
			s.value(table, e)
		}
	}
	return s.found
}

// scan is a walk through a document.
type scan struct {
	parser unstable.Parser
	found  map[string]position
	arrays map[string]int // elements of each array of tables so far
	last   string         // of key: the name without a number behind it
	lines  []int          // where each line begins, in bytes
}

// linesOf returns where each line of src begins.
func linesOf(src []byte) []int {
	lines := []int{0}
	for i, b := range src {
		if b == '\n' {
			lines = append(lines, i+1)
		}
	}
	return lines
}

// at returns where a range begins. The parser knows it too, by counting all lines before: in a document of 100,000 routes that
// would take an hour.
func (s *scan) at(r unstable.Range) position {
	line, found := slices.BinarySearch(s.lines, int(r.Offset))
	if !found {
		line-- // the one that it lies in
	}
	return position{line + 1, int(r.Offset) - s.lines[line] + 1}
}

// key returns the name of a dotted key below a table, and notes where it stands. A part that is an array of tables means
// its last element.
func (s *scan) key(table string, it unstable.Iterator) (string, position) {
	name := table
	var at position
	for first := true; it.Next(); first = false {
		n := it.Node()
		if first {
			at = s.at(n.Raw)
		}
		name = join(name, string(n.Data))
		s.last = name
		if _, ok := s.found[name]; !ok {
			s.found[name] = at
		}
		if count := s.arrays[name]; count > 0 {
			name = join(name, strconv.Itoa(count-1))
		}
	}
	return name, at
}

// value notes a key and what it holds.
func (s *scan) value(table string, e *unstable.Node) {
	name, at := s.key(table, e.Key())
	s.hold(name, at, e.Value())
}

func (s *scan) hold(name string, at position, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			s.value(name, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			if it.Node().Kind == unstable.Comment {
				i--
				continue
			}
			element := join(name, strconv.Itoa(i))
			if r := it.Node().Raw; r.Length > 0 {
				at = s.at(r)
			}
			s.found[element] = at
			s.hold(element, at, it.Node())
		}
	}
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}
