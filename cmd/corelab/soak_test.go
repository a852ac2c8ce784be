package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"corelab/results"
)

// soaked runs a short soak and returns what it prints as JSON, and its exit code.
func soaked(t *testing.T, env []string, args ...string) (s results.Soaked, code int, stderr string) {
	t.Helper()
	o := corelab(t, env, append([]string{"soak", "--json", "--seed", "4"}, args...)...)
	if o.code != exitOK && o.code != exitWrong {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	if err := json.Unmarshal([]byte(o.stdout), &s); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	waitForNothingLeft(t)
	return s, o.code, o.stderr
}

// TestSoak keeps a core under mixed traffic for a moment: every answer is right, and all that there is to look at is.
func TestSoak(t *testing.T) {
	out := t.TempDir()
	s, _, stderr := soaked(t, nil, "reactor", "--for", "3s", "--every", "100ms", "--rate", "500", "--foes", "5", "--out", out)
	var figures []string
	for _, d := range s.Drifts {
		figures = append(figures, d.Figure)
		// What a server makes for its first clients may come late on a busy machine; what holds its clients may not.
		if d.Verdict == results.SoakGrows && d.Figure != "memory" {
			t.Errorf("%+v", d)
		}
	}
	if s.Errors > 0 || s.Broken != "" || s.Answers == 0 || s.Churn == 0 || !slices.Equal(figures, []string{"memory", "files", "threads", "goroutines"}) {
		t.Errorf("%+v\n%s", s, stderr)
	}
	rec := record(t, out)
	if rec.End == nil || rec.End.Interrupted || len(rec.Trials) < 8 || !strings.HasSuffix(rec.Run.ID, "-soak") {
		t.Errorf("run %s of %d samples, end %+v", rec.Run.ID, len(rec.Trials), rec.End)
	}
	if _, err := os.Stat(filepath.Join(rec.Dir, results.ReportFile)); err != nil {
		t.Error(err)
	}
}

// TestSoakLeak finds a leak that was planted.
func TestSoakLeak(t *testing.T) {
	s, code, _ := soaked(t, nil, "reactor --app planted --plant-leak 262144", "--for", "3s", "--every", "100ms", "--rate", "300", "--foes", "0", "--out", t.TempDir())
	grows := slices.ContainsFunc(s.Drifts, func(d results.Drift) bool { return d.Figure == "memory" && d.Verdict == results.SoakGrows })
	if code != exitWrong || !grows || s.Holds {
		t.Errorf("exit %d: %+v", code, s)
	}
}

// TestSoakErrors finds wrong answers, and says what was wrong with the first.
func TestSoakErrors(t *testing.T) {
	s, code, stderr := soaked(t, nil, "reactor --app planted --plant-wrong 20", "--for", "1500ms", "--every", "500ms", "--rate", "200", "--foes", "0", "--out", t.TempDir())
	if code != exitWrong || s.Errors == 0 || s.Holds || !strings.Contains(s.Example, "GET /planted") {
		t.Errorf("exit %d: %+v\n%s", code, s, stderr)
	}
}

// TestSoakDies ends with the server, and keeps the samples.
func TestSoakDies(t *testing.T) {
	out := t.TempDir()
	s, code, stderr := soaked(t, []string{serverMode + "=dies"}, "mine="+os.Args[0]+" {port}", "--for", "1m", "--every", "10ms", "--rate", "50", "--foes", "0", "--out", out)
	if code != exitWrong || s.Holds || !strings.Contains(s.Broken, "ended during the soak") {
		t.Errorf("exit %d: %+v\n%s", code, s, stderr)
	}
	if rec := record(t, out); rec.End == nil || len(rec.Trials) == 0 {
		t.Errorf("%d samples, end %+v", len(rec.Trials), rec.End)
	}
}

// TestSoakInterrupted leaves a record and a report.
func TestSoakInterrupted(t *testing.T) {
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "corelab"), "soak", "epoll", "--for", "10m", "--every", "20ms", "--rate", "100", "--foes", "3", "--out", out)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	runs := filepath.Join(out, "*", results.RunFile)
	waitFor(t, "samples", func() bool {
		files, _ := filepath.Glob(runs)
		if len(files) == 0 {
			return false
		}
		b, err := os.ReadFile(files[0])
		return err == nil && bytes.Count(b, []byte("\n")) > 5
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // its exit code is looked at
	rec := record(t, out)
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || rec.End == nil || !rec.End.Interrupted || rec.End.Trials != len(rec.Trials) || len(rec.Trials) < 5 {
		t.Errorf("exit %d, %d samples, end %+v\n%s", code, len(rec.Trials), rec.End, stderr.String())
	}
	waitForNothingLeft(t)
}

func TestSoakUsage(t *testing.T) {
	for _, args := range [][]string{{"soak"}, {"soak", "reactor", "--for", "1s", "--every", "2s"}, {"soak", "reactor", "--rate", "0"}, {"soak", "reactor", "--clients", "0"}, {"soak", "reactor", "--foes=-1"}} {
		if code := run(args); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, exitUsage)
		}
	}
	for _, core := range []string{"sequential", "raw"} {
		if o := corelab(t, nil, "soak", core); o.code != exitUsage || !strings.Contains(o.stderr, "lacks") {
			t.Errorf("%s: exit %d: %s", core, o.code, o.stderr)
		}
	}
}
