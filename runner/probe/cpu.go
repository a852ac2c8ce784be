package probe

import (
	"fmt"
	"time"

	"corelab/results"

	"github.com/prometheus/procfs"
)

// CPU measures what some CPUs did over a window: how much was idle, and what the hypervisor took. The kernel shows both in
// ticks of 10 ms. It is used by one goroutine at a time.
type CPU struct {
	proc  Proc
	cpus  []int
	began cpuReading
}

type cpuReading struct{ steal, idle time.Duration }

// OpenCPU returns a probe on the CPUs.
func OpenCPU(cpus []int) *CPU { return &CPU{proc: System, cpus: cpus} }

// Begin opens the window.
func (c *CPU) Begin() (err error) {
	c.began, err = c.read()
	return err
}

// End closes the window that Begin opened: Steal and Idle of these CPUs alone.
func (c *CPU) End() (results.Machine, error) {
	now, err := c.read()
	if err != nil {
		return results.Machine{}, err
	}
	// The kernel's idle time may step back by a tick.
	return results.Machine{Steal: max(0, now.steal-c.began.steal), Idle: max(0, now.idle-c.began.idle)}, nil
}

func (c *CPU) read() (r cpuReading, err error) {
	fs, err := procfs.NewFS(c.proc.dir)
	if err != nil {
		return r, fmt.Errorf("open procfs: %w", err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return r, fmt.Errorf("read the CPUs' time: %w", err)
	}
	for _, cpu := range c.cpus {
		s, there := stat.CPU[int64(cpu)]
		if !there {
			return r, fmt.Errorf("read the CPUs' time: CPU %d is not listed", cpu)
		}
		r.steal += seconds(s.Steal)
		r.idle += seconds(s.Idle + s.Iowait)
	}
	return r, nil
}
