package ledger

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"corelab/apps/gateway/quota"
)

var (
	origin = time.Now()
	base   = origin.UnixNano()
)

func clock() int64 { return base + int64(time.Since(origin)) }

// process is a gateway: a book, and a ledger that carries it.
type process struct {
	*Ledger
	rule *Rule
	p    quota.Policy
}

const interval = 20 * time.Millisecond

func newProcess(t testing.TB, s *server, p quota.Policy) *process {
	t.Helper()
	j := quota.NewJournal(1000)
	g := &process{New(Options{Address: s.address, Prefix: "corelab:", Interval: interval, Now: clock}), &Rule{Name: "rule", Book: quota.NewBook(100, j), Journal: j}, p}
	g.rule.Set(p)
	g.Add(g.rule)
	t.Cleanup(func() { g.Close() })
	return g
}

func (g *process) take(key string) bool {
	got, _ := g.rule.Book.Take(&g.p, g.rule.Book.Key([]byte(key)), []byte(key), clock(), 1)
	return got > 0
}

// rounds waits until n more rounds went well.
func (g *process) rounds(t testing.TB, n int64) {
	t.Helper()
	from := g.Stats()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s := g.Stats()
		if s.Rounds-s.Failed >= from.Rounds-from.Failed+n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %d rounds in 20 s: %+v", n, s)
		}
	}
}

func newPolicy(t testing.TB, kind quota.Kind, limit int64, period time.Duration, burst int64) quota.Policy {
	t.Helper()
	p, err := quota.NewPolicy(kind, limit, period, burst, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOvershoot has processes do what makes the overshoot largest: all are silent, and then are asked for everything at
// once. What they admit is within the bound of doc.go, and is paid back: over all the time it is the limit.
func TestOvershoot(t *testing.T) {
	s := startRedis(t)
	const n, limit, burst = 3, 2000, 50
	p := newPolicy(t, quota.Bucket, limit, time.Second, burst)
	var all []*process
	for range n {
		all = append(all, newProcess(t, s, p))
	}
	for _, g := range all {
		g.take("other") // so that connections and scripts are there
		g.rounds(t, 2)
	}
	began, admitted, worst := time.Now(), 0, time.Duration(0)
	for last := began; time.Since(began) < 1200*time.Millisecond; {
		now := time.Now()
		worst = max(worst, now.Sub(last))
		last = now
		for _, g := range all {
			if g.take("alice") {
				admitted++
			}
		}
	}
	d := time.Since(began)
	// What a process may be behind by: an interval, a round trip, and here as long as this busy machine let it wait.
	behind := interval + 100*time.Millisecond + worst
	most := burst + limit*d.Seconds() + (n-1)*(burst+limit*behind.Seconds())
	if float64(admitted) > most {
		t.Errorf("%d admitted in %v, %.0f may be", admitted, d, most)
	}
	if float64(admitted) < 0.8*limit*d.Seconds() {
		t.Errorf("%d admitted in %v, the limit is %d a second", admitted, d, limit)
	}
	if alone := n * limit * d.Seconds(); float64(admitted) > 0.8*alone {
		t.Errorf("%d admitted in %v: each process goes by itself", admitted, d)
	}
}

// longPolicy is a limit whose window does not end while a test runs.
func longPolicy(t *testing.T) quota.Policy {
	t.Helper()
	for _, hours := range []time.Duration{24, 23, 19} {
		p := newPolicy(t, quota.Window, 1_000_000, hours*time.Hour, 0)
		if p.Number(clock()) == p.Number(clock()+int64(5*time.Minute)) {
			return p
		}
	}
	t.Fatal("three windows of different lengths end within five minutes")
	panic("unreachable")
}

// TestOutage kills Redis while two processes count in it, and starts it again: what they admitted meanwhile is there
// afterwards, all of it, once.
func TestOutage(t *testing.T) {
	s := startRedis(t)
	p := longPolicy(t)
	a, b := newProcess(t, s, p), newProcess(t, s, p)
	admitted := int64(0)
	take := func(n int) {
		for range n {
			for _, g := range []*process{a, b} {
				if g.take("alice") {
					admitted++
				}
			}
		}
	}
	take(1000)
	a.rounds(t, 2)
	b.rounds(t, 2)
	key := func() string { return "corelab:rule:alice:" + strconv.FormatInt(p.Number(clock()), 10) }
	if n := s.number(key()); n != admitted {
		t.Fatalf("Redis has %d, %d were admitted", n, admitted)
	}
	s.kill()
	take(500)
	for _, g := range []*process{a, b} {
		for end := time.Now().Add(20 * time.Second); g.Stats().Pending == 0 || g.Stats().Err == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("Redis is gone, and nothing waits for it: %+v", g.Stats())
			}
		}
	}
	take(500)
	if err := s.start(); err != nil {
		t.Fatalf("it does not come back: %v\n%s", err, s.log.String())
	}
	a.rounds(t, 2)
	b.rounds(t, 2)
	if n := s.number(key()); n != admitted {
		t.Errorf("Redis has %d, %d were admitted", n, admitted)
	}
	for i, g := range []*process{a, b} {
		g.take("alice")
		admitted++
		g.rounds(t, 2)
		left := g.rule.Book.Left(&p, g.rule.Book.Key([]byte("alice")), clock())
		if used := p.Limit - left.Tokens; used != admitted {
			t.Errorf("process %d knows of %d, %d were admitted", i, used, admitted)
		}
	}
}

// TestLongOutage: of a bucket, what has come back while Redis was away is not held against the consumer afterwards.
func TestLongOutage(t *testing.T) {
	p := newPolicy(t, quota.Bucket, 100, time.Second, 100)
	var e entry
	now := clock()
	for range 1000 { // 1,000 tokens in 10 s, the limit
		now += int64(10 * time.Millisecond)
		e.absorb(&p, now, 1)
	}
	if missing := time.Duration(e.full - now); missing > 10*time.Millisecond {
		t.Errorf("after 10 s at the limit %v are missing from the bucket", missing)
	}
	e.absorb(&p, now, 50)
	if missing := time.Duration(e.full - now); missing < 500*time.Millisecond || missing > 510*time.Millisecond {
		t.Errorf("50 more at once: %v are missing", missing)
	}
}

// TestIdleTalliesGo: keys that nobody uses any more are let go, and what is taken of them later counts.
func TestIdleTalliesGo(t *testing.T) {
	p := newPolicy(t, quota.Bucket, 1000, time.Second, 1000)
	j := quota.NewJournal(3)
	b := quota.NewBook(100, j)
	a := &account{Rule: &Rule{Name: "r", Book: b, Journal: j}}
	a.Set(p)
	now := clock()
	take := func(key string) { b.Take(&p, b.Key([]byte(key)), []byte(key), now, 5) }
	for _, key := range []string{"a", "b", "c", "d"} {
		take(key)
	}
	if j.Lost() != 5 {
		t.Errorf("%d were lost, of four keys three have room", j.Lost())
	}
	if n := len(a.collect(now)); n != 3 {
		t.Errorf("%d are due, want 3", n)
	}
	now += int64(time.Hour)
	a.collect(now)
	if n := len(a.entries); n != 0 {
		t.Errorf("%d entries after an hour of silence", n)
	}
	for _, key := range []string{"a", "d", "e"} {
		take(key)
	}
	due := a.collect(now)
	if len(due) != 3 || j.Lost() != 5 {
		t.Errorf("%d are due, and %d lost, when there is room again", len(due), j.Lost())
	}
	for _, s := range due {
		if missing := time.Duration(s.full - now); missing != 5*time.Millisecond {
			t.Errorf("%s: %v are missing, 5 ms were taken", s.tally.Name, missing)
		}
	}
}

// TestAsker asks for each request: it is exact, and says so when there is nobody to ask.
func TestAsker(t *testing.T) {
	s := startRedis(t)
	p := newPolicy(t, quota.Bucket, 1, time.Minute, 50)
	const workers, queue = 4, 200
	a := NewAsker(Options{Address: s.address, Prefix: "corelab:", Now: clock}, workers, queue)
	var admitted, refused, failed atomic.Int64
	answers := make(chan Answer, queue)
	ask := func(n int) {
		for range n {
			if !a.Try(p, "rule", "alice", func(w Answer) { answers <- w }) {
				t.Fatal("the queue is full")
			}
		}
		for range n {
			switch w := <-answers; {
			case w.Err != nil:
				failed.Add(1)
			case w.Admitted:
				admitted.Add(1)
			default:
				if w.Left.Retry <= 0 || w.Left.Retry > time.Minute {
					t.Errorf("refused, %+v is left", w.Left)
				}
				refused.Add(1)
			}
		}
	}
	ask(120)
	if admitted.Load() != 50 || refused.Load() != 70 {
		t.Errorf("%d admitted and %d refused of 120, the burst is 50", admitted.Load(), refused.Load())
	}
	s.kill()
	ask(20)
	if failed.Load() != 20 {
		t.Errorf("%d of 20 failed when Redis was gone", failed.Load())
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// BenchmarkAsker is what a limit costs that asks Redis each time: the round trip, one request after the other.
func BenchmarkAsker(b *testing.B) {
	s := startRedis(b)
	p := newPolicy(b, quota.Bucket, 1_000_000, time.Second, 1_000_000)
	a := NewAsker(Options{Address: s.address, Now: clock}, 1, 1)
	defer a.Close()
	answers := make(chan Answer, 1)
	b.ReportAllocs()
	for b.Loop() {
		a.Try(p, "rule", "alice", func(w Answer) { answers <- w })
		if w := <-answers; w.Err != nil || !w.Admitted {
			b.Fatal(w)
		}
	}
}
