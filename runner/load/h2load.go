package load

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"corelab/results"
)

const h2loadName = "h2load"

// h2loadGenerator runs nghttp2's h2load in its HTTP/1.1 mode, a closed loop. It looks at no answer's bytes, and prints the
// mean of its latencies and their ends, but no percentile. Its own time-out (-N) is left out: where it strikes, h2load 1.52
// ends with a failed assertion, and all that it had counted is lost.
type h2loadGenerator struct{}

func (h2loadGenerator) Name() string     { return h2loadName }
func (h2loadGenerator) Available() error { return missing("h2load", "nghttp2-client") }

// Version is what h2load prints about itself.
func (h2loadGenerator) Version() string {
	out, err := exec.Command("h2load", "--version").Output()
	if err != nil {
		return ""
	}
	return firstLine(out)
}

func (h2loadGenerator) Command(_ string, s Spec) ([]string, []byte, error) {
	s = s.Filled()
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	switch {
	case s.Rate > 0:
		return nil, nil, errors.New("h2load has no open loop: its --rps waits for the answer before: take the generator corelab or vegeta")
	case s.Depth > 1:
		return nil, nil, errors.New("h2load does not print how deep it pipelined: take the generator corelab or wrk")
	case s.NewConn:
		return nil, nil, errors.New("h2load keeps its connections: take the generator corelab or wrk for one per request")
	case len(s.Body) > 0:
		return nil, nil, errors.New("h2load takes a request's body from a file alone: take the generator corelab or wrk")
	case s.Idle > 0:
		return nil, nil, errors.New("h2load has no idle connections: take the generator corelab")
	}
	argv := []string{"h2load", "--h1", "-t", strconv.Itoa(s.Threads), "-c", strconv.Itoa(s.Connections), "-D", h2loadTime(s.Duration)}
	if s.Method != "GET" {
		argv = append(argv, "-H", ":method: "+s.Method)
	}
	for _, h := range s.Header {
		argv = append(argv, "-H", h)
	}
	return append(argv, s.URL), nil, nil
}

// h2loadTime rounds up to milliseconds, the finest that h2load reads.
func h2loadTime(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10) + "ms"
}

// The lines of h2load's report.
var (
	h2loadClients = regexp.MustCompile(`(\d+) total client\(s\)`)
	h2loadRate    = regexp.MustCompile(`(?m)^finished in (\S+), ([\d.]+) req/s, \S+$`)
	h2loadCounts  = regexp.MustCompile(`(?m)^requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$`)
	h2loadTraffic = regexp.MustCompile(`(?m)^traffic: \S+ \((\d+)\) total,`)
	h2loadStatus  = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$`)
	h2loadLatency = regexp.MustCompile(`(?m)^time for request:\s+(\S+)\s+(\S+)\s+(\S+)\s+\S+\s+\S+%$`)
)

// h2loadUnits are those of its times; it prints "16.67m" as well.
var h2loadUnits = map[string]float64{"us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}

// Parse reads h2load's report.
func (h2loadGenerator) Parse(stdout, stderr []byte) (Result, error) {
	out := string(stdout)
	clients, rate, counts := h2loadClients.FindStringSubmatch(out), h2loadRate.FindStringSubmatch(out), h2loadCounts.FindStringSubmatch(out)
	traffic, status := h2loadTraffic.FindStringSubmatch(out), h2loadStatus.FindStringSubmatch(out)
	if clients == nil || rate == nil || counts == nil || traffic == nil || status == nil {
		return Result{}, fmt.Errorf("h2load printed no result; it said: %s", firstLine(append(append([]byte{}, stderr...), stdout...)))
	}
	p := wrkReader{}
	r := Result{Load: results.Load{Generator: h2loadName, Loop: LoopClosed, Depth: 1}}
	r.Connections = int(p.number(clients[1]))
	r.Requests, r.BytesIn = p.number(counts[3]), p.number(traffic[1])
	r.Elapsed = time.Duration(p.scaled(rate[1], h2loadUnits))
	r.Elapsed = p.elapsed(r.Requests, rate[2], r.Elapsed)
	// What it calls failed is errored, timed out, or has a status from 400 on.
	r.Errors = results.Errors{Read: p.number(counts[6]) - min(p.number(counts[6]), p.number(counts[7])), Timeout: p.number(counts[7]),
		Status: p.number(status[3]) + p.number(status[4])}
	if m := h2loadLatency.FindStringSubmatch(out); m != nil && r.Requests > 0 {
		at := func(s string) time.Duration { return time.Duration(p.scaled(strings.TrimSpace(s), h2loadUnits)) }
		r.Latency = &results.Latency{Count: r.Requests, Min: at(m[1]), Max: at(m[2]), Mean: at(m[3])}
	}
	r.Missing = []results.Missing{
		{Figure: "p50, p90, p99, p99.9", Reason: "h2load prints no percentile"},
		{Figure: "checked", Reason: "h2load looks at no answer's bytes"},
		{Figure: "errors.timeout", Reason: "h2load is run without a time-out: its own ends it with a failed assertion"},
		{Figure: "starved", Reason: "h2load is silent about connections that were never answered"},
	}
	if r.Latency == nil {
		r.Missing = append(r.Missing, results.Missing{Figure: "latency", Reason: "h2load got no answer"})
	}
	return r, p.err
}
