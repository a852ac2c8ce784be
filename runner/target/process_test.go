package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"corelab/runner/probe"
)

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestForeign(t *testing.T) {
	p := launched(t, foreign(t, "hello"), Options{})
	if got := get(t, p.URL("/")); got != "Hello, World!" {
		t.Errorf("got %q", got)
	}
	if len(p.Pids()) != 1 || p.Err() != nil {
		t.Errorf("pids %v, error %v", p.Pids(), p.Err())
	}
	d := p.Describe()
	_, port, _ := net.SplitHostPort(p.Addr())
	if d.Name != "it" || d.Kind != KindForeign || !slices.Contains(d.Command, port) || d.Version == "" {
		t.Errorf("described as %+v", d)
	}
	if _, err := p.Stats(t.Context()); err == nil {
		t.Error("a foreign server gives figures")
	}
}

func TestCore(t *testing.T) {
	env := fakeEnv(t)
	s, err := Parse("reactor --limit-pipelined 16", env)
	if err != nil {
		t.Fatal(err)
	}
	p := launched(t, s, Options{Workers: 3, StaticDir: "testdata", Stats: true})
	static, _ := filepath.Abs("testdata")
	if got, want := get(t, p.URL("/flags")), `["reactor",3,"`+static+`",16]`; got != want {
		t.Errorf("started with %s, want %s", got, want)
	}
	first, err := p.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := second.Since(first)
	if r := d.Runtime; r.Allocs != 10 || r.AllocBytes != 100 || r.GCs != 1 || r.Goroutines != 7 || r.HeapKiB != 8 {
		t.Errorf("runtime %+v", r)
	}
	if len(d.Workers) != 1 || d.Workers[0].Accepted != 2 || d.Workers[0].Requests != 1000 || d.Workers[0].Open != 1 {
		t.Errorf("workers %+v", d.Workers)
	}
}

func TestStatsTimeout(t *testing.T) {
	s, err := Parse("reactor --limit-pipelined 13", fakeEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	p := launched(t, s, Options{Stats: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for range 2 {
		if _, err := p.Stats(ctx); err == nil {
			t.Error("figures from a server that gives none")
		}
	}
}

func TestPinnedBeforeExec(t *testing.T) {
	cpus, err := probe.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	last := cpus[len(cpus)-1:]
	p := launched(t, foreign(t, "hello"), Options{CPUs: last})
	for _, pid := range p.Pids() {
		tasks, err := os.ReadDir("/proc/" + itoa(pid) + "/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			status, err := os.ReadFile("/proc/" + itoa(pid) + "/task/" + task.Name() + "/status")
			if err != nil {
				t.Fatal(err)
			}
			if want := "Cpus_allowed_list:\t" + probe.CPUList(last) + "\n"; !strings.Contains(string(status), want) {
				t.Errorf("thread %s of %d is not on CPU %v", task.Name(), pid, last)
			}
		}
	}
	if now, err := probe.Allowed(); err != nil || !slices.Equal(now, cpus) {
		t.Errorf("the lab itself may use %v now, it was %v", now, cpus)
	}
	if _, err := Start(t.Context(), foreign(t, "hello"), Options{CPUs: []int{1000}}); err == nil || !strings.Contains(err.Error(), "pin it") {
		t.Errorf("on a CPU that is not there: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	tests := []struct {
		role    string
		timeout time.Duration
		want    []string
	}{
		{"die", 0, []string{"start it: it ended before it accepted: exit status 1; it wrote:\nno configuration found in"}},
		{"leave", 0, []string{"exit status 0; a server must stay in the foreground", "it wrote nothing"}},
		{"deaf", 100 * time.Millisecond, []string{"does not accept on 127.0.0.1:", "--ready-timeout"}},
	}
	for _, test := range tests {
		t.Run(test.role, func(t *testing.T) {
			p, err := Start(t.Context(), foreign(t, test.role), Options{ReadyTimeout: test.timeout})
			if err == nil {
				p.Stop(0)
				t.Fatal("it started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if left := children(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, foreign(t, "deaf"), Options{}); err == nil {
		t.Error("a start that was called off succeeds")
	}
}

// children returns the children of this process but the keeper: a test that has stopped its servers has none.
func children() []int {
	return slices.DeleteFunc(probe.Tree(os.Getpid()), func(pid int) bool {
		env, _ := os.ReadFile("/proc/" + itoa(pid) + "/environ")
		return pid == os.Getpid() || strings.Contains(string(env), keeperVariable)
	})
}

func TestPortTakenIsTriedAgain(t *testing.T) {
	p := launched(t, foreign(t, "taken", filepath.Join(t.TempDir(), "once")), Options{})
	if got := get(t, p.URL("/")); got != "Hello, World!" {
		t.Errorf("got %q", got)
	}
}

// A server's port is none that another process is given by the kernel.
func TestFreePort(t *testing.T) {
	first := kernelPorts()
	if first < firstPort+fewPorts {
		t.Skipf("the kernel's ports begin at %d here", first)
	}
	for range 100 {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < firstPort || n >= first {
			t.Fatalf("port %s, where the kernel's begin at %d", port, first)
		}
	}
}

func TestStop(t *testing.T) {
	for _, role := range []string{"hello", "stubborn"} {
		t.Run(role, func(t *testing.T) {
			p, err := Start(t.Context(), foreign(t, role), Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := p.Stop(50 * time.Millisecond); err != nil {
					t.Error(err)
				}
			}
			if p.Err() != nil {
				t.Errorf("it was stopped, and Err says %v", p.Err())
			}
			if l, err := net.Listen("tcp4", p.Addr()); err != nil {
				t.Error(err)
			} else {
				l.Close()
			}
		})
	}
}

func TestStopFindsTheWholeFamily(t *testing.T) {
	p, err := Start(t.Context(), foreign(t, "family"), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	// The server, its child, and the grandchild, which is nobody's child any more; the one between has ended.
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(pollEvery) {
		if members := p.family.members(); len(members) == 3 && len(p.Pids()) == 2 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("members %v, tree %v", members, p.Pids())
		}
	}
	members := p.family.members()
	if err := p.Stop(time.Second); err != nil {
		t.Error(err)
	}
	for _, m := range members {
		if m.alive() {
			t.Errorf("process %d still runs", m.pid)
		}
	}
}

// TestSuspend: one that is stopped in its tracks takes connections and says nothing, and can be ended all the same.
func TestSuspend(t *testing.T) {
	p, err := Start(t.Context(), foreign(t, "hello"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Suspend(); err != nil {
		t.Error(err)
	}
	client := http.Client{Timeout: 200 * time.Millisecond}
	if _, err := client.Get(p.URL("/")); !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err) {
		t.Errorf("asked while suspended: %v", err)
	}
	began := time.Now()
	if err := p.Stop(10 * time.Second); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("stopped in %v: %v", time.Since(began), err)
	}
}

func TestDeathIsNoticed(t *testing.T) {
	p := launched(t, foreign(t, "crash"), Options{}) // the look whether it accepts is what it crashes on
	select {
	case <-p.Exited():
	case <-time.After(5 * time.Second):
		t.Fatal("its end goes unnoticed")
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "as planned") {
		t.Errorf("Err: %v", err)
	}
}

func TestLogs(t *testing.T) {
	dir := t.TempDir()
	p := launched(t, foreign(t, "hello"), Options{Dir: dir})
	if filepath.Dir(p.Log()) != dir {
		t.Errorf("the log is %s", p.Log())
	}
	if err := p.Stop(time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Log()); !os.IsNotExist(err) {
		t.Errorf("an empty log stays: %v", err)
	}
	if got := fileName("reactor --app 'a/b'"); got != "reactor_--app__a_b_" {
		t.Errorf("fileName: %s", got)
	}
}

func TestOwnProfiles(t *testing.T) {
	env := fakeEnv(t)
	s, err := Parse("reactor", env)
	if err != nil {
		t.Fatal(err)
	}
	p := launched(t, s, Options{Stats: true})
	if _, err := p.EndProfiles(t.Context()); err == nil || !strings.Contains(err.Error(), "no profiles have begun") {
		t.Errorf("an end before the begin: %v", err)
	}
	if err := p.BeginProfiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stats(t.Context()); err != nil {
		t.Errorf("figures of a server that profiles itself: %v", err)
	}
	got, err := p.EndProfiles(t.Context())
	if err != nil || len(got) != 1 || len(got["go-cpu"]) != 3*answerSize {
		t.Errorf("%d profiles, of %d bytes, %v", len(got), len(got["go-cpu"]), err)
	}
	// A coreserver that knows nothing of profiles takes the question for one about figures.
	if s, err = Parse("reactor --limit-pipelined 12", env); err != nil {
		t.Fatal(err)
	}
	old := launched(t, s, Options{Stats: true})
	if err := old.BeginProfiles(t.Context()); err == nil || !strings.Contains(err.Error(), "before it could") {
		t.Errorf("of an old coreserver: %v", err)
	}
	if err := launched(t, foreign(t, "hello"), Options{Stats: true}).BeginProfiles(t.Context()); err == nil || !strings.Contains(err.Error(), "no figures") {
		t.Errorf("of a foreign server: %v", err)
	}
}
