package lab

import "corelab/httpcore"

const (
	// textType names the charset, which also brings the head within 16 bytes of nginx's, who says Connection: keep-alive.
	textType   = "text/plain; charset=utf-8"
	jsonType   = "application/json"
	octetsType = "application/octet-stream"
)

// Replies that never change: a Conn only reads a Reply, so that all loops share them.
var (
	hello       = httpcore.Reply{Type: textType, Body: []byte("Hello, World!")}
	cacheable   = httpcore.Reply{Type: textType, Body: hello.Body, Fields: "Cache-Control: max-age=3600\r\n"} // for whoever stands in front
	message     = httpcore.Reply{Type: jsonType, Body: []byte(`{"message":"Hello, World!"}`)}
	ok          = httpcore.Reply{Type: textType, Body: []byte("ok")}
	noContent   = httpcore.Reply{Status: 204}
	notModified = httpcore.Reply{Status: 304}
	notFound    = httpcore.Reply{Status: 404, Type: textType, Body: []byte("there is nothing here\n")}
)

// constant serves the same reply always.
func constant(r *httpcore.Reply) func(*httpcore.Exchange) {
	return func(x *httpcore.Exchange) { x.Reply(r) }
}

// badRequest returns the reply to a request whose path, query or body says nothing that the route understands.
func badRequest(reason string) httpcore.Reply {
	return httpcore.Reply{Status: 400, Type: textType, Body: []byte(reason + "\n")}
}

// serveUser answers the id of the path, percent-encoded as it was sent. The reply has a copy: the head that the id lies
// in may be gone before a reply longer than Limits.Inline is sent.
func serveUser(x *httpcore.Exchange) {
	id := x.Param("id")
	b := append(x.Buffer(len(id))[:0], id...)
	x.Reply(&httpcore.Reply{Type: textType, Body: b, Pooled: true})
}

// serveEcho answers the body. Content-Type is the request's: a valid field value, because it was one in the request.
func serveEcho(x *httpcore.Exchange) {
	mediaType := octetsType
	if v, found := x.Field("Content-Type"); found && len(v) > 0 {
		mediaType = string(v)
	}
	x.Reply(&httpcore.Reply{Type: mediaType, Body: x.Body()})
}
