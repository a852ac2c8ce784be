package store

// queue is a list of entries from the newest to the oldest, and what they cost.
type queue struct {
	newest, oldest *entry
	bytes          int64
	count          int
}

func (q *queue) push(e *entry) {
	e.queue, e.prev, e.next = q, nil, q.newest
	if q.newest != nil {
		q.newest.prev = e
	} else {
		q.oldest = e
	}
	q.newest = e
	q.bytes += e.size
	q.count++
}

func (q *queue) remove(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		q.newest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		q.oldest = e.prev
	}
	e.queue, e.prev, e.next = nil, nil, nil
	q.bytes -= e.size
	q.count--
}

// ghosts remembers who was evicted from the small queue lately, as many as the main queue has entries: by the place that the
// hash gives it, and when, counted in evictions. Another of the same place takes it over; a lost ghost costs one more miss.
type ghosts struct {
	slots []ghost
	clock uint32
}

type ghost struct {
	tag  uint32
	when uint32
}

// ghostBytes is how much of the cache's bytes stands behind one place for a ghost, which costs 8 of them.
const ghostBytes = 2048

func newGhosts(bytes int64) ghosts {
	n := 16
	for int64(n)*ghostBytes < bytes {
		n *= 2
	}
	return ghosts{slots: make([]ghost, n)}
}

func (g *ghosts) add(hash uint64) {
	g.clock++
	g.slots[hash%uint64(len(g.slots))] = ghost{uint32(hash >> 32), g.clock}
}

// take reports whether hash is among the last most evicted, and forgets it.
func (g *ghosts) take(hash uint64, most int) bool {
	s := &g.slots[hash%uint64(len(g.slots))]
	if s.when == 0 || s.tag != uint32(hash>>32) || int(g.clock-s.when) >= max(most, 16) {
		return false
	}
	*s = ghost{}
	return true
}

// insert puts a new entry where S3-FIFO wants it, and makes room.
func (c *Cache) insert(e *entry) {
	e.size = e.cost()
	c.used += e.size
	e.sibling = c.index[e.hash]
	c.index[e.hash] = e
	if c.ghosts.take(e.hash^e.variant, c.main.count) {
		c.main.push(e)
	} else {
		c.small.push(e)
	}
	c.room()
}

// room evicts until the bound is kept.
func (c *Cache) room() {
	for c.used > c.rules.Bytes && c.Len() > 0 {
		if c.small.oldest != nil && (c.small.bytes*smallShare >= c.rules.Bytes || c.main.oldest == nil) {
			c.evictSmall()
		} else {
			c.evictMain()
		}
	}
}

// smallShare is the part of the bytes that the small queue may have: the paper's tenth.
const smallShare = 10

func (c *Cache) evictSmall() {
	e := c.small.oldest
	if e.uses > 1 {
		c.small.remove(e)
		e.uses = 0
		c.main.push(e)
		return
	}
	c.ghosts.add(e.hash ^ e.variant)
	c.drop(e)
	c.Count.Evicted++
}

func (c *Cache) evictMain() {
	e := c.main.oldest
	if e.uses > 0 {
		c.main.remove(e)
		e.uses--
		c.main.push(e)
		return
	}
	c.drop(e)
	c.Count.Evicted++
}

// drop removes an entry. What was handed out of it stays as it is.
func (c *Cache) drop(e *entry) {
	e.queue.remove(e)
	c.used -= e.size
	if head := c.index[e.hash]; head == e {
		if e.sibling == nil {
			delete(c.index, e.hash)
		} else {
			c.index[e.hash] = e.sibling
		}
	} else {
		for head.sibling != e {
			head = head.sibling
		}
		head.sibling = e.sibling
	}
	*e = entry{}
	if len(c.spare) < cap(c.spare) {
		c.spare = append(c.spare, e)
	}
}

// fresh returns an empty entry.
func (c *Cache) fresh() *entry {
	if n := len(c.spare) - 1; n >= 0 {
		e := c.spare[n]
		c.spare = c.spare[:n]
		return e
	}
	return new(entry)
}
