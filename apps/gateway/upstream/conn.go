package upstream

import (
	"errors"
	"strconv"

	"corelab/httpcore"
)

// Why an exchange failed, besides what the system and the parsers say.
var (
	ErrConnectTime = errors.New("the upstream took too long to connect")
	ErrHeadTime    = errors.New("the upstream's answer took too long to begin")
	ErrBodyTime    = errors.New("the upstream's answer was interrupted for too long")
	ErrWriteTime   = errors.New("the upstream took nothing of the request for too long")
	ErrTunnelTime  = errors.New("nothing went through the tunnel for too long")
	ErrNoAnswer    = errors.New("the upstream closed the connection without an answer")
	ErrCut         = errors.New("the upstream closed the connection within its answer")
	ErrInterim     = errors.New("the upstream sent too many interim answers")
	ErrUpgrade     = errors.New("the upstream switched to a protocol that nobody asked for")
)

// Caller is told how the exchange that it began on a Conn goes. The Conn is the caller's from Pool.Take until Head or Data
// says done, Failed is called, or the caller calls Conn.Close.
type Caller interface {
	// Enter takes what the caller works on, its shard above all, and Exit gives it back. One pair is around all else of one
	// call from the core.
	Enter() bool
	Exit(entered bool)
	// Head gives the head of the final answer, and what came of its content with it. done says that this is all. h and p
	// are borrowed until Exit. framing says how the rest will come.
	Head(c *Conn, h *httpcore.ResponseHead, framing httpcore.Framing, p []byte, done bool)
	// Data gives further content. p is borrowed for the call, and may be empty where done.
	Data(c *Conn, p []byte, done bool)
	// Room says that what Content had to keep was sent: more may be given.
	Room(c *Conn)
	// Failed says that the answer will not come, or not to its end. The connection is closed.
	Failed(c *Conn, err error)
}

type phase uint8

const (
	phaseIdle phase = iota
	phaseHead
	phaseContent
	phaseClosed
)

// maxKept bounds the memory that an idle connection keeps, of each of its buffers.
const maxKept = 8 << 10

// Conn is one connection to an upstream. It carries one exchange at a time.
type Conn struct {
	pool *Pool
	out  httpcore.Outbound
	call Caller        // nil while idle
	loop httpcore.Loop // of the exchange
	set  *Settings     // so too

	in     []byte // of a head that is not whole
	unsent []byte // of the request: from sent on
	sent   int
	head   httpcore.ResponseHead
	chunks httpcore.Chunked
	left   int64 // bytes of sized content to come

	born    int64 // loop time, ns
	idleAt  int64
	carried int // exchanges begun
	interim int

	asked   Sent
	phase   phase
	framing httpcore.Framing
	opened  bool
	tunnel  bool // both sides speak the protocol that they switched to
	half    bool // the client's side of it is to end behind unsent
	whole   bool // the request is given to its end
	tried   bool // bytes of it went out
	got     bool // bytes of the answer came
	keep    bool // the answer says that the connection persists
	paused  bool
}

// take begins an exchange.
func (c *Conn) take(loop httpcore.Loop, call Caller, s *Settings) {
	c.call, c.loop, c.set = call, loop, s
	c.phase = phaseHead
	c.carried++
	c.whole, c.tried, c.got, c.paused, c.interim = false, false, false, false, 0
	c.tunnel, c.half = false, false
	c.head.Reset()
}

// Reused reports whether the connection carried another exchange before.
func (c *Conn) Reused() bool { return c.carried > 1 }

// Tried reports whether anything of the request may have reached the upstream.
func (c *Conn) Tried() bool { return c.tried }

// Got reports whether anything of an answer came.
func (c *Conn) Got() bool { return c.got }

// Buffer returns empty memory for a request's head, to append to and give to Begin.
func (c *Conn) Buffer() []byte { return c.unsent[:0] }

// Begin sends a request's head, which begins in Buffer; content follows by Content. It reports whether the head is sent;
// else Room follows, if content does.
func (c *Conn) Begin(head []byte, what Sent) (sent bool) {
	c.asked, c.whole = what, !what.Content
	c.unsent, c.sent = head, 0
	if c.opened {
		c.flush(what.Content)
		c.await()
	}
	return len(c.unsent) == 0
}

// Content sends a piece of the request's content, or of what goes through the tunnel, or its end. It reports whether it had
// to keep some of it: then no more may be given until Room.
func (c *Conn) Content(p []byte, last bool) (kept bool) {
	if c.phase == phaseClosed || c.phase == phaseIdle {
		return false
	}
	if c.asked.Chunked && len(p) > 0 {
		var line [20]byte
		c.push(append(strconv.AppendInt(line[:0], int64(len(p)), 16), '\r', '\n'), true)
		c.push(p, true)
		c.push([]byte("\r\n"), last)
	} else if len(p) > 0 {
		c.push(p, false)
	}
	if last {
		c.whole = true
		if c.asked.Chunked {
			c.push([]byte("0\r\n\r\n"), false)
		}
		c.half = c.tunnel
		c.closeHalf()
	}
	if c.opened {
		c.await()
	}
	return len(c.unsent) > 0
}

// push sends p behind what is kept, and keeps what is not taken. more says that further bytes follow at once.
func (c *Conn) push(p []byte, more bool) {
	if c.opened && len(c.unsent) == 0 {
		n := c.out.Send(p, more)
		c.tried = c.tried || n > 0
		p = p[n:]
	}
	c.unsent = append(c.unsent, p...)
}

// flush sends what is kept.
func (c *Conn) flush(more bool) {
	n := c.out.Send(c.unsent[c.sent:], more)
	c.tried = c.tried || n > 0
	if c.sent += n; c.sent == len(c.unsent) {
		c.unsent, c.sent = c.unsent[:0], 0
		c.closeHalf()
	}
}

// closeHalf tells the upstream that the client sends no more through the tunnel, once all it has sent is given.
func (c *Conn) closeHalf() {
	if c.half && len(c.unsent) == 0 {
		c.half = false
		c.out.CloseWrite()
	}
}

// await sets the time until which the upstream must have moved.
func (c *Conn) await() {
	l := &c.set.Limits
	now := c.loop.Now()
	switch {
	case len(c.unsent) > 0:
		c.out.Deadline(now + int64(l.WriteIdle))
	case c.tunnel:
		c.out.Deadline(now + int64(l.TunnelIdle))
	case !c.whole && c.phase == phaseHead:
		c.out.Deadline(0) // the client's turn
	case c.phase == phaseHead:
		c.out.Deadline(now + int64(l.HeadTime))
	case c.paused:
		c.out.Deadline(0) // the client's turn as well
	default:
		c.out.Deadline(now + int64(l.BodyIdle))
	}
}

// Pause stops Data, after the one under way, and in the end the upstream.
func (c *Conn) Pause() {
	if c.phase == phaseContent && !c.paused {
		c.paused = true
		c.out.Pause()
		c.await()
	}
}

// Resume ends a Pause.
func (c *Conn) Resume() {
	if c.phase == phaseContent && c.paused {
		c.paused = false
		c.out.Resume()
		c.await()
	}
}

// Close gives the exchange up, and the connection with it. The caller is told nothing more.
func (c *Conn) Close() { c.close() }

func (c *Conn) close() {
	if c.phase == phaseClosed {
		return
	}
	c.phase, c.call = phaseClosed, nil
	c.out.Close()
	c.pool.open--
	c.in, c.unsent = nil, nil
}

// fail ends the exchange.
func (c *Conn) fail(err error) {
	call := c.call
	c.close()
	call.Failed(c, err)
}

// finish ends an exchange whose answer is whole.
func (c *Conn) finish() {
	if !c.keep || !c.whole || len(c.unsent) > 0 {
		c.close()
		return
	}
	c.phase, c.call = phaseIdle, nil
	if cap(c.unsent) > maxKept {
		c.unsent = nil
	}
	if cap(c.in) > maxKept {
		c.in = nil
	}
	c.pool.put(c, c.loop.Now())
}

// Opened implements httpcore.OutboundHandler.
func (c *Conn) Opened(err error) {
	call := c.call
	in := call.Enter()
	if err != nil {
		c.fail(err)
	} else {
		c.opened = true
		kept := len(c.unsent) > 0
		if kept {
			c.flush(!c.whole)
		}
		c.await()
		if kept && len(c.unsent) == 0 && !c.whole {
			call.Room(c)
		}
	}
	call.Exit(in)
}

// Writable implements httpcore.OutboundHandler.
func (c *Conn) Writable() {
	call := c.call
	if call == nil {
		return
	}
	in := call.Enter()
	c.flush(false)
	c.await()
	if len(c.unsent) == 0 && !c.whole {
		call.Room(c)
	}
	call.Exit(in)
}

// Received implements httpcore.OutboundHandler.
func (c *Conn) Received(p []byte) {
	call := c.call
	if call == nil {
		return
	}
	in := call.Enter()
	c.got = true
	if c.phase == phaseHead {
		c.receiveHead(p)
	} else {
		c.receive(p)
	}
	call.Exit(in)
}

// Ended implements httpcore.OutboundHandler.
func (c *Conn) Ended(err error) {
	call := c.call
	if call == nil { // idle, and not shared: nothing was to come
		c.pool.drop(c)
		c.close()
		return
	}
	in := call.Enter()
	switch {
	case err == nil && c.phase == phaseContent && c.framing == httpcore.UntilClose:
		c.done(nil)
	case err != nil:
		c.fail(err)
	case c.phase == phaseHead && !c.got:
		c.fail(ErrNoAnswer)
	default:
		c.fail(ErrCut)
	}
	call.Exit(in)
}

// Expired implements httpcore.OutboundHandler.
func (c *Conn) Expired(int64) {
	call := c.call
	if call == nil {
		c.pool.drop(c)
		c.close()
		return
	}
	in := call.Enter()
	switch {
	case !c.opened:
		c.fail(ErrConnectTime)
	case len(c.unsent) > 0:
		c.fail(ErrWriteTime)
	case c.tunnel:
		c.fail(ErrTunnelTime)
	case c.phase == phaseHead:
		c.fail(ErrHeadTime)
	default:
		c.fail(ErrBodyTime)
	}
	call.Exit(in)
}
