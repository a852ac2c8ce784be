package results

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// plan is a synthetic history: what each run found, and how it was made.
type historyPlan struct {
	seed   uint64
	runs   int
	rounds int
	noise  float64                  // between runs, as a part
	cost   func(run int) float64    // of the core, ÷ nginx's
	speed  func(run int) float64    // of the machine: what everything costs, times
	client func(run int) float64    // what the core's requests cost the generator, times
	change func(run int, r *Record) // the last word
}

func steady(int) float64 { return 1 }

// records makes the plan's runs, an hour apart, each of a commit of its own.
func (p historyPlan) records() []*Record {
	for _, f := range []*func(int) float64{&p.cost, &p.speed, &p.client} {
		if *f == nil {
			*f = steady
		}
	}
	if p.rounds == 0 {
		p.rounds = 10
	}
	rng := rand.New(rand.NewPCG(p.seed, 1))
	around := func(v, spread float64) float64 { return v * math.Exp(spread*rng.NormFloat64()) }
	began := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	var all []*Record
	for i := range p.runs {
		started := began.Add(time.Duration(i) * time.Hour)
		r := &Record{End: &End{Kind: KindEnd}, Run: Run{Kind: KindRun, Schema: Schema, ID: started.Format("20060102-150405") + "-bench", Started: started,
			Commit: fmt.Sprintf("%012x", 0xc0ffee000000+i),
			Host:   Host{Hostname: "vm", Kernel: "6.18.1", CPU: "AMD EPYC", CPUs: 2, MemoryKiB: 24 << 20, GoVersion: "go1.26.8"},
			Tools:  map[string]string{"nginx": "nginx version: nginx/1.22.1"},
			Scenarios: []Scenario{{Name: "plaintext",
				Load: "GET /plaintext, closed loop, 64 connections, placement one, by corelab"}},
			Targets: []Target{{Name: "reactor", Kind: "core", Command: []string{"bin/coreserver", "--core", "reactor"}},
				{Name: "nginx", Kind: "peer", Command: []string{"nginx"}, Config: "worker_processes 1;"}},
		}}
		cost := around(p.cost(i), p.noise)
		for round := 1; round <= p.rounds; round++ {
			speed := around(p.speed(i), 0.05) // all of a round
			r.Trials = append(r.Trials,
				historyTrial("reactor", round, started, speed*around(cost*7000, 0.003), speed*p.client(i)*around(8000, 0.002)),
				historyTrial("nginx", round, started, speed*around(7000, 0.003), speed*around(8000, 0.002)))
		}
		if p.change != nil {
			p.change(i, r)
		}
		all = append(all, r)
	}
	return all
}

// historyTrial is a second of a closed loop in which a request costs the server and the generator so many nanoseconds.
func historyTrial(target string, round int, started time.Time, server, client float64) Trial {
	n := uint64(1e9 / (server + client))
	mean := time.Duration(64e9 / n)
	return Trial{Kind: KindTrial, Scenario: "plaintext", Target: target, Round: round, Position: round, Placement: PlacementOne, Started: started,
		Load: &Load{Generator: "corelab", Command: []string{"corelab", "load", "http://127.0.0.1:1234/plaintext", "-c", "64", "-d", "1s"}, Loop: LoopClosed,
			Connections: 64, Depth: 1, Elapsed: time.Second, Requests: n,
			Latency: &Latency{Count: n, Mean: mean, P50: mean, P90: mean, P99: 2 * mean, P999: 3 * mean, Max: 4 * mean}},
		Server: &Usage{Elapsed: time.Second, CPU: time.Duration(float64(n) * server), Affinity: "0", RSSKiB: 6000},
		Client: &Usage{Elapsed: time.Second, CPU: time.Duration(float64(n) * client), Affinity: "0"}}
}

func samplesOf(records []*Record, ask HistoryAsk) (samples []HistorySample) {
	for _, r := range records {
		samples = append(samples, Samples(r, ask)...)
	}
	return samples
}

func askFor(figure string) HistoryAsk {
	at := slices.IndexFunc(HistoryFigures, func(f HistoryFigure) bool { return f.Name == figure })
	return HistoryAsk{Figure: HistoryFigures[at]}
}

// theLine is the only line of the plan's history.
func (p historyPlan) theLine(t *testing.T, ask HistoryAsk) *HistoryLine {
	t.Helper()
	h := NewHistory(samplesOf(p.records(), ask), ask)
	if len(h.Lines) != 1 || len(h.Lines[0].Points) != p.runs || h.Runs != p.runs {
		t.Fatalf("%d lines, %d runs; want one line of %d", len(h.Lines), h.Runs, p.runs)
	}
	return h.Lines[0]
}

// from is a value that changes at a run.
func from(run int, before, after float64) func(int) float64 {
	return func(i int) float64 {
		if i < run {
			return before
		}
		return after
	}
}

// only is a value of one run alone.
func only(run int, others, it float64) func(int) float64 {
	return func(i int) float64 {
		if i == run {
			return it
		}
		return others
	}
}

// repeated has the first runs be of one commit, so that the noise between runs can be measured.
func repeated(runs int) func(int, *Record) {
	return func(i int, r *Record) {
		if i < runs {
			r.Run.Commit = "beefbeefbeef"
		}
	}
}

// flags are the flagged points by number, as in "6 changed".
func (l *HistoryLine) flags() (flags []string) {
	for i, p := range l.Points {
		if p.Flag != "" {
			flags = append(flags, fmt.Sprintf("%d %s", i, p.Flag))
		}
	}
	return flags
}

func TestHistoryFlags(t *testing.T) {
	// A machine that changes its speed by a fifth, back and forth.
	drift := func(i int) float64 { return 1 + 0.2*math.Sin(float64(i)) }
	tests := []struct {
		name  string
		plan  historyPlan
		flags []string
		creep bool
	}{
		{"nothing", historyPlan{noise: 0.004, change: repeated(6)}, nil, false},
		{"a step", historyPlan{noise: 0.004, cost: from(7, 1, 0.96), speed: drift, change: repeated(6)}, []string{"7 changed"}, false},
		{"a step of which the noise is not known", historyPlan{noise: 0.004, cost: from(7, 1, 1.06)}, []string{"7 changed"}, false},
		{"a step within what is taken for noise", historyPlan{noise: 0.004, cost: from(7, 1, 1.02)}, nil, false},
		{"two steps", historyPlan{noise: 0.004, cost: func(i int) float64 { return from(5, 1, 1.08)(i) * from(9, 1, 0.9)(i) }, change: repeated(5)},
			[]string{"5 changed", "9 changed"}, false},
		{"once", historyPlan{noise: 0.004, cost: only(7, 1, 1.1), change: repeated(6)}, []string{"7 once"}, false},
		{"a step, behind a run that stands alone", historyPlan{noise: 0.004, cost: func(i int) float64 { return only(6, 1, 1.1)(i) * from(9, 1, 0.9)(i) }, change: repeated(6)},
			[]string{"6 once", "9 changed"}, false},
		{"the last run", historyPlan{noise: 0.004, cost: from(11, 1, 0.9), change: repeated(6)}, []string{"11 new"}, false},
		{"the second run", historyPlan{noise: 0.004, cost: from(1, 1, 0.9)}, []string{"1 changed"}, false},
		{"slowly", historyPlan{noise: 0.0005, cost: func(i int) float64 { return 1 + 0.006*float64(i) }}, nil, true},
		{"a drifting machine", historyPlan{noise: 0.004, speed: drift}, nil, false},
		{"a generator that changed", historyPlan{noise: 0.002, client: from(7, 1, 1.08), change: repeated(6)}, nil, false},
		{"of two commits", historyPlan{noise: 0.004, cost: only(7, 1, 2), change: func(_ int, r *Record) {
			r.Parts = []Part{{GoOn: GoOn{Commit: "fade"}}}
		}}, nil, false},
		{"too few rounds", historyPlan{noise: 0.004, rounds: 5, cost: from(7, 1, 2)}, nil, false},
		{"noise as large as the step", historyPlan{noise: 0.05, cost: from(7, 1, 1.05), change: repeated(6)}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.plan.runs, test.plan.seed = 12, 7
			l := test.plan.theLine(t, askFor("cost"))
			if got := l.flags(); !slices.Equal(got, test.flags) || (len(l.Creeps) > 0) != test.creep {
				t.Errorf("flags %q, creeps %v, noise %+v; want %q, %v", got, l.Creeps, l.Noise, test.flags, test.creep)
			}
		})
	}
}

// A planted step is found with the truth in its interval, and noise alone is seldom taken for one.
func TestHistoryTellsNoiseFromSteps(t *testing.T) {
	const seeds = 200
	found, covered, again, invented := 0, 0, 0, 0
	for seed := range uint64(seeds) {
		l := historyPlan{seed: seed, runs: 16, noise: 0.005, cost: from(10, 1, 0.95), change: repeated(8)}.theLine(t, askFor("cost"))
		for _, s := range l.Steps {
			switch {
			case s.Flag == HistoryChanged && s.To == l.Points[10].Run:
				found++
				if s.Lo <= 0.95 && 0.95 <= s.Hi {
					covered++
				}
				if s.OldCommit != l.Points[9].Commit || s.NewCommit != l.Points[10].Commit || s.Verdict != historyBetter {
					t.Errorf("seed %d: %+v", seed, s)
				}
			case s.Flag == HistoryChanged:
				again++
			}
		}
		l = historyPlan{seed: seed, runs: 16, noise: 0.005, change: repeated(8)}.theLine(t, askFor("cost"))
		for _, s := range l.Steps {
			if s.Flag == HistoryChanged {
				invented++
			}
		}
	}
	t.Logf("of %d: %d found, %d with the truth in the interval, %d steps beside it, %d without any", seeds, found, covered, again, invented)
	if found < seeds*95/100 || covered < found*98/100 || again > seeds*2/100 || invented > seeds*2/100 {
		t.Error("too many are missed, or invented")
	}
}

// What is not alike never stands in one line.
func TestHistoryLines(t *testing.T) {
	every := func(change func(l *Load)) func(*Record) {
		return func(r *Record) {
			for i := range r.Trials {
				load := *r.Trials[i].Load
				change(&load)
				r.Trials[i].Load = &load
			}
		}
	}
	command := func(more ...string) func(*Record) {
		return every(func(l *Load) { l.Command = slices.Concat(l.Command, more, []string{"--seed", "1"}) })
	}
	rate := func(rate float64, words string) func(*Record) {
		return func(r *Record) {
			every(func(l *Load) { l.Loop, l.Rate, l.Arrival = LoopOpen, rate, "poisson" })(r)
			r.Run.Scenarios[0].Load = words
		}
	}
	tests := []struct {
		name   string
		change func(*Record)
		same   bool
		any    bool
	}{
		{"nothing", func(*Record) {}, true, false},
		{"another CPU", func(r *Record) { r.Run.Host.CPU = "Xeon" }, false, true},
		{"more CPUs", func(r *Record) { r.Run.Host.CPUs = 4 }, false, true},
		{"more memory", func(r *Record) { r.Run.Host.MemoryKiB *= 2 }, false, false},
		{"memory, as another kernel counts it", func(r *Record) { r.Run.Host.MemoryKiB -= 40 << 10 }, true, false},
		{"another host", func(r *Record) { r.Run.Host.Hostname = "other" }, false, false},
		{"another name of it", func(r *Record) { r.Run.Host.Hostname = "other" }, true, true},
		{"another kernel", func(r *Record) { r.Run.Host.Kernel = "6.19.0" }, true, false},
		{"more connections", every(func(l *Load) { l.Connections = 128 }), false, false},
		{"pipelined", every(func(l *Load) { l.Depth = 16 }), false, false},
		{"a new connection for each", every(func(l *Load) { l.Reconnect = true }), false, false},
		{"another generator", every(func(l *Load) { l.Generator = "wrk" }), false, false},
		{"another port", every(func(l *Load) { l.Command = []string{"corelab", "load", "http://127.0.0.1:9/plaintext"} }), true, false},
		{"another path", every(func(l *Load) { l.Command = []string{"corelab", "load", "http://127.0.0.1:9/json"} }), false, false},
		{"a header", command("-H", "Cookie: x"), false, false},
		{"a method", command("-m", "POST"), false, false},
		{"idle connections", command("--idle", "1000"), false, false},
		{"another duration", command("-d", "5s"), true, false},
		{"an open loop", rate(2000, "GET /plaintext, open loop at 2000 requests/s"), false, false},
		{"another placement", func(r *Record) {
			for i := range r.Trials {
				r.Trials[i].Placement = PlacementSplit
			}
		}, false, false},
		{"no reference", func(r *Record) {
			r.Trials = slices.DeleteFunc(r.Trials, func(t Trial) bool { return t.Target == ReferenceTarget })
		}, false, false},
		{"another case", func(r *Record) {
			for i := range r.Trials {
				r.Trials[i].Case = "connections=64"
			}
		}, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records := historyPlan{runs: 2}.records()
			test.change(records[1])
			ask := askFor("cost")
			ask.AnyHost = test.any
			h := NewHistory(samplesOf(records, ask), ask)
			if got := len(h.Lines) == 1; got != test.same || h.Runs != 2 {
				t.Errorf("%d lines of %d runs", len(h.Lines), h.Runs)
			}
			if renamed := test.name == "another host"; h.Renamed != renamed {
				t.Errorf("differ in the host's name alone: %v", h.Renamed)
			}
		})
	}
	t.Run("rates", func(t *testing.T) {
		records := historyPlan{runs: 4}.records()
		rate(2000, "GET /plaintext, open loop at 2000 requests/s")(records[0])
		rate(3000, "GET /plaintext, open loop at 3000 requests/s")(records[1])
		rate(2000, "GET /plaintext, open loop at 50 % of each target's own ceiling")(records[2])
		rate(3000, "GET /plaintext, open loop at 50 % of each target's own ceiling")(records[3])
		ask := askFor("cost")
		if h := NewHistory(samplesOf(records, ask), ask); len(h.Lines) != 3 {
			t.Errorf("%d lines; want one for each absolute rate, and one for the part of a ceiling", len(h.Lines))
		}
	})
}

func TestHistoryAsk(t *testing.T) {
	records := historyPlan{runs: 3}.records()
	for name, test := range map[string]struct {
		change func(*HistoryAsk)
		points []int
	}{
		"all":            {func(*HistoryAsk) {}, []int{3}},
		"since":          {func(a *HistoryAsk) { a.Since = records[1].Run.Started }, []int{2}},
		"since tomorrow": {func(a *HistoryAsk) { a.Since = records[2].Run.Started.Add(1) }, nil},
		"scenario":       {func(a *HistoryAsk) { a.Scenarios = []string{"json", "plaintext"} }, []int{3}},
		"another":        {func(a *HistoryAsk) { a.Scenarios = []string{"json"} }, nil},
		"case":           {func(a *HistoryAsk) { a.Cases = []string{"x"} }, nil},
		"target":         {func(a *HistoryAsk) { a.Targets = []string{"epoll"} }, nil},
		"nginx too":      {func(a *HistoryAsk) { a.Targets = []string{"nginx", "reactor"} }, []int{3, 3}},
		"throughput":     {func(a *HistoryAsk) { a.Figure = askFor("throughput").Figure }, []int{3}},
		"no such figure": {func(a *HistoryAsk) { a.Figure = askFor("allocs").Figure }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ask := askFor("cost")
			test.change(&ask)
			root := t.TempDir()
			var samples []HistorySample
			for _, r := range records {
				read, err := ReadSamples(writeRun(t, root, r), ask)
				if err != nil {
					t.Fatal(err)
				}
				samples = append(samples, read...)
			}
			var points []int
			for _, l := range NewHistory(samples, ask).Lines {
				points = append(points, len(l.Points))
			}
			if !slices.Equal(points, test.points) {
				t.Errorf("points by line: %v, want %v", points, test.points)
			}
		})
	}
}

// writeRun writes a record into a folder below root, and returns the folder.
func writeRun(t testing.TB, root string, r *Record) string {
	t.Helper()
	dir := filepath.Join(root, r.Run.ID)
	f, err := os.Create(filepath.Join(mkdir(t, dir), RunFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := WriteSlim(f, r); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mkdir(t testing.TB, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadSamplesOfDamagedRuns(t *testing.T) {
	ask := askFor("cost")
	ask.Scenarios = []string{"plaintext"}
	whole := historyPlan{runs: 1}.records()[0]
	dir := writeRun(t, t.TempDir(), whole)
	path := filepath.Join(dir, RunFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	killed := strings.Join(lines[:len(lines)-3], "") + lines[len(lines)-3][:100]
	for name, test := range map[string]struct{ text, err, mark string }{
		"killed in mid-write": {killed, "", "not whole: the run was killed"},
		"newer schema":        {strings.Replace(string(text), fmt.Sprintf(`"schema":%d`, Schema), `"schema":99`, 1), "schema 99", ""},
		"empty":               {"", "the file is empty", ""},
		"no record":           {"<html>\n", "invalid character", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(test.text), 0o666); err != nil {
				t.Fatal(err)
			}
			samples, err := ReadSamples(dir, ask)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), path) {
					t.Errorf("error %v, want one with %q and the path", err, test.err)
				}
				return
			}
			if err != nil || len(samples) != 1 || !strings.Contains(strings.Join(samples[0].point.Marks, " "), test.mark) {
				t.Errorf("%+v, %v", samples, err)
			}
		})
	}
	if _, err := ReadSamples(t.TempDir(), ask); err == nil {
		t.Error("a folder without a record is read")
	}
}

func TestHistoryMarks(t *testing.T) {
	records := historyPlan{runs: 3, change: func(i int, r *Record) {
		if i == 1 {
			r.Run.Host.Kernel, r.Run.Host.GoVersion = "6.19.0", "go1.27.0"
			r.Run.Tools["nginx"] = "nginx version: nginx/1.28.0"
			r.Run.Targets[1].Config = "worker_processes 2;"
			r.Run.Targets[0].Command = append(r.Run.Targets[0].Command, "--limit-pipelined", "8")
			r.Run.Host.Sysctl = map[string]string{"net.core.somaxconn": "128"}
		}
		if i == 2 {
			r.Run.Host.Sysctl = map[string]string{"net.core.somaxconn": "4096"}
		}
	}}.records()
	ask := askFor("cost")
	l := NewHistory(samplesOf(records, ask), ask).Lines[0]
	want := []string{"Go go1.26.8 → go1.27.0", "configuration of nginx changed", "its command line --core reactor → --core reactor --limit-pipelined 8",
		"kernel 6.18.1 → 6.19.0", "nginx nginx version: nginx/1.22.1 → nginx version: nginx/1.28.0"}
	if got := l.Points[1].Marks; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := l.Points[2].Marks; !slices.Contains(got, "net.core.somaxconn 128 → 4096") || len(l.Points[0].Marks) > 0 {
		t.Errorf("got %q and %q", l.Points[0].Marks, got)
	}
}

// A revision's row has a name that may mean another commit in each run.
func TestHistoryOfRevisions(t *testing.T) {
	records := historyPlan{runs: 2, change: func(i int, r *Record) {
		t := &r.Run.Targets[0]
		t.Name, t.Version = "git:HEAD:epoll --x 1", fmt.Sprintf("commit %012x, go1.26.8", 0xabc+i)
		t.Command = []string{"coreserver", "--core", "epoll", "--x", "1"}
		for j := range r.Trials {
			if r.Trials[j].Target == "reactor" {
				r.Trials[j].Target = t.Name
			}
		}
	}}.records()
	ask := askFor("cost")
	h := NewHistory(samplesOf(records, ask), ask)
	if len(h.Lines) != 2 || h.Lines[0].Target != "git:000000000abc:epoll --x 1" || h.Lines[0].Points[0].Commit != "000000000abc" {
		t.Errorf("%+v", h.Lines)
	}
}

func TestStudentQuantile(t *testing.T) {
	for dof, want := range map[int]float64{4: 4.604, 5: 4.032, 6: 3.707, 8: 3.355, 10: 3.169, 20: 2.845, 60: 2.660, 100000: 2.576} {
		if got := studentQuantile995(dof); math.Abs(got/want-1) > 0.02 {
			t.Errorf("%d degrees of freedom: %.3f, want %.3f", dof, got, want)
		}
	}
}

// planted is a history with one of each: a machine that changes its name, repeated runs, a step, a run that stands alone, a
// dirty commit, a new kernel, a killed run, a load that differs.
func plantedHistory(ask HistoryAsk) *History {
	records := historyPlan{seed: 3, runs: 14, noise: 0.004, cost: func(i int) float64 { return 0.95 * from(8, 1, 0.96)(i) * only(5, 1, 1.08)(i) * from(13, 1, 1.1)(i) },
		change: func(i int, r *Record) {
			repeated(5)(i, r)
			switch i {
			case 6:
				r.Run.Commit += "+dirty"
			case 8:
				r.Run.Host.Kernel = "6.18.44"
			case 10:
				r.End = nil
			case 11:
				for j := range r.Trials {
					r.Trials[j].Load.Connections = 800
					r.Trials[j].Load.Latency.Mean = r.Trials[j].Load.Latency.Mean * 800 / 64
				}
			case 12:
				r.Trials[3].Load.Errors.Body = 3
			}
			if i > 8 {
				r.Run.Host.Kernel = "6.18.44"
			}
		}}.records()
	h := NewHistory(samplesOf(records, ask), ask)
	h.Skipped = []string{"results/x: the record has schema 99"}
	for _, l := range h.Lines {
		for i := range l.Steps {
			if s := &l.Steps[i]; s.Flag == HistoryChanged {
				s.Suspects = []HistoryCommit{{"c0ffee000008", "servers: one system call less"}, {"c0ffee000007", "httpcore: a table for the methods"}}
				s.Note = "3 other commits between them touch nothing that coreserver is made of"
				s.Compare = "corelab compare git:c0ffee000007 git:c0ffee000008"
			}
		}
	}
	return h
}

func TestHistoryGoldens(t *testing.T) {
	h := plantedHistory(askFor("cost"))
	golden(t, "history.txt", []byte(HistoryText(h, 120, false, 0)))
	golden(t, "history-80-last-4.txt", []byte(HistoryText(h, 80, true, 4)))
	ask := askFor("throughput")
	ask.Absolute = true
	golden(t, "history-absolute.txt", []byte(HistoryText(plantedHistory(ask), 120, false, 4)))
	svg, err := HistoryPlot(h)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "history.svg", svg)
	text, err := json.MarshalIndent(h.Lines[0].Steps, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "history-steps.json", append(text, '\n'))
}

func TestHistoryOfOneRun(t *testing.T) {
	ask := askFor("cost")
	h := NewHistory(samplesOf(historyPlan{runs: 1}.records(), ask), ask)
	if text := HistoryText(h, 100, false, 20); !strings.Contains(text, "there is nothing to compare yet") {
		t.Error(text)
	}
	if _, err := HistoryPlot(h); err != nil {
		t.Error(err)
	}
	if _, err := HistoryPlot(&History{}); err == nil {
		t.Error("a picture of nothing is drawn")
	}
	if _, err := json.Marshal(h); err != nil {
		t.Error(err)
	}
}

// The same run, read from two places, is one point.
func TestHistoryReadsARunOnce(t *testing.T) {
	records := historyPlan{runs: 2}.records()
	ask := askFor("cost")
	if h := NewHistory(samplesOf(append(records, records...), ask), ask); len(h.Lines) != 1 || len(h.Lines[0].Points) != 2 {
		t.Errorf("%+v", h.Lines)
	}
}

func BenchmarkReadSamples(b *testing.B) {
	ask := askFor("cost")
	for _, scenarios := range [][]string{{"plaintext"}, nil} {
		b.Run(fmt.Sprintf("%d scenarios", len(scenarios)), func(b *testing.B) {
			ask.Scenarios = scenarios
			for b.Loop() {
				if _, err := ReadSamples("reference/bench", ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
