package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// shortRun is a bench of many short trials, in which open loops take their rates from ceilings.
var shortRun = []string{"bench", "plaintext", "latency", "--case", "percent=50", "--cores", "reactor,epoll", "--generator", "corelab",
	"--rounds", "8", "--duration", "30ms", "--warmup", "0s", "--no-calls", "--seed", "11", "--out"}

// tries are the trials of a record, each by what it is of; one that is there twice is an error.
func tries(t *testing.T, rec *results.Record) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, trial := range rec.Trials {
		name := fmt.Sprintf("%d %s %s %s %s round %d %s", trial.Position, trial.Scenario, trial.Case, trial.Target, trial.Role, trial.Round, trial.Skipped)
		if out[name] {
			t.Errorf("it is there twice: %s", name)
		}
		out[name] = true
	}
	return out
}

// killed is a run that is killed and taken up again.
type killed struct {
	rng   *rand.Rand
	out   string
	dir   string // of the run, empty until there is one
	known []byte // of its record: whole lines as they were after the last kill
	kills int
}

// file is the record's, empty while there is no run.
func (k *killed) file() string {
	if found, _ := filepath.Glob(filepath.Join(k.out, "*-bench", results.RunFile)); len(found) == 1 {
		return found[0]
	}
	return ""
}

func (k *killed) size() int64 {
	if info, err := os.Stat(k.file()); err == nil {
		return info.Size()
	}
	return 0
}

// part starts the run, or takes it up again, and kills it at a random moment if may says so: behind so many new lines, a
// little later. It says whether the part came to its end before.
func (k *killed) part(t *testing.T, may bool) (ended bool) {
	t.Helper()
	args := append(slices.Clone(shortRun), k.out)
	if k.dir != "" {
		args = []string{"bench", "--resume", k.dir}
	}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "corelab"), args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	var moment <-chan time.Time // nil while it waits for lines, and for ever if it may not kill
	lines, size := k.rng.IntN(4), k.size()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-over:
			// A crowded machine may leave a trial without an answer, which is another finding.
			if code := cmd.ProcessState.ExitCode(); code != 0 && code != exitWrong {
				t.Fatalf("%v, after %d kills: %s", err, k.kills, &said)
			}
			return true
		case <-moment:
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			<-over
			k.kills++
			return false
		case <-look.C:
			if now := k.size(); now != size {
				lines, size = lines-1, now
			}
			if may && moment == nil && lines <= 0 {
				moment = time.After(time.Duration(k.rng.IntN(int(120 * time.Millisecond))))
			}
		}
	}
}

// check holds the record to what it was: nothing recorded was lost or changed, and nothing is there twice.
func (k *killed) check(t *testing.T) *results.Record {
	t.Helper()
	waitForNothingLeft(t)
	file := k.file()
	b, err := os.ReadFile(file)
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	if file == "" || err == nil && len(whole) == 0 {
		// Killed before its first line was whole: the next part is the first one.
		if err := errors.Join(os.RemoveAll(k.out), os.Mkdir(k.out, 0o777)); err != nil {
			t.Fatal(err)
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(whole, k.known) {
		t.Fatalf("after %d kills: what was recorded was lost or changed", k.kills)
	}
	k.dir, k.known = filepath.Dir(file), whole
	rec, err := results.Read(k.dir)
	if err != nil {
		t.Fatalf("after %d kills: %v", k.kills, err)
	}
	tries(t, rec)
	return rec
}

// A run that is killed again and again, at any moment, loses at most the trial under way, and has the same trials in the end
// as one that was left alone.
func TestKilledAtAnyMoment(t *testing.T) {
	const kills = 50
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments by seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	left := &killed{rng: rng, out: t.TempDir()}
	left.part(t, false)
	want := tries(t, left.check(t))
	for done := 0; done < kills; {
		k := &killed{rng: rng, out: filepath.Join(t.TempDir(), "results")}
		if err := os.Mkdir(k.out, 0o777); err != nil {
			t.Fatal(err)
		}
		for !k.part(t, done+k.kills < kills) {
			k.check(t)
		}
		rec := k.check(t)
		if got := tries(t, rec); !maps.Equal(got, want) {
			t.Errorf("%d trials in a run that was killed %d times, %d in one that was not", len(got), k.kills, len(want))
		}
		if rec.End == nil || rec.End.Interrupted || rec.End.Trials != len(rec.Trials) || rec.Torn != "" || rec.End.Elapsed <= 0 {
			t.Errorf("end %+v, torn %q", rec.End, rec.Torn)
		}
		rates := map[string]float64{}
		for _, trial := range rec.Trials {
			if trial.Scenario != "latency" || trial.Role != results.RoleRanked || trial.Load == nil {
				continue
			}
			if before := rates[trial.Target]; before != 0 && before != trial.Load.Rate {
				t.Errorf("%s was loaded at %g and at %g a second", trial.Target, before, trial.Load.Rate)
			}
			rates[trial.Target] = trial.Load.Rate
		}
		if _, err := os.Stat(filepath.Join(k.dir, results.ReportFile)); err != nil {
			t.Error(err)
		}
		done += k.kills
	}
}

// cut lays a record into a folder of its own, without its end and its last trial, as edit changes the text.
func cut(t *testing.T, whole []byte, edit func(string) string) string {
	t.Helper()
	lines := strings.SplitAfter(string(whole), "\n")
	dir := filepath.Join(t.TempDir(), "cut")
	err := errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, results.RunFile), []byte(edit(strings.Join(lines[:len(lines)-3], ""))), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestResume(t *testing.T) {
	out := t.TempDir()
	if o := corelab(t, nil, "bench", "plaintext", "--cores", "reactor", "--generator", "corelab", "--rounds", "3", "--duration", "200ms", "--warmup", "0s",
		"--no-calls", "--seed", "3", "--out", out); o.code != 0 {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	rec := record(t, out)
	n := len(rec.Trials)
	whole, err := os.ReadFile(filepath.Join(rec.Dir, results.RunFile))
	if err != nil {
		t.Fatal(err)
	}
	change := func(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }
	host := func(text string) string {
		return strings.Replace(text, `"hostname":"`+rec.Run.Host.Hostname+`"`, `"hostname":"elsewhere"`, 1)
	}
	for _, c := range []struct {
		name string
		edit func(string) string
		args []string
		says string // the error; empty where it goes on
	}{
		{"as it was", change(), nil, ""},
		{"as JSON", change(), []string{"--json"}, ""},
		{"on another machine", host, nil, `the machine is "` + rec.Run.Host.Hostname + `" now, and was "elsewhere"`},
		{"on another machine by force", host, []string{"--force"}, ""},
		{"by another commit", change(`"commit":"`, `"commit":"x`, `,"seed":3`, `,"commit":"y","seed":3`), nil, "corelab's commit is"},
		{"of a changed scenario", change(`"digest":"`, `"digest":"x`), nil, "the scenario plaintext asks something else"},
		{"of a changed target", change(`"{port}"`, `"{door}"`, `{port}`, `{door}`), nil, "the command of reactor is"},
		{"of a target that is gone", change(`"targets":[{"name":"reactor"`, `"targets":[{"name":"hare"`), nil, "the target hare of the run is not here any more"},
		{"of another plan", change(`"round":2`, `"round":7`), nil, "the run cannot be gone on with"},
		{"of other options", change(`"--rounds","3"`, `"--rounds","1"`), nil, "the plan as it is now ends before"},
		{"of an unknown option", change(`"--rounds","3"`, `"--laps","3"`), nil, "is not understood any more"},
		{"of another command", change(`"bench",`, `"doctor",`, `"plaintext","--cores","reactor","--generator","corelab","--rounds","3","--duration","200ms","--warmup","0s","--no-calls","--seed","3","--out","`+out+`"`, `"--json"`), nil, "a run of corelab doctor"},
		{"of a torn first line", func(text string) string { return text[:50] }, nil, "start the run again"},
		{"with options of its own", change(), []string{"--rounds", "3"}, "only --force and --json"},
		{"with a scenario", change(), []string{"json"}, "only --force and --json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := cut(t, whole, c.edit)
			before, err := os.ReadFile(filepath.Join(dir, results.RunFile))
			if err != nil {
				t.Fatal(err)
			}
			o := corelab(t, nil, append([]string{"bench", "--resume", dir}, c.args...)...)
			after, err := os.ReadFile(filepath.Join(dir, results.RunFile))
			if err != nil {
				t.Fatal(err)
			}
			if c.says != "" {
				if o.code != exitFailed || !strings.Contains(o.stderr, c.says) || !bytes.Equal(before, after) {
					t.Errorf("exit %d, the record changed by %d bytes; said %q, want %q", o.code, len(after)-len(before), o.stderr, c.says)
				}
				return
			}
			got, err := results.Read(dir)
			if o.code != 0 || err != nil || got.End == nil || got.End.Trials != n || len(got.Parts) != 1 || got.Parts[0].Trials != n-1 || len(tries(t, got)) != n {
				t.Fatalf("exit %d, %v: said %s", o.code, err, o.stderr)
			}
			if !bytes.HasPrefix(after, before) || !strings.Contains(o.stderr, fmt.Sprintf("%d of %d trials are recorded", n-1, n)) || !strings.Contains(o.stdout, "reactor") {
				t.Errorf("said %s\n%s", o.stderr, o.stdout)
			}
			report, err := os.ReadFile(filepath.Join(dir, results.ReportFile))
			forced := slices.Contains(c.args, "--force")
			if err != nil || forced != bytes.Contains(report, []byte("NOT THE SAME IN ALL PARTS: the machine is")) || forced != (len(got.Parts[0].GoOn.Differs) == 1) {
				t.Errorf("%v: forced %v, differs %q", err, forced, got.Parts[0].GoOn.Differs)
			}
		})
	}
	t.Run("nothing is left", func(t *testing.T) {
		o := corelab(t, nil, "bench", "--resume", filepath.Join(out, results.LatestLink))
		after, err := os.ReadFile(filepath.Join(rec.Dir, results.RunFile))
		if o.code != 0 || !strings.Contains(o.stderr, "nothing is left to do") || !strings.Contains(o.stdout, "reactor") || err != nil || !bytes.Equal(after, whole) {
			t.Errorf("exit %d, %v: %s", o.code, err, o.stderr)
		}
	})
	t.Run("it is being written", func(t *testing.T) {
		w, _, err := results.Reopen(cut(t, whole, change()))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if o := corelab(t, nil, "bench", "--resume", w.Dir()); o.code != exitFailed || !strings.Contains(o.stderr, "the run still goes on") {
			t.Errorf("exit %d: %s", o.code, o.stderr)
		}
	})
}

func TestDifferences(t *testing.T) {
	base := func() results.Run {
		return results.Run{
			Commit: "abc", Tools: map[string]string{"wrk": "4.1"}, Scenarios: []results.Scenario{{Name: "json", Digest: "1"}, {Name: "old"}},
			Host:    results.Host{Hostname: "h", CPU: "c", CPUs: 2, Kernel: "6", MemoryKiB: 1 << 20, GoVersion: "go", OpenFiles: 1024, Sysctl: map[string]string{"somaxconn": "4096"}},
			Targets: []results.Target{{Name: "nginx", Version: "1", Command: []string{"/usr/sbin/nginx", "-p"}, Config: "workers 2"}},
		}
	}
	for says, change := range map[string]func(*results.Run){
		"":                                  func(r *results.Run) { r.Scenarios[1].Digest = "a record of old has none" },
		" ":                                 func(r *results.Run) { r.Host.MemoryKiB += 5000; r.Targets[0].Command[0] = "/opt/nginx" },
		"corelab's commit":                  func(r *results.Run) { r.Commit = "" },
		"the machine is":                    func(r *results.Run) { r.Host.Hostname = "g" },
		"processor":                         func(r *results.Run) { r.Host.CPU = "d" },
		"number of CPUs":                    func(r *results.Run) { r.Host.CPUs = 1 },
		"kernel":                            func(r *results.Run) { r.Host.Kernel = "7" },
		"the Go that":                       func(r *results.Run) { r.Host.GoVersion = "go2" },
		"open files":                        func(r *results.Run) { r.Host.OpenFiles = 1 },
		"memory":                            func(r *results.Run) { r.Host.MemoryKiB *= 2 },
		`somaxconn is "128" now, and was`:   func(r *results.Run) { r.Host.Sysctl = map[string]string{"somaxconn": "128"} },
		`wrk is unknown now, and was "4.1"`: func(r *results.Run) { r.Tools = nil },
		"json asks something else":          func(r *results.Run) { r.Scenarios[0].Digest = "2" },
		"json is not in the plan":           func(r *results.Run) { r.Scenarios = r.Scenarios[1:] },
		"version of nginx":                  func(r *results.Run) { r.Targets[0].Version = "2" },
		"command of nginx":                  func(r *results.Run) { r.Targets[0].Command = append(r.Targets[0].Command, "-q") },
		"another configuration":             func(r *results.Run) { r.Targets[0].Config = "workers 3" },
	} {
		now := base()
		change(&now)
		got := differences(base(), now)
		if want := strings.TrimSpace(says) != ""; want != (len(got) == 1) || !strings.Contains(strings.Join(got, ""), strings.TrimSpace(says)) {
			t.Errorf("%q; it should say %q", got, says)
		}
	}
}
