package servers

import (
	"time"

	"corelab/httpcore"
)

// parting is how a blocking core's connection ends with its server.
type parting struct {
	fed     bool // bytes ever came
	drained bool // the Conn knows that the server stops
}

// stop acts on the server's end, and reports whether it is the connection's as well: at once where it is cut, which is the
// error, else when nothing is under way. The owner of c calls it in each turn once the server drains.
func (p *parting) stop(l httpcore.Loop, c *httpcore.Conn, cut bool, grace time.Duration, fd int) (over bool, err error) {
	if cut {
		return true, errStopped
	}
	if !p.drained {
		p.drained = true
		c.Drain()
		if !p.fed { // its first request may be on its way
			l.After(min(freshGrace, grace), func(int64) { p.fed = true })
		}
	}
	return p.fed && c.Idle() && nothingUnread(fd), nil
}
