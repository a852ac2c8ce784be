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

// Gateway says that a scenario's targets stand in front of other servers, and pass on what they are asked.
type Gateway struct {
	Upstream string   `toml:"upstream"` // the core behind them, with the app lab: two processes of one worker
	Together Together `toml:"together"` // what runs one after the other in a round, to be held against each other: works or targets
	Work     string   `toml:"work"`     // what each does besides, where [vary] has no list: one of target.Works
}

// Together is a word of a scenario file: what follows each other in a round of a gateway's works.
type Together string

const (
	ByWork   Together = "works"   // all works of one target: what each adds
	ByTarget Together = "targets" // all targets at one work: who does it for less
)

// Other clients of a gateway ask while the load runs, so many requests per second, and give one up after a while: of an
// upstream that never answers they always have neighbourRate × neighbourPatience under way, once that time has passed.
const (
	neighbourRate        = 200
	neighbourConnections = 256
	neighbourPatience    = time.Second
)

func (s *Scenario) checkGateway() *fault {
	g := s.Gateway
	if g == nil {
		if s.Vary.Work != nil {
			return &fault{"vary.work", `work is what a gateway does; say what stands behind it: [gateway] upstream = "reactor"`}
		}
		return nil
	}
	switch {
	case g.Upstream == "":
		return &fault{"gateway", `upstream is missing; write it like upstream = "reactor"`}
	case strings.ContainsAny(g.Upstream, " \t="):
		return &fault{"gateway.upstream", "upstream is the name of a core"}
	case (g.Work == "") == (s.Vary.Work == nil):
		return &fault{"gateway", "say what the gateways do: either gateway.work, or a list in vary.work"}
	case s.Vary.Work != nil && g.Together != ByWork && g.Together != ByTarget:
		return &fault{"gateway.together", "together says what is held against each other; allowed: works, targets"}
	case g.Work != "" && !slices.Contains(target.WorkNames(), g.Work):
		return &fault{"gateway.work", fmt.Sprintf("no work %q; allowed: %s", g.Work, strings.Join(target.WorkNames(), ", "))}
	case s.Vary.Work != nil && len(s.Vary.Work) == 0:
		return &fault{"vary.work", "an empty list makes no case"}
	}
	for i, w := range s.Vary.Work {
		if !slices.Contains(target.WorkNames(), w) {
			return &fault{"vary.work", fmt.Sprintf("no work %q; allowed: %s", w, strings.Join(target.WorkNames(), ", "))}
		}
		if slices.Contains(s.Vary.Work[:i], w) {
			return &fault{"vary.work", "a value stands twice"}
		}
	}
	return nil
}

// header are the field lines that a client of the cell sends.
func (c Cell) header() []string { return slices.Concat(c.Scenario.Header, c.Case.Header) }

// behind are the servers behind a gateway, for one trial, and its other clients. A nil one has none.
type behind struct {
	servers []*target.Process

	leave func() error // ends the other clients; nil while there are none
	guest int          // their process; 0 while there is none
}

// loaded is how many of the servers the load may reach: those behind them are for other clients.
const loaded = 2

// behind starts what stands behind the cell's target: on the generator's CPUs, so that the gateway has its own to itself
// where the placement allows. It returns nil where the target answers by itself.
func (b *Bay) behind(ctx context.Context, c Cell, place probe.Placement) (*behind, error) {
	g := c.Scenario.Gateway
	if g == nil {
		return nil, nil
	}
	if b.Upstream == nil {
		return nil, errors.New("there is nothing to stand behind a gateway here: no coreserver")
	}
	spec, err := b.Upstream(ctx, g.Upstream)
	if err != nil {
		return nil, fmt.Errorf("the server behind the gateway: %w", err)
	}
	out := &behind{}
	for range target.UpstreamsOf(c.Case.Work) {
		p, err := target.Start(ctx, spec, target.Options{Workers: 1, CPUs: place.Client, Dir: b.Dir, ReadyTimeout: b.ReadyTimeout, Stats: true})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the server behind the gateway: %w", err), out.stop())
		}
		out.servers = append(out.servers, p)
	}
	return out, nil
}

// invite has other clients ask the gateway, where its work is about these: from a process on the generator's CPUs, until the
// servers are stopped. It returns when they have as many requests under way as they will. Before that their server is
// stopped in its tracks where the work says so.
func (h *behind) invite(ctx context.Context, b *Bay, gateway *target.Process, work string, place probe.Placement, most time.Duration) error {
	if h == nil || len(h.servers) <= loaded {
		return nil
	}
	if work == target.WorkStalled {
		if err := h.servers[len(h.servers)-1].Suspend(); err != nil {
			return err
		}
	}
	own, ok := load.Find(string(ByCorelab))
	if !ok {
		return errors.New("there is no generator corelab for the other clients")
	}
	spec := load.Spec{URL: gateway.URL(target.NeighbourPath), Method: http.MethodGet, Connections: neighbourConnections, Threads: 1, Rate: neighbourRate,
		Arrival: load.ArrivalConstant, Duration: neighbourPatience + most, Timeout: neighbourPatience, Expect: &load.Expect{Length: -1}, Seed: b.Seed}
	argv, stdin, err := own.Command(b.Self, spec)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	begun, ended := make(chan int, 1), make(chan error, 1)
	s := shot{argv: argv, stdin: stdin, cpus: place.Client, limit: spec.Duration + spec.Timeout + generatorLag, started: func(pid int) { begun <- pid }}
	go func() {
		_, err := s.fire(ctx)
		ended <- err
	}()
	select {
	case h.guest = <-begun:
	case err := <-ended:
		cancel()
		return fmt.Errorf("the other clients of the gateway: %w", err)
	}
	h.leave = func() error {
		select {
		case err := <-ended:
			cancel()
			return errors.Join(errors.New("the other clients of the gateway left before the end"), err)
		default:
		}
		cancel()
		<-ended // it was cut short
		return nil
	}
	select {
	case <-time.After(neighbourPatience):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the servers.
func (h *behind) stop() (err error) {
	if h == nil {
		return nil
	}
	if h.leave != nil {
		err = h.leave()
	}
	for _, p := range h.servers {
		err = errors.Join(err, p.Stop(stopGrace))
	}
	return err
}

// front is what the gateway is told of them; nil where it is none.
func (h *behind) front(work string) *target.Front {
	if h == nil {
		return nil
	}
	f := &target.Front{Work: work}
	for _, p := range h.servers {
		f.Upstreams = append(f.Upstreams, p.Addr())
	}
	return f
}

// pids are the processes of the servers and the other clients: their time is the load's, not somebody else's.
func (h *behind) pids() (out []int) {
	for _, p := range h.servers {
		out = append(out, p.Pids()...)
	}
	if h.guest != 0 {
		out = append(out, probe.Tree(h.guest)...)
	}
	return out
}

// stats is what the servers of the load have done since they started, together.
func (h *behind) stats(ctx context.Context) (accepted, requests uint64, err error) {
	for _, p := range h.servers[:loaded] {
		s, err := p.Stats(ctx)
		if err != nil {
			return 0, 0, err
		}
		for _, w := range s.Workers {
			accepted += w.Accepted
			requests += w.Requests
		}
	}
	return accepted, requests, nil
}

// settle puts what came through to them into t: how often the gateway opened a connection, and how often it used one.
func (h *behind) settle(ctx context.Context, t *results.Trial) {
	if h == nil {
		return
	}
	accepted, requests, err := h.stats(ctx)
	if err != nil {
		t.Missing = append(t.Missing, results.Missing{Figure: "upstream", Reason: err.Error()})
		return
	}
	t.Upstream = &results.Upstream{Accepted: accepted, Requests: requests}
}

// describeWorks adds the configurations of a target that stands in front of others: one for each work of the plan.
func (b *Bay) describeWorks(t *results.Target, p *Plan, o target.Options) {
	var parts []string
	var seen []string
	for _, c := range p.Cells() {
		if c.Target != t.Name || c.Scenario.Gateway == nil || c.Skipped != "" || slices.Contains(seen, c.Case.Work) {
			continue
		}
		seen = append(seen, c.Case.Work)
		o.Front = &target.Front{Work: c.Case.Work}
		for i := range target.UpstreamsOf(c.Case.Work) {
			o.Front.Upstreams = append(o.Front.Upstreams, fmt.Sprintf("127.0.0.1:{upstream-%d}", i+1))
		}
		d := b.Targets[t.Name].Describe(o)
		t.Command = d.Command
		parts = append(parts, "# work "+c.Case.Work+"\n"+d.Config)
	}
	if len(parts) > 0 {
		t.Config = strings.Join(parts, "\n")
	}
}
