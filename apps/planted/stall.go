package planted

import (
	"sync"
	"time"
)

// stall is a server that does nothing for a while at the beginning of each period.
type stall struct {
	length, period time.Duration // no stalls where length is 0

	mu    sync.Mutex // guards what follows
	until time.Duration
	over  chan struct{} // closed at until
}

// after returns t, or, where t lies in a stall, the end of that stall.
func (s *stall) after(t time.Duration) time.Duration {
	if s.length == 0 {
		return t
	}
	if begin := t - t%s.period; t < begin+s.length {
		return begin + s.length
	}
	return t
}

// block returns once there is no stall. Whoever calls it does nothing meanwhile: a loop, a thread, a goroutine. All wait
// for the same event, so that a thousand blocked goroutines need no thousand threads.
func (s *stall) block(clock *clockwork) {
	if s.length == 0 {
		return
	}
	now := clock.now()
	if end := s.after(now); end > now {
		<-s.end(clock, end)
	}
}

// end returns what is closed when the stall that ends at end is over.
func (s *stall) end(clock *clockwork, end time.Duration) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until != end {
		over := make(chan struct{})
		s.until, s.over = end, over
		clock.at(end, func() { close(over) })
	}
	return s.over
}
