package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"corelab/runner/load"
)

// LoadCmd loads one URL with a generator by itself, with wrk's habits. With --spec it is the generator's process of a bench.
type LoadCmd struct {
	URL string `arg:"" optional:"" help:"What to load: http://host:port/path."`

	Connections  int           `short:"c" default:"64" help:"Connections to keep open."`
	Duration     time.Duration `short:"d" default:"10s" help:"How long to measure."`
	Threads      int           `short:"t" default:"1" help:"Threads of the generator."`
	Rate         float64       `help:"Requests per second, whether or not the server keeps up (open loop); without it each connection sends when it was answered (closed loop)."`
	Phases       string        `placeholder:"RATE:TIME,…" help:"An open loop whose rate changes, instead of --rate and -d: 30000:2s,burst=90000:1s,30000:2s. An answer counts if it comes within --timeout from when its request was due."`
	Poisson      bool          `help:"Random instead of even gaps between the requests of an open loop."`
	Seed         uint64        `default:"1" help:"Of the random gaps."`
	Stamp        bool          `help:"Have the kernel say when each answer arrived, and report that time beside the others: what the generator, kept from its CPU, adds to a latency is not in it. Not with --pipeline."`
	Spin         time.Duration `help:"Poll for so long before a request of an open loop is due, instead of sleeping: 100us pays where the generator has a CPU to itself."`
	Latency      bool          `help:"Print the whole latency distribution."`
	Header       []string      `short:"H" sep:"none" placeholder:"'NAME: VALUE'" help:"A header to send; may be repeated."`
	Method       string        `short:"m" default:"GET" help:"The request's method."`
	Body         string        `placeholder:"TEXT|@FILE" help:"The request's body."`
	Pipeline     int           `default:"1" help:"Requests in flight on a connection, sent in one write."`
	NewConn      bool          `help:"A new connection for every request."`
	Idle         int           `help:"Further connections that are open and say nothing."`
	Timeout      time.Duration `default:"2s" help:"After which a request counts as not answered."`
	Warmup       time.Duration `default:"1s" help:"Load before the measuring begins."`
	ExpectStatus int           `help:"The status that every answer must have; otherwise any below 400."`
	ExpectBody   string        `placeholder:"FILE" help:"The body that every answer must have; otherwise that of the first right answer."`
	CheckEvery   int           `default:"1" help:"Compare one body in so many; -1: none, for answers that differ."`
	JSON         bool          `help:"Print the result as JSON."`
	Generator    string        `default:"corelab" enum:"corelab,corelab-uring,wrk,vegeta,h2load" help:"Who sends: corelab, corelab-uring (the same by io_uring: cheaper, in bursts), wrk, vegeta or h2load."`
	Spec         string        `hidden:"" help:"Read the load as JSON from this file, - for standard input, and print the result as one line of JSON."`
}

// Exit codes of corelab load, beside 0 and the 1 of an operating error.
const (
	exitWrong       = 3
	exitInterrupted = 130
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

// ExitCode is what the command line's library exits with.
func (e exitError) ExitCode() int { return e.code }

// Run loads, and prints what came of it.
func (c *LoadCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.Spec != "" {
		return c.serve(ctx)
	}
	s, err := c.spec()
	if err != nil {
		return err
	}
	if err := s.Filled().Check(); err != nil {
		return err
	}
	r, err := c.generate(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else {
		err = report(os.Stdout, s.Filled(), r, c.Latency)
	}
	switch {
	case err != nil:
		return fmt.Errorf("print the result: %w", err)
	case ctx.Err() != nil:
		return exitError{exitInterrupted, "interrupted: the figures are of what was measured until then"}
	case r.Errors.Total() > 0:
		return exitError{exitWrong, fmt.Sprintf("%s; the first: %s", plural(r.Errors.Total(), "error"), orUnknown(r.Example))}
	case r.Requests == 0:
		return exitError{exitWrong, "nothing was answered: is it the right port, and does the server speak HTTP?"}
	}
	return nil
}

// serve is the process that a bench starts: loads come as JSON, one after the other, and the result of each goes as one
// line when it is over. A comparison writes the next load when it has read the last result, and so pays for one start.
func (c *LoadCmd) serve(ctx context.Context) error {
	in := io.Reader(os.Stdin)
	if c.Spec != "-" {
		f, err := os.Open(c.Spec)
		if err != nil {
			return fmt.Errorf("read the load: %w", err)
		}
		defer f.Close()
		in = f
	}
	loads, out := json.NewDecoder(in), json.NewEncoder(os.Stdout)
	for n := 0; ; n++ {
		var s load.Spec
		if err := loads.Decode(&s); errors.Is(err, io.EOF) && n > 0 {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the load from %s: %w", c.Spec, err)
		}
		r, err := inProcess(ctx, c.Generator, s, nil)
		if err != nil {
			return err
		}
		if err := out.Encode(r); err != nil {
			return fmt.Errorf("print the result: %w", err)
		}
		if ctx.Err() != nil {
			return exitError{exitInterrupted, "interrupted"}
		}
	}
}

// inProcess runs a generator that is linked into this binary.
func inProcess(ctx context.Context, name string, s load.Spec, watch *load.Progress) (load.Result, error) {
	switch name {
	case "corelab":
		return load.Run(ctx, s, watch)
	case "corelab-uring":
		s.Engine = load.EngineUring
		return load.Run(ctx, s, watch)
	case "vegeta":
		return load.Vegeta(ctx, s, watch)
	}
	return load.Result{}, fmt.Errorf("generator %s is a program of its own and takes no --spec", name)
}

// spec is what was typed.
func (c *LoadCmd) spec() (load.Spec, error) {
	s := load.Spec{URL: c.URL, Method: c.Method, Header: c.Header, Connections: c.Connections, Depth: c.Pipeline, Threads: c.Threads,
		NewConn: c.NewConn, Rate: c.Rate, Seed: c.Seed, Spin: c.Spin, Stamp: c.Stamp, Duration: c.Duration, Warmup: c.Warmup, Timeout: c.Timeout,
		CheckEvery: c.CheckEvery, Idle: c.Idle}
	if c.URL == "" {
		return s, errors.New("say what to load: corelab load http://127.0.0.1:8080/")
	}
	if !strings.Contains(c.URL, "://") {
		s.URL = "http://" + c.URL
	}
	if c.Phases != "" {
		phases, err := load.ParsePhases(c.Phases)
		if err != nil {
			return s, fmt.Errorf("--phases: %w", err)
		}
		if c.Rate != 0 {
			return s, errors.New("--phases have rates of their own: leave out --rate")
		}
		s.Phases, s.Duration = phases, 0
	}
	if c.Poisson {
		if c.Rate <= 0 && s.Phases == nil {
			return s, errors.New("--poisson spaces the requests of an open loop: give --rate too")
		}
		s.Arrival = load.ArrivalPoisson
	}
	s.Body = []byte(c.Body)
	if name, ok := strings.CutPrefix(c.Body, "@"); ok {
		b, err := os.ReadFile(name)
		if err != nil {
			return s, fmt.Errorf("read the request's body: %w", err)
		}
		s.Body = b
	}
	if c.ExpectStatus != 0 || c.ExpectBody != "" {
		s.Expect = &load.Expect{Status: c.ExpectStatus, Length: -1}
	}
	if c.ExpectBody != "" {
		b, err := os.ReadFile(c.ExpectBody)
		if err != nil {
			return s, fmt.Errorf("read the expected body: %w", err)
		}
		// An empty file expects an empty body, which is not the same as none.
		s.Expect.Body = append([]byte{}, b...)
	}
	return s, nil
}

// generate runs the chosen generator and shows how far it is.
func (c *LoadCmd) generate(ctx context.Context, s load.Spec) (load.Result, error) {
	watch := new(load.Progress)
	if c.Duration+c.Warmup > 2*time.Second && term.IsTerminal(int(os.Stderr.Fd())) {
		defer showProgress(os.Stderr, s, watch)()
	}
	if c.Generator != "wrk" && c.Generator != "h2load" {
		return inProcess(ctx, c.Generator, s, watch)
	}
	g, _ := load.Find(c.Generator)
	if err := g.Available(); err != nil {
		return load.Result{}, err
	}
	if c.Warmup > 0 {
		warm := s
		warm.Duration = c.Warmup
		if _, err := runProgram(ctx, g, warm); err != nil || ctx.Err() != nil {
			return load.Result{}, errors.Join(err, ctx.Err())
		}
	}
	return runProgram(ctx, g, s)
}

// runProgram runs a generator that is a program of its own. An interrupt is passed on, so that it prints what it has.
func runProgram(ctx context.Context, g load.Generator, s load.Spec) (load.Result, error) {
	argv, stdin, err := g.Command("", s)
	if err != nil {
		return load.Result{}, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	failed := cmd.Run()
	r, err := g.Parse(stdout.Bytes(), stderr.Bytes())
	if err != nil {
		return r, errors.Join(err, failed)
	}
	r.Command = argv
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, nil
}
