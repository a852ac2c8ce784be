package gateway

import (
	"fmt"
	"strings"
	"time"

	"corelab/apps/gateway/concurrency"
	"corelab/apps/gateway/ledger"
	"corelab/apps/gateway/quota"
	"corelab/apps/gateway/settings"
)

// LimitPlace is what the stage limit knows about a request: what it holds, and what it waits for.
type LimitPlace struct {
	busy    bool // it has a place of the concurrency limit
	asked   bool // Redis has answered
	at      int  // the rule that waits
	answer  ledger.Answer
	latency int64 // ns, of the upstream's last answer
}

// LimitRoute is a limit of a route: one of routes.N.limit. Routes whose limits have the same name share it.
type LimitRoute struct {
	Name      string            `toml:"name"`      // the route's, if it has but one
	By        string            `toml:"by"`        // "consumer", "key", "address" or "route": who has one of his own
	Algorithm string            `toml:"algorithm"` // "bucket" or "window"; bucket
	Limit     int64             `toml:"limit"`     // requests
	Period    settings.Duration `toml:"period"`    // in which; 1s
	Burst     int64             `toml:"burst"`     // of a bucket: at once; limit
	Lease     settings.Duration `toml:"lease"`     // how long a shard may hold what it took; 10ms. Not with redis
	Store     string            `toml:"store"`     // "local", "redis": deltas in the background, "redis-each": asked for each request
	Quiet     bool              `toml:"quiet"`     // no RateLimit fields
	Keys      int               `toml:"keys"`      // that have a place of their own, 20 bytes each; 65536

	Concurrency *ConcurrencyConfig `toml:"concurrency"` // requests under way at once, instead of all the above
}

// ConcurrencyConfig is a limit that finds itself: see package concurrency. All numbers are of one shard.
type ConcurrencyConfig struct {
	Initial   int               `toml:"initial"`
	Least     int               `toml:"least"`
	Most      int               `toml:"most"`
	Queue     int               `toml:"queue"`
	Tolerance float64           `toml:"tolerance"`
	Sample    settings.Duration `toml:"sample"`
}

// LimitConfig is what the whole gateway has for limit.
type LimitConfig struct {
	Deny     []string     `toml:"deny"`      // addresses and networks that are refused, on every route
	DenyFile string       `toml:"deny_file"` // more of them, one a line
	Redis    *RedisConfig `toml:"redis"`     // what limits with a store share
}

// RedisConfig is a Redis.
type RedisConfig struct {
	Address  string            `toml:"address"` // host:port, or unix:PATH
	Username string            `toml:"username"`
	Password *settings.Secret  `toml:"password"` // none: it asks for none
	DB       int               `toml:"db"`
	Prefix   string            `toml:"prefix"`   // of all keys; "gateway:"
	Interval settings.Duration `toml:"interval"` // between two rounds of deltas; 100ms
	Timeout  settings.Duration `toml:"timeout"`  // 250ms
	Workers  int               `toml:"workers"`  // connections of redis-each, or of the cache; 16
	Queue    int               `toml:"queue"`    // requests that may wait for them; 1024. Beyond that a limit answers 503, a cache asks the upstream
}

// Bounds and defaults of limits.
const (
	defaultLease   = 10 * time.Millisecond
	defaultPeriod  = time.Second
	defaultKeys    = 1 << 16
	maxKeys        = 16 << 20
	maxLimits      = 16 // of a route
	ledgerInterval = 100 * time.Millisecond
	defaultAskers  = 16
	maxAskers      = 1024
	defaultAsked   = 1024
	maxAsked       = 1 << 16
	leasesOfShard  = 1 << 12
)

// limit holds requests against the rules of a route, in their order.
type limit struct {
	rules    []*rule
	policies string // the field lines of RateLimit-Policy
	scratch  Kept[limitScratch]
	clock    Kept[wall]

	adaptive *concurrency.Settings // nil for none
	limiter  Kept[concurrency.Limiter]
}

// rule is one limit, as a route uses it.
type rule struct {
	name   string
	quoted string // in RateLimit fields
	by     by
	quiet  bool
	policy quota.Policy
	book   *sharedBook
	leases Kept[quota.Leases]
	asker  *askerService // nil: not asked for each request
}

// by is who has a limit of his own.
type by uint8

const (
	byConsumer by = iota
	byKey
	byAddress
	byRoute
)

var byNames = map[string]by{"consumer": byConsumer, "key": byKey, "address": byAddress, "route": byRoute}

// buildLimit compiles the stage for a route.
func buildLimit(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	if len(rt.Limit) == 0 {
		return nil
	}
	l := &limit{clock: keepWall(b), scratch: Keep(b, "limit scratch", "", func(*Shard) *limitScratch { return &limitScratch{} })}
	if len(rt.Limit) > maxLimits {
		b.Fault(at+".limit", "%d limits: at most %d are taken", len(rt.Limit), maxLimits)
		return nil
	}
	names := map[string]bool{}
	var policies []string
	for i, lr := range rt.Limit {
		at := fmt.Sprintf("%s.limit.%d", at, i)
		name := lr.Name
		if name == "" {
			name = rt.Name
		}
		if names[name] {
			b.Fault(at+".name", "another limit of this route is called %q; give each a name", name)
			continue
		}
		names[name] = true
		if lr.Concurrency != nil {
			l.adapt(b, lr, name, at)
			continue
		}
		r := buildRule(b, lr, name, at)
		if r == nil {
			continue
		}
		l.rules = append(l.rules, r)
		if !r.quiet {
			policies = append(policies, r.describe())
		}
	}
	if len(policies) > 0 {
		l.policies = "RateLimit-Policy: " + strings.Join(policies, ", ") + "\r\n"
	}
	return l
}

// adapt compiles a limit of requests under way.
func (l *limit) adapt(b *Builder, lr *LimitRoute, name, at string) {
	if l.adaptive != nil {
		b.Fault(at+".concurrency", "a route has one of them at most")
		return
	}
	c := lr.Concurrency
	s, err := concurrency.Settings{Initial: float64(c.Initial), Least: float64(c.Least), Most: float64(c.Most), Queue: float64(c.Queue),
		Tolerance: c.Tolerance, Sample: time.Duration(c.Sample)}.Filled()
	if err != nil {
		b.Fault(at+".concurrency", "%v", err)
		return
	}
	l.adaptive = &s
	l.limiter = Keep(b, "concurrency", name, func(*Shard) *concurrency.Limiter { return &concurrency.Limiter{} })
}

// buildRule compiles one limit.
func buildRule(b *Builder, lr *LimitRoute, name, at string) *rule {
	r := &rule{name: name, quoted: `"` + name + `"`, quiet: lr.Quiet}
	if !isVisible(name) || strings.ContainsAny(name, "\"\\:") {
		b.Fault(at+".name", "a name of visible ASCII without quotes, colons and backslashes, please: it is sent to clients")
		return nil
	}
	var ok bool
	if r.by, ok = byNames[lr.By]; !ok {
		b.Fault(at+".by", "%q is none of consumer, key, address and route", lr.By)
		return nil
	}
	kind, ok := map[string]quota.Kind{"": quota.Bucket, "bucket": quota.Bucket, "window": quota.Window}[lr.Algorithm]
	if !ok {
		b.Fault(at+".algorithm", "%q is neither bucket nor window", lr.Algorithm)
		return nil
	}
	lease, period := lr.Lease.Or(defaultLease), lr.Period.Or(defaultPeriod)
	if kind == quota.Window {
		lease = min(lease, period)
	}
	if lr.Store == "redis" {
		lease = 0 // the interval of the deltas is enough of a delay
	}
	var err error
	if r.policy, err = quota.NewPolicy(kind, lr.Limit, period, lr.Burst, lease); err != nil {
		b.Fault(at, "%v", err)
		return nil
	}
	keys := lr.Keys
	switch {
	case keys == 0 && r.by == byRoute:
		keys = 1
	case keys == 0:
		keys = defaultKeys
	}
	if keys < 1 || keys > maxKeys {
		b.Fault(at+".keys", "keys is from 1 to %d", maxKeys)
		return nil
	}
	return r.store(b, lr, keys, at)
}

// store gives the rule what it counts in. It survives a reload as long as its kind, and of a window the period, stay.
func (r *rule) store(b *Builder, lr *LimitRoute, keys int, at string) *rule {
	text := fmt.Sprint(r.policy.Kind, " ", keys, " ", lr.Store)
	if r.policy.Kind == quota.Window {
		text += fmt.Sprint(" ", r.policy.Period)
	}
	name := r.name
	var shared *ledgerService
	switch lr.Store {
	case "", "local":
	case "redis", "redis-each":
		rs := Memo(b, "redis", "", func() *redisStore { return buildRedis(b, b.Config.Limit.Redis, "limit.redis") })
		if rs == nil {
			b.Fault(at+".store", "there is no [limit.redis], or something is wrong with it")
			return nil
		}
		text += rs.text
		if lr.Store == "redis-each" {
			if r.policy.Kind != quota.Bucket {
				b.Fault(at+".algorithm", "redis-each knows buckets only")
			}
			r.asker = rs.asker(b)
			return r
		}
		shared = rs.ledger(b)
	default:
		b.Fault(at+".store", "%q is none of local, redis and redis-each", lr.Store)
		return nil
	}
	r.book = Share(b, "limit", name, text, func() *sharedBook { return newSharedBook(name, keys, shared) })
	if other := Memo(b, "limit", name, func() *rule { return r }); other.book != r.book || other.policy != r.policy || other.by != r.by {
		b.Fault(at, "another limit is called %q too, but says otherwise", name)
	}
	book := r.book
	if book.rule != nil {
		policy := &sharedPolicy{book.rule, r.policy}
		Share(b, "limit policy", name, fmt.Sprintf("%p %+v", book, r.policy), func() *sharedPolicy { return policy })
	}
	r.leases = Keep(b, "limit", fmt.Sprintf("%s %s %p", name, text, book), func(s *Shard) *quota.Leases {
		return quota.NewLeases(book.Book, s.Of, min(keys, leasesOfShard))
	})
	return r
}

// describe is the rule as a member of RateLimit-Policy.
func (r *rule) describe() string {
	return fmt.Sprintf("%s;q=%d;w=%d", r.quoted, r.policy.Burst, seconds(windowOf(&r.policy)))
}

// windowOf is the time in which a policy's burst comes: of a window its period.
func windowOf(p *quota.Policy) time.Duration {
	if p.Kind == quota.Window {
		return p.Period
	}
	return p.Worth(p.Burst)
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
