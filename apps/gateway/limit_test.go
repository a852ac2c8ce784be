package gateway

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func limitText(limits string) string {
	return "[consumers.alice]\nkeys = [{ digest = \"" + digestOf("a1") + "\" }, { digest = \"" + digestOf("a2") + "\" }]\n" +
		"[consumers.bob]\nkeys = [{ digest = \"" + digestOf("b") + "\" }]\n" +
		"[[routes]]\nname = \"r\"\npath = \"/r\"\nauth = { by = [\"key\"], optional = true }\nlimit = [" + limits + "]\n" +
		"[[routes]]\nname = \"s\"\npath = \"/s\"\nlimit = [" + limits + "]\n"
}

// TestLimitBy counts how many requests each has.
func TestLimitBy(t *testing.T) {
	const key = "X-API-Key: "
	for _, c := range []struct {
		by   string
		want string // admitted of 3 each: alice by a1, alice by a2, bob, nobody from one address, nobody from another of its network
	}{
		{"consumer", "2 0 2 2 0"},
		{"key", "2 2 2 2 0"},
		{"address", "2 0 0 0 0"},
		{"route", "2 0 0 0 0"},
	} {
		g := echoing(t, limitText(`{ name = "n", by = "`+c.by+`", limit = 2, period = "1h" }`))
		w := newWorld(t, g, false)
		p, q := w.visit("2001:db8::1"), w.visit("2001:db8::2:0:0:1")
		var got []string
		for _, ask := range []struct {
			v      *visitor
			fields string
		}{{p, key + "a1\r\n"}, {p, key + "a2\r\n"}, {p, key + "b\r\n"}, {p, ""}, {q, ""}} {
			n := 0
			for range 3 {
				status, head, _ := ask.v.got(request("/r", ask.fields))
				switch {
				case status == "200":
					n++
				case status != "429" || !strings.Contains(head, "\r\nRetry-After: 1800\r\n"):
					t.Errorf("by %s: %s", c.by, head)
				}
			}
			got = append(got, fmt.Sprint(n))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("by %s: %s, want %s", c.by, s, c.want)
		}
		p.leave(nil)
		q.leave(nil)
		w.whole(g)
	}
}

// TestLimitFields: an answer says which policy holds, and what is left of it; a refusal gives back what earlier rules gave.
func TestLimitFields(t *testing.T) {
	g := echoing(t, limitText(`{ name = "wide", by = "route", limit = 10, period = "10s" }, { name = "narrow", by = "route", limit = 2, period = "60s", algorithm = "window" }, { name = "hidden", by = "route", limit = 100, quiet = true }`))
	w := newWorld(t, g, false)
	p := w.visit("192.0.2.1")
	const policies = "\r\nRateLimit-Policy: \"wide\";q=10;w=10, \"narrow\";q=2;w=60\r\n"
	for i, want := range []string{`"wide";r=9;t=1`, `"wide";r=8;t=2`, `"wide";r=7;t=3`, `"wide";r=7;t=3`} {
		status, head, _ := p.got(request("/r", ""))
		if !strings.Contains(head, policies) || !strings.Contains(head, "\r\nRateLimit: "+want+"\r\n") || !strings.Contains(head, "\r\nRateLimit: \"narrow\";r="+fmt.Sprint(max(0, 1-i))+";t=") || strings.Contains(head, "hidden") {
			t.Errorf("request %d: %s\n%s", i, status, head)
		}
		if refused := status == "429"; refused != (i >= 2) || refused != strings.Contains(head, "\r\nRetry-After: ") {
			t.Errorf("request %d: %s\n%s", i, status, head)
		}
	}
	p.leave(nil)
	w.whole(g)
}

// TestSharedLimit: routes share a limit of one name, and it survives a reload, under its new policy too.
func TestSharedLimit(t *testing.T) {
	text := func(burst int) string {
		return limitText(fmt.Sprintf(`{ name = "n", by = "address", limit = 4, burst = %d, period = "1h" }`, burst))
	}
	g := echoing(t, text(4))
	w := newWorld(t, g, false)
	p := w.visit("192.0.2.1")
	admitted := func() (n int) {
		for i := range 10 {
			path := []string{"/r", "/s"}[i%2]
			if status, _, _ := p.got(request(path, "")); status == "200" {
				n++
			}
		}
		return n
	}
	if n := admitted(); n != 4 {
		t.Errorf("%d of 4 on two routes", n)
	}
	if err := g.Take(Read("test.toml", []byte(text(4)))); err != nil {
		t.Fatal(err)
	}
	if n := admitted(); n != 0 {
		t.Errorf("%d more after a reload", n)
	}
	if err := g.Take(Read("test.toml", []byte(text(8)))); err != nil {
		t.Fatal(err)
	}
	w.now += int64(200 * time.Millisecond) // a shard looks again
	if n := admitted(); n != 4 {
		t.Errorf("%d more when twice as many may come at once", n)
	}
}

func TestDeny(t *testing.T) {
	g := echoing(t, "[limit]\ndeny = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n"+limitText(""))
	w := newWorld(t, g, false)
	for address, want := range map[string]string{"192.0.2.1": "403", "192.0.3.1": "200", "2001:db8::1": "403", "2001:db9::1": "200"} {
		for _, path := range []string{"/r", "/s"} {
			if status, _, _ := w.visit(address).got(request(path, "")); status != want {
				t.Errorf("%s from %s: %s, want %s", path, address, status, want)
			}
		}
	}
}

// TestConcurrency: a route has so many requests under way at once, and a place is free again however one ends.
func TestConcurrency(t *testing.T) {
	g := echoing(t, "[[routes]]\nname = \"r\"\npath = \"/r\"\nlimit = [{ concurrency = { initial = 2, least = 2, most = 2, queue = 1 } }]\n")
	w := newWorld(t, g, false)
	const slow = "POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
	one, two, three := w.visit("192.0.2.1"), w.visit("192.0.2.2"), w.visit("192.0.2.3")
	one.send(slow)
	two.send(slow)
	if status, head, _ := three.got(request("/r", "")); status != "503" || !strings.Contains(head, "\r\nRetry-After: 1\r\n") {
		t.Errorf("a third: %s", head)
	}
	if status, _, _ := one.got("body"); status != "200" {
		t.Errorf("the first: %s", status)
	}
	if status, _, _ := three.got(request("/r", "")); status != "200" {
		t.Errorf("after the first has ended: %s", status)
	}
	one.send(slow)
	two.leave(nil)
	if status, _, _ := three.got(request("/r", "")); status != "200" {
		t.Errorf("after the second has left: %s", status)
	}
	one.leave(nil)
	three.leave(nil)
	w.whole(g)
}

// redisServer starts a redis-server and returns its address, and a function that kills it.
func redisServer(t testing.TB) (address string, kill func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: redis-server is not installed; scripts/tools.sh redis-server installs it on Debian")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			cmd.Process.Kill()
			cmd.Wait() // says that it was killed
		}
	}
	t.Cleanup(kill)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return address, kill
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// TestLimitInRedis: two gateways share a limit, by deltas and by asking each time. When Redis is gone the first goes on alone,
// and the second answers 503.
func TestLimitInRedis(t *testing.T) {
	address, kill := redisServer(t)
	text := func(store string) string {
		return fmt.Sprintf("[limit.redis]\naddress = %q\ninterval = \"5ms\"\n", address) +
			limitText(`{ name = "`+store+`", by = "address", limit = 20, period = "1h", store = "`+store+`" }`)
	}
	for _, store := range []string{"redis", "redis-each"} {
		one, two := echoing(t, text(store)), echoing(t, text(store))
		w := newWorld(t, one, false)
		a, b := w.visit("192.0.2.1"), newWorld(t, two, false).visit("192.0.2.1")
		for i := range 12 {
			if status, head, _ := a.got(request("/r", "")); status != "200" || !strings.Contains(head, fmt.Sprintf("\r\nRateLimit: %q;r=%d;t=", store, 19-i)) {
				t.Errorf("%s, request %d: %s", store, i, head)
			}
		}
		b.until(request("/r", ""), "200") // it learns of the others after this one
		n := 1
		for end := time.Now().Add(20 * time.Second); n < 100; n++ {
			status, head, _ := b.got(request("/r", ""))
			if status == "429" {
				if !strings.Contains(head, "\r\nRetry-After: ") {
					t.Errorf("%s: %s", store, head)
				}
				break
			}
			if store == "redis" {
				time.Sleep(20 * time.Millisecond) // some rounds of deltas
			}
			if time.Now().After(end) {
				t.Fatal("no end")
			}
		}
		if n < 7 || n > 10 {
			t.Errorf("%s: %d admitted by one and %d by the other, of 20", store, 12, n)
		}
		a.leave(nil)
		w.whole(one)
	}
	one, two := echoing(t, text("redis")), echoing(t, text("redis-each"))
	kill()
	p := newWorld(t, one, false).visit("192.0.2.9")
	if status, _, _ := p.got(request("/r", "")); status != "200" {
		t.Errorf("without Redis, by deltas: %s", status)
	}
	p = newWorld(t, two, false).visit("192.0.2.9")
	if status, _, _ := p.got(request("/r", "")); status != "503" {
		t.Errorf("without Redis, asking each time: %s", status)
	}
}

// TestAuthLimitAllocate: neither stage allocates for a request that is admitted, by key or by token, or refused.
func TestAuthLimitAllocate(t *testing.T) {
	for name, ask := range benchmarks(t) {
		if n := testing.AllocsPerRun(200, ask); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// benchmarks are requests through the stages, into one connection of a core in memory.
func benchmarks(t testing.TB) map[string]func() {
	text := authText + `
[[routes]]
name = "bare"
path = "/bare"
[[routes]]
name = "key"
path = "/key"
auth = { by = ["key"] }
[[routes]]
name = "jwt"
path = "/jwt"
auth = { by = ["jwt"] }
[[routes]]
name = "limit"
path = "/limit"
limit = [{ by = "address", limit = 1000000 }]
[[routes]]
name = "quiet"
path = "/quiet"
limit = [{ by = "address", limit = 1000000, quiet = true }]
[[routes]]
name = "refused"
path = "/refused"
limit = [{ by = "address", limit = 1, period = "24h" }]
[[routes]]
name = "concurrency"
path = "/concurrency"
limit = [{ concurrency = {} }]
`
	old := kinds
	kinds = kinds[:0:0]
	for _, k := range old {
		if k.name == "auth" || k.name == "limit" {
			kinds = append(kinds, k)
		}
	}
	defer func() { kinds = old }()
	g, err := New(Read("test.toml", []byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	w := newWorld(t, g, false)
	all := map[string]func(){}
	for path, fields := range map[string]string{"bare": "", "key": "X-API-Key: key-of-alice\r\n", "limit": "", "quiet": "", "refused": "", "concurrency": "",
		"jwt": "Authorization: Bearer " + tokenOf(t, map[string]any{"iss": "us", "sub": "user-1234567", "exp": time.Now().Add(time.Hour).Unix(), "scope": "orders:*:read"}) + "\r\n"} {
		b := []byte(request("/"+path, fields))
		v := w.visit("192.0.2.1")
		ask := func() {
			w.now += 2000
			v.out = v.out[:0]
			v.conn.Feed(b, w.now)
			v.write()
		}
		for range 100 {
			ask()
		}
		if want := map[bool]string{false: "HTTP/1.1 404", true: "HTTP/1.1 429"}[path == "refused"]; !strings.HasPrefix(string(v.out), want) {
			t.Fatalf("%s: %s", path, v.out)
		}
		all[path] = ask
	}
	return all
}

// BenchmarkStages is the price of a request through a pipeline of one stage; bare has none.
func BenchmarkStages(b *testing.B) {
	all := benchmarks(b)
	for _, name := range []string{"bare", "key", "jwt", "limit", "quiet", "refused", "concurrency"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				all[name]()
			}
		})
	}
}
