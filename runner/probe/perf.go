package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"corelab/results"

	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"
)

// What perf records by, where a RecordSpec leaves it open.
const (
	// DefaultRate is prime, so that no timer of the server or the kernel beats in step with it.
	DefaultRate = 3989
	// DwarfRate is of UnwindDwarf, which copies a piece of the stack with each sample.
	DwarfRate = 997
	// DefaultBound ends a recording that nobody stopped.
	DefaultBound = 30 * time.Second
)

// How user stacks are found.
const (
	// UnwindFP follows frame pointers: Go has them, and whatever was built with -fno-omit-frame-pointer. Of other programs only
	// the function that ran is right, and its callers are missing.
	UnwindFP = "fp"
	// UnwindDwarf copies the stack and follows it by the binary's unwind tables, as C servers of Linux distributions need it.
	UnwindDwarf = "dwarf"
)

// RecordSpec says what to record.
type RecordSpec struct {
	CPUs   []int         // where the server runs; nil means all
	Pids   func() []int  // the server's processes; asked when the recording begins and when it is stopped
	Rate   int           // samples per second and CPU; 0 means DefaultRate, or DwarfRate
	Unwind string        // UnwindFP or UnwindDwarf; empty means UnwindFP
	Dir    string        // for what perf writes until it is converted; it must exist, and nothing stays there
	Bound  time.Duration // after which the recording ends by itself; 0 means DefaultBound, or SchedBound
	Held   bool          // only get ready, which takes perf its time, and sample from Begin on; Bound counts from there
}

// Sampled is what a recording became.
type Sampled struct {
	Profile *profile.Profile
	Event   string            // "cpu-clock", "cycles", "sched:sched_switch"
	Rate    float64           // asked for, per second and CPU; 0 where every event was recorded
	Elapsed time.Duration     // that it covers
	Samples uint64            // in Profile
	Lost    uint64            // by the kernel, because its buffer was full
	Others  uint64            // of other processes on the same CPUs, which are not in Profile
	Command []string          // that recorded it
	Missing []results.Missing // what Profile lacks, and why: "idle" where perf may not see whole CPUs
}

// Recording is one perf record under way, of where CPU time goes. Its methods may be called from any goroutine.
type Recording struct {
	spec    RecordSpec
	session *session
	event   string
	missing []results.Missing
}

// PerfAvailable is nil where perf can record the CPU time of a server with its kernel stacks, else the reason why not, with
// what to do about it.
func PerfAvailable() error {
	if _, err := perfPath(); err != nil {
		return fmt.Errorf("record with perf: %w", err)
	}
	if err := clockAllowed(0, -1); err != nil {
		return fmt.Errorf("record with perf: %w", err)
	}
	if err := kernelSymbols("/proc/kallsyms"); err != nil {
		return fmt.Errorf("record with perf: %w", err)
	}
	return nil
}

// RecordCPU begins to sample what the spec's CPUs do, kernel and user stacks, and returns when perf really samples, or could
// where it is Held. It ends with Stop, or by itself after the spec's Bound; the end of ctx kills it and leaves neither a process
// nor a file.
//
// Samples of the server's processes have the program's name as their root frame, whichever thread they are of; those of the
// idle task have "idle", and those of the kernel's threads that receive packets when there are too many have "ksoftirqd": on CPUs
// that server and generator share, that work is both's. What else ran there is counted in Others. Where this process may not see
// whole CPUs only the server is sampled, and Missing says what that leaves out.
//
// Where the CPU has counters, stacks are taken by its cycles, which see into sections where interrupts are off; the clock, at a
// lower rate beside it, says how much time a cycle is and how long the CPU was idle. Where there are none the clock does it
// alone, and such a section shows at its end, where interrupts come on again.
func RecordCPU(ctx context.Context, spec RecordSpec) (*Recording, error) {
	perf, err := perfPath()
	if err != nil {
		return nil, fmt.Errorf("record with perf: %w", err)
	}
	spec = spec.filled(DefaultBound)
	r := &Recording{spec: spec}
	where, missing, err := spec.where()
	if err != nil {
		return nil, fmt.Errorf("record with perf: %w", err)
	}
	r.missing = missing
	var tries [][]string // of what to sample by
	if HardwareAvailable() == nil {
		tries = append(tries, []string{"-e", fmt.Sprintf("cycles/freq=%d/", spec.Rate), "-e", fmt.Sprintf("%s/freq=%d/", clockEvent, min(spec.Rate, clockRate))})
	}
	tries = append(tries, []string{"-e", clockEvent, "-F", strconv.Itoa(spec.Rate)})
	for _, events := range tries {
		r.event, _, _ = strings.Cut(events[1], "/")
		args := append(append(events, "--call-graph", spec.callGraph()), where...)
		if r.session, err = record(ctx, perf, spec, args); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("record with perf: %w", err)
	}
	return r, nil
}

// Begin begins to sample at once, once, in a recording that was Held.
func (r *Recording) Begin() error {
	if err := r.session.begin(r.spec.Bound); err != nil {
		return fmt.Errorf("record with perf: %w", err)
	}
	return nil
}

// Done is closed when the recording has ended, by Stop, by its bound or with perf.
func (r *Recording) Done() <-chan struct{} { return r.session.done }

// Stop ends the recording and converts it, which takes some seconds; ctx bounds both. Nothing is left of it, whatever it
// returns. It is called once.
func (r *Recording) Stop(ctx context.Context) (*Sampled, error) {
	defer r.session.remove()
	server := r.session.server
	server.look(r.spec.Pids()) // before it ends
	if err := r.session.stop(ctx); err != nil {
		return nil, fmt.Errorf("record with perf: %w", err)
	}
	c := newCPUConverter(server)
	counts, err := r.session.script(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("convert perf's samples: %w", err)
	}
	s := &Sampled{Event: r.event, Rate: float64(r.spec.Rate), Elapsed: r.session.elapsed(), Lost: counts.lost, Command: r.session.command(), Missing: r.missing}
	if err := c.profile(s); err != nil {
		return nil, fmt.Errorf("convert perf's samples: %w", err)
	}
	return s, nil
}

// clockEvent is the kernel's timer as perf calls it, clockRate its rate beside the CPU's cycles.
const (
	clockEvent = "cpu-clock"
	clockRate  = 997
)

func (s RecordSpec) filled(bound time.Duration) RecordSpec {
	if s.Unwind == "" {
		s.Unwind = UnwindFP
	}
	if s.Rate <= 0 {
		s.Rate = DefaultRate
		if s.Unwind == UnwindDwarf {
			s.Rate = DwarfRate
		}
	}
	if s.Bound <= 0 {
		s.Bound = bound
	}
	return s
}

// stackCopy is how much of each stack UnwindDwarf copies, in bytes: a server's are rarely deeper.
const stackCopy = 8192

func (s RecordSpec) callGraph() string {
	if s.Unwind == UnwindDwarf {
		return fmt.Sprintf("dwarf,%d", stackCopy)
	}
	return "fp"
}

// where says whom to sample: whole CPUs where that is allowed, else the server's processes and what they start.
func (s RecordSpec) where() (args []string, missing []results.Missing, err error) {
	cpu := 0
	if len(s.CPUs) > 0 {
		cpu = s.CPUs[0]
	}
	refused := clockAllowed(-1, cpu)
	if refused == nil && len(s.CPUs) == 0 {
		return []string{"-a"}, nil, nil
	}
	if refused == nil {
		return []string{"-a", "-C", CPUList(s.CPUs)}, nil, nil
	}
	if err := clockAllowed(0, -1); err != nil {
		return nil, nil, err
	}
	if args, err = ofProcesses(s.Pids()); err != nil {
		return nil, nil, err
	}
	return args, []results.Missing{{Figure: "idle",
		Reason: fmt.Sprintf("whole CPUs may not be sampled (%v), only the server's processes: when its CPUs were idle, and what the kernel received for it in ksoftirqd, is not seen", refused)}}, nil
}

// ofProcesses samples these, and what they start.
func ofProcesses(pids []int) ([]string, error) {
	var list []string
	for _, pid := range pids {
		list = append(list, strconv.Itoa(pid))
	}
	if len(list) == 0 {
		return nil, errNoServer
	}
	return []string{"-p", strings.Join(list, ",")}, nil
}

var errNoServer = errors.New("no process is left of the server")

// clockAllowed is nil where a task's, or a CPU's, time may be sampled with its kernel stacks.
func clockAllowed(pid, cpu int) error {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: unix.PERF_ATTR_SIZE_VER0,
		Sample: uint64(time.Second), Sample_type: unix.PERF_SAMPLE_CALLCHAIN, Bits: unix.PerfBitDisabled}
	fd, err := unix.PerfEventOpen(&attr, pid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.ENOSYS):
		return errors.New("this kernel has no perf events (CONFIG_PERF_EVENTS)")
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return fmt.Errorf("the kernel refuses it (%w); run as root, or `sudo sysctl kernel.perf_event_paranoid=-1`; in a container, add CAP_PERFMON and allow perf_event_open", err)
	}
	return fmt.Errorf("the kernel refuses it: %w", err)
}

// perfMajor and perfMinor are the first version of perf that is told over a pipe when to begin and when to end.
const perfMajor, perfMinor = 5, 10

// perfVersionBound bounds the wait for perf's version.
const perfVersionBound = 5 * time.Second

// perfPath is findPerf's answer, which takes perf some time to give.
var perfPath = sync.OnceValues(findPerf)

// findPerf returns the path of a perf that can do what is needed here.
func findPerf() (string, error) {
	const install = "apt-get install linux-perf (Debian) or linux-tools-generic (Ubuntu)"
	path, err := exec.LookPath("perf")
	if err != nil {
		return "", fmt.Errorf("perf is not installed; %s", install)
	}
	ctx, cancel := context.WithTimeout(context.Background(), perfVersionBound)
	defer cancel()
	// Ubuntu's is a script that looks for the one of the running kernel.
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = perfEnv("")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s does not say its version (%w): it may lack the tools of this kernel; %s", path, err, install)
	}
	if err := checkVersion(string(out)); err != nil {
		return "", err
	}
	return path, nil
}

func checkVersion(out string) error {
	line := strings.TrimSpace(out)
	version, isPerf := strings.CutPrefix(line, "perf version ")
	if !isPerf {
		return fmt.Errorf("perf says %.100q for its version", line)
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("perf says %.100q for its version", line)
	}
	if major < perfMajor || major == perfMajor && minor < perfMinor {
		return fmt.Errorf("perf %d.%d is too old, it takes %d.%d or newer", major, minor, perfMajor, perfMinor)
	}
	return nil
}

// kallsymsRead is how much is read of the kernel's symbols to see whether they have addresses.
const kallsymsRead = 64 << 10

// kernelSymbols is nil where the kernel shows the addresses of its functions.
func kernelSymbols(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the kernel's symbols cannot be read (%w); it must be built with CONFIG_KALLSYMS", err)
	}
	defer f.Close()
	b := make([]byte, kallsymsRead)
	n, _ := f.Read(b)
	for line := range strings.Lines(string(b[:n])) {
		if address, _, _ := strings.Cut(line, " "); strings.Trim(address, "0\n") != "" {
			return nil
		}
	}
	return errors.New("the kernel hides the addresses of its symbols; run as root with `sudo sysctl kernel.kptr_restrict=0`")
}
