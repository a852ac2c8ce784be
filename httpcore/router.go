package httpcore

// Router finds the Route of a request in a radix tree. Routes are added before it serves; then any number of goroutines
// may look up.
type Router struct{}

// Add adds a route. A pattern or method that is malformed, or that conflicts with one added before, is an error that
// names both.
func (r *Router) Add(route Route) error { return nil }

// Match is what a lookup found.
type Match struct {
	Route *Route // nil: see Allow
	Allow string // value of an Allow field where the path exists but not the method; empty where the path does not exist
}

// params are the spans of a match's parameters in the path.
type params struct{}

func (p *params) get(path []byte, name string) []byte { return nil }

func (r *Router) find(m Method, path []byte, p *params) Match { return Match{} }
