package servers

import (
	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// loopConn is a connection of a loop. It is used again for a later one; gen tells them apart.
type loopConn struct {
	httpcore.Conn
	timer entry
	l     *loop
	fd    int32 // -1 when closed
	gen   int32

	readable bool // a read may give bytes: no EAGAIN nor short read since the last edge
	hangup   bool // the peer's FIN has come, perhaps behind unread bytes: only a read of 0 ends reading
	ended    bool // that read was made, or seen to come
	blocked  bool // the socket was full: wait for EPOLLOUT
	watching bool // EPOLLOUT is asked for
	shut     bool // we have sent our FIN
	fed      bool // bytes ever came
	queued   bool // in the loop's list of ready connections

	canned cannedState
}

const (
	watchRead  = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	watchWrite = watchRead | unix.EPOLLOUT
)

func (c *loopConn) expired(int64) { c.l.speak.expired(c.l, c) }

// full remembers that the socket takes no more, and asks for EPOLLOUT the first time; being edge-triggered it may stay.
func (l *loop) full(c *loopConn) {
	c.blocked = true
	if !c.watching {
		c.watching = true
		l.poller.rewatch(int(c.fd), c.gen, watchWrite)
	}
}

// receive makes one read of at most room bytes into the loop's buffer. It returns what came, and false if c was dropped.
// No bytes and true mean that there are none now, or, with ended, no more.
func (l *loop) receive(c *loopConn, room int) ([]byte, bool) {
	b := l.in[:min(room, readSize)]
	n, errno := recvNow(int(c.fd), b)
	switch {
	case errno == unix.EAGAIN:
		c.readable = false
	case errno != 0:
		l.drop(c, errno)
		return nil, false
	case n == 0:
		c.readable, c.ended = false, true
	default:
		// A short read has emptied the socket: the next byte is a new edge. A FIN that came with the bytes is not.
		c.readable = n == len(b) || c.hangup
		c.fed = true
	}
	return b[:n], true
}

// drop closes c; err is why, nil where that was agreed.
func (l *loop) drop(c *loopConn, err error) {
	l.speak.abort(c, err)
	l.wheel.stop(&c.timer)
	l.conns[c.fd] = nil
	closeNow(int(c.fd))
	c.fd = -1
	l.tally.open--
	if !c.queued {
		l.recycle(c)
	}
	if l.paused {
		l.resumeAccept()
	}
}

// recycle keeps a closed connection for a new one.
func (l *loop) recycle(c *loopConn) {
	if len(l.spare) < spareConns {
		l.spare = append(l.spare, c)
	}
}

// httpProtocol speaks HTTP on a loop's connections by their httpcore.Conn.
type httpProtocol struct{}

func (httpProtocol) open(l *loop, c *loopConn) {
	c.Open(&l.env, l, l.poller.now)
	l.setDeadline(c)
}

func (httpProtocol) serve(l *loop, c *loopConn) {
	switch w := c.Want(); {
	case w&httpcore.Again != 0:
		if c.queued {
			break // its turn comes after the others'
		}
		c.Pump(l.poller.now)
	case c.readable && !c.ended && w&httpcore.Read != 0:
		b, ok := l.receive(c, c.Room())
		if !ok {
			return
		}
		if len(b) > 0 {
			c.Feed(b, l.poller.now)
		} else if c.ended {
			c.End()
		}
	}
	l.settle(c)
}

func (httpProtocol) expired(l *loop, c *loopConn) {
	switch d := c.Deadline(); {
	case d == 0:
		return
	case d > l.poller.now:
		l.wheel.set(&c.timer, d)
		return
	}
	c.Pump(l.poller.now)
	l.settle(c)
}

func (httpProtocol) drain(l *loop, c *loopConn) { c.Drain() }

func (httpProtocol) idle(c *loopConn) bool { return c.Idle() }

func (httpProtocol) abort(c *loopConn, err error) { c.Abort(err) }

// settle writes what is pending and acts on what c wants then.
func (l *loop) settle(c *loopConn) {
	w := c.Want()
	if w&httpcore.Write != 0 && !c.blocked {
		how, err := l.out.flush(int(c.fd), &c.Conn)
		switch how {
		case flushFull:
			l.full(c)
		case flushMore:
			l.queue(c)
		case flushGone:
			l.drop(c, err)
			return
		}
		w = c.Want()
	}
	if w != httpcore.Read || c.readable {
		if !l.attend(c, w) {
			return
		}
	}
	l.setDeadline(c)
}

// attend does for c what is neither reading nor writing. It returns false if c was dropped.
func (l *loop) attend(c *loopConn, w httpcore.Interest) bool {
	if w&httpcore.Close != 0 {
		l.drop(c, nil)
		return false
	}
	if w&(httpcore.Linger|httpcore.Write) == httpcore.Linger && !c.shut {
		c.shut = true
		shutdownWrite(int(c.fd))
	}
	switch {
	case w&httpcore.Again != 0:
		l.queue(c)
	case !c.readable || c.ended:
	case w&httpcore.Read != 0:
		l.queue(c)
	case c.hangup:
		// Held, or slow to read, and nothing will be read now; yet a FIN with nothing before it is the peer's end.
		n, errno := unread(int(c.fd))
		if errno != 0 && errno != unix.EAGAIN {
			l.drop(c, errno)
			return false
		}
		if n == 0 && errno == 0 {
			c.ended = true
			c.End()
			l.queue(c)
		}
	}
	return true
}

// setDeadline sets c's timer earlier if it must fire earlier; a later deadline is seen when it fires.
func (l *loop) setDeadline(c *loopConn) {
	if d := c.Deadline(); d != 0 && (c.timer.in == nil || d < c.timer.due) {
		l.wheel.set(&c.timer, d)
	}
}
