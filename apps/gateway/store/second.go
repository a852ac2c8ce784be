package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// Second is a level behind the caches of all shards, such as Redis. Its methods may block: they are called off the loop, by
// any goroutine, also at once. Key and value are borrowed for the call; what Get returns is the caller's. It keeps one variant
// of each key: whoever wants another misses.
type Second interface {
	// Get returns the value of a key, nil if there is none.
	Get(key []byte) ([]byte, error)
	// Put keeps a value for ttl.
	Put(key, value []byte, ttl time.Duration) error
	// Delete forgets a key.
	Delete(key []byte) error
}

// AppendKey appends the key of a request in the second level.
func AppendKey(dst []byte, q *Request) []byte { return appendKey(dst, q.Space, q.Host, q.Target) }

// encoding is the version of what Encode makes; another one is not read.
const encoding = 1

// Encode appends the answer that is stored for a request, as a second level keeps it, and how long that is worth keeping;
// 0 if there is none, or it is of no use to others.
func (c *Cache) Encode(dst []byte, q *Request, now, wall int64) ([]byte, time.Duration) {
	key, hash := c.key(q)
	e := c.find(hash, key, q, now)
	if e == nil || e.alone {
		return dst, 0
	}
	t := &e.terms
	ttl := t.lifetime + max(t.swr, t.sie) - t.age - (now - e.stored)
	if ttl <= 0 {
		return dst, 0
	}
	flags := byte(0)
	for i, f := range []bool{t.strict, t.noCache, t.shared} {
		if f {
			flags |= 1 << i
		}
	}
	dst = append(dst, encoding, flags)
	for _, n := range []int64{int64(e.status), t.lifetime, t.age + now - e.stored, wall, t.swr, t.sie, t.modified} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, b := range [][]byte{e.keyBytes(), e.headers[e.key:e.lines], e.fieldLines(), e.body} {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst, time.Duration(ttl)
}

var errEncoding = errors.New("store: not an answer of this version")

// Decode stores what Encode made, if it is for this request; then Look finds it. The time that passed since is counted by
// the wall clocks of both, and a clock that is behind makes it no younger than it was.
func (c *Cache) Decode(b []byte, q *Request, now, wall int64) error {
	if len(b) < 2 || b[0] != encoding {
		return errEncoding
	}
	flags := b[1]
	b = b[2:]
	var numbers [7]int64
	for i := range numbers {
		v, n := binary.Varint(b)
		if n <= 0 || v < unset || i != 3 && i != 6 && v > 1<<62 {
			return errEncoding
		}
		numbers[i], b = v, b[n:]
	}
	var parts [4][]byte
	for i := range parts {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return errEncoding
		}
		parts[i], b = b[n:n+int(size)], b[n+int(size):]
	}
	status := numbers[0]
	if len(b) > 0 || !understood(int(status)) || !validSelecting(parts[1]) || !validLines(parts[2]) {
		return errEncoding
	}
	key, hash := c.key(q)
	if string(key) != string(parts[0]) {
		return errors.New("store: the answer is for another key")
	}
	if int64(len(parts[3])) > c.rules.Object {
		return errors.New("store: the answer is too large")
	}
	e := c.fresh()
	e.hash, e.status, e.stored = hash, int(status), now
	e.headers = roomy(len(parts[0]) + len(parts[1]) + len(parts[2]))
	for _, p := range parts[:3] {
		e.headers = append(e.headers, p...)
	}
	e.key, e.lines = int32(len(parts[0])), int32(len(parts[0])+len(parts[1]))
	e.variant = variantHash(parts[1])
	e.body = append(roomy(len(parts[3])), parts[3]...)
	e.terms = terms{lifetime: numbers[1], age: numbers[2] + toNanos(max(0, wall-numbers[3])), swr: numbers[4], sie: numbers[5],
		modified: numbers[6], strict: flags&1 != 0, noCache: flags&2 != 0, shared: flags&4 != 0}
	e.note()
	if e.cost()*smallShare > c.rules.Bytes {
		return errors.New("store: the answer is too large")
	}
	c.replace(e)
	c.insert(e)
	return nil
}

// validSelecting reports whether b is names and values as appendSelecting makes them.
func validSelecting(b []byte) bool {
	for n := 0; len(b) > 0; n++ {
		if len(b) < 3 {
			return false
		}
		size := int(b[0])<<16 + int(b[1])<<8 + int(b[2])
		if len(b) < 3+size {
			return false
		}
		if b = b[3+size:]; len(b) == 0 {
			return n%2 == 1
		}
	}
	return true
}

// validLines reports whether b is field lines that may be sent as they are: others may write to where it comes from.
func validLines(b []byte) bool {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 1 || b[end-1] != '\r' || bytes.IndexByte(b[:end], ':') < 1 {
			return false
		}
		for _, c := range b[:end-1] {
			if c < ' ' && c != '\t' || c == 0x7f {
				return false
			}
		}
		b = b[end+1:]
	}
	return true
}

// Memory is a second level in this process, bounded by entries. It is for tests and for trying out. Its clock is the caller's.
type Memory struct {
	Clock func() time.Time
	Most  int   // entries; a new one takes the place of any other
	Fail  error // what all methods return, if it is set before

	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	value []byte
	until time.Time
}

// Get implements Second.
func (m *Memory) Get(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[string(key)]
	if m.Fail != nil || !ok || !m.Clock().Before(k.until) {
		return nil, m.Fail
	}
	return append([]byte(nil), k.value...), nil
}

// Put implements Second.
func (m *Memory) Put(key, value []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Fail != nil {
		return m.Fail
	}
	if m.kept == nil {
		m.kept = map[string]kept{}
	}
	for k := range m.kept {
		if len(m.kept) < m.Most {
			break
		}
		delete(m.kept, k)
	}
	m.kept[string(key)] = kept{append([]byte(nil), value...), m.Clock().Add(ttl)}
	return nil
}

// Delete implements Second.
func (m *Memory) Delete(key []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, string(key))
	return m.Fail
}
