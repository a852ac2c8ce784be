package servers

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestConfine(t *testing.T) {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, runtime.NumCPU(), runtime.NumCPU() + 1} {
		got := make(chan int)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends here
			if err := confine(n); err != nil {
				t.Error(err)
			}
			var now unix.CPUSet
			if err := unix.SchedGetaffinity(0, &now); err != nil {
				t.Error(err)
			}
			got <- now.Count()
		}()
		if cpus, want := <-got, min(n, before.Count()); cpus != want {
			t.Errorf("confined to %d CPUs, a thread may use %d", n, cpus)
		}
	}
}
