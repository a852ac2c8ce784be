package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"corelab/results"
)

// DefaultVerifyTimeout bounds Verify and Reference where the context has no deadline.
const DefaultVerifyTimeout = 10 * time.Second

// Exchange is one request, and what its answer must be.
type Exchange struct {
	Method string            // empty means GET
	Path   string            // with the query; empty means /
	Header map[string]string // Host is added when it is missing, Content-Length where there is a Body
	Body   []byte
	Expect Expect
}

// Expect is what an answer must be. Its zero value expects nothing but a well-framed answer.
type Expect struct {
	Status int               // 0: any
	Body   []byte            // compared byte for byte unless nil; an empty one expects none
	Fields map[string]string // these fields with exactly these values, names in any case; an empty value expects none of the name
}

// Verify sends the request twice, on one connection where the server keeps it, and checks of both answers the status, the
// framing, that nothing follows them, the named fields and the body. Where x expects no body, the second is checked
// against the first. An error shows the first byte that differs.
func Verify(ctx context.Context, addr string, x Exchange) (results.Wire, error) {
	wire, err := verify(ctx, addr, x)
	if err != nil {
		return results.Wire{}, fmt.Errorf("verify %s %s: %w", x.method(), x.path(), err)
	}
	return wire, nil
}

func verify(ctx context.Context, addr string, x Exchange) (results.Wire, error) {
	c, err := openWire(ctx, addr)
	if err != nil {
		return results.Wire{}, err
	}
	defer func() { c.Close() }()
	first, err := c.exchange(x)
	if err != nil {
		return results.Wire{}, err
	}
	if err := x.Expect.check(first); err != nil {
		return results.Wire{}, err
	}
	if x.Expect.Status == 0 {
		x.Expect.Status = first.Status
	}
	if x.Expect.Body == nil {
		x.Expect.Body = first.Body
	}
	var second Answer
	if !first.closes {
		second, err = c.exchange(x)
	}
	if first.closes || errors.Is(err, errNoAnswer) { // a server may close an idle connection without a word
		c.Close()
		if c, err = openWire(ctx, addr); err == nil {
			second, err = c.exchange(x)
		}
	}
	if err == nil {
		err = x.Expect.check(second)
	}
	if err != nil {
		return results.Wire{}, fmt.Errorf("the second time: %w", err)
	}
	return results.Wire{Status: first.Status, HeadBytes: len(first.Head), BodyBytes: len(first.Body)}, nil
}

// Reference returns the server's answer to x, for an exchange of which nothing else is known: [Answer.Expect] of it is what
// all others must be.
func Reference(ctx context.Context, addr string, x Exchange) (Answer, error) {
	c, err := openWire(ctx, addr)
	var a Answer
	if err == nil {
		defer c.Close()
		a, err = c.exchange(x)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("ask for a reference %s %s: %w", x.method(), x.path(), err)
	}
	return a, nil
}

// openWire connects for one verification.
func openWire(ctx context.Context, addr string) (*wire, error) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(DefaultVerifyTimeout)
	}
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return newWire(conn, func() { stop(); conn.Close() }), nil
}

func (x Exchange) method() string {
	if x.Method == "" {
		return "GET"
	}
	return x.Method
}

func (x Exchange) path() string {
	if x.Path == "" {
		return "/"
	}
	return x.Path
}

// Bytes returns the request as it is sent to host.
func (x Exchange) Bytes(host string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", x.method(), x.path())
	names := slices.Sorted(maps.Keys(x.Header))
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	if !has("Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", name, x.Header[name])
	}
	if len(x.Body) > 0 && !has("Content-Length") && !has("Transfer-Encoding") {
		b.WriteString("Content-Length: " + strconv.Itoa(len(x.Body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(x.Body)
	return b.Bytes()
}

// Expect returns what an answer must be to be the same: the status and the body.
func (a Answer) Expect() Expect {
	return Expect{Status: a.Status, Body: a.Body}
}

// check compares an answer with what is expected.
func (e Expect) check(a Answer) error {
	if e.Status != 0 && a.Status != e.Status {
		return fmt.Errorf("status %d, expected %d; the answer was %s", a.Status, e.Status, excerpt(a.Body, 0))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		got, found := a.Field(name)
		want := e.Fields[name]
		switch {
		case want == "" && found:
			return fmt.Errorf("field %s: %q, expected none", name, got)
		case want != "" && !found:
			return fmt.Errorf("field %s is missing, expected %q", name, want)
		case got != want:
			return fmt.Errorf("field %s: %q, expected %q", name, got, want)
		}
	}
	if e.Body != nil && !bytes.Equal(a.Body, e.Body) {
		return differ(a.Body, e.Body)
	}
	return nil
}

// differ says where two bodies differ first.
func differ(got, want []byte) error {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("the body differs at byte %d: %s of %d bytes, expected %s of %d bytes",
		at, excerpt(got, at), len(got), excerpt(want, at), len(want))
}

// around is how many bytes before and after a place are shown.
const around = 24

// excerpt shows the bytes around a place, escaped.
func excerpt(b []byte, at int) string {
	from, to := max(0, at-around), min(len(b), at+around)
	from = min(from, to)
	s := strconv.Quote(string(b[from:to]))
	if from > 0 {
		s = "…" + s
	}
	if to < len(b) {
		s += "…"
	}
	return s
}

// errNoAnswer is a connection that ended before the first byte of an answer.
var errNoAnswer = fmt.Errorf("the server closed the connection without an answer: %w", io.ErrUnexpectedEOF)
