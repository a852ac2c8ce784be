package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// turn is one request as a planted server sees it.
type turn struct {
	n      int64 // of all requests, from 1
	conn   int64 // from 1
	w      net.Conn
	req    *http.Request
	closed bool // set: the server closes the connection
}

func (t *turn) write(text string) {
	if _, err := t.w.Write([]byte(text)); err != nil {
		t.closed = true
	}
}

// good is the answer that planted servers give where they do nothing else.
const goodBody = "Hello, World!"

var good = answer(200, goodBody)

func answer(status int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), "Sun, 22 Nov 2026 05:00:00 GMT", len(body), body)
}

// planted is a server that does to each request what its function says.
type planted struct {
	url      string
	requests atomic.Int64
	conns    atomic.Int64
	enough   atomic.Int64                       // the request that ends the load
	end      atomic.Pointer[context.CancelFunc] // how
}

// plant starts a server on a free port, until the test ends. It reads requests whole, bodies too, and one after the other.
func plant(t testing.TB, behave func(*turn)) *planted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &planted{url: "http://" + ln.Addr().String() + "/plaintext"}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			id := p.conns.Add(1)
			go p.serve(c, id, behave)
		}
	}()
	return p
}

func (p *planted) serve(c net.Conn, id int64, behave func(*turn)) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		// The next request is only found behind the body.
		buf := make([]byte, 4096)
		for {
			if _, err := req.Body.Read(buf); err != nil {
				break
			}
		}
		t := &turn{n: p.requests.Add(1), conn: id, w: c, req: req}
		if t.n == p.enough.Load() {
			(*p.end.Load())()
		}
		behave(t)
		if t.closed {
			return
		}
	}
}

// spec is a load on few connections. It lasts until enough requests came, so that a crowded machine only takes longer.
func (p *planted) spec() Spec {
	return Spec{URL: p.url, Connections: 4, Duration: 20 * time.Second, Timeout: 10 * time.Second, Engine: testedEngine,
		Expect: &Expect{Status: 200, Body: []byte(goodBody)}}
}

// context ends with the request of that number, counted from now.
func (p *planted) context(t *testing.T, enough int64) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	p.end.Store(&cancel)
	p.enough.Store(p.requests.Load() + enough)
	return ctx
}

// load runs our generator until so many requests came.
func (p *planted) load(t *testing.T, s Spec, enough int64) Result {
	t.Helper()
	r, err := Run(p.context(t, enough), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Elapsed > 15*time.Second {
		t.Fatalf("only %d of %d requests came", p.requests.Load(), p.enough.Load())
	}
	return r
}

// run loads for the whole duration and fails the test on an operating error.
func run(t *testing.T, s Spec) Result {
	t.Helper()
	r, err := Run(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// some says whether a request is one of the first 100 with a number that 10 divides: ten in all.
func (t *turn) some() bool { return t.n <= 100 && t.n%10 == 0 }

// repeat is a body of n bytes that differ by place.
func repeat(n int) string {
	return strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz-", n/37+1)[:n]
}
