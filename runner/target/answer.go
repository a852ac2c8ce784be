package target

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	// maxAnswerHead bounds the head of an answer.
	maxAnswerHead = 64 << 10
	// maxAnswerBody bounds the body of an answer: the largest of /bytes, and room.
	maxAnswerBody = 65 << 20
	// maxInterim bounds the interim answers before the final one.
	maxInterim = 8
)

// Answer is a reply as it came.
type Answer struct {
	Status int
	Fields [][2]string // in order, names as sent
	Body   []byte      // without its framing
	Head   []byte      // as sent, with the empty line
	closes bool        // the connection ends with it
}

// Field returns the value of the first field of that name, in any case.
func (a Answer) Field(name string) (value string, found bool) {
	for _, f := range a.Fields {
		if strings.EqualFold(f[0], name) {
			return f[1], true
		}
	}
	return "", false
}

// wire is a connection on which each byte counts.
type wire struct {
	io.Writer
	in    *bufio.Reader
	host  string
	Close func()
}

func newWire(conn net.Conn, closing func()) *wire {
	return &wire{conn, bufio.NewReaderSize(conn, maxAnswerHead), conn.RemoteAddr().String(), closing}
}

// exchange sends the request and reads its final answer.
func (w *wire) exchange(x Exchange) (Answer, error) {
	if _, err := w.Write(x.Bytes(w.host)); err != nil {
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			return Answer{}, errNoAnswer
		}
		return Answer{}, fmt.Errorf("send the request: %w", err)
	}
	for range maxInterim {
		a, err := w.answer(x.method() == "HEAD")
		if err != nil {
			return Answer{}, err
		}
		if a.Status >= 200 {
			return a, w.quiet(a)
		}
	}
	return Answer{}, fmt.Errorf("more than %d interim answers", maxInterim)
}

// quiet reports bytes that came with the answer and are none of it. Those that come later are found by whoever reads the
// following answer, or the end of the connection.
func (w *wire) quiet(a Answer) error {
	if a.closes {
		b, err := w.in.Peek(1)
		if err == nil {
			return fmt.Errorf("bytes follow the last answer: %s", excerpt(b, 0))
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errors.New("the answer says that the connection is closed, and it is not")
		}
		return nil
	}
	if n := w.in.Buffered(); n > 0 {
		b, _ := w.in.Peek(min(n, around))
		return fmt.Errorf("%d bytes follow the answer: %s", n, excerpt(b, 0))
	}
	return nil
}

// answer reads one answer, interim or final.
func (w *wire) answer(toHead bool) (Answer, error) {
	head, err := w.head()
	if err != nil {
		return Answer{}, err
	}
	a, minor, err := parseHead(head)
	if err != nil {
		return Answer{}, err
	}
	a.closes = minor == 0 && !a.lists("Connection", "keep-alive") || a.lists("Connection", "close")
	chunked, length, err := a.framing()
	switch {
	case err != nil:
		return Answer{}, err
	case toHead || a.Status < 200 || a.Status == 204 || a.Status == 304: // RFC 9112 §6.3: no content, whatever is announced
	case chunked:
		a.Body, err = w.chunks()
	case length >= 0:
		a.Body, err = w.take(length)
	default: // to the end of the connection
		a.closes = true
		a.Body, err = io.ReadAll(io.LimitReader(w.in, maxAnswerBody+1))
		if len(a.Body) > maxAnswerBody {
			err = fmt.Errorf("the body is longer than %d bytes", maxAnswerBody)
		}
	}
	return a, err
}

// head reads to the empty line, and with it.
func (w *wire) head() ([]byte, error) {
	var head []byte
	for {
		line, err := w.in.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case len(head) == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
			return nil, errNoAnswer
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read the head, after %s: %w", excerpt(head, len(head)), err)
		case len(head) > maxAnswerHead:
			return nil, fmt.Errorf("the head is longer than %d bytes", maxAnswerHead)
		case err == nil && string(line) == "\r\n":
			return head, nil
		case err == nil && !bytes.HasSuffix(line, []byte("\r\n")):
			return nil, fmt.Errorf("a line of the head ends without CR: %q", line)
		}
	}
}

// parseHead reads the status line and the fields, RFC 9112 §4 and §5.
func parseHead(head []byte) (a Answer, minor int, err error) {
	a.Head = head
	lines := strings.Split(strings.TrimSuffix(string(head), "\r\n\r\n"), "\r\n")
	status := lines[0]
	if len(status) < 13 || !strings.HasPrefix(status, "HTTP/1.") || status[8] != ' ' || status[12] != ' ' ||
		status[7] != '0' && status[7] != '1' {
		return a, 0, fmt.Errorf("no status line of HTTP/1: %s", excerpt([]byte(status), 0))
	}
	if a.Status, err = strconv.Atoi(status[9:12]); err != nil || a.Status < 100 {
		return a, 0, fmt.Errorf("no status in %q", status)
	}
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t") {
			return a, 0, fmt.Errorf("no field line: %q", line)
		}
		a.Fields = append(a.Fields, [2]string{name, strings.Trim(value, " \t")})
	}
	return a, int(status[7] - '0'), nil
}

// lists reports whether a field that is a list of tokens has one of them.
func (a Answer) lists(name, token string) bool {
	for _, f := range a.Fields {
		if !strings.EqualFold(f[0], name) {
			continue
		}
		for t := range strings.SplitSeq(f[1], ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// framing says how the body ends: chunked, after length bytes, or neither (length -1), RFC 9112 §6.3.
func (a Answer) framing() (chunked bool, length int, err error) {
	length = -1
	for _, f := range a.Fields {
		switch {
		case strings.EqualFold(f[0], "Transfer-Encoding"):
			if !strings.EqualFold(f[1], "chunked") || chunked {
				return false, 0, fmt.Errorf("a Transfer-Encoding that is not chunked, once: %q", f[1])
			}
			chunked = true
		case strings.EqualFold(f[0], "Content-Length"):
			n, err := strconv.ParseUint(f[1], 10, 31)
			if err != nil || length >= 0 {
				return false, 0, fmt.Errorf("a Content-Length that is no number, or not the only one: %q", f[1])
			}
			length = int(n)
		}
	}
	if chunked && length >= 0 {
		return false, 0, errors.New("both Transfer-Encoding and Content-Length")
	}
	return chunked, length, nil
}

// take reads exactly n bytes.
func (w *wire) take(n int) ([]byte, error) {
	if n > maxAnswerBody {
		return nil, fmt.Errorf("a body of %d bytes, more than %d", n, maxAnswerBody)
	}
	b := make([]byte, n)
	if got, err := io.ReadFull(w.in, b); err != nil {
		return nil, fmt.Errorf("the body ends after %d of %d bytes: %w", got, n, err)
	}
	return b, nil
}

// chunks reads a chunked body, RFC 9112 §7.1, and its trailer section.
func (w *wire) chunks() ([]byte, error) {
	body := []byte{}
	for {
		line, err := w.line()
		if err != nil {
			return nil, fmt.Errorf("read a chunk's size: %w", err)
		}
		digits, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("no size of a chunk: %q", line)
		}
		if n == 0 {
			break
		}
		if len(body)+int(n) > maxAnswerBody {
			return nil, fmt.Errorf("the body is longer than %d bytes", maxAnswerBody)
		}
		chunk, err := w.take(int(n))
		if err != nil {
			return nil, err
		}
		body = append(body, chunk...)
		if line, err := w.line(); err != nil || line != "" {
			return nil, fmt.Errorf("no CRLF after a chunk of %d bytes but %q (%v)", n, line, err)
		}
	}
	for {
		line, err := w.line()
		if err != nil {
			return nil, fmt.Errorf("read the trailer section: %w", err)
		}
		if line == "" {
			return body, nil
		}
	}
}

// line reads a line, and returns it without its CRLF.
func (w *wire) line() (string, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	s, found := strings.CutSuffix(string(line), "\r\n")
	if !found {
		return "", fmt.Errorf("a line that ends without CR: %q", line)
	}
	return s, nil
}
