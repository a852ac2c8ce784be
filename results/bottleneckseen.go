package results

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"corelab/results/stacks"
)

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
	if len(words) == 0 {
		return ""
	}
	if s.callsIn != "" {
		words[0] = "counted in " + s.callsIn + ": " + words[0]
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
	seen := []string{"of its CPU time" + s.profiledIn() + ": " + s.layerWords(stacks.Layers)}
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

// limitSeen holds the row against each target that does less than all others and is in the same table.
func (s *scene) limitSeen() (seen []string) {
	for _, t := range s.rec.Run.Targets {
		if !t.Limit || t.Name == s.cell.Target {
			continue
		}
		at := slices.IndexFunc(s.cells, func(c *Cell) bool {
			return c.Target == t.Name && c.Role == RoleRanked && c.sameTable(s.cell.Key)
		})
		if at < 0 {
			continue
		}
		f := ServerCPU
		if s.cell.Placement == PlacementOne {
			f = CPUShare
		}
		if e, ok := Ratio(s.cell, s.cells[at], f); ok {
			seen = append(seen, fmt.Sprintf("%s ÷ that of %s, the limit: %s", f.Name, t.Name, formatRatio(e, e.Side(1) != 0)))
		}
	}
	return seen
}
