package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corelab/results"
	"corelab/runner/probe"
)

// tally counts system calls by name within the window, or by the CPU's own counters; never both, for counting calls adds
// instructions. run reads it when the generator's process has ended, and with it whoever filled it.
type tally struct {
	hardware bool
	quiet    time.Duration // of the generator around its window: what is counted is then exactly what its answers cost
	counts   map[string]float64
	over     time.Duration
	err      error
}

// counter is a probe of either kind.
type counter interface {
	Begin() error
	End() (map[string]float64, error)
	Close()
}

// callCounter is a [probe.Counter] with counts as [probe.Hardware] has them.
type callCounter struct{ *probe.Counter }

func (c callCounter) End() (map[string]float64, error) {
	counts, err := c.Counter.End()
	out := make(map[string]float64, len(counts))
	for name, n := range counts {
		out[name] = float64(n)
	}
	return out, err
}

func (c *tally) open(pids []int) (counter, error) {
	if c.hardware {
		return probe.OpenHardware(pids)
	}
	calls, err := probe.OpenCounter(pids)
	return callCounter{calls}, err
}

// watch opens the counters during the warm-up, for that takes its time, and counts between begin and end; if ctx ends
// before, until then.
func (c *tally) watch(ctx context.Context, pids []int, begin, end time.Time) {
	counter, err := c.open(pids)
	if err != nil {
		c.err = err
		return
	}
	defer counter.Close()
	if !sleepUntil(ctx, begin) {
		c.err = errors.New("the generator ended before its window")
		return
	}
	began := time.Now()
	if c.err = counter.Begin(); c.err != nil {
		return
	}
	if late := time.Since(begin); c.quiet > 0 && late > c.quiet/2 {
		c.err = fmt.Errorf("the counters were ready %v after the load had begun: a longer warm-up helps", (late - c.quiet/2).Round(time.Millisecond))
		return
	}
	if c.quiet == 0 {
		end = end.Add(-readAhead)
	}
	sleepUntil(ctx, end)
	c.counts, c.err = counter.End()
	c.over = time.Since(began)
}

func (c *tally) settle(t *results.Trial) {
	figure := "calls_per_request"
	if c.hardware {
		figure = "hardware_per_request"
	}
	if c.err != nil || c.counts == nil {
		reason := "the generator ended before its window"
		if c.err != nil {
			reason = c.err.Error()
		}
		t.Missing = append(t.Missing, results.Missing{Figure: figure, Reason: reason})
		return
	}
	requests := float64(t.Load.Requests)
	if c.quiet == 0 {
		requests *= float64(c.over) / float64(t.Load.Elapsed)
	}
	if requests == 0 {
		return
	}
	each := map[string]float64{}
	for name, n := range c.counts {
		each[name] = n / requests
	}
	if c.hardware {
		t.Counted = each
	} else {
		t.Calls = each
	}
}
