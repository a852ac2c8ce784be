package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// The bounds of a session with perf.
const (
	beginBound   = 20 * time.Second // until it does what it is told; it reads the maps of every process first
	disableBound = 2 * time.Second  // until it says that it samples no more
	endBound     = 20 * time.Second // until it has written what it has and is gone
	scriptBound  = 2 * time.Minute  // until it has printed what it recorded
	lingerBound  = time.Second      // for what holds its output open after its end
	maxData      = "512M"           // what it may write; it ends by itself there
	ringsBytes   = 64 << 20         // the kernel's buffers of all CPUs together
	ringMost     = 8 << 20          // one of them, a power of two
	ringLeast    = 512 << 10
	maxWords     = 4 << 10 // what is kept of its messages
)

// session is one perf record under way.
type session struct {
	perf    string
	what    []string // to record, and whom
	dir     string   // its own, for the data
	data    string
	server  *served
	cmd     *exec.Cmd
	control *os.File // to say enable and disable
	acks    *os.File // where it says that it has
	words   words

	began  time.Time
	ended  time.Time     // set before done is closed
	done   chan struct{} // closed when it samples no more
	ending sync.Once
	exited chan struct{} // closed after waited is set
	waited error
	gone   sync.Once

	mu      sync.Mutex  // over what follows
	cause   error       // of the end of the context
	release func() bool // from the context
	timer   *time.Timer // to the bound
}

// record starts perf with what to record and whom, and returns when it samples, or could.
func record(ctx context.Context, perf string, spec RecordSpec, what []string) (*session, error) {
	s := &session{perf: perf, what: what, done: make(chan struct{}), exited: make(chan struct{}), server: newServed(System)}
	s.server.look(spec.Pids())
	if len(s.server.programs) == 0 {
		return nil, errNoServer
	}
	dir, err := os.MkdirTemp(spec.Dir, "perf-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for its data: %w", err)
	}
	s.dir, s.data = dir, filepath.Join(dir, "perf.data")
	if err := s.ready(ctx); err != nil {
		s.remove()
		return nil, err
	}
	if spec.Held {
		return s, nil
	}
	if err := s.begin(spec.Bound); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// ready starts perf and waits until it does what it is told.
func (s *session) ready(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.release = context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.cause = context.Cause(ctx)
		s.mu.Unlock()
		s.remove()
	})
	s.mu.Unlock()
	if err := s.tell("disable", beginBound); err != nil { // as it is
		return s.unbegun(err)
	}
	return nil
}

// begin lets it sample for so long.
func (s *session) begin(bound time.Duration) error {
	if err := s.tell("enable", beginBound); err != nil {
		return s.unbegun(err)
	}
	s.began = time.Now()
	s.mu.Lock()
	s.timer = time.AfterFunc(bound, s.finish)
	s.mu.Unlock()
	return nil
}

// unbegun says why perf does not sample, where that is what it was told to.
func (s *session) unbegun(err error) error {
	timer := time.NewTimer(lingerBound)
	defer timer.Stop()
	select {
	case <-s.exited: // with a reason that it gave
		if err = s.waited; err == nil {
			err = errors.New("perf ended before it sampled")
		}
		return s.failed(fmt.Errorf("start perf: %w", err))
	case <-timer.C:
		return s.failed(fmt.Errorf("perf did not begin within %v: %w", beginBound, err))
	}
}

// ringSize is the kernel's buffer for each CPU, as perf reads it.
func ringSize(cpus int) string {
	size := ringMost
	for size > ringLeast && size*cpus > ringsBytes {
		size /= 2
	}
	return fmt.Sprintf("%dK", size>>10)
}

// recorder is what makes perf record into a file.
func (s *session) recorder(data string) []string {
	return append([]string{"record", "--output", data, "--no-buildid", "--no-buildid-cache", "--no-bpf-event", "--sample-cpu", "--period", "--timestamp"}, s.what...)
}

// command is what records the same by hand, until Ctrl-C.
func (s *session) command() []string { return append([]string{"perf"}, s.recorder("perf.data")...) }

// start starts the process and waits for it in the background.
func (s *session) start() (err error) {
	var hears, says *os.File
	if hears, s.control, err = os.Pipe(); err != nil {
		return fmt.Errorf("make a pipe for perf: %w", err)
	}
	defer hears.Close()
	if s.acks, says, err = os.Pipe(); err != nil {
		return fmt.Errorf("make a pipe for perf: %w", err)
	}
	defer says.Close()
	// It writes no cache of binaries. Its ends of the pipes are its third and fourth descriptors.
	args := append(s.recorder(s.data), "--control", "fd:3,4", "--delay", "-1", "--max-size", maxData, "--mmap-pages", ringSize(runtime.NumCPU()))
	cmd := perfCommand(exec.Command(s.perf, args...), s.dir)
	cmd.ExtraFiles = []*os.File{hears, says}
	cmd.Stdout, cmd.Stderr = &s.words, &s.words
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start perf: %w", err)
	}
	s.cmd = cmd
	go func() {
		s.waited = cmd.Wait()
		s.ending.Do(s.closeDone) // where it ended by itself
		close(s.exited)
	}()
	return nil
}

// perfCommand gives perf an environment and a group of its own: it reads no configuration, asks no server for symbols, and the
// terminal's Ctrl-C reaches it by the context alone.
func perfCommand(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Env = perfEnv(dir)
	cmd.WaitDelay = lingerBound
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func perfEnv(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "PERF_CONFIG=/dev/null", "PERF_BUILDID_DIR=" + filepath.Join(dir, "none"),
		"DEBUGINFOD_URLS="}
}

// tell gives perf a command and waits until it says that it has done it.
func (s *session) tell(command string, bound time.Duration) error {
	until := time.Now().Add(bound)
	if err := errors.Join(s.control.SetWriteDeadline(until), s.acks.SetReadDeadline(until)); err != nil {
		return fmt.Errorf("bound the wait for perf: %w", err)
	}
	if _, err := s.control.WriteString(command + "\n"); err != nil {
		return fmt.Errorf("tell perf to %s: %w", command, err)
	}
	for b := make([]byte, 1); b[0] != '\n'; { // "ack\n", and a zero after it
		if _, err := s.acks.Read(b); err != nil {
			return fmt.Errorf("wait until perf has done %s: %w", command, err)
		}
	}
	return nil
}

// finish ends the sampling, once; perf goes on to live.
func (s *session) finish() {
	s.ending.Do(func() {
		_ = s.tell("disable", disableBound) // else it is over when perf is
		s.closeDone()
	})
}

func (s *session) closeDone() {
	s.ended = time.Now()
	close(s.done)
}

// elapsed is how long it sampled. It is called after the end.
func (s *session) elapsed() time.Duration {
	if s.began.IsZero() { // it was held until then
		return 0
	}
	return s.ended.Sub(s.began)
}

// stop ends the sampling and perf. From then on the recording's context has no power over it.
func (s *session) stop(ctx context.Context) error {
	s.finish()
	_ = s.cmd.Process.Signal(os.Interrupt) // an error says that it is over
	timer := time.NewTimer(endBound)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-ctx.Done():
		return fmt.Errorf("end perf: %w", context.Cause(ctx))
	case <-timer.C:
		return s.failed(fmt.Errorf("perf did not end within %v", endBound))
	}
	if s.release() && s.timer != nil {
		s.timer.Stop()
	}
	// It ends by the signal once it has written everything.
	var exit *exec.ExitError
	if errors.As(s.waited, &exit) {
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() && w.Signal() == syscall.SIGINT {
			s.waited = nil
		}
	}
	if s.waited != nil {
		return s.failed(fmt.Errorf("perf failed: %w", s.waited))
	}
	return nil
}

// failed is err, or the end of the context that brought it about, with what perf said.
func (s *session) failed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return s.cause
	}
	if said := s.words.String(); said != "" {
		return fmt.Errorf("%w; it says: %s", err, said)
	}
	return err
}

// remove ends perf at once if it still runs, and leaves no file. It may be called more than once, from several goroutines.
func (s *session) remove() {
	s.gone.Do(func() {
		s.mu.Lock()
		if s.release != nil {
			s.release()
		}
		if s.timer != nil {
			s.timer.Stop()
		}
		s.mu.Unlock()
		if s.cmd != nil {
			_ = s.cmd.Process.Kill() // an error says that it is over
			<-s.exited
		}
		for _, f := range []*os.File{s.control, s.acks} {
			if f != nil {
				f.Close()
			}
		}
		_ = os.RemoveAll(s.dir) // what cannot be removed is in the folder that the caller chose
	})
}

// script prints what was recorded through perf script, and gives it to h.
func (s *session) script(ctx context.Context, h scriptReader) (scriptCounts, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, scriptBound, fmt.Errorf("perf script did not end within %v", scriptBound))
	defer cancel()
	// Without inlined functions: each would start another program to look up its line.
	cmd := perfCommand(exec.CommandContext(ctx, s.perf, "script", "--input", s.data, "--fields", scriptFields,
		"--no-inline", "--ns", "--show-task-events", "--show-lost-events"), s.dir)
	var said words
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return scriptCounts{}, fmt.Errorf("make a pipe for perf: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return scriptCounts{}, fmt.Errorf("start perf script: %w", err)
	}
	counts, bad := readScript(out, h)
	over := context.Cause(ctx) // before it ends by what follows
	if bad != nil {
		cancel()
	}
	waited := cmd.Wait()
	switch {
	case over != nil:
		return counts, fmt.Errorf("perf script: %w", over)
	case bad != nil:
		return counts, fmt.Errorf("perf script: %w", bad)
	case waited != nil:
		return counts, fmt.Errorf("perf script: %w; it says: %s", waited, said.String())
	}
	counts.lost = max(counts.lost, lostChunks(said.String()), lostChunks(s.words.String()))
	return counts, nil
}

// words keeps the begin of what a program says.
type words struct {
	mu   sync.Mutex
	kept []byte
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, b[:min(len(b), maxWords-len(w.kept))]...)
	return len(b), nil
}

// String is what was said, on one line.
func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.Join(bytes.Fields(w.kept), []byte(" ")))
}
