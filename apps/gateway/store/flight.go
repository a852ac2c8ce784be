package store

import (
	"hash/maphash"

	"corelab/httpcore"
)

// Ask is one request's business with the cache. It belongs to the request, begins as zero with Look, and ends with Leave; it
// stays where it is meanwhile.
type Ask struct {
	Owner Waiter // who is woken; needed for Join

	hash        uint64
	cc          Directives
	bypass      bool // neither answered nor stored
	unsafe      bool
	head        bool // HEAD: answered, not stored
	authorized  bool
	conditional bool

	flight     *flight
	leads      bool
	rejoined   bool
	prev, next *Ask // of those who wait

	arriving *entry // what is being stored for it
	reserved int64
}

// Waiter is who waits.
type Waiter interface {
	// Wake is called once for each Join that returned false, unless Leave came first, from inside another request's call. It
	// must not call the cache: it notes w, and has the request go on later.
	Wake(w Wake)
}

// Wake says how a wait ended.
type Wake uint8

const (
	Again Wake = iota // the answer is stored: Look once more
	Alone             // it is not: ask the upstream, without Join
	Lead              // who led was cancelled: ask the upstream, for the others as well
)

// flight is one question to the upstream, and who waits for its answer.
type flight struct {
	hash    uint64 // of the key and, where it is known what selects them, of the variant
	primary uint64 // of the key alone
	first   *Ask
	last    *Ask
	waiting int
	void    bool // an unsafe request came meanwhile: the answer is not stored
}

// read notes what a request wants of a cache.
func (a *Ask) read(q *Request) {
	a.cc = newDirectives()
	a.authorized, a.conditional, a.bypass = q.Authorized, false, false
	a.head = q.Method == httpcore.MethodHead
	a.unsafe = !a.head && q.Method != httpcore.MethodGet
	pragma := false
	for i := range q.NumFields() {
		name, value := q.FieldAt(i)
		switch len(name) {
		case len("range"):
			a.bypass = a.bypass || foldEqual(name, "range")
		case len("upgrade"):
			a.bypass = a.bypass || foldEqual(name, "upgrade") // a tunnel is nobody else's answer
		case len("pragma"):
			pragma = pragma || foldEqual(name, "pragma") && foldEqual(value, "no-cache")
		case len("if-match"):
			a.bypass = a.bypass || foldEqual(name, "if-match") // for the origin to evaluate, RFC 9111 §4.3.2
		case len("if-unmodified-since"):
			a.bypass = a.bypass || foldEqual(name, "if-unmodified-since")
		case len("authorization"): // cache-control, if-none-match
			switch {
			case foldEqual(name, "authorization"):
				a.authorized = true
			case foldEqual(name, "cache-control"):
				a.cc.parse(value)
			case foldEqual(name, "if-none-match"):
				a.conditional = true
			}
		case len("if-modified-since"):
			a.conditional = a.conditional || foldEqual(name, "if-modified-since")
		}
	}
	if pragma && !a.cc.found {
		a.cc.NoCache = true // RFC 9111 §5.4
	}
	a.bypass = a.bypass || a.unsafe || a.cc.NoStore
}

// flightHash is what requests must have in common to wait for each other: the key, and the values of the fields by which the
// newest answer was selected. Before the first answer nothing is known of these.
func (c *Cache) flightHash(a *Ask, q *Request, key []byte) uint64 {
	for e := c.index[a.hash]; e != nil; e = e.sibling {
		if e.alone || string(e.keyBytes()) != string(key) {
			continue
		}
		hash := a.hash
		for rest := e.headers[e.key:e.lines]; len(rest) > 0; {
			var name []byte
			name, rest = cutCounted(rest)
			_, rest = cutCounted(rest)
			from := len(c.scratch)
			c.scratch = appendValues(c.scratch, q.Fields, name)
			hash = hash*31 + maphash.Bytes(c.seed, c.scratch[from:])
			c.scratch = c.scratch[:from]
		}
		return hash
	}
	return a.hash
}

// Join has a request that missed wait for another that asks the same, or returns true: then it asks the upstream itself, for
// those who come after it. One that was woken with Again and missed again may join once more: by then it is known what
// selects variants.
func (c *Cache) Join(a *Ask, q *Request) (lead bool) {
	if a.bypass || a.flight != nil {
		return true
	}
	key, _ := c.key(q)
	hash := c.flightHash(a, q, key)
	f := c.flights[hash]
	if f == nil {
		if n := len(c.idle) - 1; n >= 0 {
			f, c.idle = c.idle[n], c.idle[:n]
		} else {
			f = new(flight)
		}
		*f = flight{hash: hash, primary: a.hash}
		c.flights[hash] = f
		a.flight, a.leads = f, true
		return true
	}
	if a.Owner == nil {
		panic("store: Join of an Ask without an Owner")
	}
	a.flight, a.prev, a.next = f, f.last, nil
	if f.last != nil {
		f.last.next = a
	} else {
		f.first = a
	}
	f.last = a
	f.waiting++
	c.Count.Waited++
	return false
}

// MayRejoin reports, once, whether a request that was woken with Again and missed may Join another time.
func (a *Ask) MayRejoin() bool {
	first := !a.rejoined
	a.rejoined = true
	return first
}

// Waits reports whether the request waits for another.
func (a *Ask) Waits() bool { return a.flight != nil && !a.leads }

// Leave ends a request's business with the cache, wherever it is: a wait, or an answer that will not arrive any more. If the
// request led, and its answer is neither stored nor refused, the first of the others leads now. Leave may be called at any
// time, also twice.
func (c *Cache) Leave(a *Ask) {
	c.release(a)
	f := a.flight
	if f == nil {
		return
	}
	if !a.leads {
		c.unlink(a)
		return
	}
	a.flight, a.leads = nil, false
	next := f.first
	if next == nil {
		c.land(f)
		return
	}
	c.unlink(next)
	next.flight, next.leads = f, true
	next.Owner.Wake(Lead)
}

func (c *Cache) unlink(a *Ask) {
	f := a.flight
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		f.first = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	} else {
		f.last = a.prev
	}
	f.waiting--
	a.flight, a.prev, a.next = nil, nil, nil
}

// land ends a flight that nobody waits for.
func (c *Cache) land(f *flight) {
	delete(c.flights, f.hash)
	*f = flight{}
	if len(c.idle) < 256 {
		c.idle = append(c.idle, f)
	}
}

// settle ends a flight whose leader has its answer.
func (c *Cache) settle(a *Ask, w Wake) {
	f := a.flight
	if f == nil || !a.leads {
		return
	}
	a.flight, a.leads = nil, false
	for f.first != nil {
		next := f.first
		c.unlink(next)
		next.Owner.Wake(w)
	}
	c.land(f)
}

// Failed says that the upstream gave no answer that could be stored or used for an entry: whoever waits asks by itself.
func (c *Cache) Failed(a *Ask) {
	c.release(a)
	c.settle(a, Alone)
}

// Stored says that the answer is here after all, by somebody else: whoever waits looks.
func (c *Cache) Stored(a *Ask) { c.settle(a, Again) }
