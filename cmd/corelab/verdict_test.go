package main

import (
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// patience is how long a case may wait until the machine lets a trial through undisturbed.
const patience = 2 * time.Second

// live is a case that is built to have one verdict, by a wide margin.
type live struct {
	target    string
	placement runner.Placement
	generator runner.Generator
	path      string
	shape     runner.Shape
	body      string
	kind      results.Kind
	says      string // in the reason
}

// TestLiveVerdicts provokes each verdict with a real server and a real generator.
func TestLiveVerdicts(t *testing.T) {
	split := runner.Split
	if cpus, err := probe.Allowed(); err != nil || len(cpus) < 2 {
		split = runner.One // the same verdicts but one, see below
	}
	closed := func(connections int) runner.Shape {
		return runner.Shape{Loop: runner.Closed, Connections: connections, Depth: 1}
	}
	open := func(connections int, rate float64) runner.Shape {
		return runner.Shape{Loop: runner.Open, Connections: connections, Depth: 1, Rate: rate, Arrival: runner.Constant}
	}
	const hello = "Hello, World!"
	for name, c := range map[string]live{
		"16 connections that are never answered": {"reactor --app planted --plant-mute 16", runner.One, runner.ByCorelab, "/planted", closed(64), hello,
			results.Starved, "16 of 64 connections"},
		"one wrong byte in a thousand answers": {"reactor --app planted --plant-wrong 1000", runner.One, runner.ByCorelab, "/planted", closed(16), hello,
			results.Erroneous, "body"},
		"answers cut short": {"reactor --app planted --plant-short 100", runner.One, runner.ByCorelab, "/planted", closed(16), hello,
			results.Erroneous, "read"},
		"a handler that waits": {"reactor", split, runner.ByCorelab, "/delay/10", closed(4), "ok",
			results.IdleWaiting, "neither is busy"},
		"answers one at a time": {"reactor --app planted --plant-serial 1ms", split, runner.ByCorelab, "/planted", closed(16), hello,
			results.IdleWaiting, "neither is busy"},
		"one at a time, and more than that is due": {"reactor --app planted --plant-serial 1ms", split, runner.ByCorelab, "/planted", open(16, 5000), hello,
			results.IdleWaiting, "not met in time"},
		"a handler that works": {"reactor --ballast 100us", split, runner.ByCorelab, "/plaintext", closed(16), hello,
			results.ServerBound, "server "},
		"a handler that works, on a shared CPU": {"reactor --ballast 100us", runner.One, runner.ByCorelab, "/plaintext", closed(16), hello,
			results.ServerBound, "together all that they share"},
		"a generator that costs more than the server": {"reactor", split, runner.ByVegeta, "/plaintext", open(64, 500_000), hello,
			results.GeneratorBound, "generator "},
		"answers that are late, though all that is due is sent": {"reactor --app planted --plant-late 0.02@20ms", split, runner.ByCorelab, "/planted", open(16, 100), hello,
			results.RateBound, "all that was due at 100/s"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.kind == results.GeneratorBound && split == runner.One {
				c.says = "together all that they share" // on one CPU the generator has most of it
			}
			var cell *results.Cell
			lab := newLab(t, c)
			for until := time.Now().Add(patience); time.Now().Before(until); {
				trial := lab.trial(t)
				cell = cellOf(trial)
				v, ok := cell.Verdict()
				if ok && v.Kind == c.kind && strings.Contains(v.Reason, c.says) {
					return
				}
				// A busy machine disturbs trials and makes the generator late: the lab must have said so, or be wrong.
				late := c.kind == results.RateBound && hasWarning(trial, results.WarnLate)
				if !results.Disturbed(trial) && !late {
					t.Fatalf("%q (%s), want %q with %q; error %q", v.Kind, v.Reason, c.kind, c.says, trial.Error)
				}
			}
			t.Logf("the machine was never quiet: %v", cell.Marks())
		})
	}
}

// TestLiveTooNoisy: a process that has nothing to do with it spins on the CPU of server and generator.
func TestLiveTooNoisy(t *testing.T) {
	lab := newLab(t, live{target: "reactor", placement: runner.One, generator: runner.ByCorelab, path: "/plaintext",
		shape: runner.Shape{Loop: runner.Closed, Connections: 16, Depth: 1}, body: "Hello, World!"})
	place, err := probe.Place(probe.PlaceOne)
	if err != nil {
		t.Fatal(err)
	}
	defer hog(t, place.Server[0])()
	// The spinning goroutine may itself have to wait, for a P of this process: then nothing took the CPU, and the lab is right to
	// say so. It cannot be so each time.
	for try := 1; ; try++ {
		var trials []*results.Trial
		for range 3 {
			trials = append(trials, lab.trial(t))
		}
		v, _ := cellOf(trials...).Verdict()
		if v.Kind == results.TooNoisy && v.LeftOut == 3 && v.Rounds == 3 {
			return
		}
		if try == 5 {
			t.Fatalf("%+v, want too noisy with 3 of 3 left out; %+v", v, trials[0].Machine)
		}
	}
}

// hog spins on the CPU until the returned function is called.
func hog(t *testing.T, cpu int) (end func()) {
	t.Helper()
	var over atomic.Bool
	pinned, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, pinned as it is
		var set unix.CPUSet
		set.Set(cpu)
		pinned <- unix.SchedSetaffinity(0, &set)
		for !over.Load() {
		}
	}()
	if err := <-pinned; err != nil {
		t.Fatal(err)
	}
	return func() { over.Store(true); <-ended }
}

func hasWarning(t *results.Trial, code string) bool {
	for _, w := range results.Check(t) {
		if w.Code == code {
			return true
		}
	}
	return false
}

// cellOf is the trials as a run's record has them.
func cellOf(trials ...*results.Trial) *results.Cell {
	rec := &results.Record{}
	for _, t := range trials {
		rec.Trials = append(rec.Trials, *t)
	}
	return results.Cells(rec)[0]
}

// liveLab tries one case again and again.
type liveLab struct {
	bay  *runner.Bay
	step runner.Step
}

func newLab(t *testing.T, c live) *liveLab {
	t.Helper()
	env, err := target.NewEnv(t.Context(), filepath.Join(bin, "coreserver"))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := target.Parse(c.target, env)
	if err != nil {
		t.Fatal(err)
	}
	bay := &runner.Bay{Self: filepath.Join(bin, "corelab"), Targets: map[string]target.Spec{"x": spec}, Order: []string{"x"}, Dir: t.TempDir(), ReadyTimeout: target.DefaultReadyTimeout, Seed: 1}
	if _, err := bay.Prepare(); err != nil {
		t.Fatal(err)
	}
	s := &runner.Scenario{Name: "live", Request: runner.Request{Method: "GET", Path: c.path}, Expect: runner.Expect{Status: 200, Body: &c.body},
		Placement: c.placement, Generator: c.generator, Load: c.shape}
	if c.path == "/planted" {
		s.Verify = runner.Request{Method: "GET", Path: "/plaintext"} // which has no plants
	}
	return &liveLab{bay, runner.Step{Cell: runner.Cell{Scenario: s, Case: s.Cases()[0], Target: "x", Generator: c.generator},
		Duration: 250 * time.Millisecond, WarmUp: 30 * time.Millisecond}}
}

func (l *liveLab) trial(t *testing.T) *results.Trial {
	t.Helper()
	l.step.Round++
	l.step.Position++
	trial := l.bay.Trial(t.Context(), l.step)
	return &trial
}
