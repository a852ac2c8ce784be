package servers

import (
	"sync"
	"sync/atomic"

	"corelab/httpcore"
)

// outset is the outbound connections of one client's connection on a core where that is what a Loop belongs to. Only the
// owner touches it. There are few: one as a rule.
type outset struct {
	list []*outbound
	gone bool // the client's connection has ended: no more are opened

	serving []*outbound // those of a turn, while it lasts
	left    *outbound   // the one parked last, see outbound.turn
	called  atomic.Bool // by callOut
}

func (s *outset) add(o *outbound) { s.list = append(s.list, o) }

func (s *outset) remove(o *outbound) {
	for i, x := range s.list {
		if x == o {
			last := len(s.list) - 1
			s.list[i], s.list[last] = s.list[last], nil
			s.list = s.list[:last]
			return
		}
	}
}

// before returns the earlier of the first Deadline and due, 0 for neither.
func (s *outset) before(due int64) int64 {
	for _, o := range s.list {
		if o.due != 0 && (due == 0 || o.due < due) {
			due = o.due
		}
	}
	return due
}

// ring tells of the Deadlines that have come.
func (s *outset) ring(now int64) {
	for i := len(s.list) - 1; i >= 0; i-- {
		if i >= len(s.list) {
			continue // more than one was closed
		}
		if o := s.list[i]; o.due != 0 && o.due <= now {
			o.expire(now)
		}
	}
}

// close closes all when the client's connection has ended.
func (s *outset) close() {
	s.gone = true
	for len(s.list) > 0 {
		s.list[len(s.list)-1].fail(httpcore.ErrLoopGone)
	}
}

// outsOpen is every outbound connection of a server whose Loops belong to clients, so that those which are parked when it
// ends are closed. It is touched when one is opened and when one is closed.
type outsOpen struct {
	mu  sync.Mutex
	all map[*outbound]struct{}
}

func (r *outsOpen) add(o *outbound) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*outbound]struct{})
	}
	r.all[o] = struct{}{}
}

func (r *outsOpen) remove(o *outbound) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, o)
}

// close closes what is left once no owner is.
func (r *outsOpen) close() {
	r.mu.Lock()
	left := r.all
	r.all = nil
	r.mu.Unlock()
	for o := range left {
		o.shut(true)
	}
}
