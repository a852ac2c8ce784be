package runner

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"corelab/runner/probe"
)

// generatorMode makes this test binary a generator instead.
const generatorMode = "RUNNER_TEST_GENERATOR"

func TestMain(m *testing.M) {
	switch os.Getenv(generatorMode) {
	case "":
		os.Exit(m.Run())
	case "announces":
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "before\nwindow %d %d\nafter\n", begin.UnixNano(), begin.Add(time.Millisecond).UnixNano())
		cpus, err := probe.Allowed()
		fmt.Println(probe.CPUList(cpus), err)
	case "fails":
		fmt.Fprintln(os.Stderr, "first words\nlast words")
		os.Exit(4)
	case "hangs":
		fmt.Println("began")
		select {}
	case "shouts":
		line := strings.Repeat("x", 1<<20)
		for range 2 * maxOutput >> 20 {
			fmt.Println(line)
		}
		fmt.Fprintln(os.Stderr, line)
	}
	os.Exit(0)
}

func newShot(t *testing.T, mode string) shot {
	t.Helper()
	t.Setenv(generatorMode, mode)
	return shot{argv: []string{os.Args[0]}, limit: 30 * time.Second}
}

func TestShotAnnouncesAndIsPinned(t *testing.T) {
	s := newShot(t, "announces")
	before, err := probe.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	s.cpus = before[:1]
	var window time.Duration
	s.window = func(_ context.Context, begin, end time.Time) { window = end.Sub(begin) }
	pid := 0
	s.started = func(p int) { pid = p }
	out, err := s.fire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out.stdout), strconv.Itoa(before[0])+" <nil>\n"; got != want {
		t.Errorf("ran on %q, want %q", got, want)
	}
	if string(out.stderr) != "before\nafter\n" || window != time.Millisecond || pid == 0 {
		t.Errorf("said %q, window %v, pid %d", out.stderr, window, pid)
	}
	if out.cpu <= 0 {
		t.Errorf("CPU %v", out.cpu)
	}
	after, err := probe.Allowed()
	if err != nil || probe.CPUList(after) != probe.CPUList(before) {
		t.Errorf("the lab itself may use %v now, %v", after, err)
	}
}

func TestShotFails(t *testing.T) {
	_, err := newShot(t, "fails").fire(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 4: last words") {
		t.Errorf("%v", err)
	}
	s := newShot(t, "fails")
	s.argv = []string{"/nonexistent"}
	if _, err := s.fire(t.Context()); err == nil || !strings.Contains(err.Error(), "start /nonexistent") {
		t.Errorf("%v", err)
	}
}

func TestShotEnds(t *testing.T) {
	t.Run("at its limit", func(t *testing.T) {
		s := newShot(t, "hangs")
		s.limit = 50 * time.Millisecond
		if _, err := s.fire(t.Context()); err == nil || !strings.Contains(err.Error(), "was killed") {
			t.Errorf("%v", err)
		}
	})
	t.Run("when it is stopped", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newShot(t, "hangs")
		s.started = func(int) { cancel() }
		if _, err := s.fire(ctx); err == nil {
			t.Error("no error")
		}
	})
	t.Run("whatever it prints", func(t *testing.T) {
		out, err := newShot(t, "shouts").fire(t.Context())
		if err != nil || len(out.stdout) != maxOutput || len(out.stderr) > 2*maxLine {
			t.Errorf("%d and %d bytes, %v", len(out.stdout), len(out.stderr), err)
		}
	})
}

func TestAnnounced(t *testing.T) {
	for line, want := range map[string]bool{
		"window 1 2": true, "window 2 1": false, "window 1": false, "window a b": false, "": false, "the window 1 2": false,
	} {
		if _, _, ok := announced(line); ok != want {
			t.Errorf("%q: %v", line, ok)
		}
	}
}
