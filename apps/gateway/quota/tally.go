package quota

import "sync/atomic"

// Tally is what one key has taken from a [Book], for those who count it elsewhere too.
type Tally struct {
	Key  uint64
	Name string

	taken  atomic.Int64 // since the last Collect
	last   atomic.Int64 // when it was taken from last, Unix nanoseconds
	closed atomic.Bool  // nobody looks at it any more
	next   *Tally
}

// Collect returns what was taken since it was called last, and when something was. It is for one goroutine.
func (t *Tally) Collect() (taken, last int64) { return t.taken.Swap(0), t.last.Load() }

// Taken is what was taken since then, without beginning anew.
func (t *Tally) Taken() int64 { return t.taken.Load() }

// Journal is where a Book leaves its new tallies, for one goroutine that carries them on. Leaving one takes no lock.
type Journal struct {
	fresh atomic.Pointer[Tally]
	count atomic.Int64
	most  int64
	lost  atomic.Int64
}

// NewJournal returns a Journal of at most most tallies at a time. What a key takes beyond them counts here, and nowhere
// else: see Lost.
func NewJournal(most int) *Journal { return &Journal{most: int64(most)} }

// Lost is how many tokens were not noted down, since there were too many keys.
func (j *Journal) Lost() int64 { return j.lost.Load() }

// Fresh calls f with each new tally. They are the caller's then, until it lets them go by Done.
func (j *Journal) Fresh(f func(*Tally)) {
	for t := j.fresh.Swap(nil); t != nil; {
		next := t.next
		t.next = nil
		f(t)
		t = next
	}
}

// Done lets a tally go, which should have been idle for long, and returns what it has taken nevertheless.
func (j *Journal) Done(t *Tally) (taken int64) {
	t.closed.Store(true)
	j.count.Add(-1)
	return t.taken.Swap(0)
}

// open returns a new tally, nil where there are too many.
func (j *Journal) open(key uint64, name []byte) *Tally {
	if j.count.Add(1) > j.most {
		j.count.Add(-1)
		return nil
	}
	t := &Tally{Key: key, Name: string(name)}
	for {
		t.next = j.fresh.Load()
		if j.fresh.CompareAndSwap(t.next, t) {
			return t
		}
	}
}
