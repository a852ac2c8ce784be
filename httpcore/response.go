package httpcore

// ResponseHead is a parsed response head: what [Head] is for a request, for whoever asks another server. The zero
// ResponseHead is ready to parse. It must not be copied once Parse was called; every slice that it returns lies in the bytes
// of the last Parse or Rebase.
//
// It is as strict as Head. A response that two readers could take for two is refused, whatever RFC 9112 §6.3 lets a client
// make of it: with both Transfer-Encoding and Content-Length, with differing lengths, with a coding besides chunked, or
// with a coding in HTTP/1.0.
type ResponseHead struct {
	head   Head
	status uint16
}

// Framing is how the end of a response's content is found, RFC 9112 §6.3.
type Framing uint8

const (
	NoContent  Framing = iota // whatever the fields say
	Sized                     // Content-Length bytes
	InChunks                  // the chunked coding
	UntilClose                // all until the connection ends
)

// Parse reads a head from b. It keeps the rules of [Head.Parse]; the Status of an error is 502.
func (r *ResponseHead) Parse(b []byte, l *Limits) (n int, err *Error) {
	h := &r.head
	h.buf = b
	h.flags |= flagResponse
	limit := min(l.Head, maxHead)
	b = b[:min(len(b), limit)]
	i := int(h.pos)
	if h.state < stateLine {
		i, err = r.statusLine(b, i)
	}
	if h.state >= stateLine && err == nil {
		i, err = h.fieldLines(b, i, l)
	}
	h.pos = uint16(i)
	switch {
	case err != nil:
		return 0, upstreamError(err)
	case h.state == stateDone:
		return i, nil
	case len(b) < limit:
		return 0, nil
	}
	return 0, upstreamError(errHeadLong)
}

// statusLine parses the status line, RFC 9112 §4, and returns where it stopped. The reason phrase may be empty, and then
// its space is missing in what many servers send.
func (r *ResponseHead) statusLine(b []byte, i int) (int, *Error) {
	const form = "HTTP/1.x 200"
	h := &r.head
	for ; i < len(b) && i < len(form); i++ {
		c := b[i]
		switch i {
		case 5:
			if c != '1' {
				return i, errStatusVersion
			}
		case 7:
			if class[c]&digitByte == 0 {
				return i, errStatusLine
			}
			h.minor = min(c-'0', 1)
		case 9, 10, 11:
			if class[c]&digitByte == 0 {
				return i, errStatusCode
			}
			r.status = r.status*10 + uint16(c-'0')
		default:
			if c != form[i] {
				return i, errStatusLine
			}
		}
	}
	if i < len(form) || i == len(b) {
		return i, nil
	}
	if r.status < 100 || r.status > 599 {
		return i, errStatusCode
	}
	if i == len(form) {
		switch b[i] {
		case ' ':
			i++
			h.state = stateVersion // the reason phrase
		case '\r':
			h.state = stateVersion
		default:
			return i, errStatusCode
		}
	}
	if h.state == stateVersion {
		if i = scanValue(b, i); i == len(b) {
			return i, nil
		}
		if b[i] != '\r' {
			return i, errStatusLine
		}
		i++
		h.state = stateStartLF
	}
	if i == len(b) {
		return i, nil
	}
	if b[i] != '\n' {
		return i, errStatusLine
	}
	h.state = stateLine
	return i + 1, nil
}

// Reset makes r ready for a new head. It keeps no reference to the old one's bytes.
func (r *ResponseHead) Reset() {
	r.head.Reset()
	r.status = 0
}

// Rebase tells r that its bytes now lie in b.
func (r *ResponseHead) Rebase(b []byte) { r.head.Rebase(b) }

// Len returns the bytes of the head that were parsed.
func (r *ResponseHead) Len() int { return r.head.Len() }

// Status returns the status code, 100 to 599.
func (r *ResponseHead) Status() int { return int(r.status) }

// Interim reports whether another response follows this one: any 1xx but 101, after which the connection speaks something
// else (RFC 9110 §15.2.2).
func (r *ResponseHead) Interim() bool { return r.status < 200 && r.status != 101 }

// Minor returns 1 for HTTP/1.1 and 0 for HTTP/1.0.
func (r *ResponseHead) Minor() int { return r.head.Minor() }

// ContentLength returns the value of Content-Length, 0 if there is none.
func (r *ResponseHead) ContentLength() int64 { return r.head.length }

// HasLength reports whether there is a Content-Length.
func (r *ResponseHead) HasLength() bool { return r.head.HasLength() }

// Framing says how the content of this answer to a request of method m ends, RFC 9112 §6.3.
func (r *ResponseHead) Framing(m Method) Framing {
	switch {
	case m == MethodHead, r.status < 200, r.status == 204, r.status == 304:
		return NoContent
	case r.head.Chunked():
		return InChunks
	case r.head.HasLength():
		return Sized
	}
	return UntilClose
}

// KeepAlive reports whether the connection persists after the response, as far as its fields say, RFC 9112 §9.3. After
// content UntilClose it does not.
func (r *ResponseHead) KeepAlive() bool { return r.head.KeepAlive() }

// Field returns the value of the first field line of that name, in any case, and whether there is one.
func (r *ResponseHead) Field(name string) ([]byte, bool) { return r.head.Field(name) }

// NumFields returns the number of field lines.
func (r *ResponseHead) NumFields() int { return r.head.NumFields() }

// FieldAt returns field line i as sent, without the white space around its value.
func (r *ResponseHead) FieldAt(i int) (name, value []byte) { return r.head.FieldAt(i) }

// What is wrong with a status line, RFC 9112 §4.
var (
	errStatusLine    = &Error{502, "no valid status line"}
	errStatusVersion = &Error{502, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
	errStatusCode    = &Error{502, "the status is not a number from 100 to 599"}
)

// upstreamErrors are the errors of a head as those of a response: of a server that was asked, not of a client.
var upstreamErrors = func() map[*Error]*Error {
	m := make(map[*Error]*Error)
	for _, e := range []*Error{
		errHeadLong, errFieldCount, errFold, errNameEmpty, errNameSpace, errNameBreak, errName, errFieldLF, errFieldCR,
		errFieldControl, errLength, errLengths, errCoding, errCodingLast, errCodingOld, errCodingBoth, errCodingOther,
	} {
		m[e] = &Error{502, e.Reason}
	}
	return m
}()

func upstreamError(e *Error) *Error {
	if u := upstreamErrors[e]; u != nil {
		return u
	}
	return e
}
