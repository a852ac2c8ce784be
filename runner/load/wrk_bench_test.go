package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the other processes too: a server that costs next to nothing, and our generator.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("LOAD_TEST_SERVER") != "":
		if err := cannedServer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(os.Args) > 1 && os.Args[1] == "load":
		var s Spec
		err := json.NewDecoder(os.Stdin).Decode(&s)
		r, runErr := Run(context.Background(), s, nil)
		if err != nil || runErr != nil {
			fmt.Fprintln(os.Stderr, err, runErr)
			os.Exit(1)
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// cannedServer answers whatever ends with an empty line, until its standard input ends. It prints its address.
func cannedServer() error {
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(ln, 1024); err != nil {
		return err
	}
	addr, err := unix.Getsockname(ln)
	if err != nil {
		return err
	}
	fmt.Println(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(addr.(*unix.SockaddrInet4).Port)))
	p, err := newPoller()
	if err != nil {
		return err
	}
	p.add(ln, ln, 0)
	buf := make([]byte, 64<<10)
	for {
		for _, ev := range p.wait(int64(time.Second)) {
			fd := int(ev.Fd)
			for fd == ln {
				c, _, err := unix.Accept4(ln, unix.SOCK_NONBLOCK)
				if err != nil {
					break
				}
				p.add(c, c, 0)
			}
			if fd != ln {
				serveCanned(fd, buf)
			}
		}
	}
}

func serveCanned(fd int, buf []byte) {
	n, e := readSocket(fd, buf)
	if e == unix.EAGAIN {
		return
	}
	if e != 0 || n == 0 {
		closeSocket(fd)
		return
	}
	if k := bytes.Count(buf[:n], endOfHead); k > 0 {
		writeSocket(fd, []byte(strings.Repeat(good, k)))
	}
}

// startCanned starts the canned server in another process, for the time of a test.
func startCanned(t testing.TB) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOAD_TEST_SERVER=1", "GOMAXPROCS=2")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + strings.TrimSpace(addr) + "/plaintext"
}

func TestARunMakesNoGarbage(t *testing.T) {
	url := startCanned(t)
	for name, s := range map[string]Spec{
		"closed loop":            {},
		"pipelined":              {Depth: 8},
		"open loop":              {Rate: 20000},
		"connection per request": {NewConn: true},
	} {
		s.URL, s.Connections, s.Duration, s.Warmup, s.Engine = url, 16, time.Minute, 50*time.Millisecond, testedEngine
		// Starting the loops has its fixed cost; what a request cost would multiply.
		if requests, allocs := countAllocs(t, s, 1000); requests < 1000 || allocs > 100 {
			t.Errorf("%s: %d allocations for %d requests", name, allocs, requests)
		}
	}
}

// countAllocs loads until enough requests were answered, and counts what was allocated between the begin and the end of the
// loops.
func countAllocs(t *testing.T, s Spec, enough uint64) (requests, allocs uint64) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := new(Progress)
	go func() {
		look := time.NewTicker(10 * time.Millisecond)
		defer look.Stop()
		for ctx.Err() == nil && watch.Requests.Load() < enough {
			<-look.C
		}
		cancel()
	}()
	p, err := newPlan(s.Filled(), watch)
	if err != nil {
		t.Fatal(err)
	}
	loops, err := p.loops()
	if err != nil {
		t.Fatal(err)
	}
	defer loops[0].close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.drive(ctx, loops)
	runtime.ReadMemStats(&after)
	if done := loops[0].tally; done.example != "" {
		t.Errorf("an error: %s", done.example)
	}
	return loops[0].tally.requests, after.Mallocs - before.Mallocs
}

// BenchmarkAgainstWrk compares what a request costs us and wrk: both and the server share one CPU, one after the other, round
// by round. Run it with -benchtime 10x for ten rounds; the ratio is the median of the rounds.
func BenchmarkAgainstWrk(b *testing.B) {
	if err := (wrkGenerator{}).Available(); err != nil {
		b.Skip(err)
	}
	for _, depth := range []int{1, 16} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			defer pin(b)()
			s := Spec{URL: startCanned(b), Connections: 64, Depth: depth, Duration: time.Second}
			var ours, wrks, ratios []float64
			for b.Loop() {
				w, o := costOf(b, wrkGenerator{}, s), costOf(b, corelabGenerator{}, s)
				ours, wrks, ratios = append(ours, o), append(wrks, w), append(ratios, o/w)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(wrks), "wrk-cpu-ns/req")
			b.ReportMetric(median(ours), "cpu-ns/req")
			b.ReportMetric(median(ratios), "x-wrk")
		})
	}
}

// pin puts this goroutine's thread, and what it starts, on one CPU.
func pin(b *testing.B) func() {
	runtime.LockOSThread()
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		b.Fatal(err)
	}
	for i := 0; one.Count() == 0; i++ {
		if old.IsSet(i) {
			one.Set(i)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := unix.SchedSetaffinity(0, &old); err != nil {
			b.Error(err)
		}
		runtime.UnlockOSThread()
	}
}

// costOf runs a generator once and returns all CPU that its process used, in ns per request.
func costOf(b *testing.B, g Generator, s Spec) float64 {
	argv, stdin, err := g.Command(os.Args[0], s)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err, stderr.String())
	}
	r, err := g.Parse(out, stderr.Bytes())
	if err != nil || r.Requests == 0 || r.Errors.Total() > 0 {
		b.Fatalf("%v: %+v", err, r.Load)
	}
	return float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / float64(r.Requests)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
