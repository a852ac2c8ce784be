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
	clocks       map[int]time.Duration // CPU time of each thread, where the kernel tells it
	affinity     map[int]bool          // of any thread
	rss, peak    uint64                // KiB
	files        int                   // -1 when they may not be counted
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
	u.clocks = make(map[int]time.Duration)
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
		if used, err := thread.Schedstat(); err == nil { // some kernels have none
			u.clocks[tid] = time.Duration(used.RunningNanoseconds)
		}
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

// open reads the processes at the beginning of a window: what moves fast last, next to it.
func (p Proc) open(pids []int) reading {
	r := reading{procs: make(map[int]*used)}
	for _, pid := range pids {
		r.procs[pid] = new(used)
	}
	r.keep(p.details)
	r.at = time.Now()
	r.keep(p.counters)
	return r
}

// close reads the processes at the end of the window that began opened: what moves fast first, and before it takes the
// time to look for processes that are new.
func (p Proc) close(began reading, pids func() []int) reading {
	r := reading{procs: make(map[int]*used)}
	for pid := range began.procs {
		r.procs[pid] = new(used)
	}
	r.at = time.Now()
	r.keep(p.counters)
	for _, pid := range pids() {
		if began.procs[pid] == nil {
			u := new(used)
			if p.counters(pid, u) == nil {
				r.procs[pid] = u
			}
		}
	}
	r.keep(p.details)
	return r
}

// keep reads something of each process, and drops those that are gone.
func (r reading) keep(read func(int, *used) error) {
	for pid, u := range r.procs {
		if read(pid, u) != nil {
			delete(r.procs, pid)
		}
	}
}
