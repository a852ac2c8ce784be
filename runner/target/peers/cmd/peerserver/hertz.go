package main

import (
	"context"
	"io"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network/netpoll"
	netpolltransport "github.com/cloudwego/netpoll"

	"corelab/peers/routes"
)

// hertz is Hertz over netpoll: epoll loops, a goroutine for each connection that has something to read.
var hertz = peer{
	name:   "hertz",
	module: "github.com/cloudwego/hertz",
	settings: []string{
		"netpoll as its transport with {workers} poller loops; one listener, backlog somaxconn",
		"its router has one route for each method, of all paths; no middleware but its own; no timeouts; no access log",
	},
	serve: func(o options) error {
		hlog.SetOutput(io.Discard)
		if err := netpolltransport.Configure(netpolltransport.Config{PollerNum: o.workers, LoggerOutput: io.Discard}); err != nil {
			return err
		}
		h := server.New(server.WithHostPorts(o.addr), server.WithNetwork("tcp4"), server.WithTransport(netpoll.NewTransporter),
			server.WithMaxRequestBodySize(routes.MaxBody), server.WithDisablePrintRoute(true), server.WithDisableDefaultContentType(true),
			server.WithIdleTimeout(time.Hour), server.WithKeepAliveTimeout(time.Hour), server.WithReadTimeout(time.Hour))
		h.Name = "hertz"
		for _, method := range []string{"GET", "HEAD", "POST"} {
			h.Handle(method, "/*path", serveHertz)
		}
		return h.Run()
	},
}

func serveHertz(_ context.Context, ctx *app.RequestContext) {
	in := routes.Request{Method: borrow(ctx.Method()), Path: borrow(ctx.Path())}
	if in.Method == "POST" {
		in.Type, in.Body = borrow(ctx.ContentType()), ctx.Request.Body()
	}
	reply := routes.Answer(in)
	if reply.Delay > 0 {
		time.Sleep(reply.Delay)
	}
	ctx.SetStatusCode(reply.Status)
	if reply.Type != "" {
		ctx.Response.Header.SetContentType(reply.Type)
	}
	if !ctx.Request.ConnectionClose() {
		ctx.Response.Header.Set("Connection", "keep-alive")
	}
	ctx.Response.SetBodyRaw(reply.Body)
}
