package httpcore

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

// memoryCore drives one Conn without a socket: what is fed comes from the test, what is written goes to out, in steps of
// at most step bytes where that is set. Time stands still unless the test moves it.
type memoryCore struct {
	NoDialer
	t    testing.TB
	conn Conn
	env  Env
	time int64
	out  bytes.Buffer
	step int64 // bytes that one write takes; 0 means all
	stop bool  // the peer reads nothing

	lent  int // buffers out
	woken bool
	posts []func()
	after []*memoryTimer
}

type memoryTimer struct {
	at   int64
	fire func(int64)
}

func (m *memoryTimer) Stop() { m.fire = nil }

func (m *memoryCore) Now() int64        { return m.time }
func (m *memoryCore) Post(fire func())  { m.posts = append(m.posts, fire) }
func (m *memoryCore) Wake(c *Conn)      { m.woken = true }
func (m *memoryCore) Get(n int) []byte  { m.lent++; return make([]byte, n) }
func (m *memoryCore) Put(b []byte)      { m.lent-- }
func (m *memoryCore) wants() Interest   { return m.conn.Want() }
func (m *memoryCore) written() string   { return m.out.String() }
func (m *memoryCore) deadline() float64 { return float64(m.conn.Deadline()) / 1e9 }

func (m *memoryCore) After(d time.Duration, fire func(int64)) Timer {
	t := &memoryTimer{m.time + int64(d), fire}
	m.after = append(m.after, t)
	return t
}

func newMemoryCore(t testing.TB, h *Handler) *memoryCore {
	m := &memoryCore{t: t, time: 1e9}
	m.env = Env{Handler: h, Buffers: m, Date: FormatDate(time.Unix(1e9, 0))}
	m.conn.Open(&m.env, m, m.time)
	return m
}

// feed gives b to the Conn as it has room, and writes what it has to send in between. It reports whether all was taken.
func (m *memoryCore) feed(b []byte) bool {
	for len(b) > 0 {
		n := min(m.conn.Room(), len(b))
		if n <= 0 {
			return false
		}
		lent := append([]byte(nil), b[:n]...)
		m.conn.Feed(lent, m.time)
		clear(lent) // borrowed for the call only
		b = b[n:]
		m.turn()
	}
	return true
}

// turn writes and pumps until the Conn waits for something that only the test can bring.
func (m *memoryCore) turn() {
	for i := 0; ; i++ {
		if i > 1e6 {
			m.t.Fatal("the Conn never comes to rest")
		}
		m.woken = false
		progress := m.write()
		if m.wants()&Again != 0 {
			m.conn.Pump(m.time)
			progress = true
		}
		if !progress && !m.woken {
			return
		}
	}
}

func (m *memoryCore) write() bool {
	pending := m.conn.Pending(nil)
	if (len(pending) > 0) != (m.wants()&Write != 0) {
		m.t.Fatalf("Pending has %d segments, Want is %b", len(pending), m.wants())
	}
	if len(pending) == 0 || m.stop {
		return false
	}
	left := m.step
	if left == 0 {
		left = 1 << 40
	}
	n := int64(0)
	for _, s := range pending {
		p := s.Bytes
		if s.File != nil {
			p = make([]byte, s.Len)
			if _, err := s.File.ReadAt(p, s.Off); err != nil {
				m.t.Fatal(err)
			}
		}
		if int64(len(p)) != s.Len {
			m.t.Fatalf("a segment of %d bytes says %d", len(p), s.Len)
		}
		p = p[:min(int64(len(p)), left)]
		m.out.Write(p)
		n += int64(len(p))
		left -= int64(len(p))
	}
	m.conn.Wrote(n)
	return true
}

// state is what the Conn waits for in the end.
func (m *memoryCore) state() string {
	switch w := m.wants(); {
	case w&Close != 0:
		return "close"
	case w&Linger != 0:
		return "linger"
	case w&Read != 0:
		return "open"
	default:
		return "held"
	}
}

// end aborts the Conn and checks that it holds nothing.
func (m *memoryCore) end() {
	m.conn.Abort(nil)
	if m.lent != 0 {
		m.t.Errorf("%d buffers are not given back", m.lent)
	}
}

var hello = []byte("Hello, World!")

// testRoutes answer in every way there is.
type testRoutes struct {
	held    []Held
	gone    []error
	sunk    []byte
	pieces  int
	ended   int
	aborted []error
	pauseAt int // a paused sink pauses at each piece
	file    *testFile
	source  *testSource
	closed  []error
}

type testFile struct {
	*strings.Reader
	closed int
}

func (f *testFile) Fd() uintptr  { return 0 }
func (f *testFile) Close() error { f.closed++; return nil }

// testSource gives left bytes in pieces of size, and nothing while dry.
type testSource struct {
	r    *testRoutes
	left int
	size int
	dry  bool
	next int
}

func (s *testSource) Next(max int) ([]byte, bool) {
	if s.dry {
		return nil, false
	}
	n := min(s.size, s.left, max)
	s.left -= n
	p := bytes.Repeat([]byte{byte('a' + s.next%26)}, n)
	s.next++
	return p, s.left == 0
}

func (s *testSource) Close(err error) { s.r.closed = append(s.r.closed, err) }

func (r *testRoutes) Piece(x *Exchange, p []byte) {
	r.pieces++
	r.sunk = append(r.sunk, p...)
	if r.pauseAt > 0 && r.pieces%r.pauseAt == 0 {
		r.held = append(r.held[:0], x.Handle())
		x.Pause()
	}
}

func (r *testRoutes) End(x *Exchange) {
	r.ended++
	x.Reply(&Reply{Type: "text/plain", Body: strconv.AppendInt(nil, int64(len(r.sunk)), 10)})
}

func (r *testRoutes) Abort(err error) { r.aborted = append(r.aborted, err) }

// newMirrorTest is newTest with a route besides that sends a body back while it comes, cut into chunks as it came: where
// it is cut in two the answer is another one, and no case of the wire tests.
func newMirrorTest(t testing.TB, l Limits) *memoryCore {
	var r testRoutes
	h := r.handler(t, l)
	err := h.Router.Add(Route{Method: "POST", Pattern: "/mirror", Stream: true, MaxBody: -1, Serve: func(x *Exchange) {
		s := &mirror{held: x.Handle()}
		x.Stream(s)
		x.Reply(&Reply{Source: s})
	}})
	if err != nil {
		t.Fatal(err)
	}
	return newMemoryCore(t, h)
}

// mirror is the Sink and the Source of that route.
type mirror struct {
	held    Held
	in, out []byte
	ended   bool
}

func (s *mirror) Piece(_ *Exchange, p []byte) { s.in = append(s.in, p...); s.held.More() }
func (s *mirror) End(*Exchange)               { s.ended = true; s.held.More() }
func (s *mirror) Abort(error)                 {}
func (s *mirror) Close(error)                 {}

func (s *mirror) Next(int) ([]byte, bool) {
	s.in, s.out = s.out[:0], s.in
	return s.out, s.ended
}

func (r *testRoutes) handler(t testing.TB, l Limits) *Handler {
	var router Router
	for _, route := range []Route{
		{Method: "GET", Pattern: "/", Serve: func(x *Exchange) {
			x.Reply(&Reply{Type: "text/plain", Body: hello})
		}},
		{Method: "GET", Pattern: "/users/:id", Serve: func(x *Exchange) { x.Reply(&Reply{Body: x.Param("id")}) }},
		{Method: "POST", Pattern: "/echo", MaxBody: 16 << 20, Serve: func(x *Exchange) { x.Reply(&Reply{Body: x.Body()}) }},
		{Method: "POST", Pattern: "/small", MaxBody: 8, Serve: func(x *Exchange) { x.Reply(&Reply{Body: x.Body()}) }},
		{Method: "POST", Pattern: "/sink", Stream: true, MaxBody: -1, Serve: func(x *Exchange) { x.Stream(r) }},
		{Method: "POST", Pattern: "/sink8", Stream: true, MaxBody: 8, Serve: func(x *Exchange) { x.Stream(r) }},
		{Method: "POST", Pattern: "/early", Stream: true, MaxBody: -1, Serve: func(x *Exchange) {
			x.Reply(&Reply{Status: 403, Body: []byte("no")})
		}},
		{Method: "GET", Pattern: "/held", Serve: r.hold},
		{Method: "POST", Pattern: "/held", Serve: r.hold},
		{Method: "GET", Pattern: "/204", Serve: func(x *Exchange) { x.Reply(&Reply{Status: 204, Body: []byte("never sent")}) }},
		{Method: "GET", Pattern: "/304", Serve: func(x *Exchange) { x.Reply(&Reply{Status: 304, Fields: "ETag: \"1\"\r\n"}) }},
		{Method: "GET", Pattern: "/large", Serve: func(x *Exchange) { x.Reply(&Reply{Body: bytes.Repeat([]byte("0123456789"), 10000)}) }},
		{Method: "GET", Pattern: "/file", Serve: func(x *Exchange) {
			r.file = &testFile{Reader: strings.NewReader("0123456789")}
			x.Reply(&Reply{File: r.file, Off: 2, Len: 5})
		}},
		{Method: "GET", Pattern: "/source", Serve: func(x *Exchange) {
			r.source = &testSource{r: r, left: 10, size: 4}
			r.held = append(r.held, x.Handle())
			x.Reply(&Reply{Source: r.source})
		}},
		{Method: "GET", Pattern: "/sized", Serve: func(x *Exchange) {
			r.source = &testSource{r: r, left: 100000, size: 40000}
			x.Reply(&Reply{Source: r.source, Sized: true, Len: 100000})
		}},
		{Method: "GET", Pattern: "/short", Serve: func(x *Exchange) {
			x.Reply(&Reply{Source: &testSource{r: r, left: 4, size: 4}, Sized: true, Len: 5})
		}},
		{Method: "GET", Pattern: "/dry", Serve: func(x *Exchange) {
			r.source = &testSource{r: r, left: 3, size: 3, dry: true}
			r.held = append(r.held, x.Handle())
			x.Reply(&Reply{Source: r.source})
		}},
		{Method: "GET", Pattern: "/drop", Serve: func(x *Exchange) { x.Drop() }},
		{Method: "POST", Pattern: "/drop", Serve: func(x *Exchange) { x.Drop() }},
		{Method: "POST", Pattern: "/dropsink", Stream: true, MaxBody: -1, Serve: func(x *Exchange) { x.Stream(r); x.Drop() }},
		{Method: AnyMethod, Pattern: "/any", Serve: func(x *Exchange) { x.Reply(&Reply{Status: 405, Body: x.c.head.MethodName()}) }},
		{Method: "PUT", Pattern: "/any", Serve: func(x *Exchange) { x.Reply(&Reply{Status: 204}) }},
		{Method: "GET", Pattern: "/close", Serve: func(x *Exchange) { x.Reply(&Reply{Close: true}) }},
	} {
		if err := router.Add(route); err != nil {
			t.Fatal(err)
		}
	}
	return NewHandler(&router, l, "test")
}

func (r *testRoutes) hold(x *Exchange) {
	x.OnAbort(func(err error) { r.gone = append(r.gone, err) })
	r.held = append(r.held, x.Hold())
}

// undated takes the Date field out of replies.
func undated(s string) string {
	return strings.ReplaceAll(s, "Date: Sun, 09 Sep 2001 01:46:40 GMT\r\n", "")
}

// get is a request for path with a body where there is one.
func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

var _ io.ReaderAt = (*testFile)(nil)
