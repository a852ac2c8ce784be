package conform

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// longPatience is that of servers that do all they should within it, on however slow a machine.
	longPatience = time.Minute
	// shortPatience is that of servers that do not: their tests wait for it.
	shortPatience = 3 * time.Second
)

// status limits a change to replies of a status.
func status(code int, change func(r *reply)) func(*request, *reply) {
	return func(_ *request, r *reply) {
		if r.status == code {
			change(r)
		}
	}
}

// replaced changes the bytes of replies.
func replaced(old, new string) func(*request, *reply, string) string {
	return func(_ *request, _ *reply, b string) string { return strings.Replace(b, old, new, 1) }
}

// TestWrongServers holds the engine to finding each kind of wrong answer, and by the checks that are about it.
func TestWrongServers(t *testing.T) {
	cases, err := LoadFS(os.DirFS("testdata"), "wrong")
	if err != nil {
		t.Fatal(err)
	}
	add := func(field string) func(*reply) {
		return func(r *reply) { r.fields = append(r.fields, field) }
	}
	var group sync.WaitGroup // all at once: they do nothing but to wait
	defer group.Wait()
	for _, tt := range []struct {
		name  string
		wrong wrong
		fails []string // all of these, and nothing else that is not below also
		also  []string // may fail as well
		waits bool     // it does not do something that is waited for
	}{
		{name: "a right server"},
		{name: "no Date with 400", wrong: wrong{edit: status(400, func(r *reply) { r.without("Date") })}, fails: []string{"responses/date"}},
		{name: "no Date at all", wrong: wrong{edit: func(_ *request, r *reply) { r.without("Date") }}, fails: []string{"responses/date", "t/get"}},
		{name: "Date of RFC 850", wrong: wrong{edit: status(404, func(r *reply) { r.without("Date"); add("Date: Sunday, 06-Nov-94 08:49:37 GMT")(r) })}, fails: []string{"responses/date"}, also: []string{"responses/last-modified"}},
		{name: "Date with one digit", wrong: wrong{edit: status(404, func(r *reply) { r.without("Date"); add("Date: Sun, 6 Nov 1994 08:49:37 GMT")(r) })}, fails: []string{"responses/date"}, also: []string{"responses/last-modified"}},
		{name: "Date twice", wrong: wrong{edit: status(404, add("Date: Sun, 06 Nov 1994 08:49:37 GMT"))}, fails: []string{"responses/date", "responses/field-once"}},
		{name: "two Content-Type", wrong: wrong{edit: status(404, add("Content-Type: text/html"))}, fails: []string{"responses/field-once"}},
		{name: "no Content-Type", wrong: wrong{edit: status(404, func(r *reply) { r.without("Content-Type") })}, fails: []string{"responses/content-type"}},
		{name: "an error without content", wrong: wrong{edit: status(404, func(r *reply) { r.body = ""; r.without("Content-Length"); add("Content-Length: 0")(r) })}, fails: []string{"responses/explained"}},
		{name: "Last-Modified tomorrow", wrong: wrong{edit: status(404, func(r *reply) { r.without("Last-Modified"); add("Last-Modified: Fri, 31 Dec 9999 23:59:59 GMT")(r) })}, fails: []string{"responses/last-modified"}},
		{name: "405 without Allow", wrong: wrong{edit: status(405, func(r *reply) { r.without("Allow") })}, fails: []string{"responses/allow"}},
		{name: "206 without Content-Range", wrong: wrong{edit: status(404, func(r *reply) { r.status = 206 })}, fails: []string{"responses/required-fields", "t/pipelined"}},
		{name: "204 with Content-Length", wrong: wrong{edit: status(204, add("Content-Length: 0"))}, fails: []string{"responses/no-length", "t/no-content"}},
		{name: "204 with content", wrong: wrong{edit: status(204, func(r *reply) { r.body = "something" })}, fails: []string{"responses/no-content", "t/no-content"}},
		{name: "304 with content", wrong: wrong{edit: status(304, func(r *reply) { r.bare = false })}, fails: []string{"responses/no-content", "t/not-modified"}},
		{name: "content to HEAD", wrong: wrong{edit: func(_ *request, r *reply) { r.bare = false }}, fails: []string{"responses/no-content", "t/head", "t/head-refused"}, also: []string{"t/not-modified"}},
		{name: "content to a HEAD that is refused", wrong: wrong{edit: status(400, func(r *reply) { r.bare = false })}, fails: []string{"responses/no-content", "t/head-refused"}},
		{name: "another length to HEAD", wrong: wrong{edit: func(q *request, r *reply) {
			if q.method == "HEAD" && r.status == 200 {
				r.without("Content-Length")
				add("Content-Length: 7")(r)
			}
		}}, fails: []string{"t/head"}},
		{name: "both framings", wrong: wrong{edit: status(404, add("Transfer-Encoding: chunked"))}, fails: []string{"responses/framing", "responses/exact-content", "t/pipelined"}, waits: true},
		{name: "two lengths", wrong: wrong{edit: status(404, add("Content-Length: 12"))}, fails: []string{"responses/framing"}},
		{name: "a length that is none", wrong: wrong{edit: status(400, func(r *reply) { r.without("Content-Length"); add("Content-Length: x")(r) })}, fails: []string{"responses/framing"}},
		{name: "a coding of its own", wrong: wrong{edit: status(400, func(r *reply) { r.without("Content-Length"); add("Transfer-Encoding: gzip")(r) })}, fails: []string{"responses/framing"}},
		{name: "chunked to HTTP/1.0", wrong: wrong{edit: func(q *request, r *reply) {
			if q.version == "HTTP/1.0" {
				r.without("Content-Length")
				add("Transfer-Encoding: chunked")(r)
				r.body = "5\r\nhello\r\n0\r\n\r\n"
			}
		}}, fails: []string{"responses/framing"}},
		{name: "a chunk that is cut", wrong: wrong{edit: status(400, func(r *reply) {
			r.without("Content-Length")
			add("Transfer-Encoding: chunked")(r)
			r.body = "5\r\nhel"
		})}, fails: []string{"responses/exact-content", "t/both", "t/no-host"}},
		{name: "a chunk without its CRLF", wrong: wrong{edit: status(404, func(r *reply) {
			r.without("Content-Length")
			add("Transfer-Encoding: chunked")(r)
			r.body = "5\r\nhello0\r\n\r\n"
		})}, fails: []string{"responses/exact-content", "t/pipelined"}},
		{name: "content that is cut", wrong: wrong{edit: status(400, func(r *reply) { r.body = r.body[:3] })}, fails: []string{"responses/exact-content", "t/both", "t/no-host"}},
		{name: "content that is too long", wrong: wrong{edit: status(404, func(r *reply) { r.body += "!" })}, fails: []string{"t/pipelined"}, also: []string{"responses/status-line"}},
		{name: "content that is wrong", wrong: wrong{edit: func(q *request, r *reply) { r.body = strings.Replace(r.body, "hello", "jello", 1) }}, fails: []string{"t/echo", "t/waits", "t/continue", "t/chunks"}},
		{name: "a space before the colon", wrong: wrong{wire: replaced("Date:", "Date :")}, fails: []string{"responses/field-syntax", "responses/date", "t/get"}},
		{name: "a control character in a field", wrong: wrong{edit: status(404, add("X-Test: a\x01b"))}, fails: []string{"responses/field-syntax"}},
		{name: "a folded field", wrong: wrong{edit: status(404, add("X-Test: a\r\n b"))}, fails: []string{"responses/field-syntax"}},
		{name: "lines that end with LF", wrong: wrong{wire: func(_ *request, r *reply, b string) string {
			if r.status == 404 {
				return strings.ReplaceAll(b, "\r\n", "\n")
			}
			return b
		}}, fails: []string{"responses/status-line", "t/pipelined"}},
		{name: "no reason and no space", wrong: wrong{wire: replaced("404 X", "404")}, fails: []string{"responses/status-line", "t/pipelined"}},
		{name: "a status of two digits", wrong: wrong{wire: replaced("404 X", "44 X")}, fails: []string{"responses/status-line", "t/pipelined"}},
		{name: "a status beyond 599", wrong: wrong{wire: replaced("404 X", "600 X")}, fails: []string{"responses/status-line", "t/pipelined"}},
		{name: "HTTP/1.0 in answers", wrong: wrong{wire: replaced("HTTP/1.1 400", "HTTP/1.0 400")}, fails: []string{"responses/version"}},
		{name: "HTTP/2.0 in answers", wrong: wrong{wire: replaced("HTTP/1.1 404", "HTTP/2.0 404")}, fails: []string{"responses/status-line", "t/pipelined"}},
		{name: "a 100 to HTTP/1.0", wrong: wrong{eager: true}, fails: []string{"responses/interim", "t/old"}, also: []string{"t/waits", "t/continue", "t/head"}},
		{name: "answers before the content", wrong: wrong{early: true}, fails: []string{"t/waits"}, also: []string{"t/echo", "t/continue", "t/chunks", "t/old", "t/reset", "responses/close-is-told", "responses/close-is-close"}},
		{name: "an answer too many", wrong: wrong{wire: func(_ *request, r *reply, b string) string {
			if r.status == 405 {
				return b + b
			}
			return b
		}}, fails: []string{"t/not-allowed"}},
		{name: "an answer behind the last", wrong: wrong{wire: func(_ *request, r *reply, b string) string {
			if r.close {
				return b + b
			}
			return b
		}}, fails: []string{"t/close", "t/old", "t/both", "t/both+second", "t/no-host+second", "t/head-refused", "responses/close-is-close"}, also: []string{"responses/no-content"}},
		{name: "no answer to DELETE", wrong: wrong{mute: func(q *request) bool { return q.method == "DELETE" }}, fails: []string{"t/not-allowed"}, waits: true},
		{name: "no 304", wrong: wrong{edit: status(304, func(r *reply) { r.status, r.bare = 200, false })}, fails: []string{"t/not-modified"}},
		{name: "another status", wrong: wrong{edit: status(400, func(r *reply) { r.status = 403 })}, fails: []string{"t/both", "t/no-host", "t/head-refused"}},
		{name: "open after two framings", wrong: wrong{open: func(q *request, r *reply) bool { return q.fields["transfer-encoding"] != "" }, edit: status(400, func(r *reply) { r.without("Connection") })}, fails: []string{"t/both"}, also: []string{"responses/close-is-told"}, waits: true},
		{name: "open after close was said", wrong: wrong{open: func(*request, *reply) bool { return true }}, fails: []string{"t/close", "t/both", "t/old", "t/head-refused", "responses/close-is-close"}, waits: true},
		{name: "closes and does not say so", wrong: wrong{edit: status(400, func(r *reply) { r.without("Connection") })}, fails: []string{"responses/close-is-told"}},
		{name: "closes behind every answer", wrong: wrong{closes: true}, fails: []string{"t/get", "t/head", "t/echo", "t/waits", "t/continue", "t/chunks", "t/no-content", "t/not-modified", "t/not-allowed", "t/pipelined", "t/bytes", "t/splits", "responses/close-is-told"}},
		{name: "answers what is smuggled", wrong: wrong{goesOn: true}, fails: []string{"t/both", "t/both+second", "t/no-host+second", "responses/close-is-close"}, also: []string{"t/head-refused"}, waits: true},
		{name: "takes one read for the message", wrong: wrong{once: true}, fails: []string{"t/bytes", "t/splits"}, also: []string{"t/get", "t/head", "t/echo", "t/waits", "t/continue", "t/chunks", "t/no-content", "t/not-modified", "t/not-allowed", "t/pipelined", "t/old", "t/half-close", "responses/close-is-told"}},
		{name: "leaves with who half-closes", wrong: wrong{deaf: true}, fails: []string{"t/half-close"}},
		{name: "does not survive a reset", wrong: wrong{mortal: true}, fails: []string{"t/reset"}},
	} {
		group.Go(func() {
			t.Run(tt.name, func(t *testing.T) {
				// One at a time where the server dies of a case, that others do not find it dead.
				atOnce := 0
				if tt.wrong.mortal {
					atOnce = 1
				}
				order := slices.Clone(cases)
				slices.SortStableFunc(order, func(a, b Case) int { return strings.Compare(last(a.ID), last(b.ID)) })
				patience := longPatience
				if tt.waits {
					patience = shortPatience
				}
				r, err := Run(t.Context(), serve(t, tt.wrong), order, Options{Patience: patience, AtOnce: atOnce})
				if err != nil {
					t.Fatal(err)
				}
				found := map[string]string{}
				for _, c := range r.Checks {
					if c.Verdict == Fail {
						found[c.ID] = c.Reason
					}
				}
				for _, id := range tt.fails {
					if found[id] == "" {
						t.Errorf("%s does not fail", id)
					}
				}
				for id, reason := range found {
					slow := tt.waits && strings.Contains(reason, errSilent.Error())
					if !slow && !slices.Contains(tt.fails, id) && !slices.Contains(tt.also, id) {
						t.Errorf("%s fails: %s", id, reason)
					}
				}
			})
		})
	}
}

// last sorts the reset behind all others.
func last(id string) string { return fmt.Sprint(id == "t/reset") }
