package upstream

import (
	"cmp"
	"time"

	"corelab/httpcore"
)

// Limits bound the connections of a pool and what an exchange waits for. The zero value of a field means its default.
type Limits struct {
	Idle     int           // connections that wait in a pool; above it the answer's end closes
	Open     int           // connections of a pool in all; above it [ErrFull]
	IdleTime time.Duration // that one waits
	Age      time.Duration // after which one is not used again
	Requests int           // that one carries

	ConnectTime time.Duration // until the connection stands
	HeadTime    time.Duration // from the last byte that the upstream took of the request to the answer's head
	BodyIdle    time.Duration // between two reads of the answer's content, while its client takes it
	WriteIdle   time.Duration // between two writes of the request that the upstream takes
	TunnelIdle  time.Duration // in which nothing goes through a tunnel, either way

	Head    int // bytes of the answer's head
	Fields  int // lines of it
	Interim int // 1xx answers before the final one
}

// DefaultLimits are the limits that nobody set.
var DefaultLimits = Limits{
	Idle:        256,
	Open:        10_000,
	IdleTime:    60 * time.Second,
	Age:         time.Hour,
	Requests:    100_000,
	ConnectTime: 5 * time.Second,
	HeadTime:    60 * time.Second,
	BodyIdle:    60 * time.Second,
	WriteIdle:   60 * time.Second,
	TunnelIdle:  5 * time.Minute,
	Head:        32 << 10,
	Fields:      200,
	Interim:     16,
}

// Filled returns l with each zero field replaced by its default.
func (l Limits) Filled() Limits {
	d := DefaultLimits
	l.Idle = cmp.Or(l.Idle, d.Idle)
	l.Open = cmp.Or(l.Open, d.Open)
	l.IdleTime = cmp.Or(l.IdleTime, d.IdleTime)
	l.Age = cmp.Or(l.Age, d.Age)
	l.Requests = cmp.Or(l.Requests, d.Requests)
	l.ConnectTime = cmp.Or(l.ConnectTime, d.ConnectTime)
	l.HeadTime = cmp.Or(l.HeadTime, d.HeadTime)
	l.BodyIdle = cmp.Or(l.BodyIdle, d.BodyIdle)
	l.WriteIdle = cmp.Or(l.WriteIdle, d.WriteIdle)
	l.TunnelIdle = cmp.Or(l.TunnelIdle, d.TunnelIdle)
	l.Head = cmp.Or(l.Head, d.Head)
	l.Fields = cmp.Or(l.Fields, d.Fields)
	l.Interim = cmp.Or(l.Interim, d.Interim)
	return l
}

// parsing returns the limits that the parsers of heads and chunks are given.
func (l *Limits) parsing() httpcore.Limits {
	return httpcore.Limits{Head: l.Head, Fields: l.Fields}.Filled()
}
