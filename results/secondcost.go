package results

import "strconv"

// costsGrid says what a request costs each of two generators themselves, on the same targets of one case; nil without a second
// one. A ratio is the first's ÷ the second's, paired by round: below 1 the first is the cheaper one. A generator's plain cost
// contains the speed that the machine had in its seconds, which changes; its CPU ÷ that of the server in the same seconds
// does not, but it contains what the generator makes a request cost the server.
func costsGrid(run *Run, scenario, name string, cells []*Cell) *grid {
	g := &grid{columns: []column{{headTarget, true}, {"generators", true}, {head: "generator CPU µs/req"}, {head: "first ÷ second"},
		{head: "generator ÷ server CPU"}, {head: "first ÷ second"}}}
	for _, t := range orderedTargets(run, cells) {
		for _, second := range cells {
			if second.Role != RoleSecond || second.Generator == "" || second.Target != t.Name || second.Scenario != scenario || second.Case != name {
				continue
			}
			for _, first := range cells {
				if first.Role == RoleRanked && second.secondTo(first) {
					g.rows = append(g.rows, costsRow(g, first, second))
				}
			}
		}
	}
	if len(g.rows) == 0 {
		return nil
	}
	g.facts = []string{"first ÷ second: below 1 the first costs less. Plain CPU drifts with the machine's speed from one trial to the next; generator ÷ server CPU is of the same seconds"}
	return g
}

// costsRow is one row of costsGrid.
func costsRow(g *grid, first, second *Cell) gridRow {
	both := func(f Figure, format func(float64) string) string {
		show := func(c *Cell) string {
			if e, ok := c.Estimate(f); ok {
				return format(e.Median)
			}
			return Dash + g.notes.mark(c.Lack(f))
		}
		return show(first) + " / " + show(second)
	}
	ratio := func(f Figure) string {
		e, ok := Ratio(first, second, f)
		if !ok {
			return Dash + g.notes.mark("no round has "+f.Name+" under both generators")
		}
		return formatRatio(e, e.Side(1) != 0)
	}
	return gridRow{cells: []string{first.Target, first.Generator + " / " + second.Generator,
		both(ClientCPU, micros), ratio(ClientCPU),
		both(clientShare, func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }), ratio(clientShare)}}
}

// clientShare is [CPUShare] the other way round, for questions about the generator.
var clientShare = Figure{Name: "generator CPU ÷ server CPU", Unit: "generator/server", Falls: true, Field: CPUShare.Field,
	of: func(t *Trial) (float64, bool) {
		v, ok := cpuShare(t)
		if !ok {
			return 0, false
		}
		return 1 / v, true
	}}
