package servers

import "corelab/httpcore"

var sequentialCore = Core{
	Name: "sequential",
	Doc:  "one connection at a time, one answer, close: the checkout lane",
	Lacks: []Lack{
		{KeepAlive, "it closes after one answer, or one client would keep all others out"},
		{Pipelining, "it closes after one answer"},
		{Concurrent, "its one thread serves one connection to its end before it accepts the next"},
		{Holding, "its one thread waits with the connection whose reply is held"},
	},
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		once := *h
		once.Limits.Requests = 1
		return newBlocking(cfg.Filled(), &once, 1)
	},
}
