package results

import (
	"fmt"
	"slices"
	"strings"
)

// addRunQueue adds how long threads waited for a CPU, where a case was profiled; nothing where it was not.
func addRunQueue(d *document, rec *Record, scenario, name string) {
	const title = "how long a thread waits for a CPU"
	g, reasons := runQueueGrid(rec, scenario, name)
	switch {
	case g != nil:
		d.add(heading{3, join(name, title)})
		d.add(g)
	case len(reasons) > 0:
		d.add(heading{3, join(name, title)})
		d.add(paragraph("Not known: " + strings.Join(reasons, "; ")))
	}
}

// runQueueGrid is a row for each target that was profiled in the case; nil where no trial traced the scheduler, with the
// reasons, each once.
func runQueueGrid(rec *Record, scenario, name string) (*grid, []string) {
	g := &grid{columns: []column{{head: "target", left: true}, {head: "wake-ups/s"}, {head: "mean"}, {head: "p50"}, {head: "p99"}, {head: "max"}}}
	var reasons []string
	traced := false
	for _, target := range rec.Run.Targets {
		for i := range rec.Trials {
			t := &rec.Trials[i]
			if t.Role != RoleProfiled || t.Scenario != scenario || t.Case != name || t.Target != target.Name {
				continue
			}
			row := gridRow{cells: []string{target.Name}, limit: target.Limit}
			if q := t.RunQueue; q != nil {
				traced = true
				row.cells = append(row.cells, wakeUpRate(t), formatTime(float64(q.Mean)), formatTime(float64(q.P50)), formatTime(float64(q.P99)), formatTime(float64(q.Max)))
			} else {
				why := orElse(t.Error, missing(t, "run_queue"))
				if why != "" && !slices.Contains(reasons, why) {
					reasons = append(reasons, why)
				}
				mark := Dash + g.notes.markExactly(orElse(why, "the scheduler was not traced"))
				row.cells = append(row.cells, mark, mark, mark, mark, mark)
			}
			g.rows = append(g.rows, row)
		}
	}
	if !traced {
		return nil, reasons
	}
	g.facts = []string{"from a thread's wake-up until it ran, of all threads of the server, as the kernel's tracepoints tell it in the profiled trial. " +
		"Where server and generator share a CPU, it is mostly the generator that a thread waits for"}
	return g, nil
}

// wakeUpRate is how often a thread of the server was woken, per second.
func wakeUpRate(t *Trial) string {
	for _, p := range t.Profiles {
		if p.Kind == ProfileOffCPU && p.Elapsed > 0 {
			return formatCount(float64(t.RunQueue.Count) / p.Elapsed.Seconds())
		}
	}
	return fmt.Sprintf("%d in all", t.RunQueue.Count)
}
