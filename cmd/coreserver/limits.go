package main

import (
	"flag"
	"fmt"
	"time"

	"corelab/httpcore"
)

// limitFlag is the flag of one field of httpcore.Limits.
type limitFlag struct {
	name, doc string
	field     func(*httpcore.Limits) any // a pointer to an int, an int64 or a time.Duration
}

// limitFlags has a flag for each limit.
var limitFlags = []limitFlag{
	{"limit-head", "`bytes` of one request head; above it 431", func(l *httpcore.Limits) any { return &l.Head }},
	{"limit-target", "`bytes` of a request target; above it 414", func(l *httpcore.Limits) any { return &l.Target }},
	{"limit-fields", "field `lines` in one head or trailer section; above it 431", func(l *httpcore.Limits) any { return &l.Fields }},
	{"limit-body", "`bytes` of content where the route does not say; above it 413", func(l *httpcore.Limits) any { return &l.Body }},
	{"limit-chunk-line", "`bytes` of a chunk-size line; above it 400", func(l *httpcore.Limits) any { return &l.ChunkLine }},
	{"limit-pipelined", "`requests` of one connection answered before others have their turn", func(l *httpcore.Limits) any { return &l.Pipelined }},
	{"limit-requests", "`requests` answered on one connection, which then closes; 0 means any number", func(l *httpcore.Limits) any { return &l.Requests }},
	{"limit-output", "`bytes` queued to send above which a connection is not read", func(l *httpcore.Limits) any { return &l.Output }},
	{"limit-inline", "`bytes` of a reply's body that are copied into the output; longer ones are sent where they lie", func(l *httpcore.Limits) any { return &l.Inline }},
	{"head-time", "`time` for a head, from its first byte to its last; then 408", func(l *httpcore.Limits) any { return &l.HeadTime }},
	{"body-idle", "`time` between two reads of a body; then 408", func(l *httpcore.Limits) any { return &l.BodyIdle }},
	{"body-grace", "`time` of a body before --body-rate applies", func(l *httpcore.Limits) any { return &l.BodyGrace }},
	{"body-rate", "`bytes` per second that a body must average; below it 408", func(l *httpcore.Limits) any { return &l.BodyRate }},
	{"idle-time", "`time` between requests; then the connection is closed", func(l *httpcore.Limits) any { return &l.IdleTime }},
	{"write-idle", "`time` between two writes that the peer accepts; then the connection is dropped", func(l *httpcore.Limits) any { return &l.WriteIdle }},
	{"linger", "`time` after the last reply for the peer to close", func(l *httpcore.Limits) any { return &l.Linger }},
	{"linger-read", "`bytes` read and discarded while lingering or draining a body", func(l *httpcore.Limits) any { return &l.LingerRead }},
}

// add defines the flag in set, for the field of limits, whose present value is the default.
func (f limitFlag) add(set *flag.FlagSet, limits *httpcore.Limits) {
	switch p := f.field(limits).(type) {
	case *int:
		set.IntVar(p, f.name, *p, f.doc)
	case *int64:
		set.Int64Var(p, f.name, *p, f.doc)
	case *time.Duration:
		set.DurationVar(p, f.name, *p, f.doc)
	default:
		panic(fmt.Sprintf("coreserver: a limit is an int, an int64 or a duration, not %T", p))
	}
}

// negative reports whether the field is below 0.
func (f limitFlag) negative(limits *httpcore.Limits) bool {
	switch p := f.field(limits).(type) {
	case *int:
		return *p < 0
	case *int64:
		return *p < 0
	case *time.Duration:
		return *p < 0
	}
	return false
}
