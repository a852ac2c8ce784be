package target

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"corelab/runner/probe"

	"golang.org/x/sys/unix"
)

// launch starts cmd on the CPUs, in a process group of its own, and returns a channel that gets the result of its Wait.
//
// The thread that starts the process is pinned, so that the process is from its first instruction on: a runtime that
// counts its CPUs when it begins counts these. The thread belongs to this goroutine for as long as the process lives, and
// is not used again: the kernel sends the death signal when the thread that forked ends, not when the lab does.
func launch(cmd *exec.Cmd, cpus []int, batch bool) (<-chan error, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, exited := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := pin(cpus)
		if err == nil && batch {
			_, err = probe.Batch()
		}
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return exited, nil
}

// pin binds the calling thread to the CPUs; none leaves it as it is.
func pin(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin it to CPUs %v: %w; `taskset -p $$` shows the CPUs that may be used", cpus, err)
	}
	return nil
}

// statsPair makes the two ends of a socket: ours, with deadlines, and the server's.
func statsPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fds[0], true)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make the socket for figures: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "stats"), os.NewFile(uintptr(fds[1]), "stats of the server"), nil
}
