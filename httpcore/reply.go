package httpcore

// Reply is the final answer to a request. The Conn adds the status line, Date, Server, Connection where it is needed, and
// Content-Length or Transfer-Encoding (RFC 9112 §6). For HEAD, 204 and 304 no content is sent, whatever is set here.
//
// At most one of Body, File and Source is set. For 204 none is announced; for 304 and HEAD the length is announced as it
// would be for GET.
type Reply struct {
	Status int    // 200 to 599; 0 means 200
	Type   string // Content-Type; empty leaves it out
	Fields string // further field lines, each with its CRLF, valid already: "ETag: \"1\"\r\nVary: Accept\r\n"

	// Body is content. Up to Limits.Inline bytes are copied before the call returns. A longer one is sent where it
	// lies: it must not change until it is sent, which is never announced, so it must not be reused; unless Pooled.
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

// Sink takes a streamed request body. Its methods are called by the owner of the connection.
type Sink interface {
	// Piece takes the next bytes, borrowed for the call.
	Piece(x *Exchange, p []byte)
	// End says that the body is complete. If there was no Reply yet, one must be made now, or the exchange held.
	End(x *Exchange)
	// Abort says that the body will not come: the peer left, broke the framing, was too slow or sent too much. What is
	// to be answered is answered by the Conn.
	Abort(err error)
}
