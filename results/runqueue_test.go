package results

import (
	"strings"
	"testing"
	"time"
)

func TestRunQueueGrid(t *testing.T) {
	rec := &Record{Run: Run{Targets: []Target{{Name: "pool"}, {Name: "reactor"}, {Name: "nginx"}}}}
	add := func(target, role string, q *Latency, why string) {
		trial := Trial{Scenario: "plaintext", Target: target, Role: role, RunQueue: q}
		if why != "" {
			trial.Missing = []Missing{{Figure: "run_queue", Reason: why}}
		}
		if q != nil {
			trial.Profiles = []Profile{{Kind: ProfileOffCPU, Elapsed: 250 * time.Millisecond}}
		}
		rec.Trials = append(rec.Trials, trial)
	}
	add("pool", RoleRanked, nil, "")
	if g, reasons := runQueueGrid(rec, "plaintext", ""); g != nil || reasons != nil {
		t.Errorf("of what was not profiled: %+v, %q", g, reasons)
	}
	add("nginx", RoleProfiled, nil, "no tracepoints")
	add("reactor", RoleProfiled, nil, "no tracepoints")
	if g, reasons := runQueueGrid(rec, "plaintext", ""); g != nil || len(reasons) != 1 || reasons[0] != "no tracepoints" {
		t.Errorf("of what was not traced: %+v, %q", g, reasons)
	}
	add("pool", RoleProfiled, &Latency{Count: 1000, Mean: 5 * time.Microsecond, P50: 4 * time.Microsecond, P99: 90 * time.Microsecond, Max: 2 * time.Millisecond}, "")
	g, _ := runQueueGrid(rec, "plaintext", "")
	if g == nil || len(g.rows) != 3 {
		t.Fatalf("%+v", g)
	}
	if got, want := strings.Join(g.rows[0].cells, " | "), "pool | 4,000 | 5.00 µs | 4.00 µs | 90.0 µs | 2.00 ms"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := g.rows[1].cells; got[0] != "reactor" || !strings.HasPrefix(got[1], Dash) || len(got) != len(g.columns) || g.notes.texts[0] != "no tracepoints" {
		t.Errorf("%q, notes %q", got, g.notes.texts)
	}
	if g, _ := runQueueGrid(rec, "plaintext", "connections=50"); g != nil {
		t.Errorf("of another case: %+v", g)
	}
}
