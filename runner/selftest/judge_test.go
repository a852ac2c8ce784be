package selftest

import (
	"context"
	"errors"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner"
)

// mute is a trial of the plant of that name, as a truthful lab records it.
func mute() results.Trial {
	return results.Trial{
		Kind: results.KindTrial, Scenario: Name, Case: "mute", Target: "mute", Round: 1, Position: 1, Placement: results.PlacementSplit,
		Load: &results.Load{Generator: ownName, Loop: results.LoopOpen, Connections: 64, Depth: 1, Rate: 1000, Elapsed: 800 * ms,
			Requests: 780, Starved: muted, Latency: &results.Latency{Count: 780, Mean: 1e5, P50: 1e5, P90: 1e5, P99: 1e5, Max: 1e5}},
	}
}

// late is one of the plant of that name, with this p99.
func late(p99 time.Duration) results.Trial {
	return results.Trial{
		Kind: results.KindTrial, Scenario: Name, Case: "serial-closed", Target: "serial-closed", Round: 1, Position: 1, Placement: results.PlacementSplit,
		Load: &results.Load{Generator: ownName, Loop: results.LoopClosed, Connections: closedClient, Depth: 1, Elapsed: 1500 * ms,
			Requests: 750, Latency: &results.Latency{Count: 750, Mean: 32 * ms, P50: 32 * ms, P90: 32 * ms, P99: p99, Max: 40 * ms}},
		Server: &results.Usage{Elapsed: 1500 * ms, CPU: 30 * ms, Affinity: "0"}, Client: &results.Usage{Elapsed: 1500 * ms, CPU: 30 * ms, Affinity: "1"},
	}
}

func busy(t results.Trial) results.Trial {
	t.Warnings = []results.Warning{{Code: results.WarnSteal, Text: "other processes took 40.0 % of the CPU time"}}
	return t
}

func failed(t results.Trial) results.Trial {
	t.Error, t.Load = "the server ended during the trial", nil
	return t
}

func starvedBy(n int) results.Trial {
	t := mute()
	t.Load.Starved = n
	return t
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name    string
		tries   []results.Trial
		figure  string
		verdict string
		tried   int
	}{
		{"right", []results.Trial{mute()}, "connections starved", results.CheckTruthful, 1},
		{"the verdict is held against the truth as well", []results.Trial{mute()}, "verdict", results.CheckTruthful, 1},
		{"a count is wrong at once on a calm machine", []results.Trial{starvedBy(15)}, "connections starved", results.CheckWrong, 1},
		{"a count is not judged while others take the CPU", []results.Trial{busy(starvedBy(15))}, "connections starved", results.CheckBusy, 1},
		{"right while others take the CPU", []results.Trial{busy(mute())}, "connections starved", results.CheckTruthful, 1},
		{"within 5 %", []results.Trial{late(33500 * time.Microsecond)}, "p99", results.CheckTruthful, 1},
		{"off once", []results.Trial{late(50 * ms)}, "p99", results.CheckBusy, 1},
		{"off once, then right", []results.Trial{late(50 * ms), late(32 * ms)}, "p99", results.CheckTruthful, 2},
		{"off twice on a calm machine", []results.Trial{late(50 * ms), late(50 * ms)}, "p99", results.CheckWrong, 2},
		{"off twice, what is right stays right", []results.Trial{late(50 * ms), late(50 * ms)}, "p50", results.CheckTruthful, 2},
		{"disturbed twice, then right", []results.Trial{busy(late(50 * ms)), busy(late(50 * ms)), late(32 * ms)}, "p99", results.CheckTruthful, 3},
		{"disturbed, off, off", []results.Trial{busy(late(50 * ms)), late(50 * ms), late(50 * ms)}, "p99", results.CheckWrong, 3},
		{"disturbed every time", []results.Trial{busy(late(50 * ms)), busy(late(50 * ms)), busy(late(50 * ms))}, "p99", results.CheckBusy, 3},
		{"disturbed but once off", []results.Trial{busy(late(50 * ms)), late(50 * ms), busy(late(50 * ms))}, "p99", results.CheckBusy, 3},
		{"failed twice", []results.Trial{failed(mute()), failed(mute())}, "connections starved", results.CheckSilent, 2},
	} {
		rec := &results.Record{Run: results.Run{ID: "x", Seed: 1}, End: &results.End{}}
		for i, trial := range c.tries {
			trial.Round, trial.Position = i+1, i+1
			rec.Trials = append(rec.Trials, trial)
		}
		s := Judge(rec)
		found := false
		for _, check := range s.Checks {
			if check.Figure == c.figure {
				found = true
				if check.Verdict != c.verdict || check.Tries != c.tried {
					t.Errorf("%s: %s after %d tries, want %s after %d (%+v)", c.name, check.Verdict, check.Tries, c.verdict, c.tried, check)
				}
			}
		}
		if !found || !s.Whole {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestATryThatWasCutShortIsNone(t *testing.T) {
	one := mute()
	one.Case, one.Target = "ballast", "ballast"
	rec := &results.Record{Trials: []results.Trial{one}}
	if s := Judge(rec); len(s.Checks) != 0 || s.Whole {
		t.Errorf("%+v", s)
	}
}

func TestWhatOtherGeneratorsSay(t *testing.T) {
	by := func(generator string, change func(*results.Load)) results.Trial {
		trial := mute()
		trial.Case, trial.Role = "wrong", results.RoleSecond
		trial.Load.Generator, trial.Load.Loop, trial.Load.Rate, trial.Load.Requests, trial.Load.Starved = generator, results.LoopClosed, 0, 19000, 0
		change(trial.Load)
		return trial
	}
	for _, c := range []struct {
		name    string
		trial   results.Trial
		verdict string
	}{
		{"silent", by("wrk", func(*results.Load) {}), results.CheckSilent},
		{"all of them", by("vegeta", func(l *results.Load) { l.Errors.Body = 1000 }), results.CheckTruthful},
		{"as another kind", by("vegeta", func(l *results.Load) { l.Errors.Status = 1000 }), results.CheckTruthful},
		{"half of them", by("wrk", func(l *results.Load) { l.Errors.Read = 500 }), results.CheckWrong},
		{"half of them, disturbed", busy(by("wrk", func(l *results.Load) { l.Errors.Read = 500 })), results.CheckBusy},
	} {
		s := Judge(&results.Record{Trials: []results.Trial{c.trial}})
		if len(s.Foreign) != 1 || s.Foreign[0].Verdict != c.verdict || s.Foreign[0].Generator != c.trial.Load.Generator {
			t.Errorf("%s: %+v", c.name, s.Foreign)
		}
	}
}

// scripted is a lab that answers what is next in its script, and the last again and again.
type scripted struct {
	script []results.Trial
	steps  []runner.Step
	stop   context.CancelFunc // after the first, if set
}

func (s *scripted) Trial(_ context.Context, step runner.Step) results.Trial {
	t := s.script[min(len(s.steps), len(s.script)-1)]
	s.steps = append(s.steps, step)
	t.Round, t.Position, t.Role = step.Round, step.Position, step.Role
	if s.stop != nil {
		s.stop()
	}
	return t
}

func TestRunRepeatsWhatCannotBeJudged(t *testing.T) {
	for _, c := range []struct {
		name   string
		script []results.Trial
		trials int
	}{
		{"right at once", []results.Trial{late(32 * ms)}, 1},
		{"disturbed, then right", []results.Trial{busy(late(50 * ms)), late(32 * ms)}, 2},
		{"off, off", []results.Trial{late(50 * ms)}, 2},
		{"disturbed again and again", []results.Trial{busy(late(50 * ms))}, 3},
		// Half of the estimated time is there for repeats: of a single plant, none.
		{"no time to spare", []results.Trial{busy(late(50 * ms))}, 1},
	} {
		plants, err := Choose([]string{"serial-closed"}, false)
		if err != nil {
			t.Fatal(err)
		}
		lab := &scripted{script: c.script}
		var written []results.Trial
		b := &Bench{Lab: lab, Seed: 1, Plants: plants, Spare: time.Minute, Append: func(trial results.Trial) error {
			written = append(written, trial)
			return nil
		}}
		if c.name == "no time to spare" {
			b.Spare = 0
		}
		n, err := b.Run(t.Context())
		if err != nil || n != c.trials || len(written) != n {
			t.Errorf("%s: %d trials, %d written, want %d: %v", c.name, n, len(written), c.trials, err)
		}
		for i, s := range lab.steps[:n] {
			if s.Position != i+1 || s.Round != i+1 || s.Case.Request.Path != "/planted" || s.Scenario.Verify.Path != "/plaintext" {
				t.Errorf("%s: step %+v", c.name, s)
			}
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	plants, err := Choose([]string{"mute", "wrong"}, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	lab := &scripted{script: []results.Trial{mute()}, stop: cancel}
	b := &Bench{Lab: lab, Plants: plants, Append: func(results.Trial) error {
		t.Error("a trial that was cut short was written")
		return nil
	}}
	if n, err := b.Run(ctx); n != 0 || err != nil || len(lab.steps) != 1 {
		t.Errorf("%d trials, %v, %d steps", n, err, len(lab.steps))
	}
}

func TestRunEndsWhereItCannotWrite(t *testing.T) {
	full := errors.New("no space left")
	plants, err := Choose([]string{"mute", "wrong"}, false)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bench{Lab: &scripted{script: []results.Trial{mute()}}, Plants: plants, Append: func(results.Trial) error { return full }}
	if _, err := b.Run(t.Context()); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}
