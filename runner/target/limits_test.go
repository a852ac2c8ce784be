package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// limitsDir holds what builtLimits built, until the last test is done.
var limitsDir string

func removeLimits() {
	if limitsDir != "" {
		os.RemoveAll(limitsDir)
	}
}

// errNoCompiler is the one reason for which there need not be limits.
var errNoCompiler = errors.New("no make and C compiler: THE LIMITS ARE NOT TESTED; `apt-get install make gcc libc6-dev` installs them")

// builtLimits has the Makefile build the limits, with warnings as errors, once for all tests.
var builtLimits = sync.OnceValues(func() (map[string]string, error) {
	for _, tool := range []string{"make", "cc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, errNoCompiler
		}
	}
	dir, err := os.MkdirTemp("", "corelab-limits-")
	if err != nil {
		return nil, err
	}
	limitsDir = dir
	out, err := exec.Command("make", "-C", "../..", "limits", "BIN="+dir, "CC=cc -Werror").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build the limits: %w: %s", err, out)
	}
	return builtBeside(filepath.Join(dir, "corelab")), nil
})

var limitNames = []string{"limit-epoll", "limit-uring"}

// limitSpec is one of the limits, unless it cannot be here.
func limitSpec(t *testing.T, name string) Spec {
	t.Helper()
	built, err := builtLimits()
	if errors.Is(err, errNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if built[name] == "" {
		t.Fatalf("there is a C compiler, and no %s", name)
	}
	s, err := Parse(name, Env{Built: built})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startLimit starts one, or skips where the kernel is too old, which the program must say.
func startLimit(t *testing.T, s Spec, o Options) *Process {
	t.Helper()
	o.Dir = t.TempDir()
	p, err := Start(t.Context(), s, o)
	if err != nil && strings.Contains(err.Error(), "it takes Linux") {
		t.Skipf("%s IS NOT TESTED: %v", s.Name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(time.Second); err != nil {
			t.Error(err)
		}
		if left := children(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return p
}

// eachLimit runs a test of both with one worker and with two.
func eachLimit(t *testing.T, test func(t *testing.T, p *Process)) {
	for _, name := range limitNames {
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/%d", name, workers), func(t *testing.T) {
				test(t, startLimit(t, limitSpec(t, name), Options{Workers: workers}))
			})
		}
	}
}

// limitAnswer is the answer of the lab's cores to GET /plaintext.
var limitAnswer = regexp.MustCompile("^HTTP/1.1 200 OK\r\nServer: coreserver \\(corelab\\)\r\nDate: ([A-Z][a-z]{2}, [0-9 A-Za-z:]{20} GMT)\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!$")

func TestLimits(t *testing.T) {
	eachLimit(t, func(t *testing.T, p *Process) {
		x := Exchange{Path: "/plaintext", Expect: Expect{Status: 200, Body: []byte("Hello, World!")}}
		if _, err := Verify(t.Context(), p.Addr(), x); err != nil {
			t.Fatal(err)
		}
		a, err := Reference(t.Context(), p.Addr(), x)
		if err != nil {
			t.Fatal(err)
		}
		match := limitAnswer.FindStringSubmatch(string(a.Head) + string(a.Body))
		if match == nil {
			t.Fatalf("not the answer of the cores: %q", a.Head)
		}
		if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", match[1]); err != nil || time.Since(at).Abs() > 5*time.Second {
			t.Errorf("Date is %q, which is not now: %v", match[1], err)
		}
		checkPipelined(t, p)
		if d := p.Describe(); !d.Limit || d.Kind != KindPeer || d.Version == "" || d.Note == "" || !strings.Contains(d.Config, p.Addr()) ||
			!strings.Contains(d.Config, fmt.Sprint("workers ", p.opts.Workers)) {
			t.Errorf("described as %+v", d)
		}
	})
}

// TestLimitsDate waits until the second has changed, and with it the answer.
func TestLimitsDate(t *testing.T) {
	for _, name := range limitNames {
		t.Run(name, func(t *testing.T) {
			p := startLimit(t, limitSpec(t, name), Options{})
			c, err := openWire(t.Context(), p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			date := func() string {
				a, err := c.exchange(Exchange{Path: "/plaintext"})
				if err != nil {
					t.Fatal(err)
				}
				d, _ := a.Field("Date")
				return d
			}
			first, began := date(), time.Now()
			for date() == first {
				if time.Since(began) > 10*time.Second {
					t.Fatalf("after ten seconds it still is %s", first)
				}
			}
		})
	}
}

// askLimit dials with a deadline.
func askLimit(t *testing.T, p *Process, send string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp4", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// TestLimitsHalfClose ends the sending side behind requests: all are answered, then the connection ends.
func TestLimitsHalfClose(t *testing.T) {
	eachLimit(t, func(t *testing.T, p *Process) {
		for _, requests := range []int{0, 1, 3, 200} {
			c := askLimit(t, p, strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", requests)+"GET / HT")
			c.CloseWrite()
			all, err := io.ReadAll(c)
			if err != nil || strings.Count(string(all), "Hello, World!") != requests {
				t.Errorf("%d requests and an end: %d answers, %v", requests, strings.Count(string(all), "Hello, World!"), err)
			}
		}
	})
}

// TestLimitsFlood has a client ask for more than sockets hold before it reads: no answer is lost, cut or doubled.
func TestLimitsFlood(t *testing.T) {
	const requests, times = 16_000, 4 // of 4 bytes, which sockets do hold
	eachLimit(t, func(t *testing.T, p *Process) {
		c := askLimit(t, p, strings.Repeat("\r\n\r\n", requests))
		first := make([]byte, 1024)
		n, err := c.Read(first)
		whole := len("Hello, World!") + strings.Index(string(first[:n]), "Hello, World!")
		if err != nil || n < whole {
			t.Fatalf("%q, %v", first[:n], err)
		}
		all := make([]byte, times*requests*whole)
		n = copy(all, first[:n])
		for i := range times {
			if i > 0 {
				if _, err := io.WriteString(c, strings.Repeat("\r\n\r\n", requests)); err != nil {
					t.Fatal(err)
				}
			}
			end := (i + 1) * requests * whole
			if _, err := io.ReadFull(c, all[n:end]); err != nil {
				t.Fatal(err)
			}
			n = end
		}
		c.CloseWrite()
		if more, err := io.ReadAll(c); len(more) > 0 || err != nil {
			t.Errorf("%d bytes too many, %v", len(more), err)
		}
		for i := 0; i < len(all); i += whole {
			if !limitAnswer.Match(all[i : i+whole]) {
				t.Fatalf("answer %d is %q", i/whole, all[i:i+whole])
			}
		}
	})
}

// TestLimitsChurn has many clients come and go, with a reset at different moments, some with answers that nobody reads.
func TestLimitsChurn(t *testing.T) {
	const clients = 300
	eachLimit(t, func(t *testing.T, p *Process) {
		for i := range clients {
			c, err := net.Dial("tcp4", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			switch i % 4 {
			case 0: // nothing is sent
			case 1:
				io.WriteString(c, "GET / HT")
			case 2:
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			case 3:
				io.WriteString(c, strings.Repeat("\r\n\r\n", 10_000)) // more answers than sockets hold
			}
			if i%3 > 0 {
				c.(*net.TCPConn).SetLinger(0) // a reset
			}
			c.Close()
		}
		for range 8 { // until both workers were asked, very likely
			if _, err := Verify(t.Context(), p.Addr(), Exchange{Expect: Expect{Status: 200}}); err != nil {
				t.Error(err)
			}
		}
		if err := p.Err(); err != nil {
			t.Error(err)
		}
	})
}

// TestLimitsFiles lets a limit run out of files: those who wait are served when others leave.
func TestLimitsFiles(t *testing.T) {
	const clients = 100
	for _, name := range limitNames {
		t.Run(name, func(t *testing.T) {
			path := limitSpec(t, name).binary
			s, err := Parse(fmt.Sprintf("few=sh -c 'ulimit -n 40; exec %s --port {port}'", path), Env{})
			if err != nil {
				t.Fatal(err)
			}
			p := startLimit(t, s, Options{})
			var waiting []*net.TCPConn
			for range clients {
				waiting = append(waiting, askLimit(t, p, "\r\n\r\n"))
			}
			answer := make([]byte, 1024)
			for i, c := range waiting {
				if n, err := c.Read(answer); err != nil || !limitAnswer.Match(answer[:n]) {
					t.Fatalf("client %d of %d: %q, %v", i, clients, answer[:n], err)
				}
				c.Close()
			}
			if err := p.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLimitFlags(t *testing.T) {
	for _, name := range limitNames {
		path := limitSpec(t, name).binary
		for args, want := range map[string]string{
			"":                            "--port is missing",
			"--port":                      "--port needs a value",
			"--port 0":                    "--port 0: give a number from 1 to 65535",
			"--port 8o":                   "--port 8o: give a number",
			"--port 99999999999999999999": "give a number",
			"--port 8080 --workers 0":     "--workers 0: give a number from 1 to 256",
			"--port 8080 --threads 2":     "--threads is no flag",
			"--port 8080 more":            "more is no flag",
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			out, err := exec.CommandContext(ctx, path, strings.Fields(args)...).CombinedOutput()
			cancel()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.HasPrefix(string(out), name+": ") || !strings.Contains(string(out), want) {
				t.Errorf("%s %s: %v, %q", name, args, err, out)
			}
		}
	}
}

// TestLimitsTaken has a limit find its port in use, which Start must recognise.
func TestLimitsTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, name := range limitNames {
		for _, workers := range []string{"1", "2"} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			out, err := exec.CommandContext(ctx, limitSpec(t, name).binary, "--port", port, "--workers", workers).CombinedOutput()
			cancel()
			if err == nil || !strings.Contains(strings.ToLower(string(out)), "address already in use") {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		}
	}
}

// TestLimitsMissing says what builds them.
func TestLimitsMissing(t *testing.T) {
	for _, k := range (Env{}).List() {
		if strings.HasPrefix(k.Name, "limit-") && !strings.Contains(k.Missing, buildLimits) {
			t.Errorf("%s: %q", k.Name, k.Missing)
		}
	}
	s, err := Parse("limit-epoll", Env{})
	if err != nil || !s.Limit() || s.LacksFeature("parsing") == "" || s.LacksFeature("pipelining") != "" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Start(t.Context(), s, Options{}); err == nil || !strings.Contains(err.Error(), buildLimits) {
		t.Errorf("error %v", err)
	}
}
