package token

import (
	"math"
	"strconv"
	"time"
	"unsafe"
)

// Rules say which tokens a [Verifier] accepts. The zero value accepts tokens of any issuer that expire, name no audience
// and have a subject.
type Rules struct {
	// Issuer is the one accepted, compared byte by byte; empty accepts any.
	Issuer string
	// Audiences are those that this gateway answers to: a token must name one of them. With none a token must name none,
	// RFC 7519 §4.1.3.
	Audiences []string
	// Type is the typ accepted, without "application/", in any case; empty accepts any, and none. RFC 8725 §3.11.
	Type string
	// Scope is the claim that lists what the bearer may do: one text with spaces between (RFC 8693 §4.2) or an array of
	// texts. Empty is "scope".
	Scope string
	// Leeway is the difference of clocks that is overlooked, with exp, nbf, iat and MaxAge.
	Leeway time.Duration
	// MaxAge is the longest time since iat, which must be there then; 0 asks for none.
	MaxAge time.Duration
	// Eternal accepts tokens without exp: they end only by revocation.
	Eternal bool
	// Nameless accepts tokens without sub.
	Nameless bool
	// MaxBytes is the longest token; 0 is 8192.
	MaxBytes int
}

const defaultMaxBytes = 8192

// claims are those of a token that are looked at. The slices are borrowed from what was scanned.
type claims struct {
	issuer, subject, id, scope []byte
	expires, before, issued    int64 // Unix nanoseconds
	has                        uint8
	named                      bool // aud names one of the rules' audiences
}

const (
	hasExpires uint8 = 1 << iota
	hasBefore
	hasIssued
	hasAudience
)

// read scans the claims in b. What RFC 7519 §4.1 gives a type must be of that type.
func (v *Verifier) read(b []byte, c *claims) Refusal {
	*c = claims{}
	v.scope = v.scope[:0]
	v.scan.open(b)
	for {
		name, val, more := v.scan.next()
		if !more {
			return v.scan.bad
		}
		ok := true
		switch string(name) {
		case "iss":
			c.issuer, ok = val.data, val.kind == text
		case "sub":
			c.subject, ok = val.data, val.kind == text
		case "jti":
			c.id, ok = val.data, val.kind == text
		case "aud":
			c.has |= hasAudience
			ok = v.audience(val, c)
		case "exp":
			c.has |= hasExpires
			c.expires, ok = date(val)
		case "nbf":
			c.has |= hasBefore
			c.before, ok = date(val)
		case "iat":
			c.has |= hasIssued
			c.issued, ok = date(val)
		}
		if ok && string(name) == v.rules.Scope {
			ok = v.grants(val)
			c.scope = v.scope
		}
		if !ok {
			return Malformed
		}
	}
}

// audience reads aud, one text or an array of them, RFC 7519 §4.1.3.
func (v *Verifier) audience(val value, c *claims) bool {
	for t := v.texts(val); ; {
		s, more := t.next()
		if !more {
			return t.ok
		}
		for _, a := range v.rules.Audiences {
			c.named = c.named || string(s) == a
		}
	}
}

// grants puts the texts of a scope beside each other, with a space between them.
func (v *Verifier) grants(val value) bool {
	for t := v.texts(val); ; {
		s, more := t.next()
		if !more {
			return t.ok
		}
		if len(v.scope) > 0 {
			v.scope = append(v.scope, ' ')
		}
		v.scope = append(v.scope, s...)
	}
}

// texts goes through a text, or the texts of an array.
type texts struct {
	s    *scanner
	one  []byte
	ok   bool // so far there was nothing but texts
	done bool
}

// texts uses the scanner in, which nothing else uses, so that the one of the claims stays where it is.
func (v *Verifier) texts(val value) texts {
	switch val.kind {
	case text:
		return texts{one: val.data, ok: true}
	case list:
		v.in.b, v.in.at, v.in.spare = val.data, 1, v.in.spare[:0]
		return texts{s: &v.in, ok: true}
	}
	return texts{done: true}
}

func (t *texts) next() (s []byte, more bool) {
	if t.done {
		return nil, false
	}
	if t.s == nil {
		t.done = true
		return t.one, true
	}
	t.s.white()
	t.s.take(',') // the array was scanned before: its commas are where they must be
	v, ok := t.s.value(1)
	if ok && v.kind == text {
		return v.data, true
	}
	t.done, t.ok = true, !ok && t.s.take(']') // behind the last one there is no value
	return nil, false
}

// date reads a NumericDate, RFC 7519 §2: seconds of Unix time, with a fraction or not. Beyond what nanoseconds of 64 bits
// can say, in the years 1677 and 2262, it is the first or the last of them.
func date(val value) (ns int64, ok bool) {
	if val.kind != number {
		return 0, false
	}
	n, digits := int64(0), val.data
	if len(digits) <= 10 {
		for i, c := range digits {
			if c-'0' > 9 {
				break
			}
			if n = n*10 + int64(c-'0'); i == len(digits)-1 {
				return saturate(float64(n), n), true
			}
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(digits), len(digits)), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	if whole := int64(f); f > -1e10 && f < 1e10 {
		return saturate(f, whole) + int64((f-float64(whole))*1e9), true
	}
	return saturate(f, 0), true
}

// saturate is seconds as nanoseconds, whole where that is in range of what f says.
func saturate(f float64, whole int64) int64 {
	const most = math.MaxInt64/int64(time.Second) - 1
	switch {
	case f >= float64(most):
		return math.MaxInt64
	case f <= -float64(most):
		return math.MinInt64
	}
	return whole * int64(time.Second)
}

// judge holds the claims against the rules, and returns the time in which they hold: from, inclusive, to until.
func (v *Verifier) judge(c *claims, now int64) (from, until int64, why Refusal) {
	r := &v.rules
	leeway := int64(r.Leeway)
	from, until = math.MinInt64, math.MaxInt64
	if c.has&hasExpires != 0 {
		if until = plus(c.expires, leeway); now >= until {
			return 0, 0, Expired
		}
	} else if !r.Eternal {
		return 0, 0, Eternal
	}
	if c.has&hasBefore != 0 {
		if from = plus(c.before, -leeway); now < from {
			return 0, 0, TooEarly
		}
	}
	if c.has&hasIssued != 0 {
		issued := plus(c.issued, -leeway)
		if from = max(from, issued); now < issued {
			return 0, 0, IssuedLater
		}
	}
	if r.MaxAge > 0 {
		end := plus(plus(c.issued, int64(r.MaxAge)), leeway)
		if c.has&hasIssued == 0 || now >= end {
			return 0, 0, TooOld
		}
		until = min(until, end)
	}
	switch {
	case r.Issuer != "" && string(c.issuer) != r.Issuer:
		return 0, 0, WrongIssuer
	case c.has&hasAudience != 0 && !c.named, len(r.Audiences) > 0 && !c.named:
		return 0, 0, WrongAudience
	case len(c.subject) == 0 && !r.Nameless:
		return 0, 0, NoSubject
	}
	return from, until, 0
}

// plus adds without wrapping.
func plus(a, b int64) int64 {
	switch s := a + b; {
	case b > 0 && s < a:
		return math.MaxInt64
	case b < 0 && s > a:
		return math.MinInt64
	default:
		return s
	}
}
