package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// origin is where monotonic nanoseconds are counted from.
var origin = time.Now()

// now is monotonic, in nanoseconds.
func now() int64 { return int64(time.Since(origin)) }

// cpuClock reads the CPU time that a process and all its threads, ended ones too, have used. The kernel lets anybody read
// it: its clock id is made of the process id, clock_getcpuclockid(3).
func cpuClock(pid int) (time.Duration, error) {
	return readClock(int32(^pid<<3 | 2))
}

// ownCPU reads the CPU time of this process.
func ownCPU() time.Duration {
	d, err := readClock(unix.CLOCK_PROCESS_CPUTIME_ID)
	if err != nil {
		panic("load: the own CPU clock cannot be read: " + err.Error())
	}
	return d
}

func readClock(id int32) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// instant is one moment on several clocks.
type instant struct {
	wall   time.Time
	own    time.Duration
	others []time.Duration // -1 where a clock could not be read
}

// readInstant reads them as close together as it can. It uses the room in others, so that it makes no garbage.
func readInstant(pids []int, others []time.Duration) instant {
	for i, pid := range pids {
		d, err := cpuClock(pid)
		if err != nil {
			d = -1
		}
		others[i] = d
	}
	return instant{wall: time.Now(), own: ownCPU(), others: others}
}

// since is the CPU time of the others between two instants, -1 where one of them could not be read.
func (a instant) since(b instant) []time.Duration {
	var d []time.Duration
	for i := range a.others {
		if a.others[i] < 0 || b.others[i] < 0 {
			d = append(d, -1)
			continue
		}
		d = append(d, a.others[i]-b.others[i])
	}
	return d
}
