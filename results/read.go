package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Record is a run as it was read. It is not changed after Read: everything in this package that takes one only reads it.
type Record struct {
	Dir    string // where it was read from
	Run    Run
	Trials []Trial
	Parts  []Part // that were added to a run that had been interrupted or killed, in order; the trials of all parts are one run's
	End    *End   // of the last part; nil if that was killed, or still goes on
	Torn   string // what was cut off at the end of the file, for people; empty if nothing was

	whole   int64         // bytes of the file up to what is torn
	unended bool          // the last line lacks its line feed, and nothing else
	earlier time.Duration // that the parts before the last used

	profiles profileCache
}

// Part says where a run was taken up again.
type Part struct {
	GoOn   GoOn
	Trials int // recorded before it
}

// Used is how long the run was measuring, all parts together. Of a part that was killed it is the time until the last trial
// that it recorded.
func (rec *Record) Used() time.Duration {
	if rec.End != nil {
		return rec.End.Elapsed
	}
	began, first := rec.Run.Started, 0
	if n := len(rec.Parts); n > 0 {
		began, first = rec.Parts[n-1].GoOn.Started, rec.Parts[n-1].Trials
	}
	var last time.Duration
	for _, t := range rec.Trials[first:] {
		ended := t.Started.Sub(began)
		if t.Load != nil {
			ended += t.Load.Elapsed
		}
		last = max(last, ended)
	}
	return rec.earlier + last
}

// Read reads the record in a run's folder. A last line that was torn by a crash is passed over and said in Record.Torn;
// anything else that is not as record.go says is an error that names the line.
func Read(dir string) (*Record, error) {
	path := filepath.Join(dir, RunFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("results: read a record: %w", err)
	}
	defer f.Close()
	rec, err := decode(f, path)
	if err != nil {
		return nil, err
	}
	rec.Dir = dir
	return rec, nil
}

// decode reads a record; path is only for the errors.
func decode(r io.Reader, path string) (*Record, error) {
	return decodeKept(r, path, func(*Record, []byte) bool { return true })
}

// decodeKept is decode without the lines behind the first that keep does not want: they are passed over undecoded, which is
// most of what reading costs. keep gets what was read before the line.
func decodeKept(r io.Reader, path string, keep func(rec *Record, line []byte) bool) (*Record, error) {
	rec := &Record{}
	in := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("results: %s:%d: %w", path, n, err)
		}
		whole := err == nil
		if !whole && len(line) == 0 {
			break
		}
		if whole && n > 1 && !keep(rec, line) {
			continue
		}
		if err := rec.add(line, n); err != nil {
			if n > 1 && (!whole || isLast(in) && bytes.IndexByte(line, 0) >= 0) {
				rec.Torn = fmt.Sprintf("line %d is torn (%d bytes without an end): the trial under way was lost", n, len(line))
				break
			}
			return nil, fmt.Errorf("results: %s:%d: %w", path, n, err)
		}
		rec.whole += int64(len(line))
		if !whole {
			rec.unended = true
			break
		}
		rec.whole++
	}
	if rec.Run.Kind == "" {
		return nil, fmt.Errorf("results: %s:1: no record: the file is empty", path)
	}
	return rec, nil
}

// isLast says whether nothing follows. A crash may leave a last line whose first pages were never written: they read as
// zeros, which JSON never has.
func isLast(in *bufio.Reader) bool {
	_, err := in.Peek(1)
	return err == io.EOF
}

var errLongLine = fmt.Errorf("a line of more than %d bytes", MaxLine)

// readLine returns the next line without its line feed, and io.EOF with what follows the last one.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxLine {
			return nil, errLongLine
		}
		switch err {
		case nil:
			return line[:len(line)-1], nil
		case bufio.ErrBufferFull:
			continue
		default:
			return line, err
		}
	}
}

// add takes line n in.
func (rec *Record) add(line []byte, n int) error {
	var head struct {
		Kind   string `json:"kind"`
		Schema int    `json:"schema"`
		Commit string `json:"commit"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return err
	}
	switch {
	case n == 1 && head.Kind != KindRun:
		return fmt.Errorf("the first line is of kind %q, not %q: this is no record of a run", head.Kind, KindRun)
	case n > 1 && head.Kind == KindRun:
		return errors.New("a second run in one record")
	case rec.End != nil && head.Kind != KindGoOn:
		return errors.New("a line after the end of the run")
	}
	switch head.Kind {
	case KindRun:
		if head.Schema > Schema {
			return fmt.Errorf("the record has schema %d and this corelab reads up to %d: "+
				"update corelab, or use the one that made the record (commit %q)", head.Schema, Schema, head.Commit)
		}
		if head.Schema < 1 {
			return fmt.Errorf("schema %d: there is no such schema", head.Schema)
		}
		return strict(line, &rec.Run)
	case KindTrial:
		var t Trial
		if err := strict(line, &t); err != nil {
			return err
		}
		if t.Scenario == "" || t.Target == "" {
			return errors.New("a trial without scenario or target")
		}
		rec.Trials = append(rec.Trials, t)
		return nil
	case KindGoOn:
		var g GoOn
		if err := strict(line, &g); err != nil {
			return err
		}
		rec.earlier = rec.Used()
		rec.Parts, rec.End = append(rec.Parts, Part{g, len(rec.Trials)}), nil
		return nil
	case KindEnd:
		var e End
		if err := strict(line, &e); err != nil {
			return err
		}
		rec.End = &e
		return nil
	}
	return fmt.Errorf("a line of the unknown kind %q", head.Kind)
}

// strict decodes line into v and refuses fields that v lacks: a misspelt figure must not read as a missing one.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
