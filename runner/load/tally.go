package load

import (
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"corelab/results"
)

// What a histogram can hold. Three digits: within 0.1 % of the truth.
const (
	latencyMin    = int64(1)
	latencyMax    = int64(time.Hour)
	latencyDigits = 3
)

// lateAfter is how long after it was due a request counts as sent late.
const lateAfter = int64(time.Millisecond)

// kind is one of the kinds of errors, in the order of results.Errors.
type kind int

const (
	errConnect kind = iota
	errRead
	errWrite
	errTimeout
	errStatus
	errBodyLength
	errBody
	errParse
	kinds
)

// tally is what one loop counted. It makes no garbage.
type tally struct {
	requests  uint64
	bytesIn   uint64
	bytesOut  uint64
	errors    [kinds]uint64
	late      uint64
	lateMax   int64
	checked   uint64
	latency   *hdrhistogram.Histogram
	service   *hdrhistogram.Histogram // open loop only
	wire      *hdrhistogram.Histogram // with Spec.Stamp only
	example   string                  // the first error, in words
	abandoned uint64                  // sent and still unanswered when the loop ended
	unsent    uint64
	accounts  []account // open loop only
	slices    []sliced  // of a load in phases
}

func newTally(s Spec) *tally {
	t := &tally{latency: hdrhistogram.New(latencyMin, latencyMax, latencyDigits)}
	if s.Stamp {
		t.wire = hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
	}
	if s.Rate > 0 {
		t.accounts, t.slices = newAccounts(s)
		t.service = hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
	}
	return t
}

// reset forgets what was counted while warming up. Accounts are opened in the window only.
func (t *tally) reset() {
	t.latency.Reset()
	if t.service != nil {
		t.service.Reset()
	}
	if t.wire != nil {
		t.wire.Reset()
	}
	*t = tally{latency: t.latency, service: t.service, wire: t.wire, accounts: t.accounts, slices: t.slices}
}

// record puts a time into a histogram. Beyond its range it is the range's end: it is never dropped.
func record(h *hdrhistogram.Histogram, ns int64) {
	// The error would say that the value is out of range, which the bounds exclude.
	_ = h.RecordValue(min(max(ns, latencyMin), latencyMax))
}

// failed counts errors of a kind; the first one is kept in words.
func (t *tally) failed(k kind, n int, format string, args ...any) {
	t.errors[k] += uint64(n)
	if t.example == "" {
		t.example = fmt.Sprintf(format, args...)
	}
}

// add takes in what another loop counted.
func (t *tally) add(o *tally) {
	t.requests += o.requests
	t.bytesIn += o.bytesIn
	t.bytesOut += o.bytesOut
	for k, n := range o.errors {
		t.errors[k] += n
	}
	t.late += o.late
	t.lateMax = max(t.lateMax, o.lateMax)
	t.checked += o.checked
	t.latency.Merge(o.latency)
	if t.service != nil {
		t.service.Merge(o.service)
	}
	if t.wire != nil {
		t.wire.Merge(o.wire)
	}
	if t.example == "" {
		t.example = o.example
	}
	t.abandoned += o.abandoned
	t.unsent += o.unsent
	for i := range t.accounts {
		t.accounts[i].add(&o.accounts[i])
	}
	for i := range t.slices {
		s := &t.slices[i]
		s.due, s.answered = s.due+o.slices[i].due, s.answered+o.slices[i].answered
		s.latency.Merge(o.slices[i].latency)
	}
}

// byKind is the errors as the record has them.
func byKind(e [kinds]uint64) results.Errors {
	return results.Errors{Connect: e[errConnect], Read: e[errRead], Write: e[errWrite], Timeout: e[errTimeout],
		Status: e[errStatus], Length: e[errBodyLength], Body: e[errBody], Parse: e[errParse]}
}

// distribution is a histogram as the record has it, nil where nothing was recorded.
func distribution(h *hdrhistogram.Histogram) (*results.Latency, error) {
	if h == nil || h.TotalCount() == 0 {
		return nil, nil
	}
	whole, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode the latency histogram: %w", err)
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return &results.Latency{
		Count: uint64(h.TotalCount()), Mean: time.Duration(h.Mean()), Min: time.Duration(h.Min()),
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: time.Duration(h.Max()), HDR: string(whole),
	}, nil
}

// spread says how evenly answers were shared out. It sorts counts.
func spread(counts []uint64) *results.Spread {
	if len(counts) == 0 {
		return nil
	}
	slices.Sort(counts)
	return &results.Spread{Min: counts[0], Median: counts[len(counts)/2], Max: counts[len(counts)-1]}
}
