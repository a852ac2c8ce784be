package gateway

import (
	"math/bits"
	"sync"
	"testing"
	"time"

	"corelab/httpcore"
)

// world is a core in memory: one loop, or, where shared, one for each connection, and all of one shard.
type world struct {
	t      testing.TB
	shared bool
	now    int64
	pool   pool
	timers []*timer
	env    httpcore.Env

	mu     sync.Mutex // of posts, which come from any goroutine
	posts  []func()
	posted chan struct{} // holds one while some may be there
}

// pool lends buffers by powers of two and counts the bytes that are out.
type pool struct {
	free [40][][]byte
	out  int
}

func (p *pool) Get(n int) []byte {
	class := bits.Len(uint(max(n, 1) - 1))
	p.out += 1 << class
	if free := p.free[class]; len(free) > 0 {
		b := free[len(free)-1]
		p.free[class] = free[:len(free)-1]
		return b
	}
	return make([]byte, 1<<class)
}

func (p *pool) Put(b []byte) {
	class := bits.Len(uint(cap(b) - 1))
	p.out -= 1 << class
	p.free[class] = append(p.free[class], b[:cap(b)])
}

type timer struct {
	at   int64
	fire func(int64)
}

func (t *timer) Stop() { t.fire = nil }

// newWorld serves g by a core in memory.
func newWorld(t testing.TB, g *Gateway, shared bool) *world {
	t.Helper()
	w := newWorldOf(t, g.Routes())
	w.shared = shared
	return w
}

// newWorldOf serves routes by a core in memory.
func newWorldOf(t testing.TB, routes []httpcore.Route) *world {
	t.Helper()
	router := new(httpcore.Router)
	for _, r := range routes {
		if err := router.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, now: 1, posted: make(chan struct{}, 1)}
	w.env = httpcore.Env{Handler: httpcore.NewHandler(router, httpcore.Limits{}, ""), Buffers: &w.pool}
	return w
}

// peer is one client's connection, and its Loop.
type peer struct {
	httpcore.NoDialer
	*world
	conn     httpcore.Conn
	out      []byte
	segments []httpcore.Segment
	stuck    bool // takes nothing
	closed   bool
}

// dial opens a connection.
func (w *world) dial() *peer {
	p := &peer{world: w}
	p.conn.Open(&w.env, p, w.now)
	return p
}

func (p *peer) Now() int64 { return p.now }

func (p *peer) Post(fire func()) {
	p.mu.Lock()
	p.posts = append(p.posts, fire)
	p.mu.Unlock()
	select {
	case p.posted <- struct{}{}:
	default:
	}
}

func (p *peer) Wake(*httpcore.Conn)   {}
func (p *peer) Shard() httpcore.Shard { return httpcore.Shard{Of: 1, Shared: p.shared} }

func (p *peer) After(d time.Duration, fire func(int64)) httpcore.Timer {
	t := &timer{p.now + int64(d), fire}
	p.timers = append(p.timers, t)
	return t
}

// send feeds b, as much as there is room for.
func (p *peer) send(b string) {
	for len(b) > 0 {
		n := min(p.conn.Room(), len(b))
		if n == 0 {
			return
		}
		p.conn.Feed([]byte(b[:n]), p.now)
		b = b[n:]
		p.write()
	}
}

// write takes what is pending, and pumps while the Conn has more.
func (p *peer) write() {
	for !p.stuck {
		p.segments = p.conn.Pending(p.segments[:0])
		n := int64(0)
		for _, s := range p.segments {
			n += s.Len
			p.out = append(p.out, s.Bytes...)
		}
		if n > 0 {
			p.conn.Wrote(n)
		}
		if p.conn.Want()&httpcore.Again != 0 {
			p.conn.Pump(p.now)
			continue
		}
		if p.conn.Want()&httpcore.Write == 0 {
			break
		}
	}
	if p.conn.Want()&httpcore.Close != 0 && !p.closed {
		p.leave(nil)
	}
}

// leave ends the connection.
func (p *peer) leave(err error) {
	p.closed = true
	p.conn.Abort(err)
}

// next returns what was posted first, nil if nothing was.
func (w *world) next() (fire func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.posts) > 0 {
		fire, w.posts = w.posts[0], w.posts[1:]
	}
	return fire
}

// turn lets time pass, and calls what was posted and what is due.
func (w *world) turn(by time.Duration) {
	w.now += int64(by)
	for fire := w.next(); fire != nil; fire = w.next() {
		fire()
	}
	for i := 0; i < len(w.timers); i++ {
		if t := w.timers[i]; t.fire != nil && t.at <= w.now {
			fire := t.fire
			t.fire = nil
			fire(w.now)
		}
	}
}

// whole checks that nothing is in flight, and that every buffer came back.
func (w *world) whole(g *Gateway) {
	w.t.Helper()
	if w.pool.out != 0 {
		w.t.Errorf("%d bytes of buffers were not given back", w.pool.out)
	}
	g.shards.each(func(s *Shard) {
		if s.Shared { // the log's goroutine may be about to look too
			s.mu.Lock()
			defer s.mu.Unlock()
		}
		if s.depth != 0 || len(s.resumed) != 0 {
			w.t.Errorf("shard %d is held %d times, %d requests wait to be resumed", s.Index, s.depth, len(s.resumed))
		}
		seen := map[*Request]bool{}
		for _, r := range s.spare {
			if seen[r] || r.inside || r.entered != 0 || r.Route != nil {
				w.t.Errorf("a request was ended twice, or not wholly")
			}
			seen[r] = true
		}
	})
}
