package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"corelab/results"
	"corelab/results/page"
	"corelab/runner"
	"corelab/runner/target"
	"corelab/scenarios"
)

// What every command that measures does alike: it can be interrupted, finds its servers, has a bay, and keeps a record.

// interruptible runs a command until it is done or the user interrupts it. The context ends at the first signal; the ones
// that follow do nothing: what is left to do is bounded.
func interruptible(measure func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := measure(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitError{exitInterrupted, "interrupted before anything was measured"}
	}
	return err
}

// newEnv asks the coreserver that was given, or the one next to this program, what it has.
func newEnv(ctx context.Context, coreserver string) (target.Env, error) {
	path, err := findCoreserver(ctx, coreserver)
	if err != nil {
		return target.Env{}, err
	}
	return target.NewEnv(ctx, path)
}

// newSeed is a random one where none was given. It has 63 bits, so that every reader of JSON takes it for a whole number.
func newSeed(given uint64) uint64 {
	if given != 0 {
		return given
	}
	return rand.Uint64() >> 1
}

// newBay makes a place to measure the targets in. The caller calls clean when all servers have ended.
func newBay(specs map[string]target.Spec, order []string, workers int, ready time.Duration, seed uint64) (bay *runner.Bay, clean func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "corelab-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for what servers write: %w", err)
	}
	bay = &runner.Bay{Self: self, Targets: specs, Order: order, Dir: dir, Workers: workers, ReadyTimeout: ready, Seed: seed}
	return bay, func() { os.RemoveAll(dir) }, nil
}

// newRecord makes the folder of a run, named by the second and the command; a run that began in the same one has the next number.
func newRecord(out, command string, run results.Run) (*results.Writer, error) {
	id := run.Started.Format("20060102-150405") + "-" + command
	w, err := results.Create(out, id, run)
	for n := 2; errors.Is(err, os.ErrExist) && n <= 10; n++ {
		w, err = results.Create(out, fmt.Sprintf("%s-%d", id, n), run)
	}
	return w, err
}

// writeReport writes all that is made of the record in dir beside it: the texts, the pictures and the page. What fails does
// not keep the others from being written.
func writeReport(dir string) error { return errors.Join(results.WriteReport(dir), page.Write(dir)) }

// nearby names a program below this folder as one types it here: a record should repeat elsewhere, and not tell where it lay.
func nearby(command []string) []string {
	here, err := os.Getwd()
	if err != nil || len(command) == 0 {
		return command
	}
	path, err := filepath.Rel(here, command[0])
	if err != nil || !filepath.IsLocal(path) {
		return command
	}
	return append([]string{path}, command[1:]...)
}

func progress() *runner.Progress {
	p := &runner.Progress{Out: os.Stderr}
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) {
		p.Terminal = true
		if w, _, err := term.GetSize(fd); err == nil {
			p.Width = w
		}
	}
	return p
}

// oneScenario loads what NAME[:CASE] names. The case is empty where the scenario has but one.
func oneScenario(text string) (s *runner.Scenario, kase string, err error) {
	name, kase, _ := strings.Cut(text, ":")
	list, err := runner.LoadScenarios(scenarios.Files, name)
	if err != nil {
		return nil, "", err
	}
	if names := list[0].CaseNames(); kase != "" && !slices.Contains(names, kase) {
		return nil, "", fmt.Errorf("scenario %s has no case %q; there is %s", name, kase, strings.Join(names, ", "))
	}
	return list[0], kase, nil
}

// oneCase plans a single case of s for each target, in one round by our own generator.
func oneCase(s *runner.Scenario, kase string, f *field, placement runner.Placement, seed uint64) (*runner.Plan, error) {
	ask := runner.Ask{Rounds: 1, WarmUp: -1, Generator: runner.ByCorelab, Placement: placement, Seed: seed}
	if names := s.CaseNames(); kase != "" {
		ask.Cases = []string{kase}
	} else if len(names) > 1 {
		return nil, fmt.Errorf("scenario %s has several cases, name one of them: --scenario %s:%s", s.Name, s.Name, strings.Join(names, ", "+s.Name+":"))
	}
	plan, err := runner.NewPlan([]*runner.Scenario{s}, f.entrants(), ask)
	if err != nil {
		return nil, err
	}
	return plan, refuse(plan)
}

// refuse says why a target of a plan cannot take part, where all must.
func refuse(plan *runner.Plan) error {
	for _, cell := range plan.Skipped() {
		return fmt.Errorf("%s cannot take part in %s: %s", cell.Target, cell.Scenario.Name, cell.Skipped)
	}
	return nil
}
