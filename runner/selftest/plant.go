package selftest

import (
	"fmt"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/load"
)

// Plant is one thing planted in a server, how it is loaded, and what a truthful lab must report.
type Plant struct {
	Name   string
	Server string   // what is planted, in words
	Flags  []string // of coreserver, beside --app planted
	Shape  runner.Shape
	Place  runner.Placement
	Trials []Trial // of one try, in order
	Asks   []Ask
	Quick  bool // part of the short selftest
	Queues bool // more is due than connections can carry: sending late is the right thing to do
	// Foreign loads the same server by other generators, for Last each, on Connections in a closed loop.
	Foreign *Foreign
}

// Trial is one measurement of a try.
type Trial struct {
	Twin         bool // of the same server with nothing planted
	Role         string
	WarmUp, Last time.Duration
}

// Foreign says which other generators are asked for the same figures.
type Foreign struct {
	By          []runner.Generator
	Last        time.Duration
	Connections int // 0: as the plant's
}

// Ask is one figure and its truth. Both are functions of the trials of a try, in the order of [Plant.Trials]: of a single
// one when a foreign generator is asked.
type Ask struct {
	Figure    string
	Unit      string // of the figure
	Compare   string
	Tolerance float64
	Truth     func(try) float64
	Word      string // the truth of a CompareWord
	Found     func(try) (float64, error)
	Said      func(try) (string, error) // of a CompareWord
	Formula   string
	Own       bool // only the lab itself is asked
}

// try is what the trials of one try found.
type try struct {
	trials []*results.Trial
	seed   uint64 // of the run; a trial's own is its position more
}

// Tolerances.
const (
	within     = 0.05 // of a time that the plant determines
	withinCPU  = 0.10 // of planted CPU time: a shared machine changes its speed by as much between calibration and load
	withinEach = 0.01 // of one call or switch per request
	undelayed  = time.Millisecond
)

// Words of loads.
const (
	closed = runner.Closed
	open   = runner.Open
)

func openLoop(rate float64, connections int) runner.Shape {
	return runner.Shape{Loop: open, Rate: rate, Arrival: runner.Constant, Connections: connections, Threads: 1}
}

func closedLoop(connections int) runner.Shape {
	return runner.Shape{Loop: closed, Connections: connections, Threads: 1}
}

func poisson(rate float64, connections int) runner.Shape {
	s := openLoop(rate, connections)
	s.Arrival = runner.Poisson
	return s
}

// once is a try of a single trial.
func once(warmUp, last time.Duration) []Trial { return []Trial{{WarmUp: warmUp, Last: last}} }

// paired is a try that holds the planted server against its twin, so that what drifts in time falls out.
func paired(warmUp, last time.Duration) []Trial {
	t := Trial{WarmUp: warmUp, Last: last}
	twin := t
	twin.Twin = true
	return []Trial{twin, t, t, twin}
}

// observedPair is a try that counts system calls, of the twin and of the planted server.
func observedPair(last time.Duration) []Trial {
	t := Trial{Role: results.RoleObserved, WarmUp: 200 * time.Millisecond, Last: last}
	twin := t
	twin.Twin = true
	return []Trial{twin, t}
}

// load is how the plant is loaded, in words.
func (p *Plant) load() string {
	s := p.Shape
	what := fmt.Sprintf("closed loop, %d connections", s.Connections)
	if s.Loop == open {
		what = fmt.Sprintf("open loop, %g requests/s, %s arrivals, %d connections", s.Rate, s.Arrival, s.Connections)
	}
	var last []string
	twins := false
	for _, t := range p.Trials {
		twins = twins || t.Twin
		last = append(last, t.Last.String())
	}
	if twins {
		what += ", interleaved with the same server without it"
	}
	return what + ", for " + strings.Join(last, " + ")
}

// time estimates what one try of the plant takes.
func (p *Plant) time() (d time.Duration) {
	for _, t := range p.Trials {
		d += t.WarmUp + t.Last + overhead
		if t.Role == results.RoleObserved {
			d += observing
		}
	}
	return d
}

// What a trial takes beside its load, and what it takes to count system calls.
const (
	overhead  = 250 * time.Millisecond
	observing = 2 * time.Second // silence, and switching the tracepoints off
)

// scenario is the plant as the runner knows it.
func (p *Plant) scenario() *runner.Scenario {
	return &runner.Scenario{Name: Name, Placement: p.Place, Load: p.Shape, Expect: runner.Expect{Status: 200},
		Verify: runner.Request{Method: "GET", Path: "/plaintext"}}
}

// step is one trial as the runner knows it.
func (p *Plant) step(t Trial, attempt, position int) runner.Step {
	s := runner.Step{Round: attempt, Position: position, Duration: t.Last, WarmUp: t.WarmUp}
	s.Scenario, s.Target, s.Role, s.Generator = p.scenario(), p.Name, t.Role, runner.ByCorelab
	s.Case = runner.Case{Name: p.Name, Shape: p.Shape, Request: runner.Request{Method: "GET", Path: "/planted"}, Body: []byte("Hello, World!")}
	if t.Twin {
		s.Target = twin
	}
	return s
}

// foreign is the trial of another generator, in the loop that it has; ok is false where it can't do that.
func (p *Plant) foreign(by runner.Generator, position int) (runner.Step, bool) {
	s := p.step(Trial{Last: p.Foreign.Last}, 1, position)
	s.Generator = by
	if n := p.Foreign.Connections; n > 0 {
		s.Case.Shape.Connections = n
	}
	switch {
	case by == runner.ByVegeta && p.Shape.Loop != open:
		return s, false
	case by != runner.ByVegeta:
		s.Case.Shape.Loop, s.Case.Shape.Rate, s.Case.Shape.Arrival = closed, 0, ""
	}
	s.Scenario.Load = s.Case.Shape
	return s, true
}

// Name is the scenario's in the record; twin the target's that has nothing planted.
const (
	Name = "selftest"
	twin = "unplanted"
)

// foreigners are all generators but the one that the lab measures with; ours by its other engine is held to the same truths.
func foreigners() (all []runner.Generator) {
	for _, g := range load.Generators[1:] {
		all = append(all, runner.Generator(g.Name()))
	}
	return all
}
