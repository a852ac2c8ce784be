package servers

import (
	"net/netip"

	"corelab/httpcore"
)

// Dial implements httpcore.Dialer.
func (t *talk) Dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	return dialWaited(t, &t.server.outs, addr, h)
}

// Adopt implements httpcore.Dialer.
func (t *talk) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	return adoptWaited(t, &t.server.outs, o, h)
}

// Shard implements httpcore.Dialer.
func (t *talk) Shard() httpcore.Shard {
	return httpcore.Shard{Index: t.index, Of: t.server.cfg.Workers, Shared: true}
}

// outbounds implements outOwner.
func (t *talk) outbounds() *outset { return &t.outs }

// callOut implements outOwner.
func (t *talk) callOut() {
	t.outs.called.Store(true)
	t.call()
}

// serveOutbounds acts on callOut.
func (t *talk) serveOutbounds() {
	if t.outs.called.Swap(false) && t.outs.serveWaited(t.desk.buf[:]) {
		t.callOut()
	}
}

// Dial implements httpcore.Dialer.
func (c *evioConn) Dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	return dialWaited(c, &c.server.outs, addr, h)
}

// Adopt implements httpcore.Dialer.
func (c *evioConn) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	return adoptWaited(c, &c.server.outs, o, h)
}

// Shard implements httpcore.Dialer. evio runs all handlers of a loop's connections on that loop.
func (c *evioConn) Shard() httpcore.Shard {
	return httpcore.Shard{Index: c.loop.index, Of: c.server.cfg.Workers}
}

// outbounds implements outOwner.
func (c *evioConn) outbounds() *outset { return &c.outs }

// callOut implements outOwner.
func (c *evioConn) callOut() {
	c.outs.called.Store(true)
	c.server.wake(c)
}

// serveOutbounds acts on callOut.
func (c *evioConn) serveOutbounds() {
	if c.loop.in == nil {
		c.loop.in = make([]byte, receiveSize)
	}
	if c.outs.called.Swap(false) && c.outs.serveWaited(c.loop.in) {
		c.callOut()
	}
	c.outs.ring(c.loop.now)
}
