package gateway

import "time"

// booted is when the process began, by both clocks.
var booted = time.Now()

// steady is the time that limits count in: Unix nanoseconds as of the process's begin, which go on evenly whatever happens to
// the wall clock. Any goroutine may call it.
func steady() int64 { return booted.UnixNano() + int64(time.Since(booted)) }

// wallEvery is how long a shard's wall clock goes by the loop's: it may be off by what the machine's is set meanwhile.
const wallEvery = int64(time.Second)

// wall tells a shard both times from its loop's, without reading a clock for each request.
type wall struct {
	unix  int64 // to be added to loop time, as steady
	even  int64
	until int64 // loop time
}

// keepWall declares the shard's wall.
func keepWall(b *Builder) Kept[wall] {
	return Keep(b, "wall", "", func(s *Shard) *wall { return &wall{} })
}

// read looks at the machine's clocks once in a while. now is loop time.
func (w *wall) read(now int64) {
	if now < w.until {
		return
	}
	if w.until == 0 {
		w.even = steady() - now
	}
	w.unix = time.Now().UnixNano() - now
	w.until = now + wallEvery
}
