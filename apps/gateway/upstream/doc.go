// Package upstream is the client side of HTTP/1.1 for a gateway: connections that carry one exchange after the other, and
// the pools in which they wait between two. It does no I/O of its own: bytes go and come by an [httpcore.Outbound], which
// the core drives.
//
//	         Pool.Take            Begin, Content                    Outbound.Send
//	Caller ─────────────▶ Conn ─────────────────▶ request ─────────────────────▶ upstream
//	  ▲                    │ ▲
//	  └── Head, Data ◀─────┘ └───────────────────────────────────────── Received
//
//	idle ─▶ head ─▶ content ─┬─▶ idle     the answer is whole, the request was sent, and both sides keep the connection
//	          │        │     └─▶ closed
//	          └────────┴─▶ Caller.Failed, closed
//
// Nothing of the client's framing is passed on, nor of the upstream's: what frames a message is made anew for the next hop,
// and a message that two readers could take for two is refused on either side. A connection on which anything came unasked
// is never used again.
//
// A [Pool] and all its Conns belong to one shard (see [httpcore.Shard]); whoever calls them holds it. What a Conn is told by
// its core begins and ends with Caller.Enter and Exit, by which the caller takes the shard.
package upstream
