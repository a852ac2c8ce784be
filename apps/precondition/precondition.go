package precondition

import (
	"bytes"
	"time"

	"corelab/httpcore"
)

// Validators say which state a representation is in.
type Validators struct {
	ETag     string    // with its quotes, and W/ where it is weak
	Modified time.Time // to the second, as Last-Modified says it, and not after the reply's Date
}

// Outcome is what the preconditions of a request say.
type Outcome int

const (
	Proceed   Outcome = iota // answer as if there were none
	Unchanged                // 304 (Not Modified)
	Failed                   // 412 (Precondition Failed)
)

// Evaluate evaluates the preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2, but for If-Range, which is about
// a part only: see [Range]. now is the server's time.
func Evaluate(x *httpcore.Exchange, v Validators, now time.Time) Outcome {
	if match, found := matchTag(x, "If-Match", v.ETag, strong); found {
		if !match {
			return Failed
		}
	} else if since, found := dateField(x, "If-Unmodified-Since", now); found && v.Modified.After(since) {
		return Failed
	}
	if match, found := matchTag(x, "If-None-Match", v.ETag, weak); found {
		if match {
			return Unchanged
		}
		return Proceed
	}
	// A date that lies ahead is none that this server gave, and says nothing of what the client has. It counts as invalid,
	// as it did in RFC 2616 §14.25; a 304 is but a SHOULD in RFC 9110 §13.1.3, and the whole answer is always right.
	if since, found := dateField(x, "If-Modified-Since", now); found && !since.After(now) && !v.Modified.After(since) {
		return Unchanged
	}
	return Proceed
}

// Range reports whether a Range is to be looked at: there is no If-Range, or its validator is v's, an entity tag by strong
// comparison or exactly the Last-Modified (RFC 9110 §13.1.5).
func Range(x *httpcore.Exchange, v Validators, now time.Time) bool {
	value, found := x.Field("If-Range")
	if !found {
		return true
	}
	if tag, rest, isWeak := cutTag(value); tag != nil {
		return !isWeak && len(rest) == 0 && string(tag) == v.ETag
	}
	date, valid := ParseDate(value, now)
	return valid && date.Equal(v.Modified)
}

// dateField returns the date of the field of that name, if it is there once and valid: otherwise it is ignored.
func dateField(x *httpcore.Exchange, name string, now time.Time) (t time.Time, valid bool) {
	seen := false
	for i := range x.NumFields() {
		n, value := x.FieldAt(i)
		if !bytes.EqualFold(n, []byte(name)) {
			continue
		}
		if seen {
			return time.Time{}, false
		}
		seen = true
		t, valid = ParseDate(value, now)
	}
	return t, valid
}

// ParseDate reads an HTTP-date in any of the three forms of RFC 9110 §5.6.7. A year of two digits that seems to lie more
// than 50 years ahead of now is the last one that ended so.
func ParseDate(value []byte, now time.Time) (time.Time, bool) {
	if t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", string(value)); err == nil {
		return t, true
	}
	if t, err := time.Parse("Monday, 02-Jan-06 15:04:05 GMT", string(value)); err == nil {
		t = t.AddDate(now.Year()/100*100-t.Year()/100*100, 0, 0)
		if t.After(now.AddDate(50, 0, 0)) {
			t = t.AddDate(-100, 0, 0)
		}
		return t, true
	}
	t, err := time.Parse(time.ANSIC, string(value))
	return t, err == nil
}
