package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"corelab/results"
)

// comparison is what --json printed.
func comparison(t *testing.T, o outcome) *results.Comparison {
	t.Helper()
	var c results.Comparison
	if err := json.Unmarshal([]byte(o.stdout), &c); err != nil || strings.Count(o.stdout, "\n") != 1 {
		t.Fatalf("%v: %s\n%s", err, o.stdout, o.stderr)
	}
	return &c
}

// TestCompareFindsWhatIsPlanted adds three times what a request costs: CI must fail on it.
func TestCompareFindsWhatIsPlanted(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, nil, "compare", "reactor", "reactor --ballast 20us", "--precision", "90%", "--max", "80s", "--fail-if-worse", "2%", "--seed", "3", "--json", "--out", out)
	c := comparison(t, o)
	cpu := c.Find(results.CompareCPU)
	if c.Ended == "time" && c.LeftOut > 0 {
		// All the time was not enough, so much did others take of the CPU: then this must be what it says.
		if o.code != exitWrong || !strings.Contains(o.stderr, "something else took the CPU") {
			t.Fatalf("exit %d: %s", o.code, o.stderr)
		}
		return
	}
	if o.code != exitWorse || !strings.Contains(o.stderr, "B is worse than A: CPU per request +") {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	if cpu.Verdict != results.Worse || cpu.Ratio < 2 || c.Find(results.CompareThroughput).Verdict != results.Worse {
		t.Errorf("%+v", cpu)
	}
	if c.Ended != "precise" || c.Seed != 3 || c.B.Ballast != 20e3 || cpu.Truth == nil || *cpu.Truth < 2 || cpu.Blocks < results.MinBlocks {
		t.Errorf("%+v", c)
	}
	rec := record(t, out)
	if rec.Run.Compare == nil || rec.End == nil || len(rec.Trials) != 2*rec.Run.Compare.Windows*c.Blocks {
		t.Errorf("%d trials, %+v", len(rec.Trials), rec.Run.Compare)
	}
	for _, trial := range rec.Trials {
		if trial.Role != results.RoleCompared || trial.Server.CPU <= 0 || trial.Client.CPU <= 0 || trial.Server.PeakRSSKiB == 0 || trial.Load.Requests == 0 || trial.Wire.BodyBytes != 13 {
			t.Fatalf("%+v", trial)
		}
	}
	r := corelab(t, nil, "report", rec.Dir)
	if r.code != 0 || !strings.Contains(r.stdout, "worse") || !strings.Contains(r.stdout, "planted: the ballast (20.0 µs in B)") {
		t.Errorf("report: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	waitForNothingLeft(t)
}

// TestCompareKeepsItsTime has too little of it for a verdict, and says so within it.
func TestCompareKeepsItsTime(t *testing.T) {
	began := time.Now()
	o := corelab(t, nil, "compare", "reactor", "epoll", "--max", "5s", "--precision", "0", "--json", "--out", t.TempDir())
	c := comparison(t, o)
	if took := time.Since(began); took > 5*time.Second+slack || c.Elapsed > 5*time.Second {
		t.Errorf("%v, of which it says %v", took, c.Elapsed)
	}
	if o.code != exitWrong || c.Find(results.CompareCPU).Verdict != results.NoVerdict || !strings.Contains(o.stderr, "no verdict: ") {
		t.Errorf("exit %d: %s\n%+v", o.code, o.stderr, c)
	}
	waitForNothingLeft(t)
}

// slack is what a crowded machine may take to start and to end a program.
const slack = 10 * time.Second

// Ctrl-C leaves a record, the figures that there are, and no process.
func TestInterruptedCompare(t *testing.T) {
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "corelab"), "compare", "reactor", "reactor", "--out", out)
	var text strings.Builder
	cmd.Stdout = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a block to be recorded", func() bool {
		files, err := filepath.Glob(filepath.Join(out, "*", results.RunFile))
		if err != nil || len(files) != 1 {
			return false
		}
		b, err := os.ReadFile(files[0])
		return err == nil && strings.Count(string(b), "\n") > 1
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("%v: exit %d", err, cmd.ProcessState.ExitCode())
	}
	rec := record(t, out)
	if rec.End == nil || !rec.End.Interrupted || len(rec.Trials)%8 != 0 || !strings.Contains(text.String(), "interrupted after") {
		t.Errorf("%+v, %d trials\n%s", rec.End, len(rec.Trials), text.String())
	}
	waitForNothingLeft(t)
}

// TestCompareFailures has one side fail: the error says which, and the record is whole.
func TestCompareFailures(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env  string
		b    string
		says string
	}{
		"dies":    {serverMode + "=dies", "mine=" + self + " {port}", "B: mine ended by itself: exit status 7"},
		"nowhere": {"", "mine=true {port}", "start B: mine: it ended before it accepted"},
		"wrong":   {"", "nginx=x", ""}, // refused: the name is taken
	} {
		out := t.TempDir()
		o := corelab(t, []string{tt.env}, "compare", "reactor", tt.b, "--max", "20s", "--json", "--out", out)
		if tt.says == "" {
			if o.code == 0 || o.stdout != "" {
				t.Errorf("%s: exit %d, %s", name, o.code, o.stdout)
			}
			continue
		}
		if o.code != exitWrong || !strings.Contains(o.stderr, tt.says) {
			t.Errorf("%s: exit %d, %s", name, o.code, o.stderr)
			continue
		}
		if c := comparison(t, o); c.Ended != "failed" || !strings.Contains(c.Error, tt.says) {
			t.Errorf("%s: %+v", name, c)
		}
		if rec := record(t, out); rec.End == nil || rec.Trials[len(rec.Trials)-1].Error == "" {
			t.Errorf("%s: %+v", name, rec.End)
		}
	}
	waitForNothingLeft(t)
}

func TestCompareMistakes(t *testing.T) {
	for line, says := range map[string]string{
		"reactor":                                            "expected",
		"reactor nosuch":                                     `B: target "nosuch"`,
		"nosuch reactor":                                     `A: target "nosuch"`,
		"reactor epoll --max 1s":                             "too short for a verdict",
		"reactor epoll --precision x":                        "no percentage",
		"reactor epoll --fail-if-worse=-1%":                  "no percentage",
		"reactor epoll --scenario latency":                   "needs a closed one",
		"reactor epoll --scenario connections":               "has several cases",
		"reactor epoll --scenario connections:connections=7": "has no case",
		"reactor epoll --scenario nosuch":                    "nosuch",
		"raw reactor --scenario json":                        "cannot take part",
	} {
		o := corelab(t, nil, append([]string{"compare", "--out", t.TempDir()}, strings.Fields(line)...)...)
		if o.code == 0 || !strings.Contains(o.stderr, says) {
			t.Errorf("%s: exit %d, %s", line, o.code, o.stderr)
		}
	}
}

func TestBallastFlag(t *testing.T) {
	for flags, want := range map[string]float64{"": 0, "--threads 4": 0, "--ballast 200ns": 200, "--threads 4 --ballast=1us": 1000, "-ballast 5us": 5000, "--ballast nonsense": -1, "--ballast": -1} {
		got, err := ballast(strings.Fields(flags))
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%s: %v, %v", flags, got, err)
		}
	}
}
