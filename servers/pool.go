package servers

import "corelab/httpcore"

var poolCore = Core{
	Name: "pool",
	Doc:  "many threads, each serving one connection from start to finish; further connections wait in the backlog",
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		cfg = cfg.Filled()
		return newBlocking(cfg, h, cfg.Threads)
	},
}
