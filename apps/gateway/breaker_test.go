package gateway

import (
	"strings"
	"testing"
	"time"
)

const breakerConfig = `
[upstreams.up]
endpoints = [{ address = "127.0.0.1:1" }]
breaker = { consecutive = 2, open = "1s", probes = 1 }
[[routes]]
name = "plain"
path = "/plain"
upstream = "up"
breaker = {}
[[routes]]
name = "cached"
path = "/cached/:x"
upstream = "up"
breaker = {}
cache = {}
`

func TestBreakerStage(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		status := 200
		o := &standIn{answer: func(*Request) (int, string, string) { return status, "Cache-Control: max-age=1, stale-if-error=9", "x" }}
		g := stand(t, breakerConfig, o)
		w := newWorld(t, g, shared)
		want := func(path, want string, asked int) {
			t.Helper()
			if got := w.get(path, ""); got != want || o.asked != asked {
				t.Errorf("%s: %s with %d asked, want %s with %d", path, got, o.asked, want, asked)
			}
		}
		want("/cached/fresh", "200 MISS x", 1)
		status = 500
		want("/plain", "500", 2)
		status = 404
		want("/plain", "404", 3) // a success, as far as the upstream's health goes
		status = 500
		want("/plain", "500", 4)
		status = 0
		want("/plain", "502", 5)
		want("/plain", "503 1", 5)
		want("/cached/none", "503 MISS 1", 5)
		want("/cached/fresh", "200 HIT 0 x", 5) // the cache answers while it is open

		w.turn(900 * time.Millisecond)
		want("/plain", "503 1", 5)
		w.turn(101 * time.Millisecond)
		status = 500
		want("/plain", "500", 6) // the probe
		want("/plain", "503 1", 6)
		want("/cached/fresh", "200 STALE 1 x", 6)
		w.turn(1001 * time.Millisecond)
		status = 200
		o.delay = time.Millisecond
		_, probe := w.ask("GET /plain HTTP/1.1|Host: h")
		want("/plain", "503 1", 7) // only one
		probe.leave(nil)           // it says nothing, and another may
		_, probe = w.ask("GET /plain HTTP/1.1|Host: h")
		w.turn(time.Millisecond)
		probe.write()
		if !strings.HasPrefix(string(probe.out), "HTTP/1.1 200") {
			t.Errorf("the probe got %q", probe.out)
		}
		o.delay = 0
		want("/plain", "200 x", 9)
		want("/plain", "200 x", 10)
		probe.leave(nil)
		w.whole(g)
	})
}

// TestBreakerReload: the state outlives a new configuration, and the new rule holds at once.
func TestBreakerReload(t *testing.T) {
	o := says(500, "", "")
	g := stand(t, breakerConfig, o)
	w := newWorld(t, g, false)
	w.get("/plain", "")
	w.get("/plain", "")
	if err := g.Take(Read("gateway.toml", []byte(strings.Replace(breakerConfig, `"1s"`, `"5s"`, 1)))); err != nil {
		t.Fatal(err)
	}
	end(g, o)
	w.turn(2 * time.Second)
	if got := w.get("/plain", ""); got != "503 3" || o.asked != 2 {
		t.Errorf("%s with %d asked", got, o.asked)
	}
	got := refused(t, strings.Replace(breakerConfig, "probes = 1", "probes = -1", 1))
	if !strings.Contains(got, "gateway.toml:4:") || !strings.Contains(got, "probe") {
		t.Error(got)
	}
	got = refused(t, "[[routes]]\nname = \"x\"\npath = \"/\"\nbreaker = {}\n")
	if !strings.Contains(got, "routes.0.breaker") {
		t.Error(got)
	}
}
