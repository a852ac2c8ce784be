package servers_test

import (
	"testing"
	"time"

	"corelab/servers"
)

// TestEndIsSeen holds every core to ending its side with the last answer, RFC 9112 §9.6: a client that waits for the end of
// the connection must not wait for as long as the server lingers.
func TestEndIsSeen(t *testing.T) {
	limits := testLimits
	limits.Linger = 10 * patience
	for name, send := range map[string]string{
		"refused":         "GET /plaintext HTTP/3.0\r\nHost: a\r\n\r\n" + get,
		"refused content": "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" + get,
		"closed":          "GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get,
	} {
		t.Run(name, func(t *testing.T) {
			each(t, limits, servers.Config{Grace: time.Millisecond}, func(r *running) error { return endsAfterAnswer(r, send) })
		})
	}
}

// endsAfterAnswer sends a message, and wants one answer and the end.
func endsAfterAnswer(r *running, send string) error {
	c, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.send(send); err != nil {
		return err
	}
	if _, err := c.answer(""); err != nil {
		return err
	}
	return c.end()
}
