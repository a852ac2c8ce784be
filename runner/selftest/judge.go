package selftest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"corelab/results"
	"corelab/runner"
)

const ownName = "corelab"

// Bounds of the tries of a plant.
const (
	maxTries  = 3             // while something else takes the CPU
	calmTries = 2             // that are off on a calm machine: then the figure is wrong
	muchLate  = 5 * undelayed // a generator that sends so late was kept from its CPU itself
	foreignBy = 2 * within    // tolerance of another generator's count
)

// state is what a try says of its plant.
type state int

const (
	right     state = iota // nothing is off
	off                    // something is, on a calm machine
	disturbed              // something is, and something else took the CPU
)

// Judge says what came of a recorded selftest.
func Judge(rec *results.Record) results.SelfTest {
	s := results.SelfTest{Run: rec.Run.ID, Host: rec.Run.Host, Commit: rec.Run.Commit, Whole: rec.End != nil && !rec.End.Interrupted}
	if rec.End != nil {
		s.Elapsed = rec.End.Elapsed
	}
	for i := range Plants {
		p := &Plants[i]
		tries, foreign := p.recorded(rec)
		checks, _ := p.settle(tries)
		s.Checks = append(s.Checks, checks...)
		for _, t := range foreign {
			s.Foreign = append(s.Foreign, p.judgeForeign(t, rec.Run.Seed, checks)...)
		}
	}
	for _, m := range rec.Run.Missing {
		s.Lacking = append(s.Lacking, m.Figure+": "+m.Reason)
	}
	return s
}

// recorded returns the plant's whole tries, and its trials by other generators.
func (p *Plant) recorded(rec *results.Record) (tries []try, foreign []*results.Trial) {
	rounds := map[int][]*results.Trial{}
	most := 0
	for i := range rec.Trials {
		t := &rec.Trials[i]
		switch {
		case t.Scenario != Name || t.Case != p.Name:
		case t.Role == results.RoleSecond:
			foreign = append(foreign, t)
		default:
			rounds[t.Round] = append(rounds[t.Round], t)
			most = max(most, t.Round)
		}
	}
	for n := 1; n <= most; n++ {
		if trials := rounds[n]; len(trials) == len(p.Trials) {
			slices.SortFunc(trials, func(a, b *results.Trial) int { return cmp.Compare(a.Position, b.Position) })
			tries = append(tries, try{trials, rec.Run.Seed})
		}
	}
	return tries, foreign
}

// settle judges the plant by all its tries so far; done is false where another one may tell more.
func (p *Plant) settle(tries []try) (checks []results.SelfCheck, done bool) {
	var shown []results.SelfCheck
	calm := 0
	for i, t := range tries {
		checks, s := p.judge(t)
		for j := range checks {
			checks[j].Tries = i + 1
		}
		if s == right {
			return checks, true
		}
		if s == off {
			calm++
			shown = checks
		} else if calm == 0 {
			shown = checks
		}
		if calm == calmTries || s == off && miscounted(checks) {
			return shown, true
		}
	}
	// Too few calm tries were off for a verdict.
	for i := range shown {
		if c := &shown[i]; c.Verdict == results.CheckWrong || c.Verdict == results.CheckSilent {
			c.Verdict = results.CheckBusy
			c.Tries = len(tries)
		}
	}
	return shown, len(tries) >= maxTries
}

// miscounted reports whether a count is off: on a calm machine that needs no second look.
func miscounted(checks []results.SelfCheck) bool {
	return slices.ContainsFunc(checks, func(c results.SelfCheck) bool {
		return c.Verdict == results.CheckWrong && c.Unit == results.UnitCount && c.Compare == results.CompareAbsolute
	})
}

// judge holds one try against the truth.
func (p *Plant) judge(t try) ([]results.SelfCheck, state) {
	s := right
	var checks []results.SelfCheck
	for i := range p.Asks {
		c := p.check(&p.Asks[i], t)
		c.Generator, c.Load = ownName, p.load()
		if c.Verdict == results.CheckWrong || c.Verdict == results.CheckSilent {
			s = off
		}
		checks = append(checks, c)
	}
	if s == off && slices.ContainsFunc(t.trials, p.disturbed) {
		s = disturbed
	}
	return checks, s
}

// disturbed reports whether something else took the CPU in a trial, by what the lab recorded of the machine.
func (p *Plant) disturbed(t *results.Trial) bool {
	if results.Disturbed(t) {
		return true
	}
	return !p.Queues && t.Load != nil && t.Load.LateMax > muchLate
}

// check asks for one figure.
func (p *Plant) check(a *Ask, t try) results.SelfCheck {
	c := results.SelfCheck{Plant: p.Name, Server: p.Server, Figure: a.Figure, Unit: a.Unit, Compare: a.Compare, Tolerance: a.Tolerance,
		TruthWord: a.Word, Formula: a.Formula, Verdict: results.CheckTruthful, Tries: 1}
	err := failure(t)
	if err == nil && a.Said != nil {
		c.FoundWord, err = a.Said(t)
	} else if err == nil {
		var v float64
		c.Truth = a.Truth(t)
		if v, err = a.Found(t); err == nil {
			c.Found = &v
		}
	} else if a.Truth != nil {
		c.Truth = expected(a, t)
	}
	lacking, cannot := errors.AsType[lackingError](err)
	switch {
	case cannot:
		c.Verdict, c.Note = results.CheckLacking, string(lacking)
	case err != nil:
		c.Verdict, c.Note = results.CheckSilent, err.Error()
	case !c.Holds():
		c.Verdict = results.CheckWrong
	}
	return c
}

// expected is the truth where the trials failed, 0 where it is made of what they found.
func expected(a *Ask, t try) (v float64) {
	if slices.ContainsFunc(t.trials, func(t *results.Trial) bool { return t.Load == nil }) {
		return 0
	}
	return a.Truth(t)
}

// failure is why a try has no figures.
func failure(t try) error {
	for _, trial := range t.trials {
		switch {
		case trial.Error != "":
			return errors.New(trial.Error)
		case trial.Load == nil:
			return errors.New("no load was recorded")
		}
	}
	return nil
}

// judgeForeign holds what another generator reports of the plant against the same truths as the lab's own checks.
func (p *Plant) judgeForeign(trial *results.Trial, seed uint64, own []results.SelfCheck) (checks []results.SelfCheck) {
	if trial.Load == nil {
		return nil
	}
	t := *trial
	t.Error = "" // that it got not one answer is a finding
	for i := range p.Asks {
		if p.Asks[i].Own {
			continue
		}
		a := p.Asks[i]
		if a.Unit == results.UnitCount {
			// What is in flight when its time is over may be one of the planted.
			a.Compare, a.Tolerance = results.CompareRelative, foreignBy
		} else if i < len(own) {
			a.Truth = constant(own[i].Truth)
		}
		c := p.check(&a, try{[]*results.Trial{&t}, seed})
		c.Generator, c.Load = t.Load.Generator, foreignLoad(t.Load)
		switch {
		case c.Unit == results.UnitCount && c.Found != nil && *c.Found == 0:
			c.Verdict = results.CheckSilent
		case c.Found == nil:
			c.Verdict = results.CheckLacking
		case c.Verdict == results.CheckWrong && results.Disturbed(trial):
			c.Verdict = results.CheckBusy
		}
		checks = append(checks, c)
	}
	return checks
}

func foreignLoad(l *results.Load) string {
	if l.Loop == string(runner.Open) {
		return fmt.Sprintf("open loop, %g requests/s, %d connections", l.Rate, l.Connections)
	}
	return fmt.Sprintf("closed loop, %d connections", l.Connections)
}
