package results

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// How a histogram is printed.
const (
	hgrmTicks = 5   // percentiles until half of the way to 100 % is done, and again of what is left
	hgrmScale = 1e6 // values are in ms, as tools expect them
)

// HGRM is the latency of each cell as HdrHistogram's tools print and plot it: lines of value in ms, percentile, count. The
// rounds of a cell are merged, but for those in which something else took the CPU. Lines that begin with # name the cells and
// say which have no histogram; one cell in a file is what most tools take, so name it with only.
func HGRM(rec *Record, only Only) ([]byte, error) {
	var b bytes.Buffer
	printed, tried := 0, 0
	var without []string
	for _, c := range distributions(Cells(rec)) {
		if !only.has(c.Scenario, c.Case, c.Target) || c.Generator == "" {
			continue
		}
		tried++
		h, n, left, err := c.merged()
		if err != nil {
			return nil, err
		}
		if h == nil {
			without = append(without, c.title())
			continue
		}
		if printed++; printed > 1 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s; %d trials merged, %d left out; values in ms\n", c.title(), n, left)
		if _, err := h.PercentilesPrint(&b, hgrmTicks, hgrmScale); err != nil {
			return nil, fmt.Errorf("results: print a histogram: %w", err)
		}
	}
	switch {
	case tried == 0:
		return nil, nothingOf(rec, only)
	case printed == 0:
		return nil, fmt.Errorf("results: no cell of %s has a histogram: those of corelab's own generator have one, and the slim form of a record keeps that of open loops alone; %s",
			only, "report a run as it was recorded, by --generator corelab")
	}
	for _, title := range without {
		fmt.Fprintf(&b, "# without a histogram: %s\n", title)
	}
	return b.Bytes(), nil
}

// distributions are the cells, with those of a knee search taken apart: each of its rates has a distribution of its own.
func distributions(cells []*Cell) []*Cell {
	var apart []*Cell
	for _, c := range cells {
		if c.Role != RoleKnee {
			apart = append(apart, c)
			continue
		}
		var rates []float64
		for _, t := range c.Trials {
			if t.Load != nil && !slices.Contains(rates, t.Load.Rate) {
				rates = append(rates, t.Load.Rate)
			}
		}
		slices.Sort(rates)
		for _, rate := range rates {
			at := &Cell{Key: c.Key}
			for _, t := range c.Trials {
				if t.Load != nil && t.Load.Rate == rate {
					at.Trials = append(at.Trials, t)
				}
			}
			apart = append(apart, at)
		}
	}
	return apart
}

// title names a cell in one line.
func (c *Cell) title() string {
	parts := []string{join(c.Scenario, orElse(c.Case, "its only case")), "target " + c.Target}
	if c.Role != RoleRanked {
		parts = append(parts, "role "+c.Role)
	}
	load := c.Loop + " loop by " + c.Generator
	if l := c.Trials[0].Load; l != nil {
		load += fmt.Sprintf(", %d connections", l.Connections)
		if c.Role == RoleKnee {
			load += fmt.Sprintf(", %s/s", formatCount(l.Rate))
		}
	}
	return printable(strings.Join(append(parts, load, "placement "+orElse(c.Placement, "not asked for")), "; "))
}

// merged is the histogram of all trials of the cell that count, of how many, and how many were left out; nil where none has one.
func (c *Cell) merged() (h *hdrhistogram.Histogram, n, left int, err error) {
	out, of := c.disturbed()
	for _, t := range c.Trials {
		if t.Error != "" || t.Load == nil || t.Load.Latency == nil || t.Load.Latency.HDR == "" {
			continue
		}
		if out < of && Disturbed(t) {
			left++
			continue
		}
		one, err := hdrhistogram.Decode([]byte(t.Load.Latency.HDR))
		if err != nil {
			return nil, 0, 0, fmt.Errorf("results: read the histogram of %s, round %d: %w", c.title(), t.Round, err)
		}
		if n++; h == nil {
			h = one
		} else if dropped := h.Merge(one); dropped > 0 {
			return nil, 0, 0, fmt.Errorf("results: merge the histograms of %s: %d values of round %d do not fit into that of the first", c.title(), dropped, t.Round)
		}
	}
	return h, n, left, nil
}
