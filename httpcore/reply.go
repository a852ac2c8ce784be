package httpcore

import (
	"strconv"
	"unsafe"
)

// Reply is the final answer to a request. The Conn adds the status line, Date, Server, Connection where it is needed, and
// Content-Length or Transfer-Encoding (RFC 9112 §6). For HEAD, 204 and 304 no content is sent, whatever is set here.
//
// At most one of Body, File and Source is set. A Reply is read before the call that takes it returns.
type Reply struct {
	Status int    // 200 to 599; 0 means 200
	Type   string // Content-Type; empty leaves it out
	Fields string // further field lines, each with its CRLF, valid already: "ETag: \"1\"\r\nVary: Accept\r\n"

	// Body is content. Up to Limits.Inline bytes are copied before the call returns. A longer one is sent where it
	// lies: it must not change until it is sent, which is never announced, so it must not be reused; unless Pooled, or
	// part of Exchange.Body.
	Body []byte
	// Pooled says that Body begins a buffer of [Exchange.Buffer], and gives it back.
	Pooled bool

	// File is content: Len bytes from Off. It is closed when it is sent or given up, whatever happened.
	File     File
	Off, Len int64

	// Source is content of unknown length, or of Len bytes where Sized. It is sent chunked when unsized, on HTTP/1.0
	// until close.
	Source Source
	Sized  bool

	Close bool // close the connection after this reply
}

// Source is a reply's content that is made piece by piece, as the peer takes it. Its methods are called by the owner of
// the connection.
type Source interface {
	// Next returns at most max bytes, borrowed until the following Next or Close. done says that these are the last.
	// No bytes and not done means that there are none yet: call [Held.More] when there are.
	Next(max int) (p []byte, done bool)
	// Close ends the Source, exactly once: err is nil when all was handed to the socket.
	Close(err error)
}

// Sink takes a streamed request body. Its methods are called by the owner of the connection. After a Reply without a
// Source none is called.
type Sink interface {
	// Piece takes the next bytes, borrowed for the call.
	Piece(x *Exchange, p []byte)
	// End says that the body is complete. If there was no Reply yet, one must be made now, or the exchange held.
	End(x *Exchange)
	// Abort says that the body will not come: the peer left, broke the framing, was too slow or sent too much. What is
	// to be answered is answered by the Conn.
	Abort(err error)
}

// statusHead is the start of a 200 reply, up to and with Date, made once for each Date.
type statusHead struct {
	date   *Date
	server string
	bytes  []byte
}

// headMax is more than a reply's head needs besides Type, Fields and Server.
const headMax = 256

// start returns the status line, Server and Date of a reply.
func (e *Env) start(dst []byte, status int) []byte {
	h := &e.head
	if h.date != e.Date || h.bytes == nil || h.server != e.Handler.Server {
		h.date, h.server = e.Date, e.Handler.Server
		h.bytes = e.appendStart(h.bytes[:0], 200)
	}
	if status == 200 {
		return append(dst, h.bytes...)
	}
	return e.appendStart(dst, status)
}

func (e *Env) appendStart(dst []byte, status int) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, StatusText(status)...)
	dst = append(dst, '\r', '\n')
	if e.Handler.Server != "" {
		dst = append(dst, "Server: "...)
		dst = append(dst, e.Handler.Server...)
		dst = append(dst, '\r', '\n')
	}
	if e.Date != nil {
		dst = append(dst, "Date: "...)
		dst = append(dst, e.Date[:]...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// reply queues r as the answer to c's request.
func (o *output) reply(c *Conn, r *Reply) {
	status := r.Status
	if status == 0 {
		status = 200
	}
	if status < 200 || status > 599 {
		panic("httpcore: a final reply's status is 200 to 599, not " + strconv.Itoa(status))
	}
	c.env.Count.Requests++
	bodiless := status == 204 || status == 304
	silent := bodiless || c.head.Method() == MethodHead
	length, sized := r.length()
	until := !sized && c.head.Minor() == 0 // HTTP/1.0 knows no chunks: the content ends with the connection
	if until && !bodiless {
		c.keep = false
	}

	small := !silent && len(r.Body) <= c.env.Handler.Limits.Inline
	n := headMax + len(r.Type) + len(r.Fields) + len(c.env.Handler.Server)
	if small {
		n += len(r.Body)
	}
	p := o.space(c, n)
	before := len(p)
	p = c.env.start(p, status)
	if r.Type != "" {
		p = append(p, "Content-Type: "...)
		p = append(p, r.Type...)
		p = append(p, '\r', '\n')
	}
	switch { // RFC 9112 §6.1, §6.2; RFC 9110 §8.6: none in a 204, in a 304 only what 200 would have
	case status == 204 || status == 304 && length == 0:
	case sized:
		p = append(p, "Content-Length: "...)
		p = strconv.AppendInt(p, length, 10)
		p = append(p, '\r', '\n')
	case !until && status != 304:
		p = append(p, "Transfer-Encoding: chunked\r\n"...)
	}
	if !c.keep {
		p = append(p, "Connection: close\r\n"...)
	} else if c.head.Minor() == 0 {
		p = append(p, "Connection: keep-alive\r\n"...)
	}
	p = append(p, r.Fields...)
	p = append(p, '\r', '\n')
	if small {
		p = append(p, r.Body...)
	}
	o.buf = p
	o.queued += int64(len(p) - before)

	switch {
	case silent:
		r.drop(c)
	case r.Source != nil:
		c.x.src, c.x.sized, c.x.srcLeft, c.x.chunked = r.Source, r.Sized, r.Len, !r.Sized && !until
		c.x.fill()
	case r.File != nil && r.Len > 0:
		o.block(c, block{file: r.File, off: r.Off, left: r.Len})
	case small:
		r.drop(c)
	default:
		o.large(c, r)
	}
}

// length is the content's length, where it is known.
func (r *Reply) length() (n int64, sized bool) {
	switch {
	case r.Source != nil:
		return r.Len, r.Sized
	case r.File != nil:
		return r.Len, true
	}
	return int64(len(r.Body)), true
}

// large queues a body that is sent where it lies, or, where it lies in bytes that the core lent for this call, a copy.
func (o *output) large(c *Conn, r *Reply) {
	b := block{data: r.Body, left: int64(len(r.Body))}
	switch in := &c.body; {
	case r.Pooled:
		b.owned = r.Body
	case !within(r.Body, in.whole):
	case in.buf != nil:
		b.owned, in.buf, in.whole = in.buf, nil, nil
	default:
		p := c.env.Buffers.Get(len(r.Body))
		b.data = p[:copy(p, r.Body)]
		b.owned = b.data
	}
	o.block(c, b)
}

// within reports whether p lies in b.
func within(p, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(p)))
	from := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return at >= from && at < from+uintptr(len(b))
}

// drop gives back what r holds and c will not send, or has copied.
func (r *Reply) drop(c *Conn) {
	if r.Pooled && r.Body != nil && c != nil && c.env != nil {
		c.env.Buffers.Put(r.Body)
	}
	if r.File != nil {
		r.File.Close()
	}
	if r.Source != nil {
		r.Source.Close(nil)
	}
}
