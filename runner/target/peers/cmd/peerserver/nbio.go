package main

import (
	"net"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"

	"corelab/peers/routes"
)

// nbioPeer is nbio: epoll loops that read and parse, and a pool of goroutines that run net/http's handlers.
var nbioPeer = peer{
	name:   "nbio",
	module: "github.com/lesismal/nbio",
	settings: []string{
		"{workers} poller loops; handlers in nbio's own pool of goroutines, its default, so that one that waits holds no loop",
		"one listener, of the kernel's somaxconn as backlog, which is Go's choice",
		"MaxLoad 1048576, so that it refuses no connection; keep-alive for an hour; no access log",
	},
	serve: func(o options) error {
		logging.SetLevel(logging.LevelError)
		l, err := net.Listen("tcp4", o.addr) // the engine does not return where it cannot
		if err != nil {
			return err
		}
		engine := nbhttp.NewEngine(nbhttp.Config{
			Network: "tcp4", Addrs: []string{o.addr}, Listen: func(string, string) (net.Listener, error) { return l, nil },
			NPoller: o.workers, MaxLoad: 1 << 20,
			KeepaliveTime: time.Hour, MaxHTTPBodySize: routes.MaxBody, Handler: handler("nbio"), SupportServerOnly: true,
		})
		if err := engine.Start(); err != nil {
			return err
		}
		select {} // its loops serve from here on
	},
}
