package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"corelab/runner/target"
)

// ProfileCmd records where the time of targets goes.
type ProfileCmd struct {
	Targets []string `arg:"" name:"target" help:"What is profiled: a core with flags ('pool --threads 16'), a peer, or your own server ('mine=./server --port {port}')."`

	Scenario     string        `default:"plaintext" placeholder:"NAME[:CASE]" help:"What is asked, of those with a closed loop; its first case if none is named."`
	Case         []string      `placeholder:"NAME" help:"This case, such as connections=50. May be repeated."`
	Duration     Span          `default:"3s" placeholder:"3s" help:"How long perf samples the CPU, at most 30s; the scheduler's trace and Go's own profiles follow in the same load."`
	Placement    string        `enum:",one,split,shared" default:"" help:"Instead of the scenario's: one (server and generator on one CPU), split (on disjoint ones), shared (both on all)."`
	Workers      int           `placeholder:"N" help:"CPUs that each server is told to use; otherwise those that its placement gives it."`
	Seed         uint64        `placeholder:"N" help:"Of the random order; a new one if 0."`
	Out          string        `default:"results" placeholder:"DIR" help:"Where the run's folder is made."`
	JSON         bool          `help:"Print the whole record as JSON instead of the tables."`
	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`
}

// What is measured beside the profile, which slows: the cost of a request, whose parts its samples are.
const (
	plainRounds = 2
	plainTime   = time.Second
)

// Run profiles, and reports.
func (c *ProfileCmd) Run() error {
	return interruptible(c.profile)
}

func (c *ProfileCmd) profile(ctx context.Context) error {
	if d := time.Duration(c.Duration); d <= 0 || d > runner.MaxProfile {
		return exitError{exitUsage, fmt.Sprintf("--duration %v: give it more than 0 and at most %v", d, runner.MaxProfile)}
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
	only, missing := f.profilable(probe.PerfAvailable())
	if only != nil && len(only) == 0 {
		return fmt.Errorf("nothing can be profiled: %s", missing[0].Reason)
	}
	plan, err := c.plan(f, only)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "profile %s, about %v, seed %d\n%s", strings.Join(f.order, ", "), plan.Estimate().Round(time.Second), c.Seed, plan.Describe())
	for _, m := range missing {
		fmt.Fprintf(os.Stderr, "  without %s: %s\n", m.Figure, m.Reason)
	}
	return c.measure(ctx, f, plan, missing)
}

// profilable are the targets that can be profiled where perf cannot, for perfErr: our cores, which Go profiles; nil: all. What
// is missing then is said.
func (f *field) profilable(perfErr error) (only []string, missing []results.Missing) {
	if perfErr == nil {
		return nil, nil
	}
	only = []string{}
	for _, name := range f.order {
		if f.specs[name].Kind == target.KindCore {
			only = append(only, name)
		}
	}
	reason := perfErr.Error()
	if len(only) > 0 {
		reason += "; Go's own profiles of our cores are taken all the same"
	}
	return only, []results.Missing{{Figure: results.MissingProfiles, Reason: reason}}
}

// plan is what the profiled trials' shares are parts of, and those trials.
func (c *ProfileCmd) plan(f *field, only []string) (*runner.Plan, error) {
	s, kase, err := oneScenario(c.Scenario)
	if err != nil {
		return nil, err
	}
	if s.Load.Loop != runner.Closed {
		return nil, fmt.Errorf("scenario %s offers a rate, and what a server does at some rate is mostly waiting: profile it in a closed loop, such as plaintext's", s.Name)
	}
	cases := slices.Clone(c.Case)
	if kase != "" {
		cases = append(cases, kase)
	}
	if names := s.CaseNames(); cases == nil && len(names) > 0 {
		cases = names[:1]
	}
	plan, err := runner.NewPlan([]*runner.Scenario{s}, f.entrants(), runner.Ask{
		Cases: cases, Rounds: plainRounds, Duration: plainTime, WarmUp: -1, Generator: runner.ByCorelab, Placement: runner.Placement(c.Placement),
		Single: true, Profile: true, Profiled: only, Sampling: time.Duration(c.Duration), Seed: c.Seed,
	})
	if err != nil {
		return nil, err
	}
	return plan, refuse(plan)
}

// measure runs the plan into a record, and reports what is in it.
func (c *ProfileCmd) measure(ctx context.Context, f *field, plan *runner.Plan, missing []results.Missing) error {
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
	tools, absent := probe.Tools()
	w, err := newRecord(c.Out, "profile", results.Run{Started: time.Now(), Command: os.Args, Commit: commit(), Seed: c.Seed, Host: probe.Host(),
		Tools: tools, Missing: append(absent, missing...), Scenarios: plan.Scenarios(), Targets: targets})
	if err != nil {
		return err
	}
	bay.Keep, bay.KeepProfile = w.Raw, w.Profile
	outcome := &outcomes{Lab: bay, cells: map[string]bool{}}
	b := &runner.Bench{Steps: plan.Steps(), Lab: outcome, Record: w, Progress: progress(), Rescue: os.Stderr, Now: time.Now}
	end, runErr := b.Run(ctx)
	return errors.Join(runErr, c.conclude(w.Dir(), end, outcome))
}

// conclude writes the report, says where everything is, and chooses the exit code.
func (c *ProfileCmd) conclude(dir string, end results.End, o *outcomes) error {
	fmt.Fprintln(os.Stderr, "reading the profiles for the report …")
	reportErr := writeReport(dir)
	rec, err := results.Read(dir)
	if err != nil {
		return errors.Join(reportErr, err)
	}
	if c.JSON {
		err = printJSON(rec)
	} else if err = printSummary(rec); err == nil {
		err = errors.Join(printProfiles(os.Stdout, rec, rec.Trials), printMade(os.Stdout, dir))
	}
	if err = errors.Join(reportErr, err); err != nil {
		return err
	}
	if end.Interrupted {
		return exitError{exitInterrupted, fmt.Sprintf("interrupted after %d trials: they are recorded and reported, nothing is left running", end.Trials)}
	}
	if without := unprofiled(rec); without != nil {
		return exitError{exitWrong, "not profiled: " + strings.Join(without, "; ")}
	}
	if failed := o.failed(); failed > 0 {
		return exitError{exitWrong, fmt.Sprintf("%d of %d cells could not be measured, or had wrong answers: their rows say why", failed, len(o.cells))}
	}
	return nil
}

// unprofiled are the targets of which no profile was taken, with the reasons.
func unprofiled(rec *results.Record) (out []string) {
	for _, target := range rec.Run.Targets {
		var had bool
		why := "it was not tried"
		for _, t := range rec.Trials {
			switch {
			case t.Target != target.Name || t.Role != results.RoleProfiled:
			case t.Error != "":
				why, _, _ = strings.Cut(t.Error, "\n")
			case len(t.Profiles) > 0:
				had = true
			default:
				for _, m := range t.Missing {
					if strings.HasPrefix(m.Figure, results.MissingProfiles+".") {
						why = m.Reason
						break
					}
				}
			}
		}
		if !had {
			out = append(out, target.Name+": "+why)
		}
	}
	return out
}

// printProfiles lists the profiles of the trials, with the commands that open them.
func printProfiles(w io.Writer, rec *results.Record, trials []results.Trial) error {
	var b strings.Builder
	for _, t := range trials {
		if len(t.Profiles) == 0 {
			continue
		}
		what := t.Scenario
		if t.Case != "" {
			what += " " + t.Case
		}
		fmt.Fprintf(&b, "\nprofiles of %s, %s\n", results.Printable(t.Target), results.Printable(what))
		for _, p := range t.Profiles {
			fmt.Fprintf(&b, "  %-12s  go tool pprof -http=: %s\n", p.Kind, shellquote.Join(filepath.Join(rec.Dir, p.Path)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printMade lists what the report is made of, as far as it is there.
func printMade(w io.Writer, dir string) error {
	var b strings.Builder
	for _, made := range []struct{ name, pattern string }{
		{"flames", filepath.Join("flame", "*.svg")}, {"folded", filepath.Join(results.ProfileFolder, "*.folded")},
		{"report", results.ReportFile}, {"page", page.File}, {"record", results.RunFile},
	} {
		files, err := filepath.Glob(filepath.Join(dir, made.pattern))
		if err != nil {
			return fmt.Errorf("look for what the report made of the profiles: %w", err)
		}
		if len(files) > 0 {
			fmt.Fprintf(&b, "%-8s %s\n", made.name, filepath.Join(dir, made.pattern))
		}
	}
	_, err := io.WriteString(w, "\n"+b.String())
	return err
}
