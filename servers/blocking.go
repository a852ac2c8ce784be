package servers

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// receiveSize is what one read of a blocking core takes at the most; a Conn takes at most its Room of it.
const receiveSize = 64 << 10

// blocking is a server of threads, each of which accepts a connection and serves it from start to finish: one for
// sequential, many for pool. A connection that finds all threads busy waits in the listener's backlog, unseen; that is the
// limit of this architecture, and nothing here softens it.
type blocking struct {
	cfg      Config
	listener int
	addr     netip.AddrPort
	threads  []*thread
	draining atomic.Bool
	lastAt   atomic.Int64 // while draining: the end of lastGrace
	cut      atomic.Bool

	queuedAll chan struct{} // closed when queued has all that waited in the backlog when the drain began
	outs      outsOpen

	queuedMu sync.Mutex
	queued   []int // descriptors, for the threads that become free
}

func newBlocking(cfg Config, h *httpcore.Handler, n int) (*blocking, error) {
	fd, err := listen(cfg.Addr, cfg.Backlog, false, true)
	if err != nil {
		return nil, err
	}
	s := &blocking{cfg: cfg, listener: fd, queuedAll: make(chan struct{})}
	if s.addr, err = localAddr(fd); err != nil {
		s.close()
		return nil, err
	}
	for range n {
		t, err := newThread(s, h)
		if err != nil {
			s.close()
			return nil, err
		}
		t.index = len(s.threads)
		s.threads = append(s.threads, t)
	}
	return s, nil
}

func (s *blocking) Addr() netip.AddrPort { return s.addr }

func (s *blocking) Stats() []WorkerStats {
	stats := make([]WorkerStats, len(s.threads))
	for i, t := range s.threads {
		stats[i] = t.tally.snapshot()
	}
	return stats
}

func (s *blocking) close() {
	closeNow(s.listener)
	for _, fd := range s.queued { // where no thread was left to take them
		closeNow(fd)
	}
	for _, t := range s.threads {
		t.close()
	}
	s.outs.close()
}

// Serve implements Server.
func (s *blocking) Serve(ctx context.Context) error {
	defer s.close()
	var threads sync.WaitGroup
	failed := make(chan error, len(s.threads)) // a thread ends once
	for _, t := range s.threads {
		threads.Go(func() {
			if err := t.run(); err != nil {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.lastAt.Store(monotonic() + int64(min(lastGrace, s.cfg.Grace)))
	s.draining.Store(true)
	s.takeQueued()
	s.wake()
	grace := time.AfterFunc(s.cfg.Grace, func() {
		s.cut.Store(true)
		s.wake()
	})
	defer grace.Stop()
	threads.Wait()
	return err
}

// takeQueued ends accepting. Shutting the listener down resets what waits in its backlog: it is taken before, as far as
// there are files.
func (s *blocking) takeQueued() {
	defer close(s.queuedAll)
	if unix.SetNonblock(s.listener, true) == nil { // of an accept that blocks already it changes nothing
		acceptQueued(s.listener, func(fd int) { s.queued = append(s.queued, fd) })
	}
	unix.Shutdown(s.listener, unix.SHUT_RDWR) // ends every accept that blocks, with EINVAL
}

// nextQueued returns the next of what takeQueued took, once it has.
func (s *blocking) nextQueued() (fd int, found bool) {
	<-s.queuedAll
	s.queuedMu.Lock()
	defer s.queuedMu.Unlock()
	if len(s.queued) == 0 {
		return -1, false
	}
	fd, s.queued = s.queued[0], s.queued[1:]
	return fd, true
}

func (s *blocking) wake() {
	for _, t := range s.threads {
		t.ring()
	}
}

// thread serves one connection after the other, on an OS thread of its own. It is the Loop of the one it serves.
type thread struct {
	server *blocking
	index  int
	env    httpcore.Env
	free   freeList
	date   dateline
	tally  tally
	flush  flusher

	conn   httpcore.Conn
	fd     int
	now    int64
	timers alarms
	outs   outset
	shut   bool // the write side is shut down
	parting
	buf []byte

	box     inbox
	bell    int // eventfd
	bellMu  sync.Mutex
	closed  bool // bell is; guarded by bellMu
	polled  []unix.PollFd
	timeout unix.Timespec
}

func newThread(s *blocking, h *httpcore.Handler) (*thread, error) {
	bell, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventfd for a thread: %w%s", err, listenAdvice(err))
	}
	t := &thread{server: s, bell: bell, buf: make([]byte, receiveSize)}
	t.env = httpcore.Env{Handler: h, Buffers: &t.free}
	return t, nil
}

// ring ends the wait that the thread is in or enters next, unless that is for a connection.
func (t *thread) ring() {
	t.bellMu.Lock()
	defer t.bellMu.Unlock()
	if !t.closed { // otherwise the number may be another file's by now
		one := [8]byte{1}
		unix.Write(t.bell, one[:]) // EAGAIN says that it has been rung often enough
	}
}

func (t *thread) close() {
	t.bellMu.Lock()
	defer t.bellMu.Unlock()
	t.closed = true
	closeNow(t.bell)
}

// run accepts and serves until the server stops.
func (t *thread) run() error {
	runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
	if err := confine(t.server.cfg.Workers); err != nil {
		return err
	}
	for !t.server.draining.Load() {
		// The new descriptor does not block: the thread does, in poll, where a deadline and the server's end reach it. In
		// a blocking write they would not.
		fd, errno := acceptWait(t.server.listener, false)
		switch {
		case errno == 0:
			t.serve(fd)
		case outOfFiles(errno):
			t.wait(-1, 0, monotonic()+int64(acceptPause))
		case t.server.draining.Load():
		case gone(errno) || errno == unix.EAGAIN || errno == unix.EPROTO:
			// That client left while it waited in the backlog.
		default:
			return fmt.Errorf("accept on %v: %w", t.server.addr, errno)
		}
	}
	for fd, found := t.server.nextQueued(); found; fd, found = t.server.nextQueued() {
		t.serve(fd)
	}
	return nil
}

// serve serves the connection fd to its end.
func (t *thread) serve(fd int) {
	t.fd, t.shut, t.parting = fd, false, parting{}
	t.look()
	t.tally.accepted++
	t.tally.open++
	t.outs.gone = false
	t.conn.Open(&t.env, t, t.now)
	t.conn.Abort(t.converse())
	t.outs.close()
	t.timers = nil
	t.box.take()
	closeStuck(fd, t.conn.Stuck())
	t.tally.open--
	t.tally.publish(&t.env.Count)
}

// look takes the time.
func (t *thread) look() {
	t.now = monotonic()
	t.date.refresh(&t.env, t.now)
}

// converse drives the connection until it is over, and returns nil if that was in order.
func (t *thread) converse() error {
	c := &t.conn
	for {
		full := false
		if c.Want()&httpcore.Write != 0 {
			how, err := t.flush.flush(t.fd, c)
			if how == flushGone {
				return err
			}
			full = how == flushFull
		}
		t.tally.publish(&t.env.Count)
		if t.server.draining.Load() {
			if over, err := t.stop(t, &t.conn, t.server.cut.Load(), t.server.lastAt.Load(), t.fd); over {
				return err
			}
		}
		want := c.Want()
		switch {
		case want&httpcore.Close != 0:
			return nil
		case want&httpcore.Again != 0:
			t.look()
			c.Pump(t.now)
			continue
		case want&httpcore.Write != 0 && !full:
			continue
		case want&httpcore.Linger != 0 && want&httpcore.Write == 0 && !t.shut:
			t.shut = true
			shutdownWrite(t.fd)
		}
		if err := t.turn(want); err != nil {
			return err
		}
	}
}

// turn waits for what the connection wants, and acts on what came.
func (t *thread) turn(want httpcore.Interest) error {
	c := &t.conn
	var events int16
	if want&httpcore.Read != 0 {
		events |= unix.POLLIN
	}
	if want&httpcore.Write != 0 {
		events |= unix.POLLOUT
	}
	came, rung := t.wait(t.fd, events, t.outs.before(t.timers.before(c.Deadline())))
	t.look()
	t.serveOutbounds()
	if rung {
		for _, fire := range t.box.take() {
			fire()
		}
	}
	t.timers.ring(t.now)
	t.outs.ring(t.now)
	if d := c.Deadline(); d != 0 && t.now >= d {
		c.Pump(t.now)
	}
	switch {
	case came&(unix.POLLIN|unix.POLLHUP|unix.POLLERR) == 0:
		return nil
	case c.Want()&httpcore.Read != 0:
		return t.read()
	case came&(unix.POLLHUP|unix.POLLERR) != 0:
		return unix.ECONNRESET // nothing is read while a reply is held, but that the client has gone is seen
	}
	return nil
}

// read takes what is there once.
func (t *thread) read() error {
	n, errno := recvNow(t.fd, t.buf[:min(len(t.buf), t.conn.Room())])
	switch {
	case errno == unix.EAGAIN:
		return nil
	case errno != 0:
		return errno
	case n == 0:
		t.conn.End()
	default:
		t.conn.Feed(t.buf[:n], t.now)
	}
	return nil
}

// nothingUnread reports whether the socket's receive queue holds no byte, so that closing it destroys no request.
func nothingUnread(fd int) bool {
	n, errno := unread(fd)
	return n == 0 || errno != 0
}

// beforeOutbounds is how many descriptors a thread polls besides its outbound connections: its client's and the bell.
const beforeOutbounds = 2

// wait polls fd for events, the bell and the outbound connections, until the monotonic time due; 0 waits for ever.
func (t *thread) wait(fd int, events int16, due int64) (came int16, rung bool) {
	t.polled = append(t.polled[:0], unix.PollFd{Fd: int32(fd), Events: events}, unix.PollFd{Fd: int32(t.bell), Events: unix.POLLIN})
	if t.pollOutbounds() {
		due = t.now // which has passed: only look
	}
	var timeout *unix.Timespec
	if due != 0 {
		t.timeout = unix.NsecToTimespec(max(0, due-monotonic()))
		timeout = &t.timeout
	}
	if _, err := unix.Ppoll(t.polled, timeout, nil); err != nil {
		t.polled = t.polled[:beforeOutbounds]
		return 0, false // EINTR: the caller looks and waits again
	}
	if rung = t.polled[1].Revents != 0; rung {
		var count [8]byte
		unix.Read(t.bell, count[:])
	}
	return t.polled[0].Revents, rung
}

// Now implements httpcore.Loop.
func (t *thread) Now() int64 { return t.now }

// Post implements httpcore.Loop.
func (t *thread) Post(fire func()) {
	if t.box.post(fire) {
		t.ring()
	}
}

// After implements httpcore.Loop.
func (t *thread) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	return t.timers.add(t.now+int64(d), fire)
}

// Wake implements httpcore.Loop: the thread looks at its connection after every timer and post anyway.
func (t *thread) Wake(*httpcore.Conn) {}
