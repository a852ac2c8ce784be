package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// New returns a gateway of a configuration that [Read] gave.
func New(c *Config, f *Faults) (*Gateway, error) {
	g := &Gateway{ids: map[memoKey]*keepID{}}
	if err := g.take(c, f); err != nil {
		return nil, err
	}
	return g, nil
}

// Take compiles a configuration that [Read] gave, and takes it over, from the next request on. If anything is wrong with
// it, the error is a [*Faults] of all that is, and the one in force stays. Any goroutine may call it.
func (g *Gateway) Take(c *Config, f *Faults) error {
	err := g.take(c, f)
	if err != nil {
		g.refused.Add(1)
	} else {
		g.taken.Add(1)
	}
	return err
}

func (g *Gateway) take(c *Config, f *Faults) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	sn := &Snapshot{Config: c, Upstreams: map[string]*Upstream{}, keeps: map[*keepID]bool{}, shares: map[shareID]*share{}}
	b := &Builder{Config: c, Snapshot: sn, faults: f, gateway: g, memo: map[memoKey]any{}}
	if !f.None() {
		return f // what could not be read would only be said to be missing
	}
	b.build()
	if !f.None() {
		for _, s := range b.made {
			s.close()
		}
		return f
	}
	old := g.snapshot.Load()
	if old != nil {
		sn.number = old.number
	}
	sn.number++
	g.forget(sn)
	g.snapshot.Store(sn)
	for _, s := range b.made {
		if v, ok := s.value.(Starter); ok {
			v.Start(g)
		}
	}
	if old != nil {
		for id, s := range old.shares {
			if sn.shares[id] != s {
				s.close()
			}
		}
	}
	return nil
}

// build compiles the whole.
func (b *Builder) build() {
	c, sn := b.Config, b.Snapshot
	b.check()
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		sn.Upstreams[name] = b.upstream(name, c.Upstreams[name])
	}
	for i, rc := range c.Routes {
		at := fmt.Sprintf("routes.%d", i)
		up := sn.Upstreams[rc.Upstream]
		if up == nil && rc.Upstream != "" {
			b.Fault(at+".upstream", "there is no upstream %q%s", rc.Upstream, among(c.Upstreams))
		}
		rt := newRoute(rc.Name, b.compile(rc, up, at))
		rt.Index, rt.Upstream, rt.Config = i, up, rc
		sn.Routes = append(sn.Routes, rt)
	}
	none := &RouteConfig{}
	sn.none = newRoute("", b.compile(none, nil, "routes"))
	sn.none.Index, sn.none.Config = len(sn.Routes), none
	sn.table = buildTable(b, sn.Routes)
}

// among says which names there are.
func among[T any](m map[string]T) string {
	if len(m) == 0 || len(m) > maxAmong {
		return ""
	}
	return "; there are " + strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// maxAmong bounds the names that a fault shows.
const maxAmong = 20
