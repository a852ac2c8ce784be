package gateway

import (
	"fmt"
	"strings"
	"testing"
)

const routesConfig = `
[[routes]]
name = "users"
path = "/users/:id"
methods = ["GET", "PUT"]
[[routes]]
name = "beta"
path = "/users/:id"
methods = ["GET"]
headers = { X-Version = "2" }
[[routes]]
name = "hosted"
hosts = ["*.example.org"]
path = "/*rest"
headers = { X-Key = "*", X-No = "!", X-Pre = "a*" }
`

func TestRoutes(t *testing.T) {
	o := &origin{answer: func(r *Request) (int, string, string) {
		body := r.Route.Name
		for i := range r.Routed.Params.Len() {
			name, value := r.Routed.Params.At(r.X.Path(), i)
			body += fmt.Sprintf(" %s=%s", name, value)
		}
		return 200, "", body
	}}
	w := newWorld(t, stand(t, routesConfig, o), false)
	for request, want := range map[string]string{
		"GET /users/7 HTTP/1.1|Host: h":                                 "200 users id=7",
		"GET http://h:80/users/7?x HTTP/1.1|Host: h":                    "200 users id=7",
		"GET /users/7 HTTP/1.1|Host: h|X-Version: 2":                    "200 beta id=7",
		"PUT /users/7 HTTP/1.1|Host: h|Content-Length: 0":               "200 users id=7",
		"POST /users/7 HTTP/1.1|Host: h|Content-Length: 0":              "405 GET, HEAD, PUT",
		"GET /none HTTP/1.1|Host: h":                                    "404",
		"GET /a/b HTTP/1.1|Host: A.example.org:8080|X-Key: |X-Pre: abc": "200 hosted rest=a/b",
		"GET /a/b HTTP/1.1|Host: a.example.org|X-Key: |X-Pre: b":        "404",
		"GET /a/b HTTP/1.1|Host: a.example.org|X-Pre: a":                "404",
		"GET /a/b HTTP/1.1|Host: a.example.org|X-Pre: a|X-Key: 1|X-No:": "404",
	} {
		out, p := w.ask(request)
		p.leave(nil)
		if got := short(out); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

func TestRoutesRefused(t *testing.T) {
	got := refused(t, routesConfig+"[[routes]]\nname = \"twin\"\npath = \"/users/:name\"\n")
	if !strings.HasPrefix(got, "gateway.toml:16:") || !strings.Contains(got, "users") || !strings.Contains(got, "twin") {
		t.Error(got)
	}
	got = refused(t, routesConfig+"[[routes]]\nname = \"other\"\npath = \"/users/:id\"\nheaders = { X-Other = \"1\" }\nmethods = [\"GET\"]\n")
	if !strings.Contains(got, "beta") || !strings.Contains(got, "other") || !strings.Contains(got, "ambiguous") {
		t.Error(got)
	}
}
