package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tally is state of a shard, under test.
type tally struct {
	n       int
	retired bool
}

func (t *tally) Retire(*Shard) { t.retired = true }

// worker is a service, under test.
type worker struct{ started, closed int }

func (w *worker) Start(*Gateway) { w.started++ }

func (w *worker) Close() error { w.closed++; return nil }

// counting is a stage that counts in its shard's tally.
type counting struct{ tally Kept[tally] }

func (c *counting) Enter(r *Request) Verdict {
	c.tally.Of(r.Shard).n++
	return Next
}

func (*counting) Leave(*Request, *Outcome) {}

// takeNamed takes a configuration whose stages keep a tally of that name, and share a worker with those settings.
func takeNamed(t *testing.T, g *Gateway, name, settings string, broken bool) (*counting, *worker) {
	t.Helper()
	var c *counting
	var w *worker
	was := kinds
	defer func() { kinds = was }()
	kinds = append([]kind{{"counting", func(b *Builder, rt *RouteConfig, _ *Upstream, _ string) Stage {
		c = &counting{Keep(b, "tally", name, func(*Shard) *tally { return &tally{} })}
		w = Share(b, "worker", "only", settings, func() *worker { return &worker{} })
		if broken {
			b.Fault("routes", "broken on purpose")
		}
		return c
	}, nil}}, was...)
	err := g.Take(Read("t", []byte("[[routes]]\nname = \"only\"\npath = \"/\"")))
	if broken != (err != nil) {
		t.Fatal(err)
	}
	return c, w
}

// TestStateOfReload keeps what a new configuration names too, and lets go of the rest.
func TestStateOfReload(t *testing.T) {
	g := opened(t, "[[routes]]\nname = \"only\"\npath = \"/\"")
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	var s *Shard
	ask(t, g, request)
	g.shards.each(func(x *Shard) { s = x })

	first, w1 := takeNamed(t, g, "a", "x", false)
	ask(t, g, request, request)
	mine := first.tally.Of(s)
	second, w2 := takeNamed(t, g, "a", "x", false)
	ask(t, g, request)
	if mine.n != 3 || second.tally.Of(s) != mine || mine.retired || w1 != w2 || w1.started != 1 || w1.closed != 0 {
		t.Errorf("after a reload that changes nothing: %+v, worker %+v, the same %v", mine, w1, w1 == w2)
	}
	_, w3 := takeNamed(t, g, "b", "y", true)
	ask(t, g, request)
	if mine.n != 4 || w3.started != 0 || w3.closed != 1 || w1.closed != 0 {
		t.Errorf("after a refused one: %+v, its worker %+v, the old worker %+v", mine, w3, w1)
	}
	third, w4 := takeNamed(t, g, "b", "y", false)
	if mine.retired {
		t.Error("retired before a request of the shard came to it")
	}
	ask(t, g, request)
	if !mine.retired || third.tally.Of(s).n != 1 || w1.closed != 1 || w4.started != 1 {
		t.Errorf("after a reload that names others: %+v, %+v, workers %+v, %+v", mine, third.tally.Of(s), w1, w4)
	}
	if old := first.tally.Of(s); old.n != 0 || third.tally.Of(s).n != 1 {
		t.Errorf("a request of an old configuration finds %+v", old)
	}
}

// TestNamesOfReload keeps no number for every name there ever was, and gives none to two.
func TestNamesOfReload(t *testing.T) {
	g := opened(t, "[[routes]]\nname = \"only\"\npath = \"/\"")
	for i := range 500 {
		c, _ := takeNamed(t, g, fmt.Sprint("name", i), "x", false)
		ask(t, g, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		g.shards.each(func(s *Shard) {
			if n := c.tally.Of(s).n; n != 1 {
				t.Fatalf("name%d was counted %d times", i, n)
			}
			if len(s.kept) > 2*forgetAfter {
				t.Fatalf("a shard keeps %d states after %d reloads", len(s.kept), i)
			}
		})
	}
	used := map[int]bool{}
	for _, id := range g.ids {
		if used[id.index] {
			t.Errorf("two states have the number %d", id.index)
		}
		used[id.index] = true
	}
}

// TestReload reads the file again, when told and when it changes, and says what was wrong.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.toml")
	write := func(s string) {
		if err := os.WriteFile(path+".new", []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const sound = "[[routes]]\nname = \"%s\"\npath = \"/\""
	write(fmt.Sprintf(sound, "one"))
	g, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan error, 8)
	ended := make(chan struct{})
	go func() {
		g.Watch(ctx, func(err error) { told <- err })
		close(ended)
	}()
	write(fmt.Sprintf(sound, "two") + "\nbogus = 1")
	next := func() error {
		t.Helper()
		select {
		case err := <-told:
			return err
		case <-time.After(bound):
			t.Fatal("nobody saw that the file changed")
			return nil
		}
	}
	if err := next(); err == nil || !strings.HasPrefix(err.Error(), path+":4:1: routes.0.bogus: no such key") {
		t.Errorf("a broken file: %v", err)
	}
	if !strings.HasPrefix(g.Describe(), "configuration 1:") || g.snapshot.Load().Routes[0].Name != "one" {
		t.Errorf("after a broken file: %s", g.Describe())
	}
	write(fmt.Sprintf(sound, "three"))
	if err := next(); err != nil || g.snapshot.Load().Routes[0].Name != "three" {
		t.Errorf("a new file: %v, %s", err, g.Describe())
	}
	cancel()
	<-ended
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(); err == nil || g.snapshot.Load().Routes[0].Name != "three" {
		t.Errorf("no file: %v", err)
	}
	g.Close()
}

// TestFaultsAtOnce says all that is wrong, each with its line.
func TestFaultsAtOnce(t *testing.T) {
	_, err := New(Read("g.toml", []byte(`[admin]
listen = "0.0.0.0:1"
key = { value = "short" }
[upstreams.a]
endpoints = [{ address = "localhost:80" }, { address = "127.0.0.1:1", weight = -1 }, { address = "127.0.0.1:1" }]
[upstreams.b]
[[routes]]
path = "/"
upstream = "c"
[[routes]]
name = "x"
path = "/x"
null = -1
[[routes]]
name = "x"
path = "/y"
[observe.log]
[observe.trace]
sample = 2
endpoint = "https://secure"
`)))
	if err == nil {
		t.Fatal("it was taken")
	}
	want := []string{
		"g.toml:2:1: admin.listen: 0.0.0.0 is not", "g.toml:3:1: admin.key: the key has 5 bytes; it needs 16",
		"g.toml:5:16: upstreams.a.endpoints.0.address: \"localhost:80\" is no IP address", "g.toml:5:71: upstreams.a.endpoints.1.weight",
		"g.toml:5:88: upstreams.a.endpoints.2.address: 127.0.0.1:1 is there twice", "g.toml:6:2: upstreams.b: there is no endpoint",
		"g.toml:7:3: routes.0.name: a route needs a name", "g.toml:9:1: routes.0.upstream: there is no upstream \"c\"; there are a, b",
		"g.toml:13:1: routes.1.null", "g.toml:15:1: routes.2.name: routes.1 is called \"x\" too", "g.toml:17:2: observe.log.file",
		"g.toml:19:1: observe.trace.sample", "g.toml:20:1: observe.trace.endpoint: \"https://secure\" is no collector",
	}
	got := strings.Split(err.Error(), "\n")
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got\n%s\nwant\n%s", err, strings.Join(want, "\n"))
	}
	_, err = New(Read("g.toml", []byte("a = 1")))
	if _, isFaults := errors.AsType[*Faults](err); !isFaults {
		t.Errorf("%T", err)
	}
}

// TestHealth is answered before any route, where the configuration says so.
func TestHealth(t *testing.T) {
	const src = "[serve]\nhealth = true\n[[routes]]\nname = \"only\"\npath = \"/health\""
	g := opened(t, src)
	for _, c := range []struct{ path, want string }{{"/health", "200 OK"}, {"/ready", "200 OK"}, {"/other", "404"}} {
		if got := ask(t, g, "GET "+c.path+" HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+c.want) {
			t.Errorf("%s: %q", c.path, got)
		}
	}
	g.Drain()
	if got := ask(t, g, "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 503") {
		t.Errorf("draining: %q", got)
	}
	g = opened(t, strings.Replace(src, "true", "false", 1), &fake{answer: Answer{Status: 202}})
	if got := ask(t, g, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 202") {
		t.Errorf("off: %q", got)
	}
}

// TestAdmin asks the admin interface, with the key and without.
func TestAdmin(t *testing.T) {
	const key = "0123456789abcdef"
	src := "[admin]\nlisten = \"127.0.0.1:9901\"\nkey = { value = \"" + key + "\" }\n[[routes]]\nname = \"one\"\npath = \"/\""
	g := opened(t, src)
	w := newWorldOf(t, g.AdminRoutes())
	send := func(head, body string) string {
		p := w.dial()
		p.send(fmt.Sprintf("%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body))
		await(t, "an answer", func() bool { p.turn(time.Millisecond); p.write(); return len(p.out) > 0 })
		p.leave(nil)
		return string(p.out)
	}
	withKey := func(head, body string) string {
		p := w.dial()
		p.send(fmt.Sprintf("%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+key+"\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body))
		p.leave(nil)
		return string(p.out)
	}
	for _, c := range []struct{ got, status, part string }{
		{send("GET /metrics", ""), "200", "gateway_routes 1\n"},
		{send("GET /health", ""), "200", "ok"},
		{send("GET /ready", ""), "200", "ready"},
		{send("GET /config", ""), "401", "key"},
		{send("PUT /config", src), "401", "key"},
		{send("POST /reload", ""), "401", "key"},
		{withKey("GET /config", ""), "200", "configuration 1: 1 routes"},
		{withKey("POST /reload", ""), "422", "came from no file"},
		{withKey("PUT /config", src+"\nmethod = 1"), "422", "body:7:1: routes.0.method"},
		{withKey("GET /config", ""), "200", "configuration 1: 1 routes"},
		{withKey("PUT /config", src+"\n[[routes]]\nname = \"two\"\npath = \"/two\""), "200", "configuration 2 is in force"},
		{withKey("GET /config", ""), "200", "configuration 2: 2 routes"},
	} {
		if !strings.HasPrefix(c.got, "HTTP/1.1 "+c.status) || !strings.Contains(c.got, c.part) {
			t.Errorf("got %q, want %s with %s", c.got, c.status, c.part)
		}
	}
	metrics := string(g.Scrape().Text(nil))
	for _, want := range []string{`gateway_config_reloads_total{result="refused"} 2`, `gateway_config_reloads_total{result="taken"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
	w.whole(g)
}
