package table

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"corelab/httpcore"
)

// fields are a request's field lines.
type fields [][2]string

func (f fields) Field(name string) ([]byte, bool) {
	for _, line := range f {
		if strings.EqualFold(line[0], name) {
			return []byte(line[1]), true
		}
	}
	return nil, false
}

// rule reads "name: METHOD,METHOD host,host/path Field=value !Field Field Field^prefix".
func rule(s string) Rule {
	name, rest, _ := strings.Cut(s, ": ")
	words := strings.Fields(rest)
	r := Rule{Name: name}
	if words[0] != "*" {
		r.Methods = strings.Split(words[0], ",")
	}
	at := strings.IndexByte(words[1], '/')
	if at > 0 {
		r.Hosts = strings.Split(words[1][:at], ",")
	}
	r.Path = words[1][at:]
	for _, w := range words[2:] {
		if n, ok := strings.CutPrefix(w, "!"); ok {
			r.Headers = append(r.Headers, Header{n, Absent, ""})
		} else if n, v, ok := strings.Cut(w, "="); ok {
			r.Headers = append(r.Headers, Header{n, Equal, v})
		} else if n, v, ok := strings.Cut(w, "^"); ok {
			r.Headers = append(r.Headers, Header{n, Prefix, v})
		} else {
			r.Headers = append(r.Headers, Header{w, Present, ""})
		}
	}
	return r
}

func build(t testing.TB, rules ...string) (*Table, []Rule) {
	var all []Rule
	for _, s := range rules {
		all = append(all, rule(s))
	}
	table, faults := Build(all)
	for _, f := range faults {
		t.Errorf("%s: %v", all[f.Rule].Name, f.Err)
	}
	return table, all
}

func TestFind(t *testing.T) {
	table, rules := build(t,
		"root: * /",
		"users: GET,PUT /users/:id",
		"post: POST /users/:id",
		"head: HEAD /users/:id",
		"beta: GET /users/:id X-Version=2",
		"any: GET /users/:id X-Version",
		"three: GET /users/:id X-Version^3.",
		"static: GET /static/*rest",
		"hosted: * example.org,[::1]/users/:id",
		"below: * *.example.org/x",
		"deeper: * *.api.example.org/x",
		"exact: * a.api.example.org/x",
		"anyx: GET /x",
		"only: * /only X-Key !X-Not",
	)
	for _, c := range []struct {
		method, url string
		fields      fields
		want        string
	}{
		{"GET", "h/", nil, "root"},
		{"PURGE", "h/", nil, "root"},
		{"GET", "h/users/1", nil, "users id=1"},
		{"PUT", "h/users/1", nil, "users id=1"},
		{"POST", "h/users/1", nil, "post id=1"},
		{"HEAD", "h/users/1", nil, "head id=1"},
		{"DELETE", "h/users/1", nil, "allow GET, HEAD, POST, PUT"},
		{"PURGE", "h/users/1", nil, "allow GET, HEAD, POST, PUT"},
		{"GET", "h/users/1", fields{{"x-version", "2"}}, "beta id=1"},
		{"GET", "h/users/1", fields{{"x-version", "22"}}, "any id=1"},
		{"GET", "h/users/1", fields{{"x-version", "3.1"}}, "three id=1"},
		{"GET", "h/users/1", fields{{"x-version", "3"}}, "any id=1"},
		{"PUT", "h/users/1", fields{{"x-version", "2"}}, "users id=1"},
		{"GET", "h/static/a/b", nil, "static rest=a/b"},
		{"HEAD", "h/static/", nil, "static rest="},
		{"GET", "h/none", nil, "none"},

		{"PURGE", "example.org/users/1", nil, "hosted id=1"},
		{"GET", "EXAMPLE.org:8080/users/1", nil, "hosted id=1"},
		{"GET", "example.org./users/1", nil, "hosted id=1"},
		{"GET", "[::1]:80/users/1", nil, "hosted id=1"},
		{"GET", "[::1]/users/1", nil, "hosted id=1"},
		{"PUT", "[::2]/users/1", nil, "users id=1"},
		{"GET", "example.org/static/a", nil, "static rest=a"}, // the host has no such path
		{"GET", "www.example.org/x", nil, "below"},
		{"GET", "a.b.example.org:1/x", nil, "below"},
		{"GET", "xapi.example.org/x", nil, "below"},
		{"GET", "b.API.example.org/x", nil, "deeper"},
		{"GET", "c.a.api.example.org/x", nil, "deeper"},
		{"GET", "a.api.example.org/x", nil, "exact"},
		{"GET", "example.org/x", nil, "anyx"},
		{"GET", "xexample.org/x", nil, "anyx"},
		{"GET", "org/x", nil, "anyx"},
		{"GET", "/x", nil, "anyx"},
		{"GET", strings.Repeat("a.", 200) + "example.org/x", nil, "anyx"}, // no host is as long
		{"POST", "h/x", nil, "allow GET, HEAD"},

		{"GET", "h/only", fields{{"X-Key", ""}}, "only"},
		{"GET", "h/only", nil, "none"},
		{"GET", "h/only", fields{{"X-Key", "a"}, {"X-Not", ""}}, "none"},
	} {
		at := strings.IndexByte(c.url, '/')
		path := []byte(c.url[at:])
		var p httpcore.Params
		m := table.Find(httpcore.MethodOf([]byte(c.method)), []byte(c.url[:at]), path, c.fields, &p)
		got := "none"
		if m.Rule >= 0 {
			got = rules[m.Rule].Name
			for i := range p.Len() {
				name, value := p.At(path, i)
				got += fmt.Sprintf(" %s=%s", name, value)
			}
		} else if m.Allow != "" {
			got = "allow " + m.Allow
		}
		if got != c.want {
			t.Errorf("%s %s %v: %s, want %s", c.method, c.url, c.fields, got, c.want)
		}
	}
	var none Table
	if m := none.Find(httpcore.MethodGet, nil, []byte("/"), fields{}, new(httpcore.Params)); m.Rule != -1 {
		t.Errorf("%+v in no table", m)
	}
}

// TestRefused: rules that cannot be told apart, or that no request matches, and what is said of them.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ one, other, want string }{
		{"a: GET /x", "b: GET /x", "rules a (GET /x) and b (GET /x) take the same requests"},
		{"a: GET,PUT /x", "b: PUT,GET /x", "rules a (GET|PUT /x) and b (PUT|GET /x) take the same requests"},
		{"a: * /x A=1 B", "b: * /x B A=1", `rules a (/x, A = "1", B) and b (/x, B, A = "1") take the same requests`},
		{"a: * /x A=1", "b: * /x B=1", `rules a (/x, A = "1") and b (/x, B = "1") are ambiguous: some requests match both, and neither is more specific`},
		{"a: GET /x", "b: * /x A", "rules a (GET /x) and b (/x, A) are ambiguous"},
		{"a: GET,PUT /x", "b: PUT,POST /x", "rules a (GET|PUT /x) and b (PUT|POST /x) are ambiguous"},
		{"a: * /x A^1 B", "b: * /x A=12", `rules a (/x, A = "1"…, B) and b (/x, A = "12") are ambiguous`},
		{"a: * h/x", "b: * g,h/x", "rules a (/x) and b (/x) take the same requests"},
		{"a: * H/x", "b: * h/x", "rules a (/x) and b (/x) take the same requests"},
		{"a: * /users/:id", "b: * /users/:name/pets", "rules a (/users/:id) and b (/users/:name/pets) call one place id and name"},
		{"a: * /s/*rest", "b: GET /s/*all", "rules a (/s/*rest) and b (GET /s/*all) call one place rest and all"},
		{"a: * /a/:x/:y", "b: * /a/:x/:z", "rules a (/a/:x/:y) and b (/a/:x/:z) call one place y and z"},

		{"a: * /x A=1 A=2", "", `no request has both A = "1" and A = "2"`},
		{"a: * /x A !a", "", `no request has both A and no a`},
		{"a: * /x A^12 A=1", "", `no request has both`},
		{"a: BREW /x", "", `"BREW" is no method that can be routed`},
		{"a: CONNECT /x", "", `"CONNECT" is no method that can be routed`},
		{"a: * h:80/x", "", `"h:80" is no host`},
		{"a: * */x", "", `"*" is no host`},
		{"a: * a.*/x", "", `"a.*" is no host`},
		{"a: * *.*.a/x", "", `"*.*.a" is no host`},
		{"a: * h,h/x", "", `host "h" is named twice`},
		{"a: * /x?y", "", `path /x?y: no path has "x?y"`},
		{"a: * /:", "", `path /:: a parameter without a name`},

		{"a: GET /x", "b: PUT /x", ""},
		{"a: GET /x", "b: * /x", ""},
		{"a: GET /x", "b: HEAD /x", ""},
		{"a: * /x A", "b: * /x", ""},
		{"a: * /x A", "b: * /x !A", ""},
		{"a: * /x A", "b: * /x A=1", ""},
		{"a: * /x A=1", "b: * /x a=2", ""},
		{"a: * /x A^1", "b: * /x A=2", ""},
		{"a: * /x A^1", "b: * /x A^2", ""},
		{"a: * /x A^1", "b: * /x A^12", ""},
		{"a: * h/x A", "b: * g/x B", ""},
		{"a: * h/x/:a", "b: * g/x/:b", ""},
		{"a: * /x/:a", "b: * /x/y", ""},
	} {
		rules := []Rule{rule(c.one)}
		if c.other != "" {
			rules = append(rules, rule(c.other))
		}
		_, faults := Build(rules)
		got := ""
		if len(faults) > 0 {
			got = faults[0].Err.Error()
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || len(faults) > 0 && faults[0].Rule != len(rules)-1 {
			t.Errorf("%s and %s: %q, want %q", c.one, c.other, got, c.want)
		}
	}
	for _, h := range []Header{{"", Present, ""}, {"a b", Present, ""}, {"A", Prefix, ""}, {"A", Absent + 1, ""}} {
		if _, faults := Build([]Rule{{Path: "/", Headers: []Header{h}}}); len(faults) != 1 {
			t.Errorf("%+v is accepted", h)
		}
	}
}

// TestSpecific: in whatever order rules are added, the same one takes a request: the one that is within all others that
// match. This is also what the words "ambiguous" and "the same" are held against.
func TestSpecific(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	values := []string{"1", "12", "2"}
	accepted := 0
	for range 3000 {
		var rules []Rule
		for i := range 1 + random.IntN(6) {
			r := Rule{Name: fmt.Sprint(i), Path: "/x"}
			for _, m := range []string{"GET", "PUT", "HEAD"} {
				if random.IntN(3) == 0 {
					r.Methods = append(r.Methods, m)
				}
			}
			for _, name := range []string{"A", "B"} {
				if random.IntN(2) == 0 {
					r.Headers = append(r.Headers, Header{name, Op(random.IntN(4)), values[random.IntN(3)]})
				}
			}
			rules = append(rules, r)
		}
		table, faults := Build(rules)
		shuffled := slices.Clone(rules)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		other, otherFaults := Build(shuffled)
		if (len(faults) == 0) != (len(otherFaults) == 0) {
			t.Fatalf("%v: %d faults in one order, %d in another", rules, len(faults), len(otherFaults))
		}
		if len(faults) > 0 {
			continue
		}
		accepted++
		for range 30 {
			var f fields
			for _, name := range []string{"A", "B"} {
				if v := random.IntN(5); v < 3 {
					f = append(f, [2]string{name, values[v]})
				} else if v == 3 {
					f = append(f, [2]string{name, "x"})
				}
			}
			m := []httpcore.Method{httpcore.MethodGet, httpcore.MethodPut, httpcore.MethodPost, httpcore.MethodUnknown}[random.IntN(4)]
			got, again := "none", "none"
			if m := table.Find(m, nil, []byte("/x"), f, new(httpcore.Params)); m.Rule >= 0 {
				got = rules[m.Rule].Name
			}
			if m := other.Find(m, nil, []byte("/x"), f, new(httpcore.Params)); m.Rule >= 0 {
				again = shuffled[m.Rule].Name
			}
			if got != again {
				t.Fatalf("%v: %s takes %v, in another order %s", rules, got, f, again)
			}
			checkFirst(t, rules, m, f, got)
		}
	}
	if accepted < 300 {
		t.Errorf("only %d tables were accepted", accepted)
	}
}

// checkFirst reports an error if a rule that matches is more specific than the one that was found.
func checkFirst(t *testing.T, rules []Rule, m httpcore.Method, f fields, got string) {
	found := -1
	for i := range rules {
		if rules[i].Name == got {
			found = i
		}
	}
	for i := range rules {
		c, err := compile(i, &rules[i])
		if err != nil {
			t.Fatal(err)
		}
		matches := c.methods>>m&1 == 1
		for j := range c.headers {
			matches = matches && c.headers[j].holds(f)
		}
		if !matches || i == found {
			continue
		}
		if found < 0 {
			t.Fatalf("%v matches %v, and nothing was found", rules[i], f)
		}
		if chosen, _ := compile(found, &rules[found]); !chosen.within(&c) {
			t.Fatalf("%v takes %v, and not %v", rules[found], f, rules[i])
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"example.org", "A.b:80", "[::1]:8", "a.", ":80", "[", "]:1", "a:b:1", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	table, _ := Build([]Rule{{Path: "/", Hosts: []string{"*.example.org", "a.b", "[::1]"}}})
	f.Fuzz(func(t *testing.T, s string) {
		var low [maxHost]byte
		in := []byte(s)
		got := plain(in, low[:])
		if string(in) != s {
			t.Errorf("%q was changed to %q", s, in)
		}
		for _, c := range got {
			if c >= 'A' && c <= 'Z' {
				t.Errorf("%q is %q", s, got)
			}
		}
		if m := table.Find(httpcore.MethodGet, in, []byte("/"), fields{}, new(httpcore.Params)); m.Rule == 0 {
			l := strings.ToLower(s)
			if !strings.Contains(l, ".example.org") && !strings.HasPrefix(l, "a.b") && !strings.HasPrefix(l, "[::1]") {
				t.Errorf("%q is one of the hosts", s)
			}
		}
	})
}

// noFields is a request whose fields nobody asks for.
type noFields struct{}

func (noFields) Field(string) ([]byte, bool) { return nil, false }

// many are n rules as an API has them, and a path for each, in an order that nothing can learn.
func many(n int, kind string) (rules []Rule, hosts, paths [][]byte) {
	verbs := []string{"list", "create", "status", "history", "settings"}
	for i := range n {
		resource, verb := i/len(verbs), verbs[i%len(verbs)]
		r := Rule{Name: fmt.Sprint(i), Methods: []string{"GET"}, Path: fmt.Sprintf("/api/v1/service%d/%s", resource, verb)}
		path, host := r.Path, "api.example.org"
		switch kind {
		case "param":
			r.Path = fmt.Sprintf("/api/v1/service%d/:id/%s", resource, verb)
			path = fmt.Sprintf("/api/v1/service%d/4711/%s", resource, verb)
		case "host":
			host = fmt.Sprintf("service%d.example.org", resource)
			r.Hosts, r.Path = []string{host}, "/:id/"+verb
			path = "/4711/" + verb
		}
		rules, hosts, paths = append(rules, r), append(hosts, []byte(host)), append(paths, []byte(path))
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(n, func(i, j int) { paths[i], paths[j], hosts[i], hosts[j] = paths[j], paths[i], hosts[j], hosts[i] })
	return rules, hosts, paths
}

// BenchmarkRouter is the part of it that is httpcore's: the paths alone, without hosts, methods and field lines.
func BenchmarkRouter(b *testing.B) {
	rules, _, paths := many(100_000, "param")
	var router httpcore.Router
	for _, r := range rules {
		if err := router.Add(httpcore.Route{Method: httpcore.AnyMethod, Pattern: r.Path}); err != nil {
			b.Fatal(err)
		}
	}
	var p httpcore.Params
	i := 0
	for b.Loop() {
		if router.Find(httpcore.MethodUnknown, paths[i], &p).Route == nil {
			b.Fatalf("%s is not found", paths[i])
		}
		i = (i + 1) & 1023
	}
}

// BenchmarkFind looks up at most 1024 requests in turn: a gateway has far more routes than it is asked for at one time.
func BenchmarkFind(b *testing.B) {
	for _, kind := range []string{"static", "param", "host"} {
		for _, n := range []int{10, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/routes=%d", kind, n), func(b *testing.B) {
				rules, hosts, paths := many(n, kind)
				table, faults := Build(rules)
				if len(faults) > 0 {
					b.Fatal(faults[0].Err)
				}
				mask := min(n, 1024)
				var p httpcore.Params
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					if table.Find(httpcore.MethodGet, hosts[i], paths[i], noFields{}, &p).Rule < 0 {
						b.Fatalf("%s is not found", paths[i])
					}
					if i++; i == mask {
						i = 0
					}
				}
			})
		}
	}
}

func TestAllocates(t *testing.T) {
	table, _ := build(t, "a: GET *.example.org/users/:id X-Version=2", "b: GET /users/:id")
	host, path := []byte("WWW.example.org:80"), []byte("/users/1")
	var p httpcore.Params
	f := fixed{"2"}
	if n := testing.AllocsPerRun(100, func() { table.Find(httpcore.MethodGet, host, path, &f, &p) }); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// fixed has one value for every field.
type fixed struct{ value string }

var two = []byte("2")

func (f *fixed) Field(string) ([]byte, bool) { return two, true }

func ExampleTable_Find() {
	table, _ := Build([]Rule{
		{Name: "users", Path: "/users/:id"},
		{Name: "beta", Path: "/users/:id", Headers: []Header{{"X-Version", Equal, "2"}}},
	})
	path := []byte("/users/7")
	var p httpcore.Params
	m := table.Find(httpcore.MethodGet, []byte("example.org"), path, fields{{"X-Version", "2"}}, &p)
	fmt.Println(m.Rule, string(p.Get(path, "id")))
	// Output: 1 7
}
