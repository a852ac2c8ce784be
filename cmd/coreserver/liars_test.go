package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corelab/servers"
)

// liar is an upstream that does to each path what its name says.
type liar struct{ net.Listener }

// newLiar serves until the test ends.
func newLiar(t *testing.T) liar {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	l := liar{ln}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go l.serve(c)
		}
	}()
	return l
}

const sound = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound"

// smuggled is what must never reach a client.
const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"

// lies are the answers, by path. What ends with cut is followed by the connection's end; what is empty says nothing.
var lies = map[string]string{
	"/sound":         sound,
	"/stall":         "",
	"/stallhead":     "HTTP/1.1 200 OK\r\nContent-Le",
	"/stallbody":     "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
	"/close":         "cut",
	"/half":          "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhellocut",
	"/halfchunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhellocut",
	"/nolastchunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\ncut",
	"/badchunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
	"/more":          sound + smuggled,
	"/garbage":       "SSH-2.0-OpenSSH_9.2\r\n",
	"/notahead":      "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
	"/folded":        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
	"/barelf":        "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello",
	"/two lengths":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
	"/lengthchunked": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"/status":        "HTTP/1.1 99 Low\r\nContent-Length: 5\r\n\r\nhello",
	"/switch":        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	"/huge":          "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 1<<17) + "\r\n\r\n",
	"/untilclose":    "HTTP/1.1 200 OK\r\n\r\nto the endcut",
	"/interim":       "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + sound,
	"/chunked":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
	"/empty204":      "HTTP/1.1 204 No Content\r\n\r\n" + smuggled,
}

func (l liar) serve(c net.Conn) {
	defer c.Close()
	for in := bufio.NewReader(c); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/reset" {
			c.(*net.TCPConn).SetLinger(0)
			return
		}
		answer, cut := strings.CutSuffix(lies[strings.ReplaceAll(r.URL.Path, "_", " ")], "cut")
		if _, err := io.WriteString(c, answer); err != nil || cut {
			return
		}
	}
}

// TestLiars has upstreams that fail, stall, reset and lie. Each is told apart for the client, nothing of what they smuggle
// reaches anybody, and the next request is answered soundly.
func TestLiars(t *testing.T) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) || lacks(core, servers.KeepAlive) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			l := newLiar(t)
			dead, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			dead.Close()
			config := filepath.Join(t.TempDir(), "gateway.toml")
			if err := os.WriteFile(config, fmt.Appendf(nil, `
[upstreams.liar]
endpoints = [{ address = %q }]
forward = { head_time = "400ms", body_idle = "400ms", retries = 0 }
[upstreams.dead]
endpoints = [{ address = %q }]
forward = { retries = 0 }
[[routes]]
name = "liar"
path = "/*rest"
upstream = "liar"
balance = {}
forward = {}
[[routes]]
name = "dead"
path = "/dead"
upstream = "dead"
balance = {}
forward = {}
`, l.Addr().String(), dead.Addr().String()), 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, "--core", core.Name, "--workers", "2", "--threads", "8", "--app", "gateway", "--config", config)
			for _, c := range []struct {
				path, want string // status and content; cut where the answer must be seen to be incomplete
			}{
				{"/dead", "502"}, {"/stall", "504"}, {"/stallhead", "504"}, {"/stallbody", "200 cut"}, {"/close", "502"}, {"/reset", "502"},
				{"/half", "200 cut"}, {"/halfchunk", "200 cut"}, {"/nolastchunk", "200 cut"}, {"/badchunk", "200 cut"}, {"/more", "200 sound"},
				{"/garbage", "502"}, {"/notahead", "502"}, {"/folded", "502"}, {"/barelf", "502"}, {"/two_lengths", "502"}, {"/lengthchunked", "502"},
				{"/status", "502"}, {"/switch", "502"}, {"/huge", "502"}, {"/untilclose", "200 to the end"}, {"/interim", "200 sound"}, {"/empty204", "204 "},
			} {
				got := outcome(p.url+c.path, "")
				if got != c.want && !(len(c.want) == 3 && strings.HasPrefix(got, c.want+" ")) && !(c.want == "200 cut" && strings.HasPrefix(got, "502")) {
					t.Errorf("%s: %.80q, want %s", c.path, got, c.want)
				}
				for range 3 {
					if got := outcome(p.url+"/sound", ""); got != "200 sound" {
						t.Errorf("after %s: %.80q", c.path, got)
					}
				}
			}
			for _, fields := range []string{"", "Host: a\r\n"} { // an old client knows neither chunks nor, perhaps, Host
				head, content := oldClient(t, p.url, "/chunked", fields)
				if !strings.HasPrefix(head, "HTTP/1.1 200") || strings.Contains(head, "Transfer-Encoding") || content != "hello world" {
					t.Errorf("HTTP/1.0 with %q got %q, %q", fields, head, content)
				}
			}
			for _, path := range []string{"/close", "/stall", "/half"} { // the same with content on its way
				outcome(p.url+path, strings.Repeat("x", 1<<20))
				if got := outcome(p.url+"/sound", strings.Repeat("x", 1<<20)); got != "200 sound" {
					t.Errorf("after content to %s: %.80q", path, got)
				}
			}
		})
	}
}

// oldClient asks in HTTP/1.0 and reads to the connection's end.
func oldClient(t *testing.T, url, path, fields string) (head, content string) {
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(bound))
	fmt.Fprintf(c, "GET %s HTTP/1.0\r\n%s\r\n", path, fields)
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("HTTP/1.0: %v", err)
	}
	head, content, _ = strings.Cut(string(b), "\r\n\r\n")
	return head, content
}

// outcome asks once and returns the status and the content, or cut where its end did not come.
func outcome(url, body string) string {
	client := http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true}}
	method := "GET"
	if body != "" {
		method = "POST"
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	a, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return fmt.Sprintf("%d cut", a.StatusCode)
	}
	return fmt.Sprintf("%d %s", a.StatusCode, text)
}

// TestClientsLeave has clients leave in the middle of everything, then looks whether the gateway still holds anything.
func TestClientsLeave(t *testing.T) {
	b := startBehind(t, "reactor")
	addr := strings.TrimPrefix(b.url, "http://")
	for i := range 200 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 4 {
		case 0:
			fmt.Fprintf(c, "GET /lab/delay/300 HTTP/1.1\r\nHost: a\r\n\r\n")
		case 1:
			fmt.Fprintf(c, "POST /lab/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello")
		case 2:
			fmt.Fprintf(c, "GET /lab/bytes/10000000 HTTP/1.1\r\nHost: a\r\n\r\n")
			io.ReadFull(c, make([]byte, 1000))
		case 3:
			fmt.Fprintf(c, "GET /lab/plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		if i%3 == 0 {
			c.(*net.TCPConn).SetLinger(0)
		}
		if i%8 < 4 {
			time.Sleep(time.Millisecond) // so that some are further than others
		}
		c.Close()
	}
	await(t, "nothing is in flight", func() bool {
		_, text := call(t, "GET", b.admin+"/metrics", "")
		return strings.Contains(text, "gateway_requests_in_flight{route=\"lab\"} 0\n")
	})
	if a, text := call(t, "GET", b.url+"/lab/plaintext", ""); a.StatusCode != 200 || text != "Hello, World!" {
		t.Errorf("afterwards: %s, %q", a.Status, text)
	}
}
