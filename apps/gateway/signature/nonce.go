package signature

import (
	"hash/maphash"
	"sync/atomic"
)

// slotsOfBucket are the entries of a bucket: one cache line.
const slotsOfBucket = 8

// Nonces remembers nonces for as long as they could be used again. Any number of goroutines may use it at once, without a
// lock: all shards of a process share it, or else each of them would take the same request once.
//
// It is bounded, and can't be made to forget: an entry makes room when its time is over and not before. A nonce that finds
// no room in either of its two buckets is refused. Only who has a key gets as far, and each key has its own Nonces: nobody
// fills another's.
//
// An entry is 32 bits of a keyed hash and the second of its end. That the hash of a new nonce is that of an old one, so that
// it is refused, happens once in 10⁸ at most; that an old one is accepted, never.
type Nonces struct {
	seed    maphash.Seed
	buckets []bucket
	began   int64 // Unix seconds
}

type bucket [slotsOfBucket]atomic.Uint64

// NewNonces returns room for about n nonces: 8 bytes for each, and a third more than that. now is Unix nanoseconds.
func NewNonces(n int, now int64) *Nonces {
	size := 2
	for size*slotsOfBucket*3/4 < n {
		size *= 2
	}
	return &Nonces{seed: maphash.MakeSeed(), buckets: make([]bucket, size), began: now / 1e9}
}

// Since is the Unix second in which the memory begins: what was created in it or before may have been used before.
func (n *Nonces) Since() int64 { return n.began }

// use takes a nonce that must be remembered up to the second until, inclusive. now is in seconds as well.
func (n *Nonces) use(nonce []byte, until, now int64) Refusal {
	h := maphash.Bytes(n.seed, nonce)
	print := h & 0xffffffff
	mask := uint64(len(n.buckets) - 1)
	at := h >> 32 & mask
	pair := [2]*bucket{&n.buckets[at], &n.buckets[(at^(print|1))&mask]} // two different ones
	entry := print<<32 | uint64(uint32(until))
	for {
		free, old := (*atomic.Uint64)(nil), uint64(0)
		most := 0
		for _, b := range pair {
			room := 0
			var first *atomic.Uint64
			var was uint64
			for i := range b {
				e := b[i].Load()
				if live := e != 0 && int64(uint32(e)) >= now; !live {
					room++
					if first == nil {
						first, was = &b[i], e
					}
				} else if e>>32 == print {
					return Replayed
				}
			}
			if room > most {
				free, old, most = first, was, room
			}
		}
		if free == nil {
			return Full
		}
		if !free.CompareAndSwap(old, entry) {
			continue // somebody was faster: it may have been this nonce
		}
		// Two that came at once may each have found another place free, the time being different for them. Each has written
		// before it looks again, so that at least one of them sees the other, and gives up.
		seen := 0
		for _, b := range pair {
			for i := range b {
				if e := b[i].Load(); e>>32 == print && e != 0 && int64(uint32(e)) >= now {
					seen++
				}
			}
		}
		if seen > 1 {
			return Replayed
		}
		return 0
	}
}
