package load

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of a body that is not compared only the length matters. A kernel counts bytes without handing them out (MSG_TRUNC,
// tcp(7)), which spares the generator the copy: an answer of 64 KiB costs it half, and the server's part stays as it is.
const (
	skimFrom = 16 << 10 // bodies from this length on
	skimHead = 2 << 10  // read first, for the head: what lies behind it in the body is copied
)

// skims says whether the next bytes of a connection can be counted without reading them: they are of a sized body that
// nobody compares.
func (l *loop) skims(c *conn) bool {
	return l.plan.want.every > 1 && c.waiting == 1 && c.reply.step == stepLength && !c.compare && !c.learning && c.reply.left > 0
}

// room is how much of a reply to read at once: little where a head is expected before a body that will be skimmed.
func (l *loop) room(c *conn) []byte {
	f := &l.known.frame
	if l.plan.want.every > 1 && c.reply.step == stepHead && f.body == bodyLength && f.length >= skimFrom {
		return l.buffer[:skimHead]
	}
	return l.buffer
}

// skim counts what has arrived of such a body, and says how many bytes it would have taken. It asks for one more than
// the body has: where none comes, the socket is known to be empty, and one that comes is an error.
func (l *loop) skim(c *conn) (n, asked int, e unix.Errno) {
	// Not more than the buffer's length: a kernel that knows no MSG_TRUNC writes into it.
	asked = int(min(c.reply.left+1, int64(len(l.buffer))))
	n, e = dropSocket(c.fd, l.buffer[:asked])
	if e != 0 || n == 0 {
		return n, asked, e
	}
	l.now = now()
	l.tally.bytesIn += uint64(n)
	body := min(int64(n), c.reply.left)
	c.reply.left -= body
	c.got += body
	if c.reply.left == 0 {
		c.reply.step = stepHead
		l.answer(c, n-int(body))
	}
	return n, asked, 0
}

// dropSocket has the kernel drop bytes that arrived, as many as b has room for. n is 0 at the end of the stream.
func dropSocket(fd int, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_TRUNC, 0, 0)
	return int(n), e
}
