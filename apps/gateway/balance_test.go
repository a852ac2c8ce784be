package gateway

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const balanceConfig = `
[upstreams.up]
endpoints = [{ address = "127.0.0.1:1", weight = 3 }, { address = "127.0.0.1:2", tags = { version = "2" } }]
balance = { %s }
[[routes]]
name = "plain"
path = "/plain"
upstream = "up"
[[routes]]
name = "canary"
path = "/canary"
upstream = "up"
balance = { canary = { tag = "version=2", header = "X-Canary", percent = 20, key = "X-User" } }
`

func TestBalanceStage(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		o := says(200, "", "")
		o.ends = map[string]int{}
		g := stand(t, fmt.Sprintf(balanceConfig, ""), o)
		w := newWorld(t, g, shared)
		for range 400 {
			w.get("/plain", "")
		}
		if got := fmt.Sprint(o.ends); got != "map[127.0.0.1:1:300 127.0.0.1:2:100]" {
			t.Errorf("weights 3 and 1: %s", got)
		}
		clear(o.ends)
		for range 10 {
			w.get("/canary", "X-Canary: always|X-User: a")
			w.get("/canary", "X-Canary: never|X-User: a")
		}
		if got := fmt.Sprint(o.ends); got != "map[127.0.0.1:1:10 127.0.0.1:2:10]" {
			t.Errorf("always and never: %s", got)
		}
		clear(o.ends)
		for user := range 1000 {
			before := o.ends["127.0.0.1:2"]
			for range 3 {
				w.get("/canary", fmt.Sprintf("X-User: %d", user))
			}
			if n := o.ends["127.0.0.1:2"] - before; n != 0 && n != 3 {
				t.Fatalf("user %d was on both sides", user)
			}
		}
		if n := o.ends["127.0.0.1:2"] / 3; n < 150 || n > 250 { // 200 ± 4 standard deviations
			t.Errorf("%d of 1000 users are 20 %%", n)
		}
		for _, e := range g.snapshot.Load().Upstreams["up"].Endpoints {
			if e == nil {
				t.Error("no endpoint")
			}
		}
		w.whole(g)
	})
}

// TestBalanceOutlier: who fails is not asked for a while, but not all are ejected, and a canary without anybody falls back.
func TestBalanceOutlier(t *testing.T) {
	both(t, func(t *testing.T, shared bool) {
		bad := "127.0.0.1:2"
		o := &origin{ends: map[string]int{}}
		o.answer = func(r *Request) (int, string, string) {
			if r.Endpoint.Addr.String() == bad {
				return 500, "", ""
			}
			return 200, "", ""
		}
		g := stand(t, fmt.Sprintf(balanceConfig, `outliers = { consecutive = 3, base = "1s", cap = 0.5 }, method = "round-robin"`), o)
		w := newWorld(t, g, shared)
		for range 100 {
			w.get("/plain", "")
		}
		if o.ends[bad] != 3 {
			t.Errorf("asked %d times, ejected by 3 failures", o.ends[bad])
		}
		if got := w.get("/canary", "X-Canary: always"); got != "200" || o.ends[bad] != 3 {
			t.Errorf("canary: %s, asked %d times", got, o.ends[bad])
		}
		bad = "127.0.0.1:1"
		before := o.ends[bad]
		for range 10 {
			w.get("/plain", "") // the only one left fails, and stays
		}
		if n := o.ends[bad] - before; n != 10 {
			t.Errorf("%d of 10 at the last one", n)
		}
		bad = ""
		w.turn(time.Second)
		clear(o.ends)
		for range 10 {
			w.get("/plain", "")
		}
		if got := fmt.Sprint(o.ends); got != "map[127.0.0.1:1:5 127.0.0.1:2:5]" {
			t.Errorf("after its return: %s", got)
		}
		w.whole(g)
	})
}

// TestBalanceGone: a request whose client leaves is under way no longer.
func TestBalanceGone(t *testing.T) {
	o := says(200, "", "")
	o.delay = time.Second
	g := stand(t, fmt.Sprintf(balanceConfig, `method = "least-connections"`), o)
	w := newWorld(t, g, false)
	var all []*peer
	for range 8 {
		_, p := w.ask("GET /plain HTTP/1.1|Host: h")
		all = append(all, p)
	}
	busy := func() (n []int) {
		g.shards.each(func(s *Shard) {
			for _, k := range s.kept {
				if gr, ok := k.value.(*group); ok && len(gr.members) == 2 {
					for _, m := range gr.members {
						n = append(n, m.Busy())
					}
				}
			}
		})
		return n
	}
	if got := fmt.Sprint(busy()); got != "[6 2]" {
		t.Errorf("under way: %s", got)
	}
	for _, p := range all {
		p.leave(nil)
	}
	if got := fmt.Sprint(busy()); got != "[0 0]" {
		t.Errorf("after all left: %s", got)
	}
	w.whole(g)
}

// TestBalanceReload: an endpoint that a new configuration adds gets its share slowly, those that were there go on.
func TestBalanceReload(t *testing.T) {
	o := says(200, "", "")
	o.ends = map[string]int{}
	config := strings.Replace(fmt.Sprintf(balanceConfig, `slow_start = "10s", method = "round-robin"`), ", weight = 3", "", 1)
	g := stand(t, config, o)
	w := newWorld(t, g, false)
	w.turn(time.Second)
	for range 10 {
		w.get("/plain", "")
	}
	config = strings.Replace(config, "endpoints = [", `endpoints = [{ address = "127.0.0.1:3" }, `, 1)
	if err := g.Take(Read("gateway.toml", []byte(config))); err != nil {
		t.Fatal(err)
	}
	end(g, o)
	for _, want := range []string{"[100 100 10]", "[70 70 70]"} {
		clear(o.ends)
		for range 210 {
			w.get("/plain", "")
		}
		if got := fmt.Sprint([]int{o.ends["127.0.0.1:1"], o.ends["127.0.0.1:2"], o.ends["127.0.0.1:3"]}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		w.turn(20 * time.Second)
	}
}

// TestHealthChecks probes a real server: down by failures, up again by successes, told by its own requests.
func TestHealthChecks(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var status atomic.Int32
	status.Store(200)
	probes := make(chan string)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1024)
			n, _ := c.Read(b)
			if status.Load() > 0 {
				fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status.Load())
			}
			c.Close()
			select {
			case probes <- string(b[:n]):
			case <-time.After(20 * time.Second): // nobody wants to know any more
			}
		}
	}()
	// A probe begins when the one before has been counted.
	next := func(n int) (request string) {
		for range n {
			select {
			case request = <-probes:
			case <-time.After(20 * time.Second):
				t.Fatal("no probe comes")
			}
		}
		return request
	}
	config := fmt.Sprintf(`
[upstreams.up]
endpoints = [{ address = "%s" }]
balance = { health = { path = "/well?x", interval = "1ms", timeout = "20s", rise = 2, fall = 3 } }
[[routes]]
name = "plain"
path = "/"
upstream = "up"
`, l.Addr())
	g := stand(t, config, says(200, "", ""))
	defer g.Close()
	w := newWorld(t, g, false)
	if request := next(2); !strings.HasPrefix(request, "GET /well?x HTTP/1.1\r\nHost: "+l.Addr().String()+"\r\n") {
		t.Errorf("the probe is %q", request)
	}
	if got := w.get("/", ""); got != "200" {
		t.Errorf("up: %s", got)
	}
	for _, bad := range []int32{500, 0, 404} {
		status.Store(bad)
		next(5) // the first may have been under way
		if got := w.get("/", ""); got != "503" {
			t.Errorf("down by %d: %s", bad, got)
		}
		status.Store(204)
		next(4)
		if got := w.get("/", ""); got != "200" {
			t.Errorf("up again: %s", got)
		}
	}
}

func TestBalanceRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"%s", `method = "random"`, "balance.method"},
		{"%s", `outliers = { cap = 2.0 }`, "balance.outliers"},
		{"%s", `health = { path = "well" }`, "balance.health.path"},
		{"%s", `health = { fall = -1 }`, "balance.health"},
		{"percent = 20", "percent = 101", "canary.percent"},
		{`tag = "version=2"`, `tag = "version=3"`, "canary.tag"},
		{`tag = "version=2"`, `tag = "version"`, "canary.tag"},
		{`header = "X-Canary", percent = 20, `, "", "nothing says who"},
	} {
		config := strings.Replace(strings.Replace(balanceConfig, c.old, c.new, 1), "%s", "", 1)
		if got := refused(t, config); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.new, got)
		}
	}
}
