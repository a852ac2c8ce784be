package circuit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var ejection = Ejection{Consecutive: 3, Interval: 10 * time.Second, Base: 5 * time.Second, Max: 12 * time.Second, Cap: 0.5}

// fail tells of failures until i is out, or of many.
func fail(o *Outliers, i int, now int64) (ejected bool, failures int) {
	for failures = 1; failures <= 20; failures++ {
		if o.Told(i, now, false) {
			return true, failures
		}
	}
	return false, failures - 1
}

func TestOutlierConsecutive(t *testing.T) {
	o := NewOutliers(ejection, 4, 0)
	o.Told(0, 0, false)
	o.Told(0, 0, false)
	o.Told(0, 0, true)
	if ejected, n := fail(o, 0, 0); !ejected || n != 3 || !o.Out(0) || o.Out(1) {
		t.Errorf("ejected %v after %d failures in a row", ejected, n)
	}
	if o.Told(0, 0, false) {
		t.Error("ejected twice")
	}
}

// TestOutlierTimes: each ejection is longer by Base, up to Max; an Interval without one forgives one.
func TestOutlierTimes(t *testing.T) {
	o := NewOutliers(ejection, 2, 0)
	now := int64(0)
	for i, want := range []time.Duration{5, 10, 12, 12} {
		if ejected, _ := fail(o, 1, now); !ejected {
			t.Fatalf("not ejected a %d. time", i+1)
		}
		want *= time.Second
		if back := o.Return(now + int64(want) - 1); back != -1 {
			t.Errorf("%d is back before %v", back, want)
		}
		now += int64(want)
		if back := o.Return(now); back != 1 || o.Out(1) {
			t.Errorf("%d is back after %v", back, want)
		}
		if back := o.Return(now); back != -1 {
			t.Errorf("%d is back once more", back)
		}
	}
	now += 3 * 10 * second // of four, three are forgiven
	fail(o, 1, now)
	if o.Return(now+10*second-1) != -1 || o.Return(now+10*second) != 1 {
		t.Error("after three good intervals an ejection does not take the second time")
	}
	now += 10*second + 1000*second
	fail(o, 1, now)
	if o.Return(now+5*second-1) != -1 || o.Return(now+5*second) != 1 {
		t.Error("what is long ago is not forgiven")
	}
}

func TestOutlierCap(t *testing.T) {
	for _, c := range []struct {
		n, want int
		cap     float64
	}{{1, 0, 0.5}, {2, 1, 0.5}, {3, 1, 0.5}, {10, 1, 0.1}, {9, 0, 0.1}, {4, 4, 1}, {4, 0, 0}} {
		rule := ejection
		rule.Cap = c.cap
		o := NewOutliers(rule, c.n, 0)
		got := 0
		for i := range c.n {
			if ejected, _ := fail(o, i, 0); ejected {
				got++
			}
		}
		if got != c.want || got < c.n && o.Capped() == 0 {
			t.Errorf("%d of %d are out with a cap of %g, %d refused; want %d", got, c.n, c.cap, o.Capped(), c.want)
		}
		for o.Return(5*second) >= 0 {
			got--
		}
		if got != 0 || o.out != 0 {
			t.Errorf("%d did not return", got)
		}
		if ejected, n := fail(o, c.n-1, 5*second); ejected != (c.want > 0) || c.cap == 1 && n != 3 {
			t.Errorf("after their return: ejected %v after %d", ejected, n)
		}
	}
}

func TestOutlierShare(t *testing.T) {
	rule := ejection
	rule.Consecutive, rule.Share, rule.Volume = 0, 0.5, 10
	o := NewOutliers(rule, 2, 0)
	for i := range 9 {
		if o.Told(0, 0, i%2 == 0) {
			t.Errorf("ejected by %d results", i+1)
		}
	}
	if !o.Told(0, 0, false) {
		t.Error("five of ten have failed")
	}
	for range 9 {
		o.Told(1, 0, false)
	}
	if o.Told(1, 10*second+1, false) {
		t.Error("ejected by the failures of an earlier interval")
	}
}

// TestOutlierInvariants makes random calls: never are more out than may be, what is out returns in its time and not before.
func TestOutlierInvariants(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 3))
		n := 1 + random.IntN(8)
		rule := Ejection{
			Consecutive: random.IntN(4), Share: float64(random.IntN(11)) / 10, Volume: 1 + random.IntN(5),
			Interval: time.Duration(1+random.IntN(1000)) * time.Millisecond, Base: time.Duration(1+random.IntN(500)) * time.Millisecond,
			Max: time.Second, Cap: float64(random.IntN(11)) / 10,
		}
		if err := rule.Check(); err != nil {
			t.Fatal(err)
		}
		o := NewOutliers(rule, n, 0)
		since := make([]int64, n)
		now := int64(0)
		for range 2000 {
			now += random.Int64N(20 * ms)
			for back := o.Return(now); back >= 0; back = o.Return(now) {
				if d := now - since[back]; d < int64(rule.Base) {
					t.Fatalf("seed %d: back after %d ns", seed, d)
				}
			}
			i := random.IntN(n)
			was := o.Out(i)
			if o.Told(i, now, random.IntN(3) == 0) {
				if was {
					t.Fatalf("seed %d: ejected while out", seed)
				}
				since[i] = now
			}
			out := 0
			for i := range n {
				if o.Out(i) {
					out++
					if now-since[i] > int64(rule.Max)+20*ms {
						t.Fatalf("seed %d: out for longer than the most", seed)
					}
				}
			}
			if out != o.out || float64(out) > rule.Cap*float64(n) {
				t.Fatalf("seed %d: %d of %d are out, counted %d", seed, out, n, o.out)
			}
		}
	}
}

func TestEjectionCheck(t *testing.T) {
	good := Ejection{Consecutive: 1, Share: 1, Volume: 1, Interval: 1, Base: 1, Max: 1, Cap: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Ejection){
		"negative": func(e *Ejection) { e.Consecutive = -1 },
		"share":    func(e *Ejection) { e.Share = math.NaN() },
		"cap":      func(e *Ejection) { e.Cap = 2 },
		"volume":   func(e *Ejection) { e.Volume = 0 },
		"interval": func(e *Ejection) { e.Interval = 0 },
		"base":     func(e *Ejection) { e.Base = 0 },
		"max":      func(e *Ejection) { e.Base = 2 },
	} {
		bad := good
		spoil(&bad)
		if bad.Check() == nil {
			t.Errorf("%s: %+v is accepted", name, bad)
		}
	}
}

func BenchmarkOutliers(b *testing.B) {
	o := NewOutliers(ejection, 16, 0)
	now, i := int64(0), 0
	b.ReportAllocs()
	for b.Loop() {
		now += 10_000
		if o.Return(now) < 0 && !o.Out(i) {
			o.Told(i, now, true)
		}
		i = (i + 1) % 16
	}
}

func ExampleOutliers() {
	o := NewOutliers(Ejection{Consecutive: 2, Interval: time.Second, Base: time.Second, Max: time.Minute, Cap: 0.5}, 2, 0)
	o.Told(0, 0, false)
	fmt.Println(o.Told(0, 0, false), o.Out(0), o.Return(second))
	// Output: true true 0
}
