package servers_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// patience bounds every wait of a client for a server that is expected to answer.
const patience = 20 * time.Second

// client is a raw connection that keeps all it received.
type client struct {
	*net.TCPConn
	got []byte // everything received
	at  int    // got[:at] was taken as answers
}

func dial(addr netip.AddrPort) (*client, error) {
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c.SetDeadline(time.Now().Add(patience))
	return &client{TCPConn: c}, nil
}

func (c *client) send(s string) error {
	_, err := c.Write([]byte(s))
	return err
}

// abort closes with a RST.
func (c *client) abort() {
	c.SetLinger(0)
	c.Close()
}

// more reads once.
func (c *client) more() error {
	var b [16 << 10]byte
	n, err := c.Read(b[:])
	c.got = append(c.got, b[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// end waits for the server's FIN, with nothing sent before it.
func (c *client) end() error {
	for {
		err := c.more()
		if n := len(c.got) - c.at; n > 0 {
			return fmt.Errorf("%d bytes where the end was expected: %.60q", n, c.got[c.at:])
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for the server's close: %w", err)
		}
	}
}

// answer is one response as it came.
type answer struct {
	status  int
	fields  []string // "Name: value"
	body    []byte
	raw     []byte
	chunked bool
}

func (a *answer) field(name string) (string, bool) {
	for _, f := range a.fields {
		if n, v, _ := strings.Cut(f, ": "); strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

func (a *answer) closes() bool {
	v, _ := a.field("Connection")
	return strings.EqualFold(v, "close")
}

// answer reads one response to a request of that method. Interim responses are responses of their own.
func (c *client) answer(method string) (*answer, error) {
	start := c.at
	head, err := c.until("\r\n\r\n")
	if err != nil {
		return nil, err
	}
	a, err := parseHead(head)
	if err != nil {
		return nil, err
	}
	if err := c.content(a, method); err != nil {
		return nil, fmt.Errorf("%w, after the head %q", err, head)
	}
	a.raw = c.got[start:c.at]
	return a, a.check(method)
}

// until takes bytes up to and including mark.
func (c *client) until(mark string) (string, error) {
	for {
		if i := bytes.Index(c.got[c.at:], []byte(mark)); i >= 0 {
			s := string(c.got[c.at : c.at+i+len(mark)])
			c.at += len(s)
			return s, nil
		}
		if err := c.more(); err != nil {
			return "", fmt.Errorf("an answer is missing, have %.80q: %w", c.got[c.at:], err)
		}
	}
}

// take takes n bytes.
func (c *client) take(n int) ([]byte, error) {
	for len(c.got)-c.at < n {
		if err := c.more(); err != nil {
			return nil, fmt.Errorf("%d of %d bytes: %w", len(c.got)-c.at, n, err)
		}
	}
	b := c.got[c.at : c.at+n]
	c.at += n
	return b, nil
}

func parseHead(head string) (*answer, error) {
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	version, rest, _ := strings.Cut(lines[0], " ")
	code, reason, found := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if version != "HTTP/1.1" || err != nil || len(code) != 3 || !found || reason == "" {
		return nil, fmt.Errorf("malformed status line %q", lines[0])
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ": ")
		if !ok || name == "" || value == "" || value != strings.TrimSpace(value) || strings.ContainsAny(l, "\r\n\x00") {
			return nil, fmt.Errorf("malformed field line %q", l)
		}
	}
	return &answer{status: status, fields: lines[1:]}, nil
}

// content reads the body as RFC 9112 §6.3 finds its end.
func (c *client) content(a *answer, method string) error {
	length, sized := a.field("Content-Length")
	coding, coded := a.field("Transfer-Encoding")
	switch {
	case a.status < 200 || a.status == 204:
		if sized || coded {
			return errors.New("framing where RFC 9110 §8.6 forbids it")
		}
		return nil
	case sized && coded:
		return errors.New("both Content-Length and Transfer-Encoding")
	case method == "HEAD" || a.status == 304:
		return nil
	case sized:
		n, err := strconv.Atoi(length)
		if err != nil {
			return err
		}
		a.body, err = c.take(n)
		return err
	case coded && coding == "chunked":
		a.chunked = true
		return c.chunks(a)
	case coded:
		return fmt.Errorf("transfer coding %q", coding)
	}
	return c.rest(a)
}

func (c *client) chunks(a *answer) error {
	for {
		line, err := c.until("\r\n")
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(line, "\r\n"), 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size: %w", err)
		}
		b, err := c.take(int(n) + 2)
		if err != nil {
			return err
		}
		if string(b[n:]) != "\r\n" {
			return fmt.Errorf("chunk ends in %q", b[n:])
		}
		if n == 0 {
			return nil
		}
		a.body = append(a.body, b[:n]...)
	}
}

// rest reads a body that ends with the connection.
func (c *client) rest(a *answer) error {
	if !a.closes() {
		return errors.New("no framing, and no Connection: close")
	}
	for {
		if err := c.more(); err == io.EOF {
			a.body = c.got[c.at:]
			c.at = len(c.got)
			return nil
		} else if err != nil {
			return err
		}
	}
}

// check holds a to what every answer of the lab must have.
func (a *answer) check(method string) error {
	if a.status < 200 {
		return nil
	}
	date, _ := a.field("Date")
	if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", date); err != nil {
		return fmt.Errorf("Date %q is no IMF-fixdate", date)
	}
	if s, _ := a.field("Server"); s != serverName {
		return fmt.Errorf("Server %q", s)
	}
	if a.status < 400 {
		return nil
	}
	if ct, _ := a.field("Content-Type"); !strings.HasPrefix(ct, "text/plain") {
		return fmt.Errorf("an error's Content-Type is %q", ct)
	}
	if n := len(a.body); method != "HEAD" && (n == 0 || n > 400) {
		return fmt.Errorf("an error's body of %d bytes", n)
	}
	return nil
}
