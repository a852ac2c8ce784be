package probe

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Proc is a procfs and the CPU clocks of its processes: [System], or a copy of its files in a test.
type Proc struct {
	dir   string
	clock func(pid int) (time.Duration, error)
}

// System is this machine's.
var System = Proc{dir: procfs.DefaultMountPoint, clock: cpuClock}

// cpuClock reads the CPU clock of a process: all its threads, ended ones too, to the nanosecond. The clock's number is
// made of the pid as clock_getcpuclockid(3) does it; 2 asks for the scheduler's exact sum, not for ticks.
func cpuClock(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Tree returns root and all its living descendants, ascending; zombies are left out. It is empty when root is gone: what
// it left behind has another parent.
func Tree(root int) []int { return System.Tree(root) }

// Tree returns root and all its living descendants in p, ascending.
func (p Proc) Tree(root int) []int {
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return nil
	}
	procs, err := fs.AllProcs()
	if err != nil {
		return nil
	}
	children := make(map[int][]int)
	alive := make(map[int]bool)
	for _, proc := range procs {
		stat, err := proc.Stat()
		if err != nil { // it ended since the directory was read
			continue
		}
		children[stat.PPID] = append(children[stat.PPID], stat.PID)
		alive[stat.PID] = stat.State != "Z" && stat.State != "X"
	}
	var tree []int
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		if alive[queue[0]] {
			tree = append(tree, queue[0])
		}
		queue = append(queue, children[queue[0]]...)
	}
	slices.Sort(tree)
	return tree
}
