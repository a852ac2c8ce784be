package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"corelab/apps/gateway/quota"
)

// Asker is the other way, for comparison: Redis is asked for each request, by goroutines that wait for it. It is exact, and
// costs a round trip each time. It knows buckets only. When Redis is away there is no answer but an error.
type Asker struct {
	client *redis.Client
	prefix string
	jobs   chan question
	wait   sync.WaitGroup
	mu     sync.RWMutex
	closed bool
}

// question is a request's.
type question struct {
	key  string
	p    quota.Policy
	done func(Answer)
}

// Answer is what Redis says.
type Answer struct {
	Admitted bool
	Left     quota.Left
	Err      error
}

// NewAsker returns an Asker of so many goroutines and connections, and a queue for those that wait for one.
func NewAsker(o Options, workers, queue int) *Asker {
	a := &Asker{client: o.Client(workers), prefix: o.Prefix, jobs: make(chan question, queue)}
	for range workers {
		a.wait.Go(func() {
			for q := range a.jobs {
				q.done(a.ask(&q))
			}
		})
	}
	return a
}

// Try asks for a token of a key of a rule, and has done called on another goroutine. It is false if the queue is full, or
// the Asker closed.
func (a *Asker) Try(p quota.Policy, rule, key string, done func(Answer)) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		return false
	}
	select {
	case a.jobs <- question{a.prefix + rule + ":" + key, p, done}:
		return true
	default:
		return false
	}
}

// Close waits for the answers that are due, and ends the Asker.
func (a *Asker) Close() error {
	a.mu.Lock()
	a.closed = true
	close(a.jobs)
	a.mu.Unlock()
	a.wait.Wait()
	return a.client.Close()
}

func (a *Asker) ask(q *question) Answer {
	depth := q.p.Worth(q.p.Burst)
	token := float64(q.p.Period) / float64(q.p.Limit) / 1000
	n, err := takeScript.Run(context.Background(), a.client, []string{q.key}, token, float64(depth)/1000).Int64Slice()
	if err != nil {
		return Answer{Err: fmt.Errorf("redis: a token: %w", err)}
	}
	if len(n) != 2 {
		return Answer{Err: fmt.Errorf("redis: a token: %d numbers", len(n))}
	}
	d := time.Duration(n[1]) * time.Microsecond
	if n[0] == 0 {
		return Answer{Left: quota.Left{Reset: depth, Retry: d}}
	}
	return Answer{true, quota.Left{Tokens: int64(max(0, depth-d) / q.p.Worth(1)), Reset: d}, nil}
}
