package web

import (
	"context"
	"errors"
	"sync"
)

// news is what a watcher is told: the newest state, never what lay between. Seq tells one from the next.
type news struct {
	Seq  int
	Data []byte // of one event
	Over bool   // nothing will follow
}

// topic is what several watchers are told alike. One goroutine looks for news while there is any watcher.
type topic struct {
	room     *newsroom
	name     string
	watchers int                // under the room's mutex
	stop     context.CancelFunc // ends the goroutine that looks
	done     chan struct{}      // it ended

	mu      sync.Mutex
	now     news
	changed chan struct{} // closed with the next news
}

// newsroom is the topics that are watched. It is safe for concurrent use.
type newsroom struct {
	max int

	mu       sync.Mutex
	topics   map[string]*topic
	watchers int
	closed   bool
	ended    chan struct{} // closed by close
}

func newNewsroom(max int) *newsroom {
	return &newsroom{max: max, topics: map[string]*topic{}, ended: make(chan struct{})}
}

// Errors of watch.
var (
	errCrowded = errors.New("as many pages are open as are told of news at once: close some, or load this one again later")
	errClosed  = errors.New("the server ends")
)

// watch joins the topic. The first who does starts look in a goroutine, which publishes what it finds until its context ends:
// when the last watcher left, or the room closes. The caller leaves once.
func (n *newsroom) watch(name string, look func(context.Context, *topic)) (*topic, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, errClosed
	case n.watchers >= n.max:
		return nil, errCrowded
	}
	t := n.topics[name]
	if t == nil {
		ctx, stop := context.WithCancel(context.Background())
		t = &topic{room: n, name: name, stop: stop, done: make(chan struct{}), changed: make(chan struct{})}
		n.topics[name] = t
		go func() {
			defer close(t.done)
			look(ctx, t)
		}()
	}
	t.watchers++
	n.watchers++
	return t, nil
}

// leave gives up what watch gave. The last who leaves waits until nobody looks any more.
func (t *topic) leave() {
	n := t.room
	n.mu.Lock()
	t.watchers--
	n.watchers--
	last := t.watchers == 0
	if last && n.topics[t.name] == t {
		delete(n.topics, t.name)
	}
	n.mu.Unlock()
	if last {
		t.stop()
		<-t.done
	}
}

// close lets every watcher go. None can join any more.
func (n *newsroom) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	close(n.ended)
}

// publish tells all watchers. Only the goroutine that looks calls it.
func (t *topic) publish(data []byte, over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = news{t.now.Seq + 1, data, over}
	close(t.changed)
	t.changed = make(chan struct{})
}

// latest is the newest state, of Seq 0 where there is none yet, and what is closed when there is a newer one.
func (t *topic) latest() (news, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now, t.changed
}
