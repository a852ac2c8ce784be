package httpcore

import "math"

// recognise takes note of a field that frames the message or the connection. Dispatch is by the length of the name, so
// that other fields cost next to nothing.
func (h *Head) recognise(b []byte, f field) *Error {
	name, value := b[f.name:f.nameEnd], b[f.value:f.valueEnd]
	switch len(name) {
	case len("host"):
		if h.flags&flagResponse == 0 && isWord(name, "host") {
			return h.hostField(value, f)
		}
	case len("expect"):
		if h.flags&flagResponse == 0 && isWord(name, "expect") {
			return h.expectField(value)
		}
	case len("connection"):
		if isWord(name, "connection") {
			h.connectionField(value)
		}
	case len("content-length"):
		if isWord(name, "content-length") {
			return h.lengthField(value)
		}
	case len("transfer-encoding"):
		if isWord(name, "transfer-encoding") {
			return h.codingField(value)
		}
	}
	return nil
}

// checkFields judges the fields of a whole head together.
func (h *Head) checkFields() *Error {
	if h.flags&(flagHost|flagResponse) == 0 && h.minor > 0 {
		return errHostMissing // RFC 9112 §3.2
	}
	if h.flags&flagCoding == 0 {
		return nil
	}
	switch {
	case h.flags&flagLength != 0:
		return errCodingBoth // RFC 9112 §6.3: might be request smuggling
	case h.flags&flagChunked == 0:
		return errCodingLast // RFC 9112 §6.3, a MUST; that the coding is not known is 501 by a SHOULD
	case h.flags&flagOther != 0:
		return errCodingOther // RFC 9112 §6.1
	}
	return nil
}

// hostField takes a Host field: one at most, and valid. An empty one is refused as well: what is served here are http
// URIs, and these have a host (RFC 9110 §4.2.1).
func (h *Head) hostField(value []byte, f field) *Error {
	if h.flags&flagHost != 0 {
		return errHostTwice
	}
	h.flags |= flagHost
	if !validAuthority(value, false) {
		return errHost
	}
	// The Host field gives way to the authority of an absolute-form, RFC 9112 §3.2.2.
	if h.flags&flagAbsolute == 0 {
		h.host, h.hostEnd = f.value, f.valueEnd
	}
	return nil
}

// lengthField takes a Content-Length, RFC 9110 §8.6: digits, or a list of equal values, in one line or several.
func (h *Head) lengthField(value []byte) *Error {
	for rest, more := value, true; more; {
		var item []byte
		item, rest, more = nextItem(rest)
		n, ok := parseLength(item)
		if !ok {
			return errLength
		}
		if h.flags&flagLength != 0 && n != h.length {
			return errLengths
		}
		h.flags |= flagLength
		h.length = n
	}
	return nil
}

// parseLength parses 1*DIGIT that an int64 can hold.
func parseLength(b []byte) (n int64, ok bool) {
	for _, c := range b {
		d := int64(c - '0')
		if class[c]&digitByte == 0 || n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, len(b) > 0
}

// codingField takes a Transfer-Encoding line, RFC 9112 §6.1. Nothing may follow chunked, not even itself, and chunked
// has no parameters (§7.1). Empty list elements are passed over, RFC 9110 §5.6.1, but not a line without any coding.
func (h *Head) codingField(value []byte) *Error {
	if h.minor == 0 {
		return errCodingOld // RFC 9112 §6.1: faulty framing, whatever the rest says
	}
	h.flags |= flagCoding
	found := false
	for rest, more := value, true; more; {
		var item []byte
		item, rest, more = nextItem(rest)
		if len(item) == 0 {
			continue
		}
		found = true
		if h.flags&flagChunked != 0 {
			return errCodingLast
		}
		end := scanToken(item, 0)
		switch {
		case isWord(item, "chunked"):
			h.flags |= flagChunked
		case end == 0 || end < len(item) && item[end] != ';' && !isSpace(item[end]), isWord(item[:end], "chunked"):
			return errCoding
		default:
			h.flags |= flagOther
		}
	}
	if !found {
		return errCoding
	}
	return nil
}

// connectionField takes a Connection line, RFC 9110 §7.6.1.
func (h *Head) connectionField(value []byte) {
	for rest, more := value, true; more; {
		var item []byte
		item, rest, more = nextItem(rest)
		switch {
		case isWord(item, "close"):
			h.flags |= flagClose
		case isWord(item, "keep-alive"):
			h.flags |= flagKeepAlive
		}
	}
}

// expectField takes an Expect line, RFC 9110 §10.1.1: HTTP/1.0 has none.
func (h *Head) expectField(value []byte) *Error {
	if h.minor == 0 {
		return nil
	}
	for rest, more := value, true; more; {
		var item []byte
		item, rest, more = nextItem(rest)
		switch {
		case isWord(item, "100-continue"):
			h.flags |= flagContinue
		case len(item) > 0:
			return errExpect
		}
	}
	return nil
}

// nextItem cuts the first element off a comma-separated list, without the white space around it, and says whether there
// was a comma behind it. Quoted strings are not heeded: no list read here may have one.
func nextItem(list []byte) (item, rest []byte, more bool) {
	end := 0
	for end < len(list) && list[end] != ',' {
		end++
	}
	if end < len(list) {
		rest, more = list[end+1:], true
	}
	from, to := trim(list, 0, end)
	return list[from:to], rest, more
}
