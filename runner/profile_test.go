package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"corelab/results"
	"corelab/runner/probe"
)

// profiledSteps are the plan's, which must be its last.
func profiledSteps(t *testing.T, p *Plan) (out []Step) {
	t.Helper()
	for _, s := range p.Steps() {
		switch {
		case s.Role == results.RoleProfiled:
			out = append(out, s)
		case out != nil:
			t.Errorf("%s %s stands behind what is profiled", s.Scenario.Name, s.Target)
		}
	}
	return out
}

// threeScenarios are two with a closed loop, one of which has several cases, and one that offers a rate.
func threeScenarios(t *testing.T, ask Ask) *Plan {
	t.Helper()
	chosen := slices.DeleteFunc(everything(t), func(s *Scenario) bool {
		return !slices.Contains([]string{"plaintext", "connections", "latency"}, s.Name)
	})
	p, err := NewPlan(chosen, field, ask)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProfiledSteps(t *testing.T) {
	for _, test := range []struct {
		name string
		ask  Ask
		want map[string]int // trials, by case
	}{
		{"the first case of each closed loop, and every target that takes part", Ask{Calls: true, Profile: true},
			map[string]int{"plaintext ": 9, "connections connections=50": 9}},
		{"the cases that were named", Ask{Profile: true, Cases: []string{"connections=50", "connections=800"}, Profiled: []string{"reactor"}},
			map[string]int{"plaintext ": 1, "connections connections=50": 1, "connections connections=800": 1}},
		{"two targets, for longer than there is time", Ask{Profile: true, Sampling: time.Hour, Profiled: []string{"pool", "epoll"}},
			map[string]int{"plaintext ": 2, "connections connections=50": 2}},
		{"nothing can be", Ask{Profile: true, Profiled: []string{}}, map[string]int{}},
		{"nobody asks", Ask{Calls: true}, map[string]int{}},
	} {
		test.ask.WarmUp = -1
		got := map[string]int{}
		for _, s := range profiledSteps(t, threeScenarios(t, test.ask)) {
			got[s.Scenario.Name+" "+s.Case.Name]++
			want := ProfileTime
			if test.ask.Sampling > 0 {
				want = MaxProfile
			}
			if s.Generator != ByCorelab || s.Round != 1 || s.Duration != want || s.Skipped != "" {
				t.Errorf("%s: %+v", test.name, s)
			}
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", test.name, got, test.want)
		}
	}
}

// A plan for a single target's sake has no trials to hold the lab itself against.
func TestSingle(t *testing.T) {
	for _, s := range threeScenarios(t, Ask{WarmUp: -1, Single: true}).Steps() {
		if s.Role == results.RoleAA || s.Role == results.RoleSecond {
			t.Errorf("%+v", s.Cell)
		}
	}
}

// A plan that is too long loses the profiles of all but one scenario before any trial is shortened, and those last of all but
// the scenarios themselves.
func TestFitProfiles(t *testing.T) {
	ask := Ask{Plan: "standard", Seed: 1, WarmUp: -1, Calls: true, Profile: true}
	scenarios := func(budget time.Duration) (out []string, p *Plan) {
		p = threeScenarios(t, ask)
		if err := p.Fit(budget); err != nil {
			t.Fatalf("%v: %v", budget, err)
		}
		if got := p.Estimate(); got > budget || got != total(p.Steps()) {
			t.Errorf("in %v the plan takes %v, its steps %v", budget, got, total(p.Steps()))
		}
		for _, s := range profiledSteps(t, p) {
			if !slices.Contains(out, s.Scenario.Name) {
				out = append(out, s.Scenario.Name)
			}
		}
		return out, p
	}
	if got, p := scenarios(threeScenarios(t, ask).Estimate()); len(got) != 2 || len(p.Notes) != 0 {
		t.Errorf("in a plan with time for all, %v are profiled, and it notes %q", got, p.Notes)
	}
	got, p := scenarios(5 * time.Minute)
	if !slices.Equal(got, []string{"plaintext"}) {
		t.Errorf("in five minutes %v are profiled", got)
	}
	golden(t, "plan-profiled.golden", p.Describe())
	if got, p := scenarios(time.Minute); got != nil || !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "not profiled") }) {
		t.Errorf("in a minute %v are profiled, and the plan notes %q", got, p.Notes)
	}
}

func TestRestOfProfiled(t *testing.T) {
	ask := Ask{Plan: "smoke", Seed: 7, WarmUp: -1, Profile: true, Profiled: []string{"reactor"}}
	p := threeScenarios(t, ask)
	steps := p.Steps()
	rest, err := p.Rest(recorded(p, len(steps)-1))
	if err != nil || len(rest.Steps) != 1 || rest.Steps[0].Role != results.RoleProfiled {
		t.Errorf("%+v, %v", rest, err)
	}
	ask.Profile = false
	if _, err := threeScenarios(t, ask).Rest(recorded(p, len(steps))); err == nil {
		t.Error("a plan that profiles nothing has trials that were profiled")
	}
}

// perfFake is a profiler whose recordings end at once.
type perfFake struct {
	t       *testing.T
	log     *[]string
	name    string
	err     error // of the recording
	held    error // of its begin
	readErr error // of the end
	samples uint64
	stopped int
}

func (f *perfFake) record(_ context.Context, spec probe.RecordSpec) (recording, error) {
	*f.log = append(*f.log, fmt.Sprintf("%s for %v", f.name, spec.Bound))
	if !spec.Held {
		f.t.Errorf("%s does not wait for its turn", f.name)
	}
	if f.err != nil {
		return nil, f.err
	}
	return f, nil
}

func (f *perfFake) Begin() error {
	*f.log = append(*f.log, f.name)
	return f.held
}

func (f *perfFake) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (f *perfFake) Stop(ctx context.Context) (*probe.Sampled, *probe.WakeUps, error) {
	if f.stopped++; f.stopped > 1 {
		f.t.Errorf("%s is stopped twice", f.name)
	}
	*f.log = append(*f.log, "read "+f.name)
	if err := errors.Join(ctx.Err(), f.readErr); err != nil {
		return nil, nil, err
	}
	return &probe.Sampled{Profile: someProfile("samples", int64(f.samples)), Event: f.name + "-event", Rate: 99, Elapsed: time.Second, Samples: f.samples, Others: 3,
		Missing: []results.Missing{{Figure: "idle", Reason: "unseen"}}}, &probe.WakeUps{}, nil
}

func someProfile(unit string, n int64) *profile.Profile {
	f := &profile.Function{ID: 1, Name: "reactor"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
	return &profile.Profile{SampleType: []*profile.ValueType{{Type: unit, Unit: "count"}}, Function: []*profile.Function{f}, Location: []*profile.Location{l},
		Sample: []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{n}}}}
}

// ownFake is a server that profiles itself until its load ends, which is when it has begun to.
type ownFake struct {
	log  *[]string
	end  func()
	lack string // a kind that it has not
	err  error
}

func (f *ownFake) BeginProfiles(context.Context) error {
	*f.log = append(*f.log, "own")
	f.end()
	return f.err
}

func (f *ownFake) EndProfiles(context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	for i, kind := range ownKinds {
		var b bytes.Buffer
		if err := someProfile("n", int64(i+1)).Write(&b); err != nil {
			return nil, err
		}
		all[kind] = b.Bytes()
	}
	delete(all, f.lack)
	return all, nil
}

func TestProfilersTakeTurns(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(p *profiling, cpu, sched *perfFake, own *ownFake)
		late   bool              // the window is nearly over when it begins
		log    string            // of what was done, in order
		lacks  map[string]string // the begins of reasons, by figure
	}{
		{name: "all", log: "cpu for 3s, sched for 300ms, cpu, sched, own, read cpu, read sched",
			lacks: map[string]string{"run_queue": "no thread"}},
		{name: "a peer without tracepoints", change: func(p *profiling, _, _ *perfFake, _ *ownFake) {
			p.can = profilers{sched: errors.New("no tracepoints")}
		}, log: "cpu for 3s, cpu, read cpu", lacks: map[string]string{"profiles.off-cpu": "no tracepoints", "run_queue": "no tracepoints"}},
		{name: "no perf", change: func(p *profiling, _, _ *perfFake, _ *ownFake) {
			p.can = profilers{cpu: errors.New("no perf"), sched: errors.New("no perf"), own: true}
		}, log: "own", lacks: map[string]string{"profiles.cpu": "no perf", "profiles.off-cpu": "no perf", "run_queue": "no perf"}},
		{name: "perf fails", change: func(_ *profiling, cpu, sched *perfFake, own *ownFake) {
			cpu.err, sched.readErr, own.lack = errors.New("it broke"), errors.New("it is torn"), results.ProfileMutex
		}, log: "cpu for 3s, sched for 300ms, sched, own, read sched",
			lacks: map[string]string{"profiles.cpu": "it broke", "profiles.off-cpu": "it is torn", "run_queue": "it is torn", "profiles.go-mutex": "the server hands out no"}},
		{name: "a turn that cannot begin", change: func(p *profiling, _, sched *perfFake, _ *ownFake) {
			p.can.own, sched.held = false, errors.New("it is gone")
		}, log: "cpu for 3s, sched for 300ms, cpu, sched, read cpu", lacks: map[string]string{"profiles.off-cpu": "it is gone", "run_queue": "it is gone"}},
		{name: "nothing was seen", change: func(p *profiling, cpu, _ *perfFake, own *ownFake) {
			cpu.samples, own.err = 0, errors.New("it is of another time")
		}, log: "cpu for 3s, sched for 300ms, cpu, sched, own, read cpu, read sched",
			lacks: map[string]string{"profiles.cpu": "perf saw nothing", "run_queue": "no thread", "profiles.go-cpu": "it is of", "profiles.go-heap": "it is of",
				"profiles.go-block": "it is of", "profiles.go-mutex": "it is of", "profiles.go-goroutine": "it is of"}},
		{name: "perf begins late", late: true, log: "cpu for 3s, sched for 300ms, cpu, sched, own",
			lacks: map[string]string{"profiles.cpu": "perf began to record", "profiles.off-cpu": "perf began to record", "run_queue": "perf began to record"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log []string
			window, end := context.WithCancel(t.Context())
			defer end()
			cpu, sched := &perfFake{t: t, log: &log, name: "cpu", samples: 7}, &perfFake{t: t, log: &log, name: "sched", samples: 5}
			own := &ownFake{log: &log, end: end}
			p := &profiling{can: profilers{own: true}, sampling: ProfileTime, cpu: cpu.record, sched: sched.record, server: own, started: time.Now()}
			if test.change != nil {
				test.change(p, cpu, sched, own)
			}
			begin, length := time.Now(), time.Hour
			if test.late {
				length = time.Millisecond
			}
			p.prepare(t.Context())
			p.watch(t.Context(), window, begin, begin.Add(length))
			trial := results.Trial{}
			kept := map[string]bool{}
			p.settle(t.Context(), &trial, func(kind string, b []byte) (string, error) {
				if _, err := profile.ParseData(b); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				kept[kind] = true
				return "profiles/" + kind, nil
			})
			read := slices.Clone(log)
			p.close()
			if got := strings.Join(read, ", "); got != test.log {
				t.Errorf("done:\ngot  %s\nwant %s", got, test.log)
			}
			checkProfiled(t, &trial, kept, test.lacks)
			for _, f := range []*perfFake{cpu, sched} {
				if begun := slices.ContainsFunc(log, func(s string) bool { return strings.HasPrefix(s, f.name+" for") }); begun && f.err == nil && f.stopped != 1 {
					t.Errorf("%s was stopped %d times", f.name, f.stopped)
				}
			}
		})
	}
}

// checkProfiled holds a trial to what was kept: each kind is there or missing, and says of what it is.
func checkProfiled(t *testing.T, trial *results.Trial, kept map[string]bool, lacks map[string]string) {
	t.Helper()
	for _, m := range trial.Missing {
		want, ok := lacks[m.Figure]
		if !ok && strings.HasSuffix(m.Figure, " idle") {
			continue
		}
		if !ok || !strings.HasPrefix(m.Reason, want) {
			t.Errorf("missing %s: %q, want %q", m.Figure, m.Reason, want)
		}
		delete(lacks, m.Figure)
	}
	if len(lacks) > 0 {
		t.Errorf("not said to be missing: %v", lacks)
	}
	for _, p := range trial.Profiles {
		if !kept[p.Kind] || p.Path != "profiles/"+p.Kind || p.Samples == 0 || p.Event == "" || p.Begin < 0 || p.Elapsed < 0 {
			t.Errorf("%+v", p)
		}
		delete(kept, p.Kind)
	}
	if len(kept) > 0 {
		t.Errorf("kept and not recorded: %v", kept)
	}
}

// What was begun is ended although the trial failed, and what never began is missing with the reason.
func TestProfilingIsCut(t *testing.T) {
	var log []string
	cpu, sched := &perfFake{t: t, log: &log, name: "cpu", samples: 7}, &perfFake{t: t, log: &log, name: "sched", samples: 5}
	p := &profiling{sampling: time.Second, cpu: cpu.record, sched: sched.record}
	begin := time.Now()
	p.prepare(t.Context())
	p.watch(t.Context(), t.Context(), begin, begin.Add(time.Hour))
	p.close()
	if cpu.stopped != 1 || sched.stopped != 1 {
		t.Errorf("%q", log)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	cpu.stopped, sched.stopped = 0, 0
	p = &profiling{can: profilers{own: true}, sampling: time.Second, cpu: cpu.record, sched: sched.record}
	p.prepare(t.Context())
	p.watch(t.Context(), over, begin.Add(time.Hour), begin.Add(2*time.Hour))
	var trial results.Trial
	p.settle(t.Context(), &trial, nil)
	p.close()
	if cpu.stopped != 1 || sched.stopped != 1 {
		t.Errorf("what was held is not ended: %q", log)
	}
	if want := 2 + 1 + len(ownKinds); len(trial.Missing) != want || !strings.Contains(trial.Missing[0].Reason, "ended before the window") {
		t.Errorf("%d are missing, want %d: %+v", len(trial.Missing), want, trial.Missing)
	}
}

// A window has time for every turn that there will be.
func TestProfiledWindow(t *testing.T) {
	no := errors.New("no")
	for _, p := range []profilers{{}, {own: true}, {sched: no}, {cpu: no, sched: no, own: true}, {cpu: no, sched: no}} {
		var turns time.Duration
		if p.cpu == nil {
			turns += time.Second
		}
		if p.sched == nil {
			turns += schedTime
		}
		if p.own {
			turns += ownTime
		}
		if got := p.window(time.Second); got < turns+readAhead && turns > 0 || got <= 0 {
			t.Errorf("%+v: %v for turns of %v", p, got, turns)
		}
	}
}

// Names are safe in any folder, and tell targets apart that differ only in what no name can have.
func TestProfileNames(t *testing.T) {
	step := func(target string) Step {
		return Step{Cell: Cell{Scenario: &Scenario{Name: "connections"}, Case: Case{Name: "connections=50"}, Target: target}, Position: 7}
	}
	for target, want := range map[string]string{
		"reactor":                "connections-connections=50-reactor-cpu.pb.gz",
		"pool --threads 16":      "connections-connections=50-pool_--threads_16-cpu.pb.gz",
		"../../etc/x\x00\n":      "connections-connections=50-.._.._etc_x__-cpu.pb.gz",
		"<script>$(x)`":          "connections-connections=50-_script___x__-cpu.pb.gz",
		strings.Repeat("é", 300): "connections-connections=50-" + strings.Repeat("_", longestWords-27) + "-cpu.pb.gz",
	} {
		got := profileName(step(target), "", results.ProfileCPU)
		if got != want || filepath.Base(got) != got || !filepath.IsLocal(got) {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
	taken := map[string]bool{}
	r := round{step: step("a b"), bay: &Bay{KeepProfile: func(name string, _ []byte) (string, error) {
		if taken[name] {
			return "", fmt.Errorf("keep: %w", fs.ErrExist)
		}
		taken[name] = true
		return name, nil
	}}}
	first, err := r.keepProfile(results.ProfileCPU, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.step.Target = "a_b"
	if second, err := r.keepProfile(results.ProfileCPU, nil); err != nil || second == first || !strings.Contains(second, "-7-cpu") {
		t.Errorf("%q, then %q, %v", first, second, err)
	}
}
