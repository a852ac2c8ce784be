package lab

import (
	"sync"
	"time"

	"corelab/httpcore"
)

const (
	maxDelay = 60_000    // ms that /delay holds a request
	maxSpin  = 1_000_000 // µs that /spin burns
)

var (
	badDelay = badRequest("the path must be /delay/MS, MS a number of milliseconds from 0 to 60000")
	badSpin  = badRequest("the path must be /spin/US, US a number of microseconds from 0 to 1000000")
)

// serveDelay holds the request and answers it from a timer of the loop: it stands for a handler that waits for something
// else. A client that leaves earlier takes the timer with it.
func serveDelay(x *httpcore.Exchange) {
	ms, valid := parseCount(x.Param("ms"))
	if !valid || ms > maxDelay {
		x.Reply(&badDelay)
		return
	}
	if ms == 0 {
		x.Reply(&ok)
		return
	}
	held := x.Hold()
	timer := x.Loop().After(time.Duration(ms)*time.Millisecond, func(int64) { held.Reply(&ok) })
	x.OnAbort(func(error) { timer.Stop() })
}

// serveSpin burns CPU: it stands for a handler that computes.
func serveSpin(x *httpcore.Exchange) {
	us, valid := parseCount(x.Param("us"))
	if !valid || us > maxSpin {
		x.Reply(&badSpin)
		return
	}
	spin(us)
	x.Reply(&ok)
}

// spin works for us microseconds of CPU time. It counts rounds and reads no clock: a clock would also count the time in
// which the thread was not running, and burn less than it says as soon as the CPU is shared with the generator.
func spin(us int64) {
	if turn(us*roundsPerMilli()/1000) == 0 {
		panic("lab: a xorshift generator that was not zero became zero")
	}
}

// turn runs n rounds of a xorshift generator, each of which waits for the one before.
func turn(n int64) uint64 {
	state := uint64(0x9e3779b97f4a7c15)
	for range n {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
	}
	return state
}

const (
	calibrationRounds = 100_000 // in one sample, a fraction of a millisecond
	calibrationRuns   = 100     // samples, some hundredths of a second in all; the fastest is the one that nobody interrupted
)

// roundsPerMilli is how many rounds of turn this machine does in a millisecond, measured once, before the first spin.
var roundsPerMilli = sync.OnceValue(func() int64 {
	fastest := time.Duration(1 << 62)
	for range calibrationRuns {
		begin := time.Now()
		if turn(calibrationRounds) == 0 {
			panic("lab: a xorshift generator that was not zero became zero")
		}
		fastest = min(fastest, time.Since(begin))
	}
	return max(1, calibrationRounds*int64(time.Millisecond)/max(1, int64(fastest)))
})
