package servers

import "corelab/httpcore"

var poolCore = Core{
	Name: "pool",
	Doc:  "many threads, each serving one connection from start to finish; further connections wait in the backlog",
	// A P for each thread leaves the kernel to share out the CPUs, as in any server of threads. With fewer a thread keeps
	// its P from one request to the next, and the others wait until the runtime takes it away: ten times the tail.
	Procs: func(cfg Config) int { return cfg.Filled().Threads },
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		cfg = cfg.Filled()
		return newBlocking(cfg, h, cfg.Threads)
	},
}
