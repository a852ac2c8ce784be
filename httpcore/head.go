package httpcore

// Head is a parsed request head: the request line and the field lines as offsets into the bytes that Parse was given,
// and what the fields of framing and connection say. The zero Head is ready to parse. It must not be copied once Parse
// was called; every slice that it returns lies in the bytes of the last Parse or Rebase.
type Head struct {
	buf    []byte  // the head from its first byte on
	fields []field // in first, until there are more
	first  [12]field
	length int64 // Content-Length

	cur field // the field line being read

	// Offsets into buf. The target is target:targetEnd, the query query:targetEnd.
	pos                      uint16 // where Parse stopped
	start, target, targetEnd uint16
	path, pathEnd, query     uint16
	host, hostEnd            uint16
	flags                    flags
	state, emptyLines        uint8
	minor                    uint8
	method                   Method
}

// field is one field line: name:nameEnd and value:valueEnd, without the white space around the value.
type field struct{ name, nameEnd, value, valueEnd uint16 }

// Bounds of a head that no Limits move.
const (
	maxHead       = 1<<16 - 1 // bytes, so that an offset is a uint16; a larger Limits.Head counts as this
	maxMethod     = 256       // bytes of a method; none is as long, but one that ends is told that, RFC 9112 §3
	maxEmptyLines = 4         // CRLFs before a request line, RFC 9112 §2.2
	maxKeptFields = 64        // field lines for which Reset keeps the memory
)

// States of the parser: what the next byte belongs to.
const (
	stateStart   = iota // the method, or an empty line before it
	stateStartLF        // the LF of such a line
	stateMethod
	stateTarget // the first byte of the target
	statePath   // of an origin-form
	stateQuery  // of an origin-form
	stateForm   // a target of another form, checked when it is whole
	stateVersion
	stateLine // the first byte of a field line, or the last CR
	stateName
	stateSpace // before a field value
	stateValue
	stateValueLF
	stateLastLF
	stateDone
)

// flags are facts about a head.
type flags uint16

const (
	flagAbsolute  flags = 1 << iota // the target has absolute-form, and host is its authority
	flagAuthority                   // CONNECT host:port
	flagAsterisk                    // OPTIONS *
	flagHost                        // there is a Host field
	flagLength                      // there is a Content-Length
	flagCoding                      // there is a Transfer-Encoding
	flagChunked                     // its last coding so far is chunked
	flagOther                       // it has another coding
	flagClose                       // Connection: close
	flagKeepAlive                   // Connection: keep-alive
	flagContinue                    // Expect: 100-continue
	flagQuery                       // the target has a query
	flagResponse                    // it is a response's, see ResponseHead
)

// Parse reads a head from b, which always begins at the head's first byte and holds all of its bytes so far; a call
// with more bytes resumes where the last one stopped, and b may have moved in between. It returns the head's length
// once it is whole, empty line included, 0 while it is not, and an *Error if it is no valid head. b is borrowed until
// the next Parse, Rebase or Reset. After an error only Reset may be called, and the accessors of the request line.
//
// A head that has l.Head bytes, or 65,535, and is not whole is an error at once.
func (h *Head) Parse(b []byte, l *Limits) (n int, err *Error) {
	h.buf = b
	limit := min(l.Head, maxHead)
	b = b[:min(len(b), limit)]
	i := int(h.pos)
	if h.state < stateLine {
		i, err = h.requestLine(b, i, l)
	}
	if h.state >= stateLine && err == nil {
		i, err = h.fieldLines(b, i, l)
	}
	h.pos = uint16(i)
	switch {
	case err != nil:
		return 0, err
	case h.state == stateDone:
		return i, nil
	case len(b) < limit:
		return 0, nil
	case h.state > stateTarget && h.state < stateVersion:
		return 0, errTargetLong
	}
	return 0, errHeadLong
}

// requestLine parses the request line, RFC 9112 §3, and returns where it stopped: behind the line, then the state is
// stateLine, or at the end of b. A case falls through to the next while there are bytes, so that a whole line costs one
// dispatch.
func (h *Head) requestLine(b []byte, i int, l *Limits) (int, *Error) {
	for {
		switch h.state {
		case stateStart:
			if i == len(b) {
				return i, nil
			}
			if b[i] == '\r' {
				if h.emptyLines == maxEmptyLines {
					return i, errEmptyLines
				}
				h.emptyLines++
				h.state = stateStartLF
				i++
				continue
			}
			h.start = uint16(i)
			h.state = stateMethod
			fallthrough

		case stateMethod:
			start := int(h.start)
			i = scanClass(b, i, tokenByte) // a few bytes
			if i-start > maxMethod {
				return i, errMethodLong
			}
			if i == len(b) {
				return i, nil
			}
			if b[i] != ' ' || i == start {
				return i, errMethod
			}
			h.method = methodOf(b[start:i])
			i++
			h.target = uint16(i)
			h.state = stateTarget
			fallthrough

		case stateTarget:
			if i == len(b) {
				return i, nil
			}
			if b[i] != '/' {
				h.state = stateForm
				continue
			}
			h.path = uint16(i)
			h.state = statePath
			fallthrough

		case statePath:
			end, err := scanEncoded(b, i, pathByte)
			if end-int(h.target) > l.Target {
				return end, errTargetLong
			}
			i = end
			if err != nil {
				return i, err
			}
			if i == len(b) || b[i] == '%' {
				return i, nil
			}
			h.pathEnd = uint16(i)
			if b[i] == ' ' {
				h.targetEnd = uint16(i)
				h.state = stateVersion
				i++
				continue
			}
			if b[i] != '?' {
				return i, targetError(b[i])
			}
			i++
			h.query = uint16(i)
			h.flags |= flagQuery
			h.state = stateQuery
			fallthrough

		case stateQuery:
			end, err := scanEncoded(b, i, queryByte)
			if end-int(h.target) > l.Target {
				return end, errTargetLong
			}
			i = end
			if err != nil {
				return i, err
			}
			if i == len(b) || b[i] == '%' {
				return i, nil
			}
			if b[i] != ' ' {
				return i, targetError(b[i])
			}
			h.targetEnd = uint16(i)
			i++
			h.state = stateVersion
			fallthrough

		case stateVersion:
			return h.version(b, i)

		case stateForm:
			for i < len(b) && b[i] > ' ' && b[i] < 0x7f && b[i] != '#' {
				i++
			}
			if i-int(h.target) > l.Target {
				return i, errTargetLong
			}
			if i == len(b) {
				return i, nil
			}
			if b[i] != ' ' {
				return i, targetError(b[i])
			}
			h.targetEnd = uint16(i)
			if err := h.form(b); err != nil {
				return i, err
			}
			i++
			h.state = stateVersion

		case stateStartLF:
			if i == len(b) {
				return i, nil
			}
			if b[i] != '\n' {
				return i, errLineStart
			}
			i++
			h.state = stateStart
		}
	}
}

// version parses the version and the end of the request line, RFC 9112 §2.3, from i on; what is before i is checked.
func (h *Head) version(b []byte, i int) (int, *Error) {
	const form = "HTTP/1.1\r\n"
	at := int(h.targetEnd) + 1
	if len(b)-at >= len(form) && string(b[at:at+len(form)]) == form {
		h.minor = 1
		h.state = stateLine
		return at + len(form), h.checkForm()
	}
	for ; i < len(b); i++ {
		switch k := i - at; k {
		case 5, 7:
			if class[b[i]]&digitByte == 0 {
				return i, errVersion
			}
		case len(form) - 1:
			if b[i] != '\n' {
				return i, errVersion
			}
			if b[at+5] != '1' {
				return i, errVersionOther
			}
			// A recipient treats a minor version above its own as its own, RFC 9110 §2.5.
			h.minor = min(b[at+7]-'0', 1)
			h.state = stateLine
			return i + 1, h.checkForm()
		default:
			if b[i] != form[k] {
				return i, errVersion
			}
		}
	}
	return i, nil
}

// fieldLines parses field lines, RFC 9112 §5, up to the empty line, and returns where it stopped: behind it, then the
// state is stateDone, or at the end of b.
func (h *Head) fieldLines(b []byte, i int, l *Limits) (int, *Error) {
	if h.fields == nil {
		h.fields = h.first[:0]
	}
	for {
		switch h.state {
		case stateLine:
			if i == len(b) {
				return i, nil
			}
			if b[i] == '\r' {
				i++
				h.state = stateLastLF
				continue
			}
			if len(h.fields) >= l.Fields {
				return i, errFieldCount
			}
			h.cur.name = uint16(i)
			h.state = stateName
			fallthrough

		case stateName:
			i = scanToken(b, i)
			if i == len(b) {
				return i, nil
			}
			if b[i] != ':' || i == int(h.cur.name) {
				return i, nameError(b[i], i == int(h.cur.name))
			}
			h.cur.nameEnd = uint16(i)
			i++
			h.state = stateSpace
			fallthrough

		case stateSpace:
			for i < len(b) && isSpace(b[i]) {
				i++
			}
			if i == len(b) {
				return i, nil
			}
			h.cur.value = uint16(i)
			h.state = stateValue
			fallthrough

		case stateValue:
			i = scanValue(b, i)
			if i == len(b) {
				return i, nil
			}
			if b[i] != '\r' {
				return i, valueError(b[i])
			}
			i++
			h.state = stateValueLF
			fallthrough

		case stateValueLF:
			if i == len(b) {
				return i, nil
			}
			if b[i] != '\n' {
				return i, errFieldCR
			}
			_, end := trim(b, int(h.cur.value), i-1)
			h.cur.valueEnd = uint16(end)
			i++
			h.fields = append(h.fields, h.cur)
			if err := h.recognise(b, h.cur); err != nil {
				return i, err
			}
			h.state = stateLine

		case stateLastLF:
			if i == len(b) {
				return i, nil
			}
			if b[i] != '\n' {
				return i, errFieldCR
			}
			if err := h.checkFields(); err != nil {
				return i, err
			}
			h.state = stateDone
			return i + 1, nil

		case stateDone:
			return i, nil
		}
	}
}

// targetError says what c, which no target may hold, does in one.
func targetError(c byte) *Error {
	switch c {
	case '#':
		return errFragment
	case '\r', '\n':
		return errTargetBreak
	}
	return errTarget
}

// nameError says what c, which no field name may hold, does in one, or at its first byte.
func nameError(c byte, first bool) *Error {
	switch {
	case first && isSpace(c):
		return errFold // obs-fold, RFC 9112 §5.2, or white space after the request line, §2.2
	case first && c == ':':
		return errNameEmpty
	case isSpace(c):
		return errNameSpace // RFC 9112 §5.1
	case c == '\n':
		return errFieldLF
	case c == '\r':
		return errNameBreak
	}
	return errName
}

// valueError says what c, which no field value may hold, does in one.
func valueError(c byte) *Error {
	if c == '\n' {
		return errFieldLF
	}
	return errFieldControl
}

// Reset makes h ready for a new head. It keeps no reference to the old one's bytes.
func (h *Head) Reset() {
	fields := h.fields
	if cap(fields) > maxKeptFields {
		fields = nil
	}
	h.buf = nil
	h.fields = fields[:0]
	h.length = 0
	h.pos, h.start, h.target, h.targetEnd = 0, 0, 0, 0
	h.path, h.pathEnd, h.query = 0, 0, 0
	h.host, h.hostEnd = 0, 0
	h.flags, h.state, h.emptyLines, h.minor = 0, stateStart, 0, 0
	h.method = MethodUnknown
}

// Rebase tells h that its bytes now lie in b.
func (h *Head) Rebase(b []byte) { h.buf = b }

// Len returns the bytes of the head that were parsed: all of them once Parse returned n > 0.
func (h *Head) Len() int { return int(h.pos) }

// Method returns the method, or MethodUnknown for a token that no RFC knows.
func (h *Head) Method() Method { return h.method }

// MethodName returns the method as it was sent.
func (h *Head) MethodName() []byte {
	if h.target == 0 {
		return nil
	}
	return h.buf[h.start : h.target-1]
}

// Target returns the request target as it was sent.
func (h *Head) Target() []byte { return h.slice(h.target, h.targetEnd) }

// Path returns the path of the target, "/" where an absolute-form has none, nil for an authority- or asterisk-form.
func (h *Head) Path() []byte {
	if h.pathEnd == h.path && h.flags&flagAbsolute != 0 {
		return slash
	}
	return h.slice(h.path, h.pathEnd)
}

var slash = []byte("/")

// Query returns the query of the target without its '?', nil if there is none.
func (h *Head) Query() []byte {
	if h.flags&flagQuery == 0 {
		return nil
	}
	return h.slice(h.query, h.targetEnd)
}

// Host returns the authority that the request is for: of an absolute-form target, else the Host field; nil if there is
// neither.
func (h *Head) Host() []byte { return h.slice(h.host, h.hostEnd) }

// Minor returns 1 for HTTP/1.1 and 0 for HTTP/1.0.
func (h *Head) Minor() int { return int(h.minor) }

// Asterisk reports whether the request is an OPTIONS for the server as a whole, RFC 9112 §3.2.4.
func (h *Head) Asterisk() bool { return h.flags&flagAsterisk != 0 }

// Authority reports whether the target has authority-form, which is that of CONNECT, RFC 9112 §3.2.3.
func (h *Head) Authority() bool { return h.flags&flagAuthority != 0 }

// ContentLength returns the value of Content-Length, 0 if there is none.
func (h *Head) ContentLength() int64 { return h.length }

// HasLength reports whether there is a Content-Length.
func (h *Head) HasLength() bool { return h.flags&flagLength != 0 }

// Chunked reports whether the content is sent chunked, RFC 9112 §7.1.
func (h *Head) Chunked() bool { return h.flags&flagChunked != 0 }

// KeepAlive reports whether the connection persists after the exchange, as far as the request says, RFC 9112 §9.3.
func (h *Head) KeepAlive() bool {
	if h.flags&flagClose != 0 {
		return false
	}
	return h.minor > 0 || h.flags&flagKeepAlive != 0
}

// ExpectContinue reports whether the client waits for a 100 before it sends content, RFC 9110 §10.1.1.
func (h *Head) ExpectContinue() bool { return h.flags&flagContinue != 0 }

// Field returns the value of the first field line of that name, in any case, and whether there is one.
func (h *Head) Field(name string) ([]byte, bool) {
	for _, f := range h.fields {
		if equalFold(h.buf[f.name:f.nameEnd], name) {
			return h.slice(f.value, f.valueEnd), true
		}
	}
	return nil, false
}

// NumFields returns the number of field lines.
func (h *Head) NumFields() int { return len(h.fields) }

// FieldAt returns field line i as sent, without the white space around its value.
func (h *Head) FieldAt(i int) (name, value []byte) {
	f := h.fields[i]
	return h.slice(f.name, f.nameEnd), h.slice(f.value, f.valueEnd)
}

// slice returns buf[from:to] with its capacity cut, so that an append by the receiver cannot reach what follows.
func (h *Head) slice(from, to uint16) []byte {
	if to == 0 {
		return nil
	}
	return h.buf[from:to:to]
}
