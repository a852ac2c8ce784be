package servers_test

import (
	"fmt"
	"testing"

	"corelab/servers"
)

// whole is a conversation that must go the same however its bytes arrive.
var whole = []struct {
	name, send string
	want       []want
}{
	{"get", get, hello},
	{"fields", withFields("X: \tb \r\nLonger-Name: value\r\n"), says("[host|a][x|b][longer-name|value]")},
	{"length", sized("11", "hello world"), says("hello world")},
	{"chunked", chunked("5;a=\"b\"\r\nhello\r\n6\r\n world\r\n0\r\nT: u\r\n\r\n"), says("hello world")},
	{"stream", "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n" + string(pattern[:3]) + "\r\n5\r\n" + string(pattern[3:8]) + "\r\n0\r\n\r\n", says("8")},
	{"late", "GET /delay/1 HTTP/1.1\r\nHost: a\r\n\r\n", says("late")},
	{"bad", "GET /plaintext HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", fails(400)},
	{"coding", coded("Transfer-Encoding: gzip, chunked\r\n", ""), fails(501)},
}

// TestByteByByte sends each byte by itself.
func TestByteByByte(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		for _, w := range whole {
			cuts := make([]int, len(w.send))
			for i := range cuts {
				cuts[i] = i
			}
			if err := r.inPieces(w.send, w.want, cuts); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
		return nil
	})
}

// TestTwoPieces cuts each conversation in two, at every fifth place.
func TestTwoPieces(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		for _, w := range whole {
			for cut := 1; cut < len(w.send); cut += 5 {
				if err := r.inPieces(w.send, w.want, []int{cut}); err != nil {
					return fmt.Errorf("%s at %d: %w", w.name, cut, err)
				}
			}
		}
		return nil
	})
}

// inPieces sends s cut at these places; with TCP_NODELAY, which Go sets, each piece is a packet. A server that has seen
// enough to refuse may close before the rest is sent.
func (r *running) inPieces(s string, wants []want, cuts []int) error {
	c, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	from := 0
	for _, cut := range append(cuts, len(s)) {
		if err := c.send(s[from:cut]); err != nil {
			break
		}
		from = cut
	}
	for _, w := range wants {
		a, err := c.answer(w.method)
		if err != nil {
			return err
		}
		if err := w.check(a); err != nil {
			return err
		}
	}
	return nil
}
