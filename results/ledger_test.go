package results

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// ledgerRecord is a core and a peer in one case, and the core in another; one trial each observes their system calls.
func ledgerRecord() *Record {
	rec := &Record{Run: Run{ID: "x", Targets: []Target{{Name: "reactor", Kind: "core"}, {Name: "nginx", Kind: "peer"}, {Name: "mine", Kind: "foreign"}}}}
	for i, target := range rec.Run.Targets {
		c := busyCell(PlacementOne, 0.5, 0.48, 3, func(_ int, t *Trial) {
			t.Scenario, t.Target = "plaintext", target.Name
			t.Load.BytesIn, t.Load.BytesOut = 1_630_000, 500_000
			t.Server.User, t.Server.System = 100*time.Millisecond, 400*time.Millisecond
			t.Server.Voluntary, t.Server.Involuntary, t.Server.MinorFaults, t.Server.MajorFaults = 2000, 500, 29, 1
			t.Server.RSSKiB = 8 << 10
			t.Net = &Net{SegmentsIn: 20_000, SegmentsOut: 20_010, Retransmits: 10}
			if target.Kind == "core" {
				t.Runtime = &Runtime{Allocs: 5000, AllocBytes: 640_000, GCs: 2}
			}
		})
		for _, t := range c.Trials {
			rec.Trials = append(rec.Trials, *t)
		}
		observed := Trial{Scenario: "plaintext", Target: target.Name, Role: RoleObserved, Placement: PlacementOne, Round: 1,
			Load: &Load{Generator: generatorOwn, Loop: LoopClosed, Requests: 100}, Calls: map[string]float64{"read": 1, "write": 1, "epoll_wait": float64(i) / 10}}
		rec.Trials = append(rec.Trials, observed)
	}
	return rec
}

// ledgerOf renders the only ledger of the record.
func ledgerOf(t *testing.T, rec *Record, brief bool) (heads []string, rows map[string][]string, under string) {
	t.Helper()
	cells := Cells(rec)
	keys := tableKeys(cells, "plaintext", "")
	if len(keys) != 1 {
		t.Fatalf("%d tables", len(keys))
	}
	g := ledgerGrid(&rec.Run, keys[0], cells, brief)
	if g == nil {
		t.Fatal("no ledger")
	}
	for _, c := range g.columns {
		heads = append(heads, c.head)
	}
	rows = map[string][]string{}
	for _, r := range g.rows {
		rows[r.cells[0]] = r.cells
	}
	return heads, rows, strings.Join(append(g.facts, g.notes.lines()...), "\n")
}

func TestLedger(t *testing.T) {
	heads, rows, under := ledgerOf(t, ledgerRecord(), false)
	for head, want := range map[string]string{
		"CPU µs": "50.0", "user µs": "10.0", "system µs": "40.0", "calls": "2.00", "voluntary": "0.20", "involuntary": "0.050", "faults": "0.003",
		"B in": "50", "B out": "163", "segments in": "2.00", "segments out": "2.00", "retransmits/M": "1,000", "allocs": "0.50", "alloc B": "64.0",
		"GC/M": "200", "RSS MiB": "8.0", headVerdict: string(ServerBound),
	} {
		if got := cell(t, heads, rows["reactor"], head); got != want {
			t.Errorf("%s: %q, want %q", head, got, want)
		}
	}
	for target, want := range map[string]string{"reactor": "2.00", "nginx": "2.10", "mine": "2.20"} {
		if got := cell(t, heads, rows[target], "calls"); got != want {
			t.Errorf("calls of %s: %q, want %q", target, got, want)
		}
	}
	for _, head := range []string{"allocs", "alloc B", "GC/M"} {
		if got := cell(t, heads, rows["nginx"], head); !strings.HasPrefix(got, Dash) || got == Dash {
			t.Errorf("%s of a peer: %q, want a dash and its reason", head, got)
		}
	}
	for _, say := range []string{"only corelab's own cores", "whole network namespace", "trials of their own", "without instructions, cycles, cache misses: "} {
		if !strings.Contains(under, say) {
			t.Errorf("under the table nothing says %q:\n%s", say, under)
		}
	}
}

func TestLedgerOnATerminal(t *testing.T) {
	heads, _, _ := ledgerOf(t, ledgerRecord(), true)
	for _, head := range []string{"CPU µs", "calls", "voluntary", "segments out", "allocs"} {
		if !slices.Contains(heads, head) {
			t.Errorf("no column %s", head)
		}
	}
	for _, head := range []string{"segments in", "alloc B"} {
		if slices.Contains(heads, head) {
			t.Errorf("a column %s, which there is no room for", head)
		}
	}
	if text := Summary(ledgerRecord(), 200, false); !strings.Contains(text, "the ledger of a request") {
		t.Error("the summary has no ledger")
	}
}

// TestLedgerOfLess: what could not be had has no column, and a line that says why; what a row lacks is a dash, never zero.
func TestLedgerOfLess(t *testing.T) {
	rec := ledgerRecord()
	rec.Run.Missing = []Missing{{MissingHardware, "not supported here: a virtual machine"}}
	for i := range rec.Trials {
		trial := &rec.Trials[i]
		trial.Net = nil
		trial.Missing = append(trial.Missing, Missing{"net", "permission denied"})
		if trial.Target == "mine" {
			trial.Calls = nil
			if trial.Role == RoleObserved {
				trial.Missing = append(trial.Missing, Missing{"calls_per_request", "too many threads"})
			}
		}
	}
	heads, rows, under := ledgerOf(t, rec, false)
	if slices.Contains(heads, "segments out") {
		t.Error("a column without a figure")
	}
	if got := cell(t, heads, rows["mine"], "calls"); !strings.HasPrefix(got, Dash) || got == Dash {
		t.Errorf("calls that were not counted are %q", got)
	}
	for _, say := range []string{"TCP segments sent, TCP retransmits: permission denied", "instructions, cycles, cache misses: not supported here", "too many threads"} {
		if !strings.Contains(under, say) {
			t.Errorf("nothing says %q:\n%s", say, under)
		}
	}
}

func TestLedgerHasTheHardwaresCounts(t *testing.T) {
	rec := ledgerRecord()
	rec.Trials = append(rec.Trials, Trial{Scenario: "plaintext", Target: "reactor", Role: RoleObserved, Placement: PlacementOne, Round: 1,
		Load: &Load{Generator: generatorOwn, Loop: LoopClosed, Requests: 100}, Counted: map[string]float64{"instructions": 31_000, "cycles": 22_000, "cache misses": 12.5}})
	heads, rows, _ := ledgerOf(t, rec, false)
	for head, want := range map[string]string{"instructions": "31,000", "cycles": "22,000", "cache misses": "12.5", "calls": "2.00"} {
		if got := cell(t, heads, rows["reactor"], head); got != want {
			t.Errorf("%s: %q, want %q", head, got, want)
		}
	}
	if got := cell(t, heads, rows["nginx"], "instructions"); !strings.HasPrefix(got, Dash) {
		t.Errorf("instructions of a peer that was not counted: %q", got)
	}
}
