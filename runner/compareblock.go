package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corelab/results"
	"corelab/runner/load"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// muchTaken is the part of a window, of the one CPU, that something else may take before the window is left out.
const muchTaken = 0.05

// duel is one block under way: both servers, and the generator that loads them in turn.
type duel struct {
	*Comparison
	number int
	feeder *feeder
	place  probe.Placement
	sides  [2]contestant
	trials []results.Trial
}

// contestant is one side of a block.
type contestant struct {
	name   string
	server *target.Process
	pids   []int
	wire   results.Wire
}

// block measures one. What a side did wrong is the Error of its trial, and failed is true.
func (c *Comparison) block(ctx context.Context, number int) (trials []results.Trial, failed bool) {
	d := &duel{Comparison: c, number: number, sides: [2]contestant{{name: c.A}, {name: c.B}}}
	defer func() { d.stop(ctx) }()
	which, err := d.run(ctx)
	if err == nil || ctx.Err() != nil {
		return d.trials, false
	}
	t := d.trial(which)
	t.Error = err.Error()
	return append(d.trials, t), true
}

// run does the whole block; which is the side that an error is about.
func (d *duel) run(ctx context.Context) (which int, err error) {
	first := d.rng.IntN(2)
	order := d.order()
	t := d.trial(first)
	d.place = d.Bay.place(d.Scenario.Placement, &t)
	if d.feeder, err = startFeeder(ctx, d.Bay.Self, d.place.Client); err != nil {
		return first, err
	}
	for _, which := range []int{first, 1 - first} {
		if err := d.start(ctx, which); err != nil {
			return which, err
		}
	}
	for _, which := range []int{first, 1 - first} {
		if _, err := d.load(which, 0, CompareFirst); err != nil {
			return which, err
		}
		d.sides[which].pids = d.sides[which].server.Pids() // all of them: a master's workers run by now
	}
	for _, b := range order {
		which := 0
		if b {
			which = 1
		}
		t, err := d.window(which)
		if err != nil {
			return which, err
		}
		d.position++
		t.Position = d.position
		d.trials = append(d.trials, t)
	}
	return 0, nil
}

// start starts one server and has it answer byte for byte.
func (d *duel) start(ctx context.Context, which int) (err error) {
	s := &d.sides[which]
	options := d.Bay.options(s.name, d.place)
	options.Stats, options.Batch = false, true
	if s.server, err = target.Start(ctx, d.Bay.Targets[s.name], options); err != nil {
		return err
	}
	s.pids = s.server.Pids()
	t := d.trial(which)
	s.wire, err = target.Verify(ctx, s.server.Addr(), d.Bay.exchange(d.cell(which), &t))
	return err
}

func (d *duel) cell(which int) Cell {
	return Cell{Scenario: d.Scenario, Case: d.Case, Target: d.sides[which].name, Role: results.RoleCompared, Generator: ByCorelab}
}

func (d *duel) trial(which int) results.Trial {
	return results.Trial{
		Scenario: d.Scenario.Name, Case: d.Case.Name, Target: d.sides[which].name, Role: results.RoleCompared, Round: d.number,
		Position: d.position + 1, Placement: string(d.Scenario.Placement), Started: time.Now(),
	}
}

// load offers the case's load. A server that ended meanwhile says more than the errors of its connections.
func (d *duel) load(which int, warmUp, duration time.Duration) (load.Result, error) {
	s := &d.sides[which]
	t := d.trial(which)
	step := Step{Cell: d.cell(which), Round: d.number, Position: d.position + 1, Duration: duration, WarmUp: warmUp}
	spec := d.Bay.spec(step, s.server, d.place, d.Bay.exchange(step.Cell, &t), 0)
	spec.Observe, spec.Announce = s.pids, false
	r, err := d.feeder.load(spec)
	select {
	case <-s.server.Exited():
		return r, d.Bay.died(s.server, &t, err)
	default:
	}
	switch {
	case err != nil:
		return r, err
	case r.Errors.Total() > 0:
		return r, fmt.Errorf("%d answers of %d were wrong or did not come, the first: %s", r.Errors.Total(), r.Requests+r.Errors.Total(), r.Example)
	case r.Requests == 0:
		return r, fmt.Errorf("not one answer in %v", duration)
	}
	return r, nil
}

// window measures one.
func (d *duel) window(which int) (results.Trial, error) {
	s := &d.sides[which]
	t := d.trial(which)
	t.Wire = &s.wire
	cpu := probe.OpenCPU(d.place.Server)
	cpuErr := cpu.Begin()
	r, err := d.load(which, d.Asked.WarmUp, d.Asked.Window)
	if err != nil {
		return t, err
	}
	var use results.Machine
	if cpuErr == nil {
		use, cpuErr = cpu.End()
	}
	l := r.Load
	t.Load = &l
	if l.Latency != nil {
		l.Latency.HDR = "" // of one short window: its percentiles are what is compared
	}
	t.Missing = append(t.Missing, r.Missing...)
	server, client := observed(r)
	if server == nil || client == nil {
		return t, errors.New("its CPU clock could not be read in the window")
	}
	t.Server = d.usage(s, *server, l.Elapsed)
	t.Client = &results.Usage{Elapsed: l.Elapsed, CPU: *client, Affinity: probe.CPUList(d.place.Client)}
	t.Missing = append(t.Missing, results.Missing{Figure: "server.voluntary_switches, server.involuntary_switches",
		Reason: "not counted in the short windows of a comparison"})
	if cpuErr != nil {
		t.Missing = append(t.Missing, results.Missing{Figure: "machine", Reason: cpuErr.Error()})
	} else {
		t.Machine = d.machine(use, l.Elapsed, *server+*client)
	}
	d.warn(&t, which)
	return t, nil
}

// usage is the server's in the window, and the memory behind it.
func (d *duel) usage(s *contestant, cpu, elapsed time.Duration) *results.Usage {
	p := probe.Open(func() []int { return s.pids })
	u := results.Usage{}
	if p.Begin() == nil {
		u, _ = p.End() // of no time at all: what is read is of the moment
	}
	return &results.Usage{Elapsed: elapsed, CPU: cpu, RSSKiB: u.RSSKiB, PeakRSSKiB: u.PeakRSSKiB, Files: u.Files, Threads: u.Threads, Affinity: u.Affinity}
}

// machine is what else happened on the CPU in the window. It was read around the window, whose warm-up and handshakes are in
// it too; what is idle there is taken to have been idle in the window: so rather too little is taken for others than too much.
func (d *duel) machine(use results.Machine, window, ours time.Duration) *results.Machine {
	cpus := time.Duration(max(len(d.place.Server), 1))
	use.Idle = min(use.Idle, cpus*window)
	taken := max(0, cpus*window-ours-use.Idle)
	use.Steal = min(use.Steal, taken)
	use.Others = taken - use.Steal
	return &use
}

// warn marks the window: what takes it out, and what does not.
func (d *duel) warn(t *results.Trial, which int) {
	if m := t.Machine; m != nil {
		if part := float64(m.Steal+m.Others) / float64(t.Load.Elapsed) / float64(max(len(d.place.Server), 1)); part > muchTaken {
			t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnSteal, Text: fmt.Sprintf("something else took %.0f %% of the CPU", 100*part)})
		}
	}
	if a, b := d.sides[0].wire.HeadBytes, d.sides[1].wire.HeadBytes; which == 1 && (b-a > headSlack || a-b > headSlack) {
		t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnHead, Text: fmt.Sprintf("the reply's head has %d bytes, that of A %d", b, a)})
	}
	warnPlacement(t, "server", t.Server, probe.CPUList(d.place.Server))
}

// stop leaves nothing behind; where ctx has ended the time is up, and nobody is asked twice. A server that cannot be stopped
// is said: the next block would be disturbed.
func (d *duel) stop(ctx context.Context) {
	grace := stopGrace
	if ctx.Err() != nil {
		grace = 0
	}
	if d.feeder != nil {
		d.feeder.close()
	}
	stopped := make(chan error, len(d.sides))
	for _, s := range d.sides {
		go func() {
			if s.server == nil {
				stopped <- nil
				return
			}
			stopped <- s.server.Stop(grace)
		}()
	}
	for range d.sides {
		if err := <-stopped; err != nil {
			d.Progress.Say("%v", err)
		}
	}
}
