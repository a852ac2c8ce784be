package probe

import (
	"fmt"
	"time"

	"corelab/results"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What the histogram of wake-ups can hold. Three digits: within 0.1 % of the truth.
const (
	wakeUpMin    = int64(1)
	wakeUpMax    = int64(time.Minute)
	wakeUpDigits = 3
)

// WakeUps is how long the server's threads waited for a CPU, from their wake-up until they ran.
type WakeUps struct {
	Unseen    uint64 // woken, and not seen to run before the end
	histogram *hdrhistogram.Histogram
}

// add takes a wait in. Clocks of two CPUs may differ a little: none is below the least, and none is dropped.
func (w *WakeUps) add(ns int64) {
	if w.histogram == nil {
		w.histogram = hdrhistogram.New(wakeUpMin, wakeUpMax, wakeUpDigits)
	}
	// The error would say that the value is out of range, which the bounds exclude.
	_ = w.histogram.RecordValue(min(max(ns, wakeUpMin), wakeUpMax))
}

// Latency is the distribution as a record has it; nil where no thread was woken.
func (w *WakeUps) Latency() (*results.Latency, error) {
	h := w.histogram
	if h == nil || h.TotalCount() == 0 {
		return nil, nil
	}
	whole, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode the histogram of wake-ups: %w", err)
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return &results.Latency{
		Count: uint64(h.TotalCount()), Mean: time.Duration(h.Mean()), Min: time.Duration(h.Min()),
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: time.Duration(h.Max()), HDR: string(whole),
	}, nil
}
