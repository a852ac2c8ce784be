package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

var goroutineCore = Core{
	Name: "goroutine",
	Doc:  "a goroutine for each connection, blocking on Go's network poller",
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		return newGoroutines(cfg.Filled(), h)
	},
}

// goroutines is the server of the core.
type goroutines struct {
	cfg      Config
	handler  *httpcore.Handler
	listener *net.TCPListener
	desks    sync.Pool // of *desk
	draining atomic.Bool
	lastAt   atomic.Int64 // while draining: the end of lastGrace
	cut      atomic.Bool
	outs     outsOpen

	accepted, requests, errors atomic.Uint64

	mu   sync.Mutex
	open map[*talk]struct{}
	over sync.WaitGroup // open talks
}

func newGoroutines(cfg Config, h *httpcore.Handler) (*goroutines, error) {
	// Without KeepAlive: -1, Go makes four system calls for each accepted connection.
	lc := net.ListenConfig{KeepAlive: -1, Control: boundUnsent}
	lc.SetMultipathTCP(false) // a multipath listener keeps TCP options to itself, and the other cores have none
	var ln net.Listener
	var err error
	if len(cfg.Listeners) > 0 {
		ln, err = cfg.listenInherited()
	} else {
		ln, err = lc.Listen(context.Background(), "tcp", cfg.Addr.String())
	}
	if err != nil {
		errno, _ := errors.AsType[syscall.Errno](err)
		return nil, fmt.Errorf("%w%s", err, listenAdvice(errno))
	}
	s := &goroutines{cfg: cfg, handler: h, listener: ln.(*net.TCPListener), open: make(map[*talk]struct{})}
	s.desks.New = func() any { return newDesk(s) }
	if err := s.setBacklog(); err != nil {
		ln.Close()
		return nil, err
	}
	return s, nil
}

// boundUnsent sets unsentMost on a listener, from which accepted sockets inherit it.
func boundUnsent(_, _ string, raw syscall.RawConn) error {
	var set error
	if err := raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", set)
}

// setBacklog calls listen a second time, which on Linux changes the backlog: Go takes the system's maximum.
func (s *goroutines) setBacklog() error {
	raw, err := s.listener.SyscallConn()
	if err != nil {
		return fmt.Errorf("listener of %v: %w", s.Addr(), err)
	}
	var listened error
	if err := raw.Control(func(fd uintptr) { listened = unix.Listen(int(fd), s.cfg.Backlog) }); err != nil {
		return fmt.Errorf("listener of %v: %w", s.Addr(), err)
	}
	if listened != nil {
		return fmt.Errorf("listen %v: %w", s.Addr(), listened)
	}
	return nil
}

func (s *goroutines) Addr() netip.AddrPort {
	return s.listener.Addr().(*net.TCPAddr).AddrPort()
}

// Stats implements Server. The whole server is one worker: which goroutine ran where is the scheduler's.
func (s *goroutines) Stats() []WorkerStats {
	s.mu.Lock()
	open := len(s.open)
	s.mu.Unlock()
	return []WorkerStats{{
		Accepted: s.accepted.Load(), Open: int64(open), Requests: s.requests.Load(), Errors: s.errors.Load(),
	}}
}

// Serve implements Server.
func (s *goroutines) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.accept(ctx) }()
	var err error
	accepting := true
	select {
	case <-ctx.Done():
	case err = <-failed:
		accepting = false
	}
	s.lastAt.Store(monotonic() + int64(min(lastGrace, s.cfg.Grace)))
	s.draining.Store(true)
	if accepting {
		s.listener.SetDeadline(past)
		<-failed // or a connection accepted just now would be missed below
		s.takeQueued()
	}
	s.listener.Close()
	s.callAll()
	grace := time.AfterFunc(s.cfg.Grace, func() {
		s.cut.Store(true)
		s.callAll()
	})
	defer grace.Stop()
	s.over.Wait()
	s.outs.close()
	return err
}

// accept accepts until ctx ends.
func (s *goroutines) accept(ctx context.Context) error {
	for {
		nc, err := s.listener.AcceptTCP()
		if err == nil {
			s.start(nc)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errno, ok := errors.AsType[syscall.Errno](err); ok && outOfFiles(errno) {
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		return fmt.Errorf("accept: %w", err)
	}
}

// takeQueued begins a talk on each connection that waits in the backlog: closing the listener would reset it. The
// listener's deadline has passed, so that its own accept does not look there any more.
func (s *goroutines) takeQueued() {
	raw, err := s.listener.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(listener uintptr) { acceptQueued(int(listener), s.startQueued) })
}

// startQueued begins a talk on an accepted descriptor.
func (s *goroutines) startQueued(fd int) {
	file := os.NewFile(uintptr(fd), "")
	defer file.Close() // what follows has a duplicate
	if nc, err := net.FileConn(file); err == nil {
		s.start(nc.(*net.TCPConn))
	}
}

// start begins a talk on nc.
func (s *goroutines) start(nc *net.TCPConn) {
	t := &talk{server: s, nc: nc}
	raw, err := nc.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { t.fd = int(fd) })
	}
	if err != nil {
		nc.Close() // it was not open to begin with
		return
	}
	t.raw = raw
	t.tryRead, t.tryWrite, t.tryGone = t.readable, t.writable, t.leaves
	t.index = int(s.accepted.Add(1) % uint64(s.cfg.Workers))
	s.mu.Lock()
	s.open[t] = struct{}{}
	s.mu.Unlock()
	s.over.Go(t.run)
}

// callAll has every talk look at the server's state.
func (s *goroutines) callAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.open {
		t.call()
	}
}

// desk is what a talk works with while it does not wait: an idle connection holds none. Few exist at a time, as few
// goroutines run at a time.
type desk struct {
	env   httpcore.Env
	free  freeList
	date  dateline
	flush flusher
	count httpcore.Counters // published of env.Count
	buf   [receiveSize]byte
}

func newDesk(s *goroutines) *desk {
	d := &desk{}
	d.env = httpcore.Env{Handler: s.handler, Buffers: &d.free}
	return d
}

// talk is one connection and the goroutine that owns it. It is the Loop of its handlers.
type talk struct {
	server *goroutines
	nc     *net.TCPConn
	raw    syscall.RawConn
	fd     int // of nc; open as long as the goroutine runs, which alone closes it
	conn   httpcore.Conn
	desk   *desk // nil while waiting
	now    int64
	timers alarms
	box    inbox
	outs   outset
	index  int // of the shard

	// The waits' callbacks, made once; what tryRead may take, and what it got.
	tryRead, tryWrite, tryGone func(fd uintptr) bool
	room, got                  int
	errno                      unix.Errno

	armed int64 // what nc's deadline is set to; 0 for none, below 0 for unknown
	shut  bool  // the write side is shut down
	parting

	state atomic.Uint32 // running, waiting or called
}

// States of a talk. A caller who finds it waiting ends the wait by a deadline in the past. The wait has one deadline
// anyway, so that a held connection needs neither a second goroutine nor a channel.
const (
	running uint32 = iota
	waiting
	called
)

var past = time.Unix(1, 0)

// call has the talk look at its inbox and at the server's state, soon. Any goroutine may call it.
func (t *talk) call() {
	if t.state.Swap(called) == waiting {
		t.nc.SetDeadline(past)
	}
}

// sit takes a desk, unless the wait did, and the time.
func (t *talk) sit() {
	if t.desk == nil {
		t.desk = t.server.desks.Get().(*desk)
	}
	t.now = monotonic()
	t.desk.date.refresh(&t.desk.env, t.now)
}

// rise gives the desk back.
func (t *talk) rise() {
	d := t.desk
	t.desk = nil
	count := d.env.Count
	if n := count.Requests - d.count.Requests; n != 0 {
		t.server.requests.Add(n)
	}
	if n := count.Errors - d.count.Errors; n != 0 {
		t.server.errors.Add(n)
	}
	d.count = count
	t.server.desks.Put(d)
}

// run serves the connection to its end.
func (t *talk) run() {
	t.sit()
	t.conn.Open(&t.desk.env, t, t.now)
	t.conn.Abort(t.converse())
	t.outs.close()
	t.rise()
	if t.conn.Stuck() {
		t.nc.SetLinger(0) // as closeStuck does
	}
	t.nc.Close()
	s := t.server
	s.mu.Lock()
	delete(s.open, t)
	s.mu.Unlock()
}

// converse drives the connection until it is over, and returns nil if that was in order.
func (t *talk) converse() error {
	c := &t.conn
	for {
		full := false
		if c.Want()&httpcore.Write != 0 {
			how, err := t.desk.flush.flush(t.fd, c)
			if how == flushGone {
				return err
			}
			full = how == flushFull
		}
		if t.server.draining.Load() {
			if over, err := t.stop(t, &t.conn, t.server.cut.Load(), t.server.lastAt.Load(), t.fd); over {
				return err
			}
		}
		want := c.Want()
		what := forGone
		switch {
		case full:
			// Nothing is read while the peer does not take what it asked for.
			what = forRoom
		case want&httpcore.Close != 0:
			return nil
		case want&httpcore.Again != 0:
			t.now = monotonic()
			c.Pump(t.now)
			continue
		case want&httpcore.Write != 0:
			continue
		case want&httpcore.Read != 0:
			what = forBytes
		}
		if what != forRoom && want&httpcore.Linger != 0 && !t.shut {
			t.shut = true
			shutdownWrite(t.fd)
		}
		if err := t.wait(what); err != nil {
			return err
		}
	}
}

// purpose is what a talk waits for, beside its timers and calls.
type purpose uint8

const (
	forBytes purpose = iota // the socket is readable
	forRoom                 // the socket is writable
	forGone                 // the connection is reset; all else is left where it is
)

// wait gives the desk back and blocks until what it is for has come, a timer or the connection's deadline is due, or
// somebody calls; then it acts on that.
func (t *talk) wait(what purpose) error {
	t.arm(t.outs.before(t.timers.before(t.conn.Deadline())))
	t.room = min(receiveSize, t.conn.Room())
	t.rise()
	err := os.ErrDeadlineExceeded
	if t.state.CompareAndSwap(running, waiting) {
		err = t.block(what)
	}
	wasCalled := t.state.Swap(running) == called
	t.sit()
	t.conn.Move(&t.desk.env)
	if wasCalled || err != nil {
		t.armed = -1
	}
	switch {
	case err == nil:
		err = t.act(what)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = nil
	}
	if wasCalled {
		for _, fire := range t.box.take() {
			fire()
		}
		t.serveOutbounds()
	}
	t.timers.ring(t.now)
	t.outs.ring(t.now)
	if d := t.conn.Deadline(); d != 0 && t.now >= d {
		t.conn.Pump(t.now)
	}
	return err
}

// block is the wait itself.
func (t *talk) block(what purpose) error {
	switch what {
	case forBytes:
		return t.raw.Read(t.tryRead)
	case forRoom:
		return t.raw.Write(t.tryWrite)
	}
	return t.raw.Read(t.tryGone)
}

// arm sets the deadline of the waits, if due comes before the one that is set. A deadline that has moved later, as
// with every request, is left as it is: when the earlier one fires, the real one is looked at.
func (t *talk) arm(due int64) {
	if t.armed >= 0 && (due == 0 || t.armed != 0 && t.armed <= due) {
		return
	}
	t.armed = due
	t.nc.SetDeadline(timeAt(due))
}

// readable reads into a desk's buffer if there is anything, and keeps the desk then.
func (t *talk) readable(fd uintptr) bool {
	d := t.server.desks.Get().(*desk)
	t.got, t.errno = recvNow(int(fd), d.buf[:t.room])
	if t.errno == unix.EAGAIN {
		t.server.desks.Put(d)
		return false
	}
	t.desk = d
	return true
}

func (t *talk) writable(fd uintptr) bool { return t.polls(fd, unix.POLLOUT) }

func (t *talk) leaves(fd uintptr) bool { return t.polls(fd, 0) }

// polls reports whether the socket has one of the events, or is dead.
func (t *talk) polls(fd uintptr, events int16) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	n, _ := unix.Poll(p[:], 0)
	return n > 0
}

// act tells the connection what came.
func (t *talk) act(what purpose) error {
	switch {
	case what == forRoom:
		return nil // the next flush sees whether it is room or an error
	case what == forGone:
		return unix.ECONNRESET
	case t.errno != 0:
		return t.errno
	case t.got == 0:
		t.conn.End()
	default:
		t.conn.Feed(t.desk.buf[:t.got], t.now)
	}
	return nil
}

// Now implements httpcore.Loop.
func (t *talk) Now() int64 { return t.now }

// Post implements httpcore.Loop.
func (t *talk) Post(fire func()) {
	t.box.post(fire)
	t.call()
}

// After implements httpcore.Loop.
func (t *talk) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	return t.timers.add(t.now+int64(d), fire)
}

// Wake implements httpcore.Loop: the goroutine looks at its connection after every timer and post anyway.
func (t *talk) Wake(*httpcore.Conn) {}
