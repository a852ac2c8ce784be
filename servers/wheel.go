package servers

import "math/bits"

// wheel holds the deadlines of one owner: two rings of slots, 1 ms each in the fine one, and as much as the whole fine one
// in each slot of the coarse one. A deadline beyond both waits in the farthest slot and is set again from there.
//
// It is lazy: a connection whose deadline moves later, as with every request, is left where it is; when its slot fires the
// owner looks at the real deadline and sets it again. So a request costs one comparison and no list operation.
type wheel struct {
	tick   int64 // the first tick that has not been fired
	fine   ring
	coarse ring
	firing ring // slot 0: what advance is telling its owners about
	held   int
}

const (
	wheelTick  = 1_000_000 // nanoseconds
	wheelBits  = 9
	wheelSlots = 1 << wheelBits
	wheelMask  = wheelSlots - 1
)

// entry is a place in a wheel, embedded in its owner. It is in no wheel until it is set.
type entry struct {
	due        int64 // the time asked for
	prev, next *entry
	in         *ring
	slot       int

	owner expirer
}

// expirer is what a wheel calls when an entry is due.
type expirer interface {
	// expired is called with the entry out of the wheel; it may set and stop entries, this one too.
	expired(now int64)
}

// ring is one circle of slots with a bit for each that is not empty.
type ring struct {
	slots [wheelSlots]*entry
	full  [wheelSlots / 64]uint64
}

// start sets the time of an empty wheel.
func (w *wheel) start(now int64) { w.tick = now / wheelTick }

// set has e fire at due, monotonic nanoseconds, or up to a tick later, never before. An entry that is set moves.
func (w *wheel) set(e *entry, due int64) {
	if e.in != nil {
		w.stop(e)
	}
	e.due = due
	w.held++
	w.place(e)
}

// place links e into the slot of its due time.
func (w *wheel) place(e *entry) {
	tick := max((e.due+wheelTick-1)/wheelTick, w.tick)
	if tick-w.tick < wheelSlots {
		w.fine.link(e, int(tick&wheelMask))
		return
	}
	// The coarse slot of the present fine round has been spread out already, so a distance of wheelSlots is the next
	// round's same slot: it must stay below that.
	round := min(tick>>wheelBits, w.tick>>wheelBits+wheelMask)
	w.coarse.link(e, int(round&wheelMask))
}

// stop takes e out.
func (w *wheel) stop(e *entry) {
	if e.in == nil {
		return
	}
	e.in.unlink(e)
	w.held--
}

// next returns when advance is next worth calling: never later than the first due time's tick; 0 if the wheel is empty.
func (w *wheel) next() int64 {
	if w.held == 0 {
		return 0
	}
	// Coarse slots are spread out when their round begins, so the next round's beginning bounds the search.
	best := int64(-1)
	if d := w.fine.distance(int(w.tick & wheelMask)); d >= 0 {
		best = w.tick + int64(d)
	}
	round := w.tick >> wheelBits
	if d := w.coarse.distance(int((round + 1) & wheelMask)); d >= 0 {
		if t := (round + 1 + int64(d)) << wheelBits; best < 0 || t < best {
			best = t
		}
	}
	return best * wheelTick
}

// advance takes out every entry that is due at now and tells its owner.
func (w *wheel) advance(now int64) {
	for last := now / wheelTick; w.tick <= last; {
		if w.held == 0 {
			w.tick = last + 1
			return
		}
		if d := w.fine.distance(int(w.tick & wheelMask)); d != 0 {
			// Jump over empty slots, but not over a round's beginning.
			edge := (w.tick>>wheelBits + 1) << wheelBits
			to := edge
			if d > 0 {
				to = min(edge, w.tick+int64(d))
			}
			if to > last {
				w.tick = last + 1
				if w.tick == edge {
					w.spread()
				}
				return
			}
			w.tick = to
			if to == edge {
				w.spread()
			}
			continue
		}
		slot := int(w.tick & wheelMask)
		// What an owner sets again must not land in the slot that is being emptied.
		list := w.fine.take(slot)
		w.tick++
		if w.tick&wheelMask == 0 {
			w.spread()
		}
		w.fireAll(list, now)
	}
}

// fireAll empties list, which take cut off its slot.
func (w *wheel) fireAll(list *entry, now int64) {
	// An owner may stop an entry that is still in the list: it is in a ring of its own meanwhile.
	for list != nil {
		e := list
		list = e.next
		w.firing.link(e, 0)
	}
	for w.firing.slots[0] != nil {
		e := w.firing.slots[0]
		w.firing.unlink(e)
		w.held--
		e.owner.expired(now)
	}
}

// spread moves the entries of the round that begins to their fine slots.
func (w *wheel) spread() {
	list := w.coarse.take(int((w.tick >> wheelBits) & wheelMask))
	for list != nil {
		e := list
		list = e.next
		w.place(e)
	}
}

func (r *ring) link(e *entry, slot int) {
	e.in, e.slot, e.prev, e.next = r, slot, nil, r.slots[slot]
	if e.next != nil {
		e.next.prev = e
	}
	r.slots[slot] = e
	r.full[slot/64] |= 1 << (slot % 64)
}

func (r *ring) unlink(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		r.slots[e.slot] = e.next
		if e.next == nil {
			r.full[e.slot/64] &^= 1 << (e.slot % 64)
		}
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.in, e.prev, e.next = nil, nil, nil
}

// take cuts off a slot's list, linked by next.
func (r *ring) take(slot int) *entry {
	list := r.slots[slot]
	r.slots[slot] = nil
	r.full[slot/64] &^= 1 << (slot % 64)
	return list
}

// distance returns how many slots after from the first full one is, going round; -1 if all are empty.
func (r *ring) distance(from int) int {
	word, bit := from/64, from%64
	if b := r.full[word] >> bit; b != 0 {
		return bits.TrailingZeros64(b)
	}
	for i := 1; i <= len(r.full); i++ {
		k := (word + i) % len(r.full)
		if b := r.full[k]; b != 0 {
			return (k*64 + bits.TrailingZeros64(b) - from + wheelSlots) % wheelSlots
		}
	}
	return -1
}
