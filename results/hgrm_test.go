package results

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// histogramOf has the numbers 1 to n, each times step, and itself as a text.
func histogramOf(t *testing.T, n, step int64) (*hdrhistogram.Histogram, string) {
	t.Helper()
	h := hdrhistogram.New(1000, 60e9, 3)
	for i := int64(1); i <= n; i++ {
		if err := h.RecordValue(i * step); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return h, string(b)
}

// measured is a trial of a target with that histogram.
func measured(target string, round int, hdr string) Trial {
	t := *closed(64, 10000)
	t.Kind, t.Scenario, t.Target, t.Round, t.Placement = KindTrial, "plaintext", target, round, PlacementOne
	t.Load.Latency = &Latency{Count: 10000, P50: 1e6, HDR: hdr}
	return t
}

// TestHGRM: what is printed has the percentiles of all rounds together.
func TestHGRM(t *testing.T) {
	first, one := histogramOf(t, 10000, 1000)
	second, two := histogramOf(t, 5000, 4000)
	_, other := histogramOf(t, 10, 1e6)
	rec := &Record{Run: Run{ID: "x"}, Trials: []Trial{
		measured("reactor", 1, one), measured("nginx", 1, other), measured("reactor", 2, two), measured("reactor", 3, other), measured("wrk\n# it", 1, ""),
	}}
	rec.Trials[3].Warnings = []Warning{{Code: WarnSteal, Text: "something else took the CPU"}}
	b, err := HGRM(rec, Only{})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := HGRM(rec, Only{}); !bytes.Equal(b, again) {
		t.Error("the second time it differs")
	}
	text := string(b)
	for _, want := range []string{
		"# plaintext: its only case; target reactor; closed loop by ", "2 trials merged, 1 left out; values in ms\n",
		"\n\n# plaintext: its only case; target nginx; ", "\n# without a histogram: plaintext: its only case; target wrk # it; ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	first.Merge(second)
	b, err = HGRM(rec, Only{Target: "reactor"})
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
		var value, percentile float64
		var count int64
		if n, _ := fmt.Sscan(in.Text(), &value, &percentile, &count); n < 3 || strings.HasPrefix(in.Text(), "#") {
			continue
		}
		lines++
		if want := float64(first.ValueAtPercentile(100*percentile)) / 1e6; math.Abs(value-want) > 0.002*want+0.001 {
			t.Errorf("%.6f of the answers took %v ms, want %v", percentile, value, want)
		}
		if percentile == 1 && count != 15000 {
			t.Errorf("%d answers, want those of both rounds that count", count)
		}
	}
	if lines < 20 || !strings.Contains(string(b), "Total count    =        15000]") {
		t.Errorf("%d lines:\n%s", lines, b)
	}
}

func TestHGRMOfNothing(t *testing.T) {
	rec := &Record{Trials: []Trial{measured("reactor", 1, "")}}
	if _, err := HGRM(rec, Only{}); err == nil || !strings.Contains(err.Error(), "no cell of the run has a histogram") {
		t.Errorf("without histograms: %v", err)
	}
	if _, err := HGRM(rec, Only{Case: "connections=5"}); err == nil || !strings.Contains(err.Error(), "no trial of case connections=5") {
		t.Errorf("an unknown case: %v", err)
	}
	rec.Trials[0].Load.Latency.HDR = "rubbish"
	if _, err := HGRM(rec, Only{}); err == nil || !strings.Contains(err.Error(), "target reactor") {
		t.Errorf("a histogram that is none: %v", err)
	}
}

// TestHGRMOfAKneeSearch: each rate has a distribution of its own.
func TestHGRMOfAKneeSearch(t *testing.T) {
	_, one := histogramOf(t, 100, 1000)
	rec := kneeRecord()
	for i := range rec.Trials {
		if l := rec.Trials[i].Load; l != nil && l.Latency != nil {
			l.Latency.HDR = one
		}
	}
	b, err := HGRM(rec, Only{Target: "sound"})
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []string{"15,000/s", "18,000/s", "18,400/s"} {
		if n := strings.Count(string(b), rate); n != 1 {
			t.Errorf("%s stands %d times in\n%s", rate, n, b)
		}
	}
}

func TestFolded(t *testing.T) {
	rec := profiledSample(t)
	b, err := Folded(rec, Only{Target: "reactor"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "coreserver;tcp_write_xmit_[k] 260000000\n") {
		t.Errorf("got\n%s", b)
	}
	if _, err := Folded(rec, Only{}); err == nil || !strings.Contains(err.Error(), "name one by target") || !strings.Contains(err.Error(), "nginx in plaintext") {
		t.Errorf("of several: %v", err)
	}
	if _, err := Folded(rec, Only{Target: "evio"}); err == nil || !strings.Contains(err.Error(), "no profile of the CPU time of target evio") {
		t.Errorf("of none: %v", err)
	}
}
