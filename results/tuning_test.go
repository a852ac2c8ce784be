package results

import (
	"math"
	"strings"
	"testing"
	"time"
)

// tuned is a record of three steps, whose truth is known: 5 % off and kept, 3 % more and dropped, 10 % off and kept.
func tuned(edit func(*Record)) *Record {
	rec := &Record{Run: Run{ID: "20261122-101500-tuning", Seed: 7, Scenarios: []Scenario{{Name: "plaintext", Load: "GET /plaintext, closed loop"}},
		Tuning: &Tuning{}}, End: &End{Elapsed: 3 * time.Minute}}
	for i, s := range []struct {
		name, fate    string
		before, after float64
	}{{"raw calls", TuningKept, 6000, 5700}, {"spin", TuningDropped, 5700, 5871}, {"batches", TuningKept, 5700, 5130}} {
		one := with(func(p *play) { p.server = [2]float64{s.before, s.after} }).record()
		step := TuningStep{Name: s.name, Hypothesis: "because of " + s.name, Fate: s.fate, Scenario: "plaintext", Compare: *one.Run.Compare}
		names := map[string]string{}
		for j, t := range one.Run.Targets {
			name := strings.Repeat("i", i+1) + []string{" before: ", " after: "}[j] + "reactor"
			names[t.Name] = name
			t.Name = name
			rec.Run.Targets = append(rec.Run.Targets, t)
		}
		step.Before, step.After = names["A: reactor"], names["B: reactor --x"]
		rec.Run.Tuning.Steps = append(rec.Run.Tuning.Steps, step)
		for _, t := range one.Trials {
			t.Target = names[t.Target]
			rec.Trials = append(rec.Trials, t)
		}
	}
	if edit != nil {
		edit(rec)
	}
	return rec
}

func steps(t *testing.T, rec *Record) []Tuned {
	t.Helper()
	all, err := Tunings(rec)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTunings(t *testing.T) {
	all := steps(t, tuned(nil))
	for i, want := range []struct {
		ratio, product float64
		verdict        string
	}{{0.95, 0.95, Better}, {1.03, 0, Worse}, {0.90, 0.855, Better}} {
		s := all[i]
		cpu := s.Comparison.Find(CompareCPU)
		if math.Abs(cpu.Ratio-want.ratio) > 0.003 || cpu.Verdict != want.verdict || s.Comparison.Blocks != 16 {
			t.Errorf("%s: %.4f, %s of %d blocks", s.Name, cpu.Ratio, cpu.Verdict, s.Comparison.Blocks)
		}
		if math.Abs(s.Product-want.product) > 0.004 || (s.ProductHalf > 0) != (want.product > 0) {
			t.Errorf("%s: product %.4f ± %.4f", s.Name, s.Product, s.ProductHalf)
		}
	}
	if first, last := all[0].ProductHalf, all[2].ProductHalf; last <= first {
		t.Errorf("the product of two is known to ±%v, that of one to ±%v", last, first)
	}
}

// TestTuningWithoutVerdict has a step that was cut short: it has no product, and neither has any behind it.
func TestTuningWithoutVerdict(t *testing.T) {
	all := steps(t, tuned(func(rec *Record) { rec.Trials = rec.Trials[8*8:] })) // half of the first step's blocks
	if cpu := all[0].Comparison.Find(CompareCPU); cpu.Verdict != NoVerdict || all[0].Product != 0 || all[2].Product != 0 {
		t.Errorf("%s, products %v and %v", cpu.Verdict, all[0].Product, all[2].Product)
	}
	text := TuningText(tuned(func(rec *Record) { rec.Trials = nil }), 160, false)
	if strings.Contains(text, "NaN") || !strings.Contains(text, Dash) {
		t.Errorf("without a trial:\n%s", text)
	}
}

func TestTuningNamesNoTarget(t *testing.T) {
	rec := tuned(func(rec *Record) { rec.Run.Tuning.Steps[1].After = "nobody" })
	if _, err := Tunings(rec); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("%v", err)
	}
	if files, err := Report(rec); err != nil || !strings.Contains(string(files[ReportFile]), "nobody") {
		t.Errorf("a report that does not say so: %v", err)
	}
	if other, err := Tunings(&Record{}); other != nil || err != nil {
		t.Errorf("a run of another kind: %v, %v", other, err)
	}
}

func TestTuningReport(t *testing.T) {
	files, err := Report(tuned(nil))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "tuning.golden.md", files[ReportFile])
}
