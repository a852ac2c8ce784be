package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// probeCase is something that a tester sends to --app probe, and what the app answers on every core. The answer is one of
// those that the tester counts as right. ids are what Http11Probe calls the case, and "h1spec" where that has it too.
//
// Where status is below 400 the connection stays open and a request behind it is answered, unless closes is set; a status
// of 400 and above closes, unless open is set. Nothing of what follows a refused message is answered.
type probeCase struct {
	ids    string
	name   string
	send   string
	status int
	then   []int    // of the replies that follow the first one
	body   string   // of the first reply; "" is not looked at
	holds  []string // in its body
	fields []string // in its head: "Name: value", or "Name" with any value
	closes bool
	open   bool
}

// ask is a request with the Host that all have.
func ask(line, fields, content string) string {
	return line + " HTTP/1.1\r\nHost: localhost:8080\r\n" + fields + "\r\n" + content
}

// chunks is a POST whose content is sent chunked.
func chunks(content string) string { return ask("POST /", "Transfer-Encoding: chunked\r\n", content) }

// sized is a POST with that value of Content-Length.
func sized(length, content string) string {
	return ask("POST /", "Content-Length: "+length+"\r\n", content)
}

// coded is a POST with that value of Transfer-Encoding, and a Content-Length besides.
func coded(coding string) string {
	return ask("POST /", "Transfer-Encoding: "+coding+"\r\nContent-Length: 5\r\n", "hello")
}

var getPage = ask("GET /", "", "")

// RFC 9112 §2 and §3.
var lineCases = []probeCase{
	{ids: "COMP-BASELINE h1spec", name: "a plain GET", send: getPage, status: 200, body: "OK", fields: []string{"Content-Length: 2"}},
	{ids: "COMP-DATE-HEADER COMP-DATE-FORMAT COMP-CONTENT-TYPE", name: "an answer has Date and Content-Type", send: getPage, status: 200, fields: []string{"Date", "Content-Type: text/plain"}},
	{ids: "SMUG-PIPELINE-SAFE", name: "two in a row", send: getPage + getPage, status: 200, then: []int{200}, body: "OK"},
	{ids: "RFC9112-2.2-BARE-LF-REQUEST-LINE", name: "bare LF behind the request line", send: "GET / HTTP/1.1\nHost: a\r\n\r\n", status: 400},
	{ids: "RFC9112-3-CR-ONLY-LINE-ENDING", name: "bare CR behind the request line", send: "GET / HTTP/1.1\rHost: a\r\n\r\n", status: 400},
	{ids: "RFC9112-3-MULTI-SP-REQUEST-LINE", name: "two spaces behind the method", send: ask("GET  /", "", ""), status: 400},
	{ids: "COMP-REQUEST-LINE-TAB", name: "tab behind the method", send: ask("GET\t/", "", ""), status: 400},
	{ids: "RFC9112-3-MISSING-TARGET", name: "no target", send: ask("GET", "", ""), status: 400},
	{ids: "COMP-SPACE-IN-TARGET", name: "space in the target", send: ask("GET /pa th", "", ""), status: 400},
	{ids: "COMP-LEADING-CRLF", name: "empty lines before the request", send: "\r\n\r\n" + getPage, status: 200, body: "OK"},
	{ids: "MAL-WHITESPACE-ONLY-LINE", name: "nothing but spaces", send: "   \r\n\r\n", status: 400},
	{ids: "h1spec", name: "a line too many before the request", send: "Extra line" + getPage, status: 400},
	{ids: "RFC9112-2.3-HTTP09-REQUEST", name: "no version, as HTTP/0.9 has it", send: "GET /\r\n", status: 400},
	{ids: "h1spec", name: "a space for the version", send: "GET / \r\n\r\n", status: 400},
	{ids: "RFC9112-2.3-INVALID-VERSION h1spec", name: "version 9.9", send: "GET / HTTP/9.9\r\nHost: a\r\n\r\n", status: 505},
	{ids: "COMP-VERSION-MISSING-MINOR", name: "version 1", send: "GET / HTTP/1\r\nHost: a\r\n\r\n", status: 400},
	{ids: "COMP-VERSION-LEADING-ZEROS", name: "version 01.01", send: "GET / HTTP/01.01\r\nHost: a\r\n\r\n", status: 400},
	{ids: "COMP-VERSION-WHITESPACE", name: "space in the version", send: "GET / HTTP/ 1.1\r\nHost: a\r\n\r\n", status: 400},
	{ids: "COMP-VERSION-CASE", name: "version in lower case", send: "GET / http/1.1\r\nHost: a\r\n\r\n", status: 400},
	{ids: "COMP-HTTP12-VERSION", name: "version 1.2", send: "GET / HTTP/1.2\r\nHost: a\r\n\r\n", status: 200, body: "OK"},
	{ids: "MAL-H2-PREFACE", name: "the preface of HTTP/2", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505},
	{ids: "MAL-BINARY-GARBAGE", name: "bytes that are no HTTP", send: garbage(), status: 400},
}

// RFC 9112 §3.2, RFC 3986.
var targetCases = []probeCase{
	{ids: "RFC9112-3.2-FRAGMENT-IN-TARGET", name: "a fragment", send: ask("GET /path#frag", "", ""), status: 400},
	{name: "a fragment of /", send: ask("GET /#", "", ""), status: 400},
	{ids: "COMP-ASTERISK-WITH-GET", name: "asterisk with GET", send: ask("GET *", "", ""), status: 400},
	{ids: "COMP-OPTIONS-STAR", name: "asterisk with OPTIONS", send: ask("OPTIONS *", "", ""), status: 204, fields: []string{"Allow"}},
	{ids: "COMP-ABSOLUTE-FORM", name: "absolute-form", send: ask("GET http://localhost:8080/", "", ""), status: 200, body: "OK"},
	{ids: "SMUG-ABSOLUTE-URI-HOST-MISMATCH", name: "absolute-form for another host than Host", send: ask("GET http://other.example.com/", "", ""), status: 200, body: "OK"},
	{ids: "COMP-LONG-URL-OK", name: "7,901 bytes", send: ask("GET /"+strings.Repeat("a", 7900), "", ""), status: 404, open: true},
	{ids: "MAL-LONG-URL", name: "100 kB", send: ask("GET /"+strings.Repeat("A", 100_000), "", ""), status: 414},
	{ids: "MAL-NUL-IN-URL", name: "NUL", send: ask("GET /\x00test", "", ""), status: 400},
	{ids: "MAL-NON-ASCII-URL", name: "UTF-8 that is not percent-encoded", send: ask("GET /caf\xc3\xa9", "", ""), status: 400},
	{ids: "MAL-URL-OVERLONG-UTF8", name: "a slash in two bytes", send: ask("GET /\xc0\xaf", "", ""), status: 400},
	{ids: "MAL-URL-BACKSLASH", name: "backslash", send: ask(`GET /path\file`, "", ""), status: 400},
	{ids: "MAL-URL-PERCENT-NULL", name: "encoded NUL", send: ask("GET /path%00.html", "", ""), status: 400, open: true},
	{ids: "MAL-URL-PERCENT-CRLF", name: "encoded line end", send: ask("GET /path%0d%0aX-Injected:%20true", "", ""), status: 400, open: true},
	{name: "a path that is not there", send: ask("GET /hello", "", ""), status: 404, open: true},
	{name: "POST to a path that is not there", send: ask("POST /hello", "Content-Length: 5\r\n", "hello"), status: 404, open: true},
	{name: "a query", send: ask("GET /?a=%00", "", ""), status: 200, body: "OK"},
}

// RFC 9110 §9.
var methodCases = []probeCase{
	{ids: "COMP-HEAD-NO-BODY", name: "HEAD", send: ask("HEAD /", "", ""), status: 200, fields: []string{"Content-Length: 2", "ETag", "Last-Modified"}},
	{ids: "COMP-METHOD-CASE", name: "get", send: ask("get /", "", ""), status: 405, open: true},
	{ids: "COMP-UNKNOWN-METHOD", name: "a method that HTTP does not know", send: ask("FOOBAR /", "", ""), status: 405, open: true, fields: []string{"Allow: GET, HEAD, POST, OPTIONS"}},
	{name: "one of 256 bytes", send: ask(strings.Repeat("M", 256)+" /", "", ""), status: 405, open: true},
	{name: "one that HTTP does not know where nothing is", send: ask("FOOBAR /hello", "", ""), status: 404, open: true},
	{ids: "COMP-405-ALLOW", name: "DELETE", send: ask("DELETE /", "", ""), status: 405, open: true, fields: []string{"Allow: GET, HEAD, POST, OPTIONS"}},
	{name: "PUT", send: ask("PUT /", "Content-Length: 5\r\n", "hello"), status: 405, open: true, fields: []string{"Allow"}},
	{name: "PATCH", send: ask("PATCH /", "", ""), status: 405, open: true, fields: []string{"Allow"}},
	{name: "DELETE of another path", send: ask("DELETE /echo", "", ""), status: 405, open: true, fields: []string{"Allow: GET, HEAD, POST, OPTIONS"}},
	{ids: "COMP-METHOD-TRACE", name: "TRACE", send: ask("TRACE /", "", ""), status: 405, open: true, fields: []string{"Allow"}},
	{ids: "COMP-TRACE-WITH-BODY", name: "TRACE with content", send: ask("TRACE /", "Content-Length: 5\r\n", "hello"), status: 405, open: true},
	{ids: "COMP-TRACE-SENSITIVE", name: "TRACE with a secret", send: ask("TRACE /", "Authorization: Bearer secret\r\n", ""), status: 405, open: true},
	{ids: "COMP-METHOD-CONNECT", name: "CONNECT", send: ask("CONNECT example.com:443", "", ""), status: 405, open: true, fields: []string{"Allow"}},
	{name: "CONNECT to a path", send: ask("CONNECT /", "", ""), status: 400},
	{ids: "MAL-LONG-METHOD", name: "a method of 100 kB", send: ask(strings.Repeat("A", 100_000)+" /", "", ""), status: 400},
	{name: "a method that never ends", send: strings.Repeat("A", 1000), status: 400},
	{ids: "COMP-NO-CL-IN-204 COMP-OPTIONS-ALLOW", name: "OPTIONS", send: ask("OPTIONS /", "", ""), status: 204, fields: []string{"Allow: GET, HEAD, POST, OPTIONS"}},
	{name: "OPTIONS where nothing is", send: ask("OPTIONS /hello", "", ""), status: 404, open: true},
}

// RFC 9112 §3.2, RFC 9110 §7.2.
var hostCases = []probeCase{
	{ids: "RFC9112-7.1-MISSING-HOST", name: "none", send: "GET / HTTP/1.1\r\n\r\n", status: 400},
	{ids: "h1spec", name: "none, and a length", send: "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", status: 400},
	{ids: "RFC9110-5.4-DUPLICATE-HOST h1spec", name: "two", send: ask("GET /", "Host: other.example.com\r\n", ""), status: 400},
	{ids: "COMP-DUPLICATE-HOST-SAME", name: "the same twice", send: ask("GET /", "Host: localhost:8080\r\n", ""), status: 400},
	{ids: "COMP-HOST-EMPTY-VALUE", name: "empty", send: "GET / HTTP/1.1\r\nHost: \r\n\r\n", status: 400},
	{ids: "COMP-HOST-WITH-USERINFO", name: "with a user", send: "GET / HTTP/1.1\r\nHost: user@localhost:8080\r\n\r\n", status: 400},
	{ids: "COMP-HOST-WITH-PATH", name: "with a path", send: "GET / HTTP/1.1\r\nHost: localhost:8080/path\r\n\r\n", status: 400},
	{ids: "SMUG-MULTIPLE-HOST-COMMA", name: "a list", send: "GET / HTTP/1.1\r\nHost: localhost, other.example.com\r\n\r\n", status: 400},
	{ids: "COMP-HTTP10-NO-HOST", name: "none in HTTP/1.0", send: "GET / HTTP/1.0\r\n\r\n", status: 200, body: "OK", closes: true},
}

// RFC 9112 §5, RFC 9110 §5.
var fieldCases = []probeCase{
	{ids: "RFC9112-2.2-BARE-LF-HEADER", name: "bare LF", send: "GET / HTTP/1.1\r\nHost: a\nX-Test: value\r\n\r\n", status: 400},
	{ids: "h1spec", name: "bare CR for the empty line", send: ask("GET /", "\rSome-Header: Test\r\n", ""), status: 400},
	{ids: "SMUG-BARE-CR-HEADER-VALUE", name: "bare CR in a value", send: ask("POST /", "Content-Length: 5\r\nX-Test: val\rue\r\n", "hello"), status: 400},
	{ids: "RFC9112-5.1-OBS-FOLD", name: "a folded line", send: ask("GET /", "X-Test: value\r\n continued\r\n", ""), status: 400},
	{ids: "COMP-WHITESPACE-BEFORE-HEADERS", name: "a line of white space before the first field", send: "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", status: 400},
	{ids: "RFC9110-5.6.2-SP-BEFORE-COLON", name: "space before the colon", send: ask("GET /", "X-Test : value\r\n", ""), status: 400},
	{ids: "RFC9112-5-EMPTY-HEADER-NAME", name: "no name", send: ask("GET /", ": empty-name\r\n", ""), status: 400},
	{ids: "RFC9112-5-INVALID-HEADER-NAME", name: "a bracket in a name", send: ask("GET /", "Bad[Name: value\r\n", ""), status: 400},
	{ids: "h1spec", name: "brackets at the end of a name", send: ask("GET /", "X-Invalid[]: test\r\n", ""), status: 400},
	{ids: "RFC9112-5-HEADER-NO-COLON", name: "no colon", send: ask("GET /", "NoColonHere\r\n", ""), status: 400},
	{ids: "MAL-NON-ASCII-HEADER-NAME", name: "UTF-8 in a name", send: ask("GET /", "X-T\xc3\xabst: value\r\n", ""), status: 400},
	{ids: "MAL-CONTROL-CHARS-HEADER", name: "control characters in a value", send: ask("GET /", "X-Test: abc\x07\x08\x0bdef\r\n", ""), status: 400},
	{ids: "h1spec", name: "BEL at the end of a value", send: ask("GET /", "X-Bad-Control-Char: test\x07\r\n", ""), status: 400},
	{ids: "MAL-NUL-IN-HEADER-VALUE", name: "NUL in a value", send: ask("GET /", "X-Test: val\x00ue\r\n", ""), status: 400},
	{ids: "h1spec", name: "tab before a value, and no value", send: "GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n", status: 200, body: "OK"},
	{ids: "h1spec", name: "a value of one space", send: ask("GET /", "X-Empty-Header: \r\n", ""), status: 200, body: "OK"},
	{ids: "MAL-LONG-HEADER-VALUE", name: "a value of 100 kB", send: ask("GET /", "X-Big: "+strings.Repeat("B", 100_000)+"\r\n", ""), status: 431},
	{ids: "MAL-LONG-HEADER-NAME", name: "a name of 100 kB", send: ask("GET /", strings.Repeat("A", 100_000)+": val\r\n", ""), status: 431},
	{ids: "MAL-MANY-HEADERS", name: "10,000 lines", send: ask("GET /", manyFields(10_000), ""), status: 431},
	{ids: "COMP-DUPLICATE-CT", name: "two types of content", send: ask("POST /", "Content-Length: 5\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n", "hello"), status: 400, open: true},
	{name: "one type of content, twice", send: ask("POST /", "Content-Length: 5\r\nContent-Type: text/plain\r\nContent-Type: text/plain\r\n", "hello"), status: 200, body: "hello", fields: []string{"Content-Type: text/plain"}},
	{ids: "COMP-POST-UNSUPPORTED-CT", name: "a type that nobody knows", send: ask("POST /", "Content-Length: 5\r\nContent-Type: application/x-nonsense\r\n", "hello"), status: 200, body: "hello", fields: []string{"Content-Type: application/x-nonsense"}},
	{ids: "COMP-ACCEPT-NONSENSE", name: "an Accept that nothing fits", send: ask("GET /", "Accept: application/x-nonsense\r\n", ""), status: 200, body: "OK"},
	{ids: "COMP-RANGE-POST", name: "Range on POST", send: ask("POST /", "Content-Length: 5\r\nRange: bytes=0-10\r\n", "hello"), status: 200, body: "hello"},
	{ids: "COMP-RANGE-INVALID", name: "a Range that is none", send: ask("GET /", "Range: bytes=abc-xyz\r\n", ""), status: 200, body: "OK"},
	{ids: "MAL-RANGE-OVERLAPPING", name: "1,000 ranges", send: ask("GET /", "Range: bytes="+strings.TrimSuffix(strings.Repeat("0-,", 1000), ",")+"\r\n", ""), status: 200, body: "OK"},
}

// RFC 9112 §9, RFC 9110 §7.8 and §10.1.1.
var connectionCases = []probeCase{
	{ids: "COMP-CONNECTION-CLOSE", name: "close", send: ask("GET /", "Connection: close\r\n", ""), status: 200, body: "OK", closes: true},
	{name: "close beside keep-alive", send: ask("GET /", "Connection: keep-alive, close\r\n", ""), status: 200, body: "OK", closes: true},
	{ids: "COMP-HTTP10-DEFAULT-CLOSE", name: "HTTP/1.0 closes", send: "GET / HTTP/1.0\r\nHost: a\r\n\r\n", status: 200, body: "OK", closes: true},
	{name: "HTTP/1.0 with keep-alive", send: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", status: 200, body: "OK", fields: []string{"Connection: keep-alive"}},
	{ids: "COMP-UPGRADE-POST", name: "upgrade with POST", send: ask("POST /", "Connection: Upgrade\r\n"+webSocket(13), ""), status: 200},
	{ids: "COMP-UPGRADE-MISSING-CONN", name: "upgrade without Connection", send: ask("GET /", webSocket(13), ""), status: 200, body: "OK"},
	{ids: "COMP-UPGRADE-INVALID-VER", name: "upgrade to a version that is none", send: ask("GET /", "Connection: Upgrade\r\n"+webSocket(99), ""), status: 200, body: "OK"},
	{ids: "COMP-UPGRADE-UNKNOWN", name: "upgrade to a protocol that nobody knows", send: ask("GET /", "Connection: Upgrade\r\nUpgrade: totally-made-up/1.0\r\n", ""), status: 200, body: "OK"},
	{ids: "COMP-UPGRADE-HTTP10", name: "upgrade in HTTP/1.0", send: "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\n" + webSocket(13) + "\r\n", status: 200, body: "OK", closes: true},
	{ids: "COMP-EXPECT-UNKNOWN", name: "an expectation that nobody knows", send: ask("GET /", "Expect: 200-ok\r\n", ""), status: 417},
	{ids: "h1spec", name: "Expect on GET", send: ask("GET /", "Expect: 100-continue\r\n", ""), status: 200, body: "OK"},
	{ids: "SMUG-EXPECT-100-CL SMUG-EXPECT-100-CL-DESYNC", name: "Expect, and the content at once", send: ask("POST /", "Content-Length: 5\r\nExpect: 100-continue\r\n", "hello"), status: 200, body: "hello"},
	{ids: "COMP-NO-1XX-HTTP10", name: "Expect in HTTP/1.0", send: "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", closes: true},
}

// Cookies and what /echo shows of field names.
var echoCases = []probeCase{
	{name: "names as they were sent", send: ask("GET /echo", "X-lOUD:  a\tb \r\nempty:\r\n", ""), status: 200, body: "Host: localhost:8080\nX-lOUD: a\tb\nempty: \n"},
	{name: "the fields of a POST", send: ask("POST /echo", "Content-Length: 5\r\n", "hello"), status: 200, body: "Host: localhost:8080\nContent-Length: 5\n"},
	{ids: "COOK-ECHO", name: "a cookie", send: ask("GET /echo", "Cookie: foo=bar\r\n", ""), status: 200, holds: []string{"Cookie: foo=bar\n"}},
	{ids: "COOK-OVERSIZED", name: "a cookie of 64 KiB", send: ask("GET /echo", "Cookie: big="+strings.Repeat("A", 64<<10)+"\r\n", ""), status: 431},
	{ids: "COOK-EMPTY", name: "an empty Cookie", send: ask("GET /echo", "Cookie: \r\n", ""), status: 200, holds: []string{"Cookie: \n"}},
	{ids: "COOK-NUL", name: "NUL in a cookie", send: ask("GET /echo", "Cookie: foo=\x00bar\r\n", ""), status: 400},
	{ids: "COOK-CONTROL-CHARS", name: "control characters in a cookie", send: ask("GET /echo", "Cookie: foo=\x01\x02\x03\r\n", ""), status: 400},
	{ids: "COOK-MANY-PAIRS", name: "1,000 cookies", send: ask("GET /echo", "Cookie: "+manyCookies(1000)+"\r\n", ""), status: 200, holds: []string{"k0=v0; ", "; k999=v999\n"}},
	{name: "1,000 cookies apart", send: ask("GET /cookie", "Cookie: "+manyCookies(1000)+"\r\n", ""), status: 200, body: strings.ReplaceAll(manyCookies(1000), "; ", "\n") + "\n"},
	{ids: "COOK-MALFORMED", name: "a Cookie that is none", send: ask("GET /echo", "Cookie: ===;;;\r\n", ""), status: 200, holds: []string{"Cookie: ===;;;\n"}},
	{ids: "COOK-MULTI-HEADER", name: "two Cookie lines", send: ask("GET /echo", "Cookie: a=1\r\nCookie: b=2\r\n", ""), status: 200, holds: []string{"a=1", "b=2"}},
	{ids: "COOK-PARSED-BASIC", name: "one cookie", send: ask("GET /cookie", "Cookie: foo=bar\r\n", ""), status: 200, body: "foo=bar\n"},
	{ids: "COOK-PARSED-MULTI", name: "three cookies", send: ask("GET /cookie", "Cookie: a=1; b=2; c=3\r\n", ""), status: 200, body: "a=1\nb=2\nc=3\n"},
	{ids: "COOK-PARSED-EMPTY-VAL", name: "a cookie without a value", send: ask("GET /cookie", "Cookie: foo=\r\n", ""), status: 200, body: "foo=\n"},
	{ids: "COOK-PARSED-SPECIAL", name: "space and equals sign in values", send: ask("GET /cookie", "Cookie: a=hello world; b=x=y\r\n", ""), status: 200, body: "a=hello world\nb=x=y\n"},
	{name: "cookies of two lines, and what is none", send: ask("GET /cookie", "cookie: a=1;;=x; y\r\nCOOKIE:\tb=2 ;\r\n", ""), status: 200, body: "a=1\nb=2\n"},
	{ids: "NORM-UNDERSCORE-CL", name: "Content_Length is not Content-Length", send: ask("POST /echo", "Content-Length: 11\r\nContent_Length: 99\r\n", "hello world"), status: 200, holds: []string{"Content-Length: 11\n", "Content_Length: 99\n"}},
	{ids: "NORM-UNDERSCORE-TE", name: "Transfer_Encoding is not Transfer-Encoding", send: ask("POST /echo", "Content-Length: 11\r\nTransfer_Encoding: chunked\r\n", "hello world"), status: 200, holds: []string{"Transfer_Encoding: chunked\n"}},
	{ids: "NORM-SP-BEFORE-COLON-CL", name: "a second length with space before the colon", send: ask("POST /echo", "Content-Length: 11\r\nContent-Length : 5\r\n", "hello world"), status: 400},
	{ids: "NORM-TAB-IN-NAME", name: "tab in a name", send: ask("POST /echo", "Content-Length: 11\r\nContent\tLength: 99\r\n", "hello world"), status: 400},
	{ids: "NORM-CASE-TE", name: "TRANSFER-ENCODING beside a length", send: ask("POST /echo", "Content-Length: 11\r\nTRANSFER-ENCODING: chunked\r\n", "hello world"), status: 400},
}

// RFC 9110 §13.
var conditionCases = []probeCase{
	{ids: "CAP-ETAG-304 CAP-ETAG-IN-304", name: "the tag", send: ask("GET /", "If-None-Match: \"corelab-probe\"\r\n", ""), status: 304, fields: []string{`ETag: "corelab-probe"`}},
	{name: "the tag, with HEAD", send: ask("HEAD /", "If-None-Match: \"corelab-probe\"\r\n", ""), status: 304},
	{ids: "CAP-ETAG-WEAK", name: "the tag as a weak one", send: ask("GET /", "If-None-Match: W/\"corelab-probe\"\r\n", ""), status: 304},
	{name: "the tag in a list", send: ask("GET /", "If-None-Match: \"a,b\", W/\"c\" ,, \"corelab-probe\"\r\n", ""), status: 304},
	{name: "the tag in the second line", send: ask("GET /", "If-None-Match: \"a\"\r\nif-none-match: \"corelab-probe\"\r\n", ""), status: 304},
	{ids: "CAP-INM-WILDCARD", name: "any tag", send: ask("GET /", "If-None-Match: *\r\n", ""), status: 304},
	{ids: "CAP-INM-UNQUOTED", name: "the tag without its quotes", send: ask("GET /", "If-None-Match: corelab-probe\r\n", ""), status: 200, body: "OK"},
	{name: "another tag", send: ask("GET /", "If-None-Match: \"other\"\r\n", ""), status: 200, body: "OK"},
	{ids: "CAP-LAST-MODIFIED-304", name: "the date", send: ask("GET /", "If-Modified-Since: Mon, 06 Jun 2022 00:00:00 GMT\r\n", ""), status: 304, fields: []string{"ETag"}},
	{name: "an earlier date", send: ask("GET /", "If-Modified-Since: Sun, 05 Jun 2022 23:59:59 GMT\r\n", ""), status: 200, body: "OK"},
	{ids: "CAP-INM-PRECEDENCE", name: "the tag, and an earlier date", send: ask("GET /", "If-None-Match: \"corelab-probe\"\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n", ""), status: 304},
	{name: "another tag, and the date", send: ask("GET /", "If-None-Match: \"other\"\r\nIf-Modified-Since: Mon, 06 Jun 2022 00:00:00 GMT\r\n", ""), status: 200, body: "OK"},
	{ids: "CAP-IMS-FUTURE", name: "a date that lies ahead", send: ask("GET /", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT\r\n", ""), status: 200, body: "OK"},
	{ids: "CAP-IMS-INVALID", name: "no date", send: ask("GET /", "If-Modified-Since: not-a-date\r\n", ""), status: 200, body: "OK"},
	{name: "the date twice", send: ask("GET /", "If-Modified-Since: Mon, 06 Jun 2022 00:00:00 GMT\r\nIf-Modified-Since: Mon, 06 Jun 2022 00:00:00 GMT\r\n", ""), status: 200, body: "OK"},
	{name: "If-Match with another tag", send: ask("GET /", "If-Match: \"other\"\r\n", ""), status: 412, open: true},
	{name: "a POST has no conditions", send: ask("POST /", "If-None-Match: *\r\nContent-Length: 5\r\n", "hello"), status: 200, body: "hello"},
}

// garbage returns bytes that begin neither a method nor an empty line, and are the same each time.
func garbage() string {
	random := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	b[0] |= 0x80
	return string(b)
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-H-%d: value\r\n", i)
	}
	return b.String()
}

func manyCookies(n int) string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("k%d=v%d", i, i))
	}
	return strings.Join(pairs, "; ")
}

func webSocket(version int) string {
	return fmt.Sprintf("Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: %d\r\n", version)
}
