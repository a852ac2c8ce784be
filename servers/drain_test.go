package servers_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"corelab/servers"
)

// stopped ends r's context and returns what Serve returned.
func (r *running) stopped() error {
	r.stop()
	return r.served()
}

// served waits for Serve.
func (r *running) served() error {
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		return errors.New("Serve did not return")
	}
}

// TestDrain ends the context while a request is in flight: it is answered, with Connection: close, and no new one is.
func TestDrain(t *testing.T) {
	each(t, testLimits, servers.Config{Grace: patience}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("GET /delay/250 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		if err := until("the request is there", func() bool { return r.openNow() == 1 }); err != nil {
			return err
		}
		r.stop()
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if err := (want{status: 200, body: "late", field: "Connection: close"}).check(a); err != nil {
			return err
		}
		if err := c.end(); err != nil {
			return err
		}
		if err := r.served(); err != nil {
			return fmt.Errorf("Serve: %w", err)
		}
		if a, err := exchange(r.Addr(), get); err == nil {
			return fmt.Errorf("an answer of %d after the end", a.status)
		}
		return nil
	}, servers.Draining)
}

// TestDrainUpload ends the context in the middle of a streamed body.
func TestDrainUpload(t *testing.T) {
	each(t, testLimits, servers.Config{Grace: patience}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n" + string(pattern[:5])); err != nil {
			return err
		}
		if err := until("half of it is taken", func() bool { return r.taken.Load() == 5 }); err != nil {
			return err
		}
		r.stop()
		if err := c.send(string(pattern[5:10])); err != nil {
			return err
		}
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if err := (want{status: 200, body: "10"}).check(a); err != nil {
			return err
		}
		return r.served()
	}, servers.Draining)
}

// TestDrainAnswer ends the context in the middle of an answer whose head, long sent, promised to keep the connection.
func TestDrainAnswer(t *testing.T) {
	each(t, testLimits, servers.Config{Grace: patience}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		const n = 150000 // at 1000 a millisecond
		if err := c.send("GET /drip/150000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		if err := until("the answer has begun", func() bool { return r.made.Load() > 0 }); err != nil {
			return err
		}
		began := time.Now()
		r.stop()
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if err := (want{status: 200, body: string(pattern[:n])}).check(a); err != nil {
			return err
		}
		if err := c.end(); err != nil {
			return err
		}
		if err := r.served(); err != nil {
			return err
		}
		if d := time.Since(began); d > patience/2 {
			return fmt.Errorf("the idle connection was closed after %v", d)
		}
		return nil
	}, servers.Draining)
}

// TestDrainBacklog ends the context while requests wait unaccepted, more than a pool has threads: they are answered,
// and who asks nothing is closed.
func TestDrainBacklog(t *testing.T) {
	t.Parallel()
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			usable(t, core)
			srv, err := core.New(servers.Config{Workers: 2, Threads: 2, Grace: patience}.Filled(), newService(t, testLimits).Handler)
			if err != nil {
				t.Fatal(err)
			}
			on(t, core, func() error { return drainBacklog(srv) }, servers.Backlog)
		})
	}
}

func drainBacklog(srv servers.Server) error {
	var ask, say []*client
	defer func() {
		for _, c := range append(ask, say...) {
			c.Close()
		}
	}()
	for range 10 {
		c, err := dial(srv.Addr())
		if err != nil {
			return err
		}
		ask = append(ask, c)
		if err := c.send(get); err != nil {
			return err
		}
		if c, err = dial(srv.Addr()); err != nil {
			return err
		}
		say = append(say, c)
	}
	done := make(chan error, 1)
	go func() { done <- endAtOnce(srv) }()
	var failed error
	for _, c := range ask {
		a, err := c.answer("")
		if err == nil {
			err = want{status: 200, body: "Hello, World!"}.check(a)
		}
		failed = errors.Join(failed, err)
		c.Close() // or the server lingers
	}
	for _, c := range say {
		failed = errors.Join(failed, c.end())
	}
	return errors.Join(failed, <-done)
}

// TestDrainIdle ends the context while connections are idle: they are closed soon, without a word.
func TestDrainIdle(t *testing.T) {
	each(t, testLimits, servers.Config{Grace: patience}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send(get); err != nil {
			return err
		}
		if _, err := c.answer(""); err != nil {
			return err
		}
		fresh, err := dial(r.Addr()) // one that never sent anything
		if err != nil {
			return err
		}
		defer fresh.Close()
		began := time.Now()
		if err := r.stopped(); err != nil {
			return err
		}
		if d := time.Since(began); d > patience/4 {
			return fmt.Errorf("took %v", d)
		}
		return c.end()
	}, servers.Draining)
}

// TestGrace ends the context while a request is held that is never answered: it is cut when the grace period is over.
func TestGrace(t *testing.T) {
	const grace = 150 * time.Millisecond
	each(t, testLimits, servers.Config{Grace: grace}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		<-r.held
		began := time.Now()
		if err := r.stopped(); err != nil {
			return err
		}
		if d := time.Since(began); d < grace {
			return fmt.Errorf("cut after %v, within the grace period", d)
		}
		if err := c.end(); errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil
	}, servers.Draining)
}

// TestRestart binds the same port again after the end.
func TestRestart(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		if err := r.serves(); err != nil {
			return err
		}
		if err := r.stopped(); err != nil {
			return err
		}
		again, err := r.core.New(servers.Config{Addr: r.Addr()}.Filled(), r.Handler)
		if err != nil {
			return err
		}
		if again.Addr() != r.Addr() {
			return fmt.Errorf("listens on %v, not %v", again.Addr(), r.Addr())
		}
		return endAtOnce(again)
	})
}

// TestTaken says what is wrong when the port is another's.
func TestTaken(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		second, err := r.core.New(servers.Config{Addr: r.Addr()}.Filled(), r.Handler)
		if err == nil {
			return errors.Join(errors.New("two servers on one port"), endAtOnce(second))
		}
		return nil
	})
}
