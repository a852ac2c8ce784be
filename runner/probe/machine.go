package probe

import (
	"fmt"
	"strings"
	"time"

	"corelab/results"

	"github.com/prometheus/procfs"
)

// Machine measures what all CPUs did over a window. It is used by one goroutine at a time.
type Machine struct {
	proc  Proc
	began machineReading
}

// machineReading is the CPU time of the whole machine since boot.
type machineReading struct {
	steal, idle, softirq, busy time.Duration
	ksoftirqd                  time.Duration
	threads                    int // of ksoftirqd
}

// OpenMachine returns a probe on the whole machine.
func OpenMachine() *Machine { return &Machine{proc: System} }

// Begin opens the window.
func (m *Machine) Begin() (err error) {
	m.began, err = m.proc.machine()
	return err
}

// End closes the window that Begin opened. ours is the CPU time of server and generator in the same window. What was busy
// beyond it is Others; as the kernel samples the busy time in ticks, and ours is exact, a negative rest is taken for none.
func (m *Machine) End(ours time.Duration) (results.Machine, []results.Missing) {
	now, err := m.proc.machine()
	if err != nil {
		return results.Machine{}, []results.Missing{{Figure: "machine", Reason: err.Error()}}
	}
	d := results.Machine{
		Steal:   now.steal - m.began.steal,
		Idle:    max(0, now.idle-m.began.idle), // the kernel's idle time may step back by a tick
		SoftIRQ: now.softirq - m.began.softirq,
		Others:  max(0, now.busy-m.began.busy-ours),
	}
	if now.threads == 0 {
		return d, []results.Missing{{Figure: "ksoftirqd_ns", Reason: "no ksoftirqd thread is visible here"}}
	}
	d.KSoftIRQd = now.ksoftirqd - m.began.ksoftirqd
	return d, nil
}

func (p Proc) machine() (machineReading, error) {
	var r machineReading
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return r, fmt.Errorf("open procfs: %w", err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return r, fmt.Errorf("read the machine's CPU time: %w", err)
	}
	c := stat.CPUTotal
	r.steal, r.softirq = seconds(c.Steal), seconds(c.SoftIRQ)
	r.idle = seconds(c.Idle + c.Iowait)
	r.busy = seconds(c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ) // guest time is in User already
	procs, err := fs.AllProcs()
	if err != nil {
		return r, fmt.Errorf("list processes: %w", err)
	}
	for _, proc := range procs {
		comm, err := proc.Comm()
		if err != nil || !strings.HasPrefix(comm, "ksoftirqd/") {
			continue
		}
		if cpu, err := p.clock(proc.PID); err == nil {
			r.ksoftirqd += cpu
			r.threads++
		}
	}
	return r, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
