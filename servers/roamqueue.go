package servers

import "sync"

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
