package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"corelab/results"
)

// On a machine that is busy nothing may be judged, but nothing may be called wrong either.
func TestQuickSelftest(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, nil, "selftest", "--quick", "--json", "--out", out)
	var s results.SelfTest
	if err := json.Unmarshal([]byte(o.stdout), &s); err != nil || o.code != exitOK && o.code != exitWrong {
		t.Fatalf("exit %d: %v\n%s%s", o.code, err, o.stdout, o.stderr)
	}
	if bad := s.Failing(results.CheckWrong, results.CheckSilent); len(bad) > 0 || !s.Whole || len(s.Checks) < 15 {
		t.Errorf("of %d figures these are off: %q", len(s.Checks), bad)
	}
	if o.code == exitOK && s.Count(results.CheckTruthful) == 0 {
		t.Error("nothing was judged, and that is called a success")
	}
	// The record can be judged again, by itself.
	latest := filepath.Join(out, results.LatestLink)
	again := corelab(t, nil, "selftest", "--judge", latest, "--format", "md")
	if again.code != o.code || !strings.Contains(again.stdout, "| mute | connections starved | 16 ") || !strings.Contains(again.stdout, "⌊requests ÷ 19⌋") {
		t.Errorf("exit %d after %d\n%s%s", again.code, o.code, again.stdout, again.stderr)
	}
	if o := corelab(t, nil, "selftest", "--judge", latest, "-v"); o.code != again.code || !strings.Contains(o.stdout, "⌊requests ÷ 19⌋") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

func TestSelftestMistakes(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"stal", "no plant is called"},
		{"--judge " + t.TempDir(), "read a record"},
		{"--coreserver /nowhere", "/nowhere"},
	} {
		o := corelab(t, nil, append([]string{"selftest", "--out", t.TempDir()}, strings.Fields(c.args)...)...)
		if o.code != exitFailed || !strings.Contains(o.stderr, c.says) {
			t.Errorf("%s: exit %d, %s", c.args, o.code, o.stderr)
		}
	}
}

// An interrupt leaves a record that is whole in itself, and no process.
func TestInterruptedSelftest(t *testing.T) {
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "corelab"), "selftest", "mute", "wrong", "--out", out)
	var stdout strings.Builder
	cmd.Stdout = &stdout
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(bound, func() { _ = cmd.Process.Kill() })
	defer guard.Stop()
	var heard strings.Builder
	signalled := false
	for buf := make([]byte, 4096); ; {
		n, err := said.Read(buf)
		heard.Write(buf[:n])
		if !signalled && strings.Contains(heard.String(), "2/2  wrong") {
			signalled = true
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // the code says it
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit %d: %s%s", code, heard.String(), stdout.String())
	}
	rec := record(t, out)
	if rec.End == nil || !rec.End.Interrupted || rec.Torn != "" {
		t.Errorf("%+v", rec.End)
	}
	if !strings.Contains(stdout.String(), "the selftest was not finished") {
		t.Errorf("%s", stdout.String())
	}
	if alive := left(t, bin); len(alive) > 0 {
		t.Errorf("still running: %q", alive)
	}
}
