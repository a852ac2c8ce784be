package probe

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"corelab/results/stacks"
)

// liveBound is more than any of the recordings below takes; each is stopped before.
const liveBound = time.Minute

// perfHere skips where perf cannot record; the reason must say what to do.
func perfHere(t *testing.T, available func() error) {
	t.Helper()
	if err := available(); err != nil {
		if !strings.Contains(err.Error(), ": ") {
			t.Errorf("the reason does not say what for: %v", err)
		}
		t.Skipf("here: %v", err)
	}
}

// frames returns the functions that are on a stack under that root.
func frames(p *profile.Profile, root string) map[string]bool {
	names := make(map[string]bool)
	for _, s := range p.Sample {
		if s.Location[len(s.Location)-1].Line[0].Function.Name != root {
			continue
		}
		for _, l := range s.Location {
			names[l.Line[0].Function.Name] = true
		}
	}
	return names
}

// leavesNothing fails where a recording left a file in its folder.
func leavesNothing(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left: %v, %v", len(left), left, err)
	}
}

// spinner starts the process of testdata/spinner, which has symbols, and waits until its child is ready.
func spinner(t *testing.T) *helper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spinner")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/spinner").CombinedOutput(); err != nil {
		t.Fatalf("build the process to profile: %v\n%s", err, out)
	}
	h := startCommand(t, exec.Command(path))
	if got := h.line(t); got != "ready" {
		t.Fatalf("spinner said %q", got)
	}
	return h
}

// TestRecordCPU finds a child of the server on its stacks, by its functions' names and under its program's.
func TestRecordCPU(t *testing.T) {
	perfHere(t, PerfAvailable)
	h := spinner(t)
	dir := t.TempDir()
	// Its child is not named: perf tells whose it is.
	r, err := RecordCPU(t.Context(), RecordSpec{Pids: func() []int { return []int{h.pid} }, Dir: dir, Bound: liveBound})
	if err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	s, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leavesNothing(t, dir)
	got := frames(s.Profile, "spinner")
	for _, name := range []string{"main.burn", "main.Generic[go.shape.string].spin", "runtime.main"} {
		if !got[name] {
			t.Errorf("no %s under spinner: %v", name, got)
		}
	}
	if s.Samples == 0 || s.Elapsed <= 0 || s.Elapsed > liveBound || s.Rate != DefaultRate || !slices.Contains(s.Command, "record") {
		t.Errorf("%+v", s)
	}
	var b bytes.Buffer
	if err := s.Profile.Write(&b); err != nil {
		t.Fatal(err)
	}
	read, err := stacks.Read(&b, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	// All CPUs are in it, as long as it took, but for what others used of them.
	if read.Unit != "nanoseconds" || read.Total <= 0 {
		t.Errorf("%d %s", read.Total, read.Unit)
	}
}

func TestRecordCPUUnwindDwarf(t *testing.T) {
	perfHere(t, PerfAvailable)
	cpus, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, "spin")
	r, err := RecordCPU(t.Context(), RecordSpec{CPUs: cpus[:1], Pids: func() []int { return []int{h.pid} }, Unwind: UnwindDwarf, Dir: t.TempDir(), Bound: liveBound})
	if err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	s, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Rate != DwarfRate {
		t.Errorf("%+v", s)
	}
}

// TestRecordOfProcesses is for where whole CPUs may not be seen.
func TestRecordOfProcesses(t *testing.T) {
	perfHere(t, PerfAvailable)
	h := spinner(t)
	spec := RecordSpec{Pids: func() []int { return Tree(h.pid) }, Dir: t.TempDir()}.filled(liveBound)
	args, err := ofProcesses(spec.Pids())
	if err != nil {
		t.Fatal(err)
	}
	path, err := perfPath()
	if err != nil {
		t.Fatal(err)
	}
	r := &Recording{spec: spec, event: clockEvent}
	if r.session, err = record(t.Context(), path, spec, append([]string{"-e", clockEvent, "-F", "997", "--call-graph", "fp"}, args...)); err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	s, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := frames(s.Profile, "spinner"); !got["main.burn"] || s.Others > 0 || len(frames(s.Profile, stacks.IdleRoot)) > 0 {
		t.Errorf("%+v: %v", s, got)
	}
	if _, err := ofProcesses(nil); !errors.Is(err, errNoServer) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestRecordEnds(t *testing.T) {
	perfHere(t, PerfAvailable)
	h := start(t, "spin")
	pids := func() []int { return []int{h.pid} }
	t.Run("by its bound", func(t *testing.T) {
		dir := t.TempDir()
		r, err := RecordCPU(t.Context(), RecordSpec{Pids: pids, Dir: dir, Bound: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		<-r.Done()
		elapsed := r.session.elapsed()
		s, err := r.Stop(t.Context())
		if err == nil && s.Elapsed != elapsed {
			t.Errorf("it went on after its end: %v, then %v", elapsed, s.Elapsed)
		}
		leavesNothing(t, dir)
	})
	t.Run("with its context", func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancelCause(t.Context())
		r, err := RecordCPU(ctx, RecordSpec{Pids: pids, Dir: dir, Bound: liveBound})
		if err != nil {
			t.Fatal(err)
		}
		enough := errors.New("enough")
		cancel(enough)
		<-r.session.exited
		if _, err := r.Stop(t.Context()); !errors.Is(err, enough) {
			t.Errorf("Stop says %v", err)
		}
		leavesNothing(t, dir)
	})
	t.Run("before it begins", func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := RecordCPU(ctx, RecordSpec{Pids: pids, Dir: dir}); !errors.Is(err, context.Canceled) {
			t.Errorf("it begins: %v", err)
		}
		leavesNothing(t, dir)
	})
	t.Run("with the context of Stop", func(t *testing.T) {
		dir := t.TempDir()
		r, err := RecordCPU(t.Context(), RecordSpec{Pids: pids, Dir: dir, Bound: liveBound})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Stop says %v", err)
		}
		<-r.session.exited
		leavesNothing(t, dir)
	})
	t.Run("with nobody", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := RecordCPU(t.Context(), RecordSpec{Pids: func() []int { return nil }, Dir: dir}); err == nil {
			t.Error("no process, no error")
		}
		leavesNothing(t, dir)
	})
}

func TestRecordSched(t *testing.T) {
	perfHere(t, SchedAvailable)
	h := start(t, "spin")
	dir := t.TempDir()
	r, err := RecordSched(t.Context(), RecordSpec{Pids: func() []int { return []int{h.pid} }, Dir: dir, Bound: liveBound})
	if err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	h.spin(t)
	s, wakeUps, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leavesNothing(t, dir)
	name := programName(firstLine(filepath.Join("/proc", strconv.Itoa(h.pid), "comm")))
	// In between and at the end it waited for its input.
	if got := frames(s.Profile, name); s.Samples == 0 || len(got) < 2 {
		t.Errorf("%+v: %v", s, got)
	}
	latency, err := wakeUps.Latency()
	if err != nil || latency == nil || latency.Count == 0 || latency.Max > liveBound {
		t.Errorf("wake-ups %+v, %v", latency, err)
	}
}

func TestCheckVersion(t *testing.T) {
	for out, want := range map[string]string{
		"perf version 6.1.192\n":           "",
		"perf version 5.10\n":              "",
		"perf version 6.8.rc1.g1234\n":     "",
		"perf version 5.4.86\n":            "too old",
		"perf version 4.19\n":              "too old",
		"perf version next\n":              "for its version",
		"WARNING: perf not found for 6.18": "for its version",
		"":                                 "for its version",
	} {
		err := checkVersion(out)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", out, err, want)
		}
	}
}

func TestKernelSymbols(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kallsyms")
	if err := kernelSymbols(path); err == nil || !strings.Contains(err.Error(), "CONFIG_KALLSYMS") {
		t.Errorf("no file: %v", err)
	}
	for text, shown := range map[string]bool{
		"0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n": true,
		"0000000000000000 A fixed_percpu_data\n0000000000000000 T _text\n": false,
		"": false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := kernelSymbols(path); (err == nil) != shown || err != nil && !strings.Contains(err.Error(), "kptr_restrict") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRingSize(t *testing.T) {
	for cpus, want := range map[int]string{1: "8192K", 2: "8192K", 8: "8192K", 9: "4096K", 64: "1024K", 1000: "512K"} {
		if got := ringSize(cpus); got != want {
			t.Errorf("%d CPUs: %s, want %s", cpus, got, want)
		}
	}
}

// TestCycles: the clock beside the cycles says how long one is.
func TestCycles(t *testing.T) {
	const script = `
server 100/101 [000] 1.0: 3000 cycles/freq=3989/: 
	401000 work (/opt/server)

server 100/100 [000] 1.1: 1000 cycles/freq=3989/: 
	ffffffff81000000 tcp_sendmsg ([kernel.kallsyms])
	401000 work (/opt/server)

client 200/200 [000] 1.2: 4000 cycles/freq=3989/: 
	401000 ask (/opt/client)

swapper 0/0 [000] 1.3: 1 cycles/freq=3989/: 
	ffffffff81000001 do_idle ([kernel.kallsyms])

server 100/100 [000] 1.4: 1600 cpu-clock/freq=997/: 
	401000 work (/opt/server)

client 200/200 [000] 1.5: 2400 cpu-clock/freq=997/: 
	401000 ask (/opt/client)

swapper 0/0 [000] 1.6: 5000 cpu-clock/freq=997/: 
	ffffffff81000001 do_idle ([kernel.kallsyms])

ksoftirqd/0 15/15 [000] 1.7: 0 cycles/freq=3989/: 
	ffffffff81000002 run_ksoftirqd ([kernel.kallsyms])

swapper 0/0 [000] 1.8: 5000 cpu-clock/freq=997/: 
	401000 a process outside this container (/opt/other)

`
	byClock := slices.DeleteFunc(strings.SplitAfter(script, "\n\n"), func(sample string) bool { return strings.Contains(sample, "cycles") })
	for name, tt := range map[string]struct {
		script, event, want string
		rate                float64
		others              uint64
	}{
		// 9000 ns, somebody's outside this container among them, were 8000 cycles.
		"both": {script, "cycles", `idle;do_idle@[kernel.kallsyms] 1 5000
ksoftirqd;run_ksoftirqd@[kernel.kallsyms] 1 0
server;work@server 1 3375
server;work@server;tcp_sendmsg@[kernel.kallsyms] 1 1125
`, DefaultRate, 1},
		"a CPU that counts nothing": {strings.Join(byClock, ""), clockEvent, `idle;do_idle@[kernel.kallsyms] 1 5000
server;work@server 1 1600
`, clockRate, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCPUConverter(serving(map[int]string{100: "server"}))
			if _, err := readScript(strings.NewReader(tt.script), c); err != nil {
				t.Fatal(err)
			}
			s := &Sampled{Event: "cycles", Rate: DefaultRate}
			if err := c.profile(s); err != nil {
				t.Fatal(err)
			}
			if got := folded(s.Profile); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			if s.Event != tt.event || s.Rate != tt.rate || s.Others != tt.others {
				t.Errorf("%s at %v, %d others", s.Event, s.Rate, s.Others)
			}
		})
	}
}
