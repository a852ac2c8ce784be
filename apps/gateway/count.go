package gateway

import (
	"sort"
	"strconv"
)

// bounds are the upper bounds of the buckets of every latency histogram, in ns.
var bounds = [...]int64{50e3, 100e3, 250e3, 500e3, 1e6, 2500e3, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6, 500e6, 1e9, 2500e6, 5e9, 10e9}

// histogram counts latencies. The last bucket is of what is above all bounds.
type histogram struct {
	buckets [len(bounds) + 1]uint64
	sum     int64
}

func (h *histogram) note(ns int64) {
	i := 0
	for i < len(bounds) && ns > bounds[i] {
		i++
	}
	h.buckets[i]++
	h.sum += ns
}

// statusCount counts one status.
type statusCount struct {
	status int
	n      uint64
}

// maxStatuses bounds the statuses that are told apart; an upstream could send any. What is beyond counts as 0, "other".
const maxStatuses = 64

// routeCount is what a shard saw of a route.
type routeCount struct {
	route    string
	open     int64
	statuses []statusCount // few, the most usual first come
	bytes    uint64
	latency  histogram
}

func (c *routeCount) note(o *Outcome) {
	c.bytes += uint64(o.Bytes)
	c.latency.note(o.Latency)
	for i := range c.statuses {
		if s := &c.statuses[i]; s.status == o.Status {
			s.n++
			return
		}
	}
	status := o.Status
	if len(c.statuses) == maxStatuses-1 {
		c.statuses = append(c.statuses, statusCount{})
	}
	if len(c.statuses) == maxStatuses {
		c.statuses[maxStatuses-1].n++
		return
	}
	c.statuses = append(c.statuses, statusCount{status, 1})
}

// Collect implements Collector.
func (c *routeCount) Collect(m *Metrics) {
	route := label("route", c.route)
	for _, s := range c.statuses {
		status := "other"
		if s.status != 0 {
			status = strconv.Itoa(s.status)
		}
		m.Counter("gateway_requests_total", "Requests that ended, by route and status; 499: the client left first.",
			route+","+label("status", status), float64(s.n))
	}
	m.Counter("gateway_response_bytes_total", "Bytes of content handed to clients' connections.", route, float64(c.bytes))
	m.Gauge("gateway_requests_in_flight", "Requests that have begun and not ended.", route, float64(c.open))
	m.histogram("gateway_request_seconds", "Time from a request's head to the end of its answer.", route, &c.latency)
}

// endpointCount is what a shard saw of an endpoint.
type endpointCount struct {
	upstream, endpoint            string
	good, failed, gone, bad, kept uint64
	latency                       histogram
}

func (c *endpointCount) note(t *Attempt) {
	if t.Reused {
		c.kept++
	}
	switch {
	case t.Gone:
		c.gone++
		return
	case t.Err != nil:
		c.failed++
	case t.Status >= 500:
		c.bad++
	default:
		c.good++
	}
	c.latency.note(t.Latency)
}

// Collect implements Collector.
func (c *endpointCount) Collect(m *Metrics) {
	at := label("upstream", c.upstream) + "," + label("endpoint", c.endpoint)
	const help = "Attempts to have a request answered by an endpoint: ok, status (5xx), failed, gone (the client left)."
	for _, n := range []struct {
		result string
		n      uint64
	}{{"ok", c.good}, {"status", c.bad}, {"failed", c.failed}, {"gone", c.gone}} {
		m.Counter("gateway_attempts_total", help, at+","+label("result", n.result), float64(n.n))
	}
	m.Counter("gateway_attempts_reused_total", "Attempts that were made on a connection that stood already.", at, float64(c.kept))
	m.histogram("gateway_attempt_seconds", "Time from an attempt's begin to the answer's head, or to the failure.", at, &c.latency)
}

// Collector is kept state that has something to show on /metrics.
type Collector interface {
	// Collect adds what it has to m. It is called with the shard held, for each shard; what several add under the same name
	// and labels is summed.
	Collect(m *Metrics)
}

// Metrics is a scrape: families of samples.
type Metrics struct {
	families map[string]*family
}

type family struct {
	kind, help string
	samples    map[string]float64 // by labels, with the suffix of the name where it has one
}

// Counter adds n to a counter, whose name ends in _total. labels are made by [Label], joined by commas; "" for none.
func (m *Metrics) Counter(name, help, labels string, n float64) {
	m.add(name, "counter", help, name, labels, n)
}

// Gauge adds v to a gauge.
func (m *Metrics) Gauge(name, help, labels string, v float64) {
	m.add(name, "gauge", help, name, labels, v)
}

// Label returns one label, quoted.
func Label(name, value string) string { return label(name, value) }

func (m *Metrics) add(name, kind, help, sample, labels string, v float64) {
	f := m.families[name]
	if f == nil {
		f = &family{kind, help, map[string]float64{}}
		m.families[name] = f
	}
	if labels != "" {
		sample += "{" + labels + "}"
	}
	f.samples[sample] += v
}

func (m *Metrics) histogram(name, help, labels string, h *histogram) {
	n := uint64(0)
	for i, b := range h.buckets {
		n += b
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(float64(bounds[i])/1e9, 'g', -1, 64)
		}
		m.add(name, "histogram", help, name+"_bucket", labels+","+label("le", le), float64(n))
	}
	m.add(name, "histogram", help, name+"_sum", labels, float64(h.sum)/1e9)
	m.add(name, "histogram", help, name+"_count", labels, float64(n))
}

// label returns a label as Prometheus's text format has it.
func label(name, value string) string {
	b := append([]byte(name), `="`...)
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

// Text appends the scrape in Prometheus's text exposition format, version 0.0.4.
func (m *Metrics) Text(dst []byte) []byte {
	for _, name := range sortedKeys(m.families) {
		f := m.families[name]
		dst = append(dst, "# HELP "+name+" "+f.help+"\n# TYPE "+name+" "+f.kind+"\n"...)
		for _, s := range sortedKeys(f.samples) {
			dst = append(append(dst, s...), ' ')
			dst = strconv.AppendFloat(dst, f.samples[s], 'g', -1, 64)
			dst = append(dst, '\n')
		}
	}
	return dst
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
