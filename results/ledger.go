package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The ledger is what a request costs, one row per target, peers included: all that the probes counted, divided by the answers.
// It is a pure function of the record. A figure that no row has has no column; a line under the table says why.

// Figures of the ledger beside those of the tables, by request.
var (
	Voluntary = Figure{Name: "voluntary switches", Unit: "voluntary/req", Falls: true,
		Field: []string{"server", "server.voluntary_switches"}, of: perRequest(usageCount(func(u *Usage) uint64 { return u.Voluntary }))}
	Involuntary = Figure{Name: "involuntary switches", Unit: "involuntary/req", Falls: true,
		Field: []string{"server", "server.involuntary_switches"}, of: perRequest(usageCount(func(u *Usage) uint64 { return u.Involuntary }))}
	PageFaults = Figure{Name: "page faults", Unit: "faults/req", Falls: true,
		Field: []string{"server"}, of: perRequest(usageCount(func(u *Usage) uint64 { return u.MinorFaults + u.MajorFaults }))}
	BytesIn = Figure{Name: "bytes received", Unit: "in-B/req", Falls: true,
		Field: []string{"load", "load.bytes_out"}, of: perRequest(loadCount(func(l *Load) uint64 { return l.BytesOut }))}
	BytesOut = Figure{Name: "bytes sent", Unit: "out-B/req", Falls: true,
		Field: []string{"load", "load.bytes_in"}, of: perRequest(loadCount(func(l *Load) uint64 { return l.BytesIn }))}
	AllocBytes = Figure{Name: "bytes allocated", Unit: "alloc-B/req", Falls: true,
		Field: []string{"runtime", "runtime.alloc_bytes"}, of: perRequest(runtimeCount(func(r *Runtime) uint64 { return r.AllocBytes }))}
	GCs = Figure{Name: "GC cycles", Unit: "gc/req", Falls: true,
		Field: []string{"runtime", "runtime.gc_cycles"}, of: perRequest(runtimeCount(func(r *Runtime) uint64 { return r.GCs }))}
	SegmentsIn = Figure{Name: "TCP segments received", Unit: "segments-in/req", Falls: true,
		Field: []string{"net"}, of: perRequest(netCount(func(n *Net) uint64 { return n.SegmentsIn }))}
	SegmentsOut = Figure{Name: "TCP segments sent", Unit: "segments-out/req", Falls: true,
		Field: []string{"net"}, of: perRequest(netCount(func(n *Net) uint64 { return n.SegmentsOut }))}
	Retransmits = Figure{Name: "TCP retransmits", Unit: "retransmits/req", Falls: true,
		Field: []string{"net"}, of: perRequest(netCount(func(n *Net) uint64 { return n.Retransmits }))}
	CallCount = Figure{Name: "system calls", Unit: "calls/req", Falls: true,
		Field: []string{"calls_per_request"}, of: sumOfCalls}
)

func usageCount(of func(*Usage) uint64) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		if t.Server == nil {
			return 0, false
		}
		return float64(of(t.Server)), true
	}
}

// loadCount is a count that a generator gives or leaves at zero: no exchange has no bytes.
func loadCount(of func(*Load) uint64) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		n := of(t.Load)
		return float64(n), n > 0
	}
}

func runtimeCount(of func(*Runtime) uint64) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		if t.Runtime == nil {
			return 0, false
		}
		return float64(of(t.Runtime)), true
	}
}

func netCount(of func(*Net) uint64) func(*Trial) (float64, bool) {
	return func(t *Trial) (float64, bool) {
		if t.Net == nil {
			return 0, false
		}
		return float64(of(t.Net)), true
	}
}

func sumOfCalls(t *Trial) (sum float64, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(t.Calls)) { // in one order: a sum of floats depends on it
		sum += t.Calls[name]
	}
	return sum, len(t.Calls) > 0
}

// byHardware is what the CPU's own counters say of a request.
func byHardware(name string) Figure {
	return Figure{Name: name, Unit: strings.ReplaceAll(name, " ", "-") + "/req", Falls: true, Field: []string{"hardware_per_request"},
		of: func(t *Trial) (float64, bool) {
			v, ok := t.Counted[name]
			return v, ok
		}}
}

// entry is one column of the ledger.
type entry struct {
	head     string
	figure   Figure
	show     func(float64) string
	observed bool // from the trials that were slowed for it
	ours     bool // only corelab's own cores can have it
	brief    bool // on a terminal too
}

func perMillion(v float64) string {
	if v == 0 {
		return "0"
	}
	return digits(1e6 * v)
}

// countText shows a counted nothing as 0.
func countText(v float64) string {
	if v == 0 {
		return "0"
	}
	return formatCalls(v)
}

var ledgerEntries = []entry{
	{head: "CPU µs", figure: ServerCPU, show: micros, brief: true},
	{head: "user µs", figure: ServerUser, show: micros, brief: true},
	{head: "system µs", figure: ServerSystem, show: micros, brief: true},
	{head: "calls", figure: CallCount, show: formatCalls, observed: true, brief: true},
	{head: "voluntary", figure: Voluntary, show: countText, brief: true},
	{head: "involuntary", figure: Involuntary, show: countText, brief: true},
	{head: "faults", figure: PageFaults, show: countText, brief: true},
	{head: "B in", figure: BytesIn, show: formatCount},
	{head: "B out", figure: BytesOut, show: formatCount, brief: true},
	{head: "segments in", figure: SegmentsIn, show: digits},
	{head: "segments out", figure: SegmentsOut, show: digits, brief: true},
	{head: "retransmits/M", figure: Retransmits, show: perMillion, brief: true},
	{head: "allocs", figure: Allocs, show: countText, ours: true, brief: true},
	{head: "alloc B", figure: AllocBytes, show: countText, ours: true},
	{head: "GC/M", figure: GCs, show: perMillion, ours: true, brief: true},
	{head: "RSS MiB", figure: Memory, show: mebibytes},
	{head: "instructions", figure: byHardware("instructions"), show: formatCount, observed: true, brief: true},
	{head: "cycles", figure: byHardware("cycles"), show: formatCount, observed: true},
	{head: "cache misses", figure: byHardware("cache misses"), show: digits, observed: true},
}

// ledgerRow is one target's trials: those that count, and those that were slowed to observe it.
type ledgerRow struct {
	target           Target
	ranked, observed *Cell
}

// ledgerGrid is the ledger of the table of k; nil where no trial of it was loaded. brief leaves out the columns that a terminal
// has no room for.
func ledgerGrid(run *Run, k Key, cells []*Cell, brief bool) *grid {
	rows := ledgerRows(run, k, cells)
	if len(rows) == 0 || k.Generator == "" {
		return nil
	}
	g := &grid{columns: []column{{headTarget, true}, {headVerdict, true}}}
	var entries []entry
	var lacking []string
	for _, e := range ledgerEntries {
		any, why := false, ""
		for _, r := range rows {
			if _, ok := r.cell(e).Estimate(e.figure); ok {
				any = true
			} else if why == "" {
				why = r.lack(run, e)
			}
		}
		switch {
		case any && (e.brief || !brief):
			entries = append(entries, e)
			g.columns = append(g.columns, column{head: e.head})
		case !any && !(e.ours && !slices.ContainsFunc(rows, func(r ledgerRow) bool { return r.target.Kind == "core" })):
			lacking = append(lacking, e.figure.Name+": "+why)
		}
	}
	for _, r := range rows {
		v, _ := r.ranked.Verdict()
		row := gridRow{cells: []string{r.target.Name, string(v.Kind)}, doubtful: !v.Sound(), limit: r.target.Limit}
		for _, e := range entries {
			row.cells = append(row.cells, r.show(run, g, e))
		}
		g.rows = append(g.rows, row)
	}
	g.facts = ledgerFacts(entries, lacking)
	return g
}

// observedCase reports whether trials of the case of k were observed: its ledger is the whole one.
func observedCase(cells []*Cell, k Key) bool {
	return slices.ContainsFunc(cells, func(c *Cell) bool {
		return c.Role == RoleObserved && c.Scenario == k.Scenario && c.Case == k.Case
	})
}

func ledgerRows(run *Run, k Key, cells []*Cell) []ledgerRow {
	var rows []ledgerRow
	for _, t := range orderedTargets(run, cells) {
		r := ledgerRow{target: t, observed: &Cell{Key: k}}
		for _, c := range cells {
			switch {
			case c.Target != t.Name:
			case c.Role == RoleRanked && c.sameTable(k):
				r.ranked = c
			case c.Role == RoleObserved && c.Scenario == k.Scenario && c.Case == k.Case:
				r.observed.Trials = append(r.observed.Trials, c.Trials...)
			}
		}
		if r.ranked != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

func (r ledgerRow) cell(e entry) *Cell {
	if e.observed {
		return r.observed
	}
	return r.ranked
}

func (r ledgerRow) show(run *Run, g *grid, e entry) string {
	if v, ok := r.cell(e).Estimate(e.figure); ok {
		return e.show(v.Median)
	}
	return Dash + g.notes.mark(r.lack(run, e))
}

// MissingCalls and MissingHardware are the figures under which a Run says why it observed no trials.
const (
	MissingCalls    = "system calls"
	MissingHardware = "hardware counters"
)

// lack says why the row lacks the entry.
func (r ledgerRow) lack(run *Run, e entry) string {
	ofRun := MissingHardware
	if e.figure.Unit == CallCount.Unit {
		ofRun = MissingCalls
	}
	at := slices.IndexFunc(run.Missing, func(m Missing) bool { return m.Figure == ofRun })
	switch {
	case e.ours && r.target.Kind != "core":
		return "only corelab's own cores tell what they allocate"
	case e.observed && at >= 0:
		return run.Missing[at].Reason
	case e.observed && len(r.observed.Trials) == 0:
		return "was not observed here"
	}
	return r.cell(e).Lack(e.figure)
}

// ledgerFacts say what the columns are, as far as they are there, and why others are not.
func ledgerFacts(entries []entry, lacking []string) []string {
	has := func(f Figure) bool {
		return slices.ContainsFunc(entries, func(e entry) bool { return e.figure.Unit == f.Unit })
	}
	facts := []string{"all by request, of the server alone where nothing else is said; /M: by million requests"}
	if has(Voluntary) {
		facts = append(facts, "voluntary, involuntary: context switches because a thread waited, or was made to give way; faults: of pages")
	}
	if has(SegmentsOut) {
		facts = append(facts, "segments, retransmits: of TCP in the whole network namespace; on loopback both ends are counted, and whoever else is there")
	}
	if slices.ContainsFunc(entries, func(e entry) bool { return e.observed }) {
		facts = append(facts, "calls, and what the CPU's own counters say, are from trials of their own: observing slows, so these are never ranked")
	}
	grouped := map[string][]string{}
	var reasons []string
	for _, l := range lacking {
		name, why, _ := strings.Cut(l, ": ")
		if strings.HasPrefix(why, name+": ") { // a reason that names the figure again
			why = strings.TrimPrefix(why, name+": ")
		}
		if grouped[why] == nil {
			reasons = append(reasons, why)
		}
		grouped[why] = append(grouped[why], name)
	}
	for _, why := range reasons {
		facts = append(facts, fmt.Sprintf("without %s: %s", strings.Join(grouped[why], ", "), why))
	}
	return facts
}
