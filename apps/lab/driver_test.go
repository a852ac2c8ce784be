package lab

import (
	"bufio"
	"bytes"
	"io"
	"math/bits"
	"net/http"
	"os"
	"testing"
	"time"

	"corelab/httpcore"
)

// driver is a core in memory: it drives one Conn with what a test says, and keeps what the Conn sends.
type driver struct {
	httpcore.NoDialer
	t        testing.TB
	conn     httpcore.Conn
	env      httpcore.Env
	now      int64
	out      []byte
	segments []httpcore.Segment
	timers   []*timer
	pool     pool
	keep     bool // out grows; otherwise it is overwritten by every write
}

// pool lends buffers by powers of two and counts the bytes that are out.
type pool struct {
	free      [40][][]byte
	out, most int
}

func (p *pool) Get(n int) []byte {
	class := bits.Len(uint(max(n, 1) - 1))
	p.out += 1 << class
	p.most = max(p.most, p.out)
	if free := p.free[class]; len(free) > 0 {
		b := free[len(free)-1]
		p.free[class] = free[:len(free)-1]
		return b
	}
	return make([]byte, 1<<class)
}

func (p *pool) Put(b []byte) {
	class := bits.Len(uint(cap(b) - 1))
	p.out -= 1 << class
	p.free[class] = append(p.free[class], b[:cap(b)])
}

type timer struct {
	at   int64
	fire func(int64)
}

func (t *timer) Stop() { t.fire = nil }

func (d *driver) Now() int64          { return d.now }
func (d *driver) Post(func())         { d.t.Fatal("no route of lab works on another goroutine") }
func (d *driver) Wake(*httpcore.Conn) {}

func (d *driver) After(after time.Duration, fire func(int64)) httpcore.Timer {
	t := &timer{d.now + int64(after), fire}
	d.timers = append(d.timers, t)
	return t
}

// newDriver opens a connection to the app whose files are under static.
func newDriver(t testing.TB, static *os.Root) *driver {
	t.Helper()
	router := new(httpcore.Router)
	for _, r := range Routes(Config{Static: static}) {
		if err := router.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	d := &driver{t: t, now: 1, keep: true}
	d.env = httpcore.Env{Handler: httpcore.NewHandler(router, httpcore.Limits{}, "test"), Buffers: &d.pool,
		Date: httpcore.FormatDate(time.Unix(1e9, 0))}
	d.conn.Open(&d.env, d, d.now)
	return d
}

// feed gives b to the Conn, as much as it has room for at a time, and takes what it sends.
func (d *driver) feed(b []byte) {
	for len(b) > 0 {
		n := min(d.conn.Room(), len(b))
		if n == 0 {
			d.t.Fatalf("the Conn does not take %d bytes more", len(b))
		}
		d.conn.Feed(b[:n], d.now)
		b = b[n:]
		d.write()
	}
}

// write takes all that is pending, and pumps while the Conn has more.
func (d *driver) write() {
	for {
		d.segments = d.conn.Pending(d.segments[:0])
		if !d.keep {
			d.out = d.out[:0]
		}
		n := int64(0)
		for _, s := range d.segments {
			n += s.Len
			if s.File == nil {
				d.out = append(d.out, s.Bytes...)
				continue
			}
			p := make([]byte, s.Len)
			if _, err := s.File.ReadAt(p, s.Off); err != nil {
				d.t.Fatal(err)
			}
			d.out = append(d.out, p...)
		}
		if n > 0 {
			d.conn.Wrote(n)
		}
		if d.conn.Want()&httpcore.Again != 0 {
			d.conn.Pump(d.now)
		} else if d.conn.Want()&httpcore.Write == 0 {
			return
		}
	}
}

// advance lets time pass and fires the timers that are due.
func (d *driver) advance(by time.Duration) {
	d.now += int64(by)
	for _, t := range d.timers {
		if t.fire != nil && t.at <= d.now {
			t.fire(d.now)
			t.fire = nil
		}
	}
	d.write()
}

// reply is an answer, read by net/http.
type reply struct {
	*http.Response
	body string
}

// take parses the one reply that was sent.
func (d *driver) take(method string) reply {
	d.t.Helper()
	r := bufio.NewReader(bytes.NewReader(d.out))
	response, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		d.t.Fatalf("%v in %q", err, d.out)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		d.t.Fatalf("%d bytes follow the reply: %.80q", len(rest), rest)
	}
	d.out = d.out[:0]
	return reply{response, string(body)}
}

// request sends METHOD TARGET with further field lines and a body, and returns the reply.
func (d *driver) request(method, target, fields, body string) reply {
	d.t.Helper()
	d.feed(raw(method, target, fields, body))
	return d.take(method)
}

// raw is a request as bytes. Content-Length is added where there is a body.
func raw(method, target, fields, body string) []byte {
	var b bytes.Buffer
	b.WriteString(method + " " + target + " HTTP/1.1\r\nHost: lab\r\n" + fields)
	if body != "" {
		b.WriteString("Content-Length: ")
		b.WriteString(itoa(len(body)))
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// end closes the connection and checks that it gave every buffer back.
func (d *driver) end() {
	d.t.Helper()
	d.conn.Abort(nil)
	if d.pool.out != 0 {
		d.t.Errorf("%d bytes of buffers were not given back", d.pool.out)
	}
}
