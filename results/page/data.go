package page

import (
	"time"

	"corelab/results"
	"corelab/results/stacks"
)

// Data is what the charts of a run draw. As JSON it is the value that corelab.draw takes in the page.
type Data struct {
	ID      string       `json:"id"`
	Targets []Target     `json:"targets"` // in the order of the run: a target's place is its colour
	Layers  []Layer      `json:"layers"`  // in the order in which a request meets them
	Cells   []Cell       `json:"cells"`   // ranked ones, in the order of the record
	Flames  []FlameGraph `json:"flames,omitempty"`
	Steps   []Step       `json:"steps,omitempty"`
}

// Step is a link to a file beside the report that the page leads to a flame graph of its own: that of To, held against From.
type Step struct {
	File     string `json:"file"`
	Scenario string `json:"scenario"`
	Case     string `json:"case,omitempty"`
	From     string `json:"from"`
	To       string `json:"to"`
}

// Target is one server.
type Target struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	Limit bool   `json:"limit,omitempty"`
}

// Layer is one part of a request's cost.
type Layer struct {
	Name   string `json:"name"`
	Kernel bool   `json:"kernel"` // the kernel's work
	Place  int    `json:"place"`  // among all layers
	Colour string `json:"color"`  // "#rrggbb", that of all pictures
}

// Cell is the figures of one target in one case, medians over its rounds. What a cell has no figure of is absent.
type Cell struct {
	Scenario    string `json:"scenario"`
	Case        string `json:"case,omitempty"`
	Target      string `json:"target"`
	Generator   string `json:"generator"`
	Loop        string `json:"loop"` // "closed", "open"
	Placement   string `json:"placement,omitempty"`
	Connections int    `json:"connections"`

	Verdict  string `json:"verdict"`
	Doubtful bool   `json:"doubtful,omitempty"` // its figures are in no rank, or its throughput is a lower bound
	Bounded  bool   `json:"bounded,omitempty"`  // its throughput is a lower bound

	Throughput *Range `json:"throughput,omitempty"` // answers per second
	P99        *Range `json:"p99,omitempty"`        // ns
	CPU        *Range `json:"cpu,omitempty"`        // ns per request, of the server
	User       *Range `json:"user,omitempty"`       // likewise, of it as the kernel sampled it
	System     *Range `json:"system,omitempty"`

	Latency *Quantiles         `json:"latency,omitempty"`
	Layers  map[string]float64 `json:"layers,omitempty"` // ns per request, by Layer.Name
	Lack    string             `json:"lack,omitempty"`   // why there are no Layers
	Course  *Course            `json:"course,omitempty"`
}

// Range is a median with its interval, or with the range of the rounds where these are too few for one.
type Range struct {
	Median float64 `json:"median"`
	Lo     float64 `json:"lo"`
	Hi     float64 `json:"hi"`
}

// Course is one trial of a cell, in pieces.
type Course struct {
	Round      int       `json:"round"`
	Ends       []float64 `json:"ends"`             // seconds from the begin
	Throughput []float64 `json:"throughput"`       // answers per second
	Server     []float64 `json:"server,omitempty"` // CPUs in use, 1 is one of them wholly
	Client     []float64 `json:"client,omitempty"`
}

// DataOf takes from a record what its charts draw.
func DataOf(rec *results.Record) *Data {
	d := &Data{ID: rec.Run.ID, Targets: []Target{}, Layers: []Layer{}, Cells: []Cell{}}
	for _, t := range results.TargetsOf(rec) {
		d.Targets = append(d.Targets, Target{t.Name, t.Kind, t.Limit})
	}
	for _, c := range results.Cells(rec) {
		if c.Role != results.RoleRanked || c.Loop == "" {
			continue
		}
		d.Cells = append(d.Cells, cellOf(rec, c))
	}
	for place, l := range stacks.Layers {
		d.Layers = append(d.Layers, Layer{string(l), l.Kernel(), place, l.Colour()})
	}
	d.Flames = flamesOf(rec)
	for _, s := range results.Steps(rec) {
		d.Steps = append(d.Steps, Step{s.File, s.Scenario, s.Case, s.From, s.To})
	}
	return d
}

func cellOf(rec *results.Record, c *results.Cell) Cell {
	v, _ := c.Verdict()
	out := Cell{
		Scenario: c.Scenario, Case: c.Case, Target: c.Target, Generator: c.Generator, Loop: c.Loop, Placement: c.Placement,
		Connections: c.Trials[0].Load.Connections,
		Verdict:     string(v.Kind), Doubtful: !c.Sound(), Bounded: v.Kind == results.GeneratorBound,
		Throughput: rangeOf(c, results.Throughput), P99: rangeOf(c, results.P99),
		CPU: rangeOf(c, results.ServerCPU), User: rangeOf(c, results.ServerUser), System: rangeOf(c, results.ServerSystem),
		Latency: quantilesOf(c), Course: courseOf(c),
	}
	cost, lack := rec.LayersOf(c)
	out.Lack = lack
	if cost == nil {
		return out
	}
	out.Layers = map[string]float64{}
	for _, l := range stacks.Layers {
		if ns := cost.Of(l); ns > 0 {
			out.Layers[string(l)] = rounded(ns)
		}
	}
	return out
}

func rangeOf(c *results.Cell, f results.Figure) *Range {
	e, ok := c.Estimate(f)
	if !ok {
		return nil
	}
	lo, hi := e.Range()
	return &Range{rounded(e.Median), rounded(lo), rounded(hi)}
}

// courseOf is the course of the trial whose throughput is nearest to the cell's median, one in which nothing else took the
// CPU where there is any.
func courseOf(c *results.Cell) *Course {
	median, ok := c.Estimate(results.Throughput)
	if !ok {
		return nil
	}
	var best *results.Trial
	far := 0.0
	for _, t := range undisturbed(c) {
		v, ok := results.Throughput.Of(t)
		if !ok || t.Load.Course == nil {
			continue
		}
		if d := max(v, median.Median) / min(v, median.Median); best == nil || d < far {
			best, far = t, d
		}
	}
	if best == nil {
		return nil
	}
	return newCourse(best.Round, best.Load.Course)
}

func newCourse(round int, in *results.Course) *Course {
	out := &Course{Round: round}
	var from time.Duration
	for i, end := range in.Ends {
		length := (end - from).Seconds()
		if i >= len(in.Answered) || length <= 0 {
			break
		}
		from = end
		out.Ends = append(out.Ends, rounded(end.Seconds()))
		out.Throughput = append(out.Throughput, rounded(float64(in.Answered[i])/length))
		if i < len(in.Server) {
			out.Server = append(out.Server, rounded(in.Server[i].Seconds()/length))
		}
		if i < len(in.Client) {
			out.Client = append(out.Client, rounded(in.Client[i].Seconds()/length))
		}
	}
	if len(out.Ends) == 0 {
		return nil
	}
	return out
}
