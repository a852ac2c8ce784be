package runner

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
	"corelab/runner/load"
	"corelab/runner/probe"
)

// TestCompareOrder finds each quadruple ABBA or BAAB, both about as often, and the same for the same seed.
func TestCompareOrder(t *testing.T) {
	made := func() *Comparison {
		return &Comparison{Asked: results.Compare{Windows: CompareWindows}, rng: rand.New(rand.NewPCG(1, 2))}
	}
	c, again := made(), made()
	begins := map[bool]int{}
	for range 200 {
		order, same := c.order(), again.order()
		if len(order) != 2*CompareWindows {
			t.Fatalf("%d windows", len(order))
		}
		for i := 0; i < len(order); i += 4 {
			q := order[i : i+4]
			if q[0] != q[3] || q[1] != q[2] || q[0] == q[1] {
				t.Fatalf("%v is neither ABBA nor BAAB", q)
			}
			begins[q[0]]++
		}
		for i := range order {
			if order[i] != same[i] {
				t.Fatal("the same seed gives another order")
			}
		}
	}
	if begins[false] < 150 || begins[true] < 150 {
		t.Errorf("%v", begins)
	}
}

// TestCompareFits never begins a block that would end after the time.
func TestCompareFits(t *testing.T) {
	began := time.Unix(0, 0)
	const block = 1500 * time.Millisecond
	for _, tt := range []struct {
		passed time.Duration
		took   []time.Duration
		want   bool
	}{
		{0, nil, true},
		{27500 * time.Millisecond, []time.Duration{block, block, block}, true},
		{28 * time.Second, []time.Duration{block, block, block}, false},
		{20 * time.Second, []time.Duration{block, 20 * block, block}, true}, // one that took long need not again
		{29400 * time.Millisecond, nil, false},
	} {
		c := &Comparison{Began: began, Asked: results.Compare{Max: 30 * time.Second}, took: tt.took, Now: func() time.Time { return began.Add(tt.passed) }}
		if c.fits() != tt.want {
			t.Errorf("%v, blocks of %v: %v", tt.passed, tt.took, !tt.want)
		}
	}
}

// TestMachineOfAWindow takes what neither of the two used, and was not idle, for something else's.
func TestMachineOfAWindow(t *testing.T) {
	d := &duel{place: probe.Placement{Server: []int{1}}}
	const ms = time.Millisecond
	for _, tt := range []struct {
		steal, idle, ours   time.Duration
		wantSteal, wantRest time.Duration
	}{
		{0, 0, 100 * ms, 0, 0},
		{0, 0, 90 * ms, 0, 10 * ms},
		{10 * ms, 0, 85 * ms, 10 * ms, 5 * ms},
		{20 * ms, 0, 90 * ms, 10 * ms, 0}, // the rest of it fell between the windows
		{0, 60 * ms, 40 * ms, 0, 0},
		{0, 300 * ms, 40 * ms, 0, 0},
		{0, 0, 101 * ms, 0, 0},
	} {
		m := d.machine(results.Machine{Steal: tt.steal, Idle: tt.idle}, 100*ms, tt.ours)
		if m.Steal != tt.wantSteal || m.Others != tt.wantRest {
			t.Errorf("%+v: %+v", tt, m)
		}
	}
}

// TestFeederEnds hears of a generator that ends, or never was one.
func TestFeederEnds(t *testing.T) {
	for _, program := range []string{"false", "true"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		f, err := startFeeder(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.load(load.Spec{URL: "http://127.0.0.1:1/", Duration: time.Millisecond}); err == nil || !strings.Contains(err.Error(), program) {
			t.Errorf("%s: %v", program, err)
		}
		f.close()
		if err := unix.Kill(f.cmd.Process.Pid, 0); err == nil {
			t.Errorf("%s still runs: %d", program, f.cmd.Process.Pid)
		}
	}
	if _, err := startFeeder(t.Context(), "/nowhere/corelab", nil); err == nil {
		t.Error("a program that is not there was started")
	}
}
