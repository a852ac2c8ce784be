package lab

import (
	"bytes"
	"time"

	"corelab/httpcore"
)

var (
	preconditionFailed = httpcore.Reply{Status: 412, Type: textType, Body: []byte("the file is not the one that the request names\n")}
	tooManyFiles       = httpcore.Reply{Status: 503, Type: textType, Fields: "Retry-After: 1\r\n", Body: []byte("too many open files\n")}
)

// outcome is what the preconditions of a request say.
type outcome int

const (
	proceed   outcome = iota
	unchanged         // 304
	failed            // 412
)

// evaluate evaluates the preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2; If-Range comes later, with the
// range.
func evaluate(x *httpcore.Exchange, rep *representation) outcome {
	if match, found := matchTag(x, "If-Match", rep.etag, strong); found {
		if !match {
			return failed
		}
	} else if since, found := dateField(x, "If-Unmodified-Since"); found && rep.modified.After(since) {
		return failed
	}
	if match, found := matchTag(x, "If-None-Match", rep.etag, weak); found {
		if match {
			return unchanged
		}
		return proceed
	}
	if since, found := dateField(x, "If-Modified-Since"); found && !rep.modified.After(since) {
		return unchanged
	}
	return proceed
}

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
		if !equalFold(n, name) {
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
	for {
		list = bytes.TrimLeft(list, " \t,")
		tag, rest, isWeak := cutTag(list)
		if tag == nil {
			return false
		}
		if string(tag) == etag && (c == weak || !isWeak) {
			return true
		}
		list = bytes.TrimLeft(rest, " \t")
		if len(list) > 0 && list[0] != ',' {
			return false
		}
	}
}

// cutTag splits an entity tag off the front: [W/] DQUOTE *etagc DQUOTE, RFC 9110 §8.8.3. tag is nil if there is none.
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

// ifRange reports whether Range is to be looked at: there is no If-Range, or its validator is that of the file, an entity
// tag by strong comparison or exactly the Last-Modified (RFC 9110 §13.1.5).
func ifRange(x *httpcore.Exchange, rep *representation) bool {
	value, found := x.Field("If-Range")
	if !found {
		return true
	}
	if tag, rest, isWeak := cutTag(value); tag != nil {
		return !isWeak && len(rest) == 0 && string(tag) == rep.etag
	}
	date, valid := parseDate(value)
	return valid && date.Equal(rep.modified)
}

// dateField returns the date of the field of that name, if there is a valid one: an invalid one is ignored.
func dateField(x *httpcore.Exchange, name string) (time.Time, bool) {
	value, found := x.Field(name)
	if !found {
		return time.Time{}, false
	}
	return parseDate(value)
}

// parseDate reads an HTTP-date in any of the three forms of RFC 9110 §5.6.7.
func parseDate(value []byte) (time.Time, bool) {
	for _, layout := range [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if t, err := time.Parse(layout, string(value)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// equalFold compares a field name with one of ours, in any case of ASCII letters.
func equalFold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range b {
		c, d := b[i], name[i]
		if c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
