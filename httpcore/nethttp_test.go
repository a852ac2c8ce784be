package httpcore

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// laxer is what net/http accepts and this parser does not, by the error it gives, and why.
var laxer = map[*Error]string{
	errHeadLong:     "the limit of net/http's Server is not ReadRequest's",
	errTargetLong:   "nor is this",
	errFieldCount:   "nor this",
	errMethodLong:   "a method has no bound there",
	errTarget:       "RFC 3986 is not held to: quotes, bars, brackets and obs-text pass, and any scheme does",
	errFragment:     "it is read as a part of the path",
	errPercent:      "a query is not looked into",
	errAuthority:    "a user passes, and an authority-form without a port",
	errTargetForm:   "the form is not held against the method",
	errVersion:      "bare LF ends the line, and the version may be followed by white space",
	errVersionOther: "any HTTP/d.d is a version to ReadRequest",
	errFold:         "obs-fold is unfolded",
	errNameSpace:    "the field is kept under a name with a space",
	errFieldLF:      "bare LF ends a line",
	errHostMissing:  "the Server looks for these, not ReadRequest",
	errHost:         "and for these",
	errCodingOld:    "a Transfer-Encoding is not looked at in HTTP/1.0",
	errCodingBoth:   "the length is dropped",
	errExpect:       "expectations are the Server's",
}

// stricter is what net/http refuses and this parser does not.
var stricter = []struct {
	why string
	is  func(h *Head, err error) bool
}{
	{"a list of equal lengths", func(h *Head, err error) bool {
		return h.HasLength() && strings.Contains(err.Error(), "Content-Length")
	}},
	{"an empty list element, or another line, beside chunked", func(h *Head, err error) bool {
		return h.Chunked() && strings.Contains(err.Error(), "transfer encoding")
	}},
	{"a percent-encoded host or an IPvFuture in the target", func(h *Head, err error) bool {
		return h.Target()[0] != '/' && strings.HasPrefix(err.Error(), "parse ") && bytes.ContainsAny(h.Target(), "%[")
	}},
}

// refusedFor says why net/http refuses a head that is accepted here, or nothing if it should not.
func refusedFor(h *Head, err error) string {
	for _, s := range stricter {
		if s.is(h, err) {
			return s.why
		}
	}
	return ""
}

// TestDifferences holds the lists against the cases: each difference must be seen there, or it is none.
func TestDifferences(t *testing.T) {
	files, err := filepath.Glob("testdata/head/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := map[*Error]bool{}, map[string]bool{}
	for _, path := range files {
		cases, _ := readParseCases(t, path)
		for _, c := range cases {
			var h Head
			n, refusal := h.Parse(c.in, &c.limits)
			_, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.in)))
			if refusal != nil && err == nil {
				accepted[refusal] = true
			}
			if n > 0 && err != nil {
				refused[refusedFor(&h, err)] = true
			}
		}
	}
	for refusal, why := range laxer {
		if !accepted[refusal] {
			t.Errorf("net/http accepts no case that is here %v, for which the list says: %s", refusal, why)
		}
	}
	for _, s := range stricter {
		if !refused[s.why] {
			t.Errorf("net/http refuses no case for: %s", s.why)
		}
	}
}

// FuzzHeadAgainstNetHTTP holds the parser against http.ReadRequest: what one accepts and the other refuses must be
// intended, and what both accept must mean the same.
func FuzzHeadAgainstNetHTTP(f *testing.F) {
	files, err := filepath.Glob("testdata/head/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		cases, _ := readParseCases(f, path)
		for _, c := range cases {
			f.Add(c.in)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for bytes.HasPrefix(in, []byte("\r\n")) {
			in = in[2:] // ReadRequest leaves empty lines before a request to the Server
		}
		var h Head
		n, refusal := h.Parse(in, &DefaultLimits)
		if refusal == nil && n == 0 {
			return // not whole
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		switch {
		case refusal != nil:
			if _, intended := laxer[refusal]; err == nil && !intended {
				t.Fatalf("net/http accepts what is here %v: %q", refusal, in)
			}
		case err != nil:
			if refusedFor(&h, err) == "" {
				t.Fatalf("net/http refuses this with %v: %q", err, in)
			}
		default:
			if err := sameRequest(&h, r); err != nil {
				t.Fatalf("%v: %q", err, in)
			}
		}
	})
}

// sameHost reports whether host is the request's. net/http takes it percent-decoded from a target of absolute-form; here it is
// what was sent.
func sameHost(host string, r *http.Request) bool {
	if r.URL.IsAbs() {
		if plain, err := url.PathUnescape(host); err == nil {
			host = plain
		}
	}
	return host == r.Host
}

// sameRequest compares what both made of a head.
func sameRequest(h *Head, r *http.Request) error {
	switch {
	case string(h.MethodName()) != r.Method:
		return errors.New("the method differs: " + r.Method)
	case string(h.Target()) != r.RequestURI:
		return errors.New("the target differs: " + r.RequestURI)
	case h.Path() != nil && string(h.Path()) != cmp.Or(r.URL.EscapedPath(), "/"):
		return errors.New("the path differs: " + r.URL.EscapedPath())
	case string(h.Query()) != r.URL.RawQuery:
		return errors.New("the query differs: " + r.URL.RawQuery)
	case !sameHost(string(h.Host()), r) && !h.Authority():
		return errors.New("the host differs: " + r.Host)
	case h.Chunked() != slices.Equal(r.TransferEncoding, []string{"chunked"}):
		return errors.New("the transfer coding differs")
	case !h.Chunked() && h.ContentLength() != r.ContentLength:
		return errors.New("the length differs")
	case h.KeepAlive() == r.Close:
		return errors.New("whether to keep the connection differs")
	}
	for i := range h.NumFields() {
		name, value := h.FieldAt(i)
		switch key := http.CanonicalHeaderKey(string(name)); key {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Cache-Control": // taken out, or put in
		default:
			if !slices.Contains(r.Header[key], string(value)) {
				return errors.New("a field differs: " + key)
			}
		}
	}
	return nil
}
