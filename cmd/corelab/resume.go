package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"corelab/results"
	"corelab/runner"
)

// past is the run that a bench goes on with.
type past struct {
	w     *results.Writer
	rec   *results.Record
	force bool
}

// resume goes on with the run that --resume names, as its own command line asked for it.
func (c *BenchCmd) resume(ctx context.Context) error {
	if err := c.resumeAlone(); err != nil {
		return err
	}
	w, rec, err := results.Reopen(c.Resume)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("--resume %s: there is no run: name the folder of one, such as results/latest: %w", c.Resume, err)
	case errors.Is(err, results.ErrBusy):
		return fmt.Errorf("--resume %s: the run still goes on: wait until it has ended, or end it: %w", c.Resume, err)
	case err != nil:
		return fmt.Errorf("--resume %s: there is nothing to go on with, start the run again: %w", c.Resume, err)
	}
	defer w.Close() // an error of a record that has ended by then, or was not changed
	asked, err := askedBy(rec.Run.Command)
	if err != nil {
		return fmt.Errorf("--resume %s: %w", c.Resume, err)
	}
	asked.Seed, asked.JSON = rec.Run.Seed, asked.JSON || c.JSON
	if endedWhole(rec) {
		fmt.Fprintf(os.Stderr, "nothing is left to do: the run ended whole, %s\n", rec.End.Ended.Format(time.RFC3339))
		return asked.conclude(w.Dir(), *rec.End, &outcomes{})
	}
	asked.past = &past{w, rec, c.Force}
	return asked.bench(ctx)
}

// resumeAlone refuses what the record says already.
func (c *BenchCmd) resumeAlone() error {
	var plain, given cli
	parser, err := grammar(&plain)
	if err == nil {
		_, err = parser.Parse([]string{"bench"})
	}
	if err != nil {
		return fmt.Errorf("find what --resume may stand with: %w", err)
	}
	given.Bench = *c
	given.Bench.Resume, given.Bench.Force, given.Bench.JSON = "", false, false
	if !reflect.DeepEqual(given.Bench, plain.Bench) {
		return errors.New("--resume takes scenarios and options from the record, which has the command line: besides it there are only --force and --json")
	}
	return nil
}

// askedBy is what a recorded command line asked for.
func askedBy(command []string) (*BenchCmd, error) {
	var then cli
	parser, err := grammar(&then)
	if err != nil {
		return nil, err
	}
	if len(command) < 2 {
		return nil, errors.New("the record has no command line")
	}
	parsed, err := parser.Parse(command[1:])
	switch {
	case err != nil:
		return nil, fmt.Errorf("its command line, %q, is not understood any more: %v", strings.Join(command, " "), err)
	case !strings.HasPrefix(parsed.Command(), "bench"):
		return nil, fmt.Errorf("it is a run of corelab %s, and only those of corelab bench can be gone on with", parsed.Command())
	}
	return &then.Bench, nil
}

// grammar is the command line.
func grammar(c *cli, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{kong.Name("corelab"), kong.Description(about),
		kong.Vars{"figures": figureNames()}, kong.ConfigureHelp(kong.HelpOptions{Compact: true})}, more...)...)
}

// endedWhole says whether a run came to its end and holds all that it counted.
func endedWhole(rec *results.Record) bool {
	tried := 0
	for _, t := range rec.Trials {
		if t.Skipped == "" {
			tried++
		}
	}
	return rec.End != nil && !rec.End.Interrupted && tried >= rec.End.Trials
}

// only leaves those in the field that the run began with, in their order: whoever came later has no part in it.
func (p *past) only(f *field) error {
	var order []string
	for _, t := range p.rec.Run.Targets {
		if _, ok := f.specs[t.Name]; !ok {
			return fmt.Errorf("the target %s of the run is not here any more: install it again, or start a new run%s", t.Name, why(f.said, t.Name))
		}
		order = append(order, t.Name)
	}
	for name := range f.specs {
		if !slices.Contains(order, name) {
			delete(f.specs, name)
		}
	}
	f.order = order
	return nil
}

// why is what was said of a target that is missing.
func why(said []string, name string) string {
	for _, s := range said {
		if strings.HasPrefix(s, "without "+name+":") {
			return " (" + s + ")"
		}
	}
	return ""
}

// open begins the next part of the run, if it is still the same one: it returns what is left of the plan.
func (p *past) open(now results.Run, plan *runner.Plan) (*runner.Rest, error) {
	differs := differences(p.rec.Run, now)
	if len(differs) > 0 && !p.force {
		return nil, fmt.Errorf("this is not what the run began with: %s; figures of both would stand in one table: start a new run, or go on with --force, and the report says so", strings.Join(differs, "; "))
	}
	rest, err := plan.Rest(p.rec.Trials)
	if err != nil {
		return nil, fmt.Errorf("the run cannot be gone on with, start a new one: %w", err)
	}
	for _, d := range differs {
		fmt.Fprintln(os.Stderr, "  forced: "+d)
	}
	fmt.Fprintf(os.Stderr, "going on with %s: %d of %d trials are recorded, and took %v\n", p.w.Dir(), len(rest.Done), len(rest.Done)+len(rest.Steps), p.rec.Used().Round(time.Second))
	return rest, p.w.GoOn(results.GoOn{Started: now.Started, Command: now.Command, Commit: now.Commit, Differs: differs})
}

// memoryPart is the part of the memory by which two boots of one machine may differ.
const memoryPart = 100

// ofMemory is a setting that the kernel makes at boot of the memory that it finds free.
const ofMemory = "fs.file-max"

// differences says in what a run is not what it was when it began: each would have its part in the figures.
func differences(was, is results.Run) []string {
	var out []string
	differ := func(what, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s is %s now, and was %s", what, quoted(is), quoted(was)))
		}
	}
	differ("corelab's commit", was.Commit, is.Commit)
	a, b := was.Host, is.Host
	differ("the machine", a.Hostname, b.Hostname)
	differ("its processor", a.CPU, b.CPU)
	differ("the number of CPUs", fmt.Sprint(a.CPUs), fmt.Sprint(b.CPUs))
	differ("the kernel", a.Kernel, b.Kernel)
	differ("the Go that built corelab", a.GoVersion, b.GoVersion)
	differ("the limit of open files", fmt.Sprint(a.OpenFiles), fmt.Sprint(b.OpenFiles))
	if max(a.MemoryKiB, b.MemoryKiB)-min(a.MemoryKiB, b.MemoryKiB) > a.MemoryKiB/memoryPart {
		differ("its memory in KiB", fmt.Sprint(a.MemoryKiB), fmt.Sprint(b.MemoryKiB))
	}
	for _, name := range names(a.Sysctl, b.Sysctl) {
		if name != ofMemory {
			differ(name, a.Sysctl[name], b.Sysctl[name])
		}
	}
	for _, name := range names(was.Tools, is.Tools) {
		differ(name, was.Tools[name], is.Tools[name])
	}
	for _, s := range was.Scenarios {
		i := slices.IndexFunc(is.Scenarios, func(t results.Scenario) bool { return t.Name == s.Name })
		switch {
		case i < 0:
			out = append(out, fmt.Sprintf("the scenario %s is not in the plan any more", s.Name))
		case s.Digest != "" && s.Digest != is.Scenarios[i].Digest:
			out = append(out, fmt.Sprintf("the scenario %s asks something else", s.Name))
		}
	}
	for _, t := range was.Targets {
		if i := slices.IndexFunc(is.Targets, func(o results.Target) bool { return o.Name == t.Name }); i >= 0 {
			out = append(out, targetDifferences(t, is.Targets[i])...)
		}
	}
	return out
}

// targetDifferences compares what decides how a target runs. Where its program lies does not.
func targetDifferences(was, is results.Target) []string {
	command := func(t results.Target) string {
		if len(t.Command) == 0 {
			return ""
		}
		return strings.Join(append([]string{filepath.Base(t.Command[0])}, t.Command[1:]...), " ")
	}
	var out []string
	for _, d := range [][3]string{{"version", was.Version, is.Version}, {"command", command(was), command(is)}} {
		if d[1] != d[2] {
			out = append(out, fmt.Sprintf("the %s of %s is %s now, and was %s", d[0], was.Name, quoted(d[2]), quoted(d[1])))
		}
	}
	if was.Config != is.Config {
		out = append(out, fmt.Sprintf("%s has another configuration", was.Name))
	}
	return out
}

func quoted(s string) string {
	if s == "" {
		return "unknown"
	}
	return fmt.Sprintf("%q", s)
}

// names are the keys of both, sorted.
func names(a, b map[string]string) []string {
	var out []string
	for _, m := range []map[string]string{a, b} {
		for name := range m {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}
