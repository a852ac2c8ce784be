package planted

import (
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
)

// bound is how long a test waits for something that should happen soon.
const bound = 20 * time.Second

// driver is a core in memory: one goroutine, the test's, owns all its connections.
type driver struct {
	t       testing.TB
	handler *httpcore.Handler
	posts   chan func()
}

// newDriver serves the app of a Config.
func newDriver(t testing.TB, c Config) *driver {
	t.Helper()
	routes, err := Routes(c)
	if err != nil {
		t.Fatal(err)
	}
	router := new(httpcore.Router)
	for _, r := range routes {
		if err := router.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return &driver{t: t, handler: httpcore.NewHandler(router, httpcore.Limits{}, "test"), posts: make(chan func(), 1024)}
}

// conn is one connection, and the Loop and Buffers of it.
type conn struct {
	httpcore.NoDialer
	d    *driver
	conn httpcore.Conn
	env  httpcore.Env
	out  strings.Builder
	over bool // the Conn wants to close, or lingers with nothing more to send
}

func (c *conn) Now() int64          { return 1 }
func (c *conn) Post(fire func())    { c.d.posts <- func() { fire(); c.turn() } }
func (c *conn) Wake(*httpcore.Conn) {}
func (c *conn) Get(n int) []byte    { return make([]byte, n) }
func (c *conn) Put([]byte)          {}

func (c *conn) After(time.Duration, func(int64)) httpcore.Timer {
	c.d.t.Fatal("a loop's timers are too coarse for what is planted")
	return nil
}

// dial opens a connection.
func (d *driver) dial() *conn {
	c := &conn{d: d}
	c.env = httpcore.Env{Handler: d.handler, Buffers: c}
	c.conn.Open(&c.env, c, 1)
	return c
}

// ask sends a request for path and returns what has been answered at once, in short: see answer.
func (c *conn) ask(path string) string {
	c.d.t.Helper()
	if c.conn.Room() == 0 {
		c.d.t.Fatal("the connection takes no request: it is held, or over")
	}
	c.out.Reset()
	c.conn.Feed([]byte("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"), 1)
	c.turn()
	return c.answer()
}

// turn writes all that is pending.
func (c *conn) turn() {
	for {
		n := int64(0)
		for _, s := range c.conn.Pending(nil) {
			c.out.Write(s.Bytes)
			n += s.Len
		}
		if n > 0 {
			c.conn.Wrote(n)
		}
		switch w := c.conn.Want(); {
		case w&httpcore.Again != 0:
			c.conn.Pump(1)
		case w&httpcore.Write == 0:
			c.over = w&(httpcore.Close|httpcore.Linger) != 0
			return
		}
	}
}

// answer is what came: the status and the body, "closed" behind it where the connection has ended, "" while it is held.
func (c *conn) answer() string {
	head, body, _ := strings.Cut(c.out.String(), "\r\n\r\n")
	said := ""
	if _, rest, found := strings.Cut(head, " "); found {
		said = rest[:3] + " " + body
	}
	if c.over {
		said += " closed"
	}
	return said
}

// run calls what is posted until done.
func (d *driver) run(what string, done func() bool) {
	d.t.Helper()
	late := time.After(bound)
	for !done() {
		select {
		case fire := <-d.posts:
			fire()
		case <-late:
			d.t.Fatalf("no %s within %v", what, bound)
		}
	}
}
