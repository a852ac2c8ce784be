package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/servers"
)

const (
	insiders  = 4  // connected before the files run out
	outsiders = 40 // who come after that
)

// served has c answered once.
func (p *process) served(c *client) {
	p.t.Helper()
	if err := c.send("/plaintext"); err != nil {
		p.t.Fatal(err)
	}
	p.wants(c)
}

// wants takes the answer to a request that was sent on c.
func (p *process) wants(c *client) {
	p.t.Helper()
	if got := c.answer().said(); got != "200 Hello, World!" {
		p.t.Errorf("got %q", got)
	}
}

// answered looks whether an answer has begun, for no longer than it takes to look.
func (c *client) answered() bool {
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.in.Peek(1)
	c.SetReadDeadline(time.Now().Add(bound))
	return err == nil
}

// notYet returns the guests that have not been answered.
func (p *process) notYet(guests []*client) (waiting []*client) {
	p.t.Helper()
	for _, g := range guests {
		if !g.answered() {
			waiting = append(waiting, g)
		} else {
			p.wants(g)
		}
	}
	return waiting
}

// openFiles are the numbers of p's open files.
func (p *process) openFiles() (numbers []int) {
	p.t.Helper()
	found, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range found {
		if n, err := strconv.Atoi(f.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// freeFile is the number that p's next file will have.
func (p *process) freeFile() (n uint64) {
	p.t.Helper()
	for open := p.openFiles(); slices.Contains(open, int(n)); {
		n++
	}
	return n
}

// limitFiles sets the limit of p's open files while it runs, and returns what it was.
func (p *process) limitFiles(most uint64) (before uint64) {
	p.t.Helper()
	var was unix.Rlimit
	pid := p.cmd.Process.Pid
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &was)
	if err == nil {
		err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: was.Max}, nil)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return was.Cur
}

// cpu is the CPU time of p by its CPU clock.
func (p *process) cpu() time.Duration {
	p.t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(^int32(p.cmd.Process.Pid)<<3|2, &ts); err != nil { // clock_getcpuclockid(3)
		p.t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// TestOutOfFiles takes the last file from each core while it serves: who is connected is served on, nobody spins for those who
// wait, and they are served once there are files again, whether somebody leaves or the limit is raised.
func TestOutOfFiles(t *testing.T) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Descriptor) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			if core.Name == "uring" {
				t.Skip("an accept that stays in a ring keeps the limit under which it was armed; the test of the same name in package servers sets the limit before")
			}
			p := start(t, "--core", core.Name, "--workers", "2", "--threads", strconv.Itoa(insiders))
			var inside []*client
			if !lacks(core, servers.KeepAlive) {
				for range insiders {
					inside = append(inside, p.dial())
				}
			}
			for _, g := range inside {
				p.served(g)
			}
			// A thread that blocks in accept has its file already, and one that ends a connection would use that file again:
			// they are left none at all, and have theirs back with the limit alone.
			blocks := core.Name == "pool" || core.Name == "sequential"
			least := p.freeFile()
			if blocks {
				least = 3 // poll wants no fewer than it is given
			}
			limit := p.limitFiles(least)
			if blocks && len(inside) > 0 {
				inside[0].Close()
				inside = inside[1:]
			}
			var waiting []*client
			for range outsiders {
				g := p.dial()
				if err := g.send("/plaintext"); err != nil {
					t.Fatal(err)
				}
				waiting = append(waiting, g)
			}
			before := p.cpu()
			for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				for _, g := range inside {
					p.served(g)
				}
			}
			// A core that spins takes all of one CPU, or of two; one that pauses takes next to nothing.
			if used := p.cpu() - before; used > 150*time.Millisecond {
				t.Errorf("with no file left it used %v of CPU in 300 ms", used)
			}
			// One may have found the file of an accept that was under way.
			if waiting = p.notYet(waiting); len(waiting) < outsiders-1 {
				t.Fatalf("only %d of %d wait for a file", len(waiting), outsiders)
			}
			if !blocks {
				inside[0].Close()
				await(t, "answer to one that waited", func() bool {
					before := len(waiting)
					waiting = p.notYet(waiting)
					return len(waiting) < before
				})
				inside = inside[1:]
			}
			for _, g := range inside {
				p.served(g)
				g.Close() // or a thread of the pool has no time for another
			}
			p.limitFiles(limit)
			for _, g := range waiting {
				p.wants(g)
				g.Close()
			}
			if status, _ := p.get("/plaintext"); status != 200 {
				t.Errorf("a new connection gets %d", status)
			}
			p.signal(unix.SIGTERM)
			if code, _ := p.wait(); code != 0 || p.stderr.String() != "" {
				t.Errorf("exit code %d; %s", code, p.stderr.String())
			}
		})
	}
}
