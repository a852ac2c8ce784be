package web

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"corelab/results"
	"corelab/results/page"
)

// Bounds of what is kept of records that were read.
const (
	maxKept      = 6         // records
	maxKeptBytes = 192 << 20 // of their files, together
)

// records keeps what was read of records lately. It is safe for concurrent use.
type records struct {
	root *os.Root
	max  int64

	mu   sync.Mutex
	kept []*kept // the one asked for last is the last
}

// kept is a record of a file as it was, and what is made of it, each once. Where making it panics, it does so every time:
// nobody is given half of it.
type kept struct {
	path string
	info fs.FileInfo

	read sync.Once
	rec  *results.Record
	err  error

	page     func() ([]byte, error)            // its report
	sections func() ([]results.Section, error) // the tables of it
	data     func() *page.Data                 // what its charts draw
	weight   atomic.Int64                      // bytes of the report
}

func newKept(path string, info fs.FileInfo) *kept {
	k := &kept{path: path, info: info}
	k.page = sync.OnceValues(func() ([]byte, error) {
		b, err := page.Page(k.rec)
		k.weight.Store(int64(len(b)))
		return b, err
	})
	k.sections = sync.OnceValues(func() ([]results.Section, error) { return results.HTML(k.rec) })
	k.data = sync.OnceValue(func() *page.Data { return page.DataOf(k.rec) })
	return k
}

// get returns the record of a run, read once as long as its file does not change. It is not to be changed.
func (r *records) get(dir string, run Run) (*kept, error) {
	file, info, err := openRecord(r.root, run.path, r.max)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	k := r.entry(run.path, info)
	k.read.Do(func() {
		// Errors name the record by its place below the folder of runs: where that lies is nobody's business.
		if k.rec, k.err = results.ReadFrom(io.LimitReader(file, info.Size()), run.path); k.err == nil {
			k.rec.Dir = filepath.Join(dir, run.path)
		}
	})
	if k.err != nil {
		return nil, k.err
	}
	return k, nil
}

// entry is what is kept of that file, which may be nothing yet.
func (r *records) entry(path string, info fs.FileInfo) *kept {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.kept, func(k *kept) bool { return k.path == path })
	k := newKept(path, info)
	if at >= 0 {
		old := r.kept[at]
		if os.SameFile(old.info, info) && old.info.Size() == info.Size() && old.info.ModTime().Equal(info.ModTime()) {
			k = old
		}
		r.kept = slices.Delete(r.kept, at, at+1)
	}
	r.kept = append(r.kept, k)
	for len(r.kept) > 1 && (len(r.kept) > maxKept || r.bytes() > maxKeptBytes) {
		r.kept = r.kept[1:]
	}
	return k
}

func (r *records) bytes() (n int64) {
	for _, k := range r.kept {
		n += k.info.Size() + k.weight.Load()
	}
	return n
}
