package httpcore

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestResponseCases(t *testing.T) { runParseCases(t, "response", parseResponse) }

// parseResponse describes what becomes of a response head that comes in pieces. Each call gets a copy, so that one that
// reads its older bytes finds them gone.
func parseResponse(in []byte, l *Limits, cut cuts) string {
	var r ResponseHead
	var last []byte
	for _, end := range append(cut[:len(cut):len(cut)], len(in)) {
		for i := range last {
			last[i] = '!'
		}
		last = bytes.Clone(in[:end])
		n, err := r.Parse(last, l)
		if err != nil {
			return fmt.Sprintf("%d %s\n", err.Status, err.Reason)
		}
		if n > 0 {
			r.Rebase(bytes.Clone(in))
			return describeResponse(&r) + describeRest(in[n:])
		}
	}
	return "more\n"
}

func describeResponse(r *ResponseHead) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d HTTP/1.%d", r.Status(), r.Minor())
	fmt.Fprintf(&b, " %s", [...]string{"nothing", "sized", "chunks", "until-close"}[r.Framing(MethodGet)])
	if r.Framing(MethodHead) != NoContent {
		b.WriteString(" wrong: HEAD has content")
	}
	for _, fact := range []struct {
		name string
		is   bool
	}{{"interim", r.Interim()}, {"keep-alive", r.KeepAlive()}, {fmt.Sprintf("length=%d", r.ContentLength()), r.HasLength()}} {
		if fact.is {
			b.WriteString(" " + fact.name)
		}
	}
	b.WriteByte('\n')
	for i := range r.NumFields() {
		name, value := r.FieldAt(i)
		fmt.Fprintf(&b, "field %s %q\n", name, value)
	}
	return b.String()
}

func TestResponseReset(t *testing.T) {
	var r ResponseHead
	in := []byte("HTTP/1.0 404 Not Found\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n")
	for range 3 {
		if n, err := r.Parse(in, &DefaultLimits); n != len(in) || err != nil || r.Status() != 404 || r.ContentLength() != 5 || !r.KeepAlive() {
			t.Fatalf("Parse: %d, %v, status %d", n, err, r.Status())
		}
		r.Reset()
		if r.Status() != 0 || r.HasLength() || r.NumFields() != 0 || r.Len() != 0 {
			t.Fatal("something is left")
		}
	}
}

func TestResponseAllocates(t *testing.T) {
	var r ResponseHead
	in := []byte("HTTP/1.1 200 OK\r\nServer: a\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n")
	bad := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n")
	if n := testing.AllocsPerRun(10, func() {
		r.Reset()
		r.Parse(in, &DefaultLimits)
		r.Field("x-none")
		r.Reset()
		r.Parse(bad, &DefaultLimits)
	}); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// FuzzResponse holds a response in pieces to the same one whole.
func FuzzResponse(f *testing.F) {
	files, err := filepath.Glob("testdata/response/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		cases, _ := readParseCases(f, path)
		for _, c := range cases {
			f.Add(c.in, uint16(len(c.in)/3), uint16(len(c.in)/2))
		}
	}
	limits := Limits{Head: 512, Fields: 8}.Filled()
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		whole := parseResponse(in, &limits, nil)
		for _, cut := range []cuts{everyByte(len(in)), twoCuts(len(in), a, b)} {
			if split := parseResponse(in, &limits, cut); split != whole {
				t.Fatalf("cut at %v:\n%swhole:\n%s", cut, split, whole)
			}
		}
	})
}

func BenchmarkResponse(b *testing.B) {
	var r ResponseHead
	in := []byte("HTTP/1.1 200 OK\r\nServer: corelab\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\n")
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r.Reset()
		if n, err := r.Parse(in, &DefaultLimits); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
