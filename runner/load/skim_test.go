package load

import (
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// A body that is not compared is counted without being read: what is wrong with its length, its end and what is behind it
// is found all the same, and one in so many is still compared.
func TestSkimmedBodies(t *testing.T) {
	body := repeat(100_000)
	wrong := body[:50_000] + "?" + body[50_001:]
	whole := answer(200, body)
	tests := []struct {
		name, plant string
		close       bool
		want        results.Errors
	}{
		{"no error", whole, false, results.Errors{}},
		{"in pieces", "", false, results.Errors{}},
		{"cut short", whole[:60_000], true, results.Errors{Read: 10}},
		{"a wrong length", answer(200, body+"x"), false, results.Errors{Length: 10}},
		{"bytes behind", whole + "x", false, results.Errors{Length: 10}},
		{"two answers", whole + whole, false, results.Errors{Length: 10}},
		{"an error with a large body", answer(500, body), false, results.Errors{Status: 10}},
		{"closed and said so", strings.Replace(whole, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), true, results.Errors{}},
		{"until it closes", "HTTP/1.1 200 OK\r\n\r\n" + body, true, results.Errors{}},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", true, results.Errors{Parse: 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plant(t, func(u *turn) {
				switch {
				case !u.some():
					u.write(whole)
				case tt.plant == "":
					for part := whole; part != "" && !u.closed; {
						n := min(len(part), 33_333)
						u.write(part[:n])
						part = part[n:]
						<-time.After(time.Millisecond)
					}
				default:
					u.write(tt.plant)
					u.closed = tt.close
				}
			})
			s := p.spec()
			s.Expect, s.CheckEvery = &Expect{Status: 200, Body: []byte(body)}, 3
			if tt.want.Parse > 0 {
				s.NewConn = true
			}
			r := p.load(t, s, 200)
			if tt.name == "bytes behind" || tt.name == "two answers" {
				// What is behind may arrive with the answer or after it: an error in either case, of whichever request.
				if r.Errors.Length < 10 || r.Errors.Length != r.Errors.Total() {
					t.Errorf("errors %+v: %s", r.Errors, r.Example)
				}
			} else if r.Errors != tt.want {
				t.Errorf("errors %+v, want %+v; the first: %s", r.Errors, tt.want, r.Example)
			}
			if least := r.Requests / 3; r.Checked+2 < least-10 || r.Checked > least+2 {
				t.Errorf("%d of %d compared", r.Checked, r.Requests)
			}
			if r.BytesIn < 100*100_000 {
				t.Errorf("%d bytes in", r.BytesIn)
			}
		})
	}
	p := plant(t, func(u *turn) { u.write(answer(200, wrong)) })
	s := p.spec()
	s.Expect, s.CheckEvery = &Expect{Status: 200, Body: []byte(body)}, 4
	if r := p.load(t, s, 200); r.Errors.Body != r.Requests/4 || r.Errors.Total() != r.Errors.Body {
		t.Errorf("of %d wrong answers: %+v", r.Requests, r.Errors)
	}
}
