package servers

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// uringLoop is one event loop on an io_uring, with its own listener, connections, timers and buffers: what each worker of
// uring is. One goroutine, locked to its thread, runs it; only Post may be called by others.
//
// A turn is one system call. It hands over what the turn before has left to do, waits, and comes back with what happened:
//
//	         ┌── accept (multishot) ─────▶ adopt
//	enter ───┼── receive (multishot) ────▶ Feed ──▶ settle ──▶ writers ─┐
//	  ▲      └── what sends did ─────────▶ Wrote ─▶ settle ──▶ writers ─┤
//	  └────────── sends, receives armed and cancelled, closes ◀── flush ┘
//
// Accepts and receives stay in the ring and make an event each time. A receive takes a buffer from the ring, which the Conn
// is fed from where it lies; the buffer is back in the ring when the turn ends.
//
// A send never stays in the ring. It is built when the turn ends, from what the Conn has pending then, and does not wait
// (MSG_DONTWAIT): the kernel has read the bytes when enter returns, so that Feed and Pump may move them. Where the socket is
// full, a poll stays in the ring instead. Files are sent between the turns, by sendfile: the ring's splice would take two
// requests, a pipe for each connection and a thread of the kernel.
type uringLoop struct {
	ring     *uring
	wakefd   int
	postbox  postbox
	listener int // -1 once it is closed
	grace    time.Duration
	now      int64 // monotonic
	quiet    bool  // see wait
	brief    bool

	env     httpcore.Env
	dates   dateline
	buffers freeList
	out     flusher // of files
	wheel   wheel
	tally   tally

	conns   []*uringConn // by descriptor
	gen     uint32       // of the connection accepted last
	spare   []*uringConn
	ready   []*uringConn // to be served in this turn or the next
	turn    []*uringConn // those being served
	writers []*uringConn // with something to write when the turn ends
	sent    []*uringConn // whose sends were handed over
	scanned uint32       // the events before this one were looked at for what sends took
	drafts  drafts
	woken   bool
	outs    loopOutbounds

	within    int  // requests that stay in the ring: their last events are to come
	accepting bool // one of them accepts
	bounded   bool // the kernel knows receiveMost
	paused    bool
	resume    loopTimer // ends a pause in accepting
	draining  bool
	late      bool // and lastGrace is over
	stopped   bool // nothing is left to be done
}

// What an event is about: the upper byte of its userData, above the descriptor and the connection's generation.
const (
	uringReceived uint64 = iota
	uringSent
	uringWritable
	uringHangup
	uringAccepted
	uringWoken
	uringOutbound // of the descriptor, with the generation of an outbound connection
	uringDone     // a cancel or a close that failed: there was nothing to do
)

// uringMostFiles is above the highest descriptor that userData has room for.
const uringMostFiles = 1 << 24

func uringKey(what uint64, fd int, gen uint32) uint64 {
	return what<<56 | uint64(fd)<<32 | uint64(gen)
}

// newUringLoop makes a loop on a non-blocking listener, which it owns from then on.
func newUringLoop(listener int, cfg Config, h *httpcore.Handler, sizes uringSizes) (*uringLoop, error) {
	ring, err := openUring(sizes)
	if err != nil {
		unix.Close(listener)
		return nil, err
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		ring.close(true)
		unix.Close(listener)
		return nil, fmt.Errorf("eventfd: %w%s", err, listenAdvice(err))
	}
	l := &uringLoop{ring: ring, wakefd: wakefd, listener: listener, grace: cfg.Grace, now: monotonic(), quiet: true, bounded: true}
	l.brief = strings.Contains(os.Getenv("GODEBUG"), "asyncpreemptoff=1")
	l.postbox.wake = func() { wakeEvent(wakefd) }
	l.env.Handler, l.env.Buffers = h, &l.buffers
	l.wheel.start(l.now)
	l.outs.home, l.outs.wheel = l, &l.wheel
	l.resume = loopTimer{wheel: &l.wheel, fire: func(int64) { l.resumeAccept() }}
	l.resume.entry.owner = &l.resume
	return l, nil
}

// run serves until stop was posted and the loop has drained.
func (l *uringLoop) run() error {
	runtime.LockOSThread() // the ring takes requests of one thread alone
	defer runtime.UnlockOSThread()
	defer l.close()
	if err := l.ring.enable(); err != nil {
		return err
	}
	l.watchWake()
	l.startAccept()
	for !l.stopped {
		l.flush()
		if err := l.wait(l.until()); err != nil {
			return err
		}
		l.dates.refresh(&l.env, l.now)
		l.take()
		if l.woken {
			l.woken = false
			l.postbox.run()
		}
		l.wheel.advance(l.now)
		l.outs.serveReady()
		l.serveReady()
		l.tally.publish(&l.env.Count)
		l.stopped = l.draining && l.listener < 0 && l.tally.open == 0
	}
	return nil
}

// until returns when the next turn must begin: at once if a connection is ready, else with the next timer.
func (l *uringLoop) until() int64 {
	if len(l.ready) > 0 || len(l.outs.ready) > 0 {
		return l.now
	}
	return l.wheel.next()
}

// wait hands over the requests, and waits for events until the monotonic time until; 0 is for ever. It sets now.
//
// It has the two moods of poller, for the same reasons. The thread is locked here, so that yielding costs two switches of
// threads: a quiet loop does so only where others need its P, and else leaves it to them by an ordinary system call.
func (l *uringLoop) wait(until int64) error {
	timeout := int64(-1)
	if until != 0 {
		timeout = max(0, until-l.now)
	}
	quiet := l.quiet && (timeout < 0 || timeout > int64(rawWait))
	before := l.now
	switch {
	case quiet:
		if l.brief {
			runtime.Gosched()
		}
		before = monotonic() // a turn with many events is long
	case timeout >= 0 && timeout <= int64(rawWait):
	case l.brief:
		timeout = int64(rawWait)
	case timeout > int64(preemption):
		timeout = -1
	}
	errno := l.ring.wait(timeout, quiet)
	l.now = monotonic()
	from, to := l.ring.ready()
	if none := from == to; quiet {
		l.quiet = none || l.now-before >= int64(rawWait)
	} else {
		l.quiet = none && timeout != 0
	}
	if errno != 0 {
		return os.NewSyscallError("io_uring_enter", errno)
	}
	return nil
}

// take acts on what has happened. Sends come first: until it is known what they took, their connections take nothing. Then
// come outbound connections, see loopOutbounds.take.
func (l *uringLoop) take() {
	from, to := l.ring.ready()
	l.finishSends(to)
	if l.outs.open > 0 {
		l.takeOut(from, to)
	}
	for i := from; i != to; i++ {
		l.dispatch(*l.ring.event(i))
		if len(l.writers) >= writersMost {
			l.flush()
			l.ring.submit()
			_, sent := l.ring.ready()
			l.finishSends(sent)
		}
	}
	l.ring.seen(to)
}

// dispatch acts on one event. An event may be stale: its connection may have been closed, and its descriptor may be
// another's by now. The generation tells.
func (l *uringLoop) dispatch(e uringCQE) {
	what := e.userData >> 56
	if e.flags&uringMore == 0 && what != uringSent && what != uringDone { // the others stay in the ring
		l.within--
	}
	switch what {
	case uringAccepted:
		l.accepted(e)
	case uringWoken:
		l.woken = true
		if e.flags&uringMore == 0 {
			l.watchWake()
		}
	case uringReceived:
		l.received(l.lookup(e.userData), e)
	case uringWritable:
		if c := l.lookup(e.userData); c != nil {
			c.polling, c.blocked = false, false
			l.settle(c)
		}
	case uringHangup:
		l.hungUp(l.lookup(e.userData), e)
	}
}

// lookup returns the connection that an event is about, or nil if the event is stale.
func (l *uringLoop) lookup(key uint64) *uringConn {
	fd := int(key >> 32 & (uringMostFiles - 1))
	if fd >= len(l.conns) {
		return nil
	}
	if c := l.conns[fd]; c != nil && c.gen == uint32(key) {
		return c
	}
	return nil
}

// serveReady gives each connection that is ready without an event its turn. Those that become ready meanwhile wait for the
// next turn, so that the events of the others come first; each is in the list once.
func (l *uringLoop) serveReady() {
	l.turn, l.ready = l.ready, l.turn[:0]
	for i, c := range l.turn {
		l.turn[i] = nil
		c.queued = false
		if c.fd < 0 {
			l.recycle(c)
			continue
		}
		l.serve(c)
	}
}

// queue has c served once the others had their turn.
func (l *uringLoop) queue(c *uringConn) {
	if !c.queued {
		c.queued = true
		l.ready = append(l.ready, c)
	}
}

// watchWake has an event made of each write to wakefd. It need not be read: each write is one.
func (l *uringLoop) watchWake() {
	q := l.ring.request(uringOpPollAdd, l.wakefd, uringKey(uringWoken, 0, 0))
	q.opFlags, q.len = unix.POLLIN, uringPollMultishot
	l.within++
}

// listening implements member.
func (l *uringLoop) listening() int { return l.listener }

// crowded implements member.
func (l *uringLoop) crowded() { l.brief = true }

// stats implements member.
func (l *uringLoop) stats() WorkerStats { return l.tally.snapshot() }

// Now implements httpcore.Loop.
func (l *uringLoop) Now() int64 { return l.now }

// Post implements httpcore.Loop.
func (l *uringLoop) Post(fire func()) { l.postbox.post(fire) }

// Wake implements httpcore.Loop.
func (l *uringLoop) Wake(c *httpcore.Conn) { l.queue(c.Owner.(*uringConn)) }

// After implements httpcore.Loop.
func (l *uringLoop) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	t := &loopTimer{wheel: &l.wheel, fire: fire}
	t.entry.owner = t
	l.wheel.set(&t.entry, l.now+int64(d))
	return t
}
