package servers

import (
	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// uringConn is a connection of a uringLoop. It is used again for a later one.
type uringConn struct {
	httpcore.Conn
	timer entry
	l     *uringLoop
	stash []byte // received while there was no Room, in a buffer of the loop's; nil when empty
	fd    int32  // -1 when closed
	gen   uint32 // tells the lives of a descriptor apart
	asked int32  // bytes of the send that was handed over
	took  int32  // how many of them went out, or an error, below 0

	receiving  bool // a receive is in the ring
	cancelling bool // and is being cancelled
	polling    bool // a poll for room to write is in the ring
	watching   bool // a poll for a reset is in the ring
	blocked    bool // the socket was full: wait for that poll
	ended      bool // the peer's FIN has come
	told       bool // and the Conn knows
	shut       bool // we have sent our FIN

	queued  bool // in the list of those that are ready
	writing bool // in the list of those that have something to write
	sending bool // in the list of those whose send was handed over
}

const (
	// stashMost is how many received bytes may wait for a connection that has no Room, before its receive is cancelled.
	stashMost = 16 << 10
	// receiveMost bounds what one receive brings before it must be armed anew: what one turn takes of a connection, and what
	// may be on its way when the connection has no Room. Before Linux 6.17 nothing bounds it but the number of buffers.
	receiveMost = 64 << 10
)

// begin makes c ready for a new descriptor.
func (c *uringConn) begin(fd int, gen uint32) {
	*c = uringConn{Conn: c.Conn, timer: c.timer, l: c.l, fd: int32(fd), gen: gen}
}

// received acts on an event of c's receive; c is nil if that is closed.
func (l *uringLoop) received(c *uringConn, e uringCQE) {
	if e.flags&uringHasBuffer != 0 {
		id := uint16(e.flags >> uringBufferShift)
		if c != nil && e.res > 0 {
			l.feed(c, l.ring.buffers.get(id, int(e.res)))
		}
		l.ring.buffers.put(id)
	}
	if c == nil {
		return
	}
	if e.flags&uringMore == 0 {
		c.receiving, c.cancelling = false, false
	}
	switch errno := unix.Errno(-e.res); {
	case e.res > 0:
	case e.res == 0:
		c.ended = true
	case errno == unix.ENOBUFS || errno == unix.ECANCELED || errno == unix.EINTR || errno == unix.EAGAIN:
		// It begins anew, once there are buffers again or Room.
	case errno == unix.EINVAL && l.bounded:
		l.bounded = false // the kernel is older
	default:
		l.drop(c, errno)
		return
	}
	l.settle(c)
}

// feed gives c what was received, as far as there is Room, and keeps the rest.
func (l *uringLoop) feed(c *uringConn, b []byte) {
	if c.stash == nil && !c.sending {
		for len(b) > 0 {
			n := min(len(b), c.Room())
			if n == 0 {
				break
			}
			c.Feed(b[:n], l.now)
			b = b[n:]
		}
	}
	if len(b) == 0 {
		return
	}
	if need := len(c.stash) + len(b); need > cap(c.stash) {
		p := l.buffers.Get(max(need, 2*cap(c.stash)))
		p = p[:copy(p, c.stash)]
		if c.stash != nil {
			l.buffers.Put(c.stash)
		}
		c.stash = p
	}
	c.stash = append(c.stash, b...)
}

// refeed gives c what was kept, as far as there is Room.
func (l *uringLoop) refeed(c *uringConn) {
	n := min(len(c.stash), c.Room())
	c.Feed(c.stash[:n], l.now)
	if n < len(c.stash) {
		c.stash = c.stash[:copy(c.stash, c.stash[n:])]
		return
	}
	l.buffers.Put(c.stash)
	c.stash = nil
}

// serve gives c a turn without an event: a Pump, or what was kept.
func (l *uringLoop) serve(c *uringConn) {
	if c.sending {
		return // settle comes with what the send took
	}
	if l.late && c.spent() {
		l.drop(c, nil)
		return
	}
	switch w := c.Want(); {
	case w&httpcore.Again != 0:
		c.Pump(l.now)
	case w&httpcore.Read != 0 && c.stash != nil:
		l.refeed(c)
	}
	l.settle(c)
}

// settle acts on what c wants now. Nothing is done at once: what is to be written waits for the end of the turn, and what
// else is left to do for the next one.
func (l *uringLoop) settle(c *uringConn) {
	if c.sending {
		return
	}
	w := c.Want()
	if w&httpcore.Write != 0 && !c.blocked && !c.writing {
		c.writing = true
		l.writers = append(l.writers, c)
	}
	if w&^httpcore.Write == httpcore.Read && c.receiving && !c.ended && c.stash == nil && !l.late { // nearly always
		l.setDeadline(c)
		return
	}
	if w&httpcore.Close != 0 {
		l.drop(c, nil)
		return
	}
	if w&(httpcore.Linger|httpcore.Write) == httpcore.Linger && !c.shut {
		c.shut = true
		shutdownWrite(int(c.fd))
	}
	switch {
	case w&httpcore.Again != 0 || w&httpcore.Read != 0 && c.stash != nil || l.late && c.Idle():
		l.queue(c)
	case c.ended && !c.told && c.stash == nil:
		c.told = true
		c.End()
		l.queue(c)
	}
	l.receive(c)
	l.setDeadline(c)
}

// receive has a receive in the ring for as long as c may take more, and something that tells of a reset while it may not.
func (l *uringLoop) receive(c *uringConn) {
	switch {
	case c.ended:
	case len(c.stash) >= stashMost && c.receiving:
		if !c.cancelling {
			c.cancelling = true
			l.cancel(uringKey(uringReceived, int(c.fd), c.gen))
		}
	case len(c.stash) >= stashMost:
		if !c.watching {
			c.watching = true
			l.poll(uringHangup, c, 0).len = uringPollMultishot // the peer's FIN is an event as well, and a reset may follow it
		}
	case !c.receiving:
		c.receiving = true
		q := l.ring.request(uringOpReceive, int(c.fd), uringKey(uringReceived, int(c.fd), c.gen))
		q.flags, q.ioprio, q.group = uringSelectBuffer, uringReceiveMultishot, uringGroup
		if l.bounded {
			q.total = receiveMost
		}
		l.within++
	}
}

// poll has an event made once c's socket has one of those, an error or a hang-up.
func (l *uringLoop) poll(what uint64, c *uringConn, events uint32) *uringSQE {
	q := l.ring.request(uringOpPollAdd, int(c.fd), uringKey(what, int(c.fd), c.gen))
	q.opFlags = events
	l.within++
	return q
}

// cancel ends a request that stays in the ring. Its last event says so.
func (l *uringLoop) cancel(key uint64) {
	q := l.ring.request(uringOpCancel, -1, uringKey(uringDone, 0, 0))
	q.addr, q.flags = key, uringSkipSuccess
}

// hungUp acts on an event of a poll for a reset.
func (l *uringLoop) hungUp(c *uringConn, e uringCQE) {
	if c == nil {
		return
	}
	if e.flags&uringMore == 0 {
		c.watching = false
	}
	if e.res > 0 && e.res&(unix.POLLERR|unix.POLLHUP) != 0 && !c.shut { // else our own FIN and the peer's make a hang-up
		l.drop(c, socketError(int(c.fd)))
	}
}

// expired implements expirer.
func (c *uringConn) expired(now int64) {
	l := c.l
	switch d := c.Deadline(); {
	case d == 0:
		return
	case d > now:
		l.wheel.set(&c.timer, d)
		return
	case c.sending:
		l.wheel.set(&c.timer, now+wheelTick)
		return
	}
	c.Pump(now)
	l.settle(c)
}

// setDeadline sets c's timer earlier if it must fire earlier; a later deadline is seen when it fires.
func (l *uringLoop) setDeadline(c *uringConn) {
	if d := c.Deadline(); d != 0 && (c.timer.in == nil || d < c.timer.due) {
		l.wheel.set(&c.timer, d)
	}
}

// spent reports whether a draining loop may close c: it waits for a request of which nothing has come. The events of the
// turn must have been acted on.
func (c *uringConn) spent() bool {
	if !c.Idle() || c.stash != nil {
		return false
	}
	n, errno := unread(int(c.fd))
	return n == 0 || errno != 0
}

// drop closes c; err is why, nil where that was agreed.
func (l *uringLoop) drop(c *uringConn, err error) {
	c.Abort(err)
	l.wheel.stop(&c.timer)
	fd := int(c.fd)
	l.conns[fd] = nil
	// What is in the ring keeps the socket open.
	if c.receiving && !c.cancelling {
		l.cancel(uringKey(uringReceived, fd, c.gen))
	}
	if c.polling {
		l.cancel(uringKey(uringWritable, fd, c.gen))
	}
	if c.watching {
		l.cancel(uringKey(uringHangup, fd, c.gen))
	}
	if c.Stuck() {
		resetOnClose(fd)
	}
	l.ring.request(uringOpClose, fd, uringKey(uringDone, 0, 0)).flags = uringSkipSuccess
	if c.stash != nil {
		l.buffers.Put(c.stash)
		c.stash = nil
	}
	c.fd = -1
	l.tally.open--
	l.recycle(c)
	if l.paused {
		l.resumeAccept()
	}
}

// recycle keeps a closed connection for a new one, once it is in none of the lists.
func (l *uringLoop) recycle(c *uringConn) {
	if c.queued || c.writing || c.sending {
		return
	}
	if len(l.spare) < spareConns {
		l.spare = append(l.spare, c)
	}
}
