package main

import (
	"strings"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/target"
)

// kneeLab is a field of two cores for plans that nobody runs.
func kneeLab() *field {
	f := &field{specs: map[string]target.Spec{}}
	for _, name := range []string{"reactor", "pool"} {
		f.order = append(f.order, name)
		f.specs[name] = target.Spec{Name: name, Kind: target.KindCore}
	}
	return f
}

func TestKneePlan(t *testing.T) {
	for _, tt := range []struct {
		scenario, want string // of the case; an error begins with "!"
	}{
		{"plaintext", ""}, {"latency", ""}, {"overload", ""}, {"payload:size=64KiB", "size=64KiB"},
		{"payload", "!has several cases"}, {"payload:size=3", "!has no case"}, {"nothing", "!no scenario"},
	} {
		c := &KneeCmd{Scenario: tt.scenario, Placement: "split", P99: Span(time.Millisecond)}
		plan, err := c.plan(kneeLab())
		if text, bad := strings.CutPrefix(tt.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", tt.scenario, err, text)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		cells := kneeCells(plan)
		if len(cells) != 2 {
			t.Fatalf("%s: %d cells for two targets", tt.scenario, len(cells))
		}
		for _, cell := range cells {
			s := cell.Case.Shape
			if cell.Case.Name != tt.want || s.Loop != runner.Open || s.Arrival != runner.Poisson || s.Percent != 0 || s.Burst != nil || cell.Role != results.RoleRanked {
				t.Errorf("%s: %+v", tt.scenario, cell)
			}
		}
	}
}

func TestKneeUsage(t *testing.T) {
	for _, args := range [][]string{{"knee"}, {"knee", "reactor", "--p99", "0s"}, {"knee", "reactor", "--p99", "x"}, {"knee", "reactor", "--placement", "moon"}} {
		if code := run(args); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, exitUsage)
		}
	}
}
