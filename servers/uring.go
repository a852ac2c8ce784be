package servers

import (
	"fmt"

	"corelab/httpcore"
)

// uringCore is reactor without epoll.
var uringCore = Core{
	Name:  "uring",
	Doc:   "one io_uring for each CPU, each with its own listener (SO_REUSEPORT): accepts, receives and sends are handed over and learnt of in one system call a turn",
	Procs: besideLoops,
	Usable: func() error {
		r, err := openUring(uringSizes{requests: 1, events: 2, buffers: 1, buffer: 1})
		if err != nil {
			return fmt.Errorf("the core uring cannot run here: %w", err)
		}
		r.close(true)
		return nil
	},
	New: func(cfg Config, h *httpcore.Handler) (Server, error) { return newUrings(cfg.Filled(), h, uringDefault) },
}

// uringDefault are the sizes that serve.
var uringDefault = uringSizes{requests: 256, events: 4096, buffers: 128, buffer: 16 << 10}

// newUrings binds a loop for each worker.
func newUrings(cfg Config, h *httpcore.Handler, sizes uringSizes) (Server, error) {
	s, err := newLoops(cfg, cfg.Workers, func(listener int, shard httpcore.Shard) (member, error) {
		l, err := newUringLoop(listener, cfg, h, sizes)
		if err != nil {
			return nil, err
		}
		l.outs.shard = shard
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}
