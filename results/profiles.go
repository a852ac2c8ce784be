package results

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"corelab/results/stacks"
)

// profileCache keeps what was read of a record's profiles. Its zero value is empty.
type profileCache struct {
	mu   sync.Mutex
	read map[string]*stacks.Profile
}

// ProfileOf returns the trial and the entry of the profile of that kind of a target in a case; nil where none was taken.
func (rec *Record) ProfileOf(scenario, name, target, kind string) (*Trial, *Profile) {
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if t.Role != RoleProfiled || t.Scenario != scenario || t.Case != name || t.Target != target || t.Error != "" {
			continue
		}
		for j := range t.Profiles {
			if t.Profiles[j].Kind == kind {
				return t, &t.Profiles[j]
			}
		}
	}
	return nil, nil
}

// Stacks reads a profile's file, once. It may be called from several goroutines.
func (rec *Record) Stacks(p *Profile) (*stacks.Profile, error) {
	rec.profiles.mu.Lock()
	defer rec.profiles.mu.Unlock()
	if s := rec.profiles.read[p.Path]; s != nil {
		return s, nil
	}
	if !filepath.IsLocal(p.Path) {
		return nil, fmt.Errorf("results: the profile's path %q leaves the run's folder", p.Path)
	}
	f, err := os.Open(filepath.Join(rec.Dir, p.Path))
	if err != nil {
		return nil, fmt.Errorf("results: read a profile: %w", err)
	}
	defer f.Close()
	s, err := stacks.Read(f, "")
	if err != nil {
		return nil, err
	}
	if rec.profiles.read == nil {
		rec.profiles.read = map[string]*stacks.Profile{}
	}
	rec.profiles.read[p.Path] = s
	return s, nil
}

// LayerCost is what the requests of a cell cost by layer.
type LayerCost struct {
	stacks.Attribution
	CPU   float64 // of the server, ns per request, the median of the cell's own trials: those that were not profiled
	Trial *Trial  // that was profiled
}

// Of is what a request costs in that layer, in ns.
func (c *LayerCost) Of(l stacks.Layer) float64 { return c.Share(l) * c.CPU }

// LayersOf is the cost of a cell's requests by layer; without a profile it is nil, and the reason is said.
func (rec *Record) LayersOf(c *Cell) (cost *LayerCost, lack string) {
	t, p := rec.ProfileOf(c.Scenario, c.Case, c.Target, ProfileCPU)
	if p == nil {
		return nil, rec.whyNoProfile(c)
	}
	s, err := rec.Stacks(p)
	if err != nil {
		return nil, err.Error()
	}
	cpu, ok := c.Estimate(ServerCPU)
	if !ok {
		return nil, c.Lack(ServerCPU)
	}
	return &LayerCost{Attribution: s.Attribute(), CPU: cpu.Median, Trial: t}, ""
}

// whyNoProfile says why there is no profile of the cell.
func (rec *Record) whyNoProfile(c *Cell) string {
	for _, t := range rec.Trials {
		if t.Role != RoleProfiled || t.Scenario != c.Scenario || t.Case != c.Case || t.Target != c.Target {
			continue
		}
		for _, m := range t.Missing {
			if m.Figure == "profiles."+ProfileCPU {
				return m.Reason
			}
		}
		if t.Error != "" {
			return t.Error
		}
	}
	for _, m := range rec.Run.Missing {
		if m.Figure == MissingProfiles {
			return m.Reason
		}
	}
	return "was not profiled here; bench --profile does"
}

// MissingProfiles is the figure under which a Run says why it profiled nothing.
const MissingProfiles = "profiles"
