package probe

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// TestSeatFromFiles: of the two CPUs the recorded nginx's workers used what their clocks say; what is left of its time, when its idle
// and stolen time are off, is others', as far as there are any.
func TestSeatFromFiles(t *testing.T) {
	before, after := recorded("before"), recorded("after")
	nginx := func() []int { return []int{100, 101, 4711} } // the last one is not there, and one worker is a stranger
	m := &Machine{proc: before, seats: []Seat{{Of: results.SeatBoth, CPUs: []int{0, 1}, Pids: nginx}}}
	if err := m.Begin(); err != nil {
		t.Fatal(err)
	}
	const window = 4 * time.Second
	m.began.at = m.began.at.Add(-window)
	m.proc = after
	d, _ := m.End(0)
	if len(d.Seats) != 1 {
		t.Fatalf("seats %+v", d.Seats)
	}
	s := d.Seats[0]
	if s.Of != results.SeatBoth || s.CPUs != "0-1" || s.Idle.Round(time.Millisecond) != 330*time.Millisecond || s.Steal != 0 {
		t.Errorf("%+v", s)
	}
	// Nothing says who had most of the 8 s; the only stranger, worker 102, had 340 ms.
	if s.Others != 340*time.Millisecond {
		t.Errorf("others used %v, want 340 ms, all that strangers had", s.Others)
	}
	if got := d.Others.Round(time.Millisecond); got != 1450*time.Millisecond {
		t.Errorf("of the whole machine others used %v, want 1.45 s: what the seat's processes used is not theirs", got)
	}
	// Of 8 s: 330 ms idle, 600 ms of those at home, and the 5 ms of ksoftirqd, which is CPU 0's. The test's own time comes on top.
	m.strangers = nil // where nobody's clocks can be read
	d, _ = m.End(0)
	want := 2*window - 330*time.Millisecond - 600*time.Millisecond - 5*time.Millisecond
	if off := d.Seats[0].Others - want; off < 0 || off > time.Second {
		t.Errorf("others used %v, want a little more than %v", d.Seats[0].Others, want)
	}
}

func TestStrangers(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		before, now map[int]stranger
		want        time.Duration
	}{
		"one that went on":      {map[int]stranger{1: {started: 5, cpu: 100 * ms}}, map[int]stranger{1: {started: 5, cpu: 130 * ms}}, 30 * ms},
		"one that is new":       {nil, map[int]stranger{1: {started: 5, cpu: 30 * ms}}, 30 * ms},
		"one that took its pid": {map[int]stranger{1: {started: 5, cpu: 100 * ms}}, map[int]stranger{1: {started: 9, cpu: 30 * ms}}, 30 * ms},
		"one that ended, by its parent": {map[int]stranger{1: {started: 5, children: 40 * ms}, 2: {started: 6, cpu: 70 * ms}},
			map[int]stranger{1: {started: 5, children: 120 * ms}}, 80 * ms},
		"nobody": {nil, nil, 0},
	} {
		if got := usedBy(tt.before, tt.now); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	h := start(t, "spin")
	all := System.strangers(map[int]bool{os.Getpid(): true})
	if _, there := all[h.pid]; !there {
		t.Errorf("a stranger is not seen among %d", len(all))
	}
	if _, there := all[os.Getpid()]; there {
		t.Error("who is at home is a stranger")
	}
}

// TestSeatSeesWhoIsThere: a process that spins on a CPU is one of the others, unless it belongs there.
func TestSeatSeesWhoIsThere(t *testing.T) {
	cpus, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, "spin")
	for name, tt := range map[string]struct {
		pids   []int
		others bool
	}{"a guest": {nil, true}, "at home": {[]int{h.pid}, false}} {
		m := OpenMachine(Seat{Of: results.SeatBoth, CPUs: cpus, Pids: func() []int { return tt.pids }})
		if err := m.Begin(); err != nil {
			t.Fatal(err)
		}
		before, err := cpuClock(h.pid)
		if err != nil {
			t.Fatal(err)
		}
		h.spin(t)
		after, err := cpuClock(h.pid)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := m.End(0)
		spun := after - before
		// The rest of the machine may do what it likes meanwhile; what the process did is in it or not.
		rest := d.Seats[0].Others + d.Seats[0].Idle + d.Seats[0].Steal
		if tt.others && d.Seats[0].Others < spun*8/10 {
			t.Errorf("%s: others used %v of the %v that it spun", name, d.Seats[0].Others, spun)
		}
		if all := m.all(time.Now()); !tt.others && rest > all-spun*8/10 {
			t.Errorf("%s: %v of %v are left, though it spun %v", name, rest, all, spun)
		}
	}
}

// all is the time of all seats' CPUs since Begin.
func (m *Machine) all(now time.Time) time.Duration {
	return time.Duration(len(m.seats[0].CPUs)) * now.Sub(m.began.at)
}

func TestTCPHere(t *testing.T) {
	h := start(t, "spin")
	n := OpenTCP(func() []int { return []int{h.pid} })
	if err := n.Begin(); err != nil {
		t.Fatal(err)
	}
	exchange(t, 50)
	got, err := n.End()
	if err != nil {
		t.Fatal(err)
	}
	// Each byte is a segment of its own, acknowledged by itself or by the next; both ends are in this namespace.
	if got.SegmentsOut < 100 || got.SegmentsIn < 100 {
		t.Errorf("%+v of 50 exchanges", got)
	}
	h.end()
	if _, err := n.End(); err == nil {
		t.Error("the counters of a process that is gone")
	}
	n.pids = func() []int { return nil }
	if err := n.Begin(); err == nil {
		t.Error("the counters of no process")
	}
}

func TestHardware(t *testing.T) {
	if err := HardwareAvailable(); err != nil {
		t.Logf("here: %v", err) // the reason is all there is to show
	}
	for err, want := range map[error]string{unix.EACCES: "perf_event_paranoid", unix.ENOENT: "not supported here", unix.ENOSYS: "no perf events", unix.EMFILE: "too many open files"} {
		if text := (event{name: "cycles"}).reason(err).Error(); !strings.Contains(text, want) || !strings.Contains(text, "cycles") {
			t.Errorf("%v: %q does not say %q", err, text, want)
		}
	}
	// The kernel's own counters go through the same door: where it lets none through, neither would the CPU's.
	software := []event{{"CPU time", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_TASK_CLOCK}, {"page faults", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS}}
	if err := available(software); err != nil {
		t.Logf("no counters at all: %v", err)
		return
	}
	h := start(t, "spin")
	c, err := openHardware(software, []int{h.pid})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	before, err := cpuClock(h.pid)
	if err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	after, err := cpuClock(h.pid)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := c.End()
	if err != nil {
		t.Fatal(err)
	}
	if spun := float64(after - before); counts["CPU time"] < spun/2 || counts["CPU time"] > 2*spun {
		t.Errorf("counted %v ns of the %v that it spun", counts["CPU time"], spun)
	}
	if _, err := openHardware(software, nil); err == nil {
		t.Error("counters of no process")
	}
}

// exchange sends n bytes to and fro over loopback, one at a time.
func exchange(t *testing.T, n int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 1)
	for range n {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
}
