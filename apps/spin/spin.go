// Package spin burns CPU time of a known amount: it counts turns of a generator whose cost was measured before. While it
// burns it reads no clock. A clock would also count the time in which the thread did not run, so that less is burnt than
// was asked for as soon as a CPU is shared; and on a machine whose speed drifts, turns that were counted stay in proportion
// to the work beside them.
package spin

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sampleTime is the least CPU time of one sample; reading the clock costs less than a thousandth of it.
	sampleTime = time.Millisecond
	// samples are in one calibration.
	samples = 25
	// calibrations bounds how often a calibration is repeated until one confirms the one before.
	calibrations = 12
	// agreement is how near it must come, as a share.
	agreement = 0.01
)

// Rate is what a turn costs on this machine, in nanoseconds of CPU time.
type Rate struct {
	Turn  float64 // by the calibration that was confirmed
	Check float64 // by the next one, which confirmed it, or else was the last
}

// Calibrate measures the rate. It takes about a twentieth of a second, up to half a second on a machine that is not steady.
//
// A calibration takes the median of its samples. That others have the CPU meanwhile is not in them, they are CPU time; but
// interrupts, and the clock that the processor happens to have, are in them as they will be in what is burnt. The fastest
// sample, which is what one takes of wall time, is 2 to 6 % less than turns cost on the average on a busy virtual machine.
func Calibrate() (Rate, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n, err := sampleTurns()
	if err != nil {
		return Rate{}, err
	}
	var r Rate
	if r.Check, err = typical(n); err != nil {
		return Rate{}, err
	}
	for range calibrations {
		r.Turn = r.Check
		if r.Check, err = typical(n); err != nil {
			return Rate{}, err
		}
		if math.Abs(r.Check-r.Turn) <= agreement*r.Turn {
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

// typical returns the nanoseconds of a turn in the median of several samples.
func typical(n int64) (float64, error) {
	var all [samples]time.Duration
	for i := range all {
		var err error
		if all[i], err = cost(n); err != nil {
			return 0, err
		}
	}
	slices.Sort(all[:])
	return float64(all[samples/2]) / float64(n), nil
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
