// Package permit says whether what somebody may do covers what a route asks for.
//
// A permission is a name of segments with colons between them, from the general to the particular: orders:42:read. What is
// granted may have wildcards in place of segments: "*" stands for any one of them, and "**", as the last one, for one or
// more. So orders:*:read grants orders:42:read, neither orders:read nor orders:42:write; orders:** grants all three, but
// not orders. There are no others: ord* is refused, and so is an empty segment.
//
// What a route needs is exact, but for parameters of its path: orders:{id}:read needs what the id of the request says. A
// value fills its segment and no more, whatever characters it has.
//
// Grants that a configuration knows are compiled into a [Set] when it is loaded; those that come with a token are read as
// they are, by [Listed]. Both answer alike, allocate nothing, and take no longer than there are segments in the grants.
package permit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSegments bounds a permission.
const maxSegments = 16

// Need is what a route asks for. It is never changed.
type Need struct {
	// Params are the names of the parameters that must be known, in their order.
	Params []string

	segments []segment
}

// segment is a word, or one that a parameter fills.
type segment struct {
	word  string
	param int // 1 + index in Params; 0 for a word
}

// ParseNeed reads what a route asks for: orders:{id}:read.
func ParseNeed(s string) (*Need, error) {
	n := new(Need)
	for word := range strings.SplitSeq(s, ":") {
		if name, ok := strings.CutPrefix(word, "{"); ok {
			if name, ok = strings.CutSuffix(name, "}"); !ok || !isWord(name) {
				return nil, fmt.Errorf("permission %q: %q is no parameter in braces", s, word)
			}
			n.Params = append(n.Params, name)
			n.segments = append(n.segments, segment{param: len(n.Params)})
			continue
		}
		if !isWord(word) {
			return nil, fmt.Errorf("permission %q: %q is no word", s, word)
		}
		n.segments = append(n.segments, segment{word: word})
	}
	if len(n.segments) > maxSegments {
		return nil, fmt.Errorf("permission %q: %d segments, at most %d are taken", s, len(n.segments), maxSegments)
	}
	return n, nil
}

// isWord reports whether s can be a segment: visible ASCII that means nothing else here, or in the lists of a token.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`*{}:"\,`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// is reports whether segment i of the need is word. args are the values of Params.
func (n *Need) is(i int, word []byte, args [][]byte) bool {
	s := n.segments[i]
	if s.param > 0 {
		return bytes.Equal(args[s.param-1], word)
	}
	return s.word == string(word)
}

// missing reports whether a parameter has no value: then nothing grants the need.
func (n *Need) missing(args [][]byte) bool {
	if len(args) < len(n.Params) {
		return true
	}
	for i := range n.Params {
		if len(args[i]) == 0 {
			return true
		}
	}
	return false
}

// Set is what somebody may do, compiled. It is never changed. A nil Set allows nothing.
type Set struct{ nodes []node }

// node is where grants that begin alike part.
type node struct {
	words []edge // sorted
	any   int32  // the node behind "*"; 0 for none
	end   bool   // a grant ends here
	rest  bool   // a grant goes on with "**"
}

type edge struct {
	word string
	to   int32
}

// Compile makes a Set of what is granted.
func Compile(grants ...string) (*Set, error) {
	s := &Set{nodes: make([]node, 1)}
	for _, g := range grants {
		if err := s.add(g); err != nil {
			return nil, fmt.Errorf("permission %q: %w", g, err)
		}
	}
	return s, nil
}

func (s *Set) add(grant string) error {
	words := strings.Split(grant, ":")
	if len(words) > maxSegments {
		return fmt.Errorf("%d segments, at most %d are taken", len(words), maxSegments)
	}
	at := int32(0)
	for i, w := range words {
		switch {
		case w == "**" && i == len(words)-1:
			s.nodes[at].rest = true
			return nil
		case w == "**":
			return errors.New("** is not its end")
		case w == "*":
			if s.nodes[at].any == 0 {
				s.nodes[at].any = s.fresh()
			}
			at = s.nodes[at].any
		case isWord(w):
			at = s.word(at, w)
		default:
			return fmt.Errorf("%q is no word", w)
		}
	}
	s.nodes[at].end = true
	return nil
}

func (s *Set) fresh() int32 {
	s.nodes = append(s.nodes, node{})
	return int32(len(s.nodes) - 1)
}

// word returns the node behind a word, which it makes where there is none.
func (s *Set) word(at int32, w string) int32 {
	i, found := slices.BinarySearchFunc(s.nodes[at].words, w, func(e edge, w string) int { return strings.Compare(e.word, w) })
	if found {
		return s.nodes[at].words[i].to
	}
	to := s.fresh()
	s.nodes[at].words = slices.Insert(s.nodes[at].words, i, edge{w, to})
	return to
}

// Allows reports whether the set grants the need. args are the values of n.Params.
func (s *Set) Allows(n *Need, args ...[]byte) bool {
	return s != nil && !n.missing(args) && s.from(0, n, 0, args)
}

// from reports whether the segments from i on are granted from node at on. Each node is visited once at most, since each
// has one way to it.
func (s *Set) from(at int32, n *Need, i int, args [][]byte) bool {
	here := &s.nodes[at]
	if i == len(n.segments) {
		return here.end
	}
	if here.rest {
		return true
	}
	if len(here.words) > 0 {
		if to := here.behind(n, i, args); to != 0 && s.from(to, n, i+1, args) {
			return true
		}
	}
	return here.any != 0 && s.from(here.any, n, i+1, args)
}

// behind returns the node behind the need's segment i, 0 for none.
func (d *node) behind(n *Need, i int, args [][]byte) int32 {
	seg := n.segments[i]
	low, high := 0, len(d.words)
	for low < high {
		mid := int(uint(low+high) / 2)
		var c int
		if seg.param > 0 {
			c = compare(args[seg.param-1], d.words[mid].word)
		} else {
			c = strings.Compare(seg.word, d.words[mid].word)
		}
		switch {
		case c == 0:
			return d.words[mid].to
		case c < 0:
			high = mid
		default:
			low = mid + 1
		}
	}
	return 0
}

// compare is strings.Compare of bytes and a string.
func compare(b []byte, s string) int {
	for i := range min(len(b), len(s)) {
		if b[i] != s[i] {
			return int(b[i]) - int(s[i])
		}
	}
	return len(b) - len(s)
}

// Listed reports whether one of the grants in list, with spaces between them, grants the need. What is no grant grants
// nothing.
func Listed(list []byte, n *Need, args ...[]byte) bool {
	if n.missing(args) {
		return false
	}
	for len(list) > 0 {
		end := bytes.IndexByte(list, ' ')
		grant := list
		if end < 0 {
			list = nil
		} else {
			grant, list = list[:end], list[end+1:]
		}
		if grants(grant, n, args) {
			return true
		}
	}
	return false
}

func grants(grant []byte, n *Need, args [][]byte) bool {
	for i := range n.segments {
		end := bytes.IndexByte(grant, ':')
		word, last := grant, end < 0
		if !last {
			word, grant = grant[:end], grant[end+1:]
		}
		switch {
		case last && string(word) == "**":
			return true
		case string(word) != "*" && !n.is(i, word, args):
			return false
		case last:
			return i == len(n.segments)-1
		}
	}
	return false
}
