// Package spin burns CPU time of a known amount: it counts turns of a generator whose cost was measured before. While it
// burns it reads no clock. A clock would also count the time in which the thread did not run, so that less is burnt than
// was asked for as soon as a CPU is shared; and on a machine whose speed drifts, turns that were counted stay in proportion
// to the work beside them.
package spin

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sampleTime is the least CPU time of one sample; reading the clock costs less than a thousandth of it.
	sampleTime = time.Millisecond
	// samples are in one calibration. The fastest is the one that nobody disturbed.
	samples = 25
	// calibrations bounds how often a calibration is repeated until one confirms what is known.
	calibrations = 12
	// agreement is how near the next calibration must come, as a share.
	agreement = 0.005
)

// Rate is what a turn costs on this machine.
type Rate struct {
	Turn  float64 // nanoseconds of CPU time, the least that was seen
	Check float64 // the same of the last calibration, made to confirm it
}

// Calibrate measures the rate. It takes about a twentieth of a second, up to half a second on a machine that is busy with
// something else.
func Calibrate() (Rate, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n, err := sampleTurns()
	if err != nil {
		return Rate{}, err
	}
	r := Rate{Turn: math.Inf(1)}
	for range calibrations {
		if r.Check, err = fastest(n); err != nil {
			return Rate{}, err
		}
		confirmed := math.Abs(r.Check-r.Turn) <= agreement*r.Turn
		r.Turn = min(r.Turn, r.Check)
		if confirmed {
			break
		}
	}
	return r, nil
}

// Turns returns how many turns cost d; at least one.
func (r Rate) Turns(d time.Duration) int64 {
	return max(1, int64(math.Round(float64(d)/r.Turn)))
}

// sampleTurns returns a number of turns that takes sampleTime or longer.
func sampleTurns() (int64, error) {
	for n := int64(1 << 16); ; n *= 2 {
		d, err := cost(n)
		if err != nil || d >= sampleTime {
			return n, err
		}
	}
}

// fastest returns the nanoseconds of a turn in the fastest of several samples.
func fastest(n int64) (float64, error) {
	least := time.Duration(math.MaxInt64)
	for range samples {
		d, err := cost(n)
		if err != nil {
			return 0, err
		}
		least = min(least, d)
	}
	return float64(least) / float64(n), nil
}

// cost returns the CPU time that n turns take. The caller is locked to its thread.
func cost(n int64) (time.Duration, error) {
	begin, err := threadTime()
	if err != nil {
		return 0, err
	}
	Burn(n)
	end, err := threadTime()
	return end - begin, err
}

// threadTime returns the CPU time of this thread: what others take of the CPU meanwhile is not in it.
func threadTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("clock_gettime of the thread's CPU time: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// Burn runs n turns of a xorshift generator, each of which waits for the one before, so that neither the compiler nor the
// CPU can do with less. It is never inlined: every caller runs the same instructions at the same address, those that were
// measured.
//
//go:noinline
func Burn(n int64) {
	state := uint64(0x9e3779b97f4a7c15)
	for range n {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
	}
	if state == 0 {
		panic("spin: a xorshift generator that was not zero became zero")
	}
}
