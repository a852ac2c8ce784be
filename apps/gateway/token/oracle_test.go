package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

func init() { jwt.TimePrecision = time.Nanosecond } // or else it cuts fractions off

// judgement is what golang-jwt says of a token of HS256.
func judgement(token string, at int64) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding(), jwt.WithIssuedAt(), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return time.Unix(0, at) })).ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return secret, nil })
	return claims, err
}

// TestMadeByOracle verifies what golang-jwt signs.
func TestMadeByOracle(t *testing.T) {
	ring := must(NewKeyring(must(Secret("h", secret)), public("r", &keys().rsa.PublicKey), public("e", &keys().ec.PublicKey)))
	v := NewVerifier(Rules{Issuer: "issuer", Audiences: []string{"us"}}, NewAnchor(&Trust{Keys: ring}), 8)
	for _, c := range []struct {
		method jwt.SigningMethod
		kid    string
		key    any
	}{{jwt.SigningMethodHS256, "h", secret}, {jwt.SigningMethodRS256, "r", keys().rsa}, {jwt.SigningMethodES256, "e", keys().ec}} {
		token := jwt.NewWithClaims(c.method, jwt.MapClaims{"iss": "issuer", "sub": "alice", "aud": []string{"them", "us"}, "jti": "1",
			"exp": nowS + 60, "nbf": nowS, "iat": nowS, "scope": "a b"})
		token.Header["kid"] = c.kid
		g, why := verify(v, must(token.SignedString(c.key)), now)
		if why != 0 || string(g.Subject) != "alice" || string(g.Scope) != "a b" || g.Expires != now+60*second {
			t.Errorf("%s: %v %+v", c.kid, why, g)
		}
	}
	none := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "alice", "exp": nowS + 60})
	if _, why := verify(v, must(none.SignedString(jwt.UnsafeAllowNoneSignatureType)), now); why != UnknownKey && why != WrongAlg {
		t.Errorf("alg none: %v", why)
	}
}

// FuzzAgainstOracle signs any header and claims, and compares with golang-jwt: what is accepted here is accepted there and
// says the same. The other way there are differences, each of them meant: see strict.
func FuzzAgainstOracle(f *testing.F) {
	for _, claims := range []string{good, `{"sub":"a","exp":1800000000.5,"nbf":1,"iat":1e3,"aud":["x"],"x":{"y":[1,null]}}`, `{"\u0073ub":"\ud83d\ude00","exp":18e8}`} {
		f.Add(plain, claims)
	}
	f.Add(`{"alg":"HS256","crit":["b64"],"b64":false}`, good)
	f.Add(`{"alg":"none"}`, good)
	f.Fuzz(func(t *testing.T, header, claims string) {
		token := signed(header, claims, secret)
		g, check, why := verifier(Rules{}, 1).Verify([]byte(token), now)
		if check != nil {
			t.Fatal("a token of HS256 is to be verified by a public key")
		}
		said, err := judgement(token, now)
		switch {
		case why == 0 && err != nil:
			t.Errorf("%s %s is accepted; the oracle says %v", header, claims, err)
		case why == 0:
			if sub, _ := said.GetSubject(); sub != string(g.Subject) {
				t.Errorf("%s: the subject is %q, the oracle's %q", claims, g.Subject, sub)
			}
			if exp, err := said.GetExpirationTime(); err != nil || g.Expires < maxTime && exp.Sub(time.Unix(0, g.Expires)).Abs() > time.Millisecond {
				t.Errorf("%s: it expires at %d, the oracle says %v", claims, g.Expires, exp)
			}
		case err == nil && !strict(why, said):
			t.Errorf("%s %s is refused: %v; the oracle accepts it", header, claims, why)
		}
	})
}

// strict reports whether a refusal is one that golang-jwt does not make.
func strict(why Refusal, said jwt.MapClaims) bool {
	switch why {
	case Critical, Duplicate, NoSubject, WrongAudience:
		return true // it knows no crit, takes the last of duplicates, and heeds sub and aud only when told to
	case Malformed:
		return true // encoding/json takes what RFC 8259 leaves open: invalid UTF-8, lone surrogates, other types of claims
	}
	return false
}

// FuzzToken sends anything: it must be refused, unless it is signed, and never panic.
func FuzzToken(f *testing.F) {
	f.Add([]byte(signed(plain, good, secret)))
	f.Add([]byte("a.b.c"))
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, token []byte) {
		g, _, why := verifier(Rules{}, 1).Verify(token, now)
		if _, err := judgement(string(token), now); why == 0 && err != nil {
			t.Errorf("%q is accepted as %+v; the oracle says %v", token, g, err)
		}
	})
}

// FuzzScanner compares with encoding/json: an object that is accepted here is valid there, with the same names and texts;
// what is refused here is not, or has one of the few things that are refused beyond that.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{good, `{"a":"\u00e4\n","b":[1.5e-3,{"c":null}],"d":true}`, `{"a":1,"a":2}`, `{}`, ` { "x" : [ ] } `, `{"a":01}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s scanner
		s.open(b)
		found := map[string]value{}
		for {
			name, v, more := s.next()
			if !more {
				break
			}
			found[string(name)] = v
		}
		var want map[string]json.RawMessage
		err := json.Unmarshal(b, &want)
		if s.bad == 0 {
			if err != nil || len(want) != len(found) {
				t.Fatalf("%q is accepted; encoding/json: %v, %d members of %d", b, err, len(found), len(want))
			}
			for name, raw := range want {
				v, ok := found[name]
				var said string
				if !ok || v.kind == text && (json.Unmarshal(raw, &said) != nil || said != string(v.data)) {
					t.Errorf("%q: %q is %q, want %s", b, name, v.data, raw)
				}
			}
			return
		}
		if err == nil && want != nil && !stricter(b, &s, want) {
			t.Errorf("%q is refused (%v); encoding/json accepts it", b, s.bad)
		}
	})
}

// stricter reports whether b has what only this scanner refuses.
func stricter(b []byte, s *scanner, want map[string]json.RawMessage) bool {
	depth, most := 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth--
		}
	}
	escapes := false
	for i := range len(b) - 1 {
		escapes = escapes || b[i] == '\\' && b[i+1] == 'u'
	}
	return s.bad == Duplicate || !utf8.Valid(b) || most > maxDepth || len(want) > maxMembers || escapes
}

func TestRefusalsSaySomething(t *testing.T) {
	var err error = Expired
	if why, ok := errors.AsType[Refusal](err); !ok || why != Expired {
		t.Error("a Refusal is no error of its type")
	}
	for r := range numRefusals + 1 {
		if r.Error() == "" {
			t.Errorf("refusal %d says nothing", r)
		}
	}
}

func Example() {
	key, err := Secret("2026-11", []byte("a secret of 32 bytes or more, please"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := NewKeyring(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	v := NewVerifier(Rules{Issuer: "https://issuer.example", Audiences: []string{"orders"}}, NewAnchor(&Trust{Keys: ring}), 1024)

	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "https://issuer.example", "aud": "orders", "sub": "alice", "exp": 1_800_000_000})
	token.Header["kid"] = "2026-11"
	text, err := token.SignedString([]byte("a secret of 32 bytes or more, please"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, at := range []int64{1_799_999_999, 1_800_000_000} {
		grant, _, why := v.Verify([]byte(text), at*1e9)
		if why != 0 {
			fmt.Println(why)
			continue
		}
		fmt.Printf("%s\n", grant.Subject)
	}
	// Output:
	// alice
	// the token has expired
}
