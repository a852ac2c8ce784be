package target

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"corelab/results"
	"corelab/runner/probe"

	"golang.org/x/sys/unix"
)

const (
	// DefaultReadyTimeout bounds the wait for a server that was started to accept.
	DefaultReadyTimeout = 10 * time.Second
	// portTries bounds the starts of a server whose port was taken between its choice and its use.
	portTries = 3
	// pollEvery is the time between two looks at what announces nothing.
	pollEvery = 2 * time.Millisecond
	// freeBound bounds the wait for the port of a server that has ended.
	freeBound = 2 * time.Second
	// statsBound bounds the wait for an answer on --stats-fd, where the context has no deadline.
	statsBound = 2 * time.Second
)

// Options say how a target is started.
type Options struct {
	Workers      int           // CPUs to use; 0 means as many as CPUs has, at least 1
	CPUs         []int         // pinned to these before it executes; nil leaves it where the lab runs
	StaticDir    string        // served at /static/; empty leaves the route out
	Dir          string        // for logs; must exist; empty keeps none
	ReadyTimeout time.Duration // until it accepts; 0 means DefaultReadyTimeout
	Stats        bool          // make a core answer [Process.Stats]; others ignore it
	Front        *Front        // it stands in front of these; nil: it answers by itself
	Batch        bool          // under SCHED_BATCH, for whoever shares a CPU with its generator: see probe.Batch
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return max(1, len(o.CPUs))
}

// Process is a running server. Its methods may be called from any goroutine.
type Process struct {
	spec   Spec
	opts   Options
	addr   string
	argv   []string
	config string
	log    string // path
	dir    string // its own, removed at the end
	family family
	exited chan struct{} // closed after waited is set
	waited error

	mu      sync.Mutex // over what follows, and held through Stop and Stats
	stopped bool       // Stop ended it
	gone    bool       // nothing of it is left: its number may be another's by now
	stats   *os.File   // nil where there are none
	answers *bufio.Reader
}

// Start starts the target and returns when it accepts. It tries another port when the port was taken in between. A
// process that ends early, or does not accept in time, gives an error with the end of its log, and nothing of it is left.
// ctx bounds the start only: the process lives until Stop.
func Start(ctx context.Context, s Spec, o Options) (*Process, error) {
	if o.StaticDir != "" {
		dir, err := filepath.Abs(o.StaticDir)
		if err == nil && strings.Contains(dir, "$") {
			err = errors.New("its name has a '$', which begins a variable for nginx")
		}
		if err != nil {
			return nil, fmt.Errorf("start %s: use the directory %s for /static/: %w", s.Name, o.StaticDir, err)
		}
		o.StaticDir = dir
	}
	for try := 1; ; try++ {
		p, err := start(ctx, s, o)
		var taken portTakenError
		if err == nil || !errors.As(err, &taken) || try == portTries {
			return p, err
		}
	}
}

// portTakenError is the early end of a server that found its port in use.
type portTakenError struct{ error }

func start(ctx context.Context, s Spec, o Options) (*Process, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p := &Process{spec: s, opts: o, addr: "127.0.0.1:" + port, exited: make(chan struct{})}
	if err := p.run(port); err != nil {
		p.clean()
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	timeout := o.ReadyTimeout
	if timeout <= 0 {
		timeout = DefaultReadyTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it does not accept on %s within %v; a longer --ready-timeout may help", p.addr, timeout))
	defer cancel()
	if err := p.ready(ctx); err != nil {
		tail := p.tail()
		err = errors.Join(err, p.Stop(0))
		err = fmt.Errorf("start %s: %w%s", s.Name, err, tail)
		if strings.Contains(strings.ToLower(tail), "address already in use") {
			return nil, portTakenError{err}
		}
		return nil, err
	}
	return p, nil
}

// firstPort and fewPorts: servers get ports from firstPort up to where the kernel's own begin, unless these are few.
const (
	firstPort = 5000
	fewPorts  = 1000
)

// freePort returns a port of 127.0.0.1 that nothing listens on. It is none that the kernel gives to whoever connects or
// asks for any port: between its choice and its use it would go to such a process now and then, which then answers in
// place of the server.
func freePort() (string, error) {
	end := kernelPorts()
	for left := portTries; ; left-- {
		port := 0 // any
		if left > 0 && end >= firstPort+fewPorts {
			port = firstPort + rand.IntN(end-firstPort)
		}
		l, err := net.Listen("tcp4", "127.0.0.1:"+itoa(port))
		if err == nil {
			defer l.Close()
			return itoa(l.Addr().(*net.TCPAddr).Port), nil
		}
		if port == 0 {
			return "", fmt.Errorf("find a free port: %w", err)
		}
	}
}

// kernelPorts returns the first port of those that the kernel gives by itself, ip(7) ip_local_port_range; 0 if unknown.
func kernelPorts() int {
	var first int
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(b), &first)
	}
	return first
}

func itoa(n int) string { return strconv.Itoa(n) }

// run starts the process.
func (p *Process) run(port string) (err error) {
	o := p.opts
	if p.dir, err = os.MkdirTemp("", "corelab-target-"); err != nil {
		return fmt.Errorf("make its directory: %w", err)
	}
	if p.argv, p.config, err = p.spec.prepare(port, p.dir, o); err != nil {
		return err
	}
	logDir := o.Dir
	if logDir == "" {
		logDir = p.dir
	}
	log, err := os.CreateTemp(logDir, fileName(p.spec.Name)+"-*.log")
	if err != nil {
		return fmt.Errorf("make its log: %w", err)
	}
	defer log.Close() // the process has its own
	p.log = log.Name()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	p.family.mark = markVariable + "=" + itoa(os.Getpid()) + "-" + strings.TrimPrefix(p.dir, os.TempDir())
	cmd.Env = append(os.Environ(), p.family.mark)
	if peer := p.spec.peer; peer != nil && peer.env != nil {
		cmd.Env = append(cmd.Env, peer.env(p.dir, o)...)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if o.Stats && p.spec.Kind == KindCore {
		ours, theirs, err := statsPair()
		if err != nil {
			return err
		}
		defer theirs.Close()
		cmd.ExtraFiles = []*os.File{theirs} // becomes descriptor 3, see Spec.words
		p.stats, p.answers = ours, bufio.NewReader(ours)
	}
	exited, err := launch(cmd, o.CPUs, o.Batch)
	if err != nil {
		return err
	}
	p.family.root = cmd.Process.Pid
	tellKeeper('+', p.family.root)
	go func() {
		p.waited = <-exited
		close(p.exited)
	}()
	return nil
}

// fileName is a label as part of a file's name.
func fileName(label string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && nameForm.MatchString("a"+string(r)) {
			return r
		}
		return '_'
	}, label)
}

// ready waits until the server accepts.
func (p *Process) ready(ctx context.Context) error {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp4", p.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it ended before it accepted: %s", p.how())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// Spec returns what was started.
func (p *Process) Spec() Spec { return p.spec }

// Addr is where it listens: "127.0.0.1:40000".
func (p *Process) Addr() string { return p.addr }

// URL is path on the server.
func (p *Process) URL(path string) string { return "http://" + p.addr + path }

// Pids returns the process and all its living descendants.
func (p *Process) Pids() []int { return probe.Tree(p.family.root) }

// Log is the path of the file that has its standard output and error. An empty one is removed by Stop.
func (p *Process) Log() string { return p.log }

// Exited is closed when the process has ended, whether it was stopped or not.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err says how the process ended on its own, with the end of its log; nil while it runs, and when Stop ended it.
func (p *Process) Err() error {
	select {
	case <-p.exited:
	default:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	return fmt.Errorf("%s ended by itself: %s%s", p.spec.Name, p.how(), p.tail())
}

// how says how the process ended; it has.
func (p *Process) how() string {
	if p.waited == nil {
		return "exit status 0; a server must stay in the foreground"
	}
	return p.waited.Error()
}

// maxTail bounds what an error shows of a log.
const maxTail = 2000

// tail returns the end of the log, as the end of an error's text.
func (p *Process) tail() string {
	b, err := os.ReadFile(p.log)
	text := strings.TrimSpace(string(b))
	if err != nil || text == "" {
		return "; it wrote nothing"
	}
	if len(text) > maxTail {
		text = "…" + text[len(text)-maxTail:]
	}
	return "; it wrote:\n" + text
}

// Stop sends SIGTERM to the process group, and SIGKILL to all that is left after grace, wherever it has gone. It returns
// when nothing is left and the port is free; the error says what could not be had of this. It may be called again.
func (p *Process) Stop(grace time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	select {
	case <-p.exited: // by itself
	default:
		p.stopped = true
		unix.Kill(-p.family.root, unix.SIGTERM)
		unix.Kill(-p.family.root, unix.SIGCONT) // it may be suspended
		select {
		case <-p.exited:
		case <-time.After(grace):
		}
	}
	left := p.family.kill()
	if len(left) == 0 {
		<-p.exited
	}
	p.clean()
	if len(left) > 0 {
		return fmt.Errorf("stop %s: processes %v are still there %v after SIGKILL", p.spec.Name, left, killBound)
	}
	p.gone = true
	tellKeeper('-', p.family.root)
	if err := awaitFree(p.addr); err != nil {
		return fmt.Errorf("stop %s: %w", p.spec.Name, err)
	}
	return nil
}

// Suspend stops the process in its tracks, with all that it started: its sockets stay, and nobody is behind them. Stop ends
// it nevertheless.
func (p *Process) Suspend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := unix.Kill(-p.family.root, unix.SIGSTOP); err != nil {
		return fmt.Errorf("suspend %s: %w", p.spec.Name, err)
	}
	return nil
}

// clean removes what the lab made for the process.
func (p *Process) clean() {
	if p.stats != nil {
		p.stats.Close()
		p.stats = nil
	}
	if info, err := os.Stat(p.log); err == nil && info.Size() == 0 {
		os.Remove(p.log)
	}
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

// awaitFree waits until the address can be listened on.
func awaitFree(addr string) error {
	for deadline := time.Now().Add(freeBound); ; time.Sleep(pollEvery) {
		l, err := net.Listen("tcp4", addr)
		if err == nil {
			return l.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("its port is not free %v after its end: %w", freeBound, err)
		}
	}
}

// Stats is what a core of ours has done since it started.
type Stats struct {
	Runtime results.Runtime  `json:"runtime"`
	Workers []results.Worker `json:"workers"`
}

// Since returns what was done between before and s; the figures of a moment are those of s.
func (s Stats) Since(before Stats) Stats {
	s.Runtime.Allocs -= before.Runtime.Allocs
	s.Runtime.AllocBytes -= before.Runtime.AllocBytes
	s.Runtime.GCs -= before.Runtime.GCs
	workers := make([]results.Worker, len(s.Workers))
	for i, w := range s.Workers {
		if i < len(before.Workers) {
			w.Accepted -= before.Workers[i].Accepted
			w.Requests -= before.Workers[i].Requests
		}
		workers[i] = w
	}
	s.Workers = workers
	return s
}

// Stats asks the server what it has done. It is an error on anything but a core that was started with Options.Stats.
func (p *Process) Stats(ctx context.Context) (s Stats, err error) {
	line, err := p.ask(ctx, "")
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	if err != nil {
		return s, fmt.Errorf("ask %s for its figures: %w", p.spec.Name, err)
	}
	return s, nil
}

// errSilent is the error of a server that is not asked.
var errSilent = errors.New("it gives no figures of its own")

// ask writes one line to --stats-fd and returns the line that comes back. An error ends it for good: an answer that comes
// late would be taken for that of the next question.
func (p *Process) ask(ctx context.Context, question string) (line []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stats == nil {
		return nil, errSilent
	}
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(statsBound)
	}
	p.stats.SetDeadline(deadline)
	_, err = p.stats.Write([]byte(question + "\n"))
	for err == nil {
		var part []byte
		part, err = p.answers.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case len(line) > maxAnswer:
			err = fmt.Errorf("it answers with a line of more than %d bytes", maxAnswer)
		case errors.Is(err, bufio.ErrBufferFull):
			err = nil
		}
	}
	p.stats.Close()
	p.stats = nil
	return nil, err
}
