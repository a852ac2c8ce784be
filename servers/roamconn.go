package servers

import (
	"sync"
	"time"

	"corelab/httpcore"
)

// roamConn is a connection that passes from worker to worker. It is the Loop of its own Conn: what is posted comes to
// whoever owns it then.
type roamConn struct {
	stream // of the owner
	s      *roamers
	w      *roamWorker // the owner
	due    int64       // what the owner believes that timer is set to; 0 for not set
	timer  entry       // guarded by s.mu

	mu     sync.Mutex // guards the letterbox: what follows
	life   int32      // as gen; the loop alone writes it
	news   news
	events uint32 // of epoll
	posted []func()
	busy   bool // in the queue or in a worker's hands
	closed bool

	link *roamConn // the queue's
}

// news is what a connection's next turn is about, besides events and posted functions.
type news uint8

const (
	newsTimer news = 1 << iota // the timer fired
	newsAgain                  // the last turn left something to do
	newsDrain                  // end after what you are doing
	newsFresh                  // the time for a first request is over
	newsCut                    // close now
)

// tell leaves news and events in c's letterbox. batch says that the loop will flush the queue soon.
func (c *roamConn) tell(n news, events uint32, batch bool) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.news |= n
	c.events |= events
	free := !c.busy
	c.busy = true
	c.mu.Unlock()
	switch {
	case !free:
	case batch:
		c.s.queue.gather(c)
	default:
		c.s.queue.put(c)
	}
}

// expired implements expirer. The loop calls it, under s.mu.
func (c *roamConn) expired(int64) { c.tell(newsTimer, 0, false) }

// Now implements httpcore.Loop.
func (c *roamConn) Now() int64 { return c.w.now }

// Post implements httpcore.Loop.
func (c *roamConn) Post(fire func()) { c.post(0, fire) }

// post is Post for a connection that is still in that life; 0 is any.
func (c *roamConn) post(life int32, fire func()) {
	c.mu.Lock()
	if !c.closed && (life == 0 || c.life == life) {
		c.posted = append(c.posted, fire)
	}
	c.mu.Unlock()
	c.tell(0, 0, false)
}

// Wake implements httpcore.Loop: every turn ends with a look at the Conn, and only the owner wakes it.
func (c *roamConn) Wake(*httpcore.Conn) {}

// After implements httpcore.Loop.
func (c *roamConn) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	t := &roamTimer{c: c, life: c.gen, fire: fire}
	t.entry.owner = t
	c.s.setTimer(&t.entry, c.w.now+int64(d))
	return t
}

// roamTimer is a function that a connection's owner will call.
type roamTimer struct {
	entry   entry // guarded by s.mu
	c       *roamConn
	life    int32
	fire    func(now int64)
	stopped bool // of the owner
}

// expired implements expirer. The loop calls it, under s.mu.
func (t *roamTimer) expired(int64) {
	t.c.post(t.life, func() {
		if !t.stopped {
			t.fire(t.c.w.now)
		}
	})
}

// Stop implements httpcore.Timer.
func (t *roamTimer) Stop() {
	t.stopped = true // it may have fired and wait in the letterbox
	t.c.s.mu.Lock()
	defer t.c.s.mu.Unlock()
	t.c.s.wheel.stop(&t.entry)
}

// roamWorker takes ready connections from the queue and gives each a turn.
type roamWorker struct {
	s       *roamers
	now     int64
	env     httpcore.Env
	dates   dateline
	buffers freeList
	hands   hands
	tally   tally
	posted  []func() // spare, to exchange with a letterbox
}

func newRoamWorker(s *roamers, h *httpcore.Handler) *roamWorker {
	w := &roamWorker{s: s, hands: newHands(&s.poller)}
	w.env.Handler, w.env.Buffers = h, &w.buffers
	return w
}

// run serves until the queue is closed and empty.
func (w *roamWorker) run() {
	for {
		c := w.s.queue.take()
		if c == nil {
			return
		}
		w.now = monotonic()
		w.dates.refresh(&w.env, w.now)
		w.serve(c)
		w.tally.publish(&w.env.Count)
	}
}

// serve gives c one turn and passes it on.
func (w *roamWorker) serve(c *roamConn) {
	c.mu.Lock()
	n, events, posted := c.news, c.events, c.posted
	c.news, c.events = 0, 0
	if len(posted) > 0 {
		c.posted, w.posted = w.posted[:0], nil
	}
	c.mu.Unlock()
	c.w = w
	c.Move(&w.env)
	for i, fire := range posted {
		posted[i] = nil
		fire()
	}
	if len(posted) > 0 {
		w.posted = posted[:0]
	}
	how, err := w.turn(c, n, events)
	if how == turnCloses {
		w.close(c, err)
		return
	}
	if d := c.Deadline(); d != 0 && (c.due == 0 || d < c.due) {
		c.due = d
		w.s.setTimer(&c.timer, d)
	}
	c.mu.Lock()
	if how == turnAgain {
		c.news |= newsAgain
	}
	c.busy = c.news != 0 || c.events != 0 || len(c.posted) > 0
	more := c.busy
	c.mu.Unlock()
	if more {
		w.s.queue.put(c) // at its end: the others' turn comes first
	}
}

// turn does what the news and events are about.
func (w *roamWorker) turn(c *roamConn, n news, events uint32) (outcome, error) {
	if n&newsCut != 0 {
		return turnCloses, errStopped
	}
	if !c.note(events) {
		return turnCloses, socketError(int(c.fd))
	}
	if n&newsDrain != 0 {
		c.Drain()
	}
	if (n&newsDrain != 0 && c.fed || n&newsFresh != 0) && c.spent() {
		return turnCloses, nil
	}
	if n&newsTimer != 0 {
		c.due = 0
		if d := c.Deadline(); d != 0 && d <= w.now {
			c.Pump(w.now)
		}
	}
	return w.hands.turn(&c.stream, w.now)
}

// close closes c and keeps it for a new connection.
func (w *roamWorker) close(c *roamConn, err error) {
	s := w.s
	c.Abort(err)
	c.mu.Lock()
	c.closed = true
	clear(c.posted)
	c.posted = c.posted[:0]
	c.mu.Unlock()
	closeNow(int(c.fd))
	c.fd = -1
	s.mu.Lock()
	s.wheel.stop(&c.timer)
	if len(s.spare) < spareConns {
		s.spare = append(s.spare, c) // from here on it is the loop's
	}
	s.mu.Unlock()
	if s.open.Add(-1) == 0 && s.stopping.Load() || s.paused.Load() {
		s.wake()
	}
}

// roamQueue is the connections that are ready, first come first served. It needs no bound of its own: a connection is in
// it once.
type roamQueue struct {
	mu       sync.Mutex
	ready    sync.Cond
	first    *roamConn
	last     *roamConn
	sleepers int
	closed   bool

	batch []*roamConn // of the loop: gathered in this turn
}

func (q *roamQueue) init() { q.ready.L = &q.mu }

// put adds c. Any goroutine may call it, for a connection that it made busy or owns.
func (q *roamQueue) put(c *roamConn) {
	q.mu.Lock()
	q.add(c)
	if q.sleepers > 0 {
		q.ready.Signal()
	}
	q.mu.Unlock()
}

// gather adds c at the next flush, so that a turn's connections cost one lock. Only the loop calls it.
func (q *roamQueue) gather(c *roamConn) { q.batch = append(q.batch, c) }

// flush adds what was gathered.
func (q *roamQueue) flush() {
	if len(q.batch) == 0 {
		return
	}
	q.mu.Lock()
	for i, c := range q.batch {
		q.batch[i] = nil
		q.add(c)
	}
	for range min(q.sleepers, len(q.batch)) {
		q.ready.Signal()
	}
	q.mu.Unlock()
	q.batch = q.batch[:0]
}

// add appends c. q.mu is held.
func (q *roamQueue) add(c *roamConn) {
	c.link = nil
	if q.first == nil {
		q.first = c
	} else {
		q.last.link = c
	}
	q.last = c
}

// take waits for a connection, which is the caller's then. nil means that the queue is closed and empty.
func (q *roamQueue) take() *roamConn {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.first == nil {
		if q.closed {
			return nil
		}
		q.sleepers++
		q.ready.Wait()
		q.sleepers--
	}
	c := q.first
	q.first, c.link = c.link, nil
	return c
}

// close has take return nil once the queue is empty.
func (q *roamQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.ready.Broadcast()
	q.mu.Unlock()
}
