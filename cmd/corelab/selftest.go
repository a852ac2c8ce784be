package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/load"
	"corelab/runner/probe"
	"corelab/runner/selftest"
	"corelab/runner/target"
)

// SelftestCmd holds the lab against servers whose truth is known.
type SelftestCmd struct {
	Plants []string `arg:"" optional:"" name:"plant" help:"Only these plants, by the names of the table; otherwise all of them, in two minutes."`

	Quick      bool   `help:"Only what counts exactly, and one quantile: twenty seconds at most."`
	Tools      bool   `help:"Hold wrk, h2load and vegeta, as far as they are installed, and corelab-uring against the same truths: two minutes more."`
	Verbose    bool   `short:"v" help:"Show how each truth is known: its formula and the source."`
	Format     string `enum:"terminal,md,json" default:"terminal" help:"What is printed: ${enum}. md has the formulas."`
	JSON       bool   `help:"The same as --format json: every figure, its truth, the formula and the verdict; the fields are documented in results/selftest.go."`
	Judge      string `placeholder:"DIR" help:"Measure nothing: judge a recorded selftest again."`
	Seed       uint64 `placeholder:"N" help:"Of the random arrivals; a new one if 0."`
	Out        string `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	Coreserver string `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
}

// Run measures, judges and prints. Exit codes: 0 all that can be judged on this machine is right; 1 a figure is wrong; 3 none
// is, but some could not be judged because the machine was busy; 130 interrupted.
func (c *SelftestCmd) Run() error {
	if c.JSON {
		c.Format = "json"
	}
	if c.Judge != "" {
		return c.judge(c.Judge)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dir, err := c.measure(ctx)
	if errors.Is(err, context.Canceled) && dir == "" {
		return exitError{exitInterrupted, "interrupted before anything was measured"}
	}
	if dir == "" {
		return err
	}
	return errors.Join(err, c.judge(dir))
}

// maxRepeats bounds how often plants that were named are repeated, in times of their own length.
const maxRepeats = 2

// measure runs the plants into a record and returns its folder, as soon as there is one.
func (c *SelftestCmd) measure(ctx context.Context) (folder string, err error) {
	plants, err := selftest.Choose(c.Plants, c.Quick)
	if err != nil {
		return "", err
	}
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return "", err
	}
	order, specs, err := selftest.Targets(env, plants)
	if err != nil {
		return "", err
	}
	c.Seed = newSeed(c.Seed)
	bay, clean, err := newBay(specs, order, 1, 0, c.Seed)
	if err != nil {
		return "", err
	}
	defer clean()
	if _, err := bay.Prepare(); err != nil {
		return "", err
	}
	w, err := c.create(plants, order, specs)
	if err != nil {
		return "", err
	}
	bay.Keep = w.Raw
	began := time.Now()
	b := &selftest.Bench{Lab: bay, Seed: c.Seed, Plants: plants, Foreign: c.Tools, Append: w.Append, Say: c.say(began)}
	if len(c.Plants) > 0 {
		b.Spare = maxRepeats * selftest.Estimate(plants, c.Tools) // who names them wants to know
	}
	fmt.Fprintf(os.Stderr, "selftest: %d plants, about %v where nothing must be repeated\n", len(plants), selftest.Estimate(plants, c.Tools).Round(time.Second))
	trials, err := b.Run(ctx)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	end := results.End{Ended: time.Now(), Elapsed: time.Since(began), Trials: trials, Interrupted: ctx.Err() != nil}
	return w.Dir(), errors.Join(err, w.End(end))
}

// create makes the run's folder.
func (c *SelftestCmd) create(plants []*selftest.Plant, order []string, specs map[string]target.Spec) (*results.Writer, error) {
	tools, _ := probe.Tools()
	run := results.Run{Started: time.Now(), Command: os.Args, Commit: commit(), Seed: c.Seed, Host: probe.Host(), Tools: tools,
		Scenarios: []results.Scenario{selftest.Scenario(plants)}}
	for _, name := range order {
		t := specs[name].Describe(target.Options{Workers: 1})
		t.Command = nearby(t.Command)
		run.Targets = append(run.Targets, t)
	}
	if c.Tools {
		for _, g := range load.Generators {
			if err := g.Available(); err != nil {
				run.Missing = append(run.Missing, results.Missing{Figure: g.Name(), Reason: err.Error()})
			}
		}
	}
	if err := probe.CallsAvailable(); err != nil {
		run.Missing = append(run.Missing, results.Missing{Figure: "system calls", Reason: err.Error()})
	}
	return newRecord(c.Out, "selftest", run)
}

// say shows where the selftest is: on a terminal in one line, else a line for each plant.
func (c *SelftestCmd) say(began time.Time) func(selftest.Progress) {
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	before := ""
	return func(p selftest.Progress) {
		line := fmt.Sprintf("%d/%d  %s", p.Number, p.Of, p.Plant.Name)
		if p.Try > 1 {
			line += fmt.Sprintf(", try %d", p.Try)
		}
		if p.Generator != runner.ByCorelab {
			line += ", by " + string(p.Generator)
		}
		switch {
		case terminal:
			fmt.Fprintf(os.Stderr, "\r\x1b[K%s, %v, about %v left", line, time.Since(began).Round(time.Second), p.Left.Round(time.Second))
		case line != before:
			fmt.Fprintln(os.Stderr, line)
		}
		before = line
	}
}

// Files of a selftest, beside its record.
const (
	selftestReport = "selftest.md"
	selftestJSON   = "selftest.json"
)

// judge prints what the record in dir says, keeps it there, and turns it into an exit code.
func (c *SelftestCmd) judge(dir string) error {
	rec, err := results.Read(dir)
	if err != nil {
		return err
	}
	s := selftest.Judge(rec)
	if len(s.Checks) == 0 && s.Whole {
		return fmt.Errorf("%s holds no selftest", dir)
	}
	table, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the selftest: %w", err)
	}
	table = append(table, '\n')
	kept := errors.Join(os.WriteFile(filepath.Join(dir, selftestReport), []byte(s.Markdown()), 0o666),
		os.WriteFile(filepath.Join(dir, selftestJSON), table, 0o666))
	if kept != nil {
		return fmt.Errorf("keep the selftest: %w", kept)
	}
	switch c.Format {
	case "json":
		_, err = os.Stdout.Write(table)
	case "md":
		_, err = fmt.Print(s.Markdown())
	default:
		width, colour := plainWidth, false
		if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
			colour = os.Getenv("NO_COLOR") == ""
			if w, _, err := term.GetSize(fd); err == nil && w > 0 {
				width = w
			}
		}
		_, err = fmt.Printf("%s\nrecord   %s\nreport   %s\n", s.Terminal(width, colour, c.Verbose), filepath.Join(dir, results.RunFile), filepath.Join(dir, selftestReport))
	}
	if err != nil {
		return fmt.Errorf("print the selftest: %w", err)
	}
	return verdict(&s)
}

// verdict is the exit code of a selftest.
func verdict(s *results.SelfTest) error {
	wrong := s.Failing(results.CheckWrong, results.CheckSilent)
	busy := s.Unjudged()
	switch {
	case len(wrong) > 0:
		return exitError{exitFailed, "the lab cannot be believed here: " + strings.Join(wrong, ", ")}
	case !s.Whole:
		return exitError{exitInterrupted, "interrupted: what was measured until then is recorded and judged"}
	case len(busy) > 0:
		return exitError{exitWrong, "nothing is wrong, but the machine was too busy to judge all; when it is calm, try: corelab selftest " + strings.Join(busy, " ")}
	}
	return nil
}
