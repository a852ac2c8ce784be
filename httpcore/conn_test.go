package httpcore

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newTest(t testing.TB, l Limits) (*testRoutes, *memoryCore) {
	r := new(testRoutes)
	return r, newMemoryCore(t, r.handler(t, l))
}

func (m *memoryCore) expect(state, suffix string) {
	m.t.Helper()
	if got := m.state(); got != state || !strings.HasSuffix(m.written(), suffix) {
		m.t.Fatalf("%s after %.200q, want %s after …%q", got, m.written(), state, suffix)
	}
}

func TestHeldReply(t *testing.T) {
	for _, request := range []string{get("/held"), post("/held", "a body")} {
		r, m := newTest(t, Limits{})
		m.feed([]byte(request + get("/users/7")))
		m.expect("held", "")
		held := r.held[0]
		x := held.Exchange()
		if path := string(x.Path()); path != "/held" {
			t.Errorf("the held head says %q: it was not kept", path)
		}
		if strings.HasPrefix(request, "POST") && string(x.Body()) != "a body" {
			t.Errorf("the held body is %q", x.Body())
		}
		held.Reply(&Reply{Body: []byte("late")})
		if !m.woken {
			t.Error("a late reply did not wake the core")
		}
		m.turn()
		m.expect("open", "\r\n\r\n7")
		if held.Live() || held.Exchange() != nil {
			t.Error("the handle outlived its exchange")
		}
		held.Reply(&Reply{Body: []byte("never")}) // of the exchange before: nothing
		m.turn()
		m.expect("open", "\r\n\r\n7")
		m.end()
	}
}

func TestHeldAborted(t *testing.T) {
	r, m := newTest(t, Limits{})
	m.feed([]byte(get("/held")))
	reset := errors.New("reset")
	m.conn.Abort(reset)
	if len(r.gone) != 1 || r.gone[0] != reset {
		t.Fatalf("OnAbort was told %v", r.gone)
	}
	file := &testFile{Reader: strings.NewReader("x")}
	r.held[0].Reply(&Reply{File: file, Len: 1})
	if file.closed != 1 {
		t.Errorf("the file of a reply to nobody was closed %d times", file.closed)
	}
	// The same Conn serves a successor; the old handle must not reach it.
	m.conn.Open(&m.env, m, m.time)
	m.feed([]byte(get("/held")))
	r.held[0].Reply(&Reply{Body: []byte("for the one before")})
	m.turn()
	m.expect("held", "")
	m.end()
}

func TestHeldWhileDraining(t *testing.T) {
	r, m := newTest(t, Limits{})
	m.feed([]byte(get("/held")))
	m.conn.Drain()
	if m.conn.Idle() {
		t.Error("a held connection says that it is idle")
	}
	r.held[0].Reply(&Reply{Body: []byte("last")})
	m.turn()
	m.expect("close", "Connection: close\r\n\r\nlast")
	m.end()
}

func TestHeldThenFIN(t *testing.T) {
	r, m := newTest(t, Limits{})
	m.feed([]byte(get("/held")))
	m.conn.End()
	m.turn()
	m.expect("held", "")
	r.held[0].Reply(&Reply{Body: []byte("answer")})
	m.turn()
	m.expect("close", "answer")
	m.end()
}

func TestDeadlines(t *testing.T) {
	l := Limits{IdleTime: 75 * time.Second, HeadTime: 10 * time.Second, BodyIdle: 5 * time.Second,
		BodyGrace: 8 * time.Second, BodyRate: 1000, WriteIdle: 30 * time.Second, Linger: 2 * time.Second}
	const start = 1.0 // seconds, the time that a memoryCore begins with
	for _, c := range []struct {
		name    string
		in      string
		at      float64 // the deadline after in
		status  string  // of the reply at the deadline, if there is one
		state   string  // after it
		stopped bool
	}{
		{"nothing sent", "", start + 75, "", "close", false},
		{"idle after a reply", get("/"), start + 75, "", "close", false},
		{"an unfinished head", "GET / HT", start + 10, "408", "linger", false},
		{"an unfinished body", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", start + 5, "408", "linger", false},
		{"an unfinished streamed body", "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", start + 5, "408", "linger", false},
		{"held", get("/held"), 0, "", "held", false},
		{"lingering", "BAD\r\n\r\n", start + 2, "400", "close", false},
		{"a reader that reads nothing", get("/"), start + 30, "", "close", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, m := newTest(t, l)
			m.stop = c.stopped
			m.feed([]byte(c.in))
			if d := m.deadline(); d != c.at {
				t.Fatalf("the deadline is at %v s, want %v s", d, c.at)
			}
			if c.at != 0 {
				m.time = int64(c.at*1e9) - 1
				m.conn.Pump(m.time)
				if m.state() == "close" {
					t.Fatal("closed before the deadline")
				}
				m.time++
				m.conn.Pump(m.time)
				m.turn()
			}
			if !strings.Contains(m.written(), " "+c.status+" ") && c.status != "" {
				t.Errorf("no %s in %q", c.status, m.written())
			}
			if m.state() != c.state {
				t.Errorf("%s after the deadline, want %s", m.state(), c.state)
			}
			m.end()
		})
	}
}

// TestBodyRate feeds one byte a second: each keeps the idle limit away, but not the least rate.
func TestBodyRate(t *testing.T) {
	_, m := newTest(t, Limits{BodyIdle: 5 * time.Second, BodyGrace: 8 * time.Second, BodyRate: 10})
	m.feed([]byte("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n"))
	for i := 0; i < 20 && m.state() == "open"; i++ {
		m.time += 1e9
		if m.time >= m.conn.Deadline() {
			if i < 7 {
				t.Fatalf("cut after %d s, within the grace", i+1)
			}
			m.conn.Pump(m.time)
			m.turn()
			continue
		}
		m.feed([]byte("x"))
	}
	m.expect("linger", "the content came too slowly\n")
	m.end()
}

// TestSlowReader asserts that a reader that takes nothing costs bounded memory: the Conn stops reading, and of a large
// reply nothing is made before its time.
func TestSlowReader(t *testing.T) {
	const limit = 64 << 10
	r, m := newTest(t, Limits{Output: limit, Pipelined: 1 << 20})
	m.stop = true
	request := []byte(get("/"))
	fed := 0
	for m.feed(request) {
		if fed += len(request); fed > 10<<20 {
			t.Fatal("the Conn reads on and on")
		}
	}
	if q := m.conn.out.queued; q > limit+1024 {
		t.Errorf("%d bytes are queued, above the limit of %d", q, limit)
	}
	if m.conn.Want()&(Read|Again) != 0 {
		t.Errorf("wants %b: a Pump without room cannot help", m.conn.Want())
	}
	m.stop = false
	m.turn()
	m.expect("open", "Hello, World!")
	m.end()

	m = newMemoryCore(t, r.handler(t, Limits{Output: limit}))
	m.step = 1000
	m.feed([]byte(get("/sized")))
	m.expect("open", "c")
	if n := strings.Count(m.written(), "a") + strings.Count(m.written(), "b"); n < 80000 {
		t.Errorf("%d bytes of the source arrived", n)
	}
	if len(r.closed) != 1 || r.closed[0] != nil {
		t.Errorf("the source was closed with %v", r.closed)
	}
	m.end()
}

// TestPartialWrites sends every kind of output in steps of every small size.
func TestPartialWrites(t *testing.T) {
	in := []byte(get("/large") + get("/file") + get("/source") + post("/echo", strings.Repeat("e", 20000)) + get("/sized") + get("/"))
	_, whole := newTest(t, Limits{})
	whole.feed(in)
	for _, step := range []int64{1, 2, 3, 7, 99, 1 << 12, 1 << 16} {
		_, m := newTest(t, Limits{})
		m.step = step
		for rest := in; len(rest) > 0; {
			n := min(len(rest), 512)
			if !m.feed(rest[:n]) {
				t.Fatalf("step %d: no room at rest", step)
			}
			rest = rest[n:]
		}
		if m.written() != whole.written() {
			t.Fatalf("in steps of %d the output differs", step)
		}
		m.end()
	}
	whole.end()
}

// TestMirror sends a body back while it comes, to a client that reads nothing for a time, and then goes on. While the
// output is full the client is held to WriteIdle alone; once it is not, it has all the time for the body again.
func TestMirror(t *testing.T) {
	const output, half = 32 << 10, 40 << 10 // bytes; one Feed takes half
	m := newMirrorTest(t, Limits{Output: output, BodyIdle: 5 * time.Second, BodyGrace: 5 * time.Second, BodyRate: 10 << 10, WriteIdle: 30 * time.Second})
	body := strings.Repeat("0123456789abcdef", 6<<10)
	m.stop = true
	if !m.feed([]byte("POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body[:half])) || m.conn.Want() != Write {
		t.Fatalf("wants %b of a client that reads nothing", m.conn.Want())
	}
	if d := m.deadline(); d != 1+30 {
		t.Fatalf("the deadline is at %v s, want that of the reader", d)
	}
	m.time += int64(29 * time.Second)
	m.conn.Pump(m.time)
	m.stop = false
	m.turn()
	if got, want := m.deadline(), float64(m.time)/1e9+5; m.state() != "open" || got != want {
		t.Fatalf("%s, and the deadline is at %v s, want %v s", m.state(), got, want)
	}
	m.time += int64(4 * time.Second)
	m.feed([]byte(body[half:] + get("/")))
	m.expect("open", "Hello, World!")
	replies := strings.NewReader(m.written())
	r, err := http.ReadResponse(bufio.NewReader(replies), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(body), err)
	}
	m.end()
}

// TestStuck cuts a client that takes nothing, which the core must reset; the next connection of the Conn is another.
func TestStuck(t *testing.T) {
	_, m := newTest(t, Limits{WriteIdle: 30 * time.Second})
	m.stop = true
	m.feed([]byte(get("/")))
	if m.conn.Want()&Write == 0 || m.conn.Stuck() {
		t.Fatalf("wants %b, stuck %v", m.conn.Want(), m.conn.Stuck())
	}
	m.time += int64(30 * time.Second)
	m.conn.Pump(m.time)
	if m.conn.Want() != Close || !m.conn.Stuck() {
		t.Errorf("wants %b, stuck %v of a client that took nothing for WriteIdle", m.conn.Want(), m.conn.Stuck())
	}
	_, idle := newTest(t, Limits{IdleTime: 5 * time.Second})
	idle.time += int64(5 * time.Second)
	idle.conn.Pump(idle.time)
	if idle.conn.Want() != Close || idle.conn.Stuck() {
		t.Errorf("wants %b, stuck %v of a client that said nothing", idle.conn.Want(), idle.conn.Stuck())
	}
	m.end()
	idle.end()
}

// TestWritesBetweenReads plays a long exchange with a client that takes its answers in pieces of any size while it sends,
// so that the output is seldom empty and every kind of it begins behind a half-written one.
func TestWritesBetweenReads(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 64<<10)
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := newMirrorTest(t, Limits{Output: 64 << 10, Inline: 1 << 10})
		in := "POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
		paths := []string{"/mirror"}
		for range 100 {
			path := []string{"/large", "/file", "/source", "/sized", "/", "/204", "/users/7"}[random.IntN(7)]
			paths = append(paths, path)
			in += get(path)
		}
		for rest := []byte(in); len(rest) > 0 || m.conn.Want()&(Write|Again) != 0; {
			if n := min(m.conn.Room(), len(rest), 1+random.IntN(1<<(1+random.IntN(15)))); n > 0 {
				m.conn.Feed(rest[:n], m.time)
				rest = rest[n:]
			}
			if m.conn.Want()&Again != 0 {
				m.conn.Pump(m.time)
			}
			m.step = 1 + random.Int64N(1<<(1+random.IntN(15)))
			if len(rest) == 0 || random.IntN(4) > 0 {
				m.write()
			}
		}
		replies := bufio.NewReader(&m.out)
		for i, path := range paths {
			r, err := http.ReadResponse(replies, nil)
			if err != nil {
				t.Fatalf("seed %d, reply %d, to %s: %v", seed, i, path, err)
			}
			got, err := io.ReadAll(r.Body)
			if err != nil || path == "/mirror" && string(got) != body {
				t.Fatalf("seed %d, reply %d, to %s: %d bytes, %v", seed, i, path, len(got), err)
			}
			if path == "/large" && string(got) != strings.Repeat("0123456789", 10000) {
				t.Fatalf("seed %d, reply %d, to %s: other bytes", seed, i, path)
			}
		}
		m.end()
	}
}

// TestAnnouncedBody asserts that an announced length alone costs nothing.
func TestAnnouncedBody(t *testing.T) {
	_, m := newTest(t, Limits{})
	m.feed([]byte("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 16000000\r\n\r\nx"))
	if n := cap(m.conn.body.buf); n > 4<<10 {
		t.Errorf("one byte of an announced body took %d bytes", n)
	}
	m.feed(bytes.Repeat([]byte("x"), 16000000-1))
	m.expect("open", "xxxx")
	m.end()
}

func TestRequestsLimit(t *testing.T) {
	_, m := newTest(t, Limits{Requests: 2})
	m.feed([]byte(get("/users/1") + get("/users/2") + get("/users/3")))
	m.expect("linger", "Connection: close\r\n\r\n2")
	m.end()
}

func TestLingerIsBounded(t *testing.T) {
	_, m := newTest(t, Limits{LingerRead: 1000})
	m.feed([]byte("BAD\r\n\r\n"))
	for i := 0; m.state() == "linger"; i++ {
		if i > 11 {
			t.Fatal("lingers on and on")
		}
		m.feed(bytes.Repeat([]byte("x"), 100))
	}
	m.expect("close", "\n")
	m.end()
}

// TestDrop drops held exchanges: the connection ends without an answer, and the handle is dead.
func TestDrop(t *testing.T) {
	for _, test := range []struct{ request, state, out string }{
		{get("/held"), "close", ""},
		{post("/held", "a body"), "close", ""},
		{get("/held") + get("/users/2"), "close", ""}, // what waits behind it is not answered
		{get("/users/1") + get("/held"), "close", "\r\n\r\n1"},
	} {
		r, m := newTest(t, Limits{})
		m.feed([]byte(test.request))
		m.expect("held", test.out)
		held := r.held[0]
		held.Drop()
		if !m.woken {
			t.Error("a drop did not wake the core")
		}
		m.turn()
		m.expect(test.state, test.out)
		if held.Live() || len(r.gone) > 0 {
			t.Errorf("after a drop the handle lives: %v; OnAbort was told %v", held.Live(), r.gone)
		}
		held.Drop() // of an exchange that has ended: nothing
		m.end()
	}
	r, m := newTest(t, Limits{})
	m.feed([]byte("POST /dropsink HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"))
	m.expect("linger", "")
	if len(r.aborted) != 1 || r.aborted[0] != errDropped || m.env.Count.Requests != 0 {
		t.Errorf("the sink was told %v, and %d replies are counted", r.aborted, m.env.Count.Requests)
	}
	m.end()
}

func TestDropAfterReplyPanics(t *testing.T) {
	var router Router
	if err := router.Add(Route{Method: "GET", Pattern: "/", Serve: func(x *Exchange) { x.Reply(new(Reply)); x.Drop() }}); err != nil {
		t.Fatal(err)
	}
	m := newMemoryCore(t, NewHandler(&router, Limits{}, ""))
	defer func() {
		if recover() == nil {
			t.Error("a Drop behind the Reply does not panic")
		}
	}()
	m.feed([]byte(get("/")))
}

// TestCounters counts in the owner's numbers, across its connections.
func TestCounters(t *testing.T) {
	var router Router
	if err := router.Add(Route{Method: "GET", Pattern: "/", Serve: func(x *Exchange) { x.Counters().Wrapped++; x.Reply(new(Reply)) }}); err != nil {
		t.Fatal(err)
	}
	m := newMemoryCore(t, NewHandler(&router, Limits{}, ""))
	for range 2 {
		m.feed([]byte(get("/") + get("/")))
		m.conn.Abort(nil)
		m.conn.Open(&m.env, m, m.time)
	}
	if got, want := m.env.Count, (Counters{Requests: 4, Wrapped: 4}); got != want {
		t.Errorf("the counters are %+v, want %+v", got, want)
	}
}

func TestSecondReplyPanics(t *testing.T) {
	var router Router
	if err := router.Add(Route{Method: "GET", Pattern: "/", Serve: func(x *Exchange) {
		defer func() {
			if recover() == nil {
				t.Error("a second Reply did not panic")
			}
		}()
		x.Reply(&Reply{})
		x.Reply(&Reply{})
	}}); err != nil {
		t.Fatal(err)
	}
	m := newMemoryCore(t, NewHandler(&router, Limits{}, ""))
	m.feed([]byte(get("/")))
	m.end()
}

// FuzzConn holds a Conn to the wire tests' promise on any input: cut anywhere, the answers are the same.
func FuzzConn(f *testing.F) {
	for _, path := range []string{"testdata/wire/exchange.txt", "testdata/wire/content.txt"} {
		for _, c := range readWireCases(f, path) {
			f.Add([]byte(c.in), uint16(7), uint16(30))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		c := wireCase{in: string(in), fin: true}
		whole, state := c.play(t)
		x, y := int(a)%(len(in)+1), int(b)%(len(in)+1)
		cut, cutState := c.play(t, min(x, y), max(x, y))
		if whole != cut || state != cutState {
			t.Fatalf("whole:\n%q, %s\ncut at %d and %d:\n%q, %s", whole, state, x, y, cut, cutState)
		}
	})
}
