package results

import (
	"fmt"
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	inf := math.Inf(1)
	for name, tt := range map[string]struct {
		values []float64
		want   Estimate
	}{
		"one":  {[]float64{7}, Estimate{1, 7, -inf, inf, 7, 7}},
		"even": {[]float64{4, 1, 3, 2}, Estimate{4, 2.5, -inf, inf, 1, 4}},
		// Five on one side of the median: 2 × (1/2)⁵ = 6.25 % > 5 %.
		"five rounds": {[]float64{5, 1, 2, 4, 3}, Estimate{5, 3, -inf, inf, 1, 5}},
		// 2 × (1/2)⁶ = 3.1 %: the whole range is the interval.
		"six rounds": {[]float64{6, 5, 1, 2, 4, 3}, Estimate{6, 3.5, 1, 6, 1, 6}},
		// 2 × (1 + 10) ÷ 2¹⁰ = 2.1 %: from the second to the ninth.
		"ten rounds": {[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, Estimate{10, 5.5, 2, 9, 1, 10}},
		// One outlier of twenty moves neither: from the sixth to the fifteenth.
		"outlier": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 1e9}, Estimate{20, 10.5, 6, 15, 1, 1e9}},
	} {
		t.Run(name, func(t *testing.T) {
			before := fmt.Sprint(tt.values)
			got, ok := Median(tt.values)
			if !ok || got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, ok, tt.want)
			}
			if fmt.Sprint(tt.values) != before {
				t.Error("the values were changed")
			}
			if got.Bounded() != (len(tt.values) >= MinRounds) {
				t.Errorf("an interval of %d rounds: %v", len(tt.values), got.Bounded())
			}
		})
	}
	if _, ok := Median(nil); ok {
		t.Error("a median of nothing")
	}
}

func TestEstimateVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		values       []float64
		side, agrees int
	}{
		"below":           {[]float64{.90, .91, .92, .93, .90, .91}, -1, -1},
		"a little below":  {[]float64{.96, .97, .98, .99, .98, .97}, -1, 1},
		"above":           {[]float64{1.06, 1.07, 1.08, 1.09, 1.1, 1.2}, 1, -1},
		"covers one":      {[]float64{.99, .98, 1.01, 1.0, 1.02, .97}, 0, 1},
		"wide":            {[]float64{.9, .95, 1.0, 1.05, 1.1, 1.15}, 0, 0},
		"too few":         {[]float64{.5, .5, .5, .5, .5}, 0, 0},
		"touches the one": {[]float64{.9, .9, .9, .9, .9, 1}, 0, 0},
	} {
		e, _ := Median(tt.values)
		if e.Side(1) != tt.side || e.agrees(AgreementTolerance) != tt.agrees {
			t.Errorf("%s: side %d, agrees %d, want %d, %d", name, e.Side(1), e.agrees(AgreementTolerance), tt.side, tt.agrees)
		}
	}
}

func TestSpread(t *testing.T) {
	e, _ := Median([]float64{90, 100, 130})
	if e.Spread() != 0.3 {
		t.Errorf("spread %v, want the farthest round: 0.3", e.Spread())
	}
	if (Estimate{}).Spread() != 0 {
		t.Error("a spread of nothing")
	}
}

func TestPairedTakesDriftOut(t *testing.T) {
	a, b := Rounds{}, Rounds{}
	for round := 1; round <= 8; round++ {
		drift := 1 + 0.2*float64(round) // the machine gets slower all the time
		a[round], b[round] = 0.9*drift, 1*drift
	}
	delete(a, 3)
	b[99] = 5
	e, ok := Paired(a, b)
	if !ok || e.N != 7 || math.Abs(e.Median-0.9) > 1e-12 || e.Side(1) != -1 || e.Hi-e.Lo > 1e-12 {
		t.Errorf("%+v, %v: want 0.9 of the 7 rounds in common, without any drift in it", e, ok)
	}
	alone, _ := Median([]float64{a[1], a[2], a[4], a[5], a[6], a[7], a[8]})
	if alone.Spread() < 0.3 {
		t.Error("the test's drift is none")
	}
	if _, ok := Paired(Rounds{1: 1}, Rounds{2: 1}); ok {
		t.Error("a ratio without a common round")
	}
	if _, ok := Paired(Rounds{1: 1}, Rounds{1: 0}); ok {
		t.Error("a ratio to nothing")
	}
}

// The interval of the median holds the true median in at least 95 of 100 cases, and in skewed data too.
func TestIntervalHoldsTheTruth(t *testing.T) {
	const cases = 2000
	seed := uint64(1)
	random := func() float64 { // a fixed sequence: the test is the same each time
		seed = seed*6364136223846793005 + 1442695040888963407
		return (float64(seed>>11) + 0.5) / (1 << 53)
	}
	for _, n := range []int{6, 7, 10, 20} {
		held := 0
		for range cases {
			values := make([]float64, n)
			for i := range values {
				values[i] = -math.Log(random()) // exponential: its median is ln 2
			}
			if e, _ := Median(values); e.Lo <= math.Ln2 && math.Ln2 <= e.Hi {
				held++
			}
		}
		if part := float64(held) / cases; part < Confidence-0.01 {
			t.Errorf("%d rounds: the interval held the median in %.1f %% of the cases", n, 100*part)
		}
	}
}
