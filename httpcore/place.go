package httpcore

import (
	"encoding/binary"
	"math/bits"
)

// places finds by a hash how far a path has no choice: whole patterns without parameters, and what others have before their
// first one, with its slash. A walk down the tree waits for memory at each of its nodes; here it waits twice, however many
// routes there are. The keys are of the routes and not of the clients, so that nobody can make them collide, and a seed is
// not needed.
type places struct {
	slots   []place // a power of two, at most half of them in use; probed one after another
	used    int
	lengths [4]uint64 // the set of the keys' lengths: most prefixes of a path need no look
}

// place is what a key leads to.
type place struct {
	key    string  // empty in a free slot
	target *target // of the pattern that ends here; nil if none does
	rest   *target // of the one that takes all that follows
	param  uint32  // the node behind a segment that is a parameter here; 0 if there is none
}

// find returns the place of that key, nil if there is none.
func (p *places) find(key []byte) *place {
	n := min(len(key), len(p.lengths)*64-1)
	if p.lengths[n/64]&(1<<(n%64)) == 0 {
		return nil
	}
	mask := uint64(len(p.slots) - 1)
	for at := hashPath(key) & mask; ; at = (at + 1) & mask {
		s := &p.slots[at]
		if s.key == "" {
			return nil
		}
		if s.key == string(key) {
			return s
		}
	}
}

// add returns the place of that key, and makes it if need be. It is good until the next one is made.
func (p *places) add(key string) *place {
	if s := p.find([]byte(key)); s != nil {
		return s
	}
	if 2*(p.used+1) > len(p.slots) {
		old := p.slots
		p.slots = make([]place, max(8, 2*len(old)))
		for _, s := range old {
			if s.key != "" {
				*p.free(s.key) = s
			}
		}
	}
	p.used++
	n := min(len(key), len(p.lengths)*64-1)
	p.lengths[n/64] |= 1 << (n % 64)
	s := p.free(key)
	s.key = key
	return s
}

// free returns the slot for a key that is not there.
func (p *places) free(key string) *place {
	mask := uint64(len(p.slots) - 1)
	at := hashPath([]byte(key)) & mask
	for p.slots[at].key != "" {
		at = (at + 1) & mask
	}
	return &p.slots[at]
}

// hashPath mixes eight bytes at a time, the last of which may be mixed twice.
func hashPath(b []byte) uint64 {
	h := uint64(len(b))
	if len(b) < 8 {
		var w uint64
		for _, c := range b {
			w = w<<8 | uint64(c)
		}
		return mix(h, w)
	}
	last := binary.LittleEndian.Uint64(b[len(b)-8:])
	for len(b) > 8 {
		h = mix(h, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	return mix(h, last)
}

func mix(h, w uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, w^0xd1b54a32d192ed03) // odd, and without a pattern in their bits
	return hi ^ lo
}
