package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"corelab/results"
)

// Bounds of a knee search.
const (
	kneeFirst     = 0.75             // of the ceiling: where the search begins
	kneeUp        = 1.25             // times the rate that passes, while none fails
	kneeDown      = 0.5              // times the rate that fails, while none passes
	kneeMost      = 4.0              // times the ceiling: what passes there is not held by the server
	kneeLeast     = 1 / 256.0        // of the ceiling: what fails there is not a matter of the rate
	kneeAnswers   = 2000             // in a trial, for its p99
	kneeLongest   = 10 * time.Second // a trial
	kneeSlowest   = 110.0            // requests per second: below, even the longest trial has too few for a p99
	kneeTrials    = 100              // of a target
	kneePrecision = 0.001            // the finest
)

// KneeSearch chooses the rates at which one target is tried. It is a function of the trials so far, which it keeps.
type KneeSearch struct {
	Target string
	Asked  results.KneeAsked
	trials []results.Trial
}

// Add takes in a trial of the target: of a ceiling, or one of those that were asked for.
func (s *KneeSearch) Add(t results.Trial) { s.trials = append(s.trials, t) }

// Knee is what the trials so far say.
func (s *KneeSearch) Knee() results.Knee { return results.KneeOf(s.Target, s.trials, s.Asked) }

// Next is the rate to try next; 0 when there is nothing left to find out.
func (s *KneeSearch) Next() float64 {
	k := s.Knee()
	switch {
	case k.Error != "" || k.Ceiling == 0 || k.Trials >= kneeTrials:
		return 0
	case len(k.Rates) == 0:
		return wholeRate(k.Ceiling * kneeFirst)
	}
	// A rate on which the trials don't agree yet comes first.
	if i := slices.IndexFunc(k.Rates, func(r results.KneeRate) bool { return r.Outcome == "" }); i >= 0 {
		return k.Rates[i].Rate
	}
	step := 1 + max(s.Asked.Precision, kneePrecision)
	switch {
	case k.Fails == 0 && k.Passes >= kneeMost*k.Ceiling, k.Passes == 0 && k.Fails*kneeDown < max(kneeLeast*k.Ceiling, kneeSlowest):
		return s.confirm(k)
	case k.Fails == 0:
		return wholeRate(k.Passes * kneeUp)
	case k.Passes == 0:
		return wholeRate(k.Fails * kneeDown)
	case k.Fails > k.Passes*step:
		if middle := wholeRate(math.Sqrt(k.Passes * k.Fails)); middle > k.Passes && middle < k.Fails {
			return middle
		}
	}
	return s.confirm(k)
}

// confirm asks again for an end of the bracket that too few trials speak for. What they say may turn, and the search goes on.
func (s *KneeSearch) confirm(k results.Knee) float64 {
	for _, r := range k.Rates {
		if (r.Rate == k.Passes || r.Rate == k.Fails) && r.Counted < results.KneeConfirm {
			return r.Rate
		}
	}
	return 0
}

// wholeRate rounds to three digits, so that a rate reads well, or to whole requests below.
func wholeRate(r float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(r, 1)))-3)
	return max(math.Round(r/max(unit, 1))*max(unit, 1), 1)
}

// KneeHunt searches the knees of several targets, which take turns, and records every trial.
type KneeHunt struct {
	Lab      Lab
	Cells    []Cell // one of each target, as a plan has them
	Asked    results.KneeAsked
	WarmUp   time.Duration
	Record   *Bench // whose Record, Progress, Rescue and Now are used
	position int
	rounds   map[string]int
}

// Run searches until every knee is found, the time is up or ctx ends, and closes the record. An error is about the record.
func (h *KneeHunt) Run(ctx context.Context) (results.End, []results.Knee, error) {
	b := h.Record
	began := b.Now()
	searches, spent := make([]*KneeSearch, len(h.Cells)), make([]time.Duration, len(h.Cells))
	h.rounds = map[string]int{}
	for i, c := range h.Cells {
		searches[i] = &KneeSearch{Target: c.Target, Asked: h.Asked}
	}
	for active := true; active && ctx.Err() == nil; {
		active = false
		for i, c := range h.Cells {
			step, ok := h.step(c, searches[i])
			if !ok || spent[i] > 0 && spent[i]+step.Takes() > h.Asked.Max || ctx.Err() != nil {
				continue
			}
			active = true
			h.number(&step)
			at := b.Now()
			b.Progress.tell(h.says(searches[i], step, spent[i]), at)
			t := h.Lab.Trial(ctx, step)
			if ctx.Err() != nil {
				break // cut short: it measured nothing
			}
			spent[i] += b.Now().Sub(at)
			b.trials++
			b.write(t)
			searches[i].Add(t)
		}
	}
	b.Progress.end()
	end := results.End{Ended: b.Now(), Elapsed: b.Now().Sub(began), Trials: b.trials, Interrupted: ctx.Err() != nil}
	var knees []results.Knee
	for _, s := range searches {
		knees = append(knees, s.Knee())
	}
	b.flush()
	err := b.rescue()
	return end, knees, errors.Join(err, b.Record.End(end))
}

// AskRate has the scenario ask for an open loop whose rate is found out later, on so many connections, 0: the scenario's own.
func (s *Scenario) AskRate(arrival Arrival, connections int) {
	s.AA, s.Also, s.Vary.Percent = nil, nil, nil
	s.Load.Loop, s.Load.Arrival, s.Load.Rate, s.Load.Percent, s.Load.Burst, s.Load.Depth = Open, arrival, 1, 0, nil, 1
	if connections > 0 && s.Vary.Connections == nil {
		s.Load.Connections = connections
	}
}

// step is the next trial of a target.
func (h *KneeHunt) step(c Cell, search *KneeSearch) (Step, bool) {
	step := Step{Cell: c, Duration: h.Asked.Window, WarmUp: h.WarmUp}
	step.Generator = ByCorelab
	shape := &step.Case.Shape
	shape.Percent, shape.Burst = 0, nil
	if len(search.trials) == 0 {
		step.Role, step.Case.Name = results.RoleCeiling, "ceiling"
		shape.Loop, shape.Rate, shape.Arrival = Closed, 0, ""
		step.Duration = min(step.Duration, maxCeiling)
	} else {
		rate := search.Next()
		if rate == 0 {
			return step, false
		}
		step.Role, step.Case.Name = results.RoleKnee, "rate="+strconv.FormatFloat(rate, 'f', -1, 64)
		shape.Loop, shape.Rate = Open, rate
		step.Duration = min(max(step.Duration, time.Duration(kneeAnswers/rate*float64(time.Second))), kneeLongest)
	}
	return step, true
}

// number counts the step: rounds are those of its rate.
func (h *KneeHunt) number(step *Step) {
	cell := step.Target + " " + step.Case.Name
	h.position++
	h.rounds[cell]++
	step.Position, step.Round = h.position, h.rounds[cell]
}

// says is the progress line: the target, what is tried, the bracket so far, and the time.
func (h *KneeHunt) says(s *KneeSearch, step Step, spent time.Duration) string {
	k := s.Knee()
	line := fmt.Sprintf("%s: %s, trial %d, %s of %v", s.Target, step.Case.Name, k.Trials+1, clock(spent), h.Asked.Max)
	switch {
	case k.Passes > 0 && k.Fails > 0:
		line += fmt.Sprintf("; between %.0f and %.0f/s", k.Passes, k.Fails)
	case k.Passes > 0:
		line += fmt.Sprintf("; above %.0f/s", k.Passes)
	case k.Fails > 0:
		line += fmt.Sprintf("; below %.0f/s", k.Fails)
	}
	if k.LeftOut > 0 {
		line += fmt.Sprintf("; %d left out", k.LeftOut)
	}
	return line
}

// tell shows a line that the next one replaces; where it would stay, one now and then.
func (p *Progress) tell(line string, now time.Time) {
	if p.Out == nil || !p.Terminal && now.Sub(p.said) < quiet {
		return
	}
	p.said = now
	p.line(line)
}
