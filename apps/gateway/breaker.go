package gateway

import (
	"strconv"
	"time"

	"corelab/apps/gateway/circuit"
	"corelab/apps/gateway/settings"
)

// BreakerPlace is what the stage breaker knows about a request.
type BreakerPlace struct {
	ticket   circuit.Ticket
	admitted bool
	asked    bool // the upstream was asked, and result is what the last attempt gave
	result   circuit.Result
	open     bool // the upstream is not to be asked: only the cache may answer
	retry    time.Duration
}

// BreakerRoute is what a route says about breaker: routes.N.breaker. That it is there is all.
type BreakerRoute struct{}

// BreakerConfig is what an upstream says about its breaker: upstreams.NAME.breaker. Where nothing trips it, five failures in
// a row do. A failure is an attempt without an answer, or one with a status of 500 and above.
type BreakerConfig struct {
	Consecutive int               `toml:"consecutive"` // failures in a row
	Failures    int               `toml:"failures"`    // failures within window
	Rate        float64           `toml:"rate"`        // share of failures within window, 0 to 1
	Volume      int               `toml:"volume"`      // fewest results that rate is judged by, 20
	Window      settings.Duration `toml:"window"`      // 10s
	Open        settings.Duration `toml:"open"`        // how long nobody is let through, 5s
	Probes      int               `toml:"probes"`      // requests let through then, all of which must succeed, 1
}

// breakerDefaults are Envoy's and Hystrix's orders of magnitude, not theirs.
const (
	defaultConsecutive = 5
	defaultVolume      = 20
	defaultWindow      = 10 * time.Second
	defaultOpen        = 5 * time.Second
)

// rule is the configuration with what is not written filled in.
func (c *BreakerConfig) rule() circuit.Rule {
	r := circuit.Rule{Consecutive: c.Consecutive, Failures: c.Failures, Share: c.Rate, Volume: c.Volume,
		Window: c.Window.Or(defaultWindow), Open: c.Open.Or(defaultOpen), Probes: c.Probes}
	if r.Consecutive == 0 && r.Failures == 0 && r.Share == 0 {
		r.Consecutive = defaultConsecutive
	}
	if r.Volume == 0 {
		r.Volume = defaultVolume
	}
	if r.Probes == 0 {
		r.Probes = 1
	}
	return r
}

// breaker lets requests through to an upstream that answers, and refuses them at once for one that does not. Its state is
// one for an upstream and a shard, whatever routes lead there.
type breaker struct {
	rule  *circuit.Rule
	state Kept[circuit.Breaker]
	cache bool // the route has one, which may answer while the breaker is open
}

// buildBreaker compiles the stage for a route.
func buildBreaker(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	if rt.Breaker == nil {
		return nil
	}
	if up == nil {
		b.Fault(at+".breaker", "the route names no upstream whose breaker this could be")
		return nil
	}
	rule := Memo(b, "breaker", up.Name, func() *circuit.Rule {
		c := up.Config.Breaker
		if c == nil {
			c = &BreakerConfig{}
		}
		rule := c.rule()
		if err := rule.Check(); err != nil {
			b.Fault("upstreams."+up.Name+".breaker", "%v", err)
		}
		return &rule
	})
	return &breaker{rule, Keep(b, "breaker", up.Name, func(s *Shard) *circuit.Breaker {
		return circuit.NewBreaker(rule, s.loop.Now())
	}), rt.Cache != nil}
}

// Enter implements Stage.
func (s *breaker) Enter(r *Request) Verdict {
	state, now := s.state.Of(r.Shard), r.loop.Now()
	state.Use(s.rule, now)
	p := &r.Breaker
	if p.ticket, p.admitted = state.Admit(now); p.admitted {
		return Next
	}
	p.open, p.retry = true, state.Remaining(now)
	if s.cache {
		return Next
	}
	return p.refuse(r)
}

// refuse answers that the upstream is not asked, and when it will be.
func (p *BreakerPlace) refuse(r *Request) Verdict {
	setRetry(r, p.retry)
	r.Answer(&unavailable)
	return Done
}

var unavailable = text(503)

// setRetry says when it is worth to ask again: in whole seconds, at least one, RFC 9110 §10.2.3.
func setRetry(r *Request, d time.Duration) {
	var b [20]byte
	r.ToClient.Set("Retry-After", strconv.AppendInt(b[:0], int64(max(1, (d+time.Second-1)/time.Second)), 10))
}

// Attempted implements Attempting: the last attempt counts.
func (s *breaker) Attempted(r *Request, t *Attempt) {
	p := &r.Breaker
	p.asked = true
	switch {
	case t.Gone:
		p.result = circuit.Void
	case t.Err != nil || t.Status >= 500:
		p.result = circuit.Failure
	default:
		p.result = circuit.Success
	}
	if t.Tunnel() {
		s.Leave(r, nil)
	}
}

// Leave implements Stage. Who was answered without the upstream says nothing about it, and gives back a probe's place.
func (s *breaker) Leave(r *Request, _ *Outcome) {
	p := &r.Breaker
	if !p.admitted {
		return
	}
	p.admitted = false
	if !p.asked {
		p.result = circuit.Void
	}
	s.state.Of(r.Shard).Done(p.ticket, r.loop.Now(), p.result)
}
