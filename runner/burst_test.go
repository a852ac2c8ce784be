package runner

import (
	"strings"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner/load"
	"corelab/scenarios"
)

// The overload scenario as a generator gets it: three phases that sum to the trial, the burst at the case's percent.
func TestBurst(t *testing.T) {
	all, err := LoadScenarios(scenarios.Files, "overload")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all[0].Cases() {
		const ceiling = 20_000
		rate := float64(ceiling * c.Shape.Percent / 100)
		for _, d := range []time.Duration{time.Duration(all[0].Duration), 1200 * time.Millisecond, time.Second, 333 * time.Millisecond} {
			spec := load.Spec{URL: "http://127.0.0.1:1/", Rate: rate, Duration: d, Arrival: load.ArrivalPoisson}
			c.Shape.tune(&spec)
			spec = spec.Filled()
			if err := spec.Check(); err != nil {
				t.Fatal(err)
			}
			if spec.Duration != d || len(spec.Phases) != 3 || spec.Timeout != 500*time.Millisecond || spec.CheckEvery != 64 {
				t.Fatalf("%v: %+v", d, spec)
			}
			for i, want := range []struct {
				name string
				rate float64
			}{{results.PhaseBefore, ceiling / 2}, {results.PhaseBurst, rate}, {results.PhaseAfter, ceiling / 2}} {
				if p := spec.Phases[i]; p.Name != want.name || p.Rate != want.rate || p.Duration < d/10 {
					t.Errorf("%s, %v: phase %d is %+v", c.Name, d, i, p)
				}
			}
		}
		if len(c.Body) != 256<<10 || c.Body[27] != 'b' {
			t.Errorf("%s: an answer of %d bytes", c.Name, len(c.Body))
		}
	}
	by := strings.NewReplacer("\n[expect]", "\ngenerator = \"vegeta\"\n[expect]", `loop = "closed"`, "loop = \"open\"\npercent = 200\nburst = { around = 50, before = 10, lasts = 20 }")
	if _, err := ParseScenario("v.toml", []byte(by.Replace(sound))); err == nil || !strings.Contains(err.Error(), "only corelab changes its rate") {
		t.Errorf("a burst by vegeta: %v", err)
	}
	steps := newPlan(t, Ask{Plan: "reference", Seed: 1, WarmUp: -1}).Steps()
	ceilings := 0
	for _, s := range steps {
		if s.Scenario.Name == "overload" && s.Role == results.RoleCeiling {
			ceilings++
			if s.Case.Shape.Burst != nil || s.Case.Shape.Loop != Closed || s.Case.Shape.CheckEvery != 64 {
				t.Errorf("the ceiling's shape: %+v", s.Case.Shape)
			}
		}
	}
	if ceilings == 0 {
		t.Error("no ceiling is measured")
	}
}
