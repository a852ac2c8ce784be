package store

import (
	"bytes"
	"slices"
	"unsafe"
)

// entry is one stored answer, or the note that a key's answers cannot be stored.
type entry struct {
	hash    uint64
	variant uint64 // of the values that Vary names
	sibling *entry // the next of the same hash

	queue      *queue
	prev, next *entry
	uses       uint8 // 0 to 3, since it came or was passed over last

	alone   bool // no answer: whoever asks goes on by itself
	status  int
	stored  int64 // when, monotonic ns
	size    int64 // all that it costs
	terms   terms
	headers []byte // key, then Vary's names and the request's values, then the answer's lines
	key     int32  // length of the key
	lines   int32  // where the answer's lines begin
	body    []byte
}

// entryCost is what an entry costs besides its key, lines and content: itself, and its share of the index, whose tables are
// between 7/16 and 7/8 full of slots of 16 bytes and a control byte.
const entryCost = int64(unsafe.Sizeof(entry{})) + 40

// roomy is memory for n bytes, with the capacity that the allocator gives in any case: what is rounded up is counted.
func roomy(n int) []byte { return slices.Grow([]byte(nil), n) }

// cost is what the entry costs in all.
func (e *entry) cost() int64 { return entryCost + int64(cap(e.headers)) + int64(cap(e.body)) }

func (e *entry) keyBytes() []byte { return e.headers[:e.key] }

// fieldLines are the answer's lines: nobody may write to them.
func (e *entry) fieldLines() []byte { return e.headers[e.lines:len(e.headers):len(e.headers)] }

func (e *entry) at(s span) []byte { return e.headers[s.from:s.to:s.to] }

// isVariant reports whether the entry may answer a request as far as Vary is concerned, RFC 9111 §4.1.
func (e *entry) isVariant(f Fields) bool {
	selecting := e.headers[e.key:e.lines]
	for len(selecting) > 0 {
		var name, want []byte
		name, selecting = cutCounted(selecting)
		want, selecting = cutCounted(selecting)
		if !equalValues(f, name, want) {
			return false
		}
	}
	return true
}

// appendCounted appends b and its length, cutCounted takes them off.
func appendCounted(dst, b []byte) []byte {
	dst = append(dst, byte(len(b)>>16), byte(len(b)>>8), byte(len(b)))
	return append(dst, b...)
}

func cutCounted(b []byte) (first, rest []byte) {
	n := 3 + int(b[0])<<16 + int(b[1])<<8 + int(b[2])
	return b[3:n:n], b[n:]
}

// absent is the value that is noted for a field that a request has not: no value has such a byte.
const absent = 0

// equalValues reports whether a request has exactly want in the fields of one name, as appendValues makes it.
func equalValues(f Fields, name, want []byte) bool {
	found := false
	for i := range f.NumFields() {
		n, value := f.FieldAt(i)
		if !sameName(n, name) {
			continue
		}
		for more := found; ; more = true {
			if more {
				if len(want) == 0 || want[0] != ',' {
					return false
				}
				want = want[1:]
			}
			var member []byte
			var last bool
			member, value, last = cutMember(value)
			if !bytes.HasPrefix(want, member) {
				return false
			}
			want = want[len(member):]
			if last {
				break
			}
		}
		found = true
	}
	if !found {
		return len(want) == 1 && want[0] == absent
	}
	return len(want) == 0
}

// appendValues appends what a request has in the fields of one name, as if they were one line: members with a comma between
// them, without white space around them. RFC 9111 §4.1 lets them be combined and normalised so.
func appendValues(dst []byte, f Fields, name []byte) []byte {
	found := false
	for i := range f.NumFields() {
		n, value := f.FieldAt(i)
		if !sameName(n, name) {
			continue
		}
		for more := found; ; more = true {
			if more {
				dst = append(dst, ',')
			}
			var member []byte
			var last bool
			member, value, last = cutMember(value)
			dst = append(dst, member...)
			if last {
				break
			}
		}
		found = true
	}
	if !found {
		dst = append(dst, absent)
	}
	return dst
}

// cutMember cuts the first member off a list, and says whether it was the last.
func cutMember(list []byte) (member, rest []byte, last bool) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:], false
		}
	}
	return trim(list), nil, true
}

// sameName compares a field name with one in lower case.
func sameName(b, low []byte) bool {
	if len(b) != len(low) {
		return false
	}
	for i := range b {
		if lower(b[i]) != low[i] {
			return false
		}
	}
	return true
}

// appendSelecting appends the names of all Vary lines, in lower case, each with the request's values.
func appendSelecting(dst, lines []byte, f Fields) []byte {
	for len(lines) > 0 {
		var name, value []byte
		name, value, _, lines = cutLine(lines)
		if !foldEqual(name, "vary") {
			continue
		}
		for rest := value; rest != nil; {
			var item []byte
			item, rest = cutItem(rest)
			if len(item) == 0 {
				continue
			}
			from := len(dst) + 3
			dst = appendCounted(dst, item)
			for i := from; i < len(dst); i++ {
				dst[i] = lower(dst[i])
			}
			name := dst[from:]
			counted := len(dst)
			dst = append(dst, 0, 0, 0)
			dst = appendValues(dst, f, name)
			n := len(dst) - counted - 3
			dst[counted], dst[counted+1], dst[counted+2] = byte(n>>16), byte(n>>8), byte(n)
		}
	}
	return dst
}

// appendStored appends the lines that are stored: not those of the connection (RFC 9111 §3.1, RFC 9110 §7.6.1) and of framing,
// not Age, which is computed, and where only a 304's lines are taken, not those that describe the content (RFC 9111 §3.2).
func appendStored(dst, lines []byte) []byte {
	all := lines
	for len(lines) > 0 {
		var name, whole []byte
		name, _, whole, lines = cutLine(lines)
		if len(name) > 0 && !unstored(name) && !nominated(all, name) {
			dst = append(dst, whole...)
		}
	}
	return dst
}

func unstored(name []byte) bool {
	for _, s := range []string{"connection", "age", "content-length", "transfer-encoding", "keep-alive", "proxy-connection",
		"proxy-authenticate", "proxy-authentication-info", "te", "trailer", "upgrade"} {
		if foldEqual(name, s) {
			return true
		}
	}
	return false
}

// nominated reports whether a Connection line names the field.
func nominated(lines, field []byte) bool {
	for len(lines) > 0 {
		var name, value []byte
		name, value, _, lines = cutLine(lines)
		if !foldEqual(name, "connection") {
			continue
		}
		for rest := value; rest != nil; {
			var item []byte
			if item, rest = cutItem(rest); len(item) == len(field) && equalFold(item, field) {
				return true
			}
		}
	}
	return false
}

func equalFold(a, b []byte) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// note finds the validators in the entry's lines.
func (e *entry) note() {
	e.terms.etag, e.terms.lastMod = span{}, span{}
	at := int(e.lines)
	for rest := e.headers[at:]; len(rest) > 0; {
		var name, value, whole []byte
		name, value, whole, rest = cutLine(rest)
		var to *span
		switch {
		case foldEqual(name, "etag"):
			to = &e.terms.etag
		case foldEqual(name, "last-modified"):
			to = &e.terms.lastMod
		}
		if to != nil && len(value) > 0 {
			from := at + int(uintptr(unsafe.Pointer(&value[0]))-uintptr(unsafe.Pointer(&whole[0])))
			*to = span{int32(from), int32(from + len(value))}
		}
		at += len(whole)
	}
}
