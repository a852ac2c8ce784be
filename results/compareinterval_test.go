package results

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// shapes are what differences between blocks look like: quiet, with heavy tails, and with a tenth of the blocks disturbed.
var shapes = []struct {
	name string
	draw func(*rand.Rand) float64
}{
	{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"t3", func(r *rand.Rand) float64 {
		a, b, c := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
		return r.NormFloat64() / math.Sqrt((a*a+b*b+c*c)/3)
	}},
	{"disturbed", func(r *rand.Rand) float64 {
		v := r.NormFloat64()
		if r.Float64() < 0.1 {
			v *= 5
		}
		return v
	}},
}

const (
	simulated = 2000
	leastHeld = 0.985
	coarse    = 499 // resamples in the simulations: fewer than in earnest, for time
)

// TestIntervalCovers plays comparisons whose truth is known: intervals of 99 % hold it in at least 98.5 of 100.
func TestIntervalCovers(t *testing.T) {
	for _, s := range shapes {
		for _, blocks := range []int{12, 20, 40} {
			rng := rand.New(rand.NewPCG(1, uint64(blocks)))
			held := 0
			values := make([]float64, blocks)
			for i := range simulated {
				for j := range values {
					values[j] = s.draw(rng)
				}
				if c, half := coarsely(values, uint64(i)); math.Abs(c) <= half {
					held++
				}
			}
			if share := float64(held) / simulated; share < leastHeld {
				t.Errorf("%s, %d blocks: the truth was held in %.1f %%, want %.1f", s.name, blocks, 100*share, 100*leastHeld)
			}
		}
	}
}

// TestIntervalCoversWhenStopped stops the comparisons when the interval is narrow enough, looking as often as
// a comparison does. As only the width is looked at, the promise is kept.
func TestIntervalCoversWhenStopped(t *testing.T) {
	const comparisons, most = 2000, 60
	for _, s := range shapes {
		for _, precision := range []float64{1.1, 0.8} {
			rng := rand.New(rand.NewPCG(2, 3))
			held, blocks := 0, 0
			for i := range comparisons {
				var values []float64
				for {
					values = append(values, s.draw(rng))
					if len(values) < MinBlocks || (len(values)-MinBlocks)%LookEvery != 0 {
						continue
					}
					c, half := coarsely(values, uint64(i))
					if half <= precision || len(values) == most {
						blocks += len(values)
						if math.Abs(c) <= half {
							held++
						}
						break
					}
				}
			}
			share := float64(held) / comparisons
			t.Logf("%s at %.1f: %.1f %% after %.1f blocks", s.name, precision, 100*share, float64(blocks)/comparisons)
			if share < leastHeld {
				t.Errorf("%s at %.1f: the truth was held in %.1f %%", s.name, precision, 100*share)
			}
		}
	}
}

func coarsely(values []float64, seed uint64) (center, half float64) {
	sorted := slices.Sorted(slices.Values(values))
	trim := int(blockTrim * float64(len(sorted)))
	center, spread := trimmedMean(sorted, trim)
	return center, spread * studentised(sorted, trim, center, coarse, seed)
}

func TestTrimmedMean(t *testing.T) {
	for _, tt := range []struct {
		values       []float64
		trim         int
		mean, spread float64
	}{
		{[]float64{1, 2, 3, 4}, 0, 2.5, math.Sqrt(5.0/3) / 2},
		{[]float64{-100, 2, 3, 4, 900}, 1, 3, math.Sqrt(1.0*5) / 3}, // drawn in: 2 2 3 4 4, of variance 1
		{[]float64{7}, 0, 7, math.Inf(1)},
		{[]float64{2, 2, 2}, 0, 2, 0},
	} {
		mean, spread := trimmedMean(tt.values, tt.trim)
		if mean != tt.mean || math.Abs(spread-tt.spread) > 1e-12 && spread != tt.spread {
			t.Errorf("%v: %v ± %v, want %v ± %v", tt.values, mean, spread, tt.mean, tt.spread)
		}
	}
}

func TestLocate(t *testing.T) {
	same := slices.Repeat([]float64{0.25}, MinBlocks)
	if l := locate(same, 1); l.center != 0.25 || l.half != 0 {
		t.Errorf("blocks that are all the same: %+v", l)
	}
	if l := locate(same[1:], 1); !math.IsInf(l.half, 1) || l.n != MinBlocks-1 {
		t.Errorf("too few blocks have an interval: %+v", l)
	}
	if l := locate(nil, 1); !math.IsInf(l.half, 1) || l.n != 0 {
		t.Errorf("no blocks: %+v", l)
	}
	values := []float64{.1, .3, .2, .15, .12, .4, -.1, .22, .18, .17, .16, 9}
	a, b := locate(values, 7), locate(values, 7)
	if a != b || a.center < .1 || a.center > .3 || a.half <= 0 || a.half > 1 {
		t.Errorf("%+v, then %+v", a, b)
	}
}
