package load

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"corelab/results"
)

// The lines of wrk's report. Its figures carry units: us, ms, s, m, h for times, k, M, G for counts, KB… for bytes.
var (
	wrkShape    = regexp.MustCompile(`(?m)^\s+(\d+) threads and (\d+) connections$`)
	wrkLatency  = regexp.MustCompile(`(?m)^\s+Latency\s+(\S+)\s+(\S+)\s+(\S+)\s+\S+%$`)
	wrkQuantile = regexp.MustCompile(`(?m)^\s+(50|75|90|99)%\s+(\S+)\s*$`)
	wrkCount    = regexp.MustCompile(`(?m)^\s+(\d+) requests in (\S+), (\S+) read$`)
	wrkSocket   = regexp.MustCompile(`(?m)^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$`)
	wrkStatus   = regexp.MustCompile(`(?m)^\s+Non-2xx or 3xx responses: (\d+)$`)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)$`)
)

// Parse reads wrk's report. Percentiles stay as wrk prints them: "corrected" by it, and without any when it pipelines.
func (wrkGenerator) Parse(stdout, stderr []byte) (Result, error) {
	out := string(stdout)
	count, shape, rate := wrkCount.FindStringSubmatch(out), wrkShape.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	if count == nil || shape == nil || rate == nil {
		said := firstLine(append(append([]byte{}, stderr...), stdout...))
		return Result{}, fmt.Errorf("wrk printed no result; it said: %s", said)
	}
	r := Result{Load: results.Load{Generator: wrkName, Loop: LoopClosed, Depth: 1}}
	p := wrkReader{}
	r.Connections = int(p.number(shape[2]))
	r.Requests = p.number(count[1])
	r.Elapsed = p.duration(count[2])
	r.BytesIn = p.bytes(count[3])
	r.Elapsed = p.elapsed(r.Requests, rate[1], r.Elapsed)
	if m := wrkSocket.FindStringSubmatch(out); m != nil {
		r.Errors = results.Errors{Connect: p.number(m[1]), Read: p.number(m[2]), Write: p.number(m[3]), Timeout: p.number(m[4])}
	}
	if m := wrkStatus.FindStringSubmatch(out); m != nil {
		r.Errors.Status = p.number(m[1])
	}
	r.Latency = p.latency(out, r.Requests)
	if r.Latency == nil {
		r.Missing = append(r.Missing, results.Missing{Figure: "latency", Reason: "wrk measures none while it pipelines, or got no answer"})
	}
	r.Missing = append(r.Missing,
		results.Missing{Figure: "p99.9", Reason: "wrk prints none"},
		results.Missing{Figure: "checked", Reason: "wrk looks at no answer's bytes"},
		results.Missing{Figure: "starved", Reason: "wrk is silent about connections that were never answered"})
	return r, p.err
}

// maxFigure bounds what a figure may stand for, so that it is an int64 and a uint64: 2^62 ns are 146 years.
const maxFigure = 1 << 62

// wrkReader turns wrk's figures into numbers and keeps the first error.
type wrkReader struct{ err error }

// elapsed is the time that requests took at the printed rate, which has more digits than the printed time.
func (p *wrkReader) elapsed(requests uint64, perSecond string, printed time.Duration) time.Duration {
	rate, err := strconv.ParseFloat(perSecond, 64)
	if err != nil || rate <= 0 || requests == 0 {
		return printed
	}
	nanoseconds := float64(requests) / rate * float64(time.Second)
	if nanoseconds > maxFigure {
		if p.err == nil {
			p.err = fmt.Errorf("%d requests at a rate of %q take too long to be true", requests, perSecond)
		}
		return printed
	}
	return time.Duration(nanoseconds)
}

// latency is the distribution, nil where wrk prints only zeros.
func (p *wrkReader) latency(out string, requests uint64) *results.Latency {
	m := wrkLatency.FindStringSubmatch(out)
	if m == nil {
		return nil
	}
	l := results.Latency{Count: requests, Mean: p.duration(m[1]), Max: p.duration(m[3])}
	for _, q := range wrkQuantile.FindAllStringSubmatch(out, -1) {
		switch d := p.duration(q[2]); q[1] {
		case "50":
			l.P50 = d
		case "90":
			l.P90 = d
		case "99":
			l.P99 = d
		}
	}
	// While it pipelines, what it prints is not even in order.
	if l.Max == 0 || l.P50 > l.P90 || l.P90 > l.P99 {
		return nil
	}
	return &l
}

// split cuts a figure into its number and its unit.
func (p *wrkReader) split(s string) (float64, string) {
	i := strings.LastIndexAny(s, "0123456789.") + 1
	f, err := strconv.ParseFloat(s[:i], 64)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("wrk's figure %q is not understood", s)
	}
	return f, s[i:]
}

// scaled is a figure times what its unit stands for, from 0 to maxFigure.
func (p *wrkReader) scaled(s string, units map[string]float64) float64 {
	f, unit := p.split(s)
	k, ok := units[unit]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("wrk's figure %q has an unknown unit", s)
	}
	if v := f * k; v >= 0 && v <= maxFigure {
		return v
	}
	if p.err == nil {
		p.err = fmt.Errorf("wrk's figure %q is below 0 or too large to be true", s)
	}
	return 0
}

func (p *wrkReader) duration(s string) time.Duration {
	return time.Duration(p.scaled(s, map[string]float64{"us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}))
}

// bytes reads wrk's binary units; three digits of them are all it prints.
func (p *wrkReader) bytes(s string) uint64 {
	return uint64(p.scaled(s, map[string]float64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}))
}

func (p *wrkReader) number(s string) uint64 {
	return uint64(p.scaled(s, map[string]float64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9}))
}
