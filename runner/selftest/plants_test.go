package selftest

import (
	"strings"
	"testing"
	"time"

	"corelab/runner"
	"corelab/runner/target"
)

func TestTheTableOfPlants(t *testing.T) {
	all, err := Choose(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := Choose(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := Estimate(all, false); d > 100*time.Second {
		t.Errorf("all of them take %v: with what must be repeated, more than two minutes", d)
	}
	if d := Estimate(quick, false); d > 15*time.Second || len(quick) < 5 {
		t.Errorf("the %d of the short selftest take %v", len(quick), d)
	}
	order, specs, err := Targets(target.Env{Coreserver: "coreserver", Cores: []target.Core{{Name: "reactor"}}}, all)
	if err != nil || len(order) != len(all)+1 || len(specs) != len(order) {
		t.Fatalf("%d targets of %d plants: %v", len(specs), len(all), err)
	}
	for _, p := range all {
		if specs[p.Name].Name != p.Name || !strings.Contains(strings.Join(specs[p.Name].Flags, " "), strings.Join(p.Flags, " ")) {
			t.Errorf("%s is started as %+v", p.Name, specs[p.Name])
		}
		if len(p.Asks) == 0 || p.Server == "" || p.Shape.Connections == 0 || p.Shape.Threads != 1 {
			t.Errorf("%s is not whole", p.Name)
		}
		figures := map[string]bool{}
		for _, a := range p.Asks {
			if a.Formula == "" || figures[a.Figure] {
				t.Errorf("%s %s: no formula, or asked twice", p.Name, a.Figure)
			}
			figures[a.Figure] = true
		}
		for _, by := range foreigners() {
			if p.Foreign == nil {
				break
			}
			s, can := p.foreign(by, 1)
			if wants := s.Case.Shape.Loop; can && (by == runner.ByVegeta) != (wants == runner.Open) {
				t.Errorf("%s by %s: %s loop", p.Name, by, wants)
			}
		}
	}
	if len(specs) != len(all)+1 {
		t.Errorf("two plants share a name")
	}
	// A quantile of stalls needs whole periods, and ten of them.
	for name, period := range map[string]time.Duration{"stall": stallIn, "stall-few": fewIn} {
		p, err := Choose([]string{name}, false)
		if err != nil || len(p) != 1 || p[0].Trials[0].Last%period != 0 || p[0].Trials[0].Last < 10*period {
			t.Errorf("%s: %v, %+v", name, err, p)
		}
	}
	if _, err := Choose([]string{"stall", "stal"}, false); err == nil || !strings.Contains(err.Error(), `"stal"`) {
		t.Errorf("a plant that there is not: %v", err)
	}
}
