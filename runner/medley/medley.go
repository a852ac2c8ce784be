// Package medley is the ordinary traffic of a soak: clients that ask for everything a server has, one thing after the other, on
// connections that live for one request or for many, and leave in every way that there is. Every answer is held against the
// first one to the same request. It is no generator of package load: it measures no latency, and sends at a moderate rate.
package medley

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the traffic.
const (
	MaxClients  = 1000
	longestLife = 64               // requests on one connection
	patience    = 10 * time.Second // for an answer
	maxBody     = 16 << 20         // of an answer
	deepest     = 8                // requests sent at once
	rarely      = 10               // of a rare call's turns one is taken
	warySleep   = 10 * time.Millisecond
)

// Spec says what traffic there is.
type Spec struct {
	Addr    string  // "127.0.0.1:8080"
	Clients int     // at a time
	Rate    float64 // requests per second, all together
	Seed    uint64
	Calls   []Call // what is asked; see Deck
}

// Counts is what was done so far.
type Counts struct {
	Answers     uint64 // right ones
	Connections uint64
	Errors      uint64
	Example     string // the first error
}

// Traffic is a medley under way.
type Traffic struct {
	spec        Spec
	began       time.Time
	due         atomic.Int64 // requests that were given out
	answers     atomic.Uint64
	connections atomic.Uint64
	errors      atomic.Uint64
	example     atomic.Pointer[string]
	clients     sync.WaitGroup
}

// Learn asks for every call once, and returns those that are answered with an expectation each, and the others in words. It
// fails where nothing at all is answered below 400.
func Learn(ctx context.Context, addr string, calls []Call) (known []Call, left []string, err error) {
	for _, c := range calls {
		conn, err := dial(ctx, addr)
		if err != nil {
			return nil, nil, fmt.Errorf("ask %s: %w", addr, err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		err = conn.send(c, 1, false)
		var a answer
		if err == nil {
			a, _, err = conn.answer(c)
		}
		conn.Close()
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("ask for %s: %w", c, err)
		case a.status != c.Status && c.Status != 0:
			left = append(left, fmt.Sprintf("%s is answered %d", c, a.status))
			continue
		}
		c.Status, c.want = a.status, a.body
		known = append(known, c)
	}
	if len(known) == 0 {
		return nil, left, errors.New("nothing of what a soak asks for is served")
	}
	return known, left, nil
}

// Start lets the clients loose, until ctx ends. The calls are those of Learn.
func Start(ctx context.Context, s Spec) *Traffic {
	t := &Traffic{spec: s, began: time.Now()}
	for i := range min(max(s.Clients, 1), MaxClients) {
		t.clients.Go(func() { t.client(ctx, rand.New(rand.NewPCG(s.Seed, uint64(i)))) })
	}
	return t
}

// Wait returns when all clients have ended, after the context of Start has.
func (t *Traffic) Wait() { t.clients.Wait() }

// Counts may be called by any goroutine.
func (t *Traffic) Counts() Counts {
	c := Counts{Answers: t.answers.Load(), Connections: t.connections.Load(), Errors: t.errors.Load()}
	if text := t.example.Load(); text != nil {
		c.Example = *text
	}
	return c
}

// fail counts an error. One that the end of the traffic made is none.
func (t *Traffic) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	t.errors.Add(1)
	text := err.Error()
	t.example.CompareAndSwap(nil, &text)
	sleep(ctx, warySleep)
}

// client opens one connection after the other.
func (t *Traffic) client(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		if err := t.visit(ctx, random); err != nil {
			t.fail(ctx, err)
		}
	}
}

// visit is one connection from its begin to its end.
func (t *Traffic) visit(ctx context.Context, random *rand.Rand) error {
	conn, err := dial(ctx, t.spec.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	undo := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer undo()
	t.connections.Add(1)
	life := 1
	if random.IntN(4) > 0 { // a fourth of the connections are for one request
		life += random.IntN(longestLife)
	}
	for left := life; left > 0 && ctx.Err() == nil; {
		call := t.spec.Calls[random.IntN(len(t.spec.Calls))]
		if call.rare && random.IntN(rarely) > 0 {
			continue
		}
		n := 1
		if call.many && random.IntN(4) == 0 {
			n = min(1+random.IntN(deepest), left)
		}
		left -= n
		if !t.pace(ctx, n) {
			return nil
		}
		last := left == 0 && random.IntN(2) == 0
		more, err := t.ask(conn, call, n, last)
		if err != nil || !more {
			return err
		}
	}
	return leave(conn, random)
}

// pace waits until n more requests are due.
func (t *Traffic) pace(ctx context.Context, n int) bool {
	due := t.due.Add(int64(n)) - int64(n)
	return sleep(ctx, time.Until(t.began.Add(time.Duration(float64(due)/t.spec.Rate*float64(time.Second)))))
}

// ask sends a call n times at once and reads as many answers. last asks the server to close then. It reports whether the
// connection can be used again.
func (t *Traffic) ask(conn *conn, call Call, n int, last bool) (more bool, err error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	if err := conn.send(call, n, last); err != nil {
		return false, fmt.Errorf("send %s: %w", call, err)
	}
	for i := range n {
		a, closes, err := conn.answer(call)
		switch {
		case err != nil:
			return false, fmt.Errorf("%s: %w", call, err)
		case a.status != call.Status:
			return false, fmt.Errorf("%s was answered %d, and %d before", call, a.status, call.Status)
		case !bytes.Equal(a.body, call.want):
			return false, fmt.Errorf("%s was answered with %d bytes that differ from the %d of before", call, len(a.body), len(call.want))
		case closes && i < n-1:
			return false, fmt.Errorf("%s: the server closes after %d answers of %d", call, i+1, n)
		}
		t.answers.Add(1)
		more = !closes
	}
	return more && !last, nil
}

// leave ends a connection in one of the ways that clients have.
func leave(conn *conn, random *rand.Rand) error {
	switch random.IntN(3) {
	case 0: // a reset
		return conn.SetLinger(0)
	case 1: // half a close, and the server's
		if err := conn.CloseWrite(); err != nil {
			return err
		}
		return conn.end()
	}
	return nil // the close
}

// sleep waits for d, and reports whether ctx has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
