package rivals

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"corelab/httpcore"

	"github.com/valyala/fasthttp"
)

// browserFields are field lines as browsers send them, Host first: those of httpcore's own benchmark.
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

// head makes a head of n field lines.
func head(n int) []byte {
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

// parsers are who takes part, ours first. Each parses a head so many times.
var parsers = []struct {
	name  string
	parse func(tb testing.TB, in []byte, fields, times int)
}{
	{"httpcore", ours},
	{"fasthttp", fast},
	{"nethttp", standard},
	{"picohttpparser", pico},
}

// BenchmarkHead parses heads of 1, 10 and 40 fields.
func BenchmarkHead(b *testing.B) {
	for _, n := range []int{1, 10, 40} {
		in := head(n)
		for _, p := range parsers {
			b.Run(fmt.Sprintf("fields=%d/parser=%s", n, p.name), func(b *testing.B) {
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				p.parse(b, in, n, b.N)
			})
		}
	}
}

func ours(tb testing.TB, in []byte, fields, times int) {
	var h httpcore.Head
	for range times {
		h.Reset()
		if n, err := h.Parse(in, &httpcore.DefaultLimits); n != len(in) || err != nil || h.NumFields() != fields {
			tb.Fatal(n, err, h.NumFields())
		}
	}
}

// fast reads from a bufio.Reader, as fasthttp can in no other way. The reader holds the whole head.
func fast(tb testing.TB, in []byte, fields, times int) {
	source := bytes.NewReader(in)
	reader := bufio.NewReader(source)
	var h fasthttp.RequestHeader
	for range times {
		source.Reset(in)
		reader.Reset(source)
		if err := h.Read(reader); err != nil || len(h.Host()) == 0 {
			tb.Fatal(err)
		}
	}
}

func standard(tb testing.TB, in []byte, fields, times int) {
	source := bytes.NewReader(in)
	reader := bufio.NewReader(source)
	for range times {
		source.Reset(in)
		reader.Reset(source)
		r, err := http.ReadRequest(reader)
		if err != nil || len(r.Header) != fields-1 { // Host is not among them
			tb.Fatal(err)
		}
	}
}

// picoPath is where `make parse` builds it.
const picoPath = "../../bin/pico"

// pico has the program of C do it, and takes its own time for it.
func pico(tb testing.TB, in []byte, fields, times int) {
	if _, err := os.Stat(picoPath); err != nil {
		tb.Skipf("picohttpparser is left out: %v; `make parse` builds it where there is a C compiler and Debian's source of h2o", err)
	}
	file := filepath.Join(tb.TempDir(), "head")
	if err := os.WriteFile(file, in, 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(picoPath, file)
	cmd.Stdin = bytes.NewReader(fmt.Appendf(nil, "%d\n", times))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatal(err)
	}
	var took int64
	if _, err := fmt.Sscan(string(out), &took); err != nil {
		tb.Fatal(err)
	}
	if b, timed := tb.(*testing.B); timed {
		ns := float64(took) / float64(times)
		b.ReportMetric(ns, "ns/op")
		b.ReportMetric(float64(len(in))/ns*1e3, "MB/s")
	}
}

// TestHeads has all parsers read the heads of the benchmark.
func TestHeads(t *testing.T) {
	for _, n := range []int{1, 10, 40} {
		for _, p := range parsers {
			t.Run(fmt.Sprintf("fields=%d/parser=%s", n, p.name), func(t *testing.T) { p.parse(t, head(n), n, 3) })
		}
	}
}
