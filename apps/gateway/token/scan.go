package token

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is what a JSON value is.
type kind uint8

const (
	text kind = iota + 1
	number
	list    // an array
	mapping // an object
	other   // true, false or null
)

// value is a JSON value. Of a text, data is what it says, without quotes and escapes; of anything else, its source.
type value struct {
	kind kind
	data []byte
}

// scanner reads one JSON object, RFC 8259, member by member, and nothing but it: no second value, no duplicate member
// (RFC 7515 §4, RFC 7519 §4), no invalid UTF-8, no lone surrogate, no depth beyond maxDepth. What it returns is borrowed
// from the source, or from its own memory, until the following open.
type scanner struct {
	b       []byte
	at      int
	members int
	names   [maxMembers][]byte
	spare   []byte // texts that had escapes
	bad     Refusal
}

const (
	maxMembers = 64 // of an object: comparing each name with all before it must stay cheap
	maxDepth   = 16 // of values in values
)

// open begins with the object in b.
func (s *scanner) open(b []byte) {
	s.b, s.at, s.members, s.spare, s.bad = b, 0, 0, s.spare[:0], 0
	if !utf8.Valid(b) {
		s.bad = Malformed
		return
	}
	s.white()
	if !s.take('{') {
		s.bad = Malformed
	}
}

// next returns the next member. more is false after the last one, and when the source is refused: then bad says why.
func (s *scanner) next() (name []byte, v value, more bool) {
	if s.bad != 0 {
		return nil, value{}, false
	}
	s.white()
	if s.take('}') {
		s.white()
		if s.at < len(s.b) {
			s.bad = Malformed
		}
		return nil, value{}, false
	}
	if s.members > 0 {
		if !s.take(',') {
			return s.refuse(Malformed)
		}
		s.white()
	}
	name, ok := s.string()
	if !ok {
		return s.refuse(Malformed)
	}
	for _, n := range s.names[:s.members] {
		if bytes.Equal(n, name) {
			return s.refuse(Duplicate)
		}
	}
	if s.members == maxMembers {
		return s.refuse(Malformed)
	}
	s.names[s.members] = name
	s.members++
	s.white()
	if !s.take(':') {
		return s.refuse(Malformed)
	}
	if v, ok = s.value(1); !ok {
		return s.refuse(Malformed)
	}
	return name, v, true
}

func (s *scanner) refuse(why Refusal) (name []byte, v value, more bool) {
	s.bad = why
	return nil, value{}, false
}

// value reads a value and the white space around it.
func (s *scanner) value(depth int) (v value, ok bool) {
	s.white()
	from := s.at
	if from == len(s.b) || depth > maxDepth {
		return v, false
	}
	switch c := s.b[from]; c {
	case '"':
		v.kind = text
		v.data, ok = s.string()
		s.white()
		return v, ok
	case '{':
		v.kind, ok = mapping, s.object(depth)
	case '[':
		v.kind, ok = list, s.array(depth)
	case 't':
		v.kind, ok = other, s.word("true")
	case 'f':
		v.kind, ok = other, s.word("false")
	case 'n':
		v.kind, ok = other, s.word("null")
	default:
		v.kind, ok = number, s.number()
	}
	v.data = s.b[from:s.at]
	s.white()
	return v, ok
}

// object passes over an object inside. Its names may repeat: what is in it is not looked at.
func (s *scanner) object(depth int) bool {
	s.at++
	s.white()
	if s.take('}') {
		return true
	}
	for {
		s.white()
		if _, ok := s.string(); !ok {
			return false
		}
		s.white()
		if !s.take(':') {
			return false
		}
		if _, ok := s.value(depth + 1); !ok {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// array passes over an array.
func (s *scanner) array(depth int) bool {
	s.at++
	s.white()
	if s.take(']') {
		return true
	}
	for {
		if _, ok := s.value(depth + 1); !ok {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// number passes over a number, RFC 8259 §6.
func (s *scanner) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.b) && s.b[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > from
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.at < len(w) || string(s.b[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

func (s *scanner) take(c byte) bool {
	if s.at == len(s.b) || s.b[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) white() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// string reads a string, RFC 8259 §7, and returns what it says: where it lies, unless it has escapes.
func (s *scanner) string() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for i := s.at; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			said := s.b[s.at:i]
			s.at = i + 1
			return said, true
		case c == '\\':
			return s.escaped(i)
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// escaped goes on with a string whose first escape is at i.
func (s *scanner) escaped(i int) ([]byte, bool) {
	from := len(s.spare)
	s.spare = append(s.spare, s.b[s.at:i]...)
	for i < len(s.b) {
		c := s.b[i]
		i++
		switch {
		case c == '"':
			s.at = i
			return s.spare[from:], true
		case c < ' ' || c == '\\' && i == len(s.b):
			return nil, false
		case c != '\\':
			s.spare = append(s.spare, c)
			continue
		}
		c = s.b[i]
		i++
		switch c {
		case '"', '\\', '/':
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, n := s.rune(i)
			if n == 0 {
				return nil, false
			}
			s.spare = utf8.AppendRune(s.spare, r)
			i += n
			continue
		default:
			return nil, false
		}
		s.spare = append(s.spare, c)
	}
	return nil, false
}

// rune reads the four digits of \u at i, and the second half of a pair. n is 0 where they are none, or a half alone.
func (s *scanner) rune(i int) (r rune, n int) {
	r, ok := hex4(s.b, i)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(s.b)-i < 10 || s.b[i+4] != '\\' || s.b[i+5] != 'u' {
		return 0, 0
	}
	low, ok := hex4(s.b, i+6)
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 10
}

func hex4(b []byte, i int) (r rune, ok bool) {
	if len(b)-i < 4 {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
