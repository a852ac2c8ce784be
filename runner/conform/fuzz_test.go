package conform

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// FuzzAnswer reads answers of servers that send anything: they are refused or bounded, and what is shown of them is ASCII.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nOK\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 \r\n\r\n",
		"HTTP/1.1 405 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: x\r\n\r\n",
		"HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \x00\r\n: \r\n\r\n", "",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, toHead bool) {
		in := bufio.NewReader(bytes.NewReader(b))
		var rules findings
		for range 4 {
			a, err := readAnswer(in, toHead, false, &rules)
			if err != nil {
				if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' && r != '…' }) {
					t.Fatalf("the error is not printable: %q", err)
				}
				break
			}
			if a.Status < 100 || a.Status > 599 || len(a.Body) > len(b) {
				t.Fatalf("status %d with %d bytes of %d", a.Status, len(a.Body), len(b))
			}
			rules.body(a)
		}
		for i, r := range rules {
			if r.broken > 0 && r.looked == 0 {
				t.Errorf("%s is broken by an answer that it was not held to", Rules[i].ID)
			}
		}
	})
}

// FuzzCases reads files of cases: what is wrong is an error, and what is right can be played to the first byte.
func FuzzCases(f *testing.F) {
	f.Add("category x\n== a\nMUST RFC 9112 §1\nwhy It is so.\nmisframed\n> GET {path} HTTP/1.1\\r\\n\n|\n> {2*a}\n< 400 none to HEAD 1.0\n  body ~ x\n  like 1 Date\n= close\n")
	f.Add("category x\n== a\nSHOULD RFC 9112 §1\nwhy It is so.\nsent splits\n> {post}{1:ETag}\nreset\n= alive\n")
	s := &Server{Addr: "h:1", Path: "/", Echo: "/"}
	f.Fuzz(func(t *testing.T, text string) {
		p := &parser{file: "x"}
		for line := range strings.SplitSeq(text, "\n") {
			if p.line(line) != nil {
				return
			}
		}
		if p.finish() != nil {
			return
		}
		for i := range p.cases {
			c := &p.cases[i]
			for _, s2 := range c.steps {
				if s2.do == doSend {
					_, _ = s2.text.render(s, nil) // it may want an answer that has not come
				}
			}
			if c.expected() == "" && c.steps[len(c.steps)-1].do != doEnd {
				t.Errorf("case %s asks for nothing: %q", c.ID, text)
			}
		}
	})
}
