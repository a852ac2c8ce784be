package main

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"corelab/peers/routes"
)

// netHTTP is the standard library's server: a goroutine for each connection, on the runtime's poller.
var netHTTP = peer{
	name: "nethttp",
	settings: []string{
		"one listener, of the kernel's somaxconn as backlog, which is Go's choice",
		"a bare http.Handler, no ServeMux; no timeouts; no access log",
	},
	serve: func(o options) error {
		l, err := net.Listen("tcp4", o.addr)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler("nethttp"), ErrorLog: log.New(io.Discard, "", 0)}
		return server.Serve(l)
	},
}

// chunkless is the body from which on net/http would send chunks, were no Content-Length set.
const chunkless = 2 << 10

// handler serves the routes to net/http, and to nbio, which has the same interface. Values of fields that do not change
// are made once.
func handler(name string) http.Handler {
	server, keepAlive := []string{name}, []string{"keep-alive"}
	types := map[string][]string{}
	for _, t := range routes.Types {
		types[t] = []string{t}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := routes.Request{Method: r.Method, Path: r.URL.Path}
		if r.ContentLength != 0 {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, routes.MaxBody))
			if err != nil {
				status := http.StatusBadRequest
				if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
					status = http.StatusRequestEntityTooLarge
				}
				w.WriteHeader(status)
				return
			}
			in.Body, in.Type = body, r.Header.Get("Content-Type")
		}
		reply := routes.Answer(in)
		if reply.Delay > 0 {
			time.Sleep(reply.Delay)
		}
		h := w.Header()
		h["Server"] = server
		if !r.Close {
			h["Connection"] = keepAlive
		}
		if value, known := types[reply.Type]; known {
			h["Content-Type"] = value
		} else if reply.Type != "" {
			h.Set("Content-Type", reply.Type)
		}
		if len(reply.Body) >= chunkless {
			h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
		}
		w.WriteHeader(reply.Status)
		if len(reply.Body) > 0 {
			w.Write(reply.Body) // an error is the end of the connection, which the server sees itself
		}
	})
}
