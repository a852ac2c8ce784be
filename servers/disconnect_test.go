package servers_test

import (
	"fmt"
	"testing"

	"corelab/servers"
)

// TestHalfClose sends FIN behind the request: it is still answered, RFC 9112 §9.6.
func TestHalfClose(t *testing.T) {
	for _, c := range []struct {
		name, send string
		want       want
		needs      []servers.Feature
	}{
		{"at once", get, hello[0], nil},
		{"content", sized("5", "hello"), want{status: 200, body: "hello"}, nil},
		{"large", "GET /bytes/500000 HTTP/1.1\r\nHost: a\r\n\r\n", want{status: 200, body: string(pattern[:500000])}, nil},
		{"held", "GET /delay/30 HTTP/1.1\r\nHost: a\r\n\r\n", want{status: 200, body: "late"}, []servers.Feature{servers.HalfClose}},
		{"source", "GET /drip/5000 HTTP/1.1\r\nHost: a\r\n\r\n", want{status: 200, body: string(pattern[:5000])}, []servers.Feature{servers.HalfClose}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, testLimits, servers.Config{}, func(r *running) error {
				conn, err := dial(r.Addr())
				if err != nil {
					return err
				}
				defer conn.Close()
				if err := conn.send(c.send); err != nil {
					return err
				}
				if err := conn.CloseWrite(); err != nil {
					return err
				}
				a, err := conn.answer("")
				if err != nil {
					return err
				}
				if err := c.want.check(a); err != nil {
					return err
				}
				return conn.end()
			}, c.needs...)
		})
	}
}

// TestHalfCloseUnfinished sends FIN in the middle of a request.
func TestHalfCloseUnfinished(t *testing.T) {
	for name, send := range map[string]string{
		"head": "GET /plaintext HTTP/1.1\r\nHos",
		"body": sized("50", "hello"),
	} {
		t.Run(name, func(t *testing.T) {
			each(t, testLimits, servers.Config{}, func(r *running) error {
				conn, err := dial(r.Addr())
				if err != nil {
					return err
				}
				defer conn.Close()
				if err := conn.send(send); err != nil {
					return err
				}
				conn.CloseWrite()
				a, err := conn.answer("")
				if err != nil {
					return err
				}
				return want{status: 400}.check(a)
			}, servers.HalfClose)
		})
	}
}

// leaving are the points at which a client may go.
var leaving = []struct{ name, send string }{
	{"before it sends", ""},
	{"in the request line", "GET /plain"},
	{"in the head", "GET /plaintext HTTP/1.1\r\nHost: a"},
	{"in the content", sized("5000", "hello")},
	{"in a chunk", chunked("ff\r\nhello")},
	{"in a stream", "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + string(pattern[:100])},
	{"in a paused stream", "POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + string(pattern[:100])},
	{"before the answer", get + get},
	{"in a large answer", "GET /bytes/1048576 HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"in a file", "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"in a source", "GET /chunks/10000000 HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"in a source that waits", "GET /drip/10000000 HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"while held", "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"while held, with more sent", "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" + get},
	{"while lingering", "BAD\r\n\r\n" + get},
}

// TestReset has clients leave by RST at every point: the connection goes, and the server serves on.
func TestReset(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		for _, l := range leaving {
			before := r.accepted()
			c, err := dial(r.Addr())
			if err != nil {
				return err
			}
			if err := c.send(l.send); err != nil {
				c.Close()
				return err
			}
			if err := until("the connection is accepted", func() bool { return r.accepted() > before }); err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			c.abort()
			if err := until("the connection is gone", func() bool { return r.openNow() == 0 }); err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			if err := r.serves(); err != nil {
				return fmt.Errorf("after one left %s: %w", l.name, err)
			}
		}
		return nil
	})
}

// TestCloseAfterAnswer has a client close in the ordinary way, with FIN, between requests.
func TestCloseAfterAnswer(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		for range 20 {
			if err := r.serves(); err != nil {
				return err
			}
		}
		return until("all connections are gone", func() bool { return r.openNow() == 0 })
	})
}

// TestStats holds the counters to what happened.
func TestStats(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		const n = 7
		for range n {
			if err := r.serves(); err != nil {
				return err
			}
		}
		if _, err := exchange(r.Addr(), "BAD\r\n\r\n"); err != nil {
			return err
		}
		if err := until("all connections are gone", func() bool { return r.openNow() == 0 }); err != nil {
			return err
		}
		var sum servers.WorkerStats
		for _, s := range r.Stats() {
			sum.Accepted += s.Accepted
			sum.Requests += s.Requests
			sum.Errors += s.Errors
		}
		if want := (servers.WorkerStats{Accepted: n + 1, Requests: n + 1, Errors: 1}); sum != want {
			return fmt.Errorf("%+v, not %+v", sum, want)
		}
		return nil
	})
}
