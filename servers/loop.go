package servers

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

const (
	// acceptBurst bounds the connections accepted in one turn.
	acceptBurst = 64
	// togetherMost is how many events are read from before the first of them is answered. One after the other, reading, our own
	// code and the kernel's long way out push each other out of the caches of instructions each time; together each is there for
	// several connections. More would keep the first one waiting, and fill the caches with answers.
	togetherMost = 32
	// spareConns bounds the closed connections kept for new ones.
	spareConns = 1024
	// lastGrace is how long a draining core waits for one more request of a connection that is idle, the first one where
	// it never sent any: it may be on its way, and a close that it crosses would destroy it (RFC 9112 §9.6). Its answer says
	// Connection: close.
	lastGrace = 100 * time.Millisecond
)

// errStopped is why a connection is cut at the end of Config.Grace.
var errStopped = errors.New("the server stops")

// loop is one event loop with its own listener, connections, timers and buffers: all of epoll, and what each worker of
// reactor is. One goroutine runs it; only post may be called by others.
//
// What is left to do after a connection's turn, because a buffer was filled or a bound was reached, is remembered in the
// list of ready connections and done in the loop's next turn, after the events of the others.
type loop struct {
	poller   poller
	postbox  postbox
	listener int // -1 once it is closed
	paused   bool
	grace    time.Duration
	speak    protocol

	env     httpcore.Env
	dates   dateline
	buffers freeList
	hands   hands
	wheel   wheel
	tally   tally

	conns []*loopConn // by descriptor
	gen   int32       // of the connection accepted last
	spare []*loopConn
	ready []*loopConn // to be served in this turn or the next
	turn  []*loopConn // those being served
	taken []*loopConn // of which requests were taken in, and not answered yet
	woken bool
	outs  loopOutbounds

	resume   loopTimer // ends a pause in accepting
	draining bool
	late     bool // and lastGrace is over
	stopped  bool // nothing is left to be done
}

// protocol is what is spoken on the connections of a loop: HTTP, or canned bytes.
type protocol interface {
	open(l *loop, c *loopConn)
	// take is the first half of c's turn, which reads; it reports whether give, the second, which writes, must follow. Several
	// connections may have the first before one of them has the second. What they close they close by drop.
	take(l *loop, c *loopConn) bool
	give(l *loop, c *loopConn)
	// expired is called when c's timer fires.
	expired(l *loop, c *loopConn)
	// drain has c end after what it is doing.
	drain(c *loopConn)
	// spent says that c waits for a request of which nothing has come.
	spent(c *loopConn) bool
	abort(c *loopConn, err error)
}

// newLoop makes a loop on a non-blocking listener, which it owns from then on.
func newLoop(listener int, cfg Config, h *httpcore.Handler, speak protocol) (*loop, error) {
	l := &loop{listener: listener, grace: cfg.Grace, speak: speak}
	l.hands = newHands(&l.poller)
	l.outs.home, l.outs.wheel, l.outs.in = l, &l.wheel, l.hands.in
	if err := l.poller.open(); err != nil {
		unix.Close(listener)
		return nil, err
	}
	l.postbox.wake = l.poller.wake
	l.env.Handler, l.env.Buffers = h, &l.buffers
	l.wheel.start(l.poller.now)
	l.resume = loopTimer{wheel: &l.wheel, fire: func(int64) { l.resumeAccept() }}
	l.resume.entry.owner = &l.resume
	// Level-triggered: a bounded burst must leave the rest to the next turn.
	if err := l.poller.watch(listener, 0, unix.EPOLLIN); err != nil {
		l.poller.close()
		unix.Close(listener)
		return nil, err
	}
	return l, nil
}

// run serves until stop was posted and the loop has drained.
func (l *loop) run() error {
	defer l.close()
	for !l.stopped {
		events, err := l.poller.wait(l.until(), false)
		if err != nil {
			return err
		}
		l.dates.refresh(&l.env, l.poller.now)
		if l.outs.open > 0 {
			l.outs.take(events)
		}
		for len(events) > 0 {
			n := min(len(events), togetherMost)
			for i := range events[:n] {
				l.dispatch(&events[i])
			}
			l.answer()
			events = events[n:]
		}
		if l.woken {
			l.woken = false
			l.postbox.run()
		}
		l.wheel.advance(l.poller.now)
		l.outs.serveReady()
		l.serveReady()
		l.tally.publish(&l.env.Count)
		l.stopped = l.draining && l.tally.open == 0
	}
	return nil
}

// until returns when the next turn must begin: at once if a connection is ready, else with the next timer.
func (l *loop) until() int64 {
	if len(l.ready) > 0 || len(l.outs.ready) > 0 {
		return l.poller.now
	}
	return l.wheel.next()
}

// dispatch acts on one event. An event may be stale: an earlier one of this turn may have closed its connection, and its
// descriptor may be another's by now. The generation tells.
func (l *loop) dispatch(e *unix.EpollEvent) {
	fd := int(e.Fd)
	switch fd {
	case l.listener:
		l.accept()
		return
	case l.poller.wakefd:
		l.woken = true
		return
	}
	c := l.lookup(fd, e.Pad)
	if c == nil {
		return
	}
	if !c.note(e.Events) {
		l.drop(c, socketError(fd))
		return
	}
	if !c.queued && l.speak.take(l, c) { // else its turn comes after the others'
		l.taken = append(l.taken, c)
	}
}

// answer gives what was taken in its answers.
func (l *loop) answer() {
	for i, c := range l.taken {
		l.taken[i] = nil
		if c.fd >= 0 {
			l.speak.give(l, c)
		}
	}
	l.taken = l.taken[:0]
}

// lookup returns the connection that an event is about, or nil if the event is stale.
func (l *loop) lookup(fd int, gen int32) *loopConn {
	if fd >= len(l.conns) {
		return nil
	}
	if c := l.conns[fd]; c != nil && c.gen == gen {
		return c
	}
	return nil
}

// serveReady gives each connection that is ready without an event its turn. Those that become ready meanwhile wait for the
// next turn, so that the events of the others come first; each is in the list once.
func (l *loop) serveReady() {
	l.turn, l.ready = l.ready, l.turn[:0]
	for i, c := range l.turn {
		l.turn[i] = nil
		c.queued = false
		if c.fd < 0 {
			l.recycle(c)
			continue
		}
		if l.speak.take(l, c) {
			l.speak.give(l, c)
		}
	}
}

// queue has c served once the others had their turn.
func (l *loop) queue(c *loopConn) {
	if !c.queued {
		c.queued = true
		l.ready = append(l.ready, c)
	}
}

// crowded implements member.
func (l *loop) crowded() { l.poller.brief = true }

// listening implements member.
func (l *loop) listening() int { return l.listener }

// stats implements member.
func (l *loop) stats() WorkerStats { return l.tally.snapshot() }

// Now implements httpcore.Loop.
func (l *loop) Now() int64 { return l.poller.now }

// Post implements httpcore.Loop.
func (l *loop) Post(fire func()) { l.postbox.post(fire) }

// Wake implements httpcore.Loop.
func (l *loop) Wake(c *httpcore.Conn) { l.queue(c.Owner.(*loopConn)) }

// After implements httpcore.Loop.
func (l *loop) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	t := &loopTimer{wheel: &l.wheel, fire: fire}
	t.entry.owner = t
	l.wheel.set(&t.entry, l.poller.now+int64(d))
	return t
}

// loopTimer is a function that a loop will call. Timers of handlers are made anew each time: a Stop that comes late must
// not find a successor.
type loopTimer struct {
	entry entry
	wheel *wheel
	fire  func(now int64)
}

func (t *loopTimer) expired(now int64) { t.fire(now) }

// Stop implements httpcore.Timer.
func (t *loopTimer) Stop() { t.wheel.stop(&t.entry) }
