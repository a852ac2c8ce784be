package selftest

import (
	"math"
	"testing"
	"time"
)

// near fails unless got is within share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %g, by simulation %g", what, got, want)
	}
}

// A server that answers at once, but not while it stands still.
func TestStallAgainstSimulation(t *testing.T) {
	for _, c := range []struct{ length, period time.Duration }{{100 * ms, time.Second}, {200 * ms, 500 * ms}, {5 * ms, 50 * ms}} {
		const rate = 20_000
		var waits []float64
		for k := range 10 * int(rate*c.period/time.Second) {
			due := time.Duration(k) * time.Second / rate
			waits = append(waits, float64(max(0, c.length-due%c.period)))
		}
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
			truth := stallQuantile(q, c.length, c.period)
			if got := ranked(waits, q); math.Abs(got-truth) > 1e9/rate+1 {
				t.Errorf("%v in %v: p%g is %g, by simulation %g", c.length, c.period, 100*q, truth, got)
			}
		}
		near(t, "mean", stallMean(c.length, c.period), average(waits), 0.02)
	}
}

func TestLateAgainstSimulation(t *testing.T) {
	var waits []float64
	for k := 1; k <= 100_000; k++ {
		wait := 0.0
		if k%50 == 0 {
			wait = float64(lateBy)
		}
		waits = append(waits, wait)
	}
	for _, q := range []float64{0.5, 0.9, 0.979, 0.981, 0.99, 0.999} {
		if truth, got := lateQuantile(q, 0.02, lateBy), ranked(waits, q); truth != got {
			t.Errorf("p%g is %g, by simulation %g", 100*q, truth, got)
		}
	}
	near(t, "mean", lateMean(0.02, lateBy), average(waits), 1e-9)
}

// One request at a time: each begins when it is due, or when the one before is done.
func TestOverloadAgainstSimulation(t *testing.T) {
	const n = 2000
	var free float64
	var latencies []float64
	for k := range n {
		due := float64(k) * 1e9 / overRate
		free = max(free, due) + float64(overFor)
		latencies = append(latencies, free-due)
	}
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99, 1} {
		near(t, "overload", overloadQuantile(q, overRate, overFor, n), ranked(latencies, q), 0.005)
	}
}

// So many connections that carry one request each, to a server that serves one at a time.
func TestWhatIsLeftAgainstSimulation(t *testing.T) {
	var done []float64 // of each request, in order
	var free float64
	sent := 0
	for k := 0; ; k++ {
		due := float64(k) * 1e9 / overRate
		if k >= overFew {
			due = max(due, done[k-overFew]) // a connection is free when its answer is there
		}
		if due >= float64(overWindow) {
			break
		}
		free = max(free, due) + float64(overFor)
		done = append(done, free)
		sent++
	}
	left := overRate*overWindow.Seconds() - float64(sent)
	near(t, "left", overloadLeft(overRate, overFor, overWindow, overFew), left, 0.01)
}

func TestClosedLoopAgainstSimulation(t *testing.T) {
	const connections, service = 16, 2 * ms
	asked := make([]float64, connections)
	var free float64
	var latencies []float64
	for k := range 1000 {
		c := k % connections // answered in the order in which they ask
		free = max(free, asked[c]) + float64(service)
		latencies = append(latencies, free-asked[c])
		asked[c] = free
	}
	near(t, "closed loop", closedLatency(connections, service), ranked(latencies[connections:], 0.5), 1e-9)
}

func TestLindleyComesToPollaczekKhinchine(t *testing.T) {
	for _, rate := range []float64{10, 30, 40} {
		got := average(lindley(1, rate, service, time.Minute, 8*time.Hour))
		near(t, "M/D/1", pollaczekKhinchine(rate, service), got, 0.03)
	}
	if a, b := lindley(1, 30, service, time.Second, 5*time.Second), lindley(2, 30, service, time.Second, 5*time.Second); ranked(a, 0.9) == ranked(b, 0.9) {
		t.Error("two seeds give the same arrivals")
	}
	// The warm-up queues up, and does not count.
	whole, part := lindley(7, 30, service, 0, 2*time.Second), lindley(7, 30, service, time.Second, time.Second)
	if n := len(whole) - len(part); n <= 0 || whole[n] != part[0] {
		t.Errorf("%d of %d requests are the warm-up's, but the first behind it differs", n, len(whole))
	}
}

func TestRanked(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.5: 3, 0.8: 4, 0.81: 5, 1: 5} {
		if got := ranked(values, q); got != want {
			t.Errorf("%g: %g, want %g", q, got, want)
		}
	}
	if ranked(nil, 0.5) != 0 || average(nil) != 0 || average(values) != 3 {
		t.Error("of nothing, or the mean")
	}
}
