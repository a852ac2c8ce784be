package selftest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// The truths of an open loop count latency from when a request was due, whatever the generator does. They are those of a
// server that answers at once but for what is planted; what it takes besides, some tens of µs, lies within the tolerance.

// lateQuantile is that of a server in which a fraction of the answers is late by so much and the others are not at all.
func lateQuantile(q, fraction float64, by time.Duration) float64 {
	if q <= 1-fraction {
		return 0
	}
	return float64(by)
}

// lateMean is the same server's mean latency.
func lateMean(fraction float64, by time.Duration) float64 { return fraction * float64(by) }

// stallQuantile is that of a server that stands still for a length once in each period. Of constant arrivals the share
// t ÷ period comes within t of a stall's begin, and the last of these waits length − t. The drain of what has queued up is
// taken for short.
func stallQuantile(q float64, length, period time.Duration) float64 {
	return max(0, float64(length)-(1-q)*float64(period))
}

// stallMean is the area of the triangle of those waits, spread over the period.
func stallMean(length, period time.Duration) float64 {
	return float64(length) * float64(length) / (2 * float64(period))
}

// overloadQuantile is that of the first so many requests, offered at rate to a server that serves one at a time (D/D/1
// above its capacity): number k is due at k ÷ rate and done at (k+1) × service.
func overloadQuantile(q, rate float64, service time.Duration, requests float64) float64 {
	return q*requests*(float64(service)-1e9/rate) + float64(service)
}

// overloadLeft is how many of what is offered within a window a generator cannot have sent by its end, if each connection
// carries one request at a time: beyond those that were served before it, one waits on each connection.
func overloadLeft(rate float64, service, window time.Duration, connections int) float64 {
	return max(0, rate*window.Seconds()-(math.Ceil(float64(window)/float64(service))-1)-float64(connections))
}

// closedLatency is that of every request where so many connections each wait for their answer from a server that serves one
// at a time: Little's law with a throughput of 1 ÷ service.
func closedLatency(connections int, service time.Duration) float64 {
	return float64(connections) * float64(service)
}

// pollaczekKhinchine is the mean latency of Poisson arrivals at a server with a constant service time (M/D/1) in the long run.
func pollaczekKhinchine(rate float64, service time.Duration) float64 {
	s := service.Seconds()
	rho := rate * s
	return (s + rho*s/(2*(1-rho))) * 1e9
}

// lindley returns the latencies of the very requests that a generator with this seed sends to such a server in its window:
// each begins when it is due or when the one before is done, whichever is later (Lindley's recursion). Requests of the
// warm-up stand in the queue and are not returned.
func lindley(seed uint64, rate float64, service, warmUp, window time.Duration) []float64 {
	// The generator's documented arrivals: exponential gaps by PCG(seed, number of its thread, from 1).
	random := rand.New(rand.NewPCG(seed, 1))
	var due, free float64
	var latencies []float64
	for {
		due += random.ExpFloat64() * 1e9 / rate
		if due >= float64(warmUp+window) {
			return latencies
		}
		free = max(due, free) + float64(service)
		if due >= float64(warmUp) {
			latencies = append(latencies, free-due)
		}
	}
}

// faults is how many of n answers are planted ones, of which each every-th is.
func faults(n uint64, every int) float64 { return float64(n / uint64(every)) }

// ranked is the quantile of unsorted values, by the nearest rank.
func ranked(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
