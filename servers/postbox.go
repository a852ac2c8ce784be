package servers

import "sync"

// postbox is how other goroutines reach a loop: functions to call, and one wake for all that come before it looks. What it
// holds is bounded by what handlers have in flight: one completion each.
type postbox struct {
	mu     sync.Mutex
	posted []func()
	spare  []func()
	closed bool
	wake   func() // ends the loop's wait, now or when it begins
}

// post adds fire. Any goroutine may call it; after close it does nothing.
func (m *postbox) post(fire func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.posted = append(m.posted, fire)
	if len(m.posted) == 1 {
		m.wake()
	}
}

// run calls what was posted before it began. Only the loop calls it.
func (m *postbox) run() {
	m.mu.Lock()
	posted := m.posted
	m.posted, m.spare = m.spare[:0], nil
	m.mu.Unlock()
	for i, fire := range posted {
		posted[i] = nil
		fire()
	}
	m.spare = posted
}

// close makes post do nothing, so that what wakes may be closed.
func (m *postbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.posted = true, nil
}
