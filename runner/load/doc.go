// Package load sends requests to a server and measures how they are answered. A Spec says what to send, a Generator is a
// program that sends it from a process of its own, and a Result is what came back.
//
// These share that interface: ours (closed and open loop, every answer checked), by epoll or under another name by io_uring,
// wrk and h2load (closed loop) and vegeta (fixed rate). Figures of a foreign generator are left as it prints them; only our
// own open loop measures from the moment a request was due.
//
// Ours is one loop a thread, over an engine that moves the bytes. A connection goes through these states:
//
//	          connect                    written
//	closed ───────────▶ connecting ───────────────▶ waiting ──── answered ───┐
//	  ▲  ▲                  │ refused                 │   ▲                  │ closed loop: send again
//	  │  └──────────────────┘                         │   └──────────────────┤
//	  └──── reset, closed, timed out, out of step ────┘                      ▼ open loop
//	                                              ▲───── due ────────────── free
//
// A lost connection is opened again after a pause that grows with every failure in a row.
package load
