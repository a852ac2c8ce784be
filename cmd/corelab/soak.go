package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/medley"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// SoakCmd keeps a server under mixed traffic for long, and says what of it grows.
type SoakCmd struct {
	Target string `arg:"" help:"What is soaked: a core with flags ('pool --threads 16'), a peer, or your own server ('mine=./server --port {port}')."`

	For          Span          `default:"15m" placeholder:"15m" help:"How long."`
	Every        Span          `default:"5s" placeholder:"5s" help:"Between two samples of memory, files, threads and goroutines."`
	Rate         float64       `default:"2000" help:"Requests per second of those who ask rightly: every route the server has, on connections for one request and for many."`
	Clients      int           `short:"c" default:"32" help:"Those who ask rightly, at a time."`
	Foes         int           `default:"50" help:"Hostile clients of each kind, at a time; see corelab siege. 0: none."`
	Workers      int           `placeholder:"N" help:"CPUs that the server is told to use; otherwise all."`
	Seed         uint64        `placeholder:"N" help:"Of the traffic; a new one if 0."`
	Out          string        `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON         bool          `help:"Print what came of it as one line of JSON: holds, errors, answers, and for each figure (memory, files, threads, goroutines) verdict (flat, grows, too short), growth and its interval. See results.Soaked."`
	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long the server may take until it accepts."`
}

// Run soaks, and reports.
func (c *SoakCmd) Run() error { return interruptible(c.soak) }

func (c *SoakCmd) soak(ctx context.Context) error {
	if c.For <= 0 || c.Every <= 0 || c.Every > c.For || c.Rate <= 0 || c.Clients < 1 || c.Clients > medley.MaxClients || c.Foes < 0 {
		return exitError{exitUsage, fmt.Sprintf("--for, --every and --rate must be above 0, --every at most --for, --clients 1 to %d, and --foes not below 0", medley.MaxClients)}
	}
	c.Seed = newSeed(c.Seed)
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return err
	}
	spec, err := target.ParseContext(ctx, c.Target, env)
	if err != nil {
		return err
	}
	for _, feature := range []runner.Feature{runner.Parsing, runner.KeepAlive, runner.Concurrent} {
		if reason := spec.LacksFeature(string(feature)); reason != "" {
			return exitError{exitUsage, fmt.Sprintf("%s cannot be soaked: it lacks %s (%s)", spec.Name, feature, reason)}
		}
	}
	cpus, err := probe.Allowed()
	if err != nil {
		return err
	}
	workers := c.Workers
	if workers == 0 {
		workers = len(cpus)
	}
	options := target.Options{Workers: workers, ReadyTimeout: c.ReadyTimeout}
	described := spec.Describe(options)
	described.Command = nearby(described.Command)
	asked := results.SoakAsked{For: time.Duration(c.For), Every: time.Duration(c.Every), Rate: c.Rate, Foes: c.Foes}
	run := results.Run{Started: time.Now(), Command: os.Args, Commit: commit(), Seed: c.Seed, Budget: asked.For, Host: probe.Host(),
		Scenarios: []results.Scenario{{Name: "soak", Question: "Does anything grow under mixed traffic, and is every answer right?",
			Load: fmt.Sprintf("all routes, %g requests a second on %d connections that come and go, beside %d hostile clients of each kind", c.Rate, c.Clients, c.Foes)}},
		Targets: []results.Target{described}, Soak: &asked}
	w, err := newRecord(c.Out, "soak", run)
	if err != nil {
		return err
	}
	s := &runner.Soak{Target: spec, Options: options, Asked: asked, Clients: c.Clients, Seed: c.Seed,
		Record: &runner.Bench{Record: w, Progress: progress(), Rescue: os.Stderr, Now: time.Now}}
	end, runErr := s.Run(ctx)
	return errors.Join(runErr, c.conclude(w.Dir(), end))
}

// conclude writes the report, prints what came of it and chooses the exit code.
func (c *SoakCmd) conclude(dir string, end results.End) error {
	reportErr := writeReport(dir)
	rec, err := results.Read(dir)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	soaked := results.SoakOf(rec)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(soaked)
	} else {
		_, err = fmt.Printf("%s\nrecord %s\n", results.SoakText(rec, plainWidth, false), dir)
	}
	switch err = errors.Join(reportErr, err); {
	case err != nil:
		return err
	case end.Interrupted:
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d samples: they are recorded and reported, nothing is left running", end.Trials)}
	case !soaked.Holds:
		return exitError{exitWrong, soaked.Target + " does not hold: the table says why"}
	}
	return nil
}
