package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"corelab/apps/gateway/settings"
	"corelab/apps/gateway/store"
	"corelab/httpcore"
)

// SecondConfig is the cache's second level: a miss looks there before it asks the upstream.
type SecondConfig struct {
	Kind    string            `toml:"kind"`    // memory: of this process, for all its shards; or redis
	Redis   *RedisConfig      `toml:"redis"`   // where that one is
	Entries int               `toml:"entries"` // of kind memory, 10000
	Wait    settings.Duration `toml:"wait"`    // most time that a miss waits for it, 50ms
}

const (
	defaultEntries    = 10_000
	defaultSecondWait = 50 * time.Millisecond
)

// secondKind is one kind of second level, compiled.
type secondKind struct {
	text    string // what it is like: another text is another level
	workers int    // that ask it, at once
	queue   int    // jobs that wait for them; more are left undone, and counted
	open    func() store.Second
}

// secondKinds is every kind of second level there is: nil where something is wrong with its configuration.
var secondKinds = map[string]func(b *Builder, c *SecondConfig) *secondKind{
	"memory": func(b *Builder, c *SecondConfig) *secondKind {
		if c.Entries < 0 {
			b.Fault("cache.second.entries", "entries is a number of answers")
		}
		most := cmp.Or(c.Entries, defaultEntries)
		return &secondKind{fmt.Sprint("memory ", most), 1, defaultAsked, func() store.Second { return &store.Memory{Clock: time.Now, Most: most} }}
	},
	"redis": func(b *Builder, c *SecondConfig) *secondKind {
		const at = "cache.second.redis"
		if c.Redis == nil {
			b.Fault(at, "where is it? Write [cache.second.redis] with an address")
			return nil
		}
		rs := buildRedis(b, c.Redis, at)
		if rs == nil {
			return nil
		}
		return &secondKind{"redis" + rs.text, rs.workers, rs.queue, func() store.Second {
			return &redisLevel{rs.options.Client(rs.workers), rs.options.Prefix + "cache:"}
		}}
	},
}

// redisLevel is a second level in Redis: a string for each key, which Redis forgets in time by itself. It waits no longer than
// its client's time-outs, and repeats nothing.
type redisLevel struct {
	client *redis.Client
	prefix string
}

// Get implements store.Second.
func (l *redisLevel) Get(key []byte) ([]byte, error) {
	b, err := l.client.Get(context.Background(), l.prefix+string(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return b, err
}

// Put implements store.Second.
func (l *redisLevel) Put(key, value []byte, ttl time.Duration) error {
	return l.client.Set(context.Background(), l.prefix+string(key), value, max(ttl, time.Millisecond)).Err()
}

// Delete implements store.Second.
func (l *redisLevel) Delete(key []byte) error {
	return l.client.Del(context.Background(), l.prefix+string(key)).Err()
}

// Close ends the connections.
func (l *redisLevel) Close() error { return l.client.Close() }

// second asks the second level off the loops, by a few goroutines. A level that is slow or away costs a miss the wait at
// most, and one whose queue is full nothing: the upstream is asked, which is what it is there for.
type second struct {
	level   store.Second
	wait    time.Duration
	workers int
	jobs    chan job
	done    context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	closing sync.WaitGroup

	asked, found, undone, failed atomic.Int64 // jobs
}

// job is one call of the second level: Get where there is somebody to tell, Put where there is a value, else Delete.
type job struct {
	key, value []byte
	ttl        time.Duration
	loop       httpcore.Loop
	waiter     Waiter
	got        func(r *Request, value []byte)
}

// buildSecond declares the second level, nil if there is none.
func buildSecond(b *Builder, c *SecondConfig) *second {
	if c == nil {
		return nil
	}
	return Memo(b, "cache second", "", func() *second {
		compile := secondKinds[c.Kind]
		if compile == nil {
			b.Fault("cache.second.kind", "%q is no kind of second level%s", c.Kind, among(secondKinds))
			return nil
		}
		kind := compile(b, c)
		if kind == nil {
			return nil
		}
		wait := c.Wait.Or(defaultSecondWait)
		return Share(b, "cache second", "", fmt.Sprint(kind.text, " ", wait), func() *second {
			l := &second{level: kind.open(), wait: wait, workers: kind.workers, jobs: make(chan job, kind.queue)}
			l.done, l.cancel = context.WithCancel(context.Background())
			return l
		})
	})
}

// Start implements Starter.
func (l *second) Start(*Gateway) {
	for range l.workers {
		l.work.Go(l.run)
	}
}

// Close ends the workers, and the level behind them; jobs that wait are left undone.
func (l *second) Close() error {
	l.cancel()
	l.closing.Go(func() {
		l.work.Wait()
		if c, ok := l.level.(io.Closer); ok {
			c.Close() // nothing is under way
		}
	})
	return nil
}

// Wait returns when they have ended.
func (l *second) Wait() { l.closing.Wait() }

// Collect implements Collector.
func (l *second) Collect(m *Metrics) {
	const name, help = "gateway_cache_second_total", "Questions to the cache's second level, and answers given to it."
	m.Counter(name, help, label("result", "done"), float64(l.asked.Load()-l.failed.Load()))
	m.Counter(name, "", label("result", "failed"), float64(l.failed.Load()))
	m.Counter(name, "", label("result", "undone"), float64(l.undone.Load()))
	m.Counter("gateway_cache_second_found_total", "Answers that the cache's second level had.", "", float64(l.found.Load()))
}

// do leaves a job to the workers, and reports whether there was room for it.
func (l *second) do(j job) bool {
	select {
	case l.jobs <- j:
		return true
	default:
		l.undone.Add(1)
		return false
	}
}

func (l *second) run() {
	for {
		select {
		case <-l.done.Done():
			return
		case j := <-l.jobs:
			l.call(j)
		}
	}
}

func (l *second) call(j job) {
	var err error
	switch {
	case j.got != nil:
		var value []byte
		if value, err = l.level.Get(j.key); value != nil {
			l.found.Add(1)
		}
		j.waiter.Post(j.loop, func(r *Request) { j.got(r, value) })
	case j.value != nil:
		err = l.level.Put(j.key, j.value, j.ttl)
	default:
		err = l.level.Delete(j.key)
	}
	l.asked.Add(1)
	if err != nil {
		l.failed.Add(1)
	}
}

// fetch has a request that leads wait for what the second level has, once, and reports whether it does. It allocates.
func (s *cache) fetch(r *Request, q *store.Request) bool {
	p := &r.Cache
	if s.level == nil || p.fetched {
		return false
	}
	p.fetched = true
	j := job{key: store.AppendKey(nil, q), loop: r.loop, waiter: r.Handle(), got: s.got}
	if !s.level.do(j) {
		return false
	}
	p.waiter, p.fetching = r.Wait(), true
	r.After(s.level.wait, func(int64) { p.goOn() })
	return true
}

// goOn has a request that waits for the second level go on.
func (p *CachePlace) goOn() {
	if p.fetching {
		p.fetching, p.woken = false, store.Lead
		p.waiter.Resume()
	}
}

// got takes what the second level had. Whatever is wrong with it is a miss.
func (s *cache) got(r *Request, value []byte) {
	if p := &r.Cache; p.fetching {
		if len(value) > 0 {
			q := s.request(r)
			if s.state.Of(r.Shard).Decode(value, &q, r.loop.Now(), time.Now().Unix()) != nil {
				s.level.failed.Add(1)
			}
		}
		p.goOn()
	}
}

// share gives the second level what was just stored for a request.
func (s *cache) share(r *Request, c *cacheState, q *store.Request) {
	if s.level == nil {
		return
	}
	value, ttl := c.Encode(nil, q, r.loop.Now(), time.Now().Unix())
	if ttl > 0 {
		s.level.do(job{key: store.AppendKey(nil, q), value: value, ttl: ttl})
	}
}
