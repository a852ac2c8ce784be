package servers

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// epollpoolCore is one waiting loop and many workers.
var epollpoolCore = Core{
	Name: "epollpool",
	Doc:  "one loop waits and accepts; ready connections go by one queue to worker threads, which read, answer and write",
	// The loop beside its workers: with one P for both, work that is queued waits until the loop's wait ends.
	Procs: besideLoops,
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		return newRoamers(cfg.Filled(), h)
	},
}

// roamers is the server: the loop that waits, the queue, and the workers. The connections are the roamers.
//
// A connection belongs to whoever took it from the queue, for one turn. Events, timers and posted functions for it are
// left in its letterbox, and put it into the queue unless it is there or in a worker's hands. Being edge-triggered, it is
// not armed again after each turn: an edge that comes while a worker has it is news for its next turn. So no two workers
// ever hold one connection, and passing it costs two short critical sections and no system call, but, where a worker
// sleeps, a futex: the price of this architecture.
//
// The workers are goroutines. Locking them to threads would have the scheduler pass each wake from thread to thread. The
// loop wants no P besides theirs: it waits for one while all workers are busy, when there is nobody to pass work to, and
// finds more events at once.
type roamers struct {
	addr     netip.AddrPort
	cfg      Config
	listener int // -1 once it is closed
	poller   poller
	queue    roamQueue
	workers  []*roamWorker
	reserve  reserve // of the workers' buffers: what one takes for a connection another may give back

	// Of the loop alone.
	conns  []*roamConn // by descriptor, the last one that had it
	gen    int32
	lateAt int64 // while draining: the end of lastGrace; 0 when it was told
	cutAt  int64 // while draining: the end of Grace

	accepted atomic.Uint64
	open     atomic.Int64
	paused   atomic.Bool // accepting, for want of descriptors
	stopping atomic.Bool
	late     atomic.Bool // while draining: lastGrace is over

	mu     sync.Mutex // guards what follows
	wheel  wheel
	next   int64 // when the loop will look at the wheel by itself; 0 for never
	spare  []*roamConn
	closed bool
	outs   roamOutbounds
}

// newRoamers binds the server.
func newRoamers(cfg Config, h *httpcore.Handler) (*roamers, error) {
	listeners, err := cfg.bind(1)
	if err != nil {
		return nil, err
	}
	listener := listeners[0]
	s := &roamers{cfg: cfg, listener: listener}
	if s.addr, err = localAddr(listener); err == nil {
		if err = s.poller.open(); err == nil {
			if err = s.poller.watch(listener, 0, unix.EPOLLIN); err != nil {
				s.poller.close()
			}
		}
	}
	if err != nil {
		closeNow(listener)
		return nil, err
	}
	s.poller.brief = true // a worker that another one has woken may need the P
	s.queue.init()
	s.wheel.start(s.poller.now)
	for range cfg.Workers {
		s.workers = append(s.workers, newRoamWorker(s, h))
	}
	return s, nil
}

func (s *roamers) Addr() netip.AddrPort { return s.addr }

// Stats returns the loop's numbers, accepted and open connections, and then each worker's, requests and errors.
func (s *roamers) Stats() []WorkerStats {
	all := []WorkerStats{{Accepted: s.accepted.Load(), Open: s.open.Load()}}
	for _, w := range s.workers {
		all = append(all, w.tally.snapshot())
	}
	return all
}

func (s *roamers) Serve(ctx context.Context) error {
	undo := context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		s.wake()
	})
	defer undo()
	var running sync.WaitGroup
	for _, w := range s.workers {
		running.Go(w.run)
	}
	err := s.wait()
	if err != nil {
		s.tellAll(newsCut) // the workers can still close what is open
	}
	s.queue.close()
	running.Wait()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.outs.close()
	if s.listener >= 0 {
		closeNow(s.listener)
	}
	s.poller.close()
	return err
}

// wake ends the loop's wait. Any goroutine may call it.
func (s *roamers) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.poller.wake()
	}
}

// wait is the loop: until the server has drained it waits, accepts, and passes on what is ready.
func (s *roamers) wait() error {
	passed := false
	for {
		// The workers need a P more than a raw wait does.
		events, err := s.poller.wait(s.until(), passed)
		if err != nil {
			return err
		}
		passed = len(events) > 0
		for i := range events {
			s.dispatch(&events[i])
		}
		s.queue.flush()
		s.mu.Lock()
		s.wheel.advance(s.poller.now)
		s.mu.Unlock()
		if s.stopping.Load() && s.drain() {
			return nil
		}
	}
}

// until returns when the next turn must begin.
func (s *roamers) until() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = s.wheel.next()
	for _, t := range []int64{s.lateAt, s.cutAt} {
		if t != 0 && (s.next == 0 || t < s.next) {
			s.next = t
		}
	}
	return s.next
}

// setTimer has e fire at due. Any worker may call it.
func (s *roamers) setTimer(e *entry, due int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wheel.set(e, due)
	if s.next == 0 || due < s.next {
		s.next = due
		s.poller.wake()
	}
}

// dispatch acts on one event; the generation tells a stale one.
func (s *roamers) dispatch(e *unix.EpollEvent) {
	fd := int(e.Fd)
	if e.Pad < 0 {
		s.tellOutbound(fd, e.Pad, e.Events)
		return
	}
	switch fd {
	case s.listener:
		s.accept()
		return
	case s.poller.wakefd:
		if s.paused.Load() {
			s.resumeAccept()
		}
		return
	}
	if fd < len(s.conns) && s.conns[fd] != nil && s.conns[fd].life == e.Pad {
		s.conns[fd].tell(0, e.Events, true)
	}
}

// accept takes a bounded burst of connections; the listener is level-triggered and tells of the rest.
func (s *roamers) accept() {
	for range acceptBurst {
		fd, errno := acceptNow(s.listener)
		switch {
		case errno == 0:
			s.adopt(fd)
		case errno == unix.EAGAIN:
			return
		case outOfFiles(errno):
			s.paused.Store(true) // a worker that closes a connection wakes the loop, as does the timer
			s.poller.rewatch(s.listener, 0, 0)
			s.mu.Lock()
			e := &entry{owner: pauseEnd{s}}
			s.wheel.set(e, s.poller.now+int64(acceptPause))
			s.mu.Unlock()
			return
		}
	}
}

// pauseEnd is what ends a pause in accepting if no connection closes.
type pauseEnd struct{ s *roamers }

func (p pauseEnd) expired(int64) { p.s.resumeAccept() }

// resumeAccept ends a pause. Only the loop calls it.
func (s *roamers) resumeAccept() {
	if s.paused.Swap(false) && s.listener >= 0 {
		s.poller.rewatch(s.listener, 0, unix.EPOLLIN)
	}
}

// adopt makes a connection of an accepted descriptor.
func (s *roamers) adopt(fd int) {
	s.mu.Lock()
	var c *roamConn
	if last := len(s.spare) - 1; last >= 0 {
		c = s.spare[last]
		s.spare[last] = nil
		s.spare = s.spare[:last]
	}
	s.mu.Unlock()
	if c == nil {
		c = &roamConn{s: s, closed: true}
		c.Owner, c.timer.owner = c, c
	}
	for fd >= len(s.conns) {
		s.conns = append(s.conns, nil)
	}
	s.conns[fd] = c
	s.gen = nextGen(s.gen)
	s.accepted.Add(1)
	s.open.Add(1)
	c.open(fd, s.gen)
	if s.poller.watch(fd, s.gen, watchRead) != nil { // no kernel memory
		c.tell(newsCut, 0, false)
	}
}

// drain begins the drain or goes on with it. It reports whether nothing is open any more.
func (s *roamers) drain() bool {
	now := s.poller.now
	switch {
	case s.listener >= 0:
		acceptQueued(s.listener, s.adopt)
		s.poller.unwatch(s.listener) // another process may have it too, and go on
		closeNow(s.listener)
		s.listener = -1
		s.lateAt, s.cutAt = now+int64(min(lastGrace, s.cfg.Grace)), now+int64(s.cfg.Grace)
		s.tellAll(newsDrain)
	case now >= s.cutAt:
		s.cutAt = now + int64(time.Second) // again, should one have been passed over
		s.tellAll(newsCut)
	case s.lateAt != 0 && now >= s.lateAt:
		s.lateAt = 0
		s.late.Store(true)
		s.tellAll(newsLate)
	}
	return s.open.Load() == 0
}

// tellAll tells every connection.
func (s *roamers) tellAll(n news) {
	for _, c := range s.conns {
		if c != nil {
			c.tell(n, 0, false)
		}
	}
}
