package httpcore

// scanEncoded returns the index of the first byte of b from i on that is not of the class and begins no percent-encoded
// byte, RFC 3986 §2.1, or len(b). Where b ends inside such a triple it is the index of its '%'.
func scanEncoded(b []byte, i int, c uint8) (int, *Error) {
	for {
		i = scanSet(b, i, c)
		if i == len(b) || b[i] != '%' || len(b)-i < 3 {
			return i, nil
		}
		if class[b[i+1]]&class[b[i+2]]&hexByte == 0 {
			return i, errPercent
		}
		i += 3
	}
}

// form parses a target that does not begin with a slash, RFC 9112 §3.2: b holds it whole.
func (h *Head) form(b []byte) *Error {
	t := b[h.target:h.targetEnd]
	switch {
	case len(t) == 0:
		return errTarget
	case string(t) == "*":
		h.flags |= flagAsterisk
		return nil
	case h.method == MethodConnect:
		if !validAuthority(t, true) {
			return errAuthority
		}
		h.flags |= flagAuthority
		return nil
	}
	return h.absolute(t)
}

// absolute parses an absolute-form, RFC 9112 §3.2.2. Only http and https are served, and both need an authority, which
// must not name a user (RFC 9110 §4.2.4).
func (h *Head) absolute(t []byte) *Error {
	i := 0
	for i < len(t) && t[i] != ':' {
		i++
	}
	if scheme := t[:i]; !isWord(scheme, "http") && !isWord(scheme, "https") || len(t)-i < 3 || string(t[i:i+3]) != "://" {
		return errTarget
	}
	i += 3
	host := i
	for i < len(t) && t[i] != '/' && t[i] != '?' {
		i++
	}
	if !validAuthority(t[host:i], false) {
		return errAuthority
	}
	h.host, h.hostEnd = h.target+uint16(host), h.target+uint16(i)
	h.flags |= flagAbsolute
	end, err := scanEncoded(t, i, pathByte)
	h.path, h.pathEnd = h.target+uint16(i), h.target+uint16(end)
	if err == nil && end < len(t) && t[end] == '?' {
		h.flags |= flagQuery
		h.query = h.pathEnd + 1
		end, err = scanEncoded(t, end+1, queryByte)
	}
	switch {
	case err != nil:
		return err
	case end < len(t) && t[end] == '%':
		return errPercent
	case end < len(t):
		return errTarget
	case h.method == MethodOptions && h.path == h.targetEnd:
		// The URI without path and query stands for the server as a whole, RFC 9112 §3.2.4.
		h.flags |= flagAsterisk
	}
	return nil
}

// checkForm checks that the form of the target is one that the method takes, RFC 9112 §3.2. It is asked once the
// version is known, so that the preface of HTTP/2 is answered for its version.
func (h *Head) checkForm() *Error {
	if (h.method == MethodConnect) != (h.flags&flagAuthority != 0) ||
		h.flags&flagAsterisk != 0 && h.method != MethodOptions {
		return errTargetForm
	}
	return nil
}

// validAuthority reports whether b is uri-host [ ":" port ] with a host that is not empty, RFC 9110 §7.2. An
// authority-form must have its port, RFC 9112 §3.2.3.
func validAuthority(b []byte, needPort bool) bool {
	end := 0
	if len(b) > 0 && b[0] == '[' {
		for end < len(b) && b[end] != ']' {
			end++
		}
		if end == len(b) || !validLiteral(b[1:end]) {
			return false
		}
		end++
	} else {
		var err *Error
		end, err = scanEncoded(b, 0, hostByte)
		if err != nil || end == 0 {
			return false
		}
	}
	if end == len(b) {
		return !needPort
	}
	return b[end] == ':' && validPort(b[end+1:], needPort)
}

// validPort reports whether b is a port number. The grammar lets it be empty, RFC 3986 §3.2.3.
func validPort(b []byte, need bool) bool {
	n := 0
	for _, c := range b {
		if class[c]&digitByte == 0 {
			return false
		}
		if n = n*10 + int(c-'0'); n > 1<<16-1 {
			return false
		}
	}
	return len(b) > 0 || !need
}

// validLiteral reports whether b, from between brackets, is an IPv6 address or an IPvFuture, RFC 3986 §3.2.2. Zones are
// for the sender's own use and never sent (RFC 6874 §4).
func validLiteral(b []byte) bool {
	if len(b) > 0 && b[0]|0x20 == 'v' {
		dot := scanClass(b, 1, hexByte)
		return dot > 1 && dot+1 < len(b) && b[dot] == '.' && scanFuture(b, dot+1) == len(b)
	}
	return validIPv6(b)
}

// scanFuture passes over what an IPvFuture has after its dot: host bytes and colons.
func scanFuture(b []byte, i int) int {
	for i < len(b) && (class[b[i]]&hostByte != 0 || b[i] == ':') {
		i++
	}
	return i
}

// validIPv6 reports whether b is an IPv6address of RFC 3986: eight groups of one to four hexadecimal digits, one run of
// which may be "::", and the last two of which may be an IPv4 address.
func validIPv6(b []byte) bool {
	groups, gap, i := 0, false, 0
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, i = true, 2
	}
	for i < len(b) {
		end := scanClass(b, i, hexByte)
		if end < len(b) && b[end] == '.' {
			groups += 2
			if !validIPv4(b[i:]) {
				return false
			}
			break
		}
		if end == i || end-i > 4 {
			return false
		}
		groups++
		if i = end; i == len(b) {
			break
		}
		if b[i] != ':' {
			return false
		}
		i++
		if i < len(b) && b[i] == ':' {
			if gap {
				return false
			}
			gap = true
			i++
		} else if i == len(b) {
			return false
		}
	}
	return gap && groups < 8 || !gap && groups == 8
}

// validIPv4 reports whether b is four dec-octets of RFC 3986 §3.2.2.
func validIPv4(b []byte) bool {
	for part := range 4 {
		if part > 0 {
			if len(b) == 0 || b[0] != '.' {
				return false
			}
			b = b[1:]
		}
		n, end := 0, scanClass(b, 0, digitByte)
		if end == 0 || end > 3 || end > 1 && b[0] == '0' {
			return false
		}
		for _, c := range b[:end] {
			n = n*10 + int(c-'0')
		}
		if n > 255 {
			return false
		}
		b = b[end:]
	}
	return len(b) == 0
}
