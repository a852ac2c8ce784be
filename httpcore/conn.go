package httpcore

import "net/netip"

// Conn is one connection's state machine. A core embeds it in its own connection, calls Open, and from then on the
// methods below; Conn calls nothing of the core but Env and Loop. It may be opened again after Abort: handles of the
// earlier life are dead.
//
// A core's turn with a connection is: read at most Room bytes, Feed them, write Pending, tell Wrote; then act on Want and
// look at Deadline. Wrote may free room for what waits; Want says Again then.
type Conn struct {
	Owner any // the core's own; Loop.Wake finds its connection by it

	env  *Env
	loop Loop
	now  int64 // of the last Feed or Pump

	head   Head
	params params
	in     []byte // received and not consumed: an unfinished head, pipelined requests, a paused body; nil when empty
	out    output
	x      Exchange
	body   content

	peer *netip.AddrPort // of the client, once peered; the memory stays for the next

	idleAt   int64 // since when it waits for a request
	headAt   int64 // when the first byte of the unfinished head came; 0 while there is none
	lingerBy int64 // when lingering ends
	discard  int64 // bytes that may still be read and thrown away
	served   int32 // requests begun
	turn     int32 // requests begun in this Feed or Pump

	phase    phase
	keep     bool // the connection stays open after this exchange
	eof      bool // the peer sent its FIN
	again    bool // a Pump would make progress
	draining bool
	inside   bool // in Feed, End or Pump: the core will look at Want by itself
	stuck    bool // the peer took nothing of what was written for WriteIdle
	peered   bool // peer was asked for
}

type phase uint8

const (
	phaseGone   phase = iota // not open, or aborted
	phaseHead                // between requests, or in a head
	phaseBody                // in the content of a request
	phaseReply               // the content is whole; a reply is awaited, or its Source not yet empty
	phaseLinger              // what comes is thrown away; close in the end
	phaseClose               // close once the output is written
)

// roomMax is how many bytes a Conn keeps for later at the most, when the head limit does not ask for more.
const roomMax = 64 << 10

// Open makes c ready for a new connection that env's owner has accepted at now. loop is what handlers get as their Loop.
func (c *Conn) Open(env *Env, loop Loop, now int64) {
	if c.phase != phaseGone {
		panic("httpcore: Open of a Conn that was not aborted")
	}
	c.env, c.loop, c.now = env, loop, now
	c.x.c = c
	c.phase, c.keep, c.eof, c.again, c.draining = phaseHead, true, false, false, false
	c.idleAt, c.headAt, c.served, c.turn, c.stuck = now, 0, 0, 0, false
	c.peered = false
	c.head.Reset()
}

// Move passes c to another owner, whose Env is env.
func (c *Conn) Move(env *Env) { c.env = env }

// Room returns how many bytes Feed will take now; 0 means that nothing must be read.
func (c *Conn) Room() int {
	if c.Want()&Read == 0 {
		return 0
	}
	return max(roomMax, c.env.Handler.Limits.Head+1) - len(c.in)
}

// Feed parses and dispatches what was received at now, at most Room bytes. b is borrowed for the call.
func (c *Conn) Feed(b []byte, now int64) {
	c.now, c.turn, c.inside = now, 0, true
	if c.again { // a Source that said More before these bytes came is still heard
		c.again = false
		c.x.fill()
	}
	if len(c.in) == 0 {
		c.run(b, false)
	} else {
		c.in = c.grow(c.in, len(b))
		c.in = append(c.in, b...)
		c.run(c.in, true)
	}
	c.inside = false
}

// End tells c that the peer will send no more. What it asked for before is still answered.
func (c *Conn) End() {
	if c.eof || c.phase == phaseGone {
		return
	}
	c.eof, c.inside = true, true
	c.run(c.in, true)
	c.inside = false
}

// Pump goes on without new bytes: when Want says Again, and when the Deadline has passed.
func (c *Conn) Pump(now int64) {
	if c.phase == phaseGone {
		return
	}
	c.now, c.turn, c.inside = now, 0, true
	c.again = false
	if d := c.Deadline(); d != 0 && now >= d {
		c.expire()
	} else {
		c.x.fill()
	}
	c.run(c.in, true)
	c.inside = false
}

// run consumes what it can of view, which is c.in if own, and keeps the rest.
func (c *Conn) run(view []byte, own bool) {
	rest := c.consume(view)
	if c.eof {
		rest = c.ended(rest)
	}
	if c.phase == phaseClose && len(rest) > 0 {
		c.linger() // closing on unread input would send RST and destroy the reply, RFC 9112 §9.6
	}
	if c.phase == phaseLinger || c.phase == phaseClose {
		c.discard -= int64(len(rest))
		rest = nil
	}
	if c.x.open {
		own = !c.retain(own) && own
	}
	c.stow(rest, own)
}

// consume drives the phases over view and returns what it left.
func (c *Conn) consume(view []byte) []byte {
	l := &c.env.Handler.Limits
	for {
		switch c.phase {
		case phaseHead:
			if len(view) == 0 {
				return nil
			}
			if c.out.queued >= int64(l.Output) {
				return view // Wrote says Again
			}
			if int(c.turn) >= l.Pipelined {
				c.again = true
				return view
			}
			n, err := c.head.Parse(view, l)
			if err != nil {
				c.fail(err)
				continue
			}
			if n == 0 {
				if c.headAt == 0 {
					c.headAt = c.now
				}
				return view
			}
			view = view[n:]
			c.begin(view)
		case phaseBody:
			if view = c.take(view); c.phase == phaseBody {
				return view
			}
		default:
			return view
		}
	}
}

// ended handles the peer's FIN once all it sent was looked at: what is unfinished will never be whole.
func (c *Conn) ended(rest []byte) []byte {
	switch {
	case c.again || c.out.queued >= int64(c.env.Handler.Limits.Output) && len(rest) > 0:
		return rest
	case c.phase == phaseHead && len(rest) > 0:
		c.fail(errHeadCut)
	case c.phase == phaseHead:
		c.phase = phaseClose
	case c.phase == phaseBody && c.body.mode == modeTunnel && !c.body.paused:
		c.whole()
	case c.phase == phaseBody && !c.body.paused:
		c.fail(errBodyCut)
	}
	return rest
}

// stow keeps rest for the next call: in c.in, where it lies already if own.
func (c *Conn) stow(rest []byte, own bool) {
	switch {
	case len(rest) == 0:
		if own && c.in != nil {
			c.env.Buffers.Put(c.in)
		}
		c.in = nil
	case own:
		c.in = c.in[:copy(c.in, rest)]
	default:
		b := c.env.Buffers.Get(len(rest))
		c.in = b[:copy(b, rest)]
	}
}

// retain keeps the head and the content of an exchange that outlives this call. It reports whether it kept c.in itself.
func (c *Conn) retain(own bool) bool {
	b := &c.body
	if b.head == nil && own && c.in != nil {
		b.head, b.viewed = c.in, false
		return true
	}
	if b.viewed && len(b.whole) > 0 {
		p := c.env.Buffers.Get(len(b.whole))
		b.buf = p[:copy(p, b.whole)]
		b.whole = b.buf
	}
	b.viewed = false
	if b.head != nil {
		return false
	}
	raw := c.head.buf[:c.head.Len()]
	p := c.env.Buffers.Get(len(raw))
	b.head = p[:copy(p, raw)]
	c.head.Rebase(b.head)
	return false
}

// grow returns b with room for n more bytes, in a larger buffer if it must be.
func (c *Conn) grow(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b
	}
	p := c.env.Buffers.Get(max(len(b)+n, 2*cap(b)))
	p = p[:copy(p, b)]
	if b != nil {
		c.env.Buffers.Put(b)
	}
	return p
}

// Pending appends the segments to write to dst. A core may write fewer.
func (c *Conn) Pending(dst []Segment) []Segment { return c.out.pending(dst) }

// Flat returns what is pending where that is one stretch of bytes, as nearly every reply is; nil where it is nothing, or
// more, and Pending tells. It is a Segment's Bytes in all else.
func (c *Conn) Flat() []byte {
	if len(c.out.blocks) > 0 {
		return nil
	}
	return c.out.buf[c.out.sent:]
}

// Wrote tells c that the first n bytes of Pending went out. n may end inside a segment.
func (c *Conn) Wrote(n int64) {
	full := c.out.queued >= int64(c.env.Handler.Limits.Output)
	if c.out.wrote(n, c.env.Buffers) {
		c.x.lent = false
	}
	if full && c.phase == phaseBody && c.out.queued < int64(c.env.Handler.Limits.Output) {
		c.body.excuse(c.loop.Now())
	}
	if c.out.queued > 0 {
		c.out.at = c.loop.Now()
	} else if c.phase == phaseLinger {
		c.lingerBy = c.loop.Now() + int64(c.env.Handler.Limits.Linger)
	}
	if c.x.src != nil || len(c.in) > 0 && c.phase == phaseHead || c.eof {
		c.again = c.again || c.out.queued < int64(c.env.Handler.Limits.Output)
	}
}

// Abort tells c that the socket is gone, err being why; nil after Want said Close. Buffers are given back, a streamed
// body and a reply's source are aborted, and later replies do nothing.
func (c *Conn) Abort(err error) {
	if c.phase == phaseGone {
		return
	}
	if err == nil {
		err = errClosed
	}
	c.phase, c.inside = phaseGone, true
	c.x.abort(err)
	c.inside = false
	c.out.reset(c.env.Buffers)
	if c.in != nil {
		c.env.Buffers.Put(c.in)
		c.in = nil
	}
	c.head.Reset()
}

// Want returns what c waits for.
func (c *Conn) Want() Interest {
	var w Interest
	if c.out.queued > 0 {
		w = Write
	}
	switch c.phase {
	case phaseGone:
		return Close
	case phaseHead:
		if c.again {
			return w | Again
		}
		if !c.eof && c.out.queued < int64(c.env.Handler.Limits.Output) {
			w |= Read
		}
	case phaseBody:
		if c.again {
			w |= Again
		}
		if !c.body.paused && !c.eof && c.out.queued < int64(c.env.Handler.Limits.Output) {
			w |= Read
		}
	case phaseReply:
		if c.again {
			w |= Again
		}
	case phaseLinger:
		if c.discard < 0 || c.eof {
			if w == 0 {
				return Close
			}
			return w | Linger
		}
		w |= Read | Linger
	case phaseClose:
		if w == 0 {
			return Close
		}
	}
	return w
}

// Deadline returns the time, as Loop.Now, at which Pump must be called if nothing else has happened; 0 for none. It may
// move either way with every Feed, Pump, Wrote and Wake: a core looks after each, sets its timer when the deadline is
// earlier than what is set, and looks again when a timer fires.
func (c *Conn) Deadline() int64 {
	l := &c.env.Handler.Limits
	d := int64(0)
	switch c.phase {
	case phaseHead:
		switch {
		case c.again || c.out.queued > 0:
		case c.headAt != 0:
			d = c.headAt + int64(l.HeadTime)
		default:
			d = c.idleAt + int64(l.IdleTime)
		}
	case phaseBody:
		if !c.body.paused && c.out.queued < int64(l.Output) {
			d = c.body.deadline(l)
		}
	case phaseLinger:
		if c.out.queued == 0 {
			d = c.lingerBy
		}
	}
	if c.out.queued > 0 {
		if w := c.out.at + int64(l.WriteIdle); d == 0 || w < d {
			d = w
		}
	}
	return d
}

// expire acts on a deadline that has passed.
func (c *Conn) expire() {
	l := &c.env.Handler.Limits
	switch {
	case c.out.queued > 0 && c.now >= c.out.at+int64(l.WriteIdle):
		c.stuck = true
		c.giveUp(errWriteIdle)
	case c.phase == phaseHead && c.headAt != 0:
		c.fail(errHeadTime)
	case c.phase == phaseBody:
		c.fail(errBodyTime)
	default:
		c.giveUp(errIdle)
	}
}

// giveUp drops what is queued and has the core close.
func (c *Conn) giveUp(err error) {
	c.x.abort(err)
	c.out.reset(c.env.Buffers)
	if c.in != nil {
		c.env.Buffers.Put(c.in)
		c.in = nil
	}
	c.phase = phaseClose
}

// linger makes c throw away what comes, until the peer closes or a bound is reached.
func (c *Conn) linger() {
	l := &c.env.Handler.Limits
	c.phase, c.discard = phaseLinger, l.LingerRead
	c.lingerBy = c.now + int64(l.Linger)
}

// fail answers what the peer did wrong, if a reply can still be made, and ends the connection.
func (c *Conn) fail(err *Error) {
	x := &c.x
	if x.open && x.replied {
		x.abort(err) // the reply is under way: it is cut where it is
	} else {
		if x.open {
			x.letGo(err)
		}
		c.keep = false
		c.env.Count.Errors++
		c.out.reply(c, &Reply{Status: err.Status, Type: "text/plain; charset=utf-8", Body: err.text()})
		x.close()
	}
	c.headAt = 0
	c.linger()
}

// Idle reports whether c is between requests with nothing to read, parse or write, so that a draining core may close it.
func (c *Conn) Idle() bool {
	return c.phase == phaseHead && len(c.in) == 0 && c.out.queued == 0
}

// Stuck reports whether c ends because the peer took nothing for WriteIdle. A core resets such a connection: closed in the
// ordinary way, it would leave the kernel with all that was written and not read, for as long as the peer likes.
func (c *Conn) Stuck() bool { return c.stuck }

// Drain has c announce Connection: close with its next reply, and close after it. For a core that stops.
func (c *Conn) Drain() {
	c.draining = true
	if !c.x.replied {
		c.keep = false
	}
}

// wake has the core look at c, unless it will anyway.
func (c *Conn) wake() {
	if !c.inside {
		c.loop.Wake(c)
	}
}
