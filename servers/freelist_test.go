package servers

import "testing"

func TestFreeList(t *testing.T) {
	var l freeList
	for _, c := range []struct{ n, capacity int }{
		{0, 512}, {1, 512}, {512, 512}, {513, 1024}, {4096, 4096}, {4097, 8192},
		{1 << 20, 1 << 20}, {1<<20 + 1, 0},
	} {
		b := l.Get(c.n)
		if len(b) < c.n {
			t.Errorf("Get(%d) has length %d", c.n, len(b))
		}
		if c.capacity != 0 && cap(b) != c.capacity {
			t.Errorf("Get(%d) has capacity %d, want %d", c.n, cap(b), c.capacity)
		}
		b[:1:1][0] = 7 // as a Conn does, give it back resliced
		l.Put(b[:0])
		again := l.Get(max(c.n, 1))
		if len(again) < c.n {
			t.Errorf("Get(%d) after Put has length %d", c.n, len(again))
		}
		if reused := &again[0] == &b[:1][0]; reused != (c.capacity != 0) {
			t.Errorf("Get(%d) after Put: reused is %v", c.n, reused)
		}
	}
}

// TestFreeListBound puts back more than it may keep, and what it did not give.
func TestFreeListBound(t *testing.T) {
	var l freeList
	for range 10 * freeBuffers {
		l.Put(make([]byte, 512))
		l.Put(make([]byte, 64<<10))
		l.Put(make([]byte, 3000)) // of no class
		l.Put(nil)
	}
	kept := 0
	for k, class := range l.classes {
		for _, b := range class {
			if len(b) != 1<<(k+freeSmallest) {
				t.Fatalf("class %d keeps a buffer of %d bytes", k, len(b))
			}
			kept += len(b)
		}
		if len(class) > freeBuffers {
			t.Errorf("class %d keeps %d buffers", k, len(class))
		}
	}
	if kept == 0 || kept > 2*freeBytes {
		t.Errorf("keeps %d bytes of two classes, at most %d each", kept, freeBytes)
	}
}

func TestFreeListAllocates(t *testing.T) {
	var l freeList
	l.Put(l.Get(2000))
	if n := testing.AllocsPerRun(100, func() { l.Put(l.Get(2000)) }); n != 0 {
		t.Errorf("Get and Put of a kept buffer allocate %v times", n)
	}
}

// TestReserve: lists of which one only takes and the other only gives back need no new buffers in the end, and keep a bounded
// number.
func TestReserve(t *testing.T) {
	var r reserve
	takes, gives := freeList{reserve: &r}, freeList{reserve: &r}
	pass := func() {
		for _, n := range []int{512, 64 << 10, 1 << 20} {
			gives.Put(takes.Get(n))
		}
	}
	for range 10 * freeBuffers {
		pass()
	}
	if n := testing.AllocsPerRun(1000, pass); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for k := range r.classes {
		if most := freeMost(k); len(takes.classes[k]) > most || len(gives.classes[k]) > most || len(r.classes[k]) > most {
			t.Errorf("class %d keeps %d, %d and in reserve %d", k, len(takes.classes[k]), len(gives.classes[k]), len(r.classes[k]))
		}
	}
}
