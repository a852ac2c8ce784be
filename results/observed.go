package results

import (
	"cmp"
	"slices"
)

// callsGrid is the table of system calls by name, a column per target, of the observed trials of one case; nil without any.
func callsGrid(run *Run, scenario, name string, cells []*Cell) *grid {
	g := &grid{columns: []column{{head: "system call", left: true}}}
	perTarget := map[string]map[string]float64{}
	var targets, calls []string
	for _, t := range orderedTargets(run, cells) {
		medians := callMedians(t.Name, scenario, name, cells)
		if len(medians) == 0 {
			continue
		}
		perTarget[t.Name] = medians
		targets = append(targets, t.Name)
		g.columns = append(g.columns, column{head: t.Name})
		for call := range medians {
			if !slices.Contains(calls, call) {
				calls = append(calls, call)
			}
		}
	}
	if len(targets) == 0 {
		return nil
	}
	most := func(call string) (m float64) {
		for _, t := range targets {
			m = max(m, perTarget[t][call])
		}
		return m
	}
	slices.SortFunc(calls, func(a, b string) int {
		return cmp.Or(cmp.Compare(most(b), most(a)), cmp.Compare(a, b))
	})
	totals := make(map[string]float64)
	for _, call := range calls {
		row := gridRow{cells: []string{call}}
		for _, t := range targets {
			v := perTarget[t][call]
			totals[t] += v
			row.cells = append(row.cells, formatCalls(v))
		}
		g.rows = append(g.rows, row)
	}
	total := gridRow{cells: []string{"all"}}
	for _, t := range targets {
		total.cells = append(total.cells, formatCalls(totals[t]))
	}
	g.rows = append(g.rows, total)
	g.facts = []string{"system calls per request, from trials of their own: counting slows every task of the machine, so they are never ranked"}
	return g
}

// callMedians are the medians over the observed trials of one target. A call that a trial did not see was made zero times in it.
func callMedians(target, scenario, name string, cells []*Cell) map[string]float64 {
	var trials []*Trial
	for _, c := range cells {
		if c.Role == RoleObserved && c.Target == target && c.Scenario == scenario && c.Case == name {
			for _, t := range c.Trials {
				if len(t.Calls) > 0 {
					trials = append(trials, t)
				}
			}
		}
	}
	medians := map[string]float64{}
	for _, t := range trials {
		for call := range t.Calls {
			if _, done := medians[call]; done {
				continue
			}
			var values []float64
			for _, u := range trials {
				values = append(values, u.Calls[call])
			}
			e, _ := Median(values)
			medians[call] = e.Median
		}
	}
	return medians
}

// formatCalls shows a counted nothing as 0 and a little as what it is.
func formatCalls(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.001:
		return "<0.001"
	case v < 0.0995:
		return digits(v)[:5]
	}
	return digits(v)
}

// observedReasons are the reasons why observed trials have no system calls, each once.
func observedReasons(scenario, name string, cells []*Cell) []string {
	var reasons []string
	for _, c := range cells {
		if c.Role != RoleObserved || c.Scenario != scenario || c.Case != name {
			continue
		}
		for _, t := range c.Trials {
			why := cmp.Or(t.Skipped, t.Error, missing(t, "calls_per_request"), missing(t, "system calls"))
			if len(t.Calls) == 0 && why != "" && !slices.Contains(reasons, why) {
				reasons = append(reasons, why)
			}
		}
	}
	return reasons
}
