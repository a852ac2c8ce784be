package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"corelab/results"
)

// stepsFile writes a file of steps.
func stepsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "steps.toml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

const twoSteps = `
[[step]]
name = "a burden"
hypothesis = "it costs what it burns"
fate = "dropped"
before = "reactor"
after = "reactor --ballast 20us"

[[step]]
name = "the same"
hypothesis = "nothing changes"
fate = "kept"
before = "epoll"
after = "epoll"
`

// TestTuningRecords has too little time for verdicts: it says so, and the record is whole, one step behind the other.
func TestTuningRecords(t *testing.T) {
	out := t.TempDir()
	o := corelab(t, nil, "tuning", stepsFile(t, twoSteps), "--max", "5s", "--precision", "0", "--out", out, "--seed", "3", "--json")
	if o.code != exitWrong || !strings.Contains(o.stderr, "no verdict on a burden, the same") {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	var tuned []results.Tuned
	if err := json.Unmarshal([]byte(o.stdout), &tuned); err != nil || len(tuned) != 2 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	rec := record(t, out)
	if rec.Run.Tuning == nil || len(rec.Run.Targets) != 4 || rec.End == nil || rec.End.Trials != len(rec.Trials) {
		t.Fatalf("%+v", rec.Run)
	}
	if tuned[0].Comparison.B.Ballast != 20e3 || tuned[0].Comparison.Error != "" {
		t.Errorf("%+v", tuned[0].Comparison)
	}
	last := 0
	for _, trial := range rec.Trials {
		if trial.Position <= last {
			t.Errorf("trial %d stands behind %d", trial.Position, last)
		}
		last = trial.Position
	}
	r := corelab(t, nil, "report", rec.Dir)
	if r.code != 0 || !strings.Contains(r.stdout, "a burden") {
		t.Errorf("report: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	waitForNothingLeft(t)
}

func TestTuningMistakes(t *testing.T) {
	file := stepsFile(t, twoSteps)
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"no file":   {[]string{"nowhere.toml"}, "nowhere.toml"},
		"not TOML":  {[]string{stepsFile(t, "steps")}, "steps.toml:1:"},
		"no target": {[]string{stepsFile(t, strings.Replace(twoSteps, `"epoll"`, `"nosuch"`, 1))}, "step 2, the same: A: target \"nosuch\""},
		"open loop": {[]string{stepsFile(t, twoSteps+"scenario = \"latency\"\n")}, "needs a closed one"},
		"no step":   {[]string{file, "--only", "nothing like it"}, "no step of"},
		"too short": {[]string{file, "--max", "1s"}, "too short for a verdict"},
	} {
		o := corelab(t, nil, append([]string{"tuning", "--out", t.TempDir()}, tt.args...)...)
		if o.code == 0 || !strings.Contains(o.stderr, tt.says) {
			t.Errorf("%s: exit %d, %s", name, o.code, o.stderr)
		}
	}
}
