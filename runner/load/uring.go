package load

import "golang.org/x/sys/unix"

// sendWhole bounds a request that is handed over without a look at whether it went out whole: a socket on which nothing
// waits takes as much at once.
const sendWhole = 16 << 10

// Kinds of what is submitted, in the user data of a completion: with the connection's index and its generation.
const (
	ofReceive = iota
	ofSend
	ofConnect
	ofDrop
)

// uringEngine moves bytes by io_uring. Each connection has one receive for all its life, or for one answer where that is all
// it gets; requests are handed over with the next wait, so that a turn takes one system call. All answers that a wait brought
// were there when it ended, and are timed by one reading of the clock.
//
// A request that was handed over counts as sent, with its bytes, whether or not its connection still stood.
type uringEngine struct {
	loop       *loop
	ring       *iouring
	head, tail uint32 // of the completions that the last wait found
}

func newUringEngine(l *loop) (*uringEngine, error) {
	r, err := newIOUring(len(l.conns))
	if err != nil {
		return nil, err
	}
	return &uringEngine{loop: l, ring: r}, nil
}

func (e *uringEngine) enter() { e.ring.enable() }

// leave hands over what was submitted since the last wait: descriptors are among it that only the kernel closes now.
func (e *uringEngine) leave() { e.ring.enter(0, 0) }

func (e *uringEngine) close() { e.ring.close() }

// watch arms the receive of c, and has told when c is connected where nobody would notice.
func (e *uringEngine) watch(c *conn) unix.Errno {
	e.receive(c)
	if c.state == connecting && !e.loop.asksAtOnce() {
		s := e.submit(doesPoll, c, ofConnect)
		s.opFlags = unix.POLLOUT
	}
	return 0
}

func (e *uringEngine) wait(ns int64) bool {
	completions := 1
	if ns <= 0 {
		completions = 0
	}
	e.ring.enter(completions, max(ns, 0))
	e.head, e.tail = e.ring.completed()
	return e.head != e.tail
}

func (e *uringEngine) serve() {
	e.loop.now = now()
	for ; e.head != e.tail; e.head++ {
		at := e.ring.completion(e.head)
		kind, index, generation := at.userData&3, uint32(at.userData)>>2, uint32(at.userData>>32)
		c := &e.loop.conns[index]
		stale := c.generation != generation
		switch {
		case kind == ofReceive:
			e.received(c, at.res, at.flags, stale)
		case stale, kind == ofDrop:
		case kind == ofSend:
			e.sent(c, at.res)
		case kind == ofConnect && at.res&(unix.POLLERR|unix.POLLHUP) != 0:
			e.loop.refused(c)
		case kind == ofConnect && c.state == connecting:
			e.loop.connected(c)
		}
	}
	e.ring.forget(e.tail)
}

// submit returns a submission about c, to fill in.
func (e *uringEngine) submit(does uint8, c *conn, kind uint64) *submission {
	s := e.ring.submit()
	s.does, s.fd = does, int32(c.fd)
	s.userData = uint64(c.generation)<<32 | uint64(c.index)<<2 | kind
	return s
}

// receive arms a receive. One for a single answer ends by itself, which spares its cancellation.
func (e *uringEngine) receive(c *conn) {
	s := e.submit(doesRecv, c, ofReceive)
	s.flags, s.how, s.group = entryUsesBuffers, pollFirst, bufferGroup
	if !e.loop.spec.NewConn {
		s.how |= recvManyTimes
	}
	c.armed = true
}

// received serves bytes that arrived, or the end.
func (e *uringEngine) received(c *conn, res int32, flags uint32, stale bool) {
	l, generation, id := e.loop, c.generation, uint16(flags>>bufferShift)
	if !stale {
		c.armed = flags&hasMore != 0
		switch errno := unix.Errno(max(-res, 0)); {
		case res > 0:
			if c.state == connecting {
				c.state = waiting
			}
			l.tally.bytesIn += uint64(res)
			l.take(c, e.ring.bytes(id, res))
		case res == 0:
			l.ends(c)
		case errno == unix.ENOBUFS, errno == unix.EINTR, errno == unix.EAGAIN:
			// The buffers come back while the completions are served, and the receive is armed again.
		case c.state == connecting && unreachable(errno):
			l.lost(c, errConnect, "connect: %v", errno)
		case c.waiting > 0:
			l.lost(c, errRead, "read: %v", errno)
		default:
			l.ends(c)
		}
	}
	if flags&hasBuffer != 0 {
		e.ring.giveBack(id)
	}
	if !stale && c.generation == generation && !c.armed {
		e.receive(c)
	}
}

// unreachable says whether an error means that there was no connection.
func unreachable(e unix.Errno) bool {
	switch e {
	case unix.ECONNREFUSED, unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ENOTCONN:
		return true
	}
	return false
}

// write hands c.out over, whole. Where c is not connected so far, the kernel waits for that.
func (e *uringEngine) write(c *conn) {
	s := e.submit(doesSend, c, ofSend)
	s.addr, s.len, s.opFlags = addressOf(c.out), uint32(len(c.out)), unix.MSG_NOSIGNAL|unix.MSG_WAITALL
	e.loop.tally.bytesOut += uint64(len(c.out))
	if len(c.out) <= sendWhole {
		s.flags, c.out = entrySilent, nil
	}
}

// sent serves the end of a long request's sending, or a failure.
func (e *uringEngine) sent(c *conn, res int32) {
	l, errno := e.loop, unix.Errno(max(-res, 0))
	switch {
	case res >= 0 && int(res) == len(c.out):
		c.out = nil
	case c.state == connecting:
		l.lost(c, errConnect, "connect: %v", errno)
	case res >= 0:
		l.lost(c, errWrite, "write: %d of %d bytes", res, len(l.request))
	default:
		l.lost(c, errWrite, "write: %v", errno)
	}
}

// drop closes in the order of submission, so that the descriptor's number is not another's before what was submitted for this
// one is under way. What is under way holds the socket: it is cancelled first.
func (e *uringEngine) drop(c *conn) {
	if c.armed || len(c.out) > 0 || c.state == connecting {
		s := e.submit(doesCancel, c, ofDrop)
		s.flags, s.opFlags = entrySilent, cancelAll|cancelByFD
	}
	s := e.submit(doesClose, c, ofDrop)
	s.flags = entrySilent
}
