package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"corelab/runner/load"
	"corelab/runner/probe"
)

// feederGrace is what a generator has to end once it gets no more loads.
const feederGrace = time.Second

// feeder is one process of our own generator that takes loads one after the other, so that many short windows pay for one
// start. One goroutine uses it.
type feeder struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *json.Decoder
	said   *limited
	words  *bytes.Buffer // what said keeps; read when the process has ended
	ended  func() error  // waits for the process, once
	cancel context.CancelFunc
}

// startFeeder starts one, pinned and under SCHED_BATCH. It is killed when ctx ends; the caller closes it.
func startFeeder(ctx context.Context, self string, cpus []int) (*feeder, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "load", "--spec", "-", "--generator", string(ByCorelab))
	// As with a shot: Ctrl-C is for corelab alone, and the process ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = feederGrace
	f := &feeder{cmd: cmd, words: new(bytes.Buffer), cancel: cancel}
	f.said = &limited{buffer: f.words, left: maxLine}
	cmd.Stderr = f.said
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("make the generator's input: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("make the generator's output: %w", err)
	}
	f.in, f.out = in, json.NewDecoder(out)
	if err := startBatch(cmd, cpus); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", self, err)
	}
	f.ended = sync.OnceValue(cmd.Wait)
	return f, nil
}

// startBatch starts cmd on the CPUs under SCHED_BATCH.
func startBatch(cmd *exec.Cmd, cpus []int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	restore, err := probe.Batch()
	if err != nil {
		return err
	}
	return errors.Join(startPinned(cmd, cpus), restore())
}

// load runs one load to its end.
func (f *feeder) load(s load.Spec) (load.Result, error) {
	s = s.Filled()
	if err := s.Check(); err != nil {
		return load.Result{}, err
	}
	watchdog := time.AfterFunc(s.Warmup+s.Duration+s.Timeout+generatorLag, f.cancel)
	defer watchdog.Stop()
	var r load.Result
	err := json.NewEncoder(f.in).Encode(s)
	if err == nil {
		err = f.out.Decode(&r)
	}
	if err == nil {
		return r, nil
	}
	// It ended: how, and with which words, says more than that its pipe is closed.
	how := f.close()
	return load.Result{}, fmt.Errorf("generator %s: %w%s", filepath.Base(f.cmd.Path), errors.Join(how, err), lastWords(f.words.Bytes()))
}

// close ends the process, and waits for that. It may be called again.
func (f *feeder) close() error {
	f.in.Close()
	kill := time.AfterFunc(feederGrace, f.cancel)
	defer kill.Stop()
	err := f.ended()
	f.cancel()
	return err
}
