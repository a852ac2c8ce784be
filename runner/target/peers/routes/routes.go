// Package routes says what the peers answer: the routes of corelab's app lab that need nothing but the request, with the
// same bytes. It knows none of the servers; each of them asks it once a request, so that all do the same work.
//
// /static, /spin, /upload, /baseline11 and /json/:count are left out: the lab skips a peer where one is asked.
package routes

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of what is answered.
const (
	MaxBody  = 16 << 20 // bytes of a request's body; servers refuse more
	MaxBytes = 1 << 20  // of /bytes/N
	MaxDelay = 60_000   // ms of /delay/N
)

// Request is what an answer depends on. Its strings and bytes are borrowed until Answer returns, and longer where the
// reply's body is the request's.
type Request struct {
	Method, Path string // the path without its query
	Type         string // Content-Type
	Body         []byte
}

// Reply is an answer. Its bytes must not be changed: those of constant routes are shared by all who ask.
type Reply struct {
	Status int
	Type   string // empty: no Content-Type
	Body   []byte
	Delay  time.Duration // the answer is due so much later
}

const (
	textType   = "text/plain; charset=utf-8"
	jsonType   = "application/json"
	octetsType = "application/octet-stream"
)

// Types are the media types of constant routes.
var Types = []string{textType, "text/plain", jsonType, octetsType}

var (
	hello       = Reply{Status: 200, Type: textType, Body: []byte("Hello, World!")}
	message     = Reply{Status: 200, Type: jsonType, Body: []byte(`{"message":"Hello, World!"}`)}
	ok          = Reply{Status: 200, Type: textType, Body: []byte("ok")}
	arena       = Reply{Status: 200, Type: "text/plain", Body: []byte("ok")}
	noContent   = Reply{Status: 204}
	notModified = Reply{Status: 304}
	notFound    = Reply{Status: 404, Type: textType, Body: []byte("there is nothing here\n")}
	badBytes    = Reply{Status: 400, Type: textType, Body: []byte("the path must be /bytes/N, N a number of bytes from 0 to 1048576\n")}
	badDelay    = Reply{Status: 400, Type: textType, Body: []byte("the path must be /delay/MS, MS a number of milliseconds from 0 to 60000\n")}
)

// Answer returns what r is answered. Any number of goroutines may call it at once; it never waits.
func Answer(r Request) Reply {
	switch r.Method {
	case "GET", "HEAD":
		return get(r.Path)
	case "POST":
		if r.Path == "/echo" {
			return echo(r)
		}
	}
	return notFound
}

func get(path string) Reply {
	switch path {
	case "/plaintext", "/":
		return hello
	case "/json":
		return message
	case "/health":
		return ok
	case "/pipeline":
		return arena
	case "/status/204":
		return noContent
	case "/status/304":
		return notModified
	}
	if n, found := strings.CutPrefix(path, "/bytes/"); found {
		if size, err := strconv.ParseUint(n, 10, 32); err == nil && size <= MaxBytes {
			return Reply{Status: 200, Type: octetsType, Body: pattern()[:size]}
		}
		return badBytes
	}
	if n, found := strings.CutPrefix(path, "/delay/"); found {
		ms, err := strconv.ParseUint(n, 10, 32)
		if err != nil || ms > MaxDelay {
			return badDelay
		}
		late := ok
		late.Delay = time.Duration(ms) * time.Millisecond
		return late
	}
	if id, found := strings.CutPrefix(path, "/users/"); found && id != "" && !strings.Contains(id, "/") {
		return Reply{Status: 200, Type: textType, Body: []byte(id)}
	}
	return notFound
}

func echo(r Request) Reply {
	reply := Reply{Status: 200, Type: octetsType, Body: r.Body}
	if r.Type != "" {
		reply.Type = strings.Clone(r.Type)
	}
	return reply
}

// pattern is the body of /bytes, of which each answer is a part. It is made by the first that asks, so that it does not
// weigh on the memory of a server that is measured by something else.
var pattern = sync.OnceValue(func() []byte {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	return bytes.Repeat([]byte(alphabet), MaxBytes/len(alphabet)+1)[:MaxBytes]
})
