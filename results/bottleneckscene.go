package results

import (
	"cmp"
	"fmt"
	"math"
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

	layersIn, callsIn string // where these are of another case with the same exchange: which; else empty
}

func newScene(rec *Record, cells []*Cell, c *Cell, v Verdict) *scene {
	s := &scene{rec: rec, cells: cells, cell: c, verdict: v}
	s.layers, s.lack = rec.LayersOf(c)
	s.look()
	s.borrow()
	return s
}

// LikeSplit is how far the part of user time in a row may lie from that in another case's profile for the profile to speak for
// both.
const LikeSplit = 0.10

// borrow takes profile and system calls of another case of the run, where this has none and the target does the same there: the
// same answer, byte by byte of its head, on connections that are kept or not as here, as many requests deep. It is said wherever
// they are named.
func (s *scene) borrow() {
	for i := range s.rec.Trials {
		t := &s.rec.Trials[i]
		if t.Target != s.cell.Target || t.Load == nil || t.Error != "" || !s.sameExchange(t) {
			continue
		}
		where := strings.TrimSpace(t.Scenario + " " + t.Case)
		if t.Role == RoleObserved && len(s.calls) == 0 && len(t.Calls) > 0 {
			s.calls, s.callsIn = callMedians(t.Target, t.Scenario, t.Case, s.cells), where
		}
		if t.Role == RoleProfiled && s.layers == nil {
			cost, _ := s.rec.LayersOf(&Cell{Key: Key{Scenario: t.Scenario, Case: t.Case, Target: t.Target}, Trials: s.cell.Trials})
			if cost != nil && s.likeSplit(cost) {
				s.layers, s.layersIn = cost, where
			}
		}
	}
}

// sameExchange reports whether a trial of another case exchanges the same as this row's.
func (s *scene) sameExchange(t *Trial) bool {
	own := s.typical
	return own != nil && own.Wire != nil && t.Wire != nil && *own.Wire == *t.Wire && own.Load.Reconnect == t.Load.Reconnect &&
		max(own.Load.Depth, 1) == max(t.Load.Depth, 1) && (t.Scenario != own.Scenario || t.Case != own.Case)
}

// likeSplit reports whether the row's own user time is as large a part as in the profile.
func (s *scene) likeSplit(cost *LayerCost) bool {
	user, ok := s.median(ServerUser)
	system, also := s.median(ServerSystem)
	if !ok || !also || user+system <= 0 {
		return false
	}
	var kernel float64
	for _, l := range stacks.Layers {
		if l.Kernel() {
			kernel += cost.Share(l)
		}
	}
	return math.Abs(system/(user+system)-kernel) <= LikeSplit
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
	switch {
	case !s.verdict.Sound() || s.verdict.Kind == RateBound:
		return ""
	case s.layersIn != "":
		return "no profile of its own: " + s.lack
	case s.layers != nil:
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
func (s *scene) question() string { return strings.TrimSpace(s.cell.Scenario + " " + s.cell.Case) }

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
