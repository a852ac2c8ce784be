package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// now is the time of the tests, as Unix time in seconds and nanoseconds.
const (
	second = int64(time.Second)
	nowS   = int64(1_800_000_000)
	now    = nowS * second
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// keys are made once: a modulus takes long to find.
var keys = sync.OnceValue(func() (k struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}) {
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	return k
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signed makes a token of header and claims by HS256.
func signed(header, claims string, secret []byte) string {
	s := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(s))
	return s + "." + b64(string(mac.Sum(nil)))
}

const (
	plain = `{"alg":"HS256","typ":"JWT"}`
	good  = `{"sub":"alice","exp":1800000060}`
)

// verifier has one secret without ID.
func verifier(rules Rules, entries int) *Verifier {
	return NewVerifier(rules, NewAnchor(&Trust{Keys: must(NewKeyring(must(Secret("", secret))))}), entries)
}

func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name   string
		rules  Rules
		claims string
		want   Refusal
	}{
		{"plain", Rules{}, good, 0},
		{"white space", Rules{}, " {\n\t\"sub\" : \"alice\" , \"exp\" : 1800000060\r\n} ", 0},
		{"escaped name and value", Rules{}, `{"\u0073ub":"\u0061lice","exp":1800000060}`, 0},
		{"unknown members of every kind", Rules{}, `{"sub":"alice","exp":1800000060,"a":null,"b":[1,[true,{}],{"x":"y","x":"z"}],"c":{"d":-1.5e+3},"e":"\ud83d\ude00"}`, 0},
		{"fraction", Rules{}, `{"sub":"alice","exp":1800000000.5}`, 0},
		{"exponent", Rules{}, `{"sub":"alice","exp":1.80000006e9}`, 0},
		{"for ever, nearly", Rules{}, `{"sub":"alice","exp":1e300}`, 0},

		{"expired", Rules{}, `{"sub":"alice","exp":1799999999}`, Expired},
		{"expired this moment", Rules{}, `{"sub":"alice","exp":1800000000}`, Expired},
		{"expired, within leeway", Rules{Leeway: time.Second}, `{"sub":"alice","exp":1800000000}`, 0},
		{"expired, leeway over", Rules{Leeway: time.Second}, `{"sub":"alice","exp":1799999999}`, Expired},
		{"long ago", Rules{}, `{"sub":"alice","exp":-1e300}`, Expired},
		{"no exp", Rules{}, `{"sub":"alice"}`, Eternal},
		{"no exp, allowed", Rules{Eternal: true}, `{"sub":"alice"}`, 0},
		{"exp is text", Rules{}, `{"sub":"alice","exp":"1800000060"}`, Malformed},
		{"exp is null", Rules{Eternal: true}, `{"sub":"alice","exp":null}`, Malformed},

		{"nbf now", Rules{}, `{"sub":"alice","exp":1800000060,"nbf":1800000000}`, 0},
		{"nbf ahead", Rules{}, `{"sub":"alice","exp":1800000060,"nbf":1800000001}`, TooEarly},
		{"nbf ahead, leeway", Rules{Leeway: time.Second}, `{"sub":"alice","exp":1800000060,"nbf":1800000001}`, 0},
		{"iat ahead", Rules{}, `{"sub":"alice","exp":1800000060,"iat":1800000001}`, IssuedLater},
		{"iat ahead, leeway", Rules{Leeway: time.Second}, `{"sub":"alice","exp":1800000060,"iat":1800000001}`, 0},
		{"iat within age", Rules{MaxAge: time.Minute}, `{"sub":"alice","exp":1800000060,"iat":1799999941}`, 0},
		{"iat of that age", Rules{MaxAge: time.Minute}, `{"sub":"alice","exp":1800000060,"iat":1799999940}`, TooOld},
		{"no iat, but an age", Rules{MaxAge: time.Minute}, good, TooOld},

		{"issuer", Rules{Issuer: "a"}, `{"iss":"a","sub":"alice","exp":1800000060}`, 0},
		{"other issuer", Rules{Issuer: "a"}, `{"iss":"A","sub":"alice","exp":1800000060}`, WrongIssuer},
		{"no issuer", Rules{Issuer: "a"}, good, WrongIssuer},
		{"issuer is a list", Rules{}, `{"iss":["a"],"sub":"alice","exp":1800000060}`, Malformed},

		{"audience", Rules{Audiences: []string{"x", "y"}}, `{"aud":"y","sub":"alice","exp":1800000060}`, 0},
		{"audiences", Rules{Audiences: []string{"x", "y"}}, `{"aud":["z", "x" ],"sub":"alice","exp":1800000060}`, 0},
		{"no audience", Rules{Audiences: []string{"x"}}, good, WrongAudience},
		{"empty audiences", Rules{Audiences: []string{"x"}}, `{"aud":[],"sub":"alice","exp":1800000060}`, WrongAudience},
		{"other audience", Rules{Audiences: []string{"x"}}, `{"aud":["z","xx"],"sub":"alice","exp":1800000060}`, WrongAudience},
		{"audience where we are none", Rules{}, `{"aud":"x","sub":"alice","exp":1800000060}`, WrongAudience},
		{"audience is a number", Rules{Audiences: []string{"x"}}, `{"aud":1,"sub":"alice","exp":1800000060}`, Malformed},
		{"audience with a number", Rules{Audiences: []string{"x"}}, `{"aud":["x",1],"sub":"alice","exp":1800000060}`, Malformed},

		{"no subject", Rules{}, `{"exp":1800000060}`, NoSubject},
		{"empty subject", Rules{}, `{"sub":"","exp":1800000060}`, NoSubject},
		{"no subject, allowed", Rules{Nameless: true}, `{"exp":1800000060}`, 0},
		{"subject is a number", Rules{}, `{"sub":1,"exp":1800000060}`, Malformed},
		{"scope is a number", Rules{}, `{"sub":"alice","exp":1800000060,"scope":1}`, Malformed},

		{"duplicate", Rules{}, `{"sub":"alice","exp":1800000060,"sub":"alice"}`, Duplicate},
		{"duplicate of an unknown", Rules{}, `{"sub":"alice","exp":1800000060,"x":1,"x":1}`, Duplicate},
		{"duplicate by escape", Rules{}, `{"sub":"alice","exp":1800000060,"\u0073ub":"bob"}`, Duplicate},

		{"no object", Rules{}, `["sub"]`, Malformed},
		{"nothing", Rules{}, ``, Malformed},
		{"two objects", Rules{}, good + good, Malformed},
		{"trailing comma", Rules{}, `{"sub":"alice","exp":1800000060,}`, Malformed},
		{"leading comma", Rules{}, `{,"sub":"alice","exp":1800000060}`, Malformed},
		{"leading zero", Rules{}, `{"sub":"alice","exp":01800000060}`, Malformed},
		{"plus", Rules{}, `{"sub":"alice","exp":+1800000060}`, Malformed},
		{"dot at the end", Rules{}, `{"sub":"alice","exp":1800000060.}`, Malformed},
		{"hex", Rules{}, `{"sub":"alice","exp":0x6b49d23c}`, Malformed},
		{"NaN", Rules{}, `{"sub":"alice","exp":NaN}`, Malformed},
		{"single quotes", Rules{}, `{'sub':'alice','exp':1800000060}`, Malformed},
		{"bad escape", Rules{}, `{"sub":"a\x","exp":1800000060}`, Malformed},
		{"lone surrogate", Rules{}, `{"sub":"\ud83d","exp":1800000060}`, Malformed},
		{"surrogates reversed", Rules{}, `{"sub":"\ude00\ud83d","exp":1800000060}`, Malformed},
		{"control in text", Rules{}, "{\"sub\":\"a\nb\",\"exp\":1800000060}", Malformed},
		{"invalid UTF-8", Rules{}, "{\"sub\":\"a\xff\",\"exp\":1800000060}", Malformed},
		{"cut short", Rules{}, good[:len(good)-1], Malformed},
		{"too deep", Rules{}, `{"sub":"alice","exp":1800000060,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, Malformed},
	} {
		token := []byte(signed(plain, c.claims, secret))
		for _, entries := range []int{0, 8} {
			v := verifier(c.rules, entries)
			for range 2 { // the second time from the cache, where there is one
				g, check, why := v.Verify(token, now)
				if why != c.want || check != nil || (g == nil) != (why != 0) {
					t.Errorf("%s: %v (%d), want %v", c.name, why, why, c.want)
				}
				if g != nil && !c.rules.Nameless && string(g.Subject) != "alice" {
					t.Errorf("%s: the subject is %q", c.name, g.Subject)
				}
			}
		}
	}
}

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		header string
		want   Refusal
	}{
		{plain, 0},
		{`{"alg":"HS256"}`, 0},
		{`{"alg":"HS256","kid":"any"}`, 0},
		{`{"alg":"HS256","x":{"crit":1}}`, 0},
		{`{"alg":"none"}`, WrongAlg},
		{`{"alg":"None"}`, WrongAlg},
		{`{"alg":""}`, WrongAlg},
		{`{"alg":"hs256"}`, WrongAlg},
		{`{"alg":"HS512"}`, WrongAlg},
		{`{"alg":"RS256"}`, WrongAlg},
		{`{"typ":"JWT"}`, WrongAlg},
		{`{"alg":1}`, Malformed},
		{`{"alg":"HS256","kid":1}`, Malformed},
		{`{"alg":"HS256","crit":["exp"]}`, Critical},
		{`{"alg":"HS256","crit":[]}`, Critical},
		{`{"alg":"HS256","cr\u0069t":["b64"],"b64":false}`, Critical},
		{`{"alg":"HS256","alg":"HS256"}`, Duplicate},
		{`{"alg":"HS256","a\u006cg":"none"}`, Duplicate},
		{`{"alg":"HS256"`, Malformed},
		{`"HS256"`, Malformed},
	} {
		if _, _, why := verifier(Rules{}, 0).Verify([]byte(signed(c.header, good, secret)), now); why != c.want {
			t.Errorf("%s: %v, want %v", c.header, why, c.want)
		}
	}
	for typ, want := range map[string]Refusal{`at+jwt`: 0, `application/at+jwt`: 0, `AT+JWT`: 0, `JWT`: WrongType, ``: WrongType} {
		token := signed(`{"alg":"HS256","typ":"`+typ+`"}`, good, secret)
		if _, _, why := verifier(Rules{Type: "at+jwt"}, 0).Verify([]byte(token), now); why != want {
			t.Errorf("typ %q: %v, want %v", typ, why, want)
		}
	}
}

// TestForm spoils a good token in every place: each character, cut short anywhere, and otherwise encoded.
func TestForm(t *testing.T) {
	token := signed(plain, good, secret)
	v := verifier(Rules{MaxBytes: 300}, 8)
	if _, _, why := v.Verify([]byte(token), now); why != 0 {
		t.Fatal(why)
	}
	refused := func(what, token string) {
		t.Helper()
		if g, _, why := v.Verify([]byte(token), now); why == 0 || g != nil {
			t.Errorf("%s is accepted: %s", what, token)
		}
	}
	for i := range token {
		for bit := range 8 {
			b := []byte(token)
			b[i] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d turned", bit, i), string(b))
		}
		refused("cut short", token[:i])
		refused("white space", token[:i]+"\n"+token[i:])
		refused("a dot more", token[:i]+"."+token[i:])
	}
	refused("padding", token+"=")
	refused("a signature less", token[:strings.LastIndexByte(token, '.')+1])
	refused("another secret", signed(plain, good, bytes.Repeat([]byte("x"), 32)))
	if _, _, why := v.Verify(bytes.Repeat([]byte("a"), 301), now); why != TooLong {
		t.Errorf("301 bytes of 300: %v", why)
	}
}

func TestDecode(t *testing.T) {
	for n := range 70 {
		p := make([]byte, n)
		rand.Read(p)
		s := base64.RawURLEncoding.EncodeToString(p)
		if got, ok := decode(nil, []byte(s)); !ok || !bytes.Equal(got, p) || decodedLen(len(s)) != n {
			t.Errorf("%s is %x, want %x", s, got, p)
		}
	}
	for _, s := range []string{"A", "AB=", "AB==", "AB", "ABC", "AAAAA", "AA\n", "AA A", "A+AA", "A/AA", "AAA="} {
		if got, ok := decode(nil, []byte(s)); ok {
			t.Errorf("%q is accepted: %x", s, got)
		}
	}
}

func TestGrant(t *testing.T) {
	for claims, want := range map[string]Grant{
		`{"iss":"i","sub":"s","jti":"j","exp":1800000060,"scope":"a:b c"}`:       {[]byte("i"), []byte("s"), []byte("j"), []byte("a:b c"), now + 60*second, nil},
		`{"sub":"s\n","exp":1800000060.25,"scope":["a:b", "\u0063", "d"]}`:       {nil, []byte("s\n"), nil, []byte("a:b c d"), now + 60*second + second/4, nil},
		`{"scope":"","sub":"\ud83d\ude00","exp":1e99}`:                           {nil, []byte("😀"), nil, nil, maxTime, nil},
		`{"jti":"\"\\\/\b\f\n\r\t\u00e4","sub":"s","scope":[],"exp":1800000060}`: {nil, []byte("s"), []byte("\"\\/\b\f\n\r\tä"), nil, now + 60*second, nil},
	} {
		for _, entries := range []int{0, 1} {
			v := verifier(Rules{}, entries)
			for range 2 {
				g, _, why := v.Verify([]byte(signed(plain, claims, secret)), now)
				if why != 0 || said(g) != said(&want) {
					t.Errorf("%s: %s %v, want %s", claims, said(g), why, said(&want))
				}
			}
		}
	}
}

// said is a Grant as text.
func said(g *Grant) string {
	if g == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q %q %q %q %d", g.Issuer, g.Subject, g.ID, g.Scope, g.Expires)
}
