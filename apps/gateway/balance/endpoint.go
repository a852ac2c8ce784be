package balance

import (
	"math"
	"time"
)

// Endpoint is what a shard knows of one endpoint. It may be in several groups, and outlive them. Its fields are for groups.
// The zero Endpoint is new and idle.
type Endpoint struct {
	busy  int64 // requests under way
	asked bool  // ever

	cost  float64 // peak-EWMA of latency in ns, as of stamp
	stamp int64

	second  int64   // the second that is counted
	results float64 // in it
	failed  float64
	latency float64 // sum, in ns
	badness float64 // f of Adaptive
	slow    float64 // l of Adaptive, 0 if nothing is known
}

const (
	// decay is how long a peak takes to fall to 1/e of it: Finagle's default.
	decay = float64(10 * time.Second)
	// penalty is the load of an endpoint of which no latency is known, but which is being asked: Finagle's way to not send it
	// everything before its first answer.
	penalty = float64(math.MaxInt64 >> 16)
	// failureCost is the least latency that a failure counts as. One that fails at once would otherwise look like the fastest.
	failureCost = float64(time.Second)
	// smoothing is the weight of the last second in Adaptive.
	smoothing = 0.3
)

// Begin notes that a request goes to the endpoint. Each is ended by End.
func (e *Endpoint) Begin() {
	e.busy++
	e.asked = true
}

// Asked reports whether a request ever went to the endpoint: one that is new in a group begins slowly, see [Group.Warm].
func (e *Endpoint) Asked() bool { return e.asked }

// Busy is the number of requests under way.
func (e *Endpoint) Busy() int { return int(e.busy) }

// End notes that a request to the endpoint ended, took ns after it began. known is false where that says nothing of the
// endpoint, because the client left.
func (e *Endpoint) End(now, took int64, ok, known bool) {
	if e.busy--; e.busy < 0 {
		panic("balance: End without Begin")
	}
	if !known {
		return
	}
	e.roll(now)
	e.results++
	e.latency += float64(took)
	rtt := float64(took)
	if !ok {
		e.failed++
		rtt = max(rtt, failureCost)
	}
	w := e.fade(now)
	if rtt > e.cost {
		e.cost = rtt
	} else {
		e.cost = e.cost*w + rtt*(1-w)
	}
	e.stamp = now
}

// fade is what is left of a peak of the last stamp.
func (e *Endpoint) fade(now int64) float64 {
	x := float64(now-e.stamp) / decay
	if x < 1.0/64 {
		return 1 - x + x*x/2 // off by less than a millionth, and by far the usual case
	}
	return math.Exp(-x)
}

// load is what one more request would meet.
func (e *Endpoint) load(now int64) float64 {
	if e.cost == 0 {
		if e.busy > 0 {
			return penalty + float64(e.busy)
		}
		return 0
	}
	return e.cost * e.fade(now) * float64(e.busy+1)
}

// roll closes the seconds that have passed.
func (e *Endpoint) roll(now int64) {
	n := now/int64(time.Second) - e.second
	if n <= 0 {
		return
	}
	e.second += n
	failed := 0.0
	if e.results > 0 {
		failed = e.failed / e.results
		if e.slow == 0 {
			e.slow = e.latency / e.results
		}
		e.slow += smoothing * (e.latency/e.results - e.slow)
	}
	e.badness += smoothing * (failed - e.badness)
	if n > 1 {
		e.badness *= math.Pow(1-smoothing, float64(n-1))
	}
	e.results, e.failed, e.latency = 0, 0, 0
}
