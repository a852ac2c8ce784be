package balance

// Check counts the results of health checks: who is up goes down by Fall failures in a row, who is down comes up by Rise
// successes in a row. These are HAProxy's words, and nginx's (passes and fails). It belongs to whoever tells it, and holds no
// settings.
//
//	         Fall failures in a row
//	up ──────────────────────────────▶ down
//	 ▲                                   │
//	 └───────────────────────────────────┘
//	         Rise successes in a row
//
// The zero Check is up.
type Check struct {
	down bool
	row  int
}

// Source is who tells a result.
type Source uint8

const (
	Active  Source = iota // a probe of ours
	Passive               // a client's request
)

// Down reports the state.
func (c *Check) Down() bool { return c.down }

// Told takes a result and reports whether the state changed by it. Passive results bring nobody up: who is down is not asked,
// and what still arrives of requests from before says nothing new.
func (c *Check) Told(s Source, ok bool, rise, fall int) (changed bool) {
	if c.down && s == Passive {
		return false
	}
	if ok != c.down {
		c.row = 0
		return false
	}
	need := fall
	if c.down {
		need = rise
	}
	if c.row++; c.row < need {
		return false
	}
	c.down, c.row = !c.down, 0
	return true
}
