package probe

import (
	"errors"
	"fmt"

	"corelab/results"

	"github.com/prometheus/procfs"
)

// TCP measures what TCP did in the network namespace of a process over a window. The kernel counts for the whole namespace:
// on loopback both ends, and whoever else is there. It is used by one goroutine at a time.
type TCP struct {
	proc  Proc
	pids  func() []int
	began results.Net
}

// OpenTCP returns a probe on the namespace of the first process that pids lists; it is called at Begin and at End.
func OpenTCP(pids func() []int) *TCP { return &TCP{proc: System, pids: pids} }

// Begin opens the window.
func (n *TCP) Begin() (err error) {
	n.began, err = n.read()
	return err
}

// End closes the window that Begin opened.
func (n *TCP) End() (results.Net, error) {
	now, err := n.read()
	if err != nil {
		return results.Net{}, err
	}
	return results.Net{
		SegmentsIn: now.SegmentsIn - n.began.SegmentsIn, SegmentsOut: now.SegmentsOut - n.began.SegmentsOut,
		Retransmits: now.Retransmits - n.began.Retransmits, Resets: now.Resets - n.began.Resets,
		ListenDrops: now.ListenDrops - n.began.ListenDrops,
	}, nil
}

// read is what TCP has done since the namespace was made.
func (n *TCP) read() (r results.Net, err error) {
	pids := n.pids()
	if len(pids) == 0 {
		return r, errors.New("read TCP's counters: no process is left whose network could be read")
	}
	fs, err := procfs.NewFS(n.proc.dir)
	if err != nil {
		return r, fmt.Errorf("open procfs: %w", err)
	}
	proc, err := fs.Proc(pids[0])
	if err != nil {
		return r, fmt.Errorf("read process %d: %w", pids[0], err)
	}
	snmp, err := proc.Snmp()
	if err != nil {
		return r, fmt.Errorf("read TCP's counters of process %d: %w", pids[0], err)
	}
	netstat, err := proc.Netstat()
	if err != nil {
		return r, fmt.Errorf("read TCP's counters of process %d: %w", pids[0], err)
	}
	for _, c := range []struct {
		from *float64
		to   *uint64
		name string
	}{
		{snmp.InSegs, &r.SegmentsIn, "InSegs"}, {snmp.OutSegs, &r.SegmentsOut, "OutSegs"},
		{snmp.RetransSegs, &r.Retransmits, "RetransSegs"}, {snmp.OutRsts, &r.Resets, "OutRsts"},
		{netstat.ListenDrops, &r.ListenDrops, "ListenDrops"},
	} {
		if c.from == nil {
			return r, fmt.Errorf("read TCP's counters: this kernel does not count %s", c.name)
		}
		*c.to = uint64(*c.from)
	}
	return r, nil
}
