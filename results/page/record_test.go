package page

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/pprof/profile"

	"corelab/results"
)

// hostile is a name that would do harm if anything took it for markup or script.
const hostile = "<script>document.title='harmed'</script>\u2028'\"&</script><!--"

// made is a small record of all that a page shows, in a folder of its own: three targets, of which one has a hostile name, in
// three numbers of connections and in an open loop, with histograms, courses and profiles.
func made(t testing.TB) *results.Record {
	t.Helper()
	return madeOf(t, "reactor", "nginx", hostile)
}

// madeOf is made with other names of the three targets, a core, a peer and a foreign server.
func madeOf(t testing.TB, core, peer, foreign string) *results.Record {
	t.Helper()
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	run := results.Run{
		Started: began, Command: []string{"bin/corelab", "bench"}, Commit: "abc", Seed: 7,
		Host: results.Host{Kernel: "6", CPU: "x", CPUs: 2, GoVersion: "go1.26"},
		Scenarios: []results.Scenario{
			{Name: "connections", Question: "Which stay flat?", Load: "GET /", Cases: []string{"connections=50", "connections=400"}},
			{Name: "latency", Question: hostile, Load: "GET /"},
			{Name: "churn", Question: "Which is " + hostile + "?"},
		},
		Targets: []results.Target{
			{Name: core, Kind: "core", Command: []string{"bin/coreserver", "--core", core}},
			{Name: peer, Kind: "peer", Command: []string{"nginx", "-c", "nginx.conf"}, Config: "events {}\n</pre><script>"},
			{Name: foreign, Kind: "foreign", Command: []string{hostile}},
		},
	}
	w, err := results.Create(t.TempDir(), "20261122-100000-bench", run)
	if err != nil {
		t.Fatal(err)
	}
	position := 0
	add := func(trial results.Trial) {
		position++
		trial.Kind, trial.Position, trial.Started = results.KindTrial, position, began.Add(time.Duration(position)*time.Second)
		if err := w.Append(trial); err != nil {
			t.Fatal(err)
		}
	}
	for round := 1; round <= 6; round++ {
		for i, target := range run.Targets {
			for _, n := range []int{50, 400} {
				add(trialOf(target.Name, round, i, n, false))
			}
			add(trialOf(target.Name, round, i, 64, true))
		}
	}
	for i, target := range run.Targets {
		add(results.Trial{Scenario: "churn", Target: target.Name, Round: 1, Skipped: hostile})
		path := filepath.Join("profiles", fmt.Sprintf("p%d.pb.gz", i))
		writeProfile(t, filepath.Join(w.Dir(), path), i)
		trial := trialOf(target.Name, 1, i, 50, false)
		trial.Role = results.RoleProfiled
		trial.Profiles = []results.Profile{{Kind: results.ProfileCPU, Path: path, Event: "cpu-clock", Samples: 1000, Elapsed: time.Second}}
		add(trial)
	}
	if err := w.End(results.End{Ended: began.Add(time.Hour), Elapsed: time.Hour, Trials: position}); err != nil {
		t.Fatal(err)
	}
	rec, err := results.Read(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// trialOf is one round of target number i.
func trialOf(target string, round, i, connections int, open bool) results.Trial {
	second := time.Second
	requests := uint64(40000 - 7000*i + 100*round)
	mean := time.Duration(connections) * second / time.Duration(requests)
	t := results.Trial{Scenario: "connections", Case: fmt.Sprintf("connections=%d", connections), Target: target, Round: round, Placement: results.PlacementOne,
		Load: &results.Load{Generator: "corelab", Command: []string{"corelab", "load", "--connections", fmt.Sprint(connections)}, Loop: results.LoopClosed,
			Connections: connections, Depth: 1, Elapsed: second, Requests: requests, Latency: latencyOf(mean)},
		Server:  &results.Usage{Elapsed: second, CPU: time.Duration(400+30*i+round) * time.Millisecond, User: 120 * time.Millisecond, System: 280 * time.Millisecond, RSSKiB: 9000, Affinity: "0"},
		Client:  &results.Usage{Elapsed: second, CPU: 500 * time.Millisecond, Affinity: "0"},
		Machine: &results.Machine{},
	}
	if open {
		t.Scenario, t.Case = "latency", ""
		t.Load.Loop, t.Load.Rate, t.Load.Arrival = results.LoopOpen, float64(requests), "poisson"
	}
	c := &results.Course{}
	for n := 1; n <= 10; n++ {
		c.Ends = append(c.Ends, time.Duration(n)*second/10)
		c.Answered = append(c.Answered, requests/10+uint64(n*i))
		c.Server = append(c.Server, 40*time.Millisecond)
		c.Client = append(c.Client, 50*time.Millisecond)
	}
	t.Load.Course = c
	return t
}

// latencyOf is a distribution around a mean, with its histogram.
func latencyOf(mean time.Duration) *results.Latency {
	h := hdrhistogram.New(1, int64(time.Hour), 3)
	for n := range 20000 {
		h.RecordValue(int64(float64(mean) * (0.5 + math.Pow(float64(n%1000)/630, 2))))
	}
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		panic("page: encode a histogram: " + err.Error())
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return &results.Latency{Count: uint64(h.TotalCount()), Mean: mean, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: time.Duration(h.Max()), HDR: string(b)}
}

// writeProfile writes a profile of some stacks; i makes it differ from others.
func writeProfile(t testing.TB, path string, i int) {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}, PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1}
	kernel := &profile.Mapping{ID: 1, File: "[kernel.kallsyms]"}
	user := &profile.Mapping{ID: 2, File: "/srv/bin/coreserver"}
	p.Mapping = []*profile.Mapping{kernel, user}
	locations := map[string]*profile.Location{}
	location := func(name string, m *profile.Mapping) *profile.Location {
		if l := locations[name]; l != nil {
			return l
		}
		f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
		l := &profile.Location{ID: f.ID, Mapping: m, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		locations[name] = l
		return l
	}
	for _, s := range []struct {
		ms   int64
		user []string
		kern []string
	}{
		{100 + 20*int64(i), []string{"corelab/servers.(*reactor).run", "corelab/httpcore.(*Conn).Feed"}, nil},
		{500, []string{"corelab/servers.(*reactor).run", "corelab/servers.write"}, []string{"do_syscall_64", "ksys_write", "tcp_sendmsg"}},
		{200, []string{"corelab/servers.(*reactor).run", hostile}, nil},
		{120, []string{"runtime.mcall", "runtime.schedule"}, nil},
	} {
		sample := &profile.Sample{Value: []int64{s.ms, s.ms * int64(time.Millisecond)}}
		stack := []*profile.Location{location("coreserver", nil)}
		for _, name := range s.user {
			stack = append(stack, location(name, user))
		}
		for _, name := range s.kern {
			stack = append(stack, location(name, kernel))
		}
		for k := len(stack) - 1; k >= 0; k-- {
			sample.Location = append(sample.Location, stack[k])
		}
		p.Sample = append(p.Sample, sample)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
