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
)

// Record is a run as it was read. It is not changed after Read: everything in this package that takes one only reads it.
type Record struct {
	Dir    string // where it was read from
	Run    Run
	Trials []Trial
	End    *End   // nil in a run that was killed, or still goes on
	Torn   string // what was cut off at the end of the file, for people; empty if nothing was
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
			if !whole && n > 1 {
				rec.Torn = fmt.Sprintf("line %d is torn (%d bytes without an end): the trial under way was lost", n, len(line))
				break
			}
			return nil, fmt.Errorf("results: %s:%d: %w", path, n, err)
		}
		if !whole {
			break
		}
	}
	if rec.Run.Kind == "" {
		return nil, fmt.Errorf("results: %s:1: no record: the file is empty", path)
	}
	return rec, nil
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
	case rec.End != nil:
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
