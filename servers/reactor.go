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
		return newLoops(cfg, cfg.Workers, epollLoop(cfg, h, func() protocol { return &httpProtocol{} }))
	},
}

// loops is a server of independent loops on one port.
//
// The loops are ordinary goroutines, not locked to threads where nothing asks for that: a locked one must change threads
// whenever it yields, which costs more than pinning gives (see poller for how they wait). For two and more loops GOMAXPROCS
// should be one more than there are loops.
type loops struct {
	addr  netip.AddrPort
	loops []member
}

// member is one of the loops of a server.
type member interface {
	Post(fire func())
	// run serves until stop was posted and all has drained. It is called once, and gives back all that the loop has.
	run() error
	// stop begins the drain. It is posted.
	stop()
	// close gives back all that a loop has which never ran.
	close()
	// crowded says, before run, that there are no more Ps than loops: others need the one that the loop waits with.
	crowded()
	stats() WorkerStats
	// listening is the listener's descriptor, -1 once it is closed.
	listening() int
}

// opener makes a loop on a non-blocking listener, which the loop owns from then on, also where making it fails.
type opener func(listener int, shard httpcore.Shard) (member, error)

// epollLoop returns what makes a loop of its own on a listener, each with its own protocol.
func epollLoop(cfg Config, h *httpcore.Handler, speak func() protocol) opener {
	return func(listener int, shard httpcore.Shard) (member, error) {
		l, err := newLoop(listener, cfg, h, speak())
		if err != nil {
			return nil, err
		}
		l.outs.shard = shard
		return l, nil
	}
}

// newLoops binds n loops to cfg.Addr.
func newLoops(cfg Config, n int, open opener) (*loops, error) {
	listeners, err := cfg.bind(n)
	if err != nil {
		return nil, err
	}
	s := &loops{}
	if s.addr, err = localAddr(listeners[0]); err == nil {
		for len(listeners) > 0 && err == nil {
			var l member
			if l, err = open(listeners[0], httpcore.Shard{Index: len(s.loops), Of: n}); err == nil {
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
		if !spare {
			l.crowded()
		}
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
		all[i] = l.stats()
	}
	return all
}
