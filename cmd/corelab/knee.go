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
)

// KneeCmd finds the highest rate at which the p99 of a target stays within a budget.
type KneeCmd struct {
	Targets []string `arg:"" name:"target" help:"What is searched: a core with flags ('pool --threads 16'), a peer, or your own server ('mine=./server --port {port}'). Several take turns."`

	P99          Span          `name:"p99" default:"5ms" placeholder:"5ms" help:"The budget: 99 of 100 requests must be answered within this time from when they were due."`
	Scenario     string        `default:"plaintext" placeholder:"NAME[:CASE]" help:"What is asked, on how many connections and where; where it has several cases one of them: payload:size=64KiB."`
	Max          Span          `default:"1m" placeholder:"1m" help:"Time for each target."`
	Precision    Percent       `default:"2.5%" placeholder:"2.5%" help:"How far apart the rate that passes and the one that fails may be."`
	Window       Span          `default:"1s" placeholder:"1s" help:"Measured time of a trial; longer where the rate needs it for a p99, at most 10 s."`
	Connections  int           `short:"c" placeholder:"N" help:"Connections, instead of the scenario's."`
	Constant     bool          `help:"Evenly spaced instead of random arrivals."`
	Placement    string        `enum:"one,split,shared" default:"split" help:"Server and generator: split (on disjoint CPUs), one (on one CPU), shared (both on all)."`
	Workers      int           `placeholder:"N" help:"CPUs that each server is told to use; otherwise those that its placement gives it."`
	Seed         uint64        `placeholder:"N" help:"Of the random arrivals; a new one if 0."`
	Out          string        `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON         bool          `help:"Print the knees as one line of JSON: for each target passes_at and fails_at (rates per second, 0: there is none), bound (fails, or generator: the knee is at passes_at or above), p99_ns, ceiling, confirmed, rates, trials, left_out. See results.Knee."`
	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`
}

// kneeWarmUp is loaded before the measured time of each trial.
const kneeWarmUp = 200 * time.Millisecond

// Run searches, and reports.
func (c *KneeCmd) Run() error {
	return interruptible(c.search)
}

func (c *KneeCmd) search(ctx context.Context) error {
	if c.P99 <= 0 || c.Window <= 0 || c.Max <= 0 {
		return exitError{exitUsage, "--p99, --window and --max must be above 0"}
	}
	c.Seed = newSeed(c.Seed)
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return err
	}
	f, err := newField(ctx, env, []string{"none"}, c.Targets)
	if err != nil {
		return err
	}
	plan, err := c.plan(f)
	if err != nil {
		return err
	}
	return c.measure(ctx, f, plan)
}

// plan is one cell for each target, under an open loop whose rate the search sets.
func (c *KneeCmd) plan(f *field) (*runner.Plan, error) {
	s, kase, err := oneScenario(c.Scenario)
	if err != nil {
		return nil, err
	}
	if s.Vary.Percent != nil {
		kase = "" // the search chooses the rate
	}
	s.AskRate(runner.Arrival(c.arrival()), c.Connections)
	return oneCase(s, kase, f, runner.Placement(c.Placement), c.Seed)
}

func (c *KneeCmd) arrival() string {
	if c.Constant {
		return string(runner.Constant)
	}
	return string(runner.Poisson)
}

// measure searches into a record, and reports what is in it.
func (c *KneeCmd) measure(ctx context.Context, f *field, plan *runner.Plan) error {
	bay, clean, err := f.bay(c.Workers, c.ReadyTimeout, c.Seed)
	if err != nil {
		return err
	}
	defer clean()
	targets, err := bay.Inspect(ctx, plan)
	if err != nil {
		return err
	}
	if err := refuse(plan); err != nil {
		return err
	}
	for i := range targets {
		targets[i].Command = nearby(targets[i].Command)
	}
	asked := results.KneeAsked{P99: time.Duration(c.P99), Precision: float64(c.Precision), Max: time.Duration(c.Max), Window: time.Duration(c.Window)}
	list := plan.Scenarios()
	list[0].Question = fmt.Sprintf("What is the highest rate at which the p99 stays within %v?", asked.P99)
	run := results.Run{Started: time.Now(), Command: os.Args, Commit: commit(), Seed: c.Seed, Budget: time.Duration(c.Max) * time.Duration(len(targets)),
		Host: probe.Host(), Scenarios: list, Targets: targets, Knee: &asked}
	w, err := newRecord(c.Out, "knee", run)
	if err != nil {
		return err
	}
	bay.Keep = w.Raw
	h := &runner.KneeHunt{Lab: bay, Cells: kneeCells(plan), Asked: asked, WarmUp: kneeWarmUp,
		Record: &runner.Bench{Record: w, Progress: progress(), Rescue: os.Stderr, Now: time.Now}}
	end, _, runErr := h.Run(ctx)
	return errors.Join(runErr, c.conclude(w.Dir(), end))
}

// kneeCells are one of each target: a search has no A/A.
func kneeCells(plan *runner.Plan) []runner.Cell {
	return slices.DeleteFunc(plan.Cells(), func(c runner.Cell) bool { return c.Role != results.RoleRanked })
}

// conclude writes the report, prints the knees and chooses the exit code.
func (c *KneeCmd) conclude(dir string, end results.End) error {
	reportErr := writeReport(dir)
	rec, err := results.Read(dir)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	knees := results.Knees(rec)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(kneeDocument{Folder: dir, P99: time.Duration(c.P99), Scenario: c.Scenario, Knees: knees})
	} else {
		_, err = fmt.Printf("%s\nrecord %s\n", results.KneeText(rec, plainWidth, false), dir)
	}
	if err = errors.Join(reportErr, err); err != nil {
		return err
	}
	if end.Interrupted {
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d trials: they are recorded and reported, nothing is left running", end.Trials)}
	}
	var without []string
	for _, k := range knees {
		if k.Error != "" || k.Passes == 0 {
			without = append(without, k.Target)
		}
	}
	if without != nil {
		return exitError{exitWrong, "no knee was found of " + strings.Join(without, ", ") + ": the table says why"}
	}
	return nil
}

// kneeDocument is what --json prints.
type kneeDocument struct {
	Folder   string         `json:"folder"`
	P99      time.Duration  `json:"p99_budget_ns"`
	Scenario string         `json:"scenario"`
	Knees    []results.Knee `json:"knees"`
}
