package load

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"
)

// States of a connection.
const (
	closed = iota
	connecting
	waiting // written, or being written: answers are awaited
	free    // nothing in flight; in an open loop with a connection per request it has no descriptor yet
)

// conn is one connection, or its place while it is closed.
type conn struct {
	fd         int // -1: none
	index      int
	generation uint32 // of the descriptor: an event of an earlier one is stale
	state      uint8
	queued     bool   // stands in the ring of free connections
	asked      bool   // something was sent, ever
	ever       bool   // something was answered, ever
	waiting    int    // requests without an answer so far
	out        []byte // not written so far: the tail of the plan's request
	due        int64  // of the request in flight, monotonic ns
	phase      int    // in which it was due
	counted    bool   // it is of the window, and its account still open
	sent       int64  // when writing it began; with a new connection, when connecting began
	arrived    int64  // with Spec.Stamp: when what was read last had arrived
	failures   int    // in a row
	reopenAt   int64
	answered   uint64 // in the window
	replies    uint64 // on this descriptor
	armed      bool   // by io_uring: a receive is under way

	reply    reply
	want     *want
	got      int64 // bytes of the body
	compare  bool  // its bytes
	learning bool  // it may become the reference
	wrong    bool  // a byte differed
	body     []byte
}

// ring is the queue of free connections. Each stands in it at most once, so it never overflows.
type ring struct {
	at          []int32
	head, count int
}

func newRing(n int) ring { return ring{at: make([]int32, n)} }

func (r *ring) empty() bool { return r.count == 0 }

func (r *ring) push(c *conn) {
	if c.queued {
		return
	}
	c.queued = true
	r.at[(r.head+r.count)%len(r.at)] = int32(c.index)
	r.count++
}

func (r *ring) pop(conns []conn) *conn {
	c := &conns[r.at[r.head]]
	r.head = (r.head + 1) % len(r.at)
	r.count--
	c.queued = false
	return c
}

// adopt takes over a connected socket as the loop's first connection.
func (l *loop) adopt(fd int) {
	c := &l.conns[0]
	l.unready--
	c.fd, c.sent = fd, now()
	c.state = free
	if e := l.engine.watch(c); e != 0 {
		l.lost(c, errConnect, "epoll_ctl: %v", e)
	}
}

// start sets going a connection that is closed, or that was adopted.
func (l *loop) start(c *conn) {
	switch {
	case (l.arrive != nil || l.silent()) && (l.spec.NewConn || c.state == free):
		c.state = free
		l.free.push(c)
	case c.state == free:
		l.send(c)
	default:
		l.open(c)
	}
}

// open connects. Where there is something to send it is tried at once: on loopback the handshake is over by then.
func (l *loop) open(c *conn) {
	c.sent = l.now
	fd, e := l.peer.connect()
	if e == 0 {
		c.fd, c.state = fd, connecting
		e = l.engine.watch(c)
	}
	if e != 0 {
		l.lost(c, errConnect, "connect: %v", e)
		return
	}
	if l.asksAtOnce() {
		l.send(c)
	}
}

// asksAtOnce says whether a connection that is being opened has a request to send.
func (l *loop) asksAtOnce() bool { return (l.arrive == nil || l.spec.NewConn) && !l.silent() }

// send begins to write a batch of requests.
func (l *loop) send(c *conn) {
	if c.state == free {
		c.state = waiting
	}
	c.asked = true
	c.out = l.request
	c.waiting = l.spec.Depth
	c.sent = l.now
	l.flying++
	l.engine.write(c)
}

// connected makes a connection with nothing to send so far a free one.
func (l *loop) connected(c *conn) {
	c.state = free
	l.free.push(c)
}

// refused counts a connection that could not be opened.
func (l *loop) refused(c *conn) {
	code, _ := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	l.lost(c, errConnect, "connect: %v", unix.Errno(code))
}

// ends serves the end of what the server sends.
func (l *loop) ends(c *conn) {
	switch {
	case c.waiting > 0 && c.reply.step == stepUntilClose:
		l.now = now()
		l.answer(c, 0)
	case c.waiting > 0:
		l.lost(c, errRead, "closed before the answer was whole")
	default:
		// A server may close what is idle (RFC 9112 §9.5). It costs no answer, so it is no error.
		l.pause(c)
	}
}

// take goes through what arrived on a connection.
func (l *loop) take(c *conn, b []byte) {
	generation := c.generation
	for len(b) > 0 {
		if c.waiting == 0 {
			l.lost(c, errBodyLength, "%d bytes that belong to no answer", len(b))
			return
		}
		inside := c.reply.step != stepHead
		piece, n, whole, err := c.reply.next(b, &l.known)
		if err != nil {
			l.garbled(c, err)
			return
		}
		b = b[n:]
		if !inside && (whole || c.reply.step != stepHead) {
			l.beginBody(c)
		}
		c.takeBody(piece)
		if whole {
			l.answer(c, len(b))
			if c.generation != generation {
				return
			}
		}
	}
}

// garbled gives up a connection whose bytes are not replies. Behind a good reply they are a body that was too long.
func (l *loop) garbled(c *conn, err error) {
	if err == errNotHTTP && c.replies > 0 {
		l.lost(c, errBodyLength, "bytes behind an answer that are no answer")
		return
	}
	l.lost(c, errParse, "%v", err)
}

// beginBody decides, once the head is known, what is looked at.
func (l *loop) beginBody(c *conn) {
	w := l.plan.want.now.Load()
	c.want, c.got, c.wrong, c.compare, c.learning = w, 0, false, false, false
	if !w.right(c.reply.frame.status) {
		return
	}
	c.learning = l.plan.want.learn && w.length < 0
	if l.sample++; l.plan.want.every > 0 && l.sample >= l.plan.want.every {
		l.sample = 0
		c.compare = w.body != nil
	}
}

// takeBody looks at one piece of a body.
func (c *conn) takeBody(piece []byte) {
	switch {
	case c.compare && c.got < int64(len(c.want.body)):
		known := c.want.body[c.got:]
		k := min(len(known), len(piece))
		c.wrong = c.wrong || !bytes.Equal(piece[:k], known[:k])
	case c.learning:
		c.body = append(c.body, piece[:min(len(piece), MaxBody-len(c.body))]...)
	}
	c.got += int64(len(piece))
}

// answer counts a whole answer, behind which so many bytes were already read, and goes on.
func (l *loop) answer(c *conn, behind int) {
	c.waiting--
	c.replies++
	c.failures = 0
	c.ever = true
	last := c.waiting == 0
	if c.learning {
		l.learn(c)
	}
	right := l.judge(c, last && behind > 0)
	l.count(c)
	if right {
		l.succeeded(c)
	}
	if last {
		l.flying--
	}
	switch {
	case last && behind > 0, c.reply.frame.close, l.spec.NewConn, last && len(c.out) > 0:
		// Requests behind a reply that closes were not processed and are sent again (RFC 9112 §9.6); an answer that came
		// before its request was written leaves the rest of it without a reader.
		l.shut(c)
		if l.phase != draining {
			l.start(c)
		}
	case !last:
	case l.arrive != nil || l.silent():
		c.state = free
		l.free.push(c)
	default:
		l.send(c)
	}
}

// learn offers the answer as the reference, and holds it against the one that another connection found first.
func (l *loop) learn(c *conn) {
	body := c.body
	c.body = nil
	if body == nil {
		body = []byte{}
	}
	c.want = l.plan.want.learned(c.want, c.reply.frame.status, c.got, body)
	c.compare = true
	c.wrong = !bytes.Equal(body, c.want.body)
}

// judge counts what is wrong with an answer, one kind, the gravest, and says whether it is right.
func (l *loop) judge(c *conn, tooLong bool) bool {
	status := c.reply.frame.status
	wrong := func(k kind, format string, args ...any) bool {
		l.tally.failed(k, 1, format, args...)
		l.erred(c, k)
		return false
	}
	switch {
	case !c.want.right(status):
		return wrong(errStatus, "status %d", status)
	case tooLong:
		return wrong(errBodyLength, "bytes behind the end of the answer")
	case c.want.length >= 0 && c.got != c.want.length:
		return wrong(errBodyLength, "a body of %d bytes, not %d", c.got, c.want.length)
	case c.wrong:
		return wrong(errBody, "a wrong byte in the body")
	case l.tooLate(c):
		return wrong(errTimeout, "answered more than %v after it was due", l.spec.Timeout)
	}
	return true
}

// count records when the answer was whole. What was due before the window belongs to the warm-up.
func (l *loop) count(c *conn) {
	t := l.tally
	if l.phase != draining || l.spec.Quiet > 0 {
		t.requests++
		c.answered++
		if c.compare {
			t.checked++
		}
	}
	if c.arrived != 0 && (l.arrive == nil || c.due >= l.begun) {
		record(t.wire, c.arrived-c.sent)
	}
	if l.arrive == nil {
		record(t.latency, l.now-c.sent)
		return
	}
	if c.due >= l.begun {
		record(t.latency, l.now-c.due)
		record(t.service, l.now-c.sent)
		if l.spec.phased() {
			l.recordPhase(c)
		}
	}
}

// lost counts what failed with a connection, and closes it.
func (l *loop) lost(c *conn, k kind, format string, args ...any) {
	l.tally.failed(k, max(c.waiting, 1), format, args...)
	l.erred(c, k)
	l.pause(c)
}

// pause closes a connection, and has it opened again: at once after the first failure, then after growing pauses.
func (l *loop) pause(c *conn) {
	l.shut(c)
	c.failures++
	if l.phase == draining {
		return
	}
	if c.failures == 1 {
		l.start(c)
		return
	}
	wait := pauseMax
	if shift := c.failures - 2; shift < 7 {
		wait = min(pauseMin<<shift, pauseMax)
	}
	c.reopenAt = l.now + int64(wait/time.Nanosecond)
	l.reopen = min(l.reopen, c.reopenAt)
}

// shut closes a connection. What was in flight is forgotten.
func (l *loop) shut(c *conn) {
	if c.waiting > 0 {
		l.flying--
	}
	if c.fd >= 0 {
		l.engine.drop(c)
	}
	c.fd, c.state, c.waiting, c.out, c.replies, c.reopenAt, c.armed = -1, closed, 0, nil, 0, 0, false
	c.reply.step, c.reply.head = stepHead, c.reply.head[:0]
	c.body = nil
	c.generation++
}
