package gateway

import (
	"slices"
	"strings"

	"corelab/apps/gateway/balance"
)

// buildCanary compiles a route's canary.
func buildCanary(b *Builder, route string, up *Upstream, c *CanaryConfig, at string) *canary {
	k := &canary{key: c.Key, rule: balance.Canary{Header: c.Header, HeaderValue: c.HeaderValue, Cookie: c.Cookie, CookieValue: c.CookieValue,
		Percent: c.Percent, Salt: route, Users: map[string]bool{}}}
	for _, u := range c.Users {
		k.rule.Users[u] = true
	}
	if err := k.rule.Check(); err != nil {
		b.Fault(at+".percent", "%v", err)
	}
	if c.Header == "" && c.Cookie == "" && len(c.Users) == 0 && c.Percent == 0 {
		b.Fault(at, "nothing says who goes to the canary: header, cookie, users or percent")
	}
	name, value, found := strings.Cut(c.Tag, "=")
	tagged := func(e *Endpoint) bool { v, ok := e.Tags[name]; return ok && v == value }
	switch n := len(slices.DeleteFunc(slices.Clone(up.Endpoints), func(e *Endpoint) bool { return !tagged(e) })); {
	case !found:
		b.Fault(at+".tag", "%q is no tag; write it like version=2", c.Tag)
	case n == 0 || n == len(up.Endpoints):
		b.Fault(at+".tag", "%d of the %d endpoints of %s have the tag %s: some must, and some not", n, len(up.Endpoints), up.Name, c.Tag)
	}
	k.chosen = buildGroup(b, up, "with "+c.Tag, tagged)
	k.stable = buildGroup(b, up, "without "+c.Tag, func(e *Endpoint) bool { return !tagged(e) })
	return k
}

// side returns the group that a request goes to.
func (k *canary) side(r *Request) *Kept[group] {
	var user, key []byte
	if r.Consumer != nil {
		r.lines = append(r.lines[:0], r.Consumer.Name...)
		user = r.lines
	}
	key = user
	if k.key != "" {
		if v, ok := r.X.Field(k.key); ok {
			key = v
		}
	}
	if len(key) == 0 {
		address := r.X.Peer().Addr().As16()
		r.lines = append(r.lines[:0], address[:]...)
		key = r.lines
	}
	if k.rule.Takes(r.X, user, key) {
		return &k.chosen
	}
	return &k.stable
}
