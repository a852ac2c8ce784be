package siege

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// Bounds of one turn of the loop, so that neither events, nor drips, nor new foes wait for each other long.
const (
	turnEvents = 256
	turnOpens  = 64
	turnDrips  = 64
	longWait   = 100 * time.Millisecond // for a context that ended
	readSize   = 4 << 10
	smallest   = 4 << 10 // a reader's receive buffer, asked for
)

// loop lays one siege. One goroutine owns it.
type loop struct {
	spec    Spec
	arms    *arsenal
	tally   *tally
	peer    unix.SockaddrInet4
	epoll   int
	events  [turnEvents]unix.EpollEvent
	buf     [readSize]byte
	began   time.Time
	now     int64 // ns since began
	foes    []foe
	away    []int // foes that are closed, the one that waits longest first
	opened  int
	drips   []drip // in the order of their due times
	dripped int    // of drips, done
}

// drip says when a foe sends next. A foe that has a new life since is passed over.
type drip struct {
	at   int64
	foe  int32
	life int32
}

func newLoop(s Spec, cut func()) (*loop, error) {
	addr, err := netip.ParseAddrPort(s.Addr)
	if err != nil {
		return nil, fmt.Errorf("siege: the address %q: %w", s.Addr, err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	l := &loop{spec: s, arms: newArsenal(s), tally: newTally(s, cut), epoll: epoll, foes: make([]foe, s.Foes)}
	l.peer = unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	for i := range l.foes {
		l.foes[i].fd = -1
		l.away = append(l.away, i)
	}
	return l, nil
}

// run lays the siege until it is over, or ctx ends.
func (l *loop) run(ctx context.Context) error {
	l.began = time.Now()
	for {
		l.now = int64(time.Since(l.began))
		if l.now >= int64(l.spec.Hold) || ctx.Err() != nil {
			return nil
		}
		n, err := l.wait()
		if err != nil {
			return err
		}
		l.now = int64(time.Since(l.began))
		for _, e := range l.events[:n] {
			l.act(e)
		}
		for range turnDrips {
			if !l.dripNext() {
				break
			}
		}
		for range turnOpens {
			if len(l.away) == 0 || l.nextOpen() > l.now {
				break
			}
			i := l.away[0]
			l.away = l.away[1:]
			if err := l.open(i); err != nil {
				return err
			}
		}
	}
}

// wait waits for events, as finely as the kernel can: foes that all drip at the tick of a millisecond would be one burst, and
// what that does to a server is nothing that a crowd of clients does.
func (l *loop) wait() (n int, err error) {
	if idle := l.idle(); idle > 0 {
		left := unix.NsecToTimespec(idle)
		if _, err := unix.Ppoll([]unix.PollFd{{Fd: int32(l.epoll), Events: unix.POLLIN}}, &left, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("wait for the clients' sockets: %w", err)
		}
	}
	n, err = unix.EpollWait(l.epoll, l.events[:], 0)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return 0, fmt.Errorf("look at the clients' sockets: %w", err)
	}
	return max(n, 0), nil
}

// nextOpen is when the next foe comes: at the pace of the ramp, for ever.
func (l *loop) nextOpen() int64 {
	return int64(l.spec.Ramp) * int64(l.opened) / int64(l.spec.Foes)
}

// idle is how long there is nothing to do but to wait for events.
func (l *loop) idle() int64 {
	wait := min(int64(l.spec.Hold)-l.now, int64(longWait))
	if len(l.away) > 0 {
		wait = min(wait, l.nextOpen()-l.now)
	}
	if l.dripped < len(l.drips) {
		wait = min(wait, l.drips[l.dripped].at-l.now)
	}
	return max(wait, 0)
}

// close resets all that is left.
func (l *loop) close() {
	for i := range l.foes {
		if l.foes[i].fd >= 0 {
			l.tally.leave(&l.foes[i], l.now)
			reset(l.foes[i].fd)
		}
	}
	unix.Close(l.epoll)
}

// open begins to connect foe i.
func (l *loop) open(i int) error {
	f := &l.foes[i]
	at := int64(time.Since(l.began))
	fd, err := dial(&l.peer, byte(l.opened%sources), l.arms.narrow())
	l.opened++
	if err != nil {
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("open client %d: %w; raise the limit of open files (ulimit -n)", i+1, err)
		}
		l.tally.refused++
		l.away = append(l.away, i)
		return nil
	}
	life := f.life + 1
	*f = foe{fd: fd, life: life, again: f.again, state: opening, provoked: at, head: f.head[:0], stubborn: l.opened%2 == 0}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(i), Pad: life}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		unix.Close(fd)
		f.fd = -1
		return fmt.Errorf("watch a client's socket: %w", err)
	}
	return nil
}

// act is told that something came for a foe.
func (l *loop) act(e unix.EpollEvent) {
	f := &l.foes[e.Fd]
	if f.fd < 0 || f.life != e.Pad {
		return
	}
	if f.state == opening {
		switch {
		case e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0:
			l.tally.refused++
			l.gone(int(e.Fd))
			return
		case e.Events&unix.EPOLLOUT == 0:
			return
		}
		l.provoke(int(e.Fd))
	}
	switch {
	case f.fd < 0:
	case l.arms.narrow() && e.Events&(unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) == 0: // it never reads
	case e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0:
		l.read(int(e.Fd))
	}
}

// provoke has a foe that is connected do what it will be cut for.
func (l *loop) provoke(i int) {
	f := &l.foes[i]
	l.tally.came++
	f.state = dripping
	if l.spec.Kind != results.SiegeSilent { // which is to be cut from when it came
		f.provoked = int64(time.Since(l.began))
	}
	if b := l.arms.opener(i); len(b) > 0 && !l.send(i, b) {
		return
	}
	if len(l.arms.drip(i)) > 0 {
		l.later(i)
	}
}

// later has foe i send again.
func (l *loop) later(i int) {
	if l.dripped > len(l.drips)/2 && l.dripped > 1024 {
		l.drips = append(l.drips[:0], l.drips[l.dripped:]...)
		l.dripped = 0
	}
	l.drips = append(l.drips, drip{l.now + int64(l.spec.Every), int32(i), l.foes[i].life})
}

// dripNext sends what is due next, and reports whether something was.
func (l *loop) dripNext() bool {
	if l.dripped == len(l.drips) || l.drips[l.dripped].at > l.now {
		return false
	}
	d := l.drips[l.dripped]
	l.dripped++
	i := int(d.foe)
	if f := &l.foes[i]; f.fd < 0 || f.life != d.life {
		return true
	}
	if l.send(i, l.arms.drip(i)) {
		l.later(i)
	}
	return true
}

// send writes b for foe i. Where the peer has gone it says so and returns false. What the socket does not take is lost: a
// foe has no need to be understood.
func (l *loop) send(i int, b []byte) bool {
	f := &l.foes[i]
	n, err := unix.SendmsgN(f.fd, b, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	if n > 0 {
		l.tally.sent += uint64(n)
	}
	switch {
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return true
	}
	l.read(i) // an answer may lie before the end
	if f.fd >= 0 {
		l.tally.reset(f, l.now)
		l.gone(i)
	}
	return false
}

// read takes what the server says to foe i.
func (l *loop) read(i int) {
	f := &l.foes[i]
	for {
		n, _, err := unix.Recvfrom(f.fd, l.buf[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			l.tally.reset(f, l.now)
			l.gone(i)
			return
		case n == 0:
			l.tally.closed(f, l.now)
			if f.stubborn && f.state == answered && len(l.arms.drip(i)) > 0 {
				return // it goes on to drip, until it is reset
			}
			l.gone(i)
			return
		}
		l.tally.received += uint64(n)
		if l.arms.narrow() {
			continue // it looks at its socket once it is dead: what had come before the reset means nothing
		}
		if f.take(l.buf[:n]) {
			l.tally.answer(f, l.now)
			f.state = answered
		}
	}
}

// gone closes foe i, which comes back later.
func (l *loop) gone(i int) {
	f := &l.foes[i]
	unix.Close(f.fd)
	f.fd, f.state = -1, closed
	l.away = append(l.away, i)
}

// narrow reports whether foes have small receive buffers and read nothing until they are dead.
func (a *arsenal) narrow() bool { return a.spec.Kind == results.SiegeReaders }

// dial begins to connect from one of the sources. The descriptor is the caller's.
func dial(peer *unix.SockaddrInet4, source byte, narrow bool) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	options := [][3]int{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1}, // or each source would have its ports taken for all peers
	}
	if narrow {
		options = append(options, [3]int{unix.SOL_SOCKET, unix.SO_RCVBUF, smallest})
	}
	for _, o := range options {
		if err == nil {
			err = unix.SetsockoptInt(fd, o[0], o[1], o[2])
		}
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, firstCount + source}})
	}
	if err == nil {
		if err = unix.Connect(fd, peer); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// reset closes a socket so that the peer sees it at once and no port lingers.
func reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // without it the close is an ordinary one
	unix.Close(fd)
}
