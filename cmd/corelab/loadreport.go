package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"corelab/results"
	"corelab/runner/load"
)

// progressEvery is how often the progress line is written anew.
const progressEvery = 250 * time.Millisecond

// showProgress keeps a line on a terminal up to date until the returned function is called, which removes it.
func showProgress(w io.Writer, s load.Spec, watch *load.Progress) (stop func()) {
	start, end := time.Now(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(w, "\r\x1b[K%s", progressLine(s, time.Since(start), watch))
			}
		}
	})
	return func() { close(end); wg.Wait() }
}

// progressLine is what the progress shows at a time.
func progressLine(s load.Spec, passed time.Duration, watch *load.Progress) string {
	if passed < s.Warmup {
		return fmt.Sprintf("warming up, %.0f s to go", (s.Warmup + s.Duration - passed).Seconds())
	}
	in := passed - s.Warmup
	line := fmt.Sprintf("measuring, %.0f s to go", max(0, s.Duration-in).Seconds())
	if n := watch.Requests.Load(); n > 0 {
		line += fmt.Sprintf(", %s requests/s", grouped(uint64(float64(n)/in.Seconds())))
	}
	if n := watch.Errors.Load(); n > 0 {
		line += ", " + plural(n, "error")
	}
	return line
}

// report prints a result for people.
func report(w io.Writer, s load.Spec, r load.Result, whole bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n%s\n\n", s.Method, s.URL, shape(s, r))
	seconds := r.Elapsed.Seconds()
	if seconds > 0 {
		row(&b, "throughput", "%s requests/s (%s answered in %.2f s)", grouped(uint64(float64(r.Requests)/seconds+0.5)), grouped(r.Requests), seconds)
		row(&b, "received", "%.2f MiB/s", float64(r.BytesIn)/seconds/(1<<20))
	}
	from := "sent"
	if r.Generator == "corelab" && r.Loop == load.LoopOpen {
		from = "due"
	}
	latencyRows(&b, "latency", from, r.Latency, whole)
	latencyRows(&b, "service", "sent", r.Service, false)
	latencyRows(&b, "on the wire", "sent", r.Wire, false)
	row(&b, "errors", "%s", errorWords(r.Errors))
	openRows(&b, r)
	phaseRows(&b, r)
	checkRows(&b, r)
	if r.CPU > 0 && r.Requests > 0 {
		row(&b, "generator", "%s of CPU per request, %.0f %% of a CPU", short(r.CPU/time.Duration(r.Requests)), 100*r.CPU.Seconds()/seconds)
		if busy := r.CPU.Seconds() / seconds / float64(s.Threads); busy > 0.9 && r.Loop == load.LoopClosed {
			row(&b, "", "it was busy all the time: the throughput is a lower bound; more with -t %d, where CPUs are free", s.Threads+1)
		}
	}
	for _, m := range r.Missing {
		row(&b, "missing", "%s: %s", m.Figure, m.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shape says in words what load it was.
func shape(s load.Spec, r load.Result) string {
	what := "closed loop, " + plural(uint64(s.Connections), "connection")
	if s.Rate > 0 {
		what = fmt.Sprintf("open loop, %s requests/s (%s), %s", grouped(uint64(s.Rate+0.5)), s.Arrival, plural(uint64(s.Connections), "connection"))
	}
	if s.Depth > 1 {
		what += fmt.Sprintf(", %d requests in flight on each", s.Depth)
	}
	if s.NewConn {
		what += ", a new one per request"
	}
	if s.Idle > 0 {
		what += fmt.Sprintf(", %s idle (%s left at the end)", grouped(uint64(s.Idle)), grouped(uint64(r.IdleOpen)))
	}
	return what + ", by " + r.Generator
}

// openRows prints what only an open loop has, and what stayed without an answer.
func openRows(b *strings.Builder, r load.Result) {
	if r.Late > 0 {
		fault := "the generator's own doing"
		switch {
		case r.LateOwn == 0:
			fault = "waiting for the server"
		case r.LateOwn < r.Late:
			fault = grouped(r.LateOwn) + " of them by the generator's own doing"
		}
		if r.Generator == "corelab" {
			fault = "; " + fault
		} else {
			fault = ""
		}
		row(b, "late", "%s sent more than 1 ms after they were due, %s at worst%s", plural(r.Late, "request"), short(r.LateMax), fault)
	}
	if r.Unsent > 0 {
		row(b, "unsent", "%s due and never sent: no connection was free", plural(r.Unsent, "request"))
	}
	if r.Starved > 0 {
		row(b, "starved", "%s never answered", plural(uint64(r.Starved), "connection"))
	}
}

// phaseRows prints what became of the requests that were due in each phase.
func phaseRows(b *strings.Builder, r load.Result) {
	for _, p := range r.Phases {
		took := "no answer"
		if p.Latency != nil {
			took = fmt.Sprintf("p50 %s   p99 %s   max %s", short(p.Latency.P50), short(p.Latency.P99), short(p.Latency.Max))
		}
		row(b, "phase", "%s: %s/s for %v: %s due, %s answered in time, %s errors, %s unsent", p.Name, grouped(uint64(p.Rate+0.5)), p.Elapsed.Round(time.Millisecond),
			grouped(p.Due), grouped(p.Answered), grouped(p.Errors.Total()), grouped(p.Unsent))
		if s := p.Elapsed.Seconds(); s > 0 {
			row(b, "", "%s   goodput %s/s", took, grouped(uint64(float64(p.Served)/s+0.5)))
		}
	}
}

// checkRows says what the answers were held against.
func checkRows(b *strings.Builder, r load.Result) {
	if r.CheckEvery == 0 {
		return
	}
	each := "each body"
	if r.CheckEvery > 1 {
		each = fmt.Sprintf("one body in %d", r.CheckEvery)
	}
	row(b, "checked", "%s answers, %s byte for byte (%s)", grouped(r.Requests), each, grouped(r.Checked))
	if r.Reference != "" {
		row(b, "", "against the first answer: %s", r.Reference)
	}
}

// latencyRows prints a distribution.
func latencyRows(b *strings.Builder, name, from string, l *results.Latency, whole bool) {
	if l == nil {
		return
	}
	row(b, name, "mean %s, from %s to the last byte", short(l.Mean), from)
	if h := decoded(l); whole && h != nil {
		for _, q := range []float64{0, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 100} {
			row(b, "", "%7s %%  %10s", strconv.FormatFloat(q, 'f', -1, 64), short(time.Duration(h.ValueAtQuantile(q))))
		}
		return
	}
	line := fmt.Sprintf("p50 %s   p90 %s   p99 %s", short(l.P50), short(l.P90), short(l.P99))
	if l.P999 > 0 {
		line += "   p99.9 " + short(l.P999)
	}
	row(b, "", "%s   max %s", line, short(l.Max))
}

// decoded is the whole histogram, nil where the generator has none.
func decoded(l *results.Latency) *hdrhistogram.Histogram {
	if l.HDR == "" {
		return nil
	}
	h, err := hdrhistogram.Decode([]byte(l.HDR))
	if err != nil {
		return nil
	}
	return h
}

// errorWords names the kinds of errors that there were.
func errorWords(e results.Errors) string {
	var parts []string
	for _, k := range []struct {
		n    uint64
		name string
	}{{e.Connect, "connect"}, {e.Read, "cut off"}, {e.Write, "write"}, {e.Timeout, "timed out"}, {e.Status, "wrong status"},
		{e.Length, "wrong length"}, {e.Body, "wrong bytes"}, {e.Parse, "not HTTP"}} {
		if k.n > 0 {
			parts = append(parts, grouped(k.n)+" "+k.name)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// row prints one line of the report.
func row(b *strings.Builder, name, format string, args ...any) {
	fmt.Fprintf(b, "  %-11s %s\n", name, fmt.Sprintf(format, args...))
}

// short prints a time with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// grouped prints a count with commas.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural prints a count with its noun.
func plural(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

func orUnknown(s string) string {
	if s == "" {
		return "the generator does not say which"
	}
	return s
}
