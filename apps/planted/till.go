package planted

import (
	"sync"
	"time"
)

// till serves one request at a time, in the order in which they come.
type till struct {
	service time.Duration // of one request; 0: everybody is served at once

	mu   sync.Mutex
	free time.Duration // when the last of the queue will have been served
}

// served returns when a request that comes at now will have been served. It is the exact schedule: that an answer is sent
// late does not delay those behind it.
func (t *till) served(now time.Duration) time.Duration {
	if t.service == 0 {
		return now
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = max(now, t.free) + t.service
	return t.free
}
