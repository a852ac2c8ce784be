package results

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"corelab/results/stacks"
)

// sceneOf is the scene of the first row of a record of these cells, as change leaves it.
func sceneOf(cells []*Cell, change func(*scene)) *scene {
	rec := &Record{Run: Run{ID: "x", Targets: []Target{{Name: "x", Kind: "core"}}}}
	for _, c := range cells {
		for _, t := range c.Trials {
			rec.Trials = append(rec.Trials, *t)
		}
	}
	all := Cells(rec)
	v, _ := all[0].Verdict()
	s := newScene(rec, all, all[0], v)
	if change != nil {
		change(s)
	}
	return s
}

// profiled gives a scene the layers of a profile, in percent.
func profiled(shares map[stacks.Layer]int64) func(*scene) {
	return func(s *scene) {
		s.layers, s.lack = &LayerCost{Attribution: stacks.Attribution{By: map[stacks.Layer]int64{}}, Profile: &Profile{Samples: 1e8}}, ""
		for l, v := range shares {
			s.layers.By[l] = v
			s.layers.Busy += v
		}
	}
}

// rest is the shares with as much in TCP as is left of 100.
func rest(shares map[stacks.Layer]int64) map[stacks.Layer]int64 {
	left := int64(100)
	for _, v := range shares {
		left -= v
	}
	shares[stacks.Transmit] += left
	return shares
}

func called(calls map[string]float64) func(*scene) { return func(s *scene) { s.calls = calls } }

// ticked is a trial whose user and system time are known, in these parts of its CPU time.
func ticked(t *Trial, user float64) {
	t.Server.User = time.Duration(user * float64(t.Server.CPU))
	t.Server.System = t.Server.CPU - t.Server.User
}

// two gives the server of a trial two CPUs, of which one thread uses that part of one.
func two(t *Trial, thread, all float64) {
	t.Server.Affinity, t.Machine.Seats[0].CPUs = "1-2", "1-2"
	t.Server.CPU, t.Server.Busiest = time.Duration(all*2e9), time.Duration(thread*1e9)
}

// pooled are n workers that hold open connections each.
func pooled(n int, open int64, accepted uint64) []Worker {
	return slices.Repeat([]Worker{{Open: open, Accepted: accepted, Requests: 100}}, n)
}

// bursting makes a trial one with a burst, of which so many requests were answered.
func bursting(t *Trial, answered uint64) {
	opened(0, t)
	t.Load.Phases = []Phase{
		{Name: PhaseBefore, Elapsed: time.Second, Due: 1000, Answered: 1000, Served: 1000, Rate: 1000, Latency: &Latency{Count: 1000, P99: time.Millisecond}},
		{Name: PhaseBurst, Elapsed: time.Second, Due: 2000, Answered: answered, Served: answered, Rate: 2000, Latency: &Latency{Count: answered, P99: time.Second}},
		{Name: PhaseAfter, Elapsed: time.Second, Due: 1000, Answered: 1000, Served: 1000, Rate: 1000},
	}
}

// ruleCase is a row that is built for one rule, and says.
type ruleCase struct {
	scene *scene
	rule  string
	says  []string
}

// row is one of busyCell's, with n rounds.
func row(placement string, server, client float64, change func(i int, t *Trial), look func(*scene)) *scene {
	return sceneOf([]*Cell{busyCell(placement, server, client, 6, change)}, look)
}

// serving is a row whose server is the limit, on a CPU of its own.
func serving(change func(i int, t *Trial), look func(*scene)) *scene {
	return row(PlacementSplit, 0.97, 0.60, change, look)
}

// ruleCases have for every rule a row in which it holds, and for those with a threshold one that is just below it.
func ruleCases() map[string]ruleCase {
	ms := time.Millisecond
	plain := func(i int, t *Trial) { ticked(t, 0.12) }
	some := func(switches float64) func(int, *Trial) {
		return func(_ int, t *Trial) {
			ticked(t, 0.12)
			t.Server.Voluntary = uint64(switches * float64(t.Load.Requests))
		}
	}
	asks := func(bytes uint64) func(int, *Trial) {
		return func(_ int, t *Trial) {
			ticked(t, 0.12)
			t.Load.BytesOut = bytes * t.Load.Requests
		}
	}
	user := func(part float64) func(int, *Trial) { return func(_ int, t *Trial) { ticked(t, part) } }
	layers := func(l stacks.Layer, v int64) func(*scene) { return profiled(rest(map[stacks.Layer]int64{l: v})) }
	small := func(cpu time.Duration, fresh bool) *Cell {
		c := busyCell(PlacementSplit, 0.97, 0.60, 6, func(_ int, t *Trial) {
			t.Scenario, t.Server.CPU, t.Load.BytesIn = "kept", cpu, 160*t.Load.Requests
			t.Wire, t.Workers = &Wire{BodyBytes: 13}, []Worker{{Accepted: 2, Requests: t.Load.Requests, Open: 64}}
			t.Load.Reconnect = fresh
		})
		c.Scenario = "kept"
		return c
	}
	fresh := func(beside ...*Cell) *scene {
		return sceneOf(append([]*Cell{busyCell(PlacementSplit, 0.97, 0.60, 6, func(_ int, t *Trial) {
			ticked(t, 0.12)
			t.Load.Reconnect, t.Wire = true, &Wire{BodyBytes: 13}
		})}, beside...), nil)
	}
	large := func(bytes int, beside ...*Cell) *scene {
		return sceneOf(append([]*Cell{busyCell(PlacementSplit, 0.97, 0.60, 6, func(_ int, t *Trial) {
			ticked(t, 0.12)
			t.Wire, t.Load.BytesIn = &Wire{BodyBytes: bytes}, uint64(bytes)*t.Load.Requests
			t.Workers = []Worker{{Accepted: 2, Requests: t.Load.Requests, Open: 64}}
		})}, beside...), nil)
	}
	starved := func(n int, workers []Worker) *scene {
		return serving(func(_ int, t *Trial) { t.Load.Starved, t.Workers = n, workers }, nil)
	}
	single := func(_ int, t *Trial) {
		t.Workers = []Worker{{Accepted: t.Load.Requests, Requests: t.Load.Requests, Open: 1}}
	}

	return map[string]ruleCase{
		"a trial that failed":              {serving(func(i int, t *Trial) { t.Error = strings.Repeat("exit status 2", i/5) }, nil), "failed", []string{"in 1 of 6 rounds", "exit status 2"}},
		"all failed":                       {serving(func(_ int, t *Trial) { t.Error = "connection refused" }, nil), "failed", []string{"it does not run: connection refused"}},
		"a wrong byte":                     {serving(func(i int, t *Trial) { t.Load.Errors.Body = uint64(i / 5) }, nil), "wrong-answers", []string{"bytes: 1", "60,000 answers"}},
		"not pinned":                       {serving(func(_ int, t *Trial) { t.Warnings = []Warning{{WarnPlacement, "not permitted"}} }, nil), "misplaced", []string{"not permitted"}},
		"latencies that are too good":      {serving(func(_ int, t *Trial) { t.Load.Latency.Mean /= 4 }, nil), "unseen-waiting", []string{"of 64 requests", "only 16", "leave a part of the waiting out"}},
		"those of a full pool":             {serving(func(_ int, t *Trial) { t.Load.Latency.Mean /= 4; t.Workers = pooled(16, 1, 0) }, nil), "unseen-waiting", []string{"16 workers keep a connection each"}},
		"latencies that are too bad":       {serving(func(_ int, t *Trial) { t.Load.Latency.Mean *= 3 }, nil), "unlikely-latency", []string{"192 requests in flight", "hold 64"}},
		"answers that did not come":        {serving(func(_ int, t *Trial) { t.Load.Errors.Read = 3 }, nil), "lost-answers", []string{"3 read"}},
		"a warning that nobody knows":      {serving(func(_ int, t *Trial) { t.Warnings = []Warning{{"of-a-newer-corelab", "no"}} }, nil), "refused", []string{"of-a-newer-corelab"}},
		"a pool that is full":              {starved(48, pooled(16, 1, 0)), "pool-full", []string{"48 of 64 connections were never answered", "16 workers keep one connection each"}},
		"a pool whose threads take turns":  {starved(40, pooled(16, 1, 90)), "never-answered", nil},
		"a pool with idle threads":         {starved(40, append(pooled(14, 1, 0), pooled(2, 0, 0)...)), "never-answered", nil},
		"a pool that was asked too late":   {starved(48, pooled(16, 0, 3)), "pool-full", []string{"16 connections were answered, and it has 16 workers"}},
		"connections that nobody accepted": {starved(4, []Worker{{Open: 60, Requests: 10000}}), "never-accepted", []string{"4 of 64", "has 60 open"}},
		"connections that were accepted":   {starved(4, []Worker{{Open: 64, Requests: 10000}}), "never-answered", []string{"4 of 64", "though they were accepted", "the others had 10,000"}},
		"of a foreign server":              {starved(4, nil), "never-answered", []string{"4 of 64 connections"}},
		"one at a time": {row(PlacementSplit, 0.57, 0.98, single, nil), "one-at-a-time",
			[]string{"the server is idle 43 % while 63 of 64 connections wait", "10,000 connections for 10,000 answers", "lower bound"}},
		"one at a time, and nobody busy": {row(PlacementSplit, 0.57, 0.80, single, nil), "one-at-a-time", []string{"idle 43 %"}},
		"one at a time, and starved": {row(PlacementSplit, 0.03, 0.03, func(i int, t *Trial) {
			single(i, t)
			t.Load.Starved = 20
		}, nil), "one-at-a-time", []string{"and 20 were never answered"}},
		"one at a time, as the client wants it": {row(PlacementSplit, 0.57, 0.98, func(i int, t *Trial) {
			single(i, t)
			t.Load.Reconnect = true
		}, nil), "generator", []string{"a new connection for each request"}},
		"a loop that had one open by chance": {row(PlacementSplit, 0.57, 0.98, func(i int, t *Trial) {
			single(i, t)
			t.Workers[0].Open = int64(1 + i/5)
		}, nil), "generator", nil},
		"disturbed in most rounds": {serving(taken(func(i int) bool { return i < 4 }), nil), "disturbed", []string{"4 of 6 rounds", "20.0 % of the server's CPU 1"}},
		"nobody knows who was busy": {serving(func(_ int, t *Trial) {
			t.Server, t.Missing = nil, []Missing{{"server", "permission denied"}}
		}, nil), "unknown-busy", []string{"permission denied"}},
		"rounds that lie apart": {serving(func(i int, t *Trial) { t.Client.CPU *= time.Duration(1 + 2*(i%2)) }, nil), "too-wide", []string{"50 %"}},

		"a burst that is too much": {serving(func(_ int, t *Trial) { bursting(t, 1500) }, nil), "overload", []string{"of 2,000/s that were due it answered 1,500", "p99 in the burst 1.00 s, before it 1.00 ms"}},
		"a burst that is none":     {serving(func(_ int, t *Trial) { bursting(t, 2000) }, nil), "burst-met", []string{"2,000/s"}},
		"a burst that the generator cannot offer": {serving(func(_ int, t *Trial) {
			bursting(t, 1500)
			t.Load.Phases[1].LateOwn = 1000
		}, nil), "generator", []string{"goodput is a lower bound"}},
		"a tail that waits": {row(PlacementSplit, 0.30, 0.20, func(i int, t *Trial) {
			opened(i, t)
			t.Load.Latency.P50, t.Load.Latency.P99 = ms/10, 2*ms
		}, nil), "slow-tail", []string{"takes 2.00 ms, 20 times", "idle 70 %"}},
		"a tail that is shorter": {row(PlacementSplit, 0.30, 0.20, func(i int, t *Trial) {
			opened(i, t)
			t.Load.Latency.P50, t.Load.Latency.P99 = ms/10, 2*ms-1
		}, nil), "rate", []string{"10,000/s", "the server's CPUs are idle 70 %"}},
		"a tail of a queue": {row(PlacementSplit, 0.51, 0.20, func(i int, t *Trial) {
			opened(i, t)
			t.Load.Latency.P50, t.Load.Latency.P99 = ms/10, 20*ms
		}, nil), "rate", nil},
		"a rate that is all it bears": {row(PlacementSplit, 0.95, 0.20, opened, nil), "rate", []string{"used up"}},

		"a generator that is busier":    {row(PlacementSplit, 0.60, 0.97, nil, nil), "generator", []string{"it is busy 97 %, and the server idle 40 %", "costs it 97.0 µs and the server 60.0 µs"}},
		"a generator that is as busy":   {row(PlacementSplit, 0.97, 0.97, nil, nil), "generator", []string{"and the server nearly"}},
		"a generator that has the most": {row(PlacementOne, 0.20, 0.78, nil, nil), "generator", []string{"20 % of it is the server's"}},

		"packets have the CPU": {row(PlacementOne, 0.47, 0.38, func(_ int, t *Trial) { t.Machine.KSoftIRQd = 60 * ms }, nil), "packet-threads", []string{"6 % of it"}},
		"packets have little":  {row(PlacementOne, 0.47, 0.38, func(_ int, t *Trial) { t.Machine.KSoftIRQd = 49 * ms }, nil), "idle-waiting", []string{"15 % of what both share"}},
		"too few connections": {row(PlacementSplit, 0.10, 0.10, func(i int, t *Trial) {
			late(i, t)
			t.Load.Service = &Latency{Count: 10000, Mean: 16 * ms, P50: 16 * ms, P99: 17 * ms}
			t.Load.Behind, t.Load.Waited = time.Second*4/5, time.Second*3/5
		}, nil), "too-few-connections", []string{"10,000/s × 16.0 ms an answer take 160, and there are 64", "for 80 % of the time", "in 75 %"}},
		"enough connections": {row(PlacementSplit, 0.88, 0.85, func(i int, t *Trial) {
			late(i, t)
			t.Load.Service = &Latency{Count: 10000, Mean: 6 * ms}
		}, nil), "late", []string{"server 88 %, generator 85 %", "50.0 % of what was due"}},
		"one request in flight": {row(PlacementSplit, 0.45, 0.50, func(_ int, t *Trial) {
			t.Load.Connections, t.Load.Latency.Mean = 1, t.Load.Latency.Mean/64
		}, nil), "one-in-flight", []string{"the server works 45.0 µs"}},
		"a handler that waits": {row(PlacementSplit, 0.10, 0.10, func(_ int, t *Trial) { t.Load.Latency.Min = 5 * ms }, nil), "waits-inside",
			[]string{"less than 5.00 ms, of which it works 10.0 µs", "64 in flight ÷ 5.00 ms are at most 12,800 req/s, and it does 10,000"}},
		"a handler that waits at times": {row(PlacementSplit, 0.10, 0.10, func(_ int, t *Trial) { t.Load.Latency.Min = 3 * ms }, nil), "idle-waiting", nil},
		"a handler that is short":       {row(PlacementSplit, 0.80, 0.10, func(_ int, t *Trial) { t.Load.Latency.Min = 3 * ms / 2; t.Load.Latency.P50 = 2 * ms }, nil), "idle-waiting", nil},
		"wake-ups":                      {row(PlacementSplit, 0.50, 0.50, func(_ int, t *Trial) { t.Server.Voluntary = 5000 }, nil), "wake-ups", []string{"woken 0.50 times a request, and it is idle 50 %"}},
		"fewer wake-ups":                {row(PlacementSplit, 0.50, 0.50, func(_ int, t *Trial) { t.Server.Voluntary = 4999 }, nil), "idle-waiting", []string{"and it is idle 50 %, though 64 requests are in flight"}},
		"wake-ups for a batch": {row(PlacementSplit, 0.50, 0.50, func(_ int, t *Trial) {
			t.Server.Voluntary, t.Load.Depth, t.Load.Latency.Mean = 1000, 16, 16*t.Load.Latency.Mean
		}, nil), "wake-ups", []string{"1.60 times a batch of requests"}},

		"a full listen queue": {serving(func(i int, t *Trial) {
			plain(i, t)
			t.Load.Reconnect, t.Net = true, &Net{ListenDrops: 10}
		}, nil), "full-backlog", []string{"10 times beside 10,000"}},
		"a listen queue that was full once": {serving(func(i int, t *Trial) {
			plain(i, t)
			t.Load.Reconnect, t.Net = true, &Net{ListenDrops: 9}
		}, nil), "connection-per-request", nil},
		"TCP that sends again": {serving(func(i int, t *Trial) { plain(i, t); t.Net = &Net{SegmentsOut: 20000, Retransmits: 200} }, nil), "retransmits", []string{"1.0 % of its segments"}},
		"TCP that hardly does": {serving(func(i int, t *Trial) { plain(i, t); t.Net = &Net{SegmentsOut: 20000, Retransmits: 199} }, nil), "kernel", nil},
		"one thread":           {serving(func(i int, t *Trial) { two(t, 0.97, 0.50); plain(i, t) }, nil), "one-thread", []string{"busy 97 %", "of the server's 2 CPUs 50 % is idle"}},
		"one thread of many":   {serving(func(i int, t *Trial) { two(t, 0.97, 0.80); plain(i, t) }, nil), "kernel", nil},
		"one worker of two": {serving(func(i int, t *Trial) {
			two(t, 0.97, 0.50)
			t.Workers = []Worker{{Requests: 7500, Open: 48}, {Requests: 2500, Open: 16}}
		}, nil), "uneven-workers", []string{"one of 2 answered 75 % of all"}},
		"two workers that share": {serving(func(i int, t *Trial) {
			two(t, 0.97, 0.50)
			plain(i, t)
			t.Workers = []Worker{{Requests: 7400, Open: 48}, {Requests: 2600, Open: 16}}
		}, nil), "kernel", nil},
		"a loop that accepts for one worker": {serving(func(i int, t *Trial) {
			two(t, 0.97, 0.50)
			t.Workers = []Worker{{Accepted: 64, Open: 64}, {Requests: 10000}}
		}, nil), "one-thread", nil},
		"a connection that is neglected": {serving(func(i int, t *Trial) {
			plain(i, t)
			t.Load.PerConn = &Spread{Min: 10, Median: 150, Max: 170}
		}, nil), "uneven-connections", []string{"one connection got 10 answers where half of them got 150"}},
		"a connection that is behind": {serving(func(i int, t *Trial) {
			plain(i, t)
			t.Load.PerConn = &Spread{Min: 16, Median: 150, Max: 170}
		}, nil), "kernel", nil},
		"a connection for each":             {fresh(), "connection-per-request", []string{"97.0 µs of CPU a request, with setting it up", "as the clients want it"}},
		"which is dearer than kept ones":    {fresh(small(200*ms, false)), "connection-per-request", []string{"of 97.0 µs of CPU 77.0 µs", "where it is kept (kept) a request takes 20.0 µs"}},
		"with nothing to hold against":      {fresh(small(200*ms, true)), "connection-per-request", []string{"97.0 µs of CPU a request, with"}},
		"large bodies":                      {large(1 << 20), "large-bodies", []string{"1,048,576 B are an answer", "for each KiB", "10,486 MB/s"}},
		"bodies that are large enough":      {large(1 << 16), "large-bodies", nil},
		"bodies that are not":               {large(1<<16 - 1), "kernel", nil},
		"bodies that cost more than small":  {large(1<<14, small(480*ms, false)), "large-bodies", []string{"of 97.0 µs of CPU 51 % come with them, for with few (kept) a request takes 48.0 µs"}},
		"bodies that cost little more":      {large(1<<16, small(490*ms, false)), "kernel", nil},
		"answers that leave alone":          {serving(func(i int, t *Trial) { plain(i, t); piped(t, 5000) }, nil), "answers-one-by-one", []string{"0.50 TCP segments a request, though 16 come at once"}},
		"answers that leave together":       {serving(func(i int, t *Trial) { plain(i, t); piped(t, 4999) }, nil), "kernel", nil},
		"a thread that is woken":            {serving(func(i int, t *Trial) { plain(i, t); t.Server.Voluntary = 5000 }, nil), "hand-over", []string{"0.50 voluntary switches"}},
		"a thread that is woken less often": {serving(func(i int, t *Trial) { plain(i, t); t.Server.Voluntary = 4999 }, nil), "kernel", nil},
		"wake-ups stand out":                {serving(some(0.1), layers(stacks.Wakeup, 9)), "hand-over", []string{"threads wake each other: 0.10 voluntary switches a request", "have 9 %", "TCP, which all must pay, has 91 %"}},
		"wake-ups do not":                   {serving(some(0.1), layers(stacks.Wakeup, 8)), "kernel-tcp", nil},
		"wake-ups of a peer":                {serving(some(0.09), layers(stacks.Wakeup, 20)), "kernel-tcp", nil},
		"wake-ups for each":                 {serving(some(1.2), layers(stacks.Wakeup, 20)), "hand-over", []string{"woken for each request: 1.20 voluntary switches", "have 20 %"}},
		"wake-ups that too few samples show": {serving(some(0.1), func(s *scene) {
			layers(stacks.Wakeup, 12)(s)
			s.layers.Profile.Samples = 100
		}), "kernel-tcp", nil},
		"the scheduler stands out": {serving(plain, profiled(rest(map[stacks.Layer]int64{stacks.Scheduler: 5, stacks.Netpoller: 4}))), "go-scheduler", []string{"9 % of its CPU time (Go scheduler 5 %, netpoller 4 %)"}},
		"the scheduler does not":   {serving(plain, layers(stacks.Scheduler, 8)), "kernel-tcp", nil},
		"memory stands out": {serving(func(i int, t *Trial) {
			plain(i, t)
			t.Runtime = &Runtime{Allocs: 130000, AllocBytes: 14_610_000, GCs: 5}
		}, layers(stacks.Memory, 6)), "allocation", []string{"6 %", "13.0 objects, 1,461 B allocated a request, 500 GC cycles a million"}},
		"memory does not":                  {serving(plain, layers(stacks.Memory, 5)), "kernel-tcp", nil},
		"epoll stands out":                 {serving(plain, layers(stacks.Epoll, 9)), "epoll", []string{"9 %"}},
		"epoll does not":                   {serving(plain, layers(stacks.Epoll, 8)), "kernel-tcp", nil},
		"interest that is registered anew": {serving(plain, called(map[string]float64{"read": 1, "write": 1, "epoll_ctl": 2})), "epoll", []string{"registered anew for each request, 2.00 epoll_ctl"}},
		"interest that is registered once": {serving(plain, called(map[string]float64{"read": 1, "write": 1, "epoll_ctl": 0.49})), "kernel", []string{"2.49 system calls (read 1.00, write 1.00, epoll_ctl 0.49)"}},
		"set-up stands out":                {serving(plain, layers(stacks.Setup, 11)), "connection-set-up", []string{"11 %"}},
		"set-up does not":                  {serving(plain, layers(stacks.Setup, 10)), "kernel-tcp", nil},
		"entry stands out":                 {serving(plain, layers(stacks.CallEntry, 16)), "system-calls", []string{"16 %"}},
		"entry does not":                   {serving(plain, layers(stacks.CallEntry, 15)), "kernel-tcp", nil},
		"many calls":                       {serving(plain, called(map[string]float64{"getppid": 2, "read": 1, "write": 1})), "system-calls", []string{"4.00 system calls (getppid 2.00, read 1.00, write 1.00) a request, where a read and a write do"}},
		"fewer calls":                      {serving(plain, called(map[string]float64{"getppid": 1.9, "read": 1, "write": 1})), "kernel", nil},
		"new memory":                       {serving(func(i int, t *Trial) { plain(i, t); t.Server.MinorFaults, t.Server.RSSKiB = 5000, 2048 }, nil), "page-faults", []string{"0.50 page faults", "2.0 MiB"}},
		"less new memory":                  {serving(func(i int, t *Trial) { plain(i, t); t.Server.MinorFaults = 4999 }, nil), "kernel", nil},
		"user code stands out":             {serving(plain, profiled(rest(map[stacks.Layer]int64{stacks.Handler: 21, stacks.Parse: 10}))), "user-code", []string{"31 % of its CPU time (handler 21 %, parse 10 %)"}},
		"user code does not":               {serving(plain, layers(stacks.Handler, 30)), "kernel-tcp", []string{"70 % in TCP (TCP transmit 70 %), user code 30 %"}},
		"user time":                        {serving(user(0.5), nil), "user-code", []string{"50 % of a request's CPU time are user time"}},
		"less user time":                   {serving(user(0.49), nil), "kernel", []string{"51 % of a request's CPU time are system time"}},
		"what stands out most":             {serving(some(1), profiled(rest(map[stacks.Layer]int64{stacks.Handler: 45, stacks.Wakeup: 22}))), "user-code", nil},
		"what stands out less":             {serving(some(1), profiled(rest(map[stacks.Layer]int64{stacks.Handler: 45, stacks.Wakeup: 24}))), "hand-over", nil},
		"reads that find nothing":          {serving(asks(50), called(map[string]float64{"recvfrom": 1.3, "write": 1})), "empty-reads", []string{"1.30 reads a request, of which one has it"}},
		"reads that find nothing, and a profile": {serving(asks(50), func(s *scene) {
			called(map[string]float64{"recvfrom": 1.3, "write": 1})(s)
			profiled(rest(map[stacks.Layer]int64{stacks.SocketRead: 15}))(s)
		}), "empty-reads", []string{"reading has 15 % of its CPU time"}},
		"reads that find little":  {serving(asks(50), called(map[string]float64{"recvfrom": 1.29, "write": 1})), "kernel", nil},
		"reads of large requests": {serving(asks(2000), called(map[string]float64{"recvfrom": 1.5, "write": 1})), "kernel", nil},
		"TCP":                     {serving(plain, layers(stacks.Epoll, 5)), "kernel-tcp", []string{"kernel: 95 % in TCP"}},
		"TCP that has little":     {serving(plain, profiled(map[stacks.Layer]int64{stacks.Transmit: 29, stacks.Other: 71})), "spread", []string{"other 71 %, TCP transmit 29 %"}},
		"nobody knows more":       {serving(nil, nil), "cpu", []string{"97.0 µs a request", "not told apart"}},
	}
}

// piped makes a trial one of 16 requests at once, with so many segments sent.
func piped(t *Trial, segments uint64) {
	t.Load.Depth, t.Load.Latency.Mean, t.Load.BytesIn = 16, 16*t.Load.Latency.Mean, 160*t.Load.Requests
	t.Net = &Net{SegmentsIn: segments, SegmentsOut: segments}
}

// TestBottleneckRules: every rule holds where it should, and just below its threshold another does.
func TestBottleneckRules(t *testing.T) {
	held := map[string]bool{}
	for name, tt := range ruleCases() {
		t.Run(name, func(t *testing.T) {
			b := tt.scene.judge()
			held[b.Rule] = true
			if b.Rule != tt.rule {
				t.Fatalf("%s (%s: %s), want %s; %q", b.Rule, tt.scene.verdict.Kind, b.Sentence, tt.rule, b.Evidence)
			}
			all := b.Sentence + "\n" + strings.Join(b.Evidence, "\n")
			for _, s := range tt.says {
				if !strings.Contains(all, s) {
					t.Errorf("%q does not say %q", all, s)
				}
			}
			checkBottleneck(t, b)
		})
	}
	for _, r := range BottleneckRules {
		if !held[r.Name] && r.Name != "lock" { // which takes the file of a profile: see TestLocks
			t.Errorf("no case has the rule %s", r.Name)
		}
	}
}

// nonsense is what no sentence may hold: what is no figure, or one that was missing and reads as zero.
var nonsense = regexp.MustCompile(`NaN|Inf|%!|\b0 of|\b0 (connections|workers|requests|CPUs|answers)|(^| )-\d|  |\.\.|: $|\(\)`)

// checkBottleneck holds what everything that is said of a row must be.
func checkBottleneck(t *testing.T, b Bottleneck) {
	t.Helper()
	if b.Rule == "" || b.Sentence == "" || b.Moves == "" || len(b.Evidence) == 0 {
		t.Errorf("something is missing: %+v", b)
	}
	for _, text := range append(slices.Clone(b.Evidence), b.Sentence, b.Lacks) {
		if nonsense.MatchString(text) {
			t.Errorf("%s says nonsense: %q", b.Rule, text)
		}
	}
	if slices.Contains(b.Evidence, "") {
		t.Errorf("%s has empty evidence: %q", b.Rule, b.Evidence)
	}
}

func TestBottleneckRulesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range BottleneckRules {
		if seen[r.Name] || r.Name == "" || r.When == "" || r.Moves == "" || r.Provoked == "" || len(r.of) == 0 || r.find == nil {
			t.Errorf("the rule %q is not whole, or twice there", r.Name)
		}
		seen[r.Name] = true
	}
	for _, g := range groups {
		if !seen[g.rule] {
			t.Errorf("the group %s is of no rule", g.rule)
		}
	}
}

// TestEveryRowHasItsBottleneck: on recorded runs every row that was tried has exactly one sentence, twice the same.
func TestEveryRowHasItsBottleneck(t *testing.T) {
	for _, dir := range []string{"testdata/run", "reference/bench", "reference/peers"} {
		rec, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		cells := Cells(rec)
		tried := 0
		for _, c := range cells {
			b, ok := rec.BottleneckOf(cells, c)
			_, has := c.Verdict()
			if ok != (has && c.Role != RoleObserved && c.Role != RoleProfiled) {
				t.Errorf("%+v: a bottleneck: %v, a verdict: %v", c.Key, ok, has)
			}
			if !ok {
				continue
			}
			tried++
			checkBottleneck(t, b)
			again, _ := rec.BottleneckOf(cells, c)
			if again.Sentence != b.Sentence || !slices.Equal(again.Evidence, b.Evidence) {
				t.Errorf("%+v: %q, and then %q", c.Key, b.Sentence, again.Sentence)
			}
			if b.Lacks == "" && b.Rule == "kernel" {
				t.Errorf("%+v has no profile, and nothing says so", c.Key)
			}
		}
		if tried == 0 {
			t.Errorf("%s has no row", dir)
		}
	}
}

// TestBottlenecksInTheReport: below its table each row has its line, in the table's order, and a hostile name stays text.
func TestBottlenecksInTheReport(t *testing.T) {
	const hostile = "<script>alert(1)</script>|`x`\x1b[31m"
	rec := ledgerRecord()
	rec.Run.Targets[2].Name = hostile
	for i := range rec.Trials {
		if rec.Trials[i].Target == "mine" {
			rec.Trials[i].Target = hostile
		}
	}
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	md := string(files[ReportFile])
	_, list, found := strings.Cut(md, escapeMarkdown(bottleneckTitle)+"\n\n")
	if !found {
		t.Fatalf("nothing says what limits each row:\n%s", md)
	}
	lines := strings.Split(list, "\n")
	for i, begin := range []string{"- reactor: kernel: 80 %", "- nginx: kernel: 80 %", "- " + escapeMarkdown(hostile+": kernel: 80 %"), "- no profile: was not profiled here"} {
		if !strings.HasPrefix(lines[i], begin) {
			t.Errorf("line %d is %q, want %q", i, lines[i], begin)
		}
	}
	if strings.Contains(strings.ReplaceAll(md, `\<script`, ""), "<script") || strings.Contains(md, "\x1b") {
		t.Error("a name poses as markup")
	}
	if !strings.Contains(lines[0], "Seen: ") || !strings.Contains(lines[1], "Moves: as for reactor.") {
		t.Errorf("not all is said: %q", lines[:2])
	}
	text := Summary(rec, 400, false)
	if !strings.Contains(text, "- reactor: kernel: 80 %") || strings.Contains(text, "Seen: ") || strings.Contains(text, "\x1b") {
		t.Errorf("on a terminal:\n%s", text)
	}
}

// TestBottlenecksForPrograms: report --format json has what the report says.
func TestBottlenecksForPrograms(t *testing.T) {
	rec := ledgerRecord()
	for _, v := range Verdicts(rec) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if v.Bottleneck == nil || !strings.Contains(string(b), `"bottleneck":{"rule":"kernel","sentence":"kernel: 80 %`) {
			t.Errorf("%s", b)
		}
	}
}

// TestLocks: others who wait for who holds a lock are in Go's profile of it, which is a file.
func TestLocks(t *testing.T) {
	held := func(ns int64, elapsed time.Duration) *scene {
		s := serving(func(_ int, t *Trial) { ticked(t, 0.12) }, nil)
		s.rec.Trials = append(s.rec.Trials, Trial{Scenario: "plaintext", Target: "x", Role: RoleProfiled,
			Profiles: []Profile{{Kind: ProfileMutex, Path: "profiles/m.pb.gz", Elapsed: elapsed}}})
		s.rec.profiles.read = map[string]*readProfile{"profiles/m.pb.gz": {stacks: &stacks.Profile{Unit: "nanoseconds", Total: ns, Stacks: []stacks.Stack{
			{Frames: []stacks.Frame{{Name: "main.serve"}, {Name: "main.(*cache).get"}, {Name: "sync.(*Mutex).Unlock"}}, Value: ns}}}}}
		return s
	}
	b := held(1e8, time.Second).judge()
	if b.Rule != "lock" || !strings.Contains(b.Sentence, "100 ms in each second") || !strings.Contains(b.Sentence, "mostly main.(*cache).get") {
		t.Errorf("%+v", b)
	}
	checkBottleneck(t, b)
	if b := held(1e8-1, time.Second).judge(); b.Rule != "kernel" {
		t.Errorf("%+v", b)
	}
}

// TestWaits: what threads waited for is told by the functions on their stacks.
func TestWaits(t *testing.T) {
	for want, frames := range map[string][]string{
		"epoll":                            {"nginx", "main", "epoll_wait", "entry_SYSCALL_64_after_hwframe", "do_epoll_wait", "ep_poll", "schedule_hrtimeout_range"},
		waitsForLock:                       {"x", "worker", "pthread_mutex_lock", "__lll_lock_wait", "futex_wait"},
		"futex (parked threads, or locks)": {"coreserver", "runtime.mPark", "runtime.futex", "futex_wait", "__schedule"},
		"sleep":                            {"x", "nanosleep", "hrtimer_nanosleep"},
		"its turn on the CPU":              {"x", "main", "asm_sysvec_apic_timer_interrupt", "schedule"},
		"a full socket buffer":             {"x", "write", "tcp_sendmsg_locked", "sk_stream_wait_memory"},
		"elsewhere":                        {"x", "main"},
	} {
		var stack []stacks.Frame
		for _, f := range frames {
			stack = append(stack, stacks.Frame{Name: f})
		}
		if got := waitOf(stack); got != want {
			t.Errorf("%q: %q, want %q", frames, got, want)
		}
	}
	s := serving(nil, nil)
	s.rec.Trials = append(s.rec.Trials, Trial{Scenario: "plaintext", Target: "x", Role: RoleProfiled, RunQueue: &Latency{Count: 10, P50: 4000, P99: 2_000_000},
		Profiles: []Profile{{Kind: ProfileOffCPU, Path: "profiles/o.pb.gz", Elapsed: time.Second}}})
	s.rec.profiles.read = map[string]*readProfile{"profiles/o.pb.gz": {stacks: &stacks.Profile{Total: 4, Stacks: []stacks.Stack{
		{Frames: []stacks.Frame{{Name: "x"}, {Name: "hrtimer_nanosleep"}}, Value: 3}, {Frames: []stacks.Frame{{Name: "x"}, {Name: "ep_poll"}}, Value: 1}}}}}
	if got := s.waitsSeen(); !slices.Equal(got, []string{"off the CPU, summed over its threads: sleep 75 %, epoll 25 %"}) {
		t.Errorf("%q", got)
	}
	if got := s.wakeSeen(); !slices.Equal(got, []string{"a thread that was woken ran 4.00 µs later (p50), p99 2.00 ms"}) {
		t.Errorf("%q", got)
	}
}

// TestBorrowed: a case without a profile and counts of its own goes by those of another with the same exchange, and says so.
func TestBorrowed(t *testing.T) {
	calls := map[string]float64{"read": 1, "write": 1, "epoll_ctl": 2}
	layers := &stacks.Attribution{By: map[stacks.Layer]int64{stacks.Epoll: 20, stacks.Transmit: 68, stacks.Parse: 12}, Busy: 100}
	for name, tt := range map[string]struct {
		change           func(t *Trial) // of the trials beside
		observe, profile bool
		says             string
		rule             string
	}{
		"counts":              {func(*Trial) {}, true, false, "2.00 epoll_ctl (counted in kept)", "epoll"},
		"a profile":           {func(*Trial) {}, false, true, "epoll: 20 % of its CPU time; TCP, which all must pay, has 68 % (profiled in kept)", "epoll"},
		"another answer":      {func(t *Trial) { t.Wire = &Wire{BodyBytes: 14} }, true, true, "system time", "kernel"},
		"a new connection":    {func(t *Trial) { t.Load.Reconnect = true }, true, true, "system time", "kernel"},
		"deeper pipelines":    {func(t *Trial) { t.Load.Depth = 16 }, true, true, "system time", "kernel"},
		"a trial that failed": {func(t *Trial) { t.Error = "killed" }, true, true, "system time", "kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serving(func(_ int, t *Trial) { ticked(t, 0.12); t.Wire = &Wire{BodyBytes: 13} }, nil)
			beside := Trial{Scenario: "kept", Target: "x", Wire: &Wire{BodyBytes: 13}, Load: &Load{Depth: 1, Requests: 100}}
			tt.change(&beside)
			if tt.observe {
				beside.Role, beside.Calls = RoleObserved, calls
				s.rec.Trials = append(s.rec.Trials, beside)
			}
			if tt.profile {
				beside.Role, beside.Calls = RoleProfiled, nil
				beside.Profiles = []Profile{{Kind: ProfileCPU, Path: "profiles/c.pb.gz", Samples: 1e6}}
				s.rec.Trials = append(s.rec.Trials, beside)
				s.rec.profiles.read = map[string]*readProfile{"profiles/c.pb.gz": {stacks: &stacks.Profile{}, layers: layers}}
			}
			cells := Cells(s.rec)
			b, _ := s.rec.BottleneckOf(cells, cells[0])
			if b.Rule != tt.rule || !strings.Contains(b.Sentence, tt.says) {
				t.Errorf("%s: %q, want %s with %q", b.Rule, b.Sentence, tt.rule, tt.says)
			}
			checkBottleneck(t, b)
		})
	}
	// A profile of more user time than the row has is of something else.
	s := serving(func(_ int, t *Trial) { ticked(t, 0.30); t.Wire = &Wire{BodyBytes: 13} }, nil)
	if cost := (&LayerCost{Attribution: *layers}); s.likeSplit(cost) {
		t.Error("30 % of user time are like 12 %")
	}
}
