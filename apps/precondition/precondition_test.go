package precondition

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"corelab/httpcore"
)

// now is the time of the tests: Sunday, 22 Nov 2026.
var now = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)

func TestParseDate(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{"Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"},
		{"Tue, 29 Feb 2028 00:00:00 GMT", "2028-02-29T00:00:00Z"},
		{"Monday, 01-Jan-76 00:00:00 GMT", "2076-01-01T00:00:00Z"}, // less than 50 years ahead
		{"Monday, 01-Jan-77 00:00:00 GMT", "1977-01-01T00:00:00Z"},
		{"Monday, 01-Jan-69 00:00:00 GMT", "2069-01-01T00:00:00Z"},
		{"Monday, 01-Jan-00 00:00:00 GMT", "2000-01-01T00:00:00Z"},

		{"", ""},
		{"*", ""},
		{"0", ""},
		{"1994-11-06T08:49:37Z", ""},
		{"Sun, 06 Nov 1994 08:49:37 UTC", ""},
		{"Sun, 06 Nov 1994 08:49:37 +0000", ""},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", ""},
		{"Sun, 06 Nov 1994 08:49 GMT", ""},
		{"Sun, 6 Nov 1994 08:49:37 GMT", ""},
		{"Sun, 31 Feb 1994 08:49:37 GMT", ""},
		{"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", ""},
	} {
		got := ""
		if d, valid := ParseDate([]byte(test.value), now); valid {
			got = d.Format(time.RFC3339)
		}
		if got != test.want {
			t.Errorf("%q is %q, want %q", test.value, got, test.want)
		}
	}
}

func TestListsTag(t *testing.T) {
	for _, test := range []struct {
		list, etag   string
		strong, weak bool
	}{
		{`"a"`, `"a"`, true, true},
		{`W/"a"`, `"a"`, false, true},
		{`"a"`, `W/"a"`, false, true},
		{`W/"a"`, `W/"a"`, false, true},
		{`w/"a"`, `"a"`, false, false}, // case-sensitive
		{`"A"`, `"a"`, false, false},
		{`"b", "a"`, `"a"`, true, true},
		{`"b","a"`, `"a"`, true, true},
		{` , ,"b"	, "a" ,`, `"a"`, true, true},
		{`"b" "a"`, `"a"`, false, false},
		{`"b,"a"`, `"a"`, false, false},
		{`"x,y", "a"`, `"a"`, true, true},
		{`"x,y"`, `"y"`, false, false},
		{`a`, `"a"`, false, false},
		{`"a`, `"a"`, false, false},
		{`a"`, `"a"`, false, false},
		{`"b", a, "a"`, `"a"`, false, false},
		{`""`, `""`, true, true},
		{``, `"a"`, false, false},
		{`*, "a"`, `"a"`, false, false},
	} {
		if got := listsTag([]byte(test.list), test.etag, strong); got != test.strong {
			t.Errorf("%s names %s strongly: %v", test.list, test.etag, got)
		}
		if got := listsTag([]byte(test.list), test.etag, weak); got != test.weak {
			t.Errorf("%s names %s weakly: %v", test.list, test.etag, got)
		}
	}
}

// FuzzParseDate compares with net/http, which reads the same forms, but for years of two digits.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, valid := ParseDate([]byte(s), now)
		if valid && bytes.ContainsAny([]byte(s), "-") && got.After(now.AddDate(50, 0, 0)) {
			t.Errorf("%q is %v, more than 50 years ahead", s, got)
		}
		want, err := http.ParseTime(s)
		if valid && err != nil || err == nil && valid && want.Year()%100 != got.Year()%100 {
			t.Errorf("%q: %v %v, net/http says %v %v", s, got, valid, want, err)
		}
	})
}

// evaluate asks once, with those field lines.
func evaluate(t testing.TB, fields string, ask func(x *httpcore.Exchange)) {
	router := new(httpcore.Router)
	asked := false
	err := router.Add(httpcore.Route{Method: "GET", Pattern: "/", Serve: func(x *httpcore.Exchange) {
		asked = true
		ask(x)
		x.Reply(&httpcore.Reply{})
	}})
	if err != nil {
		t.Fatal(err)
	}
	var c httpcore.Conn
	c.Open(&httpcore.Env{Handler: httpcore.NewHandler(router, httpcore.Limits{}, ""), Buffers: heap{}}, nil, 1)
	c.Feed([]byte("GET / HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n"), 1)
	c.Abort(nil)
	if !asked {
		t.Fatalf("the request with %q did not arrive", fields)
	}
}

// heap lends no buffer twice.
type heap struct{}

func (heap) Get(n int) []byte { return make([]byte, n) }
func (heap) Put([]byte)       {}

func TestEvaluate(t *testing.T) {
	v := Validators{ETag: `"a"`, Modified: time.Date(2022, time.June, 6, 0, 0, 0, 0, time.UTC)}
	const (
		same    = "Mon, 06 Jun 2022 00:00:00 GMT"
		earlier = "Sun, 05 Jun 2022 23:59:59 GMT"
		later   = "Mon, 06 Jun 2022 00:00:01 GMT"
		ahead   = "Sun, 22 Nov 2026 12:00:01 GMT"
	)
	for _, test := range []struct {
		fields string
		want   Outcome
	}{
		{"", Proceed},
		{"If-None-Match: \"a\"\r\n", Unchanged},
		{"if-NONE-match: \"a\"\r\n", Unchanged},
		{"If-None-Match: *\r\n", Unchanged},
		{"If-None-Match: \"b\"\r\nIf-None-Match: W/\"a\"\r\n", Unchanged},
		{"If-None-Match: \r\n", Proceed},
		{"If-None-Match: \"b\"\r\nIf-Modified-Since: " + same + "\r\n", Proceed},
		{"If-None-Match: \r\nIf-Modified-Since: " + same + "\r\n", Proceed},
		{"If-None-Match: \"a\"\r\nIf-Modified-Since: " + earlier + "\r\n", Unchanged},
		{"If-Modified-Since: " + same + "\r\n", Unchanged},
		{"If-Modified-Since: " + later + "\r\n", Unchanged},
		{"If-Modified-Since: " + earlier + "\r\n", Proceed},
		{"If-Modified-Since: " + ahead + "\r\n", Proceed},
		{"If-Modified-Since: " + same + "\r\nIf-Modified-Since: " + same + "\r\n", Proceed},
		{"If-Modified-Since: " + same + ", " + same + "\r\n", Proceed},

		{"If-Match: \"a\"\r\n", Proceed},
		{"If-Match: *\r\n", Proceed},
		{"If-Match: W/\"a\"\r\n", Failed},
		{"If-Match: \"b\"\r\n", Failed},
		{"If-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", Failed},
		{"If-Match: \"a\"\r\nIf-Unmodified-Since: " + earlier + "\r\n", Proceed},
		{"If-Unmodified-Since: " + earlier + "\r\n", Failed},
		{"If-Unmodified-Since: " + same + "\r\n", Proceed},
		{"If-Unmodified-Since: never\r\n", Proceed},
		{"If-Unmodified-Since: " + same + "\r\nIf-Modified-Since: " + same + "\r\n", Unchanged},
	} {
		evaluate(t, test.fields, func(x *httpcore.Exchange) {
			if got := Evaluate(x, v, now); got != test.want {
				t.Errorf("%q: outcome %d, want %d", test.fields, got, test.want)
			}
		})
	}
}

func TestRange(t *testing.T) {
	v := Validators{ETag: `"a"`, Modified: time.Date(2022, time.June, 6, 0, 0, 0, 0, time.UTC)}
	for fields, want := range map[string]bool{
		"":                    true,
		"If-Range: \"a\"\r\n": true, "If-Range: W/\"a\"\r\n": false, "If-Range: \"a\", \"b\"\r\n": false, "If-Range: \"b\"\r\n": false,
		"If-Range: Mon, 06 Jun 2022 00:00:00 GMT\r\n": true, "If-Range: Mon, 06 Jun 2022 00:00:01 GMT\r\n": false, "If-Range: never\r\n": false,
	} {
		evaluate(t, fields, func(x *httpcore.Exchange) {
			if got := Range(x, v, now); got != want {
				t.Errorf("%q: %v", fields, got)
			}
		})
	}
}

func ExampleParseDate() {
	at := time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)
	for _, value := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "yesterday"} {
		fmt.Println(ParseDate([]byte(value), at))
	}
	// Output:
	// 1994-11-06 08:49:37 +0000 UTC true
	// 1994-11-06 08:49:37 +0000 UTC true
	// 0001-01-01 00:00:00 +0000 UTC false
}
