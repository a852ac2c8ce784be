package probe

import (
	"time"

	"github.com/prometheus/procfs"
)

// stranger is what one process has used, that belongs on no seat.
type stranger struct {
	started  uint64        // ticks after boot: with the pid, its identity
	cpu      time.Duration // its own
	children time.Duration // of those that ended and were waited for, with theirs
}

// clockTick is the unit of what procfs says of children. It is the same on all of Linux.
const clockTick = 10 * time.Millisecond

// strangers reads every process of the machine but those at home. It is nil where processes cannot be listed.
func (p Proc) strangers(home map[int]bool) map[int]stranger {
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return nil
	}
	procs, err := fs.AllProcs()
	if err != nil {
		return nil
	}
	all := make(map[int]stranger)
	for _, proc := range procs {
		if home[proc.PID] {
			continue
		}
		stat, err := proc.Stat()
		if err != nil { // it ended since the directory was read
			continue
		}
		if cpu, err := p.clock(proc.PID); err == nil {
			all[proc.PID] = stranger{stat.Starttime, cpu, time.Duration(stat.CUTime+stat.CSTime) * clockTick}
		}
	}
	return all
}

// usedBy is the CPU time of all strangers between two readings, wherever they ran. One that ended in between counts with all
// that it ever used, when its parent has waited for it; so this is what they had at the most.
func usedBy(before, now map[int]stranger) (sum time.Duration) {
	for pid, s := range now {
		was := before[pid]
		if was.started != s.started {
			was = stranger{}
		}
		sum += s.cpu - was.cpu + s.children - was.children
	}
	return sum
}
