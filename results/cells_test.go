package results

import (
	"slices"
	"testing"
	"time"
)

// cost makes a cell of n rounds in which a request costs the server and the generator so many nanoseconds, a little more or
// less in each round.
func cost(target string, server, generator float64, n int) *Cell {
	c := &Cell{Key: Key{Scenario: "plaintext", Target: target, Generator: "wrk", Loop: LoopClosed, Placement: PlacementOne}}
	for round := 1; round <= n; round++ {
		wobble := 1 + 0.002*float64(round%3)
		c.Trials = append(c.Trials, &Trial{Scenario: "plaintext", Target: target, Round: round, Placement: PlacementOne,
			Load:   &Load{Generator: "wrk", Loop: LoopClosed, Connections: 64, Requests: 1e6, Elapsed: time.Second},
			Server: &Usage{CPU: time.Duration(server * wobble * 1e6), Elapsed: time.Second, Affinity: "1"},
			Client: &Usage{CPU: time.Duration(generator * 1e6), Elapsed: time.Second, Affinity: "1"}})
	}
	return c
}

func TestSideNeedsThePlainFigureToo(t *testing.T) {
	nginx := cost("nginx", 10000, 10000, 6)
	for name, tt := range map[string]struct {
		server, generator float64
		want              int
	}{
		"cheaper, the generator alike":                   {9000, 10100, -1},
		"dearer, the generator alike":                    {11000, 10000, 1},
		"cheaper by both":                                {9000, 11000, -1},
		"cheaper only because the generator costs more":  {10000, 11500, 0},
		"cheaper by the share and dearer by the request": {10500, 12000, 0},
		"alike": {10000, 10000, 0},
	} {
		if got := Side(cost("x", tt.server, tt.generator, 6), nginx, CPUShare, 0); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	if got := Side(cost("x", 9000, 10000, 5), nginx, CPUShare, 0); got != 0 {
		t.Errorf("five rounds prove %d", got)
	}
	if got := Side(cost("x", 9000, 10000, 6), nginx, CPUShare, 0.12); got != 0 {
		t.Errorf("a difference within the bias proves %d", got)
	}
}

func TestRank(t *testing.T) {
	cells := []*Cell{cost("slow", 20000, 1e4, 6), cost("a", 10000, 1e4, 6), cost("b", 10010, 1e4, 6), cost("fast", 8000, 1e4, 6), cost("few", 100, 1e4, 3)}
	for i, trial := range cells[2].Trials { // b takes turns with a: cheaper in one round, dearer in the next
		trial.Server.CPU += time.Duration(1e8 * float64(i%2*2-1))
	}
	ranks, proven := Rank(cells, ServerCPU, 0)
	if !proven || !slices.Equal(ranks, []int{4, 2, 2, 1, 1}) {
		t.Errorf("ranks %v, want 4 2 2 1, and 1 for the one of which nothing is proven", ranks)
	}
	if _, proven := Rank(cells[1:3], ServerCPU, 0); proven {
		t.Error("a rank of two that are alike")
	}
	ranks, _ = Rank(cells[:4], Throughput, 0) // all have the same throughput
	if !slices.Equal(ranks, []int{1, 1, 1, 1}) {
		t.Errorf("ranks %v by a throughput that is the same", ranks)
	}
}

func TestNoiseFloorAndBias(t *testing.T) {
	first, again, other := cost("reactor", 9000, 1e4, 6), cost("reactor", 9450, 1e4, 6), cost("reactor", 1, 1e4, 6)
	again.Role = RoleAA
	other.Role, other.Case = RoleAA, "another"
	floor := NoiseFloor([]*Cell{first, again, other}, first.Key, ServerCPU)
	if len(floor) != 1 || floor[0].Target != "reactor" || floor[0].Ratio.N != 6 || floor[0].Ratio.Median < 1.049 || floor[0].Ratio.Median > 1.051 {
		t.Fatalf("noise floor %+v", floor)
	}
	if b := bias(floor); b < 0.049 || b > 0.051 {
		t.Errorf("bias %v of a proven A/A difference of 5 %%", b)
	}
	floor[0].Ratio, _ = Median([]float64{.9, .95, 1, 1, 1.05, 1.1})
	if b := bias(floor); b != 0 {
		t.Errorf("bias %v of an A/A ratio that covers 1", b)
	}
}

func TestMarks(t *testing.T) {
	c := cost("x", 1, 1, 4)
	c.Trials[0].Warnings = []Warning{{WarnSteal, "a"}, {WarnSteal, "b"}}
	c.Trials[2].Warnings = []Warning{{WarnSteal, "c"}}
	c.Trials[3].Error = "gone"
	marks := c.Marks()
	if len(marks) != 2 || marks[0].String() != "steal in 2 of 4 rounds, which are left out: a; b" || marks[1].String() != "failed in 1 of 4 rounds: gone" {
		t.Errorf("marks %v", marks)
	}
	if s := c.soundness(); s.ranked || s.speed {
		t.Errorf("a row of which a round failed is %+v", s)
	}
	c.Trials[3].Error = ""
	if s := c.soundness(); !s.ranked || !s.speed {
		t.Errorf("a row of which half of the rounds are left out is %+v", s)
	}
	c.Trials[3].Warnings = []Warning{{WarnSteal, "d"}}
	if s := c.soundness(); s.ranked || s.speed {
		t.Errorf("a row of which one round is left is %+v", s)
	}
	for _, trial := range c.Trials {
		trial.Warnings = []Warning{{WarnPlacement, "could not be pinned"}}
	}
	if s := c.soundness(); s.ranked {
		t.Error("a row that was not pinned in a table of pinned ones is ranked")
	}
	c.Placement = PlacementShared
	if s := c.soundness(); !s.ranked {
		t.Error("where nothing is pinned, a row that could not be is not ranked")
	}
}

// TestLittleInFewRounds: a stall at the edge of a window breaks the law in one round; the row stands on the others.
func TestLittleInFewRounds(t *testing.T) {
	for broken := range 5 {
		c := &Cell{}
		for i := range 4 {
			trial := closed(64, 10000)
			trial.Round = i + 1
			trial.Server = &Usage{CPU: 19 * time.Second, Elapsed: 20 * time.Second, Affinity: "1"}
			trial.Client = &Usage{CPU: 9 * time.Second, Elapsed: 20 * time.Second, Affinity: "0"}
			if i < broken {
				trial.Load.Latency.Mean *= 2
			}
			trial.Warnings = Check(trial)
			c.Trials = append(c.Trials, trial)
		}
		if got, want := c.soundness().ranked, broken < 2; got != want {
			t.Errorf("broken in %d of 4 rounds: ranked %v", broken, got)
		}
	}
}

// TestOtherLoad: a server that closes after each answer makes the generator connect anew; its share of the CPU is small
// then, and its plain cost large. The plain cost decides.
func TestOtherLoad(t *testing.T) {
	nginx, closes := cost(ReferenceTarget, 7, 7, 6), cost("sequential", 36, 54, 6)
	if e, ok := Ratio(closes, nginx, CPUShare); !ok || e.Median >= 1 {
		t.Fatalf("the share is %v: this tests nothing", e.Median)
	}
	if side := Side(closes, nginx, CPUShare, 0); side != 1 {
		t.Errorf("the dearer server is on side %d", side)
	}
}
