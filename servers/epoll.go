package servers

import "corelab/httpcore"

// epollCore is one loop on one thread.
var epollCore = Core{
	Name:  "epoll",
	Doc:   "one event loop on one thread waits for all connections and serves each as it becomes ready",
	Procs: besideLoops,
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		cfg = cfg.Filled()
		return newLoops(cfg, 1, epollLoop(cfg, h, func() protocol { return &httpProtocol{} }))
	},
}
