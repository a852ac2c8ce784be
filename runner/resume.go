package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"corelab/results"
)

// Tried is a step of which a record has the trial.
type Tried struct {
	Step
	Trial results.Trial
}

// Rest is what a plan has left of a run that was interrupted.
type Rest struct {
	Steps   []Step // to be run, in order
	Skipped []Cell // to be written down as skipped
	Done    []Tried
}

// Rest takes from the plan what the trials of a record hold already. They must be trials of this very plan: one that the
// plan does not have at its position, or has had already, is an error. A step that was tried and failed is done.
func (p *Plan) Rest(trials []results.Trial) (*Rest, error) {
	rest := &Rest{}
	byPosition, skipped := map[int]results.Trial{}, map[label]int{}
	for _, t := range trials {
		if t.Skipped != "" {
			skipped[labelOf(t)]++
			continue
		}
		if _, twice := byPosition[t.Position]; twice {
			return nil, fmt.Errorf("the record has two trials at position %d: it cannot be gone on with", t.Position)
		}
		byPosition[t.Position] = t
	}
	for _, s := range p.Steps() {
		t, ok := byPosition[s.Position]
		if !ok {
			rest.Steps = append(rest.Steps, s)
			continue
		}
		if want := (label{s.Scenario.Name, s.Case.Name, s.Target, s.Role}); labelOf(t) != want || t.Round != s.Round || t.Load != nil && t.Load.Generator != string(s.Generator) {
			return nil, fmt.Errorf("trial %d of the record is %s, round %d; in the plan as it is now it would be %s, round %d: "+
				"the plan is another one, as happens when a scenario was changed, or a target or a generator came or went", t.Position, labelOf(t), t.Round, want, s.Round)
		}
		delete(byPosition, s.Position)
		rest.Done = append(rest.Done, Tried{s, t})
	}
	for position := range byPosition {
		return nil, fmt.Errorf("the record has a trial at position %d, and the plan as it is now ends before: it is another one", position)
	}
	for _, c := range p.Skipped() {
		k := label{c.Scenario.Name, c.Case.Name, c.Target, c.Role}
		if skipped[k] > 0 {
			skipped[k]--
			continue
		}
		rest.Skipped = append(rest.Skipped, c)
	}
	return rest, nil
}

// label is what a trial says of its cell even if nothing was loaded.
type label struct{ scenario, caseName, target, role string }

func labelOf(t results.Trial) label { return label{t.Scenario, t.Case, t.Target, t.Role} }

// String is the label for people.
func (l label) String() string {
	s := l.scenario
	for _, part := range []string{l.caseName, l.target, l.role} {
		if part != "" {
			s += " " + part
		}
	}
	return s
}

// Recall takes the ceilings of which open loops are a part from what was tried before. It comes after Inspect.
func (b *Bay) Recall(done []Tried) {
	for _, d := range done {
		if l := d.Trial.Load; d.Role == results.RoleCeiling && d.Trial.Error == "" && l != nil && l.Elapsed > 0 {
			b.ceilings[ceilingKey(d.Step)] = float64(l.Requests) / l.Elapsed.Seconds()
		}
	}
}

// digestBytes is how much of a digest is kept: enough that no two questions have the same.
const digestBytes = 8

// digest is of all that the course's trials do, but for how often: what people read of the question has no part in it.
func (c *course) digest() string {
	s := *c.scenario
	s.Question, s.Why, s.Rounds, s.Duration, s.WarmUp, s.Vary, s.Plan = "", "", 0, 0, 0, Vary{}, Weights{}
	b, err := json.Marshal(struct {
		Scenario         Scenario
		Cases            []Case
		Duration, WarmUp time.Duration
		Single           bool
	}{s, slices.Clone(c.cases), c.duration, c.warmUp, c.single})
	if err != nil {
		panic("runner: a scenario is made of values that JSON has: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:digestBytes])
}
