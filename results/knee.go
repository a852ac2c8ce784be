package results

import (
	"fmt"
	"slices"
	"time"
)

// KneeAsked is what a knee search was asked for.
type KneeAsked struct {
	P99       time.Duration `json:"p99_ns"`    // the budget
	Precision float64       `json:"precision"` // how far apart, as a part, the two ends of a knee's bracket may be
	Max       time.Duration `json:"max_ns"`    // for each target
	Window    time.Duration `json:"window_ns"` // of a trial, longer at rates that need it for a p99
}

// Outcomes of a trial of a knee search.
const (
	KneePasses    = "passes"         // the p99 was within the budget
	KneeFails     = "fails"          // it was above, or more than 1 % of the requests were not answered
	KneeGenerator = "generator"      // it was above, and the generator was late by its own doing: nothing is known of the server
	KneeDisturbed = "disturbed"      // something else took the CPU: left out, whatever it showed, while there are others
	KneeBroken    = "not measurable" // it failed, or answers were wrong
)

// Bounds of the trials of a knee search.
const (
	KneeVotes     = 2   // trials that must agree on a rate
	KneeConfirm   = 3   // counted trials at both ends of the bracket, of which most agree
	KneeEnough    = 5   // counted trials after which the most frequent outcome holds, the worse one in a tie
	KneeDisturbs  = 3   // disturbed trials at a rate, after which those count as well
	kneeLost      = .01 // of the requests, beyond which there is no p99 to speak of
	kneeOwnLate   = .005
	kneeUntouched = "no trial"
)

// KneeOutcome says what one trial shows of the budget, and how that is known.
func KneeOutcome(t *Trial, budget time.Duration) (outcome, reason string) {
	l := t.Load
	switch {
	case t.Error != "":
		return KneeBroken, t.Error
	case l == nil:
		return KneeBroken, orElse(t.Skipped, "no load was recorded")
	case l.Errors.Length+l.Errors.Body+l.Errors.Parse+l.Errors.Status > 0:
		return KneeBroken, checkErrors(t).Text
	case Disturbed(t):
		return KneeDisturbed, textsOf(append(slices.Clone(t.Warnings), checkTaken(t)), WarnSteal)
	}
	answered := uint64(0)
	if l.Latency != nil {
		answered = l.Latency.Count
	}
	lost := l.Errors.Total() + l.Unsent
	due := float64(answered + lost)
	p99, ok := P99.Of(t)
	switch {
	case float64(lost) > kneeLost*due:
		outcome, reason = KneeFails, fmt.Sprintf("%s of %s requests were not answered", formatCount(float64(lost)), formatCount(due))
	case !ok:
		return KneeBroken, P99.Lack(t)
	case p99 <= float64(budget):
		return KneePasses, ""
	default:
		outcome, reason = KneeFails, fmt.Sprintf("p99 %s", formatTime(p99))
	}
	behind := float64(l.Behind) / max(float64(l.Elapsed), 1)
	switch {
	case float64(l.LateOwn) > kneeOwnLate*due:
		return KneeGenerator, fmt.Sprintf("%s of %s requests were sent late by the generator's own doing", formatCount(float64(l.LateOwn)), formatCount(due))
	case behind > BehindShare && float64(l.Waited) < WaitedShare*float64(l.Behind):
		return KneeGenerator, "requests waited for a connection while the generator had answers to read"
	}
	return outcome, reason
}

// KneeRate is what the trials at one rate say.
type KneeRate struct {
	Rate      float64       `json:"rate"`    // offered, per second
	Outcome   string        `json:"outcome"` // one of the Knee constants; empty where the trials do not agree yet
	P99       time.Duration `json:"p99_ns"`  // the median of the counted trials that have one
	Counted   int           `json:"counted"` // trials
	Disturbed int           `json:"left_out"`
	Reason    string        `json:"reason,omitempty"` // of the last trial with that outcome
	Doubtful  bool          `json:"doubtful,omitempty"`
}

// Knee is the highest rate at which a target's p99 stays within the budget.
type Knee struct {
	Target    string        `json:"target"`
	Case      string        `json:"case,omitempty"`
	Budget    time.Duration `json:"p99_budget_ns"`
	Ceiling   float64       `json:"ceiling,omitempty"` // of a short closed loop, where the search begins
	Passes    float64       `json:"passes_at"`         // the highest rate that passes, 0: none did
	Fails     float64       `json:"fails_at"`          // the lowest one above that does not, 0: none did
	P99       time.Duration `json:"p99_ns"`            // at Passes
	Bound     string        `json:"bound"`             // what fails at Fails: KneeFails, or KneeGenerator: the knee is at Passes or above; empty where nothing did
	Confirmed bool          `json:"confirmed"`         // both ends have KneeConfirm trials, and are as close as asked
	Doubtful  string        `json:"doubtful,omitempty"`
	Error     string        `json:"error,omitempty"` // why nothing could be measured
	Rates     []KneeRate    `json:"rates"`           // ascending
	Trials    int           `json:"trials"`
	LeftOut   int           `json:"left_out"` // trials in which something else took the CPU
}

// KneeOf reads a target's knee from its trials, ceilings and those of RoleKnee; others are passed over.
func KneeOf(target string, trials []Trial, asked KneeAsked) Knee {
	k := Knee{Target: target, Budget: asked.P99}
	byRate := map[float64][]*Trial{}
	for i := range trials {
		t := &trials[i]
		switch {
		case t.Target != target:
		case t.Skipped != "":
			k.Error = "skipped: " + t.Skipped
		case t.Role == RoleCeiling:
			if v, ok := Throughput.Of(t); ok {
				k.Ceiling = v
			} else {
				k.Error = "its ceiling could not be measured: " + Throughput.Lack(t)
			}
		case t.Role == RoleKnee:
			k.Trials++
			if t.Load == nil {
				_, k.Error = KneeOutcome(t, asked.P99)
				continue
			}
			byRate[t.Load.Rate] = append(byRate[t.Load.Rate], t)
		}
	}
	for rate, ts := range byRate {
		r := kneeRate(ts, asked.P99)
		r.Rate = rate
		k.Rates = append(k.Rates, r)
		k.LeftOut += r.Disturbed
		if r.Outcome == KneeBroken {
			k.Error = r.Reason
		}
	}
	slices.SortFunc(k.Rates, func(a, b KneeRate) int {
		if a.Rate < b.Rate {
			return -1
		}
		return 1
	})
	k.bracket(asked.Precision)
	return k
}

// bracket finds the ends: the lowest rate that does not pass, and the highest below it that does.
func (k *Knee) bracket(precision float64) {
	var low, high *KneeRate
	for i := range k.Rates {
		switch r := &k.Rates[i]; r.Outcome {
		case KneePasses:
			if high == nil {
				low = r
			}
		case KneeFails, KneeGenerator:
			if high == nil {
				high = r
			}
		}
	}
	confirmed := true
	for _, r := range []*KneeRate{low, high} {
		confirmed = confirmed && r != nil && r.Counted >= KneeConfirm
		if r != nil && r.Doubtful {
			k.Doubtful = fmt.Sprintf("something else took the CPU in all trials at %s/s", formatCount(r.Rate))
		}
	}
	if low != nil {
		k.Passes, k.P99 = low.Rate, low.P99
	}
	if high != nil {
		k.Fails, k.Bound = high.Rate, high.Outcome
	}
	k.Confirmed = confirmed && high.Rate <= low.Rate*(1+precision)*1.0001
}

// kneeRate counts the votes of the trials at one rate.
func kneeRate(trials []*Trial, budget time.Duration) (r KneeRate) {
	votes, reasons := map[string]int{}, map[string]string{}
	var p99s []float64
	count := func(t *Trial, outcome, reason string) {
		votes[outcome]++
		reasons[outcome] = reason
		r.Counted++
		if v, ok := P99.Of(t); ok {
			p99s = append(p99s, v)
		}
	}
	var disturbed []*Trial
	for _, t := range trials {
		outcome, reason := KneeOutcome(t, budget)
		if outcome == KneeDisturbed {
			disturbed = append(disturbed, t)
			continue
		}
		count(t, outcome, reason)
	}
	r.Disturbed = len(disturbed)
	if r.Counted == 0 && r.Disturbed >= KneeDisturbs {
		// There is no quieter time to wait for.
		r.Doubtful = true
		for _, t := range disturbed {
			calm := *t
			calm.Warnings, calm.Machine = nil, nil
			outcome, reason := KneeOutcome(&calm, budget)
			count(t, outcome, reason)
		}
	}
	r.Outcome = decided(votes, r.Counted)
	r.Reason = reasons[r.Outcome]
	if e, ok := Median(p99s); ok {
		r.P99 = time.Duration(e.Median)
	}
	return r
}

// decided is the outcome that enough trials agree on, or nothing. One that cannot be measured needs no second.
func decided(votes map[string]int, counted int) string {
	if votes[KneeBroken] > 0 {
		return KneeBroken
	}
	best, tie := "", false
	for _, o := range []string{KneeFails, KneeGenerator, KneePasses} { // the worse one first
		switch {
		case votes[o] > votes[best]:
			best, tie = o, false
		case votes[o] > 0 && votes[o] == votes[best]:
			tie = true
		}
	}
	if votes[best] >= KneeVotes && !tie || counted >= KneeEnough {
		return best
	}
	return ""
}

// Knees are the knees of a run's targets, in the order of the run; nil in a run of another kind.
func Knees(rec *Record) []Knee {
	if rec.Run.Knee == nil {
		return nil
	}
	var ks []Knee
	for _, t := range rec.Run.Targets {
		k := KneeOf(t.Name, rec.Trials, *rec.Run.Knee)
		if len(rec.Run.Scenarios) > 0 && len(rec.Run.Scenarios[0].Cases) == 1 {
			k.Case = rec.Run.Scenarios[0].Cases[0]
		}
		if k.Error == "" && k.Trials == 0 {
			k.Error = "no trial was made"
		}
		ks = append(ks, k)
	}
	return ks
}

// String is the knee in a word: "12,300 (fails at 12,500)".
func (k Knee) String() string {
	switch {
	case k.Error != "":
		return Dash
	case k.Passes == 0 && k.Fails == 0:
		return Dash
	case k.Passes == 0 && k.Bound == KneeGenerator:
		return Dash
	case k.Passes == 0:
		return "< " + formatCount(k.Fails)
	case k.Bound != KneeFails:
		return "≥ " + formatCount(k.Passes)
	}
	return formatCount(k.Passes)
}

// kneeGrid is the table of a run's knees.
func kneeGrid(rec *Record) *grid {
	knees := Knees(rec)
	if knees == nil {
		return nil
	}
	g := &grid{columns: []column{{headTarget, true}, {head: "knee, req/s"}, {head: "fails at"}, {head: "p99 at the knee"}, {head: "ceiling"}, {head: "knee ÷ ceiling"}, {head: "trials"}, {head: "left out"}}}
	for _, k := range knees {
		name := k.Target
		for _, why := range k.doubts() {
			name += " " + g.notes.markExactly(why)
		}
		show := func(v float64, format func(float64) string) string {
			if v == 0 {
				return Dash
			}
			return format(v)
		}
		share := 0.0
		if k.Ceiling > 0 && k.Bound != KneeGenerator {
			share = k.Passes / k.Ceiling
		}
		g.rows = append(g.rows, gridRow{doubtful: k.Error != "" || k.Doubtful != "", cells: []string{name, k.String(), show(k.Fails, formatCount),
			show(float64(k.P99), formatTime), show(k.Ceiling, formatCount), show(share, digits), formatCount(float64(k.Trials)), formatCount(float64(k.LeftOut))}})
	}
	a := rec.Run.Knee
	g.facts = []string{
		fmt.Sprintf("knee: the highest rate that was tried at which the p99, from when each request was due, stays within %s; at the next one it does not", formatTime(float64(a.P99))),
		fmt.Sprintf("a rate passes or fails when %d trials agree, and more than half of all there; at both ends of the bracket at least %d were made; the ends lie at most %.1f %% apart", KneeVotes, KneeConfirm, 100*a.Precision),
		"left out: trials in which something else took the CPU; they were repeated. Targets took turns. ceiling: a short closed loop of as many connections, in the same run",
	}
	return g
}

// doubts are the footnotes of a row.
func (k Knee) doubts() (out []string) {
	switch {
	case k.Error != "":
		return []string{k.Error}
	case k.Trials == 0 || len(k.Rates) == 0:
		return []string{kneeUntouched}
	case k.Bound == KneeGenerator && k.Passes == 0:
		out = append(out, fmt.Sprintf("the generator was late by its own doing even at %s/s: end what else runs", formatCount(k.Fails)))
	case k.Bound == KneeGenerator:
		out = append(out, fmt.Sprintf("the generator could not offer %s/s: the knee is at %s/s or above", formatCount(k.Fails), formatCount(k.Passes)))
	case k.Bound == "" && k.Passes > 0:
		out = append(out, "no rate that was tried failed: the knee is this or above")
	case k.Passes == 0:
		out = append(out, "no rate that was tried passed: the budget is below what the target needs for an answer, or the time was too short")
	}
	if k.Doubtful != "" {
		out = append(out, k.Doubtful+": they count, as there were no others")
	}
	if !k.Confirmed && k.Passes > 0 && k.Fails > 0 {
		out = append(out, fmt.Sprintf("the time was up at a bracket from %s to %s/s: give it more with --max", formatCount(k.Passes), formatCount(k.Fails)))
	}
	return out
}

// KneeText is the table of a run's knees for a terminal, and the trials by rate.
func KneeText(rec *Record, width int, colour bool) string {
	d := &document{title: "corelab run " + rec.Run.ID}
	addKnees(d, rec)
	return d.terminal(width, colour)
}

// addKnees adds the table, and for each target what its rates showed; nothing in a run of another kind.
func addKnees(d *document, rec *Record) {
	g := kneeGrid(rec)
	if g == nil {
		return
	}
	d.add(g)
	for _, k := range Knees(rec) {
		if len(k.Rates) == 0 {
			continue
		}
		d.add(heading{3, k.Target + ": the rates that were tried"})
		rates := &grid{columns: []column{{head: "req/s"}, {"outcome", true}, {head: "p99"}, {head: "trials"}, {head: "left out"}}}
		for _, r := range k.Rates {
			p99 := Dash
			if r.P99 > 0 {
				p99 = formatTime(float64(r.P99))
			}
			outcome := orElse(r.Outcome, "undecided")
			if r.Reason != "" && r.Outcome != KneeFails {
				outcome += " " + rates.notes.mark(r.Reason)
			}
			rates.rows = append(rates.rows, gridRow{cells: []string{formatCount(r.Rate), outcome, p99, formatCount(float64(r.Counted)), formatCount(float64(r.Disturbed))}})
		}
		d.add(rates)
	}
}
