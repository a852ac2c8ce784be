package probe

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"corelab/results"
)

// MinTicks is the least number of the kernel's ticks from which a user/system split is shown: below it the sampling error
// of a half is more than ten points in a hundred.
const MinTicks = 20

// Process measures a tree of processes over a window. It is used by one goroutine at a time.
type Process struct {
	proc  Proc
	pids  func() []int
	began reading
}

// Open returns a probe on the processes that pids lists; it is called at Begin and at End. For one tree, let it return
// Tree(root).
func Open(pids func() []int) *Process { return &Process{proc: System, pids: pids} }

// Begin opens the window. It fails when there is no process to measure.
func (p *Process) Begin() error {
	p.began = p.proc.open(p.pids())
	if len(p.began.procs) == 0 {
		return errors.New("measure the server: no process is left of it")
	}
	return nil
}

// End closes the window that Begin opened.
//
// CPU is exact, over exactly Elapsed. User and System are the same time, split as the kernel sampled it; both are absent below MinTicks.
// PeakRSSKiB adds the processes' own peaks, and RSSKiB counts a page once for each process that maps it. A process or
// thread born in the window counts from its birth; what one that ended in it had used is not included and stands in the
// Missing.
func (p *Process) End() (results.Usage, []results.Missing) {
	ended := p.proc.close(p.began, p.pids)
	d := difference{usage: results.Usage{Elapsed: ended.at.Sub(p.began.at)}, affinity: make(map[int]bool)}
	for pid, now := range ended.procs {
		before := p.began.procs[pid]
		if before == nil || before.started != now.started {
			before = new(used)
		}
		d.add(before, now)
	}
	for pid, before := range p.began.procs {
		if now := ended.procs[pid]; now == nil || now.started != before.started {
			d.gone++
		}
	}
	return d.close()
}

// difference adds up processes over one window.
type difference struct {
	usage        results.Usage
	user, system uint64
	affinity     map[int]bool
	gone         int // processes that ended in the window
	goneThreads  int
	unreadable   int // processes whose files may not be counted
}

func (d *difference) add(before, now *used) {
	u := &d.usage
	u.CPU += now.cpu - before.cpu
	d.user += now.user - before.user
	d.system += now.system - before.system
	u.MinorFaults += now.minor - before.minor
	u.MajorFaults += now.major - before.major
	u.RSSKiB += now.rss
	u.PeakRSSKiB += now.peak
	u.Threads += len(now.threads)
	if now.files < 0 {
		d.unreadable++
	} else {
		u.Files += now.files
	}
	for tid, s := range now.threads {
		was := before.threads[tid]
		if s.voluntary < was.voluntary { // another thread with the number of one that ended
			was = switches{}
			d.goneThreads++
		}
		u.Voluntary += s.voluntary - was.voluntary
		u.Involuntary += s.involuntary - was.involuntary
	}
	for tid, cpu := range now.clocks {
		if was := before.clocks[tid]; cpu >= was { // else another thread with the number of one that ended
			u.Busiest = max(u.Busiest, cpu-was)
		}
	}
	for tid := range before.threads {
		if _, there := now.threads[tid]; !there {
			d.goneThreads++
		}
	}
	for cpu := range now.affinity {
		d.affinity[cpu] = true
	}
}

func (d *difference) close() (results.Usage, []results.Missing) {
	var missing []results.Missing
	miss := func(figure, format string, args ...any) {
		missing = append(missing, results.Missing{Figure: figure, Reason: fmt.Sprintf(format, args...)})
	}
	u := &d.usage
	if ticks := d.user + d.system; ticks < MinTicks {
		miss("user_ns, system_ns", "%d ticks in the window are too few for a split, it takes %d", ticks, MinTicks)
	} else {
		u.User = time.Duration(float64(u.CPU) * float64(d.user) / float64(ticks))
		u.System = u.CPU - u.User
	}
	if d.gone > 0 {
		miss("cpu_ns", "%d processes ended in the window, what they had used is not included", d.gone)
	}
	if d.goneThreads > 0 {
		miss("voluntary_switches, involuntary_switches", "%d threads ended in the window, their switches are not included", d.goneThreads)
	}
	if d.unreadable > 0 {
		u.Files = 0
		miss("files", "the files of %d processes may not be listed; run as root or as their user", d.unreadable)
	}
	var cpus []int
	for cpu := range d.affinity {
		cpus = append(cpus, cpu)
	}
	slices.Sort(cpus)
	u.Affinity = CPUList(cpus)
	return *u, missing
}
