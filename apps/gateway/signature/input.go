package signature

import (
	"bytes"
	"crypto/sha256"
)

const (
	maxComponents = 16
	maxText       = 128 // bytes of a nonce, a key ID, a component's name
	minNonce      = 8
)

// input is a Signature-Input, RFC 9421 §4.1, and its Signature. The slices are borrowed from the fields.
type input struct {
	label      []byte
	components [maxComponents][]byte
	count      int
	params     []byte // the inner list with its parameters, as it was signed
	created    int64
	expires    int64
	nonce      []byte
	keyID      []byte
	mac        [sha256.Size]byte
}

// parse reads LABEL=("component" …);name=value…, in the one way in which RFC 9651 §4.1 writes it.
func (in *input) parse(b []byte) bool {
	*in = input{}
	equals := bytes.IndexByte(b, '=')
	if equals < 1 || !isKey(b[:equals]) {
		return false
	}
	in.label, in.params = b[:equals], b[equals+1:]
	b, ok := in.list(in.params)
	if !ok {
		return false
	}
	seen := 0
	for len(b) > 0 {
		if b[0] != ';' {
			return false // a second signature, or something else
		}
		equals := bytes.IndexByte(b, '=')
		if equals < 0 {
			return false
		}
		which := 0
		if b, which, ok = in.param(b[1:equals], b[equals+1:]); !ok || seen&which != 0 {
			return false
		}
		seen |= which
	}
	const needed = 1 | 4 | 8
	return seen&needed == needed && len(in.nonce) >= minNonce
}

// list reads the components, and returns what follows them.
func (in *input) list(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '(' {
		return nil, false
	}
	for b = b[1:]; ; {
		if len(b) > 0 && b[0] == ')' && in.count == 0 {
			return b[1:], true
		}
		if in.count == maxComponents {
			return nil, false
		}
		c, rest, ok := quoted(b)
		if !ok || !in.fresh(c) || len(rest) == 0 {
			return nil, false
		}
		in.components[in.count] = c
		in.count++
		switch {
		case rest[0] == ')':
			return rest[1:], true
		case rest[0] != ' ':
			return nil, false // parameters of components are not taken
		}
		b = rest[1:]
	}
}

// fresh reports whether c is the name of a component, in small letters, that was not there before (RFC 9421 §2).
func (in *input) fresh(c []byte) bool {
	for _, other := range in.components[:in.count] {
		if bytes.Equal(c, other) {
			return false
		}
	}
	for _, x := range c {
		if x >= 'A' && x <= 'Z' || x == ' ' {
			return false
		}
	}
	return len(c) > 0
}

// param reads a parameter's value, and returns what follows, and a bit for the name.
func (in *input) param(name, b []byte) (rest []byte, which int, ok bool) {
	var s []byte
	switch string(name) {
	case "created":
		in.created, rest, ok = integer(b)
		return rest, 1, ok
	case "expires":
		in.expires, rest, ok = integer(b)
		return rest, 2, ok
	case "nonce":
		in.nonce, rest, ok = quoted(b)
		return rest, 4, ok
	case "keyid":
		in.keyID, rest, ok = quoted(b)
		return rest, 8, ok
	case "alg":
		s, rest, ok = quoted(b)
		return rest, 16, ok && string(s) == "hmac-sha256" // RFC 9421 §3.3.3
	}
	return nil, 0, false
}

// quoted reads a String of RFC 9651 §3.3.3 without escapes.
func quoted(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return b[1 : i+1], b[i+2:], i <= maxText
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// integer reads a positive Integer of RFC 9651 §3.3.1, as it is written.
func integer(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && b[i]-'0' <= 9 {
		n = n*10 + int64(b[i]-'0')
		if i++; i > 12 {
			return 0, nil, false
		}
	}
	return n, b[i:], n > 0 && b[0] != '0'
}

// isKey reports whether b is a key of RFC 9651 §3.1.2.
func isKey(b []byte) bool {
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c == '*':
		case i > 0 && (c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// signature reads the Signature of the same label.
func (in *input) signature(b []byte) bool {
	b, ok := bytes.CutPrefix(b, in.label)
	if !ok {
		return false
	}
	b, ok = bytes.CutPrefix(b, []byte("=:"))
	return ok && unquote(&in.mac, b)
}
