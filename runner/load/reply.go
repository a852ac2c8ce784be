package load

import (
	"bytes"
	"errors"
	"strconv"
)

// Bounds of a reply's framing, beyond which it is not taken for HTTP.
const (
	maxHead      = 64 << 10
	maxChunkLine = 4 << 10 // a chunk's size line, or a trailer line
	maxTrailer   = 64 << 10
)

// How the body of a reply ends, RFC 9112 §6.3.
const (
	bodyNone = iota
	bodyLength
	bodyChunked
	bodyUntilClose
)

// frame is what a head says about the reply's framing.
type frame struct {
	status int
	body   int   // bodyNone …
	length int64 // with bodyLength
	close  bool  // the connection ends behind this reply
}

// Where a reply's parser stands.
const (
	stepHead = iota
	stepLength
	stepUntilClose
	stepChunkSize
	stepChunkData
	stepChunkEnd
	stepTrailer
)

// reply parses the replies of one connection, one after the other, wherever reads split them. Only an unfinished head is
// copied.
type reply struct {
	step   int
	frame  frame
	left   int64  // of the body or the chunk
	behind int    // bytes of the trailer so far
	head   []byte // an unfinished head, or line of the chunked framing
}

// knownHead is the last head that was parsed, with what it said. A server's heads are equal, byte for byte, for a second at
// a time (Date), and comparing one is far cheaper than parsing it.
type knownHead struct {
	bytes  []byte
	frame  frame
	toHead bool // the requests are HEAD: no reply has a body
}

var (
	errNotHTTP     = errors.New("the reply does not begin with HTTP/1")
	errHeadSize    = errors.New("the reply's head is above 64 KiB")
	errStatusLine  = errors.New("malformed status line")
	errField       = errors.New("malformed field line")
	errLength      = errors.New("malformed or contradicting Content-Length")
	errBothLengths = errors.New("both Content-Length and Transfer-Encoding")
	errChunk       = errors.New("malformed chunk")
	errTrailer     = errors.New("the trailer is too long")
	endOfHead      = []byte("\r\n\r\n")
	http1          = []byte("HTTP/1.")
)

// next takes bytes from the front of b: at most one piece of a body, which lies in b, and all framing before and behind it.
// It says how many it took and whether the reply is whole now. It takes all of b unless the reply is whole or a piece of a
// chunked body ended. After an error the connection is out of step and must be closed.
func (r *reply) next(b []byte, known *knownHead) (piece []byte, n int, whole bool, err error) {
	if r.step == stepHead {
		n, err = r.takeHead(b, known)
		if err != nil || r.step == stepHead {
			return nil, n, false, err
		}
	}
	switch r.step {
	case stepLength:
		k := int(min(r.left, int64(len(b)-n)))
		piece = b[n : n+k]
		n += k
		r.left -= int64(k)
		if r.left == 0 {
			r.step = stepHead
			whole = true
		}
		return piece, n, whole, nil
	case stepUntilClose:
		return b[n:], len(b), false, nil
	}
	piece, k, whole, err := r.takeChunk(b[n:])
	return piece, n + k, whole, err
}

// takeHead takes a head, or what there is of it. Interim replies (RFC 9110 §15.2) are passed over.
func (r *reply) takeHead(b []byte, known *knownHead) (n int, err error) {
	for n < len(b) {
		rest := b[n:]
		if len(r.head) == 0 && len(known.bytes) > 0 && bytes.HasPrefix(rest, known.bytes) {
			r.begin(known.frame)
			return n + len(known.bytes), nil
		}
		head, k, err := r.wholeHead(rest)
		if err != nil {
			return n, err
		}
		n += k
		if head == nil {
			return n, nil
		}
		f, err := parseHead(head, known.toHead)
		if err == nil && f.status >= 200 {
			known.bytes, known.frame = append(known.bytes[:0], head...), f
			r.begin(f)
		}
		r.head = r.head[:0]
		if err != nil || f.status >= 200 {
			return n, err
		}
	}
	return n, nil
}

// wholeHead returns the head at the front of what was kept and b, and how many bytes of b belong to it. Without the end of
// the head it keeps all of b and returns nil.
func (r *reply) wholeHead(b []byte) (head []byte, n int, err error) {
	if len(r.head) == 0 {
		if i := bytes.Index(b, endOfHead); i >= 0 && i+4 <= maxHead {
			return b[:i+4], i + 4, looksLikeHTTP(b)
		}
	}
	kept := len(r.head)
	r.head = append(r.head, b[:min(len(b), maxHead-kept+1)]...)
	if err := looksLikeHTTP(r.head); err != nil {
		return nil, 0, err
	}
	// The end may have begun in bytes that came before.
	from := max(0, kept-len(endOfHead)+1)
	if i := bytes.Index(r.head[from:], endOfHead); i >= 0 {
		end := from + i + len(endOfHead)
		return r.head[:end], end - kept, nil
	}
	if len(r.head) > maxHead {
		return nil, 0, errHeadSize
	}
	return nil, len(b), nil
}

// looksLikeHTTP finds stray bytes at once, without waiting for the end of a head that they are not.
func looksLikeHTTP(b []byte) error {
	if k := min(len(b), len(http1)); !bytes.Equal(b[:k], http1[:k]) {
		return errNotHTTP
	}
	return nil
}

// begin starts the body that the head announced. An empty one is a body of length 0.
func (r *reply) begin(f frame) {
	r.frame = f
	switch f.body {
	case bodyNone:
		r.left, r.step = 0, stepLength
	case bodyLength:
		r.left, r.step = f.length, stepLength
	case bodyUntilClose:
		r.step = stepUntilClose
	case bodyChunked:
		r.behind, r.step = 0, stepChunkSize
	}
}

// takeChunk goes on with a chunked body (RFC 9112 §7.1): up to and with one piece of data, or to the end.
func (r *reply) takeChunk(b []byte) (piece []byte, n int, whole bool, err error) {
	for n < len(b) {
		if r.step == stepChunkData {
			k := int(min(r.left, int64(len(b)-n)))
			piece = b[n : n+k]
			n += k
			if r.left -= int64(k); r.left == 0 {
				r.step = stepChunkEnd
			}
			return piece, n, false, nil
		}
		line, k, err := r.wholeLine(b[n:])
		n += k
		if err != nil || line == nil {
			return nil, n, false, err
		}
		whole, err := r.chunkLine(line)
		r.head = r.head[:0]
		if whole || err != nil {
			return nil, n, whole, err
		}
	}
	return nil, n, false, nil
}

// wholeLine returns the line at the front of what was kept and b, with its end, and how many bytes of b belong to it.
// Without the end it keeps all of b and returns nil.
func (r *reply) wholeLine(b []byte) (line []byte, n int, err error) {
	i := bytes.IndexByte(b, '\n')
	n = i + 1
	if i < 0 {
		n = len(b)
	}
	if len(r.head)+n > maxChunkLine {
		return nil, 0, errChunk
	}
	if i >= 0 && len(r.head) == 0 {
		return b[:n], n, nil
	}
	if r.head = append(r.head, b[:n]...); i >= 0 {
		line = r.head
	}
	return line, n, nil
}

// chunkLine takes a whole line of the framing between chunks.
func (r *reply) chunkLine(line []byte) (whole bool, err error) {
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return false, errChunk
	}
	switch r.step {
	case stepChunkSize:
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 60)
		if err != nil || digits[0] == '+' {
			return false, errChunk
		}
		if r.left, r.step = int64(size), stepChunkData; size == 0 {
			r.step = stepTrailer
		}
	case stepChunkEnd:
		if len(line) > 0 {
			return false, errChunk
		}
		r.step = stepChunkSize
	case stepTrailer:
		if len(line) == 0 {
			r.step = stepHead
			return true, nil
		}
		if r.behind += len(line); r.behind > maxTrailer {
			return false, errTrailer
		}
	}
	return false, nil
}

// parseHead reads a whole head, with the empty line at its end.
func parseHead(head []byte, toHead bool) (frame, error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	f, err := parseStatusLine(line)
	if err != nil {
		return f, err
	}
	length, chunked, coded := int64(-1), false, false
	for {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			return f, errField
		}
		value = bytes.Trim(value, " \t")
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(value), 10, 62)
			if err != nil || value[0] == '+' || length >= 0 && length != int64(n) {
				return f, errLength
			}
			length = int64(n)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			coded = true
			chunked = lastToken(value, "chunked")
		case bytes.EqualFold(name, []byte("Connection")):
			f.close = f.close && !hasToken(value, "keep-alive") || hasToken(value, "close")
		}
	}
	return f.ends(length, chunked, coded, toHead)
}

// ends says how the body ends, in the order of RFC 9112 §6.3.
func (f frame) ends(length int64, chunked, coded, toHead bool) (frame, error) {
	switch {
	case toHead || f.status < 200 || f.status == 204 || f.status == 304:
		f.body = bodyNone
	case coded && length >= 0:
		// The length would be overridden, but this is how replies are smuggled; no server under test may do it.
		return f, errBothLengths
	case chunked:
		f.body = bodyChunked
	case !coded && length >= 0:
		f.body, f.length = bodyLength, length
	default:
		f.body, f.close = bodyUntilClose, true
	}
	return f, nil
}

// parseStatusLine reads RFC 9112 §4: HTTP/1.x SP 3DIGIT SP reason. The space before an empty reason may be missing.
func parseStatusLine(line []byte) (frame, error) {
	const at = len("HTTP/1.1 ")
	if len(line) < at+3 || line[at-1] != ' ' || line[at-2] != '0' && line[at-2] != '1' || len(line) > at+3 && line[at+3] != ' ' {
		return frame{}, errStatusLine
	}
	status := 0
	for _, c := range line[at : at+3] {
		if c < '0' || c > '9' {
			return frame{}, errStatusLine
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 {
		return frame{}, errStatusLine
	}
	return frame{status: status, close: line[at-2] == '0'}, nil
}

// hasToken says whether a comma-separated list holds the token, in any case.
func hasToken(list []byte, token string) bool {
	for t := range bytes.SplitSeq(list, []byte(",")) {
		if bytes.EqualFold(bytes.Trim(t, " \t"), []byte(token)) {
			return true
		}
	}
	return false
}

// lastToken says whether a comma-separated list ends with the token, in any case.
func lastToken(list []byte, token string) bool {
	return bytes.EqualFold(bytes.Trim(list[bytes.LastIndexByte(list, ',')+1:], " \t"), []byte(token))
}
