package httpcore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func newRouter(t testing.TB, routes ...string) *Router {
	r := new(Router)
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if err := r.Add(Route{Method: method, Pattern: pattern}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// lookup describes what a router finds: the route and the parameters, or what is allowed.
func lookup(r *Router, method, path string) string {
	var p params
	m := r.find(methodOf([]byte(method)), []byte(path), &p)
	if m.Route == nil {
		return m.Allow
	}
	s := m.Route.Method + " " + m.Route.Pattern
	for _, name := range p.names() {
		s += fmt.Sprintf(" %s=%s", name, p.get([]byte(path), name))
	}
	return s
}

func TestRouter(t *testing.T) {
	r := newRouter(t,
		"GET /", "GET /json", "GET /json/:count", "POST /json",
		"GET /users/:id", "DELETE /users/:id", "GET /users/me", "GET /users/:id/posts/:post", "GET /users/:id/",
		"GET /users/mean/x", "GET /static/*path", "GET /static/fixed", "HEAD /static/fixed", "OPTIONS /options", "REPORT /dav",
		"GET /a/b/c", "GET /a/:x/d", "GET /a/*rest", "GET /a:b*c", "GET /%2f", "PUT /deep/:a/:b/:c/:d/:e/:f/:g/*h",
	)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/", "GET /"},
		{"HEAD", "/", "GET /"},
		{"POST", "/", "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/", "GET, HEAD, OPTIONS"},
		{"GET", "/json", "GET /json"},
		{"POST", "/json", "POST /json"},
		{"PUT", "/json", "GET, HEAD, POST, OPTIONS"},
		{"GET", "/jso", ""},
		{"GET", "/jsonx", ""},
		{"GET", "/JSON", ""},
		{"GET", "/json/", ""},
		{"GET", "/json/12", "GET /json/:count count=12"},
		{"GET", "/json/12/", ""},
		{"GET", "//json", ""},

		{"GET", "/users/me", "GET /users/me"},
		{"DELETE", "/users/me", "GET, HEAD, OPTIONS"}, // the path decides alone
		{"GET", "/users/m", "GET /users/:id id=m"},
		{"GET", "/users/mea", "GET /users/:id id=mea"},
		{"GET", "/users/mean", "GET /users/:id id=mean"},
		{"DELETE", "/users/mean", "DELETE /users/:id id=mean"},
		{"GET", "/users/me/", "GET /users/:id/ id=me"},
		{"GET", "/users/mean/posts/7", "GET /users/:id/posts/:post id=mean post=7"},
		{"GET", "/users/a%2Fb", "GET /users/:id id=a%2Fb"},
		{"GET", "/users/", ""},
		{"GET", "/users//posts/7", ""},
		{"GET", "/users/7/posts/", ""},

		{"GET", "/static/", "GET /static/*path path="},
		{"GET", "/static/a/b.txt", "GET /static/*path path=a/b.txt"},
		{"GET", "/static/fixed", "GET /static/fixed"},
		{"HEAD", "/static/fixed", "HEAD /static/fixed"},
		{"GET", "/static/fixed/", "GET /static/*path path=fixed/"},
		{"GET", "/static", ""},
		{"POST", "/static/fixed", "GET, HEAD, OPTIONS"},

		{"OPTIONS", "/options", "OPTIONS /options"},
		{"GET", "/options", "OPTIONS"},
		{"REPORT", "/dav", "REPORT /dav"},
		{"BREW", "/dav", "OPTIONS, REPORT"},

		{"GET", "/a/b/c", "GET /a/b/c"},
		{"GET", "/a/b/d", "GET /a/:x/d x=b"},
		{"GET", "/a/b/e", "GET /a/*rest rest=b/e"},
		{"GET", "/a/b", "GET /a/*rest rest=b"},
		{"GET", "/a/", "GET /a/*rest rest="},
		{"GET", "/a//d", "GET /a/*rest rest=/d"},
		{"GET", "/a:b*c", "GET /a:b*c"},
		{"GET", "/%2f", "GET /%2f"},
		{"GET", "/%2F", ""},
		{"PUT", "/deep/1/2/3/4/5/6/7/8/9", "PUT /deep/:a/:b/:c/:d/:e/:f/:g/*h a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8/9"},
		{"GET", "/\xc3", ""},
		{"GET", "", ""},
		{"GET", "*", ""},
	} {
		if got := lookup(r, c.method, c.path); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, got, c.want)
		}
	}
	if got, want := r.Allow(), "GET, HEAD, POST, PUT, DELETE, OPTIONS, REPORT"; got != want {
		t.Errorf("Allow: %q, want %q", got, want)
	}
}

// TestRouterAnyMethod: a route of any method takes what no other route of its pattern does, and nothing beside it.
func TestRouterAnyMethod(t *testing.T) {
	r := newRouter(t, "GET /a", "* /a", "* /b", "POST /b", "HEAD /b", "* /*rest", "PUT /c")
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/a", "GET /a"},
		{"HEAD", "/a", "GET /a"},
		{"POST", "/a", "* /a"},
		{"OPTIONS", "/a", "* /a"},
		{"BREW", "/a", "* /a"},
		{"*", "/a", "* /a"},
		{"GET", "/b", "* /b"},
		{"POST", "/b", "POST /b"},
		{"HEAD", "/b", "HEAD /b"},
		{"GET", "/", "* /*rest rest="},
		{"BREW", "/x/y", "* /*rest rest=x/y"},
		{"GET", "/c", "PUT, OPTIONS"}, // the path decides alone
		{"BREW", "/c", "PUT, OPTIONS"},
	} {
		if got := lookup(r, c.method, c.path); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, got, c.want)
		}
	}
	if got, want := r.Allow(), "GET, HEAD, POST, PUT, OPTIONS"; got != want {
		t.Errorf("Allow: %q, want %q", got, want)
	}
	if err := r.Add(Route{Method: AnyMethod, Pattern: "/a"}); err == nil || err.Error() != "route * /a is there already as * /a" {
		t.Errorf("a second route of any method: %v", err)
	}
}

func TestParams(t *testing.T) {
	r := newRouter(t, "GET /a/:x/*rest")
	path := []byte("/a/1/")
	var p params
	r.find(MethodGet, path, &p)
	if x := p.get(path, "x"); string(x) != "1" || cap(x) != 1 {
		t.Errorf("x is %q with room for %d", x, cap(x))
	}
	if rest := p.get(path, "rest"); rest == nil || len(rest) != 0 {
		t.Errorf("rest is %q", rest)
	}
	if none := p.get(path, "none"); none != nil {
		t.Errorf("none is %q", none)
	}
}

func TestRouterEmpty(t *testing.T) {
	var r Router
	if got := lookup(&r, "GET", "/"); got != "" {
		t.Errorf("found %q", got)
	}
	if got := r.Allow(); got != "OPTIONS" {
		t.Errorf("Allow: %q", got)
	}
}

func TestRouterConflicts(t *testing.T) {
	there := []string{"GET /users/:id", "POST /users/:id/posts", "GET /static/*path", "GET /a/:x/b"}
	for _, c := range []struct{ route, want string }{
		{"GET /users/:id", "route GET /users/:id is there already as GET /users/:id"},
		{"GET /users/:name", "route GET /users/:name: parameter name is called id in GET /users/:id"},
		{"GET /users/:name/pets", "route GET /users/:name/pets: parameter name is called id in GET /users/:id"},
		{"POST /static/*file", "route POST /static/*file: parameter file is called path in GET /static/*path"},
		{"GET /static/*path", "route GET /static/*path is there already as GET /static/*path"},
		{"GET users", "route GET users: the pattern does not begin with a slash"},
		{"GET ", "route GET : the pattern does not begin with a slash"},
		{"GET /:", "route GET /:: a parameter without a name"},
		{"GET /*", "route GET /*: a parameter without a name"},
		{"GET /*a/b", "route GET /*a/b: *a is not the last segment"},
		{"GET /:a/:a", "route GET /:a/:a: two parameters are called a"},
		{"GET /:1/:2/:3/:4/:5/:6/:7/:8/:9", "route GET /:1/:2/:3/:4/:5/:6/:7/:8/:9: 9 parameters: there may be 8"},
		{"GET /a?b", `route GET /a?b: no path has "a?b": it must be percent-encoded`},
		{"GET /a%2", `route GET /a%2: no path has "a%2": it must be percent-encoded`},
		{"BREW /pot", `route BREW /pot: "BREW" is no method that HTTP knows`},
		{"get /pot", `route get /pot: "get" is no method that HTTP knows`},
		{"CONNECT /pot", "route CONNECT /pot: CONNECT names no path"},
	} {
		r := newRouter(t, there...)
		method, pattern, _ := strings.Cut(c.route, " ")
		err := r.Add(Route{Method: method, Pattern: pattern})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.route, err, c.want)
		}
		for _, route := range there {
			method, pattern, _ := strings.Cut(route, " ")
			if got := lookup(r, method, pattern); !strings.HasPrefix(got, route) {
				t.Errorf("after %s: %s is %q", c.route, route, got)
			}
		}
		if got := lookup(r, "GET", "/users/1/pets"); got != "" {
			t.Errorf("after %s: found %q", c.route, got)
		}
	}
}

// matchPattern matches one pattern by its segments, as the Router's contract says it, and ranks how.
func matchPattern(pattern, path string) (values []string, rank string, ok bool) {
	have, want := strings.Split(path, "/"), strings.Split(pattern, "/")
	for i, w := range want {
		switch {
		case strings.HasPrefix(w, "*") && i > 0 && len(have) > i:
			return append(values, strings.Join(have[i:], "/")), rank + "2", true
		case len(have) <= i:
			return nil, "", false
		case strings.HasPrefix(w, ":") && i > 0 && have[i] != "":
			values = append(values, have[i])
			rank += "1"
		case have[i] == w && !strings.HasPrefix(w, ":"):
			rank += "0"
		default:
			return nil, "", false
		}
	}
	return values, rank, len(have) == len(want)
}

func FuzzRouter(f *testing.F) {
	f.Add("/\n/a\n/ab\n/a/b\n/a/:x\n/a/*y", "/a/b/c")
	f.Add("/:a/:b/c\n/x/:b/d\n/x/y/*r\n/:a/*r", "/x/y/c")
	f.Add("/users/:id\n/users/me\n/users/mean/x\n/users/:id/posts", "/users/mean/posts")
	f.Add("/a:b\n/a*b\n/*a\n/:a", "/a:b")
	f.Add("/a/\n/a//\n/a//b\n/a/:x/", "/a//")
	f.Fuzz(func(t *testing.T, patterns, path string) {
		if len(path) > maxHead {
			return
		}
		var r Router
		want, best := "", "9"
		for _, pattern := range strings.Split(patterns, "\n") {
			if r.Add(Route{Method: "GET", Pattern: pattern}) != nil {
				continue
			}
			values, rank, ok := matchPattern(pattern, path)
			if !ok || rank >= best {
				continue
			}
			best, want = rank, "GET "+pattern
			for _, part := range strings.Split(pattern[1:], "/") {
				if part != "" && (part[0] == ':' || part[0] == '*') {
					want += fmt.Sprintf(" %s=%s", part[1:], values[0])
					values = values[1:]
				}
			}
		}
		if got := lookup(&r, "GET", path); got != want {
			t.Fatalf("%q among %q: %q, want %q", path, patterns, got, want)
		}
	})
}

func TestRouterAllocates(t *testing.T) {
	r := newRouter(t, "GET /a/:x/b/*rest", "GET /a/:x/c")
	var p params
	for _, path := range []string{"/a/1/b/2", "/a/1/c", "/none"} {
		in := []byte(path)
		if n := testing.AllocsPerRun(10, func() { r.find(MethodPost, in, &p) }); n != 0 {
			t.Errorf("%.0f allocations for %s", n, path)
		}
	}
}

// benchRoutes are n patterns as an API has them, and a path for each, in an order that nothing can learn. Those of one
// resource share what comes before the verb.
func benchRoutes(n int, param bool) (patterns []string, paths [][]byte) {
	verbs := []string{"list", "create", "status", "history", "settings"}
	for i := range n {
		resource, verb := i/len(verbs), verbs[i%len(verbs)]
		if param {
			patterns = append(patterns, fmt.Sprintf("/api/v1/service%d/:id/%s", resource, verb))
			paths = append(paths, fmt.Appendf(nil, "/api/v1/service%d/4711/%s", resource, verb))
		} else {
			patterns = append(patterns, fmt.Sprintf("/api/v1/service%d/%s", resource, verb))
			paths = append(paths, fmt.Appendf(nil, "/api/v1/service%d/%s", resource, verb))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(n, func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	return patterns, paths
}

// BenchmarkRouter looks up at most 1024 paths in turn: a server has far more routes than it is asked for at one time.
func BenchmarkRouter(b *testing.B) {
	for _, kind := range []string{"static", "param"} {
		for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/routes=%d", kind, n), func(b *testing.B) {
				patterns, paths := benchRoutes(n, kind == "param")
				var r Router
				for _, pattern := range patterns {
					if err := r.Add(Route{Method: "GET", Pattern: pattern}); err != nil {
						b.Fatal(err)
					}
				}
				paths = slices.Clip(paths[:min(n, 1024)])
				var p params
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					if r.find(MethodGet, paths[i], &p).Route == nil {
						b.Fatalf("%s is not found", paths[i])
					}
					if i++; i == len(paths) {
						i = 0
					}
				}
			})
		}
	}
}
