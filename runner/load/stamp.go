package load

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stamping has the kernel say when it received what is read, socket(7) SO_TIMESTAMPNS: so a generator that is kept from its
// CPU does not take its own delay for the server's. On loopback that is the time of the server's send.
type stamping struct {
	header  unix.Msghdr
	piece   unix.Iovec
	control [64]byte
}

// stamped asks for stamps on a socket. A refusal shows: what is read has none then.
func stamped(fd int) {
	one := int32(1)
	unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, uintptr(unsafe.Pointer(&one)), 4, 0)
}

// read is readSocket, and the monotonic time at which the last byte of what it read had arrived; 0 if the kernel did not
// say. The stamp is of the wall clock: how old it is says when that was, both clocks being read at once.
func (s *stamping) read(fd int, b []byte) (n int, arrived int64, e unix.Errno) {
	s.piece.Base = &b[0]
	s.piece.SetLen(len(b))
	s.header.Iov = &s.piece
	s.header.SetIovlen(1)
	s.header.Control = &s.control[0]
	s.header.SetControllen(len(s.control))
	r, _, e := unix.RawSyscall6(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.header)), 0, 0, 0, 0)
	if e != 0 || r == 0 {
		return int(r), 0, e
	}
	at := time.Now()
	head := (*unix.Cmsghdr)(unsafe.Pointer(&s.control[0]))
	if s.header.Controllen < unix.SizeofCmsghdr+uint64(unsafe.Sizeof(unix.Timespec{})) || head.Level != unix.SOL_SOCKET || head.Type != unix.SCM_TIMESTAMPNS {
		return int(r), 0, 0
	}
	ts := (*unix.Timespec)(unsafe.Pointer(&s.control[unix.SizeofCmsghdr]))
	return int(r), int64(at.Sub(origin)) - (at.UnixNano() - ts.Nano()), 0
}
