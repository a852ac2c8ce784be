package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
)

// wire is an upstream that a test plays, and the Loop that leads to it.
type wire struct {
	httpcore.Loop
	now    int64
	shared bool
	dials  []*socket
	refuse error // of the next Dial
	stale  error // of the next Adopt
}

func (w *wire) Now() int64            { return w.now }
func (w *wire) Shard() httpcore.Shard { return httpcore.Shard{Of: 1, Shared: w.shared} }

func (w *wire) Dial(_ netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	if w.refuse != nil {
		return nil, w.refuse
	}
	s := &socket{h: h, takes: 1 << 20}
	w.dials = append(w.dials, s)
	return s, nil
}

func (w *wire) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	s := o.(*socket)
	if !s.parked {
		panic("adopted what was not parked")
	}
	if w.stale != nil {
		return w.stale
	}
	s.parked, s.h = false, h
	return nil
}

// socket is an Outbound. It takes so many bytes, and keeps what it took.
type socket struct {
	h              httpcore.OutboundHandler
	takes          int
	sent           []byte
	due            int64
	parked, closed bool
}

func (s *socket) Send(p []byte, _ bool) int {
	n := min(len(p), s.takes)
	s.takes -= n
	s.sent = append(s.sent, p[:n]...)
	return n
}
func (s *socket) Pause()             {}
func (s *socket) Resume()            {}
func (s *socket) CloseWrite()        {}
func (s *socket) Close()             { s.closed = true }
func (s *socket) Deadline(due int64) { s.due = due }
func (s *socket) Park()              { s.parked, s.due = true, 0 }

// caller notes what it is told, and holds it to being told inside of Enter and Exit.
type caller struct {
	t        *testing.T
	inside   bool
	status   int
	data     strings.Builder
	done     bool
	err      error
	room     int
	finished int // times that it was told the end
}

func (c *caller) Enter() bool {
	if c.inside {
		c.t.Error("entered twice")
	}
	c.inside = true
	return true
}

func (c *caller) Exit(bool) { c.inside = false }

func (c *caller) Head(_ *Conn, h *httpcore.ResponseHead, _ httpcore.Framing, p []byte, done bool) {
	c.status = h.Status()
	c.take(p, done)
}

func (c *caller) Data(_ *Conn, p []byte, done bool) { c.take(p, done) }

func (c *caller) take(p []byte, done bool) {
	if !c.inside {
		c.t.Error("told outside of Enter and Exit")
	}
	c.data.Write(p)
	if done {
		c.done = true
		c.finished++
	}
}

func (c *caller) Room(*Conn) { c.room++ }

func (c *caller) Failed(_ *Conn, err error) {
	c.err = err
	c.finished++
}

// ask begins an exchange without content on a connection of the pool.
func ask(t *testing.T, p *Pool, w *wire, s *Settings) (*Conn, *caller) {
	t.Helper()
	call := &caller{t: t}
	c, err := p.Take(w, call, s, false)
	if err != nil {
		t.Fatal(err)
	}
	c.Begin(append(c.Buffer(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"...), Sent{Method: httpcore.MethodGet})
	return c, call
}

const plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestExchanges has one connection carry several exchanges, whose answers come whole and byte by byte.
func TestExchanges(t *testing.T) {
	w, p, s := &wire{}, NewPool(netip.AddrPort{}), NewSettings(Limits{})
	for i, whole := range []bool{true, false, true} {
		_, call := ask(t, p, w, s)
		at := w.dials[0]
		if i == 0 {
			if len(at.sent) != 0 {
				t.Fatal("sent before the connection stood")
			}
			at.h.Opened(nil)
		}
		if whole {
			at.h.Received([]byte(plain))
		} else {
			for j := range len(plain) {
				at.h.Received([]byte(plain[j : j+1]))
			}
		}
		if !call.done || call.err != nil || call.status != 200 || call.data.String() != "ok" || call.finished != 1 {
			t.Fatalf("exchange %d: %+v", i, call)
		}
		if !at.parked || p.Idle() != 1 || p.Open() != 1 {
			t.Fatalf("exchange %d: parked %v, %d idle of %d", i, at.parked, p.Idle(), p.Open())
		}
	}
	if p.Dialled != 1 || p.Reused != 2 || len(w.dials) != 1 {
		t.Errorf("dialled %d, reused %d", p.Dialled, p.Reused)
	}
}

// TestNotKept names what keeps a connection from being used again.
func TestNotKept(t *testing.T) {
	for name, test := range map[string]struct {
		limits Limits
		answer string
		after  func(w *wire, p *Pool, at *socket)
		reused bool
	}{
		"kept":                {answer: plain, reused: true},
		"close":               {answer: strings.Replace(plain, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)},
		"a byte too many":     {answer: plain + "x"},
		"a second answer":     {answer: plain + plain},
		"HTTP/1.0":            {answer: strings.Replace(plain, "HTTP/1.1", "HTTP/1.0", 1)},
		"none may wait":       {limits: Limits{Idle: -1}, answer: plain},
		"as many as it may":   {limits: Limits{Requests: 1}, answer: plain},
		"idle too long":       {answer: plain, after: func(w *wire, _ *Pool, _ *socket) { w.now += int64(DefaultLimits.IdleTime) }},
		"nearly too long":     {answer: plain, after: func(w *wire, _ *Pool, _ *socket) { w.now += int64(DefaultLimits.IdleTime) - 1 }, reused: true},
		"too old":             {limits: Limits{Age: time.Second}, answer: plain, after: func(w *wire, _ *Pool, _ *socket) { w.now += int64(time.Second) }},
		"ended while idle":    {answer: plain, after: func(_ *wire, _ *Pool, at *socket) { at.h.Ended(nil) }},
		"expired while idle":  {answer: plain, after: func(_ *wire, _ *Pool, at *socket) { at.h.Expired(0) }},
		"stale when wanted":   {answer: plain, after: func(w *wire, _ *Pool, _ *socket) { w.stale = httpcore.ErrStale }},
		"its pool is retired": {answer: plain, after: func(_ *wire, p *Pool, _ *socket) { p.Retire() }},
	} {
		t.Run(name, func(t *testing.T) {
			w, p, s := &wire{}, NewPool(netip.AddrPort{}), NewSettings(test.limits)
			_, call := ask(t, p, w, s)
			at := w.dials[0]
			at.h.Opened(nil)
			at.h.Received([]byte(test.answer))
			if !call.done || call.data.String() != "ok" || call.finished != 1 {
				t.Fatalf("%+v", call)
			}
			if test.after != nil {
				test.after(w, p, at)
			}
			ask(t, p, w, s)
			if reused := len(w.dials) == 1; reused != test.reused {
				t.Errorf("reused %v", reused)
			}
			if at.closed == test.reused {
				t.Errorf("closed %v", at.closed)
			}
			if p.Open() != 1 || p.Idle() != 0 {
				t.Errorf("%d open, %d idle", p.Open(), p.Idle())
			}
		})
	}
}

// TestFailures tells the caller once why no answer comes, and leaves nothing open.
func TestFailures(t *testing.T) {
	reset := errors.New("reset")
	for name, test := range map[string]struct {
		play func(at *socket)
		want error
	}{
		"refused":              {func(at *socket) { at.h.Opened(reset) }, reset},
		"connects too slowly":  {func(at *socket) { at.h.Expired(0) }, ErrConnectTime},
		"takes nothing":        {func(at *socket) { at.takes = 0; at.h.Opened(nil); at.h.Expired(0) }, ErrWriteTime},
		"says nothing":         {func(at *socket) { at.h.Opened(nil); at.h.Expired(0) }, ErrHeadTime},
		"leaves":               {func(at *socket) { at.h.Opened(nil); at.h.Ended(nil) }, ErrNoAnswer},
		"leaves in the head":   {func(at *socket) { at.h.Opened(nil); at.h.Received([]byte(plain[:9])); at.h.Ended(nil) }, ErrCut},
		"leaves in the answer": {func(at *socket) { at.h.Opened(nil); at.h.Received([]byte(plain[:len(plain)-1])); at.h.Ended(nil) }, ErrCut},
		"stops in the answer":  {func(at *socket) { at.h.Opened(nil); at.h.Received([]byte(plain[:len(plain)-1])); at.h.Expired(0) }, ErrBodyTime},
		"is reset":             {func(at *socket) { at.h.Opened(nil); at.h.Ended(reset) }, reset},
		"switches protocols":   {func(at *socket) { at.h.Opened(nil); at.h.Received([]byte("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n")) }, ErrUpgrade},
		"is never done with interim answers": {func(at *socket) {
			at.h.Opened(nil)
			at.h.Received([]byte(strings.Repeat("HTTP/1.1 103 x\r\n\r\n", DefaultLimits.Interim+1)))
		}, ErrInterim},
	} {
		t.Run(name, func(t *testing.T) {
			w, p, s := &wire{}, NewPool(netip.AddrPort{}), NewSettings(Limits{})
			c, call := ask(t, p, w, s)
			at := w.dials[0]
			test.play(at)
			if !errors.Is(call.err, test.want) || call.finished != 1 || call.done {
				t.Errorf("%v, told %d times; want %v", call.err, call.finished, test.want)
			}
			if !at.closed || p.Open() != 0 || p.Idle() != 0 {
				t.Errorf("closed %v, %d open, %d idle", at.closed, p.Open(), p.Idle())
			}
			c.Close() // once more does nothing
			if p.Open() != 0 {
				t.Errorf("%d open", p.Open())
			}
		})
	}
}

// TestFull bounds the connections of a pool, also where one cannot be dialled.
func TestFull(t *testing.T) {
	w, p, s := &wire{}, NewPool(netip.AddrPort{}), NewSettings(Limits{Open: 2})
	for range 2 {
		ask(t, p, w, s)
	}
	if _, err := p.Take(w, &caller{t: t}, s, false); err != ErrFull {
		t.Errorf("a third one: %v", err)
	}
	w.dials[0].h.Ended(errors.New("reset"))
	w.refuse = errors.New("no file")
	if _, err := p.Take(w, &caller{t: t}, s, false); err != w.refuse || p.Open() != 1 {
		t.Errorf("%v, %d open", err, p.Open())
	}
}

// TestContent keeps what the upstream does not take, frames it as chunks where its length is not known, and says when there is
// room.
func TestContent(t *testing.T) {
	w, p, s := &wire{}, NewPool(netip.AddrPort{}), NewSettings(Limits{})
	call := &caller{t: t}
	c, err := p.Take(w, call, s, false)
	if err != nil {
		t.Fatal(err)
	}
	c.Begin(append(c.Buffer(), "POST / HTTP/1.1\r\n\r\n"...), Sent{Method: httpcore.MethodPost, Content: true, Chunked: true})
	at := w.dials[0]
	at.h.Opened(nil)
	at.takes = 3
	if !c.Content([]byte("hello"), false) {
		t.Fatal("all was taken")
	}
	rooms := call.room
	at.takes = 1 << 10
	at.h.Writable()
	if call.room != rooms+1 {
		t.Fatalf("told of room %d times", call.room-rooms)
	}
	c.Content([]byte("!"), false)
	c.Content(nil, true)
	if want := "POST / HTTP/1.1\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"; string(at.sent) != want {
		t.Errorf("sent %q, want %q", at.sent, want)
	}
	at.h.Received([]byte(plain))
	if !call.done || p.Idle() != 1 {
		t.Errorf("%+v, %d idle", call, p.Idle())
	}
}

// TestEarlyAnswer does not use a connection again whose request was not sent to its end: the rest would be taken for the next.
func TestEarlyAnswer(t *testing.T) {
	w, p, s := &wire{}, NewPool(netip.AddrPort{}), NewSettings(Limits{})
	call := &caller{t: t}
	c, err := p.Take(w, call, s, false)
	if err != nil {
		t.Fatal(err)
	}
	c.Begin(append(c.Buffer(), "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"...), Sent{Method: httpcore.MethodPost, Content: true})
	w.dials[0].h.Opened(nil)
	w.dials[0].h.Received([]byte(plain))
	if !call.done || p.Open() != 0 || !w.dials[0].closed {
		t.Errorf("%+v, %d open", call, p.Open())
	}
}

func ExampleBudget() {
	b := NewBudget()
	spent := 0
	for b.Spend() {
		spent++
	}
	for range 8 {
		b.Asked(0.25)
	}
	for b.Spend() {
		spent++
	}
	fmt.Println(spent)
	// Output: 22
}
