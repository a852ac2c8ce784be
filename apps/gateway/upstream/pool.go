package upstream

import (
	"errors"
	"net/netip"
	"slices"

	"corelab/httpcore"
)

// ErrFull says that the pool has as many connections as it may.
var ErrFull = errors.New("as many connections as may be are open to this upstream")

// Settings are what the pools of one upstream are held to. They belong to a configuration and do not change.
type Settings struct {
	Limits Limits // filled
	parse  httpcore.Limits
}

// NewSettings returns the settings of limits, with their defaults filled in.
func NewSettings(l Limits) *Settings {
	l = l.Filled()
	return &Settings{Limits: l, parse: l.parsing()}
}

// Pool is the connections of one shard to one address.
type Pool struct {
	// Counters of what the pool did. They only grow.
	Dialled uint64 // connections begun
	Reused  uint64 // exchanges on one that had carried another
	Stale   uint64 // idle ones that had ended, or received something, when they were wanted

	addr    netip.AddrPort
	idle    []*Conn // the one used last is last
	open    int
	retired bool
}

// NewPool returns an empty pool.
func NewPool(addr netip.AddrPort) *Pool { return &Pool{addr: addr} }

// Open returns the number of connections, idle ones included.
func (p *Pool) Open() int { return p.open }

// Idle returns the number of connections that wait.
func (p *Pool) Idle() int { return len(p.idle) }

// Take returns a connection for one exchange of call: one that waits, the one used last first, or a new one that is yet to
// be established, where fresh is set always. The exchange may begin at once in both cases.
func (p *Pool) Take(loop httpcore.Loop, call Caller, s *Settings, fresh bool) (*Conn, error) {
	now := loop.Now()
	p.sweep(now, s)
	for !fresh && len(p.idle) > 0 {
		last := len(p.idle) - 1
		c := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		if !c.usable(now, &s.Limits) {
			c.close()
			continue
		}
		if err := loop.Adopt(c.out, c); err != nil {
			p.Stale++
			c.close()
			continue
		}
		p.Reused++
		c.take(loop, call, s)
		return c, nil
	}
	if p.open >= s.Limits.Open {
		return nil, ErrFull
	}
	c := &Conn{pool: p, born: now}
	out, err := loop.Dial(p.addr, c)
	if err != nil {
		return nil, err
	}
	p.Dialled++
	p.open++
	c.out = out
	c.take(loop, call, s)
	out.Deadline(now + int64(s.Limits.ConnectTime))
	return c, nil
}

// usable reports whether an idle connection is neither too old nor idle for too long.
func (c *Conn) usable(now int64, l *Limits) bool {
	return now-c.idleAt < int64(l.IdleTime) && now-c.born < int64(l.Age)
}

// sweep closes those that have waited for longest, if for too long: where nobody watches an idle connection, this is all
// that ends it.
func (p *Pool) sweep(now int64, s *Settings) {
	n := 0
	for n < len(p.idle) && now-p.idle[n].idleAt >= int64(s.Limits.IdleTime) {
		p.idle[n].close()
		n++
	}
	if n > 0 {
		p.idle = slices.Delete(p.idle, 0, n)
	}
}

// put parks a connection whose exchange is over, or closes it where the pool has enough.
func (p *Pool) put(c *Conn, now int64) {
	l := &c.set.Limits
	if p.retired || len(p.idle) >= l.Idle || c.carried >= l.Requests || now-c.born >= int64(l.Age) {
		c.close()
		return
	}
	c.idleAt = now
	p.idle = append(p.idle, c)
	c.out.Park()
	if !c.loop.Shard().Shared {
		c.out.Deadline(now + int64(l.IdleTime))
	}
	c.loop = nil
}

// drop takes an idle connection out that has closed.
func (p *Pool) drop(c *Conn) {
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		p.Stale++
	}
}

// Retire closes what waits, and has every other connection close with its exchange.
func (p *Pool) Retire() {
	p.retired = true
	for _, c := range p.idle {
		c.close()
	}
	clear(p.idle)
	p.idle = p.idle[:0]
}
