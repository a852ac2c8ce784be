package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corelab/apps/gateway"
	"corelab/httpcore"
	"corelab/servers"
)

const forwardPatience = 20 * time.Second

// origin is an upstream that a test scripts.
type origin struct {
	addr     string
	accepted atomic.Int64
	open     atomic.Int64
}

// newOrigin has talk handle each connection until the test ends; in reads the requests.
func newOrigin(t *testing.T, talk func(c *net.TCPConn, in *bufio.Reader)) *origin {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{addr: ln.Addr().String()}
	var over sync.WaitGroup
	over.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.accepted.Add(1)
			o.open.Add(1)
			over.Go(func() {
				defer o.open.Add(-1)
				defer c.Close()
				c.SetDeadline(time.Now().Add(forwardPatience))
				talk(c.(*net.TCPConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		over.Wait()
	})
	return o
}

// answers gives each request the raw answer that of returns for it; an empty one closes.
func answers(of func(r *http.Request, body []byte) string) func(*net.TCPConn, *bufio.Reader) {
	return func(c *net.TCPConn, in *bufio.Reader) {
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			a := of(r, body)
			if a == "" {
				return
			}
			if _, err := io.WriteString(c, a); err != nil {
				return
			}
		}
	}
}

// forwardAlone is the core whose forward tests run in a process of their own, one after the other: evio 1.0.8 closes its
// listener's descriptor twice when it ends; in between, the number may have become another test's. In that process the variable
// of the environment is set.
const (
	forwardAlone = "evio"
	inAlone      = "CORELAB_TEST_ALONE"
)

// TestForwardAlone runs the forward tests once more, for that core.
func TestForwardAlone(t *testing.T) {
	if os.Getenv(inAlone) != "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestForward", "-test.parallel=1", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), inAlone+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// gates serves a gateway before o on every core that has what check needs, and has check ask it. more is further configuration of the upstream.
func gates(t *testing.T, o *origin, more string, check func(t *testing.T, addr string), needs ...servers.Feature) {
	gatesBy(t, o, fmt.Sprintf(`
[upstreams.o]
endpoints = [{ address = %q }]
[upstreams.o.forward]
%s
[[routes]]
name = "all"
path = "/x"
upstream = "o"
unobserved = true
`, o.addr, more), check, needs...)
}

// gatesBy is gates by a whole configuration.
func gatesBy(t *testing.T, o *origin, config string, check func(t *testing.T, addr string), needs ...servers.Feature) {
	for _, core := range servers.Cores {
		if (core.Name == forwardAlone) != (os.Getenv(inAlone) != "") {
			continue
		}
		if slices.ContainsFunc(core.Lacks, func(l servers.Lack) bool { return l.Feature == servers.Parsing || slices.Contains(needs, l.Feature) }) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			cfg, faults := gateway.Read("test.toml", []byte(config))
			g, err := gateway.New(cfg, faults)
			if err != nil {
				t.Fatal(err)
			}
			var router httpcore.Router
			for _, r := range g.Routes() {
				if err := router.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			srv, err := core.New(servers.Config{Workers: 2, Grace: time.Second}.Filled(), httpcore.NewHandler(&router, httpcore.Limits{}, "gw"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			served := make(chan error, 1)
			go func() { served <- srv.Serve(ctx) }()
			check(t, srv.Addr().String())
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
			g.Close()
			for end := time.Now().Add(forwardPatience); o.open.Load() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d connections are still open", o.open.Load())
				}
			}
		})
	}
}

// asker is a client's connection.
type asker struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func newAsker(t *testing.T, addr string) *asker {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(forwardPatience))
	return &asker{t, c, bufio.NewReader(c)}
}

// answer reads one answer to a request of method; an error where it is cut.
func (a *asker) answer(method string) (status int, head http.Header, body string, err error) {
	r, err := http.ReadResponse(a.in, &http.Request{Method: method})
	for err == nil && r.StatusCode == http.StatusContinue { // who leaves with that may be gone before the upstream is asked
		r, err = http.ReadResponse(a.in, &http.Request{Method: method})
	}
	if err != nil {
		return 0, nil, "", err
	}
	b, err := io.ReadAll(r.Body)
	if r.Close { // ReadResponse took the field out
		r.Header.Set("Connection", "close")
	}
	return r.StatusCode, r.Header, string(b), err
}

// asks sends one request on a connection of its own.
func asks(t *testing.T, addr, raw string) (status int, head http.Header, body string, err error) {
	a := newAsker(t, addr)
	defer a.Close()
	if _, err := io.WriteString(a, raw); err != nil {
		return 0, nil, "", err
	}
	method, _, _ := strings.Cut(raw, " ")
	return a.answer(method)
}

const getX = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

// TestForwardRequest looks at what the upstream is sent: nothing of the client's hop or framing.
func TestForwardRequest(t *testing.T) {
	for _, c := range []struct{ name, send, want string }{
		{"plain", "GET http://h.test/x?q=1 HTTP/1.1\r\nHost: other\r\nAccept: a\r\n\r\n",
			"GET /x?q=1 HTTP/1.1\r\nHost: h.test\r\nAccept: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h.test\r\n\r\n"},
		{"hop", "GET /x HTTP/1.1\r\nHost: a\r\nConnection: x-one\r\nX-One: 1\r\nConnection: close, X-Two\r\nX-Two: 2\r\nX-Three: 3\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\nTrailer: a\r\n\r\n",
			"GET /x HTTP/1.1\r\nHost: a\r\nX-Three: 3\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n"},
		{"forged", "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX_Real_IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nContent_Length: 5\r\nConnection: host\r\n\r\n",
			"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n"},
		{"length", "POST /x HTTP/1.1\r\nHost: a\r\ncontent-length: 5, 5\r\n\r\nhello",
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\nhello"},
		{"chunks", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5;ext=\"a\"\r\nhello\r\n0\r\nTrailer: gone\r\n\r\n",
			"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"none", "POST /x HTTP/1.0\r\nHost: a\r\n\r\n",
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
				b := make([]byte, len(c.want))
				n, _ := io.ReadFull(in, b)
				got <- string(b[:n])
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
			})
			gates(t, o, "", func(t *testing.T, addr string) {
				status, _, body, err := asks(t, addr, c.send)
				if status != 200 || err != nil || body != "ok" {
					t.Errorf("%d %q %v", status, body, err)
				}
				select {
				case s := <-got:
					if s != c.want {
						t.Errorf("the upstream got\n%q, not\n%q", s, c.want)
					}
				case <-time.After(forwardPatience):
					t.Error("the upstream got nothing")
				}
			})
		})
	}
}

// TestForwardAnswer looks at what becomes of an upstream's answers.
func TestForwardAnswer(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 40_000)
	for _, c := range []struct {
		name, send, answer string
		status             int
		body               string
		cut                bool
		field              string
	}{
		{name: "sized", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\nServer: other\r\n\r\nhello", status: 200, body: "hello", field: "X-A: b"},
		{name: "large", answer: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(large), large), status: 200, body: large},
		{name: "middling", answer: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 5000, large[:5000]), status: 200, body: large[:5000]},
		{name: "chunks", answer: "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n", status: 201, body: "abcde"},
		{name: "large chunk", answer: fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(large), large), status: 200, body: large},
		{name: "until close", answer: "HTTP/1.0 200 OK\r\n\r\nall of it", status: 200, body: "all of it"},
		{name: "no content", answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		{name: "not modified", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"1\"\r\n\r\n", status: 304, field: `Etag: "1"`},
		{name: "HEAD", send: "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", answer: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", status: 200, field: "Content-Length: 7"},
		{name: "interim", answer: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x"},
		{name: "nominated", answer: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x-gone\r\nX-Gone: 1\r\nX-Kept: 2\r\n\r\nx", status: 200, body: "x", field: "X-Kept: 2"},
		{name: "length and coding", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 502},
		{name: "two lengths", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", status: 502},
		{name: "garbage", answer: "220 mail ready\r\n", status: 502},
		{name: "upgrade", answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", status: 502},
		{name: "nothing", answer: "", status: 502},
		{name: "cut head", answer: "HTTP/1.1 200 OK\r\nContent-Le", status: 502},
		{name: "cut content", answer: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", status: 200, cut: true},
		{name: "cut chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello", status: 200, cut: true},
		{name: "bad chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n", status: 200, cut: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if _, err := http.ReadRequest(in); err == nil {
					io.WriteString(conn, c.answer)
				}
			})
			gates(t, o, "retries = 0", func(t *testing.T, addr string) {
				send := c.send
				if send == "" {
					send = getX
				}
				status, head, body, err := asks(t, addr, send)
				if c.cut {
					if err == nil && status == c.status {
						t.Errorf("a whole answer: %d %.40q", status, body)
					}
					return
				}
				if err != nil || status != c.status || status < 300 && body != c.body {
					t.Errorf("%d, %d bytes, %v", status, len(body), err)
				}
				if name, value, _ := strings.Cut(c.field, ": "); name != "" && head.Get(name) != value {
					t.Errorf("%s: %q", name, head.Get(name))
				}
				if head.Get("X-Gone") != "" || head.Get("Server") != "gw" || len(head.Values("Date")) != 1 {
					t.Errorf("fields %v", head)
				}
			})
		})
	}
}

// TestForwardReuse counts the upstream's connections.
func TestForwardReuse(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, answers(func(*http.Request, []byte) string { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" }))
	gates(t, o, "", func(t *testing.T, addr string) {
		before := o.accepted.Load()
		const clients, each = 4, 250
		var group sync.WaitGroup
		for range clients {
			group.Go(func() {
				var a *asker
				for range each {
					if a == nil {
						a = newAsker(t, addr)
					}
					io.WriteString(a, getX)
					status, head, body, err := a.answer("GET")
					if err != nil || status != 200 || body != "ok" {
						t.Errorf("%d %q %v", status, body, err)
						return
					}
					if head.Get("Connection") == "close" { // a core without keep-alive
						a.Close()
						a = nil
					}
				}
				if a != nil {
					a.Close()
				}
			})
		}
		group.Wait()
		if n := o.accepted.Load() - before; n > 2*clients {
			t.Errorf("%d connections for %d requests of %d clients at a time", n, clients*each, clients)
		}
	})
}

// TestForwardUnasked has the upstream send an answer that nobody asked for: no client may get it.
func TestForwardUnasked(t *testing.T) {
	t.Parallel()
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for _, c := range []struct {
		name  string
		later bool
	}{{"with the answer", false}, {"later", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan struct{}, 1)
			answered := make(chan struct{}, 1)
			o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
				if c.later {
					io.WriteString(conn, ok)
					<-answered
					io.WriteString(conn, evil)
				} else {
					io.WriteString(conn, ok+evil)
					<-answered
				}
				sent <- struct{}{}
				io.Copy(io.Discard, in)
			})
			gates(t, o, "", func(t *testing.T, addr string) {
				for range 3 {
					status, _, body, err := asks(t, addr, getX)
					if err != nil || status != 200 || body != "ok" {
						t.Errorf("%d %q %v", status, body, err)
					}
					answered <- struct{}{}
					<-sent
				}
			})
		})
	}
}

// TestForwardRetries has every connection's second request be met by a close: what may be asked again is.
func TestForwardRetries(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	o := newOrigin(t, func(c *net.TCPConn, in *bufio.Reader) {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		if asked.Add(1)%2 == 1 {
			c.SetLinger(0)
			return // without an answer
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	})
	gates(t, o, "", func(t *testing.T, addr string) {
		asked.Store(0)
		if status, _, body, err := asks(t, addr, getX); status != 200 || body != "ok" || asked.Load() != 2 {
			t.Errorf("GET: %d %q %v after %d attempts", status, body, err, asked.Load())
		}
		asked.Store(0)
		post := "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
		if status, _, _, err := asks(t, addr, post); status != 502 || asked.Load() != 1 {
			t.Errorf("POST: %d %v after %d attempts", status, err, asked.Load())
		}
	})
}

// TestForwardTimes has an upstream say nothing, or not go on.
func TestForwardTimes(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, func(c *net.TCPConn, in *bufio.Reader) {
		if r, err := http.ReadRequest(in); err == nil && r.Header.Get("Begin") != "" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
		}
		io.Copy(io.Discard, in)
	})
	gates(t, o, "head_time = \"50ms\"\nbody_idle = \"50ms\"\nretries = 0", func(t *testing.T, addr string) {
		if status, _, _, err := asks(t, addr, getX); status != 504 || err != nil {
			t.Errorf("%d %v", status, err)
		}
		if status, _, body, err := asks(t, addr, "GET /x HTTP/1.1\r\nHost: a\r\nBegin: yes\r\n\r\n"); err == nil {
			t.Errorf("a whole answer: %d %q", status, body)
		}
	})
}

// TestForwardContent carries much both ways.
func TestForwardContent(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	o := newOrigin(t, answers(func(r *http.Request, b []byte) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
	}))
	gates(t, o, "", func(t *testing.T, addr string) {
		for _, framed := range []func() (string, []byte){
			func() (string, []byte) { return fmt.Sprintf("Content-Length: %d", len(body)), body },
			func() (string, []byte) {
				return "Transfer-Encoding: chunked", slices.Concat(fmt.Appendf(nil, "%x\r\n", len(body)), body, []byte("\r\n0\r\n\r\n"))
			},
		} {
			field, raw := framed()
			a := newAsker(t, addr)
			io.WriteString(a, "POST /x HTTP/1.1\r\nHost: a\r\n"+field+"\r\n\r\n")
			go a.Write(raw)
			status, _, got, err := a.answer("POST")
			if err != nil || status != 200 || got != string(body) {
				t.Errorf("%s: %d, %d bytes, %v", field, status, len(got), err)
			}
			a.Close()
		}
	}, servers.Backpressure)
}
