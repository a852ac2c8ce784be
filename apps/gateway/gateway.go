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

	taken, refused atomic.Int64 // configurations after the first
	draining       atomic.Bool
	path, stamp    string // of the configuration's file, and what it was like when it was read first; empty where there is none

	mu   sync.Mutex // of what follows, and of taking over a configuration
	ids  map[memoKey]*keepID
	free []int // numbers below len(ids)+len(free) that no id has
}

// Routes are what a core serves: one route that takes every method and path.
func (g *Gateway) Routes() []httpcore.Route {
	return []httpcore.Route{{Method: httpcore.AnyMethod, Pattern: "/*path", Stream: true, MaxBody: -1, Serve: g.serve}}
}

// Ready reports whether the gateway takes requests: it has a configuration, and was not told to drain.
func (g *Gateway) Ready() bool { return g.snapshot.Load() != nil && !g.draining.Load() }

// Drain has the gateway say that it is not ready, so that whoever sends it requests looks for another. It goes on serving
// what comes nevertheless: the core decides when to stop.
func (g *Gateway) Drain() { g.draining.Store(true) }

// Close ends what works in the background, once the core has stopped: what the shards have for logs and traces is written.
func (g *Gateway) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	sn := g.snapshot.Load()
	g.shards.each(func(s *Shard) {
		s.Lock()
		for i := range s.kept {
			s.kept[i].retire(s)
		}
		s.Unlock()
	})
	for _, s := range sn.shares {
		s.close()
	}
	for _, s := range sn.shares {
		if w, ok := s.value.(interface{ Wait() }); ok {
			w.Wait()
		}
	}
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
		if allow != "" { // RFC 9110 §15.5.6
			r.otherwise = true
			r.ToClient.Add("Allow", []byte(allow))
		}
	}
	if s.snapshot.Config.Serve.Health && g.healthAsked(r) {
		r.Route = s.snapshot.none
	} else {
		r.step(Next)
	}
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

// healthAsked answers what is asked of the gateway itself. No stage sees it.
func (g *Gateway) healthAsked(r *Request) bool {
	switch string(r.X.Path()) {
	case "/health":
		r.Answer(&healthy)
	case "/ready":
		if g.Ready() {
			r.Answer(&ready)
		} else {
			r.Answer(&unready)
		}
	default:
		return false
	}
	return true
}

var (
	healthy = Answer{Type: "text/plain; charset=utf-8", Body: []byte("ok\n")}
	ready   = Answer{Type: "text/plain; charset=utf-8", Body: []byte("ready\n")}
	unready = Answer{Status: 503, Type: "text/plain; charset=utf-8", Body: []byte("draining\n")}
)

// keepID returns the identity of a kind and name of state. The caller has g.mu.
func (g *Gateway) keepID(kind, name string) *keepID {
	k := memoKey{kind, name}
	id := g.ids[k]
	if id == nil {
		id = &keepID{kind: kind, name: name, index: len(g.ids)}
		if n := len(g.free) - 1; n >= 0 {
			id.index, g.free = g.free[n], g.free[:n]
		}
		g.ids[k] = id
	}
	return id
}

// forgetAfter is how many configurations later the number of a state that none of them names goes to another.
const forgetAfter = 64

// forget gives numbers back that were not named for long. The caller has g.mu.
func (g *Gateway) forget(sn *Snapshot) {
	for k, id := range g.ids {
		if sn.keeps[id] {
			id.named = sn.number
		} else if sn.number-id.named > forgetAfter {
			delete(g.ids, k)
			g.free = append(g.free, id.index)
		}
	}
}
