package store

import (
	"container/list"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// sum is what the entries of a cache cost, counted one by one, with the ghosts.
func sum(c *Cache) int64 {
	n := int64(len(c.ghosts.slots)) * 8
	for _, q := range []*queue{&c.small, &c.main} {
		count, bytes := 0, int64(0)
		for e := q.newest; e != nil; e = e.next {
			if e.cost() != e.size || e.queue != q {
				panic("an entry's size is not its cost")
			}
			count++
			bytes += e.size
		}
		if count != q.count || bytes != q.bytes {
			panic(fmt.Sprintf("a queue of %d entries and %d bytes counts %d and %d", count, bytes, q.count, q.bytes))
		}
		n += bytes
	}
	chained := 0
	for hash, e := range c.index {
		for ; e != nil; e = e.sibling {
			if e.hash != hash {
				panic("an entry is in the chain of another hash")
			}
			chained++
		}
	}
	if chained != c.Len() {
		panic(fmt.Sprintf("%d entries are in the index, %d in the queues", chained, c.Len()))
	}
	return n
}

// TestBound: whatever comes, the bound is kept and the books are right.
func TestBound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	c := New(Rules{Bytes: 256 << 10, Object: 20 << 10}.Filled())
	for i := range 20_000 {
		q := get(fmt.Sprintf("/%d", random.IntN(500)), fmt.Sprintf("Accept: %d", random.IntN(3)))
		answer := "Cache-Control: max-age=10"
		if random.IntN(2) == 0 {
			answer += "|Vary: Accept"
		}
		if random.IntN(50) == 0 {
			c.Invalidate("up", q.Host, q.Target, nil)
		}
		ask(c, q, answer, string(make([]byte, random.IntN(8<<random.IntN(12)))), int64(i)*second/10)
		if c.used > c.rules.Bytes {
			t.Fatalf("%d bytes of %d are used", c.used, c.rules.Bytes)
		}
		if i%500 == 0 && c.used != sum(c) {
			t.Fatalf("%d bytes are counted, %d are used", c.used, sum(c))
		}
	}
	if c.Count.Evicted == 0 || c.Count.Looks[Hit] == 0 || c.used < c.rules.Bytes*3/4 {
		t.Errorf("%+v with %d bytes", c.Count, c.used)
	}
	rules := c.rules
	rules.Bytes /= 4
	c.Use(rules)
	if c.used > rules.Bytes || c.used != sum(c) {
		t.Errorf("%d bytes are used of %d, and %d counted", sum(c), rules.Bytes, c.used)
	}
}

// TestHeap holds what is counted against the heap: all that a full cache keeps alive is within a tenth of its bound.
func TestHeap(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, size := range []int{0, 100, 3000} {
		before := heap()
		c := New(Rules{Bytes: 8 << 20}.Filled())
		body := string(make([]byte, size))
		for i := 0; c.Count.Evicted < 1000; i++ {
			ask(c, get(fmt.Sprintf("/some/longer/path/%d", i), ""), "Cache-Control: max-age=10|Content-Type: text/html|ETag: \"12345678\"", body, 0)
		}
		took := heap() - before
		if float64(took) > 1.1*float64(c.rules.Bytes) || float64(took) < 0.8*float64(c.rules.Bytes) {
			t.Errorf("contents of %d bytes: %d entries take %d bytes of heap, counted as %d", size, c.Len(), took, c.used)
		}
		runtime.KeepAlive(c)
	}
}

// lru is the usual cache, for comparison: n entries of one size.
type lru struct {
	n     int
	order *list.List
	index map[int]*list.Element
}

func (l *lru) hit(key int) bool {
	if e := l.index[key]; e != nil {
		l.order.MoveToFront(e)
		return true
	}
	if len(l.index) == l.n {
		delete(l.index, l.order.Remove(l.order.Back()).(int))
	}
	l.index[key] = l.order.PushFront(key)
	return false
}

// TestScan: popular things, asked for by Zipf's law, and between them scans of things asked for once. S3-FIFO keeps the
// popular ones where LRU loses them; without scans it is no worse.
func TestScan(t *testing.T) {
	for _, scans := range []bool{false, true} {
		random := rand.New(rand.NewPCG(3, 3))
		zipf := rand.NewZipf(random, 1.1, 1, 20_000)
		c := New(Rules{Bytes: 2 << 20}.Filled())
		body := string(make([]byte, 700))
		ask(c, get("/000000", ""), "Cache-Control: max-age=999", body, 0)
		other := lru{int(float64(c.rules.Bytes) / float64(c.small.bytes)), list.New(), map[int]*list.Element{}}
		hits, otherHits, asked := 0, 0, 0
		request := func(key int, counts bool) {
			hit := ask(c, get(fmt.Sprintf("/%06d", key), ""), "Cache-Control: max-age=999", body, 0).Status == Hit
			otherHit := other.hit(key)
			if counts {
				asked++
				if hit {
					hits++
				}
				if otherHit {
					otherHits++
				}
			}
		}
		scanned := 100_000
		for i := range 60_000 {
			request(int(zipf.Uint64()), i > 10_000)
			if scans && i%6000 == 5999 {
				for range 2 * other.n {
					request(scanned, false)
					scanned++
				}
			}
		}
		ours, theirs := float64(hits)/float64(asked), float64(otherHits)/float64(asked)
		t.Logf("scans %v: %.1f %% hits, LRU %.1f %%", scans, 100*ours, 100*theirs)
		if ours < theirs || scans && ours < theirs+0.02 || math.IsNaN(ours) {
			t.Errorf("scans %v: %.1f %% hits, LRU %.1f %%", scans, 100*ours, 100*theirs)
		}
	}
}

// TestGhost: who was evicted and comes again soon is not on probation again.
func TestGhost(t *testing.T) {
	c := New(Rules{Bytes: 100 << 10}.Filled())
	ask(c, get("/ghost", ""), "Cache-Control: max-age=999", "x", 0)
	for i := 0; c.Count.Evicted == 0; i++ {
		ask(c, get(fmt.Sprint("/", i), ""), "Cache-Control: max-age=999", "x", 0)
	}
	if c.Look(new(Ask), get("/ghost", ""), 0).Status != Miss {
		t.Fatal("the oldest was not evicted")
	}
	ask(c, get("/ghost", ""), "Cache-Control: max-age=999", "x", 0)
	if c.main.count != 1 {
		t.Errorf("%d entries in the main queue", c.main.count)
	}
}
