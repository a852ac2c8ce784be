package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"corelab/results"
	"corelab/runner/load"
	"corelab/runner/probe"
	"corelab/runner/target"
)

const (
	// startLag is how long a generator that does not announce its window takes before it sends.
	startLag = 20 * time.Millisecond
)

// round is the load of one trial: warm-up, generator, probes.
type round struct {
	bay       *Bay
	step      Step
	generator load.Generator
	spec      load.Spec
	server    *target.Process
	started   time.Time // the server was
	place     probe.Placement
	behind    *behind      // servers behind a gateway; may be nil
	beside    func() []int // other processes that belong to the load; may be nil
}

// run loads the server and puts everything that was found into t.
func (r round) run(ctx context.Context, t *results.Trial) error {
	if err := r.warmUp(ctx); err != nil {
		return err
	}
	g := &gauge{server: probe.Open(r.server.Pids), tcp: probe.OpenTCP(r.server.Pids)}
	if r.bay.Targets[r.step.Target].Kind == target.KindCore {
		g.process = r.server
	}
	seen := &tally{hardware: r.step.Hardware, quiet: r.spec.Quiet}
	var profiles *profiling
	if r.step.Role == results.RoleProfiled {
		profiles = r.profiling()
		defer profiles.close()
		profiles.prepare(ctx)
	}
	s, err := r.shot(r.generator, r.spec)
	if err != nil {
		return err
	}
	watch := func(window context.Context, begin, end time.Time) {
		switch r.step.Role {
		case results.RoleObserved:
			seen.watch(window, r.server.Pids(), begin, end)
			return
		case results.RoleProfiled:
			var turns sync.WaitGroup
			turns.Go(func() { profiles.watch(ctx, window, begin, end) })
			defer turns.Wait()
		}
		g.watch(window, begin, end)
	}
	own, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	s.started = func(pid int) {
		clients := func() []int { return probe.Tree(pid) }
		ours := clients
		if r.beside != nil {
			ours = func() []int { return append(clients(), r.beside()...) }
		}
		g.client, g.machine = probe.Open(clients), probe.OpenMachine(seats(r.place, r.server.Pids, ours)...)
		if s.window != nil {
			close(watched)
			return
		}
		go func() {
			defer close(watched)
			begin := time.Now().Add(startLag + r.spec.Warmup)
			// Its clock starts before this one by up to startLag: the window's end is where it is there for certain.
			watch(own, begin, begin.Add(r.spec.Duration-startLag))
		}()
	}
	if r.step.Generator.own() {
		s.window = watch
	}
	out, err := s.fire(ctx)
	stop()
	if g.client != nil { // it was started
		<-watched
	}
	r.keep(t, out)
	if err != nil {
		return err
	}
	res, err := r.generator.Parse(out.stdout, out.stderr)
	if err != nil {
		return err
	}
	r.record(t, res, s.argv)
	r.behind.settle(ctx, t)
	server, client := observed(res)
	if r.step.Role == results.RoleObserved {
		seen.settle(t)
		return nil
	}
	if client == nil && out.cpu > 0 {
		// A foreign generator has no warm-up: all of its life is its window, but for its start.
		client = &out.cpu
	}
	g.settle(t, t.Load.Elapsed, server, client)
	if profiles != nil {
		profiles.settle(ctx, t, r.keepProfile)
	}
	return nil
}

// seats are the CPUs in use with those who belong there.
func seats(p probe.Placement, server, client func() []int) []probe.Seat {
	if slices.Equal(p.Server, p.Client) {
		return []probe.Seat{{Of: results.SeatBoth, CPUs: p.Server, Pids: func() []int { return append(server(), client()...) }}}
	}
	return []probe.Seat{{Of: results.SeatServer, CPUs: p.Server, Pids: server}, {Of: results.SeatClient, CPUs: p.Client, Pids: client}}
}

// warmUp loads the server beforehand where the generator cannot do it itself, by our own in a closed loop.
func (r *round) warmUp(ctx context.Context) error {
	if r.step.Generator.own() || r.spec.Warmup == 0 {
		return nil
	}
	own, ok := load.Find(string(ByCorelab))
	if !ok {
		return errors.New("there is no generator corelab to warm up with")
	}
	spec := r.spec
	spec.Rate, spec.Arrival, spec.Duration, spec.Warmup, spec.Observe, spec.Announce = 0, "", r.spec.Warmup, 0, nil, false
	r.spec.Warmup = 0
	s, err := r.shot(own, spec)
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	if _, err := s.fire(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}

func (r round) shot(g load.Generator, spec load.Spec) (shot, error) {
	argv, stdin, err := g.Command(r.bay.Self, spec)
	if err != nil {
		return shot{}, err
	}
	spec = spec.Filled()
	return shot{argv: argv, stdin: stdin, cpus: r.place.Client, limit: spec.Warmup + spec.Duration + 2*spec.Quiet + spec.Timeout + generatorLag}, nil
}

// record copies what the generator measured.
func (r round) record(t *results.Trial, res load.Result, argv []string) {
	l := res.Load
	if l.Command == nil {
		l.Command = argv
	}
	t.Load = &l
	t.Missing = append(t.Missing, res.Missing...)
	if res.Example != "" {
		t.Missing = append(t.Missing, results.Missing{Figure: "answers", Reason: "the first that failed: " + res.Example})
	}
	if want := r.spec.Idle; want > 0 && res.IdleOpen < want {
		t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnErrors, Text: fmt.Sprintf("of %d idle connections %d were still open at the end", want, res.IdleOpen)})
	}
}

// observed is the CPU time that the generator read in exactly its window: of the server, and its own.
func observed(res load.Result) (server, client *time.Duration) {
	if len(res.Observed) > 0 {
		var sum time.Duration
		for _, d := range res.Observed {
			if d < 0 {
				sum = -1
				break
			}
			sum += d
		}
		if sum >= 0 {
			server = &sum
		}
	}
	if res.CPU > 0 {
		client = &res.CPU
	}
	return server, client
}

// keep stores what the generator printed.
func (r round) keep(t *results.Trial, out shell) {
	if r.bay.Keep == nil || len(out.stdout)+len(out.stderr) == 0 {
		return
	}
	b := out.stdout
	if len(bytes.TrimSpace(out.stderr)) > 0 {
		b = append(append(bytes.Clone(b), "\n-- standard error\n"...), out.stderr...)
	}
	path, err := r.bay.Keep(rawName(r.step), b)
	if err != nil {
		t.Missing = append(t.Missing, results.Missing{Figure: "raw output", Reason: err.Error()})
		return
	}
	t.Raw = path
}

// rawName is a file name that sorts by position: "0007-connections-connections=50-reactor.wrk.txt".
func rawName(s Step) string {
	return fmt.Sprintf("%04d-", s.Position) + stepWords(s) + "." + string(s.Generator) + ".txt"
}

// longestWords bounds the part of a file's name that says what is measured, in bytes.
const longestWords = 150

// stepWords is what a step measures, as a part of a file's name: "connections-connections=50-reactor".
func stepWords(s Step) string {
	parts := []string{s.Scenario.Name}
	if s.Case.Name != "" {
		parts = append(parts, s.Case.Name)
	}
	name := fileWord(strings.Join(append(parts, s.Target), "-"))
	return name[:min(len(name), longestWords)]
}

// fileWord replaces what has a meaning in a path, or to a shell.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-=._", r):
			return r
		}
		return '_'
	}, s)
}
