package load

import "math/rand/v2"

// arrivals says when requests are due, in order. Between two calls of next it stays at the first that was not sent: the
// queue of an open loop needs no memory, however far the server falls behind.
type arrivals struct {
	due    int64 // of the next request, monotonic ns
	start  float64
	gap    float64 // mean, ns
	count  float64
	random *rand.Rand // nil: constant
	sum    float64    // of the random gaps so far
}

// newArrivals shares a rate out among loops: each has its part, and constant arrivals of all loops together are evenly
// spaced. The sum of Poisson processes is one.
func newArrivals(s Spec, index int, start int64) *arrivals {
	a := &arrivals{gap: 1e9 / s.Rate * float64(s.Threads), start: float64(start)}
	if s.Arrival == ArrivalPoisson {
		a.random = rand.New(rand.NewPCG(s.Seed, uint64(index)+1))
		a.next()
		return a
	}
	a.start += 1e9 / s.Rate * float64(index)
	a.due = int64(a.start)
	return a
}

// next goes on to the request after this one.
func (a *arrivals) next() {
	if a.random != nil {
		a.sum += a.random.ExpFloat64() * a.gap
		a.due = int64(a.start + a.sum)
		return
	}
	// A product, not a sum: the error of a rate does not grow with the time.
	a.count++
	a.due = int64(a.start + a.count*a.gap)
}

// until counts the requests that are due before the end and not sent, and leaves them behind.
func (a *arrivals) until(begin, end int64) (n uint64) {
	for ; a.due < end; a.next() {
		if a.due >= begin {
			n++
		}
	}
	return n
}
