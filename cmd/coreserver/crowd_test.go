//go:build !race

package main

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/servers"
)

const (
	// crowdSize is the number of idle connections to one process, where both ends may have so many files and a few more.
	crowdSize  = 15_000
	otherFiles = 100
	// crowdThreads is the number of the pool's threads in the crowd's place: it has no more connections than threads.
	crowdThreads = 500
	// crowdStep bounds the requests that are under way at once while a crowd is asked.
	crowdStep = 500
	// sourcePorts bounds the connections from one source address, well within the kernel's range of local ports.
	sourcePorts = 4000
	// userMost is what an idle connection may cost the event-driven cores, in bytes of user memory.
	userMost = 2048
)

// crowd is connections by plain blocking descriptors, whose price here is the kernel's alone.
type crowd struct {
	t   *testing.T
	to  unix.SockaddrInet4
	fds []int
}

// again repeats a call that a signal of the runtime ends: with a time-out on the socket the kernel does not. A connect that
// is repeated goes on.
func again(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

func connect(fd int, to unix.Sockaddr) error {
	_, err := again(func() (int, error) { return 0, unix.Connect(fd, to) })
	return err
}

// newCrowd makes an empty crowd for p.
func newCrowd(p *process) *crowd {
	addr := netip.MustParseAddrPort(strings.TrimPrefix(p.url, "http://"))
	c := &crowd{t: p.t, to: unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}}
	p.t.Cleanup(func() { c.reset(len(c.fds)) })
	return c
}

// grow adds n connections.
func (c *crowd) grow(n int) {
	c.t.Helper()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			c.t.Fatalf("connection %d: %v", len(c.fds), err)
		}
		c.fds = append(c.fds, fd)
		from := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + len(c.fds)/sourcePorts)}}
		for _, err := range []error{
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), // close resets: no port is left waiting
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(bound.Seconds())}),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: int64(bound.Seconds())}), // connect's too
			unix.Bind(fd, &from),
			connect(fd, &c.to),
		} {
			if err != nil {
				c.t.Fatalf("connection %d: %v", len(c.fds), err)
			}
		}
	}
}

// ask has each connection answered once more, some at a time.
func (c *crowd) ask() {
	c.t.Helper()
	request, answer := []byte("GET /plaintext HTTP/1.1\r\nHost: lab\r\n\r\n"), make([]byte, 4096)
	for rest := c.fds; len(rest) > 0; {
		step := rest[:min(crowdStep, len(rest))]
		rest = rest[len(step):]
		for _, fd := range step {
			if _, err := again(func() (int, error) { return unix.Write(fd, request) }); err != nil {
				c.t.Fatalf("a request of %d connections: %v", len(c.fds), err)
			}
		}
		for _, fd := range step {
			n, err := again(func() (int, error) { return unix.Read(fd, answer) }) // small: one write is one read
			if got := answer[:n]; err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(got, []byte("\r\n\r\nHello, World!")) {
				c.t.Fatalf("an answer of %d connections: %q, %v", len(c.fds), got, err)
			}
		}
	}
}

// mostFiles is how many connections each of two processes can hold here.
func mostFiles(t *testing.T) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil { // the runtime has raised it as far as it may
		t.Fatal(err)
	}
	return int(min(limit.Cur, 1<<20)) - otherFiles
}

// part has each connection ended by the server, in order: by FIN, with nothing before it.
func (c *crowd) part() {
	c.t.Helper()
	b := make([]byte, 1)
	for _, fd := range c.fds {
		if n, err := again(func() (int, error) { return unix.Read(fd, b) }); n != 0 || err != nil {
			c.t.Fatalf("an idle connection ended with %d bytes, %v", n, err)
		}
	}
	c.reset(len(c.fds))
}

// reset ends the last n connections by RST.
func (c *crowd) reset(n int) {
	for _, fd := range c.fds[len(c.fds)-n:] {
		unix.Close(fd)
	}
	c.fds = c.fds[:len(c.fds)-n]
}

// open is the number of connections that p says it has.
func (p *process) open() (n int64) {
	for _, w := range p.ask("?").Workers {
		n += w.Open
	}
	return n
}

// TestCrowd has as many idle connections as a core can hold: each is still answered, half of them reset at once leave no file
// open, the other half are answered then, and after all have gone the files are what they were. SIGTERM ends a second crowd in
// order. It logs what each connection costs.
func TestCrowd(t *testing.T) {
	for _, core := range servers.Cores {
		t.Run(core.Name, func(t *testing.T) {
			size, least := min(crowdSize, mostFiles(t)), 0
			args := []string{"--core", core.Name, "--workers", "2"}
			switch core.Name {
			case "sequential":
				t.Logf("holds one connection and closes it with its answer; all others wait in the backlog, which is the kernel's memory")
				size = 1
			case "pool":
				// What a thread has it takes when it is started and when it serves first.
				size, least = crowdThreads, start(t, append(args, "--threads", "1")...).resident()
				args = append(args, "--threads", strconv.Itoa(size))
			}
			p := start(t, args...)
			if size == 1 {
				if status, _ := p.get("/plaintext"); status != 200 {
					t.Errorf("status %d", status)
				}
				return
			}
			warm := newCrowd(p)
			warm.grow(1)
			warm.ask()
			files := len(p.openFiles()) - 1
			before := p.resident()
			if least > 0 {
				before = least
			}
			began := time.Now()
			c := newCrowd(p)
			fill := func(size int) {
				for len(c.fds) < size { // in steps, or the backlog overflows
					c.grow(min(crowdStep, size-len(c.fds)))
					await(t, "acceptance", func() bool { return p.open() == int64(len(c.fds)+len(warm.fds)) })
				}
			}
			fill(size - 1)
			grown := time.Since(began)
			c.ask()
			cost := float64(p.resident()-before) / float64(size)
			t.Logf("%d idle connections in %v: %.2f KiB of user memory for each; %d goroutines", size, grown.Round(time.Millisecond), cost/1024, p.ask("?").Runtime.Goroutines)
			switch core.Name {
			case "epoll", "epollpool", "reactor", "uring", "raw":
				// With few connections what the first requests of a process take weighs more.
				if size == crowdSize && cost > userMost {
					t.Errorf("an idle connection costs %.0f bytes of user memory, more than %d", cost, userMost)
				}
			}
			c.ask()
			c.reset(size / 2)
			await(t, "closing of what was reset", func() bool { return p.open() == int64(len(c.fds)+1) && len(p.openFiles()) == files+len(c.fds)+1 })
			c.ask()
			c.reset(len(c.fds))
			warm.ask()
			warm.reset(1)
			await(t, "files as before", func() bool { return len(p.openFiles()) == files })
			fill(size / 3)
			p.signal(unix.SIGTERM)
			c.part()
			if code, _ := p.wait(); code != 0 || p.stderr.String() != "" {
				t.Errorf("exit code %d; %s", code, p.stderr.String())
			}
		})
	}
}
