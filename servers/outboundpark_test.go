package servers_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corelab/httpcore"
	"corelab/servers"
)

// parked is a handler that asks an upstream a line for a line, on connections that it keeps, one list for each shard.
type parked struct {
	to     netip.AddrPort
	shards sync.Map // of index to *shardIdle
	wrong  atomic.Int64
}

type shardIdle struct {
	mu    sync.Mutex // taken whatever Shared says: the test looks in
	idle  []*line
	stale int
}

// line is one connection, for one exchange after the other.
type line struct {
	p      *parked
	shard  *shardIdle
	loop   httpcore.Loop
	out    httpcore.Outbound
	h      httpcore.Held
	got    []byte
	busy   bool
	opened bool
}

func (p *parked) serve(x *httpcore.Exchange) {
	loop := x.Loop()
	own := loop.Shard()
	if own.Index < 0 || own.Index >= own.Of {
		p.wrong.Add(1)
	}
	v, _ := p.shards.LoadOrStore(own.Index, &shardIdle{})
	s := v.(*shardIdle)
	l := s.take(loop)
	if l == nil {
		l = &line{p: p, shard: s, loop: loop}
		var err error
		if l.out, err = loop.Dial(p.to, l); err != nil {
			x.Reply(&httpcore.Reply{Status: 502, Type: "text/plain", Body: []byte(err.Error() + "\n")})
			return
		}
	}
	l.busy, l.loop, l.h, l.got = true, loop, x.Hold(), l.got[:0]
	x.OnAbort(func(error) { l.out.Close() })
	l.ask()
}

// take returns an idle connection that loop could adopt.
func (s *shardIdle) take(loop httpcore.Loop) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > 0 {
		l := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if loop.Adopt(l.out, l) == nil {
			return l
		}
		s.stale++
	}
	return nil
}

func (l *line) ask() {
	if l.opened {
		l.out.Deadline(l.loop.Now() + int64(patience))
		l.out.Send([]byte("ping\n"), false)
	}
}

func (l *line) Opened(err error) {
	if err != nil {
		l.h.Reply(&httpcore.Reply{Status: 502, Type: "text/plain", Body: []byte(err.Error() + "\n")})
		return
	}
	l.opened = true
	l.ask()
}

func (l *line) Received(p []byte) {
	if !l.busy {
		l.p.wrong.Add(1)
		return
	}
	if l.got = append(l.got, p...); l.got[len(l.got)-1] != '\n' {
		return
	}
	l.busy = false
	l.h.Reply(&httpcore.Reply{Type: "text/plain", Body: l.got})
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	l.out.Park()
	l.shard.idle = append(l.shard.idle, l)
}

func (l *line) Writable() {}

func (l *line) Ended(err error) {
	if l.busy {
		l.h.Reply(&httpcore.Reply{Status: 502, Type: "text/plain", Body: []byte("it ended\n")})
		l.out.Close()
		return
	}
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	for i, x := range l.shard.idle {
		if x == l {
			l.shard.idle = append(l.shard.idle[:i], l.shard.idle[i+1:]...)
			l.shard.stale++
		}
	}
}

func (l *line) Expired(int64) {
	l.out.Close()
	l.h.Reply(&httpcore.Reply{Status: 504, Type: "text/plain", Body: []byte("too late\n")})
}

// parking serves a parked on every core.
func parking(t *testing.T, to netip.AddrPort, check func(r *running, p *parked) error) {
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			p := &parked{to: to}
			var router httpcore.Router
			if err := router.Add(httpcore.Route{Method: "GET", Pattern: "/line", Serve: p.serve}); err != nil {
				t.Fatal(err)
			}
			r := start(t, core, &service{Handler: httpcore.NewHandler(&router, testLimits, serverName)}, servers.Config{})
			if err := check(r, p); err != nil {
				t.Errorf("%s: %v", core.Name, err)
			}
			if n := p.wrong.Load(); n > 0 {
				t.Errorf("%s: %d times something came to an idle connection, or the shard was out of range", core.Name, n)
			}
		})
	}
}

const getLine = "GET /line HTTP/1.1\r\nHost: a\r\n\r\n"

// answerLines answers each line with "pong", and has after say what to do then.
func answerLines(after func(c *net.TCPConn) bool) func(c *net.TCPConn) {
	return func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		for {
			if s, err := in.ReadString('\n'); err != nil || s != "ping\n" {
				return
			}
			if _, err := c.Write([]byte("pong\n")); err != nil || !after(c) {
				return
			}
		}
	}
}

// TestOutboundParked uses connections again, from many clients' connections at once.
func TestOutboundParked(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, answerLines(func(*net.TCPConn) bool { return true }))
	parking(t, u.addr, func(r *running, p *parked) error {
		before := u.accepted.Load()
		const clients, each = 16, 20
		failed := make(chan error, clients)
		for range clients {
			go func() {
				failed <- func() error {
					for range each { // a connection each, so that each has another Loop where that is one's own
						a, err := exchange(r.Addr(), getLine)
						if err == nil {
							err = want{status: 200, body: "pong\n"}.check(a)
						}
						if err != nil {
							return err
						}
					}
					return nil
				}()
			}()
		}
		var first error
		for range clients {
			if err := <-failed; first == nil {
				first = err
			}
		}
		if n := u.accepted.Load() - before; first == nil && n > 2*clients {
			first = fmt.Errorf("%d connections for %d requests of %d clients", n, clients*each, clients)
		}
		r.stop()
		if err := <-r.done; first == nil {
			first = err
		}
		if err := until("idle connections are closed with the server", func() bool { return u.open.Load() == 0 }); first == nil {
			first = err
		}
		return first
	})
}

// TestOutboundStale has the upstream send something, or close, after its answer: that connection must not be used again.
func TestOutboundStale(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(c *net.TCPConn) bool{
		"bytes": func(c *net.TCPConn) bool { c.Write([]byte("more\n")); return true },
		"end":   func(c *net.TCPConn) bool { return false },
		"reset": func(c *net.TCPConn) bool { c.SetLinger(0); return false },
	} {
		t.Run(name, func(t *testing.T) {
			var done atomic.Int64
			answered := make(chan struct{})
			u := newUpstream(t, answerLines(func(c *net.TCPConn) bool {
				defer done.Add(1)
				<-answered
				on := after(c)
				if !on {
					c.Close()
				}
				return on
			}))
			parking(t, u.addr, func(r *running, p *parked) error {
				before := done.Load()
				for i := range int64(3) {
					a, err := exchange(r.Addr(), getLine)
					if err == nil {
						err = want{status: 200, body: "pong\n"}.check(a)
					}
					if err != nil {
						return fmt.Errorf("request %d: %w", i+1, err)
					}
					answered <- struct{}{}
					if err := until("the upstream has done it", func() bool { return done.Load() == before+i+1 }); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// TestOutboundDeadline has an upstream not answer.
func TestOutboundDeadline(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(c *net.TCPConn) { bufio.NewReader(c).ReadString(0) })
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			var router httpcore.Router
			early := make(chan int64, 1)
			if err := router.Add(httpcore.Route{Method: "GET", Pattern: "/late", Serve: func(x *httpcore.Exchange) {
				l := &lateAnswer{h: x.Hold(), early: early, due: x.Loop().Now() + int64(60*time.Millisecond)}
				out, err := x.Loop().Dial(u.addr, l)
				if err != nil {
					l.h.Reply(&httpcore.Reply{Status: 502})
					return
				}
				l.out = out
				out.Deadline(x.Loop().Now() + int64(20*time.Millisecond))
				out.Deadline(l.due) // later
			}}); err != nil {
				t.Fatal(err)
			}
			r := start(t, core, &service{Handler: httpcore.NewHandler(&router, testLimits, serverName)}, servers.Config{})
			a, err := exchange(r.Addr(), "GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
			if err == nil && a.status != 504 {
				err = fmt.Errorf("status %d", a.status)
			}
			if err != nil {
				t.Fatalf("%s: %v", core.Name, err)
			}
			if d := <-early; d > 0 {
				t.Errorf("%s: it fired %d ns early", core.Name, d)
			}
			if err := until("it is closed", func() bool { return u.open.Load() == 0 }); err != nil {
				t.Error(err)
			}
		})
	}
}

type lateAnswer struct {
	h     httpcore.Held
	out   httpcore.Outbound
	due   int64
	early chan int64
}

func (l *lateAnswer) Opened(error)    {}
func (l *lateAnswer) Received([]byte) {}
func (l *lateAnswer) Writable()       {}
func (l *lateAnswer) Ended(error)     {}

func (l *lateAnswer) Expired(now int64) {
	l.early <- l.due - now
	l.out.Close()
	l.h.Reply(&httpcore.Reply{Status: 504, Type: "text/plain", Body: []byte("too late\n")})
}
