package servers_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"corelab/httpcore"
)

const serverName = "corelab"

// pattern is what long answers are made of: it repeats after a prime number of bytes, so that a shifted, lost or doubled
// piece is seen.
var pattern = makePattern(1 << 20)

func makePattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%251%26)
	}
	return b
}

// testLimits are small, so that the cases that reach them are.
var testLimits = httpcore.Limits{
	Head: 4096, Target: 1024, Fields: 16, Body: 64 << 10, ChunkLine: 64,
	Pipelined: 8, Output: 64 << 10, Inline: 4096,
	Linger: 300 * time.Millisecond,
}

// service is what the cores serve under test, with what it saw.
type service struct {
	*httpcore.Handler
	aborted chan error         // a Sink's Abort
	held    chan httpcore.Held // of /hold
	closed  chan error         // a Source's Close
	taken   atomic.Int64       // bytes that Sinks took
	made    atomic.Int64       // bytes that Sources made
	copied  atomic.Int64       // bytes of /counted that went through user memory
}

// newService returns the service under limits, with a file of size bytes of pattern at /file.
func newService(t testing.TB, limits httpcore.Limits) *service {
	s := &service{aborted: make(chan error, 64), held: make(chan httpcore.Held, 64), closed: make(chan error, 64)}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, pattern, 0o600); err != nil {
		t.Fatal(err)
	}
	var r httpcore.Router
	for _, route := range s.routes(path) {
		if err := r.Add(route); err != nil {
			t.Fatalf("route %s %s: %v", route.Method, route.Pattern, err)
		}
	}
	s.Handler = httpcore.NewHandler(&r, limits, serverName)
	return s
}

func (s *service) routes(file string) []httpcore.Route {
	return []httpcore.Route{
		{Method: "GET", Pattern: "/", Serve: func(x *httpcore.Exchange) { text(x, []byte("root")) }},
		{Method: "GET", Pattern: "/plaintext", Serve: func(x *httpcore.Exchange) { text(x, helloWorld) }},
		{Method: "GET", Pattern: "/users/:id", Serve: func(x *httpcore.Exchange) { text(x, x.Param("id")) }},
		{Method: "GET", Pattern: "/tail/*path", Serve: func(x *httpcore.Exchange) { text(x, x.Param("path")) }},
		{Method: "GET", Pattern: "/query", Serve: func(x *httpcore.Exchange) { text(x, x.Query()) }},
		{Method: "GET", Pattern: "/host", Serve: func(x *httpcore.Exchange) { text(x, x.Host()) }},
		{Method: "GET", Pattern: "/peer", Serve: func(x *httpcore.Exchange) { text(x, []byte(x.Peer().String())) }},
		{Method: "GET", Pattern: "/fields", Serve: fields},
		{Method: "GET", Pattern: "/status/:code", Serve: status},
		{Method: "GET", Pattern: "/close", Serve: func(x *httpcore.Exchange) {
			x.Reply(&httpcore.Reply{Type: "text/plain", Body: []byte("bye"), Close: true})
		}},
		{Method: "GET", Pattern: "/bytes/:n", Serve: func(x *httpcore.Exchange) {
			x.Reply(&httpcore.Reply{Type: "text/plain", Body: pattern[:number(x, "n")]})
		}},
		{Method: "GET", Pattern: "/pooled/:n", Serve: pooled},
		{Method: "GET", Pattern: "/body", Serve: echo},
		{Method: "POST", Pattern: "/echo", Serve: echo},
		{Method: "PUT", Pattern: "/echo", Serve: echo},
		{Method: "POST", Pattern: "/small", MaxBody: 16, Serve: echo},
		{Method: "POST", Pattern: "/large", MaxBody: 4 << 20, Serve: func(x *httpcore.Exchange) {
			text(x, strconv.AppendInt(nil, int64(len(x.Body())), 10))
		}},
		{Method: "POST", Pattern: "/stream", MaxBody: -1, Stream: true, Serve: func(x *httpcore.Exchange) {
			x.Stream(&counter{s: s})
		}},
		{Method: "POST", Pattern: "/slow", MaxBody: -1, Stream: true, Serve: func(x *httpcore.Exchange) {
			x.Stream(&counter{s: s, pause: time.Millisecond})
		}},
		{Method: "POST", Pattern: "/stuck", MaxBody: -1, Stream: true, Serve: func(x *httpcore.Exchange) {
			x.Stream(&counter{s: s, pause: time.Hour})
		}},
		{Method: "POST", Pattern: "/early", MaxBody: -1, Stream: true, Serve: func(x *httpcore.Exchange) {
			x.Reply(&httpcore.Reply{Status: 403, Type: "text/plain", Body: []byte("no\n")})
		}},
		{Method: "GET", Pattern: "/delay/:ms", Serve: delay},
		{Method: "GET", Pattern: "/hold", Serve: func(x *httpcore.Exchange) { s.held <- x.Hold() }},
		{Method: "GET", Pattern: "/post/:n", Serve: post},
		{Method: "GET", Pattern: "/chunks/:n", Serve: s.source(false, 0)},
		{Method: "GET", Pattern: "/sized/:n", Serve: s.source(true, 0)},
		{Method: "GET", Pattern: "/drip/:n", Serve: s.source(false, time.Millisecond)},
		{Method: "GET", Pattern: "/file", Serve: func(x *httpcore.Exchange) { serveFile(x, file, 0, int64(len(pattern))) }},
		{Method: "GET", Pattern: "/counted", Serve: func(x *httpcore.Exchange) {
			f, err := os.Open(file)
			if err != nil {
				panic(err)
			}
			x.Reply(&httpcore.Reply{File: &countedFile{f, s}, Len: int64(len(pattern))})
		}},
		{Method: "GET", Pattern: "/range/:off/:len", Serve: func(x *httpcore.Exchange) {
			serveFile(x, file, int64(number(x, "off")), int64(number(x, "len")))
		}},
	}
}

var helloWorld = []byte("Hello, World!")

func text(x *httpcore.Exchange, b []byte) {
	x.Reply(&httpcore.Reply{Type: "text/plain", Body: b})
}

// number is the parameter name as a number; a test that sends none is wrong.
func number(x *httpcore.Exchange, name string) int {
	n, err := strconv.Atoi(string(x.Param(name)))
	if err != nil {
		panic(fmt.Sprintf("parameter %s of %q is no number", name, x.Path()))
	}
	return n
}

func fields(x *httpcore.Exchange) {
	var b []byte
	for i := range x.NumFields() {
		name, value := x.FieldAt(i)
		b = fmt.Appendf(b, "[%s|%s]", bytes.ToLower(name), value)
	}
	text(x, b)
}

func status(x *httpcore.Exchange) {
	r := httpcore.Reply{Status: number(x, "code"), Type: "text/plain", Fields: "ETag: \"1\"\r\n"}
	if r.Status != 204 {
		r.Body = []byte("status\n")
	}
	x.Reply(&r)
}

func pooled(x *httpcore.Exchange) {
	n := number(x, "n")
	b := x.Buffer(n)[:n]
	copy(b, pattern)
	x.Reply(&httpcore.Reply{Type: "text/plain", Body: b, Pooled: true})
}

func echo(x *httpcore.Exchange) {
	b := append([]byte(nil), x.Body()...) // a body beyond Limits.Inline is sent where it lies
	text(x, b)
}

func delay(x *httpcore.Exchange) {
	h := x.Hold()
	d := time.Duration(number(x, "ms")) * time.Millisecond
	x.Loop().After(d, func(int64) {
		h.Reply(&httpcore.Reply{Type: "text/plain", Body: []byte("late")})
	})
}

// post answers from another goroutine after n turns through the loop.
func post(x *httpcore.Exchange) {
	h, loop, left := x.Hold(), x.Loop(), number(x, "n")
	var fire func()
	fire = func() {
		if left--; left > 0 {
			go loop.Post(fire)
			return
		}
		h.Reply(&httpcore.Reply{Type: "text/plain", Body: []byte("posted")})
	}
	go loop.Post(fire)
}

func serveFile(x *httpcore.Exchange, path string, off, n int64) {
	f, err := os.Open(path)
	if err != nil {
		x.Reply(&httpcore.Reply{Status: 500, Type: "text/plain", Body: []byte(err.Error())})
		return
	}
	x.Reply(&httpcore.Reply{Type: "text/plain", File: f, Off: off, Len: n})
}

// countedFile counts what is read of it.
type countedFile struct {
	*os.File
	s *service
}

func (f *countedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.s.copied.Add(int64(n))
	return n, err
}

// counter is a Sink that counts, and with a pause takes one piece in each.
type counter struct {
	s     *service
	n     int64
	pause time.Duration
}

func (c *counter) Piece(x *httpcore.Exchange, p []byte) {
	for at := c.n; len(p) > 0; { // the stream is pattern, over and over
		want := pattern[at%int64(len(pattern)):]
		n := min(len(p), len(want))
		if !bytes.Equal(p[:n], want[:n]) {
			panic(fmt.Sprintf("a wrong byte within %d of byte %d of a streamed body", n, at))
		}
		c.n, at, p = c.n+int64(n), at+int64(n), p[n:]
		c.s.taken.Add(int64(n))
	}
	if c.pause > 0 {
		x.Pause()
		h := x.Handle()
		x.Loop().After(c.pause, func(int64) { h.Resume() })
	}
}

func (c *counter) End(x *httpcore.Exchange) { text(x, strconv.AppendInt(nil, c.n, 10)) }
func (c *counter) Abort(err error)          { tell(c.s.aborted, err) }

// source returns a route's function that answers with n bytes of pattern piece by piece, waiting pause before each.
func (s *service) source(sized bool, pause time.Duration) func(*httpcore.Exchange) {
	return func(x *httpcore.Exchange) {
		n := number(x, "n")
		src := &pieces{s: s, left: n, pause: pause, h: x.Handle(), loop: x.Loop()}
		r := httpcore.Reply{Type: "text/plain", Source: src, Sized: sized}
		if sized {
			r.Len = int64(n)
		}
		x.Reply(&r)
	}
}

// pieces is a Source of pattern.
type pieces struct {
	s       *service
	at      int
	left    int
	pause   time.Duration
	waiting bool
	h       httpcore.Held
	loop    httpcore.Loop
}

func (p *pieces) Next(max int) ([]byte, bool) {
	if p.waiting {
		return nil, false
	}
	if p.pause > 0 {
		p.waiting = true
		p.loop.After(p.pause, func(int64) {
			p.waiting = false
			p.h.More()
		})
	}
	n := min(max, p.left, 1000, len(pattern)-p.at)
	b := pattern[p.at : p.at+n]
	p.at = (p.at + n) % len(pattern)
	p.left -= n
	p.s.made.Add(int64(n))
	return b, p.left == 0
}

func (p *pieces) Close(err error) { tell(p.s.closed, err) }

// tell hands err to whoever listens; what no test asks for may be lost.
func tell(to chan<- error, err error) {
	select {
	case to <- err:
	default:
	}
}
