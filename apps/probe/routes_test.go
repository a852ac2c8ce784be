package probe

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"corelab/httpcore"
)

// ask sends one request to a connection of its own and reads the reply.
func ask(t testing.TB, method, request string) (r *http.Response, body string) {
	t.Helper()
	d := newDriver(t, Routes())
	for rest := []byte(request); len(rest) > 0; {
		rest = d.feed(rest, len(rest))
		d.write(1 << 20)
	}
	in := bufio.NewReader(&d.out)
	r, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("%.80q: behind the reply came %.80q", request, rest)
	}
	d.conn.Abort(nil)
	return r, string(b)
}

func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		line, fields string
		status       int
		body         string
	}{
		{"GET /", "", 200, "OK"},
		{"GET /?query", "", 200, "OK"},
		{"HEAD /", "", 200, ""},
		{"GET /", "If-None-Match: \"corelab-probe\"\r\n", 304, ""},
		{"HEAD /", "If-None-Match: *\r\n", 304, ""},
		{"GET /", "If-Match: \"other\"\r\n", 412, string(failed.Body)},
		{"POST /", "", 200, ""},
		{"OPTIONS /", "", 204, ""},
		{"PUT /", "", 405, string(notAllowed.Body)},
		{"BREW /", "", 405, string(notAllowed.Body)},
		{"* /", "", 405, string(notAllowed.Body)},
		{"GET /echo", "X-a: 1\r\nx-A:2\r\n", 200, "Host: a\nX-a: 1\nx-A: 2\n"},
		{"POST /echo", "", 200, "Host: a\n"},
		{"HEAD /echo", "", 200, ""},
		{"BREW /echo", "", 501, "Not Implemented: the method is not known\n"},
		{"GET /cookie", "", 200, ""},
		{"GET /cookie", "Cookie: a=1; b=\"2\" ; c; =d; e=f=g\r\ncOOKIE: h=;\r\n", 200, "a=1\nb=\"2\"\ne=f=g\nh=\n"},
		{"GET /cookie", "Cookies: a=1\r\n", 200, ""},
		{"GET /Echo", "", 404, string(notFound.Body)},
		{"GET /echo/", "", 404, string(notFound.Body)},
		{"GET //", "", 404, string(notFound.Body)},
		{"OPTIONS /none", "", 404, string(notFound.Body)},
		{"BREW /none", "", 404, string(notFound.Body)},
		{"GET /none%0a", "", 400, string(badPath.Body)},
	} {
		method, _, _ := strings.Cut(test.line, " ")
		r, body := ask(t, method, test.line+" HTTP/1.1\r\nHost: a\r\n"+test.fields+"\r\n")
		if r.StatusCode != test.status || body != test.body {
			t.Errorf("%s %q: %d %q", test.line, test.fields, r.StatusCode, body)
		}
		etag, modified := r.Header.Get("ETag") != "", r.Header.Get("Last-Modified") != ""
		page := test.status == 200 && (test.body == "OK" || test.line == "HEAD /")
		if etag != (page || r.StatusCode == 304) || modified != page {
			t.Errorf("%s %q: the validators are %v", test.line, test.fields, r.Header)
		}
	}
}

// TestAllow: what / allows is what it answers otherwise than with 405, and what the server as a whole says.
func TestAllow(t *testing.T) {
	r, _ := ask(t, "OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
	if got := "Allow: " + r.Header.Get("Allow") + "\r\n"; got != allow {
		t.Errorf("the server as a whole says %q", got)
	}
	for m := httpcore.MethodGet; m.String() != ""; m++ {
		if m == httpcore.MethodConnect {
			continue // it names no path
		}
		r, _ := ask(t, m.String(), m.String()+" / HTTP/1.1\r\nHost: a\r\n\r\n")
		listed := strings.Contains(allow, " "+m.String()+",") || strings.HasSuffix(allow, " "+m.String()+"\r\n")
		if listed == (r.StatusCode == 405) {
			t.Errorf("%v gets %d", m, r.StatusCode)
		}
	}
}

// FuzzEncodedControl compares with net/url.
func FuzzEncodedControl(f *testing.F) {
	for _, s := range []string{"/a%00", "/%1f", "/%7F", "/%20%7e", "/%c0%80", "/a%2500", "/%2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		plain, err := url.PathUnescape(path)
		if err != nil || strings.ContainsFunc(path, control) {
			return // no path that httpcore lets through
		}
		if got, want := hasEncodedControl([]byte(path)), strings.ContainsFunc(plain, control); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	})
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

func ExampleRoutes() {
	for _, r := range Routes() {
		fmt.Println(r.Method, r.Pattern)
	}
	// Output:
	// GET /
	// POST /
	// OPTIONS /
	// * /
	// GET /echo
	// POST /echo
	// GET /cookie
	// * /*path
}
