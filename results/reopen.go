package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrBusy is the error of a record that another process is writing now.
var ErrBusy = errors.New("another process is writing this record now")

// Bounds of the wait for a record's lock: a process that was killed may take a moment to let go of it.
const (
	lockTries = 20
	lockPause = 25 * time.Millisecond
)

// lock takes the record for this process, until f is closed or the process ends, however it ends. The file systems that
// have no locks are taken at their word: nothing else would show who writes.
func lock(f *os.File) error {
	for try := 1; ; try++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil
		case try >= lockTries:
			return ErrBusy
		default:
			time.Sleep(lockPause)
		}
	}
}

// Reopen reads the record in a run's folder, which may be a link to it, and returns a Writer that goes on with it. The
// record is locked and unchanged until GoOn is called; Close gives it back as it was. A record that is being written is
// ErrBusy, one without a whole first line holds nothing that one could go on with.
func Reopen(dir string) (*Writer, *Record, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil && (filepath.Base(real) == "." || filepath.Base(real) == "..") {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("results: reopen a run: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(real, RunFile), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("results: reopen a record: %w", err)
	}
	w := &Writer{root: filepath.Dir(real), dir: real, id: filepath.Base(real), out: f}
	rec, err := w.reread(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return w, rec, nil
}

// reread reads what the record holds, and which raw outputs and profiles belong to it.
func (w *Writer) reread(f *os.File) (*Record, error) {
	if err := lock(f); err != nil {
		return nil, fmt.Errorf("results: reopen %s: %w", w.path(), err)
	}
	rec, err := decode(f, w.path())
	if err != nil {
		return nil, err
	}
	rec.Dir = w.dir
	w.size, w.unended = rec.whole, rec.unended
	if w.stale, err = staleOutputs(w.dir, rec); err != nil {
		return nil, fmt.Errorf("results: reopen a run: %w", err)
	}
	return rec, nil
}

// staleOutputs are the raw outputs and profiles that no trial of rec names, by their path below dir: a trial that was cut off
// kept its output and was not recorded.
func staleOutputs(dir string, rec *Record) (map[string]bool, error) {
	stale := map[string]bool{}
	for _, folder := range []string{RawFolder, ProfileFolder} {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			below, err := filepath.Rel(dir, path)
			stale[filepath.ToSlash(below)] = true
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for i := range rec.Trials {
		delete(stale, rec.Trials[i].Raw)
		for _, p := range rec.Trials[i].Profiles {
			delete(stale, p.Path)
		}
	}
	return stale, nil
}

// GoOn begins another part of a run that was reopened: it cuts off what a crash left of a torn last line, and adds g, whose
// Kind it sets. All whole lines stay as they are.
func (w *Writer) GoOn(g GoOn) error {
	g.Kind = KindGoOn
	if w.broken != nil {
		return fmt.Errorf("results: %s takes no more lines: %w", w.path(), w.broken)
	}
	if err := w.out.Truncate(w.size); err != nil {
		return fmt.Errorf("results: cut the torn last line off %s: %w", w.path(), err)
	}
	if w.unended {
		// All of the last line is there but its line feed.
		if _, err := w.out.Write([]byte{'\n'}); err != nil {
			return w.undo(err)
		}
		w.size, w.unended = w.size+1, false
	}
	return w.line(g)
}

// Close gives the record up without an end, as a run that was killed would. The Writer is of no use after it.
func (w *Writer) Close() error {
	if w.broken == nil {
		w.broken = errors.New("it was closed")
	}
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("results: close %s: %w", w.path(), err)
	}
	return nil
}
