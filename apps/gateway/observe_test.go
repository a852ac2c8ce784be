package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bound is how long a test waits for what happens in the background.
const bound = 20 * time.Second

// await waits until holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// opened is a gateway of a configuration whose one route, only, is answered by a stage of the test.
func opened(t testing.TB, src string, last ...Stage) *Gateway {
	t.Helper()
	g, err := New(Read("test.toml", []byte(src)))
	if err != nil {
		t.Fatal(err)
	}
	return answeredBy(g, last...)
}

// answeredBy puts stages before the end of the first route's pipeline.
func answeredBy(g *Gateway, last ...Stage) *Gateway {
	sn := g.snapshot.Load()
	old := sn.table.routes[0]
	n := len(old.stages) - 1
	rt := newRoute(old.Name, slices.Concat(withoutForward(old.stages[:n]), last, old.stages[n:]))
	rt.Index, rt.Upstream, rt.Config = old.Index, old.Upstream, old.Config
	sn.table.routes[0] = rt
	return g
}

// withoutForward is a copy of stages without forward, so that something else may stand in for it.
func withoutForward(stages []Stage) []Stage {
	return slices.DeleteFunc(slices.Clone(stages), func(s Stage) bool { _, is := s.(*forward); return is })
}

// fake is a stage that plays forward: it makes attempts, and answers.
type fake struct {
	attempts []Attempt
	answer   Answer
	seen     func(r *Request)
}

func (f *fake) Enter(r *Request) Verdict {
	for i := range f.attempts {
		f.attempts[i].Endpoint = r.Route.Upstream.Endpoints[0]
		r.Attempted(&f.attempts[i])
	}
	if f.seen != nil {
		f.seen(r)
	}
	if f.answer.Status == 0 {
		r.Drop(errors.New("the upstream \"lied\""))
	} else {
		r.Answer(&f.answer)
	}
	return Done
}

func (*fake) Leave(*Request, *Outcome) {}

const observed = `
[observe]
metrics = true
request_id = true
%s
[upstreams.users]
endpoints = [{ address = "127.0.0.1:8081" }]
[[routes]]
name = "only \"one\""
path = "/"
upstream = "users"
`

// ask sends requests, each on a connection of its own, and returns the last answer.
func ask(t *testing.T, g *Gateway, requests ...string) string {
	t.Helper()
	w := newWorld(t, g, true)
	var p *peer
	for _, r := range requests {
		p = w.dial()
		p.send(r)
		p.turn(time.Millisecond)
		p.write()
		if !p.closed {
			p.leave(nil)
		}
	}
	w.whole(g)
	return string(p.out)
}

func TestMetrics(t *testing.T) {
	g := opened(t, fmt.Sprintf(observed, ""), &fake{answer: Answer{Status: 503, Body: []byte("no")}, attempts: []Attempt{
		{Err: errors.New("refused"), Latency: 2e6}, {Status: 503, Latency: 20e9, Reused: true}, {Status: 200}, {Gone: true}}})
	ask(t, g, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
	text := g.Scrape().Text(nil)
	for _, want := range []string{
		`gateway_requests_total{route="only \"one\"",status="503"} 2`,
		`gateway_requests_total{route="",status="404"} 1`,
		`gateway_requests_in_flight{route="only \"one\""} 0`,
		`gateway_response_bytes_total{route="only \"one\""} 4`,
		`gateway_request_seconds_count{route="only \"one\""} 2`,
		`gateway_attempts_total{upstream="users",endpoint="127.0.0.1:8081",result="failed"} 2`,
		`gateway_attempts_total{upstream="users",endpoint="127.0.0.1:8081",result="status"} 2`,
		`gateway_attempts_total{upstream="users",endpoint="127.0.0.1:8081",result="gone"} 2`,
		`gateway_attempts_reused_total{upstream="users",endpoint="127.0.0.1:8081"} 2`,
		`gateway_attempt_seconds_bucket{upstream="users",endpoint="127.0.0.1:8081",le="10"} 4`,
		`gateway_attempt_seconds_bucket{upstream="users",endpoint="127.0.0.1:8081",le="+Inf"} 6`,
		`gateway_shards 1`, `gateway_shards_late 0`, `gateway_config_number 1`, `gateway_ready 1`,
	} {
		if !bytes.Contains(text, []byte("\n"+want+"\n")) {
			t.Errorf("no line %s", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
	promtool(t, text)
}

// promtool has Prometheus's own tool judge an exposition.
func promtool(t *testing.T, text []byte) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: promtool is not installed; scripts/tools.sh promtool installs it on Debian")
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s\n%s", err, out, text)
	}
}

// TestManyStatuses does not grow with what upstreams invent.
func TestManyStatuses(t *testing.T) {
	var c routeCount
	for status := 200; status < 600; status++ {
		c.note(&Outcome{Status: status})
		c.note(&Outcome{Status: 200})
	}
	total := uint64(0)
	for _, s := range c.statuses {
		total += s.n
	}
	if len(c.statuses) != maxStatuses || total != 800 || c.statuses[0].n != 401 {
		t.Errorf("%d statuses, %d requests, %d of 200", len(c.statuses), total, c.statuses[0].n)
	}
}

// lines reads a log.
func lines(t *testing.T, path string) (all []map[string]any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, m)
	}
	return all
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	g := opened(t, fmt.Sprintf(observed, fmt.Sprintf("log = { file = %q, flush = \"5ms\" }", path)),
		&fake{attempts: []Attempt{{Status: 200}}})
	ask(t, g, "GET /?q=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\n\r\n")
	answeredBy(g, &fake{answer: Answer{Status: 201, Body: []byte("made"), From: FromCache}})
	await(t, "the first line is written", func() bool { b, _ := os.ReadFile(path); return len(b) > 0 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	await(t, "the file is there anew", func() bool { _, err := os.Stat(path); return err == nil })
	ask(t, g, "BREW /none%22 HTTP/1.1\r\nHost: b\r\nX-Request-Id: not\tplain\r\n\r\n")
	g.Close()
	first, second := lines(t, path+".1"), lines(t, path)
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("%v, %v", first, second)
	}
	for key, want := range map[string]any{"method": "GET", "host": "a", "path": "/", "route": `only "one"`, "status": 499., "bytes": 0.,
		"id": "mine-1", "upstream": "127.0.0.1:8081", "attempts": 1., "error": `the upstream "lied"`} {
		if first[0][key] != want {
			t.Errorf("%s: %v, want %v", key, first[0][key], want)
		}
	}
	for key, want := range map[string]any{"method": "BREW", "host": "b", "path": "/none%22", "route": "", "status": 404.} {
		if second[0][key] != want {
			t.Errorf("%s: %v, want %v", key, second[0][key], want)
		}
	}
	if id, _ := second[0]["id"].(string); len(id) != maxRequestID {
		t.Errorf("id %q", id)
	}
	when, err := time.Parse(time.RFC3339Nano, fmt.Sprint(first[0]["time"]))
	if err != nil || time.Since(when).Abs() > time.Hour {
		t.Errorf("time %v: %v", first[0]["time"], err)
	}
}

// TestLogFull loses lines when nobody writes them, and counts each.
func TestLogFull(t *testing.T) {
	j := &journal{pages: make(chan []byte, 1), spare: make(chan []byte, 1)}
	p := &pages{log: j}
	for range 5 {
		p.page, p.lines = append(p.page, "x\ny\n"...), p.lines+2
		p.hand()
	}
	if j.full.Load() != 8 || len(j.pages) != 1 {
		t.Errorf("%d lines lost, %d pages wait", j.full.Load(), len(j.pages))
	}
}

// TestLogOfReload goes on in the same file under a new configuration, and loses no line.
func TestLogOfReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	src := fmt.Sprintf(observed, fmt.Sprintf("log = { file = %q }", path))
	g := opened(t, src)
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for i := range 3 {
		ask(t, g, request, request)
		if i == 1 { // other settings: another journal, of the same file
			src = strings.Replace(src, "}\n", ", queue = 8 }\n", 1)
		}
		if err := g.Take(Read("test.toml", []byte(src))); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, g, request)
	g.Close()
	await(t, "all lines are written", func() bool { return len(lines(t, path)) == 7 })
}

func TestKafka(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "access"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	path := filepath.Join(t.TempDir(), "access.log")
	g := opened(t, fmt.Sprintf(observed, fmt.Sprintf(
		"log = { file = %q, flush = \"5ms\", kafka = { brokers = [%q], topic = \"access\", timeout = \"1s\" } }", path, cluster.ListenAddrs()[0])))
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	ask(t, g, request, request, request)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("access"), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got := 0
	for end := time.Now().Add(bound); got < 3 && time.Now().Before(end); {
		client.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			var m map[string]any
			if err := json.Unmarshal(r.Value, &m); err != nil || m["status"] != 404. {
				t.Errorf("%q: %v", r.Value, err)
			}
			got++
		})
	}
	if got != 3 || len(lines(t, path)) != 0 {
		t.Fatalf("%d lines in Kafka, %d in the file", got, len(lines(t, path)))
	}
	cluster.Close()
	ask(t, g, request, request)
	await(t, "the file takes what Kafka does not", func() bool { return len(lines(t, path)) == 2 })
	text := string(g.Scrape().Text(nil))
	for _, want := range []string{`{result="kafka"} 3`, `{result="kafka_failed"} 2`, `{result="file"} 2`, `{result="queue_full"} 0`} {
		if !strings.Contains(text, "gateway_log_lines_total"+want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	g.Close()
}

// gathered is what a collector was sent.
type gathered struct {
	mu    sync.Mutex
	spans []map[string]any
}

func (c *gathered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []map[string]any }
			ScopeSpans []struct{ Spans []map[string]any }
		}
	}
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(b, &doc)
	}
	if err != nil || r.Method != "POST" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, fmt.Sprint(err), 400)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range doc.ResourceSpans[0].ScopeSpans[0].Spans {
		s["resource"] = fmt.Sprint(doc.ResourceSpans[0].Resource.Attributes)
		c.spans = append(c.spans, s)
	}
}

func (c *gathered) all() []map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

func TestTrace(t *testing.T) {
	var c gathered
	server := httptest.NewServer(&c)
	defer server.Close()
	var sent string
	src := fmt.Sprintf(observed, fmt.Sprintf("trace = { sample = 1, endpoint = \"%s/v1/traces\", flush = \"5ms\", service = \"door\" }", server.URL))
	f := &fake{answer: Answer{Status: 200}, attempts: []Attempt{{Status: 200}}, seen: func(r *Request) {
		v, _ := FieldOf(r.ToUpstream.Lines(), "traceparent")
		sent = string(v)
	}}
	g := opened(t, src, f)
	const mine = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"
	ask(t, g, "GET /?q HTTP/1.1\r\nHost: a\r\n\r\n")
	own := sent
	ask(t, g, "GET / HTTP/1.1\r\nHost: a\r\nTraceparent: "+mine+"1\r\n\r\n")
	await(t, "two spans", func() bool { return len(c.all()) == 2 })
	spans := c.all()
	if own != "00-"+spans[0]["traceId"].(string)+"-"+spans[0]["spanId"].(string)+"-01" || spans[0]["parentSpanId"] != nil {
		t.Errorf("upstream got %q, span is %v", own, spans[0])
	}
	if spans[1]["traceId"] != mine[3:35] || spans[1]["parentSpanId"] != mine[36:52] || sent != "00-"+mine[3:35]+"-"+spans[1]["spanId"].(string)+"-01" {
		t.Errorf("upstream got %q, span is %v", sent, spans[1])
	}
	for _, want := range []string{"service.name", "door", `only "one"`, "127.0.0.1:8081", "http.response.status_code", "intValue:200"} {
		if !strings.Contains(fmt.Sprint(spans[1]), want) {
			t.Errorf("no %s in %v", want, spans[1])
		}
	}
	sent = ""
	ask(t, g, "GET / HTTP/1.1\r\nHost: a\r\nTraceparent: "+mine+"0\r\n\r\n")
	if sent != "" {
		t.Errorf("a request whose client does not sample got %q", sent)
	}
	server.Close()
	ask(t, g, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, "the lost span is counted", func() bool {
		return strings.Contains(string(g.Scrape().Text(nil)), `gateway_spans_total{result="failed"} 1`)
	})
	g.Close()
	if n := len(c.all()); n != 2 {
		t.Errorf("%d spans", n)
	}
}

func TestParseParent(t *testing.T) {
	const sound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for v, want := range map[string]bool{
		sound: true, sound + "x": false, sound[:54]: false, "ff" + sound[2:]: false, "01" + sound[2:] + "-more": true, "01" + sound[2:] + "more": false,
		strings.ToUpper(sound): false, "00-" + zeros + sound[35:]: false, sound[:36] + zeros[:16] + "-01": false, "": false,
		strings.Replace(sound, "0a", "0g", 1): false,
	} {
		var c traceContext
		if got := parseParent([]byte(v), &c); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

// TestSample begins a trace for the share that is asked for.
func TestSample(t *testing.T) {
	g := opened(t, fmt.Sprintf(observed, `trace = { sample = 0.25, endpoint = "http://127.0.0.1:1/" }`))
	tr := g.snapshot.Load().Routes[0].stages[0].(*observe).trace
	w := newWorld(t, g, false)
	n := 0
	s := newSight(nil)
	s.random.Seed(1, 2)
	answeredBy(g, &fake{answer: Answer{Status: 200}, seen: func(r *Request) {
		for range 10_000 {
			var c traceContext
			if tr.begin(r, &c, s) {
				n++
			}
		}
	}})
	p := w.dial()
	p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if n < 2300 || n > 2700 {
		t.Errorf("%d of 10000", n)
	}
	p.leave(nil)
	w.turn(0)
}

// TestObserveNoAllocation counts, names and logs without allocating.
func TestObserveNoAllocation(t *testing.T) {
	g := opened(t, fmt.Sprintf(observed, fmt.Sprintf("log = { file = %q, flush = \"1h\" }\ntrace = { sample = 0, endpoint = \"http://127.0.0.1:1/\" }",
		filepath.Join(t.TempDir(), "log"))), &fake{answer: Answer{Status: 200, Body: []byte("ok")}, attempts: []Attempt{{Status: 200}}})
	p := newWorld(t, g, false).dial()
	request := []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if n := testing.AllocsPerRun(50, func() {
		p.conn.Feed(request, p.now)
		p.out = p.out[:0]
		p.write()
	}); n != 0 {
		t.Errorf("%v allocations for a request", n)
	}
	if !bytes.Contains(p.out, []byte("\r\nX-Request-Id: ")) {
		t.Errorf("%q", p.out)
	}
}
