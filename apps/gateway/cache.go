package gateway

import (
	"errors"
	"strconv"
	"time"

	"corelab/apps/gateway/settings"
	"corelab/apps/gateway/store"
	"corelab/httpcore"
)

// CachePlace is what the stage cache knows about a request: its business with the store, and how it waits.
type CachePlace struct {
	ask    store.Ask
	status store.Status
	age    int64 // of the answer, seconds
	timer  httpcore.Timer
	waiter Waiter
	woken  store.Wake

	validating bool // the upstream is asked with our validators, not the client's
	asked      int64
	tee        tee
}

// Wake implements store.Waiter.
func (p *CachePlace) Wake(w store.Wake) {
	p.woken = w
	p.waiter.Resume()
}

// CacheRoute is what a route says about cache: routes.N.cache.
type CacheRoute struct {
	Wait settings.Duration `toml:"wait"` // most time that a request waits for another that asks the same, 5s
}

// CacheConfig is what the whole gateway has for cache.
type CacheConfig struct {
	Bytes     settings.Bytes `toml:"bytes"`     // of each shard's cache, all counted, 64MiB
	Object    settings.Bytes `toml:"object"`    // largest content that is stored, 1MiB
	Heuristic float64        `toml:"heuristic"` // share of the time since Last-Modified that counts as fresh; 0: no guess
}

const (
	defaultWait  = 5 * time.Second
	leastCache   = 64 << 10
	maxHeuristic = 1
)

// cacheState is a shard's cache, for all routes: what differs is the upstream.
type cacheState struct {
	*store.Cache
	lines []byte // of the 304 that is being answered
}

// cache answers what an upstream said before. Routes that lead to the same upstream share its answers.
//
// Who waits for another's answer waits until the other's client has taken it all, and no longer than the route's wait: a slow
// client holds others up for as long. stale-while-revalidate is the first client's turn: it waits for the validation, all
// who come meanwhile get the stale answer at once. An upstream is asked by clients' requests alone.
type cache struct {
	space string
	rules store.Rules
	most  time.Duration // that a request waits
	state Kept[cacheState]
}

// buildCache compiles the stage for a route.
func buildCache(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	if rt.Cache == nil {
		return nil
	}
	if up == nil {
		b.Fault(at+".cache", "the route names no upstream whose answers could be stored")
		return nil
	}
	c := &b.Config.Cache
	rules := Memo(b, "cache", "", func() store.Rules {
		if c.Bytes != 0 && c.Bytes < leastCache {
			b.Fault("cache.bytes", "less than %d bytes hold nothing", leastCache)
		}
		if !(c.Heuristic >= 0 && c.Heuristic <= maxHeuristic) {
			b.Fault("cache.heuristic", "heuristic is a share of a time, between 0 and %d", maxHeuristic)
		}
		return store.Rules{Bytes: int64(c.Bytes), Object: int64(c.Object), Heuristic: c.Heuristic}.Filled()
	})
	return &cache{up.Name, rules, rt.Cache.Wait.Or(defaultWait), Keep(b, "cache", "", func(*Shard) *cacheState {
		return &cacheState{Cache: store.New(rules)}
	})}
}

// request is what the store must know of a request.
func (s *cache) request(r *Request) store.Request {
	return store.Request{Fields: r.X, Space: s.space, Method: r.X.Method(), Host: r.X.Host(), Target: originForm(r.X.Target()),
		Authorized: r.Consumer != nil}
}

// originForm is a target without scheme and authority. One that has no path is left as it is: it has an entry of its own.
func originForm(target []byte) []byte {
	if len(target) > 0 && target[0] == '/' {
		return target
	}
	for i, slashes := 0, 0; i < len(target); i++ {
		if target[i] == '/' {
			if slashes++; slashes == 3 {
				return target[i:]
			}
		} else if target[i] == '?' {
			break
		}
	}
	return target
}

// Enter implements Stage.
func (s *cache) Enter(r *Request) Verdict {
	c := s.state.Of(r.Shard)
	c.Use(s.rules)
	r.Cache.ask.Owner = &r.Cache
	return s.look(r, c, true)
}

// look has the store answer, or says how to go on without. join is false for a request that has waited already.
func (s *cache) look(r *Request, c *cacheState, join bool) Verdict {
	p, now := &r.Cache, r.loop.Now()
	q := s.request(r)
	f := c.Look(&p.ask, &q, now)
	p.status = f.Status
	switch {
	case f.Status == store.Updating && f.Refresh && !r.Breaker.open:
		// This one asks, and whoever comes meanwhile gets what is stored: nobody but a client's request asks an upstream here.
		c.Join(&p.ask, &q)
		return s.goOn(r, &f)
	case f.Status == store.Hit || f.Status == store.Stale || f.Status == store.Updating:
		s.answer(r, c, &f)
		return Done
	case f.Refuse:
		r.Answer(&notCached)
		return Done
	case r.Breaker.open:
		if f, ok := c.OnError(&p.ask, &q, now); ok {
			s.answer(r, c, &f)
			return Done
		}
		return r.Breaker.refuse(r)
	case f.Alone || !join || c.Join(&p.ask, &q):
		return s.goOn(r, &f)
	}
	s.wait(r, c)
	return Wait
}

// wait has the request wait for the one that asks, for a while.
func (s *cache) wait(r *Request, c *cacheState) {
	p := &r.Cache
	p.waiter = r.Wait()
	if p.timer != nil {
		return
	}
	p.timer = r.After(s.most, func(int64) { // whoever asks takes too long: ask as well
		if p.ask.Waits() {
			c.Leave(&p.ask)
			p.Wake(store.Alone)
		}
	})
}

var notCached = text(504)

// Resumed implements Waiting.
func (s *cache) Resumed(r *Request) Verdict {
	c := s.state.Of(r.Shard)
	p := &r.Cache
	switch p.woken {
	case store.Again:
		return s.look(r, c, p.ask.MayRejoin())
	case store.Alone:
		return s.goOn(r, &store.Found{Status: p.status})
	}
	// It leads now: what its Expired found is to be validated by it.
	q := s.request(r)
	f := c.Look(&p.ask, &q, r.loop.Now())
	if f.Status != store.Miss && f.Status != store.Expired {
		c.Stored(&p.ask) // by somebody who asked alone
		s.answer(r, c, &f)
		return Done
	}
	p.status = f.Status
	return s.goOn(r, &f)
}

// goOn has the upstream asked. Where the answer may be stored it must be a whole one: the client's conditions are left out,
// and ours put in their place.
func (s *cache) goOn(r *Request, f *store.Found) Verdict {
	p := &r.Cache
	p.asked = r.loop.Now()
	if f.Status == store.Bypass || r.X.Method() != httpcore.MethodGet {
		return Next
	}
	r.ToUpstream.Drop("If-None-Match")
	r.ToUpstream.Drop("If-Modified-Since")
	p.validating = true
	if len(f.ETag) > 0 {
		r.ToUpstream.Add("If-None-Match", f.ETag)
	}
	if len(f.Modified) > 0 {
		r.ToUpstream.Add("If-Modified-Since", f.Modified)
	}
	return Next
}

// answer answers by what was found.
func (s *cache) answer(r *Request, c *cacheState, f *store.Found) {
	var a Answer
	r.Cache.fill(c, f, &a)
	r.Answer(&a)
}

// fill makes an answer of what was found.
func (p *CachePlace) fill(c *cacheState, f *store.Found, a *Answer) {
	p.status, p.age = f.Status, f.Age
	*a = Answer{Status: f.Code, Fields: f.Lines, Body: f.Body, From: FromCache}
	if f.NotModified {
		c.lines = store.NotModified(c.lines[:0], f.Lines)
		a.Status, a.Fields, a.Body = 304, c.lines, nil
	}
}

// Answer implements Answering: what comes from the upstream is stored, and what is stored may come instead of it.
func (s *cache) Answer(r *Request, a *Answer) {
	p := &r.Cache
	c := s.state.Of(r.Shard)
	if a.From != FromCache {
		s.arrived(r, c, a)
	}
	if a.From == FromCache {
		var b [20]byte
		r.ToClient.Set("Age", strconv.AppendInt(b[:0], p.age, 10))
	}
	r.ToClient.Set("X-Cache-Status", cacheWords[p.status])
}

// cacheWords are the values of X-Cache-Status.
var cacheWords = func() (all [int(store.Revalidated) + 1][]byte) {
	for i := range all {
		all[i] = []byte(store.Status(i).String())
	}
	return all
}()

// arrived acts on an answer of the upstream, or on ours that there is none.
func (s *cache) arrived(r *Request, c *cacheState, a *Answer) {
	p, now := &r.Cache, r.loop.Now()
	q := s.request(r)
	switch {
	case a.Status == 500 || a.Status >= 502 && a.Status <= 504: // RFC 5861 §4
		if f, ok := c.OnError(&p.ask, &q, now); ok {
			a.close(errReplaced)
			p.fill(c, &f, a)
		}
		c.Failed(&p.ask)
	case a.From == FromGateway:
		c.Failed(&p.ask)
	case a.Status == 304 && p.validating:
		s.validated(r, c, a, &q)
	case unsafeMethod(q.Method):
		if a.Status < 400 {
			s.invalidate(r, c, &q, a.Fields)
		}
	default:
		s.stored(r, c, a, &q)
	}
}

// errReplaced closes an answer of the upstream which the client does not get.
var errReplaced = errors.New("what is stored is sent instead")

// stored stores an answer if it may be: its content at once where it is here, else as it passes. If it may not, and the
// client has it already, it is told so: its own conditions did not go to the upstream.
func (s *cache) stored(r *Request, c *cacheState, a *Answer, q *store.Request) {
	p, now, wall := &r.Cache, r.loop.Now(), time.Now().Unix()
	length := int64(len(a.Body))
	if a.Source != nil {
		if length = -1; a.Sized {
			length = a.Len
		}
	}
	switch begun := a.File == nil && c.Begin(&p.ask, q, a.Status, a.Fields, length, wall, now, now-p.asked); {
	case begun && a.Source != nil:
		p.tee = tee{r: r, s: s, from: a.Source, left: a.Len, sized: a.Sized}
		a.Source = &p.tee
		return
	case begun && c.Add(&p.ask, q, a.Body, now):
		c.Commit(&p.ask)
	}
	if p.validating && a.Status == 200 && store.ClientHas(q, a.Fields, wall) {
		c.lines = store.NotModified(c.lines[:0], a.Fields)
		a.Status, a.Fields = 304, c.lines
	}
}

// validated acts on a 304 to a question of ours.
func (s *cache) validated(r *Request, c *cacheState, a *Answer, q *store.Request) {
	p, now := &r.Cache, r.loop.Now()
	f, ok := c.Freshen(&p.ask, q, a.Fields, time.Now().Unix(), now, now-p.asked)
	a.close(errReplaced)
	if !ok { // the upstream said that something is as it was which it was not asked about
		*a = text(502)
		return
	}
	p.fill(c, &f, a)
}

// tee is the Source of an answer that is stored while it passes.
type tee struct {
	r     *Request
	s     *cache
	from  httpcore.Source
	left  int64
	sized bool
}

// Next implements httpcore.Source.
func (t *tee) Next(most int) (p []byte, done bool) {
	p, done = t.from.Next(most)
	r := t.r
	if !r.Cache.ask.Arrives() {
		return p, done
	}
	c := t.s.state.Of(r.Shard)
	t.left -= int64(len(p))
	if len(p) > 0 {
		q := t.s.request(r)
		c.Add(&r.Cache.ask, &q, p, r.loop.Now())
	}
	if done && (!t.sized || t.left == 0) {
		c.Commit(&r.Cache.ask)
	}
	return p, done
}

// Close implements httpcore.Source.
func (t *tee) Close(err error) { t.from.Close(err) }

// unsafeMethod reports whether a method may change something, RFC 9110 §9.2.1; one that is not known may.
func unsafeMethod(m httpcore.Method) bool {
	switch m {
	case httpcore.MethodGet, httpcore.MethodHead, httpcore.MethodOptions, httpcore.MethodTrace, httpcore.MethodPropFind,
		httpcore.MethodReport, httpcore.MethodSearch, httpcore.MethodQuery:
		return false
	}
	return true
}

// invalidate forgets what an unsafe request may have changed, here and, soon, on the other shards. It allocates.
func (s *cache) invalidate(r *Request, c *cacheState, q *store.Request, lines []byte) {
	c.Invalidate(q.Space, q.Host, q.Target, lines)
	host, target, fields := append([]byte(nil), q.Host...), append([]byte(nil), q.Target...), append([]byte(nil), lines...)
	r.Shard.gateway.shards.each(func(other *Shard) {
		if other == r.Shard {
			return
		}
		// A shared shard is locked by Do, and this one is held: two that told each other would wait for ever.
		go other.Do(func(other *Shard) {
			s.state.Of(other).Invalidate(s.space, host, target, fields)
		})
	})
}

// Leave implements Stage.
func (s *cache) Leave(r *Request, _ *Outcome) {
	p := &r.Cache
	if p.timer != nil {
		p.timer.Stop()
	}
	s.state.Of(r.Shard).Leave(&p.ask)
}
