package runner

import (
	"fmt"
	"time"

	"corelab/results"
	"corelab/runner/load"
)

// Burst has an open loop's rate change: a part of the target's ceiling before and behind, and the case's percent of it in
// between. The times are parts of the trial's, so that a plan may shorten it.
type Burst struct {
	Around int `toml:"around"` // percent of the target's ceiling, before and behind the burst
	Before int `toml:"before"` // percent of the trial's duration
	Lasts  int `toml:"lasts"`  // likewise; the rest comes behind the burst
}

// Bounds of a burst.
const (
	maxBurstPercent = 1000
	leastBurst      = time.Second // a trial: in a shorter one there are too few slices to see it recover
)

// maxPercent is how much of a target's ceiling may be offered for a whole trial, or in a burst.
func (s *Scenario) maxPercent() int {
	if s.Load.Burst != nil {
		return maxBurstPercent
	}
	return 100
}

func (s *Scenario) checkBurst() *fault {
	l, b := s.Load, s.Load.Burst
	switch {
	case l.CheckEvery < 0:
		return &fault{"load.check-every", "check-every must be above 0: one answer in so many is compared byte for byte"}
	case b == nil:
		return nil
	case l.Loop != Open || l.Rate > 0:
		return &fault{"load.burst", "a burst is a part of the target's ceiling in an open loop: take loop = \"open\" and percent"}
	case !s.Generator.own():
		return &fault{"generator", "only corelab changes its rate: a burst takes the generator corelab"}
	case len(s.Also) > 0:
		return &fault{"also", "only corelab changes its rate: a burst has no second generator"}
	case b.Around < 1 || b.Around > 100:
		return &fault{"load.burst.around", "around must be between 1 and 100 percent of the ceiling"}
	case b.Before < 1 || b.Lasts < 1 || b.Before+b.Lasts > 90:
		return &fault{"load.burst", "before and lasts must be at least 1 percent of the duration each, and leave 10 for what comes behind"}
	}
	return nil
}

// words says what the burst is, behind what its case offers.
func (b *Burst) words(percent string) string {
	return fmt.Sprintf("open loop at %d %% of each target's own ceiling, with a burst of %s %% for %d %% of the time", b.Around, percent, b.Lasts)
}

// phases are those of a trial whose burst offers rate, the percent of the ceiling that the shape says.
func (b *Burst) phases(rate float64, percent int, d time.Duration) []load.Phase {
	base := max(rate*float64(b.Around)/float64(percent), 1)
	before, lasts := d*time.Duration(b.Before)/100, d*time.Duration(b.Lasts)/100
	return []load.Phase{
		{Name: results.PhaseBefore, Rate: base, Duration: before},
		{Name: results.PhaseBurst, Rate: rate, Duration: lasts},
		{Name: results.PhaseAfter, Rate: base, Duration: d - before - lasts},
	}
}

// tune has the load last as long and be checked as the shape says, and change its rate where it says so.
func (s Shape) tune(spec *load.Spec) {
	spec.Timeout, spec.CheckEvery = time.Duration(s.TimeOut), s.CheckEvery
	if s.Burst == nil || spec.Rate == 0 {
		return
	}
	spec.Phases = s.Burst.phases(spec.Rate, s.Percent, spec.Duration)
	spec.Rate, spec.Duration = 0, 0 // those of the whole follow from the phases
	*spec = spec.Filled()
}
