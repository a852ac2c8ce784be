package quota

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

const start = Epoch + 12345678901234567

func policy(t testing.TB, kind Kind, limit int64, period time.Duration, burst int64, interval time.Duration) *Policy {
	t.Helper()
	p, err := NewPolicy(kind, limit, period, burst, interval)
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// TestOverload offers ten times the limit for long, in simulated time: what is admitted is the limit within 0.1 %.
func TestOverload(t *testing.T) {
	for _, c := range []struct {
		limit, burst int64
		period       time.Duration
	}{
		{1_000_000, 1000, time.Second}, {700_001, 100, time.Second}, {1000, 0, time.Second}, {10, 5, time.Second}, {3, 1, time.Minute}, {7, 0, 24 * time.Hour},
	} {
		for _, kind := range []Kind{Bucket, Window} {
			p := policy(t, kind, c.limit, c.period, c.burst, 0)
			const periods = 20
			n := max(c.limit*10*periods, 100_000)
			n = min(n, 3_000_000)
			span := float64(n) / float64(c.limit*10) * float64(c.period)
			w, admitted := word(0), int64(0)
			for i := range n {
				at := start + int64(float64(i)*span/float64(n))
				var got int64
				w, got = p.take(w, at, 1)
				admitted += got
			}
			want := span / float64(c.period) * float64(c.limit)
			over := float64(p.Burst) // at the begin
			if got := float64(admitted); got > (want+over)*1.001+1 || got < want*0.999-1 {
				t.Errorf("kind %d, %d each %v: %d admitted in %v, the limit is %.0f, and %.0f at the begin", kind, c.limit, c.period, admitted, time.Duration(span), want, over)
			}
		}
	}
}

// TestBucketBound: over any time d, no more is admitted than the burst and what comes in d.
func TestBucketBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		limit, burst := 1+r.Int64N(1000), 1+r.Int64N(50)
		p := policy(t, Bucket, limit, time.Second, burst, 0)
		var times []int64
		w, now := word(0), start
		for range 2000 {
			now += r.Int64N(int64(time.Second) / limit)
			if after, got := p.take(w, now, 1); got > 0 {
				w = after
				times = append(times, now)
			} else if l := p.left(w, now); l.Tokens != 0 || l.Retry <= 0 {
				t.Fatalf("refused, but %+v is left", l)
			} else if _, got := p.take(w, now+int64(l.Retry), 1); got != 1 {
				t.Fatalf("limit %d burst %d: nothing to be had after %v", limit, burst, l.Retry)
			} else if _, got := p.take(w, now+int64(l.Retry)-2, 1); got != 0 {
				t.Fatalf("limit %d burst %d: something to be had before %v", limit, burst, l.Retry)
			}
		}
		for i := range times {
			for j := i; j < min(i+200, len(times)); j++ {
				if most := float64(burst) + float64(times[j]-times[i])*float64(limit)*1.00004/1e9; float64(j-i+1) > most+1e-6 {
					t.Fatalf("limit %d burst %d: %d in %v", limit, burst, j-i+1, time.Duration(times[j]-times[i]))
				}
			}
		}
	}
}

// TestWindowBound: each aligned window has its limit at most, and Retry says when there is something again.
func TestWindowBound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		limit := 1 + r.Int64N(100)
		p := policy(t, Window, limit, time.Second, 0, 0)
		count := map[int64]int64{}
		w, now := word(0), start
		for range 2000 {
			now += r.Int64N(int64(time.Second) / limit)
			l := p.left(w, now)
			after, got := p.take(w, now, 1)
			if (got > 0) != (l.Tokens > 0) {
				t.Fatalf("got %d of %+v", got, l)
			}
			if got == 0 {
				if _, got := p.take(w, now+int64(l.Retry), 1); got != 1 {
					t.Fatalf("limit %d: nothing to be had after %v", limit, l.Retry)
				}
				if _, got := p.take(w, now+int64(l.Retry)-1, 1); got != 0 {
					t.Fatalf("limit %d: something to be had before %v", limit, l.Retry)
				}
			}
			w = after
			count[(now-Epoch)/int64(time.Second)] += got
		}
		for i, n := range count {
			if n > limit {
				t.Fatalf("limit %d: %d in window %d", limit, n, i)
			}
		}
	}
}

func TestLeft(t *testing.T) {
	p := policy(t, Bucket, 10, time.Second, 5, 0)
	w, _ := p.take(0, start, 3)
	if l := p.left(w, start); l != (Left{2, 300 * time.Millisecond, 0}) {
		t.Errorf("after 3 of 5: %+v", l)
	}
	w, got := p.take(w, start, 9)
	if l := p.left(w, start); got != 2 || l.Tokens != 0 || l.Reset != 500*time.Millisecond || l.Retry != 100*time.Millisecond {
		t.Errorf("after %d more: %+v", got, l)
	}
	if l := p.left(p.charge(w, start, 10), start); l.Tokens != 0 || l.Retry != 1100*time.Millisecond {
		t.Errorf("ten below nothing: %+v", l)
	}
	if l := p.left(p.refund(w, start, 4), start); l.Tokens != 4 {
		t.Errorf("four given back: %+v", l)
	}
}

func TestNewPolicy(t *testing.T) {
	for _, c := range []struct {
		kind     Kind
		limit    int64
		period   time.Duration
		burst    int64
		interval time.Duration
	}{
		{Bucket, 0, time.Second, 0, 0}, {Bucket, 1, time.Microsecond, 0, 0}, {Bucket, 1, 2 * maxPeriod, 0, 0}, {Bucket, 1, time.Second, -1, 0},
		{Bucket, 1_000_001, time.Second, 0, 0}, {Bucket, 1, maxPeriod, 100, 0}, {Window, 1 << 22, time.Second, 0, 0},
		{Window, 1, time.Second, 0, time.Minute}, {Bucket, 1, time.Second, 0, -1}, {Bucket, math.MaxInt64, time.Second, 0, 0},
	} {
		if p, err := NewPolicy(c.kind, c.limit, c.period, c.burst, c.interval); err == nil {
			t.Errorf("%+v is accepted: %+v", c, p)
		}
	}
}

// FuzzPolicy: no word and no time make a policy give more than its burst, or panic; what is left is what is given.
func FuzzPolicy(f *testing.F) {
	f.Add(int64(0), int64(0), int64(10), int64(5), false)
	f.Add(int64(-1), int64(1<<40), int64(1), int64(1), true)
	f.Fuzz(func(t *testing.T, w, after, limit, burst int64, window bool) {
		kind := Bucket
		if window {
			kind = Window
		}
		p, err := NewPolicy(kind, limit, time.Second, burst, 0)
		if err != nil || after < 0 || after > int64(10*maxPeriod) {
			return
		}
		now := start + after
		if kind == Bucket {
			w = min(w, ticks(now)+4*p.depth) // what it can come to
		}
		l := p.left(w, now)
		_, got := p.take(w, now, math.MaxInt64/2)
		if got != l.Tokens || got > p.Burst || got == 0 && l.Retry <= 0 {
			t.Errorf("%+v: got %d, left was %+v", p, got, l)
		}
		if j := p.join(w, 0, now); p.used(j, now) < p.used(w, now) {
			t.Errorf("%+v: %x joined with nothing is %x", p, w, j)
		}
	})
}

func ExamplePolicy() {
	p, err := NewPolicy(Bucket, 10, time.Second, 3, 100*time.Millisecond)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := NewBook(1000, nil)
	alice, now := b.Key([]byte("alice")), Epoch
	for range 4 {
		got, left := b.Take(&p, alice, nil, now, 1)
		fmt.Println(got, left.Tokens, left.Retry.Round(time.Millisecond))
	}
	// Output:
	// 1 2 0s
	// 1 1 0s
	// 1 0 100ms
	// 0 0 100ms
}
