package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/probe"
	"corelab/runner/target"
	"corelab/scenarios"
)

// exitWorse is the exit code of corelab compare --fail-if-worse.
const exitWorse = 4

// CompareCmd holds two targets against each other.
type CompareCmd struct {
	A string `arg:"" help:"What B is held against: a core with flags ('pool --threads 16'), a peer, your own server ('mine=./server --port {port}'), or a revision of this repository ('git:HEAD~1', 'git:main:epoll')."`
	B string `arg:"" help:"What is judged. It may be the same as A: then no difference should be shown."`

	Scenario     string        `default:"plaintext" placeholder:"NAME[:CASE]" help:"What is asked of both; a scenario with a closed loop, and where it has several cases one of them: connections:connections=50."`
	Precision    Percent       `default:"1%" placeholder:"1%" help:"Stop when the 99 % intervals of CPU per request and throughput reach no further than this from the middle; 0 never does."`
	Max          Span          `default:"2m" placeholder:"2m" help:"Stop after this time, start-up included, but not the build of a git: target."`
	FailIfWorse  Percent       `placeholder:"2%" help:"Exit with 4 if CPU per request or throughput of B is proven worse (the whole 99 % interval is on the worse side) and the estimate is at least this. Without enough blocks for a verdict, exit with 3."`
	Workers      int           `placeholder:"N" help:"CPUs that each server is told to use; otherwise the one that it shares with the generator."`
	Seed         uint64        `placeholder:"N" help:"Of the random order; a new one if 0."`
	Out          string        `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON         bool          `help:"Print the comparison as one line of JSON: for each figure a, b, ratio (b ÷ a), lo, hi, confidence, verdict, could_show, blocks, samples_left_out. See results.Comparison."`
	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`
}

// Percent is a part, written as percent: "1%" is 0.01.
type Percent float64

// UnmarshalText reads a percentage, with or without its sign.
func (p *Percent) UnmarshalText(b []byte) error {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(string(b), "%")), 64)
	if err != nil || !(v >= 0 && v <= 100) {
		return fmt.Errorf("%q is no percentage; write it like 1%% or 0.5%%", b)
	}
	*p = Percent(v / 100)
	return nil
}

// leastMax is the least time in which a comparison can have a verdict.
const leastMax = 5 * time.Second

// Run compares, and reports.
func (c *CompareCmd) Run() error {
	return interruptible(c.compare)
}

func (c *CompareCmd) compare(ctx context.Context) error {
	if time.Duration(c.Max) < leastMax {
		return exitError{exitUsage, fmt.Sprintf("--max %v is too short for a verdict: give it %v or more", time.Duration(c.Max), leastMax)}
	}
	c.Seed = newSeed(c.Seed)
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return err
	}
	f, err := newDuel(ctx, env, c.A, c.B)
	if err != nil {
		return err
	}
	plan, err := c.plan(f)
	if err != nil {
		return err
	}
	return c.measure(ctx, f, plan, time.Now())
}

// newDuel parses both sides. Their rows are called by the side, for both may be the same.
func newDuel(ctx context.Context, env target.Env, a, b string) (*field, error) {
	f := &field{specs: map[string]target.Spec{}}
	for _, side := range []struct{ letter, text string }{{"A", a}, {"B", b}} {
		spec, err := target.ParseContext(ctx, side.text, env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", side.letter, err)
		}
		spec.Name = side.letter + ": " + spec.Name
		f.order = append(f.order, spec.Name)
		f.specs[spec.Name] = spec
	}
	return f, nil
}

// plan is the one cell of each side.
func (c *CompareCmd) plan(f *field) (*runner.Plan, error) {
	s, kase, err := oneScenario(c.Scenario)
	if err != nil {
		return nil, err
	}
	if s.Load.Loop != runner.Closed {
		return nil, fmt.Errorf("scenario %s offers a fixed rate (an open loop); a comparison needs a closed one, in which both sides do as much as they can: %s",
			s.Name, strings.Join(closedScenarios(), ", "))
	}
	s.AA, s.Also = nil, nil
	return oneCase(s, kase, f, runner.One, c.Seed)
}

// closedScenarios are those that can be compared.
func closedScenarios() (names []string) {
	all, err := runner.LoadScenarios(scenarios.Files)
	if err != nil {
		return nil
	}
	for _, s := range all {
		if s.Load.Loop == runner.Closed {
			names = append(names, s.Name)
		}
	}
	return names
}

// measure runs the comparison into a record, and reports what is in it.
func (c *CompareCmd) measure(ctx context.Context, f *field, plan *runner.Plan, began time.Time) error {
	bay, clean, err := f.bay(c.Workers, c.ReadyTimeout, c.Seed)
	if err != nil {
		return err
	}
	defer clean()
	if _, err := bay.Inspect(ctx, plan); err != nil {
		return err
	}
	if err := refuse(plan); err != nil {
		return err
	}
	cell := plan.Cells()[0]
	asked := results.Compare{
		Precision: float64(c.Precision), Max: time.Duration(c.Max), FailIfWorse: float64(c.FailIfWorse),
		Windows: runner.CompareWindows, Window: runner.CompareWindow, WarmUp: runner.CompareWarmUp,
	}
	place, err := probe.Place(probe.PlaceOne)
	if err != nil {
		return err
	}
	var targets []results.Target
	for i, name := range f.order {
		t := f.specs[name].Describe(target.Options{Workers: c.Workers, CPUs: place.Server})
		t.Command = nearby(t.Command)
		targets = append(targets, t)
		if asked.Ballast[i], err = ballast(f.specs[name].Flags); err != nil {
			return err
		}
	}
	run := results.Run{Started: began, Command: os.Args, Commit: commit(), Seed: c.Seed, Budget: time.Duration(c.Max),
		Host: probe.Host(), Scenarios: []results.Scenario{question(cell)}, Targets: targets, Compare: &asked}
	w, err := newRecord(c.Out, "compare", run)
	if err != nil {
		return err
	}
	m := &runner.Comparison{Bay: bay, A: f.order[0], B: f.order[1], Scenario: cell.Scenario, Case: cell.Case, Asked: asked, Run: run,
		Record: w, Progress: progress(), Began: began, Now: time.Now}
	_, runErr := m.Measure(ctx)
	return errors.Join(runErr, c.conclude(ctx, w.Dir()))
}

// question is the scenario as it is asked here: of one case alone.
func question(cell runner.Cell) results.Scenario {
	one := *cell.Scenario
	one.Load, one.Request, one.Vary = cell.Case.Shape, cell.Case.Request, runner.Vary{}
	var cases []string
	if cell.Case.Name != "" {
		cases = []string{cell.Case.Name}
	}
	return one.Record(cases)
}

// ballast is what a core is told to burn with each request, in nanoseconds.
func ballast(flags []string) (float64, error) {
	for i, f := range flags {
		name, value, given := strings.Cut(f, "=")
		if name != "--ballast" && name != "-ballast" {
			continue
		}
		if !given && i+1 < len(flags) {
			value = flags[i+1]
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			return 0, fmt.Errorf("--ballast: %w", err)
		}
		return float64(d), nil
	}
	return 0, nil
}

// conclude prints what the record says, and chooses the exit code.
func (c *CompareCmd) conclude(ctx context.Context, dir string) error {
	rec, err := results.Read(dir)
	if err != nil {
		return err
	}
	found, err := results.Compared(rec)
	if err != nil {
		return err
	}
	if err := printComparison(found, c.JSON); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Printf("record %s\n", dir)
	}
	return c.verdict(ctx, found)
}

// printComparison prints for people, or as one line of JSON.
func printComparison(found *results.Comparison, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(found)
	}
	_, err := fmt.Print(results.CompareText(found))
	return err
}

// verdict is the exit code. What is proven counts even where the comparison was interrupted or failed later.
func (c *CompareCmd) verdict(ctx context.Context, found *results.Comparison) error {
	cpu := found.Find(results.CompareCPU)
	switch {
	case found.Error != "":
		return exitError{exitWrong, "the comparison ended early: " + found.Error}
	case ctx.Err() != nil:
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d blocks: they are recorded, nothing is left running", found.Blocks)}
	case cpu.Verdict == results.NoVerdict:
		what := "no verdict: " + cpu.Why
		if found.LeftOut > 0 {
			what += fmt.Sprintf(", as something else took the CPU in %d of %d windows: end what else runs", found.LeftOut, found.Windows)
		}
		return exitError{exitWrong, what + "; give it more time with --max"}
	}
	if c.FailIfWorse == 0 {
		return nil
	}
	if failed := found.Fails(float64(c.FailIfWorse)); len(failed) > 0 {
		var words []string
		for _, d := range failed {
			words = append(words, fmt.Sprintf("%s %+.2f %%", d.Name, 100*(d.Ratio-1)))
		}
		return exitError{exitWorse, "B is worse than A: " + strings.Join(words, ", ")}
	}
	if half, ok := found.Half(); ok && half > float64(c.FailIfWorse) {
		fmt.Fprintf(os.Stderr, "corelab: a difference of up to %.1f %% might have gone unseen: give it more time with --max\n", 100*half)
	}
	return nil
}
