package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"corelab/httpcore"
)

// Rule says which requests a route takes.
type Rule struct {
	Name    string   // what messages call it
	Hosts   []string // exact, or "*.example.org", which is any name below it; none: any host. Ports are not looked at
	Methods []string // none: any. GET takes HEAD too where no other rule of the path names it
	Path    string   // as httpcore.Route.Pattern
	Headers []Header // all of which must hold
}

// Header is a condition on the first field line of a name.
type Header struct {
	Name  string // in any case
	Op    Op
	Value string // not for Present and Absent
}

// Op is how a Header's line is looked at.
type Op uint8

const (
	Equal   Op = iota // the value is Value
	Prefix            // the value begins with Value
	Present           // there is such a line
	Absent            // there is none
)

// methodSet is a set of methods, a bit for each; that of MethodUnknown is for all that HTTP does not know.
type methodSet uint64

const anyMethod = ^methodSet(0)

// choice is a rule of one path, compiled.
type choice struct {
	index   int // of the rule
	methods methodSet
	headers []Header
}

// compile checks what a rule says of itself.
func compile(i int, r *Rule) (c choice, err error) {
	c = choice{index: i, methods: anyMethod, headers: r.Headers}
	if len(r.Methods) > 0 {
		c.methods = 0
	}
	for _, name := range r.Methods {
		m := httpcore.MethodOf([]byte(name))
		if m == httpcore.MethodUnknown || m == httpcore.MethodConnect {
			return c, fmt.Errorf("%q is no method that can be routed", name)
		}
		c.methods |= 1 << m
	}
	for _, h := range r.Headers {
		switch {
		case h.Name == "" || strings.ContainsAny(h.Name, " \t\r\n:"):
			return c, fmt.Errorf("%q is no name of a field", h.Name)
		case h.Op > Absent:
			return c, errors.New("a condition on a field that is not known")
		case h.Op == Prefix && h.Value == "":
			return c, fmt.Errorf("%s: every value begins with nothing: say that it must be there", h.Name)
		}
	}
	for i, a := range c.headers {
		for _, b := range c.headers[:i] {
			if a.disjoint(&b) {
				return c, fmt.Errorf("no request has both %s and %s", b, a)
			}
		}
	}
	return c, nil
}

// String describes a condition.
func (h Header) String() string {
	switch h.Op {
	case Equal:
		return fmt.Sprintf("%s = %q", h.Name, h.Value)
	case Prefix:
		return fmt.Sprintf("%s = %q…", h.Name, h.Value)
	case Present:
		return h.Name
	}
	return "no " + h.Name
}

// holds reports whether the condition holds for a request.
func (h *Header) holds(f Fields) bool {
	v, ok := f.Field(h.Name)
	switch h.Op {
	case Equal:
		return ok && string(v) == h.Value
	case Prefix:
		return ok && len(v) >= len(h.Value) && string(v[:len(h.Value)]) == h.Value
	case Present:
		return ok
	}
	return !ok
}

// implies reports whether g holds wherever h does.
func (h *Header) implies(g *Header) bool {
	if !strings.EqualFold(h.Name, g.Name) {
		return false
	}
	switch g.Op {
	case Equal:
		return h.Op == Equal && h.Value == g.Value
	case Prefix:
		return (h.Op == Equal || h.Op == Prefix) && strings.HasPrefix(h.Value, g.Value)
	case Present:
		return h.Op != Absent
	}
	return h.Op == Absent
}

// disjoint reports whether no request has both.
func (h *Header) disjoint(g *Header) bool {
	switch {
	case !strings.EqualFold(h.Name, g.Name):
		return false
	case h.Op == Absent || g.Op == Absent:
		return h.Op != g.Op
	case h.Op == Present || g.Op == Present:
		return false
	case h.Op == Equal && g.Op == Equal:
		return h.Value != g.Value
	case h.Op == Equal:
		return !strings.HasPrefix(h.Value, g.Value)
	case g.Op == Equal:
		return !strings.HasPrefix(g.Value, h.Value)
	}
	return !strings.HasPrefix(h.Value, g.Value) && !strings.HasPrefix(g.Value, h.Value)
}

// within reports whether d takes all that c takes.
func (c *choice) within(d *choice) bool {
	if c.methods&^d.methods != 0 {
		return false
	}
	for i := range d.headers {
		if !slices.ContainsFunc(c.headers, func(h Header) bool { return h.implies(&d.headers[i]) }) {
			return false
		}
	}
	return true
}

// apart reports whether no request is taken by both.
func (c *choice) apart(d *choice) bool {
	if c.methods&d.methods == 0 {
		return true
	}
	for i := range c.headers {
		for j := range d.headers {
			if c.headers[i].disjoint(&d.headers[j]) {
				return true
			}
		}
	}
	return false
}
