package main

import (
	"fmt"
	"strings"
)

// RFC 9112 §6.2 and §6.3, RFC 9110 §8.6.
var lengthCases = []probeCase{
	{ids: "COMP-POST-CL-BODY h1spec", name: "as announced", send: sized("5", "hello"), status: 200, body: "hello", fields: []string{"Content-Length: 5"}},
	{ids: "COMP-POST-CL-ZERO", name: "0", send: sized("0", ""), status: 200, fields: []string{"Content-Length: 0"}},
	{ids: "COMP-POST-NO-CL-NO-TE", name: "none", send: ask("POST /", "", ""), status: 200, fields: []string{"Content-Length: 0"}},
	{ids: "RFC9112-6.1-CL-NON-NUMERIC h1spec", name: "letters", send: sized("abc", ""), status: 400},
	{ids: "RFC9112-6.1-CL-PLUS-SIGN", name: "a plus sign", send: sized("+5", "hello"), status: 400},
	{ids: "SMUG-CL-NEGATIVE h1spec", name: "negative", send: sized("-1", ""), status: 400},
	{ids: "h1spec", name: "negative beyond 64 bits", send: sized("-123456789123456789123456789", ""), status: 400},
	{ids: "SMUG-CL-NEGATIVE-ZERO", name: "-0", send: sized("-0", ""), status: 400},
	{ids: "MAL-CL-OVERFLOW", name: "beyond 64 bits", send: sized("99999999999999999999", ""), status: 400},
	{ids: "MAL-CL-EMPTY", name: "empty", send: sized("", ""), status: 400},
	{ids: "SMUG-CL-OCTAL", name: "0o5", send: sized("0o5", "hello"), status: 400},
	{ids: "SMUG-CL-HEX-PREFIX", name: "0x5", send: sized("0x5", "hello"), status: 400},
	{ids: "SMUG-CL-UNDERSCORE", name: "1_0", send: sized("1_0", "helloworld"), status: 400},
	{ids: "SMUG-CL-INTERNAL-SPACE", name: "1 0", send: sized("1 0", "hello12345"), status: 400},
	{ids: "MAL-CL-TAB-BEFORE-VALUE", name: "tab before it", send: ask("POST /", "Content-Length:\t5\r\n", "hello"), status: 200, body: "hello"},
	{ids: "SMUG-CL-EXTRA-LEADING-SP", name: "two spaces before it", send: sized(" 5", "hello"), status: 200, body: "hello"},
	{ids: "SMUG-CL-TRAILING-SPACE", name: "space behind it", send: sized("5 ", "hello"), status: 200, body: "hello"},
	{ids: "SMUG-CL-LEADING-ZEROS", name: "005", send: sized("005", "hello"), status: 200, body: "hello"},
	{ids: "SMUG-CL-LEADING-ZEROS-OCTAL", name: "0200 is 200", send: sized("0200", strings.Repeat("A", 200)), status: 200, body: strings.Repeat("A", 200)},
	{ids: "SMUG-CL-DOUBLE-ZERO", name: "00", send: sized("00", ""), status: 200, fields: []string{"Content-Length: 0"}},
	{ids: "SMUG-DUPLICATE-CL", name: "two that differ", send: ask("POST /", "Content-Length: 5\r\nContent-Length: 10\r\n", "helloworld"), status: 400},
	{ids: "SMUG-CL-COMMA-DIFFERENT", name: "a list of two that differ", send: sized("5, 10", "hello"), status: 400},
	{ids: "SMUG-CL-COMMA-SAME", name: "a list of the same", send: sized("5, 5", "hello"), status: 200, body: "hello"},
	{ids: "SMUG-CL-COMMA-TRIPLE", name: "a list of three of the same", send: sized("5, 5, 5", "hello"), status: 200, body: "hello"},
	{ids: "COMP-GET-WITH-CL-BODY SMUG-GET-CL-BODY-DESYNC", name: "GET with content", send: ask("GET /", "Content-Length: 5\r\n", "hello"), status: 200, body: "OK"},
	{ids: "SMUG-HEAD-CL-BODY", name: "HEAD with content", send: ask("HEAD /", "Content-Length: 5\r\n", "hello"), status: 200},
	{ids: "SMUG-OPTIONS-CL-BODY SMUG-OPTIONS-CL-BODY-DESYNC", name: "OPTIONS with content", send: ask("OPTIONS /", "Content-Length: 5\r\n", "hello"), status: 204},
	{ids: "SMUG-GET-CL-PREFIX-DESYNC", name: "GET with the begin of a request as content", send: ask("GET /", "Content-Length: 38\r\n", strings.TrimSuffix(getPage, "\r\n")+"\r\n"+getPage), status: 200, then: []int{200}, body: "OK"},
	{ids: "SMUG-CL0-BODY-POISON", name: "a byte behind a content of none", send: sized("0", "X"+getPage), status: 200, then: []int{405}},
}

// RFC 9112 §7.1.
var chunkedCases = []probeCase{
	{ids: "COMP-CHUNKED-BODY", name: "one chunk", send: chunks("5\r\nhello\r\n0\r\n\r\n"), status: 200, body: "hello", fields: []string{"Content-Length: 5"}},
	{ids: "h1spec", name: "a size in hexadecimal", send: chunks("c\r\nHellO world1\r\n0\r\n\r\n"), status: 200, body: "HellO world1"},
	{ids: "COMP-CHUNKED-HEX-UPPERCASE", name: "a size in capitals", send: chunks("A\r\nhelloworld\r\n0\r\n\r\n"), status: 200, body: "helloworld"},
	{ids: "COMP-CHUNKED-MULTI", name: "two chunks", send: chunks("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), status: 200, body: "hello world"},
	{ids: "COMP-CHUNKED-EMPTY", name: "none", send: chunks("0\r\n\r\n"), status: 200, fields: []string{"Content-Length: 0"}},
	{ids: "COMP-CHUNKED-EXTENSION", name: "an extension", send: chunks("5;ext=value\r\nhello\r\n0\r\n\r\n"), status: 200, body: "hello"},
	{ids: "COMP-CHUNKED-TRAILER-VALID", name: "a trailer field", send: chunks("5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n"), status: 200, body: "hello"},
	{ids: "SMUG-TRAILER-CL", name: "Content-Length in the trailer", send: chunks("5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"), status: 200, body: "hello"},
	{ids: "SMUG-TRAILER-TE", name: "Transfer-Encoding in the trailer", send: chunks("5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"), status: 200, body: "hello"},
	{ids: "SMUG-TRAILER-HOST", name: "Host in the trailer", send: chunks("5\r\nhello\r\n0\r\nHost: evil.example.com\r\n\r\n"), status: 200, body: "hello"},
	{ids: "SMUG-TRAILER-AUTH", name: "Authorization in the trailer", send: chunks("5\r\nhello\r\n0\r\nAuthorization: Bearer evil\r\n\r\n"), status: 200, body: "hello"},
	{ids: "SMUG-TRAILER-CONTENT-TYPE", name: "Content-Type in the trailer", send: chunks("5\r\nhello\r\n0\r\nContent-Type: text/evil\r\n\r\n"), status: 200, body: "hello", fields: []string{"Content-Type: application/octet-stream"}},
	{ids: "MAL-CHUNK-SIZE-OVERFLOW", name: "a size beyond 64 bits", send: chunks("FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-NEGATIVE", name: "a negative size", send: chunks("-1\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-SIZE-PLUS", name: "a plus sign", send: chunks("+5\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-INVALID-SIZE-DESYNC", name: "+0 and a byte behind it", send: chunks("+0\r\n\r\nX" + getPage), status: 400},
	{ids: "SMUG-CHUNK-UNDERSCORE", name: "1_0", send: chunks("1_0\r\nhello world!!!!!\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-HEX-PREFIX", name: "0x5", send: chunks("0x5\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-LEADING-SP", name: "space before the size", send: chunks(" 5\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-SIZE-TRAILING-OWS", name: "space behind the size", send: chunks("5 \r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-BARE-SEMICOLON", name: "an extension without a name", send: chunks("5;\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-EXT-INVALID-TOKEN", name: "a bracket in an extension", send: chunks("5;bad[=x\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-EXT-CTRL", name: "NUL in an extension", send: chunks("5;\x00ext\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-EXT-CR", name: "bare CR in an extension", send: chunks("5;a\rX\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-EXT-LF", name: "bare LF behind a semicolon", send: chunks("5;\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "MAL-CHUNK-EXT-64K", name: "an extension of 64 KiB", send: chunks("5;ext=" + strings.Repeat("a", 64<<10) + "\r\nhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-BARE-CR-TERM", name: "bare CR behind the size", send: chunks("5\rhello\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-SPILL", name: "more data than announced", send: chunks("5\r\nhello!!\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-MISSING-TRAILING-CRLF", name: "no line end behind the data", send: chunks("5\r\nhello0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-LF-TERM", name: "bare LF behind the data", send: chunks("5\r\nhello\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CHUNK-LF-TRAILER", name: "bare LF in the end", send: chunks("5\r\nhello\r\n0\r\n\n"), status: 400},
	{name: "GET with chunks that are none", send: ask("GET /", "Transfer-Encoding: chunked\r\n", "z\r\n"), status: 400},
}

// RFC 9112 §6.1.
var codingCases = []probeCase{
	{ids: "COMP-UNKNOWN-TE-501", name: "gzip", send: ask("POST /", "Transfer-Encoding: gzip\r\n", ""), status: 400},
	{ids: "SMUG-TE-NOT-FINAL-CHUNKED", name: "gzip behind chunked", send: ask("POST /", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), status: 400},
	{ids: "SMUG-TE-HTTP10", name: "chunked in HTTP/1.0", send: "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", status: 400},
	{ids: "SMUG-TE-XCHUNKED", name: "xchunked", send: coded("xchunked"), status: 400},
	{ids: "SMUG-TE-IDENTITY", name: "identity", send: coded("identity"), status: 400},
	{ids: "SMUG-TE-EMPTY-VALUE", name: "empty", send: coded(""), status: 400},
	{ids: "SMUG-TE-TRAILING-SPACE", name: "space behind chunked", send: coded("chunked "), status: 400},
	{ids: "SMUG-TE-TAB-BEFORE-VALUE", name: "tab before chunked", send: coded("\tchunked"), status: 400},
	{ids: "SMUG-TE-VTAB", name: "vertical tab before chunked", send: coded("\x0bchunked"), status: 400},
	{ids: "SMUG-TE-FORMFEED", name: "form feed before chunked", send: coded("\x0cchunked"), status: 400},
	{ids: "SMUG-TE-NULL", name: "NUL behind chunked", send: coded("chunked\x00"), status: 400},
	{ids: "SMUG-TE-CASE-MISMATCH", name: "Chunked", send: coded("Chunked"), status: 400},
	{ids: "SMUG-TE-LEADING-COMMA", name: "a comma before chunked", send: coded(", chunked"), status: 400},
	{ids: "SMUG-TE-TRAILING-COMMA", name: "a comma behind chunked", send: coded("chunked,"), status: 400},
	{ids: "SMUG-TE-DOUBLE-CHUNKED", name: "chunked twice", send: coded("chunked, chunked"), status: 400},
	{ids: "SMUG-CHUNKED-WITH-PARAMS", name: "chunked with a parameter", send: coded("chunked;ext=val"), status: 400},
	{ids: "SMUG-TE-DUPLICATE-HEADERS", name: "two lines", send: coded("chunked\r\nTransfer-Encoding: identity"), status: 400},
	{ids: "SMUG-TE-OBS-FOLD", name: "a folded line", send: coded("\r\n chunked"), status: 400},
	{ids: "SMUG-OPTIONS-TE-OBS-FOLD", name: "a folded line with OPTIONS", send: strings.Replace(coded("\r\n chunked"), "POST", "OPTIONS", 1) + getPage, status: 400},
	{ids: "SMUG-TE-SP-BEFORE-COLON", name: "space before the colon", send: ask("POST /", "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "hello"), status: 400},
	{ids: "SMUG-TRANSFER_ENCODING", name: "Transfer_Encoding is another field", send: ask("POST /", "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "hello"), status: 200, body: "hello"},
}

// Each carries a second request, which a server would answer that framed the first one otherwise than its client.
var smugglingCases = []probeCase{
	{ids: "SMUG-CL-TE-BOTH", name: "a length that fits the chunks", send: ask("POST /", "Content-Length: 23\r\nTransfer-Encoding: chunked\r\n", "D\r\nhello-bananas\r\n0\r\n\r\n") + getPage, status: 400},
	{ids: "h1spec", name: "a length and chunks in another case", send: ask("POST /", "content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n", "c\r\nHellO world1\r\n0\r\n\r\n"), status: 400},
	{ids: "SMUG-CLTE-PIPELINE", name: "a length that ends within the last chunk", send: ask("POST /", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), status: 400},
	{ids: "SMUG-TECL-PIPELINE", name: "a length beyond the last chunk", send: ask("POST /", "Transfer-Encoding: chunked\r\nContent-Length: 30\r\n", "0\r\n\r\n"), status: 400},
	{ids: "SMUG-CLTE-CONN-CLOSE", name: "a length, chunks, and a request", send: ask("POST /", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + getPage, status: 400},
	{ids: "SMUG-TECL-CONN-CLOSE", name: "chunks, a length, and a request", send: ask("POST /", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n") + getPage, status: 400},
	{ids: "SMUG-CLTE-DESYNC", name: "a byte beyond the last chunk", send: ask("POST /", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nX") + getPage, status: 400},
	{ids: "SMUG-TECL-DESYNC", name: "a byte beyond the last chunk, and a length beyond both", send: ask("POST /", "Transfer-Encoding: chunked\r\nContent-Length: 30\r\n", "0\r\n\r\nX") + getPage, status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET", name: "GET", send: smuggle(getPage, "Content-Length: %d", "Transfer-Encoding: chunked"), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-HEAD", name: "HEAD", send: smuggle(ask("HEAD /", "", ""), "Content-Length: %d", "Transfer-Encoding: chunked"), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET-CL-PLUS", name: "behind a length with a plus sign", send: smuggle(getPage, "Content-Length: +%d", "Transfer-Encoding: chunked"), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC", name: "behind a length with a letter", send: smuggle(getPage, "Content-Length: %dx", "Transfer-Encoding: chunked"), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD", name: "behind a folded coding", send: smuggle(getPage, "Transfer-Encoding:\r\n chunked", "Content-Length: %d"), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE", name: "behind a coding with space", send: smuggle(getPage, "Content-Length: %d", "Transfer-Encoding: chunked "), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA", name: "behind a coding with a comma", send: smuggle(getPage, "Content-Length: %d", "Transfer-Encoding: , chunked"), status: 400},
	{ids: "SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH", name: "behind a coding in another case", send: smuggle(getPage, "Content-Length: %d", "Transfer-Encoding: Chunked"), status: 400},
	{ids: "SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET", name: "behind two codings", send: smuggle(getPage, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Content-Length: %d"), status: 400},
	{ids: "SMUG-DUPLICATE-CL-SMUGGLED-GET", name: "behind the shorter one of two lengths", send: ask("POST /", "Content-Length: 4\r\nContent-Length: 44\r\n", "PING"+getPage), status: 400},
	{ids: "SMUG-TECL-SMUGGLED-GET", name: "in a chunk, behind a length that ends before it", send: ask("POST /", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "3b\r\n"+ask("GET /", "Content-Length: 7\r\n", "")+"\r\n0\r\n\r\n"), status: 400},
}

// smuggle is a POST without chunks but with a request behind them. A %d in its fields stands for the bytes of both.
func smuggle(request string, fields ...string) string {
	content := "0\r\n\r\n" + request
	lines := strings.Join(fields, "\r\n") + "\r\n"
	return ask("POST /", strings.Replace(lines, "%d", fmt.Sprint(len(content)), 1), content)
}
