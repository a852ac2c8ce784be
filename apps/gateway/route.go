package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"corelab/apps/gateway/table"
	"corelab/httpcore"
)

// RoutePlace is what routing knows about a request: the parameters of its route's path, as places in Request.X.Path.
type RoutePlace struct {
	Params httpcore.Params
}

// MatchConfig is which requests a route takes: the keys of routes.N that are about that. Their order in the file does not
// matter: the more specific route goes first, see package table.
type MatchConfig struct {
	Hosts   []string          `toml:"hosts"`   // exact, or "*.example.org"; none means any
	Methods []string          `toml:"methods"` // none means any
	Path    string            `toml:"path"`    // as httpcore's patterns: "/users/:id", "/static/*rest"
	Headers map[string]string `toml:"headers"` // values that must be there; "abc*" begins so, "*" is any, "!" is none
}

// routeTable finds the route of a request.
type routeTable struct {
	routes []*Route // by the index of their rule
	table  *table.Table
}

// buildTable makes the table of a snapshot's routes. Rules of which no order could say which one holds are faults.
func buildTable(b *Builder, routes []*Route) *routeTable {
	rules := make([]table.Rule, len(routes))
	for i, rt := range routes {
		c := &rt.Config.MatchConfig
		rules[i] = table.Rule{Name: rt.Name, Hosts: c.Hosts, Methods: c.Methods, Path: c.Path}
		for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
			rules[i].Headers = append(rules[i].Headers, condition(name, c.Headers[name]))
		}
	}
	t, faults := table.Build(rules)
	for _, f := range faults {
		b.Fault(fmt.Sprintf("routes.%d", f.Rule), "%v", f.Err)
	}
	return &routeTable{routes, t}
}

// condition reads what headers says of one field.
func condition(name, value string) table.Header {
	prefix, open := strings.CutSuffix(value, "*")
	switch {
	case value == "*":
		return table.Header{Name: name, Op: table.Present}
	case value == "!":
		return table.Header{Name: name, Op: table.Absent}
	case open:
		return table.Header{Name: name, Op: table.Prefix, Value: prefix}
	}
	return table.Header{Name: name, Value: value}
}

// find returns the route that takes a request, or nil, and then the value of an Allow field where others of its methods
// would be taken.
func (t *routeTable) find(r *Request) (rt *Route, allow string) {
	m := t.table.Find(r.X.Method(), r.X.Host(), r.X.Path(), r.X, &r.Routed.Params)
	if m.Rule < 0 {
		return nil, m.Allow
	}
	return t.routes[m.Rule], ""
}
