package httpcore

import "net/netip"

// Exchange is one request and its answer, as a route's function sees it. It belongs to its connection: neither it nor a
// slice that it returns may be kept after the function returns, unless the exchange is held ([Exchange.Hold]), and then
// until the reply. All its methods are for the owner of the connection.
type Exchange struct {
	c     *Conn
	route *Route
	sink  Sink
	src   Source
	gone  func(error)

	srcLeft int64  // bytes that a sized Source must still give
	gen     uint32 // of the exchange: a Held of another one is dead
	open    bool   // begun and not ended
	replied bool
	held    bool
	sized   bool // src announced its length
	chunked bool // src is sent chunked
	drained bool // src gave its last byte
	lent    bool // a piece of src is queued where it lies
}

// Method returns the request method.
func (x *Exchange) Method() Method { return x.c.head.Method() }

// MethodName returns the request method as it was sent, one that HTTP does not know too.
func (x *Exchange) MethodName() []byte { return x.c.head.MethodName() }

// Target returns the request target as it was sent, RFC 9112 §3.2.
func (x *Exchange) Target() []byte { return x.c.head.Target() }

// Path returns the path of the target, percent-encoded as it was sent.
func (x *Exchange) Path() []byte { return x.c.head.Path() }

// Query returns the target's query without its '?', percent-encoded as it was sent.
func (x *Exchange) Query() []byte { return x.c.head.Query() }

// Param returns the path parameter name of the route's pattern, percent-encoded as it was sent; nil if there is none.
func (x *Exchange) Param(name string) []byte { return x.c.params.get(x.c.head.Path(), name) }

// Field returns the value of the first field line of that name, in any case, and whether there is one.
func (x *Exchange) Field(name string) ([]byte, bool) { return x.c.head.Field(name) }

// NumFields returns the number of field lines.
func (x *Exchange) NumFields() int { return x.c.head.NumFields() }

// FieldAt returns field line i as sent, without the white space around its value.
func (x *Exchange) FieldAt(i int) (name, value []byte) { return x.c.head.FieldAt(i) }

// Host returns the authority that the request is for: of an absolute-form target, else the Host field.
func (x *Exchange) Host() []byte { return x.c.head.Host() }

// Minor returns 1 for HTTP/1.1 and 0 for HTTP/1.0.
func (x *Exchange) Minor() int { return x.c.head.Minor() }

// Body returns the whole content of a request whose route buffers it. It may be the Body of the Reply.
func (x *Exchange) Body() []byte { return x.c.body.whole }

// ContentLength returns the announced length of the content: 0 for none, -1 for chunked.
func (x *Exchange) ContentLength() int64 {
	if x.c.head.Chunked() {
		return -1
	}
	return x.c.head.ContentLength()
}

// Peer returns the address of the client's end of the connection; the zero AddrPort where the core does not tell.
func (x *Exchange) Peer() netip.AddrPort {
	c := x.c
	if !c.peered {
		c.peered = true
		if c.peer == nil {
			c.peer = new(netip.AddrPort)
		}
		*c.peer = netip.AddrPort{}
		if l, ok := c.loop.(Peering); ok {
			*c.peer = l.PeerOf(c)
		}
	}
	return *c.peer
}

// Loop returns what the core lends to wait for something else.
func (x *Exchange) Loop() Loop { return x.c.loop }

// Counters returns the numbers of the owner who serves this request, for a wrapper of the routes that counts in them. They
// are the owner's: only the function that was given x may touch them, before it returns.
func (x *Exchange) Counters() *Counters { return &x.c.env.Count }

// Buffer returns memory of length n or more from the core's Buffers, for a Reply with Pooled; a buffer that goes into no
// reply is lost to the pool, not leaked.
func (x *Exchange) Buffer(n int) []byte { return x.c.env.Buffers.Get(n) }

// Reply answers the request. Exactly one Reply is made for each exchange; a second one panics. The Sink of a streamed
// body is let go, and the rest of the body read and thrown away, unless r has a Source.
func (x *Exchange) Reply(r *Reply) {
	if !x.open || x.replied {
		panic("httpcore: a second Reply to one exchange")
	}
	c := x.c
	x.replied, x.held, x.gone = true, false, nil
	if r.Close {
		c.keep = false
	}
	if r.Source == nil || x.sink == nil {
		x.letGo(nil)
	} else {
		c.goOn()
	}
	if c.unread() {
		c.keep = false
	}
	c.out.reply(c, r)
}

// Drop ends the exchange without an answer, and the connection with it: what was answered before is still sent. It takes
// the place of the Reply.
func (x *Exchange) Drop() {
	if !x.open || x.replied {
		panic("httpcore: Drop of an exchange that has its Reply")
	}
	c := x.c
	x.gone = nil // whoever drops knows
	whole := c.phase == phaseReply
	x.abort(errDropped)
	c.keep = false
	if whole {
		c.phase = phaseClose
		return
	}
	c.linger() // closing on unread input would destroy the answers before this one, RFC 9112 §9.6
}

// Hold says that the reply comes later, by the returned handle. The head and a buffered body stay readable until then;
// the connection reads no further request.
func (x *Exchange) Hold() Held {
	x.held = true
	return x.Handle()
}

// Handle returns a handle to the exchange without holding it, for Resume and More.
func (x *Exchange) Handle() Held { return Held{x.c, x.gen} }

// OnAbort has f called if the client leaves, or the connection fails, before the reply is made. One function at a time.
func (x *Exchange) OnAbort(f func(err error)) { x.gone = f }

// Stream sends the request's body to s. Only a Serve function of a Route with Stream may call it; without it the body is
// read and thrown away.
func (x *Exchange) Stream(s Sink) {
	if !x.route.Stream || x.c.phase != phaseBody {
		panic("httpcore: Stream outside the Serve function of a streaming route")
	}
	x.sink, x.c.body.mode = s, modeSink
	if x.replied {
		panic("httpcore: Stream after Reply")
	}
}

// Pause stops the Sink's Pieces after the current one, and so, in the end, the client, until Held.Resume.
func (x *Exchange) Pause() {
	b := &x.c.body
	if x.sink != nil && !b.paused {
		b.paused, b.stopped = true, x.c.now
	}
}

// Discard has the rest of a streamed body read and thrown away, as a Reply without a Source does: its Sink is let go. It is
// for a reply whose Source ends before the body that it no longer needs.
func (x *Exchange) Discard() {
	if x.sink != nil {
		x.letGo(nil)
	}
}

// start begins a new exchange. Pointers are cleared where there are any: to write a nil costs as much as to write a pointer.
func (x *Exchange) start() {
	if x.sink != nil {
		x.sink = nil
	}
	if x.src != nil {
		x.src = nil
	}
	x.srcLeft = 0
	x.open, x.replied, x.held, x.sized, x.chunked, x.drained, x.lent = true, false, false, false, false, false, false
}

// serve calls the route's function and holds it to its contract.
func (x *Exchange) serve() {
	x.route.Serve(x)
	if x.open && x.sink != nil && !x.replied {
		x.c.goOn()
		return
	}
	x.check()
}

// check panics if a function returned without an answer or the promise of one.
func (x *Exchange) check() {
	if x.open && !x.replied && !x.held {
		panic("httpcore: " + x.route.Method + " " + x.route.Pattern + " returned without Reply or Hold")
	}
}

// letGo ends the Sink: without a word where the reply made it idle, by Abort where err says why.
func (x *Exchange) letGo(err error) {
	s, gone := x.sink, x.gone
	x.sink = nil
	if b := &x.c.body; b.mode == modeSink || b.mode == modeTunnel {
		b.mode = modeDiscard
		if b.paused {
			b.paused = false
			b.excuse(x.c.now)
			x.c.again = x.c.phase == phaseBody // what came meanwhile waits, and no event may announce it
		}
	}
	if err == nil {
		return
	}
	x.gone = nil
	if s != nil {
		s.Abort(err)
	}
	if gone != nil {
		gone(err)
	}
}

// abort ends the exchange, if one is open, because of err.
func (x *Exchange) abort(err error) {
	if !x.open {
		return
	}
	x.letGo(err)
	if src := x.src; src != nil {
		x.src = nil
		src.Close(err)
	}
	x.close()
}

// close ends the exchange: handles to it die, its buffers go back.
func (x *Exchange) close() {
	if !x.open {
		return
	}
	c := x.c
	x.open, x.replied, x.held = false, false, false
	x.gen++
	b := &c.body
	if b.head != nil {
		c.env.Buffers.Put(b.head)
	}
	if b.buf != nil {
		c.env.Buffers.Put(b.buf)
	}
	if b.head != nil {
		b.head = nil
	}
	if b.buf != nil {
		b.buf = nil
	}
	if b.whole != nil {
		b.whole = nil
	}
	b.viewed = false
	x.route = nil
	if x.gone != nil {
		x.gone = nil
	}
}

// Held is a handle to an exchange that outlives its function. It is a value; all its methods do nothing once the exchange
// has ended, however it ended. They are for the owner of the connection: come back by Loop.Post from elsewhere.
type Held struct {
	c   *Conn
	gen uint32
}

// Live reports whether the exchange has not ended: the client is there.
func (h Held) Live() bool { return h.c != nil && h.c.x.open && h.c.x.gen == h.gen }

// Exchange returns the exchange, or nil if it has ended.
func (h Held) Exchange() *Exchange {
	if !h.Live() {
		return nil
	}
	return &h.c.x
}

// enter returns the connection, which reads the clock unless it is in a call that has.
func (h Held) enter() *Conn {
	c := h.c
	if !c.inside {
		c.now = c.loop.Now()
	}
	return c
}

// Reply answers the exchange. It keeps the rules of Exchange.Reply.
func (h Held) Reply(r *Reply) {
	if !h.Live() {
		r.drop(h.c)
		return
	}
	c := h.enter()
	c.x.Reply(r)
	c.settle()
	c.wake()
}

// Drop ends the exchange without an answer. It keeps the rules of Exchange.Drop.
func (h Held) Drop() {
	if !h.Live() {
		return
	}
	c := h.enter()
	c.x.Drop()
	c.wake()
}

// Resume ends a Pause.
func (h Held) Resume() {
	if !h.Live() || !h.c.body.paused {
		return
	}
	c := h.enter()
	b := &c.body
	b.paused = false
	b.at += c.now - b.stopped // our pause is not the client's slowness
	b.last = c.now
	if c.phase == phaseBody {
		c.again = true
		c.wake()
	}
}

// More says that the reply's Source has bytes again.
func (h Held) More() {
	if !h.Live() || h.c.x.src == nil {
		return
	}
	h.c.again = true
	h.c.wake()
}
