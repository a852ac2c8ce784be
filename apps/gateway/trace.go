package gateway

import (
	"fmt"
	"sync/atomic"
	"time"
)

// traceContext is a request's place in a trace, W3C Trace Context §3.2: as the digits that are sent.
type traceContext struct {
	trace  [32]byte
	parent [16]byte // of the client's traceparent; zeros where there is none
	span   [16]byte // ours
}

// span is a request that was sampled.
type span struct {
	traceContext
	begin, end int64 // wall time, ns since 1970
	route      string
	method     string
	path       string
	endpoint   string
	status     int
	attempts   int
	failed     bool
}

const (
	traceQueue = 4096 // spans, the default
	traceFlush = time.Second
	sheetSpans = 256 // that are handed over at once
)

// tracer decides which requests have spans, and sends these to a collector.
type tracer struct {
	settings string
	service  string
	bound    uint64 // a request is sampled if a random number is below it
	always   bool
	flush    time.Duration
	to       *collector

	sheets  chan []span
	over    chan struct{}
	done    chan struct{}
	sent    atomic.Int64
	full    atomic.Int64
	failed  atomic.Int64
	started bool
}

// buildTracer declares the tracer of a configuration.
func buildTracer(b *Builder, c *TraceConfig) *tracer {
	const at = "observe.trace"
	to, err := parseCollector(c.Endpoint)
	if err != nil {
		b.Fault(at+".endpoint", "%v", err)
	}
	if c.Sample < 0 || c.Sample > 1 {
		b.Fault(at+".sample", "sample must be between 0 and 1")
	}
	if c.Queue < 0 || c.Queue > 1<<20 {
		b.Fault(at+".queue", "queue must be between 1 and %d", 1<<20)
	}
	if !b.sound() {
		return nil
	}
	settings := fmt.Sprintf("%+v", *c)
	return Share(b, "trace", c.Endpoint, settings, func() *tracer {
		service := c.Service
		if service == "" {
			service = "gateway"
		}
		return &tracer{settings: settings, service: service, bound: uint64(c.Sample * (1 << 63) * 2), always: c.Sample == 1,
			flush: c.Flush.Or(traceFlush), to: to, sheets: make(chan []span, max(1, orInt(c.Queue, traceQueue)/sheetSpans)),
			over: make(chan struct{}), done: make(chan struct{})}
	})
}

// begin continues the trace that the client is in, or begins one, and reports whether the request is sampled. The client's
// decision holds (§3.2.2.5); without one a random number decides, before anything else is done. What is not sampled keeps
// the client's context as it came.
func (t *tracer) begin(r *Request, c *traceContext, s *sight) bool {
	if v, ok := r.X.Field("Traceparent"); ok && parseParent(v, c) {
		if v[54]&1 == 0 {
			return false
		}
	} else {
		if !t.always && s.random.Uint64() >= t.bound {
			return false
		}
		hexPut(c.trace[:16], s.random.Uint64())
		hexPut(c.trace[16:], s.random.Uint64()|1) // all zeros is no id
		r.ToUpstream.Drop("Tracestate")           // without its parent it means nothing
	}
	hexPut(c.span[:], s.random.Uint64()|1)
	var v [55]byte
	copy(v[:], "00-")
	copy(v[3:], c.trace[:])
	v[35] = '-'
	copy(v[36:], c.span[:])
	copy(v[52:], "-01")
	r.ToUpstream.Set("Traceparent", v[:])
	return true
}

// parseParent takes the ids of a traceparent, if it is one: 00-TRACE-PARENT-FLAGS in lower case, no id all zeros. A later
// version may be longer.
func parseParent(v []byte, c *traceContext) bool {
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' || string(v[:2]) == "ff" || string(v[:2]) == "00" && len(v) != 55 ||
		len(v) > 55 && v[55] != '-' {
		return false
	}
	for i, d := range v[:55] {
		if i == 2 || i == 35 || i == 52 {
			continue
		}
		if (d < '0' || d > '9') && (d < 'a' || d > 'f') {
			return false
		}
	}
	if string(v[3:35]) == zeros || string(v[36:52]) == zeros[:16] {
		return false
	}
	copy(c.trace[:], v[3:35])
	copy(c.parent[:], v[36:52])
	return true
}

const zeros = "00000000000000000000000000000000"

// spanSheet is what a shard has for the tracer.
type spanSheet struct {
	trace *tracer
	spans []span
}

// write adds the span of a request that has ended.
func (p *spanSheet) write(r *Request, out *Outcome, o *observe) {
	s := o.sight.Of(r.Shard)
	begin := s.wallAt(r.Began)
	x := span{traceContext: r.Observe.span, begin: begin, end: begin + out.Latency, route: o.route, method: string(r.Method()),
		path: string(cut(r.X.Path())), status: out.Status, attempts: int(r.Observe.attempts), failed: out.Err != nil || out.Status >= 500}
	if e := r.Observe.last; e != nil {
		x.endpoint = e.Addr.String()
	}
	if p.spans = append(p.spans, x); len(p.spans) >= sheetSpans {
		p.hand()
	}
}

// hand gives the spans to the tracer, or gives them up.
func (p *spanSheet) hand() {
	if len(p.spans) == 0 {
		return
	}
	select {
	case p.trace.sheets <- p.spans:
		p.spans = nil
	default:
		p.trace.full.Add(int64(len(p.spans)))
		p.spans = p.spans[:0]
	}
}

// Retire implements Retirer.
func (p *spanSheet) Retire(*Shard) { p.hand() }

// Start implements Starter.
func (t *tracer) Start(g *Gateway) {
	t.started = true
	go t.run(g)
}

// Close implements io.Closer.
func (t *tracer) Close() error {
	if t.started {
		close(t.over)
	}
	return nil
}

// Wait returns once a tracer that was closed has sent all.
func (t *tracer) Wait() { <-t.done }

// run sends what comes, and asks the shards for what they have every flush.
func (t *tracer) run(g *Gateway) {
	defer close(t.done)
	defer t.to.close()
	tick := time.NewTicker(t.flush)
	defer tick.Stop()
	over := t.over
	var end <-chan time.Time
	for {
		select {
		case spans := <-t.sheets:
			t.send(spans)
		case <-tick.C:
			g.shards.each(func(s *Shard) { s.Do(t.gather) })
		case <-over:
			over = nil
			g.shards.each(func(s *Shard) { s.Do(t.gather) })
			end = time.After(min(journalRest, 2*t.flush))
		case <-end:
			t.sendRest()
			return
		}
	}
}

// sendRest sends what waits, or gives it up with the first that does not go: the process is ending.
func (t *tracer) sendRest() {
	reached := true
	for len(t.sheets) > 0 {
		spans := <-t.sheets
		if !reached {
			t.failed.Add(int64(len(spans)))
			continue
		}
		reached = t.send(spans)
	}
}

// send reports whether the spans have gone.
func (t *tracer) send(spans []span) bool {
	if err := t.to.post(appendSpans(nil, t.service, spans)); err != nil {
		t.failed.Add(int64(len(spans))) // shown on /metrics
		return false
	}
	t.sent.Add(int64(len(spans)))
	return true
}

func (t *tracer) gather(s *Shard) {
	for i := range s.kept {
		if p, ok := s.kept[i].value.(*spanSheet); ok && p.trace == t {
			p.hand()
		}
	}
}

// Collect implements Collector.
func (t *tracer) Collect(m *Metrics) {
	const name = "gateway_spans_total"
	m.Counter(name, "Spans, by what became of them.", label("result", "sent"), float64(t.sent.Load()))
	m.Counter(name, "", label("result", "queue_full"), float64(t.full.Load()))
	m.Counter(name, "", label("result", "failed"), float64(t.failed.Load()))
}
