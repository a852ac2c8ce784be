package results

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Follower reads a record while it is written: each Next takes in the lines that were added. A line without its line feed
// may still be under way, and is left for later. One goroutine at a time may use it.
type Follower struct {
	rec     *Record
	at      int64 // bytes of the lines taken in
	lines   int
	count   bool // trials are counted, not decoded
	counted int
}

// ErrReplaced is the error of a record that became shorter than what was read of it: it is another one now.
var ErrReplaced = errors.New("the record was replaced by another one")

// Follow begins to follow the record of the run in dir.
func Follow(dir string) *Follower { return &Follower{rec: &Record{Dir: dir}} }

// FollowCounting is Follow for who asks how many trials there are, and not what they found: they are not decoded, which is
// most of what reading costs.
func FollowCounting(dir string) *Follower {
	f := Follow(dir)
	f.count = true
	return f
}

// Next takes in the whole lines that were added to the record since the last call, and reports whether there were any. file
// has size bytes; what lies beyond is left for the next call. After an error the Follower is of no more use.
func (f *Follower) Next(file io.ReaderAt, size int64) (more bool, err error) {
	if size < f.at {
		return false, fmt.Errorf("results: %s: %w", f.rec.Dir, ErrReplaced)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(file, f.at, size-f.at), 64<<10)
	for {
		line, err := readLine(in)
		if err == io.EOF {
			return more, nil
		}
		if err == nil {
			err = f.take(line)
		}
		if err != nil {
			return more, fmt.Errorf("results: %s, line %d of %s: %w", f.rec.Dir, f.lines+1, RunFile, err)
		}
		f.at += int64(len(line)) + 1
		f.lines++
		more = true
	}
}

// trialStart is how a Writer begins the line of a trial.
var trialStart = []byte(`{"kind":"` + KindTrial + `",`)

func (f *Follower) take(line []byte) error {
	if f.count && f.lines > 0 && f.rec.End == nil && bytes.HasPrefix(line, trialStart) && bytes.HasSuffix(line, []byte("}")) {
		f.counted++
		return nil
	}
	return f.rec.add(line, f.lines+1)
}

// Trials is how many trials were taken in.
func (f *Follower) Trials() int { return f.counted + len(f.rec.Trials) }

// Record is what was taken in so far; nil before the first line is whole. It does not change any more, and lacks the trials
// of a Follower that only counts them.
func (f *Follower) Record() *Record {
	if f.lines == 0 {
		return nil
	}
	r := f.rec
	return &Record{Dir: r.Dir, Run: r.Run, Trials: r.Trials[:len(r.Trials):len(r.Trials)], Parts: r.Parts[:len(r.Parts):len(r.Parts)],
		End: r.End, earlier: r.earlier, whole: f.at}
}

// ReadFrom is Read for a record that is open already: r is the run.jsonl of the run in dir.
func ReadFrom(r io.Reader, dir string) (*Record, error) {
	rec, err := decode(r, dir+"/"+RunFile)
	if err != nil {
		return nil, err
	}
	rec.Dir = dir
	return rec, nil
}

// BeingWritten reports whether a process is writing the record in f now: its Writer holds a lock while it lives. On a file
// system without locks nobody is ever seen writing.
func BeingWritten(f *os.File) bool {
	fd := int(f.Fd())
	if err := syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return errors.Is(err, syscall.EWOULDBLOCK)
	}
	// Who wants to write meanwhile asks again for a moment, see lock.
	syscall.Flock(fd, syscall.LOCK_UN)
	return false
}
