package concurrency

import (
	"container/heap"
	"fmt"
	"testing"
	"time"
)

// server is one of so many workers, in simulated time: what finds none free waits.
type server struct {
	workers int
	service time.Duration
	free    []int64 // when each worker is
}

// serve returns when a request that comes at now is done.
func (v *server) serve(now int64) int64 {
	if len(v.free) != v.workers {
		v.free = append(make([]int64, 0, v.workers), v.free...)
		for len(v.free) < v.workers {
			v.free = append(v.free, now)
		}
		v.free = v.free[:v.workers]
	}
	best := 0
	for i, at := range v.free {
		if at < v.free[best] {
			best = i
		}
	}
	v.free[best] = max(now, v.free[best]) + int64(v.service)
	return v.free[best]
}

type events []event

type event struct {
	at, began int64
}

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// run offers requests at a constant rate for a while, and returns how many were done, and their mean latency.
func run(l *Limiter, s *Settings, v *server, from int64, rate float64, d time.Duration) (done int, mean time.Duration) {
	var under events
	var sum time.Duration
	end := func(until int64) {
		for len(under) > 0 && under[0].at <= until {
			e := heap.Pop(&under).(event)
			latency := time.Duration(e.at - e.began)
			l.End(s, e.at, latency, true)
			sum += latency
			done++
		}
	}
	for i := range int(rate * d.Seconds()) {
		now := from + int64(float64(i)/rate*1e9)
		end(now)
		if l.Begin(s) {
			heap.Push(&under, event{v.serve(now), now})
		}
	}
	end(from + int64(d))
	n := done
	end(1 << 62)
	return n, sum / time.Duration(max(1, done))
}

func settings(t testing.TB, s Settings) *Settings {
	t.Helper()
	s, err := s.Filled()
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// TestOverloaded offers three times what ten workers can do: the limit keeps them busy, and the queue short.
func TestOverloaded(t *testing.T) {
	s := settings(t, Settings{})
	var l Limiter
	v := &server{workers: 10, service: 10 * time.Millisecond} // a thousand a second
	run(&l, s, v, 0, 500, 10*time.Second)                     // what is usual
	done, mean := run(&l, s, v, int64(10*time.Second), 3000, 20*time.Second)
	if done < 19_000 {
		t.Errorf("%d done in 20 s, 20,000 can be", done)
	}
	if mean > 60*time.Millisecond {
		t.Errorf("they took %v, without a queue 10 ms", mean)
	}
	if l.Busy() != 0 {
		t.Errorf("%d are under way when all are done", l.Busy())
	}
}

// TestSlower has a server that becomes five times slower, and fast again: the limit follows both ways.
func TestSlower(t *testing.T) {
	s := settings(t, Settings{})
	var l Limiter
	v := &server{workers: 50, service: 10 * time.Millisecond}
	run(&l, s, v, 0, 4000, 10*time.Second)
	before := l.Limit(s)
	v.workers = 10
	_, mean := run(&l, s, v, int64(10*time.Second), 4000, 5*time.Second)
	if during := l.Limit(s); during >= before || mean > 100*time.Millisecond {
		t.Errorf("the limit was %d and is %d, requests take %v", before, during, mean)
	}
	v.workers = 50
	done, _ := run(&l, s, v, int64(20*time.Second), 4000, 20*time.Second)
	if done < 60_000 {
		t.Errorf("%d of 80,000 were done after it was as before", done)
	}
}

// TestIdleTeachesNothing: a limit that is not in use does not grow.
func TestIdleTeachesNothing(t *testing.T) {
	s := settings(t, Settings{})
	var l Limiter
	run(&l, s, &server{workers: 10, service: time.Millisecond}, 0, 500, 10*time.Second)
	if n := l.Limit(s); n != 20 {
		t.Errorf("the limit is %d", n)
	}
}

func TestSettings(t *testing.T) {
	for _, s := range []Settings{{Least: 0.5}, {Least: 5, Most: 4}, {Most: 1e7}, {Queue: -1}, {Tolerance: 0.9}, {Smoothing: 2}, {Smoothing: -1}, {Sample: 1}, {Long: -1}} {
		if _, err := s.Filled(); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
	s := settings(t, Settings{Least: 3, Most: 5})
	var l Limiter
	if n := l.Limit(s); n != 5 {
		t.Errorf("it begins at %d", n)
	}
	for range 5 {
		if !l.Begin(s) {
			t.Fatal("refused below the limit")
		}
	}
	if l.Begin(s) {
		t.Error("a sixth of five")
	}
	l.End(s, 1, 0, false)
	if !l.Begin(s) {
		t.Error("a place that was given back is taken")
	}
}

func BenchmarkLimiter(b *testing.B) {
	s := settings(b, Settings{})
	var l Limiter
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		if !l.Begin(s) {
			b.Fatal("refused")
		}
		now += 1000
		l.End(s, now, time.Millisecond, true)
	}
}

func Example() {
	s, err := Settings{Initial: 2}.Filled()
	if err != nil {
		fmt.Println(err)
		return
	}
	var l Limiter
	fmt.Println(l.Begin(&s), l.Begin(&s), l.Begin(&s))
	l.End(&s, 0, 5*time.Millisecond, true)
	fmt.Println(l.Begin(&s))
	// Output:
	// true true false
	// true
}
