package httpcore

// content is the body of the request under way: where its bytes go, and how far it is.
type content struct {
	mode    mode
	chunked bool
	paused  bool
	viewed  bool  // whole lies in the bytes that the core lent for this call
	expect  bool  // the client waits for 100 (Continue), RFC 9110 §10.1.1
	left    int64 // bytes to come, where not chunked
	got     int64 // bytes so far
	at      int64 // when it began; later by the time it was paused
	last    int64 // when bytes came last
	stopped int64 // since when it is paused

	decoder Chunked
	head    []byte // the buffer that keeps the head's bytes, once the exchange outlives a call
	buf     []byte // the buffer that collects the content
	whole   []byte // the content, once it is complete: in buf or in the core's bytes
}

type mode uint8

const (
	modeDiscard mode = iota // read and thrown away, at most discard bytes of it
	modeWhole               // collected for a buffered route
	modeSink                // handed on piece by piece
	modeTunnel              // so too, without an end but the client's: see Exchange.Upgrade
)

// start makes b ready for the content of a new request. Field by field, as most are what they should be: a whole content is
// 200 bytes, and to write one costs a request as much as its route. The exchange before has given back what b held.
func (b *content) start(chunked bool, length, now int64) {
	b.mode, b.chunked, b.paused, b.viewed = modeDiscard, chunked, false, false
	b.left, b.got, b.at, b.last = length, 0, now, now
	if chunked {
		b.decoder = Chunked{}
	}
}

// deadline is when the content is too slow: nothing for BodyIdle, or, after BodyGrace, less than BodyRate on average.
func (b *content) deadline(l *Limits) int64 {
	if b.mode == modeTunnel {
		return 0
	}
	idle := b.last + int64(l.BodyIdle)
	rate := b.at + max(int64(l.BodyGrace), b.got*1e9/max(l.BodyRate, 1))
	return min(idle, rate)
}

// excuse moves the deadline by the time until now in which the content was not read because too much output was queued:
// a client that is slow to take a reply is held to WriteIdle, not called slow to send.
func (b *content) excuse(now int64) {
	if b.paused {
		return // Held.Resume does it
	}
	b.at += now - b.last
	b.last = now
}

// begin acts on a whole head: it finds the route, decides where the content goes, and serves what needs none. view is
// what follows the head.
func (c *Conn) begin(view []byte) {
	h, l, b := &c.head, &c.env.Handler.Limits, &c.body
	c.turn++
	c.served++
	c.headAt = 0
	c.keep = h.KeepAlive() && !c.draining && (l.Requests == 0 || int(c.served) < l.Requests)
	c.x.start()
	b.start(h.Chunked(), h.ContentLength(), c.now)
	c.phase = phaseBody
	b.expect = h.ExpectContinue() && (b.left > 0 || b.chunked) && len(view) == 0
	c.discard = l.LingerRead
	route := c.route()
	if route == nil {
		c.settle()
		return
	}
	c.x.route = route
	if most := c.most(); most >= 0 && b.left > most {
		c.fail(errBodySize)
		return
	}
	switch {
	case route.Stream:
		c.x.serve()
	case b.left == 0 && !b.chunked:
		b.whole = nil
		c.phase = phaseReply
		c.x.serve()
	default:
		b.mode = modeWhole
		c.goOn()
	}
	c.settle()
}

// route finds the request's route, or answers what has none. A method that HTTP does not know is told so whatever the
// path, RFC 9110 §9.1, but where a route takes any method: that one answers by itself.
func (c *Conn) route() *Route {
	h, router := &c.head, c.env.Handler.Router
	if h.Asterisk() { // RFC 9110 §9.3.7: the server as a whole
		c.x.Reply(&Reply{Status: 204, Fields: "Allow: " + router.Allow() + "\r\n"})
		return nil
	}
	if h.Authority() { // CONNECT: this is no proxy, RFC 9110 §9.3.6
		c.x.Reply(plain(405, "Allow: "+router.Allow()+"\r\n"))
		return nil
	}
	m := router.find(h.Method(), h.Path(), &c.params)
	switch {
	case m.Route != nil:
		return m.Route
	case h.Method() == MethodUnknown:
		c.fail(errMethodUnknown)
	case m.Allow == "":
		c.x.Reply(plain(404, ""))
	case h.Method() == MethodOptions:
		c.x.Reply(&Reply{Status: 204, Fields: "Allow: " + m.Allow + "\r\n"})
	default:
		c.x.Reply(plain(405, "Allow: "+m.Allow+"\r\n")) // RFC 9110 §15.5.6
	}
	return nil
}

// most is how many bytes of content the route takes; below 0 any number.
func (c *Conn) most() int64 {
	if n := c.x.route.MaxBody; n != 0 {
		return n
	}
	return c.env.Handler.Limits.Body
}

func plain(status int, fields string) *Reply {
	return &Reply{Status: status, Type: "text/plain; charset=utf-8", Fields: fields, Body: []byte(StatusText(status) + "\n")}
}

// goOn sends 100 (Continue) where the client waits for it.
func (c *Conn) goOn() {
	if c.body.expect {
		c.body.expect = false
		c.out.inline(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
}

// take moves content from view to where it goes and returns the rest of view.
func (c *Conn) take(view []byte) []byte {
	b := &c.body
	if len(view) > 0 {
		b.last = c.now
	}
	for c.phase == phaseBody {
		if b.paused {
			return view
		}
		if !b.chunked {
			if b.left == 0 {
				c.whole()
				break
			}
			if len(view) == 0 {
				return view
			}
			n := int(min(b.left, int64(len(view))))
			b.left -= int64(n)
			if b.mode == modeWhole && b.left == 0 && b.buf == nil {
				b.whole, b.viewed = view[:n], true // nothing was collected: no copy
				b.got += int64(n)
			} else {
				c.deliver(view[:n])
			}
			view = view[n:]
			continue
		}
		data, n, done, err := b.decoder.Decode(view, &c.env.Handler.Limits)
		view = view[n:]
		if len(data) > 0 {
			c.deliver(data)
		}
		if c.phase != phaseBody {
			break
		}
		if err != nil {
			c.fail(err)
		} else if done {
			c.whole()
		} else if n == 0 {
			return view
		}
	}
	return view
}

// deliver takes the next piece of content.
func (c *Conn) deliver(p []byte) {
	b := &c.body
	b.got += int64(len(p))
	if b.mode == modeWhole || b.mode == modeSink {
		if most := c.most(); most >= 0 && b.got > most {
			c.fail(errBodySize)
			return
		}
	}
	switch b.mode {
	case modeWhole:
		if len(b.buf)+len(p) > cap(b.buf) {
			b.buf = c.collect(len(p))
		}
		b.buf = append(b.buf, p...)
	case modeSink, modeTunnel:
		c.x.sink.Piece(&c.x, p)
	case modeDiscard:
		if c.discard -= int64(len(p)); c.discard < 0 {
			b.paused = true
			c.settle()
		}
	}
}

// firstCollected is the buffer that a body gets for its first bytes, if more is announced.
const firstCollected = 4 << 10

// collect returns the content so far in a buffer with room for n more bytes. An announced length is believed by
// doubling only: a client that announces much and sends little must not cost much. Where all comes at once it is not even
// copied; where it comes in large pieces, the first of them makes the buffer large.
func (c *Conn) collect(n int) []byte {
	b := &c.body
	size := max(len(b.buf)+n, 2*cap(b.buf))
	if !b.chunked {
		whole := b.left + int64(len(b.buf)+n)
		size = int(min(whole, int64(max(size, firstCollected))))
	}
	p := c.env.Buffers.Get(size)
	p = p[:copy(p, b.buf)]
	if b.buf != nil {
		c.env.Buffers.Put(b.buf)
	}
	return p
}

// whole acts on the end of the content.
func (c *Conn) whole() {
	b := &c.body
	c.phase = phaseReply
	switch b.mode {
	case modeWhole:
		if !b.viewed {
			b.whole = b.buf
		}
		c.x.serve()
	case modeSink, modeTunnel:
		s := c.x.sink
		c.x.sink = nil
		s.End(&c.x)
		c.x.check()
	}
	c.settle()
}

// unread reports whether content is left that will not be read to its end: because it may never be sent, the client
// waiting for 100 (RFC 9110 §10.1.1), or because it is too long (RFC 9112 §9.6). Then the connection ends with the reply.
func (c *Conn) unread() bool {
	b := &c.body
	return c.phase == phaseBody && b.mode == modeDiscard && (b.expect || b.left > c.discard || c.discard < 0)
}

// settle ends the exchange if nothing of it is left: the content is read, the reply made and its Source empty.
func (c *Conn) settle() {
	x := &c.x
	if !x.open || !x.replied {
		return
	}
	if x.src != nil {
		return
	}
	if c.body.mode == modeTunnel {
		x.letGo(nil) // whatever the client still sends is for nobody
	}
	if c.unread() {
		x.close()
		c.keep = false
		c.linger()
		return
	}
	if c.phase == phaseBody && (c.body.left > 0 || c.body.chunked) {
		return
	}
	x.close()
	if !c.keep {
		c.phase = phaseClose
		return
	}
	c.phase, c.idleAt = phaseHead, c.now
	c.head.Reset()
	if !c.inside {
		c.again = len(c.in) > 0 || c.eof
	}
}
