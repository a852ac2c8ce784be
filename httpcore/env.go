package httpcore

import (
	"io"
	"net/netip"
	"time"
)

// Env is what a core lends to the connections of one owner: a loop, a worker thread, or one connection's goroutine.
// Only the owner touches it.
type Env struct {
	Handler *Handler
	Buffers Buffers
	Date    *Date    // replaced by the core once a second with a new one, see [FormatDate]
	Count   Counters // plain numbers of this owner; a core publishes them as it likes

	head statusHead // the start of a 200 reply, made once for each Date
}

// Date is an IMF-fixdate, RFC 9110 §5.6.7: the value of the Date field.
type Date [29]byte

// FormatDate formats t, which it converts to UTC. A core calls it once a second, not once a reply.
func FormatDate(t time.Time) *Date {
	var d Date
	t.UTC().AppendFormat(d[:0], "Mon, 02 Jan 2006 15:04:05 GMT")
	return &d
}

// Counters counts what the connections of one Env did.
type Counters struct {
	Requests uint64 // final replies begun, error replies included
	Errors   uint64 // of these, replies that the parser or the connection made: 4xx, 5xx
	Wrapped  uint64 // for whoever wraps routes and counts their calls, see [Exchange.Counters]; nobody else touches it
}

// Loop is what a core lends to a handler that must wait for something else than its client. On a core with an event loop
// it is that loop; on a blocking core it belongs to the one connection. All but Post may be called only by the owner of
// the connection, from inside a handler or a function that the loop called.
type Loop interface {
	// Now is the monotonic time of this turn, in nanoseconds.
	Now() int64
	// Post has fire called on the loop, soon. Any goroutine may call it. After the connection is gone fire may never run.
	Post(fire func())
	// After has fire called on the loop once d has passed, unless Stop comes first.
	After(d time.Duration, fire func(now int64)) Timer
	// Wake tells the core to look at c again (Pending, Want, Deadline): a held reply came, or a pause ended.
	// The Conn calls it, never while the core is inside one of its methods.
	Wake(c *Conn)

	Dialer
}

// Peering is a Loop that knows who is at the other end of a connection.
type Peering interface {
	// PeerOf returns the address of c's client. It is asked once for each connection, and only if a handler asks.
	PeerOf(c *Conn) netip.AddrPort
}

// Timer is a pending [Loop.After].
type Timer interface {
	// Stop ends the timer. Once it has fired or was stopped it does nothing.
	Stop()
}

// Buffers lends memory to connections. An implementation belongs to one owner, as Env does, or locks by itself.
type Buffers interface {
	// Get returns a buffer of length n or more, with any content.
	Get(n int) []byte
	// Put takes back a buffer that Get of any Buffers gave, resliced to its capacity or not.
	Put(b []byte)
}

// File is an open file whose bytes a Segment may name; *os.File is one.
type File interface {
	io.ReaderAt
	io.Closer
	Fd() uintptr
}

// Segment is a stretch of output: Bytes, or, where File is not nil, Len bytes of File from Off.
// It stays valid, and belongs to the Conn, until the next call of Wrote, Feed, Pump or Abort.
type Segment struct {
	Bytes []byte
	File  File
	Off   int64
	Len   int64 // bytes of the file range; for Bytes it is len(Bytes)
}

// Interest is what a connection waits for. Zero means that it is held: by a handler that will reply later.
type Interest uint8

const (
	// Read asks for bytes from the peer, at most Room of them.
	Read Interest = 1 << iota
	// Write says that Pending is not empty.
	Write
	// Again asks for a Pump without I/O once the other connections had their turn.
	Again
	// Linger says that nothing but what Pending holds will be sent: once that is written, shut down the write side, go on
	// reading and feeding while Read is set, and close when Close is set (RFC 9112 §9.6).
	Linger
	// Close asks to close the socket and call Abort(nil). Nothing is pending.
	Close
)
