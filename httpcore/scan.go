package httpcore

import (
	"encoding/binary"
	"math/bits"
)

// Classes of bytes. A byte may be of several.
const (
	tokenByte = 1 << iota // tchar, RFC 9110 §5.6.2
	valueByte             // what a field value may hold: HTAB, SP, VCHAR, obs-text, RFC 9110 §5.5
	pathByte              // pchar without pct-encoded, and "/", RFC 3986 §3.3
	queryByte             // pathByte and "?", RFC 3986 §3.4
	hostByte              // reg-name without pct-encoded, RFC 3986 §3.2.2
	hexByte               // HEXDIG in either case
	digitByte
)

// class holds the classes of every byte.
var class = classes()

func classes() (t [256]uint8) {
	mark := func(bit uint8, set string) {
		for _, c := range []byte(set) {
			t[c] |= bit
		}
	}
	const (
		digits    = "0123456789"
		letters   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		regName   = letters + digits + "-._~" + "!$&'()*+,;=" // unreserved and sub-delims
		pathChars = regName + ":@/"
	)
	mark(tokenByte, letters+digits+"!#$%&'*+-.^_`|~")
	mark(pathByte|queryByte, pathChars)
	mark(queryByte, "?")
	mark(hostByte, regName)
	mark(hexByte, digits+"abcdefABCDEF")
	mark(digitByte, digits)
	for c := range t {
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= valueByte
		}
	}
	return t
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanClass returns the index of the first byte of b from i on that is not of the class, or len(b).
func scanClass(b []byte, i int, c uint8) int {
	for at, x := range b[i:] {
		if class[x]&c == 0 {
			return i + at
		}
	}
	return len(b)
}

// scanWords returns the index of the first byte of b from i on that no field value may hold, or len(b). It takes eight
// bytes at a time: a byte below SP borrows into its high bit, DEL carries into it. A byte above may be marked by the
// borrow or carry of its neighbour, and HTAB is marked though it is valid, so the table has the last word.
func scanWords(b []byte, i int) int {
	for len(b)-i >= 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		m := ((w - ones*' ') | (w + ones)) &^ w & highs
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) / 8
		if class[b[i]]&valueByte == 0 {
			return i
		}
		i++
	}
	return scanClass(b, i, valueByte)
}

// trim returns the bounds of b[from:to] without the optional white space around it, RFC 9110 §5.6.3.
func trim(b []byte, from, to int) (int, int) {
	for from < to && isSpace(b[from]) {
		from++
	}
	for from < to && isSpace(b[to-1]) {
		to--
	}
	return from, to
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// isWord reports whether b is lower in any case. lower holds lower-case letters, digits and '-' only, and b no control
// characters: then setting bit 5 makes no other byte look like one of these.
func isWord(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// equalFold reports whether the field names b and name are equal in any case.
func equalFold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range b {
		if c := b[i]; c != name[i] && (c^name[i] != 0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
