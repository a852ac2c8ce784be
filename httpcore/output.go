package httpcore

// output is what a connection has to send, in order: stretches of buf, and between them bytes and file ranges that are
// sent where they lie.
type output struct {
	buf    []byte // from Buffers; nil when empty
	sent   int32  // bytes of buf that are written
	mark   int32  // buf up to here stands before the end of blocks
	blocks []block
	queued int64 // bytes to write in all
	at     int64 // when the peer last took some, or the first was queued
}

// block is a stretch that is sent where it lies, after inline bytes of buf.
type block struct {
	inline int
	data   []byte
	file   File
	off    int64
	left   int64
	owned  []byte // goes to Buffers when sent
	source bool   // data is lent by the exchange's Source
}

// inlineMin is the least buffer that an output takes; most replies fit.
const inlineMin = 4 << 10

// space returns buf with room for n more bytes.
func (o *output) space(c *Conn, n int) []byte {
	if o.queued == 0 {
		o.at = c.now
	}
	if o.buf == nil {
		o.buf = c.env.Buffers.Get(max(n, inlineMin))[:0]
		return o.buf
	}
	if len(o.buf)+n > cap(o.buf) {
		o.renew(c, n)
	}
	return o.buf
}

// renew makes room for n more bytes in buf, and drops what is sent: a reply may go on for ever without that the queue is
// ever empty. It moves bytes at most as often as others came, so that all of it costs no more than a copy of each.
func (o *output) renew(c *Conn, n int) {
	rest := o.buf[o.sent:]
	if int(o.sent) >= len(rest) && len(rest)+n <= cap(o.buf) {
		o.buf = o.buf[:copy(o.buf, rest)]
	} else {
		p := c.env.Buffers.Get(max(len(rest)+n, 2*cap(o.buf)))
		p = p[:copy(p, rest)]
		c.env.Buffers.Put(o.buf)
		o.buf = p
	}
	o.mark = max(o.mark-o.sent, 0)
	o.sent = 0
}

// inline queues a copy of s.
func (o *output) inline(c *Conn, s string) {
	o.buf = append(o.space(c, len(s)), s...)
	o.queued += int64(len(s))
}

// block queues b, in its place behind what buf holds.
func (o *output) block(c *Conn, b block) {
	if o.queued == 0 {
		o.at = c.now
	}
	b.inline = len(o.buf) - int(max(o.mark, o.sent)) // where no block waits, what follows the last one may be sent in part
	o.mark = int32(len(o.buf))
	o.blocks = append(o.blocks, b)
	o.queued += b.left
}

// pending appends what is queued to dst.
func (o *output) pending(dst []Segment) []Segment {
	at := int(o.sent)
	for i := range o.blocks {
		b := &o.blocks[i]
		if b.inline > 0 {
			dst = append(dst, Segment{Bytes: o.buf[at : at+b.inline], Len: int64(b.inline)})
			at += b.inline
		}
		if b.file != nil {
			dst = append(dst, Segment{File: b.file, Off: b.off, Len: b.left})
		} else {
			dst = append(dst, Segment{Bytes: b.data, Len: b.left})
		}
	}
	if n := len(o.buf) - at; n > 0 {
		dst = append(dst, Segment{Bytes: o.buf[at:], Len: int64(n)})
	}
	return dst
}

// wrote takes n bytes off the front. It reports whether a piece of the Source is wholly sent.
func (o *output) wrote(n int64, buffers Buffers) (source bool) {
	if n > o.queued {
		panic("httpcore: Wrote more than was pending")
	}
	o.queued -= n
	done := 0
	for done < len(o.blocks) {
		b := &o.blocks[done]
		k := int(min(int64(b.inline), n))
		b.inline -= k
		o.sent += int32(k)
		n -= int64(k)
		m := min(b.left, n)
		if b.file != nil {
			b.off += m
		} else {
			b.data = b.data[m:]
		}
		b.left -= m
		n -= m
		if b.inline > 0 || b.left > 0 {
			break
		}
		source = source || b.source
		b.release(buffers)
		done++
	}
	if done > 0 {
		k := copy(o.blocks, o.blocks[done:])
		clear(o.blocks[k:])
		o.blocks = o.blocks[:k]
	}
	o.sent += int32(n)
	if o.queued == 0 {
		o.reset(buffers)
	}
	return source
}

// reset drops what is queued and gives the memory back.
func (o *output) reset(buffers Buffers) {
	for i := range o.blocks {
		o.blocks[i].release(buffers)
	}
	if o.buf != nil {
		buffers.Put(o.buf)
		o.buf = nil
	}
	switch {
	case cap(o.blocks) > 8:
		o.blocks = nil
	case len(o.blocks) > 0:
		o.blocks = o.blocks[:0]
	}
	o.sent, o.mark, o.queued, o.at = 0, 0, 0, 0
}

// release gives back what the block holds.
func (b *block) release(buffers Buffers) {
	if b.owned != nil {
		buffers.Put(b.owned)
	}
	if b.file != nil {
		b.file.Close() // read only: nothing that a failure could lose
	}
	*b = block{}
}
