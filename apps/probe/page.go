package probe

import (
	"time"

	"corelab/apps/precondition"
	"corelab/httpcore"
)

const textType = "text/plain"

// validators are those of the one page. Its content never changed since its date, which is that of RFC 9110 and RFC 9112:
// it must not lie after the Date of a reply (RFC 9110 §8.8.2.1), so that it must not be today's.
var validators = precondition.Validators{ETag: `"corelab-probe"`, Modified: time.Date(2022, time.June, 6, 0, 0, 0, 0, time.UTC)}

// allow is the Allow field of /: the methods that have a route there, but for that of any method.
const allow = "Allow: GET, HEAD, POST, OPTIONS\r\n"

// Replies that never change: a Conn only reads a Reply, so that all loops share them.
var (
	page        = httpcore.Reply{Type: textType, Fields: validatorFields(), Body: []byte("OK")}
	notModified = httpcore.Reply{Status: 304, Fields: "ETag: " + validators.ETag + "\r\n"} // no more, RFC 9110 §15.4.5
	failed      = httpcore.Reply{Status: 412, Type: textType, Body: []byte("the page is not the one that the request names\n")}
	options     = httpcore.Reply{Status: 204, Fields: allow}
	notAllowed  = httpcore.Reply{Status: 405, Type: textType, Fields: allow, Body: []byte("this method has nothing to do here\n")}
	notFound    = httpcore.Reply{Status: 404, Type: textType, Body: []byte("there is nothing here\n")}
	badPath     = httpcore.Reply{Status: 400, Type: textType, Body: []byte("the path holds an encoded control character\n")}
)

func validatorFields() string {
	date := httpcore.FormatDate(validators.Modified)
	return "ETag: " + validators.ETag + "\r\nLast-Modified: " + string(date[:]) + "\r\n"
}

// constant serves the same reply always. Content is read behind it, within Limits.LingerRead.
func constant(r *httpcore.Reply) func(*httpcore.Exchange) {
	return func(x *httpcore.Exchange) { x.Reply(r) }
}

// servePage answers GET and HEAD of /.
func servePage(x *httpcore.Exchange) {
	switch precondition.Evaluate(x, validators, time.Now()) {
	case precondition.Unchanged:
		x.Reply(&notModified)
	case precondition.Failed:
		x.Reply(&failed)
	default:
		x.Reply(&page)
	}
}

// serveElsewhere answers what is no path of ours. An encoded control character is refused: it should be where raw data is
// not expected (RFC 3986 §7.3), and whoever sends it hopes that it is decoded into a line end or the end of a name.
func serveElsewhere(x *httpcore.Exchange) {
	if hasEncodedControl(x.Path()) {
		x.Reply(&badPath)
		return
	}
	x.Reply(&notFound)
}

// hasEncodedControl reports whether a valid path holds %00 to %1F or %7F.
func hasEncodedControl(path []byte) bool {
	for i := 0; i+2 < len(path); i++ {
		if path[i] != '%' {
			continue
		}
		high, low := path[i+1], path[i+2]|0x20
		if high == '0' || high == '1' || high == '7' && low == 'f' {
			return true
		}
		i += 2
	}
	return false
}
