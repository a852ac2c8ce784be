package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"corelab/results"
)

// What a trial takes beside warm-up and measured time, as seen on two CPUs; the progress line corrects it as the run goes.
const (
	overhead      = 300 * time.Millisecond // to start, verify and stop a server and a generator
	idleOverhead  = 60 * time.Microsecond  // to open, and to close, one idle connection
	callsOverhead = 200 * time.Millisecond // to open the counters of each thread, and close them
	perfOverhead  = 4 * time.Second        // to start perf, which looks at every process, and to read what it recorded
	wrkSecond     = time.Second            // wrk takes whole seconds
)

// Takes estimates how long the step runs.
func (s Step) Takes() time.Duration {
	t := s.Duration
	if s.Generator == ByWrk {
		t = wholeSeconds(t)
	}
	t += s.WarmUp + overhead + time.Duration(s.Case.Shape.Idle)*idleOverhead
	switch s.Role {
	case results.RoleObserved:
		t += callsOverhead + 2*observedQuiet
	case results.RoleProfiled:
		t += profilers{own: true}.window(s.Duration) - s.Duration + perfOverhead
	}
	return t
}

// wholeSeconds rounds up to what wrk can be told.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d+wrkSecond-1)/wrkSecond, 1) * wrkSecond
}

// Estimate is how long the whole plan takes, whatever the order.
func (p *Plan) Estimate() time.Duration {
	sum := total(p.ceilings())
	for _, c := range p.courses {
		for _, k := range c.cases {
			sum += time.Duration(c.rounds) * total(c.steps(k, p, 1))
		}
	}
	return sum + total(p.observed()) + total(p.profiled())
}

func total(steps []Step) (sum time.Duration) {
	for _, s := range steps {
		sum += s.Takes()
	}
	return sum
}

// Floors of what a plan is shortened to, before cases are left out: below these a figure says little.
const (
	goodRounds  = 6 // an interval takes six
	leastRounds = 3
	leastTime   = 500 * time.Millisecond
)

// Fit shortens the plan until its estimate is within the budget, and says in Notes what it did. First it takes rounds
// beyond six, then the profiles of all but one scenario, then time from each trial down to half a second, then rounds beyond
// three, then cases beyond the first of their scenario, then rounds down to one, then all profiles, and last whole scenarios,
// each time where it saves most. A budget in which not even one scenario fits is an error. A budget of 0 changes nothing.
func (p *Plan) Fit(budget time.Duration) error {
	if budget <= 0 || p.Estimate() <= budget {
		return nil
	}
	before := make([]course, len(p.courses))
	for i, c := range p.courses {
		before[i] = *c
	}
	over := func() bool { return p.Estimate() > budget }
	p.takeRounds(goodRounds, over)
	p.takeProfiles(p.observedCourse(), over)
	p.takeTime(budget, over)
	p.takeRounds(leastRounds, over)
	p.takeCases(over)
	p.takeRounds(1, over)
	p.takeProfiles(nil, over)
	p.takeScenarios(over)
	if over() {
		return fmt.Errorf("a budget of %v is too small: one round of %s alone takes about %v; raise --budget, or name fewer targets",
			budget, p.courses[0].scenario.Name, p.Estimate().Round(time.Second))
	}
	p.Notes = append(p.Notes, p.changes(before)...)
	return nil
}

// cost is what one course takes.
func (p *Plan) cost(c *course) time.Duration {
	alone := *c
	alone.profiled = nil // they have a line of their own
	part := &Plan{entrants: p.entrants, courses: []*course{&alone}, ask: Ask{Absent: p.ask.Absent}, barred: p.barred}
	return part.Estimate()
}

// dearest is the course with the highest cost among those that may be cut, or nil.
func (p *Plan) dearest(may func(*course) bool) *course {
	var out *course
	var most time.Duration
	for _, c := range p.courses {
		if d := p.cost(c); may(c) && (out == nil || d > most) {
			out, most = c, d
		}
	}
	return out
}

func (p *Plan) takeRounds(floor int, over func() bool) {
	for over() {
		most := 0
		for _, c := range p.courses {
			most = max(most, c.rounds)
		}
		c := p.dearest(func(c *course) bool { return c.rounds == most && c.rounds > floor })
		if c == nil {
			return
		}
		c.rounds--
	}
}

// takeTime shortens every trial by the same part.
func (p *Plan) takeTime(budget time.Duration, over func() bool) {
	full := make([]time.Duration, len(p.courses))
	for i, c := range p.courses {
		full[i] = c.duration
	}
	for percent := 95; over() && percent >= 5; percent -= 5 {
		shorter := false
		for i, c := range p.courses {
			floor := leastTime
			if c.scenario.Generator == ByWrk {
				floor = wrkSecond
			}
			if c.scenario.Load.Burst != nil {
				floor = min(leastBurst, full[i])
			}
			d := max(full[i]*time.Duration(percent)/100, floor)
			if d = min(d, c.duration); d < c.duration {
				c.duration, shorter = d.Round(10*time.Millisecond), true
			}
		}
		if !shorter {
			return
		}
	}
}

// takeProfiles leaves out the profiles of the last scenarios first, but never those of the one that stays.
func (p *Plan) takeProfiles(stays *course, over func() bool) {
	for _, c := range slices.Backward(p.courses) {
		if over() && c != stays {
			c.profiled = nil
		}
	}
}

func (p *Plan) takeCases(over func() bool) {
	for over() {
		c := p.dearest(func(c *course) bool { return len(c.cases) > 1 })
		if c == nil {
			return
		}
		left := c.cases[len(c.cases)-1].Name
		c.cases = slices.Clone(c.cases[:len(c.cases)-1])
		c.profiled = slices.DeleteFunc(slices.Clone(c.profiled), func(k Case) bool { return k.Name == left })
	}
}

func (p *Plan) takeScenarios(over func() bool) {
	for over() && len(p.courses) > 1 {
		c := p.dearest(func(*course) bool { return true })
		p.courses = slices.DeleteFunc(p.courses, func(o *course) bool { return o == c })
	}
}

// changes says what is different from before, one line a scenario.
func (p *Plan) changes(before []course) []string {
	var out []string
	for _, b := range before {
		i := slices.IndexFunc(p.courses, func(c *course) bool { return c.scenario == b.scenario })
		if i < 0 {
			out = append(out, "to fit the budget: "+b.scenario.Name+": left out")
			continue
		}
		c := p.courses[i]
		var parts []string
		if c.rounds != b.rounds {
			parts = append(parts, fmt.Sprintf("%d rounds instead of %d", c.rounds, b.rounds))
		}
		if c.duration != b.duration {
			parts = append(parts, fmt.Sprintf("%v a trial instead of %v", c.duration, b.duration))
		}
		if len(c.cases) != len(b.cases) {
			var names []string
			for _, k := range b.cases[len(c.cases):] {
				names = append(names, k.Name)
			}
			parts = append(parts, "without "+strings.Join(names, ", "))
		}
		if len(c.profiled) == 0 && len(b.profiled) > 0 {
			parts = append(parts, "not profiled")
		}
		if parts != nil {
			out = append(out, "to fit the budget: "+b.scenario.Name+": "+strings.Join(parts, ", "))
		}
	}
	return out
}

// observes names what the trials at the end are for.
func (p *Plan) observes() string {
	switch {
	case !p.ask.Hardware:
		return "system calls"
	case !p.ask.Calls:
		return "counters"
	}
	return "calls, counters"
}

// Describe is the plan for people: what runs, how often, and how long it takes.
func (p *Plan) Describe() string {
	var b strings.Builder
	for _, c := range p.courses {
		tried, second, skipped := 0, 0, 0
		for _, k := range c.cases {
			for _, cell := range c.block(k, p) {
				switch {
				case cell.Skipped != "":
					skipped++
				case cell.Role != "":
					second++
				default:
					tried++
				}
			}
		}
		fmt.Fprintf(&b, "  %-13s %3d cells × %2d rounds × %-6v placement %-7s %7v", c.scenario.Name, tried+second, c.rounds, c.duration, c.scenario.Placement, p.cost(c).Round(time.Second))
		var asides []string
		if second > 0 {
			asides = append(asides, fmt.Sprintf("%d of them A/A or by a second generator", second))
		}
		if skipped > 0 {
			asides = append(asides, fmt.Sprintf("%d skipped", skipped))
		}
		if asides != nil {
			b.WriteString("  (" + strings.Join(asides, ", ") + ")")
		}
		b.WriteString("\n")
	}
	if n := len(p.observed()); n > 0 {
		fmt.Fprintf(&b, "  %-13s %3d trials at the end, not ranked %22v\n", p.observes(), n, total(p.observed()).Round(time.Second))
	}
	if n := len(p.profiled()); n > 0 {
		fmt.Fprintf(&b, "  %-13s %3d trials at the end, not ranked %22v\n", "profiles", n, total(p.profiled()).Round(time.Second))
	}
	for _, n := range p.Notes {
		b.WriteString("  " + n + "\n")
	}
	return b.String()
}
