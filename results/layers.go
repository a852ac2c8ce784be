package results

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"corelab/results/stacks"
)

// layerGroup is layers of one kind: who wrote the code that runs in them.
type layerGroup struct {
	name   string
	layers []stacks.Layer
}

// layerGroups are all layers but Idle, in the order of stacks.Layers.
var layerGroups = []layerGroup{
	{"user code", []stacks.Layer{stacks.Parse, stacks.Route, stacks.Handler, stacks.Reply}},
	{"runtime", []stacks.Layer{stacks.Scheduler, stacks.Memory, stacks.Netpoller}},
	{"kernel", []stacks.Layer{stacks.CallEntry, stacks.Epoll, stacks.SocketRead, stacks.SocketSend,
		stacks.Transmit, stacks.Receive, stacks.Wakeup, stacks.Setup}},
	{"unknown", []stacks.Layer{stacks.Other}},
}

// groupColumns are the kinds that have a column of their sum. What is unknown has one as a layer, where all layers have.
func groupColumns(brief bool) []layerGroup {
	if brief {
		return layerGroups
	}
	return layerGroups[:len(layerGroups)-1]
}

// layerHeads are names of the layers that a column, and a part of a bar, have room for.
var layerHeads = map[stacks.Layer]string{
	stacks.Parse: "parse", stacks.Route: "route", stacks.Handler: "handler", stacks.Reply: "reply",
	stacks.Scheduler: "scheduler", stacks.Memory: "GC, alloc", stacks.Netpoller: "netpoller",
	stacks.CallEntry: "call entry", stacks.Epoll: "epoll", stacks.SocketRead: "read", stacks.SocketSend: "write",
	stacks.Transmit: "TCP out", stacks.Receive: "TCP in", stacks.Wakeup: "wake-ups", stacks.Setup: "set-up", stacks.Other: "other",
}

// kernelSign stands at the heads of the kernel's layers.
const kernelSign = " ᵏ"

// Bounds of the tables of layers.
const (
	otherLimit  = 0.05 // the part of a target's CPU time that no rule knows, beyond which its row says what it was
	lostLimit   = 0.01 // likewise of samples that the kernel lost
	otherShown  = 3    // functions that such a row names
	layersBrief = 4    // layers that have a column on a terminal
)

// layerRow is one target in a table of layers.
type layerRow struct {
	target Target
	cell   *Cell
	cost   *LayerCost // nil without a profile
	lack   string     // why
}

// layerKey is the table of the case whose load is most like that of its profiled trials: the CPU per request that their
// shares are parts of. ok is false where the case has no profile of CPU time.
func layerKey(rec *Record, scenario, name string, keys []Key) (best Key, ok bool) {
	at := slices.IndexFunc(rec.Trials, func(t Trial) bool {
		return t.Role == RoleProfiled && t.Scenario == scenario && t.Case == name && t.Load != nil &&
			slices.ContainsFunc(t.Profiles, func(p Profile) bool { return p.Kind == ProfileCPU })
	})
	if at < 0 {
		return Key{}, false
	}
	t, most := &rec.Trials[at], -1
	for _, k := range keys {
		like := 0
		for _, same := range []bool{k.Loop == t.Load.Loop, k.Placement == t.Placement, k.Generator == t.Load.Generator} {
			like *= 2
			if same {
				like++
			}
		}
		if k.Generator != "" && like > most {
			best, most = k, like
		}
	}
	return best, most >= 0
}

// layerRows are the targets of the table of k, those without a profile too; nil where none has one.
func layerRows(rec *Record, k Key, cells []*Cell) []layerRow {
	var rows []layerRow
	profiled := false
	for _, target := range orderedTargets(&rec.Run, cells) {
		for _, c := range cells {
			if c.Target != target.Name || c.Role != RoleRanked || !c.sameTable(k) {
				continue
			}
			row := layerRow{target: target, cell: c}
			row.cost, row.lack = rec.LayersOf(c)
			profiled = profiled || row.cost != nil
			rows = append(rows, row)
		}
	}
	if !profiled {
		return nil
	}
	return rows
}

// layersGrid is the table of where the CPU time of a request goes in one case; nil where nothing was profiled in it. brief
// leaves the smaller layers out, for which a terminal has no room.
func layersGrid(rec *Record, scenario, name string, keys []Key, cells []*Cell, brief bool) *grid {
	k, ok := layerKey(rec, scenario, name, keys)
	if !ok {
		return nil
	}
	rows := layerRows(rec, k, cells)
	if rows == nil {
		return nil
	}
	shown, none := layerColumns(rows, brief)
	g := &grid{columns: []column{{headTarget, true}, {head: "CPU µs/req"}}}
	for _, group := range groupColumns(brief) {
		g.columns = append(g.columns, column{head: group.name})
	}
	for _, l := range shown {
		g.columns = append(g.columns, column{head: layerHead(l)})
	}
	if !brief {
		g.columns = append(g.columns, column{head: "server / others / idle"}, column{head: "samples"})
	}
	for _, r := range rows {
		g.rows = append(g.rows, gridRow{cells: r.show(g, shown, brief), doubtful: !r.sound(), limit: r.target.Limit})
	}
	g.facts = layerFacts(rows, none, brief)
	return g
}

// addLayers adds where the CPU time of the case's requests goes, or why that is not known though it was asked for.
func addLayers(d *document, rec *Record, scenario, name string, keys []Key, cells []*Cell, files map[string][]byte) {
	const title = "where the CPU time of a request goes"
	if g := layersGrid(rec, scenario, name, keys, cells, files == nil); g != nil {
		d.add(heading{3, join(name, title)})
		d.add(g)
		if file := layersFile(scenario, name); files[file] != nil {
			d.add(picture{file, "CPU time of a request by layer, on each target"})
		}
	} else if reasons := profiledReasons(rec, scenario, name); len(reasons) > 0 {
		d.add(heading{3, join(name, title)})
		d.add(paragraph("Not known: " + strings.Join(reasons, "; ")))
	}
}

func layerHead(l stacks.Layer) string {
	if l.Kernel() {
		return layerHeads[l] + kernelSign
	}
	return layerHeads[l]
}

// layerColumns are the layers that have a column, in order, and those that no sample fell into.
func layerColumns(rows []layerRow, brief bool) (shown, none []stacks.Layer) {
	most := map[stacks.Layer]float64{}
	for _, r := range rows {
		if r.cost == nil {
			continue
		}
		for _, l := range stacks.Layers {
			most[l] = max(most[l], r.cost.Share(l))
		}
	}
	for _, l := range stacks.Layers {
		switch {
		case l == stacks.Idle:
		case most[l] > 0:
			shown = append(shown, l)
		default:
			none = append(none, l)
		}
	}
	if !brief {
		return shown, none
	}
	largest := slices.DeleteFunc(slices.Clone(shown), func(l stacks.Layer) bool { return l == stacks.Other })
	slices.SortStableFunc(largest, func(a, b stacks.Layer) int { return cmp.Compare(most[b], most[a]) })
	largest = largest[:min(layersBrief, len(largest))]
	return slices.DeleteFunc(shown, func(l stacks.Layer) bool { return !slices.Contains(largest, l) }), none
}

// sound reports whether what the row's CPU time was spent on is what it should be spent on.
func (r layerRow) sound() bool {
	v, _ := r.cell.Verdict()
	return v.Sound()
}

// show is the row's text.
func (r layerRow) show(g *grid, shown []stacks.Layer, brief bool) []string {
	name := r.target.Name
	if !r.sound() {
		v, _ := r.cell.Verdict()
		name += " " + g.notes.markExactly(join(string(v.Kind), v.Reason))
	}
	if r.cost == nil {
		cells := []string{name}
		for range g.columns[1:] {
			cells = append(cells, Dash)
		}
		cells[1] += g.notes.mark(r.lack)
		return cells
	}
	if lost := r.cost.Profile.Lost; float64(lost) > lostLimit*float64(r.cost.Profile.Samples+lost) {
		name += " " + g.notes.markExactly(fmt.Sprintf("the kernel lost %s samples beside the %s that it kept", formatCount(float64(lost)), formatCount(float64(r.cost.Profile.Samples))))
	}
	cells := []string{name, micros(r.cost.CPU)}
	for _, group := range groupColumns(brief) {
		text := sharePercent(r.cost.ShareOf(group.layers))
		if slices.Contains(group.layers, stacks.Other) {
			text += r.unknown(g)
		}
		cells = append(cells, text)
	}
	for _, l := range shown {
		text := "0"
		if share := r.cost.Share(l); share > 0 {
			text = layerMicros(r.cost.Of(l)) + " · " + sharePercent(share)
		}
		switch l {
		case stacks.Other:
			text += r.unknown(g)
		case stacks.Handler:
			text += r.unnamed(g)
		}
		cells = append(cells, text)
	}
	if brief {
		return cells
	}
	server, others, idle, ok := r.cost.CPUTime()
	if !ok {
		return append(cells, Dash+g.notes.mark("the profile does not count its samples"), Dash)
	}
	return append(cells, fmt.Sprintf("%.0f / %.0f / %.0f %%", 100*server, 100*others, 100*idle), formatCount(r.cost.Samples()))
}

// unknown is the number of a footnote that says what fell through the rules, where that is much.
func (r layerRow) unknown(g *grid) string {
	if r.cost.Share(stacks.Other) <= otherLimit || len(r.cost.Unknown) == 0 {
		return ""
	}
	var names []string
	for _, f := range r.cost.Unknown[:min(otherShown, len(r.cost.Unknown))] {
		names = append(names, join(f.Module, f.Name))
	}
	return g.notes.markExactly("other in " + r.target.Name + ", most of it in " + strings.Join(names, ", "))
}

// unnamed is the number of a footnote that says how much of the handler's time is that only because no rule names it.
func (r layerRow) unnamed(g *grid) string {
	part := float64(r.cost.Unnamed) / float64(r.cost.Busy)
	if part <= otherLimit {
		return ""
	}
	return g.notes.markExactly(fmt.Sprintf("handler of %s: %s of its CPU time is in functions of the program that no rule names", r.target.Name, sharePercent(part)))
}

// layerMicros is a layer's time in µs without the unit: its samples bear no more than hundredths.
func layerMicros(ns float64) string {
	if ns > 0 && ns < 5 {
		return "<0.01"
	}
	if ns < 9995 {
		return strconv.FormatFloat(ns/1e3, 'f', 2, 64)
	}
	return micros(ns)
}

// sharePercent is a part of the whole, with a place behind the point where it is small: "38 %", "0.4 %".
func sharePercent(part float64) string {
	switch p := 100 * part; {
	case p == 0:
		return "0 %"
	case p < 0.05:
		return "<0.1 %"
	case p < 9.95:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// layerFacts say how the profiles were taken, and what they can bear.
func layerFacts(rows []layerRow, none []stacks.Layer, brief bool) []string {
	facts := []string{
		recordedLine(rows),
		"profiled trials are trials of their own and never ranked: profiling slows. A layer's share is of the server's CPU time in the profiled trial; µs = share × CPU per request of the ranked trials",
		spreadLine(rows),
	}
	if brief {
		facts = append(facts, "the largest layers; the report has all. "+kernelSign[1:]+": the kernel's work")
		return facts
	}
	var groups []string
	for _, group := range layerGroups {
		groups = append(groups, group.name+": "+joinLayers(group.layers))
	}
	facts = append(facts, kernelSign[1:]+": the kernel's work for the server; the wrappers of its calls and a program's own event loop stand with it. "+strings.Join(groups, "; "),
		"the rules are the table in results/stacks/layers.txt; other is what none of them knows. A function of the program itself that no rule names is the handler's",
		"server / others / idle: what the server's CPUs did in the profiled trial. Others are other processes, the generator among them where it shares these CPUs; idle is in no share")
	if len(none) > 0 {
		facts = append(facts, "in no sample of any target: "+joinLayers(none))
	}
	return facts
}

func joinLayers(layers []stacks.Layer) string {
	var names []string
	for _, l := range layers {
		name := string(l)
		if layerHeads[l] != name {
			name += " (" + layerHeads[l] + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// recordedLine says by what the profiles were recorded, and how long each took.
func recordedLine(rows []layerRow) string {
	type span struct{ least, most time.Duration }
	spans := map[string]span{}
	var events []string
	var lost, samples float64
	for _, r := range rows {
		if r.cost == nil {
			continue
		}
		p := r.cost.Profile
		event := "event " + orElse(p.Event, "unknown")
		if p.Rate > 0 {
			event += fmt.Sprintf(", %s samples per second and CPU", formatCount(p.Rate))
		}
		took := p.Elapsed.Round(100 * time.Millisecond)
		s, known := spans[event]
		if !known {
			events, s = append(events, event), span{took, took}
		}
		spans[event] = span{min(s.least, took), max(s.most, took)}
		lost, samples = lost+float64(p.Lost), samples+float64(p.Samples)
	}
	for i, event := range events {
		s := spans[event]
		events[i] += " over " + formatSpan(s.least)
		if s.most > s.least {
			events[i] += " to " + formatSpan(s.most)
		}
	}
	line := "recorded: " + strings.Join(events, "; or ") + "; "
	if lost == 0 {
		return line + "no sample was lost"
	}
	return line + fmt.Sprintf("%s of %s samples were lost", formatCount(lost), formatCount(lost+samples))
}

// spreadLine says how far a share can be off because samples are few.
func spreadLine(rows []layerRow) string {
	least := 0.0
	for _, r := range rows {
		if r.cost == nil {
			continue
		}
		if n := r.cost.Samples(); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	if least == 0 {
		return "how many samples there were is not known, and so not how far a share may be off"
	}
	return fmt.Sprintf("a row has %s samples of the server or more: a share of 20 %% may be off by %.1f of its points for that alone, one of 2 %% by %.1f",
		formatCount(least), 100*shareError(0.2, least), 100*shareError(0.02, least))
}

// profiledReasons are the reasons why a case has profiled trials and no profile, each once.
func profiledReasons(rec *Record, scenario, name string) []string {
	var reasons []string
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if t.Role != RoleProfiled || t.Scenario != scenario || t.Case != name {
			continue
		}
		why := rec.whyNoProfile(&Cell{Key: Key{Scenario: scenario, Case: name, Target: t.Target}})
		if _, p := rec.ProfileOf(scenario, name, t.Target, ProfileCPU); p != nil {
			_, err := rec.Stacks(p)
			if err == nil {
				continue
			}
			why = err.Error()
		}
		if !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
	}
	return reasons
}
