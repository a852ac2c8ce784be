package servers

import (
	"math"
	"net/netip"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// loopOutbounds are the connections that the handlers of a loop opened. They are watched by the loop itself, under
// generations below 0, which no client's connection has.
type loopOutbounds struct {
	home  outHome
	wheel *wheel
	in    []byte          // memory for a read, which the loop may use as well
	all   []*loopOutbound // by descriptor
	gen   int32           // of the one opened last
	open  int
	over  bool            // the loop ends
	ready []*loopOutbound // to be served in this turn or the next
	turn  []*loopOutbound // those being served
	shard httpcore.Shard
	left  *outbound // for turn: never set, since what is parked stays the loop's
}

// outHome is the loop that watches outbound connections.
type outHome interface {
	// watchOut has the edges of fd's readiness told to note, with gen.
	watchOut(fd int, gen int32) error
	// closeOut ends that, and closes fd; stuck throws away what it holds unsent.
	closeOut(fd int, gen int32, stuck bool)
}

// loopOutbound is one of them.
type loopOutbound struct {
	outbound
	s      *loopOutbounds
	gen    int32
	timer  entry
	queued bool
}

// Dial implements httpcore.Dialer.
func (l *loop) Dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	return l.outs.dial(addr, h)
}

// dial implements httpcore.Dialer for the loop.
func (s *loopOutbounds) dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	if s.over {
		return nil, httpcore.ErrLoopGone
	}
	fd, err := connectNow(addr)
	if err != nil {
		return nil, err
	}
	if s.gen--; s.gen >= 0 { // it went below the least
		s.gen = -1
	}
	o := &loopOutbound{s: s, gen: s.gen}
	o.outbound = outbound{h: h, core: o, fd: int32(fd)}
	o.timer.owner = o
	if err := s.home.watchOut(fd, o.gen); err != nil {
		closeNow(fd)
		return nil, err
	}
	for fd >= len(s.all) {
		s.all = append(s.all, nil)
	}
	s.all[fd] = o
	s.open++
	return o, nil
}

// watchOut implements outHome.
func (l *loop) watchOut(fd int, gen int32) error { return l.poller.watch(fd, gen, watchOutbound) }

// closeOut implements outHome. What is closed is watched no more.
func (l *loop) closeOut(fd int, _ int32, stuck bool) { closeStuck(fd, stuck) }

// Adopt implements httpcore.Dialer.
func (l *loop) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	return l.outs.adopt(o, h)
}

// adopt implements httpcore.Dialer for the loop. What came while o was parked has closed it: but for what came since the
// last wait.
func (s *loopOutbounds) adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	mine, ok := o.(*loopOutbound)
	if !ok || mine.s != s {
		panic("servers: Adopt of an Outbound of another loop")
	}
	return mine.adopt(h)
}

// Shard implements httpcore.Dialer.
func (l *loop) Shard() httpcore.Shard { return l.outs.shard }

// take serves those of events that are about outbound connections, before any client's: so a connection that a peer has
// closed while it was idle is not given to a request that came with the news, and one that an answer makes free is.
func (s *loopOutbounds) take(events []unix.EpollEvent) {
	for i := range events {
		if e := &events[i]; e.Pad < 0 {
			s.note(int(e.Fd), e.Pad, e.Events)
		}
	}
}

// note serves the connection that an event is about.
func (s *loopOutbounds) note(fd int, gen int32, events uint32) {
	if o := s.lookup(fd, gen); o != nil && o.note(events) && !o.queued {
		s.serve(o)
	}
}

// lookup returns the connection that an event is about, or nil if it was closed in this turn.
func (s *loopOutbounds) lookup(fd int, gen int32) *loopOutbound {
	if fd >= len(s.all) || s.all[fd] == nil || s.all[fd].gen != gen {
		return nil
	}
	return s.all[fd]
}

// serveReady gives each that is ready without an event its turn.
func (s *loopOutbounds) serveReady() {
	s.turn, s.ready = s.ready, s.turn[:0]
	for i, o := range s.turn {
		s.turn[i] = nil
		o.queued = false
		if o.state != outClosed {
			s.serve(o)
		}
	}
}

func (s *loopOutbounds) serve(o *loopOutbound) {
	if o.outbound.turn(s.in, &s.left) {
		o.queue()
	}
}

// close closes all.
func (s *loopOutbounds) close() {
	s.over = true
	for _, o := range s.all {
		if o != nil {
			o.fail(httpcore.ErrLoopGone)
		}
	}
}

// queue implements outCore.
func (o *loopOutbound) queue() {
	if !o.queued {
		o.queued = true
		o.s.ready = append(o.s.ready, o)
	}
}

// full implements outCore: the kernel tells, see watchOutbound.
func (o *loopOutbound) full() {}

// arm implements outCore. A later deadline is seen when the earlier one fires.
func (o *loopOutbound) arm() {
	if o.timer.in == nil || o.due < o.timer.due {
		o.s.wheel.set(&o.timer, o.due)
	}
}

// expired implements expirer.
func (o *loopOutbound) expired(now int64) {
	switch {
	case o.due == 0:
	case o.due > now:
		o.s.wheel.set(&o.timer, o.due)
	default:
		o.expire(now)
	}
}

// parked implements outCore: it stays watched.
func (o *loopOutbound) parked() {
	if o.useless() {
		o.queue()
	}
}

// closed implements outCore.
func (o *loopOutbound) closed(stuck bool) {
	o.s.wheel.stop(&o.timer)
	o.s.all[o.fd] = nil
	o.s.open--
	o.s.home.closeOut(int(o.fd), o.gen, stuck)
	o.fd = -1
}

// nextGen returns the generation of the next client's connection after gen.
func nextGen(gen int32) int32 { return (gen + 1) & math.MaxInt32 }
