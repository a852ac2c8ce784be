package servers

import "math/bits"

// freeList is the Buffers of one owner: free buffers of a power of two, a bounded number of each. It locks nothing.
type freeList struct {
	classes [freeClasses][][]byte
}

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
	if len(l.classes[k]) >= min(freeBuffers, freeBytes>>(k+freeSmallest)) {
		return
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
