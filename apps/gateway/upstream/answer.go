package upstream

import "corelab/httpcore"

// receiveHead takes bytes up to the end of a final answer's head.
func (c *Conn) receiveHead(p []byte) {
	for {
		view := p
		if len(c.in) > 0 {
			c.in = append(c.in, p...)
			view = c.in
		}
		n, err := c.head.Parse(view, &c.set.parse)
		if err != nil {
			c.fail(err)
			return
		}
		if n == 0 {
			if len(c.in) == 0 {
				c.in = append(c.in, p...)
			}
			return
		}
		c.in = c.in[:0]
		if !c.head.Interim() {
			c.begin(view[n:])
			return
		}
		if c.interim++; c.interim > c.set.Limits.Interim {
			c.fail(ErrInterim)
			return
		}
		c.head.Reset()
		if p = view[n:]; len(p) == 0 {
			return
		}
	}
}

// begin acts on a whole head; p is what came behind it.
func (c *Conn) begin(p []byte) {
	if c.head.Status() != 101 {
		c.framing = c.head.Framing(c.asked.Method)
	} else if c.switched() {
		c.tunnel, c.whole, c.framing = true, false, httpcore.UntilClose
	} else {
		c.fail(ErrUpgrade)
		return
	}
	c.keep = c.head.KeepAlive() && c.framing != httpcore.UntilClose
	c.left, c.chunks = c.head.ContentLength(), httpcore.Chunked{}
	c.phase = phaseContent
	data, rest, done, err := c.next(p)
	if err != nil {
		c.fail(err)
		return
	}
	call := c.call
	call.Head(c, &c.head, c.framing, data, done)
	switch {
	case c.call != call: // it has given the exchange up
	case done:
		c.end(rest)
	default:
		c.await()
		if len(rest) > 0 {
			c.receive(rest)
		}
	}
}

// switched reports whether a 101 names what the request asked for, RFC 9110 §7.8.
func (c *Conn) switched() bool {
	to, _ := c.head.Field("Upgrade")
	return c.asked.Upgrade != "" && len(to) == len(c.asked.Upgrade) && foldEqual(to, []byte(c.asked.Upgrade))
}

// receive takes content.
func (c *Conn) receive(p []byte) {
	call := c.call
	for {
		data, rest, done, err := c.next(p)
		if err != nil {
			c.fail(err)
			return
		}
		if len(data) > 0 || done {
			call.Data(c, data, done)
		}
		switch {
		case c.call != call:
			return
		case done:
			c.end(rest)
			return
		case len(rest) == 0:
			c.await()
			return
		}
		p = rest
	}
}

// next takes the next piece of content from p.
func (c *Conn) next(p []byte) (data, rest []byte, done bool, err error) {
	switch c.framing {
	case httpcore.NoContent:
		return nil, p, true, nil
	case httpcore.UntilClose:
		return p, nil, false, nil
	case httpcore.Sized:
		n := int(min(c.left, int64(len(p))))
		c.left -= int64(n)
		return p[:n], p[n:], c.left == 0, nil
	}
	data, n, done, e := c.chunks.Decode(p, &c.set.parse)
	if e != nil {
		return nil, nil, false, e
	}
	return data, p[n:], done, nil
}

// done says that content until close has ended.
func (c *Conn) done(p []byte) {
	call := c.call
	call.Data(c, p, true)
	if c.call == call {
		c.end(nil)
	}
}

// end ends an exchange whose answer is whole. What came behind it was not asked for: somebody else's answer, if the next
// exchange took it.
func (c *Conn) end(surplus []byte) {
	if len(surplus) > 0 {
		c.keep = false
	}
	c.finish()
}
