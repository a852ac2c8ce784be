package results

import "slices"

// Bottleneck says in one sentence what limits a row now, with what was seen of it, and what would move it. Its texts are
// plain: whoever shows them escapes them.
type Bottleneck struct {
	Rule     string   `json:"rule"`            // the name of the BottleneckRule that holds
	Sentence string   `json:"sentence"`        // what limits the row, with the figures that say so
	Evidence []string `json:"evidence"`        // what else was seen; at least one
	Moves    string   `json:"moves"`           // what would move it
	Lacks    string   `json:"lacks,omitempty"` // what would have said more, and why it is not there
}

// A BottleneckRule is one kind of bottleneck. Which of them holds is asked in the order of BottleneckRules; the first does.
type BottleneckRule struct {
	Name     string
	When     string // it holds, for people
	Moves    string // the bottleneck
	Provoked string // how the tests bring it about with a real server: "live", or why only recorded figures do

	of   []Kind                                        // verdicts of the rows that it is asked about
	find func(*scene) (sentence string, seen []string) // no sentence: it does not hold
}

// provokedLive is BottleneckRule.Provoked of a rule that a real server under a real load brings about in the tests.
const provokedLive = "live"

// The verdicts by which rules are asked.
var (
	ofErroneous = []Kind{Erroneous}
	ofStarved   = []Kind{Starved}
	ofNoisy     = []Kind{TooNoisy}
	ofRate      = []Kind{RateBound}
	ofGenerator = []Kind{GeneratorBound}
	ofWaiting   = []Kind{IdleWaiting}
	ofServer    = []Kind{ServerBound}
)

// BottleneckRules are all there are, in order. Rows that are refused come first: what is wrong with them is said, and no
// bottleneck claimed. Then what the architecture does, whoever is busy; then who is; and of a server that is busy what it is
// busy with: by the layers of its profile, or, without one, by its ledger.
var BottleneckRules = []BottleneckRule{
	{Name: "failed", of: ofErroneous, find: itFailed, Provoked: provokedLive,
		When:  "a trial failed, or the server ended during one",
		Moves: "a server that starts and stays up; what it printed stands in the raw folder of the run"},
	{Name: "wrong-answers", of: ofErroneous, find: itAnswersWrongly, Provoked: provokedLive,
		When:  "an answer had a wrong status, length or byte, or was not HTTP",
		Moves: "right answers first: the cost of wrong ones says nothing"},
	{Name: "misplaced", of: ofErroneous, find: itWasMisplaced, Provoked: "takes a machine that refuses to pin a process",
		When:  "it did not run on the CPUs of its table",
		Moves: "the right to set CPU affinities, or the placement shared, which pins nothing"},
	{Name: "unseen-waiting", of: ofErroneous, find: othersWaitUnseen, Provoked: "live, where wrk is installed",
		When:  "by throughput × mean latency fewer requests were in flight than the connections hold: Little's law is broken by what was not timed",
		Moves: "a generator that times what waits, or an open loop; and a server that answers all connections"},
	{Name: "unlikely-latency", of: ofErroneous, find: latencyIsUnlikely, Provoked: "wrk's correction of its latencies does not reach so far at will",
		When:  "by throughput × mean latency more requests were in flight than the connections can hold",
		Moves: "longer rounds, or a generator that does not correct its latencies; the throughput may stand"},
	{Name: "lost-answers", of: ofErroneous, find: itLostAnswers, Provoked: provokedLive,
		When:  "answers did not come: connections were refused, reset or closed, or answers took longer than the generator's time-out",
		Moves: "fewer connections than it can hold, or a longer time-out, as the kind of the errors says"},
	{Name: "refused", of: ofErroneous, find: itIsRefused, Provoked: "takes a record of a newer corelab",
		When:  "the row is refused for another reason",
		Moves: "the reason that its warning gives"},

	{Name: "pool-full", of: ofStarved, find: poolIsFull, Provoked: provokedLive,
		When:  "connections were never answered, and each of two or more workers held one, or as many were answered as there are workers",
		Moves: "more threads than connections, or a core in which a connection that waits holds no thread: epoll, epollpool, reactor"},
	{Name: "one-at-a-time", of: []Kind{Starved, GeneratorBound, IdleWaiting, ServerBound}, find: oneAtATime, Provoked: provokedLive,
		When:  "its only worker accepts a connection for each answer and has no second one open, while others wait, and the server has CPU time left",
		Moves: "serve connections side by side (pool, epoll, reactor), and keep them open"},
	{Name: "never-accepted", of: ofStarved, find: neverAccepted, Provoked: "takes a server that stops accepting by itself",
		When:  "connections were never answered, and as many are missing among those that the server has open",
		Moves: "accept until there is nothing left, a longer backlog, or more files and connections allowed"},
	{Name: "never-answered", of: ofStarved, find: neverAnswered, Provoked: provokedLive,
		When:  "connections were never answered",
		Moves: "serve connections in turns; those that wait longest first"},

	{Name: "disturbed", of: ofNoisy, find: itWasDisturbed, Provoked: provokedLive,
		When:  "in more than half of the rounds something else took the CPU",
		Moves: "a machine that does nothing else, and more rounds"},
	{Name: "unknown-busy", of: ofNoisy, find: nobodyKnowsWhoWasBusy, Provoked: "takes a system that hides its processes",
		When:  "who was busy could not be read",
		Moves: "the right to read what the processes used"},
	{Name: "too-wide", of: ofNoisy, find: itIsTooWide, Provoked: "chance alone makes a figure so wide",
		When:  "the figures of the rounds lie too far apart",
		Moves: "more rounds, or longer ones"},

	{Name: "overload", of: ofServer, find: itIsOverloaded, Provoked: "a burst that shows its recovery lasts for seconds",
		When:  "more was due in a burst than the server answered in time",
		Moves: "a server that costs less a request; refusing early keeps those that it takes in time"},
	{Name: "burst-met", of: ofRate, find: burstWasMet, Provoked: "a burst that shows its recovery lasts for seconds",
		When:  "all that was due in a burst was sent when it was due, and answered in time",
		Moves: "a larger burst"},
	{Name: "slow-tail", of: ofRate, find: aTailThatWaits, Provoked: provokedLive,
		When:  "an open loop met its rate with CPU time to spare, and one answer in a hundred takes many times as long as half of them do",
		Moves: "what the slow ones wait for: timers, locks, GC, a disk, another service; the off-CPU profile shows it"},
	{Name: "rate", of: ofRate, find: rateIsTheLimit, Provoked: provokedLive,
		When:  "an open loop met its rate",
		Moves: "a higher rate; corelab knee finds how far it goes"},

	{Name: "generator", of: ofGenerator, find: generatorIsTheLimit, Provoked: provokedLive,
		When:  "the generator used up its CPUs, and was not the less busy of the two",
		Moves: "more CPUs for the generator, or pipelining, to find the ceiling; until then compare CPU per request, which has no part in it"},

	{Name: "packet-threads", of: ofWaiting, find: packetThreadsHaveTheCPU, Provoked: "when the kernel moves packets to its threads is its own choice",
		When:  "neither is busy, but with the kernel's threads for packets the CPUs are used up",
		Moves: "fewer packets or bytes; on a network card, its interrupts on other CPUs"},
	{Name: "too-few-connections", of: ofWaiting, find: tooFewConnections, Provoked: provokedLive,
		When:  "an open loop did not meet its rate, neither is busy, and rate × service time takes more connections than there are",
		Moves: "shorter answers, or more connections"},
	{Name: "late", of: ofWaiting, find: rateWasMissed, Provoked: "takes a machine that wakes late, or a load just below the limit",
		When:  "an open loop did not meet its rate, and neither was busy all the time",
		Moves: "a lower rate shows its latency, a closed loop its ceiling"},
	{Name: "one-in-flight", of: ofWaiting, find: oneInFlight, Provoked: provokedLive,
		When:  "one connection with one request: server and generator take turns",
		Moves: "more connections; with one, latency is what is measured, not throughput"},
	{Name: "waits-inside", of: ofWaiting, find: requestsWaitInside, Provoked: provokedLive,
		When:  "no answer comes much faster than half of them, and each takes many times the CPU time of a request",
		Moves: "what requests wait for: a timer, another service, a lock, each other; the off-CPU profile shows it. More in flight only where they do not wait for each other"},
	{Name: "wake-ups", of: ofWaiting, find: itIsWokenForEach, Provoked: provokedLive,
		When:  "neither is busy, and a thread of the server goes to sleep and is woken for each request",
		Moves: "more requests in flight, so that fewer find everybody asleep; fewer threads between them"},
	{Name: "idle-waiting", of: ofWaiting, find: theyWait, Provoked: "every live case has a reason that has a rule",
		When:  "neither is busy, and nothing above holds",
		Moves: "what they wait for; the off-CPU profile and the latency of wake-ups show it"},

	{Name: "full-backlog", of: ofServer, find: backlogOverflows, Provoked: "takes a backlog of some few connections, and a kernel that counts the network namespace's drops for nobody else",
		When:  "new connections found the listen queue full",
		Moves: "a longer backlog (and net.core.somaxconn), accepting many at once, keep-alive"},
	{Name: "retransmits", of: ofServer, find: tcpSendsAgain, Provoked: "takes a network that loses packets",
		When:  "TCP sent segments again",
		Moves: "the network between: buffers, queues, loss; no server mends it"},
	{Name: "one-thread", of: ofServer, find: oneThreadDoesItAll, Provoked: provokedLive,
		When:  "one thread uses up a CPU, while others of the server's CPUs are idle, and it has one worker or tells of none",
		Moves: "an event loop for each CPU (reactor, workers)"},
	{Name: "uneven-workers", of: ofServer, find: workersAreUneven, Provoked: provokedLive,
		When:  "one of several workers answers far more than its part and uses up a CPU, while others are idle",
		Moves: "more connections, so that they spread; connections that move between workers (epollpool), or that are handed to the idlest"},
	{Name: "uneven-connections", of: ofServer, find: connectionsAreUneven, Provoked: "which connection a server neglects is chance",
		When:  "a connection got a small part of the answers that half of the connections got",
		Moves: "serve ready connections in turns, with a bound on the work for each"},
	{Name: "connection-per-request", of: ofServer, find: connectsForEach, Provoked: provokedLive,
		When:  "each request has a connection of its own",
		Moves: "keep-alive"},
	{Name: "large-bodies", of: ofServer, find: bytesDecide, Provoked: provokedLive,
		When:  "most of a request's cost comes with its bytes",
		Moves: "fewer bytes (compression, caching at the client), and fewer copies of them: sendfile, larger writes, MSG_ZEROCOPY on a network card"},
	{Name: "answers-one-by-one", of: ofServer, find: answersOneByOne, Provoked: "takes a server that writes each answer by itself; corelab's cores do not",
		When:  "requests are pipelined, and TCP sends about a segment for each answer",
		Moves: "write the answers of one read together"},
	{Name: "lock", of: ofServer, find: threadsWaitForALock, Provoked: "takes a server that fights over a lock; corelab's cores do not",
		When:  "others waited long for who held a lock, or threads waited for one",
		Moves: "shorter critical sections, or one of each kind for each thread"},

	{Name: "hand-over", of: ofServer, find: theyHandOver, Provoked: provokedLive,
		When:  "a thread goes to sleep and is woken for each request, or waking and switching threads stands out in the profile",
		Moves: "fewer threads between the socket and the answer; more requests for each wake-up: one loop that serves all that is ready (epoll, reactor)"},
	{Name: "go-scheduler", of: ofServer, find: schedulerStandsOut, Provoked: "takes a server that parks a goroutine for each request; corelab's cores with goroutines do so for each batch",
		When:  "Go's scheduler and netpoller stand out in the profile",
		Moves: "fewer goroutines that block and wake for a request: one loop that serves all that is ready (epoll, reactor)"},
	{Name: "allocation", of: ofServer, find: memoryStandsOut, Provoked: "takes a server that allocates much for a request; corelab's cores do not",
		When:  "garbage collection and allocation stand out in the profile",
		Moves: "reuse buffers; the flame graph, and of our cores the go-heap profile, name who allocates"},
	{Name: "epoll", of: ofServer, find: epollStandsOut, Provoked: provokedByCalls,
		When:  "interest is registered anew for each request, or epoll stands out in the profile",
		Moves: "register a connection once and leave it, and take more events at once"},
	{Name: "connection-set-up", of: ofServer, find: setupStandsOut, Provoked: "takes a load in which some connections come and go and others stay",
		When:  "setting connections up and tearing them down stands out in the profile, though not each request has its own",
		Moves: "keep connections for longer"},
	{Name: "system-calls", of: ofServer, find: callsStandOut, Provoked: provokedByCalls,
		When:  "a request takes more system calls than an exchange needs, or entering and leaving the kernel stands out in the profile",
		Moves: "the calls that are no read and no write; several requests for each call (pipelining, io_uring)"},
	{Name: "page-faults", of: ofServer, find: itTouchesNewMemory, Provoked: provokedLive,
		When:  "a request touches memory that was not there before",
		Moves: "reuse memory instead of asking for more"},
	{Name: "user-code", of: ofServer, find: userCodeStandsOut, Provoked: provokedLive,
		When:  "the server's own code has most of its CPU time, or stands out in the profile",
		Moves: "the work of the request itself: the CPU profile and its flame graph name the functions"},
	{Name: "empty-reads", of: ofServer, find: readsFindNothing, Provoked: provokedByCalls,
		When:  "nothing stands out in the profile, and a small request is read more than once",
		Moves: "read once for each event, and again only if the buffer was full"},
	{Name: "kernel-tcp", of: ofServer, find: tcpHasMost, Provoked: provokedByProfile,
		When:  "by the profile nothing that a server could leave out stands out, and TCP has most",
		Moves: "fewer packets and calls for an answer: pipelining, larger writes, io_uring; on loopback the receiver's path is charged to the sender"},
	{Name: "spread", of: ofServer, find: nothingStandsOut, Provoked: "takes a profile in which nothing has most",
		When:  "by the profile nothing stands out",
		Moves: "many small things; the differential flame graph to a faster target shows which"},
	{Name: "kernel", of: ofServer, find: kernelHasMost, Provoked: provokedLive,
		When:  "there is no profile, and the kernel has most of the server's CPU time",
		Moves: "fewer system calls and packets for an answer: pipelining, larger writes, io_uring"},
	{Name: "cpu", of: ofServer, find: cpuIsUsedUp, Provoked: "takes a trial of too few ticks to tell user from system time",
		When:  "its CPU time is used up, and nothing says by what",
		Moves: "what a request costs; a profile says where"},
}

// provokedByProfile and provokedByCalls are BottleneckRule.Provoked of rules that take what not every machine lets anyone see.
const (
	provokedByProfile = "live, where perf may record"
	provokedByCalls   = "live, where system calls may be counted"
)

// BottleneckOf says what limits the cell, one of cells, those of the record; ok is false where nothing was tried, and for
// trials that something slowed to observe them. It is a pure function of the record and its profiles.
func (rec *Record) BottleneckOf(cells []*Cell, c *Cell) (b Bottleneck, ok bool) {
	v, tried := c.Verdict()
	if !tried || c.Role == RoleObserved || c.Role == RoleProfiled {
		return Bottleneck{}, false
	}
	return newScene(rec, cells, c, v).judge(), true
}

// judge finds the first rule that holds. The last one of each verdict always does.
func (s *scene) judge() Bottleneck {
	for i := range BottleneckRules {
		r := &BottleneckRules[i]
		if !slices.Contains(r.of, s.verdict.Kind) {
			continue
		}
		if sentence, seen := r.find(s); sentence != "" {
			return Bottleneck{Rule: r.Name, Sentence: sentence, Evidence: seen, Moves: r.Moves, Lacks: s.lacks()}
		}
	}
	panic("results: no rule of the bottlenecks holds for the verdict " + string(s.verdict.Kind))
}
