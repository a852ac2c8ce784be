package corelab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"corelab/results"
)

// What a comparison is held to, on the record that scripts/acceptance.sh leaves.
const (
	acceptanceFolder = "results/reference/compare"
	sameRuns         = 40 // comparisons of a server with itself, of 30 s
	mostFalse        = 2  // differences found in them, over CPU per request and throughput
	plantedRuns      = 20 // comparisons with 3 % more CPU, of 30 s
	leastFound       = 18 // of them, proven worse
	leastHeld        = 18 // of them, whose interval holds the truth
)

// accepted are the two figures that verdicts are counted over.
var accepted = []string{results.CompareCPU, results.CompareThroughput}

// TestAcceptance recomputes the counts from the committed record, and holds them to the bounds and the page to them. While
// there is no record there must be no page that claims one.
func TestAcceptance(t *testing.T) {
	page := filepath.Join(acceptanceFolder, "README.md")
	same, errSame := comparisons(filepath.Join(acceptanceFolder, "aa.jsonl"))
	planted, errPlanted := comparisons(filepath.Join(acceptanceFolder, "planted.jsonl"))
	if errors.Is(errSame, os.ErrNotExist) && errors.Is(errPlanted, os.ErrNotExist) {
		if _, err := os.Stat(page); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s speaks of a record that is not there: make acceptance (%v)", page, err)
		}
		return
	}
	if err := errors.Join(errSame, errPlanted); err != nil {
		t.Fatal(err)
	}
	c := count(same, planted)
	for _, failure := range c.failures() {
		t.Error(failure)
	}
	want := c.page(same, planted)
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the record gives (%v); to write it anew: go test -run TestAcceptance . -update", page, err)
	}
}

// comparisons reads what corelab compare --json printed, one a line.
func comparisons(path string) (list []results.Comparison, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var c results.Comparison
		if err := d.Decode(&c); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s, comparison %d: %w", path, len(list)+1, err)
		}
		list = append(list, c)
	}
}

// counts are what the acceptance is about.
type counts struct {
	same, planted int // comparisons
	unjudged      int // verdicts that were not given, of either
	wrongFalse    int // differences found between a server and itself
	found, held   int
	overtime      int // comparisons that took longer than their --max
	inconsistent  int // verdicts that are not what their interval says
}

func count(same, planted []results.Comparison) (c counts) {
	c.same, c.planted = len(same), len(planted)
	for _, k := range same {
		for _, key := range accepted {
			if side(k.Find(key)) != 0 {
				c.wrongFalse++
			}
		}
	}
	for _, k := range planted {
		cpu := k.Find(results.CompareCPU)
		if side(cpu) > 0 {
			c.found++
		}
		if cpu.Lo != nil && cpu.Truth != nil && *cpu.Lo <= *cpu.Truth && *cpu.Truth <= *cpu.Hi {
			c.held++
		}
	}
	for _, k := range append(same[:len(same):len(same)], planted...) {
		if k.Elapsed > k.Max {
			c.overtime++
		}
		for _, key := range accepted {
			d := k.Find(key)
			if d.Lo == nil || d.Blocks < results.MinBlocks {
				c.unjudged++
			}
			if (side(d) != 0) != (d.Verdict == results.Better || d.Verdict == results.Worse) {
				c.inconsistent++
			}
		}
	}
	return c
}

// side is where the interval lies: below 1, above it, or neither.
func side(d *results.Difference) int {
	switch {
	case d.Lo == nil || *d.Lo <= 1 && *d.Hi >= 1:
		return 0
	case *d.Hi < 1:
		return -1
	}
	return 1
}

func (c counts) failures() (list []string) {
	for _, f := range []struct {
		is   bool
		text string
	}{
		{c.same != sameRuns || c.planted != plantedRuns, fmt.Sprintf("%d and %d comparisons, want %d and %d: scripts/acceptance.sh without arguments", c.same, c.planted, sameRuns, plantedRuns)},
		{c.unjudged > 0, fmt.Sprintf("%d figures have no verdict", c.unjudged)},
		{c.wrongFalse > mostFalse, fmt.Sprintf("%d differences found where there are none, at most %d", c.wrongFalse, mostFalse)},
		{c.found < leastFound, fmt.Sprintf("the planted difference was found in %d of %d, at least %d", c.found, c.planted, leastFound)},
		{c.held < leastHeld, fmt.Sprintf("the truth was held in %d of %d, at least %d", c.held, c.planted, leastHeld)},
		{c.overtime > 0, fmt.Sprintf("%d comparisons took longer than they were given", c.overtime)},
		{c.inconsistent > 0, fmt.Sprintf("%d verdicts are not what their interval says", c.inconsistent)},
	} {
		if f.is {
			list = append(list, f.text)
		}
	}
	return list
}

// page is the README.md of the record.
func (c counts) page(same, planted []results.Comparison) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Does `corelab compare` tell the truth?\n\nMade by `make acceptance`: [`scripts/acceptance.sh`](../../../scripts/acceptance.sh) measures, "+
		"`TestAcceptance` counts. Each line of `aa.jsonl` and `planted.jsonl` is what `corelab report --format json` makes of the record of one comparison.\n\n")
	fmt.Fprintf(&b, "| question | answer | bound |\n|:---|---:|---:|\n")
	fmt.Fprintf(&b, "| reactor against itself, %d comparisons of 30 s: differences found in CPU per request and throughput | %d of %d | ≤ %d |\n", c.same, c.wrongFalse, len(accepted)*c.same, mostFalse)
	fmt.Fprintf(&b, "| 3 %% of CPU planted in reactor, %d comparisons of 30 s: found | %d of %d | ≥ %d |\n", c.planted, c.found, c.planted, leastFound)
	fmt.Fprintf(&b, "| … the 99 %% interval holds what was planted | %d of %d | ≥ %d |\n\n", c.held, c.planted, leastHeld)
	fmt.Fprintf(&b, "## reactor against itself\n\n| CPU per request, B ÷ A | throughput, B ÷ A | blocks | windows left out | seconds |\n|---:|---:|---:|---:|---:|\n")
	for _, k := range same {
		fmt.Fprintf(&b, "| %s | %s |%s", interval(k.Find(results.CompareCPU)), interval(k.Find(results.CompareThroughput)), effort(k))
	}
	fmt.Fprintf(&b, "\n## 3 %% planted\n\nBoth sides carry a ballast, of which B's is larger. The truth is the difference ÷ A's measured CPU per request, of each comparison.\n\n"+
		"| CPU per request, B ÷ A | truth | held | throughput, B ÷ A | blocks | windows left out | seconds |\n|---:|---:|:---|---:|---:|---:|---:|\n")
	for _, k := range planted {
		cpu := k.Find(results.CompareCPU)
		truth, held := "–", "–"
		if cpu.Truth != nil && cpu.Covered != nil {
			truth, held = percent(*cpu.Truth), map[bool]string{true: "yes", false: "no"}[*cpu.Covered]
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |%s", interval(cpu), truth, held, interval(k.Find(results.CompareThroughput)), effort(k))
	}
	return b.Bytes()
}

func effort(k results.Comparison) string {
	return fmt.Sprintf(" %d | %d of %d | %.1f |\n", k.Blocks, k.LeftOut, k.Windows, k.Elapsed.Seconds())
}

// interval is a ratio as a change with its interval; what is proven stands out.
func interval(d *results.Difference) string {
	if d.Lo == nil {
		return "–"
	}
	s := fmt.Sprintf("%s (%s … %s)", percent(d.Ratio), percent(*d.Lo), percent(*d.Hi))
	if side(d) != 0 {
		s = "**" + s + "**"
	}
	return s
}

func percent(ratio float64) string {
	return strings.Replace(fmt.Sprintf("%+.2f %%", 100*(ratio-1)), "-", "−", 1)
}

// TestAcceptanceCounts plays records that must pass and that must not.
func TestAcceptanceCounts(t *testing.T) {
	one := func(cpu, throughput, half, truth float64) results.Comparison {
		c := results.Comparison{Elapsed: 1, Max: 2}
		for key, ratio := range map[string]float64{results.CompareCPU: cpu, results.CompareThroughput: throughput} {
			lo, hi := ratio-half, ratio+half
			d := results.Difference{Figure: key, Ratio: ratio, Lo: &lo, Hi: &hi, Blocks: results.MinBlocks, Verdict: results.NoDifference}
			if math.Abs(ratio-1) > half {
				d.Verdict = results.Worse
			}
			if truth != 0 {
				d.Truth = &truth
			}
			c.Figures = append(c.Figures, d)
		}
		return c
	}
	many := func(n int, c results.Comparison) (list []results.Comparison) {
		for range n {
			list = append(list, c)
		}
		return list
	}
	same, planted := one(1.001, 0.999, 0.005, 0), one(1.03, 0.985, 0.01, 1.031)
	for name, tt := range map[string]struct {
		same, planted []results.Comparison
		failures      int
	}{
		"as it should be": {append(many(38, same), many(2, one(1.02, 1, 0.005, 0))...), append(many(18, planted), many(2, one(1.005, 1, 0.01, 1.03))...), 0},
		"three false":     {append(many(37, same), many(3, one(1, 0.98, 0.005, 0))...), many(20, planted), 1},
		"not found":       {many(40, same), append(many(17, planted), many(3, one(1.009, 1, 0.01, 1.018))...), 1},
		"not held":        {many(40, same), append(many(17, planted), many(3, one(1.05, 1, 0.01, 1.03))...), 1},
		"too few":         {many(39, same), many(20, planted), 1},
	} {
		c := count(tt.same, tt.planted)
		if got := c.failures(); len(got) != tt.failures {
			t.Errorf("%s: %q", name, got)
		}
		if page := string(c.page(tt.same, tt.planted)); strings.Count(page, "\n|") < len(tt.same)+len(tt.planted) || strings.Contains(page, "%!") {
			t.Errorf("%s:\n%s", name, page)
		}
	}
	late := one(1, 1, 0.01, 0)
	late.Elapsed, late.Figures[0].Lo = 3, nil
	if c := count(many(1, late), nil); c.overtime != 1 || c.unjudged != 1 {
		t.Errorf("%+v", c)
	}
}
