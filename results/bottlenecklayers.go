package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"corelab/results/stacks"
)

// Rules of rows in which the server is busy, by what its CPU time goes into.
//
// The path through TCP has most of the time of every good server, and no server can leave it out. So what is named is what
// stands out: the group of layers that has most beyond what is ordinary for it, by more than the number of samples leaves
// open. If none does, TCP is named. Without a profile the ledger speaks, as far as it goes.

// What is ordinary for a group of layers on a small request over loopback, as a part of the server's CPU time: what has more
// stands out. They lie above what event loops without anything to spare show in plaintext, which is given behind each.
const (
	OrdinaryWakeups   = 0.08 // 6 to 8 %: waking the peer
	OrdinaryScheduler = 0.08 // 0.5 %; a goroutine for each connection 5 %
	OrdinaryMemory    = 0.05 // below 1 %
	OrdinaryEpoll     = 0.08 // 3 to 6 %
	OrdinaryEntry     = 0.15 // 4 %; several times as much on a machine that guards against speculation
	OrdinarySetup     = 0.10 // nothing
	OrdinaryUser      = 0.30 // 6 to 12 %: parse, route, answer
	TCPLeast          = 0.30 // 70 to 80 %
)

// What the ledger must show where there is no profile, by request.
const (
	SwitchesEach = 0.50 // voluntary switches: every second request finds a thread asleep
	SwitchesSome = 0.10 // likewise, beside a profile that shows their cost; an event loop that serves what is ready has 0.02
	RegisterEach = 0.50 // epoll_ctl
	CallsEach    = 4    // system calls: twice a read and a write
	ReadsEach    = 1.30 // reads for a small request that comes whole: one has it, the rest find nothing
	FaultsEach   = 0.50 // page faults
	MostTime     = 0.50 // of user and system time together
)

// group is layers that belong together, and what is ordinary for them.
type group struct {
	rule     string
	layers   []stacks.Layer
	ordinary float64
}

var (
	userLayers = []stacks.Layer{stacks.Parse, stacks.Route, stacks.Handler, stacks.Reply}
	tcpLayers  = []stacks.Layer{stacks.SocketSend, stacks.Transmit, stacks.Receive, stacks.SocketRead}
)

var groups = []group{
	{"hand-over", []stacks.Layer{stacks.Wakeup}, OrdinaryWakeups},
	{"go-scheduler", []stacks.Layer{stacks.Scheduler, stacks.Netpoller}, OrdinaryScheduler},
	{"allocation", []stacks.Layer{stacks.Memory}, OrdinaryMemory},
	{"epoll", []stacks.Layer{stacks.Epoll}, OrdinaryEpoll},
	{"system-calls", []stacks.Layer{stacks.CallEntry}, OrdinaryEntry},
	{"connection-set-up", []stacks.Layer{stacks.Setup}, OrdinarySetup},
	{"user-code", userLayers, OrdinaryUser},
}

// outstanding is the rule of the group that stands out most, and its share; empty where none does, and without a profile.
// Wake-ups count where the server's own threads sleep: to wake a peer that does is the price of an answer.
func (s *scene) outstanding() (rule string, share float64) {
	if s.layers == nil {
		return "", 0
	}
	most, n := 0.0, s.layers.Samples()
	for _, g := range groups {
		v := s.share(g.layers...)
		if g.rule == "hand-over" && !s.least(Voluntary, SwitchesSome) || n <= 0 {
			continue
		}
		if beyond := v - g.ordinary; beyond > shareError(v, n) && beyond > most {
			most, rule, share = beyond, g.rule, v
		}
	}
	return rule, share
}

// layerWords name those of the layers that have most of the time: "TCP transmit 30 %, socket write 9 %".
func (s *scene) layerWords(layers []stacks.Layer) string {
	order := slices.Clone(layers)
	slices.SortStableFunc(order, func(a, b stacks.Layer) int { return cmp.Compare(s.share(b), s.share(a)) })
	var words []string
	for _, l := range order[:min(len(order), layersShown)] {
		if s.share(l) > 0 {
			words = append(words, string(l)+" "+inPercent(s.share(l)))
		}
	}
	return strings.Join(words, ", ")
}

// besides is what TCP has, which is the price of every exchange, behind what stands out.
func (s *scene) besides() string {
	if s.layers == nil {
		return ""
	}
	return fmt.Sprintf("; TCP, which all must pay, has %s", inPercent(s.share(tcpLayers...))) + s.profiledIn()
}

// profiledIn says of which case a profile is that is not the row's own.
func (s *scene) profiledIn() string {
	if s.layersIn == "" {
		return ""
	}
	return " (profiled in " + s.layersIn + ")"
}

// countedIn says of which case counts of system calls are that are not the row's own.
func (s *scene) countedIn() string {
	if s.callsIn == "" {
		return ""
	}
	return " (counted in " + s.callsIn + ")"
}

// ledgerSeen is what a request costs and counts.
func (s *scene) ledgerSeen() []string {
	return slices.Concat(s.costSeen(), s.callsSeen(), s.switchesSeen(), s.allocSeen(), s.layersSeen(), s.limitSeen(), s.busySeen())
}

func theyHandOver(s *scene) (string, []string) {
	rule, share := s.outstanding()
	v, ok := s.median(Voluntary)
	asleep := ok && v >= SwitchesEach
	if s.layers != nil && rule != "hand-over" || s.layers == nil && !asleep {
		return "", nil
	}
	text := fmt.Sprintf("threads wake each other: %s voluntary switches a request", countText(v))
	if asleep {
		text = fmt.Sprintf("a thread goes to sleep and is woken for each request: %s voluntary switches", formatRate(v))
	}
	if s.layers != nil {
		text += fmt.Sprintf("; wake-ups and context switches have %s of its CPU time", inPercent(share)) + s.besides()
	}
	return text, slices.Concat(s.ledgerSeen(), s.wakeSeen())
}

func schedulerStandsOut(s *scene) (string, []string) {
	rule, share := s.outstanding()
	if rule != "go-scheduler" {
		return "", nil
	}
	return fmt.Sprintf("Go's scheduler and netpoller: %s of its CPU time (%s)%s", inPercent(share), s.layerWords([]stacks.Layer{stacks.Scheduler, stacks.Netpoller}), s.besides()), s.ledgerSeen()
}

func memoryStandsOut(s *scene) (string, []string) {
	rule, share := s.outstanding()
	if rule != "allocation" {
		return "", nil
	}
	text := fmt.Sprintf("memory: managing it has %s of its CPU time", inPercent(share))
	if seen := s.allocSeen(); seen != nil {
		text += ", for " + seen[0]
	}
	return text + s.besides(), s.ledgerSeen()
}

// epollStandsOut looks at how often interest is registered beside connections that come anew.
func epollStandsOut(s *scene) (string, []string) {
	rule, share := s.outstanding()
	anew, _ := s.connects()
	registered := s.called("epoll_ctl", "epoll_ctl_old") - 2*anew
	if s.layers != nil && rule != "epoll" || s.layers == nil && registered < RegisterEach {
		return "", nil
	}
	text := "epoll"
	if s.layers != nil {
		text += fmt.Sprintf(": %s of its CPU time", inPercent(share))
	}
	if registered >= RegisterEach {
		text += fmt.Sprintf(": interest is registered anew for each request, %s epoll_ctl%s", formatRate(s.called("epoll_ctl", "epoll_ctl_old")), s.countedIn())
	} else if waits := s.called("epoll_wait", "epoll_pwait", "epoll_pwait2"); waits >= callShown {
		text += fmt.Sprintf(", %s waits a request", formatRate(waits))
	}
	return text + s.besides(), s.ledgerSeen()
}

func callsStandOut(s *scene) (string, []string) {
	rule, share := s.outstanding()
	anew, _ := s.connects()
	var sum float64
	for _, n := range s.calls {
		sum += n
	}
	many := sum*s.depth() >= CallsEach && anew < ConnectShare
	if s.layers != nil && rule != "system-calls" || s.layers == nil && !many {
		return "", nil
	}
	text := "entering and leaving the kernel"
	if words := s.callWords(); words != "" {
		text = words + " a request"
	}
	switch {
	case many && s.depth() > 1:
		text += fmt.Sprintf(", where a read and a write do for %s of them", formatCount(s.depth()))
	case many:
		text += ", where a read and a write do"
	}
	if s.layers != nil {
		text += fmt.Sprintf("; getting in and out has %s of its CPU time", inPercent(share)) + s.besides()
	}
	return text, slices.Concat(s.costSeen(), s.layersSeen(), s.switchesSeen(), s.limitSeen(), s.busySeen())
}

// readsFindNothing goes by the count of reads: a small request that the client sends alone comes in one piece.
func readsFindNothing(s *scene) (string, []string) {
	rule, _ := s.outstanding()
	reads := s.called("read", "readv", "recvfrom", "recvmsg")
	in, ok := s.median(BytesIn)
	anew, known := s.connects()
	if rule != "" || reads < ReadsEach || s.depth() > 1 || !ok || in > SmallBody || known && anew >= ConnectShare {
		return "", nil
	}
	text := fmt.Sprintf("reads that find nothing: %s reads a request%s, of which one has it", formatRate(reads), s.countedIn())
	if s.layers != nil {
		text += fmt.Sprintf("; reading has %s of its CPU time, and TCP with it %s", inPercent(s.share(stacks.SocketRead)), inPercent(s.share(tcpLayers...))) + s.profiledIn()
	}
	return text, s.ledgerSeen()
}

func itTouchesNewMemory(s *scene) (string, []string) {
	n, ok := s.median(PageFaults)
	if !ok || n < FaultsEach {
		return "", nil
	}
	text := fmt.Sprintf("new memory: %s page faults a request", formatRate(n))
	if rss, ok := s.median(Memory); ok {
		text += fmt.Sprintf(", %s MiB resident at the end", mebibytes(rss))
	}
	return text, s.ledgerSeen()
}

func userCodeStandsOut(s *scene) (string, []string) {
	if rule, share := s.outstanding(); rule == "user-code" {
		return fmt.Sprintf("its own code: %s of its CPU time (%s)%s", inPercent(share), s.layerWords(userLayers), s.besides()), s.ledgerSeen()
	}
	user, ok := s.median(ServerUser)
	system, also := s.median(ServerSystem)
	if s.layers != nil || !ok || !also || user < MostTime*(user+system) {
		return "", nil
	}
	return fmt.Sprintf("its own code and its runtime: %s of a request's CPU time are user time (%s; system %s)", inPercent(user/(user+system)), formatTime(user), formatTime(system)), s.ledgerSeen()
}

func tcpHasMost(s *scene) (string, []string) {
	rule, _ := s.outstanding()
	tcp, user := s.share(tcpLayers...), s.share(userLayers...)
	if s.layers == nil || rule != "" || tcp < TCPLeast {
		return "", nil
	}
	text := fmt.Sprintf("kernel: %s in TCP (%s)", inPercent(tcp), s.layerWords(tcpLayers))
	if user > 0 {
		text += ", user code " + inPercent(user)
	}
	return text + s.profiledIn(), s.ledgerSeen()
}

func setupStandsOut(s *scene) (string, []string) {
	rule, share := s.outstanding()
	if rule != "connection-set-up" {
		return "", nil
	}
	return fmt.Sprintf("connections that come and go: setting them up and tearing them down has %s of its CPU time", inPercent(share)) + s.besides(), s.ledgerSeen()
}

func nothingStandsOut(s *scene) (string, []string) {
	if s.layers == nil {
		return "", nil
	}
	return "many small things, of which none stands out: " + s.layerWords(stacks.Layers) + s.profiledIn(), s.ledgerSeen()
}

func kernelHasMost(s *scene) (string, []string) {
	user, ok := s.median(ServerUser)
	system, also := s.median(ServerSystem)
	if !ok || !also || user+system <= 0 {
		return "", nil
	}
	text := fmt.Sprintf("kernel: %s of a request's CPU time are system time (%s), user code %s", inPercent(system/(user+system)), formatTime(system), formatTime(user))
	if words := s.callWords(); words != "" {
		text += ", for " + words
	}
	return text, slices.Concat(s.costSeen(), s.switchesSeen(), s.allocSeen(), s.limitSeen(), s.bytesSeen(), s.busySeen())
}

// cpuIsUsedUp is the last rule of its verdict.
func cpuIsUsedUp(s *scene) (string, []string) {
	text := "its CPU time is used up"
	if cpu, ok := s.median(ServerCPU); ok {
		text += fmt.Sprintf(": %s a request", formatTime(cpu))
	}
	_, okUser := s.median(ServerUser)
	if !okUser {
		text += "; user and system time are not told apart"
	}
	return text, s.seen(s.callsSeen(), s.switchesSeen(), s.allocSeen(), s.limitSeen())
}
