package load

import (
	"slices"
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
			s.Connections, s.Warmup, s.Duration, s.Quiet = 4, 200*time.Millisecond, 150*time.Millisecond, 500*time.Millisecond
			s.Rate = 0
			c.change(&s)
			r, err := Run(t.Context(), s, nil)
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			// Whoever counts does so in the middle of the silence: a crowded machine is late with what came before.
			look := r.Begin.Add(-s.Quiet / 2)
			at := slices.IndexFunc(came, look.Before)
			if at < 0 {
				at = len(came)
			}
			if got := uint64(len(came) - at); got != r.Requests || r.Errors.Total() != 0 || r.GivenUp != 0 {
				t.Errorf("%d requests reached the server after the middle of the silence, of %d; the result has %d, %d errors and %d given up",
					got, len(came), r.Requests, r.Errors.Total(), r.GivenUp)
			}
			// Another thread may begin a little before the one whose begin it is.
			if at < len(came) && came[at].Before(r.Begin.Add(-s.Quiet/4)) {
				t.Errorf("a request came %v before the window's begin", r.Begin.Sub(came[at]))
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
