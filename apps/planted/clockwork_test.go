package planted

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestClockwork sets many events in a random order: each is called once, in the order of their times, and none early.
func TestClockwork(t *testing.T) {
	c := newClockwork()
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	const n = 500
	type call struct {
		due, at time.Duration
		set     int
	}
	calls := make(chan call, n)
	begin := c.now() + 20*time.Millisecond // later than all are set, so that their order is known
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		due := begin + time.Duration(r.IntN(100))*100*time.Microsecond
		c.at(due, func() { calls <- call{due, c.now(), i} })
	}
	late := time.After(bound)
	last := call{}
	for i := range n {
		select {
		case got := <-calls:
			if got.at < got.due {
				t.Errorf("due %v, called %v", got.due, got.at)
			}
			if got.due < last.due || got.due == last.due && got.set < last.set {
				t.Errorf("event %d, due %v, is called after %d, due %v", got.set, got.due, last.set, last.due)
			}
			last = got
		case <-late:
			t.Fatalf("%d of %d events are called within %v", i, n, bound)
		}
	}
}

// TestClockworkEarlier: an event before all others changes the timer, and one in the past is called at once.
func TestClockworkEarlier(t *testing.T) {
	c := newClockwork()
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	called := make(chan string, 3)
	c.at(c.now()+time.Hour, func() { called <- "in an hour" })
	c.at(c.now()+time.Millisecond, func() { called <- "soon" })
	for _, want := range []string{"soon", "past"} {
		select {
		case got := <-called:
			if got != want {
				t.Errorf("what is due %s is called, not %s", got, want)
			}
		case <-time.After(bound):
			t.Fatalf("%s is not called within %v", want, bound)
		}
		c.at(0, func() { called <- "past" })
	}
}

func TestStallAfter(t *testing.T) {
	s := stall{length: 100, period: 1000}
	for at, want := range map[time.Duration]time.Duration{0: 100, 99: 100, 100: 100, 999: 999, 1000: 1100, 1050: 1100, 1100: 1100, 5099: 5100} {
		if got := s.after(at); got != want {
			t.Errorf("after %d: %d, want %d", at, got, want)
		}
	}
	if got := (&stall{}).after(7); got != 7 {
		t.Errorf("without stalls: %d", got)
	}
}

func TestTill(t *testing.T) {
	till := till{service: 10}
	for i, step := range []struct{ now, want time.Duration }{{5, 15}, {6, 25}, {24, 35}, {35, 45}, {100, 110}} {
		if got := till.served(step.now); got != step.want {
			t.Errorf("request %d, at %d, is served at %d, want %d", i, step.now, got, step.want)
		}
	}
}

// BenchmarkClockwork says how late what is due after 1 ms is called.
func BenchmarkClockwork(b *testing.B) {
	c := newClockwork()
	if err := c.start(); err != nil {
		b.Fatal(err)
	}
	called := make(chan time.Duration)
	var late time.Duration
	for b.Loop() {
		due := c.now() + time.Millisecond
		c.at(due, func() { called <- c.now() })
		late += <-called - due
	}
	b.ReportMetric(float64(late)/float64(b.N)/1e3, "µs-late")
}
