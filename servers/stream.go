package servers

import (
	"os"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// inputSize is the one read buffer of a loop or worker; a Conn takes at most its Room of it.
const inputSize = 64 << 10

// stream is a connection on a non-blocking descriptor that is watched edge-triggered: what is known about the socket, and
// the Conn. So it needs one epoll_ctl in its life, and a second one when its socket is full for the first time. All of it
// belongs to the owner of the Conn.
type stream struct {
	httpcore.Conn
	fd  int32 // -1 when closed
	gen int32 // tells the lives of a descriptor apart

	readable bool // a read may give bytes: no EAGAIN nor short read since the last edge
	hangup   bool // the peer's FIN has come, perhaps behind unread bytes: only a read of 0 ends reading
	ended    bool // that read was made, or seen to come
	blocked  bool // the socket was full: wait for EPOLLOUT
	watching bool // EPOLLOUT is asked for
	shut     bool // we have sent our FIN
}

const (
	watchRead  = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	watchWrite = watchRead | unix.EPOLLOUT
)

// begin makes s ready for a new descriptor.
func (s *stream) begin(fd int, gen int32) {
	s.fd, s.gen = int32(fd), gen
	s.readable, s.hangup, s.ended, s.blocked, s.watching, s.shut = false, false, false, false, false, false
}

// note takes in an event. It returns false if the connection is dead: reset or timed out.
func (s *stream) note(events uint32) bool {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if !s.shut {
			return false
		}
		s.readable = true // our own FIN and the peer's together are a HUP too
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		s.readable = true
		s.hangup = s.hangup || events&unix.EPOLLRDHUP != 0
	}
	if events&unix.EPOLLOUT != 0 {
		s.blocked = false
	}
	return true
}

// outcome is how a turn with a stream ended.
type outcome uint8

const (
	turnWaits  outcome = iota // for an event, a timer or a reply
	turnAgain                 // for another turn, after the others had theirs
	turnCloses                // the connection is to be closed; the error says why, nil if that was agreed
)

// hands is what one owner of streams works with. All its streams are watched by poller.
type hands struct {
	poller *poller
	in     []byte
	out    flusher
}

// newHands returns the hands of a new owner.
func newHands(p *poller) hands { return hands{poller: p, in: make([]byte, inputSize)} }

// turn serves s: at most one read or Pump, then as much writing as a turn allows, at once.
func (h *hands) turn(s *stream, now int64) (outcome, error) {
	if errno := h.take(s, now); errno != 0 {
		return turnCloses, errno
	}
	return h.settle(s)
}

// take is the part of a turn before its writing.
func (h *hands) take(s *stream, now int64) unix.Errno {
	switch w := s.Want(); {
	case w&httpcore.Again != 0:
		s.Pump(now)
	case w&httpcore.Read != 0 && s.readable && !s.ended:
		b, errno := h.receive(s, s.Room())
		if errno != 0 {
			return errno
		}
		if len(b) > 0 {
			s.Feed(b, now)
		} else if s.ended {
			s.End()
		}
	}
	return 0
}

// receive makes one read of at most room bytes. No bytes mean that there are none now, or, with ended, no more.
func (h *hands) receive(s *stream, room int) ([]byte, unix.Errno) {
	b := h.in[:min(room, inputSize)]
	n, errno := recvNow(int(s.fd), b)
	switch {
	case errno == unix.EAGAIN:
		s.readable = false
	case errno != 0:
		return nil, errno
	case n == 0:
		s.readable, s.ended = false, true
	default:
		// A short read has emptied the socket: the next byte is a new edge. A FIN that came with the bytes is not.
		s.readable = n == len(b) || s.hangup
	}
	return b[:n], 0
}

// settle writes what is pending and acts on what s wants then.
func (h *hands) settle(s *stream) (outcome, error) {
	w := s.Want()
	how := turnWaits
	if w&httpcore.Write != 0 && !s.blocked {
		flushed, err := h.out.flush(int(s.fd), &s.Conn)
		switch flushed {
		case flushFull:
			h.full(s)
		case flushMore:
			how = turnAgain
		case flushGone:
			return turnCloses, err
		}
		w = s.Want()
	}
	if w == httpcore.Read && !s.readable { // nearly always
		return turnWaits, nil
	}
	if w&httpcore.Close != 0 {
		return turnCloses, nil
	}
	if w&(httpcore.Linger|httpcore.Write) == httpcore.Linger && !s.shut {
		s.shut = true
		shutdownWrite(int(s.fd))
	}
	switch {
	case w&httpcore.Again != 0:
		how = turnAgain
	case !s.readable || s.ended:
	case w&httpcore.Read != 0:
		how = turnAgain
	case s.hangup:
		return h.seeEnd(s, how)
	}
	return how, nil
}

// seeEnd looks for the peer's end of a stream that is not read now, being held or full: a FIN with nothing before it.
func (h *hands) seeEnd(s *stream, how outcome) (outcome, error) {
	n, errno := unread(int(s.fd))
	switch {
	case errno == unix.EAGAIN || n > 0:
		return how, nil
	case errno != 0:
		return turnCloses, errno
	}
	s.ended = true
	s.End()
	return turnAgain, nil
}

// full remembers that the socket takes no more, and asks for EPOLLOUT the first time; being edge-triggered it may stay.
func (h *hands) full(s *stream) {
	s.blocked = true
	if !s.watching {
		s.watching = true
		h.poller.rewatch(int(s.fd), s.gen, watchWrite)
	}
}

// spent reports whether a draining core may close s: it waits for a request of which nothing has come.
func (s *stream) spent() bool {
	if !s.Idle() {
		return false
	}
	n, errno := unread(int(s.fd))
	s.readable = s.readable || n > 0
	return n == 0 || errno != 0
}

// last turns the outcome of a turn into that of one late in a drain: what has become idle closes. Its last reply may have
// promised otherwise, before the drain began.
func (s *stream) last(how outcome) outcome {
	switch {
	case how != turnWaits || !s.Idle():
		return how
	case s.spent():
		return turnCloses
	}
	return turnAgain
}

// socketError returns why a socket is dead.
func socketError(fd int) error {
	if v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && v != 0 {
		return os.NewSyscallError("socket", unix.Errno(v))
	}
	return os.NewSyscallError("socket", unix.ECONNRESET)
}
