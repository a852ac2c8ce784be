package probe

import (
	"strings"

	"corelab/results/stacks"
)

// softirqRoot is the root frame of the kernel's threads that receive packets when there are too many.
const softirqRoot = "ksoftirqd"

// cpuConverter makes a profile of samples of CPU time, taken by the clock, or by the CPU's cycles and the clock beside them.
type cpuConverter struct {
	*served
	clock       *stackBuilder
	cycles      *stackBuilder // with the clock's idle time
	busy        int64         // ns by the clock, of all that ran there
	busyCycles  int64         // of all that ran there
	others      uint64        // samples of the clock
	otherCycles uint64
}

func newCPUConverter(s *served) *cpuConverter {
	return &cpuConverter{served: s, clock: newStackBuilder(), cycles: newStackBuilder()}
}

func (c *cpuConverter) lost() {}

func (c *cpuConverter) sample(s *scriptSample) {
	clock := strings.HasPrefix(s.event, clockEvent)
	root := c.root(s)
	switch {
	case root == stacks.IdleRoot && clock:
		c.clock.add(s.period, s.stack, root)
		c.cycles.add(s.period, s.stack, root)
	case root == stacks.IdleRoot: // its cycles are few and say nothing of its time
	case clock:
		c.busy += s.period
		if root == "" {
			c.others++
			return
		}
		c.clock.add(s.period, s.stack, root)
	default:
		c.busyCycles += s.period
		if root == "" {
			c.otherCycles++
			return
		}
		c.cycles.add(s.period, s.stack, root)
	}
}

// root is the root frame of a sample; empty where it is others'.
func (c *cpuConverter) root(s *scriptSample) string {
	if name := c.programs[s.pid]; name != "" {
		return name
	}
	switch {
	case s.pid == 0 && s.tid == 0 && idles(s.stack):
		return stacks.IdleRoot
	case strings.HasPrefix(s.comm, softirqRoot+"/"):
		return softirqRoot
	}
	return ""
}

// idles reports whether a stack is the idle task's. In a container its number says nothing: it is also that of each process
// outside.
func idles(stack []*symbol) bool {
	for _, f := range stack {
		switch f.name {
		case "cpu_startup_entry", "do_idle", "cpu_idle_loop":
			return true
		}
	}
	return false
}

// profile is what the samples became. It sets what s says of them.
func (c *cpuConverter) profile(s *Sampled) (err error) {
	b := c.clock
	if s.Others = c.others; c.busyCycles > 0 && c.busy > 0 {
		b, s.Others = c.cycles, c.otherCycles
		idle, perCycle := b.roots[stacks.IdleRoot], float64(c.busy)/float64(c.busyCycles)
		for _, sample := range b.made.Sample {
			if sample.Location[len(sample.Location)-1] != idle {
				sample.Value[1] = int64(float64(sample.Value[1]) * perCycle)
			}
		}
	} else if s.Event != clockEvent { // a CPU that shows counters and counts nothing
		s.Event, s.Rate = clockEvent, min(s.Rate, clockRate)
	}
	s.Profile, s.Samples, err = b.finish("cpu", c.program, s)
	return err
}
