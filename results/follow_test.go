package results

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFollowEqualsRead lets a record grow in pieces, and holds what is followed against what is read.
func TestFollowEqualsRead(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "run", RunFile))
	if err != nil {
		t.Fatal(err)
	}
	want := sample(t)
	steps := []int{4999, len(whole) / 7, len(whole) / 3, len(whole)} // most of them cut lines
	for _, counting := range []bool{false, true} {
		for _, step := range steps {
			f := Follow(want.Dir)
			if counting {
				f = FollowCounting(want.Dir)
			}
			for size := 0; size < len(whole); {
				size = min(size+step, len(whole))
				before := f.Trials()
				more, err := f.Next(bytes.NewReader(whole[:size]), int64(size))
				if err != nil {
					t.Fatal(err)
				}
				if !more && f.Trials() != before {
					t.Error("there are more trials, and nothing new was reported")
				}
				if size > 0 && bytes.IndexByte(whole[:size], '\n') < 0 && f.Record() != nil {
					t.Error("there is a record before its first line is whole")
				}
			}
			rec := f.Record()
			if f.Trials() != len(want.Trials) || rec.Run.ID != want.Run.ID || (rec.End == nil) != (want.End == nil) {
				t.Errorf("step %d, counting %v: %d trials of %d, end %v", step, counting, f.Trials(), len(want.Trials), rec.End)
			}
			if counting {
				if len(rec.Trials) != 0 {
					t.Errorf("%d trials were decoded, which were to be counted", len(rec.Trials))
				}
				continue
			}
			if rec.Used() != want.Used() || Summary(rec, 200, false) != Summary(want, 200, false) {
				t.Errorf("step %d: what was followed is not what is read", step)
			}
		}
	}
}

// TestFollowSnapshots holds that a Record given out does not change while the record goes on.
func TestFollowSnapshots(t *testing.T) {
	w, _ := create(t, "20261122-101500-bench")
	f := Follow(w.Dir())
	next := func() (*Record, bool) {
		t.Helper()
		file, err := os.Open(filepath.Join(w.Dir(), RunFile))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		more, err := f.Next(file, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		return f.Record(), more
	}
	first, more := next()
	if !more || len(first.Trials) != 0 {
		t.Fatalf("at the begin: %v, %d trials", more, len(first.Trials))
	}
	if _, more := next(); more {
		t.Error("nothing was added, and something new was reported")
	}
	for _, target := range []string{"a", "b"} {
		if err := w.Append(Trial{Scenario: "plaintext", Target: target}); err != nil {
			t.Fatal(err)
		}
	}
	second, _ := next()
	if err := w.End(End{Trials: 2}); err != nil {
		t.Fatal(err)
	}
	third, _ := next()
	if len(first.Trials) != 0 || len(second.Trials) != 2 || second.End != nil || third.End == nil {
		t.Errorf("%d, %d trials; ends %v, %v", len(first.Trials), len(second.Trials), second.End, third.End)
	}
}

func TestFollowErrors(t *testing.T) {
	head := `{"kind":"run","schema":1,"id":"x"}` + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":        {head + "nonsense\n", "line 2"},
		"no record":       {`{"kind":"trial","scenario":"a","target":"b"}` + "\n", "no record of a run"},
		"a later schema":  {`{"kind":"run","schema":99}` + "\n", "update corelab"},
		"behind the end":  {head + `{"kind":"end"}` + "\n" + `{"kind":"trial","scenario":"a","target":"b"}` + "\n", "after the end"},
		"an unknown kind": {head + `{"kind":"surprise"}` + "\n", "surprise"},
	} {
		for _, f := range []*Follower{Follow("x"), FollowCounting("x")} {
			_, err := f.Next(strings.NewReader(c.text), int64(len(c.text)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		}
	}
	f := Follow("x")
	if _, err := f.Next(strings.NewReader(head), int64(len(head))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Next(strings.NewReader("{"), 1); !errors.Is(err, ErrReplaced) {
		t.Errorf("a record that became shorter: %v", err)
	}
}

func TestBeingWritten(t *testing.T) {
	w, _ := create(t, "20261122-101500-bench")
	f, err := os.Open(filepath.Join(w.Dir(), RunFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !BeingWritten(f) {
		t.Error("nobody is seen writing, and the Writer lives")
	}
	if err := w.Append(Trial{Scenario: "plaintext", Target: "a"}); err != nil {
		t.Errorf("who looked disturbed who writes: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if BeingWritten(f) {
		t.Error("somebody is seen writing, and the Writer is closed")
	}
	again, _, err := Reopen(w.Dir())
	if err != nil {
		t.Fatalf("who looked holds the record: %v", err)
	}
	defer again.Close()
	if !BeingWritten(f) {
		t.Error("nobody is seen writing, and the record was reopened")
	}
}

func TestFigureText(t *testing.T) {
	for _, c := range []struct {
		f    Figure
		v    float64
		want string
	}{
		{Throughput, 51234.4, "51,234 /s"}, {Offered, 1000, "1,000 /s"}, {Failed, 0, "0"}, {P99, 1234567, "1.23 ms"}, {ServerCPU, 9870, "9.87 µs"},
		{CPUShare, 0.8345, "0.83"}, {Memory, 12.5 * (1 << 20), "12.5 MiB"}, {Allocs, 0.02, "0.0200"}, {Switches, 2, "2.00"},
	} {
		if got := c.f.Text(c.v); got != c.want {
			t.Errorf("%s of %g: %q, want %q", c.f.Name, c.v, got, c.want)
		}
	}
}
