// Package siege plays the clients that nobody wants: heads and bodies that trickle, readers that never read, connections
// that say nothing, and bytes that are no HTTP. It keeps a fixed number of them open on a server, by one epoll loop in one
// thread, and says how each was cut and when, counted from what it did wrong.
//
// A foe, as such a client is called here, goes through these states:
//
//	         connect            provoked                 cut                      EOF, or reset where it is stubborn
//	closed ──────────▶ opening ──────────▶ dripping ──────────────▶ answered ─────────────────┐
//	  ▲                                       │ ▲  │ due                                      │
//	  │                                       │ └──┘ a byte or a piece                        │
//	  └───────────────────────────────────────┴───────────────────────────────────────────────┘
//
// Half of the foes that are answered are stubborn: they see the server's end and go on sending until they are reset. A foe
// that is gone comes back at the pace at which the first ones came, so that as many are there all the time.
//
// It measures nothing of ordinary clients: those are another process's.
package siege
