package medley

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// conn is a client's connection.
type conn struct {
	*net.TCPConn
	in *bufio.Reader
}

func dial(ctx context.Context, addr string) (*conn, error) {
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	return &conn{TCPConn: c.(*net.TCPConn), in: bufio.NewReader(c)}, nil
}

// send sends a call n times in one write; last is about the last of them.
func (c *conn) send(call Call, n int, last bool) error {
	b := bytes.Repeat(call.bytes(false), n-1)
	_, err := c.Write(append(b, call.bytes(last)...))
	return err
}

type answer struct {
	status int
	body   []byte
}

// answer reads one, and says whether the server closes after it.
func (c *conn) answer(call Call) (a answer, closes bool, err error) {
	r, err := http.ReadResponse(c.in, &http.Request{Method: call.Method})
	if err != nil {
		return a, false, fmt.Errorf("no answer: %w", err)
	}
	defer r.Body.Close()
	a.status = r.StatusCode
	if a.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
		return a, false, fmt.Errorf("an answer of %d that breaks off after %d bytes: %w", a.status, len(a.body), err)
	}
	return a, r.Close, nil
}

// end waits for the server's end, before which nothing may come.
func (c *conn) end() error {
	switch n, err := c.in.Read(make([]byte, 1)); {
	case n > 0:
		return errors.New("bytes that nobody asked for after the last answer")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil
	default:
		return fmt.Errorf("the server does not close after its client: %w", err)
	}
}
