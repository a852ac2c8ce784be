// Package address finds out whether an address lies in one of many networks, in time that depends on the length of an
// address and not on their number.
package address

import (
	"fmt"
	"math/bits"
	"net/netip"
)

// Set is a set of networks: a path-compressed binary trie, one for each family. It is never changed, and any number of
// goroutines may use it. A nil Set is empty.
type Set struct{ v4, v6 []node }

// node is a network, and those within it. bits of prefix beyond length are zero.
type node struct {
	high, low uint64 // of the address; an IPv4 address lies in the first 32 bits of high
	length    uint8
	whole     bool // all of it is in the set
	next      [2]int32
}

// Parse makes a Set of networks in CIDR notation, or single addresses. A network with bits beyond its length is refused: it
// is a slip of the pen, and it can't be known of which.
func Parse(networks ...string) (*Set, error) {
	s := new(Set)
	for _, n := range networks {
		p, err := parse(n)
		if err != nil {
			return nil, err
		}
		s.add(p)
	}
	return s, nil
}

func parse(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("network %q: an address with a zone", s)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("network %q: neither an address nor CIDR", s)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("network %q: write it as IPv4", s)
	case p.Masked() != p:
		return p, fmt.Errorf("network %q: bits are set behind its length; did you mean %v?", s, p.Masked())
	}
	return p, nil
}

// words returns the bits of an address, from the first one on.
func words(a netip.Addr) (high, low uint64) {
	if a.Is4() {
		b := a.As4()
		return uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32, 0
	}
	b := a.As16()
	for i := range 8 {
		high = high<<8 | uint64(b[i])
		low = low<<8 | uint64(b[i+8])
	}
	return high, low
}

// bit returns bit i of an address.
func bit(high, low uint64, i uint8) uint64 {
	if i < 64 {
		return high >> (63 - i) & 1
	}
	return low >> (127 - i) & 1
}

// common returns how many bits are the same from the first one on.
func common(high, low, high2, low2 uint64) uint8 {
	if x := high ^ high2; x != 0 {
		return uint8(bits.LeadingZeros64(x))
	}
	return 64 + uint8(bits.LeadingZeros64(low^low2))
}

// mask clears the bits from length on.
func mask(high, low uint64, length uint8) (uint64, uint64) {
	switch {
	case length == 0:
		return 0, 0
	case length <= 64:
		return high >> (64 - length) << (64 - length), 0
	default:
		return high, low >> (128 - length) << (128 - length)
	}
}

// add adds a network.
func (s *Set) add(p netip.Prefix) {
	t := &s.v6
	if p.Addr().Is4() {
		t = &s.v4
	}
	if len(*t) == 0 {
		*t = append(*t, node{}) // all addresses: the root, which is in the set only if it is added
	}
	high, low := words(p.Addr())
	length := uint8(p.Bits())
	at := int32(0)
	for {
		n := &(*t)[at]
		if n.length == length {
			n.whole = true
			return
		}
		side := bit(high, low, n.length)
		to := n.next[side]
		if to == 0 {
			*t = append(*t, node{high: high, low: low, length: length, whole: true})
			(*t)[at].next[side] = int32(len(*t) - 1)
			return
		}
		child := (*t)[to]
		same := min(common(high, low, child.high, child.low), length, child.length)
		if same == child.length {
			at = to
			continue
		}
		// The two part within the child's way: a node where they do.
		h, l := mask(high, low, same)
		fork := node{high: h, low: l, length: same}
		fork.next[bit(child.high, child.low, same)] = to
		*t = append(*t, fork)
		at2 := int32(len(*t) - 1)
		(*t)[at].next[side] = at2
		at = at2
	}
}

// Has reports whether an address lies in one of the networks. An IPv4 address in IPv6 counts as IPv4.
func (s *Set) Has(a netip.Addr) bool {
	if s == nil {
		return false
	}
	a = a.Unmap()
	t := s.v6
	if a.Is4() {
		t = s.v4
	}
	if len(t) == 0 || !a.IsValid() {
		return false
	}
	high, low := words(a)
	most := uint8(a.BitLen())
	for n := &t[0]; ; {
		if h, l := mask(high, low, n.length); h != n.high || l != n.low {
			return false
		}
		if n.whole {
			return true
		}
		if n.length == most {
			return false
		}
		to := n.next[bit(high, low, n.length)]
		if to == 0 {
			return false
		}
		n = &t[to]
	}
}
