package load

import (
	"sync"
	"testing"
	"time"
)

// Who counts from outside in the silence before the window, and after it, finds exactly the requests of the result.
func TestQuietAroundTheWindow(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Spec)
	}{
		{"closed loop", func(*Spec) {}},
		{"open loop", func(s *Spec) { s.Rate = 500 }},
		{"two threads", func(s *Spec) { s.Threads = 2 }},
		{"a connection per request", func(s *Spec) { s.NewConn = true }},
		{"pipelining", func(s *Spec) { s.Depth = 4 }},
		{"no warm-up", func(s *Spec) { s.Warmup = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			var came []time.Time
			p := plant(t, func(u *turn) {
				mu.Lock()
				came = append(came, time.Now())
				mu.Unlock()
				u.write(good)
			})
			s := p.spec()
			s.Connections, s.Warmup, s.Duration, s.Quiet = 4, 200*time.Millisecond, 150*time.Millisecond, 300*time.Millisecond
			s.Rate = 0
			c.change(&s)
			began := time.Now()
			r, err := Run(t.Context(), s, nil)
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			// The longest pause is the silence before the window.
			at, longest, before := 0, time.Duration(0), began
			for i, now := range came {
				if gap := now.Sub(before); gap > longest {
					at, longest = i, gap
				}
				before = now
			}
			if got := uint64(len(came) - at); got != r.Requests || r.Errors.Total() != 0 || r.GivenUp != 0 {
				t.Errorf("%d requests reached the server after a silence of %v, of %d; the result has %d, %d errors and %d given up",
					got, longest, len(came), r.Requests, r.Errors.Total(), r.GivenUp)
			}
			if c.name == "no warm-up" && at != 0 {
				t.Errorf("%d requests came before the silence", at)
			}
			if r.Requests == 0 || r.Latency == nil || r.Latency.Count != r.Requests {
				t.Errorf("%d requests, latency %+v", r.Requests, r.Latency)
			}
		})
	}
}

func TestQuietHasNoPlaceBetweenPhases(t *testing.T) {
	s := Spec{URL: "http://127.0.0.1:1/", Quiet: time.Second, Phases: []Phase{{Name: "a", Rate: 1, Duration: time.Second}}}.Filled()
	if err := s.Check(); err == nil {
		t.Error("accepted")
	}
}
