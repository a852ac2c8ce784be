package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// Progress is what a run shows while it lasts. Any goroutine may read it.
type Progress struct {
	Requests atomic.Uint64 // answered in the window so far
	Errors   atomic.Uint64 // in the window so far
}

// Run loads the server with our own generator, from this process, until the window ends. When ctx ends earlier, the result
// holds what was measured until then, if the window had begun. watch may be nil. It raises GOMAXPROCS while it runs: each
// of its threads keeps a processor.
func Run(ctx context.Context, s Spec, watch *Progress) (Result, error) {
	s = s.Filled()
	if err := s.Check(); err != nil {
		return Result{}, err
	}
	p, err := newPlan(s, watch)
	if err != nil {
		return Result{}, err
	}
	if err := enoughFiles(s); err != nil {
		return Result{}, err
	}
	silent, err := p.openIdle()
	defer func() {
		for _, fd := range silent {
			closeSocket(fd)
		}
	}()
	if err != nil {
		return Result{}, err
	}
	loops, err := p.loops()
	defer func() {
		for _, l := range loops {
			l.close()
		}
	}()
	if err != nil {
		return Result{}, err
	}
	p.drive(ctx, loops)
	if err := ctx.Err(); err != nil && loops[0].ended <= loops[0].begun {
		return Result{}, fmt.Errorf("stopped before the measuring began: %w", err)
	}
	r, err := p.result(loops)
	for _, fd := range silent {
		if open(fd) {
			r.IdleOpen++
		}
	}
	return r, err
}

func newPlan(s Spec, watch *Progress) (*plan, error) {
	addr, err := resolve(s.URL)
	if err != nil {
		return nil, err
	}
	req, err := request(s)
	if err != nil {
		return nil, err
	}
	return &plan{spec: s, peer: newPeer(addr), request: req, want: newWanted(s), stop: new(atomic.Bool), watch: watch}, nil
}

// enoughFiles says beforehand that the connections would not fit.
func enoughFiles(s Spec) error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	others := 64 // of the process itself
	if s.Engine == EngineUring {
		others += s.Threads * ringEntries // closed with the next wait
	}
	if need := uint64(s.Connections + s.Idle + others); need > lim.Cur {
		return fmt.Errorf("%d connections need %d open files and the limit is %d: raise it with 'ulimit -n %d', or ask for fewer",
			s.Connections+s.Idle, need, lim.Cur, need)
	}
	return nil
}

// openIdle opens the connections that say nothing, one after the other. They are the caller's, in an error too.
func (p *plan) openIdle() (fds []int, err error) {
	for i := range p.spec.Idle {
		fd, err := p.peer.dial(p.spec.Timeout)
		if err != nil {
			return fds, fmt.Errorf("open idle connection %d of %d: %w", i+1, p.spec.Idle, connectError(p.peer.addr, err))
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// loops makes the loops, with one connection open, so that a server that isn't there is an error at once.
func (p *plan) loops() ([]*loop, error) {
	fd, err := p.peer.dial(p.spec.Timeout)
	if err != nil {
		return nil, connectError(p.peer.addr, err)
	}
	var loops []*loop
	for i := range p.spec.Threads {
		// The first loops take one more where the connections don't divide.
		n := (p.spec.Connections + p.spec.Threads - 1 - i) / p.spec.Threads
		l, err := newLoop(p, i, n)
		if err != nil {
			closeSocket(fd)
			return loops, err
		}
		loops = append(loops, l)
	}
	loops[0].adopt(fd)
	return loops, nil
}

// connectError tells people what to do about it.
func connectError(a netip.AddrPort, err error) error {
	if errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("connect to %s: %w: nothing listens there; start the server, or check the port", a, err)
	}
	return fmt.Errorf("connect to %s: %w", a, err)
}

// drive runs the loops, each on a goroutine that keeps its processor, until the last one is over.
func (p *plan) drive(ctx context.Context, loops []*loop) {
	// One processor more, for whoever ends ctx and shows the progress.
	if old := runtime.GOMAXPROCS(0); old < len(loops)+1 {
		runtime.GOMAXPROCS(len(loops) + 1)
		defer runtime.GOMAXPROCS(old)
	}
	defer context.AfterFunc(ctx, func() { p.stop.Store(true) })()
	p.begin = now() + int64(p.spec.Warmup+p.spec.Quiet)
	if p.spec.Announce {
		// Whoever reads the server from outside does so in the same seconds, or in the middle of the silence around them.
		begin := time.Now().Add(p.spec.Warmup + p.spec.Quiet)
		end := begin.Add(p.spec.Duration + p.spec.Quiet/2)
		fmt.Fprintf(os.Stderr, "window %d %d\n", begin.Add(-p.spec.Quiet/2).UnixNano(), end.UnixNano())
	}
	var wg sync.WaitGroup
	for _, l := range loops {
		wg.Go(func() {
			if p.spec.Rate > 0 || p.spec.Engine == EngineUring {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			if p.spec.Rate > 0 {
				// The kernel lets a wait oversleep by 50 µs unless its thread asks for better.
				defer fineTimers()()
			}
			l.run()
		})
	}
	wg.Wait()
}

// fineTimers asks for waits that end on time on this thread, and returns what takes that back.
func fineTimers() func() {
	old, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return func() {}
	}
	// A refusal costs precision, which the late sends show.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(old), 0, 0, 0) }
}

// publish shows what was counted since the last time.
func (w *Progress) publish(l *loop) {
	var failed uint64
	for _, n := range l.tally.errors {
		failed += n
	}
	if l.phase <= hushed {
		return
	}
	w.Requests.Add(l.tally.requests - l.shown[0])
	w.Errors.Add(failed - l.shown[1])
	l.shown = [2]uint64{l.tally.requests, failed}
}

// result puts together what the loops counted.
func (p *plan) result(loops []*loop) (Result, error) {
	s, sum := p.spec, newTally(p.spec)
	var elapsed int64
	var counts []uint64
	starved := 0
	for _, l := range loops {
		sum.add(l.tally)
		elapsed += l.ended - l.begun
		for i := range l.conns {
			c := &l.conns[i]
			counts = append(counts, c.answered)
			if c.asked && !c.ever {
				starved++
			}
		}
	}
	first := loops[0]
	r := Result{
		Load: results.Load{
			Generator: s.own(), Command: s.CommandLine(s.own()), Loop: s.Loop(), Connections: s.Connections, Reconnect: s.NewConn, Depth: s.Depth, Rate: s.Rate, Arrival: s.Arrival,
			Elapsed: time.Duration(elapsed / int64(len(loops))), Requests: sum.requests, BytesIn: sum.bytesIn, BytesOut: sum.bytesOut,
			Errors: byKind(sum.errors), Late: sum.late, LateMax: time.Duration(sum.lateMax), Starved: starved,
			Checked: sum.checked, CheckEvery: max(s.CheckEvery, 0), Unsent: sum.unsent, PerConn: spread(counts),
		},
		Begin: first.clocks[0].wall, End: first.clocks[1].wall, CPU: first.clocks[1].own - first.clocks[0].own,
		Observed: first.clocks[1].since(first.clocks[0]), Reference: p.want.reference(), Example: sum.example, GivenUp: sum.abandoned,
	}
	if s.Rate == 0 {
		r.Arrival = ""
	}
	r.Course = recordCourse(loops)
	var err, err2, err3 error
	r.Latency, err = distribution(sum.latency)
	r.Service, err2 = distribution(sum.service)
	r.Wire, err3 = distribution(sum.wire)
	return r, errors.Join(err, err2, err3, p.recordPhases(&r, sum, first.begun, first.ended))
}
