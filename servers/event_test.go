package servers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"corelab/httpcore"
)

// eventCores are the cores that these tests range over: those that wait for many descriptors at once.
var eventCores = []Core{epollCore, epollpoolCore, reactorCore, uringCore}

// bound is how long a test waits for what must happen.
const bound = 30 * time.Second

// large is what /large and /file answer.
var large = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz!"), 1<<15)

// eventServer is a core that serves, until its test ends.
type eventServer struct {
	Server
	t    testing.TB
	stop context.CancelFunc
	done chan error
	held chan httpcore.Held // exchanges of /hold when they begin, of /watch when they begin and when they end
}

// usable skips a test of a core that this machine cannot run.
func usable(t testing.TB, core Core) {
	t.Helper()
	if core.Usable != nil {
		if err := core.Usable(); err != nil {
			t.Skip(err)
		}
	}
}

// serveEvents starts core on a free port.
func serveEvents(t testing.TB, core Core, cfg Config, limits httpcore.Limits) *eventServer {
	t.Helper()
	usable(t, core)
	s := &eventServer{t: t, done: make(chan error, 1), held: make(chan httpcore.Held, 16)}
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	if cfg.Grace == 0 {
		cfg.Grace = bound
	}
	srv, err := core.New(cfg, eventHandler(t, s.held, limits))
	if err != nil {
		t.Fatal(err)
	}
	s.Server = srv
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	ended := make(chan struct{})
	go func() {
		s.done <- srv.Serve(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(cfg.Grace + bound):
			t.Error("Serve did not return")
		}
	})
	return s
}

// receive takes an exchange that /hold or /watch sent.
func (s *eventServer) receive(what string) httpcore.Held {
	s.t.Helper()
	select {
	case h := <-s.held:
		return h
	case <-time.After(bound):
		s.t.Fatalf("waited %v for %s", bound, what)
	}
	panic("unreachable")
}

func eventHandler(t testing.TB, held chan httpcore.Held, limits httpcore.Limits) *httpcore.Handler {
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, large, 0o600); err != nil {
		t.Fatal(err)
	}
	hello := []byte("Hello, World!")
	var r httpcore.Router
	for _, route := range []httpcore.Route{
		{Method: "GET", Pattern: "/", Serve: func(x *httpcore.Exchange) {
			x.Reply(&httpcore.Reply{Type: "text/plain", Body: hello})
		}},
		{Method: "POST", Pattern: "/echo", Serve: func(x *httpcore.Exchange) {
			x.Reply(&httpcore.Reply{Body: bytes.Clone(x.Body())})
		}},
		{Method: "GET", Pattern: "/delay/:ms", Serve: func(x *httpcore.Exchange) {
			ms, _ := strconv.Atoi(string(x.Param("ms")))
			h := x.Hold()
			x.Loop().After(time.Duration(ms)*time.Millisecond, func(int64) {
				h.Reply(&httpcore.Reply{Body: []byte("late")})
			})
		}},
		{Method: "GET", Pattern: "/hold", Serve: func(x *httpcore.Exchange) { held <- x.Hold() }},
		{Method: "GET", Pattern: "/watch", Serve: func(x *httpcore.Exchange) {
			h, loop := x.Hold(), x.Loop()
			held <- h
			var look func(int64)
			look = func(int64) { // until the client has gone
				if h.Live() {
					loop.After(time.Millisecond, look)
				} else {
					held <- h
				}
			}
			look(0)
		}},
		{Method: "GET", Pattern: "/large", Serve: func(x *httpcore.Exchange) { x.Reply(&httpcore.Reply{Body: large}) }},
		{Method: "GET", Pattern: "/file", Serve: func(x *httpcore.Exchange) {
			f, err := os.Open(path)
			if err != nil {
				panic(err)
			}
			x.Reply(&httpcore.Reply{File: f, Len: int64(len(large))})
		}},
	} {
		if err := r.Add(route); err != nil {
			t.Fatal(err)
		}
	}
	return httpcore.NewHandler(&r, limits, "corelab")
}

// eventClient is a connection to a server under test.
type eventClient struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

func dialEvents(t testing.TB, s Server) *eventClient {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.Addr().String(), bound)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	return &eventClient{TCPConn: c.(*net.TCPConn), t: t, r: bufio.NewReaderSize(c, 64<<10)}
}

func (c *eventClient) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *eventClient) get(path string) {
	c.t.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
}

// answer reads one answer, whose body must be want.
func (c *eventClient) answer(want []byte) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("read an answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read a body: %v after %d bytes", err, len(body))
	}
	if resp.StatusCode != 200 || !bytes.Equal(body, want) {
		c.t.Fatalf("answer %d with %d bytes %.40q, want %d bytes %.40q", resp.StatusCode, len(body), body, len(want), want)
	}
}

// ended reads the server's end of the connection: a FIN, and no byte before it.
func (c *eventClient) ended() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.r); n != 0 || err != nil {
		c.t.Fatalf("at the end of the connection: %d bytes, %v", n, err)
	}
}

// reset closes with an RST.
func (c *eventClient) reset() {
	c.t.Helper()
	if err := c.SetLinger(0); err != nil {
		c.t.Fatal(err)
	}
	c.Close()
}

// until waits for a condition that another goroutine or process brings about.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	end := time.Now().Add(bound)
	for !holds() {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", bound, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// total adds up what the workers did.
func total(s Server) (sum WorkerStats) {
	for _, w := range s.Stats() {
		sum.Accepted += w.Accepted
		sum.Open += w.Open
		sum.Requests += w.Requests
		sum.Errors += w.Errors
	}
	return sum
}

// eachCore runs test on every event-driven core.
func eachCore(t *testing.T, test func(t *testing.T, core Core)) {
	for _, core := range eventCores {
		t.Run(core.Name, func(t *testing.T) { test(t, core) })
	}
}

func TestEventAnswers(t *testing.T) {
	eachCore(t, func(t *testing.T, core Core) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		for range 3 {
			c := dialEvents(t, s)
			for range 3 {
				c.get("/")
				c.answer([]byte("Hello, World!"))
				c.get("/file")
				c.answer(large)
				c.get("/delay/3")
				c.answer([]byte("late"))
				body := large[:300<<10]
				c.send(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body)))
				c.send(string(body))
				c.answer(body)
			}
			c.get("/large")
			c.get("/")
			c.answer(large)
			c.answer([]byte("Hello, World!"))
			c.CloseWrite()
			c.ended()
		}
		until(t, "the numbers of 3 connections and 42 requests", func() bool {
			return total(s) == WorkerStats{Accepted: 3, Requests: 42}
		})
	})
}

// TestEventHalfClose ends the client's side while the reply is held, with and without a request unread.
func TestEventHalfClose(t *testing.T) {
	eachCore(t, func(t *testing.T, core Core) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		c := dialEvents(t, s)
		c.get("/delay/30")
		c.CloseWrite()
		c.answer([]byte("late"))
		c.ended()
		c = dialEvents(t, s)
		c.get("/delay/30")
		c.get("/")
		c.CloseWrite()
		c.answer([]byte("late"))
		c.answer([]byte("Hello, World!"))
		c.ended()
	})
}

// TestEventResetWhileHeld resets a connection whose reply is held: the exchange ends, and its descriptor with it.
func TestEventResetWhileHeld(t *testing.T) {
	eachCore(t, func(t *testing.T, core Core) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		for _, unread := range []string{"", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
			c := dialEvents(t, s)
			c.get("/watch")
			s.receive("the request") // else the reset overtakes it
			c.send(unread)
			c.reset()
			s.receive("the held exchange to end with its client")
			until(t, "the connection to be closed", func() bool { return total(s).Open == 0 })
		}
	})
}

// TestEventBackpressure sends requests and reads no answer: the server must stop reading, and go on when it is read.
func TestEventBackpressure(t *testing.T) {
	eachCore(t, func(t *testing.T, core Core) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		c := dialEvents(t, s)
		c.SetWriteBuffer(64 << 10)
		c.SetReadBuffer(64 << 10)
		const one = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
		const most = 64 << 20 / len(one)
		batch := []byte(one)
		sent := 0
		for ; sent < most; sent++ {
			c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			if _, err := c.Write(batch); err != nil {
				break
			}
		}
		if sent == most {
			t.Fatalf("the server took %d requests whose answers nobody reads", sent)
		}
		other := dialEvents(t, s)
		other.get("/")
		other.answer([]byte("Hello, World!"))
		for range min(sent, 20) {
			c.answer(large)
		}
	})
}

// TestEventFairness has some connections ask without end; another one is answered all the same.
func TestEventFairness(t *testing.T) {
	eachCore(t, func(t *testing.T, core Core) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		flood := bytes.Repeat([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 1000)
		for range 4 {
			c := dialEvents(t, s)
			go func() {
				for {
					if _, err := c.Write(flood); err != nil {
						return
					}
				}
			}()
			go io.Copy(io.Discard, c)
		}
		until(t, "the flood", func() bool { return total(s).Requests > 10_000 })
		c := dialEvents(t, s)
		for range 50 {
			c.get("/")
			c.answer([]byte("Hello, World!"))
		}
	})
}

// TestEventReuse opens and closes connections while others wait for late replies, so that descriptors and connections are
// used again under timers of their former lives.
func TestEventReuse(t *testing.T) {
	eachCore(t, func(t *testing.T, core Core) {
		s := serveEvents(t, core, Config{}, httpcore.Limits{})
		for i := range 200 {
			c := dialEvents(t, s)
			c.get("/delay/2")
			if i%2 == 0 {
				c.reset()
				continue
			}
			d := dialEvents(t, s)
			d.get("/")
			d.answer([]byte("Hello, World!"))
			d.Close()
			c.answer([]byte("late"))
			c.Close()
		}
		until(t, "all connections to be closed", func() bool { return total(s).Open == 0 })
		if n := total(s).Accepted; n != 300 {
			t.Errorf("accepted %d connections of 300", n)
		}
	})
}
