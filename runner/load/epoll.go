package load

import "golang.org/x/sys/unix"

// epollEngine waits by epoll, and reads and writes by a system call each.
type epollEngine struct {
	loop  *loop
	poll  *poller
	ready []event // of the last wait
	stamp stamping
}

func newEpollEngine(l *loop) (*epollEngine, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	return &epollEngine{loop: l, poll: poll}, nil
}

func (e *epollEngine) enter() {}

func (e *epollEngine) leave() {}

func (e *epollEngine) watch(c *conn) unix.Errno {
	if e.loop.spec.Stamp {
		stamped(c.fd)
	}
	return e.poll.add(c.fd, c.index, c.generation)
}

func (e *epollEngine) wait(ns int64) bool {
	e.ready = e.poll.wait(ns)
	return len(e.ready) > 0
}

func (e *epollEngine) serve() {
	for _, ev := range e.ready {
		if c := &e.loop.conns[ev.Fd]; c.generation == uint32(ev.Pad) {
			e.happened(c, ev.Events)
		}
	}
}

func (e *epollEngine) drop(c *conn) { closeSocket(c.fd) }

func (e *epollEngine) close() { e.poll.close() }

// write writes as much as the socket takes. The rest follows when epoll says so.
func (e *epollEngine) write(c *conn) {
	l := e.loop
	for len(c.out) > 0 {
		n, errno := writeSocket(c.fd, c.out)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
		case errno != 0 && c.state == connecting:
			l.lost(c, errConnect, "connect: %v", errno)
			return
		case errno != 0:
			l.lost(c, errWrite, "write: %v", errno)
			return
		default:
			c.state = waiting
			c.out = c.out[n:]
			l.tally.bytesOut += uint64(n)
		}
	}
}

// happened serves an event.
func (e *epollEngine) happened(c *conn, events uint32) {
	l, generation := e.loop, c.generation
	switch {
	case c.state == connecting && events&(unix.EPOLLERR|unix.EPOLLHUP) != 0:
		l.refused(c)
	case c.state == connecting && c.waiting == 0 && events&unix.EPOLLOUT != 0:
		l.connected(c)
	case len(c.out) > 0 && events&unix.EPOLLOUT != 0:
		e.write(c)
	}
	if c.generation == generation && events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		// An end that was announced together with the last bytes has no edge of its own.
		e.receive(c, events&(unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0)
	}
}

// receive reads until nothing is left. A read that does not fill the buffer emptied the socket; what comes later is a new
// edge.
func (e *epollEngine) receive(c *conn, toEnd bool) {
	l, generation := e.loop, c.generation
	for {
		if l.skims(c) {
			n, asked, errno := l.skim(c)
			switch {
			case errno == unix.EAGAIN, c.generation != generation, n > 0 && n < asked && !toEnd:
				return
			case n > 0:
				continue
			}
			// The end of the stream, and errors, are the read's to tell.
		}
		room := l.room(c)
		var n int
		var errno unix.Errno
		if l.spec.Stamp {
			n, c.arrived, errno = e.stamp.read(c.fd, room)
		} else {
			n, errno = readSocket(c.fd, room)
		}
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
			continue
		case errno != 0 && c.waiting > 0:
			l.lost(c, errRead, "read: %v", errno)
			return
		case errno != 0 || n == 0:
			l.ends(c)
			return
		}
		l.now = now()
		l.tally.bytesIn += uint64(n)
		l.take(c, room[:n])
		if c.generation != generation || n < len(room) && !toEnd {
			return
		}
	}
}
