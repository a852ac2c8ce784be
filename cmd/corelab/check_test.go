package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"corelab/runner/conform"
)

// leastShould is the least share of the SHOULD that a core of ours passes, whatever is argued.
const leastShould = 0.98

// argued are the SHOULD that our cores do not follow, each with its argument. One that a core follows all the same does not
// belong here.
var argued = map[string]string{}

// checkPatience is long: no server under test, on however slow a machine, is taken for one that does not answer.
const checkPatience = "30s"

// checked is one server of --json.
type checked struct {
	Server       string
	Must, Should conform.Score
	Checks       []conform.Check
}

// check runs the command and reads its JSON.
func check(t *testing.T, args ...string) (outcome, []checked) {
	t.Helper()
	out := corelab(t, nil, append([]string{"check", "--json", "--patience", checkPatience}, args...)...)
	var all []checked
	if err := json.Unmarshal([]byte(out.stdout), &all); err != nil {
		t.Fatalf("%v: code %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
	}
	return out, all
}

// TestCoresConform holds every core that parses to every MUST, and to all SHOULD but those that are argued.
func TestCoresConform(t *testing.T) {
	var listed struct{ Cores []struct{ Name string } }
	if err := json.Unmarshal([]byte(corelab(t, nil, "list", "--json").stdout), &listed); err != nil || len(listed.Cores) == 0 {
		t.Fatalf("%v: %+v", err, listed)
	}
	for _, core := range listed.Cores {
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			out, all := check(t, core.Name)
			r := all[0]
			if out.code != 0 || r.Server != core.Name || len(r.Checks) < 300 {
				t.Fatalf("code %d, %s with %d checks: %s", out.code, r.Server, len(r.Checks), out.stderr)
			}
			for _, c := range r.Checks {
				if c.Verdict == conform.Fail && (c.Level == conform.Must || argued[c.ID] == "") {
					t.Errorf("%s %s %s\nsent %s\nexpected %s\nfound %s\ncame %s", c.ID, c.Level, c.Section, c.Sent, c.Expected, c.Reason, c.Came)
				}
				if c.Verdict == conform.Pass && argued[c.ID] != "" {
					t.Errorf("%s passes: take it out of the table", c.ID)
				}
				if c.Verdict == conform.Inapplicable && c.Reason == "" {
					t.Errorf("%s is not applicable, without a reason", c.ID)
				}
			}
			if core.Name == "raw" { // it does not parse
				if r.Must.Applicable > 0 {
					t.Errorf("raw is judged: %+v", r.Must)
				}
				return
			}
			if r.Must.Applicable < 300 || r.Must.Passed < r.Must.Applicable || float64(r.Should.Passed) < leastShould*float64(r.Should.Applicable) {
				t.Errorf("MUST %v, SHOULD %v", r.Must, r.Should)
			}
		})
	}
}

// TestCheckURL checks a server of net/http by its address: it fails some MUST.
func TestCheckURL(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/here" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte("Hello, World!"))
	}))
	defer s.Close()
	out, all := check(t, s.URL+"/here", "--category", "host", "--category", "response")
	failed := func(id string) bool {
		return slices.ContainsFunc(all[0].Checks, func(c conform.Check) bool { return c.ID == id && c.Verdict == conform.Fail })
	}
	if out.code != exitWrong || !strings.Contains(out.stderr, "MUST") || !failed("host/invalid-two-ports") || !failed("responses/date") || failed("host/missing") {
		t.Errorf("code %d: %s", out.code, out.stderr)
	}
	for _, c := range all[0].Checks {
		if !slices.Contains([]string{"Host", "responses", "smuggling"}, c.Category) {
			t.Errorf("%s was not asked for", c.ID)
		}
	}
	out = corelab(t, nil, "check", s.URL, "--case", "line/get")
	if out.code != exitFailed || !strings.Contains(out.stderr, "--path") {
		t.Errorf("nothing at the path: code %d: %s", out.code, out.stderr)
	}
}

// TestCheckForeign checks a server that the lab starts, and looks at what is printed.
func TestCheckForeign(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mine := "mine=" + self + " {port}"
	env := []string{serverMode + "=lives"}
	for _, tt := range []struct {
		args []string
		code int
		has  []string
	}{
		{[]string{mine, "--path", "/plaintext", "--case", "line/get"}, exitOK, []string{"> GET /plaintext HTTP/1.1\\r\\n", "< HTTP/1.1 200 OK\\r\\n", "pass"}},
		{[]string{mine, "--path", "/plaintext", "--category", "line", "--markdown"}, exitWrong, []string{"# Conformance", "| category | mine |", "mine: MUST"}},
		{[]string{mine}, exitFailed, nil},
		{[]string{mine, "--case", "line/none"}, exitUsage, nil},
		{[]string{mine, "--category", "none"}, exitUsage, nil},
		{[]string{"https://localhost/"}, exitUsage, nil},
		{nil, exitUsage, nil},
		{[]string{"--list"}, exitOK, []string{"length/negative+second", "responses/date", "RFC 9112 §6.3"}},
		{[]string{"--list", "--markdown"}, exitOK, []string{"| length/negative | Content-Length | MUST |"}},
	} {
		out := corelab(t, env, append([]string{"check"}, tt.args...)...)
		if out.code != tt.code {
			t.Errorf("%q: code %d, not %d: %s", tt.args, out.code, tt.code, out.stderr)
		}
		for _, want := range tt.has {
			if !strings.Contains(out.stdout, want) {
				t.Errorf("%q: no %q in\n%s", tt.args, want, out.stdout)
			}
		}
	}
}

// TestCheckInterrupted interrupts a check of a server that never answers but once: nothing is left of it.
func TestCheckInterrupted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	second := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if n == 0 {
				c.Read(make([]byte, 4096))
				c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			}
			if n == 1 {
				close(second)
			}
		}
	}()
	cmd, stderr := beginCheck(t, "check", "http://"+l.Addr().String(), "--patience", "10m")
	select {
	case <-second:
	case <-time.After(bound):
		t.Fatal("no case is played")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code says it
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("code %d: %s", code, stderr)
	}
}

// TestCheckLeavesNothing interrupts a check while its core runs.
func TestCheckLeavesNothing(t *testing.T) {
	cmd, stderr := beginCheck(t, "check", "sequential")
	waitFor(t, "the core to run", func() bool {
		return slices.ContainsFunc(left(t, bin), func(p string) bool { return strings.HasSuffix(p, "coreserver") })
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code says it
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("code %d: %s", code, stderr)
	}
	waitForNothingLeft(t)
}

// beginCheck starts corelab, and returns what it writes to standard error.
func beginCheck(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "corelab"), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, &stderr
}
