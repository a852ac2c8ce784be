package load

import (
	"math"
	"testing"
)

func TestConstantArrivalsOfAllThreadsAreEvenlySpaced(t *testing.T) {
	s := Spec{Rate: 3000, Threads: 3, Arrival: ArrivalConstant}
	threads := make([]*arrivals, s.Threads)
	for i := range threads {
		threads[i] = newArrivals(s, i, 1000)
	}
	for k := range 3_000_000 {
		a := threads[k%s.Threads]
		if want := 1000 + float64(k)*1e9/s.Rate; math.Abs(float64(a.due)-want) > 2 {
			t.Fatalf("request %d is due at %d, want %.0f", k, a.due, want)
		}
		a.next()
	}
}

func TestPoissonArrivals(t *testing.T) {
	s := Spec{Rate: 1e6, Threads: 1, Arrival: ArrivalPoisson, Seed: 3}
	a, again := newArrivals(s, 0, 0), newArrivals(s, 0, 0)
	const n = 100_000
	var sum, squares float64
	last := int64(0)
	for range n {
		if a.due != again.due {
			t.Fatal("the same seed gave other times")
		}
		gap := float64(a.due - last)
		last = a.due
		sum += gap
		squares += gap * gap
		a.next()
		again.next()
	}
	// Of an exponential distribution, mean and deviation are equal.
	mean := sum / n
	if deviation := math.Sqrt(squares/n - mean*mean); math.Abs(mean-1000) > 15 || math.Abs(deviation-1000) > 25 {
		t.Errorf("mean gap %.1f ns, deviation %.1f, want 1000 and 1000", mean, deviation)
	}
	if other := newArrivals(s, 1, 0); other.due == newArrivals(s, 0, 0).due {
		t.Error("two threads have the same times")
	}
}
