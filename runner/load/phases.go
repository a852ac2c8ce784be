package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"corelab/results"
)

// Bounds of a load in phases.
const (
	MaxPhases = 16                    // each has a histogram of its own in every thread
	maxSlices = 200                   // likewise, a small one
	sliceMin  = 50 * time.Millisecond // shorter ones hold too few answers for a percentile
	sliceUnit = 10 * time.Millisecond // slices are multiples of it
)

// Phase is a part of an open loop with a rate of its own.
type Phase struct {
	Name     string        `json:"name"`
	Rate     float64       `json:"rate"` // requests per second
	Duration time.Duration `json:"duration_ns"`
}

// ParsePhases reads "RATE:DURATION,…", each with an optional name before it: "30000:2s,burst=90000:1s,30000:2s".
func ParsePhases(s string) ([]Phase, error) {
	var out []Phase
	for i, part := range strings.Split(s, ",") {
		p := Phase{Name: strconv.Itoa(i + 1)}
		shape := part
		if name, rest, named := strings.Cut(part, "="); named {
			p.Name, shape = name, rest
		}
		rate, span, ok := strings.Cut(shape, ":")
		var err, err2 error
		p.Rate, err = strconv.ParseFloat(rate, 64)
		p.Duration, err2 = time.ParseDuration(span)
		if !ok || err != nil || err2 != nil {
			return nil, fmt.Errorf("phase %q: write requests per second, a colon and a duration, like 30000:2s or burst=90000:500ms", part)
		}
		out = append(out, p)
	}
	return out, nil
}

// whole is the length of all phases, and the mean rate over it.
func whole(phases []Phase) (length time.Duration, rate float64) {
	for _, p := range phases {
		length += p.Duration
		rate += p.Rate * p.Duration.Seconds()
	}
	if length > 0 {
		rate /= length.Seconds()
	}
	return length, rate
}

// checkPhases says what is wrong with the phases of a filled Spec.
func (s Spec) checkPhases() error {
	if len(s.Phases) == 0 {
		return nil
	}
	if len(s.Phases) > MaxPhases {
		return fmt.Errorf("%d phases: at most %d", len(s.Phases), MaxPhases)
	}
	for _, p := range s.Phases {
		if !(p.Rate > 0 && p.Rate <= 1e7) || p.Duration <= 0 {
			return fmt.Errorf("phase %s of %g requests per second for %v: the rate must be above 0 and at most 1e7, the duration above 0", p.Name, p.Rate, p.Duration)
		}
	}
	if length, rate := whole(s.Phases); s.Duration != length || s.Rate != rate {
		return errors.New("phases have rates and durations of their own: leave out the rate and the duration of the whole")
	}
	return nil
}

// phased says whether requests are accounted for by the phase and the slice in which they were due.
func (s Spec) phased() bool { return len(s.Phases) > 0 }

// slice is how long the slices of a window are.
func (s Spec) slice() time.Duration {
	d := (s.Duration + maxSlices - 1) / maxSlices
	return max((d+sliceUnit-1)/sliceUnit*sliceUnit, sliceMin)
}

// account is what became of the requests that were due in one phase; an open loop without phases has one. Every request
// that was due stands in exactly one of answered, errors, unsent and cut.
type account struct {
	due      uint64
	answered uint64 // rightly and, in phases, within the time-out from when it was due
	errors   [kinds]uint64
	unsent   uint64
	cut      uint64 // in flight when the loop ended, and younger than the time-out
	served   uint64 // right answers that came while the phase lasted, whenever they were due
	late     uint64 // sent more than lateAfter after it was due
	own      uint64 // of these, late by the generator's own fault
	behind   int64  // ns in which a request was due and no connection free
	waited   int64  // of these, in which no answer lay unread either: the generator waited for the server
	latency  *hdrhistogram.Histogram
}

// sliced is what became of the requests that were due in one slice.
type sliced struct {
	due, answered uint64
	latency       *hdrhistogram.Histogram
}

// Of a slice's histogram: two digits from a microsecond to a minute take 30 KiB where three from 1 ns take 600.
const (
	sliceLatencyMin    = int64(time.Microsecond)
	sliceLatencyMax    = int64(time.Minute)
	sliceLatencyDigits = 2
)

func newAccounts(s Spec) ([]account, []sliced) {
	if !s.phased() {
		return make([]account, 1), nil
	}
	accounts := make([]account, len(s.Phases))
	for i := range accounts {
		accounts[i].latency = hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
	}
	slices := make([]sliced, (s.Duration+s.slice()-1)/s.slice())
	for i := range slices {
		slices[i].latency = hdrhistogram.New(sliceLatencyMin, sliceLatencyMax, sliceLatencyDigits)
	}
	return accounts, slices
}

// add takes in what another loop counted.
func (a *account) add(o *account) {
	a.due, a.answered, a.unsent, a.cut, a.served = a.due+o.due, a.answered+o.answered, a.unsent+o.unsent, a.cut+o.cut, a.served+o.served
	a.late, a.own, a.behind, a.waited = a.late+o.late, a.own+o.own, a.behind+o.behind, a.waited+o.waited
	for k, n := range o.errors {
		a.errors[k] += n
	}
	if a.latency != nil {
		a.latency.Merge(o.latency)
	}
}

// sliceOf is the slice of the window in which something was due.
func (l *loop) sliceOf(due int64) *sliced {
	i := (due - l.begin) / int64(l.spec.slice())
	return &l.tally.slices[min(max(int(i), 0), len(l.tally.slices)-1)]
}

// accountNow is the account of the phase that lasts now.
func (l *loop) accountNow() *account {
	i := 0
	for end := l.begin; i < len(l.spec.Phases)-1; i++ {
		if end += int64(l.spec.Phases[i].Duration); l.now < end {
			break
		}
	}
	return &l.tally.accounts[i]
}

// takeDue takes the request that is due next off the queue, and counts it if it is of the window.
func (l *loop) takeDue() (due int64, phase int, counted bool) {
	due, phase = l.arrive.due, l.arrive.phase()
	counted = l.phase == measuring && due >= l.begun
	if counted {
		l.tally.accounts[phase].due++
		if l.spec.phased() {
			l.sliceOf(due).due++
		}
	}
	l.arrive.next()
	return due, phase, counted
}

// expired passes over the requests that have waited for a connection as long as anyone waits for an answer: they are
// never sent. Without phases a request waits for ever.
func (l *loop) expired() {
	if !l.spec.phased() {
		return
	}
	for limit := l.now - int64(l.spec.Timeout); l.arrive.due <= limit && l.arrive.due < l.last; {
		if _, phase, counted := l.takeDue(); counted {
			l.tally.accounts[phase].unsent++
			l.tally.unsent++
		}
	}
}

// leaveBehind counts what is due in the window and was not sent.
func (l *loop) leaveBehind(end int64) {
	for l.arrive.due < end {
		if _, phase, counted := l.takeDue(); counted {
			l.tally.accounts[phase].unsent++
			l.tally.unsent++
		}
	}
}

// sentLate counts a request that was sent late, and whose fault that was. It was the server's if, at some moment since the
// request was due, no connection was free and no answer lay unread. Else a connection was free, or answers lay there, and
// the generator was late by itself.
func (l *loop) sentLate(c *conn, late int64) {
	if l.phase != measuring || late <= lateAfter {
		return
	}
	l.tally.late++
	l.tally.lateMax = max(l.tally.lateMax, late)
	if !c.counted {
		return
	}
	a := &l.tally.accounts[c.phase]
	a.late++
	if l.waitedUntil < c.due {
		a.own++
	}
}

// await waits for events, and says whether there are any. Where requests are due and no connection is free, it looks first
// whether an answer lies unread: only if there is none, it is the server that is waited for.
func (l *loop) await() (ready bool) {
	if l.arrive == nil || !l.free.empty() {
		return l.engine.wait(l.idle())
	}
	if l.behindSince > 0 && l.engine.wait(0) {
		return true
	}
	from := max(now(), l.arrive.due)
	ready = l.engine.wait(l.idle())
	l.waitedUntil = now()
	if l.phase == measuring && l.waitedUntil > from {
		l.accountNow().waited += l.waitedUntil - from
	}
	return ready
}

// fallBehind keeps the account of the time in which requests are due and no connection is free.
func (l *loop) fallBehind(behind bool) {
	if l.behindSince > 0 && l.phase == measuring {
		l.accountNow().behind += l.now - l.behindSince
	}
	if l.behindSince = 0; behind {
		l.behindSince = l.now
	}
}

// succeeded closes the account of a request of the window that was answered rightly.
func (l *loop) succeeded(c *conn) {
	if !c.counted {
		return
	}
	c.counted = false
	l.tally.accounts[c.phase].answered++
	if l.phase != draining {
		l.accountNow().served++
	}
	if l.spec.phased() {
		l.sliceOf(c.due).answered++
	}
}

// erred closes the account of a request of the window that failed.
func (l *loop) erred(c *conn, k kind) {
	if c.counted {
		c.counted = false
		l.tally.accounts[c.phase].errors[k]++
	}
}

// tooLate says whether the answer of a load in phases came when nobody waited for it any longer.
func (l *loop) tooLate(c *conn) bool {
	return l.spec.phased() && c.counted && l.now-c.due > int64(l.spec.Timeout)
}

// recordPhase records how long an answer of the window took from when it was due.
func (l *loop) recordPhase(c *conn) {
	record(l.tally.accounts[c.phase].latency, l.now-c.due)
	ns := min(max(l.now-c.due, sliceLatencyMin), sliceLatencyMax)
	_ = l.sliceOf(c.due).latency.RecordValue(ns) // the bounds exclude its error
}

// recordPhases puts the accounts into the record. ended is when the first loop's window ended.
func (p *plan) recordPhases(r *Result, t *tally, begun, ended int64) error {
	for i := range t.accounts {
		a := &t.accounts[i]
		r.LateOwn += a.own
		r.Behind += time.Duration(a.behind)
		r.Waited += time.Duration(a.waited)
	}
	if !p.spec.phased() {
		return nil
	}
	at := p.begin
	for i, f := range p.spec.Phases {
		a := &t.accounts[i]
		from, to := max(at, begun), min(at+int64(f.Duration), ended)
		at += int64(f.Duration)
		phase := results.Phase{Name: f.Name, Rate: f.Rate, Elapsed: time.Duration(max(to-from, 0)), Due: a.due, Answered: a.answered,
			Errors: byKind(a.errors), Served: a.served, Unsent: a.unsent, Cut: a.cut, Late: a.late, LateOwn: a.own,
			Behind: time.Duration(a.behind), Waited: time.Duration(a.waited)}
		var err error
		if phase.Latency, err = distribution(a.latency); err != nil {
			return err
		}
		if phase.Latency != nil {
			phase.Latency.HDR = "" // the whole window's stands in the load
		}
		r.Phases = append(r.Phases, phase)
	}
	length := p.spec.slice()
	for i := range t.slices {
		begin := time.Duration(i) * length
		if p.begin+int64(begin) >= ended {
			break
		}
		s := &t.slices[i]
		at := func(q float64) time.Duration { return time.Duration(s.latency.ValueAtQuantile(q)) }
		r.Slices = append(r.Slices, results.Slice{Begin: begin, Due: s.due, Answered: s.answered, P50: at(50), P99: at(99), Max: time.Duration(s.latency.Max())})
	}
	return nil
}
