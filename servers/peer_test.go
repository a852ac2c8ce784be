package servers_test

import (
	"testing"

	"corelab/servers"
)

// TestPeer has the client told the address of its own end, twice on one connection.
func TestPeer(t *testing.T) {
	each(t, testLimits, servers.Config{}, func(r *running) error {
		c, err := dial(r.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		for range 2 {
			if err := c.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				return err
			}
			a, err := c.answer("")
			if err != nil {
				return err
			}
			if err := (want{status: 200, body: c.LocalAddr().String()}).check(a); err != nil {
				return err
			}
		}
		return nil
	}, servers.KeepAlive, servers.Parsing)
}
