package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callNames are the system calls that are counted by name: those that servers make while they serve. Each takes a
// counter for each thread, and a tracepoint in the kernel that takes milliseconds to switch on, so not all of the
// kernel's hundreds are asked for; what is not in the list is counted together, as OtherCalls.
var callNames = strings.Fields(`
	read write readv writev pread64 pwrite64 recvfrom sendto recvmsg sendmsg sendfile64 splice
	accept accept4 socket connect shutdown close setsockopt getsockopt getsockname getpeername fcntl
	epoll_wait epoll_pwait epoll_ctl poll ppoll select pselect6 io_uring_enter io_uring_register
	futex nanosleep clock_nanosleep sched_yield timerfd_settime tgkill rt_sigreturn
	openat newfstat newfstatat statx mmap munmap madvise brk mprotect clock_gettime getpid getppid gettid`)

// callAliases give the kernel's odd names the ones that people know.
var callAliases = map[string]string{"sendfile64": "sendfile", "newfstat": "fstat"}

// OtherCalls is the name under which calls that are not counted by name appear.
const OtherCalls = "other"

const tracefs = "/sys/kernel/tracing"

// maxCounters bounds the counters, each a descriptor of this process.
const maxCounters = 16384

// Counter counts system calls by name, of some processes with all their threads. Its counters run from OpenCounter to
// Close and slow the counted processes throughout. It is used by one goroutine at a time.
type Counter struct {
	names []string // of events; the last is every call
	files [][]int  // for each name: one descriptor a thread
	began []uint64
}

// OpenCounter starts to count. Threads and processes that these pids start later are counted as well. It needs root (or
// CAP_PERFMON) and tracefs, which it mounts when it may; the error says what is missing and what to do.
func OpenCounter(pids []int) (*Counter, error) {
	if _, err := findTracing(); err != nil {
		return nil, err
	}
	names, ids, err := callEvents(tracefs)
	if err != nil {
		return nil, err
	}
	for range openTries {
		tids := threads(pids)
		if len(tids) == 0 {
			return nil, errors.New("count system calls: no process is left to count")
		}
		if need := len(ids) * len(tids); need > maxCounters {
			return nil, fmt.Errorf("count system calls: %d threads need %d counters, the bound is %d; use fewer threads", len(tids), need, maxCounters)
		}
		c := &Counter{names: names, files: make([][]int, len(ids))}
		if err := c.open(ids, tids); err != nil {
			c.Close()
			return nil, err
		}
		// A thread that began meanwhile inherits the counters that its parent had by then, and lacks the others.
		if !slices.ContainsFunc(threads(pids), func(tid int) bool { return !slices.Contains(tids, tid) }) {
			return c, nil
		}
		c.Close()
	}
	return nil, fmt.Errorf("count system calls: new threads began in each of %d tries", openTries)
}

// openTries bounds how often counters are opened again because threads began meanwhile.
const openTries = 5

// Threads is how many threads these processes have now, together.
func Threads(pids []int) int { return len(threads(pids)) }

// threads returns the threads of pids; none of a process that is gone.
func threads(pids []int) (tids []int) {
	for _, pid := range pids {
		tasks, _ := os.ReadDir(filepath.Join(System.dir, strconv.Itoa(pid), "task"))
		for _, task := range tasks {
			if tid, err := strconv.Atoi(task.Name()); err == nil {
				tids = append(tids, tid)
			}
		}
	}
	return tids
}

// open opens a counter of each event for each thread.
func (c *Counter) open(ids []uint64, tids []int) error {
	for i, id := range ids {
		for _, tid := range tids {
			fd, err := openTracepoint(id, tid)
			if errors.Is(err, unix.ESRCH) { // the thread ended since
				continue
			}
			if err != nil {
				return fmt.Errorf("count system call %s of thread %d: %w", c.names[i], tid, err)
			}
			c.files[i] = append(c.files[i], fd)
		}
	}
	return nil
}

func openTracepoint(id uint64, tid int) (int, error) {
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_TRACEPOINT,
		Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config: id,
		Bits:   unix.PerfBitInherit,
	}
	return unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
}

// callEvents returns the names of the events to count and their tracepoints' numbers; the last one is every call. A name
// that this kernel does not have is left out: its calls are among the others.
func callEvents(dir string) (names []string, ids []uint64, err error) {
	for _, name := range callNames {
		id, err := eventID(filepath.Join(dir, "events/syscalls/sys_enter_"+name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if alias := callAliases[name]; alias != "" {
			name = alias
		}
		names, ids = append(names, name), append(ids, id)
	}
	id, err := eventID(filepath.Join(dir, "events/raw_syscalls/sys_enter"))
	if err != nil {
		return nil, nil, err
	}
	return append(names, OtherCalls), append(ids, id), nil
}

func eventID(dir string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		return 0, fmt.Errorf("read the number of a tracepoint: %w", err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the number of the tracepoint %s: %w", dir, err)
	}
	return id, nil
}

// Begin opens a window.
func (c *Counter) Begin() (err error) {
	c.began, err = c.read()
	return err
}

// End returns the calls since Begin, by name; names that were not called are absent.
func (c *Counter) End() (map[string]uint64, error) {
	now, err := c.read()
	if err != nil {
		return nil, err
	}
	calls := make(map[string]uint64)
	last := len(now) - 1
	rest := int64(now[last] - c.began[last])
	for i, name := range c.names[:last] {
		n := now[i] - c.began[i]
		if n > 0 {
			calls[name] = n
		}
		rest -= int64(n)
	}
	if rest > 0 { // the counters are read one after the other: a few more may be named than there were in all
		calls[OtherCalls] = uint64(rest)
	}
	return calls, nil
}

func (c *Counter) read() ([]uint64, error) {
	sums := make([]uint64, len(c.names))
	var b [8]byte
	for i, fds := range c.files {
		for _, fd := range fds {
			if _, err := unix.Read(fd, b[:]); err != nil {
				return nil, fmt.Errorf("read the counter of %s: %w", c.names[i], err)
			}
			sums[i] += binary.NativeEndian.Uint64(b[:])
		}
	}
	return sums, nil
}

// Close stops counting. It takes the kernel a second or two: for each tracepoint that is switched off it waits until no CPU
// is in it.
func (c *Counter) Close() {
	for _, fds := range c.files {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	c.files = nil
}

// Calls counts the system calls of the processes by name for d, or until ctx ends, which is an error. It begins within
// milliseconds, and returns a second or two after d, see [Counter.Close]. Counting slows the counted processes: such a
// trial is not ranked.
func Calls(ctx context.Context, pids []int, d time.Duration) (map[string]uint64, error) {
	c, err := OpenCounter(pids)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Begin(); err != nil {
		return nil, err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("count system calls: %w", context.Cause(ctx))
	case <-timer.C:
		return c.End()
	}
}

// CallsAvailable is nil where system calls can be counted by name, else the reason why not, with what to do about it. It
// mounts tracefs where it is missing and this process may.
func CallsAvailable() error {
	id, err := findTracing()
	if err != nil {
		return err
	}
	fd, err := openTracepoint(id, 0)
	if err != nil {
		return fmt.Errorf("count system calls: the kernel refuses a counter (%w); in a container, add CAP_PERFMON and allow perf_event_open", err)
	}
	return unix.Close(fd)
}

// findTracing returns the number of the tracepoint of all calls, and mounts tracefs for it.
func findTracing() (uint64, error) {
	if err := mountTracing(); err != nil {
		return 0, fmt.Errorf("count system calls: %w", err)
	}
	id, err := eventID(tracefs + "/events/raw_syscalls/sys_enter")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errors.New("count system calls: this kernel traces no system calls (CONFIG_FTRACE_SYSCALLS)")
	}
	if err != nil {
		return 0, fmt.Errorf("count system calls: %w; run as root", err)
	}
	return id, nil
}

// mountTracing mounts tracefs where it is missing and this process may. Nil says that tracepoints can be looked up.
func mountTracing() error {
	if b, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid"); err != nil {
		return errors.New("this kernel has no perf events (CONFIG_PERF_EVENTS)")
	} else if strings.TrimSpace(string(b)) != "-1" && os.Geteuid() != 0 {
		return errors.New("not root; run as root, or `sudo sysctl kernel.perf_event_paranoid=-1` and make tracefs readable")
	}
	if _, err := os.Stat(tracefs + "/events"); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil // what may not be read is told by whoever reads it
	}
	if slices.Contains(mounts(), tracefs) {
		return errors.New("this kernel has no trace events (CONFIG_EVENT_TRACING)")
	}
	if err := unix.Mount("tracefs", tracefs, "tracefs", 0, ""); err != nil {
		return fmt.Errorf("tracefs is not mounted and could not be (%w); as root: mount -t tracefs tracefs %s", err, tracefs)
	}
	return nil
}

func mounts() []string {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	var points []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 {
			points = append(points, f[1])
		}
	}
	return points
}
