package httpcore

import "strconv"

// pieceMin is the least that a Source is asked for at once.
const pieceMin = 16 << 10

// fill moves bytes of the reply's Source to the output, up to Limits.Output, and ends the exchange once all is written.
func (x *Exchange) fill() {
	c := x.c
	l := &c.env.Handler.Limits
	for x.src != nil && !x.drained && !x.lent {
		room := int64(l.Output) - c.out.queued
		if room <= 0 {
			return
		}
		p, done := x.src.Next(int(max(room, pieceMin)))
		if x.sized {
			if x.srcLeft -= int64(len(p)); x.srcLeft < 0 || done && x.srcLeft > 0 {
				c.cut()
				return
			}
			done = done || x.srcLeft == 0
		}
		x.drained = done
		if len(p) == 0 && !done {
			return // Held.More says when
		}
		x.queue(p)
	}
	if x.src != nil && x.drained && c.out.queued == 0 {
		src := x.src
		x.src = nil
		src.Close(nil)
		c.settle()
	}
}

// queue puts one piece into the output, as a chunk where the reply is chunked (RFC 9112 §7.1), and the end behind the
// last one.
func (x *Exchange) queue(p []byte) {
	c := x.c
	o := &c.out
	if len(p) > 0 {
		if x.chunked {
			var line [20]byte
			h := append(strconv.AppendInt(line[:0], int64(len(p)), 16), '\r', '\n')
			o.buf = append(o.space(c, len(h)), h...)
			o.queued += int64(len(h))
		}
		if len(p) <= c.env.Handler.Limits.Inline {
			o.buf = append(o.space(c, len(p)), p...)
			o.queued += int64(len(p))
		} else {
			o.block(c, block{data: p, left: int64(len(p)), source: true})
			x.lent = true
		}
		if x.chunked {
			o.inline(c, "\r\n")
		}
	}
	if x.chunked && x.drained {
		o.inline(c, "0\r\n\r\n")
	}
}

// cut ends a reply that cannot be completed: only the missing end tells the peer.
func (c *Conn) cut() {
	c.x.abort(errShort)
	c.keep = false
	c.linger()
}

// Break ends a reply whose Source will not come to its end: the connection closes behind what is queued, and only the
// missing rest tells the peer.
func (h Held) Break() {
	if !h.Live() || h.c.x.src == nil {
		return
	}
	c := h.enter()
	c.cut()
	c.wake()
}
