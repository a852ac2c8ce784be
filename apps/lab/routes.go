package lab

import (
	"os"

	"corelab/httpcore"
)

const (
	maxEcho   = 16 << 20 // bytes of a body that /echo buffers
	maxUpload = 1 << 30  // bytes of a body that /upload counts
	maxNumber = 64       // bytes of a body that /baseline11 buffers: an integer and white space
)

// Config is what the routes are given from outside.
type Config struct {
	// Static is the directory under /static/, which stays the caller's; nil answers 404.
	Static *os.Root
}

// Routes returns the routes of the app. Any number of loops may serve them at once.
func Routes(c Config) []httpcore.Route {
	static := files{root: c.Static}
	return []httpcore.Route{
		{Method: "GET", Pattern: "/", Serve: constant(&hello)},
		{Method: "GET", Pattern: "/plaintext", Serve: constant(&hello)},
		{Method: "GET", Pattern: "/cacheable", Serve: constant(&cacheable)},
		{Method: "GET", Pattern: "/json", Serve: constant(&message)},
		{Method: "GET", Pattern: "/json/:count", Serve: serveItems},
		{Method: "GET", Pattern: "/users/:id", Serve: serveUser},
		{Method: "POST", Pattern: "/echo", MaxBody: maxEcho, Serve: serveEcho},
		{Method: "GET", Pattern: "/bytes/:n", Serve: serveBytes},
		{Method: "GET", Pattern: "/delay/:ms", Serve: serveDelay},
		{Method: "GET", Pattern: "/spin/:us", Serve: serveSpin},
		{Method: "GET", Pattern: "/static/*path", Serve: static.serve},
		{Method: "GET", Pattern: "/status/204", Serve: constant(&noContent)},
		{Method: "GET", Pattern: "/status/304", Serve: constant(&notModified)},
		{Method: "GET", Pattern: "/health", Serve: constant(&ok)},

		{Method: "GET", Pattern: "/baseline11", Serve: serveSum},
		{Method: "POST", Pattern: "/baseline11", MaxBody: maxNumber, Serve: serveSum},
		{Method: "GET", Pattern: "/pipeline", Serve: constant(&arenaOK)},
		{Method: "POST", Pattern: "/upload", Stream: true, MaxBody: maxUpload, Serve: serveUpload},
	}
}
