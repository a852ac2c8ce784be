package httpcore

import (
	"fmt"
	"math/bits"
	"strings"
)

// Router finds the Route of a request: what has no choice by a hash, the rest in a radix tree. Routes are added before it
// serves; then any number of goroutines may look up. The zero Router has no routes.
//
// A pattern is a path as it is sent: nothing is decoded. A segment that begins with ':' is a parameter, and matches one
// segment that is not empty; a last one that begins with '*' matches the rest of the path behind its slash, which may be
// empty. At each place static bytes go before a parameter, and that before a rest; where the better way leads nowhere
// the next one is tried. The path decides alone: a path that is found under one pattern, and not with this method, is
// not looked for under another.
type Router struct {
	nodes   []node // the tree; the first one is its root
	places  places // where lookups enter it
	params  map[uint32]paramName
	methods methodSet // of all routes
}

// maxParams bounds the parameters of a pattern, its rest included, so that a match needs no memory.
const maxParams = 8

// node is a place in the tree. It refers to others by their index in Router.nodes, and kids lie side by side in the order
// of their bytes, so that it fills one cache line and a step down the tree costs one: with many routes it is memory that
// a lookup waits for. A lookup enters the tree behind a pattern's first parameter; what lies before it is in places.
type node struct {
	bytes  [2]uint64       // the set of static bytes that go on from here, each to a kid
	kids   uint32          // the first of as many kids as bytes has members
	param  uint32          // the node behind a segment that is a parameter here; 0 if there is none
	target *target         // where a pattern ends here
	rest   *target         // where a pattern takes all that follows
	size   uint8           // of prefix
	prefix [maxPrefix]byte // what follows the byte that leads here, before any choice
}

// maxPrefix bounds a node's prefix to what fills the cache line. A longer one goes on in an only kid.
const maxPrefix = 23

// paramName is what a parameter is called, and the first route that has it.
type paramName struct {
	name  string
	owner *Route
}

// target is the end of a pattern: the routes of its methods, apart from the path.
type target struct {
	first methodRoute
	allow string
	names []string // of the parameters in their order
}

type methodRoute struct {
	method Method
	tag    uint32 // route.Tag, here where a lookup has been anyway
	route  *Route
	next   *methodRoute
}

// Match is what a lookup found.
type Match struct {
	Route *Route // nil: no such path, or not with this method: see Allow
	Allow string // value of an Allow field for this path; empty where the path does not exist
	Tag   uint32 // of the Route
}

// params are the spans of a match's parameters in the path.
type params struct {
	of    *target                              // whose they are; nil where nothing was found
	spans [maxParams]struct{ from, to uint16 } // a path is a part of a head, and that has maxHead bytes at most
}

// get returns the parameter of that name of path, nil if there is none.
func (p *params) get(path []byte, name string) []byte {
	for i, n := range p.names() {
		if n == name {
			s := p.spans[i]
			return path[s.from:s.to:s.to]
		}
	}
	return nil
}

// names are those of the parameters, in the order of their spans.
func (p *params) names() []string {
	if p.of == nil {
		return nil
	}
	return p.of.names
}

func (p *params) set(i, from, to int) {
	p.spans[i].from, p.spans[i].to = uint16(from), uint16(to)
}

// find looks up a path and a method, and notes the parameters in p. It allocates nothing.
func (r *Router) find(m Method, path []byte, p *params) Match {
	t := r.match(path, p)
	if t == nil {
		return Match{}
	}
	p.of = t
	end := t.route(m)
	if end == nil {
		return Match{Allow: t.allow}
	}
	return Match{Route: end.route, Allow: t.allow, Tag: end.tag}
}

// match returns where a path leads. The longer the part of it that is matched by static bytes, the better; and the whole is
// longest.
func (r *Router) match(path []byte, p *params) *target {
	if s := r.places.find(path); s != nil && s.target != nil {
		return s.target
	}
	for i := len(path); i > 0; i-- {
		if path[i-1] != '/' {
			continue
		}
		s := r.places.find(path[:i])
		if s == nil {
			continue
		}
		if s.param != 0 && i < len(path) && path[i] != '/' {
			end := segment(path, i)
			p.set(0, i, end)
			if t := r.walk(s.param, path, end, p, 1); t != nil {
				return t
			}
		}
		if s.rest != nil {
			p.set(0, i, len(path))
			return s.rest
		}
	}
	return nil
}

// segment returns where the segment that path[i] belongs to ends.
func segment(path []byte, i int) int {
	for i < len(path) && path[i] != '/' {
		i++
	}
	return i
}

// walk returns where path[i:] leads from a node. k parameters are noted in p already. It loops as long as there is one
// way, and calls itself for each but the last where there are several: at most once for each node.
func (r *Router) walk(at uint32, path []byte, i int, p *params, k int) *target {
	for {
		n := &r.nodes[at]
		if i == len(path) {
			if n.target == nil && n.rest != nil {
				p.set(k, i, i)
				return n.rest
			}
			return n.target
		}
		if kid, ok := n.kid(path[i]); ok {
			if end := r.nodes[kid].pass(path, i+1); end >= 0 {
				if n.param == 0 && n.rest == nil {
					at, i = kid, end
					continue
				}
				if t := r.walk(kid, path, end, p, k); t != nil {
					return t
				}
			}
		}
		if n.param != 0 && path[i] != '/' {
			end := segment(path, i+1)
			p.set(k, i, end)
			if n.rest == nil {
				at, i, k = n.param, end, k+1
				continue
			}
			if t := r.walk(n.param, path, end, p, k+1); t != nil {
				return t
			}
		}
		if n.rest != nil {
			p.set(k, i, len(path))
		}
		return n.rest
	}
}

// kid returns the node that c leads to.
func (n *node) kid(c byte) (uint32, bool) {
	if c >= 128 {
		return 0, false
	}
	set, bit := n.bytes[c/64], uint64(1)<<(c%64)
	if set&bit == 0 {
		return 0, false
	}
	before := bits.OnesCount64(set & (bit - 1))
	if c >= 64 {
		before += bits.OnesCount64(n.bytes[0])
	}
	return n.kids + uint32(before), true
}

// pass returns where n's prefix ends in path, whose part from i on begins with it, or -1.
func (n *node) pass(path []byte, i int) int {
	if n.size == 0 {
		return i
	}
	end := i + int(n.size)
	if end > len(path) || string(path[i:end]) != string(n.prefix[:n.size]) {
		return -1
	}
	return end
}

// route returns the route that answers method m. GET serves HEAD, RFC 9110 §9.3.2, unless that has its own; what is left
// goes to the route of any method.
func (t *target) route(m Method) *methodRoute {
	r := t.own(m)
	if r == nil && m == MethodHead {
		r = t.own(MethodGet)
	}
	if r == nil {
		r = t.own(MethodUnknown)
	}
	return r
}

// own returns the route that was added for method m; that of any method is kept under MethodUnknown.
func (t *target) own(m Method) *methodRoute {
	for r := &t.first; r != nil; r = r.next {
		if r.method == m {
			return r
		}
	}
	return nil
}

// Allow returns the value of an Allow field for the server as a whole: every method that some path has.
func (r *Router) Allow() string { return r.methods.String() }

// Add adds a route. A pattern or method that is malformed, or that conflicts with one added before, is an error that
// names both, and leaves the routes as they were.
func (r *Router) Add(route Route) error {
	m := methodOf([]byte(route.Method))
	if m == MethodUnknown && route.Method != AnyMethod {
		return fmt.Errorf("route %s: %q is no method that HTTP knows", routeName(&route), route.Method)
	}
	if m == MethodConnect {
		return fmt.Errorf("route %s: CONNECT names no path and cannot be routed", routeName(&route))
	}
	names, err := checkPattern(route.Pattern)
	if err != nil {
		return fmt.Errorf("route %s: %w", routeName(&route), err)
	}
	place, err := r.place(route.Pattern, &route)
	if err != nil {
		return err
	}
	t := *place
	switch {
	case t == nil:
		t = &target{first: methodRoute{method: m, tag: route.Tag, route: &route}, names: names}
		*place = t
	case t.own(m) != nil:
		return fmt.Errorf("route %s is there already as %s", routeName(&route), routeName(t.own(m).route))
	default:
		t.first.next = &methodRoute{m, route.Tag, &route, t.first.next}
	}
	t.allow = t.methods().String()
	r.methods |= 1 << m
	r.enter(route.Pattern, t)
	return nil
}

// enter has lookups find the target of a pattern whose nodes are made.
func (r *Router) enter(pattern string, t *target) {
	static := staticPrefix(pattern)
	s := r.places.add(pattern[:static])
	switch {
	case static == len(pattern):
		s.target = t
	case pattern[static] == '*':
		s.rest = t
	default:
		s.param = r.nodes[r.static(0, pattern[:static])].param
	}
}

func routeName(r *Route) string { return r.Method + " " + r.Pattern }

// checkPattern returns the names of a pattern's parameters.
func checkPattern(pattern string) (names []string, err error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, fmt.Errorf("the pattern does not begin with a slash")
	}
	segments := strings.Split(pattern[1:], "/")
	for i, s := range segments {
		if s == "" || s[0] != ':' && s[0] != '*' {
			if end, bad := scanEncoded([]byte(s), 0, pathByte); bad != nil || end != len(s) {
				return nil, fmt.Errorf("no path has %q: it must be percent-encoded", s)
			}
			continue
		}
		name := s[1:]
		switch {
		case name == "":
			return nil, fmt.Errorf("a parameter without a name")
		case s[0] == '*' && i != len(segments)-1:
			return nil, fmt.Errorf("%s is not the last segment", s)
		}
		for _, n := range names {
			if n == name {
				return nil, fmt.Errorf("two parameters are called %s", name)
			}
		}
		names = append(names, name)
	}
	if len(names) > maxParams {
		return nil, fmt.Errorf("%d parameters: there may be %d", len(names), maxParams)
	}
	return names, nil
}

// place returns where the target of a valid pattern is kept, and makes the nodes that lead there. They match nothing as
// long as there is no target. The place is good until the next node is made.
func (r *Router) place(pattern string, owner *Route) (**target, error) {
	if len(r.nodes) == 0 {
		r.nodes = make([]node, 1)
		r.params = map[uint32]paramName{}
	}
	at := uint32(0)
	for {
		static := staticPrefix(pattern)
		at = r.static(at, pattern[:static])
		pattern = pattern[static:]
		if pattern == "" {
			return &r.nodes[at].target, nil
		}
		end := strings.IndexByte(pattern, '/')
		if end < 0 {
			end = len(pattern)
		}
		name := pattern[1:end]
		if pattern[0] == '*' {
			rest := r.nodes[at].rest
			if rest != nil && rest.names[len(rest.names)-1] != name {
				return nil, nameConflict(owner, name, rest.first.route, rest.names[len(rest.names)-1])
			}
			return &r.nodes[at].rest, nil
		}
		param := r.nodes[at].param
		if param == 0 {
			param = r.room(1)
			r.nodes[at].param = param
			r.params[param] = paramName{name, owner}
		}
		if there := r.params[param]; there.name != name {
			return nil, nameConflict(owner, name, there.owner, there.name)
		}
		at, pattern = param, pattern[end:]
	}
}

func nameConflict(route *Route, name string, old *Route, oldName string) error {
	return fmt.Errorf("route %s: parameter %s is called %s in %s: one place has one name",
		routeName(route), name, oldName, routeName(old))
}

// staticPrefix returns the length of what comes before the first parameter of a pattern.
func staticPrefix(pattern string) int {
	for i := 1; i < len(pattern); i++ {
		if pattern[i-1] == '/' && (pattern[i] == ':' || pattern[i] == '*') {
			return i
		}
	}
	return len(pattern)
}

// static returns the node that lies s behind a node, and makes it if need be.
func (r *Router) static(at uint32, s string) uint32 {
	for s != "" {
		kid, ok := r.nodes[at].kid(s[0])
		if !ok {
			var n node
			n.size = uint8(copy(n.prefix[:], s[1:]))
			kid = r.addKid(at, s[0], n)
		}
		n := &r.nodes[kid]
		common := commonPrefix(n.prefix[:n.size], s[1:])
		if common < int(n.size) {
			r.split(kid, common)
		}
		at, s = kid, s[1+common:]
	}
	return at
}

// split makes a node end behind common bytes of its prefix; what was behind them becomes its only kid.
func (r *Router) split(at uint32, common int) {
	tail := r.nodes[at]
	head := node{size: uint8(common)}
	copy(head.prefix[:], tail.prefix[:common])
	r.nodes[at] = head
	first := tail.prefix[common]
	tail.size = uint8(copy(tail.prefix[:], tail.prefix[common+1:tail.size]))
	r.addKid(at, first, tail)
}

// addKid makes kid the one that c leads to from a node. The room for kids doubles when it is full, and the old room is
// lost: fewer nodes than there are in use, and they cost no lookup anything.
func (r *Router) addKid(at uint32, c byte, kid node) uint32 {
	n := &r.nodes[at]
	count := bits.OnesCount64(n.bytes[0]) + bits.OnesCount64(n.bytes[1])
	if count&(count-1) == 0 { // 0, or a power of two, which is what there is room for
		from := n.kids
		to := r.room(max(1, 2*count))
		copy(r.nodes[to:], r.nodes[from:from+uint32(count)])
		clear(r.nodes[from : from+uint32(count)])
		n = &r.nodes[at]
		n.kids = to
	}
	n.bytes[c/64] |= 1 << (c % 64)
	place, _ := n.kid(c)
	end := n.kids + uint32(count)
	copy(r.nodes[place+1:end+1], r.nodes[place:end])
	r.nodes[place] = kid
	return place
}

// room makes n nodes side by side and returns the first.
func (r *Router) room(n int) uint32 {
	first := uint32(len(r.nodes))
	r.nodes = append(r.nodes, make([]node, n)...)
	return first
}

func commonPrefix(a []byte, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// methods returns the methods that have a route.
func (t *target) methods() methodSet {
	var set methodSet
	for r := &t.first; r != nil; r = r.next {
		set |= 1 << r.method
	}
	return set
}

// methodSet is a set of methods, a bit for each. That of MethodUnknown is not shown.
type methodSet uint64

// String returns the value of an Allow field: HEAD comes with GET, and OPTIONS is answered for every path.
func (s methodSet) String() string {
	if s&(1<<MethodGet) != 0 {
		s |= 1 << MethodHead
	}
	s |= 1 << MethodOptions
	var names []string
	for m := MethodGet; m < numMethods; m++ {
		if s&(1<<m) != 0 {
			names = append(names, m.String())
		}
	}
	return strings.Join(names, ", ")
}
