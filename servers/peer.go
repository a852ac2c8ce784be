package servers

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// The cores' loops implement httpcore.Peering.

func (l *loop) PeerOf(c *httpcore.Conn) netip.AddrPort { return peerAddr(int(c.Owner.(*loopConn).fd)) }

func (l *uringLoop) PeerOf(c *httpcore.Conn) netip.AddrPort {
	return peerAddr(int(c.Owner.(*uringConn).fd))
}

func (c *roamConn) PeerOf(*httpcore.Conn) netip.AddrPort { return peerAddr(int(c.fd)) }

func (t *thread) PeerOf(*httpcore.Conn) netip.AddrPort { return peerAddr(t.fd) }

func (t *talk) PeerOf(*httpcore.Conn) netip.AddrPort { return peerAddr(t.fd) }

func (c *evioConn) PeerOf(*httpcore.Conn) netip.AddrPort { return peerAddr(socketOf(c.ev)) }

// peerAddr returns the address at the other end of a connected socket, the zero AddrPort where it is gone.
func peerAddr(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
