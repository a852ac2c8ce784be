package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"corelab/results"
)

// bound is what any command of these tests may take.
const bound = 90 * time.Second

// bin holds corelab and coreserver, built once.
var bin string

// serverMode makes this test binary a server under test instead; its argument is the port.
const serverMode = "CORELAB_TEST_SERVER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(serverMode); mode != "" && len(os.Args) == 2 {
		serve(mode, os.Args[1])
	}
	code, err := withBinaries(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withBinaries(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "corelab-test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-o", dir+"/", "corelab/cmd/corelab", "corelab/cmd/coreserver")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build: %w\n%s", err, out)
	}
	return run(), nil
}

// serve is a foreign server that answers /plaintext alone; in the mode "dies" it ends after twenty requests: more than are
// asked before the load, and fewer than its connections send at once.
func serve(mode, port string) {
	switch mode {
	case "babbles", "turns", "hangs up":
		babble(mode, port)
	}
	var asked atomic.Int64
	http.HandleFunc("/plaintext", func(w http.ResponseWriter, _ *http.Request) {
		if mode == "dies" && asked.Add(1) > 20 {
			fmt.Fprintln(os.Stderr, "a planted end")
			os.Exit(7)
		}
		fmt.Fprint(w, "Hello, World!")
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(net.JoinHostPort("127.0.0.1", port), nil))
	os.Exit(1)
}

type outcome struct {
	code           int
	stdout, stderr string
}

func corelab(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "corelab"), args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func record(t *testing.T, out string) *results.Record {
	t.Helper()
	rec, err := results.Read(filepath.Join(out, results.LatestLink))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// ranked returns the trials of a record that count for its tables.
func ranked(rec *results.Record) (out []results.Trial) {
	for _, trial := range rec.Trials {
		if trial.Role == results.RoleRanked {
			out = append(out, trial)
		}
	}
	return out
}

// left returns the processes that still run a program of dir.
func left(t *testing.T, dir string) []string {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range procs {
		if exe, err := os.Readlink(p); err == nil && strings.HasPrefix(exe, dir) {
			out = append(out, p+" "+exe)
		}
	}
	return out
}

// waitForNothingLeft waits until no process runs a program of these tests: the keeper ends right after its lab.
func waitForNothingLeft(t *testing.T) {
	t.Helper()
	waitFor(t, "the processes that it started to end", func() bool { return left(t, bin) == nil })
}

func TestBenchOneCore(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, nil, "bench", "plaintext", "latency", "--case", "percent=50", "--cores", "reactor", "--rounds", "2", "--duration", "300ms",
		"--warmup", "20ms", "--out", out, "--seed", "5", "--json")
	if o.code != 0 {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	rec := record(t, out)
	if rec.End == nil || rec.End.Interrupted || rec.Run.Seed != 5 || len(rec.Run.Scenarios) != 2 || len(rec.Run.Targets) != 1 {
		t.Errorf("run %+v, end %+v", rec.Run, rec.End)
	}
	roles := map[string]int{}
	for _, trial := range rec.Trials {
		roles[trial.Scenario+" "+trial.Role]++
		name := fmt.Sprintf("%s %s round %d by %v", trial.Scenario, trial.Role, trial.Round, trial.Load)
		switch {
		case trial.Skipped != "":
		case trial.Error != "":
			t.Errorf("%s: %s", name, trial.Error)
		case trial.Load.Requests == 0 || trial.Wire == nil || trial.Wire.BodyBytes != len("Hello, World!"):
			t.Errorf("%s: nothing was loaded", name)
		case trial.Role != results.RoleObserved && (trial.Server == nil || trial.Server.CPU <= 0 || trial.Client == nil || trial.Client.CPU <= 0 || trial.Machine == nil):
			t.Errorf("%s: no usage, for %v", name, trial.Missing)
		case trial.Raw == "":
			t.Errorf("%s: the raw output is not kept", name)
		}
		if trial.Scenario == "latency" && trial.Role == results.RoleRanked && trial.Load.Rate <= 0 {
			t.Errorf("%s: no rate", name)
		}
	}
	for role, want := range map[string]int{"plaintext ": 2, "plaintext aa": 2, "plaintext second": 2, "latency ": 2, "latency ceiling": 1} {
		if roles[role] < want {
			t.Errorf("%d trials %q, want %d", roles[role], role, want)
		}
	}
	var doc document
	if err := json.Unmarshal([]byte(o.stdout), &doc); err != nil || len(doc.Trials) != len(rec.Trials) {
		t.Errorf("--json: %d trials, %v", len(doc.Trials), err)
	}
	for _, f := range []string{results.ReportFile, results.BenchFile} {
		if b, err := os.ReadFile(filepath.Join(rec.Dir, f)); err != nil || !bytes.Contains(b, []byte("reactor")) {
			t.Errorf("%s: %v", f, err)
		}
	}
	for format, want := range map[string]string{"md": "reactor", "benchfmt": "Benchmark", "json": `"trials"`, "terminal": "reactor", "files": "reactor"} {
		if r := corelab(t, nil, "report", rec.Dir, "--format", format); r.code != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("report --format %s: exit %d, %s", format, r.code, r.stderr)
		}
	}
	waitForNothingLeft(t)
}

// Ctrl-C in the middle of a trial leaves a record that can be read, a report, and no process.
func TestInterruptedBench(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			out := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "corelab"), "bench", "plaintext", "--cores", "epoll", "--rounds", "1000", "--duration", "100ms", "--warmup", "0s", "--out", out, "--no-calls")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "a second trial", func() bool {
				files, err := filepath.Glob(filepath.Join(out, "*", results.RunFile))
				if err != nil || len(files) == 0 {
					return false
				}
				b, err := os.ReadFile(files[0])
				return err == nil && bytes.Count(b, []byte("\n")) >= 3
			})
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if sig == syscall.SIGKILL {
				// Nothing can be written any more, but nothing stays behind either, and what ended before is recorded.
				waitForNothingLeft(t)
				runs, err := filepath.Glob(filepath.Join(out, "*", results.RunFile))
				if err != nil || len(runs) != 1 {
					t.Fatalf("%v, %v", runs, err)
				}
				if rec, err := results.Read(filepath.Dir(runs[0])); err != nil || rec.End != nil || len(rec.Trials) < 2 {
					t.Errorf("%+v, %v", rec, err)
				}
				return
			}
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit %d: %s", code, &stderr)
			}
			rec := record(t, out)
			if rec.End == nil || !rec.End.Interrupted || len(rec.Trials) < 2 || rec.Torn != "" {
				t.Errorf("end %+v, %d trials, torn %q", rec.End, len(rec.Trials), rec.Torn)
			}
			if _, err := os.Stat(filepath.Join(rec.Dir, results.ReportFile)); err != nil {
				t.Error(err)
			}
			waitForNothingLeft(t)
		})
	}
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %v for %s", bound, what)
		case <-tick.C:
		}
	}
}

// A server that ends in the middle of its load is an error of its trial, and the others are measured.
func TestDyingServer(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, []string{serverMode + "=dies"}, "bench", "plaintext", "--cores", "reactor", "--target", "mine="+os.Args[0]+" {port}",
		"--rounds", "1", "--duration", "300ms", "--warmup", "0s", "--out", out, "--no-calls")
	if o.code != exitWrong {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
	found := map[string]bool{}
	for _, trial := range record(t, out).Trials {
		if trial.Target == "reactor" && trial.Error == "" {
			found["reactor was measured"] = true
		}
		if trial.Target == "mine" && strings.Contains(trial.Error, "ended") && slices.ContainsFunc(trial.Warnings, func(w results.Warning) bool { return w.Code == results.WarnDied }) {
			found["mine died"] = true
		}
	}
	if len(found) != 2 {
		t.Errorf("found %v; %s", found, o.stderr)
	}
}

// A foreign server has rows where it serves the route, and is skipped with the reason where it does not.
func TestForeignServer(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, []string{serverMode + "=lives"}, "bench", "plaintext", "json", "--cores", "none", "--target", "mine="+os.Args[0]+" {port}",
		"--rounds", "1", "--duration", "300ms", "--warmup", "0s", "--out", out, "--no-calls")
	if o.code != 0 {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	for _, trial := range record(t, out).Trials {
		switch trial.Scenario {
		case "plaintext":
			if trial.Error != "" || trial.Load.Requests == 0 {
				t.Errorf("plaintext: %s", trial.Error)
			}
		case "json":
			if !strings.Contains(trial.Skipped, "404") {
				t.Errorf("json: skipped %q, error %q", trial.Skipped, trial.Error)
			}
		}
	}
	// Without an expectation the server's first answer is the reference, and the row says so.
	o = corelab(t, []string{serverMode + "=lives"}, "bench", "json", "--cores", "none", "--target", "mine="+os.Args[0]+" {port}", "--request", "GET /plaintext",
		"--rounds", "1", "--duration", "300ms", "--warmup", "0s", "--out", filepath.Join(out, "own"), "--no-calls")
	if o.code != 0 {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	trials := ranked(record(t, filepath.Join(out, "own")))
	if len(trials) != 1 || !slices.ContainsFunc(trials[0].Warnings, func(w results.Warning) bool { return w.Code == results.WarnReference }) || trials[0].Load.Checked == 0 {
		t.Errorf("%+v", trials)
	}
	// A wrong expectation is found before any load.
	body := filepath.Join(out, "body")
	if err := os.WriteFile(body, []byte("Good-bye!"), 0o666); err != nil {
		t.Fatal(err)
	}
	o = corelab(t, []string{serverMode + "=lives"}, "bench", "json", "--cores", "none", "--target", "mine="+os.Args[0]+" {port}", "--request", "GET /plaintext",
		"--expect-body", body, "--rounds", "1", "--duration", "100ms", "--out", filepath.Join(out, "wrong"), "--no-calls")
	trials = ranked(record(t, filepath.Join(out, "wrong")))
	if o.code != exitWrong || len(trials) != 1 || trials[0].Load != nil || !strings.Contains(trials[0].Error, "differs") {
		t.Errorf("exit %d, %+v", o.code, trials)
	}
}

func TestMistakes(t *testing.T) {
	scenario := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(scenario, []byte("question = \"Why?\"\nrute = 1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown flag", []string{"bench", "--fast"}, exitUsage, "--fast"},
		{"no command", nil, exitUsage, "expected one of"},
		{"unknown scenario", []string{"bench", "jsn"}, exitFailed, "there are churn"},
		{"bad scenario", []string{"bench", scenario}, exitFailed, "mine.toml:2:1: unknown key"},
		{"unknown core", []string{"bench", "json", "--cores", "reaktor"}, exitFailed, "reaktor"},
		{"foreign without port", []string{"bench", "json", "--target", "mine=./server"}, exitFailed, "{port}"},
		{"unknown case", []string{"bench", "connections", "--case", "connections=51"}, exitFailed, "connections=51"},
		{"small budget", []string{"bench", "json", "--budget", "100ms"}, exitFailed, "too small"},
		{"body without request", []string{"bench", "json", "--body", "x"}, exitFailed, "--request"},
		{"bad request", []string{"bench", "json", "--request", "plaintext"}, exitFailed, "GET /plaintext"},
		{"bad duration", []string{"bench", "json", "--duration", "1"}, exitUsage, "200ms"},
		{"two of a name", []string{"bench", "json", "--cores", "reactor", "--target", "reactor"}, exitFailed, "another name"},
		{"no record", []string{"report", "/nonexistent"}, exitFailed, "/nonexistent"},
		{"no coreserver", []string{"list", "--coreserver", "/nonexistent"}, exitFailed, "/nonexistent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := corelab(t, nil, append(c.args, []string{"--out", t.TempDir()}[:2*b2i(len(c.args) > 1 && c.args[0] == "bench")]...)...)
			if o.code != c.code || !strings.Contains(o.stderr, c.says) || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("exit %d, want %d; said %q, want one line with %q", o.code, c.code, o.stderr, c.says)
			}
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestListAndDoctor(t *testing.T) {
	o := corelab(t, nil, "list", "--json")
	var l listing
	if err := json.Unmarshal([]byte(o.stdout), &l); o.code != 0 || err != nil || len(l.Cores) < 8 || len(l.Scenarios) < 10 || len(l.Plans) != 3 || len(l.Generators) < 4 {
		t.Errorf("exit %d: %v, %+v", o.code, err, l)
	}
	if o := corelab(t, nil, "list"); o.code != 0 || !strings.Contains(o.stdout, "What does a request cost") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	o = corelab(t, nil, "doctor", "--json")
	var found []finding
	if err := json.Unmarshal([]byte(o.stdout), &found); err != nil || len(found) < 8 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	bad := slices.ContainsFunc(found, func(f finding) bool { return f.State == prevents })
	if bad != (o.code == exitFailed) {
		t.Errorf("exit %d with %+v", o.code, found)
	}
	if o := corelab(t, nil, "--version"); o.code != 0 || !strings.HasPrefix(o.stdout, "corelab ") {
		t.Errorf("exit %d: %q", o.code, o.stdout)
	}
}
