package servers

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// confine keeps the calling thread, which the caller has locked, to the first n of the CPUs that the process may use: for
// cores with more Ps than workers, where GOMAXPROCS bounds nothing. The thread must not be unlocked afterwards: it ends with
// its goroutine, and no other one inherits its bounds.
func confine(n int) error {
	if n >= runtime.NumCPU() {
		return nil
	}
	var may, take unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return fmt.Errorf("sched_getaffinity of a thread: %w", err)
	}
	for cpu := 0; take.Count() < n && cpu < 64*len(may); cpu++ {
		if may.IsSet(cpu) {
			take.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &take); err != nil {
		return fmt.Errorf("sched_setaffinity of a thread to %d CPUs: %w", n, err)
	}
	return nil
}
