package circuit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	ms     = int64(time.Millisecond)
	second = int64(time.Second)
)

// TestBreaker runs small scripts: a number of milliseconds passes, "+" and "-" are requests that succeed and fail at once,
// "(" is one that begins, ")" the end of the oldest by success, "!" by failure, "0" by neither. What is admitted, and the
// state at the end, are as the table says.
func TestBreaker(t *testing.T) {
	row := Rule{Consecutive: 3, Open: time.Second, Probes: 2}
	window := Rule{Failures: 3, Window: time.Second, Open: time.Second, Probes: 1}
	share := Rule{Share: 0.5, Volume: 4, Window: time.Second, Open: time.Second, Probes: 1}
	for _, c := range []struct {
		name     string
		rule     Rule
		script   string
		admitted int
		want     State
	}{
		{"two failures are not three", row, "- -", 2, Closed},
		{"three in a row trip", row, "- - - + +", 3, Open},
		{"a success between begins anew", row, "- - + - -", 5, Closed},
		{"failures in a row do not age", row, "- 999999 - 999999 -", 3, Open},
		{"open to the last nanosecond", row, "- - - 1000 +", 3, Open},
		{"half-open admits two and no third", row, "- - - 1001 ( ( ( (", 5, HalfOpen},
		{"both probes must succeed", row, "- - - 1001 ( ( ( ) )", 5, Closed},
		{"one probe's success is not enough", row, "- - - 1001 ( ) ", 4, HalfOpen},
		{"a failed probe opens again", row, "- - - 1001 ( ( ) !", 5, Open},
		{"and for the whole time", row, "- - - 1001 - 1000 +", 4, Open},
		{"a probe without a result gives its place back", row, "- - - 1001 ( ( ( 0 ( ) ) +", 7, Closed},
		{"voids alone never close", row, "- - - 1001 ( 0 ( 0 ( 0", 6, HalfOpen},
		{"a probe of an earlier half-open says nothing", row, "- - - 1001 ( - 1001 ( ) +", 7, HalfOpen},
		{"a late failure of the closed state does not open again", row, "( ( ( ( ( ! ! ! 1001 ! !", 5, HalfOpen},
		{"voids do not count", row, "- - ( 0 -", 4, Open},

		{"three within the window trip", window, "- + - + -", 5, Open},
		{"three over two windows do not", window, "- - 1000 -", 3, Closed},
		{"the window rolls", window, "50 - 900 - 100 -", 3, Closed},
		{"and keeps what is younger", window, "50 - 900 - 100 - 100 -", 4, Open},

		{"a small volume is no share", share, "- - -", 3, Closed},
		{"half of four", share, "+ + - -", 4, Open},
		{"less than half", share, "+ + + - + -", 6, Closed},
		{"successes age as well", share, "+ + + + 1000 - - - -", 8, Open},
		{"a success never trips", share, "- - - +", 4, Closed},
		{"but the failure after it does", share, "- - - + -", 5, Open},

		{"no way to trip", Rule{Open: time.Second, Probes: 1}, strings.Repeat("- ", 1000), 1000, Closed},
	} {
		if err := c.rule.Check(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		now := int64(0)
		b := NewBreaker(&c.rule, now)
		var flying []Ticket
		admitted := 0
		for _, word := range strings.Fields(c.script) {
			switch word {
			case "+", "-", "(":
				ticket, ok := b.Admit(now)
				if !ok {
					continue
				}
				admitted++
				switch word {
				case "+":
					b.Done(ticket, now, Success)
				case "-":
					b.Done(ticket, now, Failure)
				default:
					flying = append(flying, ticket)
				}
			case ")", "!", "0":
				b.Done(flying[0], now, map[string]Result{")": Success, "!": Failure, "0": Void}[word])
				flying = flying[1:]
			default:
				var n int64
				if _, err := fmt.Sscan(word, &n); err != nil {
					t.Fatal(err)
				}
				now += n * ms
			}
		}
		if got := b.State(now); got != c.want || admitted != c.admitted {
			t.Errorf("%s: %s, %d admitted; want %s, %d", c.name, got, admitted, c.want, c.admitted)
		}
	}
}

func TestRemaining(t *testing.T) {
	b := NewBreaker(&Rule{Consecutive: 1, Open: 3 * time.Second, Probes: 1}, 0)
	if d := b.Remaining(5); d != 0 {
		t.Errorf("closed, and %v remain", d)
	}
	ticket, _ := b.Admit(second)
	b.Done(ticket, second, Failure)
	if d := b.Remaining(2 * second); d != 2*time.Second {
		t.Errorf("%v remain of 3 s, one later", d)
	}
	if d := b.Remaining(4*second + 1); d != 0 {
		t.Errorf("half-open, and %v remain", d)
	}
}

// TestUse: a new rule holds at once, for what was counted before as well, but for a window of another length.
func TestUse(t *testing.T) {
	five, two := Rule{Consecutive: 5, Open: time.Second, Probes: 1}, Rule{Consecutive: 2, Open: 9 * time.Second, Probes: 1}
	b := NewBreaker(&five, 0)
	ask := func(now int64, r Result) bool {
		ticket, ok := b.Admit(now)
		if ok {
			b.Done(ticket, now, r)
		}
		return ok
	}
	ask(0, Failure)
	b.Use(&two, 0)
	ask(0, Failure)
	if b.State(8*second) != Open {
		t.Error("the second failure in a row does not trip a rule of two")
	}
	b.Use(&five, 8*second)
	if b.State(8*second) != HalfOpen {
		t.Error("an open breaker does not end by its new rule")
	}
	ask(8*second, Success)
	long, short := five, five
	long.Share, long.Volume, long.Window = 0.5, 2, time.Hour
	short.Share, short.Volume, short.Window = 0.5, 2, time.Second
	b.Use(&long, 9*second)
	ask(20*second, Failure)
	b.Use(&short, 20*second)
	ask(20*second, Success)
	ask(20*second, Success)
	ask(20*second, Failure)
	if b.State(20*second) != Closed || b.sums != (tally{2, 1}) {
		t.Errorf("%s after a window of another length, with %+v", b.State(20*second), b.sums)
	}
	ask(20*second, Failure)
	if b.State(20*second) != Open {
		t.Error("two of four failed")
	}
}

func TestRuleCheck(t *testing.T) {
	good := Rule{Consecutive: 1, Failures: 1, Share: 1, Volume: 1, Window: time.Second, Open: 1, Probes: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Rule){
		"negative":   func(r *Rule) { r.Consecutive = -1 },
		"share":      func(r *Rule) { r.Share = 1.1 },
		"not number": func(r *Rule) { r.Share = math.NaN() },
		"volume":     func(r *Rule) { r.Volume = 0 },
		"window":     func(r *Rule) { r.Window = 9 },
		"open":       func(r *Rule) { r.Open = 0 },
		"probes":     func(r *Rule) { r.Probes = 0 },
	} {
		bad := good
		spoil(&bad)
		if bad.Check() == nil {
			t.Errorf("%s: %+v is accepted", name, bad)
		}
	}
}

// TestOracle makes random calls of this breaker and of sony/gobreaker at the same times, which must give the same answers
// and states. Where the two differ on purpose the calls keep away:
//   - gobreaker counts a result in the bucket in which its request began, and drops it if that has left the window; here it
//     counts when it arrives. So with a window, requests end when they begin.
//   - gobreaker's window without a BucketPeriod is a fixed one that begins anew; here it always rolls.
//   - gobreaker's rolling window forgets of failures in a row those that have left it; here they do not age.
//   - gobreaker gives ReadyToTrip the number of requests admitted, those under way included; here Volume is of results.
func TestOracle(t *testing.T) {
	errFailed, errVoid := errors.New("failed"), errors.New("void")
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			rule := Rule{Open: time.Duration(1+random.IntN(300)) * time.Millisecond, Probes: 1 + random.IntN(4)}
			settings := gobreaker.Settings{
				MaxRequests: uint32(rule.Probes), Timeout: rule.Open,
				IsExcluded: func(err error) bool { return err == errVoid },
			}
			overlap := false
			switch seed % 3 {
			case 0:
				overlap = true
				rule.Consecutive = 1 + random.IntN(5)
				settings.ReadyToTrip = func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= rule.Consecutive }
			case 1:
				rule.Failures, rule.Window = 1+random.IntN(8), 200*time.Millisecond
				settings.ReadyToTrip = func(c gobreaker.Counts) bool { return int(c.TotalFailures) >= rule.Failures }
			case 2:
				rule.Share, rule.Volume, rule.Window = float64(1+random.IntN(10))/10, 1+random.IntN(10), 500*time.Millisecond
				settings.ReadyToTrip = func(c gobreaker.Counts) bool {
					all := c.TotalFailures + c.TotalSuccesses
					return int(all) >= rule.Volume && float64(c.TotalFailures) >= rule.Share*float64(all)
				}
			}
			settings.Interval, settings.BucketPeriod = rule.Window, rule.Window/buckets
			begin := time.Now()
			oracle := gobreaker.NewTwoStepCircuitBreaker[int](settings)
			b := NewBreaker(&rule, 0)
			type call struct {
				ticket Ticket
				done   func(error)
			}
			var flying []call
			end := func(c call) {
				switch n := random.IntN(10); {
				case n == 0:
					b.Done(c.ticket, int64(time.Since(begin)), Void)
					c.done(errVoid)
				case n < 6:
					b.Done(c.ticket, int64(time.Since(begin)), Failure)
					c.done(errFailed)
				default:
					b.Done(c.ticket, int64(time.Since(begin)), Success)
					c.done(nil)
				}
			}
			for step := range 400 {
				now := int64(time.Since(begin))
				switch n := random.IntN(10); {
				case n < 3:
					time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
				case n < 5 && len(flying) > 0:
					i := random.IntN(len(flying))
					end(flying[i])
					flying = append(flying[:i], flying[i+1:]...)
				default:
					ticket, ok := b.Admit(now)
					done, err := oracle.Allow()
					if ok != (err == nil) {
						t.Fatalf("seed %d, step %d: admitted %v, gobreaker says %v", seed, step, ok, err)
					}
					if !ok {
						break
					}
					// Probes may overlap in any case: they are not in the window.
					if c := (call{ticket, done}); overlap || b.State(now) == HalfOpen {
						flying = append(flying, c)
					} else {
						end(c)
					}
				}
				now = int64(time.Since(begin))
				if got, want := b.State(now).String(), oracle.State().String(); got != want {
					t.Fatalf("seed %d, step %d: %s, gobreaker is %s", seed, step, got, want)
				}
			}
		})
	}
}

// TestWindow holds the rolling sums against a count of what lies in the window.
func TestWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := NewBreaker(&Rule{Share: 1, Volume: math.MaxInt32, Window: time.Second, Open: 1, Probes: 1}, 0)
	type result struct {
		bucket int64
		ok     bool
	}
	var all []result
	for now := int64(0); len(all) < 5000; now += random.Int64N(400*ms*random.Int64N(2)*random.Int64N(2)*random.Int64N(2) + 20*ms) {
		r := result{now / (second / buckets), random.IntN(2) == 0}
		all = append(all, r)
		ticket, _ := b.Admit(now)
		b.Done(ticket, now, map[bool]Result{true: Success, false: Failure}[r.ok])
		var want tally
		for i := len(all) - 1; i >= 0 && all[i].bucket > r.bucket-buckets; i-- {
			if all[i].ok {
				want.ok++
			} else {
				want.failed++
			}
		}
		if b.sums != want {
			t.Fatalf("at %d ms: %+v, want %+v", now/ms, b.sums, want)
		}
	}
}

func BenchmarkBreaker(b *testing.B) {
	for name, rule := range map[string]Rule{
		"consecutive": {Consecutive: 5, Open: time.Second, Probes: 1},
		"share":       {Share: 0.5, Volume: 100, Window: 10 * time.Second, Open: time.Second, Probes: 1},
	} {
		b.Run(name, func(b *testing.B) {
			breaker := NewBreaker(&rule, 0)
			now := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				now += 10_000
				ticket, ok := breaker.Admit(now)
				if !ok {
					b.Fatal("open")
				}
				breaker.Done(ticket, now, Success)
			}
		})
	}
}

func BenchmarkGobreaker(b *testing.B) {
	breaker := gobreaker.NewTwoStepCircuitBreaker[int](gobreaker.Settings{})
	b.ReportAllocs()
	for b.Loop() {
		done, err := breaker.Allow()
		if err != nil {
			b.Fatal(err)
		}
		done(nil)
	}
}

func TestBreakerAllocates(t *testing.T) {
	breaker := NewBreaker(&Rule{Share: 0.5, Volume: 10, Window: time.Second, Open: time.Second, Probes: 1}, 0)
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += 10 * ms
		ticket, ok := breaker.Admit(now)
		if ok {
			breaker.Done(ticket, now, Result(now/ms/10%2))
		}
	}); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

func ExampleBreaker() {
	b := NewBreaker(&Rule{Consecutive: 2, Open: time.Second, Probes: 1}, 0)
	for now := range int64(2) {
		ticket, _ := b.Admit(now)
		b.Done(ticket, now, Failure)
	}
	_, admitted := b.Admit(2)
	fmt.Println(b.State(2), admitted, b.State(2+second))
	// Output: open false half-open
}
