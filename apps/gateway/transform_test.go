package gateway

import (
	"strings"
	"testing"
)

func TestTransform(t *testing.T) {
	const route = "[[routes]]\nname = \"only\"\npath = \"/*rest\"\n[routes.transform]\n"
	for _, c := range []struct{ rules, ask, target string }{
		{`path = { strip = "/api" }`, "/api/users?id=1", "/users?id=1"},
		{`path = { strip = "/api/" }`, "/api/users", "/users"},
		{`path = { strip = "/api" }`, "/api", "/"},
		{`path = { strip = "/api" }`, "/apis", "/apis"},
		{`path = { strip = "/api", add = "/v2/" }`, "/api/users?", "/v2/users?"},
		{`path = { add = "/v2" }`, "/%41", "/v2/%41"},
		{`path = { replace = "/one" }`, "/a/b?c", "/one?c"},
		{`request.set = { A = "1" }`, "/a", ""},
	} {
		var target string
		g := opened(t, route+c.rules, &fake{answer: Answer{Status: 200}, seen: func(r *Request) { target = string(r.Target) }})
		ask(t, g, "GET "+c.ask+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if target != c.target {
			t.Errorf("%s: %s became %q", c.rules, c.ask, target)
		}
	}
}

func TestTransformFields(t *testing.T) {
	var up string
	g := opened(t, `[[routes]]
name = "only"
path = "/"
[routes.transform.request]
set = { X-Who = "gateway" }
add = { X-More = " b " }
remove = ["cookie"]
[routes.transform.response]
set = { Vary = "Accept" }
remove = ["X-Powered-By"]
`, &fake{answer: Answer{Status: 200, Fields: []byte("vary: Cookie\r\nX-POWERED-BY: x\r\nETag: \"1\"\r\n")}, seen: func(r *Request) {
		up = string(r.ToUpstream.Apply(nil, []byte("x-who: me\r\nX-More: a\r\nCookie: 1\r\nAccept: */*\r\n")))
	}})
	out := ask(t, g, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if want := "X-More: a\r\nAccept: */*\r\nX-Who: gateway\r\nX-More: b\r\n"; up != want {
		t.Errorf("upstream gets %q", up)
	}
	if want := "ETag: \"1\"\r\nVary: Accept\r\n\r\n"; !strings.HasSuffix(out, want) || strings.Contains(strings.ToLower(out), "powered") {
		t.Errorf("client gets %q", out)
	}
}

func TestTransformFaults(t *testing.T) {
	_, err := New(Read("t.toml", []byte(`[[routes]]
name = "a"
path = "/"
[routes.transform]
path = { strip = "api", replace = "/x y" }
request.set = { "Content-Length" = "1", "a b" = "1", ok = "a\nb" }
response.remove = ["Connection"]
`)))
	want := `t.toml:5:1: routes.0.transform.path: replace stands`
	if err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Fatalf("%v, want seven lines such as %s", err, want)
	}
	for _, part := range []string{`t.toml:5:10: routes.0.transform.path.strip: "api" is no path`, `t.toml:5:25: routes.0.transform.path.replace: "/x y" is no path`,
		`t.toml:6:17: routes.0.transform.request.set.Content-Length: Content-Length belongs`, `request.set.a b: "a b" is no field name`,
		`request.set.ok: "a\nb" is no field value`, `t.toml:7:20: routes.0.transform.response.remove.0: Connection belongs`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %s in\n%v", part, err)
		}
	}
}
