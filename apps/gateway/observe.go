package gateway

import (
	"math/rand/v2"
	"time"

	"corelab/apps/gateway/settings"
)

// ObserveConfig is what is counted, logged and traced. What is absent costs nothing.
type ObserveConfig struct {
	Metrics   bool         `toml:"metrics"`    // counters and histograms by route and endpoint, on /metrics of the admin port
	RequestID bool         `toml:"request_id"` // X-Request-Id: the client's if it is a plain one, else a new one; to upstream and client
	Log       *LogConfig   `toml:"log"`        // a line for each request
	Trace     *TraceConfig `toml:"trace"`      // W3C trace context, and spans
}

// LogConfig is the access log: one JSON object a line.
type LogConfig struct {
	File  string            `toml:"file"`  // appended to; opened anew when it was moved away
	Kafka *KafkaConfig      `toml:"kafka"` // lines go there, and to the file what Kafka does not take
	Queue int               `toml:"queue"` // batches that may wait to be written, 256; when they do, lines are lost, and counted
	Flush settings.Duration `toml:"flush"` // most time that a line waits for others, 200ms
}

// TraceConfig says which requests have spans, and where these go.
type TraceConfig struct {
	Sample   float64           `toml:"sample"`   // share of the requests without a context of their own, 0 to 1
	Endpoint string            `toml:"endpoint"` // of an OTLP/HTTP collector: http://127.0.0.1:4318/v1/traces
	Service  string            `toml:"service"`  // the resource's service.name; "gateway"
	Queue    int               `toml:"queue"`    // spans that may wait to be sent, 4096; when they do, spans are lost, and counted
	Flush    settings.Duration `toml:"flush"`    // most time that a span waits for others, 1s
}

// ObservePlace is what the stage observe knows about a request.
type ObservePlace struct {
	id       [maxRequestID]byte
	idLen    uint8
	sampled  bool
	from     From
	attempts uint8     // of forward
	last     *Endpoint // that was asked
	span     traceContext
}

// observe counts a route's requests, and writes their lines and spans. It is entered first and left last, so that it sees
// what every other stage made of a request.
type observe struct {
	route     string
	quoted    []byte // route, as JSON
	requestID bool
	sight     Kept[sight]
	count     Kept[routeCount] // unset without metrics
	ends      []Kept[endpointCount]
	metrics   bool
	log       *journal // nil: no line
	lines     Kept[pages]
	trace     *tracer // nil: no span
	spans     Kept[spanSheet]
}

// buildObserve compiles the stage for a route.
func buildObserve(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	c := b.Config.Observe
	if c == nil || rt.Unobserved || !c.Metrics && !c.RequestID && c.Log == nil && c.Trace == nil {
		return nil
	}
	o := &observe{route: rt.Name, quoted: appendQuoted(nil, []byte(rt.Name)), requestID: c.RequestID, metrics: c.Metrics}
	o.sight = Keep(b, "observe", "", newSight)
	if c.Metrics {
		o.count = Keep(b, "observe route", rt.Name, func(*Shard) *routeCount { return &routeCount{route: rt.Name} })
		if up != nil {
			for _, e := range up.Endpoints {
				upstream, name := up.Name, e.Addr.String()
				o.ends = append(o.ends, Keep(b, "observe endpoint", e.Name, func(*Shard) *endpointCount {
					return &endpointCount{upstream: upstream, endpoint: name}
				}))
			}
		}
	}
	if c.Log != nil {
		o.log = Memo(b, "log", "", func() *journal { return buildJournal(b, c.Log) })
		if o.log != nil {
			log := o.log
			o.lines = Keep(b, "log", log.settings, func(*Shard) *pages { return &pages{log: log} })
		}
	}
	if c.Trace != nil {
		o.trace = Memo(b, "trace", "", func() *tracer { return buildTracer(b, c.Trace) })
		if o.trace != nil {
			trace := o.trace
			o.spans = Keep(b, "trace", trace.settings, func(*Shard) *spanSheet { return &spanSheet{trace: trace} })
		}
	}
	return o
}

// Enter implements Stage.
func (o *observe) Enter(r *Request) Verdict {
	p := &r.Observe
	if o.metrics {
		o.count.Of(r.Shard).open++
	}
	if o.requestID {
		p.identify(r, o.sight.Of(r.Shard))
	}
	if o.trace != nil {
		p.sampled = o.trace.begin(r, &p.span, o.sight.Of(r.Shard))
	}
	return Next
}

// Answer implements Answering.
func (o *observe) Answer(r *Request, a *Answer) { r.Observe.from = a.From }

// Attempted implements Attempting.
func (o *observe) Attempted(r *Request, t *Attempt) {
	p := &r.Observe
	p.last = t.Endpoint
	if p.attempts < 255 {
		p.attempts++
	}
	if o.metrics && t.Endpoint.Index < len(o.ends) {
		o.ends[t.Endpoint.Index].Of(r.Shard).note(t)
	}
}

// Leave implements Stage.
func (o *observe) Leave(r *Request, out *Outcome) {
	if o.metrics {
		c := o.count.Of(r.Shard)
		c.open--
		c.note(out)
	}
	if o.log != nil {
		o.lines.Of(r.Shard).write(r, out, o)
	}
	if r.Observe.sampled {
		o.spans.Of(r.Shard).write(r, out, o)
	}
}

// sight is what a shard needs to make ids, and to tell the time of day.
type sight struct {
	random rand.PCG

	second int64 // loop time of the last look at the clock
	wall   int64 // what it said, ns since 1970
	text   [19]byte
	textAt int64 // the second that text shows
}

func newSight(*Shard) *sight {
	s := &sight{}
	s.random.Seed(rand.Uint64(), rand.Uint64())
	return s
}

// clockEvery is how old a look at the clock may be: in between the loop's time tells.
const clockEvery = int64(time.Second)

// wallAt returns the wall time of the loop time now, in ns since 1970.
func (s *sight) wallAt(now int64) int64 {
	if s.wall == 0 || now-s.second > clockEvery {
		s.second, s.wall = now, time.Now().UnixNano()
	}
	return s.wall + now - s.second
}

// appendTime appends a wall time as RFC 3339 has it, in UTC and with milliseconds.
func (s *sight) appendTime(dst []byte, wall int64) []byte {
	second := wall / 1e9
	if second != s.textAt {
		s.textAt = second
		time.Unix(second, 0).UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05")
	}
	ms := wall / 1e6 % 1000
	dst = append(dst, s.text[:]...)
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// maxRequestID bounds the ids that are taken over from clients; ours have as many digits.
const maxRequestID = 32

// RequestID returns the request's id, nil if there is none.
func (p *ObservePlace) RequestID() []byte {
	if p.idLen == 0 {
		return nil
	}
	return p.id[:p.idLen]
}

// identify takes over the id that the client sent, or makes one.
func (p *ObservePlace) identify(r *Request, s *sight) {
	if v, ok := r.X.Field("X-Request-Id"); ok && len(v) > 0 && len(v) <= maxRequestID && plainID(v) {
		p.idLen = uint8(copy(p.id[:], v))
	} else {
		hexPut(p.id[:16], s.random.Uint64())
		hexPut(p.id[16:], s.random.Uint64())
		p.idLen = maxRequestID
	}
	r.ToUpstream.Set("X-Request-Id", p.id[:p.idLen])
	r.ToClient.Set("X-Request-Id", p.id[:p.idLen])
}

// plainID reports whether an id may go into logs and heads as it is.
func plainID(v []byte) bool {
	for _, c := range v {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// hexPut writes v as 16 digits.
func hexPut(dst []byte, v uint64) {
	for i := 15; i >= 0; i-- {
		dst[i] = hexDigits[v&15]
		v >>= 4
	}
}
