package results

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Kind is what limited a cell, or why its figures cannot be believed.
type Kind string

// The kinds of verdicts. Every cell that was tried has exactly one, the first that holds in this order:
//
//	erroneous        a trial failed; the server died; an answer was wrong (status, length, bytes, not HTTP); it did not run
//	                 where its table says
//	starved          a connection was never answered
//	erroneous        answers were lost (connect, read, write, time-out), or half of the rounds break Little's law
//	too noisy        in more than half of the rounds something else took the CPU, or who was busy could not be read, or the
//	                 interval reaches too far: of server CPU ÷ generator CPU, from which the machine's own changes of speed fall
//	                 out, farther than WideCost from the median; of an open loop's p99 farther than WideLatency
//	rate-bound       open loop: all that was due was sent when it was due. The rate is the limit, and it was met: that nobody
//	                 was busy says nothing
//	generator-bound  the generator was busy, and busier than the server or as busy: throughput is a lower bound
//	server-bound     the server was busy
//	idle-waiting     neither was busy: what limits is how they wait for each other, the architecture
//
// Busy is who used BusyLimit of the CPUs that it had, less what was taken from these, or whose busiest thread used as much of
// one CPU. A wrong answer comes before a starved connection, because it makes every figure worthless; a lost answer and a
// broken law behind it, because they follow from it: a connection that gets no answer ends in a time-out, and one that is
// served for a part of the time was not in flight for all of it.
//
// Where server and generator share their CPUs (placements one and shared) there is no saying who of them would have done more,
// had it been alone. If they used up what they shared, throughput is set by the cost of both, and the verdict says whose
// saving would have moved it: the server's, while SharedServerPart of what they used is its own, else the generator's.
//
// An open loop in which requests were sent late or not at all (WarnLate) did not meet its rate, and is judged like a closed
// one; only if nobody was busy and no more than MuchLate of them were, its rate was met, by and large, though its percentiles
// are not ranked. One whose rate changes has rules of its own, see the tables of the scenario.
//
// The rounds in which something else took the CPU (WarnSteal) are left out of medians, ratios, intervals and the verdict's
// figures; a pair is left out with either of its halves. They are told by what others used of the CPUs in use, never by the
// outcome. Where no round is left, all are shown. An answer that was lost, a connection that was starved and a law that was
// broken in such a round count for nothing: a server that has no CPU answers nobody.
const (
	Erroneous      Kind = "erroneous"
	Starved        Kind = "starved"
	TooNoisy       Kind = "too noisy"
	RateBound      Kind = "rate-bound"
	GeneratorBound Kind = "generator-bound"
	ServerBound    Kind = "server-bound"
	IdleWaiting    Kind = "idle-waiting"
)

// verdictLegend is the same for readers of a report.
var verdictLegend = []string{
	fmt.Sprintf("verdict: what limited a row. server-bound: the server used %.0f %% of its CPUs, or one of its threads as much of one; where both share a CPU, they used it up between them. "+
		"generator-bound: the generator was as busy, so that throughput is a lower bound. idle-waiting: neither was busy; how they wait for each other, the architecture, is the limit. "+
		"rate-bound: an open loop in which all was sent when it was due.", 100*BusyLimit),
	fmt.Sprintf("Refused, and so in no rank: erroneous (wrong answers, failed trials, Little's law broken), starved (connections that were never answered), "+
		"too noisy (something else took more than %.0f %% of the CPUs in use in more than half of the rounds, or server CPU ÷ generator CPU is not known within %.0f %%). "+
		"All other rounds in which something else took the CPU are left out, and counted under the table.", 100*TakenShare, 100*WideCost),
	"busy: how much server / generator used of the CPUs that they had.",
}

// Bounds of the verdicts.
const (
	BusyLimit        = 0.90    // of its CPUs: who uses as much may be the limit
	BusyTie          = 0.02    // closer than that nobody is the busier one
	SharedServerPart = 1 / 3.0 // of the CPU that both used: from there on a saving of the server counts for throughput
	AloneWorker      = 0.99    // of all answers: one worker with as many is all that works
	AloneMost        = 1.02    // CPUs: what one at a time uses at the most, with what the runtime does beside it
	MuchLate         = 0.05    // of what was due in an open loop: up to there it met its rate, if nobody was busy
	WideCost         = 0.50    // how far the interval of the cost may reach from its median, as a part of it
	WideLatency      = 2.00    // likewise that of an open loop's p99
)

// Verdict is what a cell's trials say of the cell.
type Verdict struct {
	Kind    Kind   `json:"verdict"`
	Reason  string `json:"reason"`   // with the figures
	Rounds  int    `json:"rounds"`   // that were loaded
	LeftOut int    `json:"left_out"` // of them, because something else took the CPU
}

// Sound reports whether the cell's cost may be ranked.
func (v Verdict) Sound() bool {
	switch v.Kind {
	case RateBound, GeneratorBound, ServerBound, IdleWaiting:
		return true
	}
	return false
}

// Verdict judges the cell by its trials; ok is false where none was tried.
func (c *Cell) Verdict() (v Verdict, ok bool) {
	tried := slices.ContainsFunc(c.Trials, func(t *Trial) bool { return t.Load != nil || t.Error != "" })
	if !tried {
		return Verdict{}, false
	}
	v.LeftOut, v.Rounds = c.disturbed()
	if slices.ContainsFunc(c.Trials, (*Trial).bursts) {
		v.Kind, v.Reason = c.limitOfBursts()
		return v, v.Kind != ""
	}
	for _, judge := range []func(*Cell) (Kind, string){(*Cell).judgeAnswers, (*Cell).judgeNoise, (*Cell).judgeLimit} {
		if v.Kind, v.Reason = judge(c); v.Kind != "" {
			break
		}
	}
	return v, true
}

// undisturbed is the cell of the rounds that are not left out.
func (c *Cell) undisturbed() *Cell {
	left := &Cell{Key: c.Key}
	for _, t := range c.Trials {
		if !Disturbed(t) {
			left.Trials = append(left.Trials, t)
		}
	}
	return left
}

// disturbed counts the trials in which something else took the CPU, of those that were loaded.
func (c *Cell) disturbed() (n, of int) {
	for _, t := range c.Trials {
		if t.Load == nil || t.Error != "" {
			continue
		}
		of++
		if Disturbed(t) {
			n++
		}
	}
	return n, of
}

// Disturbed reports whether something else took so much of the CPUs in use that the trial is left out.
func Disturbed(t *Trial) bool { return hasCode(t.Warnings, WarnSteal) || checkTaken(t).Code != "" }

// judgeAnswers refuses a cell that was not answered as it should. A wrong answer counts wherever it came; that answers did not
// come, or that the times do not fit, counts in rounds that are not left out: a server that has no CPU answers nobody.
func (c *Cell) judgeAnswers() (Kind, string) {
	wrong := Errors{}
	for _, t := range c.Trials {
		if t.Load != nil {
			e := t.Load.Errors
			wrong.Status, wrong.Length, wrong.Body, wrong.Parse = wrong.Status+e.Status, wrong.Length+e.Length, wrong.Body+e.Body, wrong.Parse+e.Parse
		}
	}
	var graver, starved, lost []string
	for _, m := range c.Marks() {
		switch {
		case m.Code == WarnPlacement && c.Placement == PlacementShared:
			// Nothing is pinned in this table, so that its rows are alike.
		case m.Code == WarnStarved, m.Code == WarnLittle, m.Code == WarnErrors && wrong.Total() == 0:
			// See below.
		case Refuses(m.Code):
			graver = append(graver, m.String())
		}
	}
	for _, m := range c.undisturbed().Marks() {
		switch {
		case m.Code == WarnLittle && 2*m.Rounds < m.Of:
			// A stall at the edge of one window: the others stand, and the median over them.
		case m.Code == WarnStarved:
			starved = append(starved, m.String())
		case m.Code == WarnErrors && wrong.Total() == 0, m.Code == WarnLittle:
			lost = append(lost, m.String())
		}
	}
	also := func(of ...[]string) string { return strings.Join(slices.Concat(of...), "; ") }
	switch {
	case graver != nil:
		return Erroneous, also(graver, starved, lost)
	case starved != nil:
		return Starved, also(starved, lost)
	case lost != nil:
		return Erroneous, also(lost)
	}
	return "", ""
}

// judgeNoise refuses a cell that others disturbed too often, or whose cost is not known well enough to mean anything.
func (c *Cell) judgeNoise() (Kind, string) {
	if n, of := c.disturbed(); 2*n > of {
		return TooNoisy, fmt.Sprintf("in %d of %d rounds something else took the CPU: too few are left", n, of)
	}
	if why := c.tooWide(CPUShare, WideCost); why != "" && c.Loop == LoopClosed {
		return TooNoisy, why
	}
	return "", ""
}

// tooWide says so where the interval of f reaches farther from its median than bound, as a part of it.
func (c *Cell) tooWide(f Figure, bound float64) string {
	e, ok := c.Estimate(f)
	if !ok || e.N < 2 || e.Spread() <= bound {
		return ""
	}
	lo, hi := e.Range()
	what := "interval"
	if !e.Bounded() {
		what = "range of the rounds"
	}
	return fmt.Sprintf("the %s of %s is %s to %s times its median: farther from it than %.0f %%", what, f.Name, digits(lo/e.Median), digits(hi/e.Median), 100*bound)
}

// judgeLimit says what limited a cell whose figures are sound.
func (c *Cell) judgeLimit() (Kind, string) {
	met, behind := c.rateMet()
	if met != "" {
		if why := c.tooWide(P99, WideLatency); why != "" {
			return TooNoisy, why
		}
		return RateBound, met + c.busyWords(", ")
	}
	server, okServer := c.Estimate(serverBusy)
	client, okClient := c.Estimate(clientBusy)
	if !okServer || !okClient {
		why := c.Lack(serverBusy)
		if okServer {
			why = c.Lack(clientBusy)
		}
		return TooNoisy, behind + "who was busy is not known: " + why
	}
	kind, why := c.limitBy(server.Median, client.Median)
	if behind != "" && kind == IdleWaiting {
		if part := c.lateShare(); part <= MuchLate {
			return RateBound, fmt.Sprintf("all but %.1f %% of what was due was sent in time", 100*part) + c.busyWords(", ")
		}
	}
	return kind, behind + why
}

// lateShare is the part of all that was due in the cell that was sent late or not at all.
func (c *Cell) lateShare() float64 {
	var late, due uint64
	for _, t := range c.undisturbed().Trials {
		if t.Load != nil {
			late, due = late+t.Load.Late+t.Load.Unsent, due+t.Load.Requests+t.Load.Unsent
		}
	}
	return float64(late) / float64(max(due, 1))
}

// rateMet says so where an open loop offered what it should; behind says what kept it from that, as the begin of a reason.
func (c *Cell) rateMet() (met, behind string) {
	if c.Loop != LoopOpen {
		return "", ""
	}
	for _, m := range c.undisturbed().Marks() {
		if m.Code == WarnLate && 2*m.Rounds >= m.Of {
			return "", "the rate was not met in time: "
		}
	}
	offered, ok := c.Estimate(Offered)
	if !ok {
		return "all that was due was sent in time", ""
	}
	return fmt.Sprintf("all that was due at %s/s was sent in time", formatCount(offered.Median)), ""
}

// limitBy finds the limit by who was how busy.
func (c *Cell) limitBy(server, client float64) (Kind, string) {
	who := c.busyWords("")
	if c.Placement != PlacementSplit && server+client >= BusyLimit {
		part := server / (server + client)
		if part < SharedServerPart {
			return GeneratorBound, fmt.Sprintf("%s, together all that they share, of which only %.0f %% is the server's", who, 100*part)
		}
		return ServerBound, who + ": together all that they share, so that the cost of a request decides"
	}
	threads := ""
	if t, ok := c.Estimate(serverThread); ok && t.Median >= BusyLimit && t.Median > server {
		server, threads = t.Median, fmt.Sprintf("; the server's busiest thread %.0f %% of one", 100*t.Median)
	}
	if t, ok := c.Estimate(clientThread); ok && t.Median >= BusyLimit && t.Median > client {
		client, threads = t.Median, threads+fmt.Sprintf("; the generator's busiest thread %.0f %% of one", 100*t.Median)
	}
	switch {
	case client >= BusyLimit && client > server-BusyTie:
		return GeneratorBound, who + threads
	case server >= BusyLimit:
		return ServerBound, who + threads
	}
	return IdleWaiting, who + ": neither is busy, they wait for each other"
}

// busyWords are the figures behind a limit: "server 97 % of CPU 0, generator 60 % of CPU 1"; nothing where they are not known.
func (c *Cell) busyWords(before string) string {
	var parts []string
	for _, side := range []struct {
		name string
		f    Figure
		of   func(*Trial) *Usage
	}{{"server", serverBusy, func(t *Trial) *Usage { return t.Server }}, {"generator", clientBusy, func(t *Trial) *Usage { return t.Client }}} {
		e, ok := c.Estimate(side.f)
		if !ok {
			continue
		}
		where := ""
		for _, t := range c.Trials {
			if u := side.of(t); u != nil && u.Affinity != "" {
				where = u.Affinity
			}
		}
		parts = append(parts, fmt.Sprintf("%s %.0f %% of CPU %s", side.name, 100*e.Median, where))
	}
	if parts == nil {
		return ""
	}
	return before + strings.Join(parts, ", ")
}

// Who was how busy: the part of the CPUs that it might use, less what something else took of them.
var (
	serverBusy = Figure{Name: "the server's part of its CPUs", Unit: "server-busy", Falls: true,
		Field: []string{"server", "server.cpu_ns"}, of: func(t *Trial) (float64, bool) { return busyPart(t, t.Server, SeatServer) }}
	clientBusy = Figure{Name: "the generator's part of its CPUs", Unit: "generator-busy", Falls: true,
		Field: []string{"client", "client.cpu_ns"}, of: func(t *Trial) (float64, bool) { return busyPart(t, t.Client, SeatClient) }}
	serverThread = Figure{Name: "the server's busiest thread", Unit: "server-thread", Falls: true,
		Field: []string{"server"}, of: busiestOfServer}
	clientThread = Figure{Name: "the generator's busiest thread", Unit: "generator-thread", Falls: true,
		Field: []string{"client"}, of: func(t *Trial) (float64, bool) { return busiest(t.Client) }}
)

func busyPart(t *Trial, u *Usage, of string) (float64, bool) {
	if u == nil || u.Elapsed <= 0 || u.CPU <= 0 {
		return 0, false
	}
	there := time.Duration(countCPUs(u.Affinity)) * u.Elapsed
	if seat := t.seat(of); seat != nil {
		there -= min(seat.Steal+seat.Others, there)
	}
	if there <= 0 {
		return 0, false
	}
	return min(1, float64(u.CPU)/float64(there)), true // a tick more is none
}

// seat is the CPUs of that side; nil where the record has none.
func (t *Trial) seat(of string) *Seat {
	if t.Machine == nil {
		return nil
	}
	for i, s := range t.Machine.Seats {
		if s.Of == of || s.Of == SeatBoth {
			return &t.Machine.Seats[i]
		}
	}
	return nil
}

func busiest(u *Usage) (float64, bool) {
	if u == nil || u.Elapsed <= 0 || u.Busiest <= 0 {
		return 0, false
	}
	return float64(u.Busiest) / float64(u.Elapsed), true
}

// busiestOfServer is busiest, but where one worker does nearly all it is what the process used: Go may have moved that worker
// from thread to thread, so that none of them shows what it did. A worker that is the only one may be many threads: it is one
// at a time if together they use no more than one CPU, and hardly ever sleep.
func busiestOfServer(t *Trial) (float64, bool) {
	part, ok := busiest(t.Server)
	if !ok {
		return part, ok
	}
	used := float64(t.Server.CPU) / float64(t.Server.Elapsed)
	var most, all uint64
	for _, w := range t.Workers {
		most, all = max(most, w.Requests), all+w.Requests
	}
	alone := all > 0 && float64(most) >= AloneWorker*float64(all)
	if len(t.Workers) == 1 {
		alone = alone && used <= AloneMost && float64(t.Server.Voluntary) < SwitchesEach*float64(all)
	}
	if !alone {
		return part, true
	}
	return max(part, min(1, used)), true
}

// CellVerdict is the verdict of one cell, for programs.
type CellVerdict struct {
	Scenario  string `json:"scenario"`
	Case      string `json:"case,omitempty"`
	Target    string `json:"target"`
	Role      string `json:"role,omitempty"`
	Generator string `json:"generator,omitempty"`
	Loop      string `json:"loop,omitempty"`
	Placement string `json:"placement,omitempty"`
	Verdict
	Ranked     bool        `json:"ranked"`               // it takes part in the ranks of its table
	Bottleneck *Bottleneck `json:"bottleneck,omitempty"` // what limits it
}

// Verdicts judges every cell of the record that was tried, in the order of the record, but for those that were observed or
// profiled: these are slowed, and nobody asks who was busy in them.
func Verdicts(rec *Record) []CellVerdict {
	limits := map[string]bool{}
	for _, t := range rec.Run.Targets {
		limits[t.Name] = t.Limit
	}
	verdicts := []CellVerdict{}
	cells := Cells(rec)
	for _, c := range cells {
		if v, ok := c.Verdict(); ok && c.Role != RoleObserved && c.Role != RoleProfiled {
			limit := newScene(rec, cells, c, v).judge()
			verdicts = append(verdicts, CellVerdict{Scenario: c.Scenario, Case: c.Case, Target: c.Target, Role: c.Role, Generator: c.Generator,
				Loop: c.Loop, Placement: c.Placement, Verdict: v, Ranked: v.Sound() && c.Role == RoleRanked && !limits[c.Target], Bottleneck: &limit})
		}
	}
	return verdicts
}
