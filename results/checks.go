package results

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of the checks.
const (
	LittleTolerance    = 0.05                  // between connections ÷ throughput and the mean latency
	AgreementTolerance = 0.05                  // between two generators, of the server's CPU per request
	SameGeneratorCost  = 0.03                  // between two targets, of the generator's CPU per request: beyond it, a verdict needs the plain figure too
	OtherLoadCost      = 1.25                  // times the generator's CPU per request on the reference: beyond it, the plain figure decides alone
	LateShare          = 0.001                 // of the requests of an open loop may be sent late or not at all
	TakenShare         = 0.05                  // of the CPUs in use may be taken by others and the hypervisor; beyond it, and beyond TakenTick, a trial is left out
	TakenTick          = 10 * time.Millisecond // a CPU: the kernel tells its idle time in ticks of as much
)

// Placements of server and generator.
const (
	PlacementOne    = "one"    // both on one CPU
	PlacementSplit  = "split"  // on disjoint CPUs
	PlacementShared = "shared" // both on all CPUs
)

// Loops of a generator.
const (
	LoopClosed = "closed"
	LoopOpen   = "open"
)

// Generators that tables treat in a way of their own.
const generatorOwn = "corelab"

// weight is how much a warning takes from a row.
type weight int

const (
	marks   weight = iota // the row says so, and is ranked
	bounds                // throughput is a lower bound; cost is ranked
	disturb               // throughput and latency are not ranked where half of the rounds have it; cost is
	leaves                // the round is left out
	refuses               // nothing of the row is ranked
)

// weights of the warnings; one that is not here refuses, as a newer corelab's might.
var weights = map[string]weight{
	WarnLittle: refuses, WarnErrors: refuses, WarnStarved: refuses, WarnDied: refuses, WarnPlacement: refuses,
	WarnLate:      disturb,
	WarnSteal:     leaves,
	WarnGenerator: bounds,
	WarnHead:      marks, WarnReference: marks, WarnShort: marks,
}

func weigh(code string) weight {
	if w, ok := weights[code]; ok {
		return w
	}
	return refuses
}

// Refuses reports whether a warning of that code keeps a row out of every rank.
func Refuses(code string) bool { return weigh(code) == refuses }

// Check returns every warning of t: those that were recorded with it, and what its own figures say. It is pure, and may be
// called again on a trial that holds its result.
func Check(t *Trial) []Warning {
	all := slices.DeleteFunc(slices.Clone(t.Warnings), func(w Warning) bool {
		return w.Code == WarnGenerator && t.Server != nil && t.Client != nil // an older corelab did not ask who was the busier
	})
	found := []Warning{checkLittle(t), checkErrors(t), checkStarved(t), checkTaken(t), checkGenerator(t), checkLate(t), checkShort(t)}
	if t.bursts() {
		found = burstWarnings(t)
	}
	for _, w := range found {
		if w.Code != "" && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

func hasCode(ws []Warning, code string) bool {
	for _, w := range ws {
		if w.Code == code {
			return true
		}
	}
	return false
}

// checkLittle holds a closed loop against Little's law: the requests in flight are throughput × mean latency, and in a closed
// loop they are all that the connections allow. Connections that were never answered hold none of those that were. Where each
// request connects anew and a foreign generator leaves connecting out of its latency, fewer in flight break no law. A pipelined
// batch goes out when the one before is wholly answered: of depth requests, depth are in flight on average where the answers
// come together, and (depth + 1) ÷ 2 where they come one by one, evenly.
func checkLittle(t *Trial) Warning {
	l := t.Load
	rate, ok := Throughput.Of(t)
	if !ok || l.Loop != LoopClosed || l.Latency == nil || l.Latency.Mean <= 0 || l.Connections <= l.Starved {
		return Warning{}
	}
	depth := max(l.Depth, 1)
	inFlight := float64((l.Connections - l.Starved) * depth)
	want := inFlight / rate * float64(time.Second)
	off := float64(l.Latency.Mean)/want - 1
	least := (float64(depth) + 1) / (2 * float64(depth)) * want
	if off < 0 && depth > 1 {
		off = min(0, float64(l.Latency.Mean)/least-1)
	}
	if math.Abs(off) <= LittleTolerance || l.Reconnect && l.Generator != generatorOwn && off < 0 {
		return Warning{}
	}
	what := fmt.Sprintf("%d connections", l.Connections)
	if l.Starved > 0 {
		what = fmt.Sprintf("(%d − %d starved) connections", l.Connections, l.Starved)
	}
	if depth > 1 {
		what += fmt.Sprintf(" × %d deep", depth)
	}
	mean := formatTime(want)
	if depth > 1 {
		mean = formatTime(least) + " to " + mean
	}
	return Warning{WarnLittle, fmt.Sprintf("Little's law: %s ÷ %s req/s = %s, but the mean latency is reported as %s (%+.0f %%)",
		what, formatCount(rate), mean, formatTime(float64(l.Latency.Mean)), 100*off)}
}

func checkErrors(t *Trial) Warning {
	if t.Load == nil || t.Load.Errors.Total() == 0 {
		return Warning{}
	}
	e := t.Load.Errors
	var kinds []string
	for _, k := range []struct {
		n    uint64
		name string
	}{{e.Connect, "connect"}, {e.Read, "read"}, {e.Write, "write"}, {e.Timeout, "time-out"},
		{e.Status, "status"}, {e.Length, "length"}, {e.Body, "body"}, {e.Parse, "not HTTP"}} {
		if k.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", k.n, k.name))
		}
	}
	return Warning{WarnErrors, fmt.Sprintf("%s errors beside %s answers: %s",
		formatCount(float64(e.Total())), formatCount(float64(t.Load.Requests)), strings.Join(kinds, ", "))}
}

func checkStarved(t *Trial) Warning {
	if t.Load == nil || t.Load.Starved == 0 {
		return Warning{}
	}
	return Warning{WarnStarved, fmt.Sprintf("%d of %d connections were never answered; throughput counts what was served",
		t.Load.Starved, t.Load.Connections)}
}

// checkGenerator finds a generator that used up its own CPUs while the server had others, and was not the less busy of the
// two. On shared CPUs there is no telling.
func checkGenerator(t *Trial) Warning {
	if t.Placement != PlacementSplit {
		return Warning{}
	}
	client, ok := busyPart(t, t.Client, SeatClient)
	server, known := busyPart(t, t.Server, SeatServer)
	if !ok || client < BusyLimit || known && server-BusyTie >= client {
		return Warning{}
	}
	return Warning{WarnGenerator, fmt.Sprintf("the generator used %.0f %% of its CPUs (%s): throughput is a lower bound",
		100*client, t.Client.Affinity)}
}

// checkTaken finds a trial in which something else took the CPU: other processes and the hypervisor together more than
// TakenShare of the CPUs that server or generator had. It looks at what is left when idle time and the exact CPU clocks of
// both are taken off, so that the kernel's sampling of who was busy has no part in it; what others did on other CPUs has none
// either. It must not look at what the trial found.
func checkTaken(t *Trial) Warning {
	if t.Machine == nil || t.Server == nil || t.Server.Elapsed <= 0 {
		return Warning{}
	}
	var texts []string
	for _, s := range t.Machine.Seats {
		n := time.Duration(countCPUs(s.CPUs))
		all, taken := float64(n*t.Server.Elapsed), float64(s.Steal+s.Others)
		if taken <= TakenShare*all+float64(n*TakenTick) {
			continue
		}
		var by []string
		if s.Others > 0 {
			by = append(by, fmt.Sprintf("other processes took %.1f %%", 100*float64(s.Others)/all))
		}
		if s.Steal > 0 {
			by = append(by, fmt.Sprintf("the hypervisor took %.1f %%", 100*float64(s.Steal)/all))
		}
		texts = append(texts, fmt.Sprintf("%s of the %s's CPU %s", strings.Join(by, " and "), s.Of, s.CPUs))
	}
	if texts == nil {
		return Warning{}
	}
	return Warning{WarnSteal, strings.Join(texts, "; ")}
}

// checkLate finds an open loop that did not offer what it says.
func checkLate(t *Trial) Warning {
	if t.Load == nil || t.Load.Loop != LoopOpen {
		return Warning{}
	}
	l := t.Load
	if due := float64(l.Requests + l.Unsent); float64(l.Late+l.Unsent) <= LateShare*due {
		return Warning{}
	}
	return Warning{WarnLate, fmt.Sprintf("%s requests were sent more than 1 ms late (at worst %s) and %s not at all, of %s: "+
		"the latency counts from when they were due", formatCount(float64(l.Late)), formatTime(float64(l.LateMax)),
		formatCount(float64(l.Unsent)), formatCount(float64(l.Requests+l.Unsent)))}
}

// checkShort marks a trial in which there are too few answers for a percentile that the tables show.
func checkShort(t *Trial) Warning {
	if t.Load == nil || t.Load.Latency == nil {
		return Warning{}
	}
	for _, f := range []Figure{P50, P90, P99, P999} {
		if n := t.Load.Latency.Count; n < f.Samples {
			return Warning{WarnShort, fmt.Sprintf("%s answers are too few for %s, it takes %s",
				formatCount(float64(n)), f.Name, formatCount(float64(f.Samples)))}
		}
	}
	return Warning{}
}

// countCPUs counts a kernel's list of CPUs, "0,2-3"; 0 where it is none.
func countCPUs(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			return 0
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(to); err != nil || last < first {
				return 0
			}
		}
		n += last - first + 1
	}
	return n
}
