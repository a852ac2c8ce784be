package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// leastCases is how many cases there are at the least, by category and in all.
const leastCases = 300

func TestCases(t *testing.T) {
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < leastCases {
		t.Errorf("%d cases, fewer than %d", len(cases), leastCases)
	}
	count := map[string]int{}
	seen := map[string]bool{}
	for _, c := range newReport(&Server{}, cases, make([]*outcome, len(cases))).Checks {
		count[c.Category]++
		if seen[c.ID] {
			t.Errorf("two checks %s", c.ID)
		}
		seen[c.ID] = true
		if c.Level != Must && c.Level != Should || !sectionForm.MatchString(c.Section) {
			t.Errorf("%s: level %q, section %q", c.ID, c.Level, c.Section)
		}
		if c.Why == "" || !strings.HasSuffix(c.Why, ".") || strings.Contains(c.Why, "\n") {
			t.Errorf("%s: %q is no sentence", c.ID, c.Why)
		}
		if !slices.Contains(Categories, c.Category) {
			t.Errorf("%s: category %q is not in the table", c.ID, c.Category)
		}
	}
	for _, category := range Categories {
		if count[category] < 10 {
			t.Errorf("category %s has %d checks", category, count[category])
		}
	}
}

func TestCasesThatAreWrong(t *testing.T) {
	const head = "category x\n== a\nMUST RFC 9112 §1\nwhy It is so.\n"
	for text, says := range map[string]string{
		"== a\n":                              "names no category",
		"> GET\n":                             "before the first case",
		"category x\n== A\n":                  "no name of a case",
		"category x\n== a\nMUST everywhere\n": "names no section",
		"category x\n== a\nMAY RFC 9112 §1\n": "begins no line",
		"category x\n== a\nMUST RFC 9112 §1\n> a\n< 200\n":    "no why",
		"== a\nMUST RFC 9112 §1\nwhy It is so.\n> a\n< 200\n": "names no category",
		head:                                            "does not begin with bytes",
		head + "< 200\n":                                "does not begin with bytes",
		head + "> a\n":                                  "asks for nothing",
		head + "> a\\q\n< 200\n":                        "no escape",
		head + "> a\\x4\n< 200\n":                       "no escape",
		head + "> {nothing}\n< 200\n":                   "is no word",
		head + "> {path\n< 200\n":                       "without its }",
		head + "> {99999999*a}\n< 200\n":                "no count, or more than",
		head + "> {9223372036854775807*aa}\n< 200\n":    "no count, or more than",
		head + "> {0:ETag}\n< 200\n":                    "number of an answer",
		head + "> a\n<\n":                               "no status",
		head + "> a\n< 2000\n":                          "is no status",
		head + "> a\n< 200 to POST\n":                   "there are HEAD, 1.0",
		head + "> a\n< 200\n  size 5\n":                 "asks nothing of an answer",
		head + "> a\n  body x\n< 200\n":                 "stands under no answer",
		head + "> a\n< 200\n  field\n":                  "names no field",
		head + "> a\n< 200\n  like 1\n":                 "like N NAME",
		head + "> a\n< 200\n= gone\n":                   "there are close, serves",
		head + "> a\n< 200\n= close\nfin\n":             "goes on behind its line =",
		head + "> a\n< 200\nwhy x\n":                    "behind the first step",
		head + "> a\nreset\n< 200\n":                    "= alive behind its reset",
		head + "needs luck\n> a\n< 200\n":               "is no feature",
		head + "sent away\n> a\n< 200\n":                "there are bytes and splits",
		head + "malformed\n> a\n< 400\n> b\n":           "sends behind the answer",
		head + "malformed\n> a\nfin\n< 400\n":           "cannot half-close",
		head + "malformed\n> a\n< 400\n= serves\n":      "cannot go on",
		head + "malformed\n> a\n< 400\n< 400\n":         "has one answer",
		head + "> a\n< 200\n== a\n":                     "a second case x/a",
		head + "> a\n< 200\n\n== b\nMUST RFC 9112 §1\n": "level and section",
	} {
		_, err := LoadFS(fstest.MapFS{"cases/x.txt": {Data: []byte(text)}}, "cases")
		switch {
		case says == "":
		case err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "cases/x.txt"):
			t.Errorf("%q: %v; it should say %q, and where", text, err, says)
		}
	}
}

func TestText(t *testing.T) {
	s := &Server{Addr: "h:1", Path: "/p", Echo: "/e", Fields: "/f"}
	answers := []*Answer{{Fields: [][2]string{{"ETag", `"x"`}}}}
	for in, want := range map[string]string{
		`a\r\n\t\\\x00\xff`:                 "a\r\n\t\\\x00\xff",
		"{path} {post} {fields}":            "/p /e /f",
		"Host: {host}":                      "Host: h:1",
		"{3*ab}{2*\\r\\n}{0*x}|":            "ababab\r\n\r\n|",
		"If-None-Match: {1:etag}, {1:ETag}": `If-None-Match: "x", "x"`,
	} {
		parsed, err := parseText(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got, err := parsed.render(s, answers); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	parsed, err := parseText("{1:Location}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.render(s, answers); !errors.As(err, new(inapplicable)) {
		t.Errorf("a field that did not come: %v", err)
	}
	if _, err := parsed.render(s, nil); err == nil || errors.As(err, new(inapplicable)) {
		t.Errorf("an answer that did not come: %v", err)
	}
}

func TestAccepts(t *testing.T) {
	for _, tt := range []struct {
		want   string
		status int
		echoes bool
		ok     bool
	}{
		{"200", 200, true, true}, {"200", 204, true, false}, {"2xx", 204, true, true}, {"4xx 500", 500, true, true}, {"4xx", 399, true, false},
		{"ok", 200, true, true}, {"ok", 404, true, false}, {"ok", 404, false, true}, {"ok", 405, false, true}, {"ok", 302, false, true},
		{"ok", 400, false, false}, {"ok", 501, false, false}, {"any", 599, false, true}, {"any", 100, false, false}, {"none", 400, false, false},
	} {
		w, err := parseWant(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.accepts(tt.status, tt.echoes); got != tt.ok {
			t.Errorf("%q accepts %d (echo %v): %v", tt.want, tt.status, tt.echoes, got)
		}
	}
}

// rightCases are those that a right server of the tests passes.
func rightCases(t testing.TB) []Case {
	t.Helper()
	cases, err := LoadFS(os.DirFS("testdata"), "wrong")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestInapplicable(t *testing.T) {
	s := serve(t, wrong{})
	s.Echo, s.Lacks = "", func(feature string) string {
		if feature == "pipelining" || feature == "concurrency" {
			return "it is too simple"
		}
		return ""
	}
	cases, err := LoadFS(fstest.MapFS{"cases/x.txt": {Data: []byte(`category x
== echo
MUST RFC 9112 §1
why It is so.
needs echo
> POST {post} HTTP/1.1\r\nHost: {host}\r\n\r\n
< 200

== two
MUST RFC 9112 §1
why It is so.
needs pipelining
malformed
> GET
< 400

== field
MUST RFC 9112 §1
why It is so.
> GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n
< 200
> GET {path} HTTP/1.1\r\nHost: {host}\r\nX: {1:Location}\r\n\r\n
< 200

== taken
SHOULD RFC 9112 §1
why It is so.
malformed
> GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n
< 200
`)}}, "cases")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), s, cases, Options{Patience: longPatience})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		want := Inapplicable
		if c.ID == "x/taken" {
			want = Pass
		}
		if c.Category != responsesCategory && (c.Verdict != want || want == Inapplicable && c.Reason == "") {
			t.Errorf("%s: %s %q", c.ID, c.Verdict, c.Reason)
		}
	}
	if got := r.Score("x"); got != (Scores{Should: Score{1, 1}, Inapplicable: 3}) {
		t.Errorf("scores %+v", got)
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Run(t.Context(), Server{Name: "gone", Addr: l.Addr().String()}, rightCases(t), Options{}); err == nil || !strings.Contains(err.Error(), "check gone: GET /") {
		t.Errorf("nobody listens: %v", err)
	}
	s := serve(t, wrong{})
	s.Path = "/nothing"
	if _, err := Run(t.Context(), s, rightCases(t), Options{}); err == nil || !strings.Contains(err.Error(), "status 404") || !strings.Contains(err.Error(), "--path") {
		t.Errorf("nothing at the path: %v", err)
	}
}

// TestStops ends a run whose server answers nothing but the first request.
func TestStops(t *testing.T) {
	asked := make(chan struct{}, 1)
	var requests atomic.Int64
	s := serve(t, wrong{mute: func(*request) bool {
		n := requests.Add(1)
		if n == 2 {
			asked <- struct{}{}
		}
		return n > 1
	}})
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped by the user")
	go func() {
		<-asked
		cancel(stopped)
	}()
	if _, err := Run(ctx, s, rightCases(t), Options{Patience: time.Hour}); !errors.Is(err, stopped) {
		t.Errorf("it ends with %v", err)
	}
}

func TestProgress(t *testing.T) {
	var told []int
	cases := rightCases(t)
	if _, err := Run(t.Context(), serve(t, wrong{}), cases, Options{Patience: longPatience, Progress: func(done, total int) {
		if total != len(cases) {
			t.Errorf("%d of %d", done, total)
		}
		told = append(told, done)
	}}); err != nil {
		t.Fatal(err)
	}
	if len(told) != len(cases) || !slices.IsSorted(told) {
		t.Errorf("told %v", told)
	}
}

func TestPrinted(t *testing.T) {
	s := serve(t, wrong{edit: status(404, func(r *reply) { r.without("Date"); r.fields = append(r.fields, "X-Bad: \x1b[31m|red|") })})
	s.Name = "a\x1b[2Jb"
	r, err := Run(t.Context(), s, rightCases(t), Options{Patience: longPatience})
	if err != nil {
		t.Fatal(err)
	}
	reports := []*Report{r}
	var text, page, list, talk, object bytes.Buffer
	if err := errors.Join(WriteText(&text, reports), WriteMarkdown(&page, reports), WriteList(&list, rightCases(t), true), WriteJSON(&object, reports)); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		if c.ID == "t/pipelined" {
			if err := WriteConversation(&talk, r.Server, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	must := r.Score("").Must
	for name, tt := range map[string]struct {
		text string
		has  []string
	}{
		"text":         {text.String(), []string{"category", "a?[2Jb\n", fmt.Sprintf("%d/%d", must.Passed, must.Applicable), "responses/date  MUST RFC 9110 §6.6.1", "status 404 without Date"}},
		"page":         {page.String(), []string{"# Conformance", "| category |", "## What a?[2Jb fails", "| responses/date | MUST |"}},
		"list":         {list.String(), []string{"| t/both+second | smuggling | MUST |", "| t/reset | test | SHOULD | RFC 9112 §9.5 |"}},
		"conversation": {talk.String(), []string{"> GET / HTTP/1.1\\r\\n", "HTTP/1.1 404 X\\r\\n", "X-Bad: \\x1b[31m|red|", "pass"}},
	} {
		for _, want := range tt.has {
			if !strings.Contains(tt.text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, tt.text)
			}
		}
		if strings.Contains(tt.text, "\x1b") {
			t.Errorf("%s: what a server sent reaches the terminal", name)
		}
	}
	var read []struct {
		Server string
		Must   Score
		Checks []Check
	}
	if err := json.Unmarshal(object.Bytes(), &read); err != nil || len(read) != 1 || read[0].Must != must || len(read[0].Checks) != len(r.Checks) {
		t.Errorf("JSON: %v, %s", err, object.String())
	}
}

func ExampleRun() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() { // a server that has read something about HTTP
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"))
			c.Close()
		}
	}()
	cases, err := Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	one := slices.DeleteFunc(cases, func(c Case) bool { return c.ID != "line/get" })
	r, err := Run(context.Background(), Server{Name: "mine", Addr: l.Addr().String()}, one, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Failed(Must) {
		fmt.Println(c.ID, c.Reason)
	}
	// Output:
	// responses/date 1 of 1 answers: line/get (status 200 without Date)
}
