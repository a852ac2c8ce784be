package selftest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"corelab/results"
)

// first is the try's trial where it has but one.
func (t try) first() *results.Trial { return t.trials[0] }

func constant(v float64) func(try) float64 { return func(try) float64 { return v } }

// quantile asks for a time that the plant determines.
func quantile(q, truth float64, formula string) Ask {
	return Ask{Figure: name(q), Unit: results.UnitTime, Compare: results.CompareRelative, Tolerance: within, Truth: constant(truth),
		Found: func(t try) (float64, error) { return at(t.first(), q) }, Formula: formula}
}

// below asks that most answers are not delayed at all.
func below(q float64, formula string) Ask {
	a := quantile(q, float64(undelayed), formula)
	a.Compare = results.CompareBelow
	return a
}

// mean asks for what the plant adds to the mean, and what an answer takes without it.
func mean(truth float64, formula string) Ask {
	a := quantile(0, truth, formula)
	a.Truth = func(t try) float64 { return truth + median(t) }
	return a
}

// median is that of the try's own answers.
func median(t try) float64 {
	v, err := at(t.first(), 0.5)
	if err != nil || v > float64(undelayed) {
		return 0
	}
	return v
}

// name is what tables call the quantile; 0 stands for the mean.
func name(q float64) string {
	if q == 0 {
		return "mean"
	}
	return fmt.Sprintf("p%g", math.Round(q*1e5)/1e3)
}

// at is a quantile of the trial's latency, the mean for 0. The ones that tables show come from the same fields as theirs.
func at(t *results.Trial, q float64) (float64, error) {
	if t.Load == nil || t.Load.Latency == nil {
		return 0, errors.New("no latency was reported")
	}
	l := t.Load.Latency
	var d time.Duration
	switch q {
	case 0:
		d = l.Mean
	case 0.5:
		d = l.P50
	case 0.9:
		d = l.P90
	case 0.99:
		d = l.P99
	case 0.999:
		d = l.P999
	default:
		h, err := histogram(l)
		if err != nil {
			return 0, err
		}
		d = time.Duration(h.ValueAtQuantile(100 * q))
	}
	if d == 0 {
		return 0, fmt.Errorf("%s reports no %s", t.Load.Generator, name(q))
	}
	return float64(d), nil
}

func histogram(l *results.Latency) (*hdrhistogram.Histogram, error) {
	if l.HDR == "" {
		return nil, errors.New("no histogram was reported")
	}
	h, err := hdrhistogram.Decode([]byte(l.HDR))
	if err != nil {
		return nil, fmt.Errorf("read the histogram: %w", err)
	}
	return h, nil
}

// slow asks how many answers took longer than so much, of which each every-th was planted.
func slow(than time.Duration, every int) Ask {
	return Ask{
		Figure: "slow answers", Unit: results.UnitCount, Compare: results.CompareRelative, Tolerance: within, Own: true,
		Truth: func(t try) float64 { return faults(t.first().Load.Latency.Count, every) },
		Found: func(t try) (float64, error) {
			h, err := histogram(t.first().Load.Latency)
			if err != nil {
				return 0, err
			}
			n := int64(0)
			for _, b := range h.Distribution() {
				if b.From >= int64(than) {
					n += b.Count
				}
			}
			return float64(n), nil
		},
		Formula: "f · n of the n answers; " + byDefinition,
	}
}

func throughput(truth float64, formula string) Ask {
	return Ask{Figure: "throughput", Unit: results.UnitRate, Compare: results.CompareRelative, Tolerance: within, Truth: constant(truth),
		Found: func(t try) (float64, error) { return figure(results.Throughput, t.first()) }, Formula: formula}
}

// figure is one of the lab's own.
func figure(f results.Figure, t *results.Trial) (float64, error) {
	v, ok := f.Of(t)
	if !ok {
		return 0, errors.New(f.Lack(t))
	}
	return v, nil
}

// queued asks for the latency of Poisson arrivals at the serial server, the very ones that were sent.
func queued(q float64) Ask {
	a := quantile(q, 0, byLindley)
	a.Truth = func(t try) float64 {
		l := t.first()
		all := lindley(t.seed+uint64(l.Position), poissonRate, poissonFor, poissonWarmUp, poissonWindow)
		if q == 0 {
			return average(all)
		}
		return ranked(all, q)
	}
	return a
}

// overloaded asks for the latency of a server that falls behind, over what was answered.
func overloaded(q float64) Ask {
	a := quantile(q, 0, "q · n(s − 1 ÷ λ) + s over the n that were answered; "+byFluid)
	a.Truth = func(t try) float64 {
		n := float64(overRate) * overWindow.Seconds()
		if l := t.first().Load; l.Generator == ownName && l.Latency != nil {
			n = float64(l.Latency.Count)
		}
		return overloadQuantile(q, overRate, overFor, n)
	}
	return a
}

func unsent(truth float64, formula string) Ask {
	return Ask{Figure: "never sent", Unit: results.UnitCount, Compare: results.CompareRelative, Tolerance: within, Truth: constant(truth), Own: true,
		Found: func(t try) (float64, error) { return float64(t.first().Load.Unsent), nil }, Formula: formula}
}

func starved(n int) Ask {
	return Ask{Figure: "connections starved", Unit: results.UnitCount, Compare: results.CompareAbsolute, Truth: constant(float64(n)),
		Found: func(t try) (float64, error) {
			l := t.first().Load
			if l.Generator != ownName {
				return float64(l.Errors.Timeout), nil // none of the others counts connections, but a time-out tells as much
			}
			return float64(l.Starved), nil
		}, Formula: "exactly those; " + byDefinition}
}

// counted asks for the wrong answers of one kind. Other generators may count them as any kind.
func counted(kind string, of func(results.Errors) uint64) Ask {
	return Ask{
		Figure: "errors of kind " + lower(kind), Unit: results.UnitCount, Compare: results.CompareAbsolute,
		Truth: func(t try) float64 { return faults(sent(t.first().Load), faultEvery) },
		Found: func(t try) (float64, error) {
			l := t.first().Load
			if l.Generator != ownName {
				return float64(l.Errors.Total()), nil
			}
			return float64(of(l.Errors)), nil
		},
		Formula: "⌊requests ÷ 19⌋, exactly; " + byDefinition,
	}
}

func lower(kind string) string { return string(kind[0]|0x20) + kind[1:] }

// sent is how many requests a generator got an answer to, or an error.
func sent(l *results.Load) uint64 {
	n := l.Requests + l.Errors.Read + l.Errors.Write + l.Errors.Timeout
	if l.Generator == ownName && l.Loop == results.LoopOpen {
		// All that were due in the window: what the last of them got is counted when the window is over.
		n = uint64(math.Round(l.Rate*l.Elapsed.Seconds())) - l.Unsent
	}
	return n
}

// otherErrors asks that there are none but the planted.
func otherErrors(of func(results.Errors) uint64) Ask {
	return Ask{Figure: "other errors", Unit: results.UnitCount, Compare: results.CompareAbsolute, Truth: constant(0), Own: true,
		Found: func(t try) (float64, error) {
			e := t.first().Load.Errors
			return float64(e.Total() - of(e)), nil
		}, Formula: "none was planted"}
}

// verdict asks what the lab says of the cell as a whole.
func verdict(want results.Kind) Ask {
	return Ask{Figure: "verdict", Unit: results.UnitWord, Compare: results.CompareWord, Word: string(want), Own: true,
		Said: func(t try) (string, error) {
			// As a report of a record that holds nothing else.
			for _, c := range results.Cells(&results.Record{Trials: []results.Trial{*t.first()}}) {
				if v, ok := c.Verdict(); ok {
					return string(v.Kind), nil
				}
			}
			return "", errors.New("no verdict was given")
		}, Formula: "what the lab says of such a cell, by its documented rules"}
}

// difference asks what the planted server's requests cost more than its twin's.
func difference(figure, unit, compare string, tolerance, truth float64, of func(*results.Trial) (float64, error), formula string) Ask {
	return Ask{Figure: figure, Unit: unit, Compare: compare, Tolerance: tolerance, Truth: constant(truth), Formula: formula + ", against the same server without it",
		Found: func(t try) (float64, error) {
			var sum [2]float64
			var n [2]int
			for _, trial := range t.trials {
				side := 0
				if trial.Target == twin {
					side = 1
				}
				v, err := of(trial)
				if err != nil {
					return 0, err
				}
				sum[side] += v
				n[side]++
			}
			return sum[0]/float64(n[0]) - sum[1]/float64(n[1]), nil
		}}
}

func serverCPU(t *results.Trial) (float64, error) { return figure(results.ServerCPU, t) }

// calls is how often a request makes the system call.
func calls(name string) func(*results.Trial) (float64, error) {
	return func(t *results.Trial) (float64, error) {
		if t.Calls == nil {
			for _, m := range t.Missing {
				if m.Figure == "calls_per_request" {
					return 0, lackingError(m.Reason)
				}
			}
			return 0, errors.New("no system calls were counted")
		}
		return t.Calls[name], nil
	}
}

// lackingError is the reason why a figure can't be had on this machine.
type lackingError string

func (e lackingError) Error() string { return string(e) }

func voluntary(t *results.Trial) (float64, error) {
	if _, err := figure(results.Switches, t); err != nil {
		return 0, err
	}
	return float64(t.Server.Voluntary) / float64(t.Load.Requests), nil
}

// grown asks for the growth of the memory, against a server that was loaded alike and kept nothing.
func grown(each int) Ask {
	// What the server holds is read a little before the window ends.
	const unread = 15 * ms
	return Ask{Figure: "memory grown", Unit: results.UnitBytes, Compare: results.CompareRelative, Tolerance: within, Formula: "requests × 16 KiB, against the same server without it; " + byDefinition,
		Truth: func(t try) float64 {
			l := t.trials[1].Load
			return float64(l.Requests) * float64(l.Elapsed-unread) / float64(l.Elapsed) * float64(each)
		},
		Found: func(t try) (float64, error) {
			without, err := figure(results.Memory, t.trials[0])
			if err != nil {
				return 0, err
			}
			with, err := figure(results.Memory, t.trials[1])
			return with - without, err
		}}
}

// drifted asks for the slope between two windows that begin so far apart after the server's start.
func drifted(each, apart time.Duration) Ask {
	return Ask{Figure: "CPU per request grows", Unit: results.UnitGrow, Compare: results.CompareRelative, Tolerance: withinCPU, Truth: constant(float64(each)),
		Formula: "(CPU per request of the late window − of the early one) ÷ the time between them; " + byDefinition,
		Found: func(t try) (float64, error) {
			early, err := serverCPU(t.trials[0])
			if err != nil {
				return 0, err
			}
			late, err := serverCPU(t.trials[1])
			return (late - early) / apart.Seconds(), err
		}}
}

// average is the mean of the values.
func average(values []float64) (m float64) {
	for _, v := range values {
		m += v
	}
	return m / float64(max(len(values), 1))
}
