package servers_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corelab/httpcore"
	"corelab/servers"
)

// upstream is a server that a test scripts, which counts its connections.
type upstream struct {
	ln       *net.TCPListener
	addr     netip.AddrPort
	accepted atomic.Int64
	open     atomic.Int64
}

// newUpstream has talk handle each connection that comes, until the test ends.
func newUpstream(t testing.TB, talk func(c *net.TCPConn)) *upstream {
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{ln: ln, addr: ln.Addr().(*net.TCPAddr).AddrPort()}
	var over sync.WaitGroup
	over.Go(func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			u.accepted.Add(1)
			u.open.Add(1)
			c.SetDeadline(time.Now().Add(patience))
			over.Go(func() {
				defer u.open.Add(-1)
				defer c.Close()
				talk(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		over.Wait()
	})
	return u
}

// relay is the handler of one request that goes to an upstream as raw bytes, both ways, in bounded memory.
type relay struct {
	s      *relays
	h      httpcore.Held
	out    httpcore.Outbound
	unsent []byte // of the request
	whole  bool   // the request is read
	opened bool

	buf     []byte // of the answer, not yet taken
	given   []byte // buffers swap: given is lent
	done    bool
	replied bool
	wait    httpcore.Timer
}

// relays is what the routes under test share.
type relays struct {
	to      netip.AddrPort
	timeout time.Duration // of connecting; 0 for none
	keep    bool          // the upstream is not told of the request's end
	most    atomic.Int64  // bytes that one relay held at a time
	ended   chan error    // why a client's exchange ended, where not by its reply
}

func (s *relays) held(n int) {
	for old := s.most.Load(); int64(n) > old && !s.most.CompareAndSwap(old, int64(n)); old = s.most.Load() {
	}
}

func (s *relays) serve(x *httpcore.Exchange) {
	r := &relay{s: s}
	out, err := x.Loop().Dial(s.to, r)
	if err != nil {
		x.Reply(&httpcore.Reply{Status: 502, Type: "text/plain", Body: []byte(err.Error())})
		return
	}
	r.out = out
	x.Stream(r)
	r.h = x.Handle()
	x.OnAbort(func(err error) {
		tell(s.ended, err)
		r.out.Close()
	})
	if s.timeout > 0 {
		r.wait = x.Loop().After(s.timeout, func(int64) {
			if !r.opened {
				r.out.Close()
				r.fail(504, "no connection in time")
			}
		})
	}
}

// Piece implements httpcore.Sink.
func (r *relay) Piece(x *httpcore.Exchange, p []byte) {
	n := 0
	if r.opened && len(r.unsent) == 0 {
		n = r.out.Send(p, false)
	}
	if n < len(p) {
		r.unsent = append(r.unsent, p[n:]...)
		r.s.held(len(r.unsent))
		x.Pause()
	}
}

// End implements httpcore.Sink.
func (r *relay) End(x *httpcore.Exchange) {
	r.whole = true
	if !r.replied {
		x.Hold()
	}
	r.flush()
}

// Abort implements httpcore.Sink.
func (r *relay) Abort(error) { r.out.Close() }

func (r *relay) flush() {
	if !r.opened {
		return
	}
	n := r.out.Send(r.unsent, false)
	if r.unsent = r.unsent[n:]; len(r.unsent) > 0 {
		return
	}
	r.unsent = nil
	if r.whole && r.s.keep {
		return
	}
	if r.whole {
		r.out.CloseWrite()
		return
	}
	r.h.Resume()
}

func (r *relay) fail(status int, why string) {
	if x := r.h.Exchange(); x != nil && !r.replied {
		r.replied = true
		r.h.Reply(&httpcore.Reply{Status: status, Type: "text/plain", Body: []byte(why + "\n")})
		return
	}
	r.h.Break()
}

// Opened implements httpcore.OutboundHandler.
func (r *relay) Opened(err error) {
	if r.wait != nil {
		r.wait.Stop()
	}
	if err != nil {
		r.fail(502, err.Error())
		return
	}
	r.opened = true
	r.flush()
}

// Received implements httpcore.OutboundHandler.
func (r *relay) Received(p []byte) {
	r.buf = append(r.buf, p...)
	r.s.held(len(r.buf))
	r.out.Pause()
	r.more()
}

func (r *relay) more() {
	if !r.replied {
		r.replied = true
		r.h.Reply(&httpcore.Reply{Type: "text/plain", Source: r})
		return
	}
	r.h.More()
}

// Next implements httpcore.Source.
func (r *relay) Next(max int) ([]byte, bool) {
	r.given = append(r.given[:0], r.buf[:min(max, len(r.buf))]...)
	r.buf = r.buf[:copy(r.buf, r.buf[len(r.given):])]
	if len(r.buf) == 0 {
		r.out.Resume()
	}
	return r.given, r.done && len(r.buf) == 0
}

// Close implements httpcore.Source.
func (r *relay) Close(err error) {
	if err != nil {
		tell(r.s.ended, err)
	}
	r.out.Close()
}

// Writable implements httpcore.OutboundHandler.
func (r *relay) Writable() { r.flush() }

// Ended implements httpcore.OutboundHandler.
func (r *relay) Ended(err error) {
	if err != nil {
		r.fail(502, err.Error())
		return
	}
	r.done = true
	r.more()
}

// Expired implements httpcore.OutboundHandler.
func (r *relay) Expired(int64) { panic("no deadline was set") }

// relaying serves a relay to u at POST /relay, on every core.
func relaying(t *testing.T, s *relays, cfg servers.Config, check func(t *testing.T, r *running) error, features ...servers.Feature) {
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			own := &relays{to: s.to, timeout: s.timeout, keep: s.keep, ended: make(chan error, 64)}
			var router httpcore.Router
			if err := router.Add(httpcore.Route{Method: "POST", Pattern: "/relay", MaxBody: -1, Stream: true, Serve: own.serve}); err != nil {
				t.Fatal(err)
			}
			limits := testLimits
			limits.BodyIdle, limits.WriteIdle = patience, patience
			r := start(t, core, &service{Handler: httpcore.NewHandler(&router, limits, serverName)}, cfg)
			r.relays = own
			on(t, core, func() error { return check(t, r) }, features...)
		})
	}
}

const relayHead = "POST /relay HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

// ask sends body and returns the answer.
func (r *running) ask(body string) (*answer, error) {
	return exchange(r.Addr(), fmt.Sprintf("POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

// asks holds r to answering body with reply.
func (r *running) asks(body, reply string) error {
	a, err := r.ask(body)
	if err != nil {
		return err
	}
	return want{status: 200, body: reply}.check(a)
}

// echoUpper answers each byte with it in upper case, and its end with its end.
func echoUpper(c *net.TCPConn) {
	var b [32 << 10]byte
	for {
		n, err := c.Read(b[:])
		if n > 0 {
			if _, err := c.Write(bytes.ToUpper(b[:n])); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func TestOutboundEcho(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, echoUpper)
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		for range 3 {
			if err := r.asks("hello", "HELLO"); err != nil {
				return err
			}
		}
		return until("all connections are closed", func() bool { return u.open.Load() == 0 })
	})
}

// TestOutboundRefused dials a port that nobody listens on.
func TestOutboundRefused(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, echoUpper)
	u.ln.Close()
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		a, err := r.ask("hello")
		if err != nil {
			return err
		}
		if a.status != 502 || !strings.Contains(string(a.body), "refused") {
			return fmt.Errorf("%d %q", a.status, a.body)
		}
		return nil
	})
}

// TestOutboundPieces has the answer come byte by byte.
func TestOutboundPieces(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c)
		for i := range b {
			if _, err := c.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Microsecond) // so that some are read one by one
		}
	})
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		body := string(pattern[:300])
		return r.asks(body, body)
	})
}

// TestOutboundReset has the upstream reset in the middle of its answer: the client must not take that for the end.
func TestOutboundReset(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(c *net.TCPConn) {
		io.ReadAll(c)
		c.Write(pattern[:1000])
		c.SetLinger(0)
	})
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		for range 3 {
			a, err := r.ask("hello")
			if err == nil && a.status == 200 {
				return fmt.Errorf("a whole answer of %d bytes", len(a.body))
			}
			if err == nil && a.status != 502 {
				return fmt.Errorf("status %d", a.status)
			}
		}
		return nil
	})
}

// TestOutboundHalfClose has the upstream send its end first, and go on reading.
func TestOutboundHalfClose(t *testing.T) {
	t.Parallel()
	got := make(chan int, 64)
	u := newUpstream(t, func(c *net.TCPConn) {
		c.Write([]byte("done"))
		c.CloseWrite()
		n, _ := io.Copy(io.Discard, c)
		got <- int(n)
	})
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send(relayHead + "3\r\nabc\r\n"); err != nil {
			return err
		}
		if _, err := c.until("done"); err != nil {
			return err
		}
		select {
		case n := <-got:
			if n > 3 {
				return fmt.Errorf("the upstream read %d bytes", n)
			}
		case <-time.After(patience):
			return fmt.Errorf("the upstream connection is still open")
		}
		return nil
	})
}

// TestOutboundClientLeaves resets the client's connection while its answer is awaited.
func TestOutboundClientLeaves(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	relaying(t, &relays{to: u.addr, keep: true}, servers.Config{}, func(t *testing.T, r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		if err := c.send("POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"); err != nil {
			return err
		}
		if err := until("the upstream has it", func() bool { return u.open.Load() > 0 }); err != nil {
			return err
		}
		c.abort()
		select {
		case <-r.relays.ended:
		case <-time.After(patience):
			return fmt.Errorf("nobody told the handler")
		}
		return until("its connection is closed", func() bool { return u.open.Load() == 0 })
	})
}

// TestOutboundBoth carries 15 MB each way at once, byte for byte.
func TestOutboundBoth(t *testing.T) {
	t.Parallel()
	const size = 15 << 20
	u := newUpstream(t, func(c *net.TCPConn) {
		c.SetDeadline(time.Now().Add(flowTime))
		io.Copy(c, c)
	})
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		if lacks(r.core, servers.Backpressure) {
			t.Skip("it closes a connection that sends faster than the upstream takes: whether this one does is a matter of luck")
		}
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(flowTime))
		sent := make(chan error, 1)
		go func() {
			sent <- func() error {
				if err := c.send(fmt.Sprintf("POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)); err != nil {
					return err
				}
				for at := 0; at < size; at += len(pattern) {
					if _, err := c.Write(pattern); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if err := <-sent; err != nil {
			return err
		}
		if len(a.body) != size {
			return fmt.Errorf("%d bytes of %d", len(a.body), size)
		}
		for at := 0; at < size; at += len(pattern) {
			if !bytes.Equal(a.body[at:at+len(pattern)], pattern) {
				return fmt.Errorf("a wrong byte in the MiB from %d on", at)
			}
		}
		if most := r.relays.most.Load(); most > 256<<10 {
			return fmt.Errorf("a relay held %d bytes", most)
		}
		return nil
	})
}
