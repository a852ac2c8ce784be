package servers

import (
	"slices"
	"sync"
	"time"

	"corelab/httpcore"
)

// alarms are the pending timers of a connection that has a blocking owner, the earliest first. Only the owner touches
// them. There are few: one for what a handler waits for.
type alarms []*alarm

// alarm is one timer.
type alarm struct {
	due  int64
	fire func(now int64) // nil once it fired or was stopped
}

// add has fire run at due.
func (a *alarms) add(due int64, fire func(now int64)) httpcore.Timer {
	t := &alarm{due: due, fire: fire}
	i, _ := slices.BinarySearchFunc(*a, due+1, func(x *alarm, due int64) int { return int(min(max(x.due-due, -1), 1)) })
	*a = slices.Insert(*a, i, t)
	return t
}

// Stop implements httpcore.Timer. The entry is dropped when its time comes.
func (t *alarm) Stop() { t.fire = nil }

// ring runs what is due at now, which may add more.
func (a *alarms) ring(now int64) {
	for len(*a) > 0 && (*a)[0].due <= now {
		t := (*a)[0]
		*a = slices.Delete(*a, 0, 1)
		if fire := t.fire; fire != nil {
			t.fire = nil
			fire(now)
		}
	}
}

// before returns the earlier of the first alarm and a connection's deadline, 0 for neither.
func (a alarms) before(deadline int64) int64 {
	if len(a) > 0 && (deadline == 0 || a[0].due < deadline) {
		return a[0].due
	}
	return deadline
}

// inbox is what was posted to a connection that has a blocking owner. Any goroutine may post. What it holds is bounded by
// what handlers have in flight: one completion each.
type inbox struct {
	mu    sync.Mutex
	posts []func()
}

// post adds fire and reports whether the box was empty.
func (m *inbox) post(fire func()) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.posts = append(m.posts, fire)
	return len(m.posts) == 1
}

// take returns what was posted, in that order, and empties the box.
func (m *inbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	posts := m.posts
	m.posts = nil
	return posts
}

// timeAt returns the wall time of the monotonic time due; the zero time for 0.
func timeAt(due int64) time.Time {
	if due == 0 {
		return time.Time{}
	}
	return epoch.Add(time.Duration(due))
}
