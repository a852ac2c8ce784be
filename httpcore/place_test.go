package httpcore

import (
	"fmt"
	"strings"
	"testing"
)

// TestPlaces adds keys of all lengths, and finds these and nothing else.
func TestPlaces(t *testing.T) {
	var p places
	if p.find([]byte("/")) != nil {
		t.Error("found in nothing")
	}
	targets := map[string]*target{}
	for n := range 400 {
		key := "/" + strings.Repeat("a", n) + "/"
		targets[key] = new(target)
		p.add(key).target = targets[key]
	}
	for n := range 4000 {
		key := fmt.Sprint("/", n)
		targets[key] = new(target)
		p.add(key).target = targets[key]
	}
	if p.used != len(targets) || len(p.slots) < 2*p.used {
		t.Errorf("%d of %d slots for %d keys", p.used, len(p.slots), len(targets))
	}
	for key, want := range targets {
		if s := p.find([]byte(key)); s == nil || s.target != want {
			t.Fatalf("%q is not found", key)
		}
		if p.add(key).target != want {
			t.Fatalf("%q is added twice", key)
		}
		for _, none := range []string{key + "b", "b" + key, strings.Replace(key, "a", "b", 1)} {
			if s := p.find([]byte(none)); targets[none] == nil && s != nil {
				t.Fatalf("%q is found as %q", none, s.key)
			}
		}
	}
}

// TestHashPath has each byte of a key count, wherever it stands.
func TestHashPath(t *testing.T) {
	for n := 1; n < 40; n++ {
		b := []byte(strings.Repeat("a", n))
		hash := hashPath(b)
		for i := range b {
			b[i] = 'b'
			if hashPath(b) == hash {
				t.Errorf("byte %d of %d does not count", i, n)
			}
			b[i] = 'a'
		}
	}
}
