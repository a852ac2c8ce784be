package results

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"corelab/results/stacks"
)

// leafs are functions that the table of layers gives to each layer.
var leafs = map[stacks.Layer]string{
	stacks.Parse: "corelab/httpcore.(*Conn).Feed", stacks.Route: "corelab/httpcore.(*Router).Find",
	stacks.Handler: "corelab/apps.plaintext", stacks.Reply: "corelab/httpcore.(*output).add",
	stacks.Scheduler: "runtime.schedule", stacks.Memory: "runtime.mallocgc", stacks.Netpoller: "runtime.netpoll",
	stacks.CallEntry: "entry_SYSCALL_64", stacks.Epoll: "ep_poll", stacks.SocketRead: "tcp_recvmsg", stacks.SocketSend: "tcp_sendmsg",
	stacks.Transmit: "tcp_write_xmit", stacks.Receive: "tcp_v4_rcv", stacks.Wakeup: "try_to_wake_up", stacks.Setup: "do_accept",
	stacks.Other: "__x64_sys_mystery",
}

// sampleNS is how long a sample of the test's profiles stands for.
const sampleNS = 1e6

// writeProfile writes a profile with so many samples in each layer below dir, as perf's become.
func writeProfile(t *testing.T, dir, path, program string, samples map[stacks.Layer]int64) {
	t.Helper()
	kernel := &profile.Mapping{ID: 1, File: "[kernel.kallsyms]"}
	binary := &profile.Mapping{ID: 2, File: "/srv/" + program}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Mapping:    []*profile.Mapping{kernel, binary},
	}
	add := func(name string, m *profile.Mapping) *profile.Location {
		f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
		l := &profile.Location{ID: uint64(len(p.Location) + 1), Mapping: m, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		return l
	}
	root, idle := add(program, nil), add("idle", nil)
	for _, l := range stacks.Layers {
		n := samples[l]
		if n == 0 {
			continue
		}
		s := &profile.Sample{Value: []int64{n, n * sampleNS}, Location: []*profile.Location{idle}}
		if l != stacks.Idle {
			m := binary
			if l.Kernel() || l == stacks.Other {
				m = kernel
			}
			s.Location = []*profile.Location{add(leafs[l], m), root}
		}
		p.Sample = append(p.Sample, s)
	}
	full := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(full)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := p.Write(f); err != nil {
		t.Fatal(err)
	}
}

// layersOf are samples that fit what the core of that number does: the later, the less of them is the runtime's.
func layersOf(number int) map[stacks.Layer]int64 {
	n := int64(number)
	return map[stacks.Layer]int64{
		stacks.Parse: 60 + n, stacks.Route: 20, stacks.Handler: 30, stacks.Reply: 40, stacks.Scheduler: 400 - 50*n, stacks.Memory: 20, stacks.Netpoller: 90 - 10*n,
		stacks.CallEntry: 150, stacks.Epoll: 10 * n, stacks.SocketRead: 120, stacks.SocketSend: 140, stacks.Transmit: 260, stacks.Receive: 300 + 30*n,
		stacks.Wakeup: 90, stacks.Setup: max(0, 300-100*n), stacks.Other: 15, stacks.Idle: 20,
	}
}

// profiledSample is the sample with profiles of its first question, but of evio, whose profiler failed.
func profiledSample(t *testing.T) *Record {
	t.Helper()
	rec := sample(t)
	rec.Dir = t.TempDir()
	load := *rec.Trials[0].Load
	for i, target := range []string{"sequential", "goroutine", "pool", "reactor", "nginx", "mine|*<i>", "evio"} {
		trial := Trial{Kind: KindTrial, Scenario: "plaintext", Target: target, Role: RoleProfiled, Round: 1, Position: len(rec.Trials) + 1, Placement: "one", Load: &load}
		if target == "evio" {
			trial.Missing = []Missing{{"profiles.cpu", "perf ended early: no permission"}}
			rec.Trials = append(rec.Trials, trial)
			continue
		}
		path := fmt.Sprintf("profiles/plaintext-%d-cpu.pb.gz", i)
		samples := layersOf(i)
		program := "coreserver"
		switch target {
		case "nginx":
			program = "nginx"
			samples[stacks.Scheduler], samples[stacks.Netpoller] = 0, 0
		case "mine|*<i>":
			samples[stacks.Other] = 400
		}
		writeProfile(t, rec.Dir, path, program, samples)
		var n uint64
		for _, v := range samples {
			n += uint64(v)
		}
		trial.Profiles = []Profile{{Kind: ProfileCPU, Path: path, Event: "cpu-clock", Rate: 997, Elapsed: 2 * time.Second, Samples: n, Others: 900}}
		if target == "pool" {
			trial.Profiles[0].Lost = 90
		}
		rec.Trials = append(rec.Trials, trial)
	}
	return rec
}

func cellOf(t *testing.T, rec *Record, target string) *Cell {
	t.Helper()
	for _, c := range Cells(rec) {
		if c.Scenario == "plaintext" && c.Target == target && c.Role == RoleRanked {
			return c
		}
	}
	t.Fatalf("no cell of %s", target)
	return nil
}

// TestLayersOf: the parts are those of the samples, and add up to what a request costs.
func TestLayersOf(t *testing.T) {
	rec := profiledSample(t)
	cost, lack := rec.LayersOf(cellOf(t, rec, "reactor"))
	if cost == nil {
		t.Fatal(lack)
	}
	var busy, sum float64
	for l, n := range layersOf(3) {
		if l != stacks.Idle {
			busy += float64(n)
		}
	}
	for l, n := range layersOf(3) {
		if l == stacks.Idle {
			continue
		}
		if got, want := cost.Share(l), float64(n)/busy; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s has the share %v, want %v", l, got, want)
		}
		sum += cost.Of(l)
	}
	if sum < cost.CPU*(1-1e-9) || sum > cost.CPU*(1+1e-9) || cost.CPU < 8000 {
		t.Errorf("the layers add up to %v ns of %v", sum, cost.CPU)
	}
	if n := cost.Samples(); n < busy-1e-6 || n > busy+1e-6 {
		t.Errorf("%v samples of the server, want %v", n, busy)
	}
	server, others, idle, ok := cost.CPUTime()
	all := busy + 20 + 900
	if !ok || server != busy/all || others != 900/all || idle < 20/all-1e-9 || idle > 20/all+1e-9 {
		t.Errorf("the CPUs' time went to %v, %v, %v, want %v of %v", server, others, idle, busy, all)
	}
	if e := cost.ShareError(stacks.Receive); e < 0.015 || e > 0.025 { // 390 of 1500
		t.Errorf("a share is known within %v", e)
	}
	if e := (&LayerCost{Attribution: cost.Attribution, Profile: &Profile{}}).ShareError(stacks.Receive); e != 1 {
		t.Errorf("without a count of samples a share is known within %v", e)
	}
}

// TestNoLayers: whatever keeps a target from having layers is said.
func TestNoLayers(t *testing.T) {
	for name, tt := range map[string]struct {
		target string
		change func(rec *Record, reactor *Trial)
		want   string
	}{
		"not tried":       {"raw", func(*Record, *Trial) {}, "was not profiled here"},
		"of the run":      {"raw", func(rec *Record, _ *Trial) { rec.Run.Missing = []Missing{{MissingProfiles, "perf is missing"}} }, "perf is missing"},
		"profiler failed": {"evio", func(*Record, *Trial) {}, "perf ended early"},
		"trial failed":    {"reactor", func(_ *Record, r *Trial) { r.Error = "the server died" }, "the server died"},
		"skipped":         {"reactor", func(_ *Record, r *Trial) { r.Profiles, r.Skipped = nil, "lacks it" }, "skipped: lacks it"},
		"no file":         {"reactor", func(_ *Record, r *Trial) { r.Profiles[0].Path = "profiles/gone.pb.gz" }, "profiles/gone.pb.gz, is not beside the record"},
		"outside":         {"reactor", func(_ *Record, r *Trial) { r.Profiles[0].Path = "../secret" }, "escapes"},
		"a link outside":  {"reactor", linkOutside, "escapes"},
		"a folder":        {"reactor", func(_ *Record, r *Trial) { r.Profiles[0].Path = "profiles" }, "is not a file"},
		"not a profile":   {"reactor", rubbish, "read a profile"},
		"idle alone":      {"reactor", onlyIdle(t), "no sample of the server"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := profiledSample(t)
			for i := range rec.Trials {
				if tr := &rec.Trials[i]; tr.Role == RoleProfiled && tr.Target == "reactor" {
					tt.change(rec, tr)
				}
			}
			cost, lack := rec.LayersOf(cellOf(t, rec, tt.target))
			if cost != nil || !strings.Contains(lack, tt.want) {
				t.Errorf("got %v, %q, want the reason %q", cost, lack, tt.want)
			}
			if strings.Contains(lack, rec.Dir) {
				t.Errorf("the reason says where the record lies: %s", lack)
			}
		})
	}
}

func linkOutside(rec *Record, reactor *Trial) {
	outside := rec.Dir + "-outside"
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		panic(err)
	}
	if err := os.Symlink(outside, filepath.Join(rec.Dir, "profiles", "link")); err != nil {
		panic(err)
	}
	reactor.Profiles[0].Path = "profiles/link"
}

func rubbish(rec *Record, reactor *Trial) {
	if err := os.WriteFile(filepath.Join(rec.Dir, reactor.Profiles[0].Path), []byte("rubbish"), 0o600); err != nil {
		panic(err)
	}
}

func onlyIdle(t *testing.T) func(*Record, *Trial) {
	return func(rec *Record, reactor *Trial) {
		writeProfile(t, rec.Dir, reactor.Profiles[0].Path, "coreserver", map[stacks.Layer]int64{stacks.Idle: 10})
	}
}

// TestStacksAreReadOnce: a file that changes after it was read changes nothing.
func TestStacksAreReadOnce(t *testing.T) {
	rec := profiledSample(t)
	_, p := rec.ProfileOf("plaintext", "", "reactor", ProfileCPU)
	first, err := rec.Stacks(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(rec.Dir, p.Path)); err != nil {
		t.Fatal(err)
	}
	if again, err := rec.Stacks(p); err != nil || again != first {
		t.Errorf("read again: %v", err)
	}
	if _, p := rec.ProfileOf("plaintext", "", "reactor", ProfileHeap); p != nil {
		t.Error("a profile that was not taken")
	}
}
