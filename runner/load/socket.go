package load

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the loop go past Go's scheduler: none of them blocks but the wait, and that one is meant to keep the
// processor to itself. A collection of garbage would have to wait for it; the loop makes none, and the runtime's signal
// ends a wait early.

// peer is the address to connect to, ready for the kernel.
type peer struct {
	addr netip.AddrPort
	v4   unix.RawSockaddrInet4
	v6   unix.RawSockaddrInet6
}

func newPeer(a netip.AddrPort) *peer {
	p := &peer{addr: a}
	port := [2]byte{byte(a.Port() >> 8), byte(a.Port())}
	if a.Addr().Is4() {
		p.v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
		*(*[2]byte)(unsafe.Pointer(&p.v4.Port)) = port
		return p
	}
	p.v6 = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: a.Addr().As16()}
	*(*[2]byte)(unsafe.Pointer(&p.v6.Port)) = port
	return p
}

// connect opens a nonblocking socket and begins to connect it. The descriptor is the caller's.
func (p *peer) connect() (int, unix.Errno) {
	family, at, size := uintptr(unix.AF_INET), unsafe.Pointer(&p.v4), unsafe.Sizeof(p.v4)
	if p.addr.Addr().Is6() {
		family, at, size = unix.AF_INET6, unsafe.Pointer(&p.v6), unsafe.Sizeof(p.v6)
	}
	s, _, e := unix.RawSyscall(unix.SYS_SOCKET, family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if e != 0 {
		return -1, e
	}
	fd := int(s)
	// A request's tail must not wait for the acknowledgement of what went before (RFC 896).
	one := int32(1)
	unix.RawSyscall6(unix.SYS_SETSOCKOPT, s, unix.IPPROTO_TCP, unix.TCP_NODELAY, uintptr(unsafe.Pointer(&one)), 4, 0)
	_, _, e = unix.RawSyscall(unix.SYS_CONNECT, s, uintptr(at), size)
	if e != 0 && e != unix.EINPROGRESS {
		closeSocket(fd)
		return -1, e
	}
	return fd, 0
}

// dial connects and waits until that is done, at most so long. The descriptor is the caller's.
func (p *peer) dial(wait time.Duration) (int, error) {
	fd, e := p.connect()
	if e != 0 {
		return -1, e
	}
	for until := time.Now().Add(wait); ; {
		left := time.Until(until)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, max(0, int(left.Milliseconds())))
		if err == unix.EINTR && left > 0 {
			continue
		}
		if err == nil && n == 0 {
			err = unix.ETIMEDOUT
		}
		if err == nil {
			var code int
			code, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && code != 0 {
				err = unix.Errno(code)
			}
		}
		if err != nil {
			closeSocket(fd)
			return -1, err
		}
		return fd, nil
	}
}

// open says whether the other side of a silent connection is still there.
func open(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n > 0 || err == unix.EAGAIN
}

// readSocket receives instead of reading: a read looks at what any file might need before it comes to the socket.
func readSocket(fd int, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	return int(n), e
}

func writeSocket(fd int, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

func closeSocket(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// poller is an epoll instance, waited on with a resolution of nanoseconds.
type poller struct {
	fd     int
	coarse bool // the kernel is older than epoll_pwait2 (5.11)
	events [maxEvents]event
}

// event is what a poller reports: the connection's index in Fd, its generation in Pad.
type event = unix.EpollEvent

// maxEvents bounds the connections served between two waits.
const maxEvents = 256

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return &poller{fd: fd}, nil
}

// add watches for everything at once, by edges, so that nothing is ever changed while the connection lives.
func (p *poller) add(fd int, index int, generation uint32) unix.Errno {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(index), Pad: int32(generation)}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

// wait returns what is ready, at most after so many nanoseconds. A signal ends it early.
func (p *poller) wait(ns int64) []event {
	at := uintptr(unsafe.Pointer(&p.events[0]))
	left := unix.NsecToTimespec(max(ns, 0))
	if !p.coarse {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), at, maxEvents, uintptr(unsafe.Pointer(&left)), 0, 0)
		switch e {
		case 0:
			return p.events[:n]
		case unix.EINTR:
			return nil
		case unix.ENOSYS:
			p.coarse = true
		default:
			panic("load: epoll_pwait2 on our own descriptor failed: " + e.Error())
		}
	}
	// ppoll waits as finely for the instance itself to have something.
	self := unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN}
	unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&self)), 1, uintptr(unsafe.Pointer(&left)), 0, 0, 0)
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), at, maxEvents, 0, 0, 0)
	if e != 0 {
		return nil
	}
	return p.events[:n]
}

func (p *poller) close() { closeSocket(p.fd) }
