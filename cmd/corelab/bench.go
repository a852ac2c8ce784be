package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"corelab/results"
	"corelab/results/page"
	"corelab/runner"
	"corelab/runner/probe"
	"corelab/scenarios"
)

// BenchCmd measures targets in scenarios.
type BenchCmd struct {
	Scenarios []string `arg:"" optional:"" name:"scenario" help:"Names of scenarios, or paths of your own .toml files; all of the plan if none."`

	Cores      []string `placeholder:"NAME,…" help:"Of our cores and the peers, only these; \"none\" for none. Otherwise all cores, and the peers that are installed."`
	Target     []string `sep:"none" placeholder:"TARGET" help:"One more target: a core with flags ('pool --threads 16'), a core of another revision of this repository ('git:HEAD~3', 'git:v1:epoll'), or your own server ('mine=./server --port {port}'). May be repeated."`
	Case       []string `placeholder:"NAME" help:"Only this case, such as connections=50, where a scenario has it. May be repeated."`
	Plan       string   `enum:",smoke,standard,reference" default:"" help:"How much: smoke (a minute or two), standard (ten minutes; what is done when no scenario is named), reference (about an hour and a half)."`
	Budget     Span     `placeholder:"10m" help:"Fit the plan into this time, aloud. 10m for the standard plan."`
	Rounds     int      `placeholder:"N" help:"Trials of each cell, instead of the scenario's."`
	Duration   Span     `placeholder:"1s" help:"Measured time of a trial, instead of the scenario's."`
	Warmup     *Span    `placeholder:"200ms" help:"Warm-up of a trial, instead of the scenario's."`
	Workers    int      `placeholder:"N" help:"CPUs that each server is told to use; otherwise those that its placement gives it."`
	Placement  string   `enum:",one,split,shared" default:"" help:"Instead of the scenario's: one (server and generator on one CPU), split (on disjoint ones), shared (both on all)."`
	Generator  string   `enum:",corelab,corelab-uring,wrk,vegeta,h2load" default:"" help:"Instead of the scenario's: corelab, corelab-uring (the same by io_uring: cheaper, in bursts), wrk, vegeta or h2load."`
	Seed       uint64   `placeholder:"N" help:"Of the random order; a new one if 0."`
	NoCalls    bool     `help:"Do not count system calls by name, nor by the CPU's own counters, at the end."`
	Profile    bool     `help:"Profile every target at the end, in trials of their own that are not ranked: where CPU time goes, where threads wait, and Go's own profiles. About ten seconds for each target in each scenario with a closed loop, in its first case or those that --case names; where the budget has no time for that, in one scenario."`
	Out        string   `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON       bool     `help:"Print the whole record as JSON instead of the tables."`
	Coreserver string   `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`

	Resume string `placeholder:"DIR" help:"Go on with the run in this folder, which was interrupted or killed, where it stopped: its record has the options and the order. Its budget counts what was used. Give it in the folder where the run was started."`
	Force  bool   `help:"With --resume: even on another machine, with another commit of corelab, or other targets or scenarios. The report says so."`

	past *past // what --resume goes on with

	Request      string        `placeholder:"'METHOD PATH'" help:"Ask this instead of the scenario's request."`
	Header       []string      `short:"H" sep:"none" placeholder:"'NAME: VALUE'" help:"A header of that request. May be repeated."`
	Body         string        `placeholder:"TEXT|@FILE" help:"The body of that request."`
	ExpectStatus int           `placeholder:"N" help:"The status that its answer must have."`
	ExpectBody   string        `placeholder:"FILE" help:"The body that its answer must have; otherwise a server's own first answer is the reference, and the report says so."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`
}

// Span is a duration above zero.
type Span time.Duration

// UnmarshalText reads a duration as Go writes it.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no duration; write it like 10m, 1s or 200ms", b)
	}
	*s = Span(d)
	return nil
}

// standardBudget is what the standard plan takes at most unless told otherwise.
const standardBudget = 10 * time.Minute

// Run plans, says what it will do, measures, and reports.
func (c *BenchCmd) Run() error {
	return interruptible(c.begin)
}

func (c *BenchCmd) begin(ctx context.Context) error {
	switch {
	case c.Resume != "":
		return c.resume(ctx)
	case c.Force:
		return errors.New("--force is for --resume, which refuses to go on with a run that is not the same any more")
	}
	return c.bench(ctx)
}

func (c *BenchCmd) bench(ctx context.Context) error {
	c.fill()
	list, err := c.scenarios()
	if err != nil {
		return err
	}
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return err
	}
	f, err := newField(ctx, env, c.Cores, c.Target)
	if err != nil {
		return err
	}
	if c.past != nil {
		if err := c.past.only(f); err != nil {
			return err
		}
	}
	callsErr, hardwareErr := probe.CallsAvailable(), probe.HardwareAvailable()
	ask := c.ask(callsErr == nil, hardwareErr == nil)
	ask.Guests = f.guests
	var unprofiled []results.Missing
	if c.Profile {
		ask.Profile = true
		ask.Profiled, unprofiled = f.profilable(probe.PerfAvailable())
	}
	plan, err := runner.NewPlan(list, f.entrants(), ask)
	if err != nil {
		return err
	}
	if err := plan.Fit(time.Duration(c.Budget)); err != nil {
		return err
	}
	tools, missing := probe.Tools()
	missing = append(missing, unprofiled...)
	if callsErr != nil && !c.NoCalls && c.Plan != "smoke" {
		missing = append(missing, results.Missing{Figure: results.MissingCalls, Reason: callsErr.Error()})
	}
	if hardwareErr != nil && !c.NoCalls && c.Plan != "smoke" {
		missing = append(missing, results.Missing{Figure: results.MissingHardware, Reason: hardwareErr.Error()})
	}
	c.announce(plan, f, missing)
	return c.measure(ctx, plan, f, tools, missing)
}

// fill puts in what depends on other flags.
func (c *BenchCmd) fill() {
	if c.Plan == "" && len(c.Scenarios) == 0 {
		c.Plan = "standard"
	}
	if c.Plan == "standard" && c.Budget == 0 {
		c.Budget = Span(standardBudget)
	}
	c.Seed = newSeed(c.Seed)
}

func (c *BenchCmd) ask(calls, hardware bool) runner.Ask {
	a := runner.Ask{
		Plan: c.Plan, Cases: c.Case, Rounds: c.Rounds, Duration: time.Duration(c.Duration), WarmUp: -1,
		Generator: runner.Generator(c.Generator), Placement: runner.Placement(c.Placement),
		Calls: calls && !c.NoCalls && c.Plan != "smoke", Absent: absent(), Seed: c.Seed,
	}
	a.Hardware = hardware && !c.NoCalls && c.Plan != "smoke"
	if c.Warmup != nil {
		a.WarmUp = time.Duration(*c.Warmup)
	}
	return a
}

// scenarios are those that were named, with the user's own request where there is one.
func (c *BenchCmd) scenarios() ([]*runner.Scenario, error) {
	list, err := runner.LoadScenarios(scenarios.Files, c.Scenarios...)
	if err != nil {
		return nil, err
	}
	if c.Request == "" {
		if c.Body != "" || len(c.Header) > 0 || c.ExpectBody != "" || c.ExpectStatus != 0 {
			return nil, errors.New("-H, --body, --expect-status and --expect-body describe the exchange of --request 'METHOD PATH': give that too")
		}
		return list, nil
	}
	request, err := runner.ParseRequest(c.Request)
	if err != nil {
		return nil, fmt.Errorf("--request: %w", err)
	}
	content, expected, err := c.bodies()
	if err != nil {
		return nil, err
	}
	for _, h := range c.Header {
		if name, _, ok := strings.Cut(h, ":"); !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(h, "\r\n\x00") {
			return nil, fmt.Errorf("header %q: write it like 'Name: value'", h)
		}
	}
	for _, s := range list {
		s.Ask(request, c.Header, content, c.ExpectStatus, expected)
	}
	return list, nil
}

func (c *BenchCmd) bodies() (content []byte, expected *string, err error) {
	content = []byte(c.Body)
	if name, ok := strings.CutPrefix(c.Body, "@"); ok {
		if content, err = os.ReadFile(name); err != nil {
			return nil, nil, fmt.Errorf("read the request's body: %w", err)
		}
	}
	if c.ExpectBody != "" {
		b, err := os.ReadFile(c.ExpectBody)
		if err != nil {
			return nil, nil, fmt.Errorf("read the expected body: %w", err)
		}
		text := string(b)
		expected = &text
	}
	return content, expected, nil
}

// announce says beforehand what will be done, how long it takes, and what is left out.
func (c *BenchCmd) announce(p *runner.Plan, f *field, missing []results.Missing) {
	name := c.Plan
	if name == "" {
		name = "as named"
	}
	fmt.Fprintf(os.Stderr, "plan %s, %d targets (%s), about %v", name, len(f.order), strings.Join(f.order, ", "), p.Estimate().Round(time.Second))
	if c.Budget > 0 {
		fmt.Fprintf(os.Stderr, " of %v", time.Duration(c.Budget))
	}
	fmt.Fprintf(os.Stderr, ", seed %d\n%s", c.Seed, p.Describe())
	said := slices.Clone(f.said)
	for _, m := range missing {
		if line := fmt.Sprintf("without %s: %s", m.Figure, m.Reason); !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "without "+m.Figure+":") }) {
			said = append(said, line)
		}
	}
	for _, s := range said {
		fmt.Fprintln(os.Stderr, "  "+s)
	}
}

// measure runs the plan into a record, and reports what is in it.
func (c *BenchCmd) measure(ctx context.Context, p *runner.Plan, f *field, tools map[string]string, missing []results.Missing) error {
	bay, clean, err := f.bay(c.Workers, c.ReadyTimeout, c.Seed)
	if err != nil {
		return err
	}
	defer clean()
	targets, err := bay.Inspect(ctx, p)
	if err != nil {
		return err
	}
	for i := range targets {
		targets[i].Command = nearby(targets[i].Command)
	}
	w, rest, used, err := c.open(results.Run{
		Started: time.Now(), Command: os.Args, Commit: commit(), Seed: c.Seed, Budget: time.Duration(c.Budget),
		Host: probe.Host(), Tools: tools, Missing: missing, Scenarios: p.Scenarios(), Targets: targets,
	}, p)
	if err != nil {
		return err
	}
	bay.Keep, bay.KeepProfile = w.Raw, w.Profile
	bay.Recall(rest.Done)
	outcome := &outcomes{Lab: bay, cells: map[string]bool{}}
	for _, d := range rest.Done {
		outcome.note(d.Step, d.Trial)
	}
	b := &runner.Bench{
		Steps: rest.Steps, Skipped: rest.Skipped, Lab: outcome, Record: w, Progress: progress(),
		Budget: time.Duration(c.Budget), Done: len(rest.Done), Used: used, Rescue: os.Stderr, Now: time.Now,
	}
	end, runErr := b.Run(ctx)
	return errors.Join(runErr, c.conclude(w.Dir(), end, outcome))
}

// open returns the record to write, a new one or that of the run to go on with, what there is to do for it, and the time
// that was used before.
func (c *BenchCmd) open(run results.Run, p *runner.Plan) (*results.Writer, *runner.Rest, time.Duration, error) {
	if c.past == nil {
		w, err := newRecord(c.Out, "bench", run)
		return w, &runner.Rest{Steps: p.Steps(), Skipped: p.Skipped()}, 0, err
	}
	rest, err := c.past.open(run, p)
	return c.past.w, rest, c.past.rec.Used(), err
}

// outcomes watches which cells were measured at least once.
type outcomes struct {
	runner.Lab
	cells map[string]bool // whether one of its trials succeeded
	dead  []string        // those in one of whose trials the server ended
}

func (o *outcomes) Trial(ctx context.Context, s runner.Step) results.Trial {
	t := o.Lab.Trial(ctx, s)
	if ctx.Err() == nil {
		o.note(s, t)
	}
	return t
}

func (o *outcomes) note(s runner.Step, t results.Trial) {
	key := strings.Join([]string{t.Scenario, t.Case, t.Target, t.Role, string(s.Generator)}, " ")
	o.cells[key] = o.cells[key] || sound(s, t)
	if died(t) && !slices.Contains(o.dead, key) {
		o.dead = append(o.dead, key)
	}
}

// sound says whether the trial found something out: a figure, or that a target cannot hold so many connections.
func sound(s runner.Step, t results.Trial) bool {
	if t.Load != nil && t.Load.Errors.Length+t.Load.Errors.Body+t.Load.Errors.Parse > 0 {
		return false
	}
	crowded := s.Case.Shape.Idle > 0 && t.Wire != nil && !died(t)
	return t.Error == "" || crowded
}

// died says whether the server ended during the trial: a finding, whatever its other rounds are like.
func died(t results.Trial) bool {
	return slices.ContainsFunc(t.Warnings, func(w results.Warning) bool { return w.Code == results.WarnDied })
}

func (o *outcomes) failed() (n int) {
	for key, ok := range o.cells {
		if !ok || slices.Contains(o.dead, key) {
			n++
		}
	}
	return n
}

// conclude writes the report and says where everything is.
func (c *BenchCmd) conclude(dir string, end results.End, o *outcomes) error {
	reportErr := writeReport(dir)
	rec, err := results.Read(dir)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	if c.JSON {
		err = printJSON(rec)
	} else if err = printSummary(rec); err == nil {
		c.where(rec)
	}
	failed := o.failed()
	switch err := errors.Join(reportErr, err); {
	case err != nil:
		return err
	case end.Interrupted:
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d trials: they are recorded and reported, nothing is left running; \"corelab bench --resume %s\" goes on", end.Trials, dir)}
	case failed > 0:
		return exitError{exitWrong, fmt.Sprintf("%d of %d cells could not be measured, had wrong answers, or a server that ended: their rows say why", failed, len(o.cells))}
	case end.Trials == 0:
		return exitError{exitWrong, "nothing was measured: every cell was skipped, and its row says why"}
	}
	return nil
}

func (c *BenchCmd) where(rec *results.Record) {
	dir := rec.Dir
	latest := filepath.Join(filepath.Dir(dir), results.LatestLink)
	fmt.Printf("\nrun      %s (also %s)\nreport   %s\npage     %s\nbenchfmt %s\nrecord   %s\n", dir, latest,
		filepath.Join(dir, results.ReportFile), filepath.Join(dir, page.File), filepath.Join(dir, results.BenchFile), filepath.Join(dir, results.RunFile))
	if at := slices.IndexFunc(rec.Trials, func(t results.Trial) bool { return len(t.Profiles) > 0 }); at >= 0 {
		fmt.Printf("profiles %s; open one with: go tool pprof -http=: %s\n", filepath.Join(dir, results.ProfileFolder),
			shellquote.Join(filepath.Join(dir, rec.Trials[at].Profiles[0].Path)))
	}
	if c.Plan == "standard" {
		fmt.Println("\nmore     \"make reference\" measures every case with more rounds, in about an hour and a half; \"corelab bench SCENARIO\" one question alone")
	}
}
