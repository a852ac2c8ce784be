// Package ledger carries what this process has taken from a [quota.Book] to a Redis that several gateways share, and brings
// back what the others took. It works in the background: no request waits for it.
//
//	Book ─▶ Journal ─▶ Ledger ══ every interval, pipelined ══▶ Redis      what was taken here
//	Book ◀──────────── Raise ◀════════════════════════════════            what all have taken
//
// # What is exact
//
// A limit that several processes share is kept over time: what one admitted, all know an interval later, and what was too
// much is paid back, since it counts as used. Until they know, each goes by what it knows. So N processes that are asked for
// the same key at once, having been silent, may admit up to N bursts, and while they are under load each may be behind by
// what the others admit in an interval and a round trip:
//
//	overshoot, once   ≤ (N − 1) · (Burst + Limit/Period · (Interval + round trip))
//	overshoot, steady = 0: a bucket is in debt until the excess has come back, a window is full
//
// # When Redis is away
//
// Each process keeps its limit alone: N processes admit N times the limit. What they take meanwhile is kept, and sent when
// Redis is back. Of a bucket that is what would still be missing from it then: what has come back in the meantime needs
// nobody to know. Of a window it is what was taken in the present window and in the one before, however long they are. How
// much can be kept is bounded by the number of keys ([quota.NewJournal]); what finds no room is counted, and in Stats.
//
// An answer that is lost leaves open whether Redis has counted; the delta is sent again then, and may count twice. The limit
// is never exceeded by that.
//
// # In Redis
//
// A bucket is a key with the time when it will be full, in microseconds of Redis's own clock, so that the clocks of the
// processes do not matter. A window is a counter with the number of the window in its name, which the processes' clocks
// must agree on: one that is off by d counts in its neighbour's window for d of each period. Both expire by themselves.
package ledger
