package results

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A profile is kept once, inside of the run's folder, and in place of what a trial left that was cut off.
func TestProfileFiles(t *testing.T) {
	w, _ := create(t, "run")
	for _, name := range []string{"", "../up.pb.gz", "/etc/x"} {
		if path, err := w.Profile(name, []byte("x")); err == nil {
			t.Errorf("a profile was written under %q as %q", name, path)
		}
	}
	var kept []string
	for _, name := range []string{"recorded.pb.gz", "cut.pb.gz"} {
		path, err := w.Profile(name, []byte("first"))
		if err != nil || path != ProfileFolder+"/"+name {
			t.Fatalf("%q, %v", path, err)
		}
		kept = append(kept, path)
	}
	trial := Trial{Scenario: "s", Target: "t", Role: RoleProfiled, Profiles: []Profile{{Kind: ProfileCPU, Path: kept[0]}}}
	if err := errors.Join(w.Append(trial), w.Close()); err != nil {
		t.Fatal(err)
	}
	w, _, err := Reopen(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Profile("recorded.pb.gz", []byte("second")); !errors.Is(err, os.ErrExist) {
		t.Errorf("the profile of a recorded trial was overwritten: %v", err)
	}
	if _, err := w.Profile("cut.pb.gz", []byte("second")); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(w.Dir(), kept[1])); string(b) != "second" {
		t.Errorf("%q, %v", b, err)
	}
}

// A trial that was profiled has no part in what the others are held against.
func TestProfiledTrialsAreNotRanked(t *testing.T) {
	rec := &Record{Run: Run{Started: time.Now(), Targets: []Target{{Name: "reactor", Kind: "core"}}, Scenarios: []Scenario{{Name: "plaintext"}}}}
	add := func(role string, round int, requests uint64) {
		rec.Trials = append(rec.Trials, Trial{Kind: KindTrial, Scenario: "plaintext", Target: "reactor", Role: role, Round: round, Placement: PlacementOne,
			Load:   &Load{Generator: generatorOwn, Loop: LoopClosed, Connections: 1, Depth: 1, Elapsed: time.Second, Requests: requests},
			Server: &Usage{Elapsed: time.Second, CPU: 500 * time.Millisecond, Affinity: "1"}, Client: &Usage{Elapsed: time.Second, CPU: 400 * time.Millisecond, Affinity: "1"}})
	}
	for round := range MinRounds {
		add(RoleRanked, round+1, 1000)
	}
	judged, samples := Verdicts(rec), Samples(rec, HistoryAsk{Figure: HistoryFigures[0], Absolute: true})
	if len(judged) != 1 || len(samples) != 1 {
		t.Fatalf("%d verdicts, %d samples", len(judged), len(samples))
	}
	add(RoleProfiled, 1, 10)
	if got := Verdicts(rec); len(got) != 1 || got[0].Verdict != judged[0].Verdict {
		t.Errorf("judged: %+v, without it %+v", got, judged)
	}
	if got := Samples(rec, HistoryAsk{Figure: HistoryFigures[0], Absolute: true}); len(got) != 1 || got[0].point.Value.Median != samples[0].point.Value.Median || got[0].point.Value.Rounds != samples[0].point.Value.Rounds {
		t.Errorf("in the history: %+v, without it %+v", got, samples)
	}
	line, err := encodeLine(rec.Trials[len(rec.Trials)-1])
	if err != nil {
		t.Fatal(err)
	}
	if (HistoryAsk{}).wants(&rec.Run, line) {
		t.Error("the history reads its line")
	}
	var table *grid
	for _, c := range Cells(rec) {
		if c.Role == RoleRanked {
			k := c.Key
			k.Target = ""
			table = newLoadTable(&rec.Run, k, Cells(rec)).build(nil)
			if n := len(c.Trials); n != MinRounds {
				t.Errorf("its cell has %d trials", n)
			}
		}
	}
	if table == nil || len(table.rows) != 1 {
		t.Errorf("its table: %+v", table)
	}
}
