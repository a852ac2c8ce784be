package runner

import (
	"slices"
	"testing"

	"corelab/results"
)

// TestControl: every plan that is more than a smoke test measures a target twice and holds two generators against each other,
// whatever was named.
func TestControl(t *testing.T) {
	all := map[string]*Scenario{}
	for _, s := range everything(t) {
		all[s.Name] = s
	}
	only := func(names ...string) []Entrant {
		return slices.DeleteFunc(slices.Clone(field), func(e Entrant) bool { return !slices.Contains(names, e.Name) })
	}
	for name, tt := range map[string]struct {
		scenarios []string
		field     []Entrant
		ask       Ask
		aa        string    // the target that is measured twice; empty: none
		second    Generator // empty: none
	}{
		"one scenario":                {[]string{"json"}, field, Ask{}, "nginx", ByWrk},
		"one core":                    {[]string{"json"}, only("pool"), Ask{}, "pool", ByWrk},
		"one that is not asked for":   {[]string{"plaintext"}, only("pool"), Ask{}, "pool", ByWrk},
		"several cores":               {[]string{"json"}, only("pool", "reactor"), Ask{}, "reactor", ByWrk},
		"a case of many":              {[]string{"connections"}, only("epoll"), Ask{Cases: []string{"connections=800"}}, "epoll", ByWrk},
		"one by wrk":                  {[]string{"stages"}, only("epoll"), Ask{}, "epoll", ByCorelab},
		"an open loop":                {[]string{"latency"}, only("epoll"), Ask{}, "epoll", ByVegeta},
		"nothing but the limit":       {[]string{"plaintext"}, only("raw"), Ask{}, "", ""},
		"no other can offer it":       {[]string{"churn"}, only("epoll"), Ask{}, "epoll", ""},
		"but another scenario's":      {[]string{"churn", "json"}, only("epoll"), Ask{}, "epoll", ByWrk},
		"the reference has no part":   {[]string{"slow-handler"}, only("nginx", "reactor"), Ask{}, "reactor", ByWrk},
		"the generator was chosen":    {[]string{"json"}, only("epoll"), Ask{Generator: ByWrk}, "epoll", ""},
		"a smoke test":                {[]string{"json"}, field, Ask{Plan: "smoke"}, "", ""},
		"the scenario asks by itself": {[]string{"plaintext"}, field, Ask{Plan: "standard"}, "nginx", ByWrk},
	} {
		t.Run(name, func(t *testing.T) {
			var scenarios []*Scenario
			for _, n := range tt.scenarios {
				s := *all[n]
				scenarios = append(scenarios, &s)
			}
			tt.ask.WarmUp = -1
			p, err := NewPlan(scenarios, tt.field, tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			var aa []string
			var second []Generator
			for _, c := range p.Cells() {
				switch c.Role {
				case results.RoleAA:
					aa = append(aa, c.Target)
				case results.RoleSecond:
					second = append(second, c.Generator)
				}
			}
			if tt.aa == "" && len(aa) > 0 || tt.aa != "" && !slices.Contains(aa, tt.aa) {
				t.Errorf("measured twice: %q, want %q", aa, tt.aa)
			}
			if tt.second == "" && len(second) > 0 || tt.second != "" && !slices.Contains(second, tt.second) {
				t.Errorf("second generators: %q, want %q", second, tt.second)
			}
			for i, s := range scenarios {
				if !slices.Equal(s.AA, all[tt.scenarios[i]].AA) || len(s.Also) != len(all[tt.scenarios[i]].Also) {
					t.Errorf("%s itself was changed", s.Name)
				}
			}
		})
	}
}

// TestObservedSteps: system calls and the CPU's own counters are each read in trials of their own, of every target.
func TestObservedSteps(t *testing.T) {
	for _, ask := range []Ask{{}, {Calls: true}, {Hardware: true}, {Calls: true, Hardware: true}} {
		ask.Plan, ask.WarmUp = "standard", -1
		got := map[bool]int{}
		for _, s := range newPlan(t, ask).Steps() {
			if s.Role == results.RoleObserved {
				got[s.Hardware]++
			}
		}
		want := map[bool]int{}
		if ask.Calls {
			want[false] = len(field)
		}
		if ask.Hardware {
			want[true] = len(field)
		}
		if got[false] != want[false] || got[true] != want[true] {
			t.Errorf("calls %v, hardware %v: trials %v, want %v", ask.Calls, ask.Hardware, got, want)
		}
	}
}
