package httpcore

import (
	"errors"
	"net/netip"
)

// Dialer is the part of a [Loop] that reaches others than the client: a connection of a handler's own, driven by the loop
// that drives the client's. Nothing of it waits: what takes time is told to an [OutboundHandler].
//
// On a core with an event loop an [Outbound] belongs to the loop. On the others, where a Loop belongs to one client's
// connection, so does the Outbound, and it is closed with it; to outlive it, idle, it is parked, and adopted by another.
type Dialer interface {
	// Dial begins to connect to addr and returns the connection to be; h.Opened tells how it went, after Dial has returned.
	// An error means that nothing was begun: there is no free descriptor or port, or the network is not reachable at all.
	Dial(addr netip.AddrPort, h OutboundHandler) (Outbound, error)
	// Adopt takes over a parked Outbound of this core and shard, and tells h what comes from then on. An error means that it
	// is closed: it has ended or received something since its last Received, or is not parked.
	Adopt(o Outbound, h OutboundHandler) error
	// Shard is what this loop's long-lived state belongs to. It is the same for the loop's whole life.
	Shard() Shard
}

// Outbound is a connection that a handler opened. Its methods are for the owner of its Loop, and call no handler before
// they return. On a closed one they do nothing, so a late call never reaches another connection.
type Outbound interface {
	// Send gives p to the kernel, as much of it as it takes now, and returns how much that is; p is not kept. If that is
	// less than all, Writable follows, or Ended with an error. more says that further bytes will follow at once, so that
	// these may share a packet with them. Before Opened nothing is taken.
	Send(p []byte, more bool) int
	// Pause stops Received, at the latest after the one under way, and so, in the end, the peer. Its end is not seen
	// either, but a reset may be.
	Pause()
	// Resume ends a Pause.
	Resume()
	// CloseWrite sends the end of our side once all that was sent has gone. The peer may go on.
	CloseWrite()
	// Close ends the connection. The handler is told nothing more.
	Close()
	// Deadline has Expired called once the loop's time is due, 0 for never. It is cheap to move later, as after each piece
	// received: nothing is set again before the earlier one fires unheard.
	Deadline(due int64)
	// Park gives the connection up, open and idle, for a later Adopt; its Deadline is cleared. Until then it must neither be
	// sent on nor closed by anyone but through Adopt or Close, each of which may come from any Loop of the shard. What comes
	// while it is parked makes it useless: where the shard is not shared, Ended tells its handler so; elsewhere Adopt does.
	Park()
}

// OutboundHandler is told what happens to an [Outbound]. Its methods are called by the owner of the loop, one at a time,
// and never from inside a method of an Outbound or Dialer.
type OutboundHandler interface {
	// Opened says that the connection stands, or why it does not: then it is closed. It comes first, and once.
	Opened(err error)
	// Received takes bytes, borrowed for the call; all of them.
	Received(p []byte)
	// Writable says that a Send that took less than it was given may be followed by another.
	Writable()
	// Ended says that nothing more will be received. With nil the peer has sent its end, and may still read; the handler
	// closes when it has no more to send. With an error the connection is closed: it was reset, or its loop ends.
	Ended(err error)
	// Expired says that the Deadline has come. It is cleared.
	Expired(now int64)
}

// Shard is what state belongs to that outlives a request: pools of connections, limits, a cache. Where it is not Shared
// only one goroutine ever calls handlers of this shard: its state needs no lock. Where it is, handlers of several
// connections of one shard may run at once, and lock what they share.
type Shard struct {
	Index  int // from 0 to Of-1
	Of     int
	Shared bool
}

// What a core says about an Outbound, besides the errors of the system.
var (
	// ErrNoDial says that this loop opens no connections.
	ErrNoDial = errors.New("this core opens no outbound connections")
	// ErrStale says why a parked Outbound is closed: its peer has sent something unasked, or its end.
	ErrStale = errors.New("the connection received bytes or its end while it was idle")
	// ErrLoopGone ends the Outbounds of a loop that ends: of a server that stops, or of a client's connection.
	ErrLoopGone = errors.New("the loop that the connection belonged to has ended")
)

// NoDialer is the Dialer of a Loop that has none, and one shard: for embedding.
type NoDialer struct{}

// Dial implements Dialer.
func (NoDialer) Dial(netip.AddrPort, OutboundHandler) (Outbound, error) { return nil, ErrNoDial }

// Adopt implements Dialer.
func (NoDialer) Adopt(Outbound, OutboundHandler) error { return ErrNoDial }

// Shard implements Dialer.
func (NoDialer) Shard() Shard { return Shard{Of: 1} }
