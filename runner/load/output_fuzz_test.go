package load

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzWrkOutput holds what is made of wrk's report, whatever it says, to what a record may hold.
func FuzzWrkOutput(f *testing.F) { fuzzOutput(f, "testdata/wrk/*.txt", wrkGenerator{}.Parse) }

// FuzzH2loadOutput does the same for h2load's.
func FuzzH2loadOutput(f *testing.F) { fuzzOutput(f, "testdata/h2load/*.txt", h2loadGenerator{}.Parse) }

// fuzzOutput begins with the captured outputs, and those in testdata/fuzz.
func fuzzOutput(f *testing.F, captured string, parse func(stdout, stderr []byte) (Result, error)) {
	outputs, err := filepath.Glob(captured)
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range outputs {
		out, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out)
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		r, err := parse(out, nil)
		if err != nil {
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatalf("no record can hold it: %v", err)
		}
		if r.Connections < 0 || r.Elapsed < 0 {
			t.Errorf("%d connections for %v", r.Connections, r.Elapsed)
		}
		l := r.Latency
		if l == nil {
			return
		}
		if l.Count != r.Requests || l.P50 < 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.Mean < 0 || l.Min < 0 || l.Max < 0 {
			t.Errorf("%d requests with the latency %+v", r.Requests, *l)
		}
	})
}
