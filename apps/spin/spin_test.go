package spin

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestBurnCostsWhatItSays burns 2 µs many times over, with all that it takes to begin and to end, and compares the CPU
// time with what was asked for: within 2 %. The machine may change its speed between a calibration and the spins, so that
// one of several attempts must do; a spin that costs more than it says would fail them all.
func TestBurnCostsWhatItSays(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const attempts, tolerance = 20, 0.02
	for _, d := range []time.Duration{2 * time.Microsecond, 20 * time.Microsecond, time.Millisecond} {
		off := math.Inf(1)
		for range attempts {
			rate, err := Calibrate()
			if err != nil {
				t.Fatal(err)
			}
			if now := measure(t, rate, d)/float64(d) - 1; math.Abs(now) < math.Abs(off) {
				off = now
			}
			if math.Abs(off) <= tolerance {
				break
			}
		}
		if math.Abs(off) > tolerance {
			t.Errorf("a spin of %v is off by %.1f %% at the least", d, off*100)
		}
	}
}

// measure returns the nanoseconds of CPU time of one spin of d, in the median of several series.
func measure(t testing.TB, rate Rate, d time.Duration) float64 {
	n := max(1, int(2*sampleTime/d))
	turns := rate.Turns(d)
	var series [11]time.Duration
	for i := range series {
		begin, err := threadTime()
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			Burn(turns)
		}
		end, err := threadTime()
		if err != nil {
			t.Fatal(err)
		}
		series[i] = end - begin
	}
	slices.Sort(series[:])
	return float64(series[len(series)/2]) / float64(n)
}

func TestTurns(t *testing.T) {
	r := Rate{Turn: 1.5}
	for d, want := range map[time.Duration]int64{0: 1, 1: 1, 3: 2, 2 * time.Microsecond: 1333, time.Second: 666666667} {
		if got := r.Turns(d); got != want {
			t.Errorf("%v is %d turns, want %d", d, got, want)
		}
	}
}

// BenchmarkBurn burns 2 µs. The metric says what it cost ÷ what was asked for, which the machine's drift since the
// calibration is a part of.
func BenchmarkBurn(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const d = 2 * time.Microsecond
	rate, err := Calibrate()
	if err != nil {
		b.Fatal(err)
	}
	turns := rate.Turns(d)
	begin, err := threadTime()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Burn(turns)
	}
	end, err := threadTime()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(end-begin)/float64(b.N)/float64(d), "cost/asked")
}

func ExampleRate_Turns() {
	fmt.Println(Rate{Turn: 2}.Turns(time.Microsecond))
	// Output: 500
}
