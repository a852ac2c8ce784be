package probe

import (
	"bytes"

	"corelab/httpcore"
)

// serveFields answers every field line received. Neither names nor values hold a line end, so that a line is a field.
func serveFields(x *httpcore.Exchange) {
	var b []byte
	for i := range x.NumFields() {
		name, value := x.FieldAt(i)
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, '\n')
	}
	x.Reply(&httpcore.Reply{Type: textType, Body: b})
}

// serveCookies answers every cookie received, those of several Cookie lines in their order, RFC 6265 §4.2. What is no pair,
// for want of a name or of the equals sign, is left out; a value is not looked into.
func serveCookies(x *httpcore.Exchange) {
	var b []byte
	for i := range x.NumFields() {
		name, rest := x.FieldAt(i)
		if !bytes.EqualFold(name, []byte("cookie")) {
			continue
		}
		for more := true; more; {
			var pair []byte
			pair, rest, more = bytes.Cut(rest, []byte(";"))
			pair = bytes.Trim(pair, " \t")
			if bytes.IndexByte(pair, '=') > 0 {
				b = append(b, pair...)
				b = append(b, '\n')
			}
		}
	}
	x.Reply(&httpcore.Reply{Type: textType, Body: b})
}
