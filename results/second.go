package results

import (
	"fmt"
	"strings"
)

// WarnGenerators stands in a row of which a second generator found something else. It is never recorded: both cells are.
const WarnGenerators = "two-generators"

// secondGrid holds two generators against each other on the same targets of one case; nil without a second one. They must
// agree on the server's CPU per request, within AgreementTolerance; on throughput only where neither of them was the limit.
func secondGrid(run *Run, scenario, name string, cells []*Cell) *grid {
	g := &grid{columns: []column{{headTarget, true}, {"generators", true}, {head: "CPU µs/req"}, {head: "ratio of CPU µs/req"},
		{head: "agree", left: true}, {head: "req/s"}, {head: "ratio of req/s"}, {head: "agree", left: true}}}
	for _, t := range orderedTargets(run, cells) {
		for _, second := range cells {
			if second.Role != RoleSecond || second.Target != t.Name || second.Scenario != scenario || second.Case != name {
				continue
			}
			if second.Generator == "" {
				row := gridRow{cells: []string{t.Name + " " + g.notes.markExactly(second.Lack(Throughput))}}
				for len(row.cells) < len(g.columns) {
					row.cells = append(row.cells, Dash)
				}
				g.rows = append(g.rows, row)
			}
			for _, first := range cells {
				if first.Role == RoleRanked && second.secondTo(first) {
					g.rows = append(g.rows, agreementRow(g, first, second))
				}
			}
		}
	}
	if len(g.rows) == 0 {
		return nil
	}
	g.facts = []string{fmt.Sprintf("agree: the figure under both is proven to lie within %.0f %%; no: it is proven not to; %s: neither is", 100*AgreementTolerance, Unproven),
		fmt.Sprintf("throughput is held against each other only where both generators were below %.0f %% busy: else it is theirs, not the server's", 100*BusyLimit)}
	return g
}

// secondsLine says where two generators were held against each other: in the table of k, or elsewhere in the run.
func secondsLine(k Key, cells []*Cell) string {
	elsewhere := ""
	for _, c := range cells {
		switch {
		case c.Role != RoleSecond || c.Generator == "":
		case c.Scenario == k.Scenario && c.Case == k.Case && c.Placement == k.Placement && c.Loop == k.Loop && c.Generator != k.Generator:
			return fmt.Sprintf("two generators: %s is held against %s below", c.Generator, k.Generator)
		case elsewhere == "":
			elsewhere = "; in " + strings.TrimSpace(c.Scenario+" "+c.Case)
		}
	}
	if elsewhere == "" {
		return "two generators: not held against each other in this run"
	}
	return "two generators: not held against each other here" + elsewhere
}

// secondTo reports whether c is the same cell as first by another generator.
func (c *Cell) secondTo(first *Cell) bool {
	return c.Role == RoleSecond && c.Generator != "" && c.Target == first.Target && c.Scenario == first.Scenario && c.Case == first.Case &&
		c.Placement == first.Placement && c.Loop == first.Loop && c.Generator != first.Generator
}

// agreement is what two generators found about one figure of the same cell.
type agreement struct {
	ratio  Estimate // of the second to the first
	side   int      // 1 they agree, -1 they do not, 0 neither is proven
	lacks  string   // why they are not held against each other, or empty
	figure Figure
}

func agree(first, second *Cell, f Figure) agreement {
	a := agreement{figure: f}
	var ok bool
	if a.ratio, ok = Ratio(second, first, f); !ok {
		a.lacks = "no round has " + f.Name + " under both generators"
		return a
	}
	a.side = a.ratio.agrees(AgreementTolerance)
	if f.Unit != Throughput.Unit {
		return a
	}
	for _, c := range []*Cell{first, second} {
		if why := c.generatorFull(); why != "" {
			a.lacks = why
		}
	}
	return a
}

// generatorFull says so where the generator was at its limit, or may have been. On a CPU that it shared with the server, one
// that is used up leaves neither any room.
func (c *Cell) generatorFull() string {
	client, ok := c.Estimate(clientBusy)
	if !ok {
		return "how busy " + c.Generator + " was is not known: " + c.Lack(clientBusy)
	}
	part, of := client.Median, "its CPUs"
	if c.Placement != PlacementSplit {
		server, known := c.Estimate(serverBusy)
		if !known {
			return "how busy the server was is not known: " + c.Lack(serverBusy)
		}
		part, of = part+server.Median, "the CPUs that it shares with the server, together with it"
	}
	if part < BusyLimit {
		return ""
	}
	return fmt.Sprintf("%s used %.0f %% of %s: its throughput is not the server's alone", c.Generator, 100*part, of)
}

// agreementRow is one row of secondGrid.
func agreementRow(g *grid, first, second *Cell) gridRow {
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
	shown := func(a agreement) (ratio, verdict string) {
		if a.ratio.N == 0 {
			return Dash + g.notes.mark(a.lacks), Dash
		}
		ratio = formatRatio(a.ratio, a.ratio.Side(1) != 0)
		if a.lacks != "" {
			return ratio, Dash + g.notes.markExactly(a.lacks)
		}
		return ratio, map[int]string{1: "yes", -1: "no", 0: Unproven}[a.side]
	}
	costRatio, costAgree := shown(agree(first, second, ServerCPU))
	speedRatio, speedAgree := shown(agree(first, second, Throughput))
	return gridRow{doubtful: doubtful, cells: []string{name, first.Generator + " / " + second.Generator,
		both(ServerCPU, micros), costRatio, costAgree, both(Throughput, formatCount), speedRatio, speedAgree}}
}

// generatorMarks is the warning of a ranked cell on which another generator is proven to disagree.
func generatorMarks(first *Cell, cells []*Cell) []Mark {
	var texts []string
	for _, second := range cells {
		if !second.secondTo(first) {
			continue
		}
		for _, f := range []Figure{ServerCPU, Throughput} {
			if a := agree(first, second, f); a.lacks == "" && a.side < 0 {
				lo, hi := a.ratio.Range()
				texts = append(texts, fmt.Sprintf("by %s %s is %.2f (%.2f–%.2f) times that by %s, and should be within %.0f %%",
					second.Generator, f.Name, a.ratio.Median, lo, hi, first.Generator, 100*AgreementTolerance))
			}
		}
	}
	if texts == nil {
		return nil
	}
	return []Mark{{Warning: Warning{WarnGenerators, strings.Join(texts, "; ")}, Rounds: 1, Of: 1}}
}
