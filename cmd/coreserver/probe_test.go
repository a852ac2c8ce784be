package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"corelab/servers"
)

// probeGroups are all cases that a server answers at once.
var probeGroups = []struct {
	name  string
	cases []probeCase
}{
	{"line", lineCases}, {"target", targetCases}, {"method", methodCases}, {"host", hostCases}, {"field", fieldCases},
	{"connection", connectionCases}, {"echo", echoCases}, {"condition", conditionCases}, {"length", lengthCases},
	{"chunked", chunkedCases}, {"coding", codingCases}, {"smuggling", smugglingCases},
}

// waitCases are what a server has to wait for more behind: it may answer only that nothing came in time.
var waitCases = []struct{ ids, name, send string }{
	{"h1spec", "a method", "G"},
	{"h1spec", "no target", "GET "},
	{"h1spec", "a target", "GET /hello"},
	{"h1spec", "a target and a space", "GET /hello "},
	{"h1spec", "the begin of a version", "GET /hello HTTP"},
	{"h1spec", "a version", "GET /hello HTTP/1.1"},
	{"h1spec", "a CR behind the request line", "GET /hello HTTP/1.1\r"},
	{"h1spec", "a request line", "GET /hello HTTP/1.1\r\n"},
	{"h1spec", "the begin of a name", "GET /hello HTTP/1.1\r\nHos"},
	{"h1spec", "a name", "GET /hello HTTP/1.1\r\nHost:"},
	{"h1spec", "a name and a space", "GET /hello HTTP/1.1\r\nHost: "},
	{"h1spec", "a value", "GET /hello HTTP/1.1\r\nHost: localhost"},
	{"h1spec", "a CR behind a field", "GET /hello HTTP/1.1\r\nHost: localhost\r"},
	{"h1spec", "a field", "GET /hello HTTP/1.1\r\nHost: localhost\r\n"},
	{"h1spec", "the last CR", "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r"},
	{"MAL-INCOMPLETE-REQUEST", "a second field without its end", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Test: value"},
	{"MAL-EMPTY-REQUEST", "nothing", ""},
	{"COMP-POST-CL-UNDERSEND", "half of the content", sized("10", "hello")},
	{"COMP-CHUNKED-NO-FINAL", "no last chunk", chunks("5\r\nhello\r\n")},
	{"", "half of a chunk", chunks("a\r\nhello")},
	{"", "no end of the trailer", chunks("0\r\nX: y\r\n")},
	{"MAL-POST-CL-HUGE-NO-BODY", "nothing of a long content", sized("999999999", "")},
	{"", "nothing of a content that nobody can send", sized("1000000000000000", "")},
	{"", "little of a content that nobody can send", sized("1000000000000000", "hello")},
	{"", "little of a chunk that nobody can send", chunks("fffffffffffffff\r\nhello")},
	{"", "nothing of the content of a GET", ask("GET /", "Content-Length: 1000000000000000\r\n", "")},
}

// probeAtOnce bounds the cases that are played at once.
const probeAtOnce = 16

// eachProbe runs a test against --app probe on each core that parses.
func eachProbe(t *testing.T, test func(t *testing.T, core servers.Core, p *process), args ...string) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			p := start(t, append([]string{"--app", "probe", "--core", core.Name, "--workers", "2"}, args...)...)
			test(t, core, p)
			p.signal(syscall.SIGTERM)
			if code, _ := p.wait(); code != 0 || p.stderr.String() != "" {
				t.Errorf("exit code %d; %s", code, p.stderr.String())
			}
		})
	}
}

// TestProbe asks what public testers ask.
func TestProbe(t *testing.T) {
	eachProbe(t, func(t *testing.T, core servers.Core, p *process) {
		var all sync.WaitGroup
		places := make(chan struct{}, probeAtOnce)
		if lacks(core, servers.Concurrent) {
			places = make(chan struct{}, 1)
		}
		for _, g := range probeGroups {
			for _, c := range g.cases {
				places <- struct{}{}
				all.Go(func() {
					t.Run(g.name+"/"+c.name, func(t *testing.T) { c.play(t, core, p) })
					<-places
				})
			}
		}
		all.Wait()
	})
}

// play sends the case on a connection of its own and looks at what comes back, to the end of the connection where that is
// to come, or else to the reply to one more request.
func (c probeCase) play(t *testing.T, core servers.Core, p *process) {
	client := p.dial()
	sent := make(chan struct{})
	go func() { // whoever sends much must read meanwhile
		defer close(sent)
		_, _ = io.WriteString(client, c.send) // a server that refuses the begin need not take the end
	}()
	defer func() { client.Close(); <-sent }()
	method, _, _ := strings.Cut(c.send, " ")
	r, body := c.reply(t, client, method, c.status)
	if r == nil {
		return
	}
	if c.body != "" && body != c.body {
		t.Errorf("the body is %.200q, want %.200q", body, c.body)
	}
	for _, part := range c.holds {
		if !strings.Contains(body, part) {
			t.Errorf("the body %.200q does not hold %q", body, part)
		}
	}
	for _, f := range c.fields {
		name, value, valued := strings.Cut(f, ": ")
		if name == "Connection" && lacks(core, servers.KeepAlive) {
			continue
		}
		if got := r.Header.Values(name); len(got) != 1 || valued && got[0] != value {
			t.Errorf("%s is %q, want %q", name, got, f)
		}
	}
	closes := c.closes || c.status >= 400 && !c.open
	if lacks(core, servers.KeepAlive) {
		closes = true
	} else {
		for _, status := range c.then {
			if r, _ = c.reply(t, client, "GET", status); r == nil {
				return
			}
		}
	}
	if r.Close != closes {
		t.Errorf("that the connection closes is said: %v, want %v", r.Close, closes)
	}
	if !closes {
		<-sent
		if _, err := io.WriteString(client, getPage); err != nil {
			t.Fatal(err)
		}
		if r, body := c.reply(t, client, "GET", 200); r == nil || body != "OK" {
			t.Errorf("the request behind it got %q", body)
		}
		return
	}
	if rest, err := io.ReadAll(client.in); err != nil || len(rest) > 0 {
		t.Errorf("behind the last reply came %.200q, %v", rest, err)
	}
}

// reply reads a final reply and checks what all have in common. It is nil where none of that status came.
func (c probeCase) reply(t *testing.T, client *client, method string, status int) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(client.in, &http.Request{Method: method})
	if err != nil {
		t.Errorf("no reply: %v", err)
		return nil, ""
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("the body is cut: %v after %.200q", err, body)
		return nil, ""
	}
	if r.StatusCode != status {
		t.Errorf("status %d, want %d; %.200q", r.StatusCode, status, body)
		return nil, ""
	}
	if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", r.Header.Get("Date")); err != nil {
		t.Errorf("Date: %v", err)
	}
	if length, found := r.Header["Content-Length"]; found != (status != 204 && status != 304) || status >= 400 && len(body) == 0 {
		t.Errorf("%d has Content-Length %q and a body of %d bytes", status, length, len(body))
	}
	return r, string(body)
}

// TestProbeWaits: an unfinished request gets no answer but that its time is over, also where what is announced is larger
// than any disk; and no answer of success once the client says that no more will come.
func TestProbeWaits(t *testing.T) {
	eachProbe(t, func(t *testing.T, core servers.Core, p *process) {
		var all sync.WaitGroup
		for _, c := range waitCases {
			play := func(client *client, half bool) {
				defer client.Close()
				_, err := io.WriteString(client, c.send)
				if half {
					err = errors.Join(err, client.closeWrite())
				}
				b, readErr := io.ReadAll(client)
				if err := errors.Join(err, readErr); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				late := bytes.HasPrefix(b, []byte("HTTP/1.1 408 Request Timeout\r\n"))
				cut := bytes.HasPrefix(b, []byte("HTTP/1.1 400 Bad Request\r\n"))
				if silent := len(b) == 0 && half && (c.send == "" || lacks(core, servers.HalfClose)); !late && !silent && !(half && cut) {
					t.Errorf("%s, the client's end behind it: %v: the answer is %.200q", c.name, half, b)
				}
			}
			for _, half := range []bool{false, true} {
				switch client := p.dial(); {
				case c.send == "" && !half: // that is an idle connection, and has all the time of one
					client.Close()
				case lacks(core, servers.Concurrent):
					play(client, half)
				default:
					all.Go(func() { play(client, half) })
				}
			}
		}
		all.Wait()
	}, "--head-time", "200ms", "--body-idle", "200ms")
}

// TestProbeIDs: no case of a tester is there twice, and its name says what it is.
func TestProbeIDs(t *testing.T) {
	seen := map[string]string{}
	look := func(group, name, ids string) {
		for _, id := range append(strings.Fields(ids), group+"/"+name) {
			if other, found := seen[id]; found && id != "h1spec" {
				t.Errorf("%s is in %s and in %s", id, other, name)
			}
			seen[id] = name
		}
	}
	for _, g := range probeGroups {
		for _, c := range g.cases {
			look(g.name, c.name, c.ids)
		}
	}
	for _, c := range waitCases {
		look("wait", c.name, c.ids)
	}
}

// closeWrite sends the FIN.
func (c *client) closeWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// pattern is n bytes none of whose parts is like another one near it.
func pattern(n int) []byte {
	b := make([]byte, n)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// TestProbeEcho sends content of sizes around every bound there is, in every framing, to a client that reads meanwhile.
func TestProbeEcho(t *testing.T) {
	eachProbe(t, func(t *testing.T, core servers.Core, p *process) {
		for _, size := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 256 << 10, 3<<20 + 7} {
			content := pattern(size)
			for _, framing := range []string{"length", "chunked", "chunked small", "HTTP/1.0"} {
				client := p.dial()
				go sendContent(client, framing, content)
				r, err := http.ReadResponse(client.in, &http.Request{Method: "POST"})
				if err != nil {
					t.Fatalf("%d bytes, %s: %v", size, framing, err)
				}
				got, err := io.ReadAll(r.Body)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %s: %d bytes came back, %v", size, framing, len(got), err)
				}
				whole := size <= 64<<10 || !strings.HasPrefix(framing, "chunked")
				if chunked := slices.Equal(r.TransferEncoding, []string{"chunked"}); chunked == whole || whole && r.ContentLength != int64(size) {
					t.Errorf("%d bytes, %s: they came with Transfer-Encoding %v and Content-Length %d", size, framing, r.TransferEncoding, r.ContentLength)
				}
				client.Close()
			}
		}
	})
}

// sendContent sends a POST of content.
func sendContent(w io.Writer, framing string, content []byte) error {
	out := bufio.NewWriter(w)
	switch framing {
	case "length":
		_, _ = io.WriteString(out, ask("POST /", "Content-Length: "+strconv.Itoa(len(content))+"\r\n", ""))
	case "HTTP/1.0":
		_, _ = io.WriteString(out, "POST / HTTP/1.0\r\nContent-Length: "+strconv.Itoa(len(content))+"\r\n\r\n")
	default:
		step := 100_000
		if framing == "chunked small" {
			step = 1000
		}
		_, _ = io.WriteString(out, ask("POST /", "Transfer-Encoding: chunked\r\n", ""))
		extension := ";x=\"y\"" // on the first one alone: all together are bounded
		for chunk := range slices.Chunk(content, step) {
			_, _ = io.WriteString(out, strconv.FormatInt(int64(len(chunk)), 16)+extension+"\r\n"+string(chunk)+"\r\n")
			extension = ""
		}
		_, _ = io.WriteString(out, "0\r\nX-Trailer: z\r\n\r\n")
		return out.Flush()
	}
	_, _ = out.Write(content)
	return out.Flush() // with the first error of all writes
}

// TestProbeBackpressure sends more than all buffers hold, and reads nothing until the server reads no more. Its memory stays
// small; then all comes back.
func TestProbeBackpressure(t *testing.T) {
	const (
		size     = 64 << 20
		patience = time.Second // for the buffers to fill
		heapMost = 12 << 10    // KiB
	)
	content := pattern(size)
	eachProbe(t, func(t *testing.T, core servers.Core, p *process) {
		if lacks(core, servers.Backpressure) {
			return
		}
		client := p.dial()
		if _, err := io.WriteString(client, ask("POST /", "Content-Length: "+strconv.Itoa(size)+"\r\n", "")); err != nil {
			t.Fatal(err)
		}
		client.SetWriteDeadline(time.Now().Add(patience))
		n, err := client.Write(content)
		if err == nil {
			t.Fatalf("the server took %d bytes of a client that reads nothing", n)
		}
		if heap := p.ask("?").Runtime.HeapKiB; heap > heapMost {
			t.Errorf("the heap has %d KiB", heap)
		}
		client.SetWriteDeadline(time.Now().Add(bound))
		sent := make(chan error)
		go func() {
			_, err := client.Write(content[n:])
			sent <- err
		}()
		r, err := http.ReadResponse(client.in, &http.Request{Method: "POST"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		if err := errors.Join(err, <-sent); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes of %d came back, %v", len(got), size, err)
		}
		if heap := p.ask("?").Runtime.HeapKiB; heap > heapMost {
			t.Errorf("the heap has %d KiB in the end", heap)
		}
	})
}

// TestProbeEndless announces more than anyone can send. It is not refused, and of what is sent no byte is kept back, though
// the end is far.
func TestProbeEndless(t *testing.T) {
	const step, steps = 64<<10 + 1, 10
	part := pattern(step)
	eachProbe(t, func(t *testing.T, core servers.Core, p *process) {
		for name, head := range map[string]string{
			"length":   ask("POST /", "Content-Length: 1000000000000000\r\n", ""),
			"expected": ask("POST /", "Content-Length: 9223372036854775807\r\nExpect: 100-continue\r\n", ""),
			"chunked":  chunks("fffffffffffffff\r\n"),
		} {
			client := p.dial()
			if _, err := io.WriteString(client, head); err != nil {
				t.Fatal(err)
			}
			if name == "expected" {
				if r, err := http.ReadResponse(client.in, nil); err != nil || r.StatusCode != 100 {
					t.Fatalf("%s: before the content comes %v, %v", name, r, err)
				}
			}
			var r *http.Response
			got := make([]byte, step)
			for i := range steps {
				_, err := client.Write(part)
				if err == nil && i == 0 {
					r, err = http.ReadResponse(client.in, nil)
				}
				if err == nil {
					_, err = io.ReadFull(r.Body, got)
				}
				if err != nil || r.StatusCode != 200 || !bytes.Equal(got, part) {
					t.Fatalf("%s: part %d came back otherwise, %v", name, i, err)
				}
			}
			client.Close()
		}
	})
}

// TestProbeGone: a client that leaves in the midst of an echo leaves nothing behind.
func TestProbeGone(t *testing.T) {
	eachProbe(t, func(t *testing.T, core servers.Core, p *process) {
		client := p.dial()
		if _, err := io.WriteString(client, sized("1000000", string(pattern(100<<10)))); err != nil {
			t.Fatal(err)
		}
		if _, err := client.in.Peek(1); err != nil {
			t.Fatal(err)
		}
		client.Close()
		await(t, "end of the connection", func() (over bool) {
			open := int64(0)
			for _, w := range p.ask("?").Workers {
				open += w.Open
			}
			return open == 0
		})
	})
}
