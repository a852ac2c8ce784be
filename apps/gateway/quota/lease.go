package quota

import "time"

// MaxBatch is the most tokens that a shard holds of one key.
const MaxBatch = 1024

// leaseWays are the leases of a set.
const leaseWays = 4

// Leases are the tokens that a shard holds: taken from a [Book] in batches, and given out without an atomic. They belong to
// the shard; one goroutine at a time may use them. What is evicted goes back to the book.
type Leases struct {
	book   *Book
	shards int64
	sets   [][leaseWays]lease
}

// lease is what the shard holds of a key, or knows of it: until then there is nothing to be had.
type lease struct {
	key   uint64
	until int64 // when it ends
	since int64 // when it was taken
	left  int64
	batch int64 // how many are taken at a time
}

// NewLeases returns room for about n leases of a book that so many shards take from.
func NewLeases(b *Book, shards, n int) *Leases {
	size := 1
	for size*leaseWays < n {
		size *= 2
	}
	return &Leases{b, int64(max(1, shards)), make([][leaseWays]lease, size)}
}

// Take takes a token of a key, if there is one. name is what the key was made of.
func (l *Leases) Take(p *Policy, key uint64, name []byte, now int64) bool {
	e := l.find(key)
	if e == nil {
		e = l.enter(p, key, now)
	}
	if now < e.until {
		if e.left > 0 {
			e.left--
			return true
		}
		if e.batch == 0 { // nothing until then
			return false
		}
	}
	return l.renew(p, e, name, now)
}

// renew ends a lease and takes another.
func (l *Leases) renew(p *Policy, e *lease, name []byte, now int64) bool {
	most := min(MaxBatch, int64(float64(p.Limit)*float64(p.Interval)/float64(p.Period))/l.shards)
	switch {
	case e.left > 0: // it was too much
		l.book.Refund(p, e.key, name, e.since, now, e.left)
		e.batch = max(1, e.batch-e.left)
	case now < e.until: // it was too little
		e.batch *= 2
	}
	e.batch = max(1, min(e.batch, most))
	got, left := l.book.Take(p, e.key, name, now, e.batch)
	if got == 0 {
		e.left, e.batch, e.until = 0, 0, now+int64(min(left.Retry, blockFor))
		return false
	}
	e.left, e.since, e.until = got-1, now, p.end(now)
	return true
}

// blockFor is how long a shard refuses without asking the book again, at most: refunds may come.
const blockFor = 100 * time.Millisecond

// Return gives back the token that Take gave last for a key: the request is refused by another limit.
func (l *Leases) Return(key uint64) {
	if e := l.find(key); e != nil && e.batch > 0 {
		e.left++
	}
}

// Left says what is left of a key, what this shard holds included.
func (l *Leases) Left(p *Policy, key uint64, now int64) Left {
	left := l.book.Left(p, key, now)
	if e := l.find(key); e != nil && e.left > 0 {
		left.Tokens += e.left
		left.Retry = 0
	}
	return left
}

func (l *Leases) find(key uint64) *lease {
	s := &l.sets[key>>16&uint64(len(l.sets)-1)]
	for i := range s {
		if s[i].key == key {
			return &s[i]
		}
	}
	return nil
}

// enter gives a key the place of the lease that ended first.
func (l *Leases) enter(p *Policy, key uint64, now int64) *lease {
	s := &l.sets[key>>16&uint64(len(l.sets)-1)]
	e := &s[0]
	for i := range s {
		if s[i].until < e.until {
			e = &s[i]
		}
	}
	if e.key != 0 && e.left > 0 && l.book.journal == nil { // else its name is not at hand, and they count as used
		l.book.Refund(p, e.key, nil, e.since, now, e.left)
	}
	*e = lease{key: key, batch: 1}
	return e
}
