package servers

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls come in two forms. The Now form is for non-blocking descriptors: it tells the Go scheduler nothing, which
// saves a tenth of a request's CPU time, and must never be given a descriptor that could block, because the thread would
// keep its P. The Wait form is for blocking descriptors. Both retry EINTR.
//
// What every request does is called by package syscall: golang.org/x/sys/unix gets there through a stub in assembly, which
// passes all arguments over the stack twice.

// acceptPause is how long a core that ran out of descriptors leaves the backlog alone, unless a connection closes before.
const acceptPause = 50 * time.Millisecond

// maxQueued bounds the connections that a draining core takes from the backlog: more than any has, fewer than for ever.
const maxQueued = 64 << 10

// maxIovecs bounds the segments that one sendmsg takes.
const maxIovecs = 64

// unsentMost is how many bytes the kernel takes of a connection beyond what the peer's window lets it send, TCP_NOTSENT_LOWAT.
// Without it a send queue grows with the congestion window, on loopback to more than 1 MiB: a thousand clients that ask for
// much and read nothing would take a GiB of the kernel's memory, and all TCP of the machine with it. What a peer takes is hardly
// held up, as it is sent before this many wait: half of it costs a tenth more CPU for answers of 1 MiB, twice as much saves none.
const unsentMost = 256 << 10

// listen opens a listening TCP socket on addr. shared sets SO_REUSEPORT, so that each loop may have its own listener on
// one port. block leaves the descriptor blocking. Accepted sockets inherit TCP_NODELAY and TCP_NOTSENT_LOWAT from the
// listener: no system call for each connection.
func listen(addr netip.AddrPort, backlog int, shared, block bool) (fd int, err error) {
	family, sa := sockaddr(addr)
	kind := unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	if !block {
		kind |= unix.SOCK_NONBLOCK
	}
	fd, err = unix.Socket(family, kind, 0)
	if err != nil {
		return -1, fmt.Errorf("socket for %v: %w%s", addr, err, listenAdvice(err))
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
			fd = -1
		}
	}()
	options := []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost},
	}
	if shared {
		options = append(options, struct{ level, name, value int }{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fd, fmt.Errorf("setsockopt %d for %v: %w", o.name, addr, err)
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return fd, fmt.Errorf("bind %v: %w%s", addr, err, listenAdvice(err))
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return fd, fmt.Errorf("listen %v: %w%s", addr, err, listenAdvice(err))
	}
	return fd, nil
}

// listenShared opens n listeners on one port with SO_REUSEPORT.
func listenShared(addr netip.AddrPort, backlog, n int) ([]int, error) {
	fds := make([]int, 0, n)
	fail := func(err error) ([]int, error) {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, err
	}
	if err := probeFree(addr); err != nil {
		return nil, err
	}
	for range n {
		fd, err := listen(addr, backlog, true, false)
		if err != nil {
			return fail(err)
		}
		fds = append(fds, fd)
		if addr, err = localAddr(fd); err != nil {
			return fail(err)
		}
	}
	return fds, nil
}

// probeFree returns an error if somebody listens on addr: SO_REUSEPORT would quietly share the port with another server of
// the same user.
func probeFree(addr netip.AddrPort) error {
	family, sa := sockaddr(addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket for %v: %w%s", addr, err, listenAdvice(err))
	}
	defer unix.Close(fd)
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err != nil {
		return fmt.Errorf("bind %v: %w%s", addr, err, listenAdvice(err))
	}
	return nil
}

// listenAdvice says what to do about an error of listen.
func listenAdvice(err error) string {
	switch err {
	case unix.EADDRINUSE:
		return "; stop the other server there, or use port 0"
	case unix.EADDRNOTAVAIL:
		return "; use an address of this host"
	case unix.EACCES:
		return "; use a port above 1023"
	case unix.EMFILE, unix.ENFILE:
		return "; raise the limit of open files (ulimit -n)"
	}
	return ""
}

// sockaddr converts addr for bind.
func sockaddr(addr netip.AddrPort) (family int, sa unix.Sockaddr) {
	if ip := addr.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
}

// localAddr returns where the socket is bound.
func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("getsockname: the socket is of no IP family")
}

// acceptNow accepts a connection from a non-blocking listener; the new descriptor is non-blocking and close-on-exec.
func acceptNow(fd int) (conn int, errno unix.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// acceptQueued hands out what waits in the backlog of a non-blocking listener, as far as there are files. A core does so
// before it closes the listener, which resets what is left there; with SO_REUSEPORT the other listeners do not get it either.
func acceptQueued(fd int, take func(conn int)) {
	for range maxQueued {
		conn, errno := acceptNow(fd)
		switch {
		case errno == 0:
			take(conn)
		case errno == unix.EAGAIN || outOfFiles(errno):
			return
		}
		// Any other error is of the one connection, accept(2).
	}
}

// acceptWait accepts a connection from a blocking listener; block leaves the new descriptor blocking.
func acceptWait(fd int, block bool) (conn int, errno unix.Errno) {
	flags := uintptr(unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK)
	if block {
		flags = unix.SOCK_CLOEXEC
	}
	for {
		n, _, e := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, flags, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// outOfFiles reports whether accept failed for want of a descriptor or of memory: not the listener's fault, and over
// once something is closed. The pending connection stays in the backlog, so that a listener watched level-triggered
// would report it in a busy loop; stop watching for acceptPause.
func outOfFiles(errno unix.Errno) bool {
	return errno == unix.EMFILE || errno == unix.ENFILE || errno == unix.ENOBUFS || errno == unix.ENOMEM
}

// gone reports whether errno is a peer's ordinary way of leaving.
func gone(errno unix.Errno) bool {
	return errno == unix.ECONNRESET || errno == unix.EPIPE || errno == unix.ETIMEDOUT || errno == unix.ECONNABORTED
}

// recvNow reads from a non-blocking socket. n is 0 with no errno at the peer's end.
func recvNow(fd int, b []byte) (n int, errno unix.Errno) {
	for {
		r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// recvWait reads from a blocking socket.
func recvWait(fd int, b []byte) (n int, errno unix.Errno) {
	for {
		r, _, e := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// unread says what lies in the socket's receive queue without taking it or waiting: bytes (n is 1), the peer's end
// (0 and no errno), nothing (EAGAIN), or an error.
func unread(fd int) (n int, errno unix.Errno) {
	var b [1]byte
	for {
		r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// sendNow writes to a non-blocking socket. flags may hold MSG_MORE; a broken connection raises no SIGPIPE.
func sendNow(fd int, b []byte, flags int) (n int, errno unix.Errno) {
	for {
		r, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags|unix.MSG_NOSIGNAL), 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// sendWait writes to a blocking socket.
func sendWait(fd int, b []byte, flags int) (n int, errno unix.Errno) {
	for {
		r, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags|unix.MSG_NOSIGNAL), 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// sendmsg writes what m's iovecs name; block says that the descriptor may block.
func sendmsg(fd int, m *unix.Msghdr, flags int, block bool) (n int, errno unix.Errno) {
	for {
		var r uintptr
		var e unix.Errno
		if block {
			r, _, e = unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), uintptr(flags|unix.MSG_NOSIGNAL))
		} else {
			r, _, e = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), uintptr(flags|unix.MSG_NOSIGNAL))
		}
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// sendfile copies at most n bytes of file from *off to the socket and moves *off. It tells the scheduler, since reading
// the file may wait for a disk.
func sendfile(fd int, file uintptr, off *int64, n int) (int, unix.Errno) {
	for {
		r, _, e := unix.Syscall6(unix.SYS_SENDFILE, uintptr(fd), file, uintptr(unsafe.Pointer(off)), uintptr(n), 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// shutdownWrite sends FIN once all that was written is sent. An error says that the peer has gone, which the next read
// says as well.
func shutdownWrite(fd int) {
	unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

// closeStuck closes a socket as closeNow does, and where the peer is stuck it resets the connection: what lies in the
// kernel's send queue is thrown away. An ordinary close would keep it there, and the FIN behind it.
func closeStuck(fd int, stuck bool) {
	if stuck {
		resetOnClose(fd)
	}
	closeNow(fd)
}

// resetOnClose has a later close reset the connection.
func resetOnClose(fd int) {
	at := unix.Linger{Onoff: 1}
	unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&at)), unsafe.Sizeof(at), 0)
}

// closeNow closes a socket. Linux frees the descriptor whatever close returns, so it is never retried.
func closeNow(fd int) {
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
