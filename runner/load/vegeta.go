package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"corelab/results"
)

const vegetaName = "vegeta"

// vegetaGenerator is the library tsenart/vegeta in this program's binary: a fixed rate on net/http.
type vegetaGenerator struct{}

func (vegetaGenerator) Name() string     { return vegetaName }
func (vegetaGenerator) Available() error { return nil }

func (vegetaGenerator) Version() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, m := range b.Deps {
			if strings.HasPrefix(m.Path, "github.com/tsenart/vegeta/") {
				return "vegeta " + m.Version
			}
		}
	}
	return vegetaName
}

func (g vegetaGenerator) Command(self string, s Spec) ([]string, []byte, error) {
	if err := vegetaCan(s.Filled()); err != nil {
		return nil, nil, err
	}
	return selfCommand(self, g.Name(), s)
}

func (g vegetaGenerator) Parse(stdout, stderr []byte) (Result, error) {
	return selfResult(g.Name(), stdout, stderr)
}

// vegetaCan says what vegeta cannot do.
func vegetaCan(s Spec) error {
	switch {
	case s.Rate <= 0:
		return errors.New("vegeta needs a rate: give one, or take the generator corelab or wrk for a closed loop")
	case s.Depth > 1:
		return errors.New("vegeta does not pipeline: take the generator corelab or wrk")
	case s.Arrival == ArrivalPoisson:
		return errors.New("vegeta has no Poisson arrivals: take the generator corelab")
	case s.Idle > 0:
		return errors.New("vegeta has no idle connections: take the generator corelab")
	}
	return s.Check()
}

// Vegeta loads the server with vegeta, from this process. A request belongs to the window when it was sent in it; percentiles
// are vegeta's own, counted from the moment of sending. watch may be nil.
func Vegeta(ctx context.Context, s Spec, watch *Progress) (Result, error) {
	s = s.Filled()
	if err := vegetaCan(s); err != nil {
		return Result{}, err
	}
	addr, err := resolve(s.URL)
	if err != nil {
		return Result{}, err
	}
	fd, err := newPeer(addr).dial(s.Timeout)
	if err != nil {
		return Result{}, connectError(addr, err)
	}
	closeSocket(fd)
	n := s.Connections
	// Both bounds, or it opens a connection per request as soon as it falls behind.
	attacker := vegeta.NewAttacker(vegeta.Workers(uint64(n)), vegeta.MaxWorkers(uint64(n)), vegeta.Connections(n),
		vegeta.MaxConnections(n), vegeta.KeepAlive(!s.NewConn), vegeta.Timeout(s.Timeout), vegeta.Redirects(vegeta.NoFollow),
		vegeta.Proxy(func(*http.Request) (*url.URL, error) { return nil, nil }), vegeta.HTTP2(false))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	a := &attack{spec: s, want: newWanted(s), watch: watch}
	rate := vegeta.Rate{Freq: int(s.Rate*1000 + 0.5), Per: 1000 * time.Second}
	start := time.Now() // before its first hit, however long it takes until we look at that
	a.consume(start, attacker.Attack(s.targeter(), rate, s.Warmup+s.Duration, ""))
	if err := ctx.Err(); err != nil && a.begin.wall.IsZero() {
		return Result{}, fmt.Errorf("stopped before the measuring began: %w", err)
	}
	return a.result(), nil
}

// targeter gives every request alike.
func (s Spec) targeter() vegeta.Targeter {
	h := http.Header{}
	for _, line := range s.Header {
		name, value, _ := strings.Cut(line, ":")
		name = textproto.CanonicalMIMEHeaderKey(name)
		h[name] = append(h[name], strings.TrimSpace(value))
	}
	return vegeta.NewStaticTargeter(vegeta.Target{Method: s.Method, URL: s.URL, Body: s.Body, Header: h})
}

// attack is one run of vegeta as it comes in. One goroutine owns it.
type attack struct {
	spec       Spec
	want       *wanted
	watch      *Progress
	begin, end instant
	metrics    vegeta.Metrics
	errors     results.Errors
	requests   uint64
	hits       uint64
	checked    uint64
	sample     int
	example    string
}

// consume counts the hits of an attack that began after start, and reads the clocks at the ends of the window.
func (a *attack) consume(start time.Time, hits <-chan *vegeta.Result) {
	from, to := start.Add(a.spec.Warmup), start.Add(a.spec.Warmup+a.spec.Duration)
	begins, ends := time.NewTimer(time.Until(from)), time.NewTimer(time.Until(to))
	defer begins.Stop()
	defer ends.Stop()
	room := [2][]time.Duration{make([]time.Duration, len(a.spec.Observe)), make([]time.Duration, len(a.spec.Observe))}
	for {
		select {
		case <-begins.C:
			a.begin = readInstant(a.spec.Observe, room[0])
		case <-ends.C:
			a.end = readInstant(a.spec.Observe, room[1])
		case hit, ok := <-hits:
			if !ok {
				if a.end.wall.IsZero() {
					a.end = readInstant(a.spec.Observe, room[1])
				}
				return
			}
			if !hit.Timestamp.Before(from) && hit.Timestamp.Before(to) {
				a.add(hit)
			}
		}
	}
}

// add counts one hit of the window.
func (a *attack) add(hit *vegeta.Result) {
	a.metrics.Add(hit)
	a.hits++
	kind, words := a.judge(hit)
	if kind != nil {
		*kind++
		if a.example == "" {
			a.example = words
		}
	}
	if hit.Code != 0 {
		a.requests++
	}
	if a.watch != nil {
		a.watch.Requests.Store(a.requests)
		a.watch.Errors.Store(a.errors.Total())
	}
}

// judge finds what is wrong with a hit, and where that is counted.
func (a *attack) judge(hit *vegeta.Result) (*uint64, string) {
	w, e := a.want.now.Load(), &a.errors
	if hit.Code == 0 || hit.Error != "" && hit.Code >= 200 && hit.Code < 400 {
		return a.transport(hit.Error)
	}
	if !w.right(int(hit.Code)) {
		return &e.Status, fmt.Sprintf("status %d", hit.Code)
	}
	length := int64(len(hit.Body))
	if a.want.learn && w.length < 0 {
		w = a.want.learned(w, int(hit.Code), length, hit.Body)
	}
	if w.length >= 0 && w.length != length {
		return &e.Length, fmt.Sprintf("a body of %d bytes, not %d", length, w.length)
	}
	if a.sample++; w.body == nil || a.want.every == 0 || a.sample < a.want.every {
		return nil, ""
	}
	a.sample = 0
	a.checked++
	if !bytes.Equal(hit.Body[:min(len(hit.Body), len(w.body))], w.body) {
		return &e.Body, "a wrong byte in the body"
	}
	return nil, ""
}

// transport says which kind an error of net/http is.
func (a *attack) transport(text string) (*uint64, string) {
	e := &a.errors
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("Client.Timeout", "deadline exceeded", "i/o timeout"):
		return &e.Timeout, text
	case has("dial tcp", "connection refused"):
		return &e.Connect, text
	case has("malformed", "invalid header", "unsupported transfer encoding", "bad Content-Length"):
		return &e.Parse, text
	case has("write tcp", "broken pipe"):
		return &e.Write, text
	}
	return &e.Read, text
}

// result puts together what was counted.
func (a *attack) result() Result {
	s := a.spec
	a.metrics.Close()
	elapsed := a.end.wall.Sub(a.begin.wall)
	r := Result{
		Load: results.Load{
			Generator: vegetaName, Command: s.CommandLine(vegetaName), Loop: LoopOpen, Connections: s.Connections, Reconnect: s.NewConn, Depth: 1, Rate: s.Rate, Arrival: ArrivalConstant,
			Elapsed: elapsed, Requests: a.requests, BytesIn: a.metrics.BytesIn.Total, BytesOut: a.metrics.BytesOut.Total,
			Errors: a.errors, Checked: a.checked, CheckEvery: max(s.CheckEvery, 0),
		},
		Begin: a.begin.wall, End: a.end.wall, CPU: a.end.own - a.begin.own, Observed: a.end.since(a.begin),
		Reference: a.want.reference(), Example: a.example,
		Missing: []results.Missing{
			{Figure: "late", Reason: "vegeta does not say how late it sends; it measures from sending"},
			{Figure: "starved", Reason: "vegeta does not count by connection"},
			{Figure: "bytes", Reason: "vegeta counts bodies, without heads"},
		},
	}
	// One more or less lies on the window's edge.
	if due := s.Rate * elapsed.Seconds(); due >= float64(a.hits)+2 {
		r.Unsent = uint64(due) - a.hits
	}
	if l := a.metrics.Latencies; a.hits > 0 {
		r.Latency = &results.Latency{Count: a.hits, Mean: l.Mean, Min: l.Min, P50: l.P50, P90: l.P90, P99: l.P99,
			P999: l.Quantile(0.999), Max: l.Max}
	}
	return r
}
