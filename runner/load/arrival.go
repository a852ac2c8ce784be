package load

import "math/rand/v2"

// arrivals says when requests are due, in order. Between two calls of next it stays at the first that was not sent: the
// queue of an open loop needs no memory, however far the server falls behind.
type arrivals struct {
	due    int64   // of the next request, monotonic ns
	start  float64 // of the step
	gap    float64 // mean, ns
	count  float64
	random *rand.Rand // nil: constant
	sum    float64    // of the random gaps of the step so far
	index  float64    // of the loop, among threads
	more   []step     // that follow
	passed int        // steps before this one
}

// step is a time with a rate of its own.
type step struct {
	from int64   // monotonic ns
	gap  float64 // mean, of this loop, ns
}

// newArrivals shares a rate out among loops: each has its part, and constant arrivals of all loops together are evenly
// spaced. The sum of Poisson processes is one. The first phase begins with the warm-up, which start is the begin of.
func newArrivals(s Spec, index int, start int64) *arrivals {
	a := &arrivals{index: float64(index) / float64(s.Threads)}
	steps := []step{{start, 1e9 / s.Rate * float64(s.Threads)}}
	from := start + int64(s.Warmup)
	for i, p := range s.Phases {
		gap := 1e9 / p.Rate * float64(s.Threads)
		if i == 0 {
			steps[0].gap = gap
		} else {
			steps = append(steps, step{from, gap})
		}
		from += int64(p.Duration)
	}
	if s.Arrival == ArrivalPoisson {
		a.random = rand.New(rand.NewPCG(s.Seed, uint64(index)+1))
	}
	a.more = steps[1:]
	a.enter(steps[0])
	a.settle()
	return a
}

// enter begins a step with its first request. A Poisson process has no memory, so it may begin anew.
func (a *arrivals) enter(s step) {
	a.start, a.gap, a.count, a.sum = float64(s.from), s.gap, 0, 0
	if a.random != nil {
		a.advance()
		return
	}
	a.start += s.gap * a.index
	a.due = int64(a.start)
}

// next goes on to the request after this one.
func (a *arrivals) next() {
	a.advance()
	a.settle()
}

// settle goes on to the step in which the next request is due.
func (a *arrivals) settle() {
	for len(a.more) > 0 && a.due >= a.more[0].from {
		s := a.more[0]
		a.more = a.more[1:]
		a.passed++
		a.enter(s)
	}
}

// phase is the number of the phase in which the next request is due, from 0.
func (a *arrivals) phase() int { return a.passed }

// advance goes on within a step.
func (a *arrivals) advance() {
	if a.random != nil {
		a.sum += a.random.ExpFloat64() * a.gap
		a.due = int64(a.start + a.sum)
		return
	}
	// A product, not a sum: the error of a rate does not grow with the time.
	a.count++
	a.due = int64(a.start + a.count*a.gap)
}
