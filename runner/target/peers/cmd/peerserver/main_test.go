package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, test := range []struct{ args, out, err string }{
		{"--list", "nethttp\nfasthttp\ngnet\nnbio\nhertz\nnetpoll\n", ""},
		{"--peer gnet --addr 127.0.0.1:{port} --workers 3 --config", "listen 127.0.0.1:{port}\nGOMAXPROCS 3\n3 event loops", ""},
		{"", "", "it is one of nethttp"},
		{"--peer nginx", "", "it is one of nethttp"},
		{"--peer gnet --workers 0", "", "at least 1"},
		{"--peer gnet more", "", `"more" is no flag`},
		{"--peer nethttp --addr 127.0.0.1:no-port", "", "serve as nethttp on 127.0.0.1:no-port"},
	} {
		var out strings.Builder
		err := run(strings.Fields(test.args), &out)
		if !strings.Contains(out.String(), test.out) || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %q, %v", test.args, out.String(), err)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, p := range peers {
		text := p.config(options{addr: "127.0.0.1:80", workers: 2})
		if strings.Contains(text, "{workers}") || !strings.Contains(text, "GOMAXPROCS 2\n") || !strings.Contains(text, "access log") {
			t.Errorf("%s: %q", p.name, text)
		}
	}
}

func Example_find() {
	p, _ := findPeer("fasthttp")
	fmt.Println(p.name, p.module)
	_, found := findPeer("nginx")
	fmt.Println(found)
	// Output:
	// fasthttp github.com/valyala/fasthttp
	// false
}
