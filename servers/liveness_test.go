package servers

import (
	"bytes"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// TestLiveness stops the world, reads the figures and runs goroutines while the loops wait raw, idle and under load, with
// one P, one for each loop, and one more.
func TestLiveness(t *testing.T) {
	for _, procs := range []int{1, 2, 3} {
		before := runtime.GOMAXPROCS(procs)
		for _, core := range append([]Core{rawCore}, eventCores...) {
			s := serveEvents(t, core, Config{Workers: 2}, httpcore.Limits{})
			stopWorlds(t, core.Name+" idle", s)
			var answers atomic.Int64
			var clients sync.WaitGroup
			quit := make(chan struct{})
			for range 8 {
				c := dialEvents(t, s)
				clients.Go(func() { ask(c, quit, &answers) })
			}
			for target := int64(1); target <= 1000; target *= 10 {
				until(t, "answers", func() bool { return answers.Load() >= target })
				stopWorlds(t, core.Name+" loaded", s)
			}
			close(quit)
			clients.Wait()
			stopWorlds(t, core.Name+" idle again", s)
			s.stop()
			if err := <-s.done; err != nil {
				t.Errorf("%s: %v", core.Name, err)
			}
		}
		runtime.GOMAXPROCS(before)
	}
}

// ask sends one request after the other until quit is closed.
func ask(c *eventClient, quit chan struct{}, answers *atomic.Int64) {
	b := make([]byte, 4096)
	for {
		select {
		case <-quit:
			return
		default:
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return
		}
		if _, err := c.Read(b); err != nil {
			return
		}
		answers.Add(1)
	}
}

// stopWorlds collects garbage and runs other goroutines. A loop that could not be interrupted would hold it up for ever,
// one that is slow to be for longer than a crowded machine.
func stopWorlds(t *testing.T, when string, s *eventServer) {
	t.Helper()
	begin := time.Now()
	for range 5 {
		runtime.GC()
		done := make(chan struct{})
		go func() {
			s.Stats()
			close(done)
		}()
		<-done
	}
	if d := time.Since(begin); d > bound {
		t.Errorf("%s: five collections took %v", when, d)
	}
}

// TestIdleSleeps counts the turns of a loop that has nothing to do.
func TestIdleSleeps(t *testing.T) {
	var p poller
	if err := p.open(); err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.quiet = false
	begin := monotonic()
	turns := 0
	for end := begin + int64(100*time.Millisecond); p.now < end; turns++ {
		if _, err := p.wait(end, false); err != nil {
			t.Fatal(err)
		}
	}
	// The eventfd's first edge, the raw wait, the quiet one, and the runtime's signals.
	if turns > 30 {
		t.Errorf("%d turns in 100 ms without an event", turns)
	}
	if late := monotonic() - begin - int64(100*time.Millisecond); late < 0 {
		t.Errorf("woke %v early", time.Duration(-late))
	}
}

// TestPollerMoods goes from raw waits to quiet ones and back.
func TestPollerMoods(t *testing.T) {
	var p poller
	if err := p.open(); err != nil {
		t.Fatal(err)
	}
	defer p.close()
	wait := func(d time.Duration) int {
		p.now = monotonic()
		events, err := p.wait(p.now+int64(d), false)
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	p.quiet = false
	p.wake()
	if n := wait(time.Second); n != 1 || p.quiet {
		t.Errorf("woken: %d events, quiet %v", n, p.quiet)
	}
	for !p.quiet { // a signal of the runtime may end a wait early
		if n := wait(time.Second); n != 0 {
			t.Fatalf("%d events of nothing", n)
		}
	}
	p.wake()
	for p.quiet { // the machine may be busy enough to make a wait of nothing long
		p.wake()
		if n := wait(time.Second); n != 1 {
			t.Fatalf("woken while quiet: %d events", n)
		}
	}
	if n := wait(0); n != 0 || p.quiet {
		t.Errorf("a look: %d events, quiet %v", n, p.quiet)
	}
}

// TestStaleEvent gives a loop an event of a connection that an earlier event of the same turn closed, after its descriptor
// has gone to a successor.
func TestStaleEvent(t *testing.T) {
	listener, err := listen(Config{}.Filled().Addr, 8, false, false)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(listener, Config{}.Filled(), eventHandler(t, nil, httpcore.Limits{}), &httpProtocol{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.dates.refresh(&l.env, l.poller.now)
	first, _ := socketPair(t)
	l.adopt(first)
	stale := unix.EpollEvent{Fd: int32(first), Pad: l.conns[first].gen, Events: unix.EPOLLHUP}
	old := l.conns[first]
	l.dispatch(&stale)
	if l.conns[first] != nil || l.tally.open != 0 {
		t.Fatal("a HUP did not close its connection")
	}
	second, far := socketPair(t)
	if second != first {
		t.Fatalf("descriptor %d was not used again: got %d", first, second)
	}
	l.adopt(second)
	if l.conns[second] != old {
		t.Fatal("the connection was not used again: the test shows nothing")
	}
	l.dispatch(&stale)
	c := l.conns[second]
	if c == nil || l.tally.open != 1 {
		t.Fatal("a stale event closed the successor")
	}
	unix.Write(far, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	l.dispatch(&unix.EpollEvent{Fd: int32(second), Pad: c.gen, Events: unix.EPOLLIN})
	l.answer()
	b := make([]byte, 1024)
	if n, _ := recvWait(far, b); !bytes.Contains(b[:n], []byte("Hello, World!")) {
		t.Errorf("the successor answers %q", b[:n])
	}
}

// TestNoAllocations serves requests one by one and counts what the process allocates meanwhile.
func TestNoAllocations(t *testing.T) {
	const requests = 2000
	for _, core := range append([]Core{rawCore}, eventCores...) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		c := dialEvents(t, s)
		request, answer := []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), make([]byte, 4096)
		serve := func(n int) {
			for range n {
				if _, err := c.Write(request); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(answer); err != nil {
					t.Fatal(err)
				}
			}
		}
		serve(100)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serve(requests)
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > requests/10 {
			t.Errorf("%s allocates %d times in %d requests", core.Name, n, requests)
		}
		s.stop()
		<-s.done
	}
}
