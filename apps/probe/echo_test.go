package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
)

// driver is a core in memory, whose client takes as much of what is sent as the test says.
type driver struct {
	httpcore.NoDialer
	t    testing.TB
	conn httpcore.Conn
	env  httpcore.Env
	now  int64
	out  bytes.Buffer
}

func (d *driver) Now() int64  { return d.now }
func (d *driver) Post(func()) { d.t.Fatal("no route of probe works on another goroutine") }
func (d *driver) After(time.Duration, func(now int64)) httpcore.Timer {
	d.t.Fatal("no route of probe waits")
	return nil
}
func (d *driver) Wake(*httpcore.Conn) {}

// heap lends no buffer twice.
type heap struct{}

func (heap) Get(n int) []byte { return make([]byte, n) }
func (heap) Put([]byte)       {}

// newDriver opens a connection to routes.
func newDriver(t testing.TB, routes []httpcore.Route) *driver {
	t.Helper()
	router := new(httpcore.Router)
	for _, r := range routes {
		if err := router.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	d := &driver{t: t, now: 1}
	d.env = httpcore.Env{Handler: httpcore.NewHandler(router, httpcore.Limits{}, ""), Buffers: heap{}}
	d.conn.Open(&d.env, d, d.now)
	return d
}

// feed gives the Conn as much of b as it wants, at most n bytes, and returns the rest.
func (d *driver) feed(b []byte, n int) []byte {
	if n = min(n, len(b), d.conn.Room()); n > 0 {
		d.conn.Feed(bytes.Clone(b[:n]), d.now)
	}
	if d.conn.Want()&httpcore.Again != 0 {
		d.conn.Pump(d.now)
	}
	return b[n:]
}

// write takes at most n bytes of what is to be sent.
func (d *driver) write(n int) {
	taken := 0
	for _, s := range d.conn.Pending(nil) {
		p := s.Bytes[:min(len(s.Bytes), n-taken)]
		d.out.Write(p)
		taken += len(p)
	}
	if taken > 0 {
		d.conn.Wrote(int64(taken))
	}
}

// framed is a POST of content.
func framed(content []byte, chunk int) []byte {
	var b bytes.Buffer
	if chunk == 0 {
		fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
		return b.Bytes()
	}
	b.WriteString("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	for rest := content; len(rest) > 0; {
		n := min(chunk, len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// TestEcho sends content of many sizes in pieces of any size to a client that takes it in pieces of any size. It comes
// back as it was, and what the echo holds at any time is bounded.
func TestEcho(t *testing.T) {
	const most = 512 << 10 // bytes: twice the window and one read, and what append takes beyond
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		any := func(bits int) int { return 1 + random.IntN(1<<(1+random.IntN(bits))) }
		content := make([]byte, any(21)-1)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		var e *echo
		d := newDriver(t, []httpcore.Route{route("POST", "/", func(x *httpcore.Exchange) {
			if e = nil; x.ContentLength() == 0 {
				serveEcho(x)
				return
			}
			e = &echo{mediaType: octetsType, length: x.ContentLength()}
			x.Stream(e)
		})})
		chunk := 0
		if seed%2 == 0 {
			chunk = any(17)
		}
		rest := append(framed(content, chunk), framed([]byte("behind"), 0)...)
		reads, writes := 1+random.IntN(17), 1+random.IntN(17)
		for len(rest) > 0 || d.conn.Want()&(httpcore.Write|httpcore.Again) != 0 {
			rest = d.feed(rest, any(reads))
			d.write(any(writes))
			if e != nil && cap(e.in)+cap(e.spare) > most {
				t.Fatalf("seed %d: the echo holds %d and %d bytes", seed, cap(e.in), cap(e.spare))
			}
		}
		in := bufio.NewReader(&d.out)
		for _, want := range [][]byte{content, []byte("behind")} {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(got, want) || r.StatusCode != 200 {
				t.Fatalf("seed %d: status %d, %d bytes of %d, %v", seed, r.StatusCode, len(got), len(want), err)
			}
			if chunked := len(r.TransferEncoding) > 0; chunked != (chunk > 0 && len(want) > maxWhole) {
				t.Errorf("seed %d: %d bytes came with Transfer-Encoding %v", seed, len(got), r.TransferEncoding)
			}
		}
		d.conn.Abort(nil)
	}
}

// TestEchoStops: a client that takes nothing is not read on and on, and has all of it once it does.
func TestEchoStops(t *testing.T) {
	const size, most = 16 << 20, 1 << 20
	content := []byte(strings.Repeat("0123456789abcdef", size/16))
	d := newDriver(t, Routes())
	rest := framed(content, 0)
	sent := len(rest)
	for before := -1; before != len(rest); {
		before = len(rest)
		rest = d.feed(rest, 64<<10)
	}
	if n := sent - len(rest); n > most {
		t.Errorf("%d bytes are read of a client that takes none", n)
	}
	if d.conn.Want() != httpcore.Write {
		t.Fatalf("it waits for %b", d.conn.Want())
	}
	for len(rest) > 0 || d.conn.Want()&(httpcore.Write|httpcore.Again) != 0 {
		rest = d.feed(rest, 64<<10)
		d.write(100_000)
	}
	r, err := http.ReadResponse(bufio.NewReader(&d.out), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, content) || r.ContentLength != size {
		t.Errorf("%d bytes of %d came back, announced as %d, %v", len(got), size, r.ContentLength, err)
	}
	d.conn.Abort(nil)
}

// TestEchoCut: content that is framed wrongly or ends too soon gets no answer of success, and beyond maxWhole no end.
func TestEchoCut(t *testing.T) {
	large := strings.Repeat("x", maxWhole+1)
	head := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, test := range []struct{ name, send string }{
		{"a small chunk without its end", head + "5\r\nhelloX"},
		{"a size that is none", head + "5\r\nhello\r\nz\r\n"},
		{"a trailer that is none", head + "5\r\nhello\r\n0\r\n: x\r\n"},
		{"small content that ends too soon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello"},
		{"a large chunk without its end", head + "10001\r\n" + large + "X"},
		{"large content that ends too soon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + large},
		{"large chunks that end too soon", head + "10001\r\n" + large + "\r\n"},
	} {
		d := newDriver(t, Routes())
		for rest := []byte(test.send); len(rest) > 0; {
			rest = d.feed(rest, 1<<20)
			d.write(1 << 20)
		}
		d.conn.End()
		for d.conn.Want()&(httpcore.Write|httpcore.Again) != 0 {
			d.feed(nil, 0)
			d.write(1 << 20)
		}
		if d.conn.Want()&(httpcore.Close|httpcore.Linger) == 0 {
			t.Errorf("%s: the connection goes on", test.name)
		}
		r, err := http.ReadResponse(bufio.NewReader(&d.out), nil)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		_, err = io.ReadAll(r.Body)
		if begun := len(test.send) > maxWhole; begun && err == nil || !begun && r.StatusCode != 400 {
			t.Errorf("%s: status %d, %v", test.name, r.StatusCode, err)
		}
		d.conn.Abort(nil)
	}
}
