package servers_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"corelab/servers"
)

// TestExpectContinue waits for the 100 before it sends content, RFC 9110 §10.1.1.
func TestExpectContinue(t *testing.T) {
	for name, path := range map[string]string{"buffered": "/large", "streamed": "/stream"} {
		t.Run(name, func(t *testing.T) {
			each(t, testLimits, servers.Config{}, func(r *running) error {
				c, err := dial(r.Addr())
				if err != nil {
					return err
				}
				defer c.Close()
				head := "POST " + path + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
				if err := c.send(head); err != nil {
					return err
				}
				a, err := c.answer("")
				if err != nil {
					return err
				}
				if err := (want{status: 100}).check(a); err != nil || len(a.fields) > 0 {
					return fmt.Errorf("no bare 100: %v, %q", err, a.raw)
				}
				if err := c.send(string(pattern[:5])); err != nil {
					return err
				}
				if a, err = c.answer(""); err != nil {
					return err
				}
				return want{status: 200, body: "5"}.check(a)
			})
		})
	}
}

// TestSlowWriter uploads in many small writes, each seen before the next is sent.
func TestSlowWriter(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		const pieces, size = 100, 37
		head := "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(pieces*size) + "\r\n\r\n"
		if err := c.send(head); err != nil {
			return err
		}
		for i := range int64(pieces) {
			if err := until("the piece before is taken", func() bool { return r.taken.Load() == i*size }); err != nil {
				return err
			}
			if err := c.send(string(pattern[i*size : (i+1)*size])); err != nil {
				return err
			}
		}
		a, err := c.answer("")
		if err != nil {
			return err
		}
		return want{status: 200, body: strconv.Itoa(pieces * size)}.check(a)
	})
}

// TestLargeUpload sends 24 MiB to a streaming route, in chunks and with a length, and to one that buffers 4 MiB.
func TestLargeUpload(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		const n = 24
		if err := r.upload("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.Itoa(n<<20)+"\r\n\r\n", "", "", n); err != nil {
			return fmt.Errorf("length: %w", err)
		}
		if err := r.upload("POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "100000\r\n", "\r\n", n); err != nil {
			return fmt.Errorf("chunked: %w", err)
		}
		if err := r.upload("POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.Itoa(4<<20)+"\r\n\r\n", "", "", 4); err != nil {
			return fmt.Errorf("buffered: %w", err)
		}
		return nil
	})
}

// upload sends head and n times pattern, each between before and after, then the end of chunks if there were any.
func (r *running) upload(head, before, after string, n int) error {
	c, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.send(head); err != nil {
		return err
	}
	for i := range n {
		if err := c.send(before + string(pattern) + after); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
	}
	if before != "" {
		if err := c.send("0\r\n\r\n"); err != nil {
			return err
		}
	}
	a, err := c.answer("")
	if err != nil {
		return err
	}
	return want{status: 200, body: strconv.Itoa(n << 20)}.check(a)
}

// kernelHolds is more than what the socket buffers of both sides hold of one connection on loopback.
const kernelHolds = 24 << 20

// TestSlowHandler sends to a handler that takes one piece and no more: the client is slowed down to a standstill, and not
// cut off.
func TestSlowHandler(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"); err != nil {
			return err
		}
		sent := 0
		for sent < kernelHolds {
			c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			n, err := c.Write(pattern)
			sent += n
			if errors.Is(err, os.ErrDeadlineExceeded) {
				if n := r.taken.Load(); n > 64<<10 {
					return fmt.Errorf("a paused handler was given %d bytes", n)
				}
				if r.openNow() != 1 {
					return errors.New("the connection was cut")
				}
				return nil
			}
			if err != nil {
				return fmt.Errorf("after %d bytes: %w", sent, err)
			}
		}
		return fmt.Errorf("%d bytes were taken from the client of a paused handler", sent)
	}, servers.Backpressure)
}

// TestSlowReader asks for a gigabyte and reads none of it: the Source is not asked for more than fits, and once the
// client reads, it gets what it asked for, in order.
func TestSlowReader(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("GET /sized/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		made := r.settled()
		if made == 0 || made > kernelHolds {
			return fmt.Errorf("%d bytes were made for a client that reads none", made)
		}
		if _, err := c.until("\r\n\r\n"); err != nil {
			return err
		}
		// Past what lay in the buffers, so that the server must have gone on.
		for at := 0; at < 2*kernelHolds; at += len(pattern) {
			b, err := c.take(len(pattern))
			if err != nil {
				return fmt.Errorf("at %d: %w", at, err)
			}
			if string(b) != string(pattern) {
				return fmt.Errorf("a wrong byte within %d of %d", len(pattern), at)
			}
			c.got, c.at = c.got[:copy(c.got, c.got[c.at:])], 0
		}
		c.abort()
		if err := <-r.closed; err == nil {
			return errors.New("the Source of a cut reply was closed without an error")
		}
		return nil
	})
}

// settled waits until the Sources make no more, and returns how much that was.
func (r *running) settled() int64 {
	for last := int64(-1); ; time.Sleep(50 * time.Millisecond) {
		now := r.made.Load()
		if now > 0 && now == last {
			return now
		}
		last = now
	}
}

// TestMemory holds many slow readers at once, and looks at the heap. It runs alone.
func TestMemory(t *testing.T) {
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			r := start(t, core, newService(t, testLimits), servers.Config{})
			readers := 24
			if lacks(core, servers.Concurrent) {
				readers = 1
			}
			before := heap()
			for range readers {
				c, err := dial(r.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.send("GET /chunks/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
			}
			if err := until("all are served", func() bool { return r.openNow() == int64(readers) }); err != nil {
				t.Fatal(err)
			}
			made := r.settled()
			after := heap()
			// Limits.Output, a turn's share that a core has taken off, buffers and slack.
			if grew, most := after-before, int64(readers)*(3<<20)+(16<<20); grew > most {
				t.Errorf("%s: %d readers of %d bytes grew the heap by %d, above %d", core.Name, readers, made, grew, most)
			}
		})
	}
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSendfile sends a file without reading it.
func TestSendfile(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		a, err := exchange(r.Addr(), "GET /counted HTTP/1.1\r\nHost: a\r\n\r\n")
		if err != nil {
			return err
		}
		if err := (want{status: 200, body: string(pattern)}).check(a); err != nil {
			return err
		}
		if n := r.copied.Load(); n > 0 {
			return fmt.Errorf("%d bytes of the file went through user memory", n)
		}
		return nil
	}, servers.Sendfile)
}

// TestShortFile cuts the connection when a file turns out shorter than announced.
func TestShortFile(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("GET /range/1000000/100000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		if a, err := c.answer(""); err == nil {
			return fmt.Errorf("a whole answer of %d bytes out of 48576", len(a.body))
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return r.serves()
	})
}
