package servers

// loopConn is a connection of a loop. It is used again for a later one.
type loopConn struct {
	stream
	timer  entry
	l      *loop
	queued bool // in the loop's list of ready connections
	canned cannedState
}

func (c *loopConn) expired(int64) { c.l.speak.expired(c.l, c) }

// drop closes c; err is why, nil where that was agreed.
func (l *loop) drop(c *loopConn, err error) {
	l.speak.abort(c, err)
	l.wheel.stop(&c.timer)
	l.conns[c.fd] = nil
	closeStuck(int(c.fd), c.Stuck())
	c.fd = -1
	l.tally.open--
	if !c.queued {
		l.recycle(c)
	}
	if l.paused {
		l.resumeAccept()
	}
}

// recycle keeps a closed connection for a new one.
func (l *loop) recycle(c *loopConn) {
	if len(l.spare) < spareConns {
		l.spare = append(l.spare, c)
	}
}

// httpProtocol speaks HTTP on a loop's connections by their httpcore.Conn. It is used by pointer: an interface calls a
// method of a value through a wrapper.
type httpProtocol struct{}

func (*httpProtocol) open(l *loop, c *loopConn) {
	c.Open(&l.env, l, l.poller.now)
	l.setDeadline(c)
}

func (*httpProtocol) take(l *loop, c *loopConn) bool {
	if errno := l.hands.take(&c.stream, l.poller.now); errno != 0 {
		l.drop(c, errno)
		return false
	}
	return true
}

func (*httpProtocol) give(l *loop, c *loopConn) {
	how, err := l.hands.settle(&c.stream)
	l.after(c, how, err)
}

func (*httpProtocol) expired(l *loop, c *loopConn) {
	switch d := c.Deadline(); {
	case d == 0:
		return
	case d > l.poller.now:
		l.wheel.set(&c.timer, d)
		return
	}
	c.Pump(l.poller.now)
	how, err := l.hands.settle(&c.stream)
	l.after(c, how, err)
}

func (*httpProtocol) drain(c *loopConn) { c.Drain() }

func (*httpProtocol) spent(c *loopConn) bool { return c.spent() }

func (*httpProtocol) abort(c *loopConn, err error) { c.Abort(err) }

// after acts on the outcome of a turn with c.
func (l *loop) after(c *loopConn, how outcome, err error) {
	if l.late {
		how = c.last(how)
	}
	switch how {
	case turnCloses:
		l.drop(c, err)
		return
	case turnAgain:
		l.queue(c)
	}
	l.setDeadline(c)
}

// setDeadline sets c's timer earlier if it must fire earlier; a later deadline is seen when it fires.
func (l *loop) setDeadline(c *loopConn) {
	if d := c.Deadline(); d != 0 && (c.timer.in == nil || d < c.timer.due) {
		l.wheel.set(&c.timer, d)
	}
}
