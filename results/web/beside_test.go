package web

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"corelab/results"
	"corelab/results/stacks"
)

// profiled adds to a run what a profiled trial of a target leaves: the stacks, root first, and how many samples each has.
func profiled(target string, samples map[string]int64) func(testing.TB, *results.Writer) {
	return func(t testing.TB, w *results.Writer) {
		t.Helper()
		p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
		functions := map[string]*profile.Location{}
		kernel := &profile.Mapping{ID: 1, File: "[kernel.kallsyms]"}
		p.Mapping = []*profile.Mapping{kernel}
		var all uint64
		for stack, n := range samples {
			s := &profile.Sample{Value: []int64{n, n * 1_000_000}}
			for name := range strings.SplitSeq(stack, ";") {
				if functions[name] == nil {
					id := uint64(len(functions) + 1)
					f := &profile.Function{ID: id, Name: name}
					l := &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
					if strings.HasPrefix(name, "tcp_") {
						l.Mapping = kernel
					}
					functions[name] = l
					p.Function, p.Location = append(p.Function, f), append(p.Location, l)
				}
				s.Location = append([]*profile.Location{functions[name]}, s.Location...)
			}
			p.Sample = append(p.Sample, s)
			all += uint64(n)
		}
		path := "profiles/plaintext-" + target + "-cpu.pb.gz"
		var b bytes.Buffer
		err := p.Write(&b)
		if err == nil {
			err = os.MkdirAll(filepath.Join(w.Dir(), "profiles"), 0o777)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(w.Dir(), path), b.Bytes(), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		tr := trial(target, 1, 1000, 1000)
		tr.Role = results.RoleProfiled
		tr.Profiles = []results.Profile{{Kind: results.ProfileCPU, Path: path, Event: "cpu-clock", Samples: all, Elapsed: time.Second}}
		if err := w.Append(tr); err != nil {
			t.Fatal(err)
		}
	}
}

// profiledRun adds a run of two targets that were profiled.
func profiledRun(id string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		w := beginRun(t, dir, id)
		for round := 1; round <= 8; round++ {
			for _, tr := range []results.Trial{trial("nginx", round, 50_000, 19_000), trial("reactor", round, 100_000, 9_500)} {
				if err := w.Append(tr); err != nil {
					t.Fatal(err)
				}
			}
		}
		profiled("nginx", map[string]int64{"nginx;main;ngx_process;tcp_sendmsg": 600, "nginx;main;ngx_process": 400, "idle": 100})(t, w)
		profiled("reactor", map[string]int64{"coreserver;main;corelab/httpcore.(*Conn).Feed;tcp_sendmsg": 700, "coreserver;main;corelab/httpcore.(*Conn).Feed": 300})(t, w)
		if err := w.End(results.End{Trials: 18, Elapsed: 18 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
}

// besideOf is the query of two targets of plaintext.
func besideOf(runA, targetA, runB, targetB string) string {
	return url.Values{"a": {runA}, "a-target": {targetA}, "b": {runB}, "b-target": {targetB}}.Encode()
}

func TestBesideInOneRun(t *testing.T) {
	s, _ := newSite(t, Options{}, profiledRun("one"))
	body := get(s, "/beside?"+besideOf("one", "nginx", "one", "reactor")).Body.String()
	for _, says := range []string{
		"B ÷ A, paired", "2.00 (2.00–2.00)", "0.50 (0.50–0.50)", "B is better", // throughput and CPU per request
		"one: plaintext", "<iframe", "<caption>CPU per request by layer", "11.4 µs", "60.0 %", "· plain 0.50 (0.50–0.50)", "B differs",
		"user CPU per request, system CPU per request, of A: not measured", "/beside/flame.svg?", `"name":"A: nginx"`, `"name":"B: reactor"`, "Exchange A and B",
	} {
		if !strings.Contains(body, says) {
			t.Errorf("two cells of one run: the page does not say %q", says)
		}
	}
	for _, silent := range []string{"not comparable", "own run", "There is no flame graph"} {
		if strings.Contains(body, silent) {
			t.Errorf("two cells of one run: the page says %q", silent)
		}
	}
	if n := strings.Count(body, `<h3>one: plaintext`); n != 1 {
		t.Errorf("the table that both stand in is there %d times", n)
	}
	same := get(s, "/beside?"+besideOf("one", "nginx", "one", "nginx")).Body.String()
	if strings.Contains(same, "B is better") || strings.Contains(same, "B is worse") {
		t.Error("a cell is better than itself")
	}
	swapped := get(s, "/beside?"+besideOf("one", "reactor", "one", "nginx")).Body.String()
	if !strings.Contains(swapped, "B is worse") || strings.Contains(swapped, "B is better") {
		t.Error("with A and B exchanged B is not worse")
	}
	byDefault := get(s, "/beside?a=one").Body.String()
	if !strings.Contains(byDefault, `"name":"A: nginx"`) || !strings.Contains(byDefault, `"name":"B: reactor"`) {
		t.Error("of one run, the first two targets are not beside each other")
	}
}

func TestBesideInTwoRuns(t *testing.T) {
	s, _ := newSite(t, Options{}, profiledRun("one"), smallRun("two", func(r *results.Run) { r.Commit, r.Host.Kernel = "fedcba987654", "7.0" }))
	body := get(s, "/beside?"+besideOf("one", "reactor", "two", "reactor")).Body.String()
	for _, says := range []string{
		"their figures are not comparable", "A ÷ nginx, own run", "B ÷ nginx, own run", "fedcba987654", "7.0",
		"<h3>one: plaintext", "<h3>two: plaintext", "There is no flame graph of the difference: B, reactor",
	} {
		if !strings.Contains(body, says) {
			t.Errorf("two runs: the page does not say %q", says)
		}
	}
	for _, silent := range []string{"B is better", "B is worse", "B ÷ A", "<iframe"} {
		if strings.Contains(body, silent) {
			t.Errorf("two runs: the page says %q", silent)
		}
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(body, ` id="`) {
		if id, _, _ := strings.Cut(part, `"`); !strings.HasPrefix(part, "<") {
			if seen[id] {
				t.Errorf("two parts of the page are called %q", id)
			}
			seen[id] = true
		}
	}
}

func TestBesideWithoutCells(t *testing.T) {
	s, _ := newSite(t, Options{}, smallRun("one"), func(t testing.TB, dir string) {
		w := beginRun(t, dir, "search", func(r *results.Run) { r.Knee = &results.KneeAsked{} })
		tr := trial("reactor", 1, 1000, 1000)
		tr.Role = results.RoleKnee
		if err := w.Append(tr); err != nil {
			t.Fatal(err)
		}
		if err := w.End(results.End{}); err != nil {
			t.Fatal(err)
		}
	})
	body := get(s, "/beside?a=search&b=one").Body.String()
	if !strings.Contains(body, "no ranked cells") || !strings.Contains(body, "of the kind knee") || strings.Contains(body, "paired") {
		t.Error("a run without cells: the page does not say so")
	}
}

func TestDifferentRates(t *testing.T) {
	s, _ := newSite(t, Options{}, func(t testing.TB, dir string) {
		w := beginRun(t, dir, "open")
		for round := 1; round <= 8; round++ {
			for i, target := range []string{"nginx", "reactor"} {
				tr := trial(target, round, 1000, 1000)
				tr.Load.Loop, tr.Load.Rate = results.LoopOpen, float64(1000+i*500)
				if err := w.Append(tr); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.End(results.End{}); err != nil {
			t.Fatal(err)
		}
	})
	body := get(s, "/beside?a=open").Body.String()
	if !strings.Contains(body, "figures at different rates are not held against each other") || strings.Contains(body, "B is") {
		t.Error("two rates are held against each other")
	}
}

func TestFlameDiffIsServed(t *testing.T) {
	s, dir := newSite(t, Options{}, profiledRun("one"), profiledRun("two"))
	w := get(s, "/beside/flame.svg?"+besideOf("one", "nginx", "one", "reactor"))
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml" || w.Header().Get("Content-Security-Policy") != stacks.FlamePolicy() {
		t.Fatalf("%d %s: %.300s", w.Code, w.Header(), w.Body)
	}
	for _, says := range []string{"nginx → reactor", "tcp_sendmsg", "ngx_process", "Feed"} {
		if !strings.Contains(w.Body.String(), says) {
			t.Errorf("the flame graph does not say %q", says)
		}
	}
	one, two := w.Body.String(), get(s, "/beside/flame.svg?"+besideOf("one", "nginx", "two", "reactor")).Body.String()
	if !strings.Contains(one, " µs a request") || strings.Contains(two, " µs a request") {
		t.Error("what a request costs is compared over two runs, or not within one")
	}
	if err := os.Remove(filepath.Join(dir, "two", "profiles", "plaintext-reactor-cpu.pb.gz")); err != nil {
		t.Fatal(err)
	}
	s2, err := New(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if w := get(s2, "/beside/flame.svg?"+besideOf("one", "nginx", "two", "reactor")); w.Code != 404 || !strings.Contains(w.Body.String(), "is not beside the record") {
		t.Errorf("without the file: %d %.500s", w.Code, w.Body)
	}
}

func TestProfilesAreServed(t *testing.T) {
	s, dir := newSite(t, Options{}, profiledRun("one"))
	w := get(s, "/run/one/profiles/plaintext-nginx-cpu.pb.gz")
	if w.Code != 200 || w.Header().Get("Content-Disposition") != "attachment" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if p, err := profile.Parse(w.Body); err != nil || len(p.Sample) == 0 {
		t.Errorf("what was served is no profile: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "one", "profiles", "other"), []byte("other"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"profiles/other", "profiles/nothing", "profiles", "profiles/", "run.jsonl", "profiles/../run.jsonl"} {
		if w := get(s, "/run/one/"+path); w.Code == 200 {
			t.Errorf("%s is served, and the record does not name it", path)
		}
	}
}

// TestProfilesOutside holds that a record's own word for a path leads nowhere else.
func TestProfilesOutside(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("the secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	paths := []string{"../secret", filepath.Join(outside, "secret"), "profiles/link", "run.jsonl/../../secret"}
	s, _ := newSite(t, Options{}, func(t testing.TB, dir string) {
		w := beginRun(t, dir, "one")
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("the secret"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(w.Dir(), "profiles"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(w.Dir(), "profiles", "link")); err != nil {
			t.Fatal(err)
		}
		for i, path := range paths {
			tr := trial(fmt.Sprint("t", i), 1, 1000, 1000)
			tr.Role, tr.Profiles = results.RoleProfiled, []results.Profile{{Kind: results.ProfileCPU, Path: path}}
			if err := w.Append(tr); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
	})
	for _, path := range paths {
		w := get(s, "/run/one/"+url.PathEscape(path))
		if w.Code == 200 || strings.Contains(w.Body.String(), "the secret") {
			t.Errorf("%s is served: %d", path, w.Code)
		}
	}
}
