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

// serveUser answers the id of the path, percent-encoded as it was sent.
func serveUser(x *httpcore.Exchange) {
	id := x.Param("id")
	replyCopy(x, textType, id)
}

// serveEcho answers the body. Content-Type is the request's: a valid field value, because it was one in the request.
func serveEcho(x *httpcore.Exchange) {
	mediaType := octetsType
	if v, found := x.Field("Content-Type"); found && len(v) > 0 {
		mediaType = string(v)
	}
	replyCopy(x, mediaType, x.Body())
}

// replyCopy answers with a copy of body, which belongs to the request and may be gone before the reply is sent.
func replyCopy(x *httpcore.Exchange, mediaType string, body []byte) {
	b := x.Buffer(len(body))
	n := copy(b, body)
	x.Reply(&httpcore.Reply{Type: mediaType, Body: b[:n], Pooled: true})
}
