package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// succession is a coreserver and those that take its place, which all write to one standard output.
type succession struct {
	t      *testing.T
	stdout *bufio.Reader
	stderr log
	addr   string
	pid    int
	first  *exec.Cmd
}

// begin starts the first process. The others end with the test as well.
func begin(t *testing.T, args ...string) *succession {
	t.Helper()
	s := &succession{t: t, first: exec.Command(binary, append([]string{"--addr", "127.0.0.1:0"}, args...)...)}
	s.first.Stderr = &s.stderr
	out, err := s.first.StdoutPipe()
	if err == nil {
		err = s.first.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.stdout = bufio.NewReader(out)
	t.Cleanup(func() {
		if s.pid != 0 {
			syscall.Kill(s.pid, syscall.SIGKILL)
		}
		s.first.Process.Kill()
		io.Copy(io.Discard, s.stdout)
		s.first.Wait()
	})
	s.serves()
	return s
}

// serves waits for a process's line.
func (s *succession) serves() {
	s.t.Helper()
	line, err := s.stdout.ReadString('\n')
	m := regexp.MustCompile(`http://(\S+) .*pid=(\d+)`).FindStringSubmatch(line)
	if err != nil || m == nil {
		s.t.Fatalf("no line on standard output: %q, %v; standard error: %s", line, err, s.stderr.String())
	}
	s.addr = m[1]
	s.pid, _ = strconv.Atoi(m[2])
}

// gone reports whether a process has ended; one that was not started by this test is nobody's to be waited for.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// times is how often a test does something that takes time: more if the environment says so.
func times(variable string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return usual
}

// TestRestartUnderLoad has new processes take the place of old ones. No request may fail: not one is refused, reset or cut;
// one that crosses the end of its kept connection is sent again, as RFC 9112 §9.3.1 has it.
func TestRestartUnderLoad(t *testing.T) {
	for _, name := range []string{"reactor", "epoll", "epollpool", "goroutine"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 2
			if name == "reactor" {
				n = times("CORELAB_RESTARTS", 3)
			}
			s := begin(t, "--core", name, "--workers", "2", "--app", "lab")
			load := newSteady(s.addr)
			load.answered(t, 200)
			for range n {
				old := s.pid
				if err := syscall.Kill(old, syscall.SIGUSR2); err != nil {
					t.Fatal(err)
				}
				s.serves()
				load.answered(t, 200)
				await(t, "the old process has ended", func() bool { return gone(old) })
				load.answered(t, 200)
			}
			load.stop(t)
			t.Logf("%d restarts, %d answers, %d requests crossed the end of their connection", n, load.answers.Load(), load.crossed.Load())
			if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			await(t, "the last process has ended", func() bool { return gone(s.pid) })
			s.pid = 0
		})
	}
}

// steady is a load of clients that go on until they are told to stop.
type steady struct {
	addr    string
	clients sync.WaitGroup
	over    atomic.Bool
	answers atomic.Int64
	crossed atomic.Int64
	visits  visits
}

func newSteady(addr string) *steady {
	s := &steady{addr: addr}
	for i := range 16 {
		s.clients.Go(func() { s.client(i%4 != 0) })
	}
	return s
}

// client asks on one connection after the other.
func (s *steady) client(keep bool) {
	for !s.over.Load() {
		c, err := net.DialTimeout("tcp4", s.addr, bound)
		if err != nil {
			s.visits.fail("connect: %v", err)
			return
		}
		c.SetDeadline(time.Now().Add(bound))
		s.talk(c, keep)
		c.Close()
	}
}

func (s *steady) talk(c net.Conn, keep bool) {
	b := make([]byte, 4096)
	for n := 0; !s.over.Load(); n++ {
		_, err := io.WriteString(c, "GET /plaintext HTTP/1.1\r\nHost: lab\r\n\r\n")
		got := 0
		for err == nil && !strings.HasSuffix(string(b[:got]), "\r\n\r\nHello, World!") {
			var k int
			k, err = c.Read(b[got:])
			got += k
		}
		switch {
		case err == nil:
			s.answers.Add(1)
		case n > 0 && got == 0 && (err == io.EOF || strings.Contains(err.Error(), "broken pipe")):
			s.crossed.Add(1)
			return
		default:
			s.visits.fail("after %d answers %q and %v", n, b[:got], err)
			return
		}
		if !keep || strings.Contains(string(b[:got]), "\r\nConnection: close\r\n") {
			return
		}
	}
}

// answered waits for n more answers.
func (s *steady) answered(t *testing.T, n int64) {
	t.Helper()
	until := s.answers.Load() + n
	await(t, "answers come", func() bool { return s.answers.Load() >= until })
}

// stop ends the load and says what went wrong.
func (s *steady) stop(t *testing.T) {
	t.Helper()
	s.over.Store(true)
	s.clients.Wait()
	for _, w := range s.visits.wrong {
		t.Error(w)
	}
}

// TestNoRestart keeps serving where a restart is not possible.
func TestNoRestart(t *testing.T) {
	s := begin(t, "--core", "pool", "--threads", "4")
	if err := syscall.Kill(s.pid, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	await(t, "it says why", func() bool { return strings.Contains(s.stderr.String(), "no restart: this core cannot hand over") })
	load := newSteady(s.addr)
	load.answered(t, 100)
	load.stop(t)
}
