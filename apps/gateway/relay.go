package gateway

import (
	"corelab/apps/gateway/upstream"
	"corelab/httpcore"
)

// forwarding is a Request as what its upstream's connection calls, and as both sides of its content: the Sink of the
// request's, the Source of the answer's.
type forwarding Request

// Enter implements upstream.Caller.
func (f *forwarding) Enter() bool { return (*Request)(f).Enter() }

// Exit implements upstream.Caller.
func (f *forwarding) Exit(entered bool) { (*Request)(f).Exit(entered) }

// Head implements upstream.Caller. Content that came whole with the head goes on with it; else the client gets it piece by
// piece.
func (f *forwarding) Head(c *upstream.Conn, h *httpcore.ResponseHead, framing httpcore.Framing, p []byte, done bool) {
	r, p1 := (*Request)(f), &f.Forward
	own := p1.stage.shared.Of(r.Shard)
	p1.attempt.Status = h.Status()
	p1.attempt.Latency = r.loop.Now() - p1.began
	own.lines = upstream.AppendAnswer(own.lines[:0], h)
	a := Answer{Status: h.Status(), Fields: own.lines, From: FromUpstream}
	switch {
	case h.Status() == 101: // as asked for; how long the tunnel lasts says nothing of its upstream
		a.Fields = appendUpgrade(a.Fields, h)
		a.Source, a.Tunnel = f, f
		p1.streaming = true
		p1.keep(own, p)
		p1.report(r, nil, false)
	case framing == httpcore.NoContent && h.Status() == 204:
	case framing == httpcore.NoContent: // of a HEAD, or 304: the length that content would have had
		a.Source, a.Sized, a.Len = nothing{}, h.HasLength() || h.Status() == 304, h.ContentLength()
	case done && len(p) <= maxInPlace:
		a.Body = p
	case done:
		a.Body, a.Pooled = r.X.Buffer(len(p))[:len(p)], true
		copy(a.Body, p)
	default:
		a.Source, a.Sized, a.Len = f, framing == httpcore.Sized, h.ContentLength()
		p1.keep(own, p)
	}
	if done {
		p1.whole, p1.conn = true, nil
		p1.report(r, nil, false)
	}
	r.Answer(&a)
}

// appendUpgrade appends the field lines by which a 101 says what it switches to: they are of one hop, and so is the tunnel.
func appendUpgrade(dst []byte, h *httpcore.ResponseHead) []byte {
	to, _ := h.Field("Upgrade")
	dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
	dst = append(dst, to...)
	return append(dst, "\r\n"...)
}

// nothing is the content of an answer that has none.
type nothing struct{}

// Next implements httpcore.Source.
func (nothing) Next(int) ([]byte, bool) { return nil, true }

// Close implements httpcore.Source.
func (nothing) Close(error) {}

// Data implements upstream.Caller.
func (f *forwarding) Data(c *upstream.Conn, p []byte, done bool) {
	r, p1 := (*Request)(f), &f.Forward
	p1.keep(p1.stage.shared.Of(r.Shard), p)
	if done {
		p1.whole, p1.conn = true, nil
		p1.report(r, nil, false)
	} else if relaySize-len(p1.buf) < relayRead {
		c.Pause()
	}
	r.More()
}

// keep puts content where the client's connection takes it from.
func (f *ForwardPlace) keep(own *forwardShard, p []byte) {
	if len(p) == 0 {
		return
	}
	if f.buf == nil {
		if last := len(own.spare) - 1; last >= 0 {
			f.buf, own.spare[last] = own.spare[last], nil
			own.spare = own.spare[:last]
		} else {
			f.buf = make([]byte, 0, relaySize)
		}
	}
	f.buf = append(f.buf, p...)
}

// Next implements httpcore.Source.
func (f *forwarding) Next(most int) ([]byte, bool) {
	p := &f.Forward
	p.off += p.lent
	if p.lent = 0; p.off == len(p.buf) {
		p.buf, p.off = p.buf[:0], 0
		if p.attempt.Tunnel() { // most are silent most of the time
			p.release(p.stage.shared.Of((*Request)(f).Shard))
		}
	}
	n := min(most, len(p.buf)-p.off)
	p.lent = n
	if p.conn != nil && relaySize-len(p.buf) >= relayRead {
		p.conn.Resume()
	}
	return p.buf[p.off : p.off+n], p.whole && p.off+n == len(p.buf)
}

// Close implements httpcore.Source.
func (f *forwarding) Close(err error) {
	r, p := (*Request)(f), &f.Forward
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
		p.report(r, err, true)
	}
	p.release(p.stage.shared.Of(r.Shard))
}

// Room implements upstream.Caller.
func (f *forwarding) Room(*upstream.Conn) {
	r, p := (*Request)(f), &f.Forward
	if !p.streaming {
		p.stream(r)
		return
	}
	if p.paused {
		p.paused = false
		r.ResumeContent()
	}
}

// Failed implements upstream.Caller.
func (f *forwarding) Failed(c *upstream.Conn, err error) {
	r := (*Request)(f)
	f.Forward.stage.failed(r, err)
}

// Piece implements httpcore.Sink.
func (f *forwarding) Piece(x *httpcore.Exchange, b []byte) {
	p := &f.Forward
	p.given = true
	if p.conn != nil && p.conn.Content(b, false) {
		p.paused = true
		x.Pause()
	}
}

// End implements httpcore.Sink.
func (f *forwarding) End(*httpcore.Exchange) {
	if p := &f.Forward; p.conn != nil {
		p.given = true
		p.conn.Content(nil, true)
	}
}

// Abort implements httpcore.Sink. It is not called: the stage is left.
func (f *forwarding) Abort(error) {}
