package results

import (
	"fmt"
	"slices"
	"time"
)

// Rules of rows in which the server is not what is busy.

const (
	IdleLeast     = 1 - BusyLimit // of the server's CPUs: who has less left is busy, and nobody waits for its idleness
	ConnectShare  = 0.90          // connections accepted for an answer: from there on each has its own
	TailTimes     = 20            // p99 ÷ p50: queues for a CPU that is half idle do not stretch so far
	TailLeast     = time.Millisecond
	TailBusy      = 0.50 // of the server's CPUs: beyond it requests queue for them, and a long tail is that of a queue
	PacketThreads = 0.05 // of the CPUs: as much as others may take before a round is left out
	InsideShare   = 0.50 // the shortest answer ÷ p50: if half of the answers took twice as long as it or less, all wait for the same
	InsideTimes   = 20   // the shortest answer ÷ CPU per request: far beyond what the work and its wake-ups take
	NearLimit     = 0.75 // of its CPUs: a queue in front of who is as busy is several requests long
	StallTimes    = 10   // p99 ÷ p50 in a closed loop, in which everybody queues alike
	WakesEach     = 0.50 // voluntary switches a request: every second one finds a thread asleep
)

// oneAtATime holds where the only worker accepts a connection for each answer and has at most one open, though the clients
// did not ask for that: the others wait in the listen queue. Where the server has no CPU time left it is its cost that counts.
func oneAtATime(s *scene) (string, []string) {
	t := s.typical
	if t == nil || t.Load.Connections < 2 || t.Load.Reconnect || slices.ContainsFunc(s.cell.Trials, holdsMore) {
		return "", nil
	}
	accepted := float64(t.Workers[0].Accepted)
	idle, ok := s.idle()
	if !ok || idle < IdleLeast || accepted < ConnectShare*float64(t.Load.Requests) {
		return "", nil
	}
	text := fmt.Sprintf("one connection at a time: the server is idle %s while %s of %s connections wait", inPercent(idle), formatCount(float64(t.Load.Connections-1)), formatCount(float64(t.Load.Connections)))
	if starving := s.starving(); starving != nil {
		text += fmt.Sprintf(", and %s were never answered", formatCount(float64(starving.Load.Starved)))
	}
	seen := []string{fmt.Sprintf("its only worker accepted %s connections for %s answers, and has at most one open", formatCount(accepted), formatCount(float64(t.Load.Requests)))}
	seen = slices.Concat(seen, s.busySeen(), s.generatorSeen())
	if s.verdict.Kind == GeneratorBound {
		seen = append(seen, "connecting anew keeps the generator busy: throughput is a lower bound")
	}
	return text, seen
}

// holdsMore reports whether a trial's server has other than one worker, or more than one connection open.
func holdsMore(t *Trial) bool {
	return t.Load != nil && t.Error == "" && (len(t.Workers) != 1 || t.Workers[0].Open > 1)
}

// generatorIsTheLimit is the last rule of its verdict.
func generatorIsTheLimit(s *scene) (string, []string) {
	seen := slices.Concat(s.busySeen(), s.costSeen(), s.layersSeen())
	if slices.ContainsFunc(s.cell.Trials, (*Trial).bursts) {
		return "the generator is the limit, so that the goodput is a lower bound: " + s.verdict.Reason, append(seen, s.verdict.Reason)
	}
	text := "the generator is the limit"
	server, _ := s.median(serverBusy)
	client, _ := s.median(clientBusy)
	switch {
	case s.cell.Placement != PlacementSplit:
		text += fmt.Sprintf(" of what both share: %s of it is the server's", inPercent(server/max(server+client, 1e-9)))
	case server >= BusyLimit:
		text += fmt.Sprintf(", and the server nearly: both are busy, %s and %s", inPercent(client), inPercent(server))
	default:
		text += fmt.Sprintf(": it is busy %s, and the server idle %s", inPercent(client), inPercent(1-server))
	}
	cpu, okServer := s.median(ServerCPU)
	gen, okClient := s.median(ClientCPU)
	if okServer && okClient {
		text += fmt.Sprintf("; a request costs it %s and the server %s", formatTime(gen), formatTime(cpu))
	}
	if rate, ok := s.median(Throughput); ok {
		seen = append(seen, formatCount(rate)+" req/s are a lower bound")
	}
	if n, ok := s.connects(); ok && n >= ConnectShare {
		seen = append(seen, "a new connection for each request is most of what it costs the generator")
	}
	return text, seen
}

// Open loops.

// rateWords is what was due, and whether all was sent in time.
func (s *scene) rateWords() string {
	met, _ := s.cell.rateMet()
	if met == "" {
		return fmt.Sprintf("all but %.1f %% of what was due was sent in time", 100*s.cell.lateShare())
	}
	return met
}

func burstWasMet(s *scene) (string, []string) {
	if !slices.ContainsFunc(s.cell.Trials, (*Trial).bursts) {
		return "", nil
	}
	text := "nothing limits it: the burst"
	if e, ok := s.median(BurstOffered); ok {
		text += fmt.Sprintf(" of %s/s", formatCount(e))
	}
	return text + " was answered in time", s.seen(s.burstSeen(), s.busySeen())
}

// burstSeen are the figures of a burst.
func (s *scene) burstSeen() (seen []string) {
	if good, ok := s.median(BurstGoodput); ok {
		seen = append(seen, fmt.Sprintf("%s/s answered in time in the burst", formatCount(good)))
	}
	if in, ok := s.median(BurstP99); ok {
		text := "p99 in the burst " + formatTime(in)
		if before, ok := s.median(BaseP99); ok {
			text += ", before it " + formatTime(before)
		}
		seen = append(seen, text)
	}
	if after, ok := s.median(Recovery); ok {
		when := "at once"
		if after > 0 {
			when = formatTime(after) + " after it"
		}
		seen = append(seen, "back to normal "+when)
	}
	return seen
}

func itIsOverloaded(s *scene) (string, []string) {
	if !slices.ContainsFunc(s.cell.Trials, (*Trial).bursts) {
		return "", nil
	}
	offered, okOffered := s.median(BurstOffered)
	good, okGood := s.median(BurstGoodput)
	if !okOffered || !okGood {
		return "the burst is more than the server answers in time: " + s.verdict.Reason, s.seen(s.burstSeen(), s.busySeen())
	}
	return fmt.Sprintf("the burst is more than the server answers: of %s/s that were due it answered %s in time", formatCount(offered), formatCount(good)),
		s.seen(s.burstSeen(), s.busySeen(), s.layersSeen())
}

func aTailThatWaits(s *scene) (string, []string) {
	p50, ok := s.median(P50)
	p99, also := s.median(P99)
	server, known := s.median(serverBusy)
	if !ok || !also || !known || server > TailBusy || p99 < TailTimes*p50 || p99 < float64(TailLeast) {
		return "", nil
	}
	return fmt.Sprintf("nothing limits the rate, but its tail waits: one answer in a hundred takes %s, %s times what half of them take, while the server is idle %s",
			formatTime(p99), formatCount(p99/p50), inPercent(1-server)),
		slices.Concat([]string{s.rateWords()}, s.latencySeen(), s.serviceSeen(), s.wakeSeen(), s.waitsSeen())
}

func rateIsTheLimit(s *scene) (string, []string) {
	seen := slices.Concat(some(s.cell.busyWords("")), s.costSeen(), s.latencySeen(), s.wakeSeen())
	text := "nothing limits it: " + s.rateWords()
	if met, _ := s.cell.rateMet(); met == "" {
		text = "the rate is met, by and large: " + s.rateWords()
	}
	idle, ok := s.idle()
	whose := "the server's CPUs are"
	if s.cell.Placement != PlacementSplit {
		whose = "the CPUs that both share are"
	}
	switch {
	case !ok:
	case idle < IdleLeast:
		text += ", but " + whose + " used up: it will bear no more"
	default:
		text += fmt.Sprintf(", and %s idle %s", whose, inPercent(idle))
	}
	if len(seen) == 0 {
		seen = s.seen()
	}
	return text, seen
}

// serviceSeen is how long answers took once they were asked for, in an open loop.
func (s *scene) serviceSeen() []string {
	if s.typical == nil || s.typical.Load.Service == nil {
		return nil
	}
	l := s.typical.Load.Service
	return []string{fmt.Sprintf("from sending on, p50 %s, p99 %s", formatTime(float64(l.P50)), formatTime(float64(l.P99)))}
}

// tooFewConnections holds where the rate would take more connections than there are, by Little's law.
func tooFewConnections(s *scene) (string, []string) {
	if s.cell.Loop != LoopOpen || s.typical == nil || s.typical.Load.Service == nil {
		return "", nil
	}
	l := s.typical.Load
	takes := l.Rate * l.Service.Mean.Seconds()
	if has := float64(l.Connections) * s.depth(); l.Rate <= 0 || takes <= has {
		return "", nil
	}
	seen := s.lateSeen()
	if l.Behind > 0 {
		seen = append(seen, fmt.Sprintf("for %s of the time a request was due and no connection free; in %s of that the generator waited for the server",
			inPercent(min(1, float64(l.Behind)/float64(l.Elapsed))), inPercent(float64(l.Waited)/float64(l.Behind))))
	}
	return fmt.Sprintf("too few connections for such answers: %s/s × %s an answer take %s, and there are %s; neither side is busy",
		formatCount(l.Rate), formatTime(float64(l.Service.Mean)), formatCount(takes), formatCount(float64(l.Connections))), slices.Concat(seen, s.busySeen(), s.waitsSeen())
}

// lateSeen is how much was late.
func (s *scene) lateSeen() []string {
	return []string{fmt.Sprintf("%.1f %% of what was due was sent late or not at all", 100*s.cell.lateShare())}
}

func rateWasMissed(s *scene) (string, []string) {
	if s.cell.Loop != LoopOpen {
		return "", nil
	}
	text := "the rate was not met in time, though neither side was busy all the time"
	server, okServer := s.median(serverBusy)
	client, okClient := s.median(clientBusy)
	if okServer && okClient {
		text += fmt.Sprintf(" (server %s, generator %s)", inPercent(server), inPercent(client))
		if max(server, client) >= NearLimit {
			text += ": near its limit, what comes in a bunch queues"
		}
	}
	return text, slices.Concat(s.lateSeen(), s.latencySeen(), s.serviceSeen(), s.wakeSeen())
}

// Closed loops in which neither is busy.

func packetThreadsHaveTheCPU(s *scene) (string, []string) {
	share, ok := s.median(packetThreads)
	server, okServer := s.median(serverBusy)
	client, okClient := s.median(clientBusy)
	if !ok || !okServer || !okClient || s.cell.Placement == PlacementSplit || share < PacketThreads || server+client+share < BusyLimit {
		return "", nil
	}
	return fmt.Sprintf("the CPU is used up, %s of it by the kernel's threads for packets (ksoftirqd), which are neither's: server %s, generator %s", inPercent(share), inPercent(server), inPercent(client)),
		slices.Concat(s.costSeen(), s.bytesSeen(), s.layersSeen())
}

// packetThreads is what the kernel's threads for packets used of the CPUs that server and generator share.
var packetThreads = Figure{Name: "the packet threads' part of the CPUs", Unit: "packet-threads", Falls: true, Field: []string{"machine"},
	of: func(t *Trial) (float64, bool) {
		if t.Machine == nil || t.Server == nil || t.Server.Elapsed <= 0 {
			return 0, false
		}
		n := countCPUs(t.Server.Affinity)
		return float64(t.Machine.KSoftIRQd) / (float64(max(n, 1)) * float64(t.Server.Elapsed)), n > 0
	}}

func oneInFlight(s *scene) (string, []string) {
	if s.loaded == nil || s.cell.Loop != LoopClosed || s.loaded.Load.Connections*max(s.loaded.Load.Depth, 1) != 1 {
		return "", nil
	}
	text := "one request in flight: server and generator take turns"
	p50, ok := s.median(P50)
	cpu, also := s.median(ServerCPU)
	if ok && also {
		text += fmt.Sprintf("; of %s that an answer takes the server works %s", formatTime(p50), formatTime(cpu))
	}
	return text, slices.Concat(s.busySeen(), s.switchesSeen(), s.wakeSeen(), s.waitsSeen(), s.latencySeen())
}

func requestsWaitInside(s *scene) (string, []string) {
	shortest, ok := s.median(shortestAnswer)
	p50, also := s.median(P50)
	cpu, known := s.median(ServerCPU)
	if !ok || !also || !known || s.typical == nil || shortest < InsideShare*p50 || shortest < InsideTimes*cpu {
		return "", nil
	}
	seen := slices.Concat(s.busySeen(), s.latencySeen())
	rate, _ := s.median(Throughput)
	all := float64(s.typical.Load.Connections) * s.depth()
	if most := all / shortest * float64(time.Second); s.cell.Loop == LoopClosed && rate <= most {
		seen = append(seen, fmt.Sprintf("%s in flight ÷ %s are at most %s req/s, and it does %s", formatCount(all), formatTime(shortest), formatCount(most), formatCount(rate)))
	}
	return fmt.Sprintf("requests wait inside the server: no answer takes less than %s, of which it works %s", formatTime(shortest), formatTime(cpu)),
		slices.Concat(seen, s.waitsSeen(), s.switchesSeen())
}

// shortestAnswer is the least latency of a trial.
var shortestAnswer = Figure{Name: "the shortest answer", Unit: "min-ns", Falls: true, Field: []string{"load", "latency"},
	of: func(t *Trial) (float64, bool) {
		if t.Load == nil || t.Load.Latency == nil {
			return 0, false
		}
		return float64(t.Load.Latency.Min), t.Load.Latency.Min > 0
	}}

func itIsWokenForEach(s *scene) (string, []string) {
	v, ok := s.median(Voluntary)
	if !ok || v*s.depth() < WakesEach {
		return "", nil
	}
	what := "request"
	if s.depth() > 1 {
		what, v = "batch of requests", v*s.depth()
	}
	return fmt.Sprintf("they wake each other: a thread of the server goes to sleep and is woken %s times a %s%s", formatRate(v), what, s.idleWords()),
		slices.Concat(s.busySeen(), s.costSeen(), s.latencySeen(), s.wakeSeen(), s.waitsSeen(), s.callsSeen())
}

// idleWords say how much nobody uses, as a half-sentence.
func (s *scene) idleWords() string {
	idle, ok := s.idle()
	switch {
	case !ok:
		return ""
	case s.cell.Placement == PlacementSplit:
		return fmt.Sprintf(", and it is idle %s", inPercent(idle))
	}
	return fmt.Sprintf(", and %s of what both share is idle", inPercent(idle))
}

// theyWait is the last rule of its verdict.
func theyWait(s *scene) (string, []string) {
	text := "neither side is busy" + s.idleWords()
	if s.loaded != nil {
		text += fmt.Sprintf(", though %s requests are in flight", formatCount(float64(s.loaded.Load.Connections)*s.depth()))
	}
	p50, ok := s.median(P50)
	if p99, also := s.median(P99); ok && also && p99 >= StallTimes*p50 {
		text += fmt.Sprintf(": at times it stalls, as half of the answers take %s and one in a hundred %s", formatTime(p50), formatTime(p99))
	}
	return text, slices.Concat(s.busySeen(), s.latencySeen(), s.switchesSeen(), s.wakeSeen(), s.waitsSeen(), s.callsSeen(), s.layersSeen())
}
