package runner

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"corelab/results"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// gauge reads what server, generator and machine do in the generator's window. The readings are taken from outside, so
// they miss the window's ends by a little; settle puts the counts on its exact length.
type gauge struct {
	server, client *probe.Process
	machine        *probe.Machine
	tcp            *probe.TCP
	process        *target.Process // of a core that answers Stats, or nil

	mu          sync.Mutex
	begun       time.Time
	ended       time.Time
	machineOver time.Duration // over which the machine was read: last of all at the begin, and first at the end; 0: from begun to ended
	before      target.Stats
	gotStats    bool
	serverUsage results.Usage
	clientUsage results.Usage
	machineUse  results.Machine
	net         *results.Net // nil where it could not be read
	stats       target.Stats
	missing     []results.Missing
}

// readAhead is how long before the end of a window its last reading is taken: the generator must still be there, with its
// connections open.
const readAhead = 15 * time.Millisecond

// watch takes both readings, at begin and a little before end, or none if ctx ends before begin. If it ends in between,
// the second is taken at once.
func (g *gauge) watch(ctx context.Context, begin, end time.Time) {
	if !sleepUntil(ctx, begin) {
		return
	}
	g.begin(ctx)
	sleepUntil(ctx, end.Add(-min(readAhead, end.Sub(begin)/10)))
	g.end(context.WithoutCancel(ctx))
}

func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (g *gauge) begin(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.process != nil {
		s, err := g.process.Stats(ctx)
		g.before, g.gotStats = s, err == nil
		if err != nil {
			g.lack("runtime", err.Error())
		}
	}
	g.begun = time.Now()
	// What takes long to read first: a server of a thousand threads has a thousand files to read.
	for _, p := range []struct {
		figure string
		begin  func() error
	}{{"client", g.client.Begin}, {"server", g.server.Begin}, {"net", g.tcp.Begin}, {"machine", g.machine.Begin}} {
		if err := p.begin(); err != nil {
			g.lack(p.figure, err.Error())
		}
	}
}

func (g *gauge) end(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var missing, more, most []results.Missing
	g.machine.Close()                    // at once, with the clocks of its own: what the others read takes them time
	g.clientUsage, more = g.client.End() // before the server: it is the one that ends soon
	g.serverUsage, missing = g.server.End()
	g.machineUse, most = g.machine.End(0)
	g.machineOver = g.machine.Over()
	g.ended = time.Now()
	if net, err := g.tcp.End(); err != nil {
		g.lack("net", err.Error())
	} else {
		g.net = &net
	}
	g.missing = append(append(append(g.missing, missing...), prefixed("client ", more)...), most...)
	if g.gotStats {
		s, err := g.process.Stats(ctx)
		if g.gotStats = err == nil; err != nil {
			g.lack("runtime", err.Error())
		} else {
			g.stats = s.Since(g.before)
		}
	}
}

func (g *gauge) lack(figure, reason string) {
	g.missing = append(g.missing, results.Missing{Figure: figure, Reason: reason})
}

func prefixed(prefix string, in []results.Missing) []results.Missing {
	for i := range in {
		in[i].Figure = prefix + in[i].Figure
	}
	return in
}

// settle puts the readings into t. serverCPU and clientCPU are those that the generator read itself, at the ends of its
// window; nil where it could not.
func (g *gauge) settle(t *results.Trial, window time.Duration, serverCPU, clientCPU *time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.Missing = append(t.Missing, g.missing...)
	if g.ended.IsZero() {
		t.Missing = append(t.Missing, results.Missing{Figure: "server", Reason: "the generator ended before the window in which its server was to be read"})
		return
	}
	read := g.ended.Sub(g.begun)
	part := float64(window) / float64(read)
	server, client, machine := scaled(g.serverUsage, window, part), scaled(g.clientUsage, window, part), g.machineUse
	ofMachine := part
	if g.machineOver > 0 {
		ofMachine = float64(window) / float64(g.machineOver)
	}
	machine.Steal, machine.Idle, machine.Others = times(machine.Steal, ofMachine), times(machine.Idle, ofMachine), times(machine.Others, ofMachine)
	machine.SoftIRQ, machine.KSoftIRQd = times(machine.SoftIRQ, ofMachine), times(machine.KSoftIRQd, ofMachine)
	machine.Seats = scaledSeats(machine.Seats, ofMachine)
	if serverCPU != nil {
		t.Missing = without(t.Missing, "cpu_ns")
		exactly(&server, *serverCPU)
	}
	if clientCPU != nil {
		t.Missing = without(without(t.Missing, "client"), "client cpu_ns")
		exactly(&client, *clientCPU)
	}
	server.Elapsed, client.Elapsed = window, window
	if g.clientUsage.CPU == 0 { // it had ended before it could be read: what it used is none of the others'
		machine.Others = max(0, machine.Others-client.CPU)
		for i, s := range machine.Seats {
			if s.Of != results.SeatServer {
				machine.Seats[i].Others = max(0, s.Others-client.CPU)
			}
		}
	}
	if ofMachine > 1/seenEnough && serverCPU != nil && clientCPU != nil {
		fillSeats(machine.Seats, window, server.CPU, client.CPU)
	}
	if n := g.net; n != nil {
		t.Net = &results.Net{SegmentsIn: count(n.SegmentsIn, part), SegmentsOut: count(n.SegmentsOut, part),
			Retransmits: count(n.Retransmits, part), Resets: count(n.Resets, part), ListenDrops: count(n.ListenDrops, part)}
	}
	t.Server, t.Client, t.Machine = &server, &client, &machine
	if g.gotStats {
		r := g.stats.Runtime
		r.Allocs, r.AllocBytes = count(r.Allocs, part), count(r.AllocBytes, part)
		t.Runtime = &r
		for _, w := range g.stats.Workers {
			w.Accepted, w.Requests = count(w.Accepted, part), count(w.Requests, part)
			t.Workers = append(t.Workers, w)
		}
	}
}

// scaled is u for the window instead of the time over which it was read, or for part of that where it does not say it: what it
// counts goes on evenly under a steady load.
func scaled(u results.Usage, window time.Duration, part float64) results.Usage {
	if u.Elapsed > 0 {
		part = float64(window) / float64(u.Elapsed)
	}
	u.CPU, u.User, u.System, u.Busiest = times(u.CPU, part), times(u.User, part), times(u.System, part), times(u.Busiest, part)
	u.Voluntary, u.Involuntary = count(u.Voluntary, part), count(u.Involuntary, part)
	u.MinorFaults, u.MajorFaults = count(u.MinorFaults, part), count(u.MajorFaults, part)
	return u
}

func scaledSeats(in []results.Seat, part float64) []results.Seat {
	seats := slices.Clone(in)
	for i, s := range seats {
		seats[i].Idle, seats[i].Steal, seats[i].Others = times(s.Idle, part), times(s.Steal, part), times(s.Others, part)
	}
	return seats
}

// seenEnough is the part of a window that must have been seen for others to be known by what they did in it.
const seenEnough = 0.9

// fillSeats makes up for a window of which a part was not seen: on a crowded machine this process comes late as well, and so
// misses just what it should see. What server and generator used was read by the generator over the whole window; what they
// did not use of it, and was not idle where it was seen, is others'.
func fillSeats(seats []results.Seat, window, server, client time.Duration) {
	for i, s := range seats {
		ours := map[string]time.Duration{results.SeatServer: server, results.SeatClient: client, results.SeatBoth: server + client}[s.Of]
		all := time.Duration(probe.CountCPUs(s.CPUs)) * window
		seats[i].Others = max(s.Others, all-s.Idle-s.Steal-ours)
	}
}

// exactly puts a better reading of the CPU time into u, and keeps how it was split.
func exactly(u *results.Usage, cpu time.Duration) {
	if u.CPU > 0 {
		part := float64(cpu) / float64(u.CPU)
		u.User, u.System = times(u.User, part), times(u.System, part)
	}
	u.CPU = cpu
}

func without(in []results.Missing, figure string) []results.Missing {
	return slices.DeleteFunc(in, func(m results.Missing) bool { return m.Figure == figure })
}

func times(d time.Duration, f float64) time.Duration { return time.Duration(float64(d) * f) }

func count(n uint64, f float64) uint64 { return uint64(math.Round(float64(n) * f)) }
