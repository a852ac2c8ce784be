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
	proc      Proc
	ksoftirqd []int // pids of the kernel's threads, found at the first Begin
	began     machineReading
}

// machineReading is the CPU time of the whole machine since boot.
type machineReading struct {
	steal, idle, softirq, busy time.Duration
	ksoftirqd                  time.Duration
	at                         time.Time
	cpus                       int
}

// OpenMachine returns a probe on the whole machine.
func OpenMachine() *Machine { return &Machine{proc: System} }

// Begin opens the window.
func (m *Machine) Begin() (err error) {
	if m.ksoftirqd == nil {
		if m.ksoftirqd, err = m.proc.named("ksoftirqd/"); err != nil {
			return err
		}
	}
	m.began, err = m.proc.machine(m.ksoftirqd)
	return err
}

// End closes the window that Begin opened. ours is the CPU time of server and generator in the same window. What was busy
// beyond it is Others; as the kernel samples the busy time in ticks, and ours is exact, a negative rest is taken for none.
func (m *Machine) End(ours time.Duration) (results.Machine, []results.Missing) {
	now, err := m.proc.machine(m.ksoftirqd)
	if err != nil {
		return results.Machine{}, []results.Missing{{Figure: "machine", Reason: err.Error()}}
	}
	// The kernel now and then books half a second of busy ticks more than there was time: what was not idle bounds them.
	idle := max(0, now.idle-m.began.idle) // the kernel's idle time may step back by a tick
	busy := min(now.busy-m.began.busy, time.Duration(now.cpus)*now.at.Sub(m.began.at)-idle)
	d := results.Machine{
		Steal:   now.steal - m.began.steal,
		Idle:    idle,
		SoftIRQ: now.softirq - m.began.softirq,
		Others:  max(0, busy-ours),
	}
	if len(m.ksoftirqd) == 0 {
		return d, []results.Missing{{Figure: "ksoftirqd_ns", Reason: "no ksoftirqd thread is visible here"}}
	}
	d.KSoftIRQd = now.ksoftirqd - m.began.ksoftirqd
	return d, nil
}

func (p Proc) machine(ksoftirqd []int) (machineReading, error) {
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
	r.at, r.cpus = time.Now(), len(stat.CPU)
	r.steal, r.softirq = seconds(c.Steal), seconds(c.SoftIRQ)
	r.idle = seconds(c.Idle + c.Iowait)
	r.busy = seconds(c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ) // guest time is in User already
	for _, pid := range ksoftirqd {
		cpu, err := p.clock(pid)
		if err != nil {
			return r, err
		}
		r.ksoftirqd += cpu
	}
	return r, nil
}

// named returns the processes whose command begins so.
func (p Proc) named(prefix string) ([]int, error) {
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return nil, fmt.Errorf("open procfs: %w", err)
	}
	procs, err := fs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, proc := range procs {
		if comm, err := proc.Comm(); err == nil && strings.HasPrefix(comm, prefix) {
			pids = append(pids, proc.PID)
		}
	}
	return pids, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
