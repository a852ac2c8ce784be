package servers

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// threadOutbound is a connection that a handler on a thread opened: the thread polls it together with its client and its
// bell.
type threadOutbound struct {
	outbound
	server *blocking
	t      *thread // nil while parked
	deaf   bool    // its end has come and is not to be read now: poll would tell of it again and again
}

// Dial implements httpcore.Dialer.
func (t *thread) Dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	if t.outs.gone {
		return nil, httpcore.ErrLoopGone
	}
	fd, err := connectNow(addr)
	if err != nil {
		return nil, err
	}
	o := &threadOutbound{server: t.server, t: t}
	o.outbound = outbound{h: h, core: o, fd: int32(fd)}
	t.outs.add(&o.outbound)
	t.server.outs.add(&o.outbound)
	return o, nil
}

// Adopt implements httpcore.Dialer. Nobody has watched it: a look at the socket says what came.
func (t *thread) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	mine, ok := o.(*threadOutbound)
	if !ok || mine.server != t.server {
		panic("servers: Adopt of an Outbound of another server")
	}
	if t.outs.gone {
		mine.shut(false)
	}
	if mine.state == outParked {
		mine.t, mine.deaf = t, false
		t.outs.add(&mine.outbound)
		mine.readable = mine.readable || !mine.fresh()
	}
	return mine.adopt(h)
}

// Shard implements httpcore.Dialer.
func (t *thread) Shard() httpcore.Shard {
	n := t.server.cfg.Workers
	return httpcore.Shard{Index: t.index % n, Of: n, Shared: true}
}

// pollOutbounds appends to t.polled what t's outbound connections wait for. It reports whether one of them is to be served
// without waiting.
func (t *thread) pollOutbounds() (now bool) {
	for _, x := range t.outs.list {
		o := x.core.(*threadOutbound)
		p := unix.PollFd{Fd: o.fd}
		switch {
		case o.state == outConnecting:
			p.Events = unix.POLLOUT
		case !o.paused && !o.ended:
			p.Events = unix.POLLIN
		}
		if o.blocked && o.broken == 0 {
			p.Events |= unix.POLLOUT
		}
		if o.deaf && p.Events == 0 {
			p.Fd = -1
		}
		now = now || o.restless()
		t.polled = append(t.polled, p)
	}
	return now
}

// restless reports whether o has something to tell without a further event.
func (o *outbound) restless() bool {
	return o.state == outOpen && (o.readable && !o.paused && !o.ended || o.broken != 0)
}

// serveOutbounds acts on what was polled, just after; those opened meanwhile wait for the next turn.
func (t *thread) serveOutbounds() {
	polled := t.polled[beforeOutbounds:]
	t.outs.serving = append(t.outs.serving[:0], t.outs.list...)
	for i, x := range t.outs.serving {
		t.outs.serving[i] = nil
		if i >= len(polled) || i > 0 && !slices.Contains(t.outs.list, x) {
			continue // the one before has closed or parked it; or nothing was polled
		}
		o := x.core.(*threadOutbound)
		events := uint32(polled[i].Revents) // poll's bits are epoll's
		if events == 0 && !o.restless() {
			continue
		}
		o.note(events)
		o.deaf = o.deaf || events&(unix.POLLHUP|unix.POLLERR) != 0
		o.turn(t.buf, &t.outs.left)
	}
}

// queue implements outCore: the thread looks before it waits, see restless.
func (o *threadOutbound) queue() {}

// full implements outCore: so too.
func (o *threadOutbound) full() {}

// arm implements outCore: so too.
func (o *threadOutbound) arm() {}

// parked implements outCore.
func (o *threadOutbound) parked() {
	o.t.outs.remove(&o.outbound)
	o.t.outs.left = &o.outbound
	o.t = nil
}

// closed implements outCore.
func (o *threadOutbound) closed(stuck bool) {
	if o.t != nil {
		o.parked()
	}
	o.server.outs.remove(&o.outbound)
	closeStuck(int(o.fd), stuck)
	o.fd = -1
}
