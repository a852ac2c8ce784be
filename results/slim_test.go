package results

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestWriteSlim: what is left out changes no report, and nothing of the record that was read.
func TestWriteSlim(t *testing.T) {
	latency := func() *Latency { return &Latency{Count: 1e6, Mean: 1e6, P50: 1e6, HDR: "histogram"} }
	rec := &Record{Run: Run{Kind: KindRun, Schema: Schema, ID: "x"}, End: &End{Kind: KindEnd, Trials: 2}}
	for _, loop := range []string{LoopClosed, LoopOpen} {
		trial := closed(64, 10000)
		trial.Kind, trial.Load.Loop, trial.Load.Latency, trial.Load.Service = KindTrial, loop, latency(), latency()
		rec.Trials = append(rec.Trials, *trial)
	}
	profiles := []Profile{{Kind: ProfileCPU, Path: "profiles/plaintext-reactor-cpu.pb.gz", Event: "cpu-clock", Samples: 2000}}
	rec.Trials[0].Role, rec.Trials[0].Profiles, rec.Trials[0].RunQueue = RoleProfiled, profiles, &Latency{Count: 5, P50: 3000}
	var b bytes.Buffer
	if err := WriteSlim(&b, rec); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "histogram"); n != 1 {
		t.Errorf("%d histograms are left, want that of the open loop's latency", n)
	}
	if rec.Trials[0].Load.Latency.HDR == "" {
		t.Error("the record itself lost a histogram")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, RunFile), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	slim, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := slim.Trials[0]; !reflect.DeepEqual(got.Profiles, profiles) || got.RunQueue == nil || *got.RunQueue != *rec.Trials[0].RunQueue {
		t.Errorf("of the profiles is left %+v", got)
	}
	want, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Report(slim)
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s of the slim record differs", name)
		}
	}
}
