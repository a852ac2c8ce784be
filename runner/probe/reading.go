package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
)

// reading is what a set of processes had used up to a moment.
type reading struct {
	at    time.Time
	procs map[int]*used
}

// used is what one process had used.
type used struct {
	started      uint64 // ticks after boot: with the pid, the process's identity
	cpu          time.Duration
	user, system uint64 // ticks
	minor, major uint64 // page faults, all threads, ended ones too
	threads      map[int]switches
	affinity     map[int]bool // of any thread
	rss, peak    uint64       // KiB
	files        int          // -1 when they may not be counted
}

type switches struct{ voluntary, involuntary uint64 }

// details reads what is slow to read and hardly moves while it is read.
func (p Proc) details(pid int, u *used) error {
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return fmt.Errorf("open procfs: %w", err)
	}
	proc, err := fs.Proc(pid)
	if err != nil {
		return fmt.Errorf("read process %d: %w", pid, err)
	}
	status, err := proc.NewStatus()
	if err != nil {
		return fmt.Errorf("read the status of process %d: %w", pid, err)
	}
	u.rss, u.peak = status.VmRSS>>10, status.VmHWM>>10
	if u.files, err = proc.FileDescriptorsLen(); err != nil {
		u.files = -1
	}
	u.threads = make(map[int]switches)
	u.affinity = make(map[int]bool)
	tasks, err := os.ReadDir(filepath.Join(p.dir, strconv.Itoa(pid), "task"))
	if err != nil {
		return fmt.Errorf("list the threads of process %d: %w", pid, err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		thread, err := proc.Thread(tid)
		if err != nil { // it ended since the directory was read
			continue
		}
		s, err := thread.NewStatus()
		if err != nil {
			continue
		}
		u.threads[tid] = switches{s.VoluntaryCtxtSwitches, s.NonVoluntaryCtxtSwitches}
		for _, cpu := range s.CpusAllowedList {
			u.affinity[int(cpu)] = true
		}
	}
	return nil
}

// counters reads what moves fast: the CPU clock and the ticks and faults beside it.
func (p Proc) counters(pid int, u *used) error {
	cpu, err := p.clock(pid)
	if err != nil {
		return err
	}
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return fmt.Errorf("open procfs: %w", err)
	}
	proc, err := fs.Proc(pid)
	if err != nil {
		return fmt.Errorf("read process %d: %w", pid, err)
	}
	stat, err := proc.Stat()
	if err != nil {
		return fmt.Errorf("read the stat of process %d: %w", pid, err)
	}
	u.cpu, u.started = cpu, stat.Starttime
	u.user, u.system = uint64(stat.UTime), uint64(stat.STime)
	u.minor, u.major = uint64(stat.MinFlt), uint64(stat.MajFlt)
	return nil
}

// read reads all processes that are still there. The fast counters are read next to the window: last when it opens, first
// when it closes.
func (p Proc) read(pids []int, opening bool) reading {
	r := reading{procs: make(map[int]*used)}
	steps := []func(int, *used) error{p.counters, p.details}
	if opening {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, pid := range pids {
		r.procs[pid] = new(used)
	}
	for i, step := range steps {
		if opening == (i == 1) {
			r.at = time.Now()
		}
		for pid, u := range r.procs {
			if step(pid, u) != nil {
				delete(r.procs, pid)
			}
		}
	}
	return r
}
