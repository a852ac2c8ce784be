package gateway

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"corelab/apps/gateway/settings"
	"corelab/apps/gateway/store"
	"corelab/httpcore"
)

// SecondConfig is the cache's second level: a miss looks there before it asks the upstream.
type SecondConfig struct {
	Kind    string            `toml:"kind"`    // memory: of this process, for all its shards
	Entries int               `toml:"entries"` // of kind memory, 10000
	Wait    settings.Duration `toml:"wait"`    // most time that a miss waits for it, 50ms
}

const (
	defaultEntries    = 10_000
	defaultSecondWait = 50 * time.Millisecond
	secondWorkers     = 4    // that ask the second level, at once
	secondQueue       = 1024 // jobs that wait for them; more are left undone, and counted
)

// secondKinds is every kind of second level there is. A new one is one line.
var secondKinds = map[string]func(c *SecondConfig) store.Second{
	"memory": func(c *SecondConfig) store.Second { return &store.Memory{Clock: time.Now, Most: c.Entries} },
}

// second asks the second level off the loops, by a few goroutines. A level that is slow or away costs a miss the wait at
// most, and one whose queue is full nothing: the upstream is asked, which is what it is there for.
type second struct {
	level  store.Second
	wait   time.Duration
	jobs   chan job
	done   context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	undone, failed atomic.Uint64 // jobs
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
		filled := *c
		if filled.Entries == 0 {
			filled.Entries = defaultEntries
		}
		kind := secondKinds[c.Kind]
		if kind == nil {
			b.Fault("cache.second.kind", "%q is no kind of second level%s", c.Kind, among(secondKinds))
			return nil
		}
		if filled.Entries < 0 {
			b.Fault("cache.second.entries", "entries is a number of answers")
		}
		return Share(b, "cache second", "", fmt.Sprintf("%+v", filled), func() *second {
			l := &second{level: kind(&filled), wait: filled.Wait.Or(defaultSecondWait), jobs: make(chan job, secondQueue)}
			l.done, l.cancel = context.WithCancel(context.Background())
			return l
		})
	})
}

// Start implements Starter.
func (l *second) Start(*Gateway) {
	for range secondWorkers {
		l.work.Go(l.run)
	}
}

// Close ends the workers; jobs that wait are left undone.
func (l *second) Close() error {
	l.cancel()
	return nil
}

// Wait returns when they have ended.
func (l *second) Wait() { l.work.Wait() }

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
		value, err = l.level.Get(j.key)
		j.waiter.Post(j.loop, func(r *Request) { j.got(r, value) })
	case j.value != nil:
		err = l.level.Put(j.key, j.value, j.ttl)
	default:
		err = l.level.Delete(j.key)
	}
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
