package apikey

import (
	"fmt"
	"testing"
)

func TestFind(t *testing.T) {
	var keys []Key
	for i := range 1000 {
		keys = append(keys, Key{Digest: Of(fmt.Appendf(nil, "key-%d", i)), Owner: i})
	}
	keys[7].Expires = 100
	table, err := New(keys)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if owner, found := table.Find(fmt.Appendf(nil, "key-%d", i), 99); !found || owner != i {
			t.Errorf("key-%d is of %d, %v", i, owner, found)
		}
	}
	if _, found := table.Find([]byte("key-7"), 100); found {
		t.Error("a key is found at the moment of its expiry")
	}
	for _, key := range []string{"", "key-1000", "key-", "KEY-1", "key-1 ", string(make([]byte, MaxBytes+1))} {
		if _, found := table.Find([]byte(key), 0); found {
			t.Errorf("%q is found", key)
		}
	}
	// Digests that begin alike are told apart.
	a, b := Of([]byte("a")), Of([]byte("a"))
	b[31] ^= 1
	table, err = New([]Key{{Digest: b, Owner: 1}, {Digest: a, Owner: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if owner, found := table.Find([]byte("a"), 0); !found || owner != 2 {
		t.Errorf("a is of %d, %v", owner, found)
	}
	if _, err := New([]Key{{Digest: a}, {Digest: a, Owner: 1}}); err == nil {
		t.Error("two owners of one key are accepted")
	}
	if table, err = New(nil); err != nil {
		t.Fatal(err)
	}
	if _, found := table.Find([]byte("a"), 0); found {
		t.Error("found in an empty table")
	}
}

func TestParseDigest(t *testing.T) {
	d := Of([]byte("a"))
	for _, s := range []string{fmt.Sprintf("%x", d), fmt.Sprintf("sha256:%X", d)} {
		if got, err := ParseDigest(s); err != nil || got != d {
			t.Errorf("%s: %x, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "a", "sha256:", fmt.Sprintf("%x", d)[1:], fmt.Sprintf("sha512:%x", d), fmt.Sprintf("%xzz", d[:31]), fmt.Sprintf("%x", Of(nil))} {
		if _, err := ParseDigest(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	var keys []Key
	for i := range 10_000 {
		keys = append(keys, Key{Digest: Of(fmt.Appendf(nil, "key-%d", i)), Owner: i})
	}
	table, err := New(keys)
	if err != nil {
		b.Fatal(err)
	}
	key := []byte("key-5000")
	b.ReportAllocs()
	for b.Loop() {
		if _, found := table.Find(key, 1); !found {
			b.Fatal("not found")
		}
	}
}

func TestAllocates(t *testing.T) {
	table, err := New([]Key{{Digest: Of([]byte("a"))}})
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("a")
	if n := testing.AllocsPerRun(100, func() { table.Find(key, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func Example() {
	key := Fresh() // given to alice, and to nobody else
	table, err := New([]Key{{Digest: Of([]byte(key)), Owner: 7}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table.Find([]byte(key), 0))
	fmt.Println(table.Find([]byte(Fresh()), 0))
	// Output:
	// 7 true
	// 0 false
}
