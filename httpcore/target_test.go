package httpcore

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAuthority(t *testing.T) {
	for _, c := range []struct {
		in         string
		ok, ported bool // whether it is valid, and where a port is needed
	}{
		{"a", true, false}, {"a:1", true, true}, {"a:", true, false}, {"", false, false}, {":1", false, false},
		{"a:65535", true, true}, {"a:65536", false, false}, {"a:-1", false, false}, {"a:1:2", false, false},
		{"%41", true, false}, {"%4", false, false}, {"%4g", false, false}, {"a b", false, false}, {"a,b", true, false},
		{"[::1]", true, false}, {"[::1]:1", true, true}, {"[::1]:", true, false}, {"[::1]1", false, false},
		{"[::1", false, false}, {"::1", false, false}, {"[]", false, false}, {"a[::1]", false, false},
		{"[v1.a]", true, false}, {"[vF.a:b]:1", true, true}, {"[v.a]", false, false}, {"[v1.]", false, false},
		{"[v1a]", false, false}, {"[v1.a/b]", false, false}, {"user@a", false, false},
	} {
		if ok := validAuthority([]byte(c.in), false); ok != c.ok {
			t.Errorf("%q: %v", c.in, ok)
		}
		if ok := validAuthority([]byte(c.in), true); ok != c.ported {
			t.Errorf("%q with a port: %v", c.in, ok)
		}
	}
}

// FuzzIPv6 holds validIPv6 against netip, which knows zones besides.
func FuzzIPv6(f *testing.F) {
	for _, seed := range []string{
		"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7::8", "1::2::3", ":::", ":",
		"1:", ":1", "12345::", "g::", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4.5",
		"::256.0.0.1", "::01.2.3.4", "1.2.3.4", "::1.2.3.4:5", "fe80::1%eth0", "", "::ffff:1.2.3.", "::a.2.3.4", "1:2:3:4:5:6:7",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		addr, err := netip.ParseAddr(in)
		want := err == nil && addr.Is6() && !strings.Contains(in, "%")
		if got := validIPv6([]byte(in)); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	})
}
