package load

import (
	"math"
	"sync/atomic"
	"time"
)

// Bounds of a loop.
const (
	readBuffer = 128 << 10              // one for all connections of a loop
	openBatch  = 256                    // connections opened between two waits
	tickMax    = 50 * time.Millisecond  // between two looks at the time-outs and at the stop flag
	tickMin    = time.Millisecond       //
	pauseMin   = time.Millisecond       // before a connection is opened again after its second failure in a row
	pauseMax   = 100 * time.Millisecond // at most
	drainMax   = time.Second            // for answers after the end of an open loop's window, and at most Timeout
)

// Phases of a loop.
const (
	warming = iota
	hushed  // with Spec.Quiet, before the window: nothing is sent
	measuring
	draining // open loop, or with Spec.Quiet: nothing is sent, answers to what was due in the window are awaited
)

// plan is what the loops of a run share. Nothing of it changes but the atomics.
type plan struct {
	spec    Spec
	peer    *peer
	request []byte // of one write
	want    *wanted
	begin   int64 // of the window, monotonic ns
	stop    *atomic.Bool
	watch   *Progress // may be nil
}

// loop drives its part of the connections from one goroutine. While it waits, it keeps the processor that the Go scheduler
// lent it.
type loop struct {
	*plan
	index   int
	engine  engine
	conns   []conn
	buffer  []byte
	known   knownHead
	sample  int // answers since the last one that was compared
	arrive  *arrivals
	free    ring // connections with nothing in flight, open loop
	tally   *tally
	phase   int
	now     int64 // last reading of the clock
	tick    int64 // the next look at the time-outs
	reopen  int64 // when the first closed connection may be opened again
	flying  int   // connections with something in flight
	unready int   // connections never opened so far: they come first, from the end of conns
	begun   int64 // of the window, as it was
	last    int64 // of the window: nothing that is due then or later is sent
	ended   int64
	// Open loop:
	behindSince int64      // when a request was found due and no connection free; 0: that is not so
	waitedUntil int64      // the end of the last wait in which no connection was free and no answer lay unread
	clocks      [2]instant // loop 0: at the begin and the end of the window
	others      [2][]time.Duration
	shown       [2]uint64 // requests and errors that the progress has had
	course      course
}

func newLoop(p *plan, index, connections int) (*loop, error) {
	l := &loop{plan: p, index: index, conns: make([]conn, connections), buffer: make([]byte, readBuffer),
		tally: newTally(p.spec), free: newRing(connections), unready: connections, course: newCourse(p.spec)}
	l.known.toHead = p.spec.Method == "HEAD"
	l.known.bytes = make([]byte, 0, 1024)
	for i := range l.conns {
		l.conns[i] = conn{fd: -1, index: i}
	}
	for i := range l.others {
		l.others[i] = make([]time.Duration, len(p.spec.Observe))
	}
	var err error
	l.engine, err = newEngine(l)
	return l, err
}

// run loads the server until the end of the window, or until stop. The caller closes the loop afterwards.
func (l *loop) run() {
	l.engine.enter()
	defer l.engine.leave()
	l.now = now()
	l.tick, l.reopen, l.last = l.now, math.MaxInt64, math.MaxInt64
	if l.spec.Rate > 0 {
		l.arrive = newArrivals(l.spec, l.index, l.begin-int64(l.spec.Quiet+l.spec.Warmup))
	}
	if l.turn() { // without a warm-up the window has begun; with one, only a run that was stopped is over
		return
	}
	if l.conns[0].state == free {
		l.start(&l.conns[0])
	}
	for {
		if l.unready > 0 {
			l.openSome()
		}
		if l.arrive != nil && !l.silent() {
			l.sendDue()
		}
		if l.await() {
			l.engine.serve()
		}
		l.now = now()
		if l.now >= l.tick || l.now >= l.reopen {
			l.look()
		}
		if l.now >= l.course.next {
			l.mark()
		}
		if l.turn() {
			return
		}
	}
}

// idle is how long the wait may be: until the next thing to do without an event.
func (l *loop) idle() int64 {
	if l.unready > 0 {
		return 0
	}
	next := min(l.tick, l.reopen)
	switch l.phase {
	case warming:
		next = min(next, l.begin-int64(l.spec.Quiet))
	case hushed:
		next = min(next, l.begin)
	case measuring:
		next = min(next, l.last)
	}
	if l.arrive != nil && !l.silent() && !l.free.empty() {
		next = min(next, l.arrive.due-int64(l.spec.Spin))
	}
	if next == math.MaxInt64 || next <= l.now {
		return 0
	}
	// Sending took time since the last reading of the clock.
	return next - now()
}

// turn goes on to the next phase when its time has come, and says whether the loop is over.
func (l *loop) turn() bool {
	stopped := l.stop.Load()
	switch {
	case l.phase == warming && l.spec.Quiet > 0 && l.now < l.begin && !stopped:
		if l.now >= l.begin-int64(l.spec.Quiet) {
			l.phase = hushed
		}
	case l.phase <= hushed && (l.now >= l.begin || stopped):
		// A loop that begins late measures as long as the others.
		l.phase, l.begun, l.last = measuring, l.now, l.now+int64(l.spec.Duration)
		if l.spec.phased() {
			l.last = l.begin + int64(l.spec.Duration) // with the last phase
		}
		l.tally.reset()
		for i := range l.conns {
			l.conns[i].answered = 0
		}
		if l.index == 0 {
			l.clocks[0] = readInstant(l.spec.Observe, l.others[0])
		}
		l.course.begin(l.now)
		l.breakSilence()
		return stopped && l.finish()
	case l.phase == measuring && (l.now >= l.last || stopped):
		return l.finish()
	case l.phase == draining:
		bound := min(l.spec.Timeout, drainMax)
		if l.spec.phased() {
			bound = l.spec.Timeout // so that nothing in flight stays undecided
		}
		since := l.now - l.ended
		if stopped || since >= int64(l.spec.Quiet) && (l.flying == 0 || since >= int64(bound)) {
			l.abandon()
			return true
		}
	}
	return false
}

// silent says whether nothing is sent now.
func (l *loop) silent() bool { return l.phase == hushed || l.phase == draining }

// breakSilence begins to send after it, on the connections that wait. What was due meanwhile is none of the window's.
func (l *loop) breakSilence() {
	if l.spec.Quiet == 0 {
		return
	}
	if l.arrive != nil {
		for l.arrive.due < l.begun {
			l.arrive.next()
		}
		return
	}
	for c := l.takeFree(); c != nil; c = l.takeFree() {
		if c.fd < 0 {
			l.open(c)
			continue
		}
		l.send(c)
	}
}

// finish ends the window. An open loop goes on to wait for the answers to what was due in it.
func (l *loop) finish() bool {
	l.ended = l.now
	l.course.end()
	if l.index == 0 {
		l.clocks[1] = readInstant(l.spec.Observe, l.others[1])
	}
	if l.arrive == nil {
		if l.spec.Quiet == 0 {
			l.abandon()
			return true
		}
		l.phase = draining
		return l.stop.Load() && l.turn()
	}
	// What became due while the window ended is not left behind.
	l.sendDue()
	l.leaveBehind(min(l.last, l.ended))
	l.fallBehind(false)
	l.phase = draining
	return l.stop.Load() && l.turn()
}

// abandon counts what is in flight at the very end. What is older than the time-out has failed.
func (l *loop) abandon() {
	for i := range l.conns {
		c := &l.conns[i]
		switch {
		case c.waiting == 0:
		case l.now-c.sent >= int64(l.spec.Timeout):
			l.tally.failed(errTimeout, c.waiting, "no answer within %v", l.spec.Timeout)
			l.erred(c, errTimeout)
		default:
			l.tally.abandoned += uint64(c.waiting)
		}
		if c.counted {
			c.counted = false
			l.tally.accounts[c.phase].cut++
		}
	}
}

// look finds what timed out and opens what may be opened again.
func (l *loop) look() {
	timeout := int64(l.spec.Timeout)
	l.tick = l.now + min(max(timeout/20, int64(tickMin)), int64(tickMax))
	l.reopen = math.MaxInt64
	for i := range l.conns {
		c := &l.conns[i]
		switch {
		case c.state == closed && i < len(l.conns)-l.unready:
			if c.reopenAt > l.now {
				l.reopen = min(l.reopen, c.reopenAt)
			} else if l.phase != draining {
				l.start(c)
			}
		case c.state == connecting && c.waiting == 0 && l.now-c.sent > timeout:
			l.lost(c, errConnect, "no connection within %v", l.spec.Timeout)
		case c.waiting > 0 && l.now-c.sent > timeout:
			l.lost(c, errTimeout, "no answer within %v", l.spec.Timeout)
		}
	}
	if l.watch != nil {
		l.watch.publish(l)
	}
}

// openSome opens a batch of the connections that were never opened: a server's backlog must not overflow at the start.
func (l *loop) openSome() {
	for range min(l.unready, openBatch) {
		c := &l.conns[len(l.conns)-l.unready]
		l.unready--
		l.start(c)
	}
}

// sendDue sends what is due, as far as connections are free. What stays behind keeps its due time.
func (l *loop) sendDue() {
	l.expired()
	behind := false
	for l.arrive.due <= l.now {
		c := l.takeFree()
		if c == nil {
			behind = true
			break
		}
		if l.arrive.due >= l.last {
			l.free.push(c)
			break
		}
		c.due, c.phase, c.counted = l.takeDue()
		l.now = now()
		l.sentLate(c, l.now-c.due)
		if c.fd < 0 {
			l.open(c)
			continue
		}
		l.send(c)
	}
	l.fallBehind(behind)
}

// takeFree returns the connection that has been free for longest, so that all of them take part.
func (l *loop) takeFree() *conn {
	for !l.free.empty() {
		c := l.free.pop(l.conns)
		if c.state == free {
			return c
		}
	}
	return nil
}

// close gives back what the loop holds.
func (l *loop) close() {
	for i := range l.conns {
		if c := &l.conns[i]; c.fd >= 0 {
			closeSocket(c.fd)
		}
	}
	l.engine.close()
}
