package results

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"

	"corelab/results/stacks"
)

// maxProfile bounds a profile's file; one of a second is some hundred kilobytes.
const maxProfile = 64 << 20

// profileCache keeps what was read of a record's profiles, by path: many tables and pictures ask for the same. A file that
// could not be read is not asked for again. profileLock guards all of them: a record can be copied.
type profileCache struct{ read map[string]*readProfile }

var profileLock sync.Mutex

type readProfile struct {
	stacks *stacks.Profile
	err    error
	layers *stacks.Attribution // once it was asked for
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

// Stacks reads a profile's file, once. It may be called from several goroutines; none may change what it returns.
func (rec *Record) Stacks(p *Profile) (*stacks.Profile, error) {
	profileLock.Lock()
	defer profileLock.Unlock()
	r := rec.profiles.get(rec.Dir, p.Path)
	return r.stacks, r.err
}

// attribution is a profile by layer, worked out once.
func (rec *Record) attribution(p *Profile) (stacks.Attribution, error) {
	profileLock.Lock()
	defer profileLock.Unlock()
	r := rec.profiles.get(rec.Dir, p.Path)
	if r.err != nil {
		return stacks.Attribution{}, r.err
	}
	if r.layers == nil {
		a := r.stacks.Attribute()
		r.layers = &a
	}
	return *r.layers, nil
}

// get reads the file at path below dir, once. The caller holds profileLock.
func (c *profileCache) get(dir, path string) *readProfile {
	if r := c.read[path]; r != nil {
		return r
	}
	if c.read == nil {
		c.read = map[string]*readProfile{}
	}
	r := &readProfile{}
	switch r.stacks, r.err = readStacks(dir, path); {
	case errors.Is(r.err, fs.ErrNotExist):
		r.err = fmt.Errorf("the file of its profile, %s, is not beside the record", path)
	case r.err != nil:
		r.err = fmt.Errorf("results: read a profile: %w", r.err)
	}
	c.read[path] = r
	return r
}

// readStacks reads a profile below a run's folder. A record may come from anywhere: no path and no link in it leads out of
// the folder, and nothing is read that is not a file.
func readStacks(dir, path string) (*stacks.Profile, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > maxProfile:
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxProfile)
	}
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return stacks.Read(f, "")
}

// LayerCost is what the requests of a cell cost by layer.
type LayerCost struct {
	stacks.Attribution
	CPU     float64  // of the server, ns per request, the median of the cell's own trials: those that were not profiled
	Trial   *Trial   // that was profiled
	Profile *Profile // its entry
}

// Of is what a request costs in that layer, in ns.
func (c *LayerCost) Of(l stacks.Layer) float64 { return c.Share(l) * c.CPU }

// ShareOf is the part of several layers together, 0 to 1.
func (c *LayerCost) ShareOf(layers []stacks.Layer) (sum float64) {
	for _, l := range layers {
		sum += c.Share(l)
	}
	return sum
}

// ShareError is how far the layer's share may lie from the true one because only so many samples were taken, half of an
// interval of 95 %: 0.01 is one part in a hundred of the server's CPU time. It is 1 where nobody counted the samples.
func (c *LayerCost) ShareError(l stacks.Layer) float64 {
	n := c.Samples()
	if n == 0 {
		return 1
	}
	return shareError(c.Share(l), n)
}

// shareError is ShareError of a share in n samples. It counts as if one more had been seen in the layer, and one more not: a
// layer that no sample fell into may yet have a little.
func shareError(share, n float64) float64 {
	p := (share*n + 1) / (n + 2)
	return 1.96 * math.Sqrt(p*(1-p)/n)
}

// Samples is how many samples of the server's own CPU time there are, without those of idle CPUs.
func (c *LayerCost) Samples() float64 {
	if all := c.Busy + c.By[stacks.Idle]; all > 0 {
		return float64(c.Profile.Samples) * float64(c.Busy) / float64(all)
	}
	return 0
}

// CPUTime is what the time of the server's CPUs went to while it was profiled, in parts of it: the server, other processes
// (the generator among them, where it shares them), nothing. ok is false where the profile does not tell.
func (c *LayerCost) CPUTime() (server, others, idle float64, ok bool) {
	all := c.Busy + c.By[stacks.Idle]
	if all <= 0 || c.Profile.Samples == 0 {
		return 0, 0, 0, false
	}
	n := float64(c.Profile.Samples + c.Profile.Others)
	idle = float64(c.By[stacks.Idle]) / float64(all) * float64(c.Profile.Samples) / n
	return c.Samples() / n, float64(c.Profile.Others) / n, idle, true
}

// LayersOf is the cost of a cell's requests by layer; without a profile it is nil, and the reason is said.
func (rec *Record) LayersOf(c *Cell) (cost *LayerCost, lack string) {
	t, p := rec.ProfileOf(c.Scenario, c.Case, c.Target, ProfileCPU)
	if p == nil {
		return nil, rec.whyNoProfile(c)
	}
	a, err := rec.attribution(p)
	if err != nil {
		return nil, err.Error()
	}
	if a.Busy <= 0 {
		return nil, "the profile has no sample of the server"
	}
	cpu, ok := c.Estimate(ServerCPU)
	if !ok {
		return nil, c.Lack(ServerCPU)
	}
	return &LayerCost{Attribution: a, CPU: cpu.Median, Trial: t, Profile: p}, ""
}

// whyNoProfile says why there is no profile of the cell.
func (rec *Record) whyNoProfile(c *Cell) string {
	for _, t := range rec.Trials {
		if t.Role != RoleProfiled || t.Scenario != c.Scenario || t.Case != c.Case || t.Target != c.Target {
			continue
		}
		if why := missing(&t, "profiles."+ProfileCPU); why != "" {
			return why
		}
		switch {
		case t.Error != "":
			return t.Error
		case t.Skipped != "":
			return "skipped: " + t.Skipped
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
