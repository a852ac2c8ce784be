// Package concurrency limits how many requests are under way at once to what their server can take, which it finds out from
// how long they take.
//
// The rule is that of Gradient2Limit in Netflix's concurrency-limits (github.com/Netflix/concurrency-limits, in turn after
// TCP Vegas): the average latency of long compared with that of now says whether a queue grows,
//
//	gradient = max(½, min(1, Tolerance · long / now))
//	limit    = limit · (1 − Smoothing) + (limit · gradient + Queue) · Smoothing
//
// and nothing is learnt where less than half of the limit is in use. Two things differ. It takes a whole sample of requests
// for each step, not a single one, so that its pace depends on time and not on the rate; and the sample's mean is compared,
// so that a step costs nothing per request but an addition.
package concurrency

import (
	"errors"
	"time"
)

// Settings say how a Limiter moves. The zero value of a field is its default, in brackets.
type Settings struct {
	Initial   float64       // requests under way at the beginning [20]
	Least     float64       // never less [1]
	Most      float64       // never more [1000]
	Queue     float64       // how many may wait: what the limit grows by while nothing gets slower [4]
	Tolerance float64       // how many times longer than usual is nothing yet [1.5]
	Smoothing float64       // of a step, from 0 to 1 [0.2]
	Sample    time.Duration // what a step is made of [100 ms]
	Long      int           // samples that the long average remembers, roughly [100]
}

// minSample is how many requests a sample has at least.
const minSample = 10

// Filled returns s with defaults, or what is wrong with it.
func (s Settings) Filled() (Settings, error) {
	set := func(f *float64, v float64) {
		if *f == 0 {
			*f = v
		}
	}
	set(&s.Initial, 20)
	set(&s.Least, 1)
	set(&s.Most, 1000)
	set(&s.Queue, 4)
	set(&s.Tolerance, 1.5)
	set(&s.Smoothing, 0.2)
	if s.Sample == 0 {
		s.Sample = 100 * time.Millisecond
	}
	if s.Long == 0 {
		s.Long = 100
	}
	switch {
	case !(s.Least >= 1 && s.Most >= s.Least && s.Most <= 1e6):
		return s, errors.New("the limits are from 1 to a million, the least not above the most")
	case !(s.Queue >= 0 && s.Queue <= s.Most):
		return s, errors.New("the queue is from 0 to the most")
	case !(s.Tolerance >= 1 && s.Tolerance <= 10):
		return s, errors.New("the tolerance is from 1 to 10")
	case !(s.Smoothing > 0 && s.Smoothing <= 1):
		return s, errors.New("the smoothing is from 0 to 1")
	case s.Sample < time.Millisecond || s.Long < 1:
		return s, errors.New("a sample is a millisecond or more, and at least one is remembered")
	}
	s.Initial = max(s.Least, min(s.Most, s.Initial))
	return s, nil
}

// Limiter is the limit of one shard, and what it learns from. One goroutine at a time may use it. The zero Limiter begins
// at Settings.Initial. It reads no clock, and allocates nothing.
type Limiter struct {
	limit float64
	long  float64 // ns
	busy  int     // under way
	peak  int     // most of them since the sample began
	sum   float64 // ns of the sample
	count int
	end   int64 // of the sample
}

// Limit is how many may be under way now.
func (l *Limiter) Limit(s *Settings) int {
	if l.limit == 0 {
		return int(s.Initial)
	}
	return int(max(s.Least, min(s.Most, l.limit)))
}

// Busy is how many are under way.
func (l *Limiter) Busy() int { return l.busy }

// Begin takes a place if there is one. Who has one must End it.
func (l *Limiter) Begin(s *Settings) bool {
	if l.busy >= l.Limit(s) {
		return false
	}
	l.busy++
	l.peak = max(l.peak, l.busy)
	return true
}

// End gives a place back. counts says whether the latency is one to learn from: not that of a request that was given up.
func (l *Limiter) End(s *Settings, now int64, latency time.Duration, counts bool) {
	l.busy--
	if !counts || latency <= 0 {
		return
	}
	l.sum += float64(latency)
	l.count++
	if now < l.end || l.count < minSample {
		return
	}
	l.step(s, l.sum/float64(l.count))
	l.sum, l.count, l.peak, l.end = 0, 0, l.busy, now+int64(s.Sample)
}

// step moves the limit by what a sample says.
func (l *Limiter) step(s *Settings, short float64) {
	if l.limit == 0 {
		l.limit, l.long = s.Initial, short
	}
	l.long += (short - l.long) / float64(s.Long)
	if l.long > 2*short { // what it remembers is of a time that is over
		l.long *= 0.9
	}
	if float64(l.peak) < l.limit/2 {
		return
	}
	gradient := max(0.5, min(1, s.Tolerance*l.long/short))
	next := l.limit*gradient + s.Queue
	l.limit = max(s.Least, min(s.Most, l.limit*(1-s.Smoothing)+next*s.Smoothing))
}
