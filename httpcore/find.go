package httpcore

// Params are the parameters of a path that [Router.Find] found, as places in it. They need no memory of their own.
type Params struct{ found params }

// Get returns the parameter of that name, percent-encoded as it was sent; nil if there is none. path is the one that was
// looked for.
func (p *Params) Get(path []byte, name string) []byte { return p.found.get(path, name) }

// Len is how many parameters there are.
func (p *Params) Len() int { return len(p.found.names()) }

// At returns parameter i in the order of the pattern.
func (p *Params) At(path []byte, i int) (name string, value []byte) {
	s := p.found.spans[i]
	return p.found.of.names[i], path[s.from:s.to:s.to]
}

// Find looks up a method and a path, and notes the parameters in p. It is for whoever routes by more than a path, and
// tells its routes apart by Match.Tag; a server that serves the Router as it is needs none of it. It allocates nothing, and
// any number of goroutines may call it.
func (r *Router) Find(m Method, path []byte, p *Params) Match {
	p.found.of = nil
	return r.find(m, path, &p.found)
}

// MethodOf returns the method of that name, which is case-sensitive (RFC 9110 §9.1).
func MethodOf(name []byte) Method { return methodOf(name) }
