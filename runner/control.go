package runner

import (
	"slices"

	"corelab/results"
)

// control gives every plan that is more than a smoke test what a run needs to be believed: one target that is measured twice
// (A/A), so that every table can print a noise floor, and one cell that a second generator loads as well. Where no scenario
// asks for them, the first that can take them does.
func (p *Plan) control() {
	if p.Name == "smoke" {
		return
	}
	has := func(role string) bool {
		return slices.ContainsFunc(p.Cells(), func(c Cell) bool { return c.Role == role })
	}
	// A gateway's works have a control of their own, the stage that does nothing.
	courses := slices.DeleteFunc(slices.Clone(p.courses), func(c *course) bool { return c.single || c.scenario.Gateway != nil })
	slices.SortStableFunc(courses, func(a, b *course) int { return loopOrder(a) - loopOrder(b) })
	for _, c := range courses {
		if has(results.RoleAA) {
			break
		}
		if name := p.witness(c); name != "" {
			c.scenario.AA = []string{name}
		}
	}
	if p.ask.Generator != "" {
		return // the user has chosen one
	}
	for _, c := range courses {
		if has(results.RoleSecond) {
			break
		}
		name, other := p.witness(c), c.scenario.other()
		if name == "" || other == "" {
			continue
		}
		also := Also{Generator: other, Targets: []string{name}}
		if first := c.cases[0].Name; first != "" {
			also.Cases = []string{first}
		}
		c.scenario.Also = []Also{also}
	}
}

// loopOrder puts closed loops first: their figures are the steadier ones.
func loopOrder(c *course) int {
	if c.scenario.Load.Loop == Closed {
		return 0
	}
	return 1
}

// witness is the target to measure twice in the course: the reference, or else the last that takes part, as cores that do more
// stand behind those that do less. It is empty where none does.
func (p *Plan) witness(c *course) (name string) {
	if len(c.cases) == 0 {
		return ""
	}
	for _, cell := range c.block(c.cases[0], p) {
		at := slices.IndexFunc(p.entrants, func(e Entrant) bool { return e.Name == cell.Target })
		if cell.Role != results.RoleRanked || cell.Skipped != "" || p.entrants[at].Subject.Limit() {
			continue
		}
		if name = cell.Target; name == results.ReferenceTarget {
			return name
		}
	}
	return name
}

// other is a generator to hold the scenario's own against, or empty where no other can offer its load.
func (s *Scenario) other() Generator {
	switch {
	case s.Generator != ByCorelab:
		return ByCorelab
	case s.Load.Fresh || s.Load.Idle > 0 || s.Vary.Idle != nil || s.Load.Burst != nil:
		return ""
	case s.Load.Loop == Closed:
		return ByWrk
	}
	return ByVegeta
}
