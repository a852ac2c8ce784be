package gateway

// RoutePlace is what routing knows about a request: its route's parameters.
type RoutePlace struct{}

// MatchConfig is which requests a route takes: the keys of routes.N that are about that.
type MatchConfig struct {
	Hosts   []string          `toml:"hosts"`   // exact, or "*.example.org"; none means any
	Methods []string          `toml:"methods"` // none means any
	Path    string            `toml:"path"`    // as httpcore's patterns: "/users/:id", "/static/*rest"
	Headers map[string]string `toml:"headers"` // exact values that must be there
}

// routeTable finds the route of a request.
type routeTable struct{ routes []*Route }

// buildTable makes the table of a snapshot's routes. Rules of which no order could say which one holds are faults.
func buildTable(b *Builder, routes []*Route) *routeTable { return &routeTable{routes} }

// find returns the route that takes a request, or nil, and then the value of an Allow field where others of its methods
// would be taken.
func (t *routeTable) find(r *Request) (rt *Route, allow string) {
	path := r.X.Path()
	for _, rt := range t.routes {
		if string(path) == rt.Config.Path {
			return rt, ""
		}
	}
	return nil, ""
}
