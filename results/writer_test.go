package results

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func create(t *testing.T, id string) (*Writer, string) {
	t.Helper()
	root := t.TempDir()
	w, err := Create(root, id, Run{Seed: 7, Scenarios: []Scenario{{Name: "plaintext"}}})
	if err != nil {
		t.Fatal(err)
	}
	return w, root
}

func TestWriterRoundTrip(t *testing.T) {
	w, root := create(t, "20261122-101500-bench")
	trial := Trial{Scenario: "plaintext", Target: "a<b>&c", Round: 1, Load: &Load{Generator: "wrk", Requests: 3, Elapsed: time.Second}}
	if err := w.Append(trial); err != nil {
		t.Fatal(err)
	}
	path, err := w.Raw("plaintext/a.txt", []byte("as it was"))
	if err != nil || path != "raw/plaintext/a.txt" {
		t.Fatalf("Raw: %q, %v", path, err)
	}
	if b, err := os.ReadFile(filepath.Join(w.Dir(), path)); err != nil || string(b) != "as it was" {
		t.Errorf("raw output: %q, %v", b, err)
	}
	if err := w.End(End{Trials: 1}); err != nil {
		t.Fatal(err)
	}
	rec, err := Read(filepath.Join(root, LatestLink))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Run.ID != "20261122-101500-bench" || rec.Run.Schema != Schema || rec.Run.Seed != 7 || len(rec.Trials) != 1 ||
		rec.Trials[0].Target != "a<b>&c" || rec.Trials[0].Load.Requests != 3 || rec.End == nil || rec.End.Trials != 1 || rec.Torn != "" {
		t.Errorf("read back: %+v", rec)
	}
	if b, _ := os.ReadFile(filepath.Join(w.Dir(), RunFile)); !strings.Contains(string(b), "a<b>&c") {
		t.Error("names are escaped beyond what JSON asks")
	}
	if err := w.Append(trial); err == nil {
		t.Error("a trial was taken after the end")
	}
}

func TestLatestMovesOn(t *testing.T) {
	root := t.TempDir()
	for _, id := range []string{"one", "two"} {
		w, err := Create(root, id, Run{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.End(End{}); err != nil {
			t.Fatal(err)
		}
		if to, err := os.Readlink(filepath.Join(root, LatestLink)); err != nil || to != id {
			t.Errorf("latest points to %q, %v, want %q", to, err, id)
		}
	}
	entries, _ := os.ReadDir(root)
	if len(entries) != 3 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestLatestInTheWay(t *testing.T) {
	w, root := create(t, "run")
	if err := os.MkdirAll(filepath.Join(root, LatestLink, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := w.End(End{}); err == nil || !strings.Contains(err.Error(), "move away") {
		t.Errorf("End over a folder named latest: %v", err)
	}
	if rec, err := Read(w.Dir()); err != nil || rec.End == nil {
		t.Errorf("the record is not whole: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(root, ".latest-run")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new link was left behind: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	root := t.TempDir()
	for _, id := range []string{"", "latest", ".", "..", ".hidden", "a/b", `a\b`} {
		if _, err := Create(root, id, Run{}); err == nil {
			t.Errorf("a run's folder was made for the name %q", id)
		}
	}
	w, err := Create(root, "twice", Run{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.End(End{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(root, "twice", Run{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second run in the same folder: %v", err)
	}
}

func TestRawStaysInside(t *testing.T) {
	w, root := create(t, "run")
	for _, name := range []string{"", "../up.txt", "/etc/x", "a/../../up.txt"} {
		if path, err := w.Raw(name, []byte("x")); err == nil {
			t.Errorf("raw output was written under %q as %q", name, path)
		}
	}
	if err := os.Symlink(root, filepath.Join(w.Dir(), RawFolder)); err != nil {
		t.Fatal(err)
	}
	if path, err := w.Raw("x.txt", []byte("x")); err == nil {
		t.Errorf("a link led raw output out of the folder: %q", path)
	}
}

func TestRawIsWrittenOnce(t *testing.T) {
	w, _ := create(t, "run")
	if _, err := w.Raw("x.txt", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Raw("x.txt", []byte("second")); !errors.Is(err, os.ErrExist) {
		t.Errorf("raw output was overwritten: %v", err)
	}
}

func TestWhatCannotBeEncodedIsNotWritten(t *testing.T) {
	w, _ := create(t, "run")
	if err := w.Append(Trial{Scenario: "s", Target: "t", Load: &Load{Rate: math.NaN()}}); err == nil {
		t.Error("a rate that is no number was recorded")
	}
	if err := w.Append(Trial{Scenario: "s", Target: "t", Error: strings.Repeat("x", MaxLine)}); err == nil {
		t.Error("a line beyond the bound was recorded")
	}
	if err := w.Append(Trial{Scenario: "s", Target: "t"}); err != nil {
		t.Errorf("after what could not be encoded: %v", err)
	}
	if rec, err := Read(w.Dir()); err != nil || len(rec.Trials) != 1 {
		t.Errorf("%v, want one trial", err)
	}
}

// disk is a file on a disk with so much room; its truncation, sync and close may be made to fail.
type disk struct {
	*os.File
	room              int
	truncErr, syncErr error
}

func (d *disk) Write(b []byte) (int, error) {
	if len(b) <= d.room {
		d.room -= len(b)
		return d.File.Write(b)
	}
	n, err := d.File.Write(b[:d.room])
	d.room -= n
	if err == nil {
		err = syscall.ENOSPC
	}
	return n, err
}

func (d *disk) Truncate(size int64) error {
	if d.truncErr != nil {
		return d.truncErr
	}
	return d.File.Truncate(size)
}

func (d *disk) Sync() error {
	if d.syncErr != nil {
		return d.syncErr
	}
	return d.File.Sync()
}

// onDisk puts a disk with room under a new Writer.
func onDisk(t *testing.T, room int) (*Writer, *disk) {
	t.Helper()
	w, _ := create(t, "run")
	d := &disk{File: w.out.(*os.File), room: room}
	w.out = d
	t.Cleanup(func() { d.File.Close() })
	return w, d
}

func TestFullDisk(t *testing.T) {
	w, d := onDisk(t, 400)
	small := Trial{Scenario: "s", Target: "t"}
	if err := w.Append(small); err != nil {
		t.Fatal(err)
	}
	err := w.Append(Trial{Scenario: "s", Target: "t", Error: strings.Repeat("x", 4000)})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("on a full disk: %v", err)
	}
	if rec, err := Read(w.Dir()); err != nil || len(rec.Trials) != 1 || rec.Torn != "" {
		t.Fatalf("after a full disk: %+v, %v", rec, err)
	}
	d.room = 1 << 20 // someone made room
	if err := w.Append(small); err != nil {
		t.Fatal(err)
	}
	if err := w.End(End{Trials: 2}); err != nil {
		t.Fatal(err)
	}
	if rec, err := Read(w.Dir()); err != nil || len(rec.Trials) != 2 || rec.End == nil {
		t.Errorf("after room was made: %+v, %v", rec, err)
	}
}

func TestFullDiskThatCannotBeUndone(t *testing.T) {
	w, d := onDisk(t, 60)
	d.truncErr = errors.New("no")
	big := Trial{Scenario: "s", Target: "t", Error: strings.Repeat("x", 4000)}
	if err := w.Append(big); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	d.room = 1 << 20
	if err := w.Append(Trial{Scenario: "s", Target: "t"}); err == nil {
		t.Error("a line was written behind a torn one")
	}
	rec, err := Read(w.Dir())
	if err != nil || len(rec.Trials) != 0 || rec.Torn == "" {
		t.Errorf("the torn line: %+v, %v", rec, err)
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	w, d := onDisk(t, 1<<20)
	d.syncErr = syscall.EIO
	if err := w.Append(Trial{Scenario: "s", Target: "t"}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a failed sync: %v", err)
	}
	d.syncErr = nil // the kernel reports it once, and has dropped the pages
	if err := w.Append(Trial{Scenario: "s", Target: "t"}); !errors.Is(err, syscall.EIO) {
		t.Errorf("after a failed sync: %v", err)
	}
	if err := w.End(End{}); err == nil {
		t.Error("the run ended well")
	}
	if _, err := os.Lstat(filepath.Join(w.root, LatestLink)); err == nil {
		t.Error("latest points to a record that is not whole")
	}
}

func TestShortWriteIsAnError(t *testing.T) {
	w, _ := create(t, "run")
	w.out = shortFile{w.out}
	if err := w.Append(Trial{Scenario: "s", Target: "t"}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("half a line: %v", err)
	}
	if rec, err := Read(w.Dir()); err != nil || len(rec.Trials) != 0 || rec.Torn != "" {
		t.Errorf("half a line stayed: %+v, %v", rec, err)
	}
}

// shortFile writes half and says nothing.
type shortFile struct{ sink }

func (f shortFile) Write(b []byte) (int, error) { return f.sink.Write(b[:len(b)/2]) }
