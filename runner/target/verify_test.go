package target

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// canned answers each connection with the answers of its list, one a request head, then closes it. It returns the address.
func canned(t *testing.T, connections ...[]string) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for _, answers := range connections {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			for _, answer := range answers {
				head := make([]byte, 0, 4096)
				for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, b[0]) {
					if _, err := conn.Read(b); err != nil {
						break
					}
				}
				io.WriteString(conn, answer)
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestVerify(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
	const closing = "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nhello"
	twice := func(s string) [][]string { return [][]string{{s, s}} }
	each := func(s string) [][]string { return [][]string{{s}, {s}} }
	want := Expect{Status: 200, Body: []byte("hello")}
	tests := []struct {
		name    string
		answers [][]string
		method  string
		expect  Expect
		err     string
	}{
		{"as expected", twice(good), "", want, ""},
		{"named field", twice(good), "", Expect{Fields: map[string]string{"content-type": "text/plain", "Etag": ""}}, ""},
		{"nothing known", twice(good), "", Expect{}, ""},
		{"chunked", twice("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n03\r\nllo\r\n0\r\nT: x\r\n\r\n"), "", want, ""},
		{"closes each time", each(closing), "", want, ""},
		{"to the end", each("HTTP/1.1 200 OK\r\n\r\nhello"), "", want, ""},
		{"HTTP/1.0", each("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), "", want, ""},
		{"closes without a word", [][]string{{good}, {good}}, "", want, ""},
		{"204", twice("HTTP/1.1 204 No Content\r\n\r\n"), "", Expect{Status: 204, Body: []byte{}}, ""},
		{"HEAD", twice("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), "HEAD", Expect{Status: 200}, ""},
		{"interim", twice("HTTP/1.1 103 Early Hints\r\n\r\n" + good), "", want, ""},

		{"status", twice("HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone"), "", want, `status 404, expected 200; the answer was "gone"`},
		{"wrong byte", twice(strings.Replace(good, "hello", "hexlo", 1)), "", want, `differs at byte 2: "hexlo" of 5 bytes, expected "hello"`},
		{"too short", twice("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell"), "", want, `at byte 4: "hell" of 4 bytes`},
		{"field missing", twice(good), "", Expect{Fields: map[string]string{"ETag": "1"}}, `field ETag is missing, expected "1"`},
		{"field differs", twice(good), "", Expect{Fields: map[string]string{"Content-Type": "x"}}, `"text/plain", expected "x"`},
		{"field unwanted", twice(good), "", Expect{Fields: map[string]string{"Content-Type": ""}}, `expected none`},
		{"one byte too long", twice(good + "!"), "", want, `1 bytes follow the answer: "!"`},
		{"one byte behind close", each(closing + "!"), "", want, `bytes follow the last answer: "!"`},
		{"another answer", [][]string{{good, strings.Replace(good, "hello", "jello", 1)}}, "", Expect{}, "the second time: the body differs at byte 0"},
		{"closed in the body", each("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), "", want, "ends after 5 of 9 bytes"},
		{"closed in the head", each("HTTP/1.1 200 OK\r\nCont"), "", want, `read the head, after "HTTP/1.1 200 OK\r\nCont"`},
		{"both framings", twice("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "", want, "both Transfer-Encoding"},
		{"two lengths", twice("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), "", want, "not the only one"},
		{"signed length", twice("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"), "", want, "no number"},
		{"gzip", twice("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), "", want, "not chunked"},
		{"bare LF", twice("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"), "", want, "without CR"},
		{"bad chunk", twice("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n"), "", want, `no size of a chunk: "xx"`},
		{"chunk too long", twice("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"), "", want, "no CRLF after a chunk"},
		{"not HTTP", twice("SSH-2.0-OpenSSH_9\r\n\r\n"), "", want, "no status line"},
		{"space before colon", twice("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), "", want, "no field line"},
		{"nothing", [][]string{{}, {}}, "", want, "without an answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			wire, err := Verify(ctx, canned(t, test.answers...), Exchange{Method: test.method, Path: "/x", Expect: test.expect})
			if test.err == "" {
				if err != nil || wire.Status == 0 || wire.HeadBytes == 0 {
					t.Errorf("%+v, %v", wire, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
		})
	}
}

func TestVerifyEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			conn.Read(make([]byte, 1))
			cancel(errors.New("enough"))
			conn.Read(make([]byte, 4096))
			<-t.Context().Done()
		}
	}()
	if _, err := Verify(ctx, l.Addr().String(), Exchange{}); err == nil {
		t.Error("a server that never answers is verified")
	}
}

func TestExchangeBytes(t *testing.T) {
	for want, x := range map[string]Exchange{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n":                                     {},
		"GET /a HTTP/1.1\r\nA: 1\r\nhost: other\r\n\r\n":                        {Path: "/a", Header: map[string]string{"host": "other", "A": "1"}},
		"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi":            {Method: "POST", Path: "/e", Body: []byte("hi")},
		"POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n": {Method: "POST", Header: map[string]string{"transfer-encoding": "chunked"}, Body: []byte("0\r\n")},
	} {
		if got := string(x.Bytes("h")); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestReference(t *testing.T) {
	a, err := Reference(t.Context(), canned(t, []string{"HTTP/1.1 201 Made\r\nContent-Length: 2\r\nX: y\r\n\r\nok"}), Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := a.Field("x"); a.Status != 201 || string(a.Body) != "ok" || x != "y" {
		t.Errorf("%+v", a)
	}
	if e := a.Expect(); e.check(a) != nil || e.check(Answer{Status: 201, Body: []byte("no")}) == nil {
		t.Error("the reference does not expect itself, or expects anything")
	}
}
