package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// recordRun writes a run of which each request cost the core so many nanoseconds, where nginx took 7000.
func recordRun(t *testing.T, root string, number int, commit string, cost float64) string {
	t.Helper()
	started := time.Date(2026, 11, number, 10, 0, 0, 0, time.UTC)
	w, err := results.Create(root, started.Format("20060102-150405")+"-bench", results.Run{
		Started: started, Commit: commit,
		Host:      results.Host{Hostname: "vm", Kernel: "6.18.1", CPU: "AMD EPYC", CPUs: 2, MemoryKiB: 24 << 20, GoVersion: "go1.26.8"},
		Scenarios: []results.Scenario{{Name: "plaintext", Load: "GET /plaintext, closed loop"}},
		Targets:   []results.Target{{Name: "epoll", Kind: "core", Command: []string{"coreserver"}}, {Name: "nginx", Kind: "peer", Command: []string{"nginx"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for round := 1; round <= results.MinRounds; round++ {
		for target, ns := range map[string]float64{"epoll": cost, "nginx": 7000} {
			n := uint64(1e9 / (ns + 8000))
			jitter := 1 + 0.001*float64(round)
			mean := time.Duration(64e9 / n)
			err := w.Append(results.Trial{Scenario: "plaintext", Target: target, Round: round, Placement: "one",
				Load: &results.Load{Generator: "corelab", Command: []string{"corelab", "load", "http://127.0.0.1:1/plaintext"}, Loop: "closed",
					Connections: 64, Depth: 1, Elapsed: time.Second, Requests: n, Latency: &results.Latency{Count: n, Mean: mean, P50: mean, P90: mean, P99: mean, P999: mean, Max: mean}},
				Server: &results.Usage{Elapsed: time.Second, CPU: time.Duration(float64(n) * ns * jitter), Affinity: "0"},
				Client: &results.Usage{Elapsed: time.Second, CPU: time.Duration(n * 8000), Affinity: "0"}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.End(results.End{}); err != nil {
		t.Fatal(err)
	}
	return w.Dir()
}

// commitFile commits a file in the repository of the current folder, and returns the hash.
func commitFile(t *testing.T, name, message string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(message), 0o644); err != nil {
		t.Fatal(err)
	}
	runGit(t, "add", "--", name)
	runGit(t, "commit", "-q", "-m", message)
	return runGit(t, "rev-parse", "--short=12", "HEAD")
}

func runGit(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// historyOf runs corelab history, and returns its exit code and what it printed.
func historyOf(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	o := corelab(t, nil, append([]string{"history"}, args...)...)
	return o.code, o.stdout, o.stderr
}

func TestHistoryNamesTheCommit(t *testing.T) {
	t.Chdir(t.TempDir())
	runGit(t, "init", "-q", "-b", "main")
	before := commitFile(t, "servers/a.go", "servers: as it was")
	commitFile(t, "README.md", "README: a comma")
	guilty := commitFile(t, "httpcore/b.go", "httpcore: copy each byte twice")
	after := commitFile(t, "results/c.go", "results: a table")
	runGit(t, "checkout", "-q", "-b", "side", before)
	side := commitFile(t, "apps/d.go", "apps: a route")
	for i := range 6 {
		recordRun(t, "results", 1+i, before, 7000)
	}
	step := recordRun(t, "results/reference", 7, after, 7700)
	recordRun(t, "results", 8, after, 7690)
	recordRun(t, "more", 9, side, 7000)
	recordRun(t, "more", 10, side, 7000)
	if err := os.MkdirAll("results/newer", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("results/newer/run.jsonl", []byte(`{"kind":"run","schema":99,"commit":"fade"}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}

	code, out, errs := historyOf(t, "more", "--json", "--svg", "h.svg")
	var h results.History
	if err := json.Unmarshal([]byte(out), &h); code != exitOK || err != nil {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if h.Runs != 10 || len(h.Lines) != 1 || len(h.Lines[0].Steps) != 2 || len(h.Skipped) != 1 || !strings.Contains(h.Skipped[0], "results/newer: ") {
		t.Fatalf("%s", out)
	}
	s := h.Lines[0].Steps[0]
	if s.To != filepath.Base(step) || s.Flag != results.HistoryChanged || s.Verdict != "worse" || s.OldCommit != before || s.NewCommit != after ||
		len(s.Suspects) != 1 || s.Suspects[0].Hash != guilty || !strings.Contains(s.Note, "2 other commits") ||
		s.Compare != fmt.Sprintf("corelab compare git:%s:epoll git:%s:epoll", before, after) {
		t.Errorf("%+v", s)
	}
	back := h.Lines[0].Steps[1]
	if len(back.Suspects) != 1 || back.Suspects[0].Hash != side || !strings.Contains(back.Note, side+" is not built upon "+after) {
		t.Errorf("%+v", back)
	}
	if svg, err := os.ReadFile("h.svg"); err != nil || !strings.HasPrefix(string(svg), "<?xml") {
		t.Errorf("%.60s, %v", svg, err)
	}

	code, out, _ = historyOf(t, "--last", "3")
	if want := "changed by " + guilty + " (httpcore: copy each byte twice): +10.0 % ("; code != exitOK || !strings.Contains(out, want) || !strings.Contains(out, "left out: results/newer") {
		t.Errorf("exit %d, without %q:\n%s", code, want, out)
	}
	runs, err := filepath.Abs("results")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	t.Chdir(t.TempDir()) // which is no repository
	code, out, _ = historyOf(t, "--out", runs)
	if want := "the suspects are not known here"; code != exitOK || !strings.Contains(out, want) || strings.Contains(out, "corelab compare") {
		t.Errorf("exit %d, without %q:\n%s", code, want, out)
	}
}

func TestHistoryMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	recordRun(t, "one", 1, "fade", 7000)
	for _, test := range []struct {
		args []string
		code int
		say  string
	}{
		{nil, exitFailed, "there is no run below results: `corelab bench` makes one"},
		{[]string{"nowhere"}, exitFailed, "nowhere"},
		{[]string{"--out", "one", "--scenario", "json"}, exitFailed, "none of 1 runs has the figure cost"},
		{[]string{"--out", "one", "--figure", "beauty"}, exitUsage, "--figure must be one of"},
		{[]string{"--out", "one", "--since", "soon"}, exitUsage, "write it like 2026-11-22"},
		{[]string{"--out", "one", "--last=-1"}, exitUsage, "--last -1"},
		{[]string{"--out", "one", "--svg", "no/such/h.svg"}, exitFailed, "--svg names a file in a folder that is there"},
		{[]string{"--out", "one"}, exitOK, "there is nothing to compare yet"},
		{[]string{"one"}, exitOK, "there is nothing to compare yet"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, out, errs := historyOf(t, test.args...)
			if code != test.code || !strings.Contains(out+errs, test.say) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", code, test.code, test.say, out, errs)
			}
		})
	}
}

func TestSince(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for text, want := range map[string]time.Time{
		"2026-11-22": time.Date(2026, 11, 22, 0, 0, 0, 0, time.Local), "2026-11-22T10:15:00Z": time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC),
		"12h": ago(12 * time.Hour), "2d": time.Now().AddDate(0, 0, -2),
	} {
		var s Since
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Time(s).Sub(want).Abs() > time.Minute {
			t.Errorf("%s: %v, %v", text, time.Time(s), err)
		}
	}
	for _, text := range []string{"", "soon", "-1h", "d", "-3d"} {
		if err := new(Since).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a time", text)
		}
	}
}
