package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// hostile is a name that would do harm wherever it were taken for more than text.
const hostile = `<img src=x onerror="document.title='pwned'">'&` + "\u202e"

// newSite serves a folder of runs to which add gave some.
func newSite(t testing.TB, o Options, add ...func(testing.TB, string)) (*Site, string) {
	t.Helper()
	dir := t.TempDir()
	for _, a := range add {
		a(t, dir)
	}
	if o.Poll == 0 {
		o.Poll = 5 * time.Millisecond
	}
	s, err := New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

// sampleRun adds the record that package results tests its tables with, as the run of that ID.
func sampleRun(id string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		b, err := os.ReadFile(filepath.Join("..", "testdata", "run", results.RunFile))
		if err != nil {
			t.Fatal(err)
		}
		writeRecord(t, filepath.Join(dir, id), b)
	}
}

func writeRecord(t testing.TB, dir string, b []byte) {
	t.Helper()
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, results.RunFile), b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// load is a load that breaks no law.
func load(rate float64, connections int) *results.Load {
	l := &results.Load{Generator: "corelab", Loop: results.LoopClosed, Connections: connections, Depth: 1, Elapsed: time.Second,
		Requests: uint64(rate), Command: []string{"corelab", "load", "http://127.0.0.1:1/plaintext"}}
	mean := time.Duration(float64(connections) / rate * 1e9)
	l.Latency = &results.Latency{Count: l.Requests, Mean: mean, Min: mean / 2, P50: mean, P90: 2 * mean, P99: 3 * mean, P999: 4 * mean, Max: 5 * mean}
	return l
}

// trial is one of a target in a round, whose server used so many ns for each request.
func trial(target string, round int, rate, cost float64) results.Trial {
	cpu := time.Duration(rate * cost)
	return results.Trial{Scenario: "plaintext", Target: target, Round: round, Placement: results.PlacementSplit, Started: time.Now(),
		Load:   load(rate, 16),
		Server: &results.Usage{Elapsed: time.Second, CPU: cpu, RSSKiB: 9000, Affinity: "0"},
		Client: &results.Usage{Elapsed: time.Second, CPU: time.Second / 2, Affinity: "1"}}
}

// smallRun adds a run of two targets, the second of which takes half of the first's time, by a Writer.
func smallRun(id string, change ...func(*results.Run)) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		w := beginRun(t, dir, id, change...)
		for round := 1; round <= 8; round++ {
			drift := 1 + float64(round)/100
			for _, tr := range []results.Trial{trial("nginx", round, 50_000*drift, 19_000/drift), trial("reactor", round, 100_000*drift, 9_500/drift)} {
				if err := w.Append(tr); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.End(results.End{Trials: 16, Elapsed: 16 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
}

func beginRun(t testing.TB, dir, id string, change ...func(*results.Run)) *results.Writer {
	t.Helper()
	run := results.Run{Started: time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC), Command: []string{"corelab", "bench", "plaintext"}, Commit: "0123456789ab",
		Budget: 20 * time.Second, Host: results.Host{Hostname: "here", CPU: "a CPU", CPUs: 2},
		Scenarios: []results.Scenario{{Name: "plaintext", Question: "What does nothing cost?"}},
		Targets:   []results.Target{{Name: "nginx", Kind: "peer"}, {Name: "reactor", Kind: "core"}}}
	for _, c := range change {
		c(&run)
	}
	w, err := results.Create(dir, id, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// get asks the site, as a browser on this machine does.
func get(s http.Handler, path string) *httptest.ResponseRecorder {
	return request(s, http.MethodGet, "localhost:8099", path)
}

func request(s http.Handler, method, host, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	s, _ := newSite(t, Options{}, smallRun("20261122-101500-bench"), sampleRun("reference/bench"))
	beside := "/beside?" + url.Values{"a": {"20261122-101500-bench"}, "b": {"20261122-101500-bench"}}.Encode()
	const html, text = "text/html; charset=utf-8", "text/plain; charset=utf-8"
	for _, c := range []struct {
		path   string
		status int
		kind   string
		says   []string
	}{
		{"/", 200, html, []string{"20261122-101500-bench", "reference/bench", `href="/run/reference/bench/"`, "2 runs"}},
		{"/?q=no+such+thing", 200, html, []string{"0 of 2 runs", "No run is like that"}},
		{"/?target=reactor&scenario=plaintext&part=runs", 200, html, []string{"20261122-101500-bench"}},
		{"/run/20261122-101500-bench/", 200, html, []string{"corelab run 20261122-101500-bench", `<a href="/">All runs</a>`, "What does nothing cost?"}},
		{"/run/20261122-101500-bench", 307, "", nil},
		{"/run/20261122-101500-bench/live", 200, html, []string{"16 trials", "ended", "reactor"}},
		{"/run/20261122-101500-bench/nothing", 404, html, []string{"no such page", `<a href="/">All runs</a>`}},
		{"/run/20261122-101500-bench/run.jsonl", 404, html, []string{"no such page"}},
		{"/run/reference/bench/", 200, html, []string{"corelab run "}},
		{"/run/reference/", 404, html, []string{"There is no such run", `<a href="/">All runs</a>`}},
		{"/run/nothing/", 404, html, []string{"There is no such run"}},
		{"/beside", 200, html, []string{"No run is chosen"}},
		{"/beside?a=nothing", 200, html, []string{"There is no run nothing"}},
		{beside, 200, html, []string{"B ÷ A, paired", "corelab-data", "nginx", "reactor", "What limits them"}},
		{beside + "&part=choose", 200, html, []string{"<fieldset>"}},
		{"/beside/flame.svg", 404, html, []string{"No run is chosen"}},
		{"/assets/web.css", 200, "text/css; charset=utf-8", []string{"header.site"}},
		{"/assets/web.js", 200, "text/javascript; charset=utf-8", []string{"EventSource"}},
		{"/assets/page.css", 200, "text/css; charset=utf-8", []string{"--paper"}},
		{"/assets/icon.svg", 200, "image/svg+xml", []string{"<svg"}},
		{"/assets/nothing.js", 404, text, nil},
		{"/assets/", 404, text, nil},
		{"/nothing", 404, html, []string{"There is no such page", `<a href="/">All runs</a>`}},
	} {
		w := get(s, c.path)
		if w.Code != c.status || c.kind != "" && w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %s, want %d %s", c.path, w.Code, w.Header().Get("Content-Type"), c.status, c.kind)
		}
		for _, says := range c.says {
			if !strings.Contains(w.Body.String(), says) {
				t.Errorf("%s does not say %q", c.path, says)
			}
		}
		checkHeaders(t, c.path, w.Header())
		if head := request(s, http.MethodHead, "127.0.0.1", c.path); head.Code != c.status {
			t.Errorf("HEAD %s: %d", c.path, head.Code)
		}
	}
}

// checkHeaders holds what every answer says to browsers.
func checkHeaders(t *testing.T, path string, h http.Header) {
	t.Helper()
	policy := h.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: the policy lacks %s: %s", path, part, policy)
		}
	}
	if strings.Contains(policy, "script-src 'unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "unsafe-eval") {
		t.Errorf("%s: the policy lets anything run: %s", path, policy)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
		if h.Get(name) != want {
			t.Errorf("%s: %s is %q, not %q", path, name, h.Get(name), want)
		}
	}
}

func TestOnlyReads(t *testing.T) {
	s, _ := newSite(t, Options{}, smallRun("one"))
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"} {
		w := request(s, method, "localhost", "/")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestHosts(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, address string
		want          bool
	}{
		{"localhost", "127.0.0.1:8099", true}, {"localhost:8099", "127.0.0.1:8099", true}, {"LOCALHOST.:1", "127.0.0.1:8099", true},
		{"127.0.0.1:8099", "127.0.0.1:8099", true}, {"[::1]:8099", "127.0.0.1:8099", true}, {"[::1]", "", true},
		{"evil.example", "127.0.0.1:8099", false}, {"evil.example:8099", "127.0.0.1:8099", false}, {"127.0.0.1.evil.example", "127.0.0.1:8099", false},
		{"localhost.evil.example", "127.0.0.1:8099", false}, {"", "127.0.0.1:8099", false}, {"", "", false}, {"10.1.2.3", "127.0.0.1:8099", false},
		{"10.1.2.3:8099", "", false}, {own, "", false},
		{"10.1.2.3:8099", "10.1.2.3:8099", true}, {"10.1.2.4:8099", "10.1.2.3:8099", false}, {"lab.example", "lab.example:80", true},
		{"evil.example", "lab.example:80", false}, {"10.1.2.3", "0.0.0.0:8099", true}, {"[fd00::1]:8099", ":8099", true},
		{own, "0.0.0.0:8099", true}, {"evil.example", "0.0.0.0:8099", false}, {"evil.example", ":8099", false}, {"evil.example", "[::]:8099", false},
	} {
		if got := hostAllowed(c.host, c.address); got != c.want {
			t.Errorf("a request for %q, served at %q: %v", c.host, c.address, got)
		}
	}
	s, _ := newSite(t, Options{Address: "127.0.0.1:8099"}, smallRun("one"))
	for _, path := range []string{"/", "/run/one/", "/run/one/events", "/events", "/assets/web.js"} {
		w := request(s, http.MethodGet, "evil.example:8099", path)
		if w.Code != http.StatusMisdirectedRequest || strings.Contains(w.Body.String(), "plaintext") {
			t.Errorf("%s for another host: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestStrangePages holds that a page of another site can link here, and use nothing of here.
func TestStrangePages(t *testing.T) {
	s, _ := newSite(t, Options{}, smallRun("one"))
	for _, c := range []struct {
		site, mode string
		status     int
	}{
		{"", "", 200}, {"none", "navigate", 200}, {"same-origin", "cors", 200}, {"same-origin", "no-cors", 200}, {"cross-site", "navigate", 200},
		{"cross-site", "no-cors", 403}, {"cross-site", "cors", 403}, {"same-site", "cors", 403}, {"cross-site", "", 403},
	} {
		for _, path := range []string{"/", "/run/one/", "/assets/web.js"} {
			r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
			r.Header.Set("Sec-Fetch-Site", c.site)
			r.Header.Set("Sec-Fetch-Mode", c.mode)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%s for a %q page, %q: %d, want %d", path, c.site, c.mode, w.Code, c.status)
			}
		}
	}
}

func TestTraversal(t *testing.T) {
	s, dir := newSite(t, Options{}, smallRun("one"))
	secret := filepath.Join(filepath.Dir(dir), "secret")
	writeRecord(t, secret, []byte("the secret"))
	for _, path := range []string{
		"/run/..%2fsecret/", "/run/../secret/", "/run/%2e%2e/secret/", "/run/one/..%2f..%2fsecret%2frun.jsonl", "/run/one/profiles/..%2f..%2f..%2fsecret%2frun.jsonl",
		"/run/one/%2fetc%2fpasswd", "/run//etc/passwd", "/run/one%00/", "/assets/..%2fweb.go", "/assets/%2e%2e/web.go", "/assets/..%2f..%2f..%2fgo.mod",
		"/beside?a=../secret&b=one", "/beside/flame.svg?a=..%2fsecret&b=one", `/run/..\secret/`,
	} {
		w := get(s, strings.ReplaceAll(path, "\\", "%5c"))
		body := w.Body.String()
		if strings.Contains(body, "the secret") || strings.Contains(body, "package web") || strings.Contains(body, "root:") || strings.Contains(body, "module corelab") {
			t.Errorf("%s leads out of the folder: %d", path, w.Code)
		}
		if w.Code == 200 && !strings.HasPrefix(path, "/beside") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// notShown is what of a page nobody reads: scripts, and the insides of tags.
var notShown = regexp.MustCompile(`(?s)<script[^>]*>.*?</script>|<style>.*?</style>|<[^>]*>`)

// TestHostileNames puts harmful text wherever a record or a folder has a name, and looks for it on every page.
func TestHostileNames(t *testing.T) {
	ids := []string{`<img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, "a b%2f..%2f?x=y#z", "line\nfeed", "\u202eevil", `back\slash`, "{{.}}", "-rf", "%", "\xff\xfe"}
	evil := func(r *results.Run) {
		r.Commit, r.Host.Hostname, r.Host.CPU, r.Host.Kernel = hostile, hostile, hostile, hostile
		r.Command = []string{"corelab", hostile}
		r.Scenarios = []results.Scenario{{Name: hostile, Question: hostile, Why: hostile, Load: hostile}}
		r.Targets = []results.Target{{Name: hostile, Kind: hostile, Note: hostile, Config: hostile, Version: hostile}, {Name: "nginx"}}
	}
	s, dir := newSite(t, Options{})
	for _, id := range ids {
		run := results.Run{Kind: results.KindRun, Schema: results.Schema, ID: id, Started: time.Now()}
		evil(&run)
		w := beginRun(t, t.TempDir(), "x", evil)
		for round := 1; round <= 2; round++ {
			for _, target := range []string{hostile, "nginx"} {
				tr := trial(target, round, 1000, 1000)
				tr.Scenario, tr.Case = hostile, hostile
				tr.Warnings = []results.Warning{{Code: hostile, Text: hostile}}
				tr.Missing = []results.Missing{{Figure: "latency", Reason: hostile}}
				if err := w.Append(tr); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Append(results.Trial{Scenario: hostile, Target: "nginx", Error: hostile}); err != nil {
			t.Fatal(err)
		}
		w.Close()
		b, err := os.ReadFile(filepath.Join(w.Dir(), results.RunFile))
		if err != nil {
			t.Fatal(err)
		}
		writeRecord(t, filepath.Join(dir, id), b)
	}
	index := get(s, "/").Body.String()
	paths := []string{"/", "/?q=" + url.QueryEscape(hostile) + "&scenario=" + url.QueryEscape(hostile)}
	for _, id := range ids {
		if !strings.Contains(index, strings.ReplaceAll(runPath(id), "&", "&amp;")) {
			t.Errorf("the list does not link to %q", id)
		}
		q := url.Values{"a": {id}, "b": {ids[0]}}.Encode()
		paths = append(paths, runPath(id), runPath(id)+"live", "/beside?"+q, "/beside?part=choose&"+q)
	}
	for _, path := range paths {
		w := get(s, path)
		if w.Code != 200 {
			t.Errorf("%s: %d %.300s", path, w.Code, w.Body)
		}
		for _, harm := range []string{"<img src=x", "<svg onload", `onerror="document`} {
			if strings.Contains(w.Body.String(), harm) {
				t.Errorf("%s holds %q as it is", path, harm)
			}
		}
		if strings.Contains(notShown.ReplaceAllString(w.Body.String(), ""), "\u202e") {
			t.Errorf("%s shows a mark that changes the writing direction", path)
		}
	}
}

func TestBrokenRuns(t *testing.T) {
	s, dir := newSite(t, Options{MaxRecord: 1 << 20}, smallRun("good"))
	outside := t.TempDir()
	writeRecord(t, outside, []byte("outside"))
	whole, err := os.ReadFile(filepath.Join(dir, "good", results.RunFile))
	if err != nil {
		t.Fatal(err)
	}
	writeRecord(t, filepath.Join(dir, "empty"), nil)
	writeRecord(t, filepath.Join(dir, "nonsense"), []byte("nonsense\n"))
	writeRecord(t, filepath.Join(dir, "later"), []byte(`{"kind":"run","schema":99}`+"\n"))
	writeRecord(t, filepath.Join(dir, "middle"), bytes.Replace(whole, []byte(`"round":3`), []byte(`"round":3,"surprise":1`), 1))
	writeRecord(t, filepath.Join(dir, "large"), append(bytes.Clone(whole), make([]byte, 1<<20)...))
	writeRecord(t, filepath.Join(dir, "torn"), whole[:len(whole)-100])
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "folder", results.RunFile), 0o777))
	must(os.Mkdir(filepath.Join(dir, "link"), 0o777))
	must(os.Symlink(filepath.Join(outside, results.RunFile), filepath.Join(dir, "link", results.RunFile)))
	must(os.Symlink(outside, filepath.Join(dir, "elsewhere")))
	must(os.Mkdir(filepath.Join(dir, "pipe"), 0o777))
	must(unix.Mkfifo(filepath.Join(dir, "pipe", results.RunFile), 0o666))
	must(os.Mkdir(filepath.Join(dir, "foreign"), 0o777))
	index := get(s, "/").Body.String()
	for _, says := range []string{"3 runs", "<b>empty</b>: the record has no whole first line", "<b>nonsense</b>: ", "update corelab", "<b>large</b>: large/run.jsonl has 1.0 MiB",
		"<b>folder</b>: ", "<b>link</b>: ", "<b>pipe</b>: ", "foreign: no run.jsonl", "middle", "torn"} {
		if !strings.Contains(index, says) {
			t.Errorf("the list does not say %q", says)
		}
	}
	for _, silent := range []string{"outside", "elsewhere", dir} {
		if strings.Contains(index, silent) {
			t.Errorf("the list says %q", silent)
		}
	}
	for id, want := range map[string]struct {
		status int
		says   string
	}{
		"middle": {500, "unknown field"}, "nonsense": {500, "invalid character"}, "later": {500, "update corelab"}, "large": {500, "slim"},
		"folder": {500, "no file"}, "link": {500, "no file"}, "pipe": {500, "no file"}, "empty": {500, "the file is empty"},
		"torn": {200, "torn"}, "foreign": {404, "There is no such run"}, "elsewhere": {404, "There is no such run"},
	} {
		w := get(s, "/run/"+id+"/")
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.says) || !strings.Contains(w.Body.String(), `<a href="/">All runs</a>`) {
			t.Errorf("%s: %d, want %d and %q: %.1000s", id, w.Code, want.status, want.says, w.Body)
		}
		if live := get(s, "/run/"+id+"/live"); want.status != 404 && live.Code != 200 {
			t.Errorf("%s/live: %d", id, live.Code)
		}
		if w := get(s, "/beside?a="+id+"&b=good"); want.status == 500 && (w.Code != 200 || strings.Contains(w.Body.String(), "paired")) {
			t.Errorf("%s beside another: %d", id, w.Code)
		}
	}
}

func TestNew(t *testing.T) {
	if _, err := New(filepath.Join(t.TempDir(), "nothing"), Options{}); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("a folder that is not there: %v", err)
	}
	s, _ := newSite(t, Options{})
	if body := get(s, "/").Body.String(); !strings.Contains(body, "No runs yet") || !strings.Contains(body, "corelab bench") {
		t.Error("an empty folder does not say what to do")
	}
	dir := t.TempDir()
	smallRun("20261122-101500-bench")(t, dir)
	one, err := New(filepath.Join(dir, "20261122-101500-bench"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if body := get(one, "/").Body.String(); !strings.Contains(body, `href="/run/20261122-101500-bench/"`) {
		t.Error("a run's own folder is not a list of one")
	}
	if w := get(one, "/run/20261122-101500-bench/"); w.Code != 200 {
		t.Errorf("its report: %d", w.Code)
	}
	one.Close()
	if w := get(one, "/"); w.Code != 500 {
		t.Errorf("a site that is closed: %d", w.Code)
	}
}

// TestRecordsAreKept holds that a record is read once as long as its file stays as it is, and that what is kept is bounded.
func TestRecordsAreKept(t *testing.T) {
	s, dir := newSite(t, Options{}, smallRun("one"))
	read := func(id string) *kept {
		t.Helper()
		run, ok := s.runs.find(id)
		if !ok {
			t.Fatalf("%s is not in the list", id)
		}
		k, err := s.records.get(s.dir, run)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := read("one")
	if read("one") != first {
		t.Error("a record that did not change was read again")
	}
	path := filepath.Join(dir, "one", results.RunFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	writeRecord(t, filepath.Join(dir, "one"), bytes.Join(lines[:4], nil))
	if second := read("one"); second == first || len(second.rec.Trials) != 3 {
		t.Error("a record that changed was not read again")
	}
	for i := range maxKept + 3 {
		id := fmt.Sprintf("more-%d", i)
		smallRun(id)(t, dir)
		read(id)
	}
	if len(s.records.kept) != maxKept {
		t.Errorf("%d records are kept", len(s.records.kept))
	}
	if slices.ContainsFunc(s.records.kept, func(k *kept) bool { return k.path == "one" }) {
		t.Error("the record that was asked for longest ago is kept")
	}
}

func TestIndexFilters(t *testing.T) {
	s, _ := newSite(t, Options{}, smallRun("20261122-101500-bench"), smallRun("20261122-111500-compare", func(r *results.Run) {
		r.Started = r.Started.Add(time.Hour)
		r.Compare = &results.Compare{Max: time.Minute}
		r.Commit, r.Host.Hostname = "fedcba987654", "there"
		r.Scenarios = []results.Scenario{{Name: "churn"}}
		r.Targets = []results.Target{{Name: "A"}, {Name: "B"}}
	}))
	for query, want := range map[string][]string{
		"":                             {"20261122-111500-compare", "20261122-101500-bench"}, // the newest first
		"q=compare":                    {"20261122-111500-compare"},
		"q=FEDCBA+churn":               {"20261122-111500-compare"},
		"q=ended":                      {"20261122-111500-compare", "20261122-101500-bench"},
		"scenario=plaintext":           {"20261122-101500-bench"},
		"target=B":                     {"20261122-111500-compare"},
		"target=reactor":               {"20261122-101500-bench"},
		"machine=there, a CPU, 2 CPUs": {"20261122-111500-compare"},
		"target=B&scenario=plaintext":  {},
	} {
		body := get(s, "/?part=runs&"+strings.ReplaceAll(query, " ", "+")).Body.String()
		var got []string
		for part := range strings.SplitSeq(body, `<th scope="row" class="text"><a href="/run/`) {
			if id, _, ok := strings.Cut(part, `/"`); ok && !strings.HasPrefix(part, "<p") {
				got = append(got, id)
			}
		}
		if !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

func TestServe(t *testing.T) {
	s, _ := newSite(t, Options{}, smallRun("one"))
	l := listen(t)
	ended := make(chan error, 1)
	ctx, stop := contextOf(t)
	go func() { ended <- s.Serve(ctx, l) }()
	answer, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !strings.Contains(string(b), "One run") {
		t.Errorf("%v: %.300s", err, b)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("it goes on though it was to end")
	}
}
