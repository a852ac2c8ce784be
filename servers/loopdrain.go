package servers

import "golang.org/x/sys/unix"

// accept takes a bounded burst of connections; the listener is level-triggered and tells of the rest.
func (l *loop) accept() {
	for range acceptBurst {
		fd, errno := acceptNow(l.listener)
		switch {
		case errno == 0:
			l.adopt(fd)
		case errno == unix.EAGAIN:
			return
		case outOfFiles(errno):
			l.pauseAccept()
			return
		}
		// Any other error is the fault of the one connection, accept(2): the next may be well.
	}
}

// adopt makes a connection of an accepted descriptor.
func (l *loop) adopt(fd int) {
	var c *loopConn
	if last := len(l.spare) - 1; last >= 0 {
		c = l.spare[last]
		l.spare[last] = nil
		l.spare = l.spare[:last]
		c.canned = cannedState{}
	} else {
		c = &loopConn{l: l}
		c.Owner = c
		c.timer.owner = c
	}
	l.gen = nextGen(l.gen)
	c.begin(fd, l.gen)
	if l.poller.watch(fd, c.gen, watchRead) != nil { // no kernel memory
		closeNow(fd)
		c.fd = -1
		l.recycle(c)
		return
	}
	for fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.tally.accepted++
	l.tally.open++
	l.speak.open(l, c)
}

// pauseAccept leaves the backlog alone until a connection of this loop closes, or for acceptPause.
func (l *loop) pauseAccept() {
	l.paused = true
	l.poller.rewatch(l.listener, 0, 0)
	l.wheel.set(&l.resume.entry, l.poller.now+int64(acceptPause))
}

// resumeAccept ends a pause.
func (l *loop) resumeAccept() {
	l.paused = false
	l.wheel.stop(&l.resume.entry)
	if l.listener >= 0 {
		l.poller.rewatch(l.listener, 0, unix.EPOLLIN)
	}
}

// stop begins the drain: it takes what the kernel has accepted already, closes the listener, and has every connection end
// with its present request, or the one more that comes within lastGrace. It is posted.
func (l *loop) stop() {
	if l.draining {
		return
	}
	l.draining = true
	acceptQueued(l.listener, l.adopt)
	l.poller.unwatch(l.listener) // another process may have it too, and go on
	unix.Close(l.listener)
	l.listener = -1
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		l.speak.drain(c)
		l.queue(c)
	}
	l.After(min(lastGrace, l.grace), func(int64) {
		l.late = true
		for _, c := range l.conns {
			if c != nil && l.speak.spent(c) {
				l.drop(c, nil)
			}
		}
	})
	l.After(l.grace, func(int64) { l.cut() })
}

// cut closes every connection.
func (l *loop) cut() {
	for _, c := range l.conns {
		if c != nil {
			l.drop(c, errStopped)
		}
	}
}

// close gives back all that the loop has.
func (l *loop) close() {
	l.postbox.close()
	l.cut()
	l.outs.close()
	if l.listener >= 0 {
		unix.Close(l.listener)
	}
	l.poller.close()
	l.tally.publish(&l.env.Count)
}
