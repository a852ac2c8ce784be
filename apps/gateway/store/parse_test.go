package store

import (
	"net/http"
	"testing"
	"time"

	"corelab/apps/precondition"
)

func TestDirectives(t *testing.T) {
	for _, c := range []struct {
		value string
		want  func(d *Directives)
	}{
		{"", func(*Directives) {}},
		{"no-cache", func(d *Directives) { d.NoCache = true }},
		{"no-cacheX, Xno-store", func(*Directives) {}},
		{",, no-store ,", func(d *Directives) { d.NoStore = true }},
		{"PUBLIC,Private", func(d *Directives) { d.Public, d.Private = true, true }},
		{"must-revalidate,proxy-revalidate, must-understand ,only-if-cached", func(d *Directives) {
			d.MustRevalidate, d.ProxyRevalidate, d.MustUnderstand, d.OnlyIfCached = true, true, true, true
		}},
		{"max-age=1, s-maxage=2, max-stale=3, min-fresh=4, stale-while-revalidate=5, stale-if-error=6", func(d *Directives) {
			d.MaxAge, d.SMaxAge, d.MaxStale, d.MinFresh, d.StaleRevalidate, d.StaleError = 1, 2, 3, 4, 5, 6
		}},
		{"max-stale", func(d *Directives) { d.MaxStale = maxDelta }},
		{"max-age", func(d *Directives) { d.MaxAge = 0 }},
		{"max-age=", func(d *Directives) { d.MaxAge = 0 }},
		{"max-age=1.5", func(d *Directives) { d.MaxAge = 0 }},
		{"max-age=3000000000", func(d *Directives) { d.MaxAge = maxDelta }},
		{"max-age=1, max-age=1", func(d *Directives) { d.MaxAge = 1 }},
		{"max-age=1, max-age=2", func(d *Directives) { d.MaxAge = 0 }},
		{"max-age=\"7\"", func(d *Directives) { d.MaxAge = 7 }},
		{"x=\"no-store, \\\", no-cache\", public", func(d *Directives) { d.Public = true }},
		{"x=\"no-store", func(*Directives) {}},
		{"x=\"\\", func(*Directives) {}},
		{"no-cache=\"a, b\" , max-age=1", func(d *Directives) { d.NoCache, d.MaxAge = true, 1 }},
	} {
		got, want := newDirectives(), newDirectives()
		got.parse([]byte(c.value))
		want.found = true
		c.want(&want)
		if got != want {
			t.Errorf("%q: %+v, want %+v", c.value, got, want)
		}
	}
}

func FuzzDirectives(f *testing.F) {
	f.Add("max-age=10, no-cache=\"a\\\",b\", private")
	f.Add("a=\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		d := newDirectives()
		d.parse([]byte(s))
		for _, n := range []int64{d.MaxAge, d.SMaxAge, d.MaxStale, d.MinFresh, d.StaleRevalidate, d.StaleError} {
			if n < unset || n > maxDelta {
				t.Errorf("%q says %d seconds", s, n)
			}
		}
		// What stands before a comma outside quotes does not change what stands behind it.
		e := newDirectives()
		e.parse([]byte("x=\"y,\\\"z\"," + s))
		if d != e {
			t.Errorf("%q: %+v, behind another directive %+v", s, d, e)
		}
	})
}

// FuzzDate compares with net/http and with package precondition, which read all three forms. Of the first form the name of
// the day is not read here, which they do not hold against the date either.
func FuzzDate(f *testing.F) {
	for _, s := range []string{date0, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Xxx, 31 Feb 2021 24:00:00 GMT", "Sun, 29 Feb 2024 00:00:00 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fixed, isFixed := parseFixdate([]byte(s))
		want, err := http.ParseTime(s)
		// net/http takes the month in any case, RFC 9110 does not.
		if err == nil && len(s) == len(date0) && s[3] == ',' && s[8:11] == want.Month().String()[:3] && (!isFixed || fixed != want.Unix()) {
			t.Errorf("%q: %d %v, want %d", s, fixed, isFixed, want.Unix())
		}
		if isFixed && err != nil {
			if _, err := http.ParseTime("Sun" + s[3:]); err != nil {
				t.Errorf("%q is %v", s, time.Unix(fixed, 0))
			}
		}
		got, ok := parseDate([]byte(s), wall0)
		again, valid := precondition.ParseDate([]byte(s), time.Unix(wall0, 0).UTC())
		if valid && (!ok || got != again.Unix()) {
			t.Errorf("%q: %d, package precondition says %d", s, got, again.Unix())
		}
	})
}

// FuzzAnswer has a cache read any answer to any request: it keeps its books, and gives back what it was given.
func FuzzAnswer(f *testing.F) {
	f.Add("Cache-Control: max-age=10\r\nVary: A, b\r\nETag: \"x\"\r\n", "A", "b, c", "body")
	f.Add("Vary: \r\nExpires: 0\r\nConnection: vary\r\n", "If-None-Match", "*", "")
	f.Fuzz(func(t *testing.T, answer, name, value, body string) {
		c := New(Rules{Heuristic: 0.1}.Filled())
		q := get("/", "")
		q.Fields = fields{{[]byte(name), []byte(value)}}
		var a Ask
		c.Look(&a, q, 0)
		if a.bypass {
			return
		}
		stored := false
		if c.Begin(&a, q, 200, []byte(answer), int64(len(body)), wall0, 0, 0) && c.Add(&a, q, []byte(body), 0) {
			c.Commit(&a)
			stored = true
		}
		c.Leave(&a)
		if c.used != sum(c) || c.reserved != 0 {
			t.Fatalf("%d bytes are counted, %d are used", c.used, sum(c))
		}
		if !stored {
			return
		}
		var b Ask
		found := c.Look(&b, q, 0)
		if found.Status == Miss {
			t.Fatalf("%q was stored and is not found", answer)
		}
		if found.Status == Hit && string(found.Body) != body {
			t.Fatalf("the body is %q", found.Body)
		}
		data, ttl := c.Encode(nil, q, 0, wall0)
		if ttl > 0 {
			d := New(Rules{}.Filled())
			if err := d.Decode(data, q, 0, wall0); err != nil {
				t.Fatal(err)
			}
			again := d.Look(new(Ask), q, 0)
			if again.Status != found.Status || string(again.Lines) != string(found.Lines) || string(again.Body) != string(found.Body) {
				t.Fatalf("decoded: %+v, want %+v", again, found)
			}
		}
		c.Freshen(&b, q, []byte(answer), wall0, 0, 0)
		c.Leave(&b)
		if c.used != sum(c) {
			t.Fatalf("after a 304 %d bytes are counted, %d are used", c.used, sum(c))
		}
	})
}
