package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// TestReportFormats: each format of an ordinary run is what it says, writes nothing, and is the same the second time.
func TestReportFormats(t *testing.T) {
	dir := recordRun(t, t.TempDir(), 7, "abc", 6000)
	before := entries(t, dir)
	for format, begins := range map[string]string{
		"terminal": "corelab run 20261107-100000-bench\n", "md": "# corelab run 20261107-100000-bench\n", "html": "<!doctype html>",
		"csv": "run,commit,scenario,", "json": `{"folder":`, "benchfmt": "Unit ", "slim": `{"kind":"run"`,
	} {
		o := corelab(t, nil, "report", dir, "--format", format)
		if o.code != 0 || !strings.HasPrefix(strings.ToLower(o.stdout), strings.ToLower(begins)) {
			t.Errorf("%s: exit %d, %s%.80q", format, o.code, o.stderr, o.stdout)
		}
		if again := corelab(t, nil, "report", dir, "--format", format); again.stdout != o.stdout {
			t.Errorf("%s differs the second time", format)
		}
	}
	if after := entries(t, dir); after != before {
		t.Errorf("the folder had %s and has %s", before, after)
	}
	o := corelab(t, nil, "report", dir)
	if o.code != 0 {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	for _, name := range []string{"report.md", "report.html", "bench.txt", "cost.svg"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestReportOfSome: csv takes what is asked for, and what cannot be had is a reason.
func TestReportOfSome(t *testing.T) {
	dir := recordRun(t, t.TempDir(), 7, "abc", 6000)
	o := corelab(t, nil, "report", dir, "--format", "csv", "--target", "epoll", "--scenario", "plaintext")
	lines, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil || o.code != 0 || len(lines) < 10 {
		t.Fatalf("exit %d, %v, %d lines", o.code, err, len(lines))
	}
	for _, line := range lines[1:] {
		if line[4] != "epoll" {
			t.Fatalf("a line of %s", line[4])
		}
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--format", "hgrm"}, exitFailed, "no cell of the run has a histogram"},
		{[]string{"--format", "folded"}, exitFailed, "record one with bench --profile"},
		{[]string{"--format", "csv", "--target", "rector"}, exitFailed, "no trial of target rector"},
		{[]string{"--format", "md", "--target", "epoll"}, exitUsage, "md is of the whole run"},
		{[]string{"--target", "epoll"}, exitUsage, "files is of the whole run"},
		{[]string{"--format", "pdf"}, exitUsage, "must be one of"},
	} {
		if o := corelab(t, nil, append([]string{"report", dir}, tt.args...)...); o.code != tt.code || o.stdout != "" || !strings.Contains(o.stderr, tt.want) {
			t.Errorf("%q: exit %d, %s%s", tt.args, o.code, o.stdout, o.stderr)
		}
	}
}

// TestReportOfAComparison: each format works, or says which do.
func TestReportOfAComparison(t *testing.T) {
	dir := recordComparison(t, t.TempDir())
	for format, want := range map[string]string{
		"files": "CPU per request", "terminal": "CPU per request", "md": "```\n", "csv": "a_value,b_value", "benchfmt": "role=compared", "slim": `"compare":`,
	} {
		if o := corelab(t, nil, "report", dir, "--format", format); o.code != 0 || !strings.Contains(o.stdout, want) {
			t.Errorf("%s: exit %d, %s%s", format, o.code, o.stderr, o.stdout)
		}
	}
	o := corelab(t, nil, "report", dir, "--format", "json")
	var c results.Comparison
	if err := json.Unmarshal([]byte(o.stdout), &c); err != nil || o.code != 0 || len(c.Figures) == 0 {
		t.Errorf("json: exit %d, %v", o.code, err)
	}
	for _, format := range []string{"html", "hgrm"} {
		if o := corelab(t, nil, "report", dir, "--format", format); o.code != exitFailed || o.stdout != "" || o.stderr == "" {
			t.Errorf("%s: exit %d, %.80q %s", format, o.code, o.stdout, o.stderr)
		}
	}
}

// recordComparison writes a comparison of one block.
func recordComparison(t *testing.T, root string) string {
	t.Helper()
	w, err := results.Create(root, "20261122-101500-compare", results.Run{
		Started: time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC), Scenarios: []results.Scenario{{Name: "plaintext"}},
		Targets: []results.Target{{Name: "epoll", Command: []string{"coreserver"}}, {Name: "reactor", Command: []string{"coreserver"}}},
		Compare: &results.Compare{Max: time.Minute, Windows: 1, Window: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"epoll", "reactor"} {
		mean := 64 * time.Second / 50_000
		err := w.Append(results.Trial{Scenario: "plaintext", Target: target, Role: results.RoleCompared, Round: 1, Placement: "one",
			Load: &results.Load{Generator: "corelab", Loop: "closed", Connections: 64, Depth: 1, Elapsed: time.Second, Requests: 50_000,
				Latency: &results.Latency{Count: 50_000, Mean: mean, P50: mean, P90: mean, P99: mean, Max: mean}},
			Server: &results.Usage{Elapsed: time.Second, CPU: time.Second / 2}, Client: &results.Usage{Elapsed: time.Second, CPU: time.Second / 2}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(results.End{}); err != nil {
		t.Fatal(err)
	}
	return w.Dir()
}

// TestReportOfAKneeSearch: each format has the knees, or the trials, or says why not.
func TestReportOfAKneeSearch(t *testing.T) {
	dir := recordKnee(t, t.TempDir())
	for format, want := range map[string]string{
		"files": "knee, req/s", "terminal": "knee, req/s", "md": "knee, req/s", "html": "knee, req/s", "json": `"knee":`,
		"csv": "p99_budget_ns", "benchfmt": "/rate=9000/", "slim": `"knee":`,
	} {
		if o := corelab(t, nil, "report", dir, "--format", format); o.code != 0 || !strings.Contains(o.stdout, want) {
			t.Errorf("%s: exit %d, %s%.200q", format, o.code, o.stderr, o.stdout)
		}
	}
	if o := corelab(t, nil, "report", dir, "--format", "hgrm"); o.code != exitFailed || !strings.Contains(o.stderr, "has a histogram") {
		t.Errorf("hgrm: exit %d, %s", o.code, o.stderr)
	}
}

// recordKnee writes a search that found that the core keeps 9000/s and not 10000/s.
func recordKnee(t *testing.T, root string) string {
	t.Helper()
	w, err := results.Create(root, "20261122-101500-knee", results.Run{
		Started: time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC), Scenarios: []results.Scenario{{Name: "plaintext"}},
		Targets: []results.Target{{Name: "epoll", Kind: "core", Command: []string{"coreserver"}}},
		Knee:    &results.KneeAsked{P99: 5 * time.Millisecond, Precision: 0.1, Max: time.Minute, Window: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for rate, p99 := range map[float64]time.Duration{9000: 2 * time.Millisecond, 10000: 9 * time.Millisecond} {
			n := uint64(rate)
			err := w.Append(results.Trial{Scenario: "plaintext", Target: "epoll", Role: results.RoleKnee, Round: round + 1, Placement: "split",
				Load: &results.Load{Generator: "corelab", Loop: "open", Connections: 64, Depth: 1, Rate: rate, Elapsed: time.Second, Requests: n,
					Latency: &results.Latency{Count: n, Mean: p99 / 3, P50: p99 / 3, P90: p99 / 2, P99: p99, Max: p99}}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.End(results.End{Trials: 6}); err != nil {
		t.Fatal(err)
	}
	return w.Dir()
}
