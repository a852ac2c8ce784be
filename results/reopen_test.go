package results

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lay puts a record's text into a run's folder.
func lay(t *testing.T, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "r")
	if err := errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, RunFile), []byte(text), 0o666)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func content(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unsynced is a file that only a crash of the machine would tell from one that is on the disk: a thousand syncs take a
// slow disk a minute.
type unsynced struct{ sink }

func (unsynced) Sync() error { return nil }

const goOnLine = `{"kind":"go-on","started":"2026-11-22T10:20:00Z","command":null}` + "\n"

// A record that is cut at any byte is gone on with: nothing of a whole line is lost or changed, and what was torn is gone.
func TestGoOnAfterATearAtEveryByte(t *testing.T) {
	text := runLine + trialLine + trialLine + endLine + goOnLine + trialLine
	for cut := len(runLine) - 1; cut <= len(text); cut++ {
		dir := lay(t, text[:cut])
		w, before, err := Reopen(dir)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := content(t, dir); got != text[:cut] {
			t.Fatalf("cut at %d: reopening alone changed it", cut)
		}
		w.out = unsynced{w.out}
		err = errors.Join(w.GoOn(GoOn{}), w.Append(Trial{Scenario: "s", Target: "new"}), w.End(End{Trials: 9}))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		// A line that lacks only its line feed is whole.
		whole := text[:strings.LastIndexByte(text[:cut], '\n')+1]
		if cut < len(text) && text[cut] == '\n' {
			whole = text[:cut+1]
		}
		if got := content(t, dir); !strings.HasPrefix(got, whole+`{"kind":"go-on"`) {
			t.Fatalf("cut at %d: it goes on so:\n%s", cut, got)
		}
		after, err := Read(dir)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if want := strings.Count(whole, trialLine); len(before.Trials) != want || len(after.Trials) != want+1 || after.Trials[want].Target != "new" {
			t.Errorf("cut at %d: %d trials before and %d after, want %d and one more", cut, len(before.Trials), len(after.Trials), want)
		}
		if after.Torn != "" || after.End == nil || after.End.Trials != 9 || len(after.Parts) != strings.Count(whole, goOnLine)+1 {
			t.Errorf("cut at %d: torn %q, end %+v, parts %+v", cut, after.Torn, after.End, after.Parts)
		}
	}
}

// A crash may leave a last line of which the first pages, the last ones, or all read as zeros.
func TestGoOnAfterZeros(t *testing.T) {
	for name, tail := range map[string]string{
		"all":   strings.Repeat("\x00", 4096),
		"last":  trialLine[:40] + strings.Repeat("\x00", 60),
		"first": strings.Repeat("\x00", 40) + trialLine[40:],
	} {
		dir := lay(t, runLine+trialLine+tail)
		w, rec, err := Reopen(dir)
		if err != nil || len(rec.Trials) != 1 || rec.Torn == "" {
			t.Fatalf("%s: %+v, %v", name, rec, err)
		}
		if err := errors.Join(w.GoOn(GoOn{}), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got := content(t, dir); !strings.HasPrefix(got, runLine+trialLine+`{"kind":"go-on"`) || strings.Contains(got, "\x00") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, err := decode(strings.NewReader(runLine+"\x00\n"+trialLine), "run.jsonl"); err == nil {
		t.Error("zeros in the middle are no crash's")
	}
}

func TestReopenRefuses(t *testing.T) {
	for name, text := range map[string]string{"an empty file": "", "a torn first line": runLine[:40], "no record": "<html>\n"} {
		dir := lay(t, text)
		if _, _, err := Reopen(dir); err == nil || !strings.Contains(err.Error(), RunFile) {
			t.Errorf("%s: %v", name, err)
		}
		if content(t, dir) != text {
			t.Errorf("%s: it was changed", name)
		}
	}
	if _, _, err := Reopen(filepath.Join(t.TempDir(), "no")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// One process writes a record at a time, and the folder may be given by a link.
func TestOneWriter(t *testing.T) {
	w, root := create(t, "run")
	if _, _, err := Reopen(w.Dir()); !errors.Is(err, ErrBusy) {
		t.Errorf("a record that is being written: %v", err)
	}
	if err := w.End(End{Interrupted: true}); err != nil {
		t.Fatal(err)
	}
	again, rec, err := Reopen(filepath.Join(root, LatestLink))
	if err != nil || again.Dir() != w.Dir() || rec.Dir != w.Dir() {
		t.Fatalf("by its link: %+v, %v", again, err)
	}
	if _, _, err := Reopen(w.Dir()); !errors.Is(err, ErrBusy) {
		t.Errorf("a record that was reopened: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := again.Append(Trial{Scenario: "s", Target: "t"}); err == nil {
		t.Error("a closed record takes lines")
	}
	t.Chdir(w.Dir())
	here, _, err := Reopen(".")
	if err != nil || filepath.Base(here.Dir()) != "run" {
		t.Fatalf("by a dot: %v, %v", here, err)
	}
	if err := errors.Join(here.GoOn(GoOn{}), here.End(End{})); err != nil {
		t.Error(err)
	}
}

// What a cut-off trial left of raw output is replaced, what a recorded one left is not.
func TestRawOfACutOffTrial(t *testing.T) {
	w, _ := create(t, "run")
	for _, name := range []string{"1.txt", "deep/2.txt"} {
		if _, err := w.Raw(name, []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Append(Trial{Scenario: "s", Target: "t", Raw: "raw/1.txt"}), w.Close()); err != nil {
		t.Fatal(err)
	}
	w, _, err := Reopen(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Raw("1.txt", []byte("second")); !errors.Is(err, os.ErrExist) {
		t.Errorf("the output of a recorded trial was overwritten: %v", err)
	}
	if _, err := w.Raw("deep/2.txt", []byte("second")); err != nil {
		t.Error(err)
	}
	if _, err := w.Raw("deep/2.txt", []byte("third")); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwritten twice: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(w.Dir(), "raw/deep/2.txt")); string(b) != "second" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestGoOnOnAFullDisk(t *testing.T) {
	whole := strings.TrimSuffix(runLine+trialLine, "\n")
	for _, room := range []int{0, 1, 10} {
		dir := lay(t, whole)
		w, _, err := Reopen(dir)
		if err != nil {
			t.Fatal(err)
		}
		d := &disk{File: w.out.(*os.File), room: room}
		w.out = d
		if err := w.GoOn(GoOn{}); err == nil || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
		if rec, err := Read(dir); err != nil || len(rec.Trials) != 1 || rec.Torn != "" || len(rec.Parts) != 0 {
			t.Errorf("room for %d bytes: %+v, %v", room, rec, err)
		}
		d.room = 1 << 20
		if err := errors.Join(w.GoOn(GoOn{}), w.End(End{})); err != nil {
			t.Errorf("once there was room: %v", err)
		}
		if rec, err := Read(dir); err != nil || len(rec.Trials) != 1 || rec.End == nil || len(rec.Parts) != 1 {
			t.Errorf("once there was room: %+v, %v", rec, err)
		}
	}
}

func TestUsed(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 11, 22, 10, 0, second, 0, time.UTC) }
	trial := func(second int) Trial {
		return Trial{Started: at(second), Load: &Load{Elapsed: 2 * time.Second}}
	}
	part := func(second, trials int) Part { return Part{GoOn{Started: at(second)}, trials} }
	for name, tt := range map[string]struct {
		rec  Record
		want time.Duration
	}{
		"nothing yet":       {Record{Run: Run{Started: at(0)}}, 0},
		"killed":            {Record{Run: Run{Started: at(1)}, Trials: []Trial{trial(2), trial(5)}}, 6 * time.Second},
		"ended":             {Record{Run: Run{Started: at(1)}, Trials: []Trial{trial(2)}, End: &End{Elapsed: time.Minute}}, time.Minute},
		"killed again":      {Record{Run: Run{Started: at(1)}, Trials: []Trial{trial(2), trial(45)}, Parts: []Part{part(40, 1)}, earlier: time.Minute}, 67 * time.Second},
		"killed at once":    {Record{Run: Run{Started: at(1)}, Trials: []Trial{trial(2)}, Parts: []Part{part(40, 1)}, earlier: 3 * time.Second}, 3 * time.Second},
		"the clock stepped": {Record{Run: Run{Started: at(30)}, Trials: []Trial{trial(2)}}, 0},
	} {
		if got := tt.rec.Used(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	// Read adds up what came before each part: 60 s to the first end, 7 s of a part that was killed, 1 s of the last.
	line := func(second string) string { return strings.Replace(trialLine, "10:15:00", second, 1) }
	goOn := func(second string) string { return strings.Replace(goOnLine, "10:20:00", second, 1) }
	text := runLine + line("10:15:10") + strings.Replace(endLine, `"elapsed_ns":1`, `"elapsed_ns":60000000000`, 1) + goOn("10:20:00") + line("10:20:07") + goOn("10:30:00") + line("10:30:01")
	rec, err := decode(strings.NewReader(text), "run.jsonl")
	if err != nil || rec.Used() != 68*time.Second || len(rec.Parts) != 2 || rec.Parts[1].Trials != 2 || rec.End != nil {
		t.Errorf("%v of %+v, %v", rec.Used(), rec, err)
	}
}

// A reader of tables sees one run, and its head says that it has parts.
func TestPartsAreOneRun(t *testing.T) {
	whole := sample(t)
	cut := *whole
	cut.Parts = []Part{{GoOn{Kind: KindGoOn, Started: whole.Run.Started.Add(time.Hour)}, 1},
		{GoOn{Kind: KindGoOn, Started: whole.Run.Started.Add(2 * time.Hour), Differs: []string{"another kernel"}}, len(whole.Trials)}}
	var slim bytes.Buffer
	if err := WriteSlim(&slim, &cut); err != nil {
		t.Fatal(err)
	}
	read, err := decode(&slim, RunFile)
	if err != nil || len(read.Parts) != 2 || read.Parts[0].Trials != 1 || read.Parts[1].Trials != len(whole.Trials) {
		t.Fatalf("%+v, %v", read, err)
	}
	want, err := Report(whole)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Report(&cut)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got[ReportFile])
	for line := range strings.Lines(text) {
		if strings.Contains(line, "taken up again 2 times") || strings.Contains(line, "NOT THE SAME IN ALL PARTS: another kernel") {
			text = strings.Replace(text, line, "", 1)
		}
	}
	if text != string(want[ReportFile]) {
		t.Error("the report of a run in parts differs by more than the lines that say so")
	}
	if len(got[ReportFile])-len(text) < 100 {
		t.Errorf("the head does not say that the run has parts:\n%.1000s", got[ReportFile])
	}
}
