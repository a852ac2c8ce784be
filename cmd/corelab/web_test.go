package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"corelab/results"
)

// runs is a folder with one run.
func runs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	w, err := results.Create(dir, "20261122-101500-bench", results.Run{Command: []string{"corelab", "bench"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.End(results.End{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWeb serves on a free port until Ctrl-C, which is no failure. It warns where more than this machine reaches it.
func TestWeb(t *testing.T) {
	for addr, warns := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true, ":0": true} {
		t.Run(addr, func(t *testing.T) { testWeb(t, addr, warns) })
	}
}

func testWeb(t *testing.T, addr string, warns bool) {
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "corelab"), "web", runs(t), "--addr", addr)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	_, address, _ := strings.Cut(line, "http://")
	address, _, _ = strings.Cut(address, "/")
	answer, err := http.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "20261122-101500-bench") {
		t.Errorf("%v, %s: %.300s", err, answer.Status, body)
	}
	// One who watches does not keep it.
	watcher, err := http.Get("http://" + address + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Body.Close()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if said := complaints.String(); err != nil || strings.Contains(said, "WARNING") != warns || !warns && said != "" {
		t.Errorf("%v: %s", err, said)
	}
}

func TestWebRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := runs(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a busy port":          {[]string{dir, "--addr", l.Addr().String()}, exitFailed, "choose another port with --addr"},
		"no port":              {[]string{dir, "--addr", "127.0.0.1"}, exitUsage, "write HOST:PORT"},
		"no such address":      {[]string{dir, "--addr", "192.0.2.1:8099"}, exitFailed, "--addr 192.0.2.1:8099"},
		"no such folder":       {[]string{filepath.Join(dir, "nothing"), "--addr", "127.0.0.1:0"}, exitFailed, "bench --out"},
		"a file, not a folder": {[]string{filepath.Join(dir, "20261122-101500-bench", results.RunFile), "--addr", "127.0.0.1:0"}, exitFailed, "not a directory"},
	} {
		o := corelab(t, nil, append([]string{"web"}, c.args...)...)
		if o.code != c.code || !strings.Contains(o.stderr, c.says) || o.stdout != "" {
			t.Errorf("%s: exit %d, %q %q; want %d and %q", name, o.code, o.stdout, o.stderr, c.code, c.says)
		}
	}
}

func TestLocalAddresses(t *testing.T) {
	for text, want := range map[string]struct {
		local     bool
		reachable string
	}{
		"127.0.0.1:8099": {true, "127.0.0.1:8099"}, "[::1]:1": {true, "[::1]:1"}, "0.0.0.0:8099": {false, "localhost:8099"},
		"[::]:8099": {false, "localhost:8099"}, "10.1.2.3:8099": {false, "10.1.2.3:8099"},
	} {
		a, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := local(a); got != want.local {
			t.Errorf("local(%s) = %v", text, got)
		}
		if got := reachable(a); got != want.reachable {
			t.Errorf("reachable(%s) = %s, want %s", text, got, want.reachable)
		}
	}
}
