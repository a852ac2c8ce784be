package ledger

import (
	"time"

	"corelab/apps/gateway/quota"
)

// entry is a tally, and what of it Redis does not have.
type entry struct {
	tally  *quota.Tally
	closed bool  // nobody adds to it any more
	at     int64 // when it was collected last

	full   int64 // of a Bucket: when it would be full again if nothing but this had been taken
	amount time.Duration

	number        int64 // of a Window
	before, count int64 // what is to be added to the one before, and to it
}

// idleFor is how long a key must not have been taken from, besides two periods, before its tally is let go.
const idleFor = 2 * time.Second

// collect takes what the tallies have, lets the idle ones go, and returns what is due.
func (a *account) collect(now int64) (due []sending) {
	p := a.policy.Load()
	a.Journal.Fresh(func(t *quota.Tally) { a.entries = append(a.entries, &entry{tally: t, at: now}) })
	kept := a.entries[:0]
	for _, e := range a.entries {
		last := e.at
		if !e.closed {
			var n int64
			n, last = e.tally.Collect()
			e.absorb(p, now, n)
		}
		if !e.owes(p) && !e.closed && now-last > int64(2*p.Period+idleFor) {
			e.closed = true
			e.absorb(p, now, a.Journal.Done(e.tally))
		}
		if e.owes(p) {
			due = append(due, sending{account: a, entry: e, policy: p})
		} else if e.closed {
			continue
		}
		kept = append(kept, e)
	}
	clear(a.entries[len(kept):])
	a.entries = kept
	return due
}

// absorb adds n tokens that were taken.
func (e *entry) absorb(p *quota.Policy, now, n int64) {
	e.at = now
	if p.Kind == quota.Bucket {
		e.full = max(e.full, now) + int64(p.Worth(n))
		return
	}
	switch number := p.Number(now); number - e.number {
	case 0:
	case 1:
		e.number, e.before, e.count = number, e.count, 0
	default:
		e.number, e.before, e.count = number, 0, 0
	}
	e.count += n
}

// owes reports whether Redis does not know all.
func (e *entry) owes(p *quota.Policy) bool {
	if p.Kind == quota.Bucket {
		return e.full >= e.at+int64(time.Microsecond)
	}
	return e.count > 0 || e.before > 0
}
