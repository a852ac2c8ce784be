package httpcore

import "time"

// Limits bounds everything that a connection buffers, waits for or repeats. The zero value of a field means its default;
// [Limits.Filled] gives them. A Limits is read by every connection and must not change once a server runs.
type Limits struct {
	Head      int   // bytes of one head, request line and field lines with their CRLFs; above it 431. Of a trailer section, and of chunk extensions, too
	Target    int   // bytes of a request target; above it 414
	Fields    int   // field lines in one head or trailer section; above it 431
	Body      int64 // bytes of content where a route does not set its own MaxBody; above it 413
	ChunkLine int   // bytes of one chunk-size line with its extensions; above it 400

	Pipelined int // requests answered in one Feed or Pump before Want says Again and the others have their turn
	Requests  int // requests answered on one connection, then Connection: close; 0 means any number
	Output    int // queued bytes to send above which no further request is begun and Room is 0
	Inline    int // a reply body up to this many bytes is copied into the output, a larger one is sent where it lies

	HeadTime   time.Duration // from a head's first byte to its last; then 408
	BodyIdle   time.Duration // between two reads of a body; then 408
	BodyGrace  time.Duration // a body's time before BodyRate applies
	BodyRate   int64         // bytes per second that a body must average after BodyGrace; below it 408
	IdleTime   time.Duration // between requests, and before the first; then a silent close
	WriteIdle  time.Duration // between two writes that the peer accepts; then the connection is dropped
	Linger     time.Duration // after the last byte of a final reply, for the peer's close (RFC 9112 §9.6)
	LingerRead int64         // bytes read and discarded while lingering, and while draining a body answered early
}

// DefaultLimits are the limits of a server that nobody configured.
var DefaultLimits = Limits{
	Head:       16 << 10,
	Target:     8 << 10,
	Fields:     100,
	Body:       1 << 20,
	ChunkLine:  256,
	Pipelined:  64,
	Output:     256 << 10,
	Inline:     16 << 10,
	HeadTime:   10 * time.Second,
	BodyIdle:   10 * time.Second,
	BodyGrace:  10 * time.Second,
	BodyRate:   1 << 10,
	IdleTime:   75 * time.Second,
	WriteIdle:  30 * time.Second,
	Linger:     2 * time.Second,
	LingerRead: 8 << 20,
}

// Filled returns l with each zero field replaced by its default. Requests stays 0: any number.
func (l Limits) Filled() Limits {
	d := DefaultLimits
	fill(&l.Head, d.Head)
	fill(&l.Target, d.Target)
	fill(&l.Fields, d.Fields)
	fill(&l.Body, d.Body)
	fill(&l.ChunkLine, d.ChunkLine)
	fill(&l.Pipelined, d.Pipelined)
	fill(&l.Output, d.Output)
	fill(&l.Inline, d.Inline)
	fill(&l.HeadTime, d.HeadTime)
	fill(&l.BodyIdle, d.BodyIdle)
	fill(&l.BodyGrace, d.BodyGrace)
	fill(&l.BodyRate, d.BodyRate)
	fill(&l.IdleTime, d.IdleTime)
	fill(&l.WriteIdle, d.WriteIdle)
	fill(&l.Linger, d.Linger)
	fill(&l.LingerRead, d.LingerRead)
	return l
}

func fill[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
