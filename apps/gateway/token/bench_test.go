package token

import (
	"fmt"
	"testing"
)

// usual is a token as it comes in practice: 270 bytes or so.
const usual = `{"iss":"https://issuer.example","sub":"user-1234567","aud":"orders","exp":1800000060,"iat":1799999990,"jti":"5f1c7a","scope":"orders:*:read users:self"}`

var usualRules = Rules{Issuer: "https://issuer.example", Audiences: []string{"orders"}}

func BenchmarkCached(b *testing.B) {
	v := verifier(usualRules, 1024)
	token := []byte(signed(plain, usual, secret))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, why := v.Verify(token, now); why != 0 {
			b.Fatal(why)
		}
	}
}

func BenchmarkHS256(b *testing.B) {
	v := verifier(usualRules, 0)
	token := []byte(signed(plain, usual, secret))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, why := v.Verify(token, now); why != 0 {
			b.Fatal(why)
		}
	}
}

// BenchmarkChurn has more tokens than the cache: each is verified, kept, and makes another leave.
func BenchmarkChurn(b *testing.B) {
	v := verifier(usualRules, 64)
	var tokens [1024][]byte
	for i := range tokens {
		tokens[i] = []byte(signed(plain, fmt.Sprintf(`{"iss":"https://issuer.example","sub":"user-%07d","aud":"orders","exp":1800000060}`, i), secret))
	}
	for i := range tokens {
		v.Verify(tokens[i], now)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, why := v.Verify(tokens[i%len(tokens)], now); why != 0 {
			b.Fatal(why)
		}
	}
}

func BenchmarkForged(b *testing.B) {
	v := verifier(usualRules, 64)
	token := []byte(signed(plain, usual, []byte("another secret, of 32 bytes as well")))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, why := v.Verify(token, now); why != WrongMAC {
			b.Fatal(why)
		}
	}
}

func BenchmarkOffLoop(b *testing.B) {
	for _, alg := range []Algorithm{RS256, ES256} {
		b.Run(alg.String(), func(b *testing.B) {
			ring := must(NewKeyring(public("r", &keys().rsa.PublicKey), public("e", &keys().ec.PublicKey)))
			v := NewVerifier(usualRules, NewAnchor(&Trust{Keys: ring}), 0)
			token := []byte(asymmetric(b, alg, map[Algorithm]string{RS256: "r", ES256: "e"}[alg], usual))
			b.ReportAllocs()
			for b.Loop() {
				_, c, _ := v.Verify(token, now)
				c.Run()
				if _, why := v.Settle(c, now); why != 0 {
					b.Fatal(why)
				}
			}
		})
	}
}

// BenchmarkOracle is what golang-jwt takes for the same token.
func BenchmarkOracle(b *testing.B) {
	token := signed(plain, usual, secret)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := judgement(token, now); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocates: neither a cached token nor one that is verified anew and kept allocates, once the memory is there.
func TestAllocates(t *testing.T) {
	v := verifier(usualRules, 8)
	var tokens [64][]byte
	for i := range tokens {
		tokens[i] = []byte(signed(plain, fmt.Sprintf(`{"iss":"https://issuer.example","sub":"user-%07d","aud":["x","orders"],"exp":1800000060.5,"scope":["a\n","b"]}`, i), secret))
	}
	i := 0
	all := func() {
		for _, token := range tokens {
			v.Verify(token, now)
		}
	}
	for range 10 {
		all()
	}
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("%v allocations for %d tokens that are not in the cache", n, len(tokens))
	}
	if n := testing.AllocsPerRun(100, func() { v.Verify(tokens[i], now) }); n != 0 {
		t.Errorf("%v allocations for one that is", n)
	}
}
