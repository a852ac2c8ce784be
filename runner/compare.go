package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"corelab/results"
)

// How a comparison's time is cut. A block's processes are its own: what differs from one start of a program to the next is
// then between the blocks, where the interval sees it. The windows of a block are short and close together, so that the
// machine hardly changes its speed between one of A and the next of B.
const (
	// CompareWindows are those of each side in a block: two quadruples, each ABBA or BAAB.
	CompareWindows = 4
	// CompareWindow is long against the tick of 10 ms in which the kernel counts what others took, and short against the
	// seconds in which a shared machine changes its speed.
	CompareWindow = 125 * time.Millisecond
	// CompareWarmUp is what each window needs to connect and to come into its stride.
	CompareWarmUp = 20 * time.Millisecond
	// CompareFirst is the load of each server before the first window of a block: pages are touched, heaps grow.
	CompareFirst = 100 * time.Millisecond
)

// What is kept of the time. A block that is still under way compareCut before the end is killed, and counts for nothing; it
// takes the rest to be rid of its processes. So that this is rare, a block is begun only where one as long as most ends
// compareSlack earlier.
const (
	compareCut   = 500 * time.Millisecond
	compareSlack = 200 * time.Millisecond
)

// Comparison holds two targets of a [Bay], which it names, against each other in one case.
type Comparison struct {
	Bay      *Bay
	A, B     string // rows of Bay.Targets
	Scenario *Scenario
	Case     Case
	Asked    results.Compare
	Run      results.Run // as it was recorded
	Record   Record
	Progress *Progress
	Began    time.Time // from when Asked.Max counts
	Now      func() time.Time

	rng      *rand.Rand
	rec      results.Record // what was recorded so far
	position int
	took     []time.Duration // by the blocks so far
	half     string          // what the progress says of the width
}

// Measure runs blocks until the intervals are narrow enough, the time is up, ctx ends, or a side fails, and closes the
// record. It looks at the width of the intervals only, never at where they lie. What goes wrong with a side stands in the
// record; an error is about the record.
func (c *Comparison) Measure(ctx context.Context) (results.End, error) {
	c.rng = rand.New(rand.NewPCG(c.Run.Seed, 0x636f6d70617265))
	c.rec = results.Record{Run: c.Run}
	c.rec.End = &results.End{} // so that it counts as ended: interrupted is said below
	own, cancel := context.WithDeadline(ctx, c.Began.Add(c.Asked.Max-compareCut))
	defer cancel()
	var writeErr error
	for n := 1; own.Err() == nil && writeErr == nil && c.fits(); n++ {
		c.show(n)
		began := c.Now()
		trials, failed := c.block(own, n)
		if own.Err() != nil {
			break // cut short: it is no block
		}
		c.took = append(c.took, c.Now().Sub(began))
		writeErr = c.keep(trials)
		if failed || writeErr != nil || c.precise() {
			break
		}
	}
	c.Progress.end()
	end := results.End{Ended: c.Now(), Elapsed: c.Now().Sub(c.Began), Trials: len(c.rec.Trials), Interrupted: ctx.Err() != nil}
	return end, errors.Join(writeErr, c.Record.End(end))
}

// fits reports whether one more block ends within the time, if it takes as long as the median of those so far.
func (c *Comparison) fits() bool {
	var block time.Duration
	if n := len(c.took); n > 0 {
		block = slices.Sorted(slices.Values(c.took))[n/2]
	}
	return c.Now().Sub(c.Began)+block+compareSlack+compareCut <= c.Asked.Max
}

// keep records a block. A window is short, so the record is written between the blocks and not while one is measured.
func (c *Comparison) keep(trials []results.Trial) error {
	for _, t := range trials {
		if err := c.Record.Append(t); err != nil {
			return err
		}
		c.rec.Trials = append(c.rec.Trials, t)
	}
	return nil
}

// precise looks at the width.
func (c *Comparison) precise() bool {
	found, err := results.Compared(&c.rec)
	if err != nil {
		return false
	}
	if half, ok := found.Half(); ok {
		c.half = fmt.Sprintf(", known to ±%.1f %%", 100*half)
	}
	return found.Precise()
}

func (c *Comparison) show(n int) {
	now := c.Now()
	if c.Progress.Out == nil || !c.Progress.Terminal {
		return
	}
	c.Progress.line(fmt.Sprintf("block %d%s  %s of at most %s", n, c.half, clock(now.Sub(c.Began)), clock(c.Asked.Max)))
}

// order is that of a block's windows: false is A, true is B.
func (c *Comparison) order() (order []bool) {
	for len(order) < 2*c.Asked.Windows {
		first := c.rng.IntN(2) == 1
		order = append(order, first, !first, !first, first)
	}
	return order
}
