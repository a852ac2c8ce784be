package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// TuningCmd measures what each step of a file gave.
type TuningCmd struct {
	File string `arg:"" help:"The steps, a TOML file: for each [[step]] its name, the hypothesis, its fate (kept, dropped, together), and the targets before and after it, as compare takes them: 'git:v1', 'git:HEAD~1:epoll', 'reactor --workers 2'. results/reference/tuning.toml is one."`

	Only         string        `placeholder:"WORD" help:"Only the steps whose names hold this."`
	Max          Span          `default:"40s" placeholder:"40s" help:"Time for each step, start-up included, but not the builds of git: targets, which come before all steps."`
	Precision    Percent       `default:"0.5%" placeholder:"0.5%" help:"A step ends when its 99 % intervals of CPU per request and throughput reach no further than this from the middle; 0 never does."`
	Profile      bool          `help:"Profile both sides of each step as well, in trials of their own, and draw what changed: about ten seconds a step."`
	Seed         uint64        `placeholder:"N" help:"Of the random order; a new one if 0."`
	Out          string        `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON         bool          `help:"Print the steps as JSON, each with its comparison: see results.Tuned."`
	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`
}

// tuningSampling is how long perf samples each side of a step.
const tuningSampling = 2 * time.Second

// Run measures the steps, and reports.
func (c *TuningCmd) Run() error { return interruptible(c.tune) }

func (c *TuningCmd) tune(ctx context.Context) error {
	if time.Duration(c.Max) < leastMax {
		return exitError{exitUsage, fmt.Sprintf("--max %v is too short for a verdict on a step: give it %v or more", time.Duration(c.Max), leastMax)}
	}
	file, err := runner.LoadTuning(c.File)
	if err != nil {
		return err
	}
	if file.Only(c.Only); len(file.Steps) == 0 {
		return fmt.Errorf("no step of %s has %q in its name", c.File, c.Only)
	}
	c.Seed = newSeed(c.Seed)
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return err
	}
	t := &tuning{TuningCmd: c, field: field{specs: map[string]target.Spec{}}}
	for i, s := range file.Steps {
		if err := t.add(ctx, env, i+1, s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.Name, err)
		}
	}
	return t.measure(ctx)
}

// tuning is a run under way.
type tuning struct {
	*TuningCmd
	field
	steps     []results.TuningStep
	plans     []*runner.Plan // of each step
	scenarios []results.Scenario
	targets   []results.Target
}

// add takes in a step: it builds and describes both sides, whose rows are named by the step, for both may be the same.
func (t *tuning) add(ctx context.Context, env target.Env, number int, s runner.TuningStep) error {
	cmp := &CompareCmd{Scenario: s.Scenario, Seed: t.Seed}
	duel, err := newDuel(ctx, env, s.Before, s.After)
	if err != nil {
		return err
	}
	pair := &field{specs: map[string]target.Spec{}}
	for i, name := range duel.order {
		spec := duel.specs[name]
		_, spec.Name, _ = strings.Cut(name, ": ")
		spec.Name = fmt.Sprintf("%d %s: %s", number, []string{"before", "after"}[i], spec.Name)
		pair.order, pair.specs[spec.Name] = append(pair.order, spec.Name), spec
	}
	plan, err := cmp.plan(pair)
	if err != nil {
		return err
	}
	place, err := probe.Place(probe.PlaceOne)
	if err != nil {
		return err
	}
	cell := plan.Cells()[0]
	step := results.TuningStep{Name: s.Name, Hypothesis: s.Hypothesis, Fate: s.Fate, Note: s.Note, Before: pair.order[0], After: pair.order[1],
		Scenario: cell.Scenario.Name, Case: cell.Case.Name, Compare: results.Compare{Precision: float64(t.Precision), Max: time.Duration(t.Max),
			Windows: runner.CompareWindows, Window: runner.CompareWindow, WarmUp: runner.CompareWarmUp}}
	for i, name := range pair.order {
		spec := pair.specs[name]
		if step.Compare.Ballast[i], err = ballast(spec.Flags); err != nil {
			return err
		}
		d := spec.Describe(target.Options{CPUs: place.Server})
		d.Command = nearby(d.Command)
		t.targets = append(t.targets, d)
		t.order, t.specs[name] = append(t.order, name), spec
	}
	asked := question(cell)
	if !slices.ContainsFunc(t.scenarios, func(o results.Scenario) bool { return o.Name == asked.Name && slices.Equal(o.Cases, asked.Cases) }) {
		t.scenarios = append(t.scenarios, asked)
	}
	t.steps, t.plans = append(t.steps, step), append(t.plans, plan)
	return nil
}

// measure makes the comparisons one after the other into one record, and reports what is in it.
func (t *tuning) measure(ctx context.Context) error {
	bay, clean, err := newBay(t.specs, t.order, 0, t.ReadyTimeout, t.Seed)
	if err != nil {
		return err
	}
	defer clean()
	for _, plan := range t.plans {
		if _, err := bay.Inspect(ctx, plan); err != nil {
			return err
		}
		if err := refuse(plan); err != nil {
			return err
		}
	}
	run := results.Run{Started: time.Now(), Command: os.Args, Commit: commit(), Seed: t.Seed, Budget: time.Duration(t.Max) * time.Duration(len(t.steps)),
		Host: probe.Host(), Scenarios: t.scenarios, Targets: t.targets, Tuning: &results.Tuning{Steps: t.steps}}
	w, err := newRecord(t.Out, "tuning", run)
	if err != nil {
		return err
	}
	bay.Keep, bay.KeepProfile = w.Raw, w.Profile
	trials := 0
	for i := range t.steps {
		n, err := t.step(ctx, bay, w, run, i, trials)
		trials += n
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	end := results.End{Ended: time.Now(), Elapsed: time.Since(run.Started), Trials: trials, Interrupted: ctx.Err() != nil}
	return errors.Join(w.End(end), t.conclude(w.Dir(), end))
}

// step compares the sides of one, and profiles them where that was asked. It returns how many trials it recorded.
func (t *tuning) step(ctx context.Context, bay *runner.Bay, w *results.Writer, run results.Run, i, before int) (trials int, err error) {
	s := t.steps[i]
	show := progress()
	show.Say("step %d of %d: %s", i+1, len(t.steps), s.Name)
	one := run
	cell := t.plans[i].Cells()[0]
	one.Tuning, one.Compare, one.Targets, one.Scenarios = nil, &s.Compare, t.targets[2*i:2*i+2], []results.Scenario{question(cell)}
	m := &runner.Comparison{Bay: bay, A: s.Before, B: s.After, Scenario: cell.Scenario, Case: cell.Case, Asked: s.Compare, Run: one,
		Record: runner.StepRecord{Record: w, Before: before}, Progress: show, Began: time.Now(), Now: time.Now}
	end, err := m.Measure(ctx)
	trials = end.Trials
	if err != nil || !t.Profile {
		return trials, err
	}
	for _, p := range m.Profiled(tuningSampling) {
		if ctx.Err() != nil {
			break
		}
		p.Position += before
		if err := w.Append(bay.Trial(ctx, p)); err != nil {
			return trials, err
		}
		trials++
	}
	return trials, nil
}

// conclude writes the report, prints the steps and chooses the exit code.
func (c *TuningCmd) conclude(dir string, end results.End) error {
	reportErr := writeReport(dir)
	rec, err := results.Read(dir)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	tuned, err := results.Tunings(rec)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(tuned)
	} else {
		_, err = fmt.Printf("%s\nrecord %s\n", results.TuningText(rec, plainWidth, false), dir)
	}
	if err = errors.Join(reportErr, err); err != nil {
		return err
	}
	if end.Interrupted {
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d trials: they are recorded and reported, nothing is left running", end.Trials)}
	}
	var without []string
	for _, t := range tuned {
		if cpu := t.Comparison.Find(results.CompareCPU); t.Comparison.Error != "" || cpu.Verdict == results.NoVerdict {
			without = append(without, t.Name)
		}
	}
	if without != nil {
		return exitError{exitWrong, "no verdict on " + strings.Join(without, ", ") + ": the table says why; give each more time with --max"}
	}
	return nil
}
