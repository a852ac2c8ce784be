package target

import (
	"context"
	"time"

	"corelab/results"
)

// Options say how a target is started.
type Options struct {
	Workers      int           // CPUs to use; 0 means as many as CPUs, at least 1
	CPUs         []int         // pinned to these before it executes; nil leaves it where the lab runs
	StaticDir    string        // served at /static/; empty leaves the route out
	Dir          string        // for logs and generated files; must exist
	ReadyTimeout time.Duration // until it accepts; 0 means DefaultReadyTimeout
	Stats        bool          // ask a core to answer Stats
}

// DefaultReadyTimeout bounds the wait for a server that was started to accept.
const DefaultReadyTimeout = 10 * time.Second

// Process is a running server. Its methods may be called from any goroutine.
type Process struct{}

// Start starts the target and returns when it accepts. It retries on another port when the port was taken in between.
// A process that ends early, or never accepts, gives an error with the end of its log, and nothing is left running. ctx
// bounds the start only.
func Start(ctx context.Context, s Spec, o Options) (*Process, error) { return nil, nil }

// Addr is where it listens: "127.0.0.1:40000".
func (p *Process) Addr() string { return "" }

// URL is path on the server.
func (p *Process) URL(path string) string { return "" }

// Pids returns the process and all its living descendants.
func (p *Process) Pids() []int { return nil }

// Log is the path of the file that has its standard output and error.
func (p *Process) Log() string { return "" }

// Exited is closed when the process has ended, whether it was stopped or not.
func (p *Process) Exited() <-chan struct{} { return nil }

// Err says how the process ended, with the end of its log; nil while it runs and after Stop.
func (p *Process) Err() error { return nil }

// Stop sends SIGTERM, and after grace SIGKILL, to the whole tree, and returns when nothing of it is left and the port is
// free. Whatever it returns, it may be called again.
func (p *Process) Stop(grace time.Duration) error { return nil }

// Describe returns the target as it is recorded.
func (p *Process) Describe() results.Target { return results.Target{} }

// Stats is what a core of ours has done since it started.
type Stats struct {
	Runtime results.Runtime  `json:"runtime"`
	Workers []results.Worker `json:"workers"`
}

// Since returns what was done between before and s; figures of a moment are those of s.
func (s Stats) Since(before Stats) Stats { return s }

// Stats asks the server. It is an error on anything but a core that was started with Options.Stats.
func (p *Process) Stats(ctx context.Context) (Stats, error) { return Stats{}, nil }
