package conform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// request is what the test's server received.
type request struct {
	method, target, version string
	fields                  map[string]string // names in lower case
	twice                   bool              // a field came twice
	body                    string
	cut                     error // why not all of body came
}

// reply is what it answers.
type reply struct {
	status int
	fields []string
	body   string
	bare   bool // no content is written, whatever body is
	close  bool
}

// wrong is how a server of the test differs from a right one.
type wrong struct {
	edit   func(q *request, r *reply)                  // changes a reply
	wire   func(q *request, r *reply, b string) string // changes its bytes
	open   func(q *request, r *reply) bool             // does not close although it should
	goesOn bool                                        // reads on behind what it refused
	once   bool                                        // takes what one read gives for the whole message
	deaf   bool                                        // gives up at the client's end, whatever is to be answered
	mortal bool                                        // does not survive a reset
	early  bool                                        // answers before the content came
	eager  bool                                        // sends a 100 to all
	mute   func(q *request) bool                       // does not answer
	closes bool                                        // closes behind every answer, and does not say so
}

// serve runs a server until the test ends.
func serve(t *testing.T, w wrong) Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		group.Wait()
	})
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			one := func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(5 * time.Minute))
				if err := w.connection(c.(*net.TCPConn)); w.mortal && errors.Is(err, syscall.ECONNRESET) {
					l.Close()
				}
			}
			if w.mortal {
				one() // or the next connection would be accepted before the reset of this one is seen
				continue
			}
			group.Go(one)
		}
	})
	return Server{Name: "test", Addr: l.Addr().String(), Path: "/", Echo: "/", Probe: true}
}

// connection serves one.
func (w *wrong) connection(c *net.TCPConn) error {
	in := bufio.NewReader(c)
	if w.once {
		b := make([]byte, 64<<10)
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		in = bufio.NewReader(io.MultiReader(bytes.NewReader(b[:n]), strings.NewReader("")))
	}
	for {
		q, refused, err := w.read(in, c)
		if err != nil && (!w.once || !errors.Is(err, io.EOF)) {
			return err
		}
		if err != nil {
			refused = 400
		}
		if w.mortal && q.cut != nil {
			return q.cut
		}
		if w.mute != nil && w.mute(q) {
			io.Copy(io.Discard, in)
			return nil
		}
		if w.deaf && q.fields["x-end"] != "" {
			if _, err := in.Peek(1); errors.Is(err, io.EOF) {
				return nil
			}
		}
		r := answerTo(q, refused)
		if w.edit != nil {
			w.edit(q, r)
		}
		wire := r.bytes()
		if w.wire != nil {
			wire = w.wire(q, r, wire)
		}
		if _, err := c.Write([]byte(wire)); err != nil {
			return err
		}
		if r.close && w.goesOn && refused != 0 {
			continue
		}
		if w.open != nil && r.close && w.open(q, r) {
			io.Copy(io.Discard, in)
			return nil
		}
		if r.close || w.closes || w.once {
			c.CloseWrite()
			io.Copy(io.Discard, in)
			return nil
		}
	}
}

// read reads a request, and says with which status it is refused, if it is.
func (w *wrong) read(in *bufio.Reader, c *net.TCPConn) (q *request, refused int, err error) {
	q = &request{fields: map[string]string{}}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return q, 0, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		name, value, colon := strings.Cut(line, ":")
		words := strings.Split(line, " ")
		switch {
		case q.method == "" && len(words) == 3:
			q.method, q.target, q.version = words[0], words[1], words[2]
			continue
		case q.method == "":
			q.method, refused = "?", 400
			continue
		case line == "":
			return q, w.content(in, c, q, refused), nil
		case !colon:
			refused = 400
		}
		name = strings.ToLower(name)
		q.twice = q.twice || q.fields[name] != ""
		q.fields[name] = strings.Trim(value, " \t")
	}
}

// content reads what follows the head.
func (w *wrong) content(in *bufio.Reader, c *net.TCPConn, q *request, refused int) int {
	length, coding := q.fields["content-length"], q.fields["transfer-encoding"]
	n, err := strconv.ParseUint(length, 10, 20)
	switch {
	case refused != 0:
		return refused
	case q.version == "HTTP/1.1" && q.fields["host"] == "", q.twice, length != "" && err != nil, length != "" && coding != "":
		return 400
	}
	if q.fields["expect"] != "" && q.version == "HTTP/1.1" || w.eager {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	if w.early {
		return 0
	}
	if coding == "" {
		b := make([]byte, n)
		_, err = io.ReadFull(in, b)
		q.body = string(b)
	} else {
		var b []byte
		b, err = readChunks(in)
		q.body = string(b)
	}
	if q.cut = err; err != nil {
		return 400
	}
	return 0
}

// answerTo is the right answer.
func answerTo(q *request, refused int) *reply {
	r := &reply{status: 200, body: "OK"}
	switch {
	case refused != 0:
		r.status, r.body, r.close = refused, "refused", true
	case q.target != "/":
		r.status, r.body = 404, "nothing here"
	case q.method == "OPTIONS":
		r.status, r.body = 204, ""
		r.fields = append(r.fields, "Allow: GET, HEAD, POST, OPTIONS")
	case q.method == "POST":
		r.body = q.body
	case q.method == "GET" && q.fields["if-none-match"] == `"a"`:
		r.status, r.bare = 304, true
	case q.method != "GET" && q.method != "HEAD":
		r.status, r.body = 405, "no such method here"
		r.fields = append(r.fields, "Allow: GET, HEAD, POST, OPTIONS")
	}
	r.bare = r.bare || q.method == "HEAD"
	r.close = r.close || q.version != "HTTP/1.1" || q.fields["connection"] == "close"
	r.fields = append(r.fields, "Date: "+time.Now().UTC().Format(http.TimeFormat), `ETag: "a"`, "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT")
	if r.status != 204 {
		r.fields = append(r.fields, "Content-Type: text/plain", "Content-Length: "+strconv.Itoa(len(r.body)))
	}
	if r.close {
		r.fields = append(r.fields, "Connection: close")
	}
	return r
}

func (r *reply) bytes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d X\r\n%s\r\n\r\n", r.status, strings.Join(r.fields, "\r\n"))
	if !r.bare {
		b.WriteString(r.body)
	}
	return b.String()
}

// without takes a field out.
func (r *reply) without(name string) {
	for i, f := range r.fields {
		if strings.HasPrefix(f, name+":") {
			r.fields = append(r.fields[:i:i], r.fields[i+1:]...)
			return
		}
	}
}
