package runner

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// recorded are the trials of the plan's first steps, as a record has them, behind those that were skipped.
func recorded(p *Plan, steps int) []results.Trial {
	var out []results.Trial
	for _, c := range p.Skipped() {
		out = append(out, results.Trial{Scenario: c.Scenario.Name, Case: c.Case.Name, Target: c.Target, Role: c.Role, Round: 1, Skipped: c.Skipped})
	}
	for _, s := range p.Steps()[:steps] {
		out = append(out, results.Trial{Scenario: s.Scenario.Name, Case: s.Case.Name, Target: s.Target, Role: s.Role, Round: s.Round, Position: s.Position,
			Load: &results.Load{Generator: string(s.Generator), Requests: 1000 * uint64(s.Position), Elapsed: time.Second}})
	}
	return out
}

func TestRestIsWhatWasNotTried(t *testing.T) {
	p := newPlan(t, Ask{Plan: "standard", Seed: 7, WarmUp: -1, Calls: true})
	steps, skipped := p.Steps(), len(p.Skipped())
	if skipped == 0 {
		t.Fatal("nothing is skipped: the test shows less than it should")
	}
	for done := 0; done <= len(steps); done += max(1, len(steps)/13) {
		rest, err := p.Rest(recorded(p, done))
		if err != nil {
			t.Fatal(err)
		}
		if len(rest.Done) != done || len(rest.Skipped) != 0 || !reflect.DeepEqual(names(rest.Steps), names(steps[done:])) {
			t.Errorf("after %d steps: %d done, %d left, %d skipped", done, len(rest.Done), len(rest.Steps), len(rest.Skipped))
		}
	}
	// A trial may be missing in the middle, as on a disk that was full, and some of the skipped at the end of theirs.
	all := recorded(p, 10)
	rest, err := p.Rest(append(all[2:skipped+4:skipped+4], all[skipped+5:]...))
	if err != nil || len(rest.Skipped) != 2 || len(rest.Done) != 9 || rest.Steps[0].Position != 5 || len(rest.Steps) != len(steps)-9 {
		t.Errorf("%+v, %v", rest, err)
	}
}

func TestRestOfAnotherPlan(t *testing.T) {
	p := newPlan(t, Ask{Plan: "standard", Seed: 7, WarmUp: -1, Calls: true})
	skipped := len(p.Skipped())
	for says, change := range map[string]func([]results.Trial) []results.Trial{
		"as it is now it would be":      func(ts []results.Trial) []results.Trial { ts[skipped+3].Target = "hare"; return ts },
		"round 9; in the plan":          func(ts []results.Trial) []results.Trial { ts[skipped+3].Round = 9; return ts },
		"the plan is another one":       func(ts []results.Trial) []results.Trial { ts[skipped+3].Load.Generator = "ab"; return ts },
		"two trials at position 4":      func(ts []results.Trial) []results.Trial { return append(ts, ts[skipped+3]) },
		"a trial at position 1000000, ": func(ts []results.Trial) []results.Trial { ts[skipped+3].Position = 1000000; return ts },
	} {
		if _, err := p.Rest(change(recorded(p, 10))); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; it should say %q", err, says)
		}
	}
	if _, err := newPlan(t, Ask{Plan: "standard", Seed: 8, WarmUp: -1, Calls: true}).Rest(recorded(p, 10)); err == nil {
		t.Error("a plan with another seed has the same trials")
	}
	// A trial that failed has no load, and is done all the same.
	ts := recorded(p, 10)
	ts[skipped+3].Load, ts[skipped+3].Error = nil, "the server ended"
	if rest, err := p.Rest(ts); err != nil || len(rest.Done) != 10 {
		t.Errorf("%+v, %v", rest, err)
	}
}

func TestRecallCeilings(t *testing.T) {
	p := newPlan(t, Ask{Plan: "standard", Seed: 7, WarmUp: -1})
	rest, err := p.Rest(recorded(p, len(p.Steps())))
	if err != nil {
		t.Fatal(err)
	}
	b := &Bay{ceilings: map[string]float64{}}
	ceilings := 0
	for i, d := range rest.Done {
		if d.Role == results.RoleCeiling {
			if ceilings++; ceilings == 1 {
				rest.Done[i].Trial.Error = "it failed"
			}
		}
	}
	b.Recall(rest.Done)
	if ceilings < 2 || len(b.ceilings) != ceilings-1 {
		t.Fatalf("%d ceilings of %d", len(b.ceilings), ceilings)
	}
	open := 0
	for _, d := range rest.Done {
		if d.Case.Shape.Percent > 0 {
			if _, err := b.rate(d.Step); err == nil {
				open++
			}
		}
	}
	if open == 0 {
		t.Error("no open loop has its rate")
	}
}

func TestDigestKnowsWhatIsAsked(t *testing.T) {
	digests := func(change func(*Scenario), ask Ask) string {
		all := everything(t)
		s := all[slices.IndexFunc(all, func(s *Scenario) bool { return s.Name == "plaintext" })]
		change(s)
		p, err := NewPlan([]*Scenario{s}, field, ask)
		if err != nil {
			t.Fatal(err)
		}
		return p.Scenarios()[0].Digest
	}
	same, plain := func(*Scenario) {}, Ask{WarmUp: -1, Rounds: 3}
	want := digests(same, plain)
	if len(want) != 2*digestBytes {
		t.Errorf("%q", want)
	}
	for name, got := range map[string]string{
		"again":   digests(same, plain),
		"words":   digests(func(s *Scenario) { s.Question, s.Why = "Is it?", "Because." }, plain),
		"rounds":  digests(same, Ask{WarmUp: -1, Rounds: 4}),
		"seed":    digests(same, Ask{WarmUp: -1, Rounds: 3, Seed: 9}),
		"weights": digests(func(s *Scenario) { s.Plan = Weights{} }, plain),
	} {
		if got != want {
			t.Errorf("%s: another digest", name)
		}
	}
	for name, got := range map[string]string{
		"duration":  digests(same, Ask{WarmUp: -1, Rounds: 3, Duration: time.Minute}),
		"warm-up":   digests(same, Ask{WarmUp: 7, Rounds: 3}),
		"placement": digests(same, Ask{WarmUp: -1, Rounds: 3, Placement: Shared}),
		"generator": digests(same, Ask{WarmUp: -1, Rounds: 3, Generator: ByWrk}),
		"header":    digests(func(s *Scenario) { s.Header = []string{"A: b"} }, plain),
		"request":   digests(func(s *Scenario) { s.Request.Path = "/else" }, plain),
		"answer":    digests(func(s *Scenario) { body := "else"; s.Expect.Body = &body }, plain),
		"load":      digests(func(s *Scenario) { s.Load.Connections++; s.Load.Idle = 5 }, plain),
	} {
		if got == want {
			t.Errorf("%s: the same digest", name)
		}
	}
}

// A bench in two parts ends as one.
func TestBenchGoesOn(t *testing.T) {
	whole, _, _, _, _ := newBench(t, 1000)
	b, lab, rec, said, _ := newBench(t, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	lab.before = func(s Step) {
		if s.Position == 5 {
			cancel()
		}
	}
	first, err := b.Run(ctx)
	if err != nil || !first.Interrupted || first.Trials != 4 {
		t.Fatalf("%+v, %v", first, err)
	}
	p := newPlan(t, Ask{Plan: "smoke", Seed: 3, WarmUp: -1})
	rest, err := p.Rest(rec.trials)
	if err != nil {
		t.Fatal(err)
	}
	lab.before = nil
	b.Steps, b.Skipped, b.Done, b.Used, b.trials = rest.Steps, rest.Skipped, len(rest.Done), first.Elapsed, 0
	b.Progress.Out = said
	second, err := b.Run(t.Context())
	if err != nil || second.Interrupted || second.Trials != len(whole.Steps) || second.Elapsed != time.Duration(len(whole.Steps)+1)*time.Second {
		t.Errorf("%+v of %d steps, %v", second, len(whole.Steps), err)
	}
	if left, err := p.Rest(rec.trials); err != nil || len(left.Steps)+len(left.Skipped) != 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
	// A budget is of all parts together.
	for i := range b.Steps {
		b.Steps[i].Round = 2
	}
	b.Budget, b.Used, lab.trials = 15*time.Second, 15*time.Second, nil // 1.5 s with the overdraft
	if _, err := b.Run(t.Context()); err != nil || len(lab.trials) != 2 {
		t.Errorf("%d trials beyond the budget, %v", len(lab.trials), err)
	}
}
