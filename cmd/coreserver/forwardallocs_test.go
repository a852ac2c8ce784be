//go:build !race

// The race detector has sync.Pool forget at random.

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"net"
	"path"
	"path/filepath"
	"runtime"
	"testing"

	"corelab/servers"
)

// TestForwardAllocations counts what the process allocates while a request goes through every stage and to the upstream and
// back: client and upstream allocate nothing, so that it is the core and the gateway. It runs alone.
func TestForwardAllocations(t *testing.T) {
	const requests = 2000
	ask := []byte("GET /x/1 HTTP/1.1\r\nHost: a\r\nX-API-Key: a-key-that-is-long-enough-for-anybody\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello")
	o := newOrigin(t, func(c *net.TCPConn, _ *bufio.Reader) {
		b := make([]byte, 4096)
		for n := 0; ; {
			k, err := c.Read(b[n:])
			if err != nil {
				return
			}
			if n += k; !bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
				continue
			}
			n = 0
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	})
	config := fmt.Sprintf(`
[observe]
metrics = true
[observe.log]
file = %q
[consumers.test]
keys = [{ digest = "sha256:%x" }]
[upstreams.o]
endpoints = [{ address = %q }]
balance = { method = "round-robin" }
breaker = { consecutive = 5 }
[[routes]]
name = "all"
path = "/x/:id"
upstream = "o"
auth = { by = ["key"] }
limit = [{ by = "consumer", limit = 1000000 }]
breaker = {}
balance = {}
null = 1
transform = { path = { strip = "/x" }, request = { set = { X-Route = "all" } }, response = { set = { X-Answer = "all" } } }
`, filepath.Join(t.TempDir(), "access.log"), sha256.Sum256([]byte("a-key-that-is-long-enough-for-anybody")), o.addr)
	gatesBy(t, o, config, func(t *testing.T, addr string) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b := make([]byte, 4096)
		exchange := func(n int) {
			for range n {
				if _, err := c.Write(ask); err != nil {
					t.Fatal(err)
				}
				for got := 0; !bytes.HasSuffix(b[:got], []byte("\r\n\r\nhello")); {
					n, err := c.Read(b[got:])
					if got += n; err != nil && err != io.EOF || n == 0 {
						t.Fatalf("%q, %v", b[:got], err)
					}
				}
			}
		}
		var least uint64 = math.MaxUint64
		for range 4 { // what is made once is made by the last
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			exchange(requests)
			runtime.ReadMemStats(&after)
			least = min(least, after.Mallocs-before.Mallocs)
		}
		most := uint64(requests / 100)
		switch path.Base(t.Name()) {
		case "goroutine", "evio":
			// The upstream's answer calls off a wait for the client: net makes an error of each, evio a note.
			most += requests
		}
		if least > most {
			t.Errorf("%d allocations in %d requests", least, requests)
		}
	}, servers.KeepAlive)
}
