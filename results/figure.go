package results

import (
	"fmt"
	"strings"
	"time"
)

// Figure is one number that can be taken from a trial.
type Figure struct {
	Name    string   // for people: "CPU per request"
	Unit    string   // in the Go benchmark format: "cpu-ns/req"
	Falls   bool     // less is better
	Samples uint64   // the fewest latencies that it takes; 0: it is none of them
	Field   []string // the record's fields that it comes from, as Missing names them
	of      func(t *Trial) (value float64, ok bool)
}

// Of takes the figure from a trial; without it ok is false, and Lack says why. A trial that failed has no figures but its
// errors: what it measured until then is no measurement.
func (f Figure) Of(t *Trial) (value float64, ok bool) {
	if t.Error != "" && f.Unit != Failed.Unit {
		return 0, false
	}
	for _, field := range f.Field {
		if missing(t, field) != "" {
			return 0, false // what is there may be a part of it
		}
	}
	return f.of(t)
}

// The figures, times in nanoseconds. Those of a request are divided by the answers that the generator got.
var (
	Throughput = Figure{Name: "throughput", Unit: "req/s", Field: []string{"load", "load.requests"}, of: throughput}
	ServerCPU  = Figure{Name: "CPU per request", Unit: "cpu-ns/req", Falls: true,
		Field: []string{"server", "server.cpu_ns"}, of: perRequest(serverTime(func(u *Usage) time.Duration { return u.CPU }))}
	ServerUser = Figure{Name: "user CPU per request", Unit: "user-ns/req", Falls: true,
		Field: []string{"server", "server.user_ns"}, of: perRequest(serverTime(func(u *Usage) time.Duration { return u.User }))}
	ServerSystem = Figure{Name: "system CPU per request", Unit: "system-ns/req", Falls: true,
		Field: []string{"server", "server.system_ns"}, of: perRequest(serverTime(func(u *Usage) time.Duration { return u.System }))}
	ClientCPU = Figure{Name: "generator CPU per request", Unit: "generator-ns/req", Falls: true,
		Field: []string{"client", "client.cpu_ns"}, of: perRequest(clientCPU)}
	// CPUShare is the server's CPU time ÷ the generator's in the same seconds: what a noisy machine disturbs least.
	CPUShare = Figure{Name: "server CPU ÷ generator CPU", Unit: "server/generator", Falls: true,
		Field: []string{"server", "server.cpu_ns", "client", "client.cpu_ns"}, of: cpuShare}
	Switches = Figure{Name: "context switches per request", Unit: "switches/req", Falls: true,
		Field: []string{"server", "server.voluntary_switches", "server.involuntary_switches"}, of: perRequest(switches)}
	Memory = Figure{Name: "resident memory", Unit: "rss-B", Falls: true,
		Field: []string{"server", "server.rss_kib"}, of: memory}
	Allocs = Figure{Name: "allocations per request", Unit: "allocs/req", Falls: true,
		Field: []string{"runtime", "runtime.allocs"}, of: perRequest(allocs)}
	Offered = Figure{Name: "offered rate", Unit: "offered/s", Field: []string{"load", "load.rate"}, of: offered}
	Failed  = Figure{Name: "errors", Unit: "errors", Falls: true, Field: []string{"load", "load.errors"}, of: failed}

	P50  = percentile("p50", 1, func(l *Latency) time.Duration { return l.P50 })
	P90  = percentile("p90", 100, func(l *Latency) time.Duration { return l.P90 })
	P99  = percentile("p99", 1000, func(l *Latency) time.Duration { return l.P99 })
	P999 = percentile("p99.9", 10000, func(l *Latency) time.Duration { return l.P999 })
)

// percentile is a figure of the latency that needs so many samples: ten beyond the percentile, or one slow answer is it.
func percentile(name string, samples uint64, of func(*Latency) time.Duration) Figure {
	return Figure{Name: name, Unit: name + "-ns", Falls: true, Samples: samples,
		Field: []string{"load", "latency", name},
		of: func(t *Trial) (float64, bool) {
			if t.Load == nil || t.Load.Latency == nil || t.Load.Latency.Count < samples {
				return 0, false
			}
			v := of(t.Load.Latency)
			return float64(v), v > 0 // wrk prints 0 for what it does not know
		}}
}

func throughput(t *Trial) (float64, bool) {
	if t.Load == nil || t.Load.Elapsed <= 0 {
		return 0, false
	}
	return float64(t.Load.Requests) / t.Load.Elapsed.Seconds(), t.Load.Requests > 0
}

// perRequest divides by the answers; without any there is no cost of one.
func perRequest(of func(*Trial) (float64, bool)) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		if t.Load == nil || t.Load.Requests == 0 {
			return 0, false
		}
		v, ok := of(t)
		return v / float64(t.Load.Requests), ok
	}
}

func serverTime(of func(*Usage) time.Duration) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		if t.Server == nil {
			return 0, false
		}
		v := of(t.Server)
		return float64(v), v > 0
	}
}

func clientCPU(t *Trial) (float64, bool) {
	if t.Client == nil {
		return 0, false
	}
	return float64(t.Client.CPU), t.Client.CPU > 0
}

func cpuShare(t *Trial) (float64, bool) {
	if t.Server == nil || t.Client == nil || t.Server.CPU <= 0 || t.Client.CPU <= 0 {
		return 0, false
	}
	return float64(t.Server.CPU) / float64(t.Client.CPU), true
}

// switches may be none: a server that never waits has no voluntary ones. Missing tells that from not knowing.
func switches(t *Trial) (float64, bool) {
	if t.Server == nil {
		return 0, false
	}
	return float64(t.Server.Voluntary + t.Server.Involuntary), true
}

func memory(t *Trial) (float64, bool) {
	if t.Server == nil {
		return 0, false
	}
	return float64(t.Server.RSSKiB) * 1024, t.Server.RSSKiB > 0
}

func allocs(t *Trial) (float64, bool) {
	if t.Runtime == nil {
		return 0, false
	}
	return float64(t.Runtime.Allocs), true
}

func offered(t *Trial) (float64, bool) {
	if t.Load == nil {
		return 0, false
	}
	return t.Load.Rate, t.Load.Rate > 0
}

func failed(t *Trial) (float64, bool) {
	if t.Load == nil {
		return 0, false
	}
	return float64(t.Load.Errors.Total()), true
}

// missing returns the reason that t gives for lacking the field, or empty. A Missing may name several fields, with commas
// between, and say whose they are before a point or a space; without that they are the server's or the load's.
func missing(t *Trial, field string) string {
	for _, m := range t.Missing {
		whose := ""
		for name := range strings.SplitSeq(m.Figure, ",") {
			name = strings.TrimSpace(name)
			if owner, rest, ok := strings.Cut(name, " "); ok && (owner == "client" || owner == "server") {
				name, whose = owner+"."+rest, owner // of those behind the comma as well
			} else if whose != "" {
				name = whose + "." + name
			}
			if name == field || "server."+name == field || "load."+name == field {
				return m.Reason
			}
		}
	}
	return ""
}

// Lack says why t lacks the figure.
func (f Figure) Lack(t *Trial) string {
	for _, field := range f.Field {
		if why := missing(t, field); why != "" {
			return why
		}
	}
	switch {
	case t.Skipped != "":
		return "skipped: " + t.Skipped
	case t.Error != "":
		return "failed: " + t.Error
	case t.Load == nil:
		return "no load was recorded"
	case t.Load.Requests == 0:
		return "no request was answered"
	case f.Samples > 0 && t.Load.Latency != nil && t.Load.Latency.Count < f.Samples:
		return fmt.Sprintf("%s of %d answers says nothing: it takes %d", f.Name, t.Load.Latency.Count, f.Samples)
	case f.Samples > 0:
		return t.Load.Generator + " gave no " + f.Name
	}
	return f.Name + ": not measured"
}
