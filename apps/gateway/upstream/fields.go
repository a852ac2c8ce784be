package upstream

import (
	"net/netip"
	"strconv"

	"corelab/httpcore"
)

// Edits are changes to the field lines of a request: lines to add, and names to leave out.
type Edits interface {
	Drops(name []byte) bool
	Lines() []byte
	Empty() bool
}

// Forwarded says how the upstream is told who asks.
type Forwarded uint8

const (
	ForwardedOff   Forwarded = iota // not at all: what the client says about it is left out all the same
	ForwardedX                      // X-Forwarded-For, -Proto, -Host and X-Real-IP
	ForwardedRFC                    // Forwarded, RFC 7239
	ForwardedTrust                  // as ForwardedX, behind what the client said: it is a proxy of ours
)

// Request is what a request's head is made of, besides what the client sent.
type Request struct {
	Target    []byte // in origin-form; nil: what the client asked for
	Host      string // empty: the client's
	Forwarded Forwarded
	Edits     Edits
	Upgrades  []string // protocols that the client may switch to
}

// Sent says what follows a request's head.
type Sent struct {
	Method  httpcore.Method
	Content bool   // content follows
	Chunked bool   // and is sent so: its length is not known
	Upgrade string // the protocol that the head asks to switch to; empty for none
}

// Append appends the head of x as it goes to the upstream: in origin-form, without the fields of the client's hop, framed
// anew.
func (r *Request) Append(dst []byte, x *httpcore.Exchange) (head []byte, sent Sent) {
	sent.Method = x.Method()
	dst = append(dst, x.MethodName()...)
	dst = append(dst, ' ')
	dst = r.appendTarget(dst, x)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	host := x.Host()
	if r.Host != "" {
		dst = append(dst, r.Host...)
	} else {
		dst = append(dst, host...)
	}
	dst = append(dst, "\r\n"...)
	switch n := x.ContentLength(); {
	case n < 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		sent.Content, sent.Chunked = true, true
	case n > 0 || wantsLength(x.Method()):
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, "\r\n"...)
		sent.Content = n > 0
	}
	nominates := nominates(x)
	edited := r.Edits != nil && !r.Edits.Empty()
	for i := range x.NumFields() {
		name, value := x.FieldAt(i)
		if k := kindOf(name); k != fieldPlain && (k != fieldForwarded || r.Forwarded != ForwardedTrust) {
			if nominates && sent.Upgrade == "" && isName(name, "upgrade") && nominated(x, name) {
				sent.Upgrade = r.upgrade(x, value)
			}
			continue
		}
		if nominates && nominated(x, name) || edited && r.Edits.Drops(name) {
			continue
		}
		dst = append(dst, name...)
		dst = append(dst, ": "...)
		dst = append(dst, value...)
		dst = append(dst, "\r\n"...)
	}
	if r.Forwarded != ForwardedOff {
		dst = r.appendForwarded(dst, x.Peer().Addr().Unmap(), host)
	}
	if edited {
		dst = append(dst, r.Edits.Lines()...)
	}
	if sent.Upgrade != "" {
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
		dst = append(dst, sent.Upgrade...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), sent
}

// upgrade returns the first of Upgrades that the value of an Upgrade field has. A request of HTTP/1.0 asks for none, RFC 9110
// §7.8, and behind one with content a tunnel would begin nobody knows where.
func (r *Request) upgrade(x *httpcore.Exchange, value []byte) string {
	if x.Minor() == 0 || x.ContentLength() != 0 {
		return ""
	}
	for _, u := range r.Upgrades {
		if listHas(value, []byte(u)) {
			return u
		}
	}
	return ""
}

// appendTarget appends the target in origin-form, RFC 9112 §3.2.1, whichever form the client used.
func (r *Request) appendTarget(dst []byte, x *httpcore.Exchange) []byte {
	if r.Target != nil {
		return append(dst, r.Target...)
	}
	if t := x.Target(); len(t) > 0 && t[0] == '/' {
		return append(dst, t...)
	}
	dst = append(dst, x.Path()...)
	if q := x.Query(); q != nil {
		dst = append(dst, '?')
		dst = append(dst, q...)
	}
	return dst
}

// wantsLength reports whether a request of the method without content says so, RFC 9110 §8.6.
func wantsLength(m httpcore.Method) bool {
	return m == httpcore.MethodPost || m == httpcore.MethodPut || m == httpcore.MethodPatch
}

// appendForwarded appends who asks. A line that the client sent of the same name goes before it where it is trusted, and
// both are one list (RFC 9110 §5.3).
func (r *Request) appendForwarded(dst []byte, peer netip.Addr, host []byte) []byte {
	if r.Forwarded == ForwardedRFC {
		dst = append(dst, "Forwarded: for="...)
		if peer.Is6() {
			dst = append(dst, `"[`...)
			dst = peer.AppendTo(dst)
			dst = append(dst, `]"`...)
		} else if peer.IsValid() {
			dst = peer.AppendTo(dst)
		} else {
			dst = append(dst, "unknown"...)
		}
		dst = append(dst, `;proto=http;host="`...)
		dst = append(dst, host...)
		return append(dst, "\"\r\n"...)
	}
	if peer.IsValid() {
		dst = append(dst, "X-Forwarded-For: "...)
		dst = peer.AppendTo(dst)
		dst = append(dst, "\r\n"...)
	}
	if r.Forwarded == ForwardedTrust {
		return dst
	}
	if peer.IsValid() {
		dst = append(dst, "X-Real-IP: "...)
		dst = peer.AppendTo(dst)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "X-Forwarded-Proto: http\r\nX-Forwarded-Host: "...)
	dst = append(dst, host...)
	return append(dst, "\r\n"...)
}

// AppendAnswer appends the field lines of an answer as they go to the client: without those of the upstream's hop, of
// framing, and of those that every answer of ours has, Date and Server.
func AppendAnswer(dst []byte, h *httpcore.ResponseHead) []byte {
	nominates := nominates(h)
	for i := range h.NumFields() {
		name, value := h.FieldAt(i)
		switch len(name) {
		case len("date"):
			if isName(name, "date") {
				continue
			}
		case len("server"):
			if isName(name, "server") {
				continue
			}
		}
		if k := kindOf(name); k == fieldHop || k == fieldFraming || nominates && nominated(h, name) {
			continue
		}
		dst = append(dst, name...)
		dst = append(dst, ": "...)
		dst = append(dst, value...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// fieldKind is what a proxy does with a field.
type fieldKind uint8

const (
	fieldPlain     fieldKind = iota // passed on
	fieldHop                        // of one hop, RFC 9110 §7.6.1
	fieldFraming                    // of the message on one hop, made anew: Content-Length, Host, Expect …
	fieldForwarded                  // says who asks, which only we know
)

// fielded is a head.
type fielded interface {
	NumFields() int
	FieldAt(i int) (name, value []byte)
}

// nominates reports whether a Connection field names fields that are of this hop, RFC 9110 §7.6.1: hardly any does.
func nominates(h fielded) bool {
	for i := range h.NumFields() {
		if name, value := h.FieldAt(i); len(name) == len("connection") && isName(name, "connection") {
			if !isName(value, "keep-alive") && !isName(value, "close") {
				return true
			}
		}
	}
	return false
}

// nominated reports whether a Connection field names name.
func nominated(h fielded, name []byte) bool {
	for i := range h.NumFields() {
		if n, list := h.FieldAt(i); len(n) == len("connection") && isName(n, "connection") && listHas(list, name) {
			return true
		}
	}
	return false
}

// kindOf tells what a field is. Upstreams that turn names into variables take an underscore for a hyphen: so do we, or the
// client could say by X_Real_IP what it may not by X-Real-IP. Dispatch is by length, so that most fields cost next to nothing.
func kindOf(name []byte) fieldKind {
	for _, f := range &special[min(len(name), len(special)-1)] {
		if f.name == "" {
			break
		}
		if isName(name, f.name) {
			return f.kind
		}
	}
	return fieldPlain
}

type specialField struct {
	name string
	kind fieldKind
}

// special is the fields that are not passed on as they come, by the length of their names.
var special = func() (t [20][4]specialField) {
	for kind, names := range map[fieldKind][]string{
		fieldHop:       {"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "proxy-authorization", "http2-settings"},
		fieldFraming:   {"content-length", "transfer-encoding", "host", "expect"},
		fieldForwarded: {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip"},
	} {
		for _, n := range names {
			row := &t[len(n)]
			for i := range row {
				if row[i].name == "" {
					row[i] = specialField{n, kind}
					break
				}
				if i == len(row)-1 {
					panic("upstream: too many special fields of one length")
				}
			}
		}
	}
	return t
}()

// isName compares a field name with one in lower case.
func isName(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '_':
			c = '-'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// listHas reports whether a comma-separated list of names has one, in any case.
func listHas(list, name []byte) bool {
	for len(list) > 0 {
		i := 0
		for i < len(list) && list[i] != ',' {
			i++
		}
		item := list[:i]
		for len(item) > 0 && (item[0] == ' ' || item[0] == '\t') {
			item = item[1:]
		}
		for len(item) > 0 && (item[len(item)-1] == ' ' || item[len(item)-1] == '\t') {
			item = item[:len(item)-1]
		}
		if len(item) == len(name) && foldEqual(item, name) {
			return true
		}
		list = list[min(i+1, len(list)):]
	}
	return false
}

func foldEqual(a, b []byte) bool {
	for i, c := range a {
		d := b[i]
		if c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
