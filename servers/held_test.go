package servers_test

import (
	"fmt"
	"testing"
	"time"

	"corelab/servers"
)

// TestConcurrent serves a second connection while the first one is open.
func TestConcurrent(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		first, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer first.Close()
		if err := until("the first is accepted", func() bool { return r.openNow() == 1 }); err != nil {
			return err
		}
		return r.quickly(get, "Hello, World!")
	}, servers.Concurrent)
}

// TestHolding serves others while a reply is held, and then answers that.
func TestHolding(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		const held = 8
		var waiting []*client
		for range held {
			c, err := dial(r.Addr())
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.send("GET /delay/500 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				return err
			}
			waiting = append(waiting, c)
		}
		for range 5 {
			if err := r.quickly(get, "Hello, World!"); err != nil {
				return fmt.Errorf("while %d are held: %w", held, err)
			}
		}
		for _, c := range waiting {
			a, err := c.answer("")
			if err != nil {
				return err
			}
			if err := (want{status: 200, body: "late"}).check(a); err != nil {
				return err
			}
		}
		return nil
	}, servers.Holding)
}

// quickly exchanges s for body within a time that no held one takes.
func (r *running) quickly(s, body string) error {
	c, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(400 * time.Millisecond))
	if lacksNone(r.core) {
		c.SetDeadline(time.Now().Add(patience)) // only a core that must fail here has to do so soon
	}
	if err := c.send(s); err != nil {
		return err
	}
	a, err := c.answer("")
	if err != nil {
		return err
	}
	return want{status: 200, body: body}.check(a)
}

func lacksNone(c servers.Core) bool {
	return !lacks(c, servers.Concurrent) && !lacks(c, servers.Holding)
}

// TestDelay is not answered early, and the timer costs the connection nothing afterwards.
func TestDelay(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		for _, ms := range []int{0, 1, 5, 40, 3} {
			began := time.Now()
			if err := c.send(fmt.Sprintf("GET /delay/%d HTTP/1.1\r\nHost: a\r\n\r\n", ms)); err != nil {
				return err
			}
			if _, err := c.answer(""); err != nil {
				return fmt.Errorf("after %d ms: %w", ms, err)
			}
			if d := time.Since(began); d < time.Duration(ms)*time.Millisecond {
				return fmt.Errorf("/delay/%d was answered after %v", ms, d)
			}
		}
		return nil
	}, servers.KeepAlive)
}

// TestManyTurns exchanges many requests on one connection, answered at once, late and from elsewhere.
func TestManyTurns(t *testing.T) {
	kinds := []struct{ send, body string }{
		{get, "Hello, World!"},
		{"GET /post/3 HTTP/1.1\r\nHost: a\r\n\r\n", "posted"},
		{"GET /delay/0 HTTP/1.1\r\nHost: a\r\n\r\n", "late"},
		{sized("5", "hello"), "hello"},
		{"GET /drip/2500 HTTP/1.1\r\nHost: a\r\n\r\n", string(pattern[:2500])},
	}
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		for i := range 200 {
			k := kinds[i%len(kinds)]
			if err := c.send(k.send); err != nil {
				return err
			}
			a, err := c.answer("")
			if err != nil {
				return fmt.Errorf("exchange %d: %w", i, err)
			}
			if err := (want{status: 200, body: k.body}).check(a); err != nil {
				return fmt.Errorf("exchange %d: %w", i, err)
			}
		}
		return nil
	}, servers.KeepAlive)
}

// TestLeftWhileHeld replies to a client that has gone: nothing happens.
func TestLeftWhileHeld(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		if err := c.send("GET /delay/60 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		if err := until("the connection is there", func() bool { return r.openNow() == 1 }); err != nil {
			return err
		}
		c.abort()
		if err := until("the connection is gone", func() bool { return r.openNow() == 0 }); err != nil {
			return err
		}
		// Another one, through the time at which the first would have been answered.
		a, err := exchange(r.Addr(), "GET /delay/100 HTTP/1.1\r\nHost: a\r\n\r\n")
		if err != nil {
			return err
		}
		return want{status: 200, body: "late"}.check(a)
	})
}
