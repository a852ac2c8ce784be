package servers

import (
	"time"

	"golang.org/x/sys/unix"
)

// uringEnd bounds the wait for requests that were cancelled.
const uringEnd = time.Second

// startAccept has the ring accept connections until it is cancelled or fails. It keeps to the limit of open files that holds
// now: one that is changed later holds once it was armed again.
func (l *uringLoop) startAccept() {
	l.accepting = true
	q := l.ring.request(uringOpAccept, l.listener, uringKey(uringAccepted, 0, 0))
	q.ioprio, q.opFlags = uringAcceptMultishot, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC
	l.within++
}

// accepted acts on an event of the listener.
func (l *uringLoop) accepted(e uringCQE) {
	if e.res >= 0 {
		l.adopt(int(e.res))
	}
	if e.flags&uringMore != 0 {
		return
	}
	l.accepting = false
	switch {
	case l.draining:
		l.closeListener()
	case e.res < 0 && outOfFiles(unix.Errno(-e.res)):
		l.pauseAccept()
	default:
		// Any other error is the fault of the one connection, accept(2): the next may be well.
		l.startAccept()
	}
}

// adopt makes a connection of an accepted descriptor.
func (l *uringLoop) adopt(fd int) {
	if fd >= uringMostFiles {
		closeNow(fd)
		return
	}
	var c *uringConn
	if last := len(l.spare) - 1; last >= 0 {
		c = l.spare[last]
		l.spare[last] = nil
		l.spare = l.spare[:last]
	} else {
		c = &uringConn{l: l}
		c.Owner = c
		c.timer.owner = c
	}
	l.gen++
	c.begin(fd, l.gen)
	for fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.tally.accepted++
	l.tally.open++
	c.Open(&l.env, l, l.now)
	if l.draining {
		c.Drain()
	}
	l.settle(c)
}

// pauseAccept leaves the backlog alone until a connection of this loop closes, or for acceptPause.
func (l *uringLoop) pauseAccept() {
	l.paused = true
	l.wheel.set(&l.resume.entry, l.now+int64(acceptPause))
}

// resumeAccept ends a pause.
func (l *uringLoop) resumeAccept() {
	l.paused = false
	l.wheel.stop(&l.resume.entry)
	if l.listener >= 0 && !l.draining {
		l.startAccept()
	}
}

// stop begins the drain: the listener is closed once what the kernel has accepted is taken, and every connection ends with
// its present request, or the one more that comes within lastGrace. It is posted.
func (l *uringLoop) stop() {
	if l.draining {
		return
	}
	l.draining = true
	if l.accepting {
		l.cancel(uringKey(uringAccepted, 0, 0)) // its last event closes the listener
	} else {
		l.closeListener()
	}
	for _, c := range l.conns {
		if c != nil {
			c.Drain()
			l.queue(c)
		}
	}
	l.After(min(lastGrace, l.grace), func(int64) {
		l.late = true
		for _, c := range l.conns {
			if c != nil && c.spent() {
				l.drop(c, nil)
			}
		}
	})
	l.After(l.grace, func(int64) { l.cut() })
}

// closeListener takes what waits in the backlog and closes the listener.
func (l *uringLoop) closeListener() {
	acceptQueued(l.listener, l.adopt)
	unix.Close(l.listener)
	l.listener = -1
}

// cut closes every connection.
func (l *uringLoop) cut() {
	for _, c := range l.conns {
		if c != nil {
			l.drop(c, errStopped)
		}
	}
}

// close gives back all that the loop has.
func (l *uringLoop) close() {
	l.postbox.close()
	if l.ring.enterBit != 0 {
		l.draining = true
		l.cut()
		l.outs.close()
		q := l.ring.request(uringOpCancel, -1, uringKey(uringDone, 0, 0))
		q.opFlags, q.flags = uringCancelAll|uringCancelAny, uringSkipSuccess
		l.empty()
		l.ring.disable()
	}
	if l.listener >= 0 {
		unix.Close(l.listener)
	}
	unix.Close(l.wakefd)
	l.ring.close(l.within == 0)
	l.tally.publish(&l.env.Count)
}

// empty waits until no request is in the ring. What was accepted meanwhile is closed.
func (l *uringLoop) empty() {
	for end := monotonic() + int64(uringEnd); l.within > 0 && monotonic() < end; {
		if l.ring.wait(wheelTick, false) != 0 {
			return
		}
		from, to := l.ring.ready()
		for i := from; i != to; i++ {
			e := l.ring.event(i)
			switch what := e.userData >> 56; {
			case what == uringSent || what == uringDone:
				continue
			case what == uringAccepted && e.res >= 0:
				closeNow(int(e.res))
			}
			if e.flags&uringMore == 0 {
				l.within--
			}
		}
		l.ring.seen(to)
	}
}
