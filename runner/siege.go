package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
	"corelab/runner/load"
	"corelab/runner/probe"
	"corelab/runner/siege"
	"corelab/runner/target"
)

// What a siege takes, beside what is asked for.
const (
	siegeRamp    = 10 * time.Second       // over which foes come at the most: where they are cut sooner, some go and come all the time
	siegeQuick   = 2 * time.Second        // over which those come whose limit is far longer than a window
	siegeTrickle = 5 * time.Second        // between two bytes of a foe, at the most
	siegeHold    = 30 * time.Second       // beyond what a siege needs, after which it ends by itself
	siegeBack    = 15 * time.Second       // beyond its limits, for a server to close all files of a siege
	siegeLook    = 200 * time.Millisecond // between two looks at memory and files
	siegeWarmUp  = 300 * time.Millisecond
	siegeDripsIn = 3   // of a limit: so many bytes come within it
	siegeBelow   = 0.9 // of the least rate: what trickles
)

// siegeCut is the line in which the process of a siege says, on standard error, that each foe that came first was cut.
const siegeCut = "cut"

// SiegeLimits are the times after which a server cuts a client. Known is false where nobody can tell.
type SiegeLimits struct {
	Known                                              bool
	Head, BodyIdle, BodyGrace, Idle, WriteIdle, Linger time.Duration
	BodyRate                                           int64
}

// Siege measures ordinary clients without and beside hostile ones, kind by kind and target by target. Make one with its
// fields set; one goroutine uses it.
type Siege struct {
	Bay    *Bay
	Cells  []Cell // one of each target, as a plan has them
	Asked  results.SiegeAsked
	Foes   map[string]int         // by kind
	Limits map[string]SiegeLimits // by target
	Slack  time.Duration          // how much later than its limit a cut may be seen
	Record *Bench                 // whose Record, Progress, Rescue and Now are used

	position int
	rng      *rand.Rand
}

// Run lays all sieges, or those until ctx ends, and closes the record. An error is about the record.
func (s *Siege) Run(ctx context.Context) (results.End, error) {
	b := s.Record
	began := b.Now()
	s.rng = rand.New(rand.NewPCG(s.Bay.Seed, 0x7369656765))
	for _, cell := range s.Cells {
		for _, kind := range s.Asked.Kinds {
			if ctx.Err() == nil {
				s.kind(ctx, cell, kind)
			}
		}
	}
	b.Progress.end()
	end := results.End{Ended: b.Now(), Elapsed: b.Now().Sub(began), Trials: b.trials, Interrupted: ctx.Err() != nil}
	b.flush()
	err := b.rescue()
	return end, errors.Join(err, b.Record.End(end))
}

// Estimate is how long Run takes, roughly.
func (s *Siege) Estimate() (all time.Duration) {
	for _, cell := range s.Cells {
		for _, kind := range s.Asked.Kinds {
			spec := s.spec(cell, kind, "")
			window := s.Asked.Window + siegeWarmUp + time.Second
			all += time.Duration(s.Asked.Rounds)*(spec.Ramp+2*window) + max(spec.Limit+spec.Slack-window, 0) + time.Second
		}
	}
	return all
}

// kind besieges one target by clients of one kind, in all rounds, and writes each window down.
func (s *Siege) kind(ctx context.Context, cell Cell, kind string) {
	cell.Case.Name, cell.Role = kind, results.RoleSiege
	g := &garrison{Siege: s, cell: cell, kind: kind, limits: s.Limits[cell.Target]}
	defer func() {
		if err := g.stop(); err != nil && ctx.Err() == nil {
			s.Record.Progress.Say("%v", err)
		}
	}()
	err := g.start(ctx)
	for round := 1; err == nil && round <= s.Asked.Rounds && ctx.Err() == nil; round++ {
		order := []func(context.Context, int) error{g.alone, g.beset}
		if s.rng.IntN(2) == 1 {
			slices.Reverse(order)
		}
		for _, window := range order {
			if err == nil {
				err = window(ctx, round)
			}
		}
	}
	if err != nil && ctx.Err() == nil {
		t := g.trial(1)
		t.Siege = &results.Siege{Kind: kind}
		t.Error = err.Error()
		s.Record.trials++
		s.Record.write(t)
	}
}

// spec is a siege of the kind, before it is known where.
func (s *Siege) spec(cell Cell, kind, addr string) siege.Spec {
	l := s.Limits[cell.Target]
	spec := siege.Spec{Addr: addr, Kind: kind, Foes: s.Foes[kind], Known: l.Known, Slack: s.Slack, Seed: s.Bay.Seed + uint64(s.position),
		Large: "/bytes/1048576", Slow: "/echo", Plain: cell.Case.Request.Path, Ramp: siegeQuick, Every: siegeTrickle}
	switch kind {
	case results.SiegeHeads:
		spec.Limit, spec.Ramp = l.Head, min(l.Head, siegeRamp)
	case results.SiegeBodies:
		spec.Limit, spec.Ramp, spec.Rate = l.BodyGrace, min(l.BodyGrace, siegeRamp), int64(siegeBelow*float64(l.BodyRate))
	case results.SiegeReaders:
		spec.Limit = l.WriteIdle
	case results.SiegeSilent:
		spec.Limit = l.Idle
	}
	if spec.Limit > 0 {
		spec.Every = max(min(spec.Every, spec.Limit/siegeDripsIn), time.Millisecond)
		spec.Ramp = min(spec.Ramp, spec.Limit)
	}
	spec.Hold = spec.Ramp + spec.Limit + spec.Slack + s.Asked.Window + siegeHold
	return spec
}

// garrison is one target besieged by one kind of clients.
type garrison struct {
	*Siege
	cell   Cell
	kind   string
	limits SiegeLimits
	server *target.Process
	since  time.Time
	place  probe.Placement
	files  int // open without any client
}

// start starts the server and has it answer byte for byte.
func (g *garrison) start(ctx context.Context) (err error) {
	if err := g.Bay.broken[g.cell.Target]; err != nil {
		return err
	}
	t := g.trial(1)
	g.place, g.since = g.Bay.place(g.cell.Scenario.Placement, &t), time.Now()
	if g.server, err = target.Start(ctx, g.Bay.Targets[g.cell.Target], g.Bay.options(g.cell.Target, g.place)); err != nil {
		return err
	}
	if _, err := target.Verify(ctx, g.server.Addr(), g.cell.Scenario.before(g.Bay.exchange(g.cell, &t))); err != nil {
		return err
	}
	// A first window, which nobody counts: what a server makes for its first clients is no burden of a siege.
	if _, err := g.window(ctx, 1, nil); err != nil {
		return err
	}
	g.files, _, err = g.settle(ctx, 0, siegeBack)
	return err
}

func (g *garrison) stop() error {
	if g.server == nil {
		return nil
	}
	return g.server.Stop(stopGrace)
}

func (g *garrison) trial(round int) results.Trial {
	return results.Trial{Scenario: g.cell.Scenario.Name, Case: g.kind, Target: g.cell.Target, Role: results.RoleSiege, Round: round,
		Position: g.position, Placement: string(g.cell.Scenario.Placement), Started: time.Now()}
}

// window offers the ordinary load once. Beside are the processes of a siege, whose CPU time is the load's. The error is that
// nothing more can be measured; what only this window is about stands in the trial.
func (g *garrison) window(ctx context.Context, number int, beside func() []int) (results.Trial, error) {
	t := g.trial(number)
	step := Step{Cell: g.cell, Round: number, Position: g.position, Duration: g.Asked.Window, WarmUp: siegeWarmUp}
	gen, _ := load.Find(string(ByCorelab))
	spec := g.Bay.spec(step, g.server, g.place, g.Bay.exchange(g.cell, &t), g.Asked.Rate)
	spec.Stamp = true // hostile clients take CPU time from the ordinary ones, which is not the server's doing
	r := round{bay: g.Bay, step: step, generator: gen, spec: spec, server: g.server, started: g.since, place: g.place, beside: beside}
	err := r.run(ctx, &t)
	select {
	case <-g.server.Exited():
		return t, g.Bay.died(g.server, &t, err)
	default:
	}
	if err != nil {
		t.Error = err.Error() // a server without a thread to spare refuses even to connect: that is a finding
	}
	t.Warnings = append(t.Warnings, results.Check(&t)...)
	return t, ctx.Err()
}

// alone measures a window of the ordinary clients alone.
func (g *garrison) alone(ctx context.Context, number int) error {
	g.position++
	s := &results.Siege{Kind: g.kind}
	g.tell(number, s)
	t, err := g.window(ctx, number, nil)
	t.Siege = s
	return g.write(ctx, t, err)
}

func (g *garrison) write(ctx context.Context, t results.Trial, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // cut short: it measured nothing
	}
	g.Record.trials++
	g.Record.write(t)
	return err
}

func (g *garrison) tell(number int, s *results.Siege) {
	line := fmt.Sprintf("%s, %s, round %d of %d: ordinary clients ", g.cell.Target, g.kind, number, g.Asked.Rounds)
	switch {
	case s.With && s.Patient:
		line += fmt.Sprintf("beside %d hostile ones, until all were cut", g.Foes[g.kind])
	case s.With:
		line += fmt.Sprintf("beside %d hostile ones", g.Foes[g.kind])
	default:
		line += "alone"
	}
	g.Record.Progress.tell(line, g.Record.Now())
}

// beset measures a window beside a siege, in the first round when its first foes are due to be cut.
func (g *garrison) beset(ctx context.Context, number int) error {
	g.position++
	s := &results.Siege{Kind: g.kind, With: true, Patient: number == 1}
	g.tell(number, s)
	spec := g.spec(g.cell, g.kind, g.server.Addr())
	spec.Meek = len(g.place.Client) > 0 && g.place.Name == probe.PlaceSplit
	burden, sockets := g.look(), socketMemory()
	watch := g.watch(burden)
	camp, err := g.besiege(ctx, spec)
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	var t results.Trial
	begin, err := camp.begun(ctx)
	if err == nil {
		if s.Patient {
			sleepUntil(ctx, begin.Add(max(spec.Limit-spec.Ramp, 0)))
		}
		t, err = g.window(ctx, number, camp.pids)
		if s.Patient {
			camp.allCut(ctx, begin.Add(spec.Limit+spec.Slack))
		}
	} else {
		t = g.trial(number)
	}
	attack, lost := camp.end()
	seen := watch()
	seen.Sockets = max(seen.Sockets, sockets) - sockets
	t.Siege, s.Memory = s, &seen
	if lost != nil {
		return g.write(ctx, t, errors.Join(err, lost))
	}
	s.Attack = &attack
	g.after(ctx, &seen)
	return g.write(ctx, t, err)
}

// after waits until the server has closed what the siege left, and looks at its memory then.
func (g *garrison) after(ctx context.Context, seen *results.Burden) {
	files, took, err := g.settle(ctx, g.files, g.limits.Linger+siegeBack)
	seen.Files, seen.FilesLeft, seen.Back = g.files, files, took
	if err == nil {
		seen.After = memory(g.server.Pids())
	}
}

// settle waits until the server has so few files open, or, with 0, as many in two looks, at most for bound.
func (g *garrison) settle(ctx context.Context, most int, bound time.Duration) (files int, took time.Duration, err error) {
	began := time.Now()
	for before := -1; ; {
		files = openFiles(g.server.Pids())
		if files <= most || most == 0 && files == before || time.Since(began) > bound {
			return files, time.Since(began), ctx.Err()
		}
		before = files
		if !sleepUntil(ctx, time.Now().Add(siegeLook/2)) {
			return files, time.Since(began), ctx.Err()
		}
	}
}

// look is the server's burden now.
func (g *garrison) look() results.Burden {
	m, f := memory(g.server.Pids()), openFiles(g.server.Pids())
	return results.Burden{Before: m, Peak: m, Files: g.files, FilesPeak: f}
}

// watch looks at the server now and then until the function that it returns is called, which says what was most. It looks at
// the processes that there are when it begins: to find them anew each time would take milliseconds, which the ordinary
// clients would wait for beside a siege alone.
func (g *garrison) watch(b results.Burden) (stop func() results.Burden) {
	done := make(chan struct{})
	pids := g.server.Pids()
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(siegeLook):
				b.Peak, b.FilesPeak = max(b.Peak, memory(pids)), max(b.FilesPeak, openFiles(pids))
				b.Sockets = max(b.Sockets, socketMemory())
			}
		}
	})
	return func() results.Burden {
		close(done)
		watching.Wait()
		return b
	}
}

// camp is a siege under way, in a process of its own.
type camp struct {
	pid    int
	opened chan time.Time // when all foes were to be open
	cut    chan struct{}  // closed when each that came first was cut
	over   chan struct{}  // closed after what follows is set
	attack results.Attack
	err    error
}

// besiege starts the process of a siege. The caller ends it by end.
func (g *garrison) besiege(ctx context.Context, spec siege.Spec) (*camp, error) {
	in, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode the siege: %w", err)
	}
	c := &camp{opened: make(chan time.Time, 1), cut: make(chan struct{}), over: make(chan struct{})}
	started := make(chan int, 1)
	s := shot{argv: []string{g.Bay.Self, "siege", "--lay", "-"}, stdin: in, cpus: g.place.Client, limit: spec.Hold + generatorLag,
		started: func(pid int) { started <- pid },
		window:  func(_ context.Context, begin, _ time.Time) { c.opened <- begin },
		cut:     func() { close(c.cut) }}
	go func() {
		defer close(c.over)
		out, err := s.fire(ctx)
		if err == nil {
			err = json.Unmarshal(out.stdout, &c.attack)
		}
		if err != nil {
			c.err = fmt.Errorf("besiege by %s: %w", spec.Kind, err)
		}
	}()
	select {
	case c.pid = <-started:
		return c, nil
	case <-c.over:
		return nil, c.err
	}
}

func (c *camp) pids() []int { return []int{c.pid} }

// begun waits until all foes were to be open, and returns when that was.
func (c *camp) begun(ctx context.Context) (time.Time, error) {
	select {
	case at := <-c.opened:
		sleepUntil(ctx, at)
		return at, ctx.Err()
	case <-c.over:
		return time.Time{}, errors.Join(errors.New("the siege ended before it began"), c.err)
	}
}

// allCut waits until each foe that came first was cut, at most until then.
func (c *camp) allCut(ctx context.Context, at time.Time) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-c.cut:
	case <-c.over:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// end ends the siege and returns what came of it.
func (c *camp) end() (results.Attack, error) {
	select {
	case <-c.over:
	default:
		unix.Kill(c.pid, unix.SIGTERM)
		<-c.over
	}
	return c.attack, c.err
}
