package conform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	// maxAnswerHead bounds the head of an answer.
	maxAnswerHead = 64 << 10
	// maxAnswerBody bounds the content of an answer: the largest that a case sends to be echoed, and room.
	maxAnswerBody = 32 << 20
	// maxInterim bounds the interim answers before a final one.
	maxInterim = 8
)

// Answer is a response as it came.
type Answer struct {
	Status int
	Reason string
	Minor  int         // of the version: HTTP/1.Minor
	Fields [][2]string // in order, names as sent, values without the white space around them
	Body   []byte      // without its framing

	toHead, toOld bool // the request was HEAD, was of HTTP/1.0
	closes        bool // it says that the connection ends with it, or its content does
	untilClose    bool // its content ends with the connection
}

// Field returns the value of the first field of that name, in any case.
func (a *Answer) Field(name string) (value string, found bool) {
	for _, f := range a.Fields {
		if strings.EqualFold(f[0], name) {
			return f[1], true
		}
	}
	return "", false
}

// count returns the number of field lines of that name.
func (a *Answer) count(name string) (n int) {
	for _, f := range a.Fields {
		if strings.EqualFold(f[0], name) {
			n++
		}
	}
	return n
}

// lists reports whether a field that is a list of tokens has one of them.
func (a *Answer) lists(name, token string) bool {
	for _, f := range a.Fields {
		if !strings.EqualFold(f[0], name) {
			continue
		}
		for t := range strings.SplitSeq(f[1], ",") {
			if strings.EqualFold(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// bare reports whether it has no content, whatever its fields say, RFC 9112 §6.3.
func (a *Answer) bare() bool {
	return a.toHead || a.Status < 200 || a.Status == 204 || a.Status == 304
}

// Why no answer could be read.
var (
	errSilent = errors.New("nothing came")
	errEnded  = errors.New("the connection was closed")
	errReset  = fmt.Errorf("%w with a reset", errEnded)
)

// readAnswer reads one answer, interim or final. What breaks a rule is told to rules; the error is of what cannot be read.
func readAnswer(in *bufio.Reader, toHead, toOld bool, rules *findings) (*Answer, error) {
	a := &Answer{toHead: toHead, toOld: toOld}
	if _, err := in.Peek(1); err != nil {
		return nil, plainly(err)
	}
	status, err := readLine(in, maxAnswerHead)
	rules.look(ruleStatusLine)
	if err != nil {
		rules.broke(ruleStatusLine, "%v", err)
		return nil, fmt.Errorf("no status line but %s: %w", show([]byte(status)), err)
	}
	if err := a.readStatus(status); err != nil {
		rules.broke(ruleStatusLine, "%v", err)
		return nil, err
	}
	if err := a.readFields(in, rules); err != nil {
		return a, err
	}
	rules.head(a)
	return a, a.readBody(in, rules)
}

// plainly is err as what it says about the server.
func plainly(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	case errors.Is(err, syscall.ECONNRESET):
		return errReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errEnded
	}
	return err
}

// readLine reads a line and returns it without its CRLF.
func readLine(in *bufio.Reader, most int) (string, error) {
	var line []byte
	for {
		b, err := in.ReadSlice('\n')
		line = append(line, b...)
		switch {
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return string(line), fmt.Errorf("the line is cut: %w", plainly(err))
		case len(line) > most:
			return string(line), fmt.Errorf("a line of more than %d bytes", most)
		case err == nil && !bytes.HasSuffix(line, []byte("\r\n")):
			return string(line), errors.New("a line that ends without CR")
		case err == nil:
			return string(line[:len(line)-2]), nil
		}
	}
}

// readStatus reads a status line, RFC 9112 §4.
func (a *Answer) readStatus(line string) error {
	rest, found := strings.CutPrefix(line, "HTTP/1.")
	if !found || len(rest) < 5 || rest[0] != '0' && rest[0] != '1' || rest[1] != ' ' || len(rest) > 5 && rest[5] != ' ' {
		return fmt.Errorf("no status line of HTTP/1: %s", show([]byte(line)))
	}
	status, err := strconv.ParseUint(rest[2:5], 10, 16)
	if err != nil || status < 100 || status > 599 {
		return fmt.Errorf("no status in %s", show([]byte(line)))
	}
	a.Status, a.Minor = int(status), int(rest[0]-'0')
	if len(rest) == 5 {
		return fmt.Errorf("no space behind the status: %s", show([]byte(line)))
	}
	a.Reason = rest[6:]
	if strings.ContainsFunc(a.Reason, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("a control character in the reason: %s", show([]byte(line)))
	}
	return nil
}

// readFields reads the field lines to the empty one, RFC 9112 §5.
func (a *Answer) readFields(in *bufio.Reader, rules *findings) error {
	rules.look(ruleFieldSyntax)
	for size := 0; ; {
		line, err := readLine(in, maxAnswerHead)
		if size += len(line); err == nil && size > maxAnswerHead {
			err = fmt.Errorf("a head of more than %d bytes", maxAnswerHead)
		}
		if err != nil {
			rules.broke(ruleFieldSyntax, "%v: %s", err, show([]byte(line)))
			return fmt.Errorf("the head of the answer: %w", err)
		}
		if line == "" {
			return nil
		}
		name, value, found := strings.Cut(line, ":")
		if !found || !isToken(name) {
			rules.broke(ruleFieldSyntax, "no field line: %s", show([]byte(line)))
			continue
		}
		if i := strings.IndexFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); i >= 0 {
			rules.broke(ruleFieldSyntax, "a control character in a field: %s", show([]byte(line)))
		}
		a.Fields = append(a.Fields, [2]string{name, strings.Trim(value, " \t")})
	}
}

// isToken reports whether s is a token, RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// readBody reads the content that the head announces, RFC 9112 §6.3.
func (a *Answer) readBody(in *bufio.Reader, rules *findings) (err error) {
	chunked, length := a.framing(rules)
	a.closes = a.Status >= 200 && (a.lists("Connection", "close") || a.Minor == 0 && !a.lists("Connection", "keep-alive"))
	if a.bare() {
		return nil
	}
	rules.look(ruleExact)
	switch {
	case chunked:
		a.Body, err = readChunks(in)
	case length >= 0:
		a.Body = make([]byte, length)
		var n int
		if n, err = io.ReadFull(in, a.Body); err != nil {
			err = fmt.Errorf("%d of %d bytes: %w", n, length, plainly(err))
		}
		a.Body = a.Body[:n]
	default:
		a.closes, a.untilClose = true, true
		a.Body, err = io.ReadAll(io.LimitReader(in, maxAnswerBody+1))
		if len(a.Body) > maxAnswerBody {
			err = fmt.Errorf("content of more than %d bytes", maxAnswerBody)
		}
		if err != nil {
			err = plainly(err)
		}
	}
	if err != nil {
		if !errors.Is(err, errReset) { // what a reset destroyed on its way may have been right
			rules.broke(ruleExact, "%v", err)
		}
		return fmt.Errorf("the content of the answer: %w", err)
	}
	return nil
}

// framing says how the content ends: chunked, after length bytes, or with the connection (length -1).
func (a *Answer) framing(rules *findings) (chunked bool, length int) {
	rules.look(ruleFraming)
	length = -1
	lengths, codings := a.count("Content-Length"), a.count("Transfer-Encoding")
	if v, found := a.Field("Content-Length"); found {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil || n > maxAnswerBody || strings.HasPrefix(v, "+") {
			rules.broke(ruleFraming, "Content-Length: %s", show([]byte(v)))
		} else {
			length = int(n)
		}
	}
	if v, found := a.Field("Transfer-Encoding"); found {
		if chunked = strings.EqualFold(v, "chunked"); !chunked {
			rules.broke(ruleFraming, "Transfer-Encoding: %s, which nobody asked for", show([]byte(v)))
		}
	}
	switch {
	case lengths > 1 || codings > 1:
		rules.broke(ruleFraming, "%d Content-Length and %d Transfer-Encoding", lengths, codings)
	case lengths > 0 && codings > 0:
		rules.broke(ruleFraming, "both Content-Length and Transfer-Encoding")
	case a.toOld && codings > 0:
		rules.broke(ruleFraming, "Transfer-Encoding in an answer to HTTP/1.0")
	}
	return chunked, length
}

// readChunks reads a chunked body and its trailer section, RFC 9112 §7.1.
func readChunks(in *bufio.Reader) ([]byte, error) {
	body := []byte{}
	for {
		line, err := readLine(in, maxAnswerHead)
		if err != nil {
			return body, fmt.Errorf("the size of a chunk: %w", err)
		}
		digits, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 31)
		if err != nil || len(body)+int(n) > maxAnswerBody {
			return body, fmt.Errorf("no size of a chunk: %s", show([]byte(line)))
		}
		if n == 0 {
			break
		}
		chunk := make([]byte, n+2)
		if got, err := io.ReadFull(in, chunk); err != nil {
			return append(body, chunk[:min(got, int(n))]...), fmt.Errorf("%d bytes of a chunk of %d: %w", got, n, plainly(err))
		}
		body = append(body, chunk[:n]...)
		if string(chunk[n:]) != "\r\n" {
			return body, fmt.Errorf("no CRLF behind a chunk but %s", show(chunk[n:]))
		}
	}
	for size := 0; ; {
		line, err := readLine(in, maxAnswerHead)
		if size += len(line); err != nil || size > maxAnswerHead {
			return body, fmt.Errorf("the trailer section: %w", errors.Join(err))
		}
		if line == "" {
			return body, nil
		}
	}
}

// maxShown bounds what a message shows of bytes.
const maxShown = 160

// show is b escaped and shortened: the end is often what matters, and is kept.
func show(b []byte) string {
	if len(b) <= maxShown {
		return strconv.QuoteToASCII(string(b))
	}
	head, tail := b[:maxShown*2/3], b[len(b)-maxShown/3:]
	return fmt.Sprintf("%s…(%d bytes)…%s", strconv.QuoteToASCII(string(head)), len(b)-len(head)-len(tail), strconv.QuoteToASCII(string(tail)))
}
