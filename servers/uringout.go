package servers

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// Outbound connections of a uringLoop are driven edge by edge, as on every core, by a poll that stays in the ring; they read
// and send by system calls of their own. Receives and sends through the ring would save those: a gateway has few such
// connections and many requests on each.

// Dial implements httpcore.Dialer.
func (l *uringLoop) Dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	if l.outs.in == nil {
		l.outs.in = make([]byte, inputSize)
	}
	return l.outs.dial(addr, h)
}

// Adopt implements httpcore.Dialer.
func (l *uringLoop) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	return l.outs.adopt(o, h)
}

// Shard implements httpcore.Dialer.
func (l *uringLoop) Shard() httpcore.Shard { return l.outs.shard }

// watchOut implements outHome. A poll of several events makes one at each edge, and one of what there is already.
func (l *uringLoop) watchOut(fd int, gen int32) error {
	if fd >= uringMostFiles {
		return unix.EMFILE
	}
	q := l.ring.request(uringOpPollAdd, fd, uringKey(uringOutbound, fd, uint32(gen)))
	q.opFlags, q.len = unix.POLLIN|unix.POLLOUT|unix.POLLRDHUP, uringPollMultishot
	l.within++
	return nil
}

// closeOut implements outHome.
func (l *uringLoop) closeOut(fd int, gen int32, stuck bool) {
	l.cancel(uringKey(uringOutbound, fd, uint32(gen))) // it keeps the socket open
	if stuck {
		resetOnClose(fd)
	}
	l.ring.request(uringOpClose, fd, uringKey(uringDone, 0, 0)).flags = uringSkipSuccess
}

// takeOut serves the outbound connections that the events from to to are about.
func (l *uringLoop) takeOut(from, to uint32) {
	for i := from; i != to; i++ {
		e := *l.ring.event(i)
		if e.userData>>56 != uringOutbound {
			continue
		}
		fd, gen := int(e.userData>>32&(uringMostFiles-1)), int32(e.userData)
		if e.flags&uringMore == 0 && l.outs.lookup(fd, gen) != nil { // the kernel had no place for the event, or memory
			l.watchOut(fd, gen)
		}
		if e.res > 0 {
			l.outs.note(fd, gen, uint32(e.res))
		}
	}
}
