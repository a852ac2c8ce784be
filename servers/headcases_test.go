package servers_test

import (
	"strings"

	"corelab/servers"
)

// get is the ordinary request.
const get = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"

// hello is its answer.
var hello = []want{{status: 200, body: "Hello, World!"}}

// says wants one answer of 200 with that body.
func says(body string) []want { return []want{{status: 200, body: body}} }

// fails wants one answer of that status.
func fails(status int) []want { return []want{{status: status}} }

// RFC 9112 §3 and §2.2.
var requestLineCases = []wireCase{
	{name: "request line/get", send: get, want: hello, open: true},
	{name: "request line/one empty line before", send: "\r\n" + get, want: hello, open: true},
	{name: "request line/many empty lines before", send: strings.Repeat("\r\n", 100) + get, want: fails(400)},
	{name: "request line/bare LF before", send: "\n" + get, want: fails(400)},
	{name: "request line/bare CR before", send: "\r" + get, want: fails(400)},
	{name: "request line/space before", send: " " + get, want: fails(400)},
	{name: "request line/lower-case method", send: "get /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(501)},
	{name: "request line/unknown method", send: "BREW /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(501)},
	{name: "request line/known method without a route", send: "DELETE /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(405), open: true},
	{name: "request line/405 has Allow", send: "PATCH /body HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 405, field: "Allow: GET, HEAD, OPTIONS"}}, open: true},
	{name: "request line/registered method without a route", send: "PROPFIND /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(405), open: true},
	{name: "request line/method is no token", send: "G(T /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/endless method", send: strings.Repeat("A", 2000) + " / HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/no method", send: "/plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/no target", send: "GET HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/no version", send: "GET /plaintext\r\n\r\n", want: fails(400)},
	{name: "request line/two spaces after the method", send: "GET  /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/two spaces after the target", send: "GET /plaintext  HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/tab for space", send: "GET\t/plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/space at the end", send: "GET /plaintext HTTP/1.1 \r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/bare LF at the end", send: "GET /plaintext HTTP/1.1\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/bare CR at the end", send: "GET /plaintext HTTP/1.1\rHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/NUL in the target", send: "GET /plain\x00text HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "request line/a TLS client", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", want: fails(400)},
	{name: "request line/nothing there", send: "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(404), open: true},
}

// RFC 9112 §2.3, RFC 9110 §2.5.
var versionCases = []wireCase{
	{name: "version/1.0", send: "GET /plaintext HTTP/1.0\r\n\r\n", want: hello},
	{name: "version/1.2 is taken as 1.1", send: "GET /plaintext HTTP/1.2\r\nHost: a\r\n\r\n", want: hello, open: true},
	{name: "version/2.0", send: "GET /plaintext HTTP/2.0\r\nHost: a\r\n\r\n", want: fails(505)},
	{name: "version/0.9", send: "GET /plaintext HTTP/0.9\r\n\r\n", want: fails(505)},
	{name: "version/preface of HTTP/2", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: fails(505)},
	{name: "version/lower case", send: "GET /plaintext http/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "version/two digits", send: "GET /plaintext HTTP/1.10\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "version/no minor", send: "GET /plaintext HTTP/1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "version/letters", send: "GET /plaintext HTTP/a.b\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "version/another protocol", send: "GET /plaintext RTSP/1.0\r\nHost: a\r\n\r\n", want: fails(400)},
}

// RFC 9112 §3.2.
var targetCases = []wireCase{
	{name: "target/parameter", send: "GET /users/42 HTTP/1.1\r\nHost: a\r\n\r\n", want: says("42"), open: true},
	{name: "target/rest", send: "GET /tail/x/y/z HTTP/1.1\r\nHost: a\r\n\r\n", want: says("x/y/z"), open: true},
	{name: "target/percent-encoding is passed on", send: "GET /users/%41%2f HTTP/1.1\r\nHost: a\r\n\r\n", want: says("%41%2f"), open: true},
	{name: "target/bad percent-encoding", send: "GET /users/%4 HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "target/query", send: "GET /query?a=1&b=%20?/ HTTP/1.1\r\nHost: a\r\n\r\n", want: says("a=1&b=%20?/"), open: true},
	{name: "target/empty query", send: "GET /query? HTTP/1.1\r\nHost: a\r\n\r\n", want: says(""), open: true},
	{name: "target/fragment", send: "GET /plaintext#top HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "target/two slashes are no root", send: "GET //plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(404), open: true},
	{name: "target/slash at the end", send: "GET /plaintext/ HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(404), open: true},
	{name: "target/no slash", send: "GET plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "target/absolute-form", send: "GET http://b/plaintext HTTP/1.1\r\nHost: b\r\n\r\n", want: hello, open: true},
	{name: "target/absolute-form beats Host", send: "GET http://b:81/host HTTP/1.1\r\nHost: a\r\n\r\n", want: says("b:81"), open: true},
	{name: "target/absolute-form without a path", send: "GET http://b HTTP/1.1\r\nHost: b\r\n\r\n", want: says("root"), open: true},
	{name: "target/absolute-form still needs Host", send: "GET http://b/plaintext HTTP/1.1\r\n\r\n", want: fails(400)},
	{name: "target/absolute-form with a user", send: "GET http://u@b/plaintext HTTP/1.1\r\nHost: b\r\n\r\n", want: fails(400)},
	{name: "target/absolute-form of another scheme", send: "GET ftp://b/plaintext HTTP/1.1\r\nHost: b\r\n\r\n", want: fails(400)},
	{name: "target/asterisk-form", send: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 204}}, open: true},
	{name: "target/asterisk-form for GET", send: "GET * HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "target/OPTIONS of a path", send: "OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 204, field: "Allow: POST, PUT, OPTIONS"}}, open: true},
	{name: "target/authority-form for GET", send: "GET b:443 HTTP/1.1\r\nHost: b\r\n\r\n", want: fails(400)},
	{name: "target/origin-form for CONNECT", send: "CONNECT /plaintext HTTP/1.1\r\nHost: b\r\n\r\n", want: fails(400)},
	{name: "target/byte above ASCII", send: "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", want: fails(400)},
}

// RFC 9112 §3.2, RFC 9110 §7.2.
var hostCases = []wireCase{
	{name: "host/missing", send: "GET /plaintext HTTP/1.1\r\n\r\n", want: fails(400)},
	{name: "host/missing in 1.0", send: "GET /host HTTP/1.0\r\n\r\n", want: says("")},
	{name: "host/twice", send: "GET /plaintext HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", want: fails(400)},
	{name: "host/empty", send: "GET /plaintext HTTP/1.1\r\nHost:\r\n\r\n", want: fails(400)},
	{name: "host/port", send: "GET /host HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", want: says("a.example:8080"), open: true},
	{name: "host/port is no number", send: "GET /host HTTP/1.1\r\nHost: a:b\r\n\r\n", want: fails(400)},
	{name: "host/space", send: "GET /host HTTP/1.1\r\nHost: a b\r\n\r\n", want: fails(400)},
	{name: "host/slash", send: "GET /host HTTP/1.1\r\nHost: a/b\r\n\r\n", want: fails(400)},
	{name: "host/user", send: "GET /host HTTP/1.1\r\nHost: u@a\r\n\r\n", want: fails(400)},
	{name: "host/list", send: "GET /host HTTP/1.1\r\nHost: a, b\r\n\r\n", want: fails(400)},
	{name: "host/IPv6", send: "GET /host HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", want: says("[::1]:80"), open: true},
	{name: "host/IPv6 not closed", send: "GET /host HTTP/1.1\r\nHost: [::1\r\n\r\n", want: fails(400)},
}

// withFields is a GET of /fields with these lines.
func withFields(lines string) string { return "GET /fields HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" }

// RFC 9112 §5.
var fieldCases = []wireCase{
	{name: "field/white space around a value", send: withFields("X: \t b c \t\r\n"), want: says("[host|a][x|b c]"), open: true},
	{name: "field/no white space", send: withFields("X:b\r\n"), want: says("[host|a][x|b]"), open: true},
	{name: "field/empty value", send: withFields("X:\r\nY: \r\n"), want: says("[host|a][x|][y|]"), open: true},
	{name: "field/tab inside", send: withFields("X: b\tc\r\n"), want: says("[host|a][x|b\tc]"), open: true},
	{name: "field/obs-text", send: withFields("X: \xe4\r\n"), want: says("[host|a][x|\xe4]"), open: true},
	{name: "field/every token byte", send: withFields("!#$%&'*+-.^_`|~09azAZ: b\r\n"), want: says("[host|a][!#$%&'*+-.^_`|~09azaz|b]"), open: true},
	{name: "field/names in any case", send: "GET /host HTTP/1.1\r\nhOsT: a\r\n\r\n", want: says("a"), open: true},
	{name: "field/space before the colon", send: withFields("X : b\r\n"), want: fails(400)},
	{name: "field/no colon", send: withFields("X\r\n"), want: fails(400)},
	{name: "field/empty name", send: withFields(": b\r\n"), want: fails(400)},
	{name: "field/name is no token", send: withFields("X(y): b\r\n"), want: fails(400)},
	{name: "field/folded", send: withFields("X: b\r\n c\r\n"), want: fails(400)},
	{name: "field/white space before the first", send: "GET /fields HTTP/1.1\r\n Host: a\r\n\r\n", want: fails(400)},
	{name: "field/bare LF", send: withFields("X: b\n"), want: fails(400)},
	{name: "field/bare CR", send: withFields("X: b\rc\r\n"), want: fails(400)},
	{name: "field/NUL", send: withFields("X: b\x00c\r\n"), want: fails(400)},
	{name: "field/control byte", send: withFields("X: b\x1bc\r\n"), want: fails(400)},
	{name: "field/delete byte", send: withFields("X: b\x7fc\r\n"), want: fails(400)},
	{name: "field/bare LF for the empty line", send: "GET /fields HTTP/1.1\r\nHost: a\r\n\n", want: fails(400)},
	{name: "field/bare CR for the empty line", send: "GET /fields HTTP/1.1\r\nHost: a\r\n\rX", want: fails(400)},
}

// limitCases reach testLimits and go beyond.
func limitCases() []wireCase {
	const head = "GET /plaintext HTTP/1.1\r\nHost: a\r\n"
	target := func(n int) string {
		return "GET /query?" + strings.Repeat("q", n-len("/query?")) + " HTTP/1.1\r\nHost: a\r\n\r\n"
	}
	filled := func(n int) string { // a head of n bytes
		return head + "X: " + strings.Repeat("x", n-len(head)-len("X: \r\n\r\n")) + "\r\n\r\n"
	}
	lines := func(n int) string { return head + strings.Repeat("X: b\r\n", n-1) + "\r\n" }
	announced := func(path, n, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + n + "\r\n\r\n" + body
	}
	return []wireCase{
		{name: "limit/target at the limit", send: target(testLimits.Target), want: says(strings.Repeat("q", testLimits.Target-len("/query?"))), open: true},
		{name: "limit/target above", send: target(testLimits.Target + 1), want: fails(414)},
		{name: "limit/target without an end", send: "GET /" + strings.Repeat("x", 3000), want: fails(414)},
		{name: "limit/head at the limit", send: filled(testLimits.Head), want: hello, open: true},
		{name: "limit/head above", send: filled(testLimits.Head + 1), want: fails(431)},
		{name: "limit/head far above", send: filled(20 * testLimits.Head), want: fails(431)},
		{name: "limit/head without an end", send: head + strings.Repeat("x", testLimits.Head), want: fails(431)},
		{name: "limit/fields at the limit", send: lines(testLimits.Fields), want: hello, open: true},
		{name: "limit/fields above", send: lines(testLimits.Fields + 1), want: fails(431)},
		{name: "limit/content of a route at the limit", send: announced("/small", "16", strings.Repeat("s", 16)), want: says(strings.Repeat("s", 16)), open: true},
		{name: "limit/content of a route above", send: announced("/small", "17", strings.Repeat("s", 17)), want: fails(413)},
		{name: "limit/announced content above", send: announced("/echo", "70000", ""), want: fails(413)},
		{name: "limit/sent content above", send: announced("/echo", "70000", strings.Repeat("s", 70000)), want: fails(413)},
		{name: "limit/chunks above", send: "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n", want: fails(413)},
		{name: "limit/one chunk above", send: "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + strings.Repeat("s", 20000), want: fails(413)},
		{name: "limit/chunk-size line above", send: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("e", 200) + "\r\nx\r\n0\r\n\r\n", want: fails(400)},
		{name: "limit/trailer fields above", send: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("T: b\r\n", 40) + "\r\n", want: fails(431)},
		{name: "limit/nothing behind an error is served", feature: servers.KeepAlive, send: get + filled(2*testLimits.Head) + get, want: []want{hello[0], {status: 431}}},
	}
}
