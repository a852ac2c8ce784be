package servers

import (
	"math"
	"net/netip"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// loopOutbounds are the connections that the handlers of a loop opened. They are watched by the loop's own poller, under
// generations below 0, which no client's connection has.
type loopOutbounds struct {
	l     *loop
	all   []*loopOutbound // by descriptor
	gen   int32           // of the one opened last
	open  int
	over  bool            // the loop ends
	ready []*loopOutbound // to be served in this turn or the next
	turn  []*loopOutbound // those being served
	shard httpcore.Shard
	left  *outbound // for turn: never set, since what is parked stays the loop's
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
	s := &l.outs
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
	if err := l.poller.watch(fd, o.gen, watchOutbound); err != nil {
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

// Adopt implements httpcore.Dialer. What came while o was parked has closed it: but for what came since the last wait.
func (l *loop) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	mine, ok := o.(*loopOutbound)
	if !ok || mine.s != &l.outs {
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
		e := &events[i]
		if e.Pad >= 0 {
			continue
		}
		fd := int(e.Fd)
		if fd >= len(s.all) || s.all[fd] == nil || s.all[fd].gen != e.Pad {
			continue // stale: it was closed in this turn
		}
		if o := s.all[fd]; o.note(e.Events) && !o.queued {
			s.serve(o)
		}
	}
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
	if o.outbound.turn(s.l.hands.in, &s.left) {
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
		o.s.l.wheel.set(&o.timer, o.due)
	}
}

// expired implements expirer.
func (o *loopOutbound) expired(now int64) {
	switch {
	case o.due == 0:
	case o.due > now:
		o.s.l.wheel.set(&o.timer, o.due)
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
	o.s.l.wheel.stop(&o.timer)
	o.s.all[o.fd] = nil
	o.s.open--
	closeStuck(int(o.fd), stuck)
	o.fd = -1
}

// nextGen returns the generation of the next client's connection after gen.
func nextGen(gen int32) int32 { return (gen + 1) & math.MaxInt32 }
