package results

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// HistoryAsk is what a history shall show.
type HistoryAsk struct {
	Figure    HistoryFigure
	Absolute  bool     // as it was measured, not ÷ the reference of the same run
	Scenarios []string // none: all
	Cases     []string // none: all
	Targets   []string // none: all but the reference, and limits
	Since     time.Time
	AnyHost   bool // machines that differ in nothing but the host's name are one
}

// HistoryFigure is a figure that a history can show.
type HistoryFigure struct {
	Name string // on the command line
	Figure
	speed  bool // it depends on the machine's speed in more than one way: a disturbed cell has none
	format func(float64) string
}

// HistoryFigures is every figure there is, the steadiest first.
var HistoryFigures = []HistoryFigure{
	{"cost", CPUShare, false, digits},
	{"cpu", ServerCPU, false, formatTime},
	{"throughput", Throughput, true, formatCount},
	{"p50", P50, true, formatTime},
	{"p90", P90, true, formatTime},
	{"p99", P99, true, formatTime},
	{"p99.9", P999, true, formatTime},
	{"memory", Memory, false, func(v float64) string { return mebibytes(v) + " MiB" }},
	{"switches", Switches, false, digits},
	{"allocs", Allocs, false, digits},
}

// HistoryShape is what was asked of a target: only runs that agree in all of it stand in one line.
type HistoryShape struct {
	Scenario    string `json:"scenario"`
	Case        string `json:"case,omitempty"`
	Request     string `json:"request"` // with the header and the body that were given by hand, and idle connections beside it
	Loop        string `json:"loop"`
	Generator   string `json:"generator"`
	Placement   string `json:"placement"`
	Connections int    `json:"connections"`
	Depth       int    `json:"depth"`
	Reconnect   bool   `json:"reconnect,omitempty"`
	Rate        string `json:"rate,omitempty"` // of an open loop: absolute, or a part of the target's own ceiling
	Arrival     string `json:"arrival,omitempty"`
}

// String is the shape in words.
func (s HistoryShape) String() string {
	words := []string{s.Scenario}
	if s.Case != "" {
		words[0] += " " + s.Case
	}
	words = append(words, s.Request, s.Loop+" loop")
	if s.Rate != "" {
		words = append(words, s.Rate, s.Arrival+" arrivals")
	}
	words = append(words, fmt.Sprintf("%d connections", s.Connections))
	if s.Depth > 1 {
		words = append(words, fmt.Sprintf("%d in flight on each", s.Depth))
	}
	if s.Reconnect {
		words = append(words, "a new one for each request")
	}
	return strings.Join(append(words, "placement "+s.Placement, "by "+s.Generator), ", ")
}

// HistoryPoint is the figure of one run, in one line.
type HistoryPoint struct {
	Run     string          `json:"run"`
	Dir     string          `json:"dir"` // where it was read from
	Started time.Time       `json:"started"`
	Commit  string          `json:"commit,omitempty"` // without "+dirty"
	Dirty   bool            `json:"dirty,omitempty"`  // built with changes that were not committed
	Value   HistoryValue    `json:"value"`
	Doubt   string          `json:"doubt,omitempty"`  // why it proves nothing, and takes no part in what is said of the line
	Marks   []string        `json:"marks,omitempty"`  // what else changed against the run before: kernel, Go, the reference's version
	Change  *HistoryChange  `json:"change,omitempty"` // against the last run before it that proves anything and does not stand alone
	Flag    string          `json:"flag,omitempty"`   // HistoryChanged, HistoryOnce or HistoryNew
	aa      float64         // how far from 1 an A/A ratio of the same table lay, as a logarithm
	gen     Estimate        // the generator's own CPU per request, ÷ the reference's where the line is
	plain   Estimate        // the server's CPU per request, likewise
	env     map[string]fact // what must be the same, or is said
}

// fact is something of a run that may change a figure. One that is secret or long is told by its hash alone.
type fact struct {
	text string
	long bool
}

// HistoryValue is an [Estimate] as it is written. Lo and Hi are absent where there were too few rounds for an interval.
type HistoryValue struct {
	Median float64  `json:"median"`
	Lo     *float64 `json:"lo"`
	Hi     *float64 `json:"hi"`
	Rounds int      `json:"rounds"`
	e      Estimate
}

func historyValue(e Estimate) HistoryValue {
	v := HistoryValue{Median: e.Median, Rounds: e.N, e: e}
	if e.Bounded() {
		v.Lo, v.Hi = &e.Lo, &e.Hi
	}
	return v
}

// HistoryLine is one figure of one target under one load on one machine, over its runs in the order of time.
type HistoryLine struct {
	Machine  int            `json:"machine"` // index of History.Machines
	Shape    HistoryShape   `json:"shape"`
	Target   string         `json:"target"`
	Kind     string         `json:"kind"`
	Relative bool           `json:"relative"` // ÷ the reference of the same run; otherwise it drifts with the machine
	Noise    HistoryNoise   `json:"noise"`
	Points   []HistoryPoint `json:"points"`
	Steps    []HistoryStep  `json:"steps"`
	Creeps   []HistoryStep  `json:"creeps"`
	figure   HistoryFigure
}

// History is what the runs show, as lines.
type History struct {
	Figure   string         `json:"figure"`
	Unit     string         `json:"unit"`
	Absolute bool           `json:"absolute"`
	Runs     int            `json:"runs"` // that have a point in some line
	Machines []Host         `json:"machines"`
	Lines    []*HistoryLine `json:"lines"`
	Skipped  []string       `json:"skipped"`   // runs that could not be read, and why
	Renamed  bool           `json:"same_host"` // some machines differ in nothing but the host's name
	figure   HistoryFigure
}

// HistorySample is the figure of one run in one line, before it is known which line that is.
type HistorySample struct {
	host     Host
	shape    HistoryShape
	target   string
	kind     string
	relative bool
	point    HistoryPoint
}

// ReadSamples reads what a history needs of the record in a run's folder. Trials of scenarios that are not asked for are
// passed over undecoded, so that many runs are read quickly. It is safe for concurrent use.
func ReadSamples(dir string, ask HistoryAsk) ([]HistorySample, error) {
	path := filepath.Join(dir, RunFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("results: read a record: %w", err)
	}
	defer f.Close()
	rec, err := decodeKept(f, path, func(rec *Record, line []byte) bool { return ask.wants(&rec.Run, line) })
	if err != nil {
		return nil, err
	}
	rec.Dir = dir
	return Samples(rec, ask), nil
}

// NewHistory sorts samples into lines, and finds where they change. Of runs that were read twice, by the same identity and
// time, the first stands.
func NewHistory(samples []HistorySample, ask HistoryAsk) *History {
	h := &History{Figure: ask.Figure.Figure.Name, Unit: ask.Figure.Unit, Absolute: ask.Absolute, figure: ask.Figure,
		Machines: []Host{}, Lines: []*HistoryLine{}, Skipped: []string{}}
	samples = slices.Clone(samples)
	slices.SortStableFunc(samples, func(a, b HistorySample) int {
		return cmp.Or(a.point.Started.Compare(b.point.Started), cmp.Compare(a.point.Run, b.point.Run))
	})
	runs := map[string]bool{}
	for _, s := range samples {
		l := h.line(s, h.machine(s.host, ask.AnyHost), ask)
		if slices.ContainsFunc(l.Points, func(p HistoryPoint) bool { return p.Run == s.point.Run && p.Started.Equal(s.point.Started) }) {
			continue
		}
		l.Points = append(l.Points, s.point)
		runs[s.point.Run+s.point.Started.String()] = true
	}
	h.Runs = len(runs)
	slices.SortStableFunc(h.Lines, func(a, b *HistoryLine) int {
		return cmp.Or(a.Machine-b.Machine, cmp.Compare(a.Shape.String(), b.Shape.String()))
	})
	h.measureNoise()
	for _, l := range h.Lines {
		l.findSteps()
		l.compareRuns()
	}
	return h
}

// memoryTolerance is by how much the memory of one machine may seem to differ: a kernel keeps more or less of it for itself.
const memoryTolerance = 0.03

// machine returns the index of the machine. One is told by its CPUs, how many of them may be used, its memory and its name;
// whether the kernel is the same is not asked: its change is a mark in the line.
func (h *History) machine(host Host, anyHost bool) int {
	for i, m := range h.Machines {
		most := float64(max(m.MemoryKiB, host.MemoryKiB))
		if m.CPU != host.CPU || m.CPUs != host.CPUs || math.Abs(float64(m.MemoryKiB)-float64(host.MemoryKiB)) > memoryTolerance*most {
			continue
		}
		if anyHost || m.Hostname == host.Hostname {
			return i
		}
		h.Renamed = true
	}
	h.Machines = append(h.Machines, host)
	return len(h.Machines) - 1
}

// line returns the sample's line.
func (h *History) line(s HistorySample, machine int, ask HistoryAsk) *HistoryLine {
	for _, l := range h.Lines {
		if l.Machine == machine && l.Shape == s.shape && l.Target == s.target && l.Relative == s.relative {
			return l
		}
	}
	l := &HistoryLine{Machine: machine, Shape: s.shape, Target: s.target, Kind: s.kind, Relative: s.relative,
		Points: []HistoryPoint{}, Steps: []HistoryStep{}, Creeps: []HistoryStep{}, figure: ask.Figure}
	h.Lines = append(h.Lines, l)
	return l
}

// shapeOf is the load of a cell, which has one.
func shapeOf(run *Run, c *Cell) HistoryShape {
	l := c.Trials[0].Load
	s := HistoryShape{Scenario: c.Scenario, Case: c.Case, Loop: l.Loop, Generator: l.Generator, Placement: c.Placement,
		Connections: l.Connections, Depth: max(l.Depth, 1), Reconnect: l.Reconnect}
	words := ""
	for _, sc := range run.Scenarios {
		if sc.Name == c.Scenario {
			words = sc.Load
		}
	}
	s.Request = requestOf(l.Command, words)
	if l.Loop == LoopOpen {
		s.Arrival = l.Arrival
		if s.Rate = fmt.Sprintf("%.3g requests/s", l.Rate); strings.Contains(words, "own ceiling") {
			s.Rate = "a part of each target's own ceiling"
		}
	}
	return s
}

// requestFlags are those of a generator's command line that say what is asked, and which stands by beside it.
var requestFlags = []string{"-H", "--body", "--idle", "--spin"}

// requestOf is what a generator's command line asks for, without where and how long; or what the scenario's words say, where
// the command is not of the form that the lab writes.
func requestOf(command []string, words string) string {
	method, path := "GET", ""
	var more []string
	for i, word := range command {
		switch {
		case strings.HasPrefix(word, "http://") && path == "":
			if u, err := url.Parse(word); err == nil {
				path = u.RequestURI()
			}
		case i+1 == len(command):
		case word == "-m":
			method = command[i+1]
		case slices.Contains(requestFlags, word):
			more = append(more, word, command[i+1])
		}
	}
	if path == "" {
		request, _, _ := strings.Cut(words, ", ")
		return request
	}
	request := method + " " + path
	if len(more) > 0 {
		request += " with " + commandLine(more)
	}
	return request
}

// hashed is a fact that is told by its hash.
func hashed(text string) fact {
	if text == "" {
		return fact{}
	}
	h := fnv.New64a()
	h.Write([]byte(text))
	return fact{fmt.Sprintf("%x", h.Sum64()), true}
}
