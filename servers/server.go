package servers

import (
	"context"
	"net/netip"
	"time"

	"corelab/httpcore"
)

// Config says where and on how much a core serves.
type Config struct {
	Addr    netip.AddrPort // to listen on; port 0 takes a free one, see Server.Addr
	Workers int            // CPUs to use: loops of reactor and evio, worker threads of epollpool, GOMAXPROCS elsewhere
	Threads int            // threads of pool, each serving one connection from start to finish
	Grace   time.Duration  // after the context ends, for requests in flight; then connections are cut
	Backlog int            // accepted by the kernel and not yet by us, listen(2)

	// Listeners are descriptors that listen already, of a server of the same core and Workers in another process, see Handing.
	// The server takes them over instead of opening its own on Addr.
	Listeners []int
}

// Filled returns c with each zero field replaced by its default.
func (c Config) Filled() Config {
	if !c.Addr.IsValid() {
		c.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	if c.Workers <= 0 {
		c.Workers = 1
	}
	if c.Threads <= 0 {
		c.Threads = 64
	}
	if c.Grace <= 0 {
		c.Grace = 10 * time.Second
	}
	if c.Backlog <= 0 {
		c.Backlog = 4096
	}
	return c
}

// Core is one way to wait for the network.
type Core struct {
	Name, Doc string
	Lacks     []Lack           // what it cannot do, each with the reason
	Procs     func(Config) int // the GOMAXPROCS that it wants; nil for Config.Workers
	Usable    func() error     // why it cannot run on this machine, and what to do, nil if it can; nil where it always can
	New       func(Config, *httpcore.Handler) (Server, error)
}

// besideLoops is one P more than there are workers: loops hold theirs while they wait, and others need one too.
func besideLoops(c Config) int { return c.Filled().Workers + 1 }

// Lack is something that a core cannot do. The conformance suite expects the cases of that feature to fail on the core.
type Lack struct {
	Feature Feature
	Reason  string
}

// Feature names a group of conformance cases.
type Feature string

const (
	KeepAlive    Feature = "keep-alive"   // more than one request on a connection
	Pipelining   Feature = "pipelining"   // requests sent before the reply to the one before
	HalfClose    Feature = "half-close"   // a reply after the client's FIN
	Timeouts     Feature = "timeouts"     // 408 and the other deadlines
	Descriptor   Feature = "descriptors"  // running out of files stops neither old nor, later, new connections
	Draining     Feature = "drain"        // requests in flight are finished after the context ends
	Backlog      Feature = "backlog"      // requests that wait unaccepted when the context ends are answered
	Sendfile     Feature = "sendfile"     // a file's bytes do not pass through user memory
	Backpressure Feature = "backpressure" // a client that sends faster than a handler takes is not read, and slows down
	Stalled      Feature = "stalled"      // a client that takes nothing of its answer is dropped in the end
	Parsing      Feature = "parsing"      // requests are parsed at all
	Concurrent   Feature = "concurrency"  // a second connection is served while the first one is open
	Holding      Feature = "holding"      // other connections are served while one's reply is held
)

// Server is a core that has bound its address.
type Server interface {
	// Addr is where it listens.
	Addr() netip.AddrPort
	// Serve accepts and serves until ctx ends; then it stops accepting, drains within Config.Grace, and returns nil.
	// It is called once.
	Serve(ctx context.Context) error
	// Stats returns what each worker has done so far. Any goroutine may call it, at any time.
	Stats() []WorkerStats
}

// WorkerStats is what one worker (a loop, a thread; for goroutine the whole server) did.
type WorkerStats struct {
	Accepted uint64 `json:"accepted"` // connections ever
	Open     int64  `json:"open"`     // connections now
	Requests uint64 `json:"requests"` // replies begun
	Errors   uint64 `json:"errors"`   // of these, made by the connection: malformed requests, limits, time-outs
}
