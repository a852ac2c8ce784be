package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/load"
	"corelab/runner/target"
)

// buildBound bounds the build of coreserver, where there is none yet.
const buildBound = 3 * time.Minute

// findCoreserver returns the path of coreserver: as given, or next to this binary, or else built there from source.
func findCoreserver(ctx context.Context, given string) (string, error) {
	if given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("--coreserver %s: %w", given, err)
		}
		return filepath.Abs(path)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), "coreserver")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, buildBound)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "corelab/cmd/coreserver")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("there is no coreserver next to %s, and it could not be built (%w%s); run \"make build\", or give --coreserver PATH", self, err, tail(out))
	}
	return path, nil
}

func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// field is who takes part.
type field struct {
	env   target.Env // that they were made of
	order []string
	specs map[string]target.Spec
	said  []string // who is left out, and why
	// guests are the peers that nobody named, but for nginx, which is measured everywhere
	guests []string
}

// newField parses what was asked for: all cores and the peers that are installed, unless cores names others; and targets.
func newField(ctx context.Context, env target.Env, cores, targets []string) (*field, error) {
	f := &field{env: env, specs: map[string]target.Spec{}}
	switch {
	case slices.Equal(cores, []string{"none"}):
	case len(cores) > 0:
		targets = append(slices.Clone(cores), targets...)
	default:
		var all []string
		for _, k := range env.List() {
			if k.Missing != "" {
				f.said = append(f.said, fmt.Sprintf("without %s: %s", k.Name, k.Missing))
				continue
			}
			all = append(all, k.Name)
			if k.Kind == target.KindPeer && k.Name != results.ReferenceTarget {
				f.guests = append(f.guests, k.Name)
			}
		}
		targets = append(all, targets...)
	}
	for _, t := range targets {
		spec, err := target.ParseContext(ctx, t, env)
		if err != nil {
			return nil, err
		}
		if _, twice := f.specs[spec.Name]; twice {
			return nil, fmt.Errorf("two targets are called %q: give one of them another name, like b=COMMAND", spec.Name)
		}
		f.order = append(f.order, spec.Name)
		f.specs[spec.Name] = spec
	}
	if len(f.order) == 0 {
		return nil, errors.New("no target is left: name one with --cores or --target, or install nginx")
	}
	return f, nil
}

// bay is a place to measure them in, see newBay.
func (f *field) bay(workers int, ready time.Duration, seed uint64) (*runner.Bay, func(), error) {
	bay, clean, err := newBay(f.specs, f.order, workers, ready, seed)
	if err == nil {
		bay.Upstream = func(ctx context.Context, name string) (target.Spec, error) {
			return target.ParseContext(ctx, name, f.env)
		}
	}
	return bay, clean, err
}

// entrants are the targets as a plan wants them.
func (f *field) entrants() []runner.Entrant {
	var out []runner.Entrant
	for _, name := range f.order {
		out = append(out, runner.Entrant{Name: name, Subject: f.specs[name]})
	}
	return out
}

// absent says of each generator that cannot run here why.
func absent() map[runner.Generator]string {
	out := map[runner.Generator]string{}
	for _, g := range load.Generators {
		if err := g.Available(); err != nil {
			out[runner.Generator(g.Name())] = err.Error()
		}
	}
	return out
}
