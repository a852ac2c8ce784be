package gateway

import (
	"sync"
	"sync/atomic"

	"corelab/httpcore"
)

// Shard is what happened on one of the gateway's shards: the state of its stages, and its requests. Where it is not Shared
// its loop alone touches it; elsewhere whoever holds its mutex.
type Shard struct {
	Index  int
	Of     int // how many there are
	Shared bool

	gateway  *Gateway
	mu       sync.Mutex // taken only where Shared
	loop     httpcore.Loop
	snapshot *Snapshot // the one taken over last here
	kept     []kept
	spare    []*Request
	resumed  []Waiter
	depth    int
}

// maxSpare bounds the ended requests that a shard keeps for new ones.
const maxSpare = 4096

// kept is the state of one kind and name.
type kept struct {
	id    *keepID
	value any
}

// Retirer is state that must let go of something when no configuration names it any more.
type Retirer interface {
	// Retire is called with the shard held. Requests of an older configuration may still use the state.
	Retire(s *Shard)
}

// Lock takes the shard for a callback that is about no request. Where it is not shared it costs next to nothing.
func (s *Shard) Lock() {
	if s.Shared {
		s.mu.Lock()
	}
	s.depth++
}

// Unlock gives it back, and resumes who is to be resumed.
func (s *Shard) Unlock() {
	if s.depth == 1 && len(s.resumed) > 0 {
		s.drain()
	}
	s.depth--
	if s.Shared {
		s.mu.Unlock()
	}
}

// drain lets resumed requests go on, and those that they resume.
func (s *Shard) drain() {
	for i := 0; i < len(s.resumed); i++ {
		w := s.resumed[i]
		s.resumed[i] = Waiter{}
		if !w.Live() {
			continue
		}
		w.r.inside = true
		w.arrive()
		w.r.settle()
		if w.r.gen == w.gen {
			w.r.inside = false
		}
	}
	s.resumed = s.resumed[:0]
}

// Do has fire called with the shard held, soon: for goroutines that have news for it. Where no loop has served a request of
// this shard yet there is nobody to call it, and nothing that it could be about: it is not called.
func (s *Shard) Do(fire func(s *Shard)) {
	if s.Shared {
		s.Lock()
		fire(s)
		s.Unlock()
		return
	}
	s.loop.Post(func() {
		s.Lock()
		fire(s)
		s.Unlock()
	})
}

// take returns a request for x, which has the shard from now on.
func (s *Shard) take(x *httpcore.Exchange, loop httpcore.Loop) *Request {
	var r *Request
	if n := len(s.spare) - 1; n >= 0 {
		r = s.spare[n]
		s.spare = s.spare[:n]
	} else {
		r = &Request{Shard: s}
		r.gone = r.aborted
	}
	r.X, r.loop, r.held = x, loop, x.Handle()
	r.Began = loop.Now()
	r.at, r.entered = -1, 0
	return r
}

// recycle keeps an ended request for a new one. Handles to it are dead.
func (s *Shard) recycle(r *Request) {
	gen, gone, lines, target := r.gen+1, r.gone, r.lines, r.target
	up, down := r.ToUpstream, r.ToClient
	up.reset()
	down.reset()
	if cap(lines) > maxEditBytes {
		lines = nil
	}
	if cap(target) > maxEditBytes {
		target = nil
	}
	*r = Request{Shard: s, gen: gen, gone: gone, lines: lines, target: target, ToUpstream: up, ToClient: down}
	if len(s.spare) < maxSpare {
		s.spare = append(s.spare, r)
	}
}

// adopt makes sn the configuration of the shard, and retires what it does not name.
func (s *Shard) adopt(sn *Snapshot) {
	s.snapshot = sn
	for i := range s.kept {
		k := &s.kept[i]
		if k.id == nil || sn.keeps[k.id] {
			continue
		}
		k.retire(s)
	}
}

// keepID is a kind and name of state, known to all shards by one number for as long as a snapshot names it.
type keepID struct {
	kind, name string
	index      int   // in each Shard.kept
	named      int64 // the number of the last configuration that did; under Gateway.mu
}

// Kept is a shard's state of one kind and name.
type Kept[T any] struct {
	id   *keepID
	make func(s *Shard) *T
}

// Keep declares state that outlives a snapshot: for each shard one T, made by fresh when the shard needs it first. Where
// the kind and name were declared before, by this snapshot or the last, it is the same state. It is called while a
// configuration is compiled. A kind has one T.
func Keep[T any](b *Builder, kind, name string, fresh func(s *Shard) *T) Kept[T] {
	return Kept[T]{b.keep(kind, name), fresh}
}

// Of returns the state of shard s. The caller holds the shard.
func (k Kept[T]) Of(s *Shard) *T {
	if k.id.index < len(s.kept) {
		if c := &s.kept[k.id.index]; c.id == k.id {
			return c.value.(*T)
		}
	}
	return k.begin(s)
}

// begin makes the state of shard s. A request of an older configuration, whose number went to another state meanwhile, gets
// one that nobody keeps.
func (k Kept[T]) begin(s *Shard) *T {
	v := k.make(s)
	for k.id.index >= len(s.kept) {
		s.kept = append(s.kept, kept{})
	}
	c := &s.kept[k.id.index]
	if c.id != nil && s.snapshot.keeps[k.id] {
		c.retire(s)
	}
	if c.id == nil {
		*c = kept{k.id, v}
	}
	return v
}

// retire drops the state.
func (c *kept) retire(s *Shard) {
	if v, ok := c.value.(Retirer); ok {
		v.Retire(s)
	}
	*c = kept{}
}

// shards are all shards of a gateway, made as their loops come.
type shards struct {
	all atomic.Pointer[[]*Shard]
	mu  sync.Mutex
}

// maxShards bounds them: a core has one for each worker or CPU.
const maxShards = 10_000

// of returns the shard of a loop.
func (l *shards) of(g *Gateway, loop httpcore.Loop) *Shard {
	p := loop.Shard()
	if all := l.all.Load(); all != nil && p.Index < len(*all) {
		if s := (*all)[p.Index]; s != nil {
			return s
		}
	}
	return l.begin(g, loop, p)
}

// begin makes a shard.
func (l *shards) begin(g *Gateway, loop httpcore.Loop, p httpcore.Shard) *Shard {
	if p.Index < 0 || p.Index >= maxShards {
		panic("gateway: a core has at most 10,000 shards")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*Shard
	if old := l.all.Load(); old != nil {
		all = append(all, *old...)
	}
	for p.Index >= len(all) {
		all = append(all, nil)
	}
	if all[p.Index] == nil {
		all[p.Index] = &Shard{Index: p.Index, Of: max(1, p.Of), Shared: p.Shared, gateway: g, loop: loop}
	}
	l.all.Store(&all)
	return all[p.Index]
}

// each calls f with every shard there is.
func (l *shards) each(f func(*Shard)) {
	if all := l.all.Load(); all != nil {
		for _, s := range *all {
			if s != nil {
				f(s)
			}
		}
	}
}
