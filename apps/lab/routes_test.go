package lab

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
)

func itoa(n int) string { return strconv.Itoa(n) }

func chunked(pieces ...string) string {
	var b strings.Builder
	for _, p := range pieces {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(p), p)
	}
	return b.String() + "0\r\n\r\n"
}

func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		method, target, fields, body string
		status                       int
		mediaType, want              string
	}{
		{"GET", "/", "", "", 200, textType, "Hello, World!"},
		{"GET", "/plaintext", "", "", 200, textType, "Hello, World!"},
		{"HEAD", "/plaintext", "", "", 200, textType, ""},
		{"GET", "/cacheable", "", "", 200, textType, "Hello, World!"},
		{"GET", "/json", "", "", 200, jsonType, `{"message":"Hello, World!"}`},
		{"GET", "/users/42", "", "", 200, textType, "42"},
		{"GET", "/users/a%20b", "", "", 200, textType, "a%20b"},
		{"GET", "/users/" + strings.Repeat("x", 8000), "", "", 200, textType, strings.Repeat("x", 8000)},
		{"GET", "/users/", "", "", 404, textType, "Not Found\n"},
		{"POST", "/echo", "", "", 200, octetsType, ""},
		{"POST", "/echo", "", "abc", 200, octetsType, "abc"},
		{"POST", "/echo", "Content-Type: text/x-test; a=b\r\n", "abc", 200, "text/x-test; a=b", "abc"},
		{"POST", "/echo", "", strings.Repeat("0123456789", 1<<20/10), 200, octetsType, strings.Repeat("0123456789", 1<<20/10)},
		{"GET", "/bytes/0", "", "", 200, octetsType, ""},
		{"GET", "/bytes/30", "", "", 200, octetsType, "abcdefghijklmnopqrstuvwxyzabcd"},
		{"GET", "/bytes/67108865", "", "", 400, textType, string(badBytes.Body)},
		{"GET", "/bytes/-1", "", "", 400, textType, string(badBytes.Body)},
		{"GET", "/bytes/9999999999999999999", "", "", 400, textType, string(badBytes.Body)},
		{"GET", "/delay/0", "", "", 200, textType, "ok"},
		{"GET", "/delay/60001", "", "", 400, textType, string(badDelay.Body)},
		{"GET", "/delay/1s", "", "", 400, textType, string(badDelay.Body)},
		{"GET", "/spin/0", "", "", 200, textType, "ok"},
		{"GET", "/spin/100", "", "", 200, textType, "ok"},
		{"GET", "/spin/1000001", "", "", 400, textType, string(badSpin.Body)},
		{"GET", "/static/a.txt", "", "", 404, textType, string(notFound.Body)}, // no directory was given
		{"GET", "/status/204", "", "", 204, "", ""},
		{"GET", "/status/304", "", "", 304, "", ""},
		{"GET", "/health", "", "", 200, textType, "ok"},
		{"GET", "/pipeline", "", "", 200, "text/plain", "ok"},
		{"GET", "/nothing", "", "", 404, textType, "Not Found\n"},
		{"DELETE", "/json", "", "", 405, textType, "Method Not Allowed\n"},

		{"GET", "/baseline11?a=13&b=42", "", "", 200, "text/plain", "55"},
		{"POST", "/baseline11?a=13&b=42", "Content-Type: text/plain\r\n", "20", 200, "text/plain", "75"},
		{"POST", "/baseline11?a=13&b=42", "", "\t20\r\n", 200, "text/plain", "75"},
		{"POST", "/baseline11?a=13&b=42", "", "twenty", 400, textType, string(badNumber.Body)},
		{"POST", "/baseline11?a=13&b=42", "Content-Length: 0\r\n", "", 200, "text/plain", "55"},
		{"GET", "/baseline11", "", "", 200, "text/plain", "0"},
		{"GET", "/baseline11?a=-5&b=3&c&d=&e=x&=1", "", "", 200, "text/plain", "-1"},
		{"GET", "/baseline11?a=1234567890123456789", "", "", 200, "text/plain", "0"}, // 19 digits
		{"POST", "/upload", "", "Hello, HttpArena!", 200, "text/plain", "17"},
		{"POST", "/upload", "Content-Length: 0\r\n", "", 200, "text/plain", "0"},
	} {
		name := fmt.Sprintf("%s %.30s %.10s", test.method, test.target, test.body)
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, nil)
			defer d.end()
			got := d.request(test.method, test.target, test.fields, test.body)
			if got.StatusCode != test.status || got.Header.Get("Content-Type") != test.mediaType || got.body != test.want {
				t.Errorf("got %d %q %.80q", got.StatusCode, got.Header.Get("Content-Type"), got.body)
			}
		})
	}
}

// TestSplit sends requests byte by byte, as HttpArena's fragmented ones are, and asks for the same answers.
func TestSplit(t *testing.T) {
	for _, test := range []struct{ request, want string }{
		{string(raw("GET", "/baseline11?a=13&b=42", "User-Agent: frag\r\n", "")), "55"},
		{string(raw("POST", "/baseline11?a=13&b=42", "", "20")), "75"},
		{string(raw("POST", "/baseline11?a=13&b=42", "Transfer-Encoding: chunked\r\n", "")) + chunked("2", "0"), "75"},
		{string(raw("POST", "/upload", "Transfer-Encoding: chunked\r\n", "")) + chunked("abc", "defgh"), "8"},
		{string(raw("POST", "/echo", "Transfer-Encoding: chunked\r\n", "")) + chunked("abc", "defgh"), "abcdefgh"},
	} {
		d := newDriver(t, nil)
		for i := range test.request {
			d.feed([]byte(test.request[i : i+1]))
		}
		if got := d.take("POST"); got.StatusCode != 200 || got.body != test.want {
			t.Errorf("%q: got %d %q, want %q", test.request, got.StatusCode, got.body, test.want)
		}
		d.end()
	}
}

// TestPipeline sends sixteen requests at once.
func TestPipeline(t *testing.T) {
	d := newDriver(t, nil)
	defer d.end()
	d.feed([]byte(strings.Repeat(string(raw("GET", "/pipeline", "", "")), 16)))
	if n := strings.Count(string(d.out), "\r\n\r\nok"); n != 16 {
		t.Errorf("%d replies to 16 requests", n)
	}
}

func TestBytesPattern(t *testing.T) {
	for _, n := range []int{1 << 10, 1 << 20, blockBytes, blockBytes + 1, 3*blockBytes + 5, maxBytes} {
		d := newDriver(t, nil)
		got := d.request("GET", "/bytes/"+itoa(n), "", "")
		if len(got.body) != n {
			t.Fatalf("%d bytes of %d", len(got.body), n)
		}
		for i := range n {
			if got.body[i] != byte('a'+i%26) {
				t.Fatalf("byte %d of %d is %q", i, n, got.body[i])
			}
		}
		d.end()
	}
}

func TestDelay(t *testing.T) {
	d := newDriver(t, nil)
	defer d.end()
	d.feed(raw("GET", "/delay/25", "", ""))
	d.advance(24 * time.Millisecond)
	if len(d.out) > 0 || d.conn.Want() != 0 {
		t.Fatalf("after 24 ms: sent %q, wants %b", d.out, d.conn.Want())
	}
	d.advance(time.Millisecond)
	if got := d.take("GET"); got.body != "ok" {
		t.Errorf("got %q", got.body)
	}
	if got := d.request("GET", "/health", "", ""); got.body != "ok" {
		t.Errorf("the next request got %q", got.body)
	}
}

func TestDelayEndsWithItsClient(t *testing.T) {
	d := newDriver(t, nil)
	d.feed(raw("GET", "/delay/25", "", ""))
	d.end()
	if len(d.timers) != 1 || d.timers[0].fire != nil {
		t.Error("the timer outlives its client")
	}
}

// TestSpin allows for a machine that is busy with something else: only the fastest of many runs is looked at.
func TestSpin(t *testing.T) {
	const us = 2000
	fastest := time.Hour
	for range 20 {
		begin := time.Now()
		spin(us)
		fastest = min(fastest, time.Since(begin))
	}
	if fastest < us*time.Microsecond/4 || fastest > us*time.Microsecond*4 {
		t.Errorf("a spin of %d µs takes %v", us, fastest)
	}
}

// TestUpload sends 24 MiB in pieces of 64 KiB and looks at the memory that the connection borrows meanwhile.
func TestUpload(t *testing.T) {
	const pieces, most = 24 << 4, 256 << 10
	piece := strings.Repeat("x", 64<<10)
	for _, test := range []struct{ name, fields, before, after, end string }{
		{"length", "Content-Length: " + itoa(pieces*len(piece)) + "\r\n", "", "", ""},
		{"chunked", "Transfer-Encoding: chunked\r\n", "10000\r\n", "\r\n", "0\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDriver(t, nil)
			defer d.end()
			d.feed(raw("POST", "/upload", test.fields, ""))
			for range pieces {
				d.feed([]byte(test.before + piece + test.after))
			}
			d.feed([]byte(test.end))
			if got := d.take("POST"); got.body != itoa(pieces*len(piece)) {
				t.Errorf("got %q", got.body)
			}
			if d.pool.most > most {
				t.Errorf("%d bytes of buffers were out at once", d.pool.most)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	for _, test := range []struct{ target, length string }{
		{"/echo", "16777217"},
		{"/upload", "1073741825"},
		{"/baseline11", "65"},
	} {
		d := newDriver(t, nil)
		got := d.request("POST", test.target, "Content-Length: "+test.length+"\r\n", "")
		if got.StatusCode != 413 || d.conn.Want()&httpcore.Linger == 0 {
			t.Errorf("%s: got %d, wants %b", test.target, got.StatusCode, d.conn.Want())
		}
		d.end()
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, request := range []string{
		string(raw("GET", "/plaintext", "", "")),
		string(raw("GET", "/json", "", "")),
		string(raw("GET", "/json/50?m=7", "", "")),
		string(raw("GET", "/users/42", "", "")),
		string(raw("GET", "/pipeline", "", "")),
		string(raw("GET", "/baseline11?a=13&b=42", "", "")),
		string(raw("POST", "/baseline11?a=13&b=42", "", "20")),
		string(raw("POST", "/baseline11?a=13&b=42", "Transfer-Encoding: chunked\r\n", "")) + chunked("20"),
		string(raw("GET", "/bytes/1048576", "", "")),
		string(raw("POST", "/echo", "", "abc")),
		strings.Repeat(string(raw("GET", "/pipeline", "", "")), 16),
	} {
		d := newDriver(t, nil)
		d.keep = false
		b := []byte(request)
		if n := testing.AllocsPerRun(100, func() { d.feed(b) }); n != 0 {
			t.Errorf("%v allocations for %.60q", n, request)
		}
		d.end()
	}
}

func BenchmarkRoutes(b *testing.B) {
	for _, test := range []struct{ name, request string }{
		{"plaintext", string(raw("GET", "/plaintext", "", ""))},
		{"user", string(raw("GET", "/users/42", "", ""))},
		{"sum", string(raw("POST", "/baseline11?a=13&b=42", "", "20"))},
		{"items-5", string(raw("GET", "/json/5?m=7", "", ""))},
		{"items-50", string(raw("GET", "/json/50?m=6", "", ""))},
		{"pipelined-16", strings.Repeat(string(raw("GET", "/pipeline", "", "")), 16)},
	} {
		b.Run(test.name, func(b *testing.B) {
			d := newDriver(b, nil)
			d.keep = false
			request := []byte(test.request)
			b.ReportAllocs()
			for b.Loop() {
				d.feed(request)
			}
		})
	}
}
