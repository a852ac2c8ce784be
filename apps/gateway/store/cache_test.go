package store

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"corelab/httpcore"
)

const (
	second = int64(1e9)
	// wall0 is when the tests begin: Sun, 06 Nov 1994 08:49:37 GMT.
	wall0 = int64(784111777)
	date0 = "Sun, 06 Nov 1994 08:49:37 GMT"
)

// fields are the field lines of a request.
type fields [][2][]byte

func (f fields) NumFields() int                     { return len(f) }
func (f fields) FieldAt(i int) (name, value []byte) { return f[i][0], f[i][1] }

// split makes "A: b|C: d" into field lines.
func split(s string) (f fields) {
	for _, line := range strings.Split(s, "|") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			f = append(f, [2][]byte{[]byte(name), trim([]byte(value))})
		}
	}
	return f
}

// lines makes it into lines of an answer.
func lines(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(strings.ReplaceAll(s, "|", "\r\n") + "\r\n")
}

// get is a GET with those field lines.
func get(target, f string) *Request {
	return &Request{Fields: split(f), Space: "up", Method: httpcore.MethodGet, Host: []byte("example.org"), Target: []byte(target)}
}

// upstream answers a request that missed, and reports whether the answer is stored.
func upstream(c *Cache, a *Ask, q *Request, status int, answer, body string, now int64) bool {
	defer c.Leave(a)
	if !c.Begin(a, q, status, lines(answer), int64(len(body)), wall0+now/second, now, 0) {
		return false
	}
	if !c.Add(a, q, []byte(body), now) {
		return false
	}
	c.Commit(a)
	return true
}

// ask looks for a request, and has it answered by the upstream if need be.
func ask(c *Cache, q *Request, answer, body string, now int64) Found {
	var a Ask
	f := c.Look(&a, q, now)
	if f.Status == Miss || f.Status == Expired {
		upstream(c, &a, q, 200, answer, body, now)
	}
	c.Leave(&a)
	return f
}

// TestFreshness stores an answer, waits for some seconds, and looks with a request: everything that RFC 9111 §4.2, §5.2 and
// RFC 5861 say of when it may be used.
func TestFreshness(t *testing.T) {
	for _, c := range []struct {
		answer  string
		after   int64
		request string
		want    Status
	}{
		{"Cache-Control: max-age=10", 9, "", Hit},
		{"Cache-Control: max-age=10|ETag: \"a\"", 10, "", Expired},
		{"Cache-Control: MAX-AGE=10", 9, "", Hit},
		{"Cache-Control: max-age=\"10\"", 9, "", Hit},
		{"Cache-Control: foo, max-age = 10 , bar=\"a,max-age=1\"", 9, "", Hit},
		{"Cache-Control: foo|Cache-Control: max-age=10", 9, "", Hit},
		{"Cache-Control: max-age=10, s-maxage=20", 19, "", Hit},
		{"Cache-Control: s-maxage=5, max-age=10|ETag: \"a\"", 7, "", Expired},
		{"Cache-Control: max-age=10|Expires: Sun, 06 Nov 1994 08:49:38 GMT", 9, "", Hit},
		{"Expires: Sun, 06 Nov 1994 08:50:37 GMT|Date: " + date0, 59, "", Hit},
		{"Expires: Sun, 06 Nov 1994 08:50:37 GMT|ETag: \"a\"", 60, "", Expired},
		{"Expires: Sun, 06 Nov 1994 08:50:37 GMT|Date: Sun, 06 Nov 1994 08:48:37 GMT", 59, "", Hit}, // 120 s, 60 of them old
		{"Expires: Sun, 06 Nov 1994 08:50:37 GMT|Date: Sun, 06 Nov 1994 08:48:37 GMT|ETag: \"a\"", 60, "", Expired},
		{"Expires: Sunday, 06-Nov-94 08:50:37 GMT", 59, "", Hit},
		{"Expires: 0|ETag: \"a\"", 0, "", Expired},
		{"Expires: " + date0 + "|Expires: Sun, 06 Nov 1994 09:49:37 GMT|ETag: \"a\"", 0, "", Expired},
		{"Cache-Control: max-age=10, max-age=20|ETag: \"a\"", 0, "", Expired},
		{"Cache-Control: max-age=ten|ETag: \"a\"", 0, "", Expired},
		{"Cache-Control: max-age=-1|ETag: \"a\"", 0, "", Expired},
		{"Cache-Control: max-age=99999999999999999999", 1 << 30, "", Hit},
		{"Cache-Control: max-age=10|Age: 4", 5, "", Hit},
		{"Cache-Control: max-age=10|Age: 4|ETag: \"a\"", 6, "", Expired},
		{"Cache-Control: max-age=10|Age: never", 9, "", Hit},
		{"Cache-Control: max-age=10|Date: Sun, 06 Nov 1994 08:49:32 GMT|ETag: \"a\"", 5, "", Expired},
		{"Cache-Control: max-age=10|Date: Sun, 06 Nov 1994 08:59:32 GMT", 9, "", Hit}, // a clock that is ahead
		{"Last-Modified: Sat, 06 Nov 1993 08:49:37 GMT", 0, "", Expired},              // no guess
		{"Cache-Control: no-cache, max-age=10|ETag: \"a\"", 1, "", Expired},
		{"Cache-Control: no-cache=\"set-cookie\", max-age=10|ETag: \"a\"", 1, "", Expired},
		{"Cache-Control: must-understand, max-age=10", 9, "", Hit},

		{"Cache-Control: max-age=10", 1, "Cache-Control: no-cache", Expired},
		{"Cache-Control: max-age=10", 1, "Pragma: no-cache", Expired},
		{"Cache-Control: max-age=10", 1, "Pragma: no-cache|Cache-Control: max-age=5", Hit},
		{"Cache-Control: max-age=10", 5, "Cache-Control: max-age=5", Hit},
		{"Cache-Control: max-age=10", 6, "Cache-Control: max-age=5", Expired},
		{"Cache-Control: max-age=10", 1, "Cache-Control: max-age=0", Expired},
		{"Cache-Control: max-age=10", 6, "Cache-Control: min-fresh=4", Hit},
		{"Cache-Control: max-age=10", 7, "Cache-Control: min-fresh=4", Expired},
		{"Cache-Control: max-age=10", 20, "Cache-Control: max-stale=10", Stale},
		{"Cache-Control: max-age=10|ETag: \"a\"", 21, "Cache-Control: max-stale=10", Expired},
		{"Cache-Control: max-age=10", 1000, "Cache-Control: max-stale", Stale},
		{"Cache-Control: max-age=10, must-revalidate", 11, "Cache-Control: max-stale", Expired},
		{"Cache-Control: max-age=10, proxy-revalidate", 11, "Cache-Control: max-stale", Expired},
		{"Cache-Control: s-maxage=10", 11, "Cache-Control: max-stale", Expired},
		{"Cache-Control: max-age=10", 1, "Cache-Control: no-store", Bypass},
		{"Cache-Control: max-age=10", 1, "Range: bytes=0-1", Bypass},
		{"Cache-Control: max-age=10", 1, "If-Match: \"a\"", Bypass},
		{"Cache-Control: max-age=10", 1, "If-Unmodified-Since: " + date0, Bypass},

		{"Cache-Control: max-age=10, stale-while-revalidate=5", 14, "", Updating},
		{"Cache-Control: max-age=10, stale-while-revalidate=5", 15, "", Expired},
		{"Cache-Control: max-age=10, stale-while-revalidate=5", 12, "Cache-Control: max-age=11", Expired},
		{"Cache-Control: max-age=10, stale-while-revalidate=5", 12, "Cache-Control: no-cache", Expired},
		{"Cache-Control: max-age=10, stale-while-revalidate=5, must-revalidate", 12, "", Expired},
		{"Cache-Control: s-maxage=10, stale-while-revalidate=5", 12, "", Expired},
	} {
		cache := New(Rules{}.Filled())
		var a Ask
		q := get("/", "")
		cache.Look(&a, q, 0)
		if !upstream(cache, &a, q, 200, c.answer, "x", 0) {
			t.Errorf("%s: not stored", c.answer)
			continue
		}
		var b Ask
		f := cache.Look(&b, get("/", c.request), c.after*second)
		if f.Status != c.want {
			t.Errorf("%s, %d s later, %q: %s, want %s", c.answer, c.after, c.request, f.Status, c.want)
		}
		if has := f.Status == Hit || f.Status == Stale || f.Status == Updating; has != (string(f.Body) == "x" && f.Code == 200) {
			t.Errorf("%s, %d s later: %s with body %q", c.answer, c.after, f.Status, f.Body)
		}
	}
}

// TestStorable: what RFC 9111 §3 lets a shared cache store.
func TestStorable(t *testing.T) {
	const fresh = "Cache-Control: max-age=10"
	for _, c := range []struct {
		method  httpcore.Method
		request string
		status  int
		answer  string
		want    bool
	}{
		{httpcore.MethodGet, "", 200, fresh, true},
		{httpcore.MethodGet, "", 404, fresh, true},
		{httpcore.MethodGet, "", 302, fresh, true},
		{httpcore.MethodGet, "", 503, fresh, true},
		{httpcore.MethodGet, "", 206, fresh, false},
		{httpcore.MethodGet, "", 304, fresh, false},
		{httpcore.MethodPost, "", 200, fresh, false},
		{httpcore.MethodHead, "", 200, fresh, false},
		{httpcore.MethodGet, "", 200, "", false},
		{httpcore.MethodGet, "", 200, "ETag: \"a\"", true}, // not fresh, but can be validated
		{httpcore.MethodGet, "", 200, "Last-Modified: " + date0, true},
		{httpcore.MethodGet, "", 200, "Cache-Control: max-age=0", false},
		{httpcore.MethodGet, "", 200, "Cache-Control: max-age=0, stale-if-error=5", true},
		{httpcore.MethodGet, "", 200, "Cache-Control: max-age=10, no-store", false},
		{httpcore.MethodGet, "", 200, "Cache-Control: max-age=10, private", false},
		{httpcore.MethodGet, "", 200, "Cache-Control: max-age=10, private=\"x\"", false},
		{httpcore.MethodGet, "", 200, "Cache-Control: no-cache, max-age=10", false},
		{httpcore.MethodGet, "", 200, fresh + "|Vary: *", false},
		{httpcore.MethodGet, "", 200, fresh + "|Vary: Accept, *", false},
		{httpcore.MethodGet, "", 200, fresh + "|Set-Cookie: a=b", false},
		{httpcore.MethodGet, "", 200, "Cache-Control: max-age=10, public|Set-Cookie: a=b", true},
		{httpcore.MethodGet, "Cache-Control: no-store", 200, fresh, false},
		{httpcore.MethodGet, "Range: bytes=0-", 200, fresh, false},
		{httpcore.MethodGet, "Authorization: Basic x", 200, fresh, false},
		{httpcore.MethodGet, "Authorization: Basic x", 200, "Cache-Control: max-age=10, public", true},
		{httpcore.MethodGet, "Authorization: Basic x", 200, "Cache-Control: max-age=10, must-revalidate", true},
		{httpcore.MethodGet, "Authorization: Basic x", 200, "Cache-Control: s-maxage=10", true},
		{httpcore.MethodGet, "Authorization: Basic x", 200, "Cache-Control: s-maxage=10, private", false},
	} {
		cache := New(Rules{}.Filled())
		q := get("/", c.request)
		q.Method = c.method
		var a Ask
		cache.Look(&a, q, 0)
		if got := upstream(cache, &a, q, c.status, c.answer, "x", 0); got != c.want || cache.Len() != map[bool]int{true: 1}[c.want] {
			t.Errorf("%s [%s] %d [%s]: stored %v", c.method, c.request, c.status, c.answer, got)
		}
		if cache.reserved != 0 {
			t.Errorf("%d bytes are still reserved", cache.reserved)
		}
	}
}

// TestAuthorized: RFC 9111 §3.5, and that an authorised request is answered only by what says so.
func TestAuthorized(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/plain", ""), "Cache-Control: max-age=10", "x", 0)
	ask(c, get("/public", ""), "Cache-Control: max-age=10, public", "x", 0)
	key := get("/plain", "")
	key.Authorized = true // by a key in another field
	for _, test := range []struct {
		q    *Request
		want Status
	}{
		{get("/plain", ""), Hit}, {get("/plain", "Authorization: Bearer x"), Miss}, {key, Miss},
		{get("/public", ""), Hit}, {get("/public", "authorization: Bearer x"), Hit},
	} {
		var a Ask
		if f := c.Look(&a, test.q, second); f.Status != test.want || test.want == Miss && !f.Alone {
			t.Errorf("%s %s: %s, alone %v", test.q.Target, test.q.Fields, f.Status, f.Alone)
		}
	}
}

func TestVary(t *testing.T) {
	c := New(Rules{}.Filled())
	const vary = "Cache-Control: max-age=10|Vary: Accept-Encoding , accept-language"
	ask(c, get("/", "Accept-Encoding: gzip, br"), vary, "gzip", 0)
	ask(c, get("/", "Accept-Language: de"), vary, "german", 0)
	for _, test := range []struct{ request, want string }{
		{"Accept-Encoding: gzip, br", "gzip"},
		{"accept-encoding:gzip ,br", "gzip"},
		{"Accept-Encoding: gzip|User-Agent: x|Accept-Encoding: br", "gzip"},
		{"Accept-Encoding: br, gzip", ""},
		{"Accept-Encoding: GZIP, br", ""},
		{"Accept-Encoding: gzip", ""},
		{"Accept-Encoding: gzip, br, x", ""},
		{"Accept-Encoding: gzip, br|Accept-Language:", ""}, // empty is not absent
		{"", ""},
		{"Accept-Language: de", "german"},
		{"Accept-Language: de|Accept-Encoding: gzip, br", ""},
	} {
		var a Ask
		f := c.Look(&a, get("/", test.request), second)
		if string(f.Body) != test.want || (f.Status == Hit) != (test.want != "") {
			t.Errorf("%s: %s %q, want %q", test.request, f.Status, f.Body, test.want)
		}
	}
	for i := range 40 {
		ask(c, get("/", fmt.Sprintf("Accept-Language: %d", i)), vary, "x", second)
	}
	if c.Len() != c.rules.Variants {
		t.Errorf("%d variants, at most %d", c.Len(), c.rules.Variants)
	}
	if f := ask(c, get("/", "Accept-Language: 39"), vary, "x", second); f.Status != Hit {
		t.Errorf("the newest variant: %s", f.Status)
	}
}

// TestKeys: what is not the same does not answer.
func TestKeys(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/a?b", ""), "Cache-Control: max-age=10", "x", 0)
	other := get("/a?b", "")
	other.Space = "other"
	host := get("/a?b", "")
	host.Host = []byte("EXAMPLE.org")
	shifted := get("rg\x00/a?b", "")
	shifted.Host = []byte("example.o")
	for name, test := range map[string]struct {
		q    *Request
		want Status
	}{
		"same": {get("/a?b", ""), Hit}, "query": {get("/a?c", ""), Miss}, "case of path": {get("/A?b", ""), Miss}, "prefix": {get("/a?", ""), Miss},
		"space": {other, Miss}, "case of host": {host, Hit}, "shifted": {shifted, Miss},
	} {
		var a Ask
		if f := c.Look(&a, test.q, 0); f.Status != test.want {
			t.Errorf("%s: %s", name, f.Status)
		}
	}
}

func TestConditional(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/tag", ""), "Cache-Control: max-age=10|ETag: W/\"a,b\"|Content-Type: text/plain|Content-Location: /x", "x", 0)
	ask(c, get("/date", ""), "Cache-Control: max-age=10|Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT", "x", 0)
	ask(c, get("/none", ""), "Cache-Control: max-age=10|Date: "+date0, "x", 0)
	for _, test := range []struct {
		target, request string
		want            bool
	}{
		{"/tag", "If-None-Match: \"a,b\"", true},
		{"/tag", "If-None-Match: W/\"a,b\"", true},
		{"/tag", "If-None-Match: \"x\" , \"a,b\"", true},
		{"/tag", "If-None-Match: \"x\"|If-None-Match: \"a,b\"", true},
		{"/tag", "If-None-Match: *", true},
		{"/tag", "If-None-Match: \"a\"", false},
		{"/tag", "If-None-Match: a,b", false},
		{"/tag", "If-None-Match: \"x\"|If-Modified-Since: Sun, 06 Nov 2094 08:00:00 GMT", false},
		{"/tag", "", false},
		{"/date", "If-Modified-Since: Sun, 06 Nov 1994 08:00:00 GMT", true},
		{"/date", "If-Modified-Since: Sun, 06 Nov 1994 07:59:59 GMT", false},
		{"/date", "If-Modified-Since: yesterday", false},
		{"/date", "If-None-Match: \"x\"", false},
		{"/none", "If-Modified-Since: " + date0, true}, // Date stands in, §4.3.2
		{"/none", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", false},
	} {
		var a Ask
		f := c.Look(&a, get(test.target, test.request), second)
		if f.Status != Hit || f.NotModified != test.want {
			t.Errorf("%s [%s]: %s, not modified %v", test.target, test.request, f.Status, f.NotModified)
		}
		if test.target == "/tag" {
			if got := ClientHas(get("/", test.request), lines("ETag: W/\"a,b\""), wall0); got != test.want {
				t.Errorf("from the upstream [%s]: %v", test.request, got)
			}
		}
	}
	got := string(NotModified(nil, lines("Content-Type: text/plain|ETag: \"a\"|Content-Location: /x|Last-Modified: "+date0+"|Vary: a")))
	if want := "ETag: \"a\"\r\nContent-Location: /x\r\nVary: a\r\n"; got != want {
		t.Errorf("lines of a 304: %q", got)
	}
}

// TestLines: what is stored is what came, without what belongs to the connection.
func TestLines(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/", ""), "Cache-Control: max-age=10|Age: 3|Connection: close, X-Hop|x-hop: 1|Keep-Alive: 5|Content-Length: 1|Content-Type: a/b|X-Own: 2|Upgrade: h2c", "x", 0)
	var a Ask
	f := c.Look(&a, get("/", ""), 2*second)
	if want := "Cache-Control: max-age=10\r\nContent-Type: a/b\r\nX-Own: 2\r\n"; string(f.Lines) != want || f.Age != 5 {
		t.Errorf("%q, age %d", f.Lines, f.Age)
	}
}

// TestFreshen: RFC 9111 §4.3.4.
func TestFreshen(t *testing.T) {
	begin := func(answer string) (*Cache, *Ask, Found) {
		c := New(Rules{}.Filled())
		ask(c, get("/", ""), answer, "body", 0)
		a := new(Ask)
		return c, a, c.Look(a, get("/", ""), 20*second)
	}
	c, a, f := begin("Cache-Control: max-age=10|ETag: \"a\"|X-Old: 1|X-Both: 1|X-Both: 2|Last-Modified: " + date0)
	if f.Status != Expired || string(f.ETag) != `"a"` || string(f.Modified) != date0 {
		t.Fatalf("%+v", f)
	}
	old := string(f.ETag)
	f, ok := c.Freshen(a, get("/", ""), lines("ETag: \"a\"|x-both: 3|Cache-Control: max-age=5|X-New: 4|Age: 1|Content-Length: 99"), wall0+20, 20*second, second)
	if want := "ETag: \"a\"\r\nx-both: 3\r\nCache-Control: max-age=5\r\nX-New: 4\r\n"; !ok || f.Status != Revalidated || f.Age != 2 ||
		string(f.Body) != "body" || string(f.Lines) != "X-Old: 1\r\nLast-Modified: "+date0+"\r\n"+want || old != `"a"` {
		t.Errorf("%v %+v %q", ok, f, f.Lines)
	}
	for after, want := range map[int64]Status{2: Hit, 3: Expired} { // 5 s less Age and delay
		var a Ask
		if f := c.Look(&a, get("/", ""), (20+after)*second); f.Status != want || want == Expired && string(f.ETag) != `"a"` {
			t.Errorf("%d s after it was freshened: %s", after, f.Status)
		}
	}

	c, a, _ = begin("Cache-Control: max-age=10|ETag: \"a\"")
	if f, ok := c.Freshen(a, get("/", ""), lines("ETag: \"b\""), wall0, 20*second, 0); ok {
		t.Errorf("a 304 of another tag: %+v", f)
	}
	c, a, _ = begin("Cache-Control: max-age=10|ETag: \"a\"")
	if f, ok := c.Freshen(a, get("/", ""), lines("Cache-Control: no-store"), wall0, 20*second, 0); !ok || string(f.Body) != "body" || c.Len() != 0 {
		t.Errorf("a 304 that forbids to store: %v %+v, %d stored", ok, f, c.Len())
	}
	c, a, _ = begin("Cache-Control: max-age=10|Last-Modified: " + date0)
	if f, ok := c.Freshen(a, get("/", ""), nil, wall0+20, 20*second, 0); !ok || f.Age != 0 {
		t.Errorf("a 304 that says nothing: %v %+v", ok, f)
	}
	if f := c.Look(new(Ask), get("/", ""), 29*second); f.Status != Hit {
		t.Errorf("9 s after: %s", f.Status)
	}
	if c.used != sum(c) {
		t.Errorf("%d bytes are counted, %d are used", c.used, sum(c))
	}
	var b Ask
	c.Look(&b, get("/other", ""), 0)
	if _, ok := c.Freshen(&b, get("/other", ""), nil, wall0, 0, 0); ok {
		t.Error("a 304 for what is not here")
	}
}

// TestInvalidate: RFC 9111 §4.4.
func TestInvalidate(t *testing.T) {
	for location, want := range map[string]string{
		"":                                    "b c d",
		"X-Location: /b":                      "b c d",
		"Location: /b":                        "c d",
		"Content-Location: /b#x|Location: /c": "d",
		"Location: http://EXAMPLE.org/d":      "b c",
		"Location: http://example.org.evil/d": "b c d",
		"Location: http://other.org/b":        "b c d",
		"Location: //example.org/b":           "b c d",
		"Location: b":                         "b c d",
		"location: https://example.org/c":     "b d",
	} {
		c := New(Rules{}.Filled())
		for _, target := range []string{"/a", "/b", "/c", "/d"} {
			ask(c, get(target, "Accept: x"), "Cache-Control: max-age=10|Vary: Accept", "x", 0)
			ask(c, get(target, "Accept: y"), "Cache-Control: max-age=10|Vary: Accept", "x", 0)
		}
		c.Invalidate("up", []byte("example.org"), []byte("/a"), lines(location))
		var left []string
		for _, target := range []string{"/a", "/b", "/c", "/d"} {
			n := 0
			for _, accept := range []string{"x", "y"} {
				if c.Look(new(Ask), get(target, "Accept: "+accept), 0).Status == Hit {
					n++
				}
			}
			if n == 2 {
				left = append(left, target[1:])
			} else if n == 1 {
				t.Errorf("%s: one of two variants of %s is left", location, target)
			}
		}
		if got := strings.Join(left, " "); got != want {
			t.Errorf("%q leaves %q, want %q", location, got, want)
		}
		if c.used != sum(c) {
			t.Errorf("%d bytes are counted, %d are used", c.used, sum(c))
		}
	}
}

// TestInvalidateArriving: an answer that was on its way when its target was changed is not stored.
func TestInvalidateArriving(t *testing.T) {
	for _, early := range []bool{true, false} {
		c := New(Rules{}.Filled())
		q := get("/", "")
		var a Ask
		c.Look(&a, q, 0)
		c.Join(&a, q)
		if early {
			c.Invalidate("up", q.Host, q.Target, nil)
		}
		if c.Begin(&a, q, 200, lines("Cache-Control: max-age=10"), 1, wall0, 0, 0) {
			c.Invalidate("up", q.Host, q.Target, nil)
			c.Add(&a, q, []byte("x"), 0)
			c.Commit(&a)
		}
		c.Leave(&a)
		if c.Len() != 0 || c.reserved != 0 || len(c.flights) != 0 {
			t.Errorf("early %v: %d stored, %d bytes reserved, %d flights", early, c.Len(), c.reserved, len(c.flights))
		}
	}
}

func TestOnError(t *testing.T) {
	for _, test := range []struct {
		answer, request string
		after           int64
		want            bool
	}{
		{"Cache-Control: max-age=10, stale-if-error=5", "", 14, true},
		{"Cache-Control: max-age=10, stale-if-error=5", "", 15, false},
		{"Cache-Control: max-age=10, stale-while-revalidate=5", "", 14, true},
		{"Cache-Control: max-age=10, stale-while-revalidate=5", "", 15, false},
		{"Cache-Control: max-age=10|ETag: \"a\"", "", 11, false},
		{"Cache-Control: max-age=10|ETag: \"a\"", "Cache-Control: stale-if-error=5", 11, true},
		{"Cache-Control: max-age=10, stale-if-error=5, must-revalidate", "", 11, false},
		{"Cache-Control: max-age=10, stale-if-error=5", "Authorization: x", 11, false},
		{"Cache-Control: max-age=10, stale-if-error=5", "Cache-Control: no-cache", 11, false},
	} {
		c := New(Rules{}.Filled())
		ask(c, get("/", ""), test.answer, "x", 0)
		var a Ask
		q := get("/", test.request)
		c.Look(&a, q, test.after*second)
		if f, ok := c.OnError(&a, q, test.after*second); ok != test.want || ok && (f.Status != Stale || string(f.Body) != "x") {
			t.Errorf("%+v: %v %+v", test, ok, f)
		}
	}
}

func TestHeuristic(t *testing.T) {
	c := New(Rules{Heuristic: 0.1}.Filled())
	const old = "Last-Modified: Sun, 06 Nov 1994 08:48:37 GMT" // a minute ago
	ask(c, get("/", ""), old, "x", 0)
	for after, want := range map[int64]Status{5: Hit, 6: Expired} {
		if f := c.Look(new(Ask), get("/", ""), after*second); f.Status != want {
			t.Errorf("after %d s: %s", after, f.Status)
		}
	}
	var a Ask
	q := get("/302", "")
	c.Look(&a, q, 0)
	upstream(c, &a, q, 302, old, "x", 0)
	if f := c.Look(new(Ask), q, 0); f.Status != Expired {
		t.Errorf("302 without any freshness: %s", f.Status)
	}
	ask(c, get("/day", ""), "Last-Modified: Sun, 06 Nov 1904 08:48:37 GMT", "x", 0)
	if f := c.Look(new(Ask), get("/day", ""), maxHeuristic*second); f.Status != Expired {
		t.Errorf("a guess of more than a day: %s", f.Status)
	}
}

func TestOnlyIfCached(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/", ""), "Cache-Control: max-age=10", "x", 0)
	for target, want := range map[string]bool{"/": false, "/none": true} {
		if f := c.Look(new(Ask), get(target, "Cache-Control: only-if-cached"), 0); f.Refuse != want {
			t.Errorf("%s: %+v", target, f)
		}
	}
}

func TestHead(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/", ""), "Cache-Control: max-age=10", "x", 0)
	for target, want := range map[string]Status{"/": Hit, "/none": Miss} {
		q := get(target, "")
		q.Method = httpcore.MethodHead
		if f := c.Look(new(Ask), q, 0); f.Status != want || want == Miss && !f.Alone {
			t.Errorf("%s: %+v", target, f)
		}
	}
}

// TestLarge: what is too large is passed on and not stored, announced or not.
func TestLarge(t *testing.T) {
	c := New(Rules{Bytes: 1 << 20, Object: 10_000}.Filled())
	q := get("/", "")
	for _, announced := range []int64{10_001, -1} {
		var a Ask
		c.Look(&a, q, 0)
		if c.Begin(&a, q, 200, lines("Cache-Control: max-age=10"), announced, wall0, 0, 0) {
			added := 0
			for c.Add(&a, q, make([]byte, 100), 0) {
				added++
			}
			if added != 100 {
				t.Errorf("%d pieces of 100 bytes", added)
			}
			c.Commit(&a)
		}
		c.Leave(&a)
		if c.Len() != 0 || c.reserved != 0 {
			t.Errorf("%d stored, %d bytes reserved", c.Len(), c.reserved)
		}
	}
	var a Ask
	c.Look(&a, q, 0)
	c.Begin(&a, q, 200, lines("Cache-Control: max-age=10"), -1, wall0, 0, 0)
	for range 100 {
		c.Add(&a, q, bytes.Repeat([]byte("y"), 100), 0)
	}
	c.Commit(&a)
	if f := c.Look(new(Ask), q, 0); len(f.Body) != 10_000 || cap(f.Body) != len(f.Body) {
		t.Errorf("%s of %d bytes", f.Status, len(f.Body))
	}
}

// TestReplaced: a newer answer that is not stored takes the older one with it.
func TestReplaced(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/", ""), "Cache-Control: max-age=10, stale-if-error=99", "old", 0)
	ask(c, get("/", ""), "Cache-Control: no-store", "new", 20*second)
	if _, ok := c.OnError(new(Ask), get("/", ""), 20*second); ok || c.Len() != 0 {
		t.Error("the old answer is still here")
	}
}

func ExampleCache() {
	c := New(Rules{}.Filled())
	for _, now := range []int64{0, 5 * second, 15 * second} {
		fmt.Println(ask(c, get("/", ""), "Cache-Control: max-age=10|ETag: \"1\"", "hello", now).Status)
	}
	// Output:
	// MISS
	// HIT
	// EXPIRED
}
