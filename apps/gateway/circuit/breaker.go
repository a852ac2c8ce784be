package circuit

import (
	"errors"
	"time"
)

// Rule says when a breaker trips and how it recovers. Each of the three ways to trip is off where its number is 0; with
// several the first that holds trips.
type Rule struct {
	Consecutive int // failures in a row, however long that takes

	Failures int           // failures within Window
	Share    float64       // of the results within Window, 0 to 1, once there are Volume of them
	Volume   int           // fewest results that Share is judged by
	Window   time.Duration // rolls on by a tenth of it at a time

	Open   time.Duration // how long nothing is admitted
	Probes int           // requests that half-open admits, all of which must succeed
}

// Check returns what is wrong with a rule, nil if it can be used.
func (r Rule) Check() error {
	switch {
	case r.Consecutive < 0 || r.Failures < 0 || r.Volume < 0:
		return errors.New("a number of results is negative")
	case !(r.Share >= 0 && r.Share <= 1): // NaN is neither
		return errors.New("the share of failures is not between 0 and 1")
	case r.Share > 0 && r.Volume < 1:
		return errors.New("a share needs a volume that it is judged by")
	case (r.Failures > 0 || r.Share > 0) && r.Window < buckets:
		return errors.New("failures are counted in a window, and there is none")
	case r.Open <= 0:
		return errors.New("a breaker that opens must stay open for some time")
	case r.Probes < 1:
		return errors.New("without a probe a breaker never closes again")
	}
	return nil
}

// State is what a breaker does with requests.
type State uint8

const (
	Closed   State = iota // admits all
	Open                  // admits none
	HalfOpen              // admits Probes
)

// String returns the state as logs and metrics name it.
func (s State) String() string { return [...]string{"closed", "open", "half-open"}[s] }

// Result is how an admitted request ended.
type Result uint8

const (
	Success Result = iota
	Failure
	Void // neither: the client left, or nothing was sent
)

// Ticket belongs to an admitted request, and says between which two changes of the state it was admitted.
type Ticket uint32

// buckets are in a window; it rolls on by one of them.
const buckets = 10

// Breaker is the circuit breaker of one upstream on one shard. Its methods are for the owner of the shard, and now never
// goes back from one call to the next.
type Breaker struct {
	rule    *Rule
	state   State
	ticket  Ticket
	since   int64 // when the state began
	row     int   // failures in a row; in half-open, successes
	probes  int   // admitted in half-open and not void
	at      int64 // the bucket under way, counted from since
	sums    tally
	rolling [buckets]tally
}

// tally counts results.
type tally struct{ ok, failed uint32 }

// NewBreaker returns a closed breaker. The rule is one that Check accepts, and does not change.
func NewBreaker(r *Rule, now int64) *Breaker { return &Breaker{rule: r, since: now} }

// Use has the breaker go on by another rule, in the state that it is in. Results counted in a window of another length are
// forgotten. With the same pointer it costs a comparison.
func (b *Breaker) Use(r *Rule, now int64) {
	if r == b.rule {
		return
	}
	if r.Window != b.rule.Window && b.State(now) == Closed {
		*b = Breaker{ticket: b.ticket, since: now, row: b.row}
	}
	b.rule = r
}

// State returns the state at now.
func (b *Breaker) State(now int64) State {
	if b.state == Open && now-b.since > int64(b.rule.Open) {
		b.enter(HalfOpen, now)
	}
	return b.state
}

// Admit says whether a request may go to the upstream. If so, Done must be called with the ticket exactly once.
func (b *Breaker) Admit(now int64) (Ticket, bool) {
	switch b.State(now) {
	case Open:
		return 0, false
	case HalfOpen:
		if b.probes >= b.rule.Probes {
			return 0, false
		}
		b.probes++
	}
	return b.ticket, true
}

// Done says how an admitted request ended. It is counted at now, when that is known, not when the request began: those
// that run into a timeout longer than the window would never count otherwise.
func (b *Breaker) Done(t Ticket, now int64, r Result) {
	state := b.State(now)
	if t != b.ticket {
		return
	}
	switch {
	case state == Closed && r == Success:
		b.row = 0
		if b.windowed() {
			b.roll(now).ok++
			b.sums.ok++
		}
	case state == Closed && r == Failure:
		b.row++
		if b.windowed() {
			b.roll(now).failed++
			b.sums.failed++
		}
		if b.trips() {
			b.enter(Open, now)
		}
	case state == HalfOpen && r == Void:
		b.probes--
	case state == HalfOpen && r == Failure:
		b.enter(Open, now)
	case state == HalfOpen:
		if b.row++; b.row >= b.rule.Probes {
			b.enter(Closed, now)
		}
	}
}

// Remaining is how long an open breaker stays open, 0 if it is not open: for Retry-After, RFC 9110 §10.2.3.
func (b *Breaker) Remaining(now int64) time.Duration {
	if b.State(now) != Open {
		return 0
	}
	return time.Duration(b.since + int64(b.rule.Open) - now)
}

func (b *Breaker) enter(s State, now int64) {
	*b = Breaker{rule: b.rule, state: s, ticket: b.ticket + 1, since: now}
}

func (b *Breaker) windowed() bool { return b.rule.Failures > 0 || b.rule.Share > 0 }

// trips judges the results so far. Only a failure makes it ask: a success trips nothing.
func (b *Breaker) trips() bool {
	r, failed := b.rule, int(b.sums.failed)
	all := failed + int(b.sums.ok)
	return r.Consecutive > 0 && b.row >= r.Consecutive ||
		r.Failures > 0 && failed >= r.Failures ||
		r.Share > 0 && all >= r.Volume && float64(failed) >= r.Share*float64(all)
}

// roll returns the bucket of now, and forgets those that have left the window.
func (b *Breaker) roll(now int64) *tally {
	at := (now - b.since) / (int64(b.rule.Window) / buckets)
	for n := min(at-b.at, buckets); n > 0; n-- {
		old := &b.rolling[(at-n+1)%buckets]
		b.sums.ok -= old.ok
		b.sums.failed -= old.failed
		*old = tally{}
	}
	b.at = at
	return &b.rolling[at%buckets]
}
