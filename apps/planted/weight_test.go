package planted

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"corelab/apps/spin"
)

// TestSwitches counts the voluntary context switches of the thread that carries them: never less than planted, and no more
// where Go's scheduler, whose switches are counted too, leaves the thread alone.
func TestSwitches(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const requests, each, attempts = 50, 3, 20
	w := weight{switches: each}
	var got int64
	for range attempts {
		before := switches(t)
		for range requests {
			if err := w.carry(nil); err != nil {
				t.Fatal(err)
			}
		}
		if got = switches(t) - before; got <= requests*each {
			break
		}
	}
	if got != requests*each {
		t.Errorf("%d switches, want %d", got, requests*each)
	}
}

// switches returns the voluntary context switches of this thread so far.
func switches(t *testing.T) int64 {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Nvcsw
}

// TestCalls has the kernel count the system calls of the thread.
func TestCalls(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const requests, each = 100, 7
	w := weight{calls: each}
	counter := countCalls(t, "getppid")
	for range requests {
		if err := w.carry(nil); err != nil {
			t.Fatal(err)
		}
	}
	var count [8]byte
	if _, err := unix.Read(counter, count[:]); err != nil {
		t.Fatal(err)
	}
	if got := binary.NativeEndian.Uint64(count[:]); got != requests*each {
		t.Errorf("%d calls of getppid, want %d", got, requests*each)
	}
}

// countCalls returns a counter of this thread's calls of a name. Not every kernel has such counters, nor lets everybody
// use them.
func countCalls(t *testing.T, name string) int {
	t.Helper()
	unix.Mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, "") // where it is missing, and root may
	text, err := os.ReadFile("/sys/kernel/tracing/events/syscalls/sys_enter_" + name + "/id")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Skipf("this machine counts no system calls by name: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		t.Skipf("this user may not count system calls: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// TestLeak leaks in pieces that are no whole pages, across the ends of blocks: what is resident grows by as much.
func TestLeak(t *testing.T) {
	const each, total = 100_000, 3 * leakBlock
	l := leak{bytes: each}
	before := resident(t)
	for range total / each {
		if err := l.take(); err != nil {
			t.Fatal(err)
		}
	}
	got := resident(t) - before
	if got < total-each || got > total+(4<<20) { // the test itself grows, too
		t.Errorf("%d bytes more are resident, want %d", got, total)
	}
}

// resident returns the bytes of anonymous memory that this process has.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := bytes.Cut(text, []byte("RssAnon:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 2 {
		t.Fatal("no RssAnon in /proc/self/status")
	}
	kib, err := strconv.Atoi(string(fields[0]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestDrift adds up what requests owe, and burns it as soon as it is worth a spin.
func TestDrift(t *testing.T) {
	clock := &clockwork{begin: time.Now().Add(-time.Hour)}
	d := drift{perSecond: time.Nanosecond, rate: spin.Rate{Turn: 1}} // 3600 ns now
	d.burn(clock)
	if owed := d.owed.Load(); owed != 0 {
		t.Errorf("%d ns are owed after a spin", owed)
	}
	clock.begin = time.Now().Add(-800 * time.Second) // 800 ns a request: the third one burns
	for i, least := range []int64{800, 1600, 0} {
		d.burn(clock)
		if owed := d.owed.Load(); owed < least || owed > least+100 {
			t.Errorf("after request %d %d ns are owed, want %d", i+1, owed, least)
		}
	}
}
