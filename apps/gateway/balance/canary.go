package balance

import (
	"bytes"
	"errors"
	"math/bits"
)

// Canary says who is sent to a second group. What it looks at first decides: the header, the cookie, the user's name, then
// the percentage. For header and cookie the values "always" and "never" decide, as nginx's ingress has it; where Value is
// set, only that decides, for the canary.
type Canary struct {
	Header, HeaderValue string          // empty: no such rule
	Cookie, CookieValue string          // empty: no such rule
	Users               map[string]bool // who is sent there, by name
	Percent             float64         // of users, 0 to 100, in steps of a hundredth
	Salt                string          // tells canaries apart, so that not the same users are in each
}

// Check returns what is wrong with a canary, nil if it can be used.
func (c *Canary) Check() error {
	if !(c.Percent >= 0 && c.Percent <= 100) {
		return errors.New("the percentage is not between 0 and 100")
	}
	return nil
}

// Fields are the field lines of a request; an *httpcore.Exchange has them.
type Fields interface {
	NumFields() int
	FieldAt(i int) (name, value []byte)
	Field(name string) ([]byte, bool)
}

// Takes reports whether a request goes to the canary. user is the consumer's name, if it is known, and key what tells users
// apart for the percentage: the name, or a session, or an address. The same key always gets the same answer, from every
// shard and process, and stays with the canary when the percentage grows.
func (c *Canary) Takes(f Fields, user, key []byte) bool {
	if c.Header != "" {
		if v, ok := f.Field(c.Header); ok {
			if side, decided := decide(v, c.HeaderValue); decided {
				return side
			}
		}
	}
	if c.Cookie != "" {
		if v, ok := cookie(f, c.Cookie); ok {
			if side, decided := decide(v, c.CookieValue); decided {
				return side
			}
		}
	}
	if len(c.Users) > 0 && c.Users[string(user)] {
		return true
	}
	return c.Percent > 0 && Share(c.Salt, key) < int(c.Percent*shares/100+0.5)
}

func decide(v []byte, want string) (side, decided bool) {
	switch {
	case want != "":
		return true, string(v) == want
	case string(v) == "always":
		return true, true
	}
	return false, string(v) == "never"
}

// cookie returns the value of the first cookie of that name, RFC 6265 §4.2.1.
func cookie(f Fields, name string) ([]byte, bool) {
	for i := range f.NumFields() {
		n, rest := f.FieldAt(i)
		if len(n) != len("cookie") || !bytes.EqualFold(n, []byte("cookie")) {
			continue
		}
		for len(rest) > 0 {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			pair = bytes.Trim(pair, " \t")
			if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
				return pair[len(name)+1:], true
			}
		}
	}
	return nil, false
}

// shares is how many parts keys are spread over.
const shares = 10_000

// Share spreads keys evenly over 0 to 9,999: FNV-1a, whose last bits hardly mix, then the finaliser of splitmix64 (Steele,
// Lea and Flood, 2014), and a multiplication instead of a remainder.
func Share(salt string, key []byte) int {
	h := uint64(14695981039346656037)
	for i := range len(salt) {
		h = (h ^ uint64(salt[i])) * 1099511628211
	}
	h *= 1099511628211 // an end to the salt: "ab" and "c" are not "a" and "bc"
	for _, c := range key {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	n, _ := bits.Mul64(h^h>>31, shares)
	return int(n)
}
