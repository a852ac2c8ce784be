package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Verdicts on B, held against A.
const (
	Better       = "better"
	Worse        = "worse"
	NoDifference = "no difference shown"
	NoVerdict    = "no verdict"
)

// LookEvery is how many blocks lie between two looks at the width, from MinBlocks on. Fewer looks end fewer comparisons just
// because their blocks happened to lie close together.
const LookEvery = 4

// Names of a comparison's figures, in JSON.
const (
	CompareCPU        = "cpu"
	CompareThroughput = "throughput"
	CompareP50        = "p50"
	CompareP99        = "p99"
	CompareMemory     = "memory"
	ComparePlain      = "cpu_plain"
	CompareShare      = "cpu_share"
	CompareGenerator  = "generator_cpu"
)

// Bases of the verdict on CPU per request.
const (
	BasisShare = "share" // server CPU ÷ generator CPU: the machine's speed falls out
	BasisPlain = "plain" // server CPU alone: a request of the one costs the generator more than one of the other
	BasisBoth  = "both"  // it may do so: the interval spans both, so that a verdict needs both to agree
)

// Comparison is what a run of corelab compare says, and the JSON that it prints. It is made of the record alone.
//
// Ratios are B ÷ A, and are of blocks: the mean logarithm over B's windows less that over A's in the same block, over the
// blocks a mean without the most extreme tenth at each end, and its interval at Confidence by a studentised bootstrap over
// the blocks.
type Comparison struct {
	Run        string        `json:"run"`
	Commit     string        `json:"commit,omitempty"`
	Scenario   string        `json:"scenario"`
	Case       string        `json:"case,omitempty"`
	Load       string        `json:"load"` // in words
	A          CompareSide   `json:"a"`
	B          CompareSide   `json:"b"`
	Seed       uint64        `json:"seed"`
	Confidence float64       `json:"confidence"`
	Precision  float64       `json:"precision"` // asked for; 0: as much as the time gives
	Max        time.Duration `json:"max_ns"`
	Elapsed    time.Duration `json:"elapsed_ns"`
	Window     time.Duration `json:"window_ns"`
	Windows    int           `json:"windows"`          // measured, of both
	LeftOut    int           `json:"samples_left_out"` // of them, because something else took the CPU
	LeftOutA   int           `json:"a_left_out"`
	LeftOutB   int           `json:"b_left_out"`
	Blocks     int           `json:"blocks"`         // whole ones
	Dropped    int           `json:"blocks_dropped"` // of them, in which no window of A or none of B was left
	Ended      string        `json:"ended"`          // "precise", "time", "interrupted", "failed"
	Error      string        `json:"error,omitempty"`
	Warnings   []Warning     `json:"warnings,omitempty"`
	Figures    []Difference  `json:"figures"`
}

// CompareSide is A or B.
type CompareSide struct {
	Target  string   `json:"target"`
	Command []string `json:"command"`
	Version string   `json:"version,omitempty"`
	Ballast float64  `json:"ballast_ns,omitempty"` // planted, per request
}

// Difference is one figure of a comparison. A nil Lo has no interval: Why says why.
type Difference struct {
	Figure     string   `json:"figure"` // one of the Compare… names
	Name       string   `json:"name"`
	Unit       string   `json:"unit"` // of A and B
	Detail     bool     `json:"detail,omitempty"`
	Basis      string   `json:"basis,omitempty"` // of cpu: which of the two ratios it takes
	A          float64  `json:"a"`
	B          float64  `json:"b"`
	Ratio      float64  `json:"ratio"` // B ÷ A; 0 without any block
	Lo         *float64 `json:"lo"`
	Hi         *float64 `json:"hi"`
	Confidence float64  `json:"confidence"`
	Verdict    string   `json:"verdict,omitempty"`    // none on a Detail
	CouldShow  *float64 `json:"could_show"`           // the least difference that would have shown, 0.01 is 1 %
	Blocks     int      `json:"blocks"`               // with a value of both
	LeftOut    int      `json:"samples_left_out"`     // windows without part in it
	Truth      *float64 `json:"truth,omitempty"`      // the ratio that the ballast makes
	Covered    *bool    `json:"truth_held,omitempty"` // whether the interval holds it
	Why        string   `json:"why,omitempty"`
}

// peakMemory is the largest resident memory that the server ever had.
var peakMemory = Figure{Name: "peak memory", Unit: "rss-B", Falls: true, Field: []string{"server", "server.peak_rss_kib"},
	of: func(t *Trial) (float64, bool) {
		if t.Server == nil {
			return 0, false
		}
		return float64(t.Server.PeakRSSKiB) * 1024, t.Server.PeakRSSKiB > 0
	}}

// comparedFigures are the rows, in the order of the table. CompareCPU is made of the two behind it.
var comparedFigures = []struct {
	key    string
	name   string
	figure Figure
	detail bool
}{
	{CompareCPU, ServerCPU.Name, CPUShare, false},
	{ComparePlain, "server CPU alone", ServerCPU, true},
	{CompareShare, CPUShare.Name, CPUShare, true},
	{CompareGenerator, ClientCPU.Name, ClientCPU, true},
	{CompareThroughput, Throughput.Name, Throughput, false},
	{CompareP50, "p50, closed loop", P50, false},
	{CompareP99, "p99, closed loop", P99, false},
	{CompareMemory, peakMemory.Name, peakMemory, false},
}

// Compared makes the comparison of a record that has one. It reads rec alone, and gives the same for the same.
func Compared(rec *Record) (*Comparison, error) {
	asked := rec.Run.Compare
	if asked == nil || len(rec.Run.Targets) != 2 || len(rec.Run.Scenarios) != 1 {
		return nil, fmt.Errorf("results: the run %s is no comparison", rec.Run.ID)
	}
	s := rec.Run.Scenarios[0]
	c := &Comparison{
		Run: rec.Run.ID, Commit: rec.Run.Commit, Scenario: s.Name, Load: s.Load, A: side(rec, 0), B: side(rec, 1), Seed: rec.Run.Seed,
		Confidence: CompareConfidence, Precision: asked.Precision, Max: asked.Max, Window: asked.Window,
	}
	if len(s.Cases) == 1 {
		c.Case = s.Cases[0]
	}
	blocks := c.sort(rec)
	for i, f := range comparedFigures {
		c.Figures = append(c.Figures, c.difference(i, f.key, f.name, f.figure, f.detail, blocks))
	}
	c.settleCPU()
	c.settleTruth()
	c.end(rec)
	return c, nil
}

func side(rec *Record, i int) CompareSide {
	t := rec.Run.Targets[i]
	return CompareSide{Target: t.Name, Command: t.Command, Version: t.Version, Ballast: rec.Run.Compare.Ballast[i]}
}

// block is the windows of both sides that count.
type block [2][]*Trial

// sort counts the windows and puts those that count into their blocks. A block that was cut short is none.
func (c *Comparison) sort(rec *Record) []block {
	var blocks []block
	for first := 0; first < len(rec.Trials); {
		last := first
		for last < len(rec.Trials) && rec.Trials[last].Round == rec.Trials[first].Round {
			last++
		}
		if b, whole := c.block(rec, rec.Trials[first:last]); whole {
			blocks = append(blocks, b)
		}
		first = last
	}
	return blocks
}

// block takes in the trials of one; whole reports whether it has windows of both sides.
func (c *Comparison) block(rec *Record, trials []Trial) (b block, whole bool) {
	for i := range trials {
		if t := &trials[i]; t.Error != "" && c.Error == "" {
			c.Error = t.Error
			if !strings.Contains(c.Error, t.Target) {
				c.Error = t.Target + ": " + c.Error
			}
		}
	}
	if len(trials) != 2*rec.Run.Compare.Windows || slices.ContainsFunc(trials, func(t Trial) bool { return t.Error != "" }) {
		return b, false
	}
	c.Blocks++
	var out [2]int
	for i := range trials {
		t := &trials[i]
		which := 0
		if t.Target == rec.Run.Targets[1].Name {
			which = 1
		}
		c.Windows++
		c.warn(t)
		if hasCode(t.Warnings, WarnSteal) {
			c.LeftOut++
			out[which]++
			continue
		}
		b[which] = append(b[which], t)
	}
	c.LeftOutA, c.LeftOutB = c.LeftOutA+out[0], c.LeftOutB+out[1]
	whole = len(b[0]) > 0 && len(b[1]) > 0
	if !whole {
		c.Dropped++
	}
	return b, whole
}

// warn keeps each kind of warning once for each side, but for what the counts say.
func (c *Comparison) warn(t *Trial) {
	for _, w := range t.Warnings {
		if w.Code == WarnSteal || w.Code == WarnLittle {
			continue
		}
		w.Text = t.Target + ": " + w.Text
		if !slices.ContainsFunc(c.Warnings, func(o Warning) bool {
			return o.Code == w.Code && strings.HasPrefix(o.Text, t.Target+": ")
		}) {
			c.Warnings = append(c.Warnings, w)
		}
	}
}

// logs is the mean logarithm of the figure over the windows that have it.
func logs(f Figure, windows []*Trial) (mean float64, n int) {
	for _, t := range windows {
		if v, ok := f.Of(t); ok && v > 0 {
			mean += math.Log(v)
			n++
		}
	}
	return mean / float64(max(n, 1)), n
}

// difference estimates one figure.
func (c *Comparison) difference(i int, key, name string, f Figure, detail bool, blocks []block) Difference {
	d := Difference{Figure: key, Name: name, Unit: f.Unit, Detail: detail, Confidence: CompareConfidence, LeftOut: c.Windows}
	var a, b, differences []float64
	for _, bl := range blocks {
		logA, inA := logs(f, bl[0])
		logB, inB := logs(f, bl[1])
		if inA == 0 || inB == 0 {
			continue
		}
		d.LeftOut -= inA + inB
		a, b, differences = append(a, logA), append(b, logB), append(differences, logB-logA)
	}
	seed := c.Seed + uint64(i)
	at := locate(differences, seed)
	d.Blocks = at.n
	if at.n == 0 {
		d.Why = lack(f, blocks)
		d.judge(f.Falls)
		return d
	}
	d.A, d.B = math.Exp(center(a)), math.Exp(center(b))
	d.Ratio = math.Exp(at.center)
	if math.IsInf(at.half, 1) {
		d.Why = c.few(at.n)
	} else {
		lo, hi, least := math.Exp(at.center-at.half), math.Exp(at.center+at.half), math.Expm1(at.half)
		d.Lo, d.Hi, d.CouldShow = &lo, &hi, &least
	}
	d.judge(f.Falls)
	return d
}

// few says why there is no interval.
func (c *Comparison) few(blocks int) string {
	why := fmt.Sprintf("%d blocks, and a verdict takes %d", blocks, MinBlocks)
	if c.Dropped > 0 {
		why += fmt.Sprintf("; %d more were dropped", c.Dropped)
	}
	return why
}

func center(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	mean, _ := trimmedMean(sorted, int(blockTrim*float64(len(sorted))))
	return mean
}

// lack says why no block has the figure.
func lack(f Figure, blocks []block) string {
	for _, b := range blocks {
		for _, t := range slices.Concat(b[0], b[1]) {
			if _, ok := f.Of(t); !ok {
				return f.Lack(t)
			}
		}
	}
	return "no block was whole"
}

// judge gives the verdict that the interval gives.
func (d *Difference) judge(falls bool) {
	switch {
	case d.Detail:
	case d.Lo == nil:
		d.Verdict = NoVerdict
	case *d.Lo <= 1 && *d.Hi >= 1:
		d.Verdict = NoDifference
	case (*d.Hi < 1) == falls:
		d.Verdict = Better
	default:
		d.Verdict = Worse
	}
}

// Find returns the figure of that key; every comparison has all of them.
func (c *Comparison) Find(key string) *Difference {
	i := slices.IndexFunc(c.Figures, func(d Difference) bool { return d.Figure == key })
	return &c.Figures[i]
}

// settleCPU lets the share decide while a request of B costs the generator as much as one of A. Where it costs more or less,
// by more than SameGeneratorCost and proven, the share is of different things, and the server's CPU alone decides. In between
// lies what a machine that changed its speed looks like as well: it moves the cost of both, and by chance now and then enough
// to seem proven. There both must agree: the interval spans the two. The values are of the server alone.
func (c *Comparison) settleCPU() {
	cpu, plain, gen := c.Find(CompareCPU), c.Find(ComparePlain), c.Find(CompareGenerator)
	apart := gen.Ratio > 0 && math.Abs(gen.Ratio-1) > SameGeneratorCost
	proven := gen.Lo != nil && (*gen.Lo > 1 || *gen.Hi < 1)
	cpu.Basis = BasisShare
	switch {
	case apart && proven:
		cpu.Basis = BasisPlain
		cpu.take(plain)
	case apart || proven:
		cpu.Basis = BasisBoth
		cpu.span(plain)
	}
	cpu.judge(true)
	cpu.Unit, cpu.A, cpu.B = plain.Unit, plain.A, plain.B
}

// take makes d the ratio that o is.
func (d *Difference) take(o *Difference) {
	d.Ratio, d.Lo, d.Hi, d.CouldShow, d.Blocks, d.LeftOut, d.Why = o.Ratio, o.Lo, o.Hi, o.CouldShow, o.Blocks, o.LeftOut, o.Why
}

// span makes d the ratio halfway between its own and that of o, with the interval that holds both of theirs.
func (d *Difference) span(o *Difference) {
	if d.Lo == nil || o.Lo == nil {
		d.take(o)
		return
	}
	lo, hi := min(*d.Lo, *o.Lo), max(*d.Hi, *o.Hi)
	least := math.Sqrt(hi/lo) - 1
	d.Ratio, d.Lo, d.Hi, d.CouldShow = math.Sqrt(d.Ratio*o.Ratio), &lo, &hi, &least
}

// settleTruth holds CPU per request against what was planted: the ballast is added to what a request of A costs otherwise.
func (c *Comparison) settleTruth() {
	plain := c.Find(ComparePlain)
	if c.A.Ballast == c.B.Ballast || plain.A <= 0 {
		return
	}
	truth := 1 + (c.B.Ballast-c.A.Ballast)/plain.A
	for _, key := range []string{CompareCPU, ComparePlain} {
		d := c.Find(key)
		d.Truth = &truth
		if d.Lo != nil {
			held := *d.Lo <= truth && truth <= *d.Hi
			d.Covered = &held
		}
	}
}

// end says how the comparison ended.
func (c *Comparison) end(rec *Record) {
	if rec.End != nil {
		c.Elapsed = rec.End.Elapsed
	}
	switch {
	case c.Error != "":
		c.Ended = "failed"
	case rec.End == nil || rec.End.Interrupted:
		c.Ended = "interrupted"
	case c.Precise():
		c.Ended = "precise"
	default:
		c.Ended = "time"
	}
}

// Half is the half-width of the widest interval among CPU per request and throughput, on which a comparison stops; ok is
// false where one has none. It says nothing of where they lie.
func (c *Comparison) Half() (half float64, ok bool) {
	for _, key := range []string{CompareCPU, CompareThroughput} {
		d := c.Find(key)
		if d.CouldShow == nil {
			return 0, false
		}
		half = max(half, *d.CouldShow)
	}
	return half, true
}

// Precise reports whether the intervals are as narrow as was asked, at a number of blocks at which that is looked at.
func (c *Comparison) Precise() bool {
	half, ok := c.Half()
	n := c.Find(CompareCPU).Blocks
	return ok && c.Precision > 0 && half <= c.Precision && (n-MinBlocks)%LookEvery == 0
}

// Fails returns the figures among CPU per request and throughput that are proven worse and by an estimate of at least part,
// 0.02 is 2 %. A difference that only might be as large does not fail, and neither does one that is proven but small.
func (c *Comparison) Fails(part float64) (failed []Difference) {
	for _, key := range []string{CompareCPU, CompareThroughput} {
		if d := c.Find(key); d.Verdict == Worse && math.Abs(d.Ratio-1) >= part {
			failed = append(failed, *d)
		}
	}
	return failed
}
