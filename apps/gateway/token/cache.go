package token

import (
	"bytes"
	"hash/maphash"
	"math"
)

const (
	maxTime = math.MaxInt64
	ways    = 8    // entries of a set
	maxKept = 4096 // bytes: longer tokens are verified each time, so that the memory of a full cache is bounded
)

// cache keeps what verified tokens say. An entry is found by a keyed hash of the whole token, and then compared byte by
// byte. Each hash has a set of eight entries: of a full one the entry that was not used for longest makes room, an expired
// one first. Only what was verified gets in, so that nobody without a key can fill it.
type cache struct {
	seed    maphash.Seed
	hashes  []uint64 // of the entries; 0 is free
	entries []entry
	mask    uint64 // of sets
	tick    uint64
}

type entry struct {
	grant       Grant
	from, until int64
	issued      int64
	key         *Key
	trust       *Trust // the last one that this entry was held against
	used        uint64
	token       []byte
	memory      []byte // of token and grant
}

// newCache returns a cache of about n entries: a power of two of sets.
func newCache(n int) cache {
	if n <= 0 {
		return cache{}
	}
	sets := 1
	for sets*ways < n {
		sets *= 2
	}
	return cache{maphash.MakeSeed(), make([]uint64, sets*ways), make([]entry, sets*ways), uint64(sets - 1), 0}
}

// set returns the hash of a token, and where its set begins.
func (c *cache) set(token []byte) (hash uint64, at int) {
	h := maphash.Bytes(c.seed, token)
	return h | 1, int(h >> 32 & c.mask * ways)
}

// find returns the entry of token, or nil.
func (c *cache) find(token []byte) *entry {
	if c.entries == nil {
		return nil
	}
	hash, at := c.set(token)
	for i, h := range c.hashes[at : at+ways] {
		if e := &c.entries[at+i]; h == hash && bytes.Equal(e.token, token) {
			c.tick++
			e.used = c.tick
			return e
		}
	}
	return nil
}

// drop frees an entry. Its memory stays for the next one.
func (c *cache) drop(e *entry) {
	_, at := c.set(e.token)
	for i := at; i < at+ways; i++ {
		if &c.entries[i] == e {
			c.hashes[i] = 0
		}
	}
}

// place returns an entry for a token that is not in the cache, or nil if it can't be kept.
func (c *cache) place(token []byte, now int64) *entry {
	if c.entries == nil || len(token) > maxKept {
		return nil
	}
	hash, at := c.set(token)
	best := at
	for i := at; i < at+ways; i++ {
		if c.hashes[i] == 0 || c.entries[i].until <= now {
			best = i
			break
		}
		if c.entries[i].used < c.entries[best].used {
			best = i
		}
	}
	c.hashes[best] = hash
	c.tick++
	e := &c.entries[best]
	e.used = c.tick
	return e
}

// keep copies the token and what it says into e's own memory.
func (e *entry) keep(token []byte, g *Grant) {
	m := append(e.memory[:0], token...)
	m = append(m, g.Issuer...)
	m = append(m, g.Subject...)
	m = append(m, g.ID...)
	m = append(m, g.Scope...)
	e.memory = m
	cut := func(n int) (p []byte) {
		p, m = m[:n:n], m[n:]
		return p
	}
	e.token = cut(len(token))
	e.grant = Grant{cut(len(g.Issuer)), cut(len(g.Subject)), cut(len(g.ID)), cut(len(g.Scope)), g.Expires, nil}
}
