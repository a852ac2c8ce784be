package httpcore

import (
	"bytes"
	"fmt"
	"strings"
)

// Router finds the Route of a request in a radix tree. Routes are added before it serves; then any number of goroutines
// may look up. The zero Router has no routes.
//
// A pattern is a path as it is sent: nothing is decoded. A segment that begins with ':' is a parameter, and matches one
// segment that is not empty; a last one that begins with '*' matches the rest of the path behind its slash, which may be
// empty. At each place static bytes go before a parameter, and that before a rest; where the better way leads nowhere
// the next one is tried. The path decides alone: a path that is found under one pattern, and not with this method, is
// not looked for under another.
type Router struct {
	root    node
	methods methodSet // of all routes
	allow   string
}

// maxParams bounds the parameters of a pattern, its rest included, so that a match needs no memory.
const maxParams = 8

// node is a place in the tree: behind prefix, which is static.
type node struct {
	prefix string
	index  []byte // first bytes of the prefixes of kids
	kids   []node
	param  *param  // what stands for one segment here
	rest   *target // what stands for all that follows
	target *target // where a pattern ends here
}

// param is a parameter in the tree. Its node begins behind the segment.
type param struct {
	node
	name  string
	owner *Route // the first route that has it
}

// target is the end of a pattern: the routes of its methods, apart from the path.
type target struct {
	names   []string // of the parameters in their order
	routes  []methodRoute
	methods methodSet
	allow   string
}

type methodRoute struct {
	method Method
	route  *Route
}

// Match is what a lookup found.
type Match struct {
	Route *Route // nil: no such path, or not with this method: see Allow
	Allow string // value of an Allow field for this path; empty where the path does not exist
}

// params are the spans of a match's parameters in the path.
type params struct {
	names []string
	spans [maxParams]struct{ from, to uint16 } // a path is a part of a head, and that has maxHead bytes at most
}

// get returns the parameter of that name of path, nil if there is none.
func (p *params) get(path []byte, name string) []byte {
	for i, n := range p.names {
		if n == name {
			s := p.spans[i]
			return path[s.from:s.to:s.to]
		}
	}
	return nil
}

func (p *params) set(i, from, to int) {
	p.spans[i].from, p.spans[i].to = uint16(from), uint16(to)
}

// find looks up a path and a method, and notes the parameters in p. It allocates nothing.
func (r *Router) find(m Method, path []byte, p *params) Match {
	t := r.root.find(path, 0, p, 0)
	if t == nil {
		return Match{}
	}
	p.names = t.names
	return Match{Route: t.route(m), Allow: t.allow}
}

// find returns where path[i:] leads from n. k parameters are noted in p already. A tree walk without a choice loops;
// each choice recurses once, at most once for each node.
func (n *node) find(path []byte, i int, p *params, k int) *target {
	for {
		if len(path)-i < len(n.prefix) || string(path[i:i+len(n.prefix)]) != n.prefix {
			return nil
		}
		i += len(n.prefix)
		if i == len(path) {
			if n.target == nil && n.rest != nil {
				p.set(k, i, i)
				return n.rest
			}
			return n.target
		}
		kid := n.kid(path[i])
		if n.param == nil && n.rest == nil {
			if kid == nil {
				return nil
			}
			n = kid
			continue
		}
		if kid != nil {
			if t := kid.find(path, i, p, k); t != nil {
				return t
			}
		}
		if n.param != nil && path[i] != '/' {
			end := i + 1
			for end < len(path) && path[end] != '/' {
				end++
			}
			p.set(k, i, end)
			if n.rest == nil {
				n, i, k = &n.param.node, end, k+1
				continue
			}
			if t := n.param.find(path, end, p, k+1); t != nil {
				return t
			}
		}
		if n.rest != nil {
			p.set(k, i, len(path))
		}
		return n.rest
	}
}

// kid returns the node whose prefix begins with c.
func (n *node) kid(c byte) *node {
	for i, first := range n.index {
		if first == c {
			return &n.kids[i]
		}
	}
	return nil
}

// route returns the route of method m. GET serves HEAD, RFC 9110 §9.3.2, unless that has its own.
func (t *target) route(m Method) *Route {
	for i := range t.routes {
		if t.routes[i].method == m {
			return t.routes[i].route
		}
	}
	if m == MethodHead {
		return t.route(MethodGet)
	}
	return nil
}

// Allow returns the value of an Allow field for the server as a whole: every method that some path has.
func (r *Router) Allow() string {
	if r.allow == "" {
		return r.methods.String()
	}
	return r.allow
}

// Add adds a route. A pattern or method that is malformed, or that conflicts with one added before, is an error that
// names both, and leaves the routes as they were.
func (r *Router) Add(route Route) error {
	m := methodOf([]byte(route.Method))
	if m == MethodUnknown {
		return fmt.Errorf("route %s: %q is no method that HTTP knows", routeName(&route), route.Method)
	}
	if m == MethodConnect {
		return fmt.Errorf("route %s: CONNECT names no path and cannot be routed", routeName(&route))
	}
	names, err := checkPattern(route.Pattern)
	if err != nil {
		return fmt.Errorf("route %s: %w", routeName(&route), err)
	}
	place, err := r.root.place(route.Pattern, &route)
	if err != nil {
		return err
	}
	if *place == nil {
		*place = &target{names: names}
	}
	t := *place
	for _, old := range t.routes {
		if old.method == m {
			return fmt.Errorf("route %s is there already as %s", routeName(&route), routeName(old.route))
		}
	}
	t.routes = append(t.routes, methodRoute{m, &route})
	t.methods |= 1 << m
	t.allow = t.methods.String()
	r.methods |= 1 << m
	r.allow = r.methods.String()
	return nil
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
// long as there is no target.
func (n *node) place(pattern string, owner *Route) (**target, error) {
	for {
		static := staticPrefix(pattern)
		n = n.static(pattern[:static])
		pattern = pattern[static:]
		if pattern == "" {
			return &n.target, nil
		}
		end := strings.IndexByte(pattern, '/')
		if end < 0 {
			end = len(pattern)
		}
		name := pattern[1:end]
		if pattern[0] == '*' {
			if n.rest != nil && n.rest.names[len(n.rest.names)-1] != name {
				return nil, nameConflict(owner, name, n.rest.routes[0].route, n.rest.names[len(n.rest.names)-1])
			}
			return &n.rest, nil
		}
		if n.param == nil {
			n.param = &param{name: name, owner: owner}
		}
		if n.param.name != name {
			return nil, nameConflict(owner, name, n.param.owner, n.param.name)
		}
		n = &n.param.node
		pattern = pattern[end:]
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

// static returns the node that lies s behind n, and makes it if need be.
func (n *node) static(s string) *node {
	for s != "" {
		at := bytes.IndexByte(n.index, s[0])
		if at < 0 {
			n.index = append(n.index, s[0])
			n.kids = append(n.kids, node{prefix: s})
			return &n.kids[len(n.kids)-1]
		}
		n = &n.kids[at]
		common := commonPrefix(n.prefix, s)
		if common < len(n.prefix) {
			n.split(common)
		}
		s = s[common:]
	}
	return n
}

// split makes n end behind at bytes of its prefix; the rest becomes its only kid.
func (n *node) split(at int) {
	tail := *n
	tail.prefix = n.prefix[at:]
	*n = node{prefix: n.prefix[:at], index: []byte{tail.prefix[0]}, kids: []node{tail}}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// methodSet is a set of methods, a bit for each.
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
