//go:build !race

// The race detector has sync.Pool forget at random.

package servers_test

import (
	"math"
	"runtime"
	"testing"

	"corelab/servers"
)

// TestAllocations counts what the process allocates while it serves small requests on one connection: the client
// allocates nothing, so that it is the core. It runs alone.
func TestAllocations(t *testing.T) {
	const requests = 2000
	for _, core := range cores() {
		if lacks(core, servers.KeepAlive) {
			continue // each request is a connection, and a connection allocates
		}
		t.Run(core.Name, func(t *testing.T) {
			r := start(t, core, newService(t, testLimits), servers.Config{})
			c, err := dial(r.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			request, answer := []byte(get), make([]byte, 4096)
			exchange := func(n int) {
				for range n {
					if _, err := c.Write(request); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Read(answer); err != nil {
						t.Fatal(err)
					}
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
			if least > requests/10 {
				t.Errorf("%s allocates %d times in %d requests", core.Name, least, requests)
			}
		})
	}
}
