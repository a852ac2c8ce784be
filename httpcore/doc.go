// Package httpcore is HTTP/1.1 without I/O: a head parser, body framing, a connection state machine, a router and
// a reply writer that every server core of the lab drives in the same way.
//
// It opens nothing, reads no clock, takes no lock and starts no goroutine. Bytes and time come in through [Conn.Feed]
// and [Conn.Pump]; bytes to send come out of [Conn.Pending]; what the connection waits for is [Conn.Want].
//
//	          Feed/End            handler               Pending/Wrote
//	socket ──────────────▶ Conn ───────────▶ Exchange ───────────────▶ socket
//	                        │  ▲                │
//	                        │  └── Held.Reply ◀─┘ Hold
//	                        ▼
//	   head ─▶ body ─▶ (held) ─▶ reply ─┬─▶ head …          keep-alive
//	     │       │                      └─▶ close           Connection: close, HTTP/1.0, the peer's half-close
//	     └───────┴─▶ error reply ─▶ linger ─▶ close         RFC 9112 §9.6
//
// The types are few: [Conn] is the state machine; [Handler] is what it serves (a [Router], [Limits], a server name);
// [Exchange] is one request and its answer, as a route's function sees it; [Reply] is that answer; [Env] and [Loop] are
// what a core lends to its connections.
//
// One goroutine at a time owns a Conn and calls its methods; ownership may pass with a happens-before edge.
package httpcore
