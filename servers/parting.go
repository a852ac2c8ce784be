package servers

import (
	"time"

	"corelab/httpcore"
)

// parting is how a blocking core's connection ends with its server.
type parting struct {
	drained bool // the Conn knows that the server stops
	late    bool // the time for one more request is over
}

// stop acts on the server's end, and reports whether it is the connection's as well: at once where it is cut, which is the
// error, else when nothing is under way, from the monotonic time last on. The owner of c calls it in each turn once the
// server drains.
func (p *parting) stop(l httpcore.Loop, c *httpcore.Conn, cut bool, last int64, fd int) (over bool, err error) {
	if cut {
		return true, errStopped
	}
	if !p.drained {
		p.drained = true
		c.Drain()
		if p.late = l.Now() >= last; !p.late {
			l.After(time.Duration(last-l.Now()), func(int64) { p.late = true })
		}
	}
	return p.late && c.Idle() && nothingUnread(fd), nil
}
