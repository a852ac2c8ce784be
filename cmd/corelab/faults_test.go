package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// lab is a corelab that runs while something is done to it.
type lab struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    string
	over   chan struct{} // closed when it has ended
	stderr bytes.Buffer  // whole once it has
}

// begin starts corelab bench with args, its results in a folder of its own.
func begin(t *testing.T, out string, args ...string) *lab {
	t.Helper()
	l := &lab{t: t, out: out, over: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	l.cmd = exec.CommandContext(ctx, filepath.Join(bin, "corelab"), append(append([]string{"bench"}, args...), "--out", out, "--no-calls")...)
	l.cmd.Stderr = &l.stderr
	if err := l.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		l.cmd.Wait()
		close(l.over)
	}()
	t.Cleanup(func() {
		cancel()
		<-l.over
	})
	return l
}

// record is the file of the run; empty while there is none.
func (l *lab) record() string {
	if files, _ := filepath.Glob(filepath.Join(l.out, "*-bench", results.RunFile)); len(files) == 1 {
		return files[0]
	}
	return ""
}

// trials returns how many trials are recorded.
func (l *lab) trials() int {
	b, _ := os.ReadFile(l.record())
	return max(0, bytes.Count(b, []byte("\n"))-1)
}

// child returns a process that runs a program of these tests for l, with all of the words among its arguments; 0 for none.
func (l *lab) child(words ...string) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", l.cmd.Process.Pid))
	for _, file := range tasks {
		b, _ := os.ReadFile(file)
		for _, text := range strings.Fields(string(b)) {
			line, _ := os.ReadFile("/proc/" + text + "/cmdline")
			args := strings.Split(string(line), "\x00")
			has := func(word string) bool { return slices.Contains(args, word) }
			if pid, err := strconv.Atoi(text); err == nil && !slices.ContainsFunc(words, func(w string) bool { return !has(w) }) {
				return pid
			}
		}
	}
	return 0
}

// killChild kills a child of l with SIGKILL while both it and another one run, so that a trial is under way.
func (l *lab) killChild(victim, beside []string) {
	l.t.Helper()
	waitFor(l.t, "a "+strings.Join(victim, " ")+" under way", func() bool {
		select {
		case <-l.over:
			l.t.Fatalf("it has ended before: %s", &l.stderr)
		default:
		}
		pid := l.child(victim...)
		return pid > 0 && l.child(beside...) > 0 && unix.Kill(pid, unix.SIGKILL) == nil
	})
}

// ended waits for the end and returns the exit code and the record, and holds l to having left nothing running.
func (l *lab) ended() (int, *results.Record) {
	l.t.Helper()
	<-l.over
	waitForNothingLeft(l.t)
	rec, err := results.Read(filepath.Dir(l.record()))
	if err != nil {
		l.t.Fatalf("%v: %s", err, &l.stderr)
	}
	return l.cmd.ProcessState.ExitCode(), rec
}

// TestKilledMidRun kills a server, and then a generator, with SIGKILL in the middle of a trial: that trial says what was
// killed, and all others are measured.
func TestKilledMidRun(t *testing.T) {
	server, generator := []string{"--core", "epoll"}, []string{filepath.Join(bin, "corelab"), "load"}
	for _, c := range []struct {
		name           string
		victim, beside []string
		says           string
		warns          bool // that the server died
		code           int  // a server that dies is a finding; without a generator the other rounds are as good as they were
	}{
		{"server", server, generator, "the server ended during the trial: epoll ended by itself: signal: killed", true, exitWrong},
		{"generator", generator, server, "generator corelab: signal: killed", false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := begin(t, t.TempDir(), "plaintext", "--cores", "epoll,reactor", "--rounds", "3", "--duration", "300ms", "--warmup", "0s", "--generator", "corelab", "--seed", "1")
			waitFor(t, "a trial", func() bool { return l.trials() > 0 })
			l.killChild(c.victim, c.beside)
			code, rec := l.ended()
			if code != c.code || !strings.Contains(l.stderr.String(), c.says) || rec.End == nil || rec.End.Interrupted || rec.End.Trials != len(rec.Trials) {
				t.Errorf("exit %d, end %+v: %s", code, rec.End, &l.stderr)
			}
			bad, good := 0, map[string]int{}
			for _, trial := range rec.Trials {
				died := slices.ContainsFunc(trial.Warnings, func(w results.Warning) bool { return w.Code == results.WarnDied })
				switch {
				case trial.Error == "" && !died:
					good[trial.Target]++
				case !strings.Contains(trial.Error, c.says) || died != c.warns:
					t.Errorf("%s in round %d: %q, warnings %v", trial.Target, trial.Round, trial.Error, trial.Warnings)
				default:
					bad++
				}
			}
			if bad != 1 || good["epoll"] < 2 || good["reactor"] < 3 {
				t.Errorf("%d trials failed, good ones are %v", bad, good)
			}
		})
	}
}

// babble is a server that says what no HTTP server says, from the start or after a while.
func babble(mode, port string) {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	const good, garbage = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!", "\x00\xffHELLO 200\x1b[2J\r\n<script>alert(1)</script>\r\n\r\n"
	for asked := 0; ; asked++ {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer c.Close()
			in := bufio.NewReader(c)
			for n := 0; ; {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line != "\r\n" {
					continue
				}
				answer := good
				if n++; mode == "babbles" || mode == "turns" && n > 20 {
					answer = garbage
				}
				if mode == "hangs up" {
					return
				}
				if _, err := io.WriteString(c, answer); err != nil {
					return
				}
			}
		}()
	}
}

// TestBabblingServer benches servers whose answers are garbage: the row says so in plain letters, and the others are measured.
func TestBabblingServer(t *testing.T) {
	for mode, says := range map[string]string{
		"babbles":  "no status line of HTTP/1",
		"hangs up": "closed the connection without an answer",
		"turns":    "",
	} {
		t.Run(mode, func(t *testing.T) {
			out := t.TempDir()
			o := corelab(t, []string{serverMode + "=" + mode}, "bench", "plaintext", "--cores", "reactor", "--target", "mine="+os.Args[0]+" {port}",
				"--rounds", "1", "--duration", "200ms", "--warmup", "0s", "--generator", "corelab", "--out", out, "--no-calls")
			if o.code != exitWrong || hostile(o.stdout+o.stderr) {
				t.Errorf("exit %d: %q%q", o.code, o.stdout, o.stderr)
			}
			waitForNothingLeft(t)
			waitFor(t, "the server to end", func() bool { return len(left(t, os.Args[0])) == 1 }) // this process
			for _, trial := range ranked(record(t, out)) {
				erroneous := trial.Error != "" || slices.ContainsFunc(trial.Warnings, func(w results.Warning) bool { return w.Code == results.WarnErrors })
				if erroneous != (trial.Target == "mine") || trial.Target == "mine" && !strings.Contains(trial.Error, says) {
					t.Errorf("%s: error %q, warnings %v, missing %v", trial.Target, trial.Error, trial.Warnings, trial.Missing)
				}
			}
		})
	}
}

// TestVanished takes away what a run needs, before it or in its middle: each is an error that names it.
func TestVanished(t *testing.T) {
	own, err := os.ReadFile("../../scenarios/plaintext.toml")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("scenario", func(t *testing.T) {
		dir, out := t.TempDir(), t.TempDir()
		file := filepath.Join(dir, "mine.toml")
		if err := os.WriteFile(file, own, 0o666); err != nil {
			t.Fatal(err)
		}
		l := begin(t, out, file, "--cores", "reactor", "--rounds", "50", "--duration", "100ms", "--warmup", "0s", "--generator", "corelab")
		waitFor(t, "a trial", func() bool { return l.trials() > 0 })
		if err := os.Remove(file); err != nil { // it was read: the run goes on
			t.Fatal(err)
		}
		before := l.trials()
		waitFor(t, "another trial", func() bool { return l.trials() > before })
		l.cmd.Process.Signal(syscall.SIGINT)
		code, rec := l.ended()
		if code != exitInterrupted || rec.End == nil || len(rec.Trials) <= before {
			t.Errorf("exit %d, %d trials: %s", code, len(rec.Trials), &l.stderr)
		}
		kept, err := os.ReadFile(filepath.Join(rec.Dir, results.RunFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"bench", "--resume", rec.Dir}, {"bench", file, "--out", out}} {
			if o := corelab(t, nil, args...); o.code != exitFailed || !strings.Contains(o.stderr, file) || !strings.Contains(o.stderr, "no such file") {
				t.Errorf("%v: exit %d: %s", args, o.code, o.stderr)
			}
		}
		if now, err := os.ReadFile(filepath.Join(rec.Dir, results.RunFile)); err != nil || !bytes.Equal(now, kept) {
			t.Errorf("the record has %d bytes, and had %d; %v", len(now), len(kept), err)
		}
	})

	t.Run("server", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "coreserver")
		if err := os.Link(filepath.Join(bin, "coreserver"), program); err != nil {
			b, err := os.ReadFile(filepath.Join(bin, "coreserver"))
			if err = errors.Join(err, os.WriteFile(program, b, 0o777)); err != nil {
				t.Fatal(err)
			}
		}
		l := begin(t, t.TempDir(), "plaintext", "--coreserver", program, "--cores", "reactor", "--rounds", "3", "--duration", "200ms", "--warmup", "0s", "--generator", "corelab")
		waitFor(t, "a trial", func() bool { return l.trials() > 0 })
		if err := os.Remove(program); err != nil {
			t.Fatal(err)
		}
		code, rec := l.ended()
		if rec.End == nil || rec.Trials[0].Error != "" {
			t.Errorf("exit %d, the first trial says %q: %s", code, rec.Trials[0].Error, &l.stderr)
		}
		if last := rec.Trials[len(rec.Trials)-1]; !strings.Contains(last.Error, program) || !strings.Contains(last.Error, "no such file") {
			t.Errorf("the last trial says %q", last.Error)
		}
	})

	t.Run("tools", func(t *testing.T) {
		for tool, args := range map[string][]string{
			"wrk":    {"--cores", "reactor", "--rounds", "1", "--generator", "wrk"},
			"h2load": {"--cores", "reactor", "--rounds", "1", "--generator", "h2load"},
			"nginx":  {"--cores", "nginx,reactor", "--rounds", "1", "--duration", "100ms", "--warmup", "0s", "--generator", "corelab"},
		} {
			out := t.TempDir()
			o := corelab(t, []string{"PATH=/nonexistent"}, append([]string{"bench", "plaintext", "--out", out, "--no-calls"}, args...)...)
			found := ranked(record(t, out))
			if len(found) == 0 {
				t.Errorf("%s: exit %d: %s", tool, o.code, o.stderr)
			}
			for _, trial := range found {
				without := trial.Target == "nginx" || tool != "nginx"
				if without != strings.Contains(trial.Skipped+trial.Error, tool) || !without && trial.Load == nil {
					t.Errorf("without %s: %s is skipped for %q, error %q", tool, trial.Target, trial.Skipped, trial.Error)
				}
			}
			if o.code != exitWrong || !strings.Contains(o.stdout, tool) {
				t.Errorf("without %s: exit %d: %s", tool, o.code, o.stderr)
			}
		}
	})
}

// TestFullDiskMidRun lets the record of a run grow no more: what is recorded stays, the run goes on, and what could not be
// written stands on standard error, whole. With room again the run can be gone on with.
func TestFullDiskMidRun(t *testing.T) {
	for name, c := range map[string]struct {
		disk func(dir string) error         // prepares it
		full func(l *lab, dir string) error // has it full from now on
		room func(dir string) error         // undoes that
		says string
	}{
		"full disk": {
			func(dir string) error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k") },
			func(_ *lab, dir string) error { return fill(filepath.Join(dir, "ballast")) },
			func(dir string) error { return os.Remove(filepath.Join(dir, "ballast")) },
			"no space left on device",
		},
		"limit of file size": {
			func(string) error { return nil },
			func(l *lab, _ string) error {
				info, err := os.Stat(l.record())
				if err != nil {
					return err
				}
				most := uint64(info.Size()) + 1000 // the next trial is cut in its middle
				return unix.Prlimit(l.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: most, Max: most}, nil)
			},
			func(string) error { return nil },
			"file too large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.disk(dir); err != nil {
				t.Skipf("only root has a small disk: %v", err)
			}
			t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) }) // where it was mounted
			l := begin(t, filepath.Join(dir, "results"), "plaintext", "--cores", "reactor", "--rounds", "6", "--duration", "100ms", "--warmup", "0s", "--generator", "corelab")
			waitFor(t, "two trials", func() bool { return l.trials() >= 2 })
			if err := c.full(l, dir); err != nil {
				t.Fatal(err)
			}
			before := l.trials()
			code, rec := l.ended()
			said := l.stderr.String()
			if code != exitFailed || !strings.Contains(said, c.says) || !strings.Contains(said, "the run goes on and keeps its trials in memory") || len(rec.Trials) < before {
				t.Errorf("exit %d, %d trials of %d: %s", code, len(rec.Trials), before, said)
			}
			rescued := rescued(t, said)
			if rescued == 0 || rec.Torn != "" {
				t.Errorf("%d trials were rescued, torn %q", rescued, rec.Torn)
			}
			if err := c.room(dir); err != nil {
				t.Fatal(err)
			}
			o := corelab(t, nil, "bench", "--resume", rec.Dir)
			again, err := results.Read(rec.Dir)
			if o.code != 0 || err != nil || again.End == nil || len(again.Trials) != len(rec.Trials)+rescued {
				t.Errorf("exit %d, %v, %d trials after %d and %d: %s", o.code, err, len(again.Trials), len(rec.Trials), rescued, o.stderr)
			}
			waitForNothingLeft(t)
		})
	}
}

// rescued counts the trials among the lines of text, each of which must be whole.
func rescued(t *testing.T, text string) (n int) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		var trial results.Trial
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &trial); err != nil || trial.Kind != results.KindTrial || trial.Load == nil || trial.Load.Requests == 0 {
			t.Errorf("%v; a rescued trial without its load: %s", err, line)
		}
		n++
	}
	return n
}

// fill writes until the disk of file is full.
func fill(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			if wrong := new(fs.PathError); errors.As(err, &wrong) && wrong.Err == syscall.ENOSPC {
				return nil
			}
			return err
		}
	}
}

// hostile reports whether s has bytes that could drive a terminal, or are no text.
func hostile(s string) bool { return strings.ContainsAny(s, "\x00\x1b") || !utf8.ValidString(s) }
