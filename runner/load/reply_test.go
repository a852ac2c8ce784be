package load

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// parsed is all that a stream of replies says, split into pieces of at most n bytes.
func parsed(in string, n int, toHead bool) (said string, err error) {
	var r reply
	known := knownHead{toHead: toHead}
	var out, body strings.Builder
	for len(in) > 0 {
		b := []byte(in[:min(n, len(in))])
		in = in[len(b):]
		for len(b) > 0 {
			piece, k, whole, err := r.next(b, &known)
			if err != nil {
				return out.String(), err
			}
			body.Write(piece)
			b = b[k:]
			if whole {
				fmt.Fprintf(&out, "%d %q close=%v;", r.frame.status, body.String(), r.frame.close)
				body.Reset()
			}
		}
	}
	if r.step != stepHead || len(r.head) > 0 {
		fmt.Fprintf(&out, "unfinished %q", body.String())
	}
	return out.String(), nil
}

func TestReplies(t *testing.T) {
	tests := []struct {
		name, in, want string
		err            error
	}{
		{"two", good + good, `200 "Hello, World!" close=false;200 "Hello, World!" close=false;`, nil},
		{"different heads", answer(200, "a") + answer(404, "") + answer(200, "bc"), `200 "a" close=false;404 "" close=false;200 "bc" close=false;`, nil},
		{"chunked", "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1 ;x\r\na\r\n0A\r\n0123456789\r\n0\r\n\r\n" + good, `200 "a0123456789" close=false;200 "Hello, World!" close=false;`, nil},
		{"trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\n", `200 "" close=false;`, nil},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", `200 "" close=false;`, nil},
		{"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n" + good, `204 "" close=false;200 "Hello, World!" close=false;`, nil},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n" + good, `200 "Hello, World!" close=false;`, nil},
		{"close in a list", "HTTP/1.1 200 OK\r\nConnection: foo , CLOSE\r\nContent-Length: 0\r\n\r\n", `200 "" close=true;`, nil},
		{"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", `200 "" close=true;`, nil},
		{"1.0 that stays", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", `200 "" close=false;`, nil},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nabc", `unfinished "abc"`, nil},
		{"coded until close", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", `unfinished "abc"`, nil},
		{"equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", `200 "a" close=false;`, nil},
		{"half a head", "HTTP/1.1 200 OK\r\nConte", `unfinished ""`, nil},
		{"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "", errBothLengths},
		{"different lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "", errLength},
		{"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", "", errLength},
		{"empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "", errLength},
		{"huge length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "", errLength},
		{"other protocol", "220 smtp.example ESMTP\r\n", "", errNotHTTP},
		{"two digits", "HTTP/1.1 20 OK\r\n\r\n", "", errStatusLine},
		{"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "", errStatusLine},
		{"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "", errStatusLine},
		{"space before the colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "", errField},
		{"no colon", "HTTP/1.1 200 OK\r\nAb\r\n\r\n", "", errField},
		{"chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "", errChunk},
		{"chunk too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "", errChunk},
		{"chunk size too large", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "", errChunk},
		{"chunk line too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", maxChunkLine) + "\r\n", "", errChunk},
		{"bare line feed", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", "", errChunk},
		{"endless trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: "+strings.Repeat("b", 4000)+"\r\n", 20), "", errTrailer},
		{"endless head", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", maxHead), "", errHeadSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Long streams are cut into fewer different pieces.
			step := 1 + len(tt.in)/200
			for n := 1; n <= len(tt.in); n += step {
				said, err := parsed(tt.in, n, false)
				if !errors.Is(err, tt.err) {
					t.Fatalf("in pieces of %d: %v, want %v", n, err, tt.err)
				}
				if err == nil && said != tt.want {
					t.Fatalf("in pieces of %d:\ngot  %s\nwant %s", n, said, tt.want)
				}
			}
		})
	}
}

func TestRepliesToHEAD(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"
	for n := 1; n <= 2*len(head); n++ {
		if said, err := parsed(head+head, n, true); err != nil || said != `200 "" close=false;200 "" close=false;` {
			t.Fatalf("in pieces of %d: %s %v", n, said, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add(good+good, 3)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\nA: b\r\n\r\n"+good, 1)
	f.Add("HTTP/1.1 103 Early\r\n\r\nHTTP/1.0 200 OK\r\n\r\nabc", 7)
	f.Fuzz(func(t *testing.T, in string, n int) {
		if n < 1 || len(in) > 8<<10 {
			return
		}
		whole, wholeErr := parsed(in, max(len(in), 1), false)
		split, splitErr := parsed(in, n, false)
		if wholeErr == nil && splitErr == nil && whole != split {
			t.Errorf("in pieces of %d:\ngot  %s\nwhole %s", n, split, whole)
		}
		if (wholeErr == nil) != (splitErr == nil) {
			t.Errorf("in pieces of %d: %v, whole: %v", n, splitErr, wholeErr)
		}
	})
}

func TestAKnownReplyMakesNoGarbage(t *testing.T) {
	var r reply
	var known knownHead
	b := []byte(good)
	if n := testing.AllocsPerRun(100, func() {
		if _, k, whole, err := r.next(b, &known); !whole || err != nil || k != len(b) {
			t.Fatal(k, whole, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a reply", n)
	}
}

func BenchmarkReply(b *testing.B) {
	var r reply
	var known knownHead
	in := []byte(good)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, _, whole, err := r.next(in, &known); !whole || err != nil {
			b.Fatal(whole, err)
		}
	}
}
