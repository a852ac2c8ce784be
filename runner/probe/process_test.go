package probe

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"corelab/results"

	"golang.org/x/sys/unix"
)

// helper is the test binary as another process.
type helper struct {
	pid int
	in  io.WriteCloser
	out *bufio.Reader
	end func() // it, and wait until it has
}

func start(t *testing.T, role string) *helper {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, "GOMAXPROCS=1")
	return startCommand(t, cmd)
}

func startCommand(t *testing.T, cmd *exec.Cmd) *helper {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { in.Close(); cmd.Wait() })
	t.Cleanup(end)
	return &helper{cmd.Process.Pid, in, bufio.NewReader(out), end}
}

func (h *helper) line(t *testing.T) string {
	t.Helper()
	line, err := h.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func (h *helper) spin(t *testing.T) {
	t.Helper()
	if _, err := h.in.Write([]byte{'.'}); err != nil {
		t.Fatal(err)
	}
	if got := h.line(t); got != "done" {
		t.Fatalf("helper said %q", got)
	}
}

func TestTreeSumsGrandchild(t *testing.T) {
	h := start(t, "parent")
	child, err := strconv.Atoi(h.line(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := Tree(h.pid); !slices.Equal(got, []int{h.pid, child}) {
		t.Fatalf("Tree(%d) = %v, want it and %d", h.pid, got, child)
	}
	p := Open(func() []int { return Tree(h.pid) })
	if err := p.Begin(); err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	u, missing := p.End()
	// The parent, who waits, adds next to nothing.
	if u.CPU < spun || u.CPU > u.Elapsed+50*time.Millisecond {
		t.Errorf("CPU %v in %v", u.CPU, u.Elapsed)
	}
	if u.User+u.System != u.CPU && !has(missing, "user_ns") {
		t.Errorf("user %v + system %v ≠ CPU %v, and nothing is missing", u.User, u.System, u.CPU)
	}
	if u.Threads < 2 || u.Files < 6 || u.RSSKiB < 500 || u.PeakRSSKiB < u.RSSKiB {
		t.Errorf("implausible for two Go processes: %+v", u)
	}
	if u.Voluntary == 0 {
		t.Error("no voluntary switch, though it waited for its input")
	}
	allowed, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	if u.Affinity != CPUList(allowed) {
		t.Errorf("affinity %q, want %q", u.Affinity, CPUList(allowed))
	}
}

func TestEndAfterDeath(t *testing.T) {
	h := start(t, "spin")
	p := Open(func() []int { return Tree(h.pid) })
	if err := p.Begin(); err != nil {
		t.Fatal(err)
	}
	h.end()
	if tree := Tree(h.pid); len(tree) != 0 {
		t.Errorf("it has ended, and its tree is %v", tree)
	}
	u, missing := p.End()
	if u.CPU != 0 || !has(missing, "cpu_ns") {
		t.Errorf("CPU %v, missing %v", u.CPU, missing)
	}
	if err := p.Begin(); err == nil {
		t.Error("Begin on no process succeeds")
	}
}

func has(missing []results.Missing, figure string) bool {
	return slices.ContainsFunc(missing, func(m results.Missing) bool { return strings.Contains(m.Figure, figure) })
}

func TestCPUClockIsOurs(t *testing.T) {
	var own unix.Timespec
	before, err := cpuClock(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &own); err != nil {
		t.Fatal(err)
	}
	after, err := cpuClock(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if mine := time.Duration(own.Nano()); mine < before || mine > after {
		t.Errorf("own clock %v is not within [%v, %v]", mine, before, after)
	}
	if _, err := cpuClock(1 << 22); err == nil {
		t.Error("a clock without a process can be read")
	}
}

func TestDifference(t *testing.T) {
	before := &used{cpu: time.Second, user: 100, system: 50, minor: 5, threads: map[int]switches{
		1: {10, 1}, 2: {20, 2}, 3: {30, 3},
	}}
	now := &used{cpu: 3 * time.Second, user: 250, system: 100, minor: 9, rss: 7, peak: 8, files: 4, affinity: map[int]bool{1: true},
		threads: map[int]switches{1: {15, 1}, 2: {2, 1}, 4: {7, 0}}}
	tests := []struct {
		name        string
		before, now *used
		want        results.Usage
		missing     string
	}{
		{"threads born, ended and renumbered", before, now, results.Usage{
			CPU: 2 * time.Second, User: 1500 * time.Millisecond, System: 500 * time.Millisecond,
			Voluntary: 5 + 2 + 7, Involuntary: 0 + 1 + 0, MinorFaults: 4, RSSKiB: 7, PeakRSSKiB: 8, Files: 4, Threads: 3, Affinity: "1",
		}, "voluntary_switches"},
		{"too few ticks", &used{}, &used{cpu: time.Millisecond, user: 10, system: 9}, results.Usage{CPU: time.Millisecond}, "user_ns"},
		{"files may not be listed", &used{}, &used{user: 20, files: -1}, results.Usage{}, "files"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := difference{affinity: make(map[int]bool)}
			d.add(test.before, test.now)
			got, missing := d.close()
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if !has(missing, test.missing) || len(missing) != 1 {
				t.Errorf("missing %v, want %s alone", missing, test.missing)
			}
		})
	}
}
