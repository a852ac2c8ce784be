package medley

import (
	"bytes"
	"fmt"
	"strings"
)

// Call is one request.
type Call struct {
	Method, Path string
	Fields       []string // "Name: value"
	Body         []byte
	Chunked      bool // how Body is framed
	Status       int  // that is right; 0: any, which Learn fills in
	many         bool // may be sent several times at once
	rare         bool // is asked for a tenth as often as others
	want         []byte
}

// String is the request line, for people.
func (c Call) String() string { return c.Method + " " + c.Path }

// Deck is a call for each route of the apps lab and planted, with bodies of several sizes and framings, and what is refused.
// files are names below /static/.
func Deck(files []string) []Call {
	get := func(path string, fields ...string) Call {
		return Call{Method: "GET", Path: path, Fields: fields, Status: 200, many: true}
	}
	text := func(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }
	deck := []Call{
		get("/"), get("/plaintext"), get("/planted"), get("/json"), get("/json/10?m=3"), get("/users/42"), get("/bytes/100"), get("/bytes/100000"),
		get("/delay/5"), get("/spin/20"), get("/health"), get("/baseline11?a=13&b=42"), get("/pipeline"),
		{Method: "GET", Path: "/bytes/1500000", Status: 200, rare: true},
		{Method: "GET", Path: "/status/204", Status: 204, many: true},
		{Method: "GET", Path: "/status/304", Status: 304, many: true},
		{Method: "HEAD", Path: "/plaintext", Status: 200, many: true},
		{Method: "OPTIONS", Path: "*", Status: 204, many: true},
		{Method: "POST", Path: "/echo", Body: text(100), Status: 200, many: true},
		{Method: "POST", Path: "/echo", Body: text(20_000), Chunked: true, Status: 200},
		{Method: "POST", Path: "/echo", Body: text(70_000), Status: 200},
		{Method: "POST", Path: "/baseline11?a=1&b=2", Body: []byte("20"), Status: 200, many: true},
		{Method: "POST", Path: "/upload", Body: text(200_000), Status: 200},
		{Method: "POST", Path: "/upload", Body: text(50_000), Chunked: true, Status: 200},
		{Method: "GET", Path: "/nowhere", Status: 404, many: true},
		{Method: "DELETE", Path: "/plaintext", Status: 405, many: true},
	}
	for _, name := range files {
		deck = append(deck, get("/static/"+name), Call{Method: "GET", Path: "/static/" + name, Fields: []string{"Range: bytes=5-104"}, Status: 206, many: true})
	}
	return deck
}

// chunkSize is that of a chunked body.
const chunkSize = 3000

// bytes is the request as it is sent; last asks for the connection's end.
func (c Call) bytes(last bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: soak\r\n", c.Method, c.Path)
	for _, f := range c.Fields {
		b.WriteString(f + "\r\n")
	}
	if last {
		b.WriteString("Connection: close\r\n")
	}
	switch {
	case c.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := c.Body; len(rest) > 0; {
			n := min(chunkSize, len(rest))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n\r\n")
	case len(c.Body) > 0 || strings.EqualFold(c.Method, "POST"):
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(c.Body), c.Body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}
