package store

import (
	"time"

	"corelab/apps/precondition"
)

// Fields are the field lines of a request; an *httpcore.Exchange has them.
type Fields interface {
	NumFields() int
	FieldAt(i int) (name, value []byte)
}

// line is the next of field lines that each end with CRLF.
func cutLine(lines []byte) (name, value, whole, rest []byte) {
	end := 0
	for end < len(lines) && lines[end] != '\n' {
		end++
	}
	end = min(end+1, len(lines))
	whole, rest = lines[:end:end], lines[end:]
	for i, c := range whole {
		if c == ':' {
			return whole[:i], trim(whole[i+1:]), whole, rest
		}
	}
	return nil, nil, whole, rest
}

// trim cuts white space and a line's end off.
func trim(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// foldEqual compares without regard to the case of ASCII letters. s is in lower case.
func foldEqual(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != s[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// cutItem cuts the first member off a list that has no quoted strings.
func cutItem(list []byte) (item, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}

// parseDate reads an HTTP-date (RFC 9110 §5.6.7) and returns it in seconds since 1970. now is the time it is read at. The
// preferred form takes no memory.
func parseDate(b []byte, now int64) (int64, bool) {
	if t, ok := parseFixdate(b); ok {
		return t, true
	}
	t, ok := precondition.ParseDate(b, time.Unix(now, 0).UTC())
	return t.Unix(), ok
}

// parseFixdate reads an IMF-fixdate, but leaves the name of the day unread: it adds nothing.
func parseFixdate(b []byte) (int64, bool) {
	const form = "Sun, 06 Nov 1994 08:49:37 GMT"
	if len(b) != len(form) || b[3] != ',' || b[4] != ' ' || b[7] != ' ' || b[11] != ' ' || b[16] != ' ' || b[19] != ':' ||
		b[22] != ':' || string(b[25:]) != " GMT" {
		return 0, false
	}
	month := 0
	for i := range 12 {
		if const3 := "JanFebMarAprMayJunJulAugSepOctNovDec"[3*i : 3*i+3]; string(b[8:11]) == const3 {
			month = i + 1
		}
	}
	day, ok1 := digits(b[5:7])
	year, ok2 := digits(b[12:16])
	hour, ok3 := digits(b[17:19])
	minute, ok4 := digits(b[20:22])
	second, ok5 := digits(b[23:25])
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || month == 0 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t.Unix(), t.Day() == day // not 31 February
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// tagMatches reports whether a list of entity tags, an If-None-Match, names etag by weak comparison, RFC 9110 §13.1.2, §8.8.3.2.
// It stops at what is no list of them.
func tagMatches(list, etag []byte) bool {
	etag = opaque(etag)
	if len(etag) == 0 {
		return false
	}
	for {
		for len(list) > 0 && (isBlank(list[0]) || list[0] == ',') {
			list = list[1:]
		}
		list = opaque(list)
		if len(list) == 0 || list[0] != '"' {
			return false
		}
		end := 1
		for end < len(list) && list[end] != '"' {
			end++
		}
		if end == len(list) {
			return false
		}
		if string(list[:end+1]) == string(etag) {
			return true
		}
		list = trim(list[end+1:])
		if len(list) > 0 && list[0] != ',' {
			return false
		}
	}
}

// opaque is an entity tag without W/.
func opaque(tag []byte) []byte {
	if len(tag) > 2 && tag[0] == 'W' && tag[1] == '/' {
		return tag[2:]
	}
	return tag
}
