package servers

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"

	"corelab/httpcore"
)

// reactorCore is one loop for each CPU.
var reactorCore = Core{
	Name:  "reactor",
	Doc:   "one event loop for each CPU, each with its own listener (SO_REUSEPORT), connections, timers and buffers; nothing is shared",
	Procs: besideLoops,
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		cfg = cfg.Filled()
		return newLoops(cfg, h, cfg.Workers, func() protocol { return &httpProtocol{} })
	},
}

// loops is a server of independent loops on one port.
//
// The loops are ordinary goroutines, not locked to threads: a locked one must change threads whenever it yields, which
// costs more than pinning gives (see poller for how they wait). For two and more loops GOMAXPROCS should be one more than
// there are loops.
type loops struct {
	addr  netip.AddrPort
	loops []*loop
}

// newLoops binds n loops to cfg.Addr, each with its own protocol.
func newLoops(cfg Config, h *httpcore.Handler, n int, speak func() protocol) (*loops, error) {
	var listeners []int
	var err error
	if n == 1 {
		listeners = make([]int, 1)
		listeners[0], err = listen(cfg.Addr, cfg.Backlog, false, false)
	} else {
		listeners, err = listenShared(cfg.Addr, cfg.Backlog, n)
	}
	if err != nil {
		return nil, err
	}
	s := &loops{}
	if s.addr, err = localAddr(listeners[0]); err == nil {
		for len(listeners) > 0 && err == nil {
			var l *loop
			if l, err = newLoop(listeners[0], cfg, h, speak()); err == nil {
				s.loops = append(s.loops, l)
			}
			listeners = listeners[1:]
		}
	}
	if err != nil {
		for _, fd := range listeners {
			closeNow(fd)
		}
		for _, l := range s.loops {
			l.close()
		}
		return nil, err
	}
	return s, nil
}

func (s *loops) Addr() netip.AddrPort { return s.addr }

func (s *loops) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	undo := context.AfterFunc(ctx, func() {
		for _, l := range s.loops {
			l.Post(l.stop)
		}
	})
	defer undo()
	spare := runtime.GOMAXPROCS(0) > len(s.loops)
	errs := make([]error, len(s.loops))
	var running sync.WaitGroup
	for i, l := range s.loops {
		l.poller.brief = l.poller.brief || !spare
		running.Go(func() {
			if errs[i] = l.run(); errs[i] != nil {
				cancel() // one loop cannot go on: the others drain
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

func (s *loops) Stats() []WorkerStats {
	all := make([]WorkerStats, len(s.loops))
	for i, l := range s.loops {
		all[i] = l.tally.snapshot()
	}
	return all
}
