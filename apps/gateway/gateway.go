package gateway

import (
	"sync"
	"sync/atomic"

	"corelab/httpcore"
)

// Gateway is the app: the configuration in force, and the shards' state.
type Gateway struct {
	snapshot atomic.Pointer[Snapshot]
	shards   shards

	mu     sync.Mutex // of what follows, and of taking over a configuration
	ids    map[memoKey]*keepID
	nextID int
}

// Routes are what a core serves: one route that takes every method and path.
func (g *Gateway) Routes() []httpcore.Route {
	return []httpcore.Route{{Method: httpcore.AnyMethod, Pattern: "/*path", Stream: true, MaxBody: -1, Serve: g.serve}}
}

// serve takes a request at its head.
func (g *Gateway) serve(x *httpcore.Exchange) {
	loop := x.Loop()
	s := g.shards.of(g, loop)
	s.Lock()
	if sn := g.snapshot.Load(); sn != s.snapshot {
		s.adopt(sn)
	}
	r := s.take(x, loop)
	gen := r.gen
	r.snapshot = s.snapshot
	r.inside, r.serving = true, true
	if x.ContentLength() != 0 {
		x.Stream((*inflow)(r)) // and waits, see Request.Stream
		x.Pause()
	}
	var allow string
	if r.Route, allow = s.snapshot.table.find(r); r.Route == nil {
		r.Route = s.snapshot.none
		if allow != "" {
			r.ToClient.Add("Allow", []byte(allow))
		}
	}
	r.step(Next)
	if !r.answered && !r.ended {
		x.Hold()
		x.OnAbort(r.gone)
	}
	r.settle()
	if r.gen == gen {
		r.inside, r.serving = false, false
	}
	s.Unlock()
}

// keepID returns the identity of a kind and name of state. The caller has g.mu.
func (g *Gateway) keepID(kind, name string) *keepID {
	k := memoKey{kind, name}
	id := g.ids[k]
	if id == nil {
		id = &keepID{kind, name, g.nextID}
		g.nextID++
		g.ids[k] = id
	}
	return id
}
