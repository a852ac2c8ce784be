package probe

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestBatch starts a process under the policy, and has the thread as it was afterwards.
func TestBatch(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	restore, err := Batch()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	child, err := unix.SchedGetAttr(cmd.Process.Pid, 0)
	if err != nil || child.Policy != unix.SCHED_BATCH || child.Nice > before.Nice {
		t.Errorf("the process has %+v, %v", child, err)
	}
	if after, err := unix.SchedGetAttr(0, 0); err != nil || *after != *before {
		t.Errorf("the thread has %+v, had %+v, %v", after, before, err)
	}
}

// TestCPU holds the idle time of all CPUs to the time that there was.
func TestCPU(t *testing.T) {
	cpus, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	c := OpenCPU(cpus)
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for time.Since(began) < 50*time.Millisecond {
		os.Getpid() // busy: this CPU is not idle
	}
	m, err := c.End()
	const tick = 10 * time.Millisecond
	most := time.Duration(len(cpus)) * (time.Since(began) + 2*tick)
	if err != nil || m.Idle < 0 || m.Steal < 0 || m.Idle+m.Steal > most {
		t.Errorf("%+v of at most %v, %v", m, most, err)
	}
	if err := OpenCPU([]int{1 << 20}).Begin(); err == nil {
		t.Error("a CPU that is not there was read")
	}
}
