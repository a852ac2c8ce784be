package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"corelab/peers/routes"
)

func show(r Request) string {
	return fmt.Sprintf("%s %s %q %q %v", r.Method, r.Path, r.Type, r.Body, r.Close)
}

func TestRead(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"GET / HTTP/1.1\r\n\r\n", `GET / "" "" false`},
		{"GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n", `GET /a "" "" false`},
		{"GET /a HTTP/1.0\r\n\r\n", `GET /a "" "" true`},
		{"GET /a HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", `GET /a "" "" false`},
		{"GET /a HTTP/1.1\r\nConnection: close \r\n\r\n", `GET /a "" "" true`},
		{"POST /e HTTP/1.1\r\ncontent-length: 2\r\nContent-Type: a/b\r\n\r\nhi", `POST /e "a/b" "hi" false`},
	} {
		for n := range len(test.in) {
			var r Request
			if got, err := Read([]byte(test.in[:n]), &r); got != 0 || err != nil {
				t.Errorf("%q: %d, %v", test.in[:n], got, err)
			}
		}
		var r Request
		n, err := Read([]byte(test.in+"GET"), &r)
		if err != nil || n != len(test.in) || show(r) != test.want {
			t.Errorf("%q: %s of %d bytes, %v", test.in, show(r), n, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	long := "GET /" + strings.Repeat("a", MaxHead)
	for in, want := range map[string]Malformed{
		"GET\r\n":                                        400,
		"GET / HTTP/2.0\r\n":                             400,
		"GET / HTTP/1.2\r\n":                             400,
		"GET / HTTP/1.1\n":                               400,
		" / HTTP/1.1\r\n":                                400,
		"GET  HTTP/1.1\r\n":                              400,
		"GET a HTTP/1.1\r\n":                             400,
		"GET /a b HTTP/1.1\r\n":                          400,
		"GET / HTTP/1.1\r\nHost\r\n":                     400,
		"GET / HTTP/1.1\r\nHost : h\r\n":                 400,
		"GET / HTTP/1.1\r\n: h\r\n":                      400,
		"GET / HTTP/1.1\r\nHost: h\n":                    400,
		"GET / HTTP/1.1\r\n\n":                           400,
		"P / HTTP/1.1\r\nContent-Length: +1\r\n":         400,
		"P / HTTP/1.1\r\nContent-Length: 16777217\r\n":   413,
		"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n": 501,
		long:                           431,
		"GET / HTTP/1.1\r\nA: " + long: 431,
	} {
		var r Request
		n, err := Read([]byte(in), &r)
		if m, is := errors.AsType[Malformed](err); n != 0 || !is || m != want {
			t.Errorf("%.40q: %d, %v, want %d", in, n, err, want)
		}
	}
}

// TestAppend has net/http read what was written.
func TestAppend(t *testing.T) {
	big := bytes.Repeat([]byte("x"), Inline+1)
	for _, test := range []struct {
		reply  routes.Reply
		method string
		closes bool
		body   string
	}{
		{routes.Reply{Status: 200, Type: "a/b", Body: []byte("hello")}, "GET", false, "hello"},
		{routes.Reply{Status: 200, Type: "a/b", Body: []byte("hello")}, "HEAD", false, ""},
		{routes.Reply{Status: 404, Type: "a/b", Body: []byte("no")}, "GET", true, "no"},
		{routes.Reply{Status: 204}, "GET", false, ""},
		{routes.Reply{Status: 200, Type: "a/b", Body: big}, "GET", false, string(big)},
	} {
		b := Append(nil, "it", &test.reply, test.method == "HEAD", test.closes)
		if len(test.reply.Body) > Inline {
			b = append(b, test.reply.Body...)
		}
		in := bufio.NewReader(bytes.NewReader(b))
		res, err := http.ReadResponse(in, &http.Request{Method: test.method})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != test.body || in.Buffered() > 0 {
			t.Errorf("%q: body %q, %v", b, body, err)
		}
		_, dated := http.ParseTime(res.Header.Get("Date"))
		if res.StatusCode != test.reply.Status || res.Close != test.closes || res.Header.Get("Server") != "it" ||
			res.Header.Get("Content-Type") != test.reply.Type || dated != nil {
			t.Errorf("%q", b)
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	in := []byte("GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: keep-alive\r\n\r\n")
	out := make([]byte, 0, 1<<10)
	var r Request
	n := testing.AllocsPerRun(100, func() {
		if n, err := Read(in, &r); n != len(in) || err != nil {
			t.Fatal(n, err)
		}
		reply := routes.Answer(r.Request)
		out = Append(out[:0], "it", &reply, false, r.Close)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
