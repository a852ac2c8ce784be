package store

import (
	"hash/maphash"

	"corelab/httpcore"
)

// Cache is the cache of one shard. Its methods are for the owner of the shard; now is monotonic, in ns, and never goes back;
// wall is in seconds since 1970.
type Cache struct {
	Count Counts

	rules       Rules
	seed        maphash.Seed
	index       map[uint64]*entry
	small, main queue
	ghosts      ghosts
	used        int64
	reserved    int64 // of used, for answers that are arriving
	spare       []*entry
	flights     map[uint64]*flight
	idle        []*flight
	scratch     []byte
}

// Counts counts what a cache did.
type Counts struct {
	Looks     [numStatus]uint64
	Stored    uint64
	Evicted   uint64
	Freshened uint64
	Waited    uint64 // requests that waited for another's answer
	Refused   uint64 // answers that could not be stored
}

// Status is what the cache had to do with an answer, in nginx's words for X-Cache-Status.
type Status uint8

const (
	Bypass      Status = iota // the request is none that a cache answers
	Miss                      // there was no answer
	Hit                       // it was here, and fresh
	Expired                   // it was here, but must be validated
	Stale                     // it was here and is used though it is stale, which the request or an error allows
	Updating                  // the same, while it is validated: stale-while-revalidate
	Revalidated               // it was here, and the upstream said that it still holds

	numStatus
)

// String returns the value of X-Cache-Status.
func (s Status) String() string {
	return [numStatus]string{"BYPASS", "MISS", "HIT", "EXPIRED", "STALE", "UPDATING", "REVALIDATED"}[s]
}

// Request is what the cache must know of a request. It is borrowed for each call.
type Request struct {
	Fields
	Space        string // what may not answer for each other is in another space: an upstream's name
	Method       httpcore.Method
	Host, Target []byte
	Authorized   bool // otherwise than by an Authorization field
}

// Found is what Look found.
type Found struct {
	Status Status

	// The answer, for Hit, Stale, Updating and Revalidated. Nobody may write to the slices; they stay as they are for ever.
	Code        int
	Lines, Body []byte
	Age         int64 // seconds, RFC 9111 §5.1
	NotModified bool  // the client has it: answer 304 without the Body, and with the lines of [NotModified]

	// What to ask the upstream with, for Expired and Updating: empty where there is no such validator.
	ETag, Modified []byte

	Refresh bool // with Updating: nobody asks the upstream yet, and somebody should
	Alone   bool // with Miss and Expired: the answer is not worth waiting for; Join is not called
	Refuse  bool // answer 504: only-if-cached, RFC 9111 §5.2.1.7
}

// New returns an empty cache under rules that are filled in.
func New(r Rules) *Cache {
	c := &Cache{rules: r, seed: maphash.MakeSeed(), index: map[uint64]*entry{}, flights: map[uint64]*flight{},
		ghosts: newGhosts(r.Bytes), spare: make([]*entry, 0, 256)}
	c.used = int64(len(c.ghosts.slots)) * 8
	return c
}

// Use has the cache go on under other rules, which are filled in.
func (c *Cache) Use(r Rules) {
	if r == c.rules {
		return
	}
	if r.Bytes != c.rules.Bytes {
		c.used -= int64(len(c.ghosts.slots)) * 8
		c.ghosts = newGhosts(r.Bytes)
		c.used += int64(len(c.ghosts.slots)) * 8
	}
	c.rules = r
	c.room()
}

// Used is how many bytes the cache takes, those of answers that are arriving included.
func (c *Cache) Used() int64 { return c.used }

// Len is how many answers are stored.
func (c *Cache) Len() int { return c.small.count + c.main.count }

// appendKey appends the primary key, RFC 9111 §2. Hosts differ in no case (RFC 3986 §6.2.2.1), and have no zero byte.
func appendKey(dst []byte, space string, host, target []byte) []byte {
	dst = append(dst, space...)
	dst = append(dst, 0)
	for _, b := range host {
		dst = append(dst, lower(b))
	}
	dst = append(dst, 0)
	return append(dst, target...)
}

// key notes the key of a request in c.scratch, and returns it and its hash.
func (c *Cache) key(q *Request) ([]byte, uint64) {
	c.scratch = appendKey(c.scratch[:0], q.Space, q.Host, q.Target)
	return c.scratch, maphash.Bytes(c.seed, c.scratch)
}

// Look looks for an answer. It begins a request's business with the cache: a is zero before, or as Wake left it.
func (c *Cache) Look(a *Ask, q *Request, now int64) Found {
	f := c.look(a, q, now)
	c.Count.Looks[f.Status]++
	return f
}

func (c *Cache) look(a *Ask, q *Request, now int64) Found {
	a.read(q)
	if a.bypass {
		return Found{Status: Bypass, Alone: true, Refuse: a.cc.OnlyIfCached && !a.unsafe}
	}
	key, hash := c.key(q)
	a.hash = hash
	e := c.find(hash, key, q, now)
	switch {
	case e == nil:
		return Found{Status: Miss, Alone: a.authorized || a.head, Refuse: a.cc.OnlyIfCached}
	case e.alone:
		return Found{Status: Miss, Alone: true, Refuse: a.cc.OnlyIfCached}
	case a.authorized && !e.terms.shared:
		return Found{Status: Miss, Alone: true, Refuse: a.cc.OnlyIfCached}
	}
	t := &e.terms
	age := t.age + now - e.stored
	stale := age - t.lifetime
	cc := &a.cc
	allowed := !cc.NoCache && !t.noCache && (cc.MaxAge == unset || age <= toNanos(cc.MaxAge))
	f := Found{Status: Expired, Alone: a.head, Refuse: cc.OnlyIfCached}
	switch {
	case !allowed:
	case stale < 0 && (cc.MinFresh == unset || -stale >= toNanos(cc.MinFresh)):
		f = Found{Status: Hit}
	case stale < 0:
	case t.strict:
	case cc.MaxStale != unset && (cc.MaxStale == maxDelta || stale <= toNanos(cc.MaxStale)):
		f = Found{Status: Stale}
	case cc.MinFresh == unset && stale < t.swr:
		f = Found{Status: Updating}
		f.Refresh = c.flights[c.flightHash(a, q, key)] == nil
	}
	if f.Status == Expired || f.Status == Updating {
		f.ETag, f.Modified = e.at(t.etag), e.at(t.lastMod)
	}
	if f.Status != Expired {
		c.answer(&f, e, a, q, now)
		e.uses = min(e.uses+1, 3)
	}
	return f
}

// answer fills in what an entry answers.
func (c *Cache) answer(f *Found, e *entry, a *Ask, q *Request, now int64) {
	f.Code, f.Lines, f.Body = e.status, e.fieldLines(), e.body[:len(e.body):len(e.body)]
	f.Age = (e.terms.age + now - e.stored) / 1e9
	f.NotModified = a.conditional && e.status == 200 && clientHas(q, e.at(e.terms.etag), e.terms.modified)
}

// find returns the newest entry that may answer a request, as far as its key and Vary are concerned.
func (c *Cache) find(hash uint64, key []byte, q *Request, now int64) *entry {
	for e := c.index[hash]; e != nil; {
		next := e.sibling
		if string(e.keyBytes()) == string(key) {
			switch {
			case e.alone && now-e.stored > c.rules.Alone:
				c.drop(e)
			case e.alone || e.isVariant(q.Fields):
				return e
			}
		}
		e = next
	}
	return nil
}

// OnError returns what may answer instead of an upstream that failed, by no head or by a status of 500, 502, 503 or 504:
// stale-if-error, RFC 5861 §4.
func (c *Cache) OnError(a *Ask, q *Request, now int64) (Found, bool) {
	if a.bypass {
		return Found{}, false
	}
	key, hash := c.key(q)
	e := c.find(hash, key, q, now)
	if e == nil || e.alone || e.terms.strict || a.authorized && !e.terms.shared {
		return Found{}, false
	}
	age := e.terms.age + now - e.stored
	most := max(e.terms.sie, e.terms.swr) // who validates for the others may have what they get
	if a.cc.StaleError != unset {
		most = max(most, toNanos(a.cc.StaleError)) // the request may allow it as well
	}
	if age-e.terms.lifetime >= most || a.cc.NoCache {
		return Found{}, false
	}
	f := Found{Status: Stale}
	c.answer(&f, e, a, q, now)
	return f, true
}

// Invalidate forgets what is stored for the target of an unsafe request that was answered without an error, and for what its
// Location and Content-Location name at the same host, RFC 9111 §4.4. lines are the answer's. Other shards must be told too.
func (c *Cache) Invalidate(space string, host, target, lines []byte) {
	for t := range Targets(host, target, lines) {
		c.forget(space, host, t)
	}
}

// Targets yields the targets at host that an answer to an unsafe request for target says to forget, RFC 9111 §4.4.
func Targets(host, target, lines []byte) func(yield func(target []byte) bool) {
	return func(yield func([]byte) bool) {
		if !yield(target) {
			return
		}
		for len(lines) > 0 {
			var name, value []byte
			name, value, _, lines = cutLine(lines)
			if !foldEqual(name, "location") && !foldEqual(name, "content-location") {
				continue
			}
			if t := sameOrigin(value, host); t != nil && !yield(t) {
				return
			}
		}
	}
}

// sameOrigin returns the target that a URI reference names at host, or nil. Only paths from the root and whole URIs are read.
func sameOrigin(uri, host []byte) []byte {
	for i, b := range uri {
		if b == '#' {
			uri = uri[:i]
			break
		}
	}
	if len(uri) > 0 && uri[0] == '/' && (len(uri) == 1 || uri[1] != '/') {
		return uri
	}
	for i := 0; i+2 < len(uri); i++ {
		if uri[i] != ':' || uri[i+1] != '/' || uri[i+2] != '/' {
			continue
		}
		from := i + 3
		end := from
		for end < len(uri) && uri[end] != '/' && uri[end] != '?' {
			end++
		}
		if end-from != len(host) || !equalFold(uri[from:end], host) {
			return nil
		}
		if end == len(uri) {
			return []byte("/")
		}
		return uri[end:]
	}
	return nil
}

// forget drops all that is stored under a key, and what is arriving.
func (c *Cache) forget(space string, host, target []byte) {
	c.scratch = appendKey(c.scratch[:0], space, host, target)
	hash := maphash.Bytes(c.seed, c.scratch)
	for e := c.index[hash]; e != nil; {
		next := e.sibling
		if string(e.keyBytes()) == string(c.scratch) {
			c.drop(e)
		}
		e = next
	}
	for _, f := range c.flights {
		if f.primary == hash {
			f.void = true
		}
	}
}

// clientHas evaluates the conditions of a request that a cache may evaluate, RFC 9111 §4.3.2: true means 304.
func clientHas(q *Request, etag []byte, modified int64) bool {
	tagged, since := false, int64(unset)
	for i := range q.NumFields() {
		name, value := q.FieldAt(i)
		switch {
		case foldEqual(name, "if-none-match"):
			tagged = true
			if string(value) == "*" || tagMatches(value, etag) {
				return true
			}
		case foldEqual(name, "if-modified-since"):
			if t, ok := parseFixdate(value); ok {
				since = t
			}
		}
	}
	return !tagged && since != unset && modified != unset && modified <= since
}

// ClientHas is for an answer of 200 that has just arrived from the upstream, which was asked without the client's conditions:
// it reports whether the client can be answered 304.
func ClientHas(q *Request, lines []byte, wall int64) bool {
	var etag []byte
	modified := int64(unset)
	for len(lines) > 0 {
		var name, value []byte
		name, value, _, lines = cutLine(lines)
		if foldEqual(name, "etag") {
			etag = value
		} else if foldEqual(name, "last-modified") {
			modified = dateOr(value, wall)
		}
	}
	return clientHas(q, etag, modified)
}

// NotModified appends those of an answer's lines that a 304 has: not the ones that describe content which the client keeps,
// RFC 9110 §15.4.5.
func NotModified(dst, lines []byte) []byte {
	for len(lines) > 0 {
		var name, whole []byte
		name, _, whole, lines = cutLine(lines)
		if len(name) > 8 && foldEqual(name[:8], "content-") && !foldEqual(name, "content-location") || foldEqual(name, "last-modified") {
			continue
		}
		dst = append(dst, whole...)
	}
	return dst
}
