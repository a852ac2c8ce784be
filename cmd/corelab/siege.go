package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/probe"
	"corelab/runner/siege"
	"corelab/runner/target"
)

// SiegeCmd measures ordinary clients of a server beside hostile ones, and what becomes of these.
type SiegeCmd struct {
	Targets []string `arg:"" optional:"" name:"target" help:"What is besieged: a core with flags ('reactor --head-time 5s'), a peer, or your own server ('mine=./server --port {port}'), on this machine."`

	Kind         []string      `enum:"heads,bodies,readers,silent,tls,garbage" default:"heads,bodies,readers,silent,tls,garbage" placeholder:"KIND,…" help:"Who besieges: heads that come a byte now and then, bodies just below the least rate, readers that never read, silent connections, TLS handshakes, garbage. All, one after the other, unless some are named."`
	Heads        int           `default:"5000" help:"Hostile clients of a kind that are open at a time; readers are a fifth of them: each holds a buffer of the kernel."`
	Rounds       int           `default:"6" help:"Pairs of windows, without and with the hostile clients; six are the fewest that prove anything."`
	Duration     Span          `short:"d" default:"5s" placeholder:"5s" help:"Measured time of a window."`
	Rate         float64       `default:"5000" help:"Requests per second of the ordinary clients: far below what the server can do."`
	Connections  int           `short:"c" default:"32" help:"Connections of the ordinary clients."`
	Bound        float64       `default:"1.2" help:"How many times its p99 without hostile clients the p99 of ordinary ones may be."`
	Slack        Span          `default:"1s" placeholder:"1s" help:"How much later than its limit a cut may be seen."`
	Short        bool          `help:"Have our cores cut after a second or two instead of 10 to 75: a look within minutes, of servers that nobody would run so."`
	Placement    string        `enum:"one,split,shared" default:"split" help:"Server and clients: split (on disjoint CPUs), one (on one CPU), shared (both on all). Where split, the hostile ones take only what the ordinary ones leave of their CPU."`
	Workers      int           `placeholder:"N" help:"CPUs that each server is told to use; otherwise those that its placement gives it."`
	Seed         uint64        `placeholder:"N" help:"Of the random order; a new one if 0."`
	Out          string        `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON         bool          `help:"Print the rows as one line of JSON: for each target and kind verdict (holds, does not hold, not shown, not judged) with its reasons, how many were cut how and when, memory, files, p99 and CPU with their ratios. See results.SiegeRow."`
	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`

	Lay string `hidden:"" help:"Lay the siege that is described as JSON in this file, - for standard input, and print what came of it."`
}

// readersPart is the part of the hostile clients that readers are.
const readersPart = 5

// shortLimits are what --short tells our cores.
var shortLimits = []string{"--head-time", "1s", "--body-idle", "1s", "--body-grace", "1s", "--idle-time", "2s", "--write-idle", "2s", "--linger", "500ms"}

// realLimits are those of a core that nobody configured, as coreserver --help says them.
var realLimits = runner.SiegeLimits{Known: true, Head: 10 * time.Second, BodyIdle: 10 * time.Second, BodyGrace: 10 * time.Second, BodyRate: 1 << 10,
	Idle: 75 * time.Second, WriteIdle: 30 * time.Second, Linger: 2 * time.Second}

// unknownLimits say how long a siege waits for a server whose limits nobody knows.
var unknownLimits = runner.SiegeLimits{Head: 75 * time.Second, BodyIdle: 75 * time.Second, BodyGrace: 75 * time.Second, BodyRate: 1 << 10,
	Idle: 90 * time.Second, WriteIdle: 75 * time.Second, Linger: 30 * time.Second}

// Run besieges, and reports.
func (c *SiegeCmd) Run() error {
	if c.Lay != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return c.lay(ctx)
	}
	return interruptible(c.besiege)
}

// lay is the process of one siege. It says on standard error when all clients were to be open, in the words of a generator, and
// when each of the first ones was cut. SIGTERM ends it, with what came of it so far.
func (c *SiegeCmd) lay(ctx context.Context) error {
	in := io.Reader(os.Stdin)
	if c.Lay != "-" {
		f, err := os.Open(c.Lay)
		if err != nil {
			return fmt.Errorf("read the siege: %w", err)
		}
		defer f.Close()
		in = f
	}
	var s siege.Spec
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return fmt.Errorf("read the siege from %s: %w", c.Lay, err)
	}
	now := time.Now()
	fmt.Fprintf(os.Stderr, "window %d %d\n", s.Begin(now).UnixNano(), now.Add(s.Hold).UnixNano())
	attack, err := siege.Lay(ctx, s, func() { fmt.Fprintln(os.Stderr, "cut") })
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(attack); err != nil {
		return fmt.Errorf("print what came of the siege: %w", err)
	}
	return nil
}

func (c *SiegeCmd) besiege(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
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
	limits := map[string]runner.SiegeLimits{}
	for name, spec := range f.specs {
		if c.Short && spec.Kind == target.KindCore {
			spec.Flags = slices.Concat(shortLimits, spec.Flags)
			f.specs[name] = spec
		}
		if limits[name], err = limitsOf(spec); err != nil {
			return err
		}
	}
	plan, err := c.plan(f)
	if err != nil {
		return err
	}
	return c.measure(ctx, f, plan, limits)
}

func (c *SiegeCmd) check() error {
	switch {
	case len(c.Targets) == 0:
		return exitError{exitUsage, "name a target: corelab siege reactor"}
	case c.Heads < 1 || c.Heads > siege.MaxFoes || c.Rounds < 1 || c.Duration <= 0 || c.Rate <= 0 || c.Connections < 1 || c.Slack < 0 || c.Bound <= 0:
		return exitError{exitUsage, fmt.Sprintf("--heads must be 1 to %d; --rounds, --duration, --rate, --connections and --bound above 0, and --slack not below", siege.MaxFoes)}
	}
	return nil
}

// limitsOf are the times after which the target cuts: of a core the flags that it is given, over the defaults.
func limitsOf(spec target.Spec) (runner.SiegeLimits, error) {
	if spec.Kind != target.KindCore {
		return unknownLimits, nil
	}
	l := realLimits
	times := map[string]*time.Duration{"head-time": &l.Head, "body-idle": &l.BodyIdle, "body-grace": &l.BodyGrace, "idle-time": &l.Idle,
		"write-idle": &l.WriteIdle, "linger": &l.Linger}
	for i, flag := range spec.Flags {
		name, value, there := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if !there && i+1 < len(spec.Flags) {
			value = spec.Flags[i+1]
		}
		if !strings.HasPrefix(flag, "-") {
			continue
		}
		var err error
		if at := times[name]; at != nil {
			*at, err = time.ParseDuration(value)
		} else if name == "body-rate" {
			_, err = fmt.Sscan(value, &l.BodyRate)
		}
		if err != nil {
			return l, fmt.Errorf("target %s: %s %s: %w", spec.Name, flag, value, err)
		}
	}
	return l, nil
}

// plan is one cell for each target: its ordinary clients.
func (c *SiegeCmd) plan(f *field) (*runner.Plan, error) {
	s, _, err := oneScenario("plaintext")
	if err != nil {
		return nil, err
	}
	s.Name, s.Needs = "siege", append(s.Needs, runner.Parsing)
	s.Question = "What do clients that trickle, stall or talk nonsense cost a server, and those who ask it rightly?"
	s.Why = ""
	s.AskRate(runner.Constant, c.Connections)
	s.Load.Rate = c.Rate
	return oneCase(s, "", f, runner.Placement(c.Placement), c.Seed)
}

// measure besieges into a record, and reports what is in it.
func (c *SiegeCmd) measure(ctx context.Context, f *field, plan *runner.Plan, limits map[string]runner.SiegeLimits) error {
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
	asked := results.SiegeAsked{Kinds: c.Kind, Rate: c.Rate, Connections: c.Connections, Rounds: c.Rounds, Window: time.Duration(c.Duration), Bound: c.Bound}
	foes := map[string]int{}
	for _, kind := range results.SiegeKinds {
		foes[kind] = c.Heads
	}
	foes[results.SiegeReaders] = max(c.Heads/readersPart, 1)
	run := results.Run{Started: time.Now(), Command: os.Args, Commit: commit(), Seed: c.Seed, Host: probe.Host(),
		Scenarios: plan.Scenarios(), Targets: targets, Siege: &asked}
	w, err := newRecord(c.Out, "siege", run)
	if err != nil {
		return err
	}
	bay.Keep = w.Raw
	s := &runner.Siege{Bay: bay, Cells: kneeCells(plan), Asked: asked, Foes: foes, Limits: limits, Slack: time.Duration(c.Slack),
		Record: &runner.Bench{Record: w, Progress: progress(), Rescue: os.Stderr, Now: time.Now}}
	fmt.Fprintf(os.Stderr, "siege of %s by %s, about %v, seed %d\n", strings.Join(f.order, ", "), strings.Join(c.Kind, ", "), s.Estimate().Round(time.Second), c.Seed)
	end, runErr := s.Run(ctx)
	return errors.Join(runErr, c.conclude(w.Dir(), end))
}

// conclude writes the report, prints the table and chooses the exit code.
func (c *SiegeCmd) conclude(dir string, end results.End) error {
	reportErr := writeReport(dir)
	rec, err := results.Read(dir)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	rows := results.SiegeRows(rec)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(siegeDocument{Folder: dir, Rows: rows})
	} else {
		_, err = fmt.Printf("%s\nrecord %s\n", results.SiegeText(rec, plainWidth, false), dir)
	}
	if err = errors.Join(reportErr, err); err != nil {
		return err
	}
	if end.Interrupted {
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d windows: they are recorded and reported, nothing is left running", end.Trials)}
	}
	var fail []string
	for _, r := range rows {
		if r.Verdict == results.SiegeFails {
			fail = append(fail, r.Target+" against "+r.Kind)
		}
	}
	if fail != nil {
		return exitError{exitWrong, "does not hold: " + strings.Join(fail, ", ") + ": the table says why"}
	}
	return nil
}

// siegeDocument is what --json prints.
type siegeDocument struct {
	Folder string             `json:"folder"`
	Rows   []results.SiegeRow `json:"rows"`
}
