package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Names in a run's folder, and in the folder of all runs.
const (
	RunFile       = "run.jsonl" // the record
	RawFolder     = "raw"       // the tools' own output
	ProfileFolder = "profiles"  // of the trials that were profiled
	LatestLink    = "latest"    // beside the runs: a link to the one that ended last
)

// MaxLine is the longest line of a record in bytes. A trial with a whole histogram takes a few KiB.
const MaxLine = 16 << 20

// sink is the part of a file that a Writer needs; tests put a full disk in its place.
type sink interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// Writer records one run as it happens. Each line is on the disk when the call that wrote it returns, so a run that is
// killed costs at most the trial under way. One goroutine at a time may use it.
type Writer struct {
	root, dir, id string
	out           sink
	size          int64           // of the whole lines written
	unended       bool            // reopened: the last of them lacks its line feed
	stale         map[string]bool // reopened: raw outputs and profiles of trials that were not recorded
	broken        error           // why nothing more may be written
}

// Create makes the folder root/id with an empty record that starts with run, whose Kind, Schema and ID it sets. The folder
// must not exist: a run never writes into another's. The record is locked while the process lives, see Reopen.
func Create(root, id string, run Run) (*Writer, error) {
	if id == "" || id == LatestLink || id[0] == '.' || strings.ContainsAny(id, `/\`) {
		return nil, fmt.Errorf("results: %q cannot name a run's folder: use letters, digits, '-' and '_'", id)
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		return nil, fmt.Errorf("results: create the folder of runs: %w", err)
	}
	dir := filepath.Join(root, id)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, fmt.Errorf("results: create a run's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, RunFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("results: create a record: %w", err)
	}
	w := &Writer{root: root, dir: dir, id: id, out: f}
	run.Kind, run.Schema, run.ID = KindRun, Schema, id
	if err = lock(f); err == nil {
		err = w.line(run)
	}
	if err == nil {
		// The lines are synced; without these two the names that lead to them may not be.
		err = errors.Join(syncFolder(dir), syncFolder(root))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// Dir is the run's folder.
func (w *Writer) Dir() string { return w.dir }

// Append adds one trial, whose Kind it sets, and returns when it is on the disk. After an error the record still holds
// every trial appended before, and nothing of this one.
func (w *Writer) Append(t Trial) error {
	t.Kind = KindTrial
	return w.line(t)
}

// End adds the last line, closes the record, and lets root/latest point to this run. The Writer is of no use after it.
func (w *Writer) End(e End) error {
	e.Kind = KindEnd
	err := w.line(e)
	if cerr := w.out.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("results: close %s: %w", w.path(), cerr)
	}
	if w.broken == nil {
		w.broken = errors.New("the run has ended")
	}
	if err != nil {
		return err
	}
	return w.link()
}

// Raw keeps a tool's own output, once, under name in the run's raw folder, and returns its path below the run's folder, for
// Trial.Raw, when it is on the disk. Name may have folders; it must not lead out. In a record that was reopened it takes the
// place of what a trial left that was not recorded.
func (w *Writer) Raw(name string, b []byte) (string, error) {
	path, err := w.keep(RawFolder, name, b)
	if err != nil {
		return "", fmt.Errorf("results: keep raw output: %w", err)
	}
	return path, nil
}

// Profile keeps a profile as Raw keeps raw output, and returns its path for Profile.Path. A name that is taken is an
// fs.ErrExist.
func (w *Writer) Profile(name string, b []byte) (string, error) {
	path, err := w.keep(ProfileFolder, name, b)
	if err != nil {
		return "", fmt.Errorf("results: keep a profile: %w", err)
	}
	return path, nil
}

func (w *Writer) keep(folder, name string, b []byte) (string, error) {
	path := filepath.Join(folder, name)
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%q: the name leads out of the run's folder", name)
	}
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	if slashed := filepath.ToSlash(path); w.stale[slashed] {
		if err := root.Remove(path); err != nil {
			return "", fmt.Errorf("replace what a trial left that was cut off: %w", err)
		}
		delete(w.stale, slashed)
	}
	f, err := root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = syncFolder(filepath.Join(w.dir, filepath.Dir(path)))
	}
	if err != nil {
		root.Remove(path) // half of an output is worse than none: it reads like a whole one
		return "", fmt.Errorf("%w%s", err, fullDisk(err))
	}
	return filepath.ToSlash(path), nil
}

// line writes v as one line and syncs it, or leaves the record as it was.
func (w *Writer) line(v any) error {
	if w.broken != nil {
		return fmt.Errorf("results: %s takes no more lines: %w", w.path(), w.broken)
	}
	b, err := encodeLine(v)
	if err != nil {
		return fmt.Errorf("results: encode a line of %s: %w", w.path(), err)
	}
	n, err := w.out.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.undo(err)
	}
	if err := w.out.Sync(); err != nil {
		// The kernel may have dropped the pages and called them clean: a second sync would lie.
		w.broken = err
		return fmt.Errorf("results: sync %s: %w%s; the lines before it stay valid", w.path(), err, fullDisk(err))
	}
	w.size += int64(len(b))
	return nil
}

// undo cuts off what a failed write left of its line.
func (w *Writer) undo(cause error) error {
	if err := w.out.Truncate(w.size); err != nil {
		w.broken = cause // a next line would stick to the torn one
		return fmt.Errorf("results: write %s: %w%s; its torn last line stays and readers pass over it",
			w.path(), cause, fullDisk(cause))
	}
	return fmt.Errorf("results: write %s: %w%s; the %d bytes before it stay valid", w.path(), cause, fullDisk(cause), w.size)
}

func (w *Writer) path() string { return filepath.Join(w.dir, RunFile) }

// link points root/latest at the run. The rename replaces an older link at once: no reader finds it missing.
func (w *Writer) link() error {
	tmp := filepath.Join(w.root, ".latest-"+w.id)
	link := filepath.Join(w.root, LatestLink)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("results: point %s at the run: %w", link, err)
	}
	if err := os.Symlink(w.id, tmp); err != nil {
		return fmt.Errorf("results: point %s at the run: %w", link, err)
	}
	if err := os.Rename(tmp, link); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("results: point %s at the run: %w; move away what is there", link, err)
	}
	return nil
}

// encodeLine is v as one line of JSON with its line feed, with <, > and & as they are.
func encodeLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	if b.Len() > MaxLine {
		return nil, fmt.Errorf("%d bytes in a line, %d at most", b.Len(), MaxLine)
	}
	return b.Bytes(), nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("results: sync a folder: %w", err)
	}
	defer d.Close()
	// Some file systems cannot sync a folder and say so; there is nothing better to do on them.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("results: sync a folder: %w", err)
	}
	return nil
}

// fullDisk tells what to do about the errors that people can do something about.
func fullDisk(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return " (free some space there, or choose another folder with --out)"
	}
	return ""
}
