package circuit

import (
	"errors"
	"math"
	"time"
)

// Ejection says when an endpoint is an outlier and for how long it is taken out. Consecutive or Share may be 0: off.
type Ejection struct {
	Consecutive int // failures in a row

	Share    float64       // of the results within Interval, 0 to 1, once there are Volume of them
	Volume   int           // fewest results that Share is judged by
	Interval time.Duration // results are counted for as long, and each one without an ejection forgives an earlier one

	Base time.Duration // the first ejection; the k-th lasts k times as long
	Max  time.Duration // but no longer than this
	Cap  float64       // share of the endpoints that may be out at once, rounded down
}

// Check returns what is wrong with the numbers, nil if they can be used.
func (e Ejection) Check() error {
	switch {
	case e.Consecutive < 0 || e.Volume < 0:
		return errors.New("a number of results is negative")
	case !(e.Share >= 0 && e.Share <= 1):
		return errors.New("the share of failures is not between 0 and 1")
	case !(e.Cap >= 0 && e.Cap <= 1):
		return errors.New("the share of endpoints that may be ejected is not between 0 and 1")
	case e.Share > 0 && e.Volume < 1:
		return errors.New("a share needs a volume that it is judged by")
	case e.Interval <= 0:
		return errors.New("there is no interval")
	case e.Base <= 0 || e.Max < e.Base:
		return errors.New("the first ejection must take some time, and the longest no less")
	}
	return nil
}

// Outliers is who of an upstream's endpoints is out, on one shard. Its methods are for the owner of the shard.
type Outliers struct {
	rule   Ejection
	all    []outlier
	out    int
	allow  int   // that may be out
	next   int64 // when the first of those out returns
	capped uint64
}

type outlier struct {
	out    bool
	row    int   // failures in a row
	times  int   // ejections that are not forgiven
	until  int64 // when it returns; once it has, when it did
	since  int64 // when the tally began
	counts tally
}

// NewOutliers returns n endpoints, none of which is out. The rule is one that Check accepts.
func NewOutliers(e Ejection, n int, now int64) *Outliers {
	o := &Outliers{rule: e, all: make([]outlier, n), allow: int(e.Cap * float64(n)), next: math.MaxInt64}
	for i := range o.all {
		o.all[i].since, o.all[i].until = now, now
	}
	return o
}

// Out reports whether endpoint i is out.
func (o *Outliers) Out(i int) bool { return o.all[i].out }

// Capped counts the ejections that did not happen because too many were out already.
func (o *Outliers) Capped() uint64 { return o.capped }

// Told takes a result of endpoint i, and reports whether it is ejected for it. Results that arrive while it is out are of
// requests from before, and are not counted.
func (o *Outliers) Told(i int, now int64, ok bool) (ejected bool) {
	p := &o.all[i]
	if p.out {
		return false
	}
	if now-p.since > int64(o.rule.Interval) {
		p.since, p.counts = now, tally{}
	}
	if ok {
		p.row = 0
		p.counts.ok++
		return false
	}
	p.row++
	p.counts.failed++
	if !o.rule.judges(p) {
		return false
	}
	if o.out >= o.allow {
		o.capped++
		return false
	}
	o.eject(p, now)
	return true
}

func (e *Ejection) judges(p *outlier) bool {
	failed := int(p.counts.failed)
	all := failed + int(p.counts.ok)
	return e.Consecutive > 0 && p.row >= e.Consecutive ||
		e.Share > 0 && all >= e.Volume && float64(failed) >= e.Share*float64(all)
}

func (o *Outliers) eject(p *outlier, now int64) {
	forgiven := (now - p.until) / int64(o.rule.Interval)
	p.times = int(max(0, int64(p.times)-forgiven)) + 1
	p.out = true
	p.until = now + int64(o.rule.Max)
	if int64(p.times) <= int64(o.rule.Max/o.rule.Base) {
		p.until = now + int64(p.times)*int64(o.rule.Base)
	}
	o.out++
	o.next = min(o.next, p.until)
}

// Return takes back one endpoint whose time has passed, and returns its index; -1 if there is none. Call it until then:
// once for each request costs one comparison.
func (o *Outliers) Return(now int64) int {
	if now < o.next {
		return -1
	}
	back := -1
	o.next = math.MaxInt64
	for i := range o.all {
		p := &o.all[i]
		switch {
		case !p.out:
		case back < 0 && p.until <= now:
			*p = outlier{times: p.times, until: now, since: now}
			back = i
			o.out--
		default:
			o.next = min(o.next, p.until)
		}
	}
	return back
}
