package gateway

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"corelab/apps/gateway/ledger"
	"corelab/apps/gateway/quota"
)

func asDuration(ns int64) time.Duration { return time.Duration(ns) }

// redisStore is a RedisConfig, compiled.
type redisStore struct {
	options ledger.Options
	workers int
	queue   int
	text    string
}

// buildRedis compiles a Redis; nil where there is none, or something is wrong with it.
func buildRedis(b *Builder, c *RedisConfig, at string) *redisStore {
	if c == nil {
		return nil
	}
	s := &redisStore{workers: c.Workers, queue: c.Queue}
	o := &s.options
	*o = ledger.Options{Network: "tcp", Address: c.Address, Username: c.Username, DB: c.DB, Prefix: c.Prefix,
		Interval: c.Interval.Or(ledgerInterval), Timeout: time.Duration(c.Timeout), Now: steady}
	if path, found := strings.CutPrefix(c.Address, "unix:"); found {
		o.Network, o.Address = "unix", path
	}
	if o.Address == "" {
		b.Fault(at+".address", "where is it? Write address = \"127.0.0.1:6379\"")
		return nil
	}
	if o.Prefix == "" {
		o.Prefix = "gateway:"
	}
	if s.workers == 0 {
		s.workers = defaultAskers
	}
	if s.queue == 0 {
		s.queue = defaultAsked
	}
	if s.workers < 1 || s.workers > maxAskers || s.queue < 1 || s.queue > maxAsked || o.Interval < time.Millisecond || c.DB < 0 {
		b.Fault(at, "workers are up to %d, queue up to %d, interval is a millisecond or more, and db not below 0", maxAskers, maxAsked)
		return nil
	}
	if c.Password != nil {
		var err error
		if o.Password, err = c.Password.Get(); err != nil {
			b.Fault(at+".password", "%v", err)
			return nil
		}
	}
	s.text = fmt.Sprintf("%q %q %q %q %d %q %v %v %d %d", o.Network, o.Address, o.Username, o.Password, o.DB, o.Prefix, o.Interval, o.Timeout, s.workers, s.queue)
	s.text = fmt.Sprintf(" %x", sha256.Sum256([]byte(s.text))) // the password is in it
	return s
}

// ledgerService carries deltas, from when its configuration is taken over.
type ledgerService struct {
	options ledger.Options
	ledger  atomic.Pointer[ledger.Ledger] // nil before Start
	closing sync.WaitGroup
}

// ledger returns the service of the store.
func (s *redisStore) ledger(b *Builder) *ledgerService {
	return Share(b, "ledger", "", s.text, func() *ledgerService { return &ledgerService{options: s.options} })
}

// Start implements Starter.
func (s *ledgerService) Start(*Gateway) { s.ledger.Store(ledger.New(s.options)) }

// Collect implements Collector.
func (s *ledgerService) Collect(m *Metrics) {
	l := s.ledger.Load()
	if l == nil {
		return
	}
	stats := l.Stats()
	m.Counter("gateway_limit_redis_rounds_total", "Rounds of deltas to Redis.", label("result", "done"), float64(stats.Rounds-stats.Failed))
	m.Counter("gateway_limit_redis_rounds_total", "", label("result", "failed"), float64(stats.Failed))
	m.Counter("gateway_limit_redis_deltas_total", "Deltas that Redis has taken.", "", float64(stats.Sent))
	m.Gauge("gateway_limit_redis_pending", "Keys whose deltas wait for Redis.", "", float64(stats.Pending))
	m.Gauge("gateway_limit_redis_lost", "Tokens that no delta says, since there were too many keys.", "", float64(stats.Lost))
}

// Close implements io.Closer: what waits is sent in the background.
func (s *ledgerService) Close() error {
	if l := s.ledger.Load(); l != nil {
		s.closing.Go(func() { l.Close() }) // its Stats said what failed
	}
	return nil
}

// Wait waits for that.
func (s *ledgerService) Wait() { s.closing.Wait() }

// askerService asks for each request.
type askerService struct{ *ledger.Asker }

// asker returns the service of the store.
func (s *redisStore) asker(b *Builder) *askerService {
	return Share(b, "asker", "", s.text, func() *askerService { return &askerService{ledger.NewAsker(s.options, s.workers, s.queue)} })
}

// sharedBook is what a limit counts in, for all shards, and over reloads.
type sharedBook struct {
	*quota.Book
	rule   *ledger.Rule // nil: nobody else counts
	ledger *ledgerService
}

// maxTallies is how many keys' deltas may wait for Redis, for each key that has a place.
const maxTallies = 4

func newSharedBook(name string, keys int, shared *ledgerService) *sharedBook {
	if shared == nil {
		return &sharedBook{Book: quota.NewBook(keys, nil)}
	}
	j := quota.NewJournal(maxTallies * keys)
	s := &sharedBook{Book: quota.NewBook(keys, j), ledger: shared}
	s.rule = &ledger.Rule{Name: name, Book: s.Book, Journal: j}
	return s
}

// Start implements Starter.
func (s *sharedBook) Start(*Gateway) {
	if s.rule != nil {
		s.ledger.ledger.Load().Add(s.rule)
	}
}

// Close implements io.Closer.
func (s *sharedBook) Close() error {
	if s.rule == nil {
		return nil
	}
	if l := s.ledger.ledger.Load(); l != nil {
		l.Drop(s.rule)
	}
	return nil
}

// sharedPolicy is the policy that a book's deltas are counted by. It is a service of its own, so that one that is refused
// changes nothing.
type sharedPolicy struct {
	rule   *ledger.Rule
	policy quota.Policy
}

// Start implements Starter.
func (s *sharedPolicy) Start(*Gateway) { s.rule.Set(s.policy) }
