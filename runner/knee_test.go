package runner

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner/load"
)

// single is a server that does one request at a time and takes as long for each, under random arrivals: the queue M/D/1.
// A trial of it is a simulation.
type single struct {
	takes    time.Duration
	disturbs float64 // of the trials something else takes the CPU, and all takes longer
	offers   float64 // the generator can offer no more; 0: any
	trials   int
}

func (q *single) Trial(_ context.Context, s Step) results.Trial {
	q.trials++
	rng := rand.New(rand.NewPCG(7, uint64(q.trials)))
	shape := s.Case.Shape
	t := results.Trial{Scenario: "sim", Case: s.Case.Name, Target: s.Target, Role: s.Role, Round: s.Round, Position: s.Position,
		Load: &results.Load{Generator: "corelab", Loop: string(shape.Loop), Connections: 64, Elapsed: s.Duration, Rate: shape.Rate}}
	serves := 1 / q.takes.Seconds()
	if shape.Loop == Closed {
		t.Load.Requests = uint64(serves * s.Duration.Seconds())
		return t
	}
	t.Load.Arrival = string(shape.Arrival)
	var due, free float64
	var all []float64
	slow := 1.0
	if rng.Float64() < q.disturbs {
		slow = 1.5
		t.Warnings = []results.Warning{{Code: results.WarnSteal, Text: "other processes took 30 % of the CPU"}}
	}
	const warm = 0.2
	for end := warm + s.Duration.Seconds(); due < end; due += rng.ExpFloat64() / shape.Rate {
		free = max(free, due) + q.takes.Seconds()*slow
		if due >= warm {
			all = append(all, free-due)
		}
	}
	slices.Sort(all)
	p99 := all[len(all)*99/100]
	if q.offers > 0 && shape.Rate > q.offers {
		p99 += 1
		t.Load.LateOwn = uint64(len(all)) / 10
	}
	t.Load.Requests = uint64(len(all))
	t.Load.Latency = &results.Latency{Count: uint64(len(all)), P99: time.Duration(p99 * 1e9)}
	return t
}

// waits is the probability that a request of an M/D/1 queue waits for at most x times what it takes, Erlang 1909:
// P(W ≤ x) = (1 − ρ) Σ (ρ(k − x))^k e^(ρ(x − k)) ÷ k!, over k from 0 to ⌊x⌋.
func waits(rho, x float64) float64 {
	sum := 0.0
	for k := 0.0; k <= math.Floor(x); k++ {
		f, _ := math.Lgamma(k + 1)
		term := 1.0
		if k > 0 {
			term = math.Exp(k*math.Log(rho*(x-k)) - f)
			if x == k {
				term = 0
			}
			if int(k)%2 == 1 {
				term = -term
			}
		}
		sum += term * math.Exp(rho*(x-k))
	}
	return (1 - rho) * sum
}

// kneeOf is the load at which the p99 of an M/D/1 queue is so many times what a request takes.
func kneeOf(times float64) float64 {
	lo, hi := 0.01, 0.99
	for range 60 {
		if mid := (lo + hi) / 2; waits(mid, times-1) > 0.99 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// kept is a record in memory.
type kept struct {
	trials []results.Trial
	end    *results.End
}

func (k *kept) Append(t results.Trial) error { k.trials = append(k.trials, t); return nil }
func (k *kept) End(e results.End) error      { k.end = &e; return nil }

func hunt(t *testing.T, lab Lab, asked results.KneeAsked, arrival Arrival, targets ...string) ([]results.Knee, *kept) {
	t.Helper()
	rec := &kept{}
	h := &KneeHunt{Lab: lab, Asked: asked, Record: &Bench{Record: rec, Progress: &Progress{}, Rescue: io.Discard, Now: time.Now}}
	for _, name := range targets {
		h.Cells = append(h.Cells, Cell{Scenario: &Scenario{Name: "sim"}, Target: name, Case: Case{Shape: Shape{Connections: 16, Arrival: arrival}}})
	}
	end, knees, err := h.Run(t.Context())
	if err != nil || rec.end == nil || end.Trials != len(rec.trials) {
		t.Fatalf("%+v, %v: %d trials recorded", end, err, len(rec.trials))
	}
	return knees, rec
}

// The p99 of M/D/1 is known, so its knee is.
func TestKneeOfAKnownQueue(t *testing.T) {
	for _, times := range []float64{4, 10} {
		asked := results.KneeAsked{P99: time.Duration(times * float64(100*time.Microsecond)), Precision: 0.02, Max: time.Hour, Window: 4 * time.Second}
		truth := kneeOf(times) * 10_000
		for _, disturbs := range []float64{0, 0.3} {
			knees, rec := hunt(t, &single{takes: 100 * time.Microsecond, disturbs: disturbs}, asked, Poisson, "a", "b")
			for _, k := range knees {
				if off := k.Passes/truth - 1; k.Error != "" || !k.Confirmed || k.Bound != results.KneeFails || math.Abs(off) > 0.06 {
					t.Errorf("p99 of %g services, disturbed %g: knee of %s at %.0f/s (%+.1f %%; truth %.0f), fails at %.0f: %+v", times, disturbs, k.Target, k.Passes, 100*off, truth, k.Fails, k)
				}
				if (k.LeftOut > 0) != (disturbs > 0) {
					t.Errorf("disturbed %g: %d left out", disturbs, k.LeftOut)
				}
			}
			if rec.trials[0].Target == rec.trials[1].Target || len(rec.trials) > 120 {
				t.Errorf("%d trials, the first of %s and %s", len(rec.trials), rec.trials[0].Target, rec.trials[1].Target)
			}
		}
	}
}

func TestKneeBeyondTheGenerator(t *testing.T) {
	asked := results.KneeAsked{P99: time.Millisecond, Precision: 0.05, Max: time.Hour, Window: time.Second}
	knees, _ := hunt(t, &single{takes: 100 * time.Microsecond, offers: 5000}, asked, Poisson, "q")
	if k := knees[0]; k.Bound != results.KneeGenerator || k.Passes > 5000 || k.Passes < 4500 || !strings.HasPrefix(k.String(), "≥ ") {
		t.Errorf("%s: %+v", k, k)
	}
}

func TestNoKnee(t *testing.T) {
	asked := results.KneeAsked{P99: 50 * time.Microsecond, Precision: 0.05, Max: time.Hour, Window: 100 * time.Millisecond}
	knees, _ := hunt(t, &single{takes: 100 * time.Microsecond}, asked, Poisson, "q")
	if k := knees[0]; k.Passes != 0 || k.Error != "" || !strings.HasPrefix(k.String(), "< ") || k.Trials > 30 {
		t.Errorf("a budget below the service: %s: %+v", k, k)
	}
	asked.P99 = time.Minute
	knees, _ = hunt(t, &single{takes: 100 * time.Microsecond}, asked, Poisson, "q")
	if k := knees[0]; k.Fails != 0 || k.Passes < 4*10_000 || !strings.HasPrefix(k.String(), "≥ ") {
		t.Errorf("a budget beyond everything: %s: %+v", k, k)
	}
	asked.P99, asked.Max = time.Millisecond, time.Nanosecond
	knees, _ = hunt(t, &single{takes: 100 * time.Microsecond}, asked, Poisson, "q")
	if k := knees[0]; k.Confirmed || k.Trials > 1 {
		t.Errorf("without time: %+v", k)
	}
}

// broken is a target whose trials fail.
type broken struct{ single }

func (b *broken) Trial(ctx context.Context, s Step) results.Trial {
	t := b.single.Trial(ctx, s)
	if s.Role == results.RoleKnee {
		t.Error = "the server ended during the trial"
	}
	return t
}

func TestKneeOfABrokenTarget(t *testing.T) {
	asked := results.KneeAsked{P99: time.Millisecond, Precision: 0.05, Max: time.Hour, Window: time.Second}
	knees, rec := hunt(t, &broken{single{takes: 100 * time.Microsecond}}, asked, Poisson, "q")
	if k := knees[0]; !strings.Contains(k.Error, "ended during the trial") || len(rec.trials) != 2 {
		t.Errorf("%d trials: %+v", len(rec.trials), k)
	}
}

// live loads a real server in this process, with our own generator.
type live struct {
	t   *testing.T
	url string
}

func (l live) Trial(ctx context.Context, s Step) results.Trial {
	shape := s.Case.Shape
	r, err := load.Run(ctx, load.Spec{URL: l.url, Connections: shape.Connections, Rate: shape.Rate, Arrival: string(shape.Arrival), Duration: s.Duration,
		Warmup: 20 * time.Millisecond, Timeout: 5 * time.Second}, nil)
	t := results.Trial{Scenario: "live", Case: s.Case.Name, Target: s.Target, Role: s.Role, Load: &r.Load}
	if err != nil {
		t.Error = err.Error()
	}
	return t
}

// A server that takes exactly 0.4 ms for each request, one at a time, does 2,500 a second. Evenly spaced requests at a rate r
// for T have a p99 of (r ÷ 2500 − 1)·0.99·T beyond that, and wait for nothing below.
func TestKneeOfALiveServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const takes = 400 * time.Microsecond
	var mu sync.Mutex
	var free time.Time
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					mu.Lock()
					if now := time.Now(); free.Before(now) {
						free = now
					}
					free = free.Add(takes)
					until := free
					mu.Unlock()
					<-time.After(time.Until(until))
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
						return
					}
				}
			}()
		}
	}()
	asked := results.KneeAsked{P99: 150 * time.Millisecond, Precision: 0.2, Max: time.Minute, Window: 500 * time.Millisecond}
	knees, _ := hunt(t, live{t, "http://" + ln.Addr().String() + "/"}, asked, Constant, "serial")
	k := knees[0]
	if k.Error != "" || k.Passes > 1.5*2500 {
		t.Errorf("the server does 2500/s, the knee is at %s: %+v", k, k)
	}
	// On a crowded machine the generator may not get as far, and says so.
	if k.Bound == results.KneeFails && k.Passes < 0.75*2500 {
		t.Errorf("the knee is at %s: %+v", k, k)
	}
}

func ExampleKneeSearch() {
	s := KneeSearch{Target: "mine", Asked: results.KneeAsked{P99: 5 * time.Millisecond, Precision: 0.1}}
	s.Add(results.Trial{Target: "mine", Role: results.RoleCeiling, Load: &results.Load{Requests: 20_000, Elapsed: time.Second}})
	for rate := s.Next(); rate > 0; rate = s.Next() {
		p99 := time.Millisecond
		if rate > 17_000 { // what is not known beforehand
			p99 = time.Second
		}
		s.Add(results.Trial{Target: "mine", Role: results.RoleKnee, Load: &results.Load{Rate: rate, Requests: 10_000, Elapsed: time.Second,
			Latency: &results.Latency{Count: 10_000, P99: p99}}})
	}
	k := s.Knee()
	fmt.Printf("passes at %.0f, fails at %.0f, %d trials\n", k.Passes, k.Fails, k.Trials)
	// Output: passes at 16770, fails at 17730, 10 trials
}
