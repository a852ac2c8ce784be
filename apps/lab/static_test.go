package lab

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const digits = "0123456789"

// stamp is the modification time of the test's files: Sun, 09 Sep 2001 01:46:40 GMT, and a bit.
var stamp = time.Unix(1e9, 123)

// newFiles makes a directory that a hostile client would like to leave, and opens it.
func newFiles(t testing.TB) *os.Root {
	t.Helper()
	outside := t.TempDir()
	dir := filepath.Join(outside, "root")
	for name, content := range map[string]string{
		"secret.txt":             "secret",
		"root/digits.txt":        digits,
		"root/empty":             "",
		"root/sub/page.html":     "<p>",
		"root/a b.css":           "p{}",
		"root/100%.js":           "1",
		"root/root.json":         "{}",
		"root/file.unknowntype":  "?",
		"root/sub/.hidden":       "h",
		"root/sub/deep/deep.svg": "<svg/>",
	} {
		path := filepath.Join(outside, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": "../secret.txt", "up": "..", "abs": filepath.Join(outside, "secret.txt"), "in": "digits.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestStaticPaths(t *testing.T) {
	root := newFiles(t)
	for _, test := range []struct {
		path      string
		status    int
		mediaType string
		body      string
	}{
		{"digits.txt", 200, textType, digits},
		{"empty", 200, octetsType, ""},
		{"sub/page.html", 200, "text/html; charset=utf-8", "<p>"},
		{"sub/deep/deep.svg", 200, "image/svg+xml", "<svg/>"},
		{"sub/.hidden", 200, octetsType, "h"},
		{"a%20b.css", 200, "text/css; charset=utf-8", "p{}"},
		{"100%25.js", 200, "text/javascript; charset=utf-8", "1"},
		{"root.json", 200, jsonType, "{}"},
		{"file.unknowntype", 200, octetsType, "?"},
		{"in", 200, octetsType, digits},
		{"d%69gits.txt", 200, textType, digits},

		{"", 404, textType, string(notFound.Body)},
		{"missing", 404, textType, string(notFound.Body)},
		{"sub", 404, textType, string(notFound.Body)},
		{"sub/", 404, textType, string(notFound.Body)},
		{"sub//page.html", 404, textType, string(notFound.Body)},
		{"sub%2Fpage.html", 404, textType, string(notFound.Body)},
		{"digits.txt/", 404, textType, string(notFound.Body)},
		{"fifo", 404, textType, string(notFound.Body)},
		{"../secret.txt", 404, textType, string(notFound.Body)},
		{"..%2fsecret.txt", 404, textType, string(notFound.Body)},
		{"%2e%2e/secret.txt", 404, textType, string(notFound.Body)},
		{"sub/../../secret.txt", 404, textType, string(notFound.Body)},
		{"sub/../digits.txt", 404, textType, string(notFound.Body)},
		{"./digits.txt", 404, textType, string(notFound.Body)},
		{"/etc/passwd", 404, textType, string(notFound.Body)},
		{"%2fetc%2fpasswd", 404, textType, string(notFound.Body)},
		{"..%5csecret.txt", 404, textType, string(notFound.Body)},
		{"out", 404, textType, string(notFound.Body)},
		{"abs", 404, textType, string(notFound.Body)},
		{"up/secret.txt", 404, textType, string(notFound.Body)},
		{strings.Repeat("x", 5000), 404, textType, string(notFound.Body)},
		{"digits.txt%00.html", 400, textType, string(badPath.Body)},
	} {
		d := newDriver(t, root)
		got := d.request("GET", "/static/"+test.path, "", "")
		if got.StatusCode != test.status || got.Header.Get("Content-Type") != test.mediaType || got.body != test.body {
			t.Errorf("%.40s: got %d %q %q", test.path, got.StatusCode, got.Header.Get("Content-Type"), got.body)
		}
		d.end()
	}
}

func TestStaticConditions(t *testing.T) {
	const (
		modified = "Sun, 09 Sep 2001 01:46:40 GMT"
		earlier  = "Sun, 09 Sep 2001 01:46:39 GMT"
		later    = "Mon, 10 Sep 2001 01:46:40 GMT"
	)
	root := newFiles(t)
	d := newDriver(t, root)
	defer d.end()
	first := d.request("GET", "/static/digits.txt", "", "")
	etag := first.Header.Get("ETag")
	if len(etag) < 4 || etag[0] != '"' || first.Header.Get("Last-Modified") != modified || first.Header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("the head says %v", first.Header)
	}
	for _, test := range []struct {
		fields string
		status int
		body   string
	}{
		{"If-None-Match: " + etag, 304, ""},
		{"If-None-Match: W/" + etag, 304, ""},
		{"If-None-Match: *", 304, ""},
		{`If-None-Match: "x", W/"y" , ` + etag, 304, ""},
		{"If-None-Match: \"x\"\r\nif-none-match: " + etag, 304, ""},
		{`If-None-Match: "x"`, 200, digits},
		{"If-None-Match: " + strings.Trim(etag, `"`), 200, digits},
		{`If-None-Match: "unfinished`, 200, digits},
		{"If-None-Match: \"x\"\r\nIf-Modified-Since: " + modified, 200, digits}, // the tag decides alone
		{"If-Modified-Since: " + modified, 304, ""},
		{"If-Modified-Since: " + later, 304, ""},
		{"If-Modified-Since: " + earlier, 200, digits},
		{"If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT", 304, ""},
		{"If-Modified-Since: Sun Sep  9 01:46:40 2001", 304, ""},
		{"If-Modified-Since: yesterday", 200, digits},
		{"If-Match: " + etag, 200, digits},
		{"If-Match: *", 200, digits},
		{"If-Match: W/" + etag, 412, string(preconditionFailed.Body)}, // compared strongly
		{`If-Match: "x"`, 412, string(preconditionFailed.Body)},
		{"If-Match: " + etag + "\r\nIf-None-Match: " + etag, 304, ""},
		{"If-Match: " + etag + "\r\nIf-Unmodified-Since: " + earlier, 200, digits},
		{"If-Unmodified-Since: " + modified, 200, digits},
		{"If-Unmodified-Since: " + earlier, 412, string(preconditionFailed.Body)},
		{"Range: bytes=2-4\r\nIf-None-Match: " + etag, 304, ""},

		{"Range: bytes=2-4\r\nIf-Range: " + etag, 206, "234"},
		{"Range: bytes=2-4\r\nIf-Range: W/" + etag, 200, digits},
		{"Range: bytes=2-4\r\nIf-Range: \"x\"", 200, digits},
		{"Range: bytes=2-4\r\nIf-Range: " + modified, 206, "234"},
		{"Range: bytes=2-4\r\nIf-Range: " + later, 200, digits},
		{"Range: bytes=2-4\r\nIf-Range: never", 200, digits},
		{"Range: bytes=20-\r\nIf-Range: \"x\"", 200, digits},
	} {
		got := d.request("GET", "/static/digits.txt", test.fields+"\r\n", "")
		if got.StatusCode != test.status || got.body != test.body {
			t.Errorf("%s: got %d %q", test.fields, got.StatusCode, got.body)
		}
		if test.status == 304 && (got.Header.Get("ETag") != etag || got.Header.Get("Content-Length") != "10") {
			t.Errorf("%s: the 304 says %v", test.fields, got.Header)
		}
	}
}

func TestStaticRanges(t *testing.T) {
	root := newFiles(t)
	d := newDriver(t, root)
	defer d.end()
	for _, test := range []struct {
		method, file, value string
		status              int
		content, body       string
	}{
		{"GET", "digits.txt", "bytes=0-0", 206, "bytes 0-0/10", "0"},
		{"GET", "digits.txt", "bytes=2-4", 206, "bytes 2-4/10", "234"},
		{"GET", "digits.txt", "BYTES=2-4", 206, "bytes 2-4/10", "234"},
		{"GET", "digits.txt", "bytes=7-", 206, "bytes 7-9/10", "789"},
		{"GET", "digits.txt", "bytes=7-99", 206, "bytes 7-9/10", "789"},
		{"GET", "digits.txt", "bytes=7-99999999999999999999999", 206, "bytes 7-9/10", "789"},
		{"GET", "digits.txt", "bytes=-3", 206, "bytes 7-9/10", "789"},
		{"GET", "digits.txt", "bytes=-99", 206, "bytes 0-9/10", digits},
		{"GET", "digits.txt", "bytes=0-", 206, "bytes 0-9/10", digits},
		{"GET", "digits.txt", "bytes=10-", 416, "bytes */10", "the range begins after the end\n"},
		{"GET", "digits.txt", "bytes=-0", 416, "bytes */10", "the range begins after the end\n"},
		{"GET", "digits.txt", "bytes=99999999999999999999999-", 416, "bytes */10", "the range begins after the end\n"},
		{"GET", "digits.txt", "bytes=4-2", 200, "", digits},
		{"GET", "digits.txt", "bytes=1-2,4-5", 200, "", digits},
		{"GET", "digits.txt", "bytes=", 200, "", digits},
		{"GET", "digits.txt", "bytes=-", 200, "", digits},
		{"GET", "digits.txt", "bytes=a-b", 200, "", digits},
		{"GET", "digits.txt", "bytes=+1-2", 200, "", digits},
		{"GET", "digits.txt", "bytes 1-2", 200, "", digits},
		{"GET", "digits.txt", "lines=1-2", 200, "", digits},
		{"GET", "digits.txt", "", 200, "", digits},
		{"GET", "empty", "bytes=0-", 416, "bytes */0", "the range begins after the end\n"},
		{"GET", "empty", "bytes=-5", 200, "", ""},
		{"HEAD", "digits.txt", "bytes=2-4", 200, "", ""},
	} {
		got := d.request(test.method, "/static/"+test.file, "Range: "+test.value+"\r\n", "")
		if got.StatusCode != test.status || got.Header.Get("Content-Range") != test.content || got.body != test.body {
			t.Errorf("%s %s %q: got %d %q %q", test.method, test.file, test.value, got.StatusCode, got.Header.Get("Content-Range"), got.body)
		}
		if test.method == "HEAD" && got.ContentLength != 10 {
			t.Errorf("HEAD announces %d bytes", got.ContentLength)
		}
	}
}

// TestStaticClosesFiles serves a file in every way there is and counts the descriptors left.
func TestStaticClosesFiles(t *testing.T) {
	root := newFiles(t)
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	d := newDriver(t, root)
	d.request("GET", "/static/digits.txt", "", "")
	before := open()
	for range 10 {
		for _, fields := range []string{"", "If-None-Match: *\r\n", "If-Match: \"x\"\r\n", "Range: bytes=1-2\r\n", "Range: bytes=99-\r\n"} {
			d.request("GET", "/static/digits.txt", fields, "")
			d.request("HEAD", "/static/digits.txt", fields, "")
		}
		d.request("GET", "/static/sub", "", "")
		d.request("GET", "/static/fifo", "", "")
		d.request("GET", "/static/empty", "", "")
	}
	d.end()
	if after := open(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestLastModifiedIsNotAhead: RFC 9110 §8.8.2.1.
func TestLastModifiedIsNotAhead(t *testing.T) {
	root := newFiles(t)
	ahead := time.Now().Add(time.Hour)
	if err := root.Chtimes("digits.txt", ahead, ahead); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, root)
	defer d.end()
	got := d.request("GET", "/static/digits.txt", "", "")
	modified, err := http.ParseTime(got.Header.Get("Last-Modified"))
	if err != nil || modified.After(time.Now()) {
		t.Errorf("Last-Modified is %v, %v", modified, err)
	}
}

// FuzzDecodePath compares with net/url, from which we differ in NUL and the encoded slash.
func FuzzDecodePath(f *testing.F) {
	for _, s := range []string{"a/b", "%41", "%", "%4", "%zz", "%00", "%2F", "a%2fb", "..%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, valid := decodePath([]byte(s))
		want, err := url.PathUnescape(s)
		if strings.Contains(want, "\x00") || strings.Contains(strings.ToLower(s), "%2f") {
			if valid && strings.Contains(got, "\x00") {
				t.Errorf("%q: a NUL got through", s)
			}
			return
		}
		if valid != (err == nil) || valid && got != want {
			t.Errorf("%q: got %q %v, net/url says %q %v", s, got, valid, want, err)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-1", "bytes=5-", "bytes=1-2,3-4", "bytes=9223372036854775807-9223372036854775807"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		first, n, verdict := parseRange([]byte(s), size)
		if verdict == partial && (first < 0 || n < 1 || first > size-n) {
			t.Errorf("%q of %d: %d bytes from %d", s, size, n, first)
		}
	})
}
