package load

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"corelab/results"
)

// accounted fails the test unless every request that was due has exactly one fate, in each phase and in the slices.
func accounted(t *testing.T, r Result) {
	t.Helper()
	var due, unsent, answered uint64
	for _, p := range r.Phases {
		if sum := p.Answered + p.Errors.Total() + p.Unsent + p.Cut; sum != p.Due {
			t.Errorf("phase %s: %d due, but %d answered + %d errors + %d unsent + %d cut = %d", p.Name, p.Due, p.Answered, p.Errors.Total(), p.Unsent, p.Cut, sum)
		}
		due, unsent, answered = due+p.Due, unsent+p.Unsent, answered+p.Answered
	}
	var sliced, slicedAnswered uint64
	for _, s := range r.Slices {
		sliced, slicedAnswered = sliced+s.Due, slicedAnswered+s.Answered
	}
	if sliced != due || slicedAnswered != answered || unsent != r.Unsent {
		t.Errorf("phases: %d due, %d answered, %d unsent; slices: %d due, %d answered; load: %d unsent", due, answered, unsent, sliced, slicedAnswered, r.Unsent)
	}
}

// serial is a server that does one request at a time and takes exactly so long for each: an answer is due so long after the
// one before, and what wakes up late does not add up.
type serial struct {
	mu    sync.Mutex
	takes time.Duration
	free  time.Time
}

// wait returns when the request that came now would be done.
func (s *serial) wait() {
	s.mu.Lock()
	at := time.Now()
	if s.free.After(at) {
		at = s.free
	}
	s.free = at.Add(s.takes)
	until := s.free
	s.mu.Unlock()
	<-time.After(time.Until(until))
}

func TestPhasesArriveAtTheirRates(t *testing.T) {
	s := Spec{Threads: 2, Warmup: 100 * time.Millisecond, Phases: []Phase{{"a", 1000, 500 * time.Millisecond}, {"b", 4000, 250 * time.Millisecond}, {"c", 10, time.Millisecond}, {"d", 200, time.Second}}}
	for _, arrival := range []string{ArrivalConstant, ArrivalPoisson} {
		s.Arrival, s.Seed = arrival, 5
		s := s.Filled()
		if s.Duration != 1751*time.Millisecond || math.Abs(s.Rate*1.751-(500+1000+0.01+200)) > 1e-9 {
			t.Fatalf("the whole: %v at %g", s.Duration, s.Rate)
		}
		if err := (Spec{URL: "http://127.0.0.1:1/", Phases: s.Phases}).Filled().Check(); err != nil {
			t.Fatal(err)
		}
		counts, warm := make([]int, 4), 0
		const start = 1_000_000
		end := start + int64(s.Warmup+s.Duration)
		for i := range s.Threads {
			a, last := newArrivals(s, i, start), int64(0)
			for ; a.due < end; a.next() {
				if a.due < last {
					t.Fatalf("due at %d behind %d", a.due, last)
				}
				last = a.due
				since := time.Duration(a.due - start - int64(s.Warmup))
				want := 3
				for j, edge := range []time.Duration{500 * time.Millisecond, 750 * time.Millisecond, 751 * time.Millisecond} {
					if since < edge {
						want = j
						break
					}
				}
				if a.phase() != want {
					t.Fatalf("due %v after the begin: phase %d, want %d", since, a.phase(), want)
				}
				if since < 0 {
					warm++
				} else {
					counts[want]++
				}
			}
		}
		want := []int{500, 1000, 0, 200}
		if arrival == ArrivalConstant && (!slices.Equal(counts, []int{500, 1000, 1, 200}) || warm != 100) {
			t.Errorf("constant: %d warm, %v", warm, counts)
		}
		for i := range counts {
			if off := math.Abs(float64(counts[i] - want[i])); off > 5*math.Sqrt(float64(want[i]))+2 {
				t.Errorf("%s: phase %d has %d, want about %d", arrival, i, counts[i], want[i])
			}
		}
	}
}

// A server that does 500 a second meets a burst of 1,000 for half a second.
func TestABurstBeyondTheServer(t *testing.T) {
	line := &serial{takes: 2 * time.Millisecond}
	p := plant(t, func(u *turn) {
		line.wait()
		u.write(good)
	})
	s := p.spec()
	// On a crowded machine the server does half of what it should: the time afterwards is enough for that too.
	s.Connections, s.Timeout, s.Duration = 4, 20*time.Second, 0
	s.Phases = []Phase{{"before", 200, 300 * time.Millisecond}, {"burst", 1000, 500 * time.Millisecond}, {"after", 50, 3 * time.Second}}
	r := run(t, s)
	accounted(t, r)
	if len(r.Phases) != 3 || len(r.Slices) != 76 || r.Slices[75].Begin != 3750*time.Millisecond {
		t.Fatalf("%d phases, %d slices", len(r.Phases), len(r.Slices))
	}
	before, burst, after := r.Phases[0], r.Phases[1], r.Phases[2]
	for _, d := range []struct {
		got  uint64
		want uint64
	}{{before.Due, 60}, {burst.Due, 500}, {after.Due, 150}} {
		// A window that a crowded machine begins late lacks what was due before.
		if d.got > d.want || d.got < d.want/2 {
			t.Errorf("%d due, want %d", d.got, d.want)
		}
	}
	if r.Errors.Total() != 0 || burst.Answered != burst.Due {
		t.Errorf("errors %+v, %d of %d answered: nobody waits for twenty seconds", r.Errors, burst.Answered, burst.Due)
	}
	// The server answers 250 in the burst's half second, and the last of the burst waits for the other half of it.
	if burst.Served > 300 || burst.Latency.Max < 400*time.Millisecond || before.Latency.P50 > burst.Latency.P50 {
		t.Errorf("%d served in the burst, %v at worst, p50 before %v, in it %v", burst.Served, burst.Latency.Max, before.Latency.P50, burst.Latency.P50)
	}
	// It is the server that the generator waits for.
	if burst.Late < 300 || burst.LateOwn > burst.Late/10 || burst.Waited < burst.Behind/2 || burst.Behind < 200*time.Millisecond {
		t.Errorf("late %d, by itself %d; behind for %v, of which it waited for the server %v", burst.Late, burst.LateOwn, burst.Behind, burst.Waited)
	}
	if hi, lo := r.Slices[15].P99, r.Slices[2].P99; hi < 5*lo && hi < 300*time.Millisecond {
		t.Errorf("p99 of the slice at the burst's end %v, before it %v", hi, lo)
	}
}

// A time-out shorter than the backlog: what waits longer is given up, what is answered later is an error.
func TestWhatWaitsTooLongIsGivenUp(t *testing.T) {
	line := &serial{takes: 5 * time.Millisecond}
	p := plant(t, func(u *turn) {
		line.wait()
		u.write(good)
	})
	for _, threads := range []int{1, 2} {
		s := p.spec()
		s.Connections, s.Threads, s.Timeout, s.Duration, s.Warmup = 4, threads, 150*time.Millisecond, 0, 50*time.Millisecond
		s.Phases = []Phase{{"burst", 1000, 600 * time.Millisecond}, {"after", 20, 300 * time.Millisecond}}
		s.Arrival = ArrivalPoisson
		r := run(t, s)
		accounted(t, r)
		burst := r.Phases[0]
		if burst.Unsent < 200 || burst.Answered > 200 || burst.Answered+burst.Unsent+burst.Errors.Timeout != burst.Due {
			t.Errorf("%d threads: of %d due %d answered, %d unsent, errors %+v", threads, burst.Due, burst.Answered, burst.Unsent, burst.Errors)
		}
		if r.Errors.Timeout < burst.Errors.Timeout || r.Errors.Total() != r.Errors.Timeout {
			t.Errorf("errors of the load %+v, of the burst %+v", r.Errors, burst.Errors)
		}
	}
}

// Everything that can become of a request, at once: each is accounted for once.
func TestEveryFateIsAccountedFor(t *testing.T) {
	p := plant(t, func(u *turn) {
		switch u.n % 10 {
		case 3:
			u.write(answer(503, "busy"))
		case 5:
			u.closed = true
		case 7:
			u.write(answer(200, "Hello, Wurld!"))
		case 9:
			if u.n < 100 {
				<-t.Context().Done()
			}
			u.write(good)
		default:
			u.write(good)
		}
	})
	for _, fresh := range []bool{false, true} {
		s := p.spec()
		s.Connections, s.Timeout, s.Duration, s.NewConn = 3, 100*time.Millisecond, 0, fresh
		s.Phases = []Phase{{"a", 500, 200 * time.Millisecond}, {"b", 1500, 200 * time.Millisecond}}
		r := run(t, s)
		accounted(t, r)
		var e results.Errors
		for _, f := range r.Phases {
			e.Status, e.Read, e.Body = e.Status+f.Errors.Status, e.Read+f.Errors.Read, e.Body+f.Errors.Body
		}
		if e.Status == 0 || e.Read == 0 || e.Body == 0 {
			t.Errorf("fresh %v: errors of the phases %+v", fresh, e)
		}
	}
}

func TestInterruptedInAPhase(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(good) })
	s := p.spec()
	s.Duration = 0
	s.Phases = []Phase{{"a", 500, 100 * time.Millisecond}, {"b", 500, time.Minute}}
	r := p.load(t, s, 150)
	accounted(t, r)
	if b := r.Phases[1]; b.Elapsed > 30*time.Second || b.Due > 15000 || len(r.Slices) == maxSlices {
		t.Errorf("%+v, %d slices", b, len(r.Slices))
	}
}

// A generator whose thread is held up, while the server's connections are free, is late by its own fault.
func TestLateByItself(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(good) })
	s := p.spec()
	s.Rate, s.Duration, s.Threads = 2000, 300*time.Millisecond, 1
	pl, err := newPlan(s.Filled(), nil)
	if err != nil {
		t.Fatal(err)
	}
	loops, err := pl.loops()
	if err != nil {
		t.Fatal(err)
	}
	l := loops[0]
	defer l.close()
	pl.begin = now()
	l.now, l.last = pl.begin, math.MaxInt64
	l.arrive = newArrivals(pl.spec, 0, pl.begin)
	l.turn()
	l.start(&l.conns[0])
	<-time.After(20 * time.Millisecond) // the loop does not turn meanwhile
	l.now = now()
	l.sendDue()
	if a := l.tally.accounts[0]; a.late == 0 || a.own != a.late {
		t.Errorf("%d late, %d by itself", a.late, a.own)
	}
}

func TestPhasesAsTyped(t *testing.T) {
	got, err := ParsePhases("30000:2s,burst=9.5e4:500ms,1:1m")
	want := []Phase{{"1", 30000, 2 * time.Second}, {"burst", 95000, 500 * time.Millisecond}, {"3", 1, time.Minute}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	back, err := ParsePhases(phaseWords(want))
	if err != nil || !slices.Equal(back, want) {
		t.Errorf("%q reads as %v, %v", phaseWords(want), back, err)
	}
	for _, bad := range []string{"", "3", "a:b", "1:2", "1s:5", "5:1s,"} {
		if _, err := ParsePhases(bad); err == nil || !strings.Contains(err.Error(), "30000:2s") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []Spec{
		{Phases: []Phase{{"a", 0, time.Second}}}, {Phases: []Phase{{"a", 5, 0}}}, {Phases: []Phase{{"a", math.NaN(), time.Second}}},
		{Phases: make([]Phase, MaxPhases+1)}, {Phases: want, Rate: 7}, {Phases: want, Duration: time.Second},
	} {
		bad.URL = "http://127.0.0.1:1/"
		if err := bad.Filled().Check(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func ExampleParsePhases() {
	phases, err := ParsePhases("before=30000:2s,burst=90000:1s,after=30000:2s")
	fmt.Println(phases, err)
	// Output: [{before 30000 2s} {burst 90000 1s} {after 30000 2s}] <nil>
}
