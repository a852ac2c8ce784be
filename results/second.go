package results

import "fmt"

// secondGrid holds two generators against each other on the same targets of one case; nil without a second one. They agree
// where the server's CPU per request under one is proven to lie within AgreementTolerance of that under the other.
func secondGrid(run *Run, scenario, name string, cells []*Cell) *grid {
	g := &grid{columns: []column{{headTarget, true}, {"generators", true}, {head: "req/s"}, {head: "CPU µs/req"},
		{head: "ratio of CPU µs/req"}, {head: "generator µs/req"}, {head: "agree", left: true}}}
	for _, t := range orderedTargets(run, cells) {
		for _, second := range cells {
			if second.Role != RoleSecond || second.Target != t.Name || second.Scenario != scenario || second.Case != name {
				continue
			}
			if second.Generator == "" {
				g.rows = append(g.rows, gridRow{cells: []string{t.Name + " " + g.notes.markExactly(second.Lack(Throughput)), Dash, Dash, Dash, Dash, Dash, Dash}})
			}
			for _, first := range cells {
				if first.Role == RoleRanked && first.Target == t.Name && first.Scenario == scenario && first.Case == name &&
					first.Placement == second.Placement && first.Loop == second.Loop && first.Generator != second.Generator {
					g.rows = append(g.rows, agreement(g, first, second))
				}
			}
		}
	}
	if len(g.rows) == 0 {
		return nil
	}
	g.facts = []string{fmt.Sprintf("agree: the server's CPU per request under both is proven to lie within %.0f %%; no: it is proven not to; %s: neither is",
		100*AgreementTolerance, Unproven)}
	return g
}

// agreement is one row of secondGrid.
func agreement(g *grid, first, second *Cell) gridRow {
	both := func(f Figure, format func(float64) string) string {
		show := func(c *Cell) string {
			if e, ok := c.Estimate(f); ok {
				return format(e.Median)
			}
			return Dash + g.notes.mark(c.Lack(f))
		}
		return show(first) + " / " + show(second)
	}
	name := first.Target
	doubtful := false
	for _, c := range []*Cell{first, second} {
		for _, m := range c.Marks() {
			name += " " + g.notes.markExactly(c.Generator+": "+m.String())
			doubtful = doubtful || Refuses(m.Code)
		}
	}
	ratio, verdict := Dash, Dash
	if e, ok := Ratio(second, first, ServerCPU); ok {
		side := e.agrees(AgreementTolerance)
		ratio = formatRatio(e, e.Side(1) != 0)
		verdict = map[int]string{1: "yes", -1: "no", 0: Unproven}[side]
	} else {
		ratio += g.notes.mark("no round has CPU per request under both generators")
	}
	return gridRow{doubtful: doubtful, cells: []string{name, first.Generator + " / " + second.Generator,
		both(Throughput, formatCount), both(ServerCPU, micros), ratio, both(ClientCPU, micros), verdict}}
}
