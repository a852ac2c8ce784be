package target

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// peerserverDir holds what builtPeerserver built, until the last test is done.
var peerserverDir string

func removePeerserver() {
	if peerserverDir != "" {
		os.RemoveAll(peerserverDir)
	}
}

// builtPeerserver builds peerserver once for all tests. Its module is downloaded where it was not before.
var builtPeerserver = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "corelab-peerserver-")
	if err != nil {
		return "", err
	}
	peerserverDir = dir
	binary := filepath.Join(dir, peerserver)
	out, err := exec.Command("go", "build", "-C", "peers", "-o", binary, "./cmd/peerserver").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build peerserver: %w: %s", err, out)
	}
	return binary, nil
})

// peerEnv is an Env of peers alone. `make test` and .ci/run install those that are programs of their own.
func peerEnv(t *testing.T) Env {
	t.Helper()
	binary, err := builtPeerserver()
	if err != nil {
		t.Fatal(err)
	}
	return Env{Built: map[string]string{peerserver: binary}}
}

// peerNames are the peers that are servers. The limits are none, and have tests of their own.
func peerNames() (names []string) {
	for _, p := range peers {
		if p.features == nil {
			names = append(names, p.name)
		}
	}
	return names
}

// peerQuestions are all routes that some peer serves.
var peerQuestions = append(nginxRoutesServed[:len(nginxRoutesServed):len(nginxRoutesServed)], []struct {
	path, mediaType string
	status          int
	body            []byte
}{
	{"/bytes/4096", octetsType, 200, Pattern(4096)},
	{"/bytes/8192", octetsType, 200, Pattern(8192)},
	{"/delay/0", textType, 200, []byte("ok")},
	{"/delay/10", textType, 200, []byte("ok")},
}...)

// least are the routes that a peer must not lack, for the scenarios to have something to compare.
var least = []string{"/plaintext", "/json", "/bytes/1024"}

// TestPeers verifies of each peer every route that it does not lack, with the bytes of the app and a head that may be
// compared to nginx's.
func TestPeers(t *testing.T) {
	env := peerEnv(t)
	heads := map[string]int{}
	for _, name := range peerNames() { // nginx comes first
		t.Run(name, func(t *testing.T) {
			s, err := Parse(name, env)
			if err != nil {
				t.Fatal(err)
			}
			p := launched(t, s, Options{Workers: 2, StaticDir: staticDir(t)})
			for _, q := range peerQuestions {
				if reason := s.Lacks("GET", q.path); reason != "" {
					if slices.Contains(least, q.path) {
						t.Errorf("lacks %s: %s", q.path, reason)
					}
					continue
				}
				x := Exchange{Path: q.path, Expect: Expect{Status: q.status, Body: q.body, Fields: map[string]string{"Content-Type": q.mediaType}}}
				wire, err := Verify(t.Context(), p.Addr(), x)
				if err != nil {
					t.Error(err)
				}
				if _, known := heads[q.path]; !known {
					heads[q.path] = wire.HeadBytes
				}
				// nginx announces the length of a 304, and nbio that of a 204: bytes that say nothing.
				if d := wire.HeadBytes - heads[q.path]; (d > maxHeads || d < -maxHeads) && q.status == 200 {
					t.Errorf("%s: a head of %d bytes, nginx's has %d", q.path, wire.HeadBytes, heads[q.path])
				}
			}
			checkFields(t, p)
			checkPipelined(t, p)
			checkDescribed(t, p)
			pids := p.Pids()
			if err := p.Stop(2 * time.Second); err != nil {
				t.Fatal(err)
			}
			if left := children(); len(left) > 0 {
				t.Errorf("of %v left behind: %v", pids, left)
			}
		})
	}
}

// checkFields sees that Server and Date are sent, as nginx sends them.
func checkFields(t *testing.T, p *Process) {
	t.Helper()
	a, err := Reference(t.Context(), p.Addr(), Exchange{Path: "/plaintext"})
	if err != nil {
		t.Fatal(err)
	}
	server, _ := a.Field("Server")
	if !strings.HasPrefix(server, p.Spec().Name) {
		t.Errorf("Server is %q", server)
	}
	date, _ := a.Field("Date")
	at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", date)
	if err != nil || time.Since(at).Abs() > 5*time.Second {
		t.Errorf("Date is %q, which is not now: %v", date, err)
	}
	for _, none := range []string{"ETag", "Last-Modified", "Accept-Ranges", "Set-Cookie"} {
		if v, found := a.Field(none); found {
			t.Errorf("%s: %s", none, v)
		}
	}
}

// checkPipelined sends three requests in one piece and in pieces of a byte, and wants three answers.
func checkPipelined(t *testing.T, p *Process) {
	t.Helper()
	const one = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, width := range []int{3 * len(one), len(one) + 5, 1} {
		c, err := openWire(t.Context(), p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk([]byte(strings.Repeat(one, 3)), width) {
			if _, err := c.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			a, err := c.answer(false)
			if err != nil || string(a.Body) != "Hello, World!" {
				t.Errorf("in pieces of %d: %d %q, %v", width, a.Status, a.Body, err)
				break
			}
		}
		c.Close()
	}
}

// checkDescribed sees that the record shows what the peer is and how it is configured.
func checkDescribed(t *testing.T, p *Process) {
	t.Helper()
	d := p.Describe()
	if d.Kind != KindPeer || d.Version == "" || d.Note == "" {
		t.Errorf("described as %+v", d)
	}
	port := p.Addr()[strings.LastIndexByte(p.Addr(), ':')+1:]
	if !strings.Contains(d.Config, port) || !strings.Contains(d.Config, "2") {
		t.Errorf("the configuration names neither the port nor the workers:\n%s", d.Config)
	}
	before := p.Spec().Describe(Options{Workers: 2})
	if !strings.Contains(before.Config, portWord) || slices.ContainsFunc(before.Command, func(w string) bool { return strings.Contains(w, port) }) {
		t.Errorf("described before its start as %+v", before)
	}
}

// TestPeersHold asks requests that wait, many at once, each followed by another on the same connection: a peer that does
// not lack them must wait with all at the same time, and answer in order.
func TestPeersHold(t *testing.T) {
	env := peerEnv(t)
	const clients, delay = 64, 100 * time.Millisecond
	for _, name := range peerNames() {
		s, err := Parse(name, env)
		if err != nil {
			t.Fatal(err)
		}
		if s.Lacks("GET", "/delay/100") != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := launched(t, s, Options{Workers: 1})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			begin := time.Now()
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					c, err := openWire(ctx, p.Addr())
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					c.Write([]byte("GET /delay/100 HTTP/1.1\r\nHost: h\r\n\r\nGET /json HTTP/1.1\r\nHost: h\r\n\r\n"))
					first, err := c.answer(false)
					if err != nil || string(first.Body) != "ok" {
						t.Errorf("%d %q, %v", first.Status, first.Body, err)
						return
					}
					if second, err := c.answer(false); err != nil || second.Body[0] != '{' {
						t.Errorf("%d %q, %v", second.Status, second.Body, err)
					}
				})
			}
			all.Wait()
			if took := time.Since(begin); took < delay || took > clients*delay/4 {
				t.Errorf("%d requests of %v at once took %v", clients, delay, took)
			}
		})
	}
}

// TestPeersLeave has many clients leave while their requests wait, with another behind each: whoever comes then is served.
func TestPeersLeave(t *testing.T) {
	env := peerEnv(t)
	const clients = 512
	for _, name := range peerNames() {
		s, err := Parse(name, env)
		if err != nil {
			t.Fatal(err)
		}
		if s.Lacks("GET", "/delay/50") != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := launched(t, s, Options{Workers: 1})
			var left []net.Conn
			for range clients {
				c, err := net.Dial("tcp4", p.Addr())
				if err != nil {
					t.Fatal(err)
				}
				c.Write([]byte("GET /delay/50 HTTP/1.1\r\nHost: h\r\n\r\nGET /json HTTP/1.1\r\nHost: h\r\n\r\n"))
				left = append(left, c)
			}
			for _, c := range left {
				c.(*net.TCPConn).SetLinger(0) // a reset, so that writing to it fails
				c.Close()
			}
			// The first is answered after those that are left have been seen to.
			for _, path := range []string{"/delay/100", "/plaintext"} {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				if _, err := Verify(ctx, p.Addr(), Exchange{Path: path, Expect: Expect{Status: 200}}); err != nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
}

// TestPeersClose asks for the end of the connection, as the scenario churn does, and for an answer that no socket takes at
// once.
func TestPeersClose(t *testing.T) {
	env := peerEnv(t)
	for _, name := range peerNames() {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(name, env)
			if err != nil {
				t.Fatal(err)
			}
			p := launched(t, s, Options{Workers: 1})
			for _, path := range []string{"/plaintext", "/bytes/1048576"} {
				if s.Lacks("GET", path) != "" {
					continue
				}
				c, err := openWire(t.Context(), p.Addr())
				if err != nil {
					t.Fatal(err)
				}
				a, err := c.exchange(Exchange{Path: path, Header: map[string]string{"Connection": "close"}})
				if err != nil || !a.closes || a.Status != 200 || path != "/plaintext" && !bytes.Equal(a.Body, Pattern(1<<20)) {
					t.Errorf("%s: %d, %d bytes, closes %v, %v", path, a.Status, len(a.Body), a.closes, err)
				}
				c.Close()
			}
		})
	}
}

func TestPeerLacks(t *testing.T) {
	for name, routes := range map[string]map[string]string{
		"haproxy": {"/plaintext": "", "/bytes/8192": "", "/bytes/16384": "buffer", "/delay/10": "wait", "/static/x": "without a server", "/users/1": ""},
		"h2o":     {"/plaintext": "", "/bytes/1048576": "", "/bytes/1000": "powers of two", "/delay/10": "wait", "/users/1": "without a program"},
		"gnet":    {"/plaintext": "", "/bytes/1048576": "", "/bytes/1048577": "up to 1048576", "/delay/10": "", "/delay/x": "up to", "/static/x": "does not serve", "/users/1": ""},
	} {
		p := findPeer(name)
		for path, want := range routes {
			if got := p.lacks("GET", path); got != want && (want == "" || !strings.Contains(got, want)) {
				t.Errorf("%s lacks %s: %q, want %q", name, path, got, want)
			}
		}
		if got := p.lacks("POST", "/plaintext"); !strings.Contains(got, "POST") {
			t.Errorf("%s: POST is not refused: %q", name, got)
		}
	}
	if got := findPeer("nethttp").lacks("POST", "/echo"); got != "" {
		t.Error(got)
	}
}

func TestPeerserverMissing(t *testing.T) {
	env := Env{}
	for _, k := range env.List() {
		if findPeer(k.Name).binary == peerserver && !strings.Contains(k.Missing, buildPeerserver) {
			t.Errorf("%s: %q does not say what builds it", k.Name, k.Missing)
		}
	}
	s, err := Parse("gnet", env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), s, Options{}); err == nil || !strings.Contains(err.Error(), buildPeerserver) {
		t.Errorf("error %v", err)
	}
	if d := s.Describe(Options{}); d.Config != "" || d.Command[0] != peerserver {
		t.Errorf("described as %+v", d)
	}
}

// TestPeerserverTaken has a peer find its port in use, which Start must recognise.
func TestPeerserverTaken(t *testing.T) {
	env := peerEnv(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, k := range env.List() {
		if findPeer(k.Name).binary != peerserver {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		out, err := exec.CommandContext(ctx, env.Built[peerserver], "--peer", k.Name, "--addr", l.Addr().String(), "--workers", "1").CombinedOutput()
		cancel()
		if err == nil || !strings.Contains(string(out), "address already in use") {
			t.Errorf("%s: %v: %s", k.Name, err, out)
		}
	}
}

// TestPeerConfigs shows the configurations of haproxy and h2o, as they stand beside the figures. What depends on the
// machine is left out.
func TestPeerConfigs(t *testing.T) {
	for name, config := range map[string]string{
		"haproxy.cfg": haproxyConfig(portWord, "/run/it's {dir}", Options{Workers: 2}),
		"h2o.conf":    h2oConfig(portWord, "/run/it's {dir}", Options{Workers: 2}),
	} {
		var lines []string
		for line := range strings.Lines(config) {
			switch first, _, _ := strings.Cut(strings.TrimSpace(line), " "); first {
			case "user:", "max-connections:", "maxconn":
			default:
				lines = append(lines, line)
			}
		}
		got, golden := strings.Join(lines, ""), filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("not what %s has; go test -update writes it anew:\n%s", golden, got)
		}
	}
}

// TestEnvFindsPeerserver has it beside coreserver, as make build puts them.
func TestEnvFindsPeerserver(t *testing.T) {
	t.Setenv(coreserverEnv, "1")
	dir := t.TempDir()
	core, want := filepath.Join(dir, "coreserver"), filepath.Join(dir, peerserver)
	if err := os.Symlink(os.Args[0], core); err != nil {
		t.Fatal(err)
	}
	for _, there := range []bool{false, true} {
		if there {
			if err := os.WriteFile(want, nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		env, err := NewEnv(t.Context(), core)
		if got := env.Built[peerserver]; err != nil || (got == want) != there || !there && got != "" {
			t.Errorf("found %q, %v", got, err)
		}
	}
}
