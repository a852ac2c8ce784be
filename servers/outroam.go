package servers

import (
	"net/netip"
	"slices"

	"corelab/httpcore"
)

// roamOutbounds are the connections that handlers of an epollpool opened. They are watched by the one poller, under
// generations below 0. Each belongs to the roamConn on whose Loop it was opened or adopted: what comes for it is left in
// that one's letterbox, and its handler called by whoever owns that then. All of it is guarded by roamers.mu.
type roamOutbounds struct {
	all []*roamOutbound // by descriptor
	gen int32           // of the one opened last
}

// roamOutbound is one of them.
type roamOutbound struct {
	outbound // of the owner of the roamConn; while parked, of who parked or adopts it
	s        *roamers
	gen      int32
	armed    int64 // what the owner believes that timer is set to; 0 for not set

	timer entry     // guarded by s.mu
	c     *roamConn // guarded by s.mu, and changed by the owner alone; nil while parked
}

// outNews is what a letterbox says of an outbound connection.
type outNews struct {
	o      *roamOutbound
	events uint32 // of epoll
	fired  bool   // its timer
}

// Dial implements httpcore.Dialer.
func (c *roamConn) Dial(addr netip.AddrPort, h httpcore.OutboundHandler) (httpcore.Outbound, error) {
	if c.gone {
		return nil, httpcore.ErrLoopGone
	}
	fd, err := connectNow(addr)
	if err != nil {
		return nil, err
	}
	s := c.s
	o := &roamOutbound{s: s, c: c}
	o.outbound = outbound{h: h, core: o, fd: int32(fd)}
	o.timer.owner = o
	c.outs = append(c.outs, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outs.gen--; s.outs.gen >= 0 { // it went below the least
		s.outs.gen = -1
	}
	o.gen = s.outs.gen
	for fd >= len(s.outs.all) {
		s.outs.all = append(s.outs.all, nil)
	}
	s.outs.all[fd] = o
	if err := s.poller.watch(fd, o.gen, watchOutbound); err != nil {
		s.outs.all[fd] = nil
		c.outs = c.outs[:len(c.outs)-1]
		closeNow(fd)
		return nil, err
	}
	return o, nil
}

// Adopt implements httpcore.Dialer. Events of a parked one go nowhere: a look at the socket says what they would.
func (c *roamConn) Adopt(o httpcore.Outbound, h httpcore.OutboundHandler) error {
	mine, ok := o.(*roamOutbound)
	if !ok || mine.s != c.s {
		panic("servers: Adopt of an Outbound of another server")
	}
	if c.gone {
		mine.shut(false)
	}
	if mine.state == outParked {
		mine.s.mu.Lock()
		mine.c = c // from here on edges come to c; those before are seen by the look
		if mine.timer.in == nil {
			mine.armed = 0
		}
		mine.s.mu.Unlock()
		c.outs = append(c.outs, mine)
		mine.readable = mine.readable || !mine.fresh()
	}
	return mine.adopt(h)
}

// Shard implements httpcore.Dialer.
func (c *roamConn) Shard() httpcore.Shard {
	n := c.s.cfg.Workers
	return httpcore.Shard{Index: int(c.life) % n, Of: n, Shared: true}
}

// tellOutbound leaves an event with the roamConn that it is for. Only the loop calls it.
func (s *roamers) tellOutbound(fd int, gen int32, events uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fd >= len(s.outs.all) || s.outs.all[fd] == nil || s.outs.all[fd].gen != gen {
		return
	}
	if o := s.outs.all[fd]; o.c != nil {
		o.c.tellOf(outNews{o, events, false}, true)
	}
}

// tellOf leaves news of an outbound connection in c's letterbox. There are few, one as a rule.
func (c *roamConn) tellOf(n outNews, batch bool) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	i := slices.IndexFunc(c.told, func(t outNews) bool { return t.o == n.o })
	if i < 0 {
		c.told = append(c.told, n)
	} else {
		c.told[i].events |= n.events
		c.told[i].fired = c.told[i].fired || n.fired
	}
	c.ready(batch)
}

// expired implements expirer. The loop calls it, under s.mu.
func (o *roamOutbound) expired(int64) {
	if o.c != nil {
		o.c.tellOf(outNews{o, 0, true}, false)
	}
}

// serveOutbounds gives those of c's outbound connections of which there is news their turn, and keeps the list for another
// letterbox. One that is not c's any more was parked meanwhile: whoever adopts it looks for himself.
func (w *roamWorker) serveOutbounds(c *roamConn, told []outNews) {
	if len(told) == 0 {
		return
	}
	for _, n := range told {
		if slices.Contains(c.outs, n.o) {
			w.serveOutbound(c, n.o, n.events, n.fired)
		}
	}
	clear(told)
	w.told = told[:0]
}

func (w *roamWorker) serveOutbound(c *roamConn, o *roamOutbound, events uint32, fired bool) {
	if fired {
		o.armed = 0
		switch {
		case o.due == 0:
		case o.due > w.now:
			o.arm()
		default:
			o.expire(w.now)
		}
	}
	if fired && !slices.Contains(c.outs, o) {
		return
	}
	o.note(events)
	if o.turn(w.hands.in, &c.left) {
		o.queue()
	}
}

// closeOutbounds closes those that are open when c ends. From then on none is opened.
func (c *roamConn) closeOutbounds() {
	c.gone = true
	for len(c.outs) > 0 {
		c.outs[len(c.outs)-1].fail(httpcore.ErrLoopGone)
	}
}

// close closes those that nobody has adopted. The server has ended: no owner is left.
func (s *roamOutbounds) close() {
	for _, o := range s.all {
		if o != nil {
			o.shut(true)
		}
	}
}

// queue implements outCore.
func (o *roamOutbound) queue() { o.owner().tellOf(outNews{o, 0, false}, false) }

// owner is the roamConn that o belongs to: only the owner asks, who alone changes it.
func (o *roamOutbound) owner() *roamConn { return o.c }

// full implements outCore: the kernel tells, see watchOutbound.
func (o *roamOutbound) full() {}

// arm implements outCore. A later deadline is seen when the earlier one fires.
func (o *roamOutbound) arm() {
	if o.armed == 0 || o.due < o.armed {
		o.armed = o.due
		o.s.setTimer(&o.timer, o.due)
	}
}

// leave takes o from its roamConn.
func (o *roamOutbound) leave() {
	c := o.owner()
	if c == nil {
		return
	}
	if i := slices.Index(c.outs, o); i >= 0 {
		c.outs = slices.Delete(c.outs, i, i+1)
	}
	c.left = &o.outbound
	o.s.mu.Lock()
	o.c = nil
	o.s.mu.Unlock()
}

// parked implements outCore.
func (o *roamOutbound) parked() { o.leave() }

// closed implements outCore. The descriptor is closed under the lock, so that no event finds its successor here.
func (o *roamOutbound) closed(stuck bool) {
	o.leave()
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	o.s.wheel.stop(&o.timer)
	o.s.outs.all[o.fd] = nil
	closeStuck(int(o.fd), stuck)
	o.fd = -1
}
