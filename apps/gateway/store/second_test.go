package store

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

var _ Second = (*Memory)(nil)

func TestSecond(t *testing.T) {
	clock := time.Unix(wall0, 0)
	m := &Memory{Clock: func() time.Time { return clock }, Most: 2}
	one, other := New(Rules{}.Filled()), New(Rules{}.Filled())
	q := get("/", "Accept: a")
	ask(one, q, "Cache-Control: max-age=10|Vary: Accept|Age: 2|ETag: \"a\"|Last-Modified: "+date0, "body", 0)
	value, ttl := one.Encode(nil, q, 3*second, wall0+3)
	if ttl != 5*time.Second {
		t.Errorf("worth keeping for %v", ttl)
	}
	if err := m.Put(AppendKey(nil, q), value, ttl); err != nil {
		t.Fatal(err)
	}
	value, err := m.Get(AppendKey(nil, q))
	if err != nil {
		t.Fatal(err)
	}
	// The other process's monotonic clock has nothing to do with this one's. Two seconds pass until it reads.
	if err := other.Decode(value, q, 1000*second, wall0+5); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[int64]Status{0: Hit, 2: Hit, 3: Expired} {
		var a Ask
		f := other.Look(&a, q, (1000+after)*second)
		if f.Status != want || want == Hit && (string(f.Body) != "body" || f.Age != 7+after) || want == Expired && string(f.ETag) != `"a"` {
			t.Errorf("%d s after: %+v", after, f)
		}
	}
	if f := other.Look(new(Ask), get("/", "Accept: b"), 1000*second); f.Status != Miss {
		t.Errorf("another variant: %s", f.Status)
	}
	if other.Decode(value, get("/other", ""), 0, wall0) == nil {
		t.Error("an answer for another key is taken")
	}
	for n := range value {
		if other.Decode(value[:n], q, 0, wall0) == nil {
			t.Errorf("%d of %d bytes are taken", n, len(value))
		}
	}
	forged := bytes.Replace(value, []byte("max-age"), []byte("a\r\n b\r\n"), 1) // as long, and no field line
	if len(forged) != len(value) || bytes.Equal(forged, value) || other.Decode(forged, q, 0, wall0) == nil {
		t.Error("field lines that are none are taken")
	}
	if other.used != sum(other) {
		t.Errorf("%d bytes are counted, %d are used", other.used, sum(other))
	}
	if _, ttl := one.Encode(nil, q, 9*second, wall0); ttl != 0 {
		t.Errorf("what is stale is kept for %v", ttl)
	}

	clock = clock.Add(5 * time.Second)
	if v, err := m.Get(AppendKey(nil, q)); v != nil || err != nil {
		t.Errorf("after its time: %q %v", v, err)
	}
	for _, key := range []string{"a", "b", "c"} {
		if err := m.Put([]byte(key), nil, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.kept) != 2 {
		t.Errorf("%d kept, at most 2", len(m.kept))
	}
	if err := m.Delete([]byte("c")); err != nil || len(m.kept) != 1 {
		t.Errorf("%v, %d kept", err, len(m.kept))
	}
	m.Fail = errors.New("away")
	if _, err := m.Get(nil); err != m.Fail {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	c := New(Rules{}.Filled())
	q := get("/", "Accept: a")
	ask(c, q, "Cache-Control: max-age=10|Vary: Accept|ETag: \"a\"", "body", 0)
	value, _ := c.Encode(nil, q, 0, wall0)
	f.Add(value)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(Rules{}.Filled())
		err := c.Decode(b, q, 0, wall0)
		if c.used != sum(c) || (err == nil) != (c.Len() == 1) {
			t.Fatalf("%v: %d bytes counted, %d used, %d entries", err, c.used, sum(c), c.Len())
		}
		c.Look(new(Ask), q, 0)
		c.Encode(nil, q, 0, wall0)
	})
}
