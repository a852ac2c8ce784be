package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"corelab/results/stacks"
)

// Rules of rows in which the server is busy that need no profile: what the architecture or the load costs, before any
// function of it.

const (
	DropShare       = 0.001   // of new connections that found the listen queue full: each of them waits a second for TCP to try again
	RetransmitShare = 0.01    // of segments: TCP halves its window for each
	ThreadIdle      = 0.25    // of the server's CPUs that are idle, beside a thread that has used up one
	UnevenWorker    = 1.5     // times the mean of the workers' answers
	UnevenLeast     = 1000    // answers: fewer are uneven by chance
	UnevenConn      = 10      // the median of the connections' answers ÷ the least one's
	KeptShare       = 0.50    // of a request's cost: what connecting, or its bytes, must be of it to be named
	LargeBody       = 1 << 16 // bytes: to copy as many takes longer than all else that a small request does
	SmallBody       = 1 << 10 // bytes: they cost next to nothing beside the request
	SegmentsEach    = 0.50    // TCP segments for a pipelined answer: half as many as when each leaves alone and is asked for alone
	LockShare       = 0.10    // of the time: in which somebody waited for who held a lock
)

// backlogOverflows counts new connections only: of others there are none to drop.
func backlogOverflows(s *scene) (string, []string) {
	n, ok := s.connects()
	if t := s.typical; ok && t != nil && t.Net != nil {
		anew := n * float64(t.Load.Requests)
		if drops := float64(t.Net.ListenDrops); drops > 0 && anew > 0 && drops >= DropShare*anew {
			return fmt.Sprintf("the listen queue is full: %s times beside %s connections that were accepted; each such client tries again a second later", formatCount(drops), formatCount(anew)),
				slices.Concat(s.dropsSeen(), s.busySeen(), s.latencySeen())
		}
	}
	return "", nil
}

func tcpSendsAgain(s *scene) (string, []string) {
	again, ok := s.median(Retransmits)
	sent, also := s.median(SegmentsOut)
	if !ok || !also || sent <= 0 || again < RetransmitShare*sent {
		return "", nil
	}
	return fmt.Sprintf("TCP sends again: %.1f %% of its segments were retransmitted", 100*again/sent),
		slices.Concat([]string{"by the kernel's count of the whole network namespace"}, s.busySeen(), s.latencySeen())
}

// threadAlone reports whether one thread has used up a CPU while others of the server's are idle.
func (s *scene) threadAlone() (thread, idle float64, ok bool) {
	thread, ok = s.median(serverThread)
	idle, known := s.idle()
	return thread, idle, ok && known && s.loaded != nil && s.loaded.Server != nil && countCPUs(s.loaded.Server.Affinity) > 1 && thread >= BusyLimit && idle >= ThreadIdle
}

func (s *scene) threadSeen() []string {
	return []string{fmt.Sprintf("the server may use the CPUs %s", s.loaded.Server.Affinity)}
}

func oneThreadDoesItAll(s *scene) (string, []string) {
	thread, idle, ok := s.threadAlone()
	if !ok || s.typical == nil || workersAtWork(s.typical) > 1 {
		return "", nil
	}
	return fmt.Sprintf("one thread does it all: it is busy %s, and of the server's %d CPUs %s is idle", inPercent(thread), countCPUs(s.loaded.Server.Affinity), inPercent(idle)),
		slices.Concat(s.busySeen(), s.threadSeen(), s.costSeen(), s.layersSeen())
}

// workersAtWork is how many workers of a trial serve connections; 0 where it is not told. One that accepts for others is none.
func workersAtWork(t *Trial) (n int) {
	apart := slices.ContainsFunc(t.Workers, func(w Worker) bool { return w.Requests == 0 && w.Open > 0 }) &&
		slices.ContainsFunc(t.Workers, func(w Worker) bool { return w.Requests > 0 && w.Open == 0 && w.Accepted == 0 })
	for _, w := range t.Workers {
		if !apart || w.Requests > 0 {
			n++
		}
	}
	return n
}

func workersAreUneven(s *scene) (string, []string) {
	thread, idle, ok := s.threadAlone()
	if !ok || s.typical == nil {
		return "", nil
	}
	var most, all uint64
	for _, w := range s.typical.Workers {
		most, all = max(most, w.Requests), all+w.Requests
	}
	n := workersAtWork(s.typical)
	if n < 2 || all < UnevenLeast || float64(most)*float64(n) < UnevenWorker*float64(all) {
		return "", nil
	}
	return fmt.Sprintf("the workers are uneven: one of %d answered %s of all, its thread busy %s, while %s of the server's CPUs is idle", n, inPercent(float64(most)/float64(all)), inPercent(thread), inPercent(idle)),
		slices.Concat(s.busySeen(), s.threadSeen(), []string{fmt.Sprintf("%s connections", formatCount(float64(s.typical.Load.Connections)))})
}

func connectionsAreUneven(s *scene) (string, []string) {
	if s.typical == nil || s.typical.Load.PerConn == nil || s.cell.Loop != LoopClosed || s.typical.Load.Reconnect {
		return "", nil
	}
	p := s.typical.Load.PerConn
	if p.Median < UnevenLeast/UnevenConn || p.Min*UnevenConn > p.Median {
		return "", nil
	}
	least := "one connection got a single answer"
	if p.Min != 1 {
		least = fmt.Sprintf("one connection got %s answers", formatCount(float64(p.Min)))
	}
	return fmt.Sprintf("connections are served unevenly: %s where half of them got %s or more", least, formatCount(float64(p.Median))),
		slices.Concat([]string{fmt.Sprintf("answers by connection: least %s, median %s, most %s", formatCount(float64(p.Min)), formatCount(float64(p.Median)), formatCount(float64(p.Max)))}, s.latencySeen(), s.busySeen())
}

// connects is how many connections a request takes. A server that does not tell keeps them if it did where its system calls
// were counted: whether it does is up to the server, where the clients do not connect anew.
func (s *scene) connects() (n float64, ok bool) {
	if s.typical == nil {
		return 0, false
	}
	if s.typical.Load.Reconnect {
		return 1, true
	}
	var accepted, answers uint64
	for _, w := range s.typical.Workers {
		accepted, answers = accepted+w.Accepted, answers+w.Requests
	}
	if answers > 0 {
		return float64(accepted) / float64(answers), true
	}
	for _, c := range s.cells {
		for _, t := range c.Trials {
			if c.Role == RoleObserved && c.Target == s.cell.Target && len(t.Calls) > 0 && t.Load != nil && !t.Load.Reconnect {
				return t.Calls["accept"] + t.Calls["accept4"], true
			}
		}
	}
	return 0, false
}

// connectsForEach names what connecting costs by the same target with keep-alive, where the run has that.
func connectsForEach(s *scene) (string, []string) {
	n, ok := s.connects()
	cpu, known := s.median(ServerCPU)
	if !ok || !known || n < ConnectShare {
		return "", nil
	}
	text := "a connection for each request, as the clients want it"
	if !s.typical.Load.Reconnect {
		text = "a connection for each request, as the server closes it after each answer"
	}
	seen := slices.Concat(s.costSeen(), s.generatorSeen(), s.callsSeen(), s.segmentsSeen(), s.layersSeen())
	kept := s.sibling(func(o *scene) bool {
		n, ok := o.connects()
		return ok && n < 1-ConnectShare && o.body() == s.body()
	})
	if kept != nil {
		if base, ok := kept.median(ServerCPU); ok && base < cpu {
			return fmt.Sprintf("%s: of %s of CPU %s are for setting it up and tearing it down, for where it is kept (%s) a request takes %s", text, formatTime(cpu), formatTime(cpu-base), kept.question(), formatTime(base)), seen
		}
	}
	text += fmt.Sprintf(": %s of CPU", formatTime(cpu))
	if n, ok := s.median(SegmentsOut); ok && n > 0 {
		text += fmt.Sprintf(" and %s TCP segments a request, where one that is kept takes two", digits(n))
	} else {
		text += " a request, with setting it up and tearing it down"
	}
	if setup := s.share(stacks.Setup); setup > 0 {
		text += fmt.Sprintf("; opening and closing has %s of it, its packets not counted", inPercent(setup))
	}
	return text, seen
}

// segmentsSeen is how many TCP segments a request takes, of both ends on loopback.
func (s *scene) segmentsSeen() []string {
	if n, ok := s.median(SegmentsOut); ok && n > 0 {
		return []string{digits(n) + " TCP segments a request, both ends together"}
	}
	return nil
}

// body is the length of an answer's body; -1 where it is not known.
func (s *scene) body() int {
	if s.typical == nil || s.typical.Wire == nil {
		return -1
	}
	return s.typical.Wire.BodyBytes
}

// bytesSeen is what goes over the wire.
func (s *scene) bytesSeen() []string {
	out, ok := s.median(BytesOut)
	rate, also := s.median(Throughput)
	if !ok || !also {
		return nil
	}
	return []string{fmt.Sprintf("%s B an answer, %s MB/s", formatCount(out), digits(out*rate/1e6))}
}

// bytesDecide holds the row against the same target with small bodies, where the run has that; else it goes by their size.
func bytesDecide(s *scene) (string, []string) {
	out, okOut := s.median(BytesOut)
	in, okIn := s.median(BytesIn)
	cpu, ok := s.median(ServerCPU)
	if !ok || !(okOut || okIn) {
		return "", nil
	}
	bytes, what := out, "an answer"
	if in > out {
		bytes, what = in, "a request"
	} else if body := s.body(); body > 0 {
		bytes = float64(body) // some answers are cut off at the window's end
	}
	seen := slices.Concat(s.bytesSeen(), s.costSeen(), s.callsSeen(), s.layersSeen())
	small := s.sibling(func(o *scene) bool {
		n, ok := o.connects()
		m, also := s.connects()
		return o.body() >= 0 && o.body() <= SmallBody && ok && also && (n < ConnectShare) == (m < ConnectShare) && o.least(BytesOut, 1)
	})
	if small != nil && bytes > SmallBody {
		if base, ok := small.median(ServerCPU); ok && cpu-base >= KeptShare*cpu {
			return fmt.Sprintf("bytes: %s B are %s; of %s of CPU %s come with them, for with few (%s) a request takes %s", formatCount(bytes), what, formatTime(cpu), inPercent(1-base/cpu), small.question(), formatTime(base)), seen
		} else if ok {
			return "", nil
		}
	}
	if bytes < LargeBody {
		return "", nil
	}
	return fmt.Sprintf("bytes: %s B are %s, %s of CPU for each KiB", formatCount(bytes), what, formatTime(cpu/(bytes/1024))), seen
}

// answersOneByOne counts segments: a batch whose answers leave together takes one for many.
func answersOneByOne(s *scene) (string, []string) {
	n, ok := s.median(SegmentsOut)
	out, also := s.median(BytesOut)
	if !ok || !also || s.depth() < 2 || n < SegmentsEach || out > SmallBody {
		return "", nil
	}
	return fmt.Sprintf("it answers one by one: %s TCP segments a request, though %s come at once", digits(n), formatCount(s.depth())),
		slices.Concat(s.costSeen(), s.callsSeen(), s.layersSeen(), s.limitSeen())
}

// threadsWaitForALock goes by Go's profile of locks, which is of our cores, and by what threads waited for off the CPU.
func threadsWaitForALock(s *scene) (string, []string) {
	if _, p := s.rec.ProfileOf(s.cell.Scenario, s.cell.Case, s.cell.Target, ProfileMutex); p != nil && p.Elapsed > 0 {
		if held, err := s.rec.Stacks(p); err == nil && float64(held.Total) >= LockShare*float64(p.Elapsed) {
			text := fmt.Sprintf("a lock: others waited %s in each second for who held one", formatTime(1e9*float64(held.Total)/float64(p.Elapsed)))
			if who := heaviest(held, func(f stacks.Frame) bool {
				return !strings.HasPrefix(f.Name, "sync.") && !strings.HasPrefix(f.Name, "runtime.")
			}); who != "" {
				text += ", mostly " + who
			}
			return text, slices.Concat(s.busySeen(), s.switchesSeen(), s.callsSeen(), s.layersSeen())
		}
	}
	if w := s.waits(); w != nil {
		for _, site := range w {
			if site.name == waitsForLock && site.share >= LockShare {
				return fmt.Sprintf("a lock: %s of the time in which its threads were off the CPU they waited for one", inPercent(site.share)),
					slices.Concat(s.busySeen(), s.waitsSeen(), s.switchesSeen(), s.callsSeen())
			}
		}
	}
	return "", nil
}

// heaviest is the function, of those that count, that is innermost in most of the profile.
func heaviest(p *stacks.Profile, counts func(stacks.Frame) bool) string {
	by := map[string]int64{}
	for _, st := range p.Stacks {
		for _, f := range slices.Backward(st.Frames) {
			if counts(f) {
				by[f.Name] += st.Value
				break
			}
		}
	}
	var most string
	for name, v := range by {
		if v > by[most] || v == by[most] && cmp.Less(name, most) {
			most = name
		}
	}
	return most
}
