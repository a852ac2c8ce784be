package gateway

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"corelab/apps/gateway/balance"
	"corelab/apps/gateway/circuit"
	"corelab/apps/gateway/settings"
)

// BalancePlace is what the stage balance knows about a request: which endpoints were asked.
type BalancePlace struct {
	tried  balance.Tried
	group  *group
	member *balance.Endpoint // being asked; nil if none is
	at     int               // in group
}

// BalanceRoute is what a route says about balance: routes.N.balance. Where it is absent the route has the stage nevertheless,
// if its upstream has endpoints: somebody must be chosen.
type BalanceRoute struct {
	Canary *CanaryConfig `toml:"canary"`
}

// CanaryConfig sends some requests to those of the upstream's endpoints that have a tag, and the others to the rest.
type CanaryConfig struct {
	Tag         string   `toml:"tag"` // version=2: the endpoints with that tag are the canary
	Header      string   `toml:"header"`
	HeaderValue string   `toml:"header_value"`
	Cookie      string   `toml:"cookie"`
	CookieValue string   `toml:"cookie_value"`
	Users       []string `toml:"users"`   // consumers
	Percent     float64  `toml:"percent"` // of users
	Key         string   `toml:"key"`     // the field that tells users apart; else the consumer, else the address
}

// BalanceConfig is what an upstream says about the choice of its endpoints: upstreams.NAME.balance.
type BalanceConfig struct {
	Method    string            `toml:"method"`     // round-robin, weighted, least-connections, peak-ewma, adaptive; "weighted"
	SlowStart settings.Duration `toml:"slow_start"` // how long an endpoint that comes back takes to its whole share
	Outliers  *OutlierConfig    `toml:"outliers"`   // none: nobody is ejected
	Health    *HealthConfig     `toml:"health"`     // none: nobody is probed
}

// OutlierConfig is passive health checking: who fails is ejected for a while.
type OutlierConfig struct {
	Consecutive int               `toml:"consecutive"` // failures in a row, 5 if nothing else ejects
	Rate        float64           `toml:"rate"`        // share of failures within interval
	Volume      int               `toml:"volume"`      // fewest results that rate is judged by, 20
	Interval    settings.Duration `toml:"interval"`    // 10s
	Base        settings.Duration `toml:"base"`        // the first ejection, 10s; the k-th lasts k times as long
	Max         settings.Duration `toml:"max"`         // 5m
	Cap         float64           `toml:"cap"`         // share of the endpoints that may be out, 0.5
}

func (c *OutlierConfig) ejection() circuit.Ejection {
	e := circuit.Ejection{Consecutive: c.Consecutive, Share: c.Rate, Volume: c.Volume, Interval: c.Interval.Or(10 * time.Second),
		Base: c.Base.Or(10 * time.Second), Max: c.Max.Or(5 * time.Minute), Cap: c.Cap}
	if e.Consecutive == 0 && e.Share == 0 {
		e.Consecutive = defaultConsecutive
	}
	if e.Volume == 0 {
		e.Volume = defaultVolume
	}
	if e.Cap == 0 {
		e.Cap = 0.5
	}
	return e
}

// balancer chooses an endpoint for each attempt.
type balancer struct {
	up     *Upstream
	health Kept[upstreamHealth]
	all    Kept[group] // unset where there is a canary
	canary *canary
}

// canary is a balancer's two groups.
type canary struct {
	rule           balance.Canary
	key            string
	stable, chosen Kept[group]
}

// upstreamHealth is who of an upstream's endpoints may be asked, on one shard.
type upstreamHealth struct {
	checker  *checker // nil: nobody is probed
	outliers *circuit.Outliers
	seen     uint32 // of the checker's news
	version  uint32 // of up
	up       []bool
}

// group is some of an upstream's endpoints.
type group struct {
	*balance.Group
	members []*balance.Endpoint
	of      []int // their indexes in the upstream
	version uint32
}

// buildBalance compiles the stage for a route.
func buildBalance(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	if up == nil || len(up.Endpoints) == 0 {
		if rt.Balance != nil {
			b.Fault(at+".balance", "the route names no upstream whose endpoints could be chosen")
		}
		return nil
	}
	s := &balancer{up: up, health: buildHealth(b, up)}
	if rt.Balance == nil || rt.Balance.Canary == nil {
		s.all = buildGroup(b, up, "", func(*Endpoint) bool { return true })
		return s
	}
	s.canary = buildCanary(b, rt.Name, up, rt.Balance.Canary, at+".balance.canary")
	return s
}

// buildHealth declares who may be asked. Settings are in its name: with others it begins anew, and so do the groups.
func buildHealth(b *Builder, up *Upstream) Kept[upstreamHealth] {
	return Memo(b, "balance", up.Name, func() Kept[upstreamHealth] {
		at, c := "upstreams."+up.Name+".balance", &up.Config.Balance
		if _, ok := balance.Methods[c.method()]; !ok {
			b.Fault(at+".method", "%q is no method; there are adaptive, least-connections, peak-ewma, round-robin, weighted", c.Method)
		}
		var ejection circuit.Ejection
		if c.Outliers != nil {
			ejection = c.Outliers.ejection()
			if err := ejection.Check(); err != nil {
				b.Fault(at+".outliers", "%v", err)
			}
		}
		probes := buildChecker(b, up, at+".health")
		n := len(up.Endpoints)
		return Keep(b, "balance health", up.settingsText(""), func(s *Shard) *upstreamHealth {
			h := &upstreamHealth{checker: probes, up: make([]bool, n), version: 1}
			for i := range h.up {
				h.up[i] = true
			}
			if c.Outliers != nil {
				h.outliers = circuit.NewOutliers(ejection, n, s.loop.Now())
			}
			return h
		})
	})
}

func (c *BalanceConfig) method() string {
	if c.Method == "" {
		return "weighted"
	}
	return c.Method
}

// settingsText is all that the choice among an upstream's endpoints depends on.
func (up *Upstream) settingsText(subset string) string {
	text, err := json.Marshal(up.Config.Balance)
	if err != nil {
		panic("gateway: a configuration that was read cannot be written: " + err.Error())
	}
	s := up.Name + "\n" + string(text) + "\n" + subset
	for _, e := range up.Endpoints {
		s += fmt.Sprintf("\n%s %d", e.Name, e.Weight)
	}
	return s
}

// buildGroup declares a group of an upstream's endpoints. What is known of an endpoint is kept under its own name, beyond
// any group.
func buildGroup(b *Builder, up *Upstream, subset string, in func(*Endpoint) bool) Kept[group] {
	var of, weights []int
	var ends []Kept[balance.Endpoint]
	for i, e := range up.Endpoints {
		if in(e) {
			of, weights = append(of, i), append(weights, e.Weight)
			ends = append(ends, Keep(b, "balance endpoint", e.Name, func(*Shard) *balance.Endpoint { return new(balance.Endpoint) }))
		}
	}
	c := &up.Config.Balance
	return Keep(b, "balance group", up.settingsText(subset), func(s *Shard) *group {
		g := &group{of: of}
		members := make([]balance.Member, len(ends))
		old := false
		for i, e := range ends {
			members[i] = balance.Member{Endpoint: e.Of(s), Weight: weights[i]}
			g.members = append(g.members, members[i].Endpoint)
			old = old || members[i].Asked()
		}
		g.Group = balance.New(balance.Methods[c.method()], time.Duration(c.SlowStart), members, rand.Uint64())
		for i, m := range members {
			if old && !m.Asked() {
				g.Warm(i, s.loop.Now())
			}
		}
		return g
	})
}

// Enter implements Stage.
func (s *balancer) Enter(r *Request) Verdict {
	p := &r.Balance
	kept := &s.all
	if s.canary != nil {
		kept = s.canary.side(r)
	}
	p.group = kept.Of(r.Shard)
	r.Picker = s
	if s.Again(r) != nil {
		return Next
	}
	if s.canary != nil && kept == &s.canary.chosen { // better the other side than none
		p.group = s.canary.stable.Of(r.Shard)
		if s.Again(r) != nil {
			return Next
		}
	}
	r.Answer(&unavailable)
	return Done
}

// Again implements Picker.
func (s *balancer) Again(r *Request) *Endpoint {
	p := &r.Balance
	if p.member != nil {
		p.member.End(0, 0, false, false) // an attempt that nobody told the end of
		p.member = nil
	}
	now := r.loop.Now()
	h := s.health.Of(r.Shard)
	h.look(now)
	p.group.sync(h, now)
	i := p.group.Pick(now, &p.tried)
	if i < 0 {
		r.Endpoint = nil
		return nil
	}
	p.tried.Add(i)
	p.at, p.member = i, p.group.members[i]
	p.member.Begin()
	r.Endpoint = s.up.Endpoints[p.group.of[i]]
	return r.Endpoint
}

// Attempted implements Attempting.
func (s *balancer) Attempted(r *Request, t *Attempt) {
	p := &r.Balance
	if p.member == nil {
		return
	}
	now, ok := r.loop.Now(), t.Err == nil && t.Status < 500
	p.member.End(now, t.Latency, ok, !t.Gone)
	p.member = nil
	if h := s.health.Of(r.Shard); h.outliers != nil && !t.Gone {
		if i := p.group.of[p.at]; i < len(h.up) && h.outliers.Told(i, now, ok) {
			h.set()
		}
	}
}

// Leave implements Stage.
func (s *balancer) Leave(r *Request, _ *Outcome) {
	if p := &r.Balance; p.member != nil {
		p.member.End(0, 0, false, false)
		p.member = nil
	}
}

// look takes note of what has happened since the last request.
func (h *upstreamHealth) look(now int64) {
	changed := false
	if h.outliers != nil {
		for h.outliers.Return(now) >= 0 {
			changed = true
		}
	}
	if h.checker != nil {
		if news := h.checker.news.Load(); news != h.seen {
			h.seen, changed = news, true
		}
	}
	if changed {
		h.set()
	}
}

// set computes who may be asked.
func (h *upstreamHealth) set() {
	h.version++
	for i := range h.up {
		h.up[i] = (h.checker == nil || !h.checker.down[i].Load()) && (h.outliers == nil || !h.outliers.Out(i))
	}
}

// sync tells the group who may be asked.
func (g *group) sync(h *upstreamHealth, now int64) {
	if g.version == h.version {
		return
	}
	g.version = h.version
	for i, at := range g.of {
		g.Set(i, h.up[at], now)
	}
}
