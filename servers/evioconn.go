package servers

import (
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/tidwall/evio"

	"corelab/httpcore"
)

// evioLoop is what the connections of one of evio's loops share. Only that loop's goroutine touches it.
type evioLoop struct {
	id    uintptr // of evio's own loop
	index int
	env   httpcore.Env
	free  freeList
	date  dateline
	tally tally
	now   int64

	segments []httpcore.Segment
	out      []byte // what a turn returns; evio copies it
	in       []byte // for reads of outbound connections
}

func (l *evioLoop) look() {
	l.now = monotonic()
	l.date.refresh(&l.env, l.now)
}

// loopOf returns the loop that ev is on, as which evio does not name it: its private field does. s.mu is held.
func (s *evioServer) loopOf(ev evio.Conn) *evioLoop {
	id := reflect.ValueOf(ev).Elem().FieldByName("loop").Pointer()
	if i := slices.IndexFunc(s.loops, func(l *evioLoop) bool { return l.id == id }); i >= 0 {
		return s.loops[i]
	}
	l := &evioLoop{id: id, index: len(s.loops)}
	l.env = httpcore.Env{Handler: s.handler, Buffers: &l.free}
	s.loops = append(s.loops, l)
	return l
}

// unsent is what evio still has to write for ev. It tells nobody, and what a wake returns replaces it: without a look at
// this private field, bytes would be lost.
func unsent(ev evio.Conn) int {
	return reflect.ValueOf(ev).Elem().FieldByName("out").Len()
}

// socketOf is ev's descriptor, as which evio closes it: its private field says.
func socketOf(ev evio.Conn) int {
	return int(reflect.ValueOf(ev).Elem().FieldByName("fd").Int())
}

// evioConn is one connection, and the Loop of its handlers.
type evioConn struct {
	httpcore.Conn
	server  *evioServer
	loop    *evioLoop
	ev      evio.Conn
	behind  []byte // received, and no Room for it yet
	box     inbox
	outs    outset
	timer   *time.Timer // of the deadline
	armed   int64       // what timer is set to; 0 if it is not
	retry   bool        // a wake is on its way, to send more
	drained bool        // the Conn knows that the server stops
	last    bool        // and closes when it is idle
	parted  bool        // the write side is shut down
	over    bool        // evio was told to close
	broken  error
}

// turn does what there is to do, and returns what to write and whether to close then.
func (c *evioConn) turn(in []byte) ([]byte, evio.Action) {
	if c.over {
		return nil, evio.Close // a wake has come between
	}
	l := c.loop
	l.look()
	for _, fire := range c.box.take() {
		fire()
	}
	c.serveOutbounds()
	if d := c.Deadline(); d != 0 && l.now >= d {
		c.Pump(l.now)
	}
	c.stop()
	if len(in) > 0 {
		c.receive(in)
	}
	l.out = l.out[:0]
	if in == nil && unsent(c.ev) > 0 {
		c.again()
	} else {
		c.fill()
	}
	if c.last && c.Idle() {
		c.broken = errStopped
	}
	c.over = c.broken != nil || c.Want()&httpcore.Close != 0
	l.tally.publish(&l.env.Count)
	if c.over {
		return l.out, evio.Close
	}
	c.part()
	c.arm()
	return l.out, evio.None
}

// part shuts down the write side of a connection that lingers, once evio has written what it was given: the peer sees the
// end with the last answer, and not when it has waited as long as we do.
func (c *evioConn) part() {
	if want := c.Want(); c.parted || want&httpcore.Linger == 0 || want&httpcore.Write != 0 {
		return
	}
	if len(c.loop.out) > 0 || unsent(c.ev) > 0 {
		c.again()
		return
	}
	c.parted = true
	shutdownWrite(socketOf(c.ev))
}

// receive feeds in, and keeps what there is no Room for: evio goes on reading whatever happens.
func (c *evioConn) receive(in []byte) {
	if len(c.behind) == 0 {
		in = in[c.feed(in):]
	}
	if len(c.behind)+len(in) > evioBehind {
		c.broken = errBehind
		return
	}
	c.behind = append(c.behind, in...)
}

// feed feeds as much of b as there is Room for, and returns how much that was.
func (c *evioConn) feed(b []byte) int {
	n := min(len(b), c.Room())
	if n > 0 {
		c.Feed(b[:n], c.loop.now)
	}
	return n
}

// fill collects a turn's share of what is to be sent, and goes on with what was received.
func (c *evioConn) fill() {
	l := c.loop
	for len(l.out) < turnBytes && c.broken == nil {
		switch want := c.Want(); {
		case want&httpcore.Write != 0:
			c.gather()
		case want&httpcore.Again != 0:
			c.Pump(l.now)
		case want&httpcore.Read != 0 && len(c.behind) > 0:
			n := c.feed(c.behind)
			if c.behind = c.behind[n:]; len(c.behind) == 0 {
				c.behind = nil
			}
		default:
			return
		}
	}
	if c.Want()&(httpcore.Write|httpcore.Again) != 0 {
		c.again()
	}
}

// gather copies what is pending.
func (c *evioConn) gather() {
	l := c.loop
	l.segments = c.Pending(l.segments[:0])
	total := 0
	for i := range l.segments {
		s := &l.segments[i]
		n := int(min(s.Len, int64(turnBytes-len(l.out))))
		if n == 0 {
			break
		}
		if s.File == nil {
			l.out = append(l.out, s.Bytes[:n]...)
		} else {
			at := len(l.out)
			l.out = slices.Grow(l.out, n)[:at+n]
			if got, err := s.File.ReadAt(l.out[at:], s.Off); got < n {
				l.out = l.out[:at]
				if err == nil || err == io.EOF {
					err = shortFile(s)
				}
				c.broken = err
				break
			}
		}
		total += n
	}
	clear(l.segments) // hold no reply's memory between turns
	if total > 0 {
		c.Wrote(int64(total))
	}
}

// again has the connection's turn come again soon.
func (c *evioConn) again() {
	if !c.retry {
		c.retry = true
		time.AfterFunc(evioRetry, func() { c.Post(func() { c.retry = false }) })
	}
}

// arm sets the timer of the deadline, if it is earlier than what is set: a later one is seen when the timer fires.
func (c *evioConn) arm() {
	due := c.outs.before(c.Deadline())
	if c.armed != 0 && c.armed <= c.loop.now {
		c.armed = 0 // it has fired, or is about to
	}
	if due == 0 || c.armed != 0 && c.armed <= due {
		return
	}
	c.armed = due
	wait := time.Duration(due - c.loop.now)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, func() { c.server.wake(c) })
	} else {
		c.timer.Reset(wait)
	}
}

// stop acts on the server's end: what is idle closes, once what may be on its way has had time to come.
func (c *evioConn) stop() {
	if c.drained || !c.server.draining.Load() {
		return
	}
	c.drained = true
	c.Drain()
	c.After(min(lastGrace, c.server.cfg.Grace), func(int64) { c.last = true })
}

// end gives back what the connection holds.
func (c *evioConn) end(err error) {
	if c.broken != nil {
		err = c.broken
	} else if err == nil && !c.over {
		err = io.EOF
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.Abort(err)
	c.outs.close()
	c.behind = nil
	c.loop.tally.open--
	c.loop.tally.publish(&c.loop.env.Count)
}

// Now implements httpcore.Loop.
func (c *evioConn) Now() int64 { return c.loop.now }

// Post implements httpcore.Loop.
func (c *evioConn) Post(fire func()) {
	if c.box.post(fire) {
		c.server.wake(c)
	}
}

// After implements httpcore.Loop.
func (c *evioConn) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	t := &evioTimer{fire: fire}
	t.timer = time.AfterFunc(d, func() {
		c.Post(func() {
			if fire := t.fire; fire != nil {
				t.fire = nil
				fire(c.loop.now)
			}
		})
	})
	return t
}

// evioTimer is a pending After.
type evioTimer struct {
	timer *time.Timer
	fire  func(now int64) // nil once it fired or was stopped; for the loop only
}

// Stop implements httpcore.Timer.
func (t *evioTimer) Stop() {
	t.fire = nil
	t.timer.Stop()
}

// Wake implements httpcore.Loop: it is called from within a turn, which looks at the connection afterwards.
func (c *evioConn) Wake(*httpcore.Conn) {}
