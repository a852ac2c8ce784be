package probe

import (
	"bytes"

	"corelab/httpcore"
)

const (
	octetsType = "application/octet-stream"
	// maxWhole bounds the content that is collected and sent back whole, with Content-Length, after its last byte came.
	maxWhole = 64 << 10
	// window is how many bytes wait to be sent back before the client is no longer read. The last piece may go beyond it, by
	// what one read takes.
	window = 64 << 10
)

var manyTypes = httpcore.Reply{Status: 400, Type: textType, Body: []byte("several Content-Type fields that differ\n")}

// serveEcho answers POST of / with the content. Preconditions are not heeded: the method neither selects nor changes a
// representation of the page, RFC 9110 §13.2.1.
func serveEcho(x *httpcore.Exchange) {
	mediaType, valid := contentType(x)
	switch {
	case !valid:
		x.Reply(&manyTypes)
	case x.ContentLength() == 0:
		x.Reply(&httpcore.Reply{Type: mediaType})
	default:
		x.Stream(&echo{mediaType: mediaType, length: x.ContentLength()})
	}
}

// contentType returns the type of the content. The field is a singleton (RFC 9110 §8.3): where lines differ, the content
// would be sent back as something that its sender may not have meant.
func contentType(x *httpcore.Exchange) (mediaType string, valid bool) {
	for i := range x.NumFields() {
		name, value := x.FieldAt(i)
		if len(value) == 0 || !bytes.EqualFold(name, []byte("content-type")) {
			continue
		}
		if mediaType != "" && mediaType != string(value) {
			return "", false
		}
		mediaType = string(value)
	}
	if mediaType == "" {
		mediaType = octetsType
	}
	return mediaType, true
}

// echo is the Sink of a request's content and, where that is more than maxWhole, the Source of its reply. Bytes come into
// one buffer and go out of the other, and the two are swapped when the one is empty: what is lent to the connection is not
// written to. Each holds the window and one read at the most.
//
//	Piece ─▶ in ─┬─▶ Reply.Body         at the end, up to maxWhole
//	             └─▶ out ─▶ Next        beyond
//
// A client that sends all before it reads is held back once the window, the connection's output and both sockets are full,
// and for as long as it does not read: there is no other bound on memory but to stop reading.
type echo struct {
	mediaType string
	length    int64 // announced; -1 where chunked

	held   httpcore.Held // of the exchange, once it streams back
	in     []byte        // received, not taken by Next
	out    []byte        // what Next has still to give
	spare  []byte        // the memory of out
	back   bool          // the reply is begun
	paused bool
	ended  bool // no Piece will come
}

// Piece implements httpcore.Sink.
func (e *echo) Piece(x *httpcore.Exchange, p []byte) {
	e.in = append(e.in, p...)
	switch {
	case e.back:
		e.held.More()
	case len(e.in) > maxWhole:
		e.back = true
		e.held = x.Handle()
		r := httpcore.Reply{Type: e.mediaType, Source: e}
		if e.length >= 0 {
			r.Sized, r.Len = true, e.length
		}
		x.Reply(&r)
	}
	if e.back && len(e.in) >= window {
		e.paused = true
		x.Pause()
	}
}

// End implements httpcore.Sink.
func (e *echo) End(x *httpcore.Exchange) {
	e.ended = true
	if e.back {
		e.held.More()
		return
	}
	x.Reply(&httpcore.Reply{Type: e.mediaType, Body: e.in})
}

// Next implements httpcore.Source.
func (e *echo) Next(most int) ([]byte, bool) {
	if len(e.out) == 0 {
		e.in, e.out, e.spare = e.spare[:0], e.in, e.in
		if e.paused {
			e.paused = false
			e.held.Resume()
		}
	}
	n := min(most, len(e.out))
	p := e.out[:n]
	e.out = e.out[n:]
	return p, e.ended && len(e.out) == 0 && len(e.in) == 0
}

// Abort has nothing to give back: the memory is the echo's own.
func (e *echo) Abort(error) {}

// Close has nothing to give back.
func (e *echo) Close(error) {}
