package servers

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// turnBytes bounds what one connection may write before the others have their turn.
const turnBytes = 1 << 20

// bounceSize is the size of the buffer for files that sendfile cannot read.
const bounceSize = 64 << 10

// flushed is how a flush ended.
type flushed uint8

const (
	flushDone flushed = iota // nothing is pending
	flushFull                // the socket takes no more now: EAGAIN
	flushMore                // turnBytes were written and more is pending
	flushGone                // the connection is dead; see the error
)

// flusher is the write side of a core that owns its descriptors. It belongs to one owner, who uses it for all of its
// connections.
type flusher struct {
	block bool // descriptors may block: tell the scheduler

	segments []httpcore.Segment
	iovecs   [maxIovecs]unix.Iovec
	header   unix.Msghdr
	offset   int64
	bounce   []byte
}

// pender is the part of httpcore.Conn that a flush uses.
type pender interface {
	Pending(dst []httpcore.Segment) []httpcore.Segment
	Wrote(n int64)
}

// flush writes what c has pending until there is none, the socket is full, or a turn's share is written. It tells c what
// was written.
func (f *flusher) flush(fd int, c *httpcore.Conn) (flushed, error) {
	if b := c.Flat(); len(b) > 0 && len(b) <= turnBytes { // nearly every reply
		var n int
		var errno unix.Errno
		if f.block {
			n, errno = sendWait(fd, b, 0)
		} else {
			n, errno = sendNow(fd, b, 0)
		}
		switch {
		case errno == unix.EAGAIN:
			return flushFull, nil
		case errno != 0:
			return flushGone, errno
		}
		c.Wrote(int64(n))
		if n == len(b) {
			return flushDone, nil
		}
	}
	return f.flushRest(fd, c)
}

// flushRest is flush for everything but one segment that the socket takes at once.
func (f *flusher) flushRest(fd int, c pender) (flushed, error) {
	for total := int64(0); total < turnBytes; {
		f.segments = c.Pending(f.segments[:0])
		if len(f.segments) == 0 {
			return flushDone, nil
		}
		n, err := f.write(fd, f.segments)
		clear(f.segments)
		if n > 0 {
			c.Wrote(n)
			total += n
		}
		if err == unix.EAGAIN {
			return flushFull, nil
		}
		if err != nil {
			return flushGone, err
		}
	}
	f.segments = c.Pending(f.segments[:0])
	defer clear(f.segments)
	if len(f.segments) == 0 {
		return flushDone, nil
	}
	return flushMore, nil
}

// write makes one system call for the first segments: those before a file range, or the file range.
func (f *flusher) write(fd int, segments []httpcore.Segment) (int64, error) {
	if segments[0].File != nil {
		return f.writeFile(fd, &segments[0])
	}
	k, size := gather(f.iovecs[:], segments)
	flags := 0
	if k < len(segments) {
		flags = unix.MSG_MORE // a head and the file behind it share packets
	}
	var n int
	var errno unix.Errno
	if k == 1 {
		n, errno = f.send(fd, segments[0].Bytes[:size], flags)
	} else {
		f.header.Iov = &f.iovecs[0]
		f.header.SetIovlen(k)
		n, errno = sendmsg(fd, &f.header, flags, f.block)
	}
	clear(f.iovecs[:k])
	if errno != 0 {
		return 0, errno
	}
	return int64(n), nil
}

// gather fills iovecs with the first segments of memory, as many as there are before a file, fit, and a turn may write. It
// returns how many there are and their bytes.
func gather(iovecs []unix.Iovec, segments []httpcore.Segment) (k, size int) {
	for k < len(segments) && k < len(iovecs) && segments[k].File == nil && size < turnBytes {
		b := segments[k].Bytes
		b = b[:min(len(b), turnBytes-size)]
		iovecs[k].Base = &b[0]
		iovecs[k].SetLen(len(b))
		size += len(b)
		k++
	}
	return k, size
}

func (f *flusher) send(fd int, b []byte, flags int) (int, unix.Errno) {
	if f.block {
		return sendWait(fd, b, flags)
	}
	return sendNow(fd, b, flags)
}

// writeFile sends a part of a file range.
func (f *flusher) writeFile(fd int, s *httpcore.Segment) (int64, error) {
	if file := s.File.Fd(); file != ^uintptr(0) {
		f.offset = s.Off
		n, errno := sendfile(fd, file, &f.offset, int(min(s.Len, turnBytes)))
		switch errno {
		case 0:
			if n == 0 {
				return 0, shortFile(s)
			}
			return int64(n), nil
		case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.EOVERFLOW, unix.EBADF, unix.EPERM, unix.ESPIPE:
			// not a file that sendfile reads: copy
		default:
			return 0, errno
		}
	}
	if f.bounce == nil {
		f.bounce = make([]byte, bounceSize)
	}
	n, err := s.File.ReadAt(f.bounce[:min(s.Len, bounceSize)], s.Off)
	if n == 0 {
		if err == nil || err == io.EOF {
			err = shortFile(s)
		}
		return 0, err
	}
	w, errno := f.send(fd, f.bounce[:n], 0)
	if errno != 0 {
		return 0, errno
	}
	return int64(w), nil
}

// shortFile says that a file ends before the length that its reply announced. There is no way to tell the client but to
// cut the connection (RFC 9112 §8).
func shortFile(s *httpcore.Segment) error {
	return fmt.Errorf("file ends at %d, %d bytes before its reply: %w", s.Off, s.Len, io.ErrUnexpectedEOF)
}
