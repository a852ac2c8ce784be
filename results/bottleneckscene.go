package results

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"corelab/results/stacks"
)

// scene is what the rules look at: one row, and what else is known of it. Every figure comes with whether it is known; a rule
// that needs one which is not does not hold.
type scene struct {
	rec     *Record
	cells   []*Cell
	cell    *Cell
	verdict Verdict
	typical *Trial     // of the trials that count, the one of the median throughput; nil where none was answered
	loaded  *Trial     // a trial with a load, answered or not; nil where there is none
	layers  *LayerCost // nil without a profile
	lack    string     // why there is none
	calls   map[string]float64
}

func newScene(rec *Record, cells []*Cell, c *Cell, v Verdict) *scene {
	s := &scene{rec: rec, cells: cells, cell: c, verdict: v}
	s.layers, s.lack = rec.LayersOf(c)
	s.look()
	return s
}

// look finds the trials that stand for the cell, and its system calls.
func (s *scene) look() {
	s.calls = callMedians(s.cell.Target, s.cell.Scenario, s.cell.Case, s.cells)
	counted := s.cell.undisturbed()
	if len(counted.Trials) == 0 {
		counted = s.cell
	}
	var answered []*Trial
	for _, t := range counted.Trials {
		if t.Load == nil || t.Error != "" {
			continue
		}
		if s.loaded == nil {
			s.loaded = t
		}
		if _, ok := Throughput.Of(t); ok {
			answered = append(answered, t)
		}
	}
	slices.SortStableFunc(answered, func(a, b *Trial) int {
		x, _ := Throughput.Of(a)
		y, _ := Throughput.Of(b)
		return cmp.Compare(x, y)
	})
	if len(answered) > 0 {
		s.typical = answered[(len(answered)-1)/2]
	}
}

// lacks says why the row has no profile, where a profile would say more of it.
func (s *scene) lacks() string {
	if s.layers != nil || !s.verdict.Sound() || s.verdict.Kind == RateBound {
		return ""
	}
	return "no profile: " + s.lack
}

// median is the row's figure.
func (s *scene) median(f Figure) (float64, bool) {
	e, ok := s.cell.Estimate(f)
	return e.Median, ok
}

// least is whether the row's figure is known to be at least as much.
func (s *scene) least(f Figure, bound float64) bool {
	v, ok := s.median(f)
	return ok && v >= bound
}

// mark is the row's warning of one of the codes.
func (s *scene) mark(codes ...string) (Mark, bool) {
	for _, m := range s.cell.Marks() {
		if slices.Contains(codes, m.Code) {
			return m, true
		}
	}
	return Mark{}, false
}

// depth is how many requests are in flight on a connection.
func (s *scene) depth() float64 {
	if s.loaded == nil {
		return 1
	}
	return float64(max(s.loaded.Load.Depth, 1))
}

// idle is the part of the server's CPUs that nobody used: not the server, and where both have the same not the generator.
func (s *scene) idle() (float64, bool) {
	server, ok := s.median(serverBusy)
	if !ok {
		return 0, false
	}
	if s.cell.Placement == PlacementSplit {
		return 1 - server, true
	}
	client, ok := s.median(clientBusy)
	return max(0, 1-server-client), ok
}

// share is what the layers have together of the time in which the server was busy; 0 without a profile.
func (s *scene) share(layers ...stacks.Layer) (sum float64) {
	if s.layers == nil {
		return 0
	}
	for _, l := range layers {
		sum += s.layers.Share(l)
	}
	return sum
}

// Evidence: each is a list of none or some, so that it can be joined.

// busySeen says who was how busy.
func (s *scene) busySeen() []string { return some(s.cell.busyWords("")) }

// costSeen is what a request costs, and in which mode.
func (s *scene) costSeen() []string {
	cpu, ok := s.median(ServerCPU)
	if !ok {
		return nil
	}
	text := formatTime(cpu) + " of CPU a request"
	user, okUser := s.median(ServerUser)
	system, okSystem := s.median(ServerSystem)
	if okUser && okSystem {
		text += fmt.Sprintf(" (user %s, system %s)", formatTime(user), formatTime(system))
	}
	return []string{text}
}

// generatorSeen is what a request costs the generator.
func (s *scene) generatorSeen() []string {
	if cpu, ok := s.median(ClientCPU); ok {
		return []string{formatTime(cpu) + " of the generator's CPU a request"}
	}
	return nil
}

// callsSeen names the system calls of a request.
func (s *scene) callsSeen() []string {
	if words := s.callWords(); words != "" {
		return []string{words + " a request"}
	}
	return nil
}

const (
	callShown  = 0.01 // a request: what is called less often is not named
	callsShown = 6    // names at most
)

// callWords are the system calls of a request, most first: "2.03 system calls (recvfrom 1.00, sendto 1.00, epoll_pwait 0.02)".
func (s *scene) callWords() string {
	names := slices.SortedFunc(maps.Keys(s.calls), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.calls[b], s.calls[a]), cmp.Compare(a, b))
	})
	var sum float64
	var words []string
	for _, name := range names {
		sum += s.calls[name]
		if s.calls[name] >= callShown && len(words) < callsShown {
			words = append(words, name+" "+formatRate(s.calls[name]))
		}
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf("%s system calls (%s)", formatRate(sum), strings.Join(words, ", "))
}

// called is how often a request makes one of the calls.
func (s *scene) called(names ...string) (sum float64) {
	for _, name := range names {
		sum += s.calls[name]
	}
	return sum
}

const (
	layersShown = 4    // names at most
	OtherShare  = 0.05 // of its CPU time: if the rules of the layers do not know as much, evidence says so
)

// layersSeen names the layers that have most.
func (s *scene) layersSeen() []string {
	if s.layers == nil {
		return nil
	}
	seen := []string{"of its CPU time: " + s.layerWords(stacks.Layers)}
	if other := s.share(stacks.Other); other > OtherShare {
		seen = append(seen, inPercent(other)+" is in functions that no rule of the layers knows")
	}
	return seen
}

// switchesSeen are the context switches of a request, where there are any to speak of.
func (s *scene) switchesSeen() []string {
	v, ok := s.median(Voluntary)
	w, also := s.median(Involuntary)
	if !ok || !also || v+w < callShown {
		return nil
	}
	return []string{fmt.Sprintf("context switches a request: %s voluntary, %s not", countText(v), countText(w))}
}

// allocSeen is what a request allocates.
func (s *scene) allocSeen() []string {
	n, ok := s.median(Allocs)
	bytes, also := s.median(AllocBytes)
	if !ok || !also || n < callShown {
		return nil
	}
	text := fmt.Sprintf("%s objects, %s B allocated a request", digits(n), digits(bytes))
	if gcs, ok := s.median(GCs); ok && gcs > 0 {
		text += fmt.Sprintf(", %s GC cycles a million", digits(1e6*gcs))
	}
	return []string{text}
}

// latencySeen are the percentiles that the row has.
func (s *scene) latencySeen() []string {
	var words []string
	for _, f := range []Figure{P50, P99} {
		if v, ok := s.median(f); ok {
			words = append(words, f.Name+" "+formatTime(v))
		}
	}
	return some(strings.Join(words, ", "))
}

// wakeSeen is how long a thread of the server waited for a CPU once it was woken.
func (s *scene) wakeSeen() []string {
	if l := s.runQueue(); l != nil && l.Count > 0 {
		return []string{fmt.Sprintf("a thread that was woken ran %s later (p50), p99 %s", formatTime(float64(l.P50)), formatTime(float64(l.P99)))}
	}
	return nil
}

// runQueue is the latency of wake-ups in the profiled trial, nil without any.
func (s *scene) runQueue() *Latency {
	for i := range s.rec.Trials {
		t := &s.rec.Trials[i]
		if t.Role == RoleProfiled && t.Scenario == s.cell.Scenario && t.Case == s.cell.Case && t.Target == s.cell.Target && t.Error == "" && t.RunQueue != nil {
			return t.RunQueue
		}
	}
	return nil
}

// limitSeen holds the row against the target that does less than all others, where the same table has one.
func (s *scene) limitSeen() []string {
	for _, t := range s.rec.Run.Targets {
		if !t.Limit || t.Name == s.cell.Target {
			continue
		}
		for _, c := range s.cells {
			if c.Target != t.Name || c.Role != RoleRanked || !c.sameTable(s.cell.Key) {
				continue
			}
			f := ServerCPU
			if s.cell.Placement == PlacementOne {
				f = CPUShare
			}
			if e, ok := Ratio(s.cell, c, f); ok {
				return []string{fmt.Sprintf("%s ÷ that of %s, the limit: %s", f.Name, t.Name, formatRatio(e, e.Side(1) != 0))}
			}
		}
	}
	return nil
}

// sibling is a sound cell of the same target with the same placement in a closed loop that is like wants, of the same scenario
// if there is one; nil where there is none.
func (s *scene) sibling(like func(*scene) bool) *scene {
	var found *scene
	for _, c := range s.cells {
		if c == s.cell || c.Role != RoleRanked || c.Target != s.cell.Target || c.Placement != s.cell.Placement || c.Loop != LoopClosed || s.cell.sameTable(c.Key) {
			continue
		}
		if v, ok := c.Verdict(); !ok || !v.Sound() || found != nil && c.Scenario != s.cell.Scenario {
			continue
		}
		other := &scene{rec: s.rec, cells: s.cells, cell: c}
		other.look()
		if other.typical == nil || other.depth() != s.depth() || !like(other) {
			continue
		}
		if found = other; c.Scenario == s.cell.Scenario {
			break
		}
	}
	return found
}

// question names the scenario of a scene, and its case.
func (s *scene) question() string {
	if s.cell.Case == "" {
		return s.cell.Scenario
	}
	return s.cell.Scenario + " " + s.cell.Case
}

func some(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// inPercent is a part of 1 in percent; a little is not shown as nothing.
func inPercent(v float64) string {
	switch {
	case v > 0 && v < 0.005:
		return "<1 %"
	case v > 0.995 && v < 1:
		return ">99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

// formatRate is how often something happens for a request.
func formatRate(v float64) string {
	if v >= 0.0995 {
		return digits(v)
	}
	return fmt.Sprintf("%.2f", v)
}
