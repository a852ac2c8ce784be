package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"corelab/servers"
)

// The handshake as a client sends it, and as an upstream answers it.
const (
	toSwitch = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	switches = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// TestForwardWebSocket has a WebSocket client and server, which know nothing of each other's ways, talk through the gateway.
func TestForwardWebSocket(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, message); err != nil {
				return
			}
		}
	}))
	defer up.Close()
	gates(t, &origin{addr: up.Listener.Addr().String()}, "", func(t *testing.T, addr string) {
		ctx, cancel := context.WithTimeout(t.Context(), forwardPatience)
		defer cancel()
		c, answer, err := websocket.Dial(ctx, "ws://"+addr+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if answer.StatusCode != 101 || answer.Header.Get("Date") == "" {
			t.Errorf("%d %v", answer.StatusCode, answer.Header)
		}
		c.SetReadLimit(-1)
		for _, size := range []int{0, 1, 125, 126, 4 << 10, 70_000, 1 << 20, 3} {
			want := bytes.Repeat([]byte("m"), size)
			if err := c.Write(ctx, websocket.MessageBinary, want); err != nil {
				t.Fatal(err)
			}
			kind, got, err := c.Read(ctx)
			if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, want) {
				t.Fatalf("of %d bytes came %d, %v", size, len(got), err)
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Error(err)
		}
	})
}

// switched asks for a tunnel and reads the head of the 101.
func switched(t *testing.T, addr, behind string) *asker {
	a := newAsker(t, addr)
	if _, err := io.WriteString(a, toSwitch+behind); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(a.in, nil)
	if err != nil || r.StatusCode != 101 || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || len(r.Header["Sec-Websocket-Accept"]) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	return a
}

// TestForwardTunnel looks at the ends that a tunnel may come to, and at what lies close to its begin.
func TestForwardTunnel(t *testing.T) {
	reset := func(c net.Conn) {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	for _, c := range []struct {
		name     string
		behind   string // sent with the request
		upstream func(t *testing.T, c *net.TCPConn, in *bufio.Reader)
		client   func(t *testing.T, a *asker)
		needs    []servers.Feature
	}{
		{name: "bytes close behind the heads", behind: "early", upstream: func(t *testing.T, c *net.TCPConn, in *bufio.Reader) {
			expect(t, in, "early")
			io.WriteString(c, "answer")
		}, client: func(t *testing.T, a *asker) { expectAll(t, a.in, "prompt"+"answer") }},
		{name: "the client's side ends first", upstream: func(t *testing.T, c *net.TCPConn, in *bufio.Reader) {
			expectAll(t, in, "all")
			io.WriteString(c, "bye")
		}, client: func(t *testing.T, a *asker) {
			io.WriteString(a, "all")
			a.Conn.(*net.TCPConn).CloseWrite()
			expectAll(t, a.in, "prompt"+"bye")
		}, needs: []servers.Feature{servers.HalfClose}},
		{name: "the client leaves", upstream: func(t *testing.T, c *net.TCPConn, in *bufio.Reader) {
			io.ReadAll(in) // returns
		}, client: func(t *testing.T, a *asker) { a.Close() }},
		{name: "the client resets", upstream: func(t *testing.T, c *net.TCPConn, in *bufio.Reader) {
			io.ReadAll(in)
		}, client: func(t *testing.T, a *asker) {
			expect(t, a.in, "prompt")
			reset(a.Conn)
		}},
		{name: "the upstream resets", upstream: func(t *testing.T, c *net.TCPConn, in *bufio.Reader) {
			expect(t, in, "go")
			reset(c)
		}, client: func(t *testing.T, a *asker) {
			expect(t, a.in, "prompt")
			io.WriteString(a, "go")
			if b, err := io.ReadAll(a.in); len(b) > 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%q, %v", b, err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if r, err := http.ReadRequest(in); err == nil && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
					io.WriteString(conn, switches+"prompt")
					c.upstream(t, conn, in)
				}
			})
			gates(t, o, "", func(t *testing.T, addr string) {
				a := switched(t, addr, c.behind)
				defer a.Close()
				c.client(t, a)
			}, c.needs...)
		})
	}
}

func expect(t *testing.T, in io.Reader, want string) {
	b := make([]byte, len(want))
	if n, err := io.ReadFull(in, b); string(b) != want {
		t.Errorf("%q, %v; want %q", b[:n], err, want)
	}
}

func expectAll(t *testing.T, in io.Reader, want string) {
	if b, err := io.ReadAll(in); err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q and the end", b, err, want)
	}
}

// TestForwardTunnelFlow has one side send more than the other takes for now: memory stays bounded, and nothing is lost.
func TestForwardTunnelFlow(t *testing.T) {
	const size = 64 << 20
	// flood writes size bytes of a pattern, and tells done.
	flood := func(w io.Writer, sent chan<- int) {
		total, piece := 0, make([]byte, 64<<10)
		for total < size {
			for i := range piece {
				piece[i] = byte((total + i) % 251)
			}
			n, err := w.Write(piece)
			if total += n; err != nil {
				break
			}
			sent <- total
		}
		close(sent)
	}
	// drain waits until the flood has come to rest, and takes all of it then.
	drain := func(t *testing.T, r io.Reader, sent <-chan int) {
		last, open := 0, true
		for rest := false; !rest && open; {
			select {
			case n, ok := <-sent:
				if open = ok; ok {
					last = n
				}
			case <-time.After(300 * time.Millisecond):
				rest = true
			}
		}
		if last > size/2 {
			t.Errorf("%d bytes went to somewhere while nobody took them", last)
		}
		go func() {
			for range sent {
			}
		}()
		b := make([]byte, size)
		if n, err := io.ReadFull(r, b); err != nil {
			t.Errorf("%d bytes came: %v", n, err)
			return
		}
		for i := range b {
			if b[i] != byte(i%251) {
				t.Errorf("byte %d is %d", i, b[i])
				return
			}
		}
	}
	for _, down := range []bool{true, false} {
		name := "to the upstream"
		if down {
			name = "to the client"
		}
		t.Run(name, func(t *testing.T) {
			var sent chan int
			o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				io.WriteString(conn, switches)
				if down {
					flood(conn, sent)
				} else {
					drain(t, in, sent)
				}
			})
			gates(t, o, "", func(t *testing.T, addr string) {
				sent = make(chan int)
				a := switched(t, addr, "")
				defer a.Close()
				if down {
					drain(t, a.in, sent)
				} else {
					flood(a, sent)
					expectAll(t, a.in, "")
				}
			}, servers.Backpressure)
		})
	}
}

// TestForwardNoTunnel looks at requests that ask to switch, and are not passed on as such or not granted.
func TestForwardNoTunnel(t *testing.T) {
	for _, c := range []struct {
		name, send string
		offered    bool
		answer     string
		status     int
	}{
		{"refused", toSwitch, true, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", 426},
		{"ignored", toSwitch, true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
		{"switched to another protocol", toSwitch, true, strings.Replace(switches, "websocket", "irc", 1), 502},
		{"switched to one more", toSwitch, true, strings.Replace(switches, "websocket", "websocket, h2c", 1), 502},
		{"to what no route allows", strings.Replace(toSwitch, "WebSocket", "h2c", 1), false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
		{"not asked, and switched", strings.Replace(toSwitch, "WebSocket", "h2c", 1), false, switches, 502},
		{"not of this hop", strings.Replace(toSwitch, "keep-alive, Upgrade", "keep-alive", 1), false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
		{"with content", strings.Replace(toSwitch, "Host: a\r\n", "Host: a\r\nContent-Length: 2\r\n", 1) + "hi", false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
		{"of HTTP/1.0", strings.Replace(toSwitch, "HTTP/1.1", "HTTP/1.0", 1), false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
		{"one of several", strings.Replace(toSwitch, "WebSocket", "h2c, websocket", 1), true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					if up := strings.Join(r.Header["Upgrade"], ","); c.offered != (up == "websocket") || !c.offered && (up != "" || r.Header.Get("Connection") != "") {
						t.Errorf("the upstream got Upgrade %q, Connection %q", up, r.Header["Connection"])
					}
					io.WriteString(conn, c.answer)
				}
			})
			gates(t, o, "retries = 0", func(t *testing.T, addr string) {
				a := newAsker(t, addr)
				defer a.Close()
				for range 2 { // the client's connection goes on, unless it is none that does
					if _, err := io.WriteString(a, c.send); err != nil {
						t.Fatal(err)
					}
					status, head, _, err := a.answer("GET")
					if err != nil || status != c.status {
						t.Fatalf("%d, %v", status, err)
					}
					if head.Get("Connection") == "close" {
						break
					}
				}
			})
		})
	}
}

// TestForwardTunnelIdle has a tunnel end that nothing goes through, and not before.
func TestForwardTunnelIdle(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err == nil {
			io.WriteString(conn, switches)
			io.Copy(io.Discard, in)
		}
	})
	gates(t, o, `tunnel_idle = "400ms"`, func(t *testing.T, addr string) {
		a := switched(t, addr, "")
		defer a.Close()
		for range 8 {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.WriteString(a, "."); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		io.Copy(io.Discard, a.in)
		if d := time.Since(began); d < 300*time.Millisecond || d > forwardPatience/2 {
			t.Errorf("ended %v after the last byte", d)
		}
	})
}
