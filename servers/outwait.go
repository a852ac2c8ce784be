package servers

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// waitedOutbound is a connection that a handler opened on a core that waits by Go's network poller, or has a loop of
// somebody else's: a goroutine waits until it is readable, and, where a Send was cut short, another until it is writable.
// They read and write nothing. What they see they leave here, and call the owner. That is a wake of a goroutine for each
// way, and the price of this architecture.
type waitedOutbound struct {
	outbound
	file  *os.File // of the descriptor
	raw   syscall.RawConn
	taken chan struct{} // wakes the reader
	open  *outsOpen

	mu     sync.Mutex // guards what follows
	own    outOwner   // nil while parked
	events uint32
	asleep bool // the reader has seen something, and waits until it is taken
}

// outOwner is a client's connection that waitedOutbounds belong to.
type outOwner interface {
	// outbounds are those of the owner. Only the owner calls it.
	outbounds() *outset
	// callOut has the owner serve its outbound connections soon. Any goroutine may call it.
	callOut()
}

// dialWaited implements httpcore.Dialer for p.
func dialWaited(p outOwner, open *outsOpen, addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	if p.outbounds().gone {
		return nil, httpcore.ErrLoopGone
	}
	fd, err := connectNow(addr)
	if err != nil {
		return nil, err
	}
	o := &waitedOutbound{file: os.NewFile(uintptr(fd), addr.String()), taken: make(chan struct{}, 1), open: open, own: p}
	if o.raw, err = o.file.SyscallConn(); err != nil {
		o.file.Close()
		return nil, err
	}
	o.outbound = outbound{h: h, core: o, fd: int32(fd)}
	p.outbounds().add(&o.outbound)
	open.add(&o.outbound)
	go o.waitRead()
	o.full()
	return o, nil
}

// adoptWaited implements httpcore.Dialer for p.
func adoptWaited(p outOwner, open *outsOpen, out httpcore.Outbound, h httpcore.OutboundHandler) error {
	o, ok := out.(*waitedOutbound)
	if !ok || o.open != open {
		panic("servers: Adopt of an Outbound of another server")
	}
	if p.outbounds().gone {
		o.shut(false)
	}
	if o.state == outParked {
		o.mu.Lock()
		o.own, o.events = p, 0 // the reader calls p from here on; what it saw before is seen by the look
		o.mu.Unlock()
		p.outbounds().add(&o.outbound)
		o.readable = o.readable || !o.fresh()
	}
	err := o.adopt(h)
	o.rouse()
	return err
}

// waitRead is the goroutine that waits for bytes, as long as the connection is open.
func (o *waitedOutbound) waitRead() {
	var seen int16
	look := func(fd uintptr) bool {
		seen = pollNow(fd, unix.POLLIN|unix.POLLRDHUP)
		return seen != 0
	}
	for o.raw.Read(look) == nil {
		o.tell(uint32(seen), true)
		<-o.taken
	}
}

// waitWrite is the goroutine that waits for room, once.
func (o *waitedOutbound) waitWrite() {
	look := func(fd uintptr) bool { return pollNow(fd, unix.POLLOUT) != 0 }
	if o.raw.Write(look) == nil {
		o.tell(unix.EPOLLOUT, false)
	}
}

// pollNow returns which of events a descriptor has, and its errors. poll's bits are epoll's.
func pollNow(fd uintptr, events int16) int16 {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	if n, _ := unix.Poll(p[:], 0); n <= 0 {
		return 0
	}
	return p[0].Revents
}

// tell leaves events, and calls the owner. Any goroutine may call it.
func (o *waitedOutbound) tell(events uint32, reader bool) {
	o.mu.Lock()
	o.events |= events
	o.asleep = o.asleep || reader
	own := o.own
	o.mu.Unlock()
	if own != nil {
		own.callOut()
	}
}

// rouse has the reader wait for more, once all that it saw is taken. After the peer's end there is no more, but to be
// closed.
func (o *waitedOutbound) rouse() {
	if (o.readable || o.ended) && o.state != outClosed {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asleep {
		o.asleep = false
		o.taken <- struct{}{} // never waits: it holds one, and a sleeper is roused once
	}
}

// serveWaited gives those of s of which there is news their turn; in is memory for a read. It reports whether one has
// more to tell.
func (s *outset) serveWaited(in []byte) (again bool) {
	s.serving = append(s.serving[:0], s.list...)
	for i, x := range s.serving {
		s.serving[i] = nil
		if i > 0 && !slices.Contains(s.list, x) {
			continue // the one before has closed or parked it
		}
		o := x.core.(*waitedOutbound)
		o.mu.Lock()
		events := o.events
		o.events = 0
		o.mu.Unlock()
		if !o.note(events) && !o.restless() {
			continue
		}
		again = o.turn(in, &s.left) || again
		if s.left != x {
			o.rouse()
		}
	}
	return again
}

// queue implements outCore.
func (o *waitedOutbound) queue() { o.tell(0, false) }

// full implements outCore.
func (o *waitedOutbound) full() { go o.waitWrite() }

// arm implements outCore: the owner looks before it waits.
func (o *waitedOutbound) arm() {}

// parked implements outCore. The reader goes on; where it sleeps, it is roused by who adopts.
func (o *waitedOutbound) parked() {
	own := o.own.outbounds()
	own.remove(&o.outbound)
	own.left = &o.outbound
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own = nil
}

// closed implements outCore.
func (o *waitedOutbound) closed(stuck bool) {
	if o.own != nil {
		o.parked()
	}
	o.open.remove(&o.outbound)
	if stuck {
		resetOnClose(int(o.fd))
	}
	o.file.Close()
	o.fd = -1
	o.rouse()
}
