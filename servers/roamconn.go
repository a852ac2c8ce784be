package servers

import (
	"runtime"
	"sync"
	"time"

	"corelab/httpcore"
)

// roamYield is how long a worker serves one connection after the other before it lets the loop and the rest of the process
// have its P. Otherwise they would wait for the runtime's own preemption, 10 ms.
const roamYield = 200 * time.Microsecond

// roamConn is a connection that passes from worker to worker. It is the Loop of its own Conn: what is posted comes to
// whoever owns it then. It is used again for a later connection; what was posted to the earlier one is still called.
type roamConn struct {
	stream // of the owner
	s      *roamers
	w      *roamWorker // the owner
	due    int64       // what the owner believes that timer is set to; 0 for not set
	timer  entry       // guarded by s.mu
	life   int32       // as gen, of the loop
	outs   []*roamOutbound
	left   *outbound // of outs, the one parked last, see outbound.turn
	gone   bool      // no more are opened

	mu       sync.Mutex // guards the letterbox: what follows
	news     news
	events   uint32 // of epoll
	accepted int32  // the descriptor, with newsOpen
	posted   []func()
	told     []outNews
	busy     bool // in the queue or in a worker's hands
	closed   bool // there is no socket, nor one to open

	link *roamConn // the queue's
}

// news is what a connection's next turn is about, besides events and posted functions.
type news uint8

const (
	newsOpen  news = 1 << iota // begin with an accepted descriptor
	newsTimer                  // the timer fired
	newsAgain                  // the last turn left something to do
	newsDrain                  // end after what you are doing
	newsLate                   // the time for one more request is over
	newsCut                    // close now
)

// open gives c an accepted descriptor. Only the loop calls it, for a closed c.
func (c *roamConn) open(fd int, life int32) {
	c.life = life
	c.mu.Lock()
	c.closed, c.accepted, c.news, c.events = false, int32(fd), newsOpen, 0
	c.ready(false)
}

// tell leaves news and events in c's letterbox. batch says that the loop will flush the queue soon.
func (c *roamConn) tell(n news, events uint32, batch bool) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.news |= n
	c.events |= events
	c.ready(batch)
}

// post leaves a function in c's letterbox.
func (c *roamConn) post(fire func()) {
	c.mu.Lock()
	c.posted = append(c.posted, fire)
	c.ready(false)
}

// ready unlocks c, and puts it into the queue unless somebody has it.
func (c *roamConn) ready(batch bool) {
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
func (c *roamConn) Post(fire func()) { c.post(fire) }

// Wake implements httpcore.Loop: every turn ends with a look at the Conn, and only the owner wakes it.
func (c *roamConn) Wake(*httpcore.Conn) {}

// After implements httpcore.Loop.
func (c *roamConn) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	t := &roamTimer{c: c, fire: fire}
	t.entry.owner = t
	c.s.setTimer(&t.entry, c.w.now+int64(d))
	return t
}

// roamTimer is a function that a connection's owner will call.
type roamTimer struct {
	entry   entry // guarded by s.mu
	c       *roamConn
	fire    func(now int64)
	stopped bool // of the owner
}

// expired implements expirer. The loop calls it, under s.mu.
func (t *roamTimer) expired(int64) {
	t.c.post(func() {
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
	posted  []func()  // spare, to exchange with a letterbox
	told    []outNews // so too
}

func newRoamWorker(s *roamers, h *httpcore.Handler) *roamWorker {
	w := &roamWorker{s: s, hands: newHands(&s.poller)}
	w.env.Handler, w.env.Buffers = h, &w.buffers
	w.buffers.reserve = &s.reserve
	return w
}

// run serves until the queue is closed and empty.
func (w *roamWorker) run() {
	yielded := int64(0)
	for {
		c := w.s.queue.take()
		if c == nil {
			return
		}
		w.now = monotonic()
		if w.now-yielded >= int64(roamYield) {
			yielded = w.now
			runtime.Gosched()
			w.now = monotonic()
		}
		w.dates.refresh(&w.env, w.now)
		w.serve(c)
		w.tally.publish(&w.env.Count)
	}
}

// serve gives c one turn and passes it on.
func (w *roamWorker) serve(c *roamConn) {
	c.mu.Lock()
	n, events, fd, posted := c.news, c.events, c.accepted, c.posted
	c.news, c.events = 0, 0
	if len(posted) > 0 {
		c.posted, w.posted = w.posted[:0], nil
	}
	told := c.told
	if len(told) > 0 {
		c.told, w.told = w.told[:0], nil
	}
	c.mu.Unlock()
	c.w = w
	if n&newsOpen != 0 {
		c.begin(int(fd), c.life)
		c.gone = false
		c.Open(&w.env, c, w.now)
		c.due = 0
	} else if c.fd >= 0 {
		c.Move(&w.env)
	}
	w.call(posted)
	w.serveOutbounds(c, told)
	again := false
	if c.fd >= 0 {
		how, err := w.turn(c, n, events)
		if how == turnCloses {
			w.close(c, err)
		} else {
			w.setDeadline(c)
		}
		again = how == turnAgain
	}
	c.mu.Lock()
	if again {
		c.news |= newsAgain
	}
	c.busy = c.news != 0 || c.events != 0 || len(c.posted) > 0 || len(c.told) > 0
	more := c.busy
	c.mu.Unlock()
	if more {
		w.s.queue.put(c) // at its end: the others' turn comes first
	}
}

// call calls what was posted, and keeps the list for another letterbox.
func (w *roamWorker) call(posted []func()) {
	if len(posted) == 0 {
		return
	}
	for i, fire := range posted {
		posted[i] = nil
		fire()
	}
	w.posted = posted[:0]
}

// setDeadline sets c's timer earlier if it must fire earlier; a later deadline is seen when it fires.
func (w *roamWorker) setDeadline(c *roamConn) {
	if d := c.Deadline(); d != 0 && (c.due == 0 || d < c.due) {
		c.due = d
		w.s.setTimer(&c.timer, d)
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
	if n&newsLate != 0 && c.spent() {
		return turnCloses, nil
	}
	if n&newsTimer != 0 {
		c.due = 0
		if d := c.Deadline(); d != 0 && d <= w.now {
			c.Pump(w.now)
		}
	}
	how, err := w.hands.turn(&c.stream, w.now)
	if w.s.late.Load() {
		how = c.last(how)
	}
	return how, err
}

// close closes c and keeps it for a new connection.
func (w *roamWorker) close(c *roamConn, err error) {
	s := w.s
	c.Abort(err)
	c.closeOutbounds()
	c.mu.Lock()
	c.closed, c.news, c.events = true, 0, 0
	c.mu.Unlock()
	closeStuck(int(c.fd), c.Stuck())
	c.fd = -1
	s.mu.Lock()
	s.wheel.stop(&c.timer)
	if len(s.spare) < spareConns {
		s.spare = append(s.spare, c) // from here on the loop may open it
	}
	s.mu.Unlock()
	if s.open.Add(-1) == 0 && s.stopping.Load() || s.paused.Load() {
		s.wake()
	}
}
