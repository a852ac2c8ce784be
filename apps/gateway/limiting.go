package gateway

import (
	"net/netip"
	"strconv"

	"corelab/apps/gateway/ledger"
	"corelab/apps/gateway/quota"
)

// limitScratch is memory of a shard for what the stage makes for one request.
type limitScratch struct {
	name  []byte
	field []byte
	keys  [maxLimits]uint64
}

var (
	tooMany   = refusal(429, "too many requests", "")
	tooBusy   = refusal(503, "too many requests are under way", "Retry-After: 1\r\n")
	noStore   = refusal(503, "the limit can't be asked for now", "Retry-After: 1\r\n")
	anonymity = []byte("anonymous")
)

// Enter implements Stage. A request that a later rule refuses gives back what it took of those before.
func (l *limit) Enter(r *Request) Verdict {
	if l.adaptive != nil {
		if !l.limiter.Of(r.Shard).Begin(l.adaptive) {
			r.Answer(&tooBusy)
			return Done
		}
		r.Limit.busy = true
	}
	if l.policies != "" {
		r.ToClient.AddLines(l.policies)
	}
	return l.from(r, 0)
}

// from goes on with rule i.
func (l *limit) from(r *Request, i int) Verdict {
	if len(l.rules) == 0 {
		return Next
	}
	at := r.loop.Now()
	w := l.clock.Of(r.Shard)
	w.read(at)
	now := at + w.even
	s := l.scratch.Of(r.Shard)
	for begin := i; i < len(l.rules); i++ {
		u := l.rules[i]
		name := u.nameOf(r, s)
		if u.asker != nil {
			return l.ask(r, i, name)
		}
		key := u.book.Key(name)
		leases := u.leases.Of(r.Shard)
		admitted := leases.Take(&u.policy, key, name, now)
		if !u.quiet || !admitted {
			left := leases.Left(&u.policy, key, now)
			u.tell(r, s, &left)
			if !admitted {
				l.giveBack(r, s, begin, i)
				return refuseMore(r, s, &left)
			}
		}
		s.keys[i] = key
	}
	return Next
}

// giveBack returns what the rules from begin to i gave in this callback. What was given before the request waited for Redis
// counts: the scratch is another request's since then.
func (l *limit) giveBack(r *Request, s *limitScratch, begin, i int) {
	for j := begin; j < i; j++ {
		l.rules[j].leases.Of(r.Shard).Return(s.keys[j])
	}
}

// refuseMore answers 429, and says when there will be something again.
func refuseMore(r *Request, s *limitScratch, left *quota.Left) Verdict {
	s.field = strconv.AppendInt(s.field[:0], max(1, seconds(left.Retry)), 10)
	r.ToClient.Add("Retry-After", s.field) // RFC 9110 §10.2.3, RFC 6585 §4
	r.Answer(&tooMany)
	return Done
}

// tell adds a member to the list RateLimit, as draft-ietf-httpapi-ratelimit-headers-11 §4 has it: what is left, and in how
// many seconds it is all there again. Each rule has a line of its own, RFC 9651 §3.1.
func (u *rule) tell(r *Request, s *limitScratch, left *quota.Left) {
	if u.quiet {
		return
	}
	b := append(s.field[:0], u.quoted...)
	b = append(b, ";r="...)
	b = strconv.AppendInt(b, left.Tokens, 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, seconds(left.Reset), 10)
	s.field = b
	r.ToClient.Add("RateLimit", b)
}

// nameOf is the name of whom the rule counts for this request, in the shard's memory. Who is not known counts by address.
func (u *rule) nameOf(r *Request, s *limitScratch) []byte {
	b := s.name[:0]
	switch {
	case u.by == byRoute:
		b = append(b, r.Route.Name...)
	case u.by == byAddress:
		b = appendAddress(b, r.X.Peer().Addr())
	case r.Consumer == nil:
		b = append(append(b, anonymity...), ':')
		b = appendAddress(b, r.X.Peer().Addr())
	default:
		b = append(b, "consumer:"...)
		b = append(b, r.Consumer.Name...)
		if u.by == byKey {
			const hex = "0123456789abcdef"
			b = append(b, ':')
			for _, c := range r.Auth.credential {
				b = append(b, hex[c>>4], hex[c&15])
			}
		}
	}
	s.name = b
	return b
}

// appendAddress appends an address: of IPv6 the first 64 bits, which one customer has to himself (RFC 6177 §2).
func appendAddress(b []byte, a netip.Addr) []byte {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	if !a.IsValid() {
		return append(b, "unknown"...)
	}
	return a.AppendTo(b)
}

// ask asks Redis about rule i, and has the request wait for its answer.
func (l *limit) ask(r *Request, i int, name []byte) Verdict {
	u := l.rules[i]
	w, loop := r.Handle(), r.loop
	r.Limit.at = i
	if !u.asker.Try(u.policy, u.name, string(name), func(a ledger.Answer) {
		w.Post(loop, func(r *Request) {
			r.Limit.answer, r.Limit.asked = a, true
			w.Resume()
		})
	}) {
		r.Answer(&noStore)
		return Done
	}
	r.Wait()
	return Wait
}

// Resumed implements Waiting: Redis has answered.
func (l *limit) Resumed(r *Request) Verdict {
	i, a := r.Limit.at, r.Limit.answer
	s := l.scratch.Of(r.Shard)
	if a.Err != nil {
		r.Answer(&noStore)
		return Done
	}
	l.rules[i].tell(r, s, &a.Left)
	if !a.Admitted {
		return refuseMore(r, s, &a.Left)
	}
	return l.from(r, i+1)
}

// Attempted implements Attempting: the concurrency limit learns from how long the upstream took, and not from the client.
func (l *limit) Attempted(r *Request, t *Attempt) {
	r.Limit.latency = 0
	if t.Err == nil && !t.Gone {
		r.Limit.latency = t.Latency
	}
	if t.Tunnel() {
		l.Leave(r, nil)
	}
}

// Leave implements Stage.
func (l *limit) Leave(r *Request, o *Outcome) {
	if r.Limit.busy {
		r.Limit.busy = false
		latency := r.Limit.latency
		l.limiter.Of(r.Shard).End(l.adaptive, r.loop.Now(), asDuration(latency), latency > 0)
	}
}
