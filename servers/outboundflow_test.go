package servers_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/servers"
)

// flowMost bounds what a relay may hold of a transfer that is held up: a read of the loop and what it had before.
const flowMost = 256 << 10

// flowSize is more than the sockets on the way hold together, where those of the test are small.
const flowSize = 16 << 20

// flowBuffer is what the test's sockets hold: less than a few of the loopback's segments would make each wait for a timer.
const flowBuffer = 512 << 10

// flowTime bounds a transfer, on a machine that does much else.
const flowTime = 2 * time.Minute

// TestOutboundSlowClient has an upstream send much to a client that takes nothing for a while.
func TestOutboundSlowClient(t *testing.T) {
	t.Parallel()
	var wrote atomic.Int64
	u := newUpstream(t, func(c *net.TCPConn) {
		c.SetWriteBuffer(flowBuffer)
		c.SetDeadline(time.Now().Add(flowTime))
		io.Copy(io.Discard, c)
		for at := 0; at < flowSize; at += len(pattern) {
			if _, err := c.Write(pattern); err != nil {
				return
			}
			wrote.Add(int64(len(pattern)))
		}
	})
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		wrote.Store(0) // the core before has come to its end
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetReadBuffer(flowBuffer)
		c.SetDeadline(time.Now().Add(flowTime))
		if err := c.send("POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"); err != nil {
			return err
		}
		if err := stalls(&wrote); err != nil {
			return err
		}
		if n := wrote.Load(); n >= flowSize {
			return fmt.Errorf("all was written, though nobody has read it")
		}
		if most := r.relays.most.Load(); most > flowMost {
			return fmt.Errorf("the relay held %d bytes", most)
		}
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if len(a.body) != flowSize || !bytes.Equal(a.body[flowSize-len(pattern):], pattern) {
			return fmt.Errorf("%d bytes of %d, or wrong ones", len(a.body), flowSize)
		}
		return nil
	})
}

// stalls waits until n has moved, and then stands still.
func stalls(n *atomic.Int64) error {
	if err := until("something is written", func() bool { return n.Load() > 0 }); err != nil {
		return err
	}
	for last := int64(-1); last != n.Load(); time.Sleep(100 * time.Millisecond) {
		last = n.Load()
	}
	return nil
}

// TestOutboundSlowUpstream has a client send much to an upstream that takes nothing for a while.
func TestOutboundSlowUpstream(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	u := newUpstream(t, func(c *net.TCPConn) {
		c.SetReadBuffer(flowBuffer)
		c.SetDeadline(time.Now().Add(flowTime))
		<-gate
		n, _ := io.Copy(io.Discard, c)
		fmt.Fprintf(c, "%d", n)
	})
	relaying(t, &relays{to: u.addr}, servers.Config{}, func(t *testing.T, r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetWriteBuffer(flowBuffer)
		c.SetDeadline(time.Now().Add(flowTime))
		var wrote atomic.Int64
		sent := make(chan error, 1)
		go func() {
			sent <- func() error {
				if err := c.send(fmt.Sprintf("POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", flowSize)); err != nil {
					return err
				}
				for at := 0; at < flowSize; at += len(pattern) {
					if _, err := c.Write(pattern); err != nil {
						return err
					}
					wrote.Add(int64(len(pattern)))
				}
				return nil
			}()
		}()
		err = stalls(&wrote)
		if n := wrote.Load(); err == nil && n >= flowSize {
			err = fmt.Errorf("all was written, though nobody has read it")
		}
		if most := r.relays.most.Load(); err == nil && most > flowMost {
			err = fmt.Errorf("the relay held %d bytes", most)
		}
		gate <- struct{}{} // whatever happened: the upstream waits for it
		if err != nil {
			return err
		}
		if err := <-sent; err != nil {
			return err
		}
		a, err := c.answer("")
		if err != nil {
			return err
		}
		return want{status: 200, body: fmt.Sprint(flowSize)}.check(a)
	}, servers.Backpressure)
}

// TestOutboundConnectTime dials a listener whose backlog is full: the kernel drops what comes, and nothing answers.
func TestOutboundConnectTime(t *testing.T) {
	t.Parallel()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := sa.(*unix.SockaddrInet4).Port
	for full := false; !full; { // until a connect is not answered
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 300*time.Millisecond)
		if full = err != nil; !full {
			t.Cleanup(func() { c.Close() })
		}
	}
	addr := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	to := addr.AddrPort()
	relaying(t, &relays{to: to, timeout: 100 * time.Millisecond}, servers.Config{}, func(t *testing.T, r *running) error {
		a, err := r.ask("hello")
		if err != nil {
			return err
		}
		if a.status != 504 || !strings.Contains(string(a.body), "in time") {
			return fmt.Errorf("%d %q", a.status, a.body)
		}
		return nil
	})
}

// TestOutboundDrain ends the server while an answer is awaited: it is still given.
func TestOutboundDrain(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	u := newUpstream(t, func(c *net.TCPConn) {
		io.Copy(io.Discard, c)
		<-gate
		c.Write([]byte("late"))
	})
	relaying(t, &relays{to: u.addr}, servers.Config{Grace: patience}, func(t *testing.T, r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"); err != nil {
			return err
		}
		if err := until("the upstream has it", func() bool { return u.open.Load() > 0 }); err != nil {
			return err
		}
		r.stop()
		select {
		case <-r.done:
			return fmt.Errorf("the server ended with a request under way")
		case <-time.After(300 * time.Millisecond):
		}
		gate <- struct{}{}
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if err := (want{status: 200, body: "late"}).check(a); err != nil {
			return err
		}
		return <-r.done
	}, servers.Draining)
}
