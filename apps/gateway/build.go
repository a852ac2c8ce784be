package gateway

import (
	"fmt"
	"net/netip"
)

// New returns a gateway of a configuration.
func New(c *Config) (*Gateway, *Faults) {
	g := &Gateway{ids: map[memoKey]*keepID{}}
	return g, g.Take(c)
}

// Take compiles a configuration and takes it over, from the next request on. If something is wrong with it, it returns all
// that is, and the one in force stays. Any goroutine may call it.
func (g *Gateway) Take(c *Config) *Faults {
	g.mu.Lock()
	defer g.mu.Unlock()
	sn := &Snapshot{Config: c, Upstreams: map[string]*Upstream{}, keeps: map[*keepID]bool{}, shares: map[shareID]*share{}}
	b := &Builder{Config: c, Snapshot: sn, faults: &Faults{}, gateway: g, memo: map[memoKey]any{}}
	b.build()
	if len(b.faults.all) > 0 {
		for _, s := range b.made {
			s.close()
		}
		return b.faults
	}
	old := g.snapshot.Swap(sn)
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
	for name, uc := range c.Upstreams {
		sn.Upstreams[name] = b.upstream(name, uc)
	}
	for i, rc := range c.Routes {
		at := fmt.Sprintf("routes.%d", i)
		up := sn.Upstreams[rc.Upstream]
		if up == nil && rc.Upstream != "" {
			b.Fault(at+".upstream", "there is no upstream %q", rc.Upstream)
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

// upstream compiles one of upstreams.NAME.
func (b *Builder) upstream(name string, uc *UpstreamConfig) *Upstream {
	up := &Upstream{Name: name, Config: uc}
	for i, ec := range uc.Endpoints {
		addr, err := netip.ParseAddrPort(ec.Address)
		if err != nil {
			b.Fault(fmt.Sprintf("upstreams.%s.endpoints.%d.address", name, i), "%q is no address: write it like 127.0.0.1:8081", ec.Address)
		}
		up.Endpoints = append(up.Endpoints, &Endpoint{Upstream: up, Index: i, Name: name + "/" + ec.Address, Addr: addr,
			Host: ec.Address, Weight: max(ec.Weight, 1), Tags: ec.Tags})
	}
	return up
}
