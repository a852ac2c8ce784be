package servers

import (
	"sync/atomic"

	"corelab/httpcore"
)

// tally is one worker's numbers. The worker counts in plain fields and publishes them once a turn; any goroutine may take
// a snapshot of what was published.
type tally struct {
	accepted uint64
	open     int64
	last     WorkerStats

	shown struct {
		accepted, requests, errors atomic.Uint64
		open                       atomic.Int64
		_                          [32]byte // the next worker's numbers lie in another cache line
	}
}

// publish shows the numbers so far; count is the worker's Env.Count. Only the worker calls it.
func (t *tally) publish(count *httpcore.Counters) {
	// An atomic store costs as much as a system call's entry: only what has changed is stored.
	if t.last.Requests != count.Requests {
		t.last.Requests = count.Requests
		t.shown.requests.Store(count.Requests)
	}
	if t.last.Errors != count.Errors {
		t.last.Errors = count.Errors
		t.shown.errors.Store(count.Errors)
	}
	if t.last.Accepted != t.accepted {
		t.last.Accepted = t.accepted
		t.shown.accepted.Store(t.accepted)
	}
	if t.last.Open != t.open {
		t.last.Open = t.open
		t.shown.open.Store(t.open)
	}
}

// snapshot returns what was published. Any goroutine may call it.
func (t *tally) snapshot() WorkerStats {
	return WorkerStats{
		Accepted: t.shown.accepted.Load(),
		Open:     t.shown.open.Load(),
		Requests: t.shown.requests.Load(),
		Errors:   t.shown.errors.Load(),
	}
}
