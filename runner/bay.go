package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner/load"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// stopGrace is what a server has to end by itself once its load is gone, before it is killed.
const stopGrace = 2 * time.Second

// trialSlack is the time around a trial's load in which its server is looked at and its profiles are begun.
const trialSlack = 15 * time.Second

// observedQuiet is the silence around the window of a trial in which calls or the CPU's own counters are counted: they are
// read while nothing is in flight.
const observedQuiet = 200 * time.Millisecond

// observedWarmUp is added to the warm-up of such a trial for each thread of the server: its counters are opened meanwhile, a
// system call for each of dozens of events, beside a load that leaves them little of the CPU.
const observedWarmUp = 40 * time.Millisecond

// Bay is the Lab on this machine: it starts servers and generators as processes, pinned, and reads what they use. One
// goroutine uses it. Make one with its exported fields set, and call Inspect or Prepare
// before the first Trial.
type Bay struct {
	Self         string                 // corelab's own binary, of which the generators are runs
	Targets      map[string]target.Spec // by the row's name
	Order        []string               // of the rows; the first is the reference for heads unless nginx is there
	Dir          string                 // for what servers write; the caller removes it
	Workers      int                    // CPUs that a server is told to use; 0: as many as its placement gives it
	ReadyTimeout time.Duration
	Seed         uint64
	// Upstream finds the core that stands behind gateways, by its name; nil where there is none.
	Upstream func(ctx context.Context, name string) (target.Spec, error)
	// Keep stores a tool's own output below the run's folder and returns its path there.
	Keep func(name string, b []byte) (string, error)
	// KeepProfile does the same with a profile; a name that is taken is an fs.ErrExist.
	KeepProfile func(name string, b []byte) (string, error)

	cpus     int
	perf     *profilers            // nil until it was asked for
	ceilings map[string]float64    // requests per second, by ceilingKey
	refs     map[bar]target.Expect // the first answer of a server of which nothing else is known
	heads    map[Request]reference // by request
	broken   map[string]error      // targets that could not even be started
}

// Trial is described at [Lab].
func (b *Bay) Trial(ctx context.Context, s Step) results.Trial {
	t := results.Trial{
		Scenario: s.Scenario.Name, Case: s.Case.Name, Target: s.Target, Role: s.Role, Round: s.Round, Position: s.Position,
		Placement: string(s.Scenario.Placement), Started: time.Now(),
	}
	if err := b.try(ctx, s, &t); err != nil {
		t.Error = err.Error()
	}
	t.Warnings = results.Check(&t)
	return t
}

// try measures one step into t. On an error t keeps what was found before.
func (b *Bay) try(ctx context.Context, s Step, t *results.Trial) (err error) {
	if err := b.broken[s.Target]; err != nil {
		return err
	}
	gen, ok := load.Find(string(s.Generator))
	if !ok {
		return fmt.Errorf("there is no generator %s", s.Generator)
	}
	rate, err := b.rate(s)
	if err != nil {
		return err
	}
	place := b.place(s.Scenario.Placement, t)
	options := b.options(s.Target, place)
	behind, err := b.behind(ctx, s.Cell, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, behind.stop()) }()
	options.Front = behind.front(s.Case.Work)
	started := time.Now()
	server, err := target.Start(ctx, b.Targets[s.Target], options)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := server.Stop(stopGrace); stopErr != nil {
			err = errors.Join(err, stopErr)
		}
	}()
	x := b.exchange(s.Cell, t)
	wire, err := target.Verify(ctx, server.Addr(), s.Scenario.before(x))
	if err != nil {
		return err
	}
	t.Wire = &wire
	spec := b.spec(s, server, place, x, rate)
	r := round{bay: b, step: s, generator: gen, spec: spec, server: server, started: started, place: place, behind: behind}
	if behind != nil {
		if err := behind.invite(ctx, b, server, s.Case.Work, place, spec.Warmup+spec.Duration+2*spec.Quiet+trialSlack); err != nil {
			return err
		}
		r.beside = behind.pids
	}
	if err := r.run(ctx, t); err != nil {
		select {
		case <-server.Exited():
			return b.died(server, t, err)
		default:
			return err
		}
	}
	warn(t, b.heads[s.Case.Request])
	warnPlacement(t, "server", t.Server, probe.CPUList(place.Server))
	warnPlacement(t, "generator", t.Client, probe.CPUList(place.Client))
	select {
	case <-server.Exited():
		return b.died(server, t, nil)
	default:
	}
	// Where connections starved, the row says so: that the target serves none of them is the finding.
	if t.Load.Requests == 0 && t.Load.Starved == 0 {
		return fmt.Errorf("not one answer in %v", t.Load.Elapsed.Round(time.Millisecond))
	}
	if s.Role == results.RoleCeiling {
		b.ceilings[ceilingKey(s)] = float64(t.Load.Requests) / t.Load.Elapsed.Seconds()
	}
	return nil
}

// died marks t, whose server ended before it was stopped.
func (b *Bay) died(server *target.Process, t *results.Trial, err error) error {
	t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnDied, Text: "the server ended during the trial"})
	if how := server.Err(); how != nil {
		return fmt.Errorf("the server ended during the trial: %w", how)
	}
	return errors.Join(errors.New("the server ended during the trial"), err)
}

func ceilingKey(s Step) string { return s.Scenario.Name + "\x00" + s.Target }

// rate is what an open loop offers, 0 for a closed one.
func (b *Bay) rate(s Step) (float64, error) {
	shape := s.Case.Shape
	switch {
	case shape.Loop == Closed:
		return 0, nil
	case shape.Rate > 0:
		return shape.Rate, nil
	}
	ceiling, ok := b.ceilings[ceilingKey(s)]
	if !ok {
		return 0, errors.New("its ceiling could not be measured, of which the rate is a part: see the row of the ceiling")
	}
	return max(ceiling*float64(shape.Percent)/100, 1), nil
}

// place lays out server and generator. Where that cannot be done both share all CPUs, and t says so.
func (b *Bay) place(p Placement, t *results.Trial) probe.Placement {
	place, err := probe.Place(string(p))
	if err != nil {
		t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnPlacement, Text: err.Error()})
		if place, err = probe.Place(probe.PlaceShared); err != nil {
			return probe.Placement{Name: probe.PlaceShared}
		}
		t.Placement = probe.PlaceShared
	}
	return place
}

func (b *Bay) options(name string, place probe.Placement) target.Options {
	return target.Options{
		Workers: b.Workers, CPUs: place.Server, Dir: b.Dir, ReadyTimeout: b.ReadyTimeout,
		Stats: b.Targets[name].Kind == target.KindCore,
	}
}

// exchange is the case's request with what its answer must be.
func (b *Bay) exchange(c Cell, t *results.Trial) target.Exchange {
	x := target.Exchange{
		Method: c.Case.Request.Method, Path: c.Case.Request.Path, Header: headerMap(c.header()), Body: c.Scenario.Content,
		Expect: target.Expect{Status: c.Scenario.Expect.Status, Body: c.Case.Body, Fields: c.Scenario.Expect.Fields},
	}
	if x.Expect.Body != nil {
		return x
	}
	if ref, ok := b.refs[bar{c.Target, c.Case.Request}]; ok {
		x.Expect.Body = ref.Body
		if x.Expect.Status == 0 {
			x.Expect.Status = ref.Status
		}
		t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnReference, Text: "the server's own first answer is what the others were held against: nothing else was known"})
	}
	return x
}

func headerMap(lines []string) map[string]string {
	out := map[string]string{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		out[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return out
}

// spec is what the generator is told.
func (b *Bay) spec(s Step, server *target.Process, place probe.Placement, x target.Exchange, rate float64) load.Spec {
	shape := s.Case.Shape
	threads := shape.Threads
	if threads == 0 {
		threads = max(len(place.Client), 1)
	}
	spec := load.Spec{
		URL: server.URL(x.Path), Method: x.Method, Header: s.header(), Body: x.Body,
		Connections: shape.Connections, Depth: shape.Depth, Threads: min(threads, shape.Connections), NewConn: shape.Fresh, Idle: shape.Idle,
		Rate: rate, Duration: s.Duration, Warmup: s.WarmUp, Expect: &load.Expect{Status: x.Expect.Status, Body: x.Expect.Body},
		Seed: b.Seed + uint64(s.Position), Observe: server.Pids(), Announce: true,
	}
	if spec.Expect.Body == nil {
		spec.Expect.Length = -1
	}
	if rate > 0 {
		spec.Arrival = string(shape.Arrival)
	}
	shape.tune(&spec)
	if s.Role == results.RoleObserved && s.Generator == ByCorelab {
		spec.Quiet = observedQuiet
		spec.Warmup += time.Duration(probe.Threads(server.Pids())) * observedWarmUp
	}
	if s.Role == results.RoleProfiled {
		spec.Duration = b.profilers(s.Target).window(s.Duration)
	}
	switch s.Generator {
	case ByWrk:
		spec.Duration = wholeSeconds(s.Duration)
	case ByVegeta:
		spec.Arrival = load.ArrivalConstant // it has no other
	}
	return spec
}

// Prepare makes the Bay ready for trials without a plan, whose scenarios know the right answers, and returns the CPUs that
// there are. Inspect calls it.
func (b *Bay) Prepare() ([]int, error) {
	cpus, err := probe.Allowed()
	if err != nil {
		return nil, err
	}
	b.cpus = len(cpus)
	b.ceilings, b.refs, b.heads, b.broken = map[string]float64{}, map[bar]target.Expect{}, map[Request]reference{}, map[string]error{}
	return cpus, nil
}

// Inspect starts each target once and asks it everything that the cells will ask. It returns the targets as they are
// recorded, and has the plan skip what a foreign server turns out not to serve. A target that does not start is kept: each
// of its trials will say why.
func (b *Bay) Inspect(ctx context.Context, p *Plan) ([]results.Target, error) {
	cpus, err := b.Prepare()
	if err != nil {
		return nil, err
	}
	order := slices.Clone(b.Order)
	slices.SortStableFunc(order, func(x, y string) int { return b.apart(x) - b.apart(y) })
	for _, name := range order {
		if err := b.inspect(ctx, name, p); err != nil && ctx.Err() == nil {
			b.broken[name] = err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	var out []results.Target
	for _, name := range b.Order {
		options := b.options(name, probe.Placement{Name: probe.PlaceShared, Server: cpus})
		t := b.Targets[name].Describe(options)
		b.describeWorks(&t, p, options)
		if b.Workers == 0 && t.Kind != target.KindForeign {
			t.Note = strings.TrimPrefix(t.Note+"; the number of workers is that of the CPUs that the placement gives the server: here all, for the placement shared", "; ")
		}
		out = append(out, t)
	}
	return out, nil
}

// apart is how far a target is from being what others' heads are held against: nginx is, or else a core that answers as
// all do.
func (b *Bay) apart(name string) int {
	switch spec := b.Targets[name]; {
	case name == "nginx":
		return 0
	case spec.Limit(), spec.LacksFeature(string(KeepAlive)) != "":
		return 2
	}
	return 1
}

func (b *Bay) inspect(ctx context.Context, name string, p *Plan) error {
	cells := slices.DeleteFunc(p.Cells(), func(c Cell) bool {
		return c.Target != name || c.Skipped != "" || c.Role != results.RoleRanked || c.Scenario.Gateway != nil
	})
	if len(cells) == 0 {
		return nil
	}
	server, err := target.Start(ctx, b.Targets[name], b.options(name, probe.Placement{}))
	if err != nil {
		return err
	}
	defer server.Stop(stopGrace) // an error would come again in its trials
	asked := map[Request]bool{}
	for _, c := range cells {
		if asked[c.Case.Request] {
			continue
		}
		asked[c.Case.Request] = true
		if err := b.ask(ctx, server, c, p); err != nil {
			return err
		}
	}
	return nil
}

// ask has the server answer the cell's request once. Wrong answers are left to the trials.
func (b *Bay) ask(ctx context.Context, server *target.Process, c Cell, p *Plan) error {
	x := b.exchange(c, &results.Trial{})
	answer, err := target.Reference(ctx, server.Addr(), x)
	if err != nil {
		return nil
	}
	if b.Targets[c.Target].Kind == target.KindForeign && x.Expect.Status < 400 {
		switch answer.Status {
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
			p.Bar(c.Target, c.Case.Request, fmt.Sprintf("answers %d to %s: it does not serve the route; --request names another", answer.Status, c.Case.Request))
			return nil
		}
	}
	if x.Expect.Body == nil {
		b.refs[bar{c.Target, c.Case.Request}] = answer.Expect()
	}
	if wire, err := target.Verify(ctx, server.Addr(), b.exchange(c, &results.Trial{})); err == nil && b.heads[c.Case.Request].head == 0 {
		b.heads[c.Case.Request] = reference{c.Target, wire.HeadBytes}
	}
	return nil
}
