package servers_test

import (
	"strings"

	"corelab/servers"
)

// post is a POST of /echo with these field lines and what follows the head.
func postEcho(lines, rest string) string {
	return "POST /echo HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + rest
}

// sized is a POST of /echo with that value of Content-Length.
func sized(value, rest string) string { return postEcho("Content-Length: "+value+"\r\n", rest) }

// RFC 9110 §8.6, RFC 9112 §6.
var lengthCases = []wireCase{
	{name: "length/body", send: sized("5", "hello"), want: says("hello"), open: true},
	{name: "length/zero", send: sized("0", ""), want: says(""), open: true},
	{name: "length/none", send: postEcho("", ""), want: says(""), open: true},
	{name: "length/leading zeros", send: sized("005", "hello"), want: says("hello"), open: true},
	{name: "length/large", send: sized("60000", strings.Repeat("b", 60000)), want: says(strings.Repeat("b", 60000)), open: true},
	{name: "length/body of a GET", send: "GET /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", want: says("abc"), open: true},
	{name: "length/body of an unrouted path is no request", send: "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nxxxx", want: fails(404), open: true},
	{name: "length/list of equals", send: sized("5, 5", "hello"), want: says("hello"), open: true},
	{name: "length/equal lines", send: postEcho("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), want: says("hello"), open: true},
	{name: "length/list of different", send: sized("5, 6", "hello"), want: fails(400)},
	{name: "length/different lines", send: postEcho("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), want: fails(400)},
	{name: "length/plus", send: sized("+5", "hello"), want: fails(400)},
	{name: "length/minus", send: sized("-5", "hello"), want: fails(400)},
	{name: "length/empty", send: sized("", "hello"), want: fails(400)},
	{name: "length/hexadecimal", send: sized("0x5", "hello"), want: fails(400)},
	{name: "length/space inside", send: sized("5 5", "hello"), want: fails(400)},
	{name: "length/overflows 64 bits", send: sized("18446744073709551621", "hello"), want: fails(400)},
	{name: "length/overflows 63 bits", send: sized("9223372036854775808", "hello"), want: fails(400)},
}

// chunked is a POST of /echo with chunked content.
func chunked(rest string) string { return postEcho("Transfer-Encoding: chunked\r\n", rest) }

// RFC 9112 §7.1.
var chunkedCases = []wireCase{
	{name: "chunked/one", send: chunked("5\r\nhello\r\n0\r\n\r\n"), want: says("hello"), open: true},
	{name: "chunked/three", send: chunked("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n"), want: says("abcdef"), open: true},
	{name: "chunked/none", send: chunked("0\r\n\r\n"), want: says(""), open: true},
	{name: "chunked/hexadecimal in any case", send: chunked("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), want: says("01234567890123456789a"), open: true},
	{name: "chunked/leading zeros", send: chunked("00005\r\nhello\r\n000\r\n\r\n"), want: says("hello"), open: true},
	{name: "chunked/extensions", send: chunked("5;a;b=c;d=\"e;\\\"f\"\r\nhello\r\n0;z\r\n\r\n"), want: says("hello"), open: true},
	{name: "chunked/trailers", send: chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"), want: says("hello"), open: true},
	{name: "chunked/data that looks like an end", send: chunked("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"), want: says("\r\n0\r\n\r\n"), open: true},
	{name: "chunked/large", send: chunked("c350\r\n" + strings.Repeat("c", 50000) + "\r\n0\r\n\r\n"), want: says(strings.Repeat("c", 50000)), open: true},
	{name: "chunked/no size", send: chunked("\r\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/size is no number", send: chunked("g\r\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/size with 0x", send: chunked("0x5\r\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/minus", send: chunked("-5\r\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/size overflows", send: chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/data too short", send: chunked("5\r\nhell\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/data too long", send: chunked("5\r\nhelloo\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/bare LF after the size", send: chunked("5\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/bare LF after the data", send: chunked("5\r\nhello\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/bare CR in an extension", send: chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), want: fails(400)},
	{name: "chunked/trailer is no field", send: chunked("5\r\nhello\r\n0\r\nX y\r\n\r\n"), want: fails(400)},
	{name: "chunked/folded trailer", send: chunked("5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"), want: fails(400)},
}

func coded(lines, rest string) string { return postEcho(lines, rest) }

const fiveBytes = "5\r\nhello\r\n0\r\n\r\n"

// RFC 9112 §6.1 and §6.3.
var codingCases = []wireCase{
	{name: "coding/any case", send: coded("Transfer-Encoding: CHUNKED\r\n", fiveBytes), want: says("hello"), open: true},
	{name: "coding/unknown, and chunked is not the last", send: coded("Transfer-Encoding: gzip\r\n", fiveBytes), want: fails(400)},
	{name: "coding/unknown, then chunked", send: coded("Transfer-Encoding: gzip, chunked\r\n", fiveBytes), want: fails(501)},
	{name: "coding/not quite chunked", send: coded("Transfer-Encoding: xchunked, chunked\r\n", fiveBytes), want: fails(501)},
	{name: "coding/chunked twice", send: coded("Transfer-Encoding: chunked, chunked\r\n", fiveBytes), want: fails(400)},
	{name: "coding/chunked in two lines", send: coded("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", fiveBytes), want: fails(400)},
	{name: "coding/chunked not last", send: coded("Transfer-Encoding: chunked, gzip\r\n", fiveBytes), want: fails(400)},
	{name: "coding/empty", send: coded("Transfer-Encoding:\r\n", fiveBytes), want: fails(400)},
	{name: "coding/with a length", send: coded("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", fiveBytes), want: fails(400)},
	{name: "coding/before a length", send: coded("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", fiveBytes), want: fails(400)},
	{name: "coding/in 1.0", send: "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + fiveBytes, want: fails(400)},
	{name: "coding/smuggled request is not served", send: coded("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+get), want: fails(400)},
}

// RFC 9110 §10.1.1. The whole content is there with the head: a server may then leave the 100 out, and these do.
var expectCases = []wireCase{
	{name: "expect/content is there", send: postEcho("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), want: says("hello"), open: true},
	{name: "expect/any case", send: postEcho("expect: 100-Continue\r\nContent-Length: 5\r\n", "hello"), want: says("hello"), open: true},
	{name: "expect/no content", send: "GET /plaintext HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", want: hello, open: true},
	{name: "expect/too much", send: postEcho("Expect: 100-continue\r\nContent-Length: 70000\r\n", ""), want: fails(413)},
	{name: "expect/something else", send: postEcho("Expect: a-miracle\r\nContent-Length: 5\r\n", "hello"), want: fails(417)},
	{name: "expect/ignored in 1.0", send: "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", want: says("hello")},
}

// RFC 9112 §9.3 and §9.6.
var connectionCases = []wireCase{
	{name: "connection/close", send: conn11("Connection: close\r\n"), want: hello},
	{name: "connection/close in any case", send: conn11("connection: CLOSE\r\n"), want: hello},
	{name: "connection/close in a list", send: conn11("Connection: foo , close,bar\r\n"), want: hello},
	{name: "connection/close in a second line", send: conn11("Connection: keep-alive\r\nConnection: close\r\n"), want: hello},
	{name: "connection/close beats keep-alive", send: conn11("Connection: keep-alive, close\r\n"), want: hello},
	{name: "connection/not quite close", send: conn11("Connection: closer, xclose\r\n"), want: hello, open: true},
	{name: "connection/empty items", send: conn11("Connection: , ,\r\n"), want: hello, open: true},
	{name: "connection/keep-alive in 1.1", send: conn11("Connection: keep-alive\r\n"), want: hello, open: true},
	{name: "connection/keep-alive in 1.0", feature: servers.KeepAlive, send: conn10("Connection: keep-alive\r\n"), want: []want{{status: 200, body: "Hello, World!", field: "Connection: keep-alive"}}, open: true},
	{name: "connection/keep-alive of any case in 1.0", feature: servers.KeepAlive, send: conn10("Connection: Keep-Alive\r\n"), want: []want{{status: 200, body: "Hello, World!", field: "Connection: keep-alive"}}, open: true},
	{name: "connection/close beats keep-alive in 1.0", send: conn10("Connection: keep-alive, close\r\n"), want: hello},
	{name: "connection/nothing said in 1.0", send: conn10(""), want: hello},
	{name: "connection/the handler closes", send: "GET /close HTTP/1.1\r\nHost: a\r\n\r\n", want: says("bye")},
	{name: "connection/close with content", send: postEcho("Connection: close\r\nContent-Length: 5\r\n", "hello"), want: says("hello")},
	{name: "connection/nothing after close", send: conn11("Connection: close\r\n") + get, want: hello},
}

func conn11(lines string) string {
	return "GET /plaintext HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"
}

func conn10(lines string) string { return "GET /plaintext HTTP/1.0\r\n" + lines + "\r\n" }

// pipelineCases send several requests at once. Answers come in the order of the requests, RFC 9112 §9.3.2.
func pipelineCases() []wireCase {
	many := wireCase{name: "pipeline/more than one turn's share", feature: servers.Pipelining, open: true}
	for i := range 10 * testLimits.Pipelined {
		id := string(rune('a'+i%26)) + string(rune('a'+i/26))
		many.send += "GET /users/" + id + " HTTP/1.1\r\nHost: a\r\n\r\n"
		many.want = append(many.want, want{status: 200, body: id})
	}
	cases := []wireCase{
		many,
		{name: "pipeline/two", send: get + "GET /users/2 HTTP/1.1\r\nHost: a\r\n\r\n", want: append(hello[:1:1], says("2")...), open: true},
		{name: "pipeline/content between", send: sized("5", "hello") + get + chunked(fiveBytes) + get, want: append(append(append(says("hello"), hello...), says("hello")...), hello...), open: true},
		{name: "pipeline/content that looks like a request", send: sized("36", get[:36]) + get, want: append(says(get[:36]), hello...), open: true},
		{name: "pipeline/HEAD between", send: get + "HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n" + get, want: []want{hello[0], {method: "HEAD", status: 200, field: "Content-Length: 13"}, hello[0]}, open: true},
		{name: "pipeline/204 and 304 between", send: "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\nGET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n" + get, want: []want{{status: 204}, {status: 304}, hello[0]}, open: true},
		{name: "pipeline/404 between", send: get + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + get, want: []want{hello[0], {status: 404}, hello[0]}, open: true},
		{name: "pipeline/an error ends it", send: get + "BAD\r\n\r\n" + get, want: []want{hello[0], {status: 400}}},
		{name: "pipeline/close ends it", send: get + conn11("Connection: close\r\n") + get, want: append(hello[:1:1], hello...)},
		{name: "pipeline/a late answer holds the next", send: "GET /delay/20 HTTP/1.1\r\nHost: a\r\n\r\n" + get + "GET /delay/1 HTTP/1.1\r\nHost: a\r\n\r\n" + get, want: append(append(append(says("late"), hello...), says("late")...), hello...), open: true},
		{name: "pipeline/behind a stream", send: "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get, want: append(says("3"), hello...), open: true},
		{name: "pipeline/behind a source", send: "GET /drip/3000 HTTP/1.1\r\nHost: a\r\n\r\n" + get, want: append(says(string(pattern[:3000])), hello...), open: true},
		{name: "pipeline/large answers", send: strings.Repeat("GET /bytes/60000 HTTP/1.1\r\nHost: a\r\n\r\n", 12), want: repeat(want{status: 200, body: string(pattern[:60000])}, 12), open: true},
	}
	for i := range cases {
		cases[i].feature = servers.Pipelining
	}
	return cases
}

func repeat(w want, n int) []want {
	ws := make([]want, n)
	for i := range ws {
		ws[i] = w
	}
	return ws
}

// RFC 9110 §9.3.2, §15.3.5, §15.4.5; RFC 9112 §6.3.
var contentCases = []wireCase{
	{name: "content/HEAD", send: "HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{method: "HEAD", status: 200, field: "Content-Length: 13"}}, open: true},
	{name: "content/HEAD of a long one", send: "HEAD /bytes/100000 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{method: "HEAD", status: 200, field: "Content-Length: 100000"}}, open: true},
	{name: "content/HEAD of a file", send: "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{method: "HEAD", status: 200, field: "Content-Length: 1048576"}}, open: true},
	{name: "content/HEAD of a source", send: "HEAD /chunks/5000 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{method: "HEAD", status: 200, field: "!Content-Length"}}, open: true},
	{name: "content/HEAD of a pooled one", send: "HEAD /pooled/9000 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{method: "HEAD", status: 200, field: "Content-Length: 9000"}}, open: true},
	{name: "content/HEAD of nothing", send: "HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{method: "HEAD", status: 404}}, open: true},
	{name: "content/204", send: "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 204, field: "!Content-Length"}}, open: true},
	{name: "content/304", send: "GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 304, field: "ETag: \"1\""}}, open: true},
	{name: "content/500", send: "GET /status/500 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 500}}, open: true},
	{name: "content/empty", send: "GET /bytes/0 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 200, field: "Content-Length: 0"}}, open: true},
	{name: "content/copied", send: "GET /bytes/4096 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern[:4096])), open: true},
	{name: "content/sent where it lies", send: "GET /bytes/4097 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern[:4097])), open: true},
	{name: "content/large", send: "GET /bytes/1048576 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern)), open: true},
	{name: "content/pooled", send: "GET /pooled/50000 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern[:50000])), open: true},
	{name: "content/file", send: "GET /file HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern)), open: true},
	{name: "content/part of a file", send: "GET /range/1000/300000 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern[1000:301000])), open: true},
	{name: "content/late", send: "GET /delay/5 HTTP/1.1\r\nHost: a\r\n\r\n", want: says("late"), open: true},
	{name: "content/late from another goroutine", send: "GET /post/5 HTTP/1.1\r\nHost: a\r\n\r\n", want: says("posted"), open: true},
	{name: "content/file and close", send: "GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: says(string(pattern))},
}

// A reply's content that is made piece by piece, and a request's that is taken so.
var sourceCases = []wireCase{
	{name: "source/chunked", send: "GET /chunks/5000 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 200, body: string(pattern[:5000]), field: "Transfer-Encoding: chunked"}}, open: true},
	{name: "source/chunked, long", send: "GET /chunks/400000 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern[:400000])), open: true},
	{name: "source/chunked, empty", send: "GET /chunks/0 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(""), open: true},
	{name: "source/sized", send: "GET /sized/50000 HTTP/1.1\r\nHost: a\r\n\r\n", want: []want{{status: 200, body: string(pattern[:50000]), field: "Content-Length: 50000"}}, open: true},
	{name: "source/until close in 1.0", send: "GET /chunks/5000 HTTP/1.0\r\n\r\n", want: []want{{status: 200, body: string(pattern[:5000]), field: "!Transfer-Encoding"}}},
	{name: "source/in its own time", send: "GET /drip/5000 HTTP/1.1\r\nHost: a\r\n\r\n", want: says(string(pattern[:5000])), open: true},
	{name: "stream/sized", send: "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + string(pattern[:100000]), want: says("100000"), open: true},
	{name: "stream/chunked", send: "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n" + string(pattern[:3]) + "\r\n4\r\n" + string(pattern[3:7]) + "\r\n0\r\n\r\n", want: says("7"), open: true},
	{name: "stream/paused", send: "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + string(pattern[:200000]), want: says("200000"), open: true},
	{name: "stream/answered early", send: "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + string(pattern[:1000]), want: fails(403), open: true},
	{name: "stream/broken", send: "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nz\r\n", want: fails(400)},
}
