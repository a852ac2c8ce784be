package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"corelab/results"
	"corelab/runner/load"
)

var updateLoad = flag.Bool("update-load", false, "write the goldens of corelab load anew")

// typed parses a command line of corelab load.
func typed(t *testing.T, args ...string) *LoadCmd {
	t.Helper()
	c := new(LoadCmd)
	p, err := kong.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoadSpec(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := load.Spec{URL: "http://h:1/p", Method: "GET", Connections: 64, Depth: 1, Threads: 1, Seed: 1, Duration: 10 * time.Second,
		Warmup: time.Second, Timeout: 2 * time.Second, CheckEvery: 1, Body: []byte{}}
	with := func(change func(*load.Spec)) load.Spec { s := base; change(&s); return s }
	tests := []struct {
		args string
		want load.Spec
	}{
		{"http://h:1/p", base},
		{"h:1/p", base},
		{"http://h:1/p -c 8 -d 3s -t 2 --timeout 1s --warmup 0s", with(func(s *load.Spec) {
			s.Connections, s.Duration, s.Threads, s.Timeout, s.Warmup = 8, 3*time.Second, 2, time.Second, 0
		})},
		{"http://h:1/p -H A:b,c -H D:e -m PUT --body x", with(func(s *load.Spec) {
			s.Header, s.Method, s.Body = []string{"A:b,c", "D:e"}, "PUT", []byte("x")
		})},
		{"http://h:1/p --body @" + file, with(func(s *load.Spec) { s.Body = []byte("from a file") })},
		{"http://h:1/p --rate 100 --poisson --seed 4 --spin 50us", with(func(s *load.Spec) {
			s.Rate, s.Arrival, s.Seed, s.Spin = 100, load.ArrivalPoisson, 4, 50*time.Microsecond
		})},
		{"http://h:1/p --pipeline 16 --check-every=-1 --idle 3", with(func(s *load.Spec) { s.Depth, s.CheckEvery, s.Idle = 16, -1, 3 })},
		{"http://h:1/p --new-conn --expect-status 204", with(func(s *load.Spec) {
			s.NewConn, s.Expect = true, &load.Expect{Status: 204, Length: -1}
		})},
		{"http://h:1/p --expect-body " + file, with(func(s *load.Spec) {
			s.Expect = &load.Expect{Body: []byte("from a file"), Length: -1}
		})},
	}
	for _, tt := range tests {
		got, err := typed(t, strings.Fields(tt.args)...).spec()
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", tt.args, err, got, tt.want)
		}
	}
	for args, says := range map[string]string{
		"":                              "say what to load",
		"h:1 --poisson":                 "give --rate too",
		"h:1 --body @/does/not/exist":   "read the request's body",
		"h:1 --expect-body /no/such/it": "read the expected body",
	} {
		if _, err := typed(t, strings.Fields(args)...).spec(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; it should say %q", args, err, says)
		}
	}
}

// printed runs a command and returns what it wrote to standard output.
func printed(t *testing.T, c *LoadCmd) (string, error) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = f
	runErr := c.Run()
	os.Stdout = old
	out, err := os.ReadFile(f.Name())
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(out), runErr
}

func TestLoadExitCodes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		if _, err := w.Write([]byte("ok")); err != nil {
			t.Log(err)
		}
	}))
	defer s.Close()
	tests := []struct {
		args string
		code int // 0: no error, 1: an error without a code of its own
		out  string
	}{
		{s.URL, 0, "closed loop, 2 connections, by corelab"},
		{s.URL + " --rate 200 --latency", 0, "99.99 %"},
		{s.URL + " --rate 200 --generator vegeta", 0, "by vegeta"},
		{s.URL + " --expect-status 201", exitWrong, "wrong status"},
		{s.URL + "/nothing", exitWrong, "wrong status"},
		{s.URL + "/nothing --expect-status 404", 0, "against the first answer: 404"},
		{s.URL + " --generator vegeta", 1, ""},
		{"http://127.0.0.1:1/", 1, ""},
		{"https://127.0.0.1/", 1, ""},
	}
	for _, tt := range tests {
		args := append(strings.Fields(tt.args), "-c", "2", "-d", "100ms", "--warmup", "10ms")
		out, err := printed(t, typed(t, args...))
		code := 0
		if err != nil {
			code = 1
		}
		if coder := (exitError{}); errors.As(err, &coder) {
			code = coder.ExitCode()
		}
		if code != tt.code || !strings.Contains(out, tt.out) {
			t.Errorf("%s: exit %d, want %d: %v\n%s", tt.args, code, tt.code, err, out)
		}
	}
	out, err := printed(t, typed(t, s.URL, "-c", "2", "-d", "100ms", "--warmup", "0s", "--json"))
	var r load.Result
	if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil || r.Requests == 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("--json: %v\n%s", err, out)
	}
}

// What a bench starts: the load comes as a file or on standard input, the result goes as one line.
func TestLoadServesASpec(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	g, _ := load.Find("corelab")
	_, spec, err := g.Command("corelab", load.Spec{URL: s.URL, Connections: 2, Duration: 100 * time.Millisecond, Observe: []int{os.Getpid()}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "spec.json")
	if err := os.WriteFile(file, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := printed(t, typed(t, "--spec", file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Parse([]byte(out), nil)
	if err != nil || r.Requests == 0 || len(r.Observed) != 1 || strings.Count(out, "\n") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	two := append(slices.Clone(spec), spec...)
	if err := os.WriteFile(file, two, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err = printed(t, typed(t, "--spec", file)); err != nil || strings.Count(out, "\n") != 2 {
		t.Errorf("two loads gave %v\n%s", err, out)
	}
	if _, err := printed(t, typed(t, "--spec", file, "--generator", "wrk")); err == nil {
		t.Error("wrk took a spec")
	}
}

func TestLoadReport(t *testing.T) {
	ms := func(f float64) time.Duration { return time.Duration(f * 1e6) }
	tests := map[string]struct {
		spec   load.Spec
		result load.Result
	}{
		"closed": {load.Spec{URL: "http://h:1/p", Idle: 1000, Depth: 16}, load.Result{IdleOpen: 998, CPU: 960 * time.Millisecond, Reference: "200, 13 bytes",
			Load: results.Load{Generator: "corelab", Loop: load.LoopClosed, Elapsed: time.Second, Requests: 123456, BytesIn: 17 << 20, Checked: 123456, CheckEvery: 1,
				Latency: &results.Latency{Mean: ms(.512), P50: ms(.455), P90: ms(.9), P99: ms(1.06), P999: ms(4.7), Max: ms(1234)}}}},
		"open": {load.Spec{URL: "http://h:1/p", Rate: 2000, NewConn: true}, load.Result{
			Load: results.Load{Generator: "corelab", Loop: load.LoopOpen, Elapsed: 2 * time.Second, Requests: 3990, BytesIn: 5000, Checked: 249, CheckEvery: 16,
				Late: 3, LateMax: ms(2.5), Unsent: 10, Starved: 1, Errors: results.Errors{Connect: 1, Read: 2, Write: 3, Timeout: 4, Status: 5, Length: 6, Body: 7, Parse: 8},
				Latency: &results.Latency{Mean: 500, P50: 400, P90: 900, P99: ms(1.06), Max: ms(12)},
				Service: &results.Latency{Mean: 300, P50: 200, P90: 800, P99: ms(1), Max: ms(2)}}}},
		"nothing": {load.Spec{URL: "http://h:1/p"}, load.Result{Missing: []results.Missing{{Figure: "latency", Reason: "no answer came"}},
			Load: results.Load{Generator: "wrk", Loop: load.LoopClosed, Elapsed: time.Second}}},
	}
	for name, tt := range tests {
		var out bytes.Buffer
		if err := report(&out, tt.spec.Filled(), tt.result, false); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "load-"+name+".golden")
		if *updateLoad {
			if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, out.Bytes(), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, out.String(), want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	s := load.Spec{Warmup: time.Second, Duration: 10 * time.Second}
	watch := new(load.Progress)
	if got := progressLine(s, 500*time.Millisecond, watch); got != "warming up, 10 s to go" {
		t.Error(got)
	}
	watch.Requests.Store(12345)
	watch.Errors.Store(1)
	if got := progressLine(s, 6*time.Second, watch); got != "measuring, 5 s to go, 2,469 requests/s, 1 error" {
		t.Error(got)
	}
}
