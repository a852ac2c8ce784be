package results

import (
	"math"

	"golang.org/x/perf/benchmath"
)

// Confidence is that of every interval in tables and plots.
const Confidence = 0.95

// MinRounds is the fewest rounds for which the interval of a median exists: with five, all of them lie on one side of the
// true median in more than 5 of 100 cases. A run that shall prove anything needs as many.
const MinRounds = 6

// Estimate is the median over rounds and how well it is known.
type Estimate struct {
	N        int     // rounds
	Median   float64 //
	Lo, Hi   float64 // the interval of the median at Confidence; infinite with fewer than MinRounds rounds
	Min, Max float64 // of all rounds
}

// Median estimates the median without assuming any distribution; without values ok is false. Values are not changed.
func Median(values []float64) (e Estimate, ok bool) {
	if len(values) == 0 {
		return Estimate{}, false
	}
	sample := benchmath.NewSample(append([]float64(nil), values...), &benchmath.DefaultThresholds)
	s := benchmath.AssumeNothing.Summary(sample, Confidence)
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		s.Lo, s.Hi = math.Inf(-1), math.Inf(1) // bounded on one side only is no interval
	}
	return Estimate{
		N: len(values), Median: s.Center, Lo: s.Lo, Hi: s.Hi,
		Min: sample.Values[0], Max: sample.Values[len(values)-1],
	}, true
}

// Bounded reports whether there were rounds enough for an interval.
func (e Estimate) Bounded() bool { return e.N > 0 && !math.IsInf(e.Lo, 0) }

// Range is the interval, or the range of all rounds where there is none.
func (e Estimate) Range() (lo, hi float64) {
	if e.Bounded() {
		return e.Lo, e.Hi
	}
	return e.Min, e.Max
}

// Spread is how far Range reaches from the median, as a part of it.
func (e Estimate) Spread() float64 {
	lo, hi := e.Range()
	if e.Median == 0 {
		return 0
	}
	return math.Max(hi-e.Median, e.Median-lo) / math.Abs(e.Median)
}

// Side says on which side of limit the true median is proven to lie: -1 below, 1 above, 0 not proven.
func (e Estimate) Side(limit float64) int {
	switch {
	case !e.Bounded():
		return 0
	case e.Hi < limit:
		return -1
	case e.Lo > limit:
		return 1
	}
	return 0
}

// Rounds are the values of one figure by round.
type Rounds map[int]float64

// Paired estimates a ÷ b, round by round: what drifts between the rounds falls out. Rounds that one of them lacks are left
// out; without a common one ok is false.
func Paired(a, b Rounds) (e Estimate, ok bool) {
	var ratios []float64
	for round, v := range a {
		if w, both := b[round]; both && w != 0 {
			ratios = append(ratios, v/w)
		}
	}
	return Median(ratios)
}

// agrees reports whether e lies wholly within part of 1 (1), wholly outside (-1), or neither is proven (0).
func (e Estimate) agrees(part float64) int {
	switch {
	case !e.Bounded():
		return 0
	case e.Lo >= 1-part && e.Hi <= 1+part:
		return 1
	case e.Hi < 1-part || e.Lo > 1+part:
		return -1
	}
	return 0
}
