package probe

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/pprof/profile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata/perf.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata/perf", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, see -update; got:\n%s", path, got)
	}
}

// folded is a profile as text: a stack a line from its root, each frame with the base name of its file.
func folded(p *profile.Profile) string {
	var lines []string
	for _, s := range p.Sample {
		var frames []string
		for _, l := range slices.Backward(s.Location) {
			frame := l.Line[0].Function.Name
			if l.Mapping != nil {
				frame += "@" + filepath.Base(l.Mapping.File)
			}
			frames = append(frames, frame)
		}
		lines = append(lines, fmt.Sprintf("%s %d %d", strings.Join(frames, ";"), s.Value[0], s.Value[1]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// serving is a server of these processes.
func serving(programs map[int]string) *served {
	return &served{proc: System, programs: programs, program: "/opt/server"}
}

// heard is a scriptReader that writes down what it is told.
type heard struct{ strings.Builder }

func (h *heard) sample(s *scriptSample) {
	fmt.Fprintf(h, "%q %d/%d cpu %d at %v: %d %s %q\n", s.comm, s.pid, s.tid, s.cpu, s.time, s.period, s.event, s.fields)
	for _, f := range s.stack {
		fmt.Fprintf(h, "\t%q %q\n", f.name, f.file)
	}
}
func (h *heard) fork(pid, parent int)       { fmt.Fprintf(h, "fork %d of %d\n", pid, parent) }
func (h *heard) named(pid int, name string) { fmt.Fprintf(h, "named %d %q\n", pid, name) }
func (h *heard) lost()                      { fmt.Fprintln(h, "lost") }

// TestReadScript reads what perf printed, and what it might: the odd cases are collected in one file.
func TestReadScript(t *testing.T) {
	text, err := os.ReadFile("testdata/perf/odd.txt")
	if err != nil {
		t.Fatal(err)
	}
	// Lines may end in any way, and the last one need not.
	for _, in := range []string{string(text), strings.TrimRight(string(text), "\n"), strings.ReplaceAll(string(text), "\n", "\r\n")} {
		h := new(heard)
		counts, err := readScript(strings.NewReader(in), h)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%+v\n", counts)
		golden(t, "odd.golden", h.String())
	}
}

// TestConvertRecorded makes profiles of what perf recorded: of a Go core by frame pointers, and of nginx, which has none, by its
// unwind tables. Its worker is known as a child of its master alone.
func TestConvertRecorded(t *testing.T) {
	for name, programs := range map[string]map[int]string{"go": {8289: "coreserver"}, "nginx": {8317: "nginx"}} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open("testdata/perf/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c := newCPUConverter(serving(programs))
			c.program = "/opt/corelab/bin/coreserver"
			counts, err := readScript(f, c)
			if err != nil || counts.broken > 0 {
				t.Fatalf("%+v, %v", counts, err)
			}
			s := &Sampled{Event: clockEvent, Rate: DefaultRate, Elapsed: 50 * time.Millisecond}
			if err := c.profile(s); err != nil {
				t.Fatal(err)
			}
			if s.Samples+s.Others != counts.samples {
				t.Errorf("%d samples and %d others of %d", s.Samples, s.Others, counts.samples)
			}
			golden(t, name+".golden", fmt.Sprintf("%s%d samples, %d others, first %s\n", folded(s.Profile), s.Samples, s.Others, s.Profile.Mapping[0].File))
		})
	}
}

func TestReadScriptBounds(t *testing.T) {
	const head = "a 1/1 [000] 1.0: 5 cpu-clock: \n"
	h := new(heard)
	counts, err := readScript(strings.NewReader(strings.Repeat("x", 3*maxScriptLine)+"\n"+head+strings.Repeat("\t1 f (g)\n", maxFrames+9)), h)
	if err != nil || counts != (scriptCounts{samples: 1, broken: 1}) {
		t.Errorf("%+v, %v", counts, err)
	}
	if n := strings.Count(h.String(), "\t"); n != maxFrames {
		t.Errorf("%d frames, the bound is %d", n, maxFrames)
	}
	if _, err := readScript(strings.NewReader("perf: what is that?\n"), new(heard)); err == nil || !strings.Contains(err.Error(), "what is that?") {
		t.Errorf("nothing but broken lines: %v", err)
	}
	if counts, err := readScript(strings.NewReader(""), new(heard)); err != nil || counts != (scriptCounts{}) {
		t.Errorf("nothing at all: %+v, %v", counts, err)
	}
	pulled := errors.New("pulled the plug")
	if _, err := readScript(io.MultiReader(strings.NewReader(head), iotest.ErrReader(pulled)), new(heard)); !errors.Is(err, pulled) {
		t.Errorf("the reader's error becomes %v", err)
	}
}

func FuzzReadScript(f *testing.F) {
	files, err := filepath.Glob("testdata/perf/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text[:min(len(text), 8<<10)])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cpu := newCPUConverter(serving(map[int]string{1: "server"}))
		off := newSchedConverter(serving(map[int]string{1: "server"}), []int{1, 2})
		for _, h := range []scriptReader{cpu, off} {
			counts, err := readScript(bytes.NewReader(text), h)
			if lines := uint64(bytes.Count(text, []byte("\n"))) + 1; counts.samples+counts.broken > lines {
				t.Fatalf("%+v of %d lines, %v", counts, lines, err)
			}
		}
		off.end()
		for _, convert := range []func(*Sampled) error{cpu.profile, off.profile} {
			s := &Sampled{Event: clockEvent, Elapsed: time.Second}
			if err := convert(s); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := s.Profile.Write(&b); err != nil {
				t.Fatal(err)
			}
		}
	})
}
