package servers

import (
	"math/bits"
	"sync"
)

// freeList is the Buffers of one owner: free buffers of a power of two, a bounded number of each. It locks nothing, but for
// a reserve where it has one.
type freeList struct {
	classes [freeClasses][][]byte
	reserve *reserve
}

// reserve is where lists even out whose owners pass buffers on to each other: who gives back more than it took leaves half of
// its buffers here, who took more than it gave back finds them. So the lock is taken once in many requests.
type reserve struct {
	mu      sync.Mutex
	classes [freeClasses][][]byte
}

// move moves n buffers from the end of from to the end of to, or as many as there are.
func move(from, to *[][]byte, n int) {
	keep := max(len(*from)-n, 0)
	*to = append(*to, (*from)[keep:]...)
	clear((*from)[keep:])
	*from = (*from)[:keep]
}

// fill gives l buffers of class k.
func (r *reserve) fill(l *freeList, k int) {
	r.mu.Lock()
	move(&r.classes[k], &l.classes[k], (freeMost(k)+1)/2)
	r.mu.Unlock()
}

// relieve takes half of the buffers of class k from l, which is full. What is too many even here is left to the garbage
// collector.
func (r *reserve) relieve(l *freeList, k int) {
	r.mu.Lock()
	move(&l.classes[k], &r.classes[k], (freeMost(k)+1)/2)
	if len(r.classes[k]) > freeMost(k) {
		clear(r.classes[k][freeMost(k):])
		r.classes[k] = r.classes[k][:freeMost(k)]
	}
	r.mu.Unlock()
}

// freeMost is how many free buffers of class k a list keeps.
func freeMost(k int) int { return min(freeBuffers, freeBytes>>(k+freeSmallest)) }

const (
	freeSmallest = 9                              // 512 B
	freeLargest  = 20                             // 1 MiB; larger buffers go to the garbage collector
	freeClasses  = freeLargest - freeSmallest + 1 //
	freeBytes    = 1 << 20                        // kept of each class,
	freeBuffers  = 256                            // and no more buffers than that
)

// Get implements httpcore.Buffers.
func (l *freeList) Get(n int) []byte {
	k := freeClass(n)
	if k >= freeClasses {
		return make([]byte, n)
	}
	if len(l.classes[k]) == 0 && l.reserve != nil {
		l.reserve.fill(l, k)
	}
	free := l.classes[k]
	if last := len(free) - 1; last >= 0 {
		b := free[last]
		free[last] = nil
		l.classes[k] = free[:last]
		return b
	}
	return make([]byte, 1<<(k+freeSmallest))
}

// Put implements httpcore.Buffers. What is not of a class, or one too many, is left to the garbage collector.
func (l *freeList) Put(b []byte) {
	n := cap(b)
	if n < 1<<freeSmallest || n > 1<<freeLargest || n&(n-1) != 0 {
		return
	}
	k := freeClass(n)
	if len(l.classes[k]) >= freeMost(k) {
		if l.reserve == nil {
			return
		}
		l.reserve.relieve(l, k)
	}
	l.classes[k] = append(l.classes[k], b[:n])
}

// freeClass returns the index of the smallest class of n bytes or more.
func freeClass(n int) int {
	if n <= 1<<freeSmallest {
		return 0
	}
	return bits.Len(uint(n-1)) - freeSmallest
}
