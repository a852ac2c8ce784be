package results

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// priced is a run in which the gateway reactor pays 10 µs for a bare request, 10.0 ± 0.2 for the null stage, and 12 for a
// token, on a machine that becomes slower by a tenth with each round; nginx pays 20 and cannot do tokens.
func priced() *Record {
	rec := &Record{Run: Run{ID: "priced", Scenarios: []Scenario{{Name: "gateway-stages", Question: "What does it cost?", Cases: []string{"work=bare", "work=null", "work=jwt"}}},
		Targets: []Target{{Name: "reactor", Kind: "core"}, {Name: "nginx", Kind: "peer"}}}}
	add := func(target, work string, round int, cost time.Duration) {
		const requests = 20_000
		cost += cost * time.Duration(round) / 10
		rec.Trials = append(rec.Trials, Trial{Scenario: "gateway-stages", Case: "work=" + work, Target: target, Round: round, Placement: "split",
			Load: &Load{Generator: "corelab", Loop: LoopOpen, Connections: 64, Depth: 1, Rate: 4000, Elapsed: 5 * time.Second, Requests: requests,
				Latency: &Latency{Count: requests, Mean: 150 * time.Microsecond, P50: 100 * time.Microsecond, P90: 200 * time.Microsecond, P99: time.Millisecond, P999: 2 * time.Millisecond, Max: 3 * time.Millisecond}},
			Server:   &Usage{Elapsed: 5 * time.Second, CPU: requests * cost},
			Client:   &Usage{Elapsed: 5 * time.Second, CPU: requests * 10 * time.Microsecond},
			Upstream: &Upstream{Accepted: 64, Requests: requests}})
	}
	for round := 1; round <= MinRounds; round++ {
		wobble := time.Duration(round%3-1) * 200 * time.Nanosecond
		add("reactor", "bare", round, 10*time.Microsecond)
		add("reactor", "null", round, 10*time.Microsecond+wobble)
		add("reactor", "jwt", round, 12*time.Microsecond)
		add("nginx", "bare", round, 20*time.Microsecond)
	}
	rec.Trials = append(rec.Trials, Trial{Scenario: "gateway-stages", Case: "work=jwt", Target: "nginx", Placement: "split", Skipped: "it has no tokens"},
		Trial{Scenario: "gateway-stages", Case: "work=null", Target: "nginx", Placement: "split", Skipped: "it has no tokens"})
	return rec
}

// TestPriceGrid sees that what a work adds is found beside a machine that drifts, and that what adds nothing is not proven to.
func TestPriceGrid(t *testing.T) {
	rec := priced()
	g := priceGrid(rec, rec.Run.Scenarios[0], Cells(rec))
	if g == nil {
		t.Fatal("no price list")
	}
	rows := map[string][]string{}
	for _, r := range g.rows {
		work, _, _ := strings.Cut(r.cells[1], " ")
		rows[r.cells[0]+" "+work] = r.cells
	}
	if len(rows) != 4 {
		t.Fatalf("rows %v", rows)
	}
	for key, want := range map[string]struct{ added, ratio string }{
		"reactor bare": {"", "0.50 (0.50–0.50)"},
		"reactor jwt":  {"+2.70 (+2.20 to +3.20)", "0.60 (0.60–0.60)"},
		"nginx bare":   {"", "1"},
	} {
		if got := rows[key]; got == nil || got[3] != want.added || got[4] != want.ratio {
			t.Errorf("%s: %q, want %+v", key, got, want)
		}
	}
	if got := rows["reactor null"][3]; !strings.HasPrefix(got, "~ ") {
		t.Errorf("the null stage is shown to cost something: %s", got)
	}
	if got := rows["reactor jwt"][10]; got != "99.68 %" {
		t.Errorf("reuse %s", got)
	}
	facts := strings.Join(g.facts, "\n")
	if want := "nginx has no row of null, jwt: it has no tokens"; !strings.Contains(facts, want) {
		t.Errorf("no line %q in:\n%s", want, facts)
	}
	if strings.Contains(facts, "nginx has no row of jwt") {
		t.Errorf("a reason stands twice:\n%s", facts)
	}
}

// TestPriceGridNeedsWorks leaves other scenarios alone.
func TestPriceGridNeedsWorks(t *testing.T) {
	rec := sample(t)
	for _, s := range rec.Run.Scenarios {
		if priceGrid(rec, s, Cells(rec)) != nil {
			t.Errorf("%s has a price list", s.Name)
		}
	}
}

func ExampleAdded() {
	cells := Cells(priced())
	e, _ := Added(cells[2], cells[0], ServerCPU)
	fmt.Printf("%.1f µs\n", e.Median/1e3)
	// Output: 2.7 µs
}
