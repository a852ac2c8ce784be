package runner

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"corelab/results"
	"corelab/scenarios"
)

// subject is a target that lacks what it says.
type subject struct {
	features []string
	routes   []string
	limit    bool
}

func (s subject) Limit() bool { return s.limit }

func (s subject) LacksFeature(f string) string {
	if slices.Contains(s.features, f) {
		return "it closes after each answer"
	}
	return ""
}

func (s subject) LacksWork(string) string { return "no gateway" }

func (s subject) Lacks(_, path string) string {
	if slices.ContainsFunc(s.routes, func(r string) bool { return strings.HasPrefix(path, r) }) {
		return "does not serve " + path
	}
	return ""
}

var field = []Entrant{
	{"raw", subject{limit: true}},
	{"sequential", subject{features: []string{"keep-alive", "pipelining", "concurrency"}}},
	{"goroutine", subject{}}, {"pool", subject{}}, {"epoll", subject{}}, {"epollpool", subject{}}, {"reactor", subject{}}, {"evio", subject{}},
	{"nginx", subject{routes: []string{"/delay"}}},
}

func everything(t *testing.T) []*Scenario {
	t.Helper()
	all, err := LoadScenarios(scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newPlan(t *testing.T, ask Ask) *Plan {
	t.Helper()
	p, err := NewPlan(everything(t), field, ask)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func names(steps []Step) (out []string) {
	for _, s := range steps {
		out = append(out, fmt.Sprint(s.Position, s.Round, s.Scenario.Name, s.Case.Name, s.Target, s.Role, s.Generator, s.Duration))
	}
	return out
}

func TestPlanIsTheSameForASeed(t *testing.T) {
	ask := Ask{Plan: "standard", Seed: 7, WarmUp: -1, Calls: true}
	a, b := names(newPlan(t, ask).Steps()), names(newPlan(t, ask).Steps())
	if !reflect.DeepEqual(a, b) {
		t.Error("two plans with one seed differ")
	}
	ask.Seed = 8
	if reflect.DeepEqual(a, names(newPlan(t, ask).Steps())) {
		t.Error("two plans with two seeds are the same")
	}
}

// Every cell that is not skipped has one step in each round of its scenario, and the cells of a case stand together.
func TestRoundsHoldEveryCell(t *testing.T) {
	for _, plan := range PlanNames {
		p := newPlan(t, Ask{Plan: plan, Seed: 1, WarmUp: -1})
		rounds := map[*Scenario]int{}
		for _, c := range p.courses {
			rounds[c.scenario] = c.rounds
		}
		seen := map[string]int{}
		last, closed := "", map[string]bool{}
		for i, s := range p.Steps() {
			if s.Position != i+1 {
				t.Fatalf("%s: step %d stands at %d", plan, i, s.Position)
			}
			if s.Role == results.RoleCeiling {
				continue
			}
			block := fmt.Sprint(s.Scenario.Name, s.Case.Name, s.Round)
			if block != last {
				if closed[block] {
					t.Errorf("%s: %s is torn apart", plan, block)
				}
				closed[last], last = true, block
			}
			seen[fmt.Sprint(s.Scenario.Name, s.Case.Name, s.Target, s.Role, s.Generator, s.Round)]++
		}
		want := 0
		for _, c := range p.Cells() {
			for r := 1; r <= rounds[c.Scenario]; r++ {
				key := fmt.Sprint(c.Scenario.Name, c.Case.Name, c.Target, c.Role, c.Generator, r)
				switch {
				case c.Skipped != "" && seen[key] != 0:
					t.Errorf("%s: %s was tried in spite of %q", plan, key, c.Skipped)
				case c.Skipped == "" && seen[key] != 1:
					t.Errorf("%s: %s stands %d times", plan, key, seen[key])
				case c.Skipped == "":
					want++
				}
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %d steps, %d expected", plan, len(seen), want)
		}
	}
}

func TestStandardPlan(t *testing.T) {
	p := newPlan(t, Ask{Plan: "standard", Seed: 1, WarmUp: -1, Calls: true})
	if got := p.Estimate(); got > 10*time.Minute {
		t.Errorf("the standard plan takes %v: more than ten minutes", got)
	}
	count := map[string]int{}
	for _, s := range p.Steps() {
		if s.Target == "reactor" {
			count[s.Scenario.Name+" "+s.Case.Name+" "+s.Role]++
		}
	}
	want := map[string]int{
		"plaintext  ": 8, "plaintext  aa": 8, "plaintext  second": 8, "plaintext  observed": 1, "pipelined  ": 8,
		"connections connections=50 ": 3, "connections connections=800 ": 3, "churn  ": 3, "json  ": 3, "slow-handler  ": 3,
		"latency ceiling ceiling": 1, "latency percent=75 ": 3, "latency percent=75 second": 3,
		"payload size=16KiB ": 3, "payload size=1MiB ": 3, "idle idle=10000 ": 3,
		"overload ceiling ceiling": 1, "overload percent=150 ": 1,
	}
	if !reflect.DeepEqual(count, want) {
		t.Errorf("reactor's trials:\ngot  %v\nwant %v", count, want)
	}
	golden(t, "plan-standard.golden", p.Describe())
}

func TestPlanLengths(t *testing.T) {
	if got := newPlan(t, Ask{Plan: "smoke", Seed: 1, WarmUp: -1}).Estimate(); got > 2*time.Minute {
		t.Errorf("smoke takes %v", got)
	}
	if got := newPlan(t, Ask{Plan: "reference", Seed: 1, WarmUp: -1, Calls: true}).Estimate(); got < 50*time.Minute || got > 70*time.Minute {
		t.Errorf("reference takes %v, not about an hour", got)
	}
}

func TestSkippedHaveReasons(t *testing.T) {
	got := map[string]string{}
	for _, c := range newPlan(t, Ask{Plan: "standard", Seed: 1, WarmUp: -1}).Skipped() {
		got[c.Scenario.Name+" "+c.Target] = c.Skipped
	}
	for key, want := range map[string]string{
		"pipelined sequential":  "lacks pipelining",
		"idle sequential":       "lacks concurrency",
		"slow-handler nginx":    "does not serve /delay/10",
		"json raw":              "answers without reading",
		"slow-handler raw":      "answers without reading",
		"slow-handler evio":     "",
		"plaintext raw":         "",
		"churn sequential":      "",
		"plaintext sequential":  "",
		"latency sequential":    "",
		"connections goroutine": "",
	} {
		if !strings.HasPrefix(got[key], want) || (want == "") != (got[key] == "") {
			t.Errorf("%s: skipped for %q, want %q", key, got[key], want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, plan := range []string{"standard", "reference"} {
		for _, budget := range []time.Duration{30 * time.Minute, 10 * time.Minute, 5 * time.Minute, 2 * time.Minute, 30 * time.Second} {
			p := newPlan(t, Ask{Plan: plan, Seed: 1, WarmUp: -1, Calls: true})
			full := p.Estimate()
			if err := p.Fit(budget); err != nil {
				t.Errorf("%s in %v: %v", plan, budget, err)
				continue
			}
			if got := p.Estimate(); got > budget {
				t.Errorf("%s in %v takes %v", plan, budget, got)
			}
			if (full > budget) != (len(p.Notes) > 0) {
				t.Errorf("%s in %v: full %v, notes %v", plan, budget, full, p.Notes)
			}
		}
	}
	p := newPlan(t, Ask{Plan: "standard", Seed: 1, WarmUp: -1})
	if err := p.Fit(time.Second); err == nil || !strings.Contains(err.Error(), "too small") {
		t.Errorf("a second suffices: %v", err)
	}
	p = newPlan(t, Ask{Plan: "reference", Seed: 1, WarmUp: -1, Calls: true})
	if err := p.Fit(10 * time.Minute); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-fitted.golden", p.Describe())
}

// What a step takes is the sum of its parts, and the plan's estimate that of its steps.
func TestEstimate(t *testing.T) {
	s := &Scenario{Name: "x", Placement: One, Generator: ByCorelab, Load: Shape{Loop: Closed, Connections: 1, Idle: 1000}, Rounds: 2, Duration: Duration(time.Second), WarmUp: Duration(100 * time.Millisecond)}
	p, err := NewPlan([]*Scenario{s}, field[2:5], Ask{WarmUp: -1})
	if err != nil {
		t.Fatal(err)
	}
	want := 2 * (3 + 1) * (time.Second + 100*time.Millisecond + overhead + 1000*idleOverhead)
	if got := p.Estimate(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range PlanNames {
		p := newPlan(t, Ask{Plan: name, WarmUp: -1, Calls: true, Profile: true})
		if got, want := p.Estimate(), total(p.Steps()); got != want {
			t.Errorf("%s is estimated at %v, its steps at %v", name, got, want)
		}
	}
	for d, want := range map[time.Duration]time.Duration{0: time.Second, 200 * time.Millisecond: time.Second, time.Second: time.Second, 1001 * time.Millisecond: 2 * time.Second} {
		if got := wholeSeconds(d); got != want {
			t.Errorf("wrk is told %v for %v", got, d)
		}
	}
}

func TestAsks(t *testing.T) {
	p := newPlan(t, Ask{Cases: []string{"connections=50", "size=1MiB"}, Rounds: 2, Duration: 50 * time.Millisecond, WarmUp: 0})
	for _, s := range p.Steps() {
		switch {
		case s.Scenario.Name == "connections" && s.Case.Name != "connections=50", s.Scenario.Name == "payload" && s.Case.Name != "size=1MiB":
			t.Errorf("%s %s was not asked for", s.Scenario.Name, s.Case.Name)
		case s.Round > 2, s.Duration != 50*time.Millisecond, s.WarmUp != 0:
			t.Errorf("%+v", s)
		}
	}
	for name, ask := range map[string]Ask{
		"unknown case": {Cases: []string{"connections=51"}},
		"unknown plan": {Plan: "fast"},
	} {
		if _, err := NewPlan(everything(t), field, ask); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// What a generator cannot do is an error of a scenario that was named alone, and said of one among others.
	all := everything(t)
	ours := []string{"latency", "churn", "idle", "overload", "gateway-stages", "gateway-peers", "gateway-dead-backend", "gateway-slow-backend", "gateway-burst", "gateway-routes"}
	for _, s := range all {
		if _, err := NewPlan([]*Scenario{s}, field, Ask{Generator: ByWrk}); (err != nil) != slices.Contains(ours, s.Name) {
			t.Errorf("%s by wrk: %v", s.Name, err)
		}
	}
	p = newPlan(t, Ask{Generator: ByWrk})
	if len(p.Notes) != len(ours) || len(p.courses) != len(all)-len(ours) {
		t.Errorf("notes %q, %d scenarios of %d", p.Notes, len(p.courses), len(all))
	}
	for _, c := range newPlan(t, Ask{Absent: map[Generator]string{ByWrk: "wrk is not installed"}}).Cells() {
		if c.Generator == ByWrk && c.Skipped != "wrk is not installed" {
			t.Errorf("%+v is tried without wrk", c)
		}
	}
	if _, err := NewPlan(everything(t), nil, Ask{}); err == nil {
		t.Error("a plan without targets: accepted")
	}
}

// TestGuests has targets that nobody named: a plan measures them where a scenario's weight says so, and says where.
func TestGuests(t *testing.T) {
	with := func(ask Ask) (scenarios []string, p *Plan) {
		ask.WarmUp, ask.Guests = -1, []string{"evio", "epoll"} // any of the field
		p = newPlan(t, ask)
		for _, c := range p.Cells() {
			if c.Target == "evio" && !slices.Contains(scenarios, c.Scenario.Name) {
				scenarios = append(scenarios, c.Scenario.Name)
			}
		}
		return scenarios, p
	}
	got, standard := with(Ask{Plan: "standard"})
	if want := []string{"churn", "pipelined", "plaintext"}; !slices.Equal(got, want) {
		t.Errorf("in the standard plan they are in %v, want %v", got, want)
	}
	if !strings.Contains(strings.Join(standard.Notes, "\n"), "evio, epoll: only in churn, pipelined, plaintext") {
		t.Errorf("the plan does not say so: %q", standard.Notes)
	}
	for _, s := range standard.Steps() {
		if s.Target == "evio" && s.Scenario.Name == "latency" {
			t.Errorf("a step of a guest in latency: %+v", s.Cell)
		}
	}
	if err := standard.Fit(5 * time.Minute); err != nil {
		t.Error(err)
	}
	if got, _ := with(Ask{Plan: "smoke"}); !slices.Equal(got, []string{"plaintext"}) {
		t.Errorf("in the smoke plan they are in %v", got)
	}
	if got, named := with(Ask{}); len(got) != len(everything(t)) || slices.ContainsFunc(named.Notes, func(n string) bool { return strings.Contains(n, "only in") }) {
		t.Errorf("of scenarios that were named they are in %v, and the plan notes %q", got, named.Notes)
	}
}
