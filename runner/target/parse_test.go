package target

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	env := fakeEnv(t)
	self := os.Args[0]
	tests := []struct {
		in, name, kind string
		words          []string // of flags or command
		err            string
	}{
		{in: "reactor", name: "reactor", kind: KindCore},
		{in: "  reactor ", name: "reactor", kind: KindCore},
		{in: "reactor --limit-pipelined 16", name: "reactor --limit-pipelined 16", kind: KindCore, words: []string{"--limit-pipelined", "16"}},
		{in: "reactor --limit-pipelined=16", name: "reactor --limit-pipelined=16", kind: KindCore, words: []string{"--limit-pipelined=16"}},
		{in: "reactor --app 'a b'", name: "reactor --app 'a b'", kind: KindCore, words: []string{"--app", "a b"}},
		{in: "nginx", name: "nginx", kind: KindPeer},
		{in: "mine=" + self + " -p {port} -t{workers}", name: "mine", kind: KindForeign, words: []string{self, "-p", "{port}", "-t{workers}"}},
		{in: "v1.2_b-3='" + self + `' "--listen=127.0.0.1:{port}" a\ b`, name: "v1.2_b-3", kind: KindForeign,
			words: []string{self, "--listen=127.0.0.1:{port}", "a b"}},

		{in: "", err: "target is empty"},
		{in: "apache", err: "neither a core nor a peer; it is one of raw, reactor, nginx"},
		{in: "reactor 'x", err: "Unterminated"},
		{in: "reactor 16", err: `"16" is no flag`},
		{in: "reactor --addr :80", err: "--addr is the lab's to set"},
		{in: "reactor -workers=3", err: "-workers is the lab's to set"},
		{in: "nginx -c x", err: "takes no flags"},
		{in: "=x {port}", err: "the name is not made of"},
		{in: "-x=" + self + " {port}", err: "the name is not made of"},
		{in: "a/b=" + self + " {port}", err: "the name is not made of"},
		{in: strings.Repeat("n", maxName+1) + "=" + self + " {port}", err: "the name is not made of"},
		{in: "nginx=" + self + " {port}", err: "taken by a core or peer"},
		{in: "reactor=" + self + " {port}", err: "taken by a core or peer"},
		{in: "mine=", err: "there is no command"},
		{in: "mine=" + self, err: "must contain {port}"},
		{in: "mine='" + self, err: "not quoted rightly"},
		{in: "mine=./no-such-server {port}", err: "cannot be run"},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			s, err := Parse(test.in, env)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if words := slices.Concat(s.Flags, s.Argv); s.Name != test.name || s.Kind != test.kind || !slices.Equal(words, test.words) {
				t.Errorf("got %q, %s, %q", s.Name, s.Kind, words)
			}
		})
	}
}

func TestList(t *testing.T) {
	env := fakeEnv(t)
	var names []string
	for _, k := range env.List() {
		names = append(names, k.Name+" "+k.Kind)
	}
	want := []string{"raw core", "reactor core", "nginx peer", "haproxy peer", "h2o peer", "nginx-lua peer", "caddy peer", "nethttp peer", "fasthttp peer", "gnet peer",
		"nbio peer", "hertz peer", "netpoll peer", "limit-epoll peer", "limit-uring peer"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	t.Setenv("PATH", t.TempDir())
	for _, k := range env.List() {
		if p := findPeer(k.Name); p != nil && !strings.Contains(k.Missing, p.install) {
			t.Errorf("%s is not in PATH, and the list says %q", k.Name, k.Missing)
		}
	}
	spec, err := Parse("nginx", env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), spec, Options{}); err == nil || !strings.Contains(err.Error(), "apt-get install nginx-light") {
		t.Errorf("Start without nginx: %v", err)
	}
}

func TestNewEnv(t *testing.T) {
	if env, err := NewEnv(t.Context(), ""); err != nil || len(env.Cores) != 0 {
		t.Errorf("without coreserver: %v, %v", env, err)
	}
	if _, err := NewEnv(t.Context(), "./no-such-coreserver"); err == nil || !strings.Contains(err.Error(), "go build") {
		t.Errorf("no such file: %v", err)
	}
	for _, out := range []string{"", "[]", "{}", `{"cores":[{"doc":"x"}]}`} {
		if cores, err := parseList([]byte(out)); err == nil {
			t.Errorf("parseList(%q) = %v", out, cores)
		}
	}
}

func TestSpecLacks(t *testing.T) {
	env := fakeEnv(t)
	raw, _ := Parse("raw", env)
	reactor, _ := Parse("reactor", env)
	nginx, _ := Parse("nginx", env)
	if !raw.Limit() || reactor.Limit() || nginx.Limit() {
		t.Error("raw alone is a limit")
	}
	if got := raw.LacksFeature("parsing"); got != "it counts" {
		t.Errorf("raw lacks parsing: %q", got)
	}
	for route, serves := range map[string]bool{
		"GET /": true, "GET /plaintext": true, " /json": true, "HEAD /plaintext": true, "GET /users/42": true, "GET /users/": false,
		"GET /bytes/1024": true, "GET /bytes/1048576": true, "GET /bytes/1000": false, "GET /bytes/x": false,
		"GET /static/a.html": true, "GET /status/204": true, "GET /status/304": true, "GET /health": true, "GET /pipeline": true,
		"GET /plaintext?x=1": true, "POST /echo": false, "GET /delay/5": false, "GET /spin/5": false, "GET /json/5?m=2": false,
		"GET /baseline11?a=1&b=2": false, "POST /upload": false, "GET /nowhere": false,
	} {
		method, path, _ := strings.Cut(route, " ")
		if reason := nginx.Lacks(method, path); (reason == "") != serves {
			t.Errorf("nginx on %s: %q", route, reason)
		}
		if reason := reactor.Lacks(method, path); reason != "" {
			t.Errorf("reactor on %s: %q", route, reason)
		}
	}
}

func ExampleParse() {
	spec, err := Parse("today=go version {port}", Env{})
	fmt.Println(spec.Name, spec.Kind, spec.Argv, err)
	_, err = Parse("today=go version", Env{})
	fmt.Println(err)
	// Output:
	// today foreign [go version {port}] <nil>
	// target today=…: the command does not say where the port goes: it must contain {port}, as in `mine=./server --port {port} --threads {workers}`
}

// TestMissingCore has a core that this machine cannot run: it is listed with the reason, and serves nothing.
func TestMissingCore(t *testing.T) {
	cores, err := parseList([]byte(`{"cores":[{"name":"uring","doc":"rings","lacks":[],"missing":"no io_uring; use Linux 6.1"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	env := Env{Coreserver: "coreserver", Cores: cores}
	if k := env.List()[0]; k.Name != "uring" || k.Missing != "no io_uring; use Linux 6.1" {
		t.Errorf("listed as %+v", k)
	}
	spec, err := Parse("uring", env)
	if err != nil || spec.Lacks("GET", "/plaintext") != "no io_uring; use Linux 6.1" {
		t.Errorf("%+v, %v", spec, err)
	}
}
