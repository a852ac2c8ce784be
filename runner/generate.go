package runner

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"corelab/runner/probe"
)

// Bounds of what a generator may print and of how long it may take to end.
const (
	maxOutput    = 16 << 20
	maxLine      = 64 << 10
	generatorLag = 15 * time.Second // beyond its warm-up and its window: connecting, the last time-outs, histograms
)

// shot is one run of a generator's process.
type shot struct {
	argv  []string
	stdin []byte
	cpus  []int         // pinned to these before it executes; nil leaves it
	limit time.Duration // killed after that
	// started is called once with the process, window once with the time that the generator announces for its window,
	// from another goroutine; both may be nil. What window begins must end when ctx does.
	started func(pid int)
	window  func(ctx context.Context, begin, end time.Time)
	cut     func() // called when a siege's process says that all who came first were cut; may be nil
}

// shell is what a shot left: its output and the CPU time of the process and all it waited for.
type shell struct {
	stdout, stderr []byte
	cpu            time.Duration
}

// fire runs the generator and returns when nothing of it is left. An error carries the end of what it said.
func (s shot) fire(ctx context.Context) (shell, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.argv[0], s.argv[1:]...)
	cmd.Stdin = bytes.NewReader(s.stdin)
	// A group of its own: Ctrl-C on the terminal reaches corelab alone, which then ends what it started, all of it.
	// And it ends with corelab, should that be killed: the thread that starts it is never ended while corelab lives.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout bytes.Buffer
	cmd.Stdout = &limited{buffer: &stdout, left: maxOutput}
	// Our own pipe, for Wait would close one of exec's before the last line was read.
	said, saying := io.Pipe()
	cmd.Stderr = saying
	if err := startPinned(cmd, s.cpus); err != nil {
		return shell{}, fmt.Errorf("start %s: %w", s.argv[0], err)
	}
	if s.started != nil {
		s.started(cmd.Process.Pid)
	}
	var stderr bytes.Buffer
	var watching chan struct{}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		lines := bufio.NewScanner(said)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if s.cut != nil && lines.Text() == siegeCut {
				s.cut()
				continue
			}
			begin, end, ok := announced(lines.Text())
			if !ok {
				if stderr.Len() < maxLine {
					stderr.Write(lines.Bytes())
					stderr.WriteByte('\n')
				}
				continue
			}
			if s.window != nil && watching == nil {
				watching = make(chan struct{})
				go func() {
					defer close(watching)
					s.window(ctx, begin, end)
				}()
			}
		}
		_, _ = io.Copy(io.Discard, said) // a line beyond maxLine ends the scan, not the process
	}()
	err := cmd.Wait()
	saying.Close()
	<-heard
	timedOut := errors.Is(ctx.Err(), context.DeadlineExceeded)
	cancel()
	if watching != nil {
		<-watching
	}
	out := shell{stdout: stdout.Bytes(), stderr: stderr.Bytes()}
	if cmd.ProcessState != nil {
		out.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	switch {
	case timedOut:
		return out, fmt.Errorf("%s did not end within %v and was killed", filepath.Base(s.argv[0]), s.limit)
	case err != nil:
		return out, fmt.Errorf("generator %s: %w%s", filepath.Base(s.argv[0]), err, lastWords(stderr.Bytes()))
	}
	return out, nil
}

// announced reads the line with which our generator tells when its window is: "window BEGIN END", in Unix nanoseconds.
func announced(line string) (begin, end time.Time, ok bool) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != "window" {
		return begin, end, false
	}
	b, err1 := strconv.ParseInt(f[1], 10, 64)
	e, err2 := strconv.ParseInt(f[2], 10, 64)
	return time.Unix(0, b), time.Unix(0, e), err1 == nil && err2 == nil && e >= b
}

func lastWords(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// startPinned starts cmd on the CPUs. A child inherits them from the thread that makes it, so they hold from its first
// instruction on.
func startPinned(cmd *exec.Cmd, cpus []int) error {
	if len(cpus) == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := probe.Affinity(0)
	if err != nil {
		return err
	}
	if err := pin(cpus); err != nil {
		return err
	}
	startErr := cmd.Start()
	return errors.Join(startErr, pin(before))
}

// pin moves the calling thread.
func pin(cpus []int) error {
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to CPU %s: %w", probe.CPUList(cpus), err)
	}
	return nil
}

// limited keeps what fits and passes over the rest: a generator gone wild must not take the memory.
type limited struct {
	buffer *bytes.Buffer
	left   int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.buffer.Write(b[:n])
	l.left -= n
	return len(b), nil
}
