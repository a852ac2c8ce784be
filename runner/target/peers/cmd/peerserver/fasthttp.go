package main

import (
	"io"
	"log"
	"net"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"

	"corelab/peers/routes"
)

// fastHTTP is fasthttp: a pool of goroutines, one for each connection while it is served, on the runtime's poller.
var fastHTTP = peer{
	name:   "fasthttp",
	module: "github.com/valyala/fasthttp",
	settings: []string{
		"one process and one listener, of the kernel's somaxconn as backlog, which is Go's choice",
		"Server.Concurrency 1048576, so that it refuses no connection; no timeouts; no access log",
		"answers are not copied where they are constant (SetBodyRaw)",
	},
	serve: func(o options) error {
		l, err := net.Listen("tcp4", o.addr)
		if err != nil {
			return err
		}
		server := &fasthttp.Server{
			Name: "fasthttp", Handler: serveFast, Concurrency: 1 << 20, MaxRequestBodySize: routes.MaxBody,
			NoDefaultContentType: true, Logger: log.New(io.Discard, "", 0),
		}
		return server.Serve(l)
	},
}

func serveFast(ctx *fasthttp.RequestCtx) {
	reply := routes.Answer(routes.Request{
		Method: borrow(ctx.Method()), Path: borrow(ctx.Path()), Type: borrow(ctx.Request.Header.ContentType()), Body: ctx.PostBody(),
	})
	if reply.Delay > 0 {
		time.Sleep(reply.Delay)
	}
	ctx.SetStatusCode(reply.Status)
	ctx.Response.Header.SetContentType(reply.Type)
	if !ctx.Request.ConnectionClose() {
		ctx.Response.Header.Set("Connection", "keep-alive")
	}
	ctx.Response.SetBodyRaw(reply.Body)
}

// borrow is b as a string, for as long as b is not changed.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
