package runner

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"corelab/results"
)

// Subject is what a plan must know of a target. target.Spec is one.
type Subject interface {
	Lacks(method, path string) string   // why it cannot serve the route, or ""
	LacksFeature(feature string) string // why it cannot do the feature, or ""
	LacksWork(work string) string       // why it cannot do a gateway's work, or ""
	Limit() bool                        // does less than the others, so only has rows where that is asked for
}

// Entrant is a target under its row's name.
type Entrant struct {
	Name    string
	Subject Subject
}

// Cell is one target in one case of one scenario, under one generator: what is repeated in every round.
type Cell struct {
	Scenario  *Scenario
	Case      Case
	Target    string
	Role      string // one of results.Role…
	Generator Generator
	Skipped   string // why it is not tried
}

// Step is one trial of a plan.
type Step struct {
	Cell
	Round, Position  int // from 1
	Duration, WarmUp time.Duration
	Hardware         bool // of an observed one: by the CPU's own counters, instead of its system calls
}

// Ask says which part of the scenarios to plan.
type Ask struct {
	Plan      string   // weights to use; empty: what each scenario says by itself, all its cases
	Cases     []string // keep only these, where a scenario has one of them
	Rounds    int      // instead of the scenario's; 0 leaves it
	Duration  time.Duration
	WarmUp    time.Duration // below 0 leaves it
	Generator Generator     // instead of the scenario's, without a second one; empty leaves it
	Placement Placement     // instead of the scenario's; empty leaves it
	Calls     bool          // count system calls by name at the end
	Hardware  bool          // count by the CPU's own counters at the end
	Profile   bool          // profile at the end
	Profiled  []string      // with Profile: only these targets, where nothing else can be profiled here; nil: all
	Sampling  time.Duration // with Profile: how long perf samples each, at most maxProfile; 0: ProfileTime
	Single    bool          // neither A/A nor a second generator
	// Absent says why a generator cannot run here, by its name; its cells are skipped with that.
	Absent map[Generator]string
	Seed   uint64
	// Guests are targets that nobody named: a plan measures them only where a scenario's weight in it has peers.
	Guests []string
}

// course is a scenario as a plan runs it.
type course struct {
	scenario         *Scenario
	cases            []Case
	rounds           int
	duration, warmUp time.Duration
	single           bool     // neither A/A nor a second generator
	absent           []string // targets that have no part in it
	profiled         []Case   // at the end
}

// Plan is what a run does, in order. Make one with [NewPlan].
type Plan struct {
	Name     string
	Seed     uint64
	Notes    []string // what was left out or made shorter to fit, for people
	entrants []Entrant
	courses  []*course
	ask      Ask
	barred   map[bar]string
}

// NewPlan settles what is asked of which target. Scenarios without weight in a named plan are left out.
func NewPlan(scenarios []*Scenario, entrants []Entrant, ask Ask) (*Plan, error) {
	p := &Plan{Name: ask.Plan, Seed: ask.Seed, entrants: entrants, ask: ask}
	if ask.Plan != "" && !slices.Contains(PlanNames, ask.Plan) {
		return nil, fmt.Errorf("no plan %q; there are %s", ask.Plan, words(PlanNames))
	}
	if len(entrants) == 0 {
		return nil, fmt.Errorf("nothing to measure: no target is left; give one with --cores or --target")
	}
	used := map[string]bool{}
	for _, s := range scenarios {
		c, err := newCourse(s, ask, used)
		if err != nil && len(scenarios) == 1 {
			return nil, err
		}
		if err != nil {
			p.Notes = append(p.Notes, "left out: "+err.Error())
			continue
		}
		if c != nil {
			p.courses = append(p.courses, c)
		}
	}
	for _, name := range ask.Cases {
		if !used[name] {
			return nil, fmt.Errorf("no scenario of this run has the case %q; \"corelab list\" shows them all", name)
		}
	}
	p.sayGuests()
	if len(p.courses) == 0 {
		return nil, fmt.Errorf("nothing to measure: none of the scenarios has a part in the plan %q%s", ask.Plan, strings.Join(append([]string{""}, p.Notes...), "; "))
	}
	p.control()
	return p, nil
}

// sayGuests notes where the guests are.
func (p *Plan) sayGuests() {
	var has []string
	for _, c := range p.courses {
		if c.absent == nil {
			has = append(has, c.scenario.Name)
		}
	}
	if len(p.ask.Guests) == 0 || len(has) == len(p.courses) {
		return
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s: only in %s; --cores names them for all", strings.Join(p.ask.Guests, ", "), orNone(has)))
}

func newCourse(s *Scenario, ask Ask, used map[string]bool) (*course, error) {
	scenario := *s
	if ask.Placement != "" {
		scenario.Placement = ask.Placement
	}
	c := &course{scenario: &scenario, cases: s.Cases(), rounds: s.Rounds, duration: time.Duration(s.Duration), warmUp: time.Duration(s.WarmUp)}
	var picked []string
	if ask.Plan != "" {
		w := s.Plan.In(ask.Plan)
		if w == nil {
			return nil, nil
		}
		c.weigh(w)
		if !w.Peers {
			c.absent = ask.Guests
		}
		picked = w.Cases
	}
	var chosen []string
	for _, name := range ask.Cases {
		if slices.Contains(s.CaseNames(), name) {
			chosen, used[name] = append(chosen, name), true
		}
	}
	if chosen != nil {
		picked = chosen
	}
	if picked != nil {
		c.cases = slices.DeleteFunc(c.cases, func(k Case) bool { return !slices.Contains(picked, k.Name) })
	}
	if ask.Profile {
		c.profiled = profiledCases(c, chosen != nil)
	}
	if ask.Rounds > 0 {
		c.rounds = ask.Rounds
	}
	if ask.Duration > 0 {
		c.duration = ask.Duration
	}
	if ask.WarmUp >= 0 {
		c.warmUp = ask.WarmUp
	}
	c.single = c.single || ask.Single
	if g := ask.Generator; g != "" {
		scenario.Generator, scenario.Also = g, nil
		if f := scenario.checkLoad(); f != nil {
			return nil, fmt.Errorf("scenario %s: %s", s.Name, f.text)
		}
	}
	return c, nil
}

func (c *course) weigh(w *Weight) {
	if w.Rounds > 0 {
		c.rounds = w.Rounds
	}
	if w.Duration > 0 {
		c.duration = time.Duration(w.Duration)
	}
	if w.WarmUp > 0 {
		c.warmUp = time.Duration(w.WarmUp)
	}
	c.single = w.Single
}

// field are the entrants that have a part in the course.
func (c *course) field(p *Plan) []Entrant {
	return slices.DeleteFunc(slices.Clone(p.entrants), func(e Entrant) bool { return slices.Contains(c.absent, e.Name) })
}

// block is what is compared: the cells of one case of a scenario, which run one after the other in each round, so that
// what the machine does meanwhile meets all of them alike.
func (c *course) block(k Case, p *Plan) []Cell {
	s := c.scenario
	var out []Cell
	for _, e := range c.field(p) {
		cell := Cell{Scenario: s, Case: k, Target: e.Name, Generator: s.Generator, Skipped: p.skip(s, k, e)}
		out = append(out, cell)
		if cell.Skipped != "" || c.single {
			continue
		}
		if slices.Contains(s.AA, e.Name) {
			cell.Role = results.RoleAA
			out = append(out, cell)
		}
		for _, a := range s.Also {
			if slices.Contains(a.Targets, e.Name) && (a.Cases == nil || slices.Contains(a.Cases, k.Name)) {
				cell.Role, cell.Generator, cell.Skipped = results.RoleSecond, a.Generator, p.ask.Absent[a.Generator]
				out = append(out, cell)
			}
		}
	}
	return out
}

// skip says why the target has no part in the case, or "".
func (p *Plan) skip(s *Scenario, k Case, e Entrant) string {
	if why := p.ask.Absent[s.Generator]; why != "" {
		return why
	}
	if e.Subject.Limit() && !s.Limit {
		return "answers without reading the request: no limit for this question"
	}
	for _, f := range s.Needs {
		if why := e.Subject.LacksFeature(string(f)); why != "" {
			return fmt.Sprintf("lacks %s: %s", f, why)
		}
	}
	if s.Gateway != nil {
		return e.Subject.LacksWork(k.Work) // what is asked for, the upstream serves
	}
	if why := e.Subject.Lacks(k.Request.Method, k.Request.Path); why != "" {
		return why
	}
	return p.barred[bar{e.Name, k.Request}]
}

// bar is a request that a target turned out not to serve.
type bar struct {
	target  string
	request Request
}

// Bar has the target skipped wherever the request is asked, with the reason.
func (p *Plan) Bar(target string, r Request, reason string) {
	if p.barred == nil {
		p.barred = map[bar]string{}
	}
	p.barred[bar{target, r}] = reason
}

// Cells returns what the plan measures, skipped ones too, in the order of scenarios, cases and targets.
func (p *Plan) Cells() []Cell {
	var out []Cell
	for _, c := range p.courses {
		for _, k := range c.cases {
			out = append(out, c.block(k, p)...)
		}
	}
	return out
}

// Skipped returns the cells that are not tried.
func (p *Plan) Skipped() []Cell {
	return slices.DeleteFunc(p.Cells(), func(c Cell) bool { return c.Skipped == "" })
}

// Steps returns the trials in the order in which they run. It is the same for the same plan and seed: ceilings first, then
// rounds; in a round the blocks in random order, and in a block its cells; last what is observed and so slowed, and behind it
// what is profiled.
func (p *Plan) Steps() []Step {
	rng := rand.New(rand.NewPCG(p.Seed, 0x636f72656c6162))
	out := p.ceilings()
	shuffle(rng, out)
	most := 0
	for _, c := range p.courses {
		most = max(most, c.rounds)
	}
	for round := 1; round <= most; round++ {
		var blocks [][]Step
		for _, c := range p.courses {
			if c.rounds < round {
				continue
			}
			for _, b := range c.blocks(p, round) {
				shuffle(rng, b)
				blocks = append(blocks, b)
			}
		}
		shuffle(rng, blocks)
		out = append(out, slices.Concat(blocks...)...)
	}
	observed := p.observed()
	shuffle(rng, observed)
	out = append(out, observed...)
	profiled := p.profiled()
	shuffle(rng, profiled)
	out = append(out, profiled...)
	for i := range out {
		out[i].Position = i + 1
	}
	return out
}

func shuffle[T any](rng *rand.Rand, s []T) {
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// blocks are a round's steps, those together that are held against each other: the targets at one case, or, where a gateway's
// works are, the cases of one target.
func (c *course) blocks(p *Plan, round int) (out [][]Step) {
	var all []Step
	for _, k := range c.cases {
		b := c.steps(k, p, round)
		if len(b) > 0 {
			out = append(out, b)
		}
		all = append(all, b...)
	}
	if g := c.scenario.Gateway; g == nil || g.Together != ByWork {
		return out
	}
	out = nil
	for _, e := range c.field(p) {
		if b := slices.DeleteFunc(slices.Clone(all), func(s Step) bool { return s.Target != e.Name }); len(b) > 0 {
			out = append(out, b)
		}
	}
	return out
}

func (c *course) steps(k Case, p *Plan, round int) []Step {
	var out []Step
	for _, cell := range c.block(k, p) {
		if cell.Skipped == "" {
			out = append(out, Step{Cell: cell, Round: round, Duration: c.duration, WarmUp: c.warmUp})
		}
	}
	return out
}

// maxCeiling bounds the closed loop that finds a ceiling: it is a scale, not a result.
const maxCeiling = time.Second

// ceilings are one short closed loop for each target and scenario that offers a part of a target's ceiling.
func (p *Plan) ceilings() []Step {
	var out []Step
	for _, c := range p.courses {
		for _, e := range c.field(p) {
			i := slices.IndexFunc(c.cases, func(k Case) bool { return k.Shape.Percent > 0 && p.skip(c.scenario, k, e) == "" })
			if i < 0 {
				continue
			}
			k := c.cases[i]
			k.Name, k.Shape.Loop, k.Shape.Percent, k.Shape.Arrival, k.Shape.Burst = "ceiling", Closed, 0, "", nil
			out = append(out, Step{
				Cell:     Cell{Scenario: c.scenario, Case: k, Target: e.Name, Role: results.RoleCeiling, Generator: ByCorelab},
				Round:    1,
				Duration: min(c.duration, maxCeiling),
				WarmUp:   c.warmUp,
			})
		}
	}
	return out
}

// maxObserved bounds the window of a trial that counts: it is exact, so that a longer one tells no more.
const maxObserved = 500 * time.Millisecond

// observed are the trials that count a request's system calls, and those that read the CPU's own counters: one each for every
// target, on plaintext or else on the first closed loop of the plan.
func (p *Plan) observed() []Step {
	c := p.observedCourse()
	if c == nil || len(c.cases) == 0 {
		return nil
	}
	var out []Step
	for _, s := range c.steps(c.cases[0], p, 1) {
		if s.Role == results.RoleRanked {
			s.Role, s.Generator, s.Duration = results.RoleObserved, ByCorelab, min(s.Duration, maxObserved)
			if p.ask.Calls {
				out = append(out, s)
			}
			if s.Hardware = true; p.ask.Hardware {
				out = append(out, s)
			}
		}
	}
	return out
}

// observedCourse is plaintext's or else the first with a closed loop; nil where there is none.
func (p *Plan) observedCourse() *course {
	i := slices.IndexFunc(p.courses, func(c *course) bool { return c.scenario.Name == "plaintext" })
	if i < 0 {
		i = slices.IndexFunc(p.courses, func(c *course) bool { return c.scenario.Load.Loop == Closed })
	}
	if i < 0 {
		return nil
	}
	return p.courses[i]
}

// Scenarios returns the scenarios as the record keeps them, with the cases of this plan.
func (p *Plan) Scenarios() []results.Scenario {
	var out []results.Scenario
	for _, c := range p.courses {
		var names []string
		for _, k := range c.cases {
			if k.Name != "" {
				names = append(names, k.Name)
			}
		}
		r := c.scenario.Record(names)
		r.Digest = c.digest()
		out = append(out, r)
	}
	return out
}
