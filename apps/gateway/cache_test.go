package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const cacheConfig = `
[upstreams.up]
endpoints = [{ address = "127.0.0.1:1" }]
[[routes]]
name = "cached"
path = "/*rest"
upstream = "up"
cache = { wait = "5s" }
`

// TestCacheStage plays a day of a cached route.
func TestCacheStage(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		status, fields, body := 200, "Cache-Control: max-age=10, stale-if-error=10|ETag: \"1\"|Content-Type: text/plain", "one"
		o := &standIn{answer: func(*Request) (int, string, string) { return status, fields, body }}
		g := stand(t, cacheConfig, o)
		w := newWorld(t, g, shared)
		asked := 0
		want := func(what, path, request, want string, asks int, with string) {
			t.Helper()
			asked += asks
			if got := w.get(path, request); got != want || o.asked != asked || asks > 0 && o.last != with {
				t.Errorf("%s: %s with %d asked, by %q; want %s with %d, by %q", what, got, o.asked, o.last, want, asked, with)
				asked = o.asked
			}
		}
		const without = "-If-None-Match\n-If-Modified-Since\n"
		want("first", "/a", "", "200 MISS one", 1, without)
		want("again", "/a", "", "200 HIT 0 one", 0, "")
		w.turn(9 * time.Second)
		want("nine seconds later", "/a", "", "200 HIT 9 one", 0, "")
		want("the client has it", "/a", `If-None-Match: "1"`, "304 HIT 9", 0, "")
		want("the client has another", "/a", `If-None-Match: "2"`, "200 HIT 9 one", 0, "")
		status, body = 304, ""
		w.turn(time.Second)
		want("validated", "/a", "", "200 REVALIDATED 0 one", 1, "If-None-Match: \"1\"\r\n"+without)
		want("fresh again", "/a", "", "200 HIT 0 one", 0, "")
		status, body = 200, "two"
		w.turn(10 * time.Second)
		want("replaced", "/a", `If-None-Match: "1"`, "304 EXPIRED", 1, "If-None-Match: \"1\"\r\n"+without) // the same tag
		want("replaced, and stored", "/a", "", "200 HIT 0 two", 0, "")
		w.turn(15 * time.Second)
		status = 503
		want("stale by an error", "/a", "", "200 STALE 15 two", 1, "If-None-Match: \"1\"\r\n"+without)
		status = 0
		want("stale without an answer", "/a", "", "200 STALE 15 two", 1, "If-None-Match: \"1\"\r\n"+without)
		w.turn(5 * time.Second)
		want("too stale", "/a", "", "502 EXPIRED", 1, "If-None-Match: \"1\"\r\n"+without)
		status, fields, body = 200, "Cache-Control: private", "mine"
		want("not stored", "/b", "", "200 MISS mine", 1, without)
		want("not stored, again", "/b", "", "200 MISS mine", 1, without)
		want("authorised", "/b", "Authorization: x", "200 MISS mine", 1, without)
		want("a part", "/b", "Range: bytes=0-1", "200 BYPASS mine", 1, "")
		want("only if cached", "/b", "Cache-Control: only-if-cached", "504 MISS", 0, "")
		status = 304
		want("a 304 that nobody asked for", "/c", "", "502 MISS", 1, without)
		w.whole(g)
	})
}

// TestCacheHead: HEAD is answered from GET's answer, and with no content.
func TestCacheHead(t *testing.T) {
	o := says(200, "Cache-Control: max-age=10", "hello")
	w := newWorld(t, stand(t, cacheConfig, o), false)
	w.get("/a", "")
	out, p := w.ask("HEAD /a HTTP/1.1|Host: h")
	p.leave(nil)
	if !strings.Contains(out, "Content-Length: 5\r\n") || !strings.Contains(out, "HIT") || !strings.HasSuffix(out, "\r\n\r\n") || o.asked != 1 {
		t.Errorf("%q with %d asked", out, o.asked)
	}
}

// TestCacheUnsafe: what may have changed something is followed by a miss.
func TestCacheUnsafe(t *testing.T) {
	for status, want := range map[int]string{200: "200 MISS x", 404: "200 HIT 0 x"} {
		o := says(200, "Cache-Control: max-age=10", "x")
		w := newWorld(t, stand(t, cacheConfig, o), false)
		w.get("/a", "")
		o.answer = func(*Request) (int, string, string) { return status, "", "" }
		_, p := w.ask("DELETE http://h/a HTTP/1.1|Host: h")
		p.leave(nil)
		o.answer = says(200, "Cache-Control: max-age=10", "x").answer
		if got := w.get("/a", ""); got != want {
			t.Errorf("after DELETE with %d: %s", status, got)
		}
	}
}

// TestCacheCollapse: a thousand clients at once are one question; all get the answer.
func TestCacheCollapse(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		const n = 1000
		for name, c := range map[string]struct {
			fields string
			stream int
			asked  int
			want   string
		}{
			"stored":  {"Cache-Control: max-age=10", 0, 1, "200 HIT 0 hello"},
			"stream":  {"Cache-Control: max-age=10", 3, 1, "200 HIT 0 piecepiecepiece"},
			"private": {"Cache-Control: private", 0, n, "200 MISS hello"},
		} {
			o := says(200, c.fields, "hello")
			o.delay, o.stream = 10*time.Millisecond, c.stream
			g := stand(t, cacheConfig, o)
			w := newWorld(t, g, shared)
			var all []*peer
			for range n {
				_, p := w.ask("GET /a HTTP/1.1|Host: h")
				all = append(all, p)
			}
			if o.asked != 1 {
				t.Errorf("%s: %d asked at once", name, o.asked)
			}
			for range 8 {
				w.turn(10 * time.Millisecond)
				for _, p := range all {
					p.write()
				}
			}
			for i, p := range all[1:] {
				if got := short(string(p.out)); got != c.want {
					t.Fatalf("%s: %d got %s, want %s", name, i, got, c.want)
				}
			}
			if o.asked != c.asked {
				t.Errorf("%s: %d asked, want %d", name, o.asked, c.asked)
			}
			for _, p := range all {
				p.leave(nil)
			}
			w.whole(g)
		}
	})
}

// TestCacheLeft: when the client that asks for the others leaves, the next one asks; when one that waits leaves, nothing.
func TestCacheLeft(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		o := says(200, "Cache-Control: max-age=10", "hello")
		o.delay = 10 * time.Millisecond
		g := stand(t, cacheConfig, o)
		w := newWorld(t, g, shared)
		var all []*peer
		for range 4 {
			_, p := w.ask("GET /a HTTP/1.1|Host: h")
			all = append(all, p)
		}
		all[1].leave(errors.New("reset"))
		all[0].leave(errors.New("reset"))
		for range 4 {
			w.turn(5 * time.Millisecond)
		}
		for i, want := range []string{"", "", "200 MISS hello", "200 HIT 0 hello"} {
			all[i].write()
			if got := short(string(all[i].out)); got != want {
				t.Errorf("%d got %q, want %q", i, got, want)
			}
		}
		if o.asked != 2 {
			t.Errorf("%d asked", o.asked)
		}
		all[2].leave(nil)
		all[3].leave(nil)
		w.whole(g)
	})
}

// TestCacheWait: nobody waits for longer than the route says.
func TestCacheWait(t *testing.T) {
	o := says(200, "Cache-Control: max-age=10", "hello")
	o.delay = time.Hour
	g := stand(t, cacheConfig, o)
	w := newWorld(t, g, false)
	_, first := w.ask("GET /a HTTP/1.1|Host: h")
	_, second := w.ask("GET /a HTTP/1.1|Host: h")
	w.turn(4 * time.Second)
	if o.asked != 1 {
		t.Errorf("%d asked", o.asked)
	}
	o.delay = 0
	w.turn(time.Second)
	second.write()
	if got := short(string(second.out)); got != "200 MISS hello" || o.asked != 2 {
		t.Errorf("%s with %d asked", got, o.asked)
	}
	second.leave(nil)
	first.leave(nil)
	w.whole(g)
}

// TestCacheUpdating: while one client's request validates, the others get the stale answer at once.
func TestCacheUpdating(t *testing.T) {
	o := says(200, "Cache-Control: max-age=1, stale-while-revalidate=10", "hello")
	g := stand(t, cacheConfig, o)
	w := newWorld(t, g, false)
	w.get("/a", "")
	w.turn(2 * time.Second)
	o.delay = 10 * time.Millisecond
	_, first := w.ask("GET /a HTTP/1.1|Host: h")
	for range 3 {
		if got := w.get("/a", ""); got != "200 UPDATING 2 hello" || o.asked != 2 {
			t.Errorf("%s with %d asked", got, o.asked)
		}
	}
	w.turn(10 * time.Millisecond)
	first.write()
	if got := short(string(first.out)); !strings.HasPrefix(got, "200 UPDATING") && !strings.HasPrefix(got, "200 EXPIRED") {
		t.Errorf("the first got %s", got)
	}
	if got := w.get("/a", ""); got != "200 HIT 0 hello" {
		t.Error(got)
	}
	first.leave(nil)
	w.whole(g)
}

// TestCacheCut: an answer that breaks off is not stored, and who waits is not kept waiting.
func TestCacheCut(t *testing.T) {
	o := says(200, "Cache-Control: max-age=10", "")
	o.stream = 3
	g := stand(t, cacheConfig, o)
	w := newWorld(t, g, false)
	_, first := w.ask("GET /a HTTP/1.1|Host: h")
	_, second := w.ask("GET /a HTTP/1.1|Host: h")
	w.turn(time.Millisecond)
	first.write()
	first.leave(errors.New("reset"))
	for range 8 {
		w.turn(time.Millisecond)
		second.write()
	}
	if got := short(string(second.out)); !strings.HasPrefix(got, "200 MISS") || o.asked != 2 {
		t.Errorf("%s with %d asked", got, o.asked)
	}
	second.leave(nil)
	w.whole(g)
}

func TestCacheRefused(t *testing.T) {
	for config, want := range map[string]string{
		"[cache]\nbytes = \"1KB\"\n" + cacheConfig:             "cache.bytes",
		"[cache]\nheuristic = 1.5\n" + cacheConfig:             "cache.heuristic",
		strings.Replace(cacheConfig, `upstream = "up"`, "", 1): "routes.0.cache",
	} {
		if got := refused(t, config); !strings.Contains(got, want) {
			t.Error(got)
		}
	}
}

// TestStagesAllocate: in the steady state none of the stages takes memory.
func TestStagesAllocate(t *testing.T) {
	for name, c := range stageBenchmarks {
		g := stand(t, c.config, &fixedOrigin{answer: Answer{Status: 200, Body: []byte("hello"), From: FromUpstream,
			Fields: []byte("Cache-Control: max-age=100000\r\n")}})
		w := newWorld(t, g, false)
		p := w.dial()
		in := []byte(strings.ReplaceAll(c.request, "|", "\r\n") + "\r\n\r\n")
		one := func() {
			p.out = p.out[:0]
			p.conn.Feed(in, p.now)
			p.write()
			w.now += int64(time.Millisecond)
		}
		for range 100 {
			one()
		}
		if n := testing.AllocsPerRun(500, one); n != 0 || !strings.HasPrefix(string(p.out), "HTTP/1.1 200") {
			t.Errorf("%s: %.1f allocations, %.20q", name, n, p.out)
		}
		p.leave(nil)
	}
}

const benchUpstream = `
[upstreams.up]
endpoints = [{ address = "127.0.0.1:1" }, { address = "127.0.0.1:2" }, { address = "127.0.0.1:3", tags = { version = "2" } }]
balance = { method = "%s", outliers = {} }
`

// stageBenchmarks are the stages, each alone behind routing, which comes with every request.
var stageBenchmarks = func() map[string]struct{ config, request string } {
	const request = "GET /users/4711?x=y HTTP/1.1|Host: example.org|User-Agent: test|Accept: */*"
	route := "[[routes]]\nname = \"a\"\npath = \"/users/:id\"\n"
	all := map[string]struct{ config, request string }{
		"route":   {route, request},
		"null":    {route + "null = 1\n", request},
		"balance": {fmt.Sprintf(benchUpstream, "weighted") + route + "upstream = \"up\"\n", request},
		"p2c":     {fmt.Sprintf(benchUpstream, "peak-ewma") + route + "upstream = \"up\"\n", request},
		"canary": {fmt.Sprintf(benchUpstream, "weighted") + route + "upstream = \"up\"\nbalance = { canary = { tag = \"version=2\", percent = 10 } }\n",
			request},
		"balance+breaker": {fmt.Sprintf(benchUpstream, "weighted") + route + "upstream = \"up\"\nbreaker = {}\n", request},
		"cache hit":       {fmt.Sprintf(benchUpstream, "weighted") + route + "upstream = \"up\"\ncache = {}\n", request},
	}
	return all
}()

func BenchmarkStage(b *testing.B) {
	for name, c := range stageBenchmarks {
		b.Run(name, func(b *testing.B) { benchmark(b, c.config, c.request) })
	}
}
