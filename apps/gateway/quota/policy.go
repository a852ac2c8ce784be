package quota

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Kind is how a policy counts.
type Kind uint8

const (
	Bucket Kind = iota // tokens that come at a steady rate, up to a burst
	Window             // so many in any window of that length, by the weighted counters of two of them
)

// Policy is a limit: Limit tokens each Period. It is a value; make it with [NewPolicy].
type Policy struct {
	Kind     Kind
	Limit    int64
	Period   time.Duration
	Burst    int64 // of a Bucket: what may be taken at once
	Interval time.Duration

	token int64 // of a Bucket: the time in which one comes, in ticks
	depth int64 // Burst of these
}

// word is the state of a key under a policy; 0 is that of one who has used nothing up. Of a Bucket it is the theoretical
// arrival time of GCRA (ITU-T I.371): when the bucket will be full again, in ticks. Of a Window it is the number of the
// window, the count in the one before, and the count in it.
type word = int64

// A tick is a sixteenth of a nanosecond: a token of a million a second has 16,000 of them, and 2⁶³ are 18 years of an
// origin that the caller's clock has; see [Epoch].
const (
	tickShift = 4

	// Epoch is what times are counted from, in Unix nanoseconds: 2026-01-01. Until 2044 none is out of range.
	Epoch = int64(1_767_225_600_000_000_000)

	maxRate   = 1_000_000            // tokens a second of a bucket
	maxPeriod = 366 * 24 * time.Hour //
	maxCount  = 1<<22 - 1            // of a window
)

// NewPolicy returns the policy of limit tokens each period. burst is for a Bucket, 0 means limit; interval is how long a
// lease lasts.
func NewPolicy(kind Kind, limit int64, period time.Duration, burst int64, interval time.Duration) (p Policy, err error) {
	if burst == 0 {
		burst = limit
	}
	p = Policy{Kind: kind, Limit: limit, Period: period, Burst: burst, Interval: interval}
	switch {
	case limit < 1 || burst < 1:
		return p, errors.New("a limit and a burst are at least 1")
	case period < time.Millisecond || period > maxPeriod:
		return p, fmt.Errorf("a period of %v: it is from a millisecond to a year", period)
	case interval < 0 || interval > period && kind == Window:
		return p, fmt.Errorf("an interval of %v: it is at most the period", interval)
	case kind == Window && limit > maxCount:
		return p, fmt.Errorf("a limit of %d in a window: at most %d can be counted", limit, maxCount)
	case kind == Window:
		p.Burst = limit
		return p, nil
	case float64(limit)/period.Seconds() > maxRate:
		return p, fmt.Errorf("a limit of %d each %v: at most %d a second can be counted", limit, period, maxRate)
	}
	ticks := float64(period) * (1 << tickShift) / float64(limit)
	if ticks*float64(burst) > math.MaxInt64/4 {
		return p, fmt.Errorf("a burst of %d: it takes longer than a year to come back", burst)
	}
	p.token = int64(math.Round(ticks))
	p.depth = p.token * burst
	return p, nil
}

// ticks is a time as a Bucket counts it.
func ticks(now int64) int64 { return (now - Epoch) << tickShift }

// take takes up to want tokens, at least one, and returns the word after it. got is 0 where there is none.
func (p *Policy) take(w word, now, want int64) (after word, got int64) {
	if p.Kind == Window {
		return p.takeWindow(w, now, want)
	}
	t := ticks(now)
	full := max(w, t)
	got = min(want, (t+p.depth-full)/p.token)
	if got <= 0 {
		return w, 0
	}
	return full + got*p.token, got
}

// charge takes n tokens, there or not.
func (p *Policy) charge(w word, now, n int64) word {
	if p.Kind == Window {
		i, before, count := p.roll(w, now)
		return pack(i, before, count+n)
	}
	return max(w, ticks(now)) + n*p.token
}

// refund gives n tokens back, of those that were taken since since.
func (p *Policy) refund(w word, since, n int64) word {
	if p.Kind == Window {
		i, before, count := unpack(w)
		switch p.index(since) {
		case i:
			count = max(0, count-n)
		case i - 1:
			before = max(0, before-n)
		}
		return pack(i, before, count)
	}
	return w - n*p.token
}

// Left is what the limit still has, and when there will be more: all of it, of a bucket, and the next one if nothing is
// left; the time until a window ends.
type Left struct {
	Tokens int64
	Reset  time.Duration // until Tokens is what it is at most
	Retry  time.Duration // until there is one; 0 if there is
}

// left says what is left of w.
func (p *Policy) left(w word, now int64) (l Left) {
	if p.Kind == Window {
		return p.leftWindow(w, now)
	}
	t := ticks(now)
	full := max(w, t)
	l.Tokens = max(0, (t+p.depth-full)/p.token)
	l.Reset = time.Duration((full - t) >> tickShift)
	if l.Tokens == 0 {
		l.Retry = time.Duration((full + p.token - p.depth - t + 1<<tickShift - 1) >> tickShift)
	}
	return l
}

// used is how much of w is used up, for comparing words of one policy; 0 is what a fresh one has.
func (p *Policy) used(w word, now int64) int64 {
	if p.Kind == Window {
		_, before, count := p.roll(w, now)
		return before + 2*count
	}
	return max(0, w-ticks(now))
}

// join is a word that has used up at least what a has, and what b has.
func (p *Policy) join(a, b word, now int64) word {
	if p.Kind == Window {
		i, before, count := p.roll(a, now)
		_, before2, count2 := p.roll(b, now)
		return pack(i, max(before, before2), max(count, count2))
	}
	return max(a, b)
}

// A window's word is 20 bits of its number, 22 of the count before, 22 of its own.
const (
	countBits  = 22
	numberMask = 1<<20 - 1
)

func pack(i, before, count int64) word {
	return i&numberMask<<(2*countBits) | min(before, maxCount)<<countBits | min(count, maxCount)
}

func unpack(w word) (i, before, count int64) {
	return w >> (2 * countBits) & numberMask, w >> countBits & maxCount, w & maxCount
}

// index is the number of the window that now is in, as a word has it. A word that nobody touched for just 2²⁰ windows is
// taken for one of the present, which may refuse what is not too much.
func (p *Policy) index(now int64) int64 { return (now - Epoch) / int64(p.Period) & numberMask }

// roll moves a word to the window of now.
func (p *Policy) roll(w word, now int64) (i, before, count int64) {
	at, before, count := unpack(w)
	i = p.index(now)
	switch (i - at) & numberMask {
	case 0:
		return i, before, count
	case 1:
		return i, count, 0
	case numberMask: // of a clock that is a little behind: the window is over for others already
		return at, before, count
	}
	return i, 0, 0
}

// free is how many tokens a window has: of the count before as much weighs as of its time is within one period from now,
// rounded down, so that an even load gets all of its Limit. The weighted sum exceeds it by less than one token.
func (p *Policy) free(before, count, now int64) int64 {
	period := p.Period
	rest := period - time.Duration((now-Epoch)%int64(period))
	return p.Limit - count - scale(before, int64(rest), int64(period))
}

// scale is a·b/c, rounded down, where that is an int64.
func scale(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(high, low, uint64(c))
	return int64(q)
}

func (p *Policy) takeWindow(w word, now, want int64) (after word, got int64) {
	i, before, count := p.roll(w, now)
	got = min(want, p.free(before, count, now))
	if got <= 0 {
		return w, 0
	}
	return pack(i, before, count+got), got
}

func (p *Policy) leftWindow(w word, now int64) (l Left) {
	_, before, count := p.roll(w, now)
	period := int64(p.Period)
	gone := (now - Epoch) % period
	l.Tokens = max(0, p.free(before, count, now))
	l.Reset = time.Duration(period - gone)
	if l.Tokens > 0 {
		return l
	}
	// The weight of what was before must fall below what is free: in this window, or, where it is full by itself, in the
	// next, with what it counted as the one before.
	wait := int64(0)
	if count >= p.Limit {
		wait, before, count, gone = period-gone, count, 0, 0
	}
	at := period - scale(p.Limit-count, period, before)
	if scale(before, period-at, period) == p.Limit-count { // it must be below
		at++
	}
	l.Retry = time.Duration(wait + max(1, at-gone))
	return l
}

// end is when a lease taken now ends: after the interval, or with the window.
func (p *Policy) end(now int64) int64 {
	end := now + int64(p.Interval)
	if p.Kind == Window {
		end = min(end, now+int64(p.Period)-(now-Epoch)%int64(p.Period))
	}
	return end
}

// What follows is for those who count a policy elsewhere too.

// Worth is the time in which n tokens of a Bucket come.
func (p *Policy) Worth(n int64) time.Duration { return time.Duration(n * p.token >> tickShift) }

// Missing is what a Bucket has used up which is full again in d, for [Book.Raise].
func (p *Policy) Missing(now int64, d time.Duration) int64 { return ticks(now) + int64(d)<<tickShift }

// Number is the number of a Window, and Counted is what has used up those counts of the one before and of it.
func (p *Policy) Number(now int64) int64 { return (now - Epoch) / int64(p.Period) }

// Counted: see Number.
func (p *Policy) Counted(number, before, count int64) int64 {
	return pack(number, max(0, before), max(0, count))
}
