package httpcore

import "math"

// Upgrade answers 101 (Switching Protocols), RFC 9110 §15.2.2 and §7.8: from then on the connection is a tunnel. What the
// client sends goes to in, piece by piece, and what out gives is sent to it, neither framed nor looked at. fields are the
// answer's field lines, Connection and Upgrade among them, each with its CRLF. It takes the place of the Reply, for a
// request of HTTP/1.1 without content left to read.
//
// in is paused and resumed as the Sink of a request's content is; its End says that the client sends no more, though it may
// still read. The tunnel ends with out, behind its last byte, or with the connection: then in is told by Abort, and out by
// Close. Of the limits only WriteIdle holds in a tunnel: how long it may be silent is for whoever gives out to say.
func (x *Exchange) Upgrade(fields string, in Sink, out Source) {
	if !x.open || x.replied {
		panic("httpcore: Upgrade of an exchange that has its Reply")
	}
	c, b := x.c, &x.c.body
	if x.sink != nil || c.phase == phaseBody && (b.chunked || b.left > 0) || c.head.Minor() == 0 {
		panic("httpcore: Upgrade of a request with content to read, or of HTTP/1.0")
	}
	x.replied, x.held, x.gone = true, false, nil
	c.keep = false
	c.phase = phaseBody
	b.start(false, math.MaxInt64, c.now)
	b.mode = modeTunnel
	x.sink, x.src = in, out
	if !c.inside {
		c.again = len(c.in) > 0 || c.eof // what came behind the request is the tunnel's
	}
	c.out.switching(c, fields)
	x.fill()
}

// switching queues the head of a 101.
func (o *output) switching(c *Conn, fields string) {
	c.env.Count.Requests++
	p := o.space(c, headMax+len(fields)+len(c.env.Handler.Server))
	before := len(p)
	p = c.env.appendStart(p, 101)
	p = append(p, fields...)
	p = append(p, '\r', '\n')
	o.buf = p
	o.queued += int64(len(p) - before)
}

// Upgrade answers the exchange. It keeps the rules of Exchange.Upgrade.
func (h Held) Upgrade(fields string, in Sink, out Source) {
	if !h.Live() {
		out.Close(errClosed)
		return
	}
	c := h.enter()
	c.x.Upgrade(fields, in, out)
	c.settle()
	c.wake()
}
