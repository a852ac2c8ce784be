package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

// asymmetric makes a token of RS256 or ES256.
func asymmetric(t testing.TB, alg Algorithm, kid, claims string) string {
	t.Helper()
	header := `{"alg":"` + alg.String() + `"}`
	if kid != "" {
		header = `{"alg":"` + alg.String() + `","kid":"` + kid + `"}`
	}
	s := b64(header) + "." + b64(claims)
	digest := sha256.Sum256([]byte(s))
	var sig []byte
	if alg == RS256 {
		sig = must(rsa.SignPKCS1v15(rand.Reader, keys().rsa, 5, digest[:]))
	} else {
		var n struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(must(ecdsa.SignASN1(rand.Reader, keys().ec, digest[:])), &n); err != nil {
			t.Fatal(err)
		}
		sig = make([]byte, 64)
		n.R.FillBytes(sig[:32])
		n.S.FillBytes(sig[32:])
	}
	return s + "." + b64(string(sig))
}

// verify runs a Check where there is one, at once.
func verify(v *Verifier, token string, at int64) (*Grant, Refusal) {
	g, c, why := v.Verify([]byte(token), at)
	if c == nil {
		return g, why
	}
	c.Run()
	return v.Settle(c, at)
}

func public(id string, pub any) *Key { return must(Public(id, pub)) }

func TestAsymmetric(t *testing.T) {
	rsaKey, ecKey := public("r", &keys().rsa.PublicKey), public("e", &keys().ec.PublicKey)
	other := public("r", &must(rsa.GenerateKey(rand.Reader, 2048)).PublicKey)
	both := must(NewKeyring(rsaKey, ecKey, must(Secret("h", secret))))
	for _, c := range []struct {
		name  string
		ring  *Keyring
		token string
		want  Refusal
	}{
		{"RS256", both, asymmetric(t, RS256, "r", good), 0},
		{"ES256", both, asymmetric(t, ES256, "e", good), 0},
		{"HS256 beside them", both, signed(`{"alg":"HS256","kid":"h"}`, good, secret), 0},
		{"the only key, without kid", must(NewKeyring(rsaKey)), asymmetric(t, RS256, "", good), 0},
		{"one of several, without kid", both, asymmetric(t, RS256, "", good), UnknownKey},
		{"another kid", both, asymmetric(t, RS256, "q", good), UnknownKey},
		{"the kid of another kind", both, asymmetric(t, RS256, "e", good), WrongAlg},
		{"another modulus", must(NewKeyring(other)), asymmetric(t, RS256, "r", good), WrongMAC},
		{"keys without ID, any kid", must(NewKeyring(public("", &keys().ec.PublicKey), public("", &keys().rsa.PublicKey))), asymmetric(t, RS256, "q", good), 0},
		{"expired", both, asymmetric(t, ES256, "e", `{"sub":"alice","exp":1}`), Expired},
		{"a public key as a secret", both, signed(`{"alg":"HS256","kid":"r"}`, good, must(x509.MarshalPKIXPublicKey(&keys().rsa.PublicKey))), WrongAlg},
	} {
		v := NewVerifier(Rules{}, NewAnchor(&Trust{Keys: c.ring}), 8)
		for range 2 {
			if _, why := verify(v, c.token, now); why != c.want {
				t.Errorf("%s: %v, want %v", c.name, why, c.want)
			}
		}
		if g, check, _ := v.Verify([]byte(c.token), now); c.want == 0 && (g == nil || check != nil) {
			t.Errorf("%s is verified again, not found in the cache", c.name)
		}
	}
	v := NewVerifier(Rules{}, NewAnchor(&Trust{Keys: both}), 8)
	for _, alg := range []Algorithm{RS256, ES256} {
		token := asymmetric(t, alg, map[Algorithm]string{RS256: "r", ES256: "e"}[alg], good)
		for i := range token {
			b := []byte(token)
			b[i] ^= 4
			if _, why := verify(v, string(b), now); why == 0 {
				t.Errorf("%s: byte %d may be another", alg, i)
			}
		}
	}
}

// number is a big-endian integer as a JWK has it.
func bigText(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

func TestParseSet(t *testing.T) {
	r, e := &keys().rsa.PublicKey, must(keys().ec.PublicKey.Bytes())
	x, y := b64(string(e[1:33])), b64(string(e[33:]))
	rsaJWK := `{"kty":"RSA","kid":"r","use":"sig","alg":"RS256","n":"` + bigText(r.N) + `","e":"AQAB"}`
	ecJWK := `{"kty":"EC","kid":"e","crv":"P-256","x":"` + x + `","y":"` + y + `","key_ops":["verify"]}`
	octJWK := `{"kty":"oct","kid":"h","k":"` + b64(string(secret)) + `"}`
	set, ignored, err := ParseSet([]byte(`{"keys":[`+rsaJWK+`,`+ecJWK+`,`+octJWK+`]}`), false)
	if err != nil || len(ignored) > 0 || set.Len() != 3 {
		t.Fatalf("%v %q", err, ignored)
	}
	v := NewVerifier(Rules{}, NewAnchor(&Trust{Keys: set}), 0)
	for _, token := range []string{asymmetric(t, RS256, "r", good), asymmetric(t, ES256, "e", good), signed(`{"alg":"HS256","kid":"h"}`, good, secret)} {
		if _, why := verify(v, token, now); why != 0 {
			t.Errorf("%s: %v", token, why)
		}
	}
	for _, c := range []struct{ jwk, why string }{
		{octJWK, "public"},
		{strings.Replace(rsaJWK, `"sig"`, `"enc"`, 1), `use is "enc"`},
		{strings.Replace(rsaJWK, `"sig"`, `""`, 1), `use is ""`},
		{strings.Replace(rsaJWK, "RS256", "RS512", 1), `alg is "RS512"`},
		{strings.Replace(rsaJWK, "RS256", "HS256", 1), `alg is "HS256"`},
		{strings.Replace(rsaJWK, "AQAB", "AQAA", 1), "exponent"},
		{strings.Replace(rsaJWK, "AQAB", "AQ==", 1), "e is no base64url"},
		{strings.Replace(rsaJWK, `"n":"`, `"n":"","m":"`, 1), "n is no base64url"},
		{`{"kty":"RSA","n":"` + b64(strings.Repeat("x", 128)) + `","e":"AQAB"}`, "modulus of 1023 bits"},
		{strings.Replace(ecJWK, "P-256", "P-384", 1), `crv is "P-384"`},
		{strings.Replace(ecJWK, `["verify"]`, `["sign"]`, 1), "without verify"},
		{strings.Replace(ecJWK, x, y, 1), "x and y"},
		{strings.Replace(ecJWK, x, x[:40], 1), "32 bytes"},
		{`{"kty":"OKP","crv":"Ed25519","x":""}`, `kty is "OKP"`},
	} {
		if _, ignored, err := ParseSet([]byte(`{"keys":[`+c.jwk+`]}`), true); err == nil || len(ignored) != 1 || !strings.Contains(ignored[0], c.why) {
			t.Errorf("%s: %v %q, want %q", c.jwk, err, ignored, c.why)
		}
	}
	for _, bad := range []string{``, `{}`, `{"keys":[]}`, `[]`, `{"keys":[` + ecJWK + `]} {}`, `{"keys":[` + ecJWK + `,` + ecJWK + `]}`} {
		if _, _, err := ParseSet([]byte(bad), false); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	if _, _, err := ParseSet([]byte(`{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}`), false); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("a short secret: %v", err)
	}
}

func TestParsePEM(t *testing.T) {
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	pkix := block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&keys().rsa.PublicKey)))
	pkcs1 := block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&keys().rsa.PublicKey))
	ec := block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&keys().ec.PublicKey)))
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert := block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, &keys().rsa.PublicKey, keys().rsa)))
	for _, c := range []struct{ pem, id, why string }{
		{pkix, "", ""}, {pkcs1, "k", ""}, {cert, "", ""}, {ec + "\n" + pkix, "", ""},
		{pkix + pkcs1, "k", "two keys"},
		{block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(keys().rsa))), "", "only public keys"},
		{block("PUBLIC KEY", []byte("x")), "", "block 1"},
		{block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey))), "", "P-384"},
		{"", "", "without a key"}, {"nonsense", "", "without a key"}, {pkix + "nonsense", "", "something else"},
	} {
		ring, err := ParsePEM([]byte(c.pem), c.id)
		if c.why == "" {
			if err != nil {
				t.Errorf("%s: %v", c.pem, err)
				continue
			}
			v := NewVerifier(Rules{}, NewAnchor(&Trust{Keys: ring}), 0)
			if _, why := verify(v, asymmetric(t, RS256, c.id, good), now); why != 0 {
				t.Errorf("%s: %v", c.pem, why)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", c.pem, err, c.why)
		}
	}
}

// FuzzParseSet looks for a panic, and for a key that is accepted but can't be used.
func FuzzParseSet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"` + b64(string(secret)) + `"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"` + bigText(keys().rsa.N) + `","e":"AQAB"}]}`))
	token := []byte(signed(plain, good, secret))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, _, err := ParseSet(b, false)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Errorf("%q is no JSON", b)
		}
		v := NewVerifier(Rules{}, NewAnchor(&Trust{Keys: set}), 0)
		if _, c, _ := v.Verify(token, now); c != nil {
			t.Errorf("a token of HS256 is to be verified by a public key")
		}
	})
}
