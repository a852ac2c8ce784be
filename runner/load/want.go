package load

import (
	"fmt"
	"sync/atomic"
)

// want is what every answer must be. It never changes: a reference that is found while loading replaces it whole.
type want struct {
	status int    // 0: any below 400
	length int64  // below 0: any
	body   []byte // nil: nothing to compare with
}

// wanted holds the want of a run, shared by its loops.
type wanted struct {
	now   atomic.Pointer[want]
	every int  // one body in so many is compared; 0: none
	learn bool // the first right answer becomes the reference
}

func newWanted(s Spec) *wanted {
	w := &wanted{every: max(s.CheckEvery, 0)}
	first := want{length: -1}
	if e := s.Expect; e != nil {
		first = want{status: e.Status, length: e.Length, body: e.Body}
		if e.Body != nil {
			first.length = int64(len(e.Body))
		}
	}
	if s.Method == "HEAD" {
		first.length, first.body = 0, nil
	}
	if first.length == 0 {
		first.body = []byte{}
	}
	w.learn = first.length < 0 && w.every > 0
	w.now.Store(&first)
	return w
}

// learned offers the first right answer as the reference. It returns the one that holds from now on, which may be that of
// another connection. The body is the reference's from then on.
func (w *wanted) learned(old *want, status int, length int64, body []byte) *want {
	w.now.CompareAndSwap(old, &want{status: status, length: length, body: body})
	return w.now.Load()
}

// reference says in words what was learned, or nothing.
func (w *wanted) reference() string {
	if x := w.now.Load(); w.learn && x.length >= 0 {
		return fmt.Sprintf("%d, %d bytes", x.status, x.length)
	}
	return ""
}

// right says whether the status is the wanted one.
func (w *want) right(status int) bool {
	if w.status == 0 {
		return status < 400
	}
	return status == w.status
}
