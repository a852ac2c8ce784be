package siege

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// Lay lays the siege s from this process and thread, and returns what came of it when it is over or ctx has ended. cut, which
// may be nil, is called once, when each of the foes that came first was cut.
func Lay(ctx context.Context, s Spec, cut func()) (results.Attack, error) {
	if err := s.Check(); err != nil {
		return results.Attack{}, err
	}
	if err := s.enoughFiles(); err != nil {
		return results.Attack{}, err
	}
	if s.Meek {
		runtime.LockOSThread() // and never unlocked: a thread that was told to be idle serves nobody else
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
		if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
			return results.Attack{}, fmt.Errorf("take only what is left of the CPU: %w", err)
		}
		defer debug.SetGCPercent(debug.SetGCPercent(400))
	}
	l, err := newLoop(s, cut)
	if err != nil {
		return results.Attack{}, err
	}
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	err = l.run(ctx)
	l.close()
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	a := l.tally.attack(l)
	a.CPU = time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
	return a, err
}
