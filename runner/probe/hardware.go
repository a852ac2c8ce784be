package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// event is something that the kernel counts for a thread.
type event struct {
	name   string
	kind   uint32 // PERF_TYPE_…
	config uint64
}

// hardwareEvents are the CPU's own counters that say where its time goes: three, which every CPU can count at once.
var hardwareEvents = []event{
	{"instructions", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS},
	{"cycles", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES},
	{"cache misses", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CACHE_MISSES},
}

// Hardware counts by the CPU's own counters, of some processes with all their threads, user and kernel. It is used by one
// goroutine at a time.
type Hardware struct {
	events []event
	files  [][]int // for each event: one descriptor a thread
	began  []float64
}

// HardwareAvailable is nil where the CPU's own counters can be had, else the reason why not. Many virtual machines have none.
func HardwareAvailable() error { return available(hardwareEvents) }

func available(events []event) error {
	for _, e := range events {
		fd, err := e.open(0)
		if err != nil {
			return e.reason(err)
		}
		unix.Close(fd)
	}
	return nil
}

// reason says why the event cannot be counted.
func (e event) reason(err error) error {
	switch {
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return fmt.Errorf("count %s: not allowed (%w); run as root, or `sudo sysctl kernel.perf_event_paranoid=1`", e.name, err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("count %s: not supported here: this kernel has no perf events", e.name)
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("count %s: not supported here: the CPU shows no counters of its own, as in many virtual machines", e.name)
	}
	return fmt.Errorf("count %s: %w", e.name, err)
}

func (e event) open(tid int) (int, error) {
	attr := unix.PerfEventAttr{
		Type:        e.kind,
		Size:        uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config:      e.config,
		Bits:        unix.PerfBitInherit,
		Read_format: unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING,
	}
	return unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
}

// OpenHardware starts to count. Threads and processes that these pids start later are counted as well.
func OpenHardware(pids []int) (*Hardware, error) { return openHardware(hardwareEvents, pids) }

func openHardware(events []event, pids []int) (*Hardware, error) {
	tids := threads(pids)
	if len(tids) == 0 {
		return nil, errors.New("count by the CPU's counters: no process is left to count")
	}
	if need := len(events) * len(tids); need > maxCounters {
		return nil, fmt.Errorf("count by the CPU's counters: %d threads need %d counters, the bound is %d; use fewer threads", len(tids), need, maxCounters)
	}
	h := &Hardware{events: events, files: make([][]int, len(events))}
	for i, e := range events {
		for _, tid := range tids {
			fd, err := e.open(tid)
			if errors.Is(err, unix.ESRCH) { // the thread ended since
				continue
			}
			if err != nil {
				h.Close()
				return nil, e.reason(err)
			}
			h.files[i] = append(h.files[i], fd)
		}
	}
	return h, nil
}

// Begin opens a window.
func (h *Hardware) Begin() (err error) {
	h.began, err = h.read()
	return err
}

// End returns what was counted since Begin, by name.
func (h *Hardware) End() (map[string]float64, error) {
	now, err := h.read()
	if err != nil {
		return nil, err
	}
	counts := make(map[string]float64)
	for i, e := range h.events {
		counts[e.name] = now[i] - h.began[i]
	}
	return counts, nil
}

// read sums each event over the threads. Where the kernel had to take turns with counters, a count stands for the part of the
// time in which it was on.
func (h *Hardware) read() ([]float64, error) {
	sums := make([]float64, len(h.files))
	var b [24]byte // count, time enabled, time running
	for i, fds := range h.files {
		for _, fd := range fds {
			n, err := unix.Read(fd, b[:])
			if err == nil && n < len(b) {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return nil, fmt.Errorf("read the counter of %s: %w", h.events[i].name, err)
			}
			count, enabled, running := binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:16]), binary.NativeEndian.Uint64(b[16:])
			if running > 0 {
				sums[i] += float64(count) * float64(enabled) / float64(running)
			}
		}
	}
	return sums, nil
}

// Close stops counting.
func (h *Hardware) Close() {
	for _, fds := range h.files {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	h.files = nil
}
