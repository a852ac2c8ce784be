package httpcore

import (
	"errors"
	"strings"
	"testing"
)

const switched = "HTTP/1.1 101 Switching Protocols\r\nServer: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

// tunnel is both ends of a tunnel, as a handler has them.
type tunnel struct {
	t    *testing.T
	held Held

	in      []byte
	pauses  bool // after each piece
	ended   int
	aborted error

	out    []byte
	lent   []byte
	over   bool
	closed int
	why    error
}

func (s *tunnel) Piece(x *Exchange, p []byte) {
	s.in = append(s.in, p...)
	if s.pauses {
		x.Pause()
	}
}
func (s *tunnel) End(*Exchange)    { s.ended++ }
func (s *tunnel) Abort(err error)  { s.aborted = err }
func (s *tunnel) Close(err error)  { s.closed++; s.why = err }
func (s *tunnel) upgrade()         { s.held.Upgrade("Connection: Upgrade\r\nUpgrade: x\r\n", s, s) }
func (s *tunnel) say(words string) { s.out = append(s.out, words...); s.held.More() }

func (s *tunnel) Next(most int) ([]byte, bool) {
	n := min(most, len(s.out))
	s.lent, s.out = s.out[:n], s.out[n:]
	return s.lent, s.over && len(s.out) == 0
}

// newTunnel asks for an upgrade, with more behind the request. The handler of route "/held" holds it, as one does that asks
// somebody else first; that of "/now" upgrades at once.
func newTunnel(t *testing.T, path, more string) (*tunnel, *memoryCore) {
	s := &tunnel{t: t}
	var router Router
	for _, r := range []Route{
		{Method: "GET", Pattern: "/held", Serve: func(x *Exchange) { s.held = x.Hold() }},
		{Method: "GET", Pattern: "/now", Stream: true, Serve: func(x *Exchange) { s.held = x.Handle(); s.upgrade() }},
	} {
		if err := router.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	m := newMemoryCore(t, NewHandler(&router, Limits{}, "test"))
	m.feed([]byte("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + more))
	if path == "/held" {
		s.upgrade()
	}
	m.turn()
	return s, m
}

func TestUpgrade(t *testing.T) {
	for _, path := range []string{"/held", "/now"} {
		for _, early := range []string{"", "GET /held HTTP/1.1\r\n\r\n"} { // it is no request any more
			s, m := newTunnel(t, path, early)
			m.feed([]byte("\x81\x01?"))
			s.say("\x81\x02ok")
			m.turn()
			if got := undated(m.written()); got != switched+"\x81\x02ok" || m.state() != "open" {
				t.Errorf("%s: %s, sent %q", path, m.state(), got)
			}
			if string(s.in) != early+"\x81\x01?" || m.deadline() != 0 {
				t.Errorf("%s: received %q, deadline %v", path, s.in, m.deadline())
			}

			m.conn.End() // the client has said all, and still listens
			m.turn()
			s.say("more")
			m.turn()
			if s.ended != 1 || m.state() != "held" || !strings.HasSuffix(m.written(), "okmore") {
				t.Errorf("%s: told %d ends; %s, sent %q", path, s.ended, m.state(), m.written())
			}
			s.over = true
			s.say("")
			m.turn()
			if m.state() != "close" || s.closed != 1 || s.why != nil || s.held.Live() {
				t.Errorf("%s: %s, closed %d times with %v", path, m.state(), s.closed, s.why)
			}
			m.end()
		}
	}
}

// Where the other side ends first, nothing that the client still sends reaches it.
func TestUpgradeOtherSideEnds(t *testing.T) {
	s, m := newTunnel(t, "/held", "")
	m.stop = true
	s.over = true
	s.say("bye")
	m.feed([]byte("one"))
	m.stop = false
	m.turn()
	if m.state() != "linger" || s.closed != 1 || !strings.HasSuffix(m.written(), "bye") {
		t.Errorf("%s, closed %d times, sent %q", m.state(), s.closed, m.written())
	}
	m.feed([]byte("two"))
	m.conn.End()
	m.turn()
	if string(s.in) != "one" || s.ended != 0 || s.aborted != nil || m.state() != "close" {
		t.Errorf("received %q, told %d ends and %v; %s", s.in, s.ended, s.aborted, m.state())
	}
	m.end()
}

func TestUpgradePauses(t *testing.T) {
	s, m := newTunnel(t, "/held", "")
	s.pauses = true
	m.feed([]byte("one"))
	if m.conn.Room() != 0 || m.deadline() != 0 {
		t.Fatalf("room for %d while paused, deadline %v", m.conn.Room(), m.deadline())
	}
	m.conn.End()
	m.turn()
	if s.ended != 0 {
		t.Fatal("told the end while paused")
	}
	s.held.Resume()
	m.turn()
	if s.ended != 1 || string(s.in) != "one" {
		t.Errorf("told %d ends, received %q", s.ended, s.in)
	}
	m.end()
}

func TestUpgradeAborted(t *testing.T) {
	reset := errors.New("reset")
	s, m := newTunnel(t, "/held", "")
	m.conn.Abort(reset)
	if s.aborted != reset || s.closed != 1 || s.why != reset {
		t.Errorf("in was told %v, out closed %d times with %v", s.aborted, s.closed, s.why)
	}
	m.end()

	s, m = newTunnel(t, "/held", "") // the peer takes nothing
	m.stop = true
	s.say("words")
	m.turn()
	m.time += int64(DefaultLimits.WriteIdle)
	m.conn.Pump(m.time)
	if m.state() != "close" || s.aborted == nil || s.closed != 1 {
		t.Errorf("%s, in was told %v, out closed %d times", m.state(), s.aborted, s.closed)
	}
	m.end()

	s, m = newTunnel(t, "/held", "")
	s.held.Break()
	m.turn()
	if m.state() != "linger" || s.aborted == nil || s.closed != 1 {
		t.Errorf("%s, in was told %v, out closed %d times", m.state(), s.aborted, s.closed)
	}
	m.end()
	s.upgrade() // of an exchange that has ended: only out hears of it
	if s.closed != 2 {
		t.Errorf("out closed %d times", s.closed)
	}
}
