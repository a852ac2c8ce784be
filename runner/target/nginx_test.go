package target

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// nginxSpec is the installed nginx; `make test` and .ci/run install it.
func nginxSpec(t *testing.T) Spec {
	t.Helper()
	s, err := Parse("nginx", Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.peer.find(""); err != nil {
		t.Fatal(err)
	}
	return s
}

// staticDir has files for /static/.
func staticDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"page.html": "<p>hello", "data": "\x00\x01", "style.css": "p{}", "code.js": "1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// nginxRoutesServed are requests of every route that nginx serves, with the Content-Type that ours has.
var nginxRoutesServed = []struct {
	path, mediaType string
	status          int
	body            []byte
}{
	{"/", textType, 200, []byte("Hello, World!")},
	{"/plaintext", textType, 200, []byte("Hello, World!")},
	{"/plaintext?x=1", textType, 200, []byte("Hello, World!")},
	{"/json", "application/json", 200, []byte(`{"message":"Hello, World!"}`)},
	{"/users/42", textType, 200, []byte("42")},
	{"/bytes/1024", octetsType, 200, Pattern(1024)},
	{"/bytes/2048", octetsType, 200, Pattern(2048)},
	{"/bytes/16384", octetsType, 200, Pattern(16384)},
	{"/bytes/65536", octetsType, 200, Pattern(65536)},
	{"/bytes/1048576", octetsType, 200, Pattern(1 << 20)},
	{"/static/page.html", "text/html; charset=utf-8", 200, []byte("<p>hello")},
	{"/static/style.css", "text/css; charset=utf-8", 200, []byte("p{}")},
	{"/static/code.js", "text/javascript; charset=utf-8", 200, []byte("1")},
	{"/static/data", octetsType, 200, []byte("\x00\x01")},
	{"/status/204", "", 204, nil},
	{"/status/304", "", 304, nil},
	{"/health", textType, 200, []byte("ok")},
	{"/pipeline", "text/plain", 200, []byte("ok")},
}

func TestNginx(t *testing.T) {
	static := staticDir(t)
	p := launched(t, nginxSpec(t), Options{Workers: 2, StaticDir: static})
	for _, r := range nginxRoutesServed {
		if reason := p.Spec().Lacks("GET", r.path); reason != "" {
			t.Errorf("%s: %s", r.path, reason)
		}
		fields := map[string]string{"Server": "nginx", "Content-Type": r.mediaType}
		if strings.HasPrefix(r.path, "/bytes/") {
			fields["Last-Modified"], fields["ETag"], fields["Accept-Ranges"] = "", "", ""
		}
		x := Exchange{Path: r.path, Expect: Expect{Status: r.status, Body: r.body, Fields: fields}}
		if _, err := Verify(t.Context(), p.Addr(), x); err != nil {
			t.Error(err)
		}
	}
	if n := len(p.Pids()); n != 3 {
		t.Errorf("%d processes, want a master and two workers", n)
	}
	d := p.Describe()
	if !strings.HasPrefix(d.Version, "nginx/") || !strings.Contains(d.Config, "worker_processes 2;") || d.Kind != KindPeer {
		t.Errorf("described as %+v", d)
	}
	dir := p.dir
	if err := p.Stop(2 * time.Second); err != nil {
		t.Fatal(err)
	}
	if left := children(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its directory stays: %v", err)
	}
}

func TestNginxRefusesItsConfiguration(t *testing.T) {
	s := nginxSpec(t)
	broken := *s.peer
	broken.configure = func(_, _, _ string, _ Options) string { return "worker_processes many;" }
	s.peer = &broken
	if _, err := Start(t.Context(), s, Options{}); err == nil || !strings.Contains(err.Error(), `directive invalid value`) {
		t.Errorf("error %v", err)
	}
}

// TestNginxConfig shows the whole configuration, as it stands beside the figures. What depends on the machine is left out.
func TestNginxConfig(t *testing.T) {
	var lines []string
	for line := range strings.Lines(nginxConfig("{port}", "/run/{dir}", Options{Workers: 2, StaticDir: `/srv/"files"`})) {
		switch first, _, _ := strings.Cut(strings.TrimSpace(line), " "); first {
		case "user", "worker_rlimit_nofile", "worker_connections":
		default:
			lines = append(lines, line)
		}
	}
	got, golden := strings.Join(lines, ""), filepath.Join("testdata", "nginx.conf")
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

// maxHeads is how far apart in bytes the heads of two servers may be that are compared.
const maxHeads = 16

// TestOursAnswersAsNginx holds the two against each other: the same status, type and bytes, and heads of the same size.
func TestOursAnswersAsNginx(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "coreserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "corelab/cmd/coreserver")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	env, err := NewEnv(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := Parse("reactor", env)
	if err != nil {
		t.Fatal(err)
	}
	static := staticDir(t)
	ours := launched(t, spec, Options{Workers: 1, StaticDir: static, Stats: true})
	peer := launched(t, nginxSpec(t), Options{Workers: 1, StaticDir: static})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, r := range nginxRoutesServed {
		x := Exchange{Path: r.path}
		a, err := Reference(ctx, ours.Addr(), x)
		if err != nil {
			t.Error(err)
			continue
		}
		b, err := Reference(ctx, peer.Addr(), x)
		if err != nil {
			t.Error(err)
			continue
		}
		typeA, _ := a.Field("Content-Type")
		typeB, _ := b.Field("Content-Type")
		if a.Status != b.Status || !bytes.Equal(a.Body, b.Body) || typeA != typeB {
			t.Errorf("%s: ours %d %s %s, nginx %d %s %s", r.path, a.Status, typeA, excerpt(a.Body, 0), b.Status, typeB, excerpt(b.Body, 0))
		}
		// nginx announces the length of a 304, 19 bytes that say nothing.
		if d := len(b.Head) - len(a.Head); (d > maxHeads || d < -maxHeads) && r.status != 304 {
			t.Errorf("%s: head of %d bytes, nginx's of %d; more than %d apart", r.path, len(a.Head), len(b.Head), maxHeads)
		}
	}
	stats, err := ours.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(stats.Workers) != 1 || stats.Workers[0].Requests != uint64(len(nginxRoutesServed)) {
		t.Errorf("figures %+v, want %d requests", stats, len(nginxRoutesServed))
	}
}

func TestPattern(t *testing.T) {
	for _, n := range []int{0, 1, 26, 27, 1 << 12} {
		b := Pattern(n)
		if len(b) != n {
			t.Fatalf("Pattern(%d) has %d bytes", n, len(b))
		}
		for i, c := range b {
			if c != byte('a'+i%26) {
				t.Fatalf("Pattern(%d): byte %d is %q", n, i, c)
			}
		}
	}
}
