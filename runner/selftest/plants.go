package selftest

import (
	"time"

	"corelab/results"
	"corelab/runner"
)

// What is planted, where a formula needs it as well as the flag.
const (
	ms = time.Millisecond

	lateBy   = 50 * ms
	stallFor = 100 * ms
	stallIn  = time.Second
	fewFor   = 200 * ms
	fewIn    = 500 * ms

	// Services are long, for waking up four times for a request takes half a millisecond on a virtual machine that idles.
	service       = 20 * ms
	poissonFor    = 12 * ms
	poissonRate   = 50
	poissonWarmUp = 300 * ms
	poissonWindow = 5 * time.Second

	closedFor    = 2 * ms
	closedClient = 16

	// Few requests at once: connecting takes its time as well.
	overFor    = 10 * ms
	overRate   = 150
	overWindow = 1500 * ms
	overFew    = 16

	ballast    = 200 * time.Microsecond
	muted      = 16
	faultEvery = 19 // no divisor of the requests, so that one request more or less changes no count
	leak       = 16 << 10
	drift      = 200 * time.Microsecond // so much that what a request costs by itself, tens of µs and never the same, is little beside it
	driftFrom  = 300 * ms
	driftTo    = 3300 * ms
)

// Sources of the formulas.
const (
	byDefinition = "by definition of what is planted"
	byTriangle   = "constant arrivals at a server that stands still: the wait falls evenly from S to 0 (the triangle of a queue that builds up and is let go)"
	byFluid      = "D/D/1 above its capacity: request k is due at k ÷ λ and done at (k + 1) ÷ μ"
	byLittle     = "Little's law: N = X · R, with X = 1 ÷ s"
	byLindley    = "Lindley's recursion W' = max(0, W + s − A) over the seeded gaps that were sent (M/D/1; in the long run Pollaczek–Khinchine's s + ρs ÷ 2(1 − ρ))"
)

// Plants is every plant there is.
var Plants = []Plant{
	{
		Name: "late", Server: "exactly every 50th answer is 50 ms late", Flags: []string{"--plant-late", "0.02@50ms"},
		Shape: openLoop(2000, 64), Place: runner.Split, Trials: once(300*ms, 4*time.Second), Quick: true,
		Asks: []Ask{
			below(0.90, "f = 0.02 of the answers are late, nine in ten are not: "+byDefinition),
			quantile(0.99, lateQuantile(0.99, 0.02, lateBy), "q > 1 − f: D = 50 ms; "+byDefinition),
			slow(lateBy/2, 50),
			verdict(results.RateBound),
		},
		Foreign: &Foreign{By: foreigners(), Last: 2 * time.Second},
	},
	{
		Name: "late-closed", Server: "exactly every 10th answer is 50 ms late", Flags: []string{"--plant-late", "0.1@50ms"},
		Shape: closedLoop(closedClient), Place: runner.Split, Trials: once(300*ms, 2*time.Second),
		Asks: []Ask{
			below(0.50, "f = 0.1 of the answers are late: "+byDefinition),
			quantile(0.99, lateQuantile(0.99, 0.1, lateBy), "q > 1 − f: D = 50 ms; "+byDefinition),
			mean(lateMean(0.1, lateBy), "f · D and what an answer takes that is not late (the median); "+byDefinition),
		},
		Foreign: &Foreign{By: []runner.Generator{runner.ByUring, runner.ByWrk, runner.ByH2load}, Last: 2 * time.Second},
	},
	{
		Name: "stall", Server: "the whole server stands still for 100 ms of each second", Flags: []string{"--plant-stall", "100ms@1s"},
		Shape: openLoop(1000, 256), Place: runner.Split, Trials: once(200*ms, 10*time.Second),
		Asks: []Ask{
			quantile(0.95, stallQuantile(0.95, stallFor, stallIn), "S − (1 − q) · P; "+byTriangle),
			quantile(0.99, stallQuantile(0.99, stallFor, stallIn), "S − (1 − q) · P; "+byTriangle),
			quantile(0.999, stallQuantile(0.999, stallFor, stallIn), "S − (1 − q) · P; "+byTriangle),
			mean(stallMean(stallFor, stallIn), "S² ÷ 2P and what an answer takes that meets no stall (the median); "+byTriangle),
		},
		Foreign: &Foreign{By: foreigners(), Last: 4 * time.Second},
	},
	{
		Name: "stall-few", Server: "the whole server stands still for 200 ms of each half second; a tenth of what is due meanwhile finds a connection",
		Flags: []string{"--plant-stall", "200ms@500ms"}, Queues: true,
		Shape: openLoop(500, 8), Place: runner.Split, Trials: once(200*ms, 5*time.Second),
		Asks: []Ask{
			quantile(0.90, stallQuantile(0.90, fewFor, fewIn), "S − (1 − q) · P, whoever queues: the server or the generator; "+byTriangle),
			quantile(0.99, stallQuantile(0.99, fewFor, fewIn), "S − (1 − q) · P, whoever queues: the server or the generator; "+byTriangle),
			mean(stallMean(fewFor, fewIn), "S² ÷ 2P and what an answer takes that meets no stall (the median); "+byTriangle),
		},
		Foreign: &Foreign{By: []runner.Generator{runner.ByUring, runner.ByVegeta}, Last: 3 * time.Second},
	},
	{
		Name: "serial", Server: "one request at a time, each for 20 ms", Flags: []string{"--plant-serial", "20ms"},
		Shape: openLoop(40, 16), Place: runner.Split, Trials: once(200*ms, 2*time.Second),
		Asks: []Ask{
			quantile(0.50, float64(service), "s, nobody waits at ρ = 0.8: D/D/1 below its capacity"),
			quantile(0.90, float64(service), "s, nobody waits at ρ = 0.8: D/D/1 below its capacity"),
		},
	},
	{
		Name: "serial-poisson", Server: "one request at a time, each for 12 ms", Flags: []string{"--plant-serial", "12ms"},
		Shape: poisson(poissonRate, 64), Place: runner.Split, Trials: once(poissonWarmUp, poissonWindow),
		Asks: []Ask{queued(0.50), queued(0.90), queued(0.99), queued(0)},
	},
	{
		Name: "serial-closed", Server: "one request at a time, each for 2 ms", Flags: []string{"--plant-serial", "2ms"},
		Shape: closedLoop(closedClient), Place: runner.Split, Trials: once(200*ms, 1500*ms),
		Asks: []Ask{
			quantile(0.50, closedLatency(closedClient, closedFor), "N · s; "+byLittle),
			quantile(0.99, closedLatency(closedClient, closedFor), "N · s; "+byLittle),
			throughput(1/closedFor.Seconds(), "1 ÷ s; "+byDefinition),
			verdict(results.IdleWaiting),
		},
	},
	{
		Name: "overload", Server: "one request at a time, each for 10 ms, and half as many again as it can serve", Flags: []string{"--plant-serial", "10ms"},
		Shape: openLoop(overRate, 128), Place: runner.Split, Trials: once(0, overWindow),
		Asks: []Ask{overloaded(0.50), overloaded(0.99)},
	},
	{
		Name: "overload-few", Server: "the same, on 16 connections: what finds none of them free waits in the generator", Flags: []string{"--plant-serial", "10ms"}, Queues: true,
		Shape: openLoop(overRate, overFew), Place: runner.Split, Trials: once(0, overWindow),
		Asks: []Ask{
			overloaded(0.50), overloaded(0.99),
			unsent(overloadLeft(overRate, overFor, overWindow, overFew), "λT − (T ÷ s − 1) − N: due in the window, neither served before its end nor on a connection"),
		},
		Foreign: &Foreign{By: []runner.Generator{runner.ByUring, runner.ByVegeta}, Last: overWindow},
	},
	{
		Name: "ballast", Server: "200 µs of CPU more for each request, by a calibrated spin", Flags: []string{"--ballast", "200us"},
		Shape: openLoop(1000, 16), Place: runner.Split, Trials: paired(200*ms, 800*ms),
		Asks: []Ask{difference("CPU per request", results.UnitTime, results.CompareRelative, withinCPU, float64(ballast), serverCPU,
			"+b, the spin's calibrated time")},
	},
	{
		Name: "calls", Server: "one getppid(2) more for each request", Flags: []string{"--plant-calls", "1"},
		Shape: openLoop(2000, 16), Place: runner.Split,
		Trials: observedPair(800 * ms),
		Asks:   []Ask{difference("getppid", results.UnitEach, results.CompareAbsolute, withinEach, 1, calls("getppid"), "+1.00 of that name; "+byDefinition)},
	},
	{
		Name: "calls-closed", Server: "one getppid(2) more for each request", Flags: []string{"--plant-calls", "1"},
		Shape: closedLoop(16), Place: runner.One,
		Trials: observedPair(800 * ms),
		Asks:   []Ask{difference("getppid", results.UnitEach, results.CompareAbsolute, withinEach, 1, calls("getppid"), "+1.00 of that name; "+byDefinition)},
	},
	{
		Name: "switches", Server: "five voluntary context switches more for each request", Flags: []string{"--plant-switches", "5"},
		Shape: openLoop(400, 16), Place: runner.Split, Trials: paired(200*ms, 800*ms), // rarely: requests that meet share a wake-up
		Asks: []Ask{difference("voluntary switches", results.UnitEach, results.CompareRelative, within, 5, voluntary, "+5 of each request; "+byDefinition)},
	},
	{
		Name: "mute", Server: "the first 16 connections that ask are never answered", Flags: []string{"--plant-mute", "16"},
		Shape: openLoop(1000, 64), Place: runner.Split, Trials: once(0, 800*ms), Quick: true,
		Asks:    []Ask{starved(muted), verdict(results.Starved)},
		Foreign: &Foreign{By: foreigners(), Last: 3 * time.Second}, // longer than their time-out
	},
	fault("wrong", "a wrong byte, the length right", "Body", func(e results.Errors) uint64 { return e.Body }),
	fault("long", "a body that is a byte too long", "Length", func(e results.Errors) uint64 { return e.Length }),
	fault("short", "a body that is cut short by the end of the connection", "Read", func(e results.Errors) uint64 { return e.Read }),
	fault("error", "a status of 500", "Status", func(e results.Errors) uint64 { return e.Status }),
	fault("close", "a closed connection in place of an answer", "Read", func(e results.Errors) uint64 { return e.Read }),
	{
		Name: "leak", Server: "16 KiB kept of each request", Flags: []string{"--plant-leak", "16384"},
		Shape: openLoop(2000, 16), Place: runner.Split, Trials: []Trial{{Twin: true, Last: 1500 * ms}, {Last: 1500 * ms}},
		Asks: []Ask{grown(leak)},
	},
	{
		Name: "drift", Server: "each request takes 200 µs of CPU more for every second that the server has run", Flags: []string{"--plant-drift", "200000"},
		Shape: openLoop(500, 16), Place: runner.Split, Trials: []Trial{{WarmUp: driftFrom, Last: ms * 800}, {WarmUp: driftTo, Last: ms * 800}},
		Asks: []Ask{drifted(drift, driftTo-driftFrom)},
	},
}

// fault is the plant of one kind of wrong answer.
func fault(name, what, kind string, of func(results.Errors) uint64) Plant {
	return Plant{
		Name: name, Server: "every 19th answer is " + what, Flags: []string{"--plant-" + name, "19"},
		Shape: openLoop(1000, 32), Place: runner.Split, Trials: once(0, time.Second), Quick: true,
		Asks:    []Ask{counted(kind, of), otherErrors(of), verdict(results.Erroneous)},
		Foreign: &Foreign{By: foreigners(), Last: time.Second},
	}
}
