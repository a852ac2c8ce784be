package results

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	runLine   = `{"kind":"run","schema":1,"id":"r","started":"2026-11-22T10:15:00Z","command":null,"seed":1,"host":{"hostname":"","kernel":"","cpu":"","cpus":1,"memory_kib":0,"go_version":"","open_files":0},"scenarios":null,"targets":null}` + "\n"
	trialLine = `{"kind":"trial","scenario":"s","target":"t","round":1,"position":1,"started":"2026-11-22T10:15:00Z"}` + "\n"
	endLine   = `{"kind":"end","ended":"2026-11-22T10:16:00Z","elapsed_ns":1,"trials":1}` + "\n"
)

func TestTornAnywhere(t *testing.T) {
	text := runLine + trialLine + trialLine
	for cut := len(runLine); cut <= len(text); cut++ {
		rec, err := decode(strings.NewReader(text[:cut]), "run.jsonl")
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		rest := cut - len(runLine)
		whole := (rest + 1) / len(trialLine) // a line that lacks only its line feed is whole
		torn := (rest+1)%len(trialLine) > 1
		if len(rec.Trials) != whole || (rec.Torn != "") != torn {
			t.Errorf("cut at %d: %d trials, torn %q; want %d, %v", cut, len(rec.Trials), rec.Torn, whole, torn)
		}
	}
}

func TestTornByNulBytes(t *testing.T) {
	// A crash may leave a file that has grown, and not its bytes.
	rec, err := decode(strings.NewReader(runLine+trialLine+strings.Repeat("\x00", 100)), "run.jsonl")
	if err != nil || len(rec.Trials) != 1 || rec.Torn == "" {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestReadIsStrict(t *testing.T) {
	newer := strings.Replace(runLine, `"schema":1`, `"schema":99,"commit":"abc","unheard_of":{}`, 1)
	for name, tt := range map[string]struct{ text, want string }{
		"empty":            {"", ":1: no record"},
		"torn first line":  {runLine[:40], ":1: "},
		"trial first":      {trialLine, `:1: the first line is of kind "trial"`},
		"newer schema":     {newer, `schema 99 and this corelab reads up to 2: update corelab, or use the one that made the record (commit "abc")`},
		"no schema":        {strings.Replace(runLine, `"schema":1`, `"schema":0`, 1), ":1: schema 0"},
		"misspelt field":   {runLine + strings.Replace(trialLine, "round", "ruond", 1), `:2: json: unknown field "ruond"`},
		"garbage between":  {runLine + trialLine + "what\n" + trialLine, ":3: "},
		"empty line":       {runLine + "\n" + trialLine, ":2: "},
		"two runs":         {runLine + runLine, ":2: a second run"},
		"after the end":    {runLine + trialLine + endLine + trialLine, ":4: a line after the end"},
		"unknown kind":     {runLine + `{"kind":"note"}` + "\n", `:2: a line of the unknown kind "note"`},
		"nameless trial":   {runLine + strings.Replace(trialLine, `"t"`, `""`, 1), ":2: a trial without"},
		"negative count":   {runLine + strings.Replace(trialLine, `"round":1`, `"load":{"requests":-1}`, 1), ":2: "},
		"beyond MaxLine":   {runLine + strings.Repeat(" ", MaxLine+1) + "\n", ":2: a line of more than"},
		"another language": {"<html>\n", ":1: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(strings.NewReader(tt.text), "x/run.jsonl")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "x/run.jsonl") {
				t.Errorf("error %v, want one with %q and the path", err, tt.want)
			}
		})
	}
}

func TestReadNamesWhatIsNotThere(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "no")); err == nil || !strings.Contains(err.Error(), RunFile) {
		t.Errorf("%v", err)
	}
}

// Whatever a record says, it is refused or reported; it never brings the reader down.
func FuzzReport(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "run", RunFile))
	if err != nil {
		f.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	for i := 1; i < len(lines)-1; i += 15 { // short ones: a fuzzer spends its time on making long ones shorter
		f.Add(append([]byte(runLine), lines[i]...))
	}
	f.Add([]byte(runLine + trialLine + endLine))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := decode(bytes.NewReader(b), "run.jsonl")
		if err != nil {
			return
		}
		files, err := Report(rec)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if bytes.ContainsAny(text, "\x1b\x00") {
				t.Errorf("%s has control characters", name)
			}
		}
		if strings.ContainsAny(Summary(rec, 80, false), "\x1b\x00") {
			t.Error("the summary has control characters")
		}
		ReadmeTable(rec)
	})
}
