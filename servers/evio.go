package servers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/evio"

	"corelab/httpcore"
)

var evioCore = Core{
	Name: "evio",
	Doc:  "tidwall/evio 1.0.8, an event loop per CPU on one listener, carrying the same connection",
	Lacks: []Lack{
		{HalfClose, "loopRead closes the socket when a read returns 0, whatever is still to be answered"},
		{Descriptor, "loopAccept hands any error of accept to its loop, which ends, and with it the server"},
		{Backlog, "it cannot be told to stop accepting: while connections drain, new ones are closed unanswered"},
		{Sendfile, "an event returns bytes, and evio copies them once more before it writes them"},
		{Backpressure, "nothing stops a loop from reading a connection: beyond a bound of bytes that wait, it is closed"},
		{Stalled, "loopRun writes what is left before it acts on Close, so that a client who takes nothing stays"},
	},
	New: func(cfg Config, h *httpcore.Handler) (Server, error) { return newEvioServer(cfg.Filled(), h) },
}

const (
	// evioTick is how often evio looks whether it is to stop. It has no other way to be told while no connection is open.
	evioTick = 50 * time.Millisecond
	// evioRetry is how often a connection with more to send looks whether evio has written what it was given. No event
	// says so.
	evioRetry = time.Millisecond
	// evioBehind bounds what waits in a connection that has no Room, since evio cannot be told not to read.
	evioBehind = 1 << 20
	// evioEnd bounds the wait for evio after it was told to stop.
	evioEnd = 5 * time.Second
)

// evioServer serves through evio.
type evioServer struct {
	cfg     Config
	handler *httpcore.Handler
	addr    netip.AddrPort
	begin   chan struct{} // closed by Serve: evio binds before, and accepts after
	ended   chan error    // what evio.Serve returned

	draining atomic.Bool // set with mu held
	outs     outsOpen

	mu       sync.Mutex // guards what follows
	loops    []*evioLoop
	conns    map[*evioConn]struct{}
	stopping bool          // evio is to end, or has; wakes would go to a descriptor that is closed
	ticked   bool          // evio's ticker has run once
	empty    chan struct{} // closed when the last connection of a drain has gone
}

func newEvioServer(cfg Config, h *httpcore.Handler) (*evioServer, error) {
	s := &evioServer{
		cfg: cfg, handler: h,
		begin: make(chan struct{}), ended: make(chan error, 1), empty: make(chan struct{}),
		conns: make(map[*evioConn]struct{}),
	}
	bound := make(chan netip.AddrPort, 1)
	events := evio.Events{
		NumLoops: cfg.Workers,
		Serving: func(e evio.Server) evio.Action {
			bound <- e.Addrs[0].(*net.TCPAddr).AddrPort()
			<-s.begin
			return evio.None
		},
		Opened: s.opened,
		Closed: s.closed,
		Data:   s.data,
		Tick:   s.tick,
	}
	go func() { s.ended <- evio.Serve(events, "tcp://"+cfg.Addr.String()) }()
	select {
	case s.addr = <-bound:
		return s, nil
	case err := <-s.ended:
		return nil, fmt.Errorf("evio on %v: %w; is another server there? port 0 takes a free one", cfg.Addr, err)
	}
}

func (s *evioServer) Addr() netip.AddrPort { return s.addr }

// Stats implements Server: one worker for each loop that has had a connection.
func (s *evioServer) Stats() []WorkerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := make([]WorkerStats, s.cfg.Workers)
	for i, l := range s.loops {
		stats[i] = l.tally.snapshot()
	}
	return stats
}

// Serve implements Server. evio cannot be told to stop accepting: while connections drain, new ones are closed at once.
func (s *evioServer) Serve(ctx context.Context) error {
	close(s.begin)
	defer s.outs.close()
	select {
	case err := <-s.ended:
		return s.died(err)
	case <-ctx.Done():
	}
	s.drain()
	select {
	case err := <-s.ended:
		return s.died(err)
	case <-s.empty:
	case <-time.After(s.cfg.Grace):
	}
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(evioEnd):
		return errors.New("evio did not stop")
	}
}

// died says that evio ended by itself: it returns no reason, and no error. Its ticker then writes once more to a
// descriptor that it has closed: nothing may be opened before.
func (s *evioServer) died(err error) error {
	time.Sleep(2 * evioTick)
	if err == nil {
		err = errors.New("a loop failed, perhaps in accept; raise the limit of open files (ulimit -n)")
	}
	return fmt.Errorf("evio stopped by itself: %w", err)
}

// errBehind closes a connection that sends what nobody has Room for.
var errBehind = errors.New("more input waits than may")

// drain has every connection end after what it is doing.
func (s *evioServer) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
	if len(s.conns) == 0 {
		close(s.empty)
	}
	for c := range s.conns {
		c.ev.Wake()
	}
}

// wake has c's loop call data for it. Any goroutine may call it.
func (s *evioServer) wake(c *evioConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; open && !s.stopping {
		c.ev.Wake()
	}
}

// tick implements evio.Events.Tick. After the last one evio's ticker would write to a descriptor that may be another's by
// then: it is sent to sleep instead. evio loses a stop that comes before it waits for one, so none comes with the first.
func (s *evioServer) tick() (time.Duration, evio.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping && s.ticked {
		return math.MaxInt64, evio.Shutdown
	}
	s.ticked = true
	return evioTick, evio.None
}

// opened implements evio.Events.Opened.
func (s *evioServer) opened(ev evio.Conn) ([]byte, evio.Options, evio.Action) {
	options := evio.Options{ReuseInputBuffer: true}
	c := &evioConn{server: s, ev: ev}
	s.mu.Lock()
	c.loop = s.loopOf(ev)
	draining := s.draining.Load()
	if !draining {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if draining {
		return nil, options, evio.Close
	}
	ev.SetContext(c)
	c.loop.look()
	c.loop.tally.accepted++
	c.loop.tally.open++
	c.Open(&c.loop.env, c, c.loop.now)
	c.arm()
	c.loop.tally.publish(&c.loop.env.Count)
	return nil, options, evio.None
}

// closed implements evio.Events.Closed.
func (s *evioServer) closed(ev evio.Conn, err error) evio.Action {
	c, _ := ev.Context().(*evioConn)
	if c == nil { // it was refused
		return evio.None
	}
	c.end(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.draining.Load() && len(s.conns) == 0 && !s.stopping {
		close(s.empty)
	}
	return evio.None
}

// data implements evio.Events.Data; in is nil for a wake.
func (s *evioServer) data(ev evio.Conn, in []byte) ([]byte, evio.Action) {
	c := ev.Context().(*evioConn)
	return c.turn(in)
}
