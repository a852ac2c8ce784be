package servers

import (
	"math/rand/v2"
	"testing"
	"time"
)

// alarmClock is an entry's owner that remembers when it fired.
type alarmClock struct {
	entry entry
	w     *wheel
	due   int64 // as set; 0 when not set
	fired int
	early bool
	then  func(now int64)
}

func (a *alarmClock) expired(now int64) {
	a.early = a.early || a.due == 0 || now < a.due
	a.due = 0
	a.fired++
	if a.then != nil {
		a.then(now)
	}
}

func newAlarmClock(w *wheel) *alarmClock {
	a := &alarmClock{w: w}
	a.entry.owner = a
	return a
}

func (a *alarmClock) set(due int64) {
	a.due = due
	a.w.set(&a.entry, due)
}

func (a *alarmClock) stop() {
	a.due = 0
	a.w.stop(&a.entry)
}

// TestWheelModel compares the wheel with a list of due times, over delays from below a tick to beyond the coarse ring.
func TestWheelModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, longest := range []time.Duration{3 * time.Millisecond, 700 * time.Millisecond, 90 * time.Second, 20 * time.Minute} {
		var w wheel
		now := int64(rng.IntN(1 << 40))
		w.start(now)
		clocks := make([]*alarmClock, 50)
		for i := range clocks {
			clocks[i] = newAlarmClock(&w)
		}
		for range 20_000 {
			switch a := clocks[rng.IntN(len(clocks))]; rng.IntN(4) {
			case 0:
				a.set(now + rng.Int64N(int64(longest)))
			case 1:
				a.stop()
			case 2:
				checkNext(t, &w, clocks, now)
				now += rng.Int64N(int64(longest) / 10)
				w.advance(now)
			case 3:
				// As a loop does: sleep until the wheel says, then look.
				if next := w.next(); next > now {
					now = next
				}
				w.advance(now)
			}
			for i, a := range clocks {
				if a.early {
					t.Fatalf("longest %v: clock %d fired early or unset", longest, i)
				}
				if a.due != 0 && now >= a.due+2*wheelTick {
					t.Fatalf("longest %v: clock %d is %v late", longest, i, time.Duration(now-a.due))
				}
			}
		}
	}
}

// checkNext holds next to its promise: never later than a tick after the first due time, 0 only when nothing is set.
func checkNext(t *testing.T, w *wheel, clocks []*alarmClock, now int64) {
	t.Helper()
	first := int64(0)
	for _, a := range clocks {
		if a.due != 0 && (first == 0 || a.due < first) {
			first = a.due
		}
	}
	next := w.next()
	if (first == 0) != (next == 0) {
		t.Fatalf("next is %d with the first deadline at %d", next, first)
	}
	if next > max(first, now)+2*wheelTick {
		t.Fatalf("next is %v after the first deadline", time.Duration(next-max(first, now)))
	}
}

// TestWheelSettingFromFire sets and stops entries from inside expired: itself again at once, and another of the same slot.
func TestWheelSettingFromFire(t *testing.T) {
	var w wheel
	w.start(0)
	again, victim, killer := newAlarmClock(&w), newAlarmClock(&w), newAlarmClock(&w)
	again.then = func(now int64) {
		if again.fired < 3 {
			again.set(now)
		}
	}
	// Whichever of the two fires first stops the other one.
	victim.then = func(int64) { killer.stop() }
	killer.then = func(int64) { victim.stop() }
	again.set(5 * wheelTick)
	victim.set(5 * wheelTick)
	killer.set(5 * wheelTick)
	for now := int64(0); now < 20*wheelTick; now += wheelTick {
		before := again.fired
		w.advance(now)
		if again.fired > before+1 {
			t.Fatal("an entry set again from expired fired twice in one advance")
		}
	}
	if again.fired != 3 {
		t.Errorf("set again twice, fired %d times", again.fired)
	}
	if victim.fired+killer.fired != 1 {
		t.Errorf("a stopped entry of the slot being fired has fired: %d, %d", victim.fired, killer.fired)
	}
	if w.held != 0 || w.next() != 0 {
		t.Errorf("an empty wheel holds %d, next %d", w.held, w.next())
	}
}

func BenchmarkWheelSetAdvance(b *testing.B) {
	var w wheel
	w.start(0)
	clocks := make([]*alarmClock, 1000)
	for i := range clocks {
		clocks[i] = newAlarmClock(&w)
	}
	now := int64(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now += 50_000
		clocks[i%len(clocks)].set(now + int64(i%75)*int64(time.Second))
		w.advance(now)
	}
}
