//go:build !race

// The race detector has sync.Pool forget at random.

package servers_test

import (
	"math"
	"runtime"
	"testing"

	"corelab/servers"

	"golang.org/x/sys/unix"
)

// TestAllocations counts what the process allocates while it serves small requests, on one connection or each on its own
// where the core closes after one: the client allocates nothing, so that it is the core. It is for every core there is, and
// runs alone.
func TestAllocations(t *testing.T) {
	const requests = 2000
	for _, core := range servers.Cores {
		if (core.Name == alone) != inAlone() {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			r := start(t, core, newService(t, testLimits), servers.Config{})
			c := plainClient{t: t, to: unix.SockaddrInet4{Addr: r.Addr().Addr().As4(), Port: int(r.Addr().Port())}, fd: -1}
			defer c.close()
			fresh := lacks(core, servers.KeepAlive)
			exchange := func(n int) {
				for range n {
					c.exchange(fresh)
				}
			}
			// The threads of a core that has many may still be starting in the first windows: a core that allocates for
			// its requests does so in each.
			var least uint64 = math.MaxUint64
			for range 4 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				exchange(requests)
				runtime.ReadMemStats(&after)
				least = min(least, after.Mallocs-before.Mallocs)
			}
			if least > requests/100 {
				t.Errorf("%s allocates %d times in %d requests", core.Name, least, requests)
			}
		})
	}
}

// plainClient asks on a blocking socket by system calls, which allocates nothing.
type plainClient struct {
	t      *testing.T
	to     unix.SockaddrInet4
	fd     int // -1: not connected
	answer [4096]byte
}

var plainGet = []byte(get)

// exchange asks once, on a connection of its own if it is fresh: then it waits for the server to end that.
func (c *plainClient) exchange(fresh bool) {
	if fresh {
		c.close()
	}
	var err error
	if c.fd < 0 {
		if c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			err = unix.Connect(c.fd, &c.to)
		}
	}
	n := 0
	if err == nil {
		_, err = unix.Write(c.fd, plainGet)
	}
	if err == nil {
		n, err = unix.Read(c.fd, c.answer[:])
	}
	for fresh && err == nil && n > 0 {
		n, err = unix.Read(c.fd, c.answer[:])
	}
	if err != nil || n == 0 && !fresh {
		c.t.Fatalf("an answer of %d bytes, %v", n, err)
	}
}

func (c *plainClient) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd = -1
}
