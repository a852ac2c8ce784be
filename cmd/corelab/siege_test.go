package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/target"
)

// besieged lays short sieges to a target and returns their rows. It asks nothing of latencies: a machine may be busy.
func besieged(t *testing.T, args ...string) (rows map[string]results.SiegeRow, code int) {
	t.Helper()
	out := t.TempDir()
	o := corelab(t, nil, append([]string{"siege", "--short", "--rounds", "1", "--duration", "300ms", "--heads", "200", "--rate", "500", "-c", "4", "--slack", "20s",
		"--bound", "1000", "--placement", "shared", "--seed", "3", "--out", out}, args...)...)
	if o.code != exitOK && o.code != exitWrong {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	rec := record(t, out)
	if rec.End == nil || rec.End.Interrupted || !strings.HasSuffix(rec.Run.ID, "-siege") {
		t.Errorf("run %s, end %+v", rec.Run.ID, rec.End)
	}
	rows = map[string]results.SiegeRow{}
	for _, r := range results.SiegeRows(rec) {
		rows[r.Target+" "+r.Kind] = r
	}
	waitForNothingLeft(t)
	return rows, o.code
}

// siegeWays are how each kind is cut.
var siegeWays = map[string][]string{
	results.SiegeHeads: {"408"}, results.SiegeBodies: {"408"}, results.SiegeReaders: {results.SiegeReset}, results.SiegeSilent: {results.SiegeClose},
	results.SiegeTLS: {"400"}, results.SiegeGarbage: {"400", "501", "505"},
}

// TestSiege lays sieges to the cores that must hold: each client is cut, in its way and not before its limit, memory stays
// bounded, and all files are closed.
func TestSiege(t *testing.T) {
	rows, code := besieged(t, "reactor")
	if code != exitOK || len(rows) != len(results.SiegeKinds) {
		t.Errorf("exit %d, %d rows", code, len(rows))
	}
	holds(t, rows)
	rows, code = besieged(t, "epoll", "epollpool", "--kind", "heads")
	if code != exitOK || len(rows) != 2 {
		t.Errorf("exit %d, %d rows", code, len(rows))
	}
	holds(t, rows)
}

func holds(t *testing.T, rows map[string]results.SiegeRow) {
	t.Helper()
	for name, r := range rows {
		if r.Verdict == results.SiegeFails {
			t.Errorf("%s: %s", name, strings.Join(r.Reasons, "; "))
		}
		var cut uint64
		for _, way := range siegeWays[r.Kind] {
			cut += r.How[way]
		}
		if cut < uint64(r.Foes) || r.Overdue+r.FilesLeft != 0 || r.Wrong+r.Early+r.Late != 0 {
			t.Errorf("%s: of %d clients %v were cut: %+v", name, r.Foes, r.How, r)
		}
	}
}

// TestSiegeOfPool starves those who ask rightly: every thread has a hostile client, which is what the lab is to show.
func TestSiegeOfPool(t *testing.T) {
	rows, code := besieged(t, "pool --threads 2", "--kind", "heads", "--slack", "1s")
	r := rows["pool --threads 2 heads"]
	if reasons := strings.Join(r.Reasons, "; "); code != exitWrong || r.Verdict != results.SiegeFails || r.Overdue == 0 || !strings.Contains(reasons, "starved") {
		t.Errorf("exit %d, %s: %s; %+v", code, r.Verdict, reasons, r)
	}
}

// TestSiegeLimits holds what a siege believes of a core against what the core says of itself.
func TestSiegeLimits(t *testing.T) {
	help, err := exec.Command(filepath.Join(bin, "coreserver"), "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, help)
	}
	l, err := limitsOf(target.Spec{Kind: target.KindCore})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"head-time": l.Head.String(), "body-idle": l.BodyIdle.String(), "body-grace": l.BodyGrace.String(), "idle-time": l.Idle.String(),
		"write-idle": l.WriteIdle.String(), "linger": l.Linger.String(), "body-rate": strconv.FormatInt(l.BodyRate, 10)} {
		_, text, _ := strings.Cut(string(help), "\n  -"+name+" ")
		text, _, _ = strings.Cut(text, "\n  -")
		if !strings.Contains(text, "(default "+want+")") {
			t.Errorf("--%s: %q does not say %s", name, text, want)
		}
	}
	l, err = limitsOf(target.Spec{Kind: target.KindCore, Flags: []string{"--head-time", "3s", "--idle-time=4s", "--head-time", "5s", "--body-rate", "77", "--threads", "8"}})
	if err != nil || l.Head != 5*time.Second || l.Idle != 4*time.Second || l.BodyRate != 77 || l.WriteIdle != realLimits.WriteIdle || !l.Known {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := limitsOf(target.Spec{Kind: target.KindCore, Flags: []string{"--head-time", "soon"}}); err == nil {
		t.Error("a limit that is no time is believed")
	}
	if l, err := limitsOf(target.Spec{Kind: target.KindPeer}); err != nil || l.Known {
		t.Errorf("the limits of a peer are taken for known: %+v, %v", l, err)
	}
}

func TestSiegeUsage(t *testing.T) {
	for _, args := range [][]string{{"siege"}, {"siege", "reactor", "--kind", "polite"}, {"siege", "reactor", "--heads", "0"}, {"siege", "reactor", "--rounds", "0"}, {"siege", "reactor", "--duration", "x"}} {
		if code := run(args); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, exitUsage)
		}
	}
	var c SiegeCmd
	c.Placement, c.Connections, c.Rate = "split", 4, 100
	plan, err := c.plan(kneeLab())
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range kneeCells(plan) {
		if shape := cell.Case.Shape; shape.Loop != runner.Open || shape.Rate != 100 || shape.Connections != 4 || cell.Scenario.Name != "siege" {
			t.Errorf("%+v", cell)
		}
	}
}

// TestSiegeInterrupted ends in the middle of a siege, and leaves a record, a report and no process.
func TestSiegeInterrupted(t *testing.T) {
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "corelab"), "siege", "epoll", "--kind", "silent", "--heads", "50", "--rounds", "2", "--duration", "100ms",
		"--rate", "200", "-c", "2", "--placement", "shared", "--out", out)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sieging := func() bool {
		return slices.ContainsFunc(commandLines(t), func(args []string) bool {
			return slices.Contains(args, "--lay") && slices.Contains(args, filepath.Join(bin, "corelab"))
		})
	}
	waitFor(t, "a siege", sieging)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // its exit code is looked at
	rec := record(t, out)
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || rec.End == nil || !rec.End.Interrupted || rec.End.Trials != len(rec.Trials) {
		t.Errorf("exit %d, %d windows, end %+v\n%s", code, len(rec.Trials), rec.End, stderr.String())
	}
	waitForNothingLeft(t)
}

// commandLines are those of all processes.
func commandLines(t *testing.T) (lines [][]string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil { // it may have ended
			lines = append(lines, strings.Split(strings.TrimRight(string(b), "\x00"), "\x00"))
		}
	}
	return lines
}
