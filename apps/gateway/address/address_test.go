package address

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestHas(t *testing.T) {
	s, err := Parse("10.0.0.0/8", "192.0.2.7", "192.0.2.8/31", "2001:db8::/32", "::1", "2001:db9::ff00/120", "::ffff:203.0.113.1")
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false,
		"192.0.2.6": false, "192.0.2.7": true, "192.0.2.8": true, "192.0.2.9": true, "192.0.2.10": false,
		"::ffff:10.1.2.3": true, "::10.1.2.3": false, "::1": true, "::2": false,
		"2001:db8:ffff::": true, "2001:db9::ff01": true, "2001:db9::fe01": false, "2001:db7::": false, "203.0.113.1": true,
		"fe80::1%eth0": false,
	} {
		if got := s.Has(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is in the set: %v", a, got)
		}
	}
	all, err := Parse("0.0.0.0/0")
	if err != nil {
		t.Fatal(err)
	}
	if !all.Has(netip.MustParseAddr("1.2.3.4")) || all.Has(netip.MustParseAddr("::1")) {
		t.Error("all of IPv4 is not all of IPv4")
	}
	if (*Set)(nil).Has(netip.MustParseAddr("1.2.3.4")) || new(Set).Has(netip.MustParseAddr("1.2.3.4")) || all.Has(netip.Addr{}) {
		t.Error("nothing has something")
	}
	for _, bad := range []string{"", "10.0.0.1/8", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0", "example.org"} {
		if _, err := Parse(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzHas compares with a walk through all networks, of which those that are made here have much in common.
func FuzzHas(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, seed, seed2 uint64) {
		r := rand.New(rand.NewPCG(seed, seed2))
		random := func() netip.Addr {
			var b [16]byte
			for i := range b {
				b[i] = byte(r.IntN(2)) * 0x81
			}
			if r.IntN(2) == 0 {
				return netip.AddrFrom4([4]byte(b[:4]))
			}
			return netip.AddrFrom16(b)
		}
		var networks []netip.Prefix
		s := new(Set)
		for range r.IntN(100) {
			a := random()
			p := netip.PrefixFrom(a, r.IntN(a.BitLen()+1)).Masked()
			if p.Addr().Is4In6() {
				continue
			}
			if r.IntN(4) > 0 && p.Bits() < 6 {
				continue // a short one hides all others
			}
			networks = append(networks, p)
			s.add(p)
		}
		for range 200 {
			a, want := random(), false
			if len(networks) > 0 && r.IntN(2) == 0 {
				a = networks[r.IntN(len(networks))].Addr()
			}
			for _, p := range networks {
				want = want || p.Contains(a.Unmap())
			}
			if got := s.Has(a); got != want {
				t.Fatalf("%v in %v: %v", a, networks, got)
			}
		}
	})
}

func BenchmarkHas(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			s := new(Set)
			for range n {
				a := netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
				s.add(netip.PrefixFrom(a, 16+r.IntN(17)).Masked())
			}
			var addrs [1024]netip.Addr
			for i := range addrs {
				addrs[i] = netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Has(addrs[i%len(addrs)])
			}
		})
	}
}

func Example() {
	s, err := Parse("192.0.2.0/24", "2001:db8::/32")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Has(netip.MustParseAddr("192.0.2.200")), s.Has(netip.MustParseAddr("198.51.100.1")))
	// Output:
	// true false
}
