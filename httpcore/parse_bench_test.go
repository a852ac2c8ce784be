package httpcore

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/textproto"
	"testing"
)

// browserFields are field lines as browsers send them, Host first.
var browserFields = []string{
	"Host: localhost:8080",
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
	"Accept-Language: en-US,en;q=0.5",
	"Accept-Encoding: gzip, deflate, br",
	"Connection: keep-alive",
	"Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; _ga=GA1.1.1234567890.1690000000",
	"Upgrade-Insecure-Requests: 1",
	"Sec-Fetch-Dest: document",
	"Cache-Control: max-age=0",
}

// benchHead makes a head of n field lines.
func benchHead(n int) []byte {
	b := []byte("GET /users/4711?full=1 HTTP/1.1\r\n")
	for i := range n {
		if i < len(browserFields) {
			b = append(b, browserFields[i]...)
		} else {
			b = fmt.Appendf(b, "X-Forwarded-Extra-%d: some value of number %d", i, i)
		}
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func BenchmarkHead(b *testing.B) {
	for _, n := range []int{1, 10, 40} {
		in := benchHead(n)
		b.Run(fmt.Sprintf("fields=%d", n), func(b *testing.B) {
			var h Head
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				h.Reset()
				if n, err := h.Parse(in, &DefaultLimits); n != len(in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkTextproto is what net/http's own reader of field lines takes for the same heads.
func BenchmarkTextproto(b *testing.B) {
	for _, n := range []int{1, 10, 40} {
		in := benchHead(n)
		b.Run(fmt.Sprintf("fields=%d", n), func(b *testing.B) {
			bytesReader := bytes.NewReader(in)
			reader := bufio.NewReader(bytesReader)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				bytesReader.Reset(in)
				reader.Reset(bytesReader)
				tp := textproto.NewReader(reader)
				if _, err := tp.ReadLine(); err != nil {
					b.Fatal(err)
				}
				if _, err := tp.ReadMIMEHeader(); err != nil && err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHeadMixed parses heads whose field lines come in changing orders, so that no branch predictor can learn them.
func BenchmarkHeadMixed(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var heads [1024][]byte
	size := 0
	for i := range heads {
		head := []byte("GET /users/4711?full=1 HTTP/1.1\r\n")
		for _, at := range random.Perm(len(browserFields)) {
			head = append(head, browserFields[at]...)
			head = append(head, "\r\n"...)
		}
		heads[i] = append(head, "\r\n"...)
		size = len(heads[i])
	}
	var h Head
	b.SetBytes(int64(size))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h.Reset()
		if n, err := h.Parse(heads[i%len(heads)], &DefaultLimits); n != size || err != nil {
			b.Fatal(n, err)
		}
		i++
	}
}
