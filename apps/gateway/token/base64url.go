package token

// sextet is the value of a character of base64url, RFC 4648 §5, and 0xff for every other byte.
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// decodedLen is the number of bytes that n characters without padding stand for.
func decodedLen(n int) int { return n/4*3 + n%4*3/4 }

// decode appends what src stands for to dst. It is strict, RFC 7515 §2: no padding, no white space, no line break (which
// encoding/base64 passes over), no bits set that belong to no byte: one text for one value, so that a token can't be
// written in another way.
func decode(dst, src []byte) ([]byte, bool) {
	for len(src) >= 4 {
		a, b, c, d := sextet[src[0]], sextet[src[1]], sextet[src[2]], sextet[src[3]]
		if a|b|c|d == 0xff {
			return dst, false
		}
		dst = append(dst, a<<2|b>>4, b<<4|c>>2, c<<6|d)
		src = src[4:]
	}
	switch len(src) {
	case 1:
		return dst, false
	case 2:
		a, b := sextet[src[0]], sextet[src[1]]
		if a|b == 0xff || b&0x0f != 0 {
			return dst, false
		}
		dst = append(dst, a<<2|b>>4)
	case 3:
		a, b, c := sextet[src[0]], sextet[src[1]], sextet[src[2]]
		if a|b|c == 0xff || c&0x03 != 0 {
			return dst, false
		}
		dst = append(dst, a<<2|b>>4, b<<4|c>>2)
	}
	return dst, true
}
