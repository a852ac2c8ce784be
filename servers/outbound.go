package servers

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// outbound is a connection that a handler opened: its socket and what is known about it, as stream is for a client's. It
// is driven edge by edge on every core; on those that wait by level the wait makes the edges. All of it belongs to the
// owner of its Loop, and, while it is parked, to whoever adopts it.
//
// It is never used again for another connection: a method that comes late finds it closed.
type outbound struct {
	h    httpcore.OutboundHandler
	core outCore
	fd   int32 // -1 when closed
	due  int64 // its Deadline; 0 for none

	state    outState
	settled  bool       // while connecting: an event says that it stands, or never will
	readable bool       // a read may give bytes: no EAGAIN nor short read since the last edge
	hangup   bool       // the peer's FIN has come, perhaps behind unread bytes
	ended    bool       // that was read
	paused   bool       //
	blocked  bool       // a Send took less than it was given
	room     bool       // and may take more now
	broken   unix.Errno // of a Send; what was received before is still handed over
}

type outState uint8

const (
	outConnecting outState = iota
	outOpen
	outParked
	outClosed
)

// outCore is what an outbound needs of the loop that drives it.
type outCore interface {
	// queue has turn called soon, without an event.
	queue()
	// full has the loop wait for room to send.
	full()
	// arm has the loop look at due.
	arm()
	// parked leaves the loop, and writes to turn's left.
	parked()
	// closed gives back what the loop holds for it, and closes the socket; stuck throws away what it holds unsent.
	closed(stuck bool)
}

// watchOutbound is asked for once, for a connection's whole life: edge-triggered, the kernel tells of room only after the
// socket was full.
const watchOutbound = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// connectNow begins to connect a new non-blocking socket.
func connectNow(addr netip.AddrPort) (fd int, err error) {
	family, sa := sockaddr(addr)
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket to %v: %w", addr, err)
	}
	for _, o := range []struct{ name, value int }{{unix.TCP_NODELAY, 1}, {unix.TCP_NOTSENT_LOWAT, unsentMost}} {
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, o.name, o.value); err != nil {
			closeNow(fd)
			return -1, fmt.Errorf("setsockopt %d to %v: %w", o.name, addr, err)
		}
	}
	// Interrupted, it goes on by itself, connect(2).
	if err = unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS && err != unix.EINTR {
		closeNow(fd)
		return -1, fmt.Errorf("connect %v: %w", addr, err)
	}
	return fd, nil
}

// note takes in an event. It reports whether there is something to do.
func (o *outbound) note(events uint32) bool {
	const dead = unix.EPOLLERR | unix.EPOLLHUP
	if o.state == outConnecting {
		o.settled = o.settled || events&(unix.EPOLLOUT|dead) != 0
	}
	if events&unix.EPOLLOUT != 0 && o.blocked {
		o.room = true
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|dead) != 0 {
		o.readable = true
		// Behind a hang-up no edge will follow: only a read of 0 or an error ends reading.
		o.hangup = o.hangup || events&(unix.EPOLLRDHUP|dead) != 0
	}
	return o.settled || o.room || o.readable
}

// turn hands over what there is to tell: at most one read, into in. It reports whether there is more, after the others
// had their turn. The handler may park o, which may be another's at once: that it has, its core writes to left, which is
// the present owner's, and nothing of o is looked at then.
func (o *outbound) turn(in []byte, left **outbound) (again bool) {
	*left = nil
	if o.state == outConnecting && (o.settled || o.broken != 0) && !o.connected(left) {
		return false
	}
	if o.state == outParked {
		o.fail(httpcore.ErrStale)
		return false
	}
	if o.room && o.state == outOpen {
		o.room, o.blocked = false, false
		if o.h.Writable(); *left == o {
			return false
		}
	}
	if o.state == outOpen && o.broken != 0 && (o.paused || o.ended) {
		o.fail(os.NewSyscallError("send", o.broken))
		return false
	}
	if o.state == outOpen && o.readable && !o.paused && !o.ended {
		if o.receive(in); *left == o {
			return false
		}
	}
	return o.state == outOpen && (o.readable && !o.paused && !o.ended || o.room)
}

// connected tells how the connect went, and reports whether the connection stands.
func (o *outbound) connected(left **outbound) bool {
	o.settled = false
	v, err := unix.GetsockoptInt(int(o.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && v != 0 {
		err = unix.Errno(v)
	}
	if err != nil {
		o.fail(os.NewSyscallError("connect", err))
		return false
	}
	o.state = outOpen
	o.h.Opened(nil)
	return *left != o && o.state == outOpen
}

// receive makes one read. A connection on which a Send has failed is read to its end first: what the peer had answered
// before it closed is worth having.
func (o *outbound) receive(in []byte) {
	n, errno := recvNow(int(o.fd), in)
	switch {
	case errno == unix.EAGAIN:
		o.readable = false
		if o.broken != 0 {
			o.fail(os.NewSyscallError("send", o.broken))
		}
	case errno != 0:
		o.fail(os.NewSyscallError("recv", errno))
	case n > 0:
		o.readable = n == len(in) || o.hangup || o.broken != 0
		o.h.Received(in[:n])
	case o.broken != 0:
		o.fail(os.NewSyscallError("send", o.broken))
	default:
		o.readable, o.ended = false, true
		o.h.Ended(nil)
	}
}

// fail closes o and tells its handler why.
func (o *outbound) fail(err error) {
	connecting := o.state == outConnecting
	h := o.h
	o.shut(true)
	if connecting {
		h.Opened(err)
	} else {
		h.Ended(err)
	}
}

// expire tells of a Deadline that has come.
func (o *outbound) expire(now int64) {
	o.due = 0
	o.h.Expired(now)
}

// fresh reports whether nothing was received, and no end: by a look at the socket.
func (o *outbound) fresh() bool {
	_, errno := unread(int(o.fd))
	return errno == unix.EAGAIN
}

// adopt takes a parked o up again.
func (o *outbound) adopt(h httpcore.OutboundHandler) error {
	if o.state != outParked || o.useless() {
		o.shut(true)
		return httpcore.ErrStale
	}
	o.state, o.h = outOpen, h
	return nil
}

// Send implements httpcore.Outbound.
func (o *outbound) Send(p []byte, more bool) int {
	if o.state != outOpen || o.blocked || o.broken != 0 || len(p) == 0 {
		return 0
	}
	flags := 0
	if more {
		flags = unix.MSG_MORE
	}
	n, errno := sendNow(int(o.fd), p, flags)
	switch {
	case errno == unix.EAGAIN:
	case errno != 0:
		o.broken, o.readable = errno, true
		o.core.queue()
		return 0
	case n == len(p):
		return n
	}
	o.blocked = true
	o.core.full()
	return n
}

// Pause implements httpcore.Outbound.
func (o *outbound) Pause() { o.paused = true }

// Resume implements httpcore.Outbound.
func (o *outbound) Resume() {
	if o.state == outClosed || !o.paused {
		return
	}
	o.paused = false
	o.core.queue()
}

// CloseWrite implements httpcore.Outbound.
func (o *outbound) CloseWrite() {
	if o.state == outOpen {
		shutdownWrite(int(o.fd))
	}
}

// Close implements httpcore.Outbound.
func (o *outbound) Close() { o.shut(o.blocked) }

// shut closes the socket.
func (o *outbound) shut(stuck bool) {
	if o.state == outClosed {
		return
	}
	o.state, o.due, o.h = outClosed, 0, nil
	o.core.closed(stuck)
}

// Deadline implements httpcore.Outbound.
func (o *outbound) Deadline(due int64) {
	if o.state == outClosed {
		return
	}
	o.due = due
	if due != 0 {
		o.core.arm()
	}
}

// Park implements httpcore.Outbound.
func (o *outbound) Park() {
	if o.state != outOpen {
		return
	}
	o.state, o.due, o.paused = outParked, 0, false
	if o.readable && !o.hangup && o.broken == 0 && !o.ended && o.fresh() {
		o.readable = false // the last read took just all there was
	}
	o.core.parked()
}

// useless reports that a connection just parked cannot be used any more.
func (o *outbound) useless() bool {
	return o.readable || o.ended || o.hangup || o.blocked || o.broken != 0
}
