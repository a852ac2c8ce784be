package browsertest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// heard is a test that keeps what it is told instead of failing.
type heard struct {
	testing.TB
	errors []string
}

func (h *heard) Errorf(format string, args ...any) {
	h.errors = append(h.errors, fmt.Sprintf(format, args...))
}

// TestComplaints holds the net against pages that do wrong: a test of a page is worth what it would have noticed.
func TestComplaints(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"quiet", `<p>nothing</p><script>console.log("fine")</script>`, ""},
		{"console", `<script>console.error("a bad day", 7)</script>`, "a bad day"},
		{"thrown", `<script>throw new Error("out of cheese")</script>`, "out of cheese"},
		{"network", `<img src="http://example.invalid/pixel.png" alt="">`, "http://example.invalid/pixel.png"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &heard{TB: t}
			ctx, done := Open(h)
			path := filepath.Join(t.TempDir(), "page.html")
			if err := os.WriteFile(path, []byte("<!doctype html>"+c.page), 0o666); err != nil {
				t.Fatal(err)
			}
			Do(t, ctx, chromedp.Navigate(File(t, path)))
			Settle(t, ctx)
			done()
			switch {
			case c.want == "" && len(h.errors) > 0:
				t.Errorf("complains of a page without fault: %q", h.errors)
			case c.want != "" && !strings.Contains(strings.Join(h.errors, "\n"), c.want):
				t.Errorf("does not say %q: %q", c.want, h.errors)
			}
		})
	}
}

func TestLocal(t *testing.T) {
	for address, want := range map[string]bool{
		"file:///tmp/a.svg": true, "data:text/html,x": true, "http://127.0.0.1:80/": true, "http://[::1]/": true, "about:blank": true,
		"http://localhost:8080/x": true, "https://example.org/": false, "http://10.0.0.1/": false, "http://127.0.0.1.example.org/": false,
		"ftp://x/": false, "http://%zz/": false,
	} {
		if got := local(address); got != want {
			t.Errorf("local(%q) = %v", address, got)
		}
	}
	if u, err := url.Parse(File(t, "a b.svg")); err != nil || !strings.HasSuffix(u.Path, "/a b.svg") {
		t.Errorf("File: %v, %v", u, err)
	}
}
