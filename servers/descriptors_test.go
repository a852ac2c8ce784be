package servers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// fewFiles is the limit of open files of the server that TestOutOfFiles starts.
const fewFiles = 48

// TestServeFewFiles is the server of TestOutOfFiles, in a process of its own: the limit belongs to the process.
func TestServeFewFiles(t *testing.T) {
	name := os.Getenv("CORELAB_TEST_CORE")
	if name == "" {
		return // not started by TestOutOfFiles
	}
	core, ok := Find(name)
	if !ok {
		t.Fatalf("no core %q", name)
	}
	srv, err := core.New(Config{Workers: 2}.Filled(), eventHandler(t, nil, httpcore.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: fewFiles, Max: fewFiles}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin) // until the test closes it
		cancel()
	}()
	fmt.Printf("listening %s\n", srv.Addr())
	if err := srv.Serve(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestOutOfFiles connects more clients than the server has descriptors: those inside are served, the server does not spin,
// and those outside are served once others leave.
func TestOutOfFiles(t *testing.T) {
	for _, core := range append([]Core{rawCore}, eventCores...) {
		t.Run(core.Name, func(t *testing.T) {
			usable(t, core)
			child, addr := serveFewFiles(t, core.Name)
			s := addressed{addr: addr}
			var clients []*eventClient
			for range 2 * fewFiles {
				clients = append(clients, dialEvents(t, s))
			}
			for _, c := range clients {
				c.get("/")
			}
			// The backlogs are first come, first served, one for each loop: who is inside shows by the answers.
			inside, outside := split(t, clients)
			if len(inside) == 0 || len(outside) == 0 {
				t.Fatalf("%d clients are served and %d are not: the test shows nothing", len(inside), len(outside))
			}
			before, begin := cpuTime(t, child.Pid), time.Now()
			for time.Since(begin) < 300*time.Millisecond {
				c := inside[0]
				c.get("/")
				c.answer([]byte("Hello, World!"))
				time.Sleep(10 * time.Millisecond)
			}
			if used := cpuTime(t, child.Pid) - before; used > 150*time.Millisecond {
				t.Errorf("out of files it used %v of CPU in 300 ms", used)
			}
			for _, c := range inside {
				c.Close()
			}
			var served sync.WaitGroup
			for _, c := range outside {
				served.Go(func() { // all at once: they leave room for each other
					if _, err := c.r.Peek(1); err != nil {
						t.Errorf("a client that had to wait: %v", err)
					}
					c.Close()
				})
			}
			served.Wait()
		})
	}
}

// addressed is a Server that runs elsewhere.
type addressed struct {
	Server
	addr netip.AddrPort
}

func (a addressed) Addr() netip.AddrPort { return a.addr }

// split tells the clients that get an answer from those that do not.
func split(t *testing.T, clients []*eventClient) (inside, outside []*eventClient) {
	t.Helper()
	type result struct {
		c  *eventClient
		ok bool
	}
	results := make(chan result)
	for _, c := range clients {
		c.SetReadDeadline(time.Now().Add(time.Second))
		go func() {
			_, err := c.r.Peek(1)
			results <- result{c, err == nil}
		}()
	}
	for range clients {
		r := <-results
		r.c.SetReadDeadline(time.Now().Add(bound))
		if r.ok {
			r.c.answer([]byte("Hello, World!"))
			inside = append(inside, r.c)
		} else {
			r.c.r.Reset(r.c) // forget the deadline's error
			outside = append(outside, r.c)
		}
	}
	return inside, outside
}

// serveFewFiles starts core in a child that ends with the test, in order.
func serveFewFiles(t *testing.T, core string) (*os.Process, netip.AddrPort) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeFewFiles$", "-test.count=1")
	cmd.Env = append(os.Environ(), "CORELAB_TEST_CORE="+core)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	t.Cleanup(func() {
		stdin.Close()
		timer := time.AfterFunc(bound+Config{}.Filled().Grace, func() { cmd.Process.Kill() })
		defer timer.Stop()
		rest, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v\n%s", err, rest)
		}
	})
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddrPort(strings.TrimSpace(strings.TrimPrefix(line, "listening ")))
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process, addr
}

// cpuTime returns the CPU time of a process by its CPU clock.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	var ts unix.Timespec
	clock := ^int32(pid)<<3 | 2 // clock_getcpuclockid(3)
	if err := unix.ClockGettime(clock, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestServeGivesBack serves, drains under load, and holds each core to returning all of its descriptors and its port.
func TestServeGivesBack(t *testing.T) {
	for _, core := range append([]Core{rawCore}, eventCores...) {
		t.Run(core.Name, func(t *testing.T) {
			s := serveEvents(t, core, Config{}, httpcore.Limits{}) // what the runtime opens once is open then
			s.stop()
			<-s.done
			before := openFiles(t)
			addr := netip.AddrPort{}
			for range 3 {
				s := serveEvents(t, core, Config{Addr: addr}, httpcore.Limits{})
				addr = s.Addr() // the same port at once again
				var clients []*eventClient
				for range 20 {
					c := dialEvents(t, s)
					c.get("/")
					c.answer([]byte("Hello, World!"))
					clients = append(clients, c)
				}
				s.stop()
				if err := <-s.done; err != nil {
					t.Fatal(err)
				}
				for _, c := range clients {
					c.ended()
					c.Close()
				}
				if c, err := net.Dial("tcp", addr.String()); err == nil {
					c.Close()
					t.Error("the port still accepts")
				}
			}
			if after := openFiles(t); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

// TestAddressInUse binds a port that is taken: an error that says what to do, also where SO_REUSEPORT would share it.
func TestAddressInUse(t *testing.T) {
	for _, core := range append([]Core{rawCore}, eventCores...) {
		t.Run(core.Name, func(t *testing.T) {
			s := serveEvents(t, core, Config{}, httpcore.Limits{})
			before := openFiles(t)
			_, err := core.New(Config{Addr: s.Addr(), Workers: 2}.Filled(), eventHandler(t, nil, httpcore.Limits{}))
			if err == nil || !strings.Contains(err.Error(), "use port 0") || !strings.Contains(err.Error(), s.Addr().String()) {
				t.Errorf("on a port in use: %v", err)
			}
			if after := openFiles(t); after != before {
				t.Errorf("a failed New leaves %d descriptors", after-before)
			}
		})
	}
}

// TestDrainBacklog ends the context while requests wait unaccepted: they are answered.
func TestDrainBacklog(t *testing.T) {
	for _, core := range append([]Core{rawCore}, eventCores...) {
		t.Run(core.Name, func(t *testing.T) {
			usable(t, core)
			srv, err := core.New(Config{Workers: 2}.Filled(), eventHandler(t, nil, httpcore.Limits{}))
			if err != nil {
				t.Fatal(err)
			}
			var clients []*eventClient
			for i := range 20 {
				c := dialEvents(t, srv)
				if i%2 == 0 {
					c.get("/")
				}
				clients = append(clients, c)
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			done := make(chan error, 1)
			go func() { done <- srv.Serve(ctx) }()
			clients[1].get("/") // a request that is under way
			for i, c := range clients {
				if i%2 == 0 || i == 1 {
					c.answer([]byte("Hello, World!"))
				}
				c.ended()
			}
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(bound):
				t.Error("Serve did not return")
			}
		})
	}
}
