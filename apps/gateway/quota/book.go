package quota

import (
	"hash/maphash"
	"math"
	"sync/atomic"
)

// ways are the keys of a set: one cache line, and another one for their words.
const ways = 8

// Book is what keys have used up, for all shards of a process. Any number of goroutines may use it at once, without a lock.
//
// It is bounded, and what comes in can't make it forget. Each key has a set of eight places. In a full set the key that has
// used up least makes room, and what it had used up is joined into the floor of the set, with which every newcomer begins:
// so a key that comes back has at least what it had. Who floods the table with new keys makes newcomers wait, as long as
// his own keys must; those that are in it are not touched unless they are the least in use.
//
// Keys are told apart by a keyed hash of 64 bits. Two of a million keys share one with a probability of 10⁻⁷.
type Book struct {
	seed    maphash.Seed
	sets    []set
	floors  []atomic.Int64
	tallies []atomic.Pointer[Tally] // by place; nil where nothing is carried elsewhere
	journal *Journal
}

type set struct {
	keys  [ways]atomic.Uint64 // 0 is free
	words [ways]atomic.Int64
}

// NewBook returns room for about n keys: a third more than that, 16 bytes each. j is where what is taken is noted down for
// others, or nil.
func NewBook(n int, j *Journal) *Book {
	size := 1
	for size*ways*3/4 < n {
		size *= 2
	}
	b := &Book{seed: maphash.MakeSeed(), sets: make([]set, size), floors: make([]atomic.Int64, size), journal: j}
	if j != nil {
		b.tallies = make([]atomic.Pointer[Tally], size*ways)
	}
	return b
}

// Key is the key of a name.
func (b *Book) Key(name []byte) uint64 { return max(1, maphash.Bytes(b.seed, name)) }

// Take takes up to want tokens of a key, and returns how many it got, and what is left. name is what the key was made of.
func (b *Book) Take(p *Policy, key uint64, name []byte, now, want int64) (got int64, l Left) {
	at, i := b.place(p, key, now)
	w := &b.sets[at].words[i]
	for {
		old := w.Load()
		var after word
		if after, got = p.take(old, now, want); got == 0 {
			return 0, p.left(old, now)
		}
		if w.CompareAndSwap(old, after) {
			b.note(p, key, at, i, after, now)
			if b.journal != nil {
				b.jot(at, i, key, name, now, got)
			}
			return got, p.left(after, now)
		}
	}
}

// Charge takes n tokens of a key, there or not: what was used up elsewhere.
func (b *Book) Charge(p *Policy, key uint64, now, n int64) {
	b.change(p, key, now, func(w word) word { return p.charge(w, now, n) })
}

// Raise makes sure that a key has used up as much as w says.
func (b *Book) Raise(p *Policy, key uint64, now int64, w word) {
	b.change(p, key, now, func(old word) word { return p.join(old, w, now) })
}

// Refund gives back n tokens that were taken at since.
func (b *Book) Refund(p *Policy, key uint64, name []byte, since, now, n int64) {
	b.change(p, key, now, func(w word) word { return p.refund(w, since, n) })
	if b.journal != nil {
		at, i := b.place(p, key, now)
		b.jot(at, i, key, name, since, -n)
	}
}

// Left says what is left of a key.
func (b *Book) Left(p *Policy, key uint64, now int64) Left {
	at, i := b.place(p, key, now)
	return p.left(b.sets[at].words[i].Load(), now)
}

func (b *Book) change(p *Policy, key uint64, now int64, f func(word) word) {
	at, i := b.place(p, key, now)
	w := &b.sets[at].words[i]
	for {
		old := w.Load()
		if after := f(old); w.CompareAndSwap(old, after) {
			b.note(p, key, at, i, after, now)
			return
		}
	}
}

// note sees to it that what was taken counts although the key was evicted in the same moment.
func (b *Book) note(p *Policy, key uint64, at, i int, w word, now int64) {
	if b.sets[at].keys[i].Load() != key {
		b.raise(p, at, w, now)
	}
}

// jot notes n tokens in the key's tally, for others.
func (b *Book) jot(at, i int, key uint64, name []byte, now, n int64) {
	place := &b.tallies[at*ways+i]
	for {
		t := place.Load()
		if t == nil || t.Key != key || t.closed.Load() {
			fresh := b.journal.open(key, name)
			if fresh == nil {
				b.journal.lost.Add(n)
				return
			}
			place.Store(fresh) // another one that is lost here is still in the journal
			t = fresh
		}
		t.taken.Add(n)
		t.last.Store(now)
		if !t.closed.Load() {
			return
		}
		if n = t.taken.Swap(0); n == 0 {
			return // whoever closed it has taken it along
		}
	}
}

// raise joins a word into the floor of a set.
func (b *Book) raise(p *Policy, at int, w word, now int64) {
	f := &b.floors[at]
	for {
		old := f.Load()
		after := p.join(old, w, now)
		if after == old || f.CompareAndSwap(old, after) {
			return
		}
	}
}

// place returns the set of a key, and its place in it, which it makes where it has none.
func (b *Book) place(p *Policy, key uint64, now int64) (at, i int) {
	at = int(key >> 32 & uint64(len(b.sets)-1))
	s := &b.sets[at]
	for i := range s.keys {
		if s.keys[i].Load() == key {
			return at, i
		}
	}
	return at, b.enter(p, key, at, now)
}

// enter gives a key the place of the one that has used up least. A place of 0 is that of a key that never was.
func (b *Book) enter(p *Policy, key uint64, at int, now int64) int {
	s := &b.sets[at]
	for {
		best, least, was := 0, int64(math.MaxInt64), uint64(0)
		for i := range s.keys {
			k := s.keys[i].Load()
			if k == key {
				return i
			}
			used := int64(-1)
			if k != 0 {
				used = p.used(s.words[i].Load(), now)
			}
			if used < least {
				best, least, was = i, used, k
			}
		}
		if was != 0 { // before the key is gone, so that it finds the floor raised wherever it looks
			b.raise(p, at, s.words[best].Load(), now)
		}
		if !s.keys[best].CompareAndSwap(was, key) {
			continue
		}
		if was != 0 { // and again, with what it took until then
			b.raise(p, at, s.words[best].Load(), now)
		}
		for w := &s.words[best]; ; {
			old := w.Load()
			if w.CompareAndSwap(old, p.join(old, b.floors[at].Load(), now)) {
				break
			}
		}
		// Two that bring the same key at once may have chosen different places. Both then use the first one: whoever wrote
		// second sees the other.
		for i := range best {
			if s.keys[i].Load() == key {
				return i
			}
		}
		return best
	}
}
