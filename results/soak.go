package results

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Verdicts on a figure of a soak.
const (
	SoakFlat  = "flat"
	SoakGrows = "grows"
	SoakShort = "too short" // a soak of few samples says nothing
)

// The rule. What a server makes while it gets going is in the first third, which does not count. Over the rest the growth is
// the Theil–Sen slope, the median of the slopes between all pairs of samples, times the time; its interval is Sen's (1968), by
// the variance of Kendall's tau. A figure grows where the interval does not reach below zero, and the growth is more than what is
// allowed. A single step upwards that stays is growth too: nobody knows whether it is the last.
const (
	soakSettling = 3        // the first of so many parts does not count
	soakLeast    = 8        // samples that say something
	soakMemory   = 8 << 10  // KiB that memory may grow by, or soakPart of it if that is more
	soakCount    = 8        // files, goroutines or threads that may be more, or soakPart
	soakPart     = 0.05     //
	soakZ        = 2.575829 // of the interval at 99 %
)

// Drift is how one figure of a soak went.
type Drift struct {
	Figure  string  `json:"figure"` // "memory", "files", "goroutines", "threads"
	Unit    string  `json:"unit"`   // "KiB" or ""
	Verdict string  `json:"verdict"`
	Samples int     `json:"samples"` // that count
	First   float64 `json:"first"`   // the median of the first third of these
	Last    float64 `json:"last"`    // the median of their last third
	Max     float64 `json:"max"`     // of all samples
	Growth  float64 `json:"growth"`  // by the slope, over the time that counts
	Lo      float64 `json:"growth_lo"`
	Hi      float64 `json:"growth_hi"`
	Allowed float64 `json:"allowed"`
}

// Soaked is what a run of corelab soak says, and the JSON that it prints.
type Soaked struct {
	Run       string        `json:"run"`
	Target    string        `json:"target"`
	Elapsed   time.Duration `json:"elapsed_ns"` // of the samples
	Answers   uint64        `json:"answers"`    // right ones
	Churn     uint64        `json:"churn"`      // connections of those who asked rightly
	Errors    uint64        `json:"errors"`
	Example   string        `json:"example,omitempty"` // the first of the errors
	Drifts    []Drift       `json:"drifts"`
	PerAnswer float64       `json:"leak_shown_bytes"` // a leak of so many bytes for each answer would have shown
	Broken    string        `json:"broken,omitempty"` // why the soak ended early
	Holds     bool          `json:"holds"`            // nothing grows, and there was no error
}

// soakFigures are those that must not grow.
var soakFigures = []struct {
	name, unit string
	allowed    float64
	of         func(*Soak) (float64, bool)
}{
	{"memory", "KiB", soakMemory, func(s *Soak) (float64, bool) { return float64(s.Memory), true }},
	{"files", "", soakCount, func(s *Soak) (float64, bool) { return float64(s.Files), true }},
	{"threads", "", soakCount, func(s *Soak) (float64, bool) { return float64(s.Threads), true }},
	{"goroutines", "", soakCount, func(s *Soak) (float64, bool) {
		if s.Goroutines == nil {
			return 0, false
		}
		return float64(*s.Goroutines), true
	}},
}

// SoakOf is what a record of a soak says; nil of a run of another kind.
func SoakOf(rec *Record) *Soaked {
	if rec.Run.Soak == nil {
		return nil
	}
	s := &Soaked{Run: rec.Run.ID}
	if len(rec.Run.Targets) > 0 {
		s.Target = rec.Run.Targets[0].Name
	}
	var samples []*Soak
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if t.Role != RoleSoak {
			continue
		}
		if t.Error != "" {
			s.Broken = t.Error
		}
		if t.Soak != nil {
			samples = append(samples, t.Soak)
		}
	}
	if n := len(samples); n > 0 {
		last := samples[n-1]
		s.Elapsed, s.Answers, s.Churn, s.Errors, s.Example = last.At, last.Answers, last.Churn, last.Errors, last.Example
	}
	from := slices.IndexFunc(samples, func(x *Soak) bool { return x.At*soakSettling >= s.Elapsed })
	s.Holds = s.Errors == 0 && s.Broken == "" && len(samples) > 0
	for _, f := range soakFigures {
		d, ok := driftOf(samples, max(from, 0), f.allowed, f.of)
		if !ok {
			continue
		}
		d.Figure, d.Unit = f.name, f.unit
		s.Holds = s.Holds && d.Verdict != SoakGrows
		s.Drifts = append(s.Drifts, d)
		if answers := float64(s.Answers) - float64(samples[max(from, 0)].Answers); f.name == "memory" && answers > 0 {
			s.PerAnswer = d.Allowed * 1024 / answers
		}
	}
	return s
}

// driftOf reads one figure's course, of which the samples from the given one on count.
func driftOf(samples []*Soak, from int, allowed float64, of func(*Soak) (float64, bool)) (d Drift, ok bool) {
	var at, values []float64
	for i, s := range samples {
		v, has := of(s)
		if !has {
			continue
		}
		d.Max = max(d.Max, v)
		if i >= from {
			at, values = append(at, s.At.Seconds()), append(values, v)
		}
	}
	n := len(values)
	if n == 0 {
		return d, false
	}
	third := max(n/3, 1)
	d.Samples, d.First, d.Last = n, middleOf(values[:third]), middleOf(values[n-third:])
	d.Allowed = max(allowed, soakPart*d.First)
	if n < soakLeast {
		d.Verdict = SoakShort
		return d, true
	}
	slope, lo, hi := theilSen(at, values)
	span := at[n-1] - at[0]
	d.Growth, d.Lo, d.Hi = slope*span, lo*span, hi*span
	d.Verdict = SoakFlat
	if lo >= 0 && d.Growth > d.Allowed {
		d.Verdict = SoakGrows
	}
	return d, true
}

func middleOf(values []float64) float64 {
	e, _ := Median(values)
	return e.Median
}

// theilSen is the median of the slopes between all pairs, and its interval at 99 %. Points lie at different times.
func theilSen(x, y []float64) (slope, lo, hi float64) {
	n := len(x)
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := i + 1; j < n; j++ {
			if d := x[j] - x[i]; d > 0 {
				slopes = append(slopes, (y[j]-y[i])/d)
			}
		}
	}
	if len(slopes) == 0 {
		return 0, math.Inf(-1), math.Inf(1)
	}
	slices.Sort(slopes)
	pairs := float64(len(slopes))
	reach := soakZ * math.Sqrt(float64(n*(n-1)*(2*n+5))/18)
	at := func(rank float64) float64 { return slopes[min(max(int(rank), 0), len(slopes)-1)] }
	return middleOf(slopes), at(math.Floor((pairs - reach) / 2)), at(math.Ceil((pairs + reach) / 2))
}

// SoakText is what a soak says, for a terminal.
func SoakText(rec *Record, width int, colour bool) string {
	d := &document{title: "corelab run " + rec.Run.ID}
	addSoak(d, rec)
	return d.terminal(width, colour)
}

// addSoak adds the table; nothing in a run of another kind.
func addSoak(d *document, rec *Record) {
	s := SoakOf(rec)
	if s == nil {
		return
	}
	asked := rec.Run.Soak
	verdict := "It holds: nothing grows, and every answer was right."
	switch {
	case s.Broken != "":
		verdict = "It does not hold: " + s.Broken
	case s.Errors > 0:
		verdict = fmt.Sprintf("It does not hold: %s errors, the first: %s", formatCount(float64(s.Errors)), s.Example)
	case !s.Holds:
		verdict = "It does not hold: something grows."
	}
	d.add(paragraph(verdict))
	g := &grid{columns: []column{{"figure", true}, {"verdict", true}, {head: "first"}, {head: "last"}, {head: "most"}, {head: "growth"}, {head: "allowed"}, {head: "samples"}}}
	for _, f := range s.Drifts {
		show := func(v float64) string {
			if f.Unit == "KiB" {
				return mebibytes(v*1024) + " MiB"
			}
			return formatCount(v)
		}
		growth := fmt.Sprintf("%s (%s … %s)", show(f.Growth), show(f.Lo), show(f.Hi))
		if f.Verdict == SoakShort {
			growth = Dash
		}
		g.rows = append(g.rows, gridRow{doubtful: f.Verdict == SoakGrows, cells: []string{f.Figure, f.Verdict, show(f.First), show(f.Last), show(f.Max), growth, show(f.Allowed), formatCount(float64(f.Samples))}})
	}
	g.facts = []string{
		fmt.Sprintf("%s under mixed traffic for %s: %s right answers on %s connections, about %s requests a second, beside %d hostile clients of each kind; %s errors",
			s.Target, formatSpan(s.Elapsed), formatCount(float64(s.Answers)), formatCount(float64(s.Churn)), formatCount(asked.Rate), asked.Foes, formatCount(float64(s.Errors))),
		"growth: over the last two thirds of the time, by the median of the slopes between all pairs of samples (Theil and Sen), with its 99 % interval; a figure grows where that does not reach below zero and the growth is more than what is allowed",
		"memory: anonymous and resident, what the server allocated and touched; first and last: the medians of the first and the last third of the samples that count",
	}
	if s.PerAnswer > 0 {
		g.facts = append(g.facts, fmt.Sprintf("a leak of %s bytes for each answer would have shown", digits(s.PerAnswer)))
	}
	d.add(g)
}
