package precondition

import (
	"bytes"
	"strings"

	"corelab/httpcore"
)

// comparison is one of the two ways to compare entity tags, RFC 9110 §8.8.3.2.
type comparison bool

const (
	strong comparison = false
	weak   comparison = true // W/ does not matter
)

// matchTag reports whether a field of that name is there, and whether any of its lines names the tag, or is "*".
func matchTag(x *httpcore.Exchange, name, etag string, c comparison) (match, found bool) {
	for i := range x.NumFields() {
		n, value := x.FieldAt(i)
		if !bytes.EqualFold(n, []byte(name)) {
			continue
		}
		found = true
		if string(value) == "*" || listsTag(value, etag, c) {
			match = true
		}
	}
	return match, found
}

// listsTag reports whether the list of entity tags names etag. It stops at what is no list of them: what does not parse
// does not match.
func listsTag(list []byte, etag string, c comparison) bool {
	opaque, weakOurs := strings.CutPrefix(etag, "W/")
	for {
		list = bytes.TrimLeft(list, " \t,")
		tag, rest, isWeak := cutTag(list)
		if tag == nil {
			return false
		}
		if string(tag) == opaque && (c == weak || !isWeak && !weakOurs) {
			return true
		}
		list = bytes.TrimLeft(rest, " \t")
		if len(list) > 0 && list[0] != ',' {
			return false
		}
	}
}

// cutTag splits an entity tag off the front: [W/] DQUOTE *etagc DQUOTE, RFC 9110 §8.8.3. tag is without W/, and nil if
// there is none.
func cutTag(b []byte) (tag, rest []byte, isWeak bool) {
	b, isWeak = bytes.CutPrefix(b, []byte("W/"))
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	end := bytes.IndexByte(b[1:], '"')
	if end < 0 {
		return nil, nil, false
	}
	return b[:end+2], b[end+2:], isWeak
}
