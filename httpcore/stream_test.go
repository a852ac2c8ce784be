package httpcore

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// TestEndlessReply has a reply go on and on while one byte of it always waits to be written: what is written is not kept.
func TestEndlessReply(t *testing.T) {
	const piece, pieces, most = 1000, 10_000, 16 << 10
	m := newMirrorTest(t, Limits{})
	m.feed([]byte("POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(piece*pieces) + "\r\n\r\n"))
	for range pieces {
		m.conn.Feed(make([]byte, piece), m.time)
		m.conn.Pump(m.time)
		m.step = m.conn.out.queued - 1
		m.write()
		if n := cap(m.conn.out.buf); n > most {
			t.Fatalf("%d bytes of memory for one that waits", n)
		}
	}
	m.step = 0
	m.turn()
	m.expect("open", "\r\n0\r\n\r\n")
	m.end()
}

func TestSinkPauses(t *testing.T) {
	r, m := newTest(t, Limits{})
	r.pauseAt = 1
	body := strings.Repeat("0123456789", 20)
	in := []byte(post("/sink", body) + get("/"))
	for i := 0; len(in) > 0; i++ {
		n := min(13, len(in))
		if m.conn.Room() == 0 {
			if m.conn.Want() != 0 {
				t.Fatalf("paused, but wants %b", m.conn.Want())
			}
			if d := m.conn.Deadline(); d != 0 {
				t.Fatal("the client is timed for our pause")
			}
			r.held[0].Resume()
			m.turn()
			continue
		}
		n = min(n, m.conn.Room())
		m.conn.Feed(in[:n], m.time)
		m.turn()
		in = in[n:]
	}
	for m.conn.body.paused {
		r.held[0].Resume()
		m.turn()
	}
	m.expect("open", "Hello, World!")
	if string(r.sunk) != body || r.ended != 1 {
		t.Errorf("the sink got %d bytes and %d ends", len(r.sunk), r.ended)
	}
	m.end()
}

func TestSinkAborted(t *testing.T) {
	r, m := newTest(t, Limits{})
	m.feed([]byte("POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc"))
	m.conn.Abort(errors.New("reset"))
	if len(r.aborted) != 1 || r.ended != 0 {
		t.Errorf("the sink was told %v, and %d ends", r.aborted, r.ended)
	}
	m.end()
}

func TestSourceWaits(t *testing.T) {
	r, m := newTest(t, Limits{})
	m.feed([]byte(get("/dry") + get("/users/8")))
	m.expect("held", "Transfer-Encoding: chunked\r\n\r\n")
	r.source.dry = false
	r.held[0].More()
	m.turn()
	m.expect("open", "\r\n\r\n8")
	m.end()

	m = newMemoryCore(t, r.handler(t, Limits{}))
	r.closed = nil
	m.feed([]byte(get("/dry")))
	gone := errors.New("gone")
	m.conn.Abort(gone)
	if len(r.closed) != 1 || r.closed[0] != gone {
		t.Errorf("the source was closed with %v", r.closed)
	}
	m.end()
}

// TestSourceSpeaksBeforeFeed has a Source say More just before bytes of the request come: it is asked all the same.
func TestSourceSpeaksBeforeFeed(t *testing.T) {
	src := &dripSource{}
	var router Router
	if err := router.Add(Route{Method: "POST", Pattern: "/", Stream: true, MaxBody: -1, Serve: func(x *Exchange) {
		src.h = x.Handle()
		x.Stream(nullSink{})
		x.Reply(&Reply{Source: src})
	}}); err != nil {
		t.Fatal(err)
	}
	m := newMemoryCore(t, NewHandler(&router, Limits{}, ""))
	m.feed([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx"))
	src.next = []byte("piece")
	src.h.More()
	m.conn.Feed([]byte("y"), m.time)
	m.turn()
	if out := m.written(); !strings.HasSuffix(out, "5\r\npiece\r\n") {
		t.Errorf("the Source was not asked: %q", out)
	}
	src.h.Break()
	m.turn()
	if out := m.written(); m.state() != "linger" || !strings.HasSuffix(out, "5\r\npiece\r\n") || src.closed == nil {
		t.Errorf("after Break: %s, closed with %v, %q", m.state(), src.closed, out)
	}
	m.conn.Abort(nil)
	m.end()
}

// dripSource gives what a test puts into next.
type dripSource struct {
	h      Held
	next   []byte
	closed error
}

func (s *dripSource) Next(int) ([]byte, bool) {
	p := s.next
	s.next = nil
	return p, false
}

func (s *dripSource) Close(err error) { s.closed = err }

// nullSink takes a body and does nothing.
type nullSink struct{}

func (nullSink) Piece(*Exchange, []byte) {}
func (nullSink) End(*Exchange)           {}
func (nullSink) Abort(error)             {}
