package store

// reservedShare is the part of the bytes that answers may take while they arrive; more are not stored.
const reservedShare = 4

// Begin looks at the head of the upstream's answer to a request that missed. length is the content's, -1 if it is not known;
// delay the ns since it was asked. It reports whether the answer will be stored: then each piece is given to Add, and Commit
// comes at the end. Otherwise the business is done.
func (c *Cache) Begin(a *Ask, q *Request, status int, lines []byte, length, wall, now, delay int64) bool {
	if a.bypass || a.head {
		return false
	}
	var s response
	s.read(lines, wall)
	t, ok := c.rules.judge(&s, status, a.authorized, wall, delay)
	if !ok || length > c.rules.Object || a.flight != nil && a.leads && a.flight.void {
		c.refuse(a, q, now)
		return false
	}
	key, _ := c.key(q)
	e := c.fresh()
	n := len(key)
	c.scratch = appendSelecting(c.scratch, lines, q.Fields)
	m := len(c.scratch)
	c.scratch = appendStored(c.scratch, lines)
	e.headers = append(roomy(len(c.scratch)), c.scratch...)
	e.hash, e.key, e.lines, e.status, e.stored, e.terms = a.hash, int32(n), int32(m), status, now, t
	e.variant = variantHash(e.headers[n:m])
	e.note()
	if length > 0 {
		e.body = roomy(int(length))
	}
	if !e.terms.useful() || e.cost()*smallShare > c.rules.Bytes || !c.reserve(a, e.cost()) {
		c.release(a)
		c.refuse(a, q, now)
		return false
	}
	a.arriving = e
	return true
}

// variantHash tells variants apart for the queues; their selecting bytes are what decides.
func variantHash(selecting []byte) (h uint64) {
	for _, b := range selecting {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// reserve counts n bytes in all for an answer that is arriving, if there is room for it.
func (c *Cache) reserve(a *Ask, n int64) bool {
	more := n - a.reserved
	if (c.reserved+more)*reservedShare > c.rules.Bytes {
		return false
	}
	c.reserved += more
	c.used += more
	a.reserved = n
	c.room()
	return true
}

// release gives back what was reserved, and forgets what was arriving.
func (c *Cache) release(a *Ask) {
	c.reserved -= a.reserved
	c.used -= a.reserved
	a.reserved, a.arriving = 0, nil
}

// Add takes the next piece of content, which it copies. It reports false when the content turns out too large: then nothing
// is stored, and the business is done.
func (c *Cache) Add(a *Ask, q *Request, p []byte, now int64) bool {
	e := a.arriving
	if e == nil {
		return false
	}
	n := len(e.body) + len(p)
	if int64(n) > c.rules.Object {
		c.release(a)
		c.refuse(a, q, now)
		return false
	}
	if n > cap(e.body) {
		body := roomy(min(max(n, 2*cap(e.body)), int(c.rules.Object)))
		e.body = append(body, e.body...)
		if e.cost()*smallShare > c.rules.Bytes || !c.reserve(a, e.cost()) {
			c.release(a)
			c.refuse(a, q, now)
			return false
		}
	}
	e.body = append(e.body, p...)
	return true
}

// Commit stores what has arrived, in the place of what it replaces, and wakes whoever waits.
func (c *Cache) Commit(a *Ask) {
	e := a.arriving
	if e == nil {
		return
	}
	c.release(a)
	if a.flight != nil && a.leads && a.flight.void {
		c.settle(a, Alone)
		return
	}
	if len(e.body) < cap(e.body)*7/8 {
		e.body = append(roomy(len(e.body)), e.body...)
	}
	c.replace(e)
	c.insert(e)
	c.Count.Stored++
	c.settle(a, Again)
}

// replace drops what e replaces: the same variant, the note that there is none, and the oldest of too many.
func (c *Cache) replace(e *entry) {
	variants := 1
	for old := c.index[e.hash]; old != nil; {
		next := old.sibling
		if string(old.keyBytes()) == string(e.keyBytes()) {
			same := string(old.headers[old.key:old.lines]) == string(e.headers[e.key:e.lines])
			if variants++; old.alone || same || variants > c.rules.Variants {
				variants--
				if same {
					e.uses = old.uses
				}
				c.drop(old)
			}
		}
		old = next
	}
}

// refuse ends the business of an answer that is not stored. Where others waited for it, the key is marked for a while: who
// waits for what cannot be shared waits for nothing.
func (c *Cache) refuse(a *Ask, q *Request, now int64) {
	c.Count.Refused++
	key, _ := c.key(q)
	c.outdate(a.hash, key, q)
	if f := a.flight; f != nil && a.leads && f.waiting > 0 && !f.void {
		e := c.fresh()
		e.hash, e.alone, e.stored = a.hash, true, now
		e.headers = append(roomy(len(key)), key...)
		e.key, e.lines = int32(len(key)), int32(len(key))
		c.replace(e)
		c.insert(e)
	}
	c.settle(a, Alone)
}

// outdate drops the entry for which a request got another answer that is not stored: what is newer than it must not be
// followed by it.
func (c *Cache) outdate(hash uint64, key []byte, q *Request) {
	for e := c.index[hash]; e != nil; e = e.sibling {
		if !e.alone && string(e.keyBytes()) == string(key) && e.isVariant(q.Fields) {
			c.drop(e)
			return
		}
	}
}

// Freshen takes the lines of a 304 that validated an entry, RFC 9111 §4.3.4, and returns the answer. false means that it
// validates nothing that is here: the 304 is of no use. Whoever waits is woken.
func (c *Cache) Freshen(a *Ask, q *Request, lines []byte, wall, now, delay int64) (Found, bool) {
	key, hash := c.key(q)
	e := c.find(hash, key, q, now)
	if a.bypass || e == nil || e.alone || !validates(e, lines) {
		c.Failed(a)
		return Found{}, false
	}
	c.scratch = append(c.scratch[:0], e.headers[:e.lines]...)
	for rest := e.fieldLines(); len(rest) > 0; {
		var name, whole []byte
		name, _, whole, rest = cutLine(rest)
		if !hasLine(lines, name) {
			c.scratch = append(c.scratch, whole...)
		}
	}
	c.scratch = appendStored(c.scratch, lines)
	var s, news response
	s.read(c.scratch[e.lines:], wall)
	news.read(lines, wall)
	s.age = news.age // it is not stored
	if news.date == unset {
		s.date = wall
	}
	t, ok := c.rules.judge(&s, e.status, a.authorized, wall, delay)
	c.used -= e.size
	e.queue.bytes -= e.size
	e.headers = append(roomy(len(c.scratch)), c.scratch...)
	e.terms, e.stored, e.size = t, now, e.cost()
	e.note()
	c.used += e.size
	e.queue.bytes += e.size
	e.uses = min(e.uses+1, 3)
	f := Found{Status: Revalidated}
	c.answer(&f, e, a, q, now)
	c.Count.Freshened++
	if !ok {
		c.drop(e)
		c.settle(a, Alone)
		return f, true
	}
	c.settle(a, Again)
	c.room()
	return f, true
}

// validates reports whether a 304 is about an entry: what it says of validators is the entry's.
func validates(e *entry, lines []byte) bool {
	for len(lines) > 0 {
		var name, value []byte
		name, value, _, lines = cutLine(lines)
		if foldEqual(name, "etag") {
			return string(opaque(value)) == string(opaque(e.at(e.terms.etag)))
		}
	}
	return e.terms.etag.to > 0 || e.terms.lastMod.to > 0
}

func hasLine(lines, name []byte) bool {
	for len(lines) > 0 {
		var n []byte
		n, _, _, lines = cutLine(lines)
		if len(n) == len(name) && equalFold(n, name) {
			return true
		}
	}
	return false
}

// Arrives reports whether an answer is being stored for the request.
func (a *Ask) Arrives() bool { return a.arriving != nil }
