package servers_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"corelab/httpcore"
	"corelab/servers"
)

// shortLimits are testLimits with times that a test can wait for.
func shortLimits() httpcore.Limits {
	l := testLimits
	l.HeadTime = 150 * time.Millisecond
	l.BodyIdle = 150 * time.Millisecond
	l.BodyGrace = 150 * time.Millisecond
	l.BodyRate = 1 << 20
	l.IdleTime = 150 * time.Millisecond
	l.WriteIdle = 250 * time.Millisecond
	l.Linger = 100 * time.Millisecond
	return l
}

// TestTimeouts waits for each deadline: 408 for what is unfinished, and nothing for what was never begun.
func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name, send string
		want       []want // none for a silent close
		needs      []servers.Feature
	}{
		{"nothing was sent", "", nil, nil},
		{"idle after an answer", get, hello, []servers.Feature{servers.KeepAlive}},
		{"empty lines", "\r\n", fails(408), nil},
		{"request line", "GET /plain", fails(408), nil},
		{"field", "GET /plaintext HTTP/1.1\r\nHost: a\r\nX: ", fails(408), nil},
		{"content", sized("5", "hel"), fails(408), nil},
		{"chunk", chunked("5\r\nhel"), fails(408), nil},
		{"chunk size", chunked(""), fails(408), nil},
		{"trailer", chunked("0\r\nT: "), fails(408), nil},
		{"stream", "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n" + string(pattern[:3]), fails(408), nil},
		{"second request", get + "GET /plain", append(hello[:1:1], fails(408)...), []servers.Feature{servers.Pipelining}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, shortLimits(), servers.Config{}, func(r *running) error {
				began := time.Now() // before the server can see the connection: the idle limit counts from its accept
				conn, err := dial(r.Addr())
				if err != nil {
					return err
				}
				defer conn.Close()
				if err := conn.send(c.send); err != nil {
					return err
				}
				for i, w := range c.want {
					a, err := conn.answer("")
					if err != nil {
						return err
					}
					if err := w.check(a); err != nil {
						return err
					}
					if i == len(c.want)-1 && a.status == 200 && a.closes() {
						return errors.New("closed by the answer, not by the deadline")
					}
				}
				if err := conn.end(); err != nil {
					return err
				}
				if d := time.Since(began); d < 140*time.Millisecond {
					return fmt.Errorf("after %v already", d)
				}
				return nil
			}, append(c.needs, servers.Timeouts)...)
		})
	}
}

// TestSlowHead sends a byte of a head at a time, each in good time, and the whole too late.
func TestSlowHead(t *testing.T) {
	each(t, shortLimits(), servers.Config{}, func(r *running) error {
		return r.trickle("GET /plaintext HTTP/1.1\r\nHost: a\r\nX: ", "x", 20*time.Millisecond, 408)
	}, servers.Timeouts)
}

// TestSlowContent sends content at less than the least rate.
func TestSlowContent(t *testing.T) {
	each(t, shortLimits(), servers.Config{}, func(r *running) error {
		return r.trickle("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x", 20*time.Millisecond, 408)
	}, servers.Timeouts)
}

// trickle sends piece again and again until an answer of status comes.
func (r *running) trickle(head, piece string, pause time.Duration, status int) error {
	c, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.send(head); err != nil {
		return err
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				c.send(piece) // fails once the server has closed
			}
		}
	}()
	a, err := c.answer("")
	if err != nil {
		return err
	}
	return want{status: status}.check(a)
}

// TestHeldHasNoDeadline holds a reply longer than every limit.
func TestHeldHasNoDeadline(t *testing.T) {
	each(t, shortLimits(), servers.Config{}, func(r *running) error {
		a, err := exchange(r.Addr(), "GET /delay/600 HTTP/1.1\r\nHost: a\r\n\r\n")
		if err != nil {
			return err
		}
		return want{status: 200, body: "late"}.check(a)
	})
}

// TestStalled drops a client that takes nothing of a large answer, by a reset: the bytes that wait in the kernel would
// otherwise wait on, with the FIN behind them, until the client takes them.
func TestStalled(t *testing.T) {
	limits := shortLimits()
	limits.WriteIdle = 600 * time.Millisecond // no crowd keeps a core from writing for so long
	each(t, limits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("GET /sized/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		r.settled()
		wait := patience
		if lacks(r.core, servers.Stalled) {
			wait = 4 * limits.WriteIdle // its failure is that nothing happens
		}
		for end := time.Now().Add(wait); r.openNow() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return errors.New("the connection is still there")
			}
		}
		for {
			err := c.more()
			c.got = c.got[:0]
			switch {
			case errors.Is(err, syscall.ECONNRESET):
				return nil
			case err != nil:
				return fmt.Errorf("the connection was not reset: %w", err)
			}
		}
	}, servers.Stalled)
}
