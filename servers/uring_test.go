package servers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// uringTight has places for hardly anything: requests are submitted in several calls, events wait outside of the ring, and
// receives end because there is no buffer.
var uringTight = Core{
	Name:   "uring-tight",
	Procs:  besideLoops,
	Usable: uringCore.Usable,
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		return newUrings(cfg.Filled(), h, uringSizes{requests: 2, events: 4, buffers: 2, buffer: 64})
	},
}

// uringOf returns the loops of a server of uring.
func uringOf(s Server) (all []*uringLoop) {
	for _, l := range s.(*eventServer).Server.(*loops).loops {
		all = append(all, l.(*uringLoop))
	}
	return all
}

// on has f run by l, and waits for it.
func (l *uringLoop) on(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	l.Post(func() { f(); close(done) })
	select {
	case <-done:
	case <-time.After(bound):
		t.Fatal("a loop does nothing")
	}
}

// TestUringTight holds rings that are always full to what the others do: many connections at once, requests in pieces and
// one behind the other, answers longer than a socket takes, files, and connections that come and go.
func TestUringTight(t *testing.T) {
	s := serveEvents(t, uringTight, Config{}, httpcore.Limits{})
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			for range 3 {
				c := dialEvents(t, s)
				body := large[i : 20_000+i]
				c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				c.answer([]byte("Hello, World!"))
				c.send(strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 50) + fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
				for range 50 {
					c.answer([]byte("Hello, World!"))
				}
				c.answer(body)
				c.get("/large")
				c.get("/file")
				c.get("/delay/1")
				c.answer(large)
				c.answer(large)
				c.answer([]byte("late"))
				if i%2 == 0 {
					c.reset()
				} else {
					c.CloseWrite()
					c.ended()
				}
			}
		})
	}
	clients.Wait()
	until(t, "all connections to be closed", func() bool { return total(s).Open == 0 })
	if n := total(s).Accepted; n != 48 {
		t.Errorf("%d connections were accepted, not 48", n)
	}
}

// TestUringTightDrain ends a server whose rings are full while it is busy.
func TestUringTightDrain(t *testing.T) {
	s := serveEvents(t, uringTight, Config{}, httpcore.Limits{})
	before := openFiles(t)
	var asked []*eventClient
	for range 20 {
		c := dialEvents(t, s)
		c.get("/delay/20")
		asked = append(asked, c)
	}
	s.stop()
	for _, c := range asked {
		c.answer([]byte("late"))
		c.ended()
		c.Close()
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if after := openFiles(t); after >= before { // the listeners, rings and eventfds are gone, at least
		t.Errorf("%d descriptors while it served, %d after", before, after)
	}
}

// TestUringStash has clients send while their replies are held: what is kept for each is bounded, a reset is seen all the
// same, and what was kept is served in order.
func TestUringStash(t *testing.T) {
	s := serveEvents(t, uringCore, Config{Workers: 1}, httpcore.Limits{})
	l := uringOf(s)[0]
	stashed := func() (n int, receiving bool) {
		l.on(t, func() {
			for _, c := range l.conns {
				if c != nil {
					n, receiving = n+len(c.stash), receiving || c.receiving
				}
			}
		})
		return n, receiving
	}
	flood := bytes.Repeat([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 24<<10)
	for _, reset := range []bool{true, false} {
		c := dialEvents(t, s)
		c.get("/watch")
		held := s.receive("the request")
		taken := make(chan int64, 1)
		go func() {
			n, _ := io.Copy(c.TCPConn, bytes.NewReader(flood)) // a TCPConn's ReadFrom; what it could not send is not asked for
			taken <- n
		}()
		until(t, "the receive to be cancelled", func() bool {
			n, receiving := stashed()
			return n >= stashMost && !receiving
		})
		// A second look after more was sent: nothing is received any more.
		first, _ := stashed()
		bounded := false
		l.on(t, func() { bounded = l.bounded })
		most := stashMost + receiveMost
		if !bounded {
			most = uringDefault.buffers * uringDefault.buffer
		}
		if first > most {
			t.Errorf("%d bytes are kept, more than %d", first, most)
		}
		if again, receiving := stashed(); again != first || receiving {
			t.Errorf("%d bytes are kept, then %d; receiving %v", first, again, receiving)
		}
		if reset {
			c.reset()
			<-taken
			s.receive("the held exchange to end with its client")
			until(t, "the connection to be closed", func() bool { return total(s).Open == 0 })
			if n, _ := stashed(); n != 0 {
				t.Errorf("%d bytes are kept of nobody", n)
			}
			continue
		}
		l.on(t, func() { held.Reply(&httpcore.Reply{Body: []byte("late")}) })
		c.answer([]byte("late"))
		s.receive("the end of the held exchange")
		for range 24 << 10 {
			c.answer([]byte("Hello, World!"))
		}
		if n := <-taken; n != int64(len(flood)) {
			t.Errorf("%d bytes of %d were sent", n, len(flood))
		}
	}
}

// TestUringGivesBuffersBack has connections leave in every way, more of them than there are buffers: a buffer that one of
// them kept would be missing in the end.
func TestUringGivesBuffersBack(t *testing.T) {
	s := serveEvents(t, uringTight, Config{Workers: 1, Grace: 50 * time.Millisecond}, httpcore.Limits{}) // for who left by a FIN while held
	for i := range 20 {
		c := dialEvents(t, s)
		c.get("/hold")
		s.receive("the request")
		c.send("GET / HTTP/1.1")
		if i%2 == 0 {
			c.reset()
		} else {
			c.Close()
		}
	}
	c := dialEvents(t, s)
	c.get("/")
	c.answer([]byte("Hello, World!"))
}

// TestUringAdvice says for each refusal of the kernel what to do.
func TestUringAdvice(t *testing.T) {
	sysctl := func(v string) func(string) ([]byte, error) {
		return func(path string) ([]byte, error) {
			if path != "/proc/sys/kernel/io_uring_disabled" || v == "" {
				return nil, os.ErrNotExist
			}
			return []byte(v + "\n"), nil
		}
	}
	for _, c := range []struct {
		errno  unix.Errno
		sysctl string
		want   string
	}{
		{unix.ENOSYS, "", "CONFIG_IO_URING"},
		{unix.EINVAL, "", "Linux 6.1"},
		{unix.EPERM, "2", "sysctl -w kernel.io_uring_disabled=0"},
		{unix.EPERM, "0", "seccomp"},
		{unix.EPERM, "", "seccomp"},
		{unix.EMFILE, "", "ulimit -n"},
		{unix.ENOMEM, "", "ulimit -l"},
	} {
		if got := uringAdvice(c.errno, sysctl(c.sysctl)); !strings.Contains(got, c.want) {
			t.Errorf("%v with io_uring_disabled %q: %q does not say %q", c.errno, c.sysctl, got, c.want)
		}
	}
}

// TestUringRefused asks the kernel for a ring that it refuses: an error with advice, and no descriptor left.
func TestUringRefused(t *testing.T) {
	usable(t, uringCore)
	before := openFiles(t)
	_, err := newUrings(Config{Workers: 2}.Filled(), eventHandler(t, nil, httpcore.Limits{}), uringSizes{requests: 1 << 30, events: 2, buffers: 1, buffer: 1})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "use Linux") {
		t.Errorf("a ring of 2^30 places: %v", err)
	}
	_, err = newUrings(Config{Workers: 2}.Filled(), eventHandler(t, nil, httpcore.Limits{}), uringSizes{requests: 1, events: 2, buffers: 3, buffer: 1})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "lend buffers") {
		t.Errorf("three buffers, no power of two: %v", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestUringLayout holds the structures to the kernel's sizes.
func TestUringLayout(t *testing.T) {
	for name, c := range map[string][2]uintptr{
		"request":     {unsafe.Sizeof(uringSQE{}), 64},
		"event":       {unsafe.Sizeof(uringCQE{}), 16},
		"parameters":  {unsafe.Sizeof(uringParams{}), 120},
		"limit":       {unsafe.Sizeof(uringWait{}), 24},
		"buffer":      {unsafe.Sizeof(uringBuffer{}), 16},
		"buffer ring": {unsafe.Sizeof(uringBufferRing{}), 40},
		"update":      {unsafe.Sizeof(uringUpdate{}), 16},
		"probe":       {unsafe.Sizeof(uringProbe{}), 16 + 8*uringOps},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d bytes, not %d", name, c[0], c[1])
		}
	}
}
