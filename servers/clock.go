package servers

import (
	"time"

	"corelab/httpcore"
)

// epoch is what monotonic times count from. It lies in the past, so that no time is 0.
var epoch = time.Now().Add(-time.Second)

// monotonic returns the monotonic time in nanoseconds. Any goroutine may call it; it is one vDSO read.
func monotonic() int64 { return int64(time.Since(epoch)) }

// dateline keeps a Date for one owner and formats a new one when the second has changed.
type dateline struct {
	until int64 // monotonic time from which date is stale
}

// refresh puts a new Date into env once a second; now is the time of the turn.
func (d *dateline) refresh(env *httpcore.Env, now int64) {
	if now < d.until {
		return
	}
	wall := time.Now()
	env.Date = httpcore.FormatDate(wall)
	d.until = now + int64(time.Second) - int64(wall.Nanosecond())
}
