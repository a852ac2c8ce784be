package page

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"corelab/results"
)

// Quantiles is a distribution of latencies as a line: over the decades of the answers that were faster, so that 90 %, 99 %
// and 99.9 % lie equally far apart.
type Quantiles struct {
	Decades []float64 `json:"decades"` // -log10 of the part of the answers that took longer: 1 is 90 %, 2 is 99 %
	NS      []float64 `json:"ns"`
	Max     float64   `json:"max"`   // ns, the slowest of all answers
	Count   uint64    `json:"count"` // answers, of all rounds
	Whole   bool      `json:"whole"` // from histograms; else the few percentiles that the record has
}

// Bounds of a line. Ten answers must lie beyond a point, or one slow answer is it.
const (
	stepsPerDecade = 10
	maxDecades     = 7
	answersBeyond  = 10
)

// quantilesOf merges the latencies of a cell's rounds, without those that are left out elsewhere; nil where there is none.
func quantilesOf(c *results.Cell) *Quantiles {
	var all []*results.Latency
	whole := true
	for _, t := range undisturbed(c) {
		if t.Error != "" || t.Load == nil || t.Load.Latency == nil {
			continue
		}
		all = append(all, t.Load.Latency)
		whole = whole && t.Load.Latency.HDR != ""
	}
	if len(all) == 0 {
		return nil
	}
	if whole {
		if q := merged(all); q != nil {
			return q
		}
	}
	return fromFigures(c, all)
}

// undisturbed are the cell's trials but those in which something else took the CPU, unless there are no others.
func undisturbed(c *results.Cell) []*results.Trial {
	var left []*results.Trial
	for _, t := range c.Trials {
		if !results.Disturbed(t) {
			left = append(left, t)
		}
	}
	if left == nil {
		return c.Trials
	}
	return left
}

// maxHistogram bounds a histogram's text in a record: one of three digits from 1 ns to an hour never has as much.
const maxHistogram = 1 << 20

// merged is the line of the sum of all histograms; nil where one of them cannot be read.
func merged(all []*results.Latency) *Quantiles {
	var sum *hdrhistogram.Histogram
	for _, l := range all {
		if len(l.HDR) > maxHistogram {
			return nil
		}
		h, err := hdrhistogram.Decode([]byte(l.HDR))
		if err != nil {
			return nil
		}
		if sum == nil {
			sum = h
		} else if sum.Merge(h) > 0 {
			return nil // they have not the same range
		}
	}
	n := sum.TotalCount()
	if n <= 0 {
		return nil
	}
	q := &Quantiles{Max: rounded(float64(sum.Max())), Count: uint64(n), Whole: true}
	for i := 1; i <= maxDecades*stepsPerDecade; i++ { // from a fifth on: the fastest of all says little
		decades := float64(i) / stepsPerDecade
		beyond := math.Pow(10, -decades)
		if float64(n)*beyond < answersBeyond && i > 1 {
			break
		}
		q.add(decades, float64(sum.ValueAtQuantile(100*(1-beyond))))
	}
	return q
}

// fromFigures is the line through the medians of the percentiles that the record has.
func fromFigures(c *results.Cell, all []*results.Latency) *Quantiles {
	q := &Quantiles{}
	for _, l := range all {
		q.Max = max(q.Max, rounded(float64(max(l.Max, 0))))
		q.Count += l.Count
	}
	for _, p := range []struct {
		part   float64
		figure results.Figure
	}{{0.5, results.P50}, {0.9, results.P90}, {0.99, results.P99}, {0.999, results.P999}} {
		if e, ok := c.Estimate(p.figure); ok {
			q.add(-math.Log10(1-p.part), e.Median)
		}
	}
	if len(q.NS) == 0 {
		return nil
	}
	return q
}

func (q *Quantiles) add(decades, ns float64) {
	q.Decades = append(q.Decades, rounded(decades))
	q.NS = append(q.NS, rounded(max(ns, float64(time.Nanosecond))))
}

// rounded has four significant digits: more would be noise, and they are most of what the data weighs.
func rounded(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	if scale >= 1 {
		return math.Round(v*scale) / scale
	}
	return math.Round(v*scale) * math.Round(1/scale)
}
