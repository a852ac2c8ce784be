package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/pprof/profile"

	"corelab/results"
	"corelab/runner/probe"
)

// profiledTrial is the one trial of a record that was profiled, whose files must be profiles.
func profiledTrial(t *testing.T, rec *results.Record) results.Trial {
	t.Helper()
	var found []results.Trial
	for _, trial := range rec.Trials {
		if trial.Role == results.RoleProfiled {
			found = append(found, trial)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d trials were profiled, not one", len(found))
	}
	if found[0].Error != "" {
		t.Fatal(found[0].Error)
	}
	for _, p := range found[0].Profiles {
		b, err := os.ReadFile(filepath.Join(rec.Dir, p.Path))
		if err != nil {
			t.Fatal(err)
		}
		read, err := profile.ParseData(b)
		if err != nil {
			t.Errorf("%s: %v", p.Path, err)
			continue
		}
		if p.Samples > 0 && len(read.Sample) == 0 || p.Event == "" {
			t.Errorf("%+v has %d stacks", p, len(read.Sample))
		}
	}
	return found[0]
}

func hasProfile(t results.Trial, kind string) bool {
	return slices.ContainsFunc(t.Profiles, func(p results.Profile) bool { return p.Kind == kind })
}

func missingReason(ms []results.Missing, figure string) string {
	for _, m := range ms {
		if m.Figure == figure {
			return m.Reason
		}
	}
	return ""
}

// TestProfile profiles a core as the machine can: by perf where it is, and by Go in any case.
func TestProfile(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, nil, "profile", "reactor", "--duration", "300ms", "--out", out, "--seed", "5")
	if o.code != exitOK {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	rec := record(t, out)
	trial := profiledTrial(t, rec)
	if !strings.HasSuffix(rec.Run.ID, "-profile") || len(ranked(rec)) != plainRounds || trial.Server == nil || trial.Machine == nil || trial.Load.Requests == 0 {
		t.Errorf("run %s, %d ranked trials, %+v", rec.Run.ID, len(ranked(rec)), trial)
	}
	for kind, available := range map[string]error{results.ProfileCPU: probe.PerfAvailable(), results.ProfileOffCPU: probe.SchedAvailable(), results.ProfileGoCPU: nil,
		results.ProfileHeap: nil, results.ProfileBlock: nil, results.ProfileMutex: nil, results.ProfileGoroutine: nil} {
		// A machine may be too busy for perf to begin in time, which the record then says.
		if why := missingReason(trial.Missing, "profiles."+kind); hasProfile(trial, kind) == (why != "") || available == nil && why != "" && !strings.Contains(why, "too busy") {
			t.Errorf("%s: missing for %q; it is available but for %v", kind, why, available)
		}
	}
	for _, v := range results.Verdicts(rec) {
		if v.Role == results.RoleProfiled {
			t.Errorf("a trial that was profiled is judged: %+v", v)
		}
	}
	dir, err := filepath.EvalSymlinks(rec.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go tool pprof -http=: " + dir, results.ProfileHeap, results.ReportFile} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("it does not print %q:\n%s", want, o.stdout)
		}
	}
	if _, err := os.Stat(filepath.Join(rec.Dir, results.ReportFile)); err != nil {
		t.Error(err)
	}
	waitForNothingLeft(t)
}

// withoutPerf is an environment in which no perf is found.
var withoutPerf = []string{"PATH=/nonexistent"}

// Without perf our cores still have Go's own profiles, and whoever asked is told what to install.
func TestProfileWithoutPerf(t *testing.T) {
	mine := "mine=" + os.Args[0] + " {port}"
	env := append([]string{serverMode + "=lives"}, withoutPerf...)
	o := corelab(t, env, "profile", mine, "--out", t.TempDir())
	if o.code != exitFailed || !strings.Contains(o.stderr, "perf is not installed; apt-get install") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
	out := t.TempDir()
	o = corelab(t, withoutPerf, "profile", "epoll", "--out", out)
	if o.code != exitOK || !strings.Contains(o.stderr, "perf is not installed") {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
	rec := record(t, out)
	trial := profiledTrial(t, rec)
	if hasProfile(trial, results.ProfileCPU) || !hasProfile(trial, results.ProfileGoCPU) || missingReason(rec.Run.Missing, results.MissingProfiles) == "" ||
		missingReason(trial.Missing, "profiles."+results.ProfileCPU) == "" {
		t.Errorf("%+v, missing %+v and %+v", trial.Profiles, trial.Missing, rec.Run.Missing)
	}
	out = t.TempDir()
	o = corelab(t, env, "bench", "plaintext", "--cores", "none", "--target", mine, "--profile", "--rounds", "1", "--duration", "100ms", "--no-calls", "--generator", "corelab", "--out", out)
	rec = record(t, out)
	if o.code != exitOK || missingReason(rec.Run.Missing, results.MissingProfiles) == "" || slices.ContainsFunc(rec.Trials, func(t results.Trial) bool { return t.Role == results.RoleProfiled }) {
		t.Errorf("exit %d, missing %+v: %s", o.code, rec.Run.Missing, o.stderr)
	}
}

func TestProfileUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{nil, exitUsage, "target"},
		{[]string{"reactor", "--duration", "0s"}, exitUsage, "--duration"},
		{[]string{"reactor", "--duration", "1h"}, exitUsage, "30s"},
		{[]string{"reactor", "--scenario", "latency"}, exitFailed, "closed loop"},
		{[]string{"reactor", "--scenario", "connections:connections=51"}, exitFailed, "connections=51"},
		{[]string{"reactor", "--scenario", "connections", "--case", "connections=51"}, exitFailed, "connections=51"},
		{[]string{"raw", "--scenario", "json"}, exitFailed, "raw cannot take part"},
		{[]string{"reaktor"}, exitFailed, "reaktor"},
	} {
		o := corelab(t, nil, append([]string{"profile", "--out", t.TempDir()}, test.args...)...)
		if o.code != test.code || !strings.Contains(o.stderr, test.says) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%v: exit %d, want %d; said %q, want one line with %q", test.args, o.code, test.code, o.stderr, test.says)
		}
	}
}

// Ctrl-C while perf records leaves a record and a report, and neither a process nor a file of perf's.
func TestInterruptedProfile(t *testing.T) {
	if err := probe.PerfAvailable(); err != nil {
		t.Skipf("perf cannot be interrupted here: %v", err)
	}
	out, tmp := t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "corelab"), "profile", "epoll", "--duration", "20s", "--out", out)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	recorders := func() []string {
		procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(procs, func(path string) bool {
			b, err := os.ReadFile(path)
			return err != nil || !bytes.Contains(b, []byte(tmp)) || !bytes.Contains(b, []byte("perf.data"))
		})
	}
	waitFor(t, "perf to record", func() bool { return len(recorders()) > 0 })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit %d: %s", code, &stderr)
	}
	if rec := record(t, out); rec.End == nil || !rec.End.Interrupted || len(ranked(rec)) != plainRounds {
		t.Errorf("end %+v, %d trials", rec.End, len(rec.Trials))
	}
	if left := recorders(); len(left) > 0 {
		t.Errorf("perf still runs: %v", left)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	waitForNothingLeft(t)
}
