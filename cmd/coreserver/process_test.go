package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"corelab/servers"
)

// bound is how long a test waits for something that should happen at once.
const bound = 20 * time.Second

// binary is coreserver, built by TestMain with buildFlags.
var (
	binary     string
	buildFlags []string
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "coreserver")
	if err == nil {
		binary = filepath.Join(dir, "coreserver")
		var out []byte
		build := append(append([]string{"build", "-o", binary}, buildFlags...), ".")
		if out, err = exec.Command("go", build...).CombinedOutput(); err != nil {
			err = fmt.Errorf("build coreserver: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("GORACE", "halt_on_error=1")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// log keeps what a process writes while it runs.
type log struct {
	mu   sync.Mutex
	text []byte
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// process is a coreserver that listens.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	line   string
	stdout *bufio.Reader
	stderr log
	stats  *os.File
	ended  bool
	kept   *client // the connection of fetch
	closes bool    // the core closes after each answer
}

// start runs coreserver with args, a free port, and descriptor 3 for figures, and waits for its line.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	if i := slices.Index(args, "--core"); i >= 0 {
		if core, ok := servers.Find(args[i+1]); ok && core.Usable != nil {
			if err := core.Usable(); err != nil {
				t.Skip(err)
			}
		}
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(pair[0], true); err != nil { // so that deadlines work
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	p := &process{t: t, stats: os.NewFile(uintptr(pair[0]), "ours")}
	p.cmd = exec.Command(binary, append([]string{"--addr", "127.0.0.1:0", "--stats-fd", "3"}, args...)...)
	p.cmd.Stderr = &p.stderr
	p.cmd.ExtraFiles = []*os.File{theirs}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.stdout = bufio.NewReader(out)
	if p.line, err = p.stdout.ReadString('\n'); err != nil {
		p.cmd.Wait()
		p.ended = true
		t.Fatalf("no line on standard output: %v; standard error: %s", err, p.stderr.String())
	}
	if m := regexp.MustCompile(`http://\S+`).FindString(p.line); m != "" {
		p.url = m
	}
	return p
}

// kill ends a process that a test left behind.
func (p *process) kill() {
	p.stats.Close()
	if !p.ended {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// wait returns the exit code, and what else came on standard output.
func (p *process) wait() (code int, rest string) {
	p.t.Helper()
	late := time.AfterFunc(bound, func() { p.cmd.Process.Signal(syscall.SIGQUIT) })
	out, _ := io.ReadAll(p.stdout)
	err := p.cmd.Wait()
	p.ended = true
	if !late.Stop() {
		p.t.Fatalf("it does not end; its goroutines: %s", p.stderr.String())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), string(out)
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// get asks for a path on a connection of its own.
func (p *process) get(path string) (status int, body string) {
	p.t.Helper()
	client := http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// ask writes to the figures' descriptor and reads one line of answer.
func (p *process) ask(question string) (f figures) {
	p.t.Helper()
	p.stats.SetDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(p.stats, question); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(p.stats).ReadBytes('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		p.t.Fatalf("%v in %s", err, line)
	}
	return f
}

// requests sums what the workers did.
func (f figures) requests() (n uint64) {
	for _, w := range f.Workers {
		n += w.Requests
	}
	return n
}

// lacks reports whether a core lacks a feature.
func lacks(c servers.Core, f servers.Feature) bool {
	for _, l := range c.Lacks {
		if l.Feature == f {
			return true
		}
	}
	return false
}

// TestEveryCore starts each core, checks its line, a reply and its figures, and stops it.
func TestEveryCore(t *testing.T) {
	form := regexp.MustCompile(`^coreserver: (\S+) listening on http://127\.0\.0\.1:[1-9][0-9]* workers=2 app=lab pid=([0-9]+)\n$`)
	for _, core := range servers.Cores {
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "--core", core.Name, "--workers", "2", "--threads", "4")
			m := form.FindStringSubmatch(p.line)
			if m == nil || m[1] != core.Name || m[2] != fmt.Sprint(p.cmd.Process.Pid) {
				t.Errorf("the line is %q", p.line)
			}
			before := p.ask("\n")
			if len(before.Workers) == 0 || before.Runtime.Goroutines == 0 || before.Runtime.AllocBytes == 0 || before.Runtime.HeapKiB == 0 {
				t.Errorf("the figures are %+v", before)
			}
			for range 3 {
				if status, body := p.get("/plaintext"); status != 200 || body != "Hello, World!" {
					t.Errorf("got %d %q", status, body)
				}
			}
			if status, _ := p.get("/static/x"); status != 404 && !lacks(core, servers.Parsing) {
				t.Errorf("without --static a file gets %d", status)
			}
			await(t, "four requests in the figures", func() bool { return p.ask("?").requests() >= before.requests()+4 })
			p.signal(syscall.SIGTERM)
			if code, rest := p.wait(); code != 0 || rest != "" || p.stderr.String() != "" {
				t.Errorf("exit code %d, output %q, errors %q", code, rest, p.stderr.String())
			}
		})
	}
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, bound)
		}
	}
}

// upload begins an upload of five bytes and returns once the server has asked for them: the request is in flight.
func (p *process) upload() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp4", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(bound))
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(interim))
	_, err = io.WriteString(c, "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if err == nil {
		_, err = io.ReadFull(c, got)
	}
	if err != nil || string(got) != interim {
		p.t.Fatalf("an upload got %q, %v", got, err)
	}
	return c
}

// TestDrain ends a server while a request is in flight: it is answered, and the exit code is 0.
func TestDrain(t *testing.T) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) || lacks(core, servers.Draining) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "--core", core.Name, "--workers", "1", "--threads", "2")
			c := p.upload()
			p.signal(syscall.SIGINT)
			if _, err := io.WriteString(c, "12345"); err != nil {
				t.Error(err)
			}
			if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "\r\n\r\n5") {
				t.Errorf("the upload got %q, %v", b, err)
			}
			if code, _ := p.wait(); code != 0 {
				t.Errorf("exit code %d; %s", code, p.stderr.String())
			}
		})
	}
}

// TestSecondSignal: the first one waits for an upload that does not go on, the second one does not.
func TestSecondSignal(t *testing.T) {
	p := start(t, "--core", "goroutine", "--grace", "1m", "--body-idle", "1m")
	c := p.upload()
	p.signal(syscall.SIGTERM)
	await(t, "closed listener", func() bool {
		r, err := http.Get(p.url + "/health")
		if err == nil {
			r.Body.Close()
		}
		return err != nil
	})
	p.signal(syscall.SIGTERM)
	if code, _ := p.wait(); code != exitFailed || !strings.Contains(p.stderr.String(), "second signal") {
		t.Errorf("exit code %d; %s", code, p.stderr.String())
	}
	if b, err := io.ReadAll(c); len(b) > 0 {
		t.Errorf("the upload got %q, %v", b, err)
	}
}

// TestGrace: an upload that does not go on is cut when the time is over, and the exit code is 0 all the same.
func TestGrace(t *testing.T) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) || lacks(core, servers.Draining) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "--core", core.Name, "--grace", "200ms")
			p.upload()
			p.signal(syscall.SIGTERM)
			if code, _ := p.wait(); code != 0 {
				t.Errorf("exit code %d; %s", code, p.stderr.String())
			}
		})
	}
}

// TestStatsEnd: the server outlives whoever asks for figures.
func TestStatsEnd(t *testing.T) {
	p := start(t, "--core", "goroutine")
	p.ask("\n")
	p.stats.Close()
	if status, _ := p.get("/health"); status != 200 {
		t.Errorf("got %d", status)
	}
	p.signal(syscall.SIGTERM)
	if code, _ := p.wait(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit code %d; %s", code, p.stderr.String())
	}
}

func TestStaticDirectory(t *testing.T) {
	dir := t.TempDir()
	content := strings.Repeat("0123456789", 100_000)
	if err := os.WriteFile(filepath.Join(dir, "digits.txt"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "--core", core.Name, "--static", dir)
			if status, body := p.get("/static/digits.txt"); status != 200 || body != content {
				t.Errorf("got %d and %d bytes of %d", status, len(body), len(content))
			}
		})
	}
}

// TestLargeBodies sends and takes bodies that no core may keep in memory as a whole.
func TestLargeBodies(t *testing.T) {
	const uploaded, fetched, heapMost = 20 << 20, 5 << 20, 12 << 10 // bytes, bytes, KiB
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			p := start(t, "--core", core.Name)
			client := http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true}}
			for _, length := range []int64{uploaded, -1} { // announced, and chunked
				body := io.LimitReader(zeros{}, uploaded)
				request, err := http.NewRequest("POST", p.url+"/upload", body)
				if err != nil {
					t.Fatal(err)
				}
				request.ContentLength = length
				r, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || string(got) != fmt.Sprint(uploaded) {
					t.Errorf("an upload of length %d gets %q, %v", length, got, err)
				}
			}
			if heap := p.ask("\n").Runtime.HeapKiB; heap > heapMost {
				t.Errorf("the heap has %d KiB after uploads", heap)
			}
			status, body := p.get(fmt.Sprintf("/bytes/%d", fetched))
			if want := strings.Repeat("abcdefghijklmnopqrstuvwxyz", fetched/26+1)[:fetched]; status != 200 || body != want {
				t.Errorf("got %d and %d bytes", status, len(body))
			}
		})
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestProfiles asks for the profiles that go tool pprof asks for.
func TestProfiles(t *testing.T) {
	p := start(t, "--core", "goroutine", "--pprof", "127.0.0.1:0")
	await(t, "address of the profiles", func() bool {
		p.url = regexp.MustCompile(`http://[^/]+`).FindString(p.stderr.String())
		return p.url != ""
	})
	for _, test := range []struct {
		path   string
		status int
		begins string
	}{
		{"/debug/pprof/", 200, "profile?seconds=30\n"},
		{"/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total "},
		{"/debug/pprof/heap", 200, "\x1f\x8b"},
		{"/debug/pprof/profile?seconds=1", 200, "\x1f\x8b"},
		{"/debug/pprof/profile?seconds=0", 400, "seconds must be"},
		{"/debug/pprof/profile?seconds=x", 400, "seconds must be"},
		{"/debug/pprof/heap?debug=x", 400, "debug must be"},
		{"/debug/pprof/nothing", 404, "no such profile"},
	} {
		if status, body := p.get(test.path); status != test.status || !strings.HasPrefix(body, test.begins) {
			t.Errorf("%s: got %d %.40q", test.path, status, body)
		}
	}
}

// TestProfilesByDescriptor asks for profiles without a port, and finds in them what the server did.
func TestProfilesByDescriptor(t *testing.T) {
	p := start(t, "--core", "goroutine")
	answers := bufio.NewReader(p.stats)
	ask := func(question string) (a profileAnswer) {
		t.Helper()
		p.stats.SetDeadline(time.Now().Add(bound))
		if _, err := io.WriteString(p.stats, question+"\n"); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		return a
	}
	if a := ask(askEnd); a.Profiling || a.Error == "" {
		t.Errorf("an end before the begin gets %+v", a)
	}
	for range 2 { // it can be done again
		if a := ask(askBegin); !a.Profiling || a.Error != "" {
			t.Fatalf("begin gets %+v", a)
		}
		if a := ask(askBegin); !a.Profiling || a.Error == "" {
			t.Errorf("a second begin gets %+v", a)
		}
		if status, _ := p.get("/health"); status != 200 {
			t.Errorf("a profiled server answers %d", status)
		}
		a := ask(askEnd)
		if a.Profiling || a.Error != "" || len(a.Profiles) != len(namedProfiles)+1 {
			t.Fatalf("end gets %+v", a)
		}
		for kind, types := range map[string]string{
			"go-cpu": "samples cpu", "go-heap": "alloc_objects alloc_space inuse_objects inuse_space", "go-block": "contentions delay",
			"go-mutex": "contentions delay", "go-goroutine": "goroutine",
		} {
			read, err := profile.ParseData(a.Profiles[kind])
			if err != nil {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			var got []string
			for _, v := range read.SampleType {
				got = append(got, v.Type)
			}
			if strings.Join(got, " ") != types {
				t.Errorf("%s has values of %v, want %s", kind, got, types)
			}
			if kind == "go-goroutine" && len(read.Sample) == 0 {
				t.Error("no goroutine is anywhere")
			}
		}
	}
	// Figures can be asked for before and after.
	if f := p.ask("\n"); len(f.Workers) == 0 {
		t.Errorf("the figures are %+v", f)
	}
}
