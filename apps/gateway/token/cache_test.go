package token

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCachedTokenEnds(t *testing.T) {
	v := verifier(Rules{Leeway: 2 * time.Second, MaxAge: time.Hour}, 8)
	token := []byte(signed(plain, `{"sub":"alice","nbf":1799999990,"iat":1799999995,"exp":1800000060}`, secret))
	for _, c := range []struct {
		at   int64
		want Refusal
	}{
		{now, 0}, {now + 61*second, 0}, {now + 62*second - 1, 0},
		{now + 62*second, Expired}, {now + 62*second, Expired}, // from the cache, and without it
		{now, 0}, {now - 7*second, 0}, {now - 7*second - 1, TooEarly}, {now - 7*second - 1, IssuedLater}, {now, 0},
	} {
		if _, _, why := v.Verify(token, c.at); why != c.want {
			t.Errorf("%v after: %v, want %v", time.Duration(c.at-now), why, c.want)
		}
	}
	v = verifier(Rules{MaxAge: time.Minute}, 8)
	if _, _, why := v.Verify([]byte(signed(plain, `{"sub":"a","iat":1800000000,"exp":1800009999}`, secret)), now); why != 0 {
		t.Fatal(why)
	}
	if _, _, why := v.Verify([]byte(signed(plain, `{"sub":"a","iat":1800000000,"exp":1800009999}`, secret)), now+60*second); why != Expired {
		t.Errorf("too old, from the cache: %v", why)
	}
}

func TestRevocation(t *testing.T) {
	anchor := NewAnchor(&Trust{Keys: must(NewKeyring(must(Secret("a", secret))))})
	v := NewVerifier(Rules{}, anchor, 8)
	header := `{"alg":"HS256","kid":"a"}`
	token := func(claims string) string { return signed(header, claims, secret) }
	tokens := map[string]string{
		"j1":      token(`{"jti":"j1","sub":"alice","exp":1800000060}`),
		"j2":      token(`{"jti":"j2","sub":"alice","exp":1800000060,"iat":1799999999}`),
		"bob old": token(`{"sub":"bob","exp":1800000060,"iat":1799999999}`),
		"bob new": token(`{"sub":"bob","exp":1800000060,"iat":1800000000}`),
		"bob":     token(`{"sub":"bob","exp":1800000060}`),
		"carol":   token(`{"sub":"carol","exp":1800000060,"iat":1800000000}`),
	}
	check := func(what string, revoked ...string) {
		t.Helper()
		for name, token := range tokens {
			want := Refusal(0)
			for _, r := range revoked {
				if r == name || r == "all" {
					want = Revoked
				}
			}
			for range 2 {
				if _, _, why := v.Verify([]byte(token), now); why != want && !(want == Revoked && why == UnknownKey) {
					t.Errorf("%s: %s: %v, want %v", what, name, why, want)
				}
			}
		}
	}
	check("at first")
	ring := anchor.Load().Keys
	list := must(ParseRevocations([]byte("# of today\n\njti j1\n  sub  carol \nsub bob 2027-01-15T08:00:00Z\n")))
	anchor.Store(&Trust{ring, list})
	check("after the list", "j1", "bob old", "bob", "carol")
	anchor.Store(&Trust{Keys: ring})
	check("without it")
	anchor.Store(&Trust{Keys: must(NewKeyring(must(Secret("b", secret))))})
	check("the key gone", "all")
	anchor.Store(&Trust{Keys: must(NewKeyring(must(Secret("a", secret)), must(Secret("b", secret))))})
	check("the key back, beside another")

	for text, want := range map[string]string{
		"jti":                          "line 1",
		"jti a\nsub":                   "line 2",
		"jti a b":                      "line 1",
		"sub a yesterday":              "line 1",
		"sub a 2027-01-15T08:00:00Z b": "line 1",
		"kid a":                        "neither",
		strings.Repeat("x", 70_000):    "token too long",
	} {
		if _, err := ParseRevocations([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestRotationKeepsCache: a new Trust with the same key costs no new verification, which for a public key would be a burst.
func TestRotationKeepsCache(t *testing.T) {
	ring := func() *Keyring { return must(NewKeyring(public("e", &keys().ec.PublicKey))) }
	anchor := NewAnchor(&Trust{Keys: ring()})
	v := NewVerifier(Rules{}, anchor, 8)
	token := asymmetric(t, ES256, "e", good)
	if _, why := verify(v, token, now); why != 0 {
		t.Fatal(why)
	}
	anchor.Store(&Trust{Keys: ring()})
	if _, c, why := v.Verify([]byte(token), now); c != nil || why != 0 {
		t.Errorf("it is verified again: %v", why)
	}
	// A key that goes while its signature is being verified is no key any more.
	other := asymmetric(t, ES256, "e", `{"sub":"bob","exp":1800000060}`)
	_, c, _ := v.Verify([]byte(other), now)
	c.Run()
	anchor.Store(&Trust{Keys: must(NewKeyring(public("r", &keys().rsa.PublicKey)))})
	if _, why := v.Settle(c, now); why != Revoked {
		t.Errorf("settled by a key that is gone: %v", why)
	}
}

// TestCacheBounded fills a cache many times over: it keeps its size, what is used stays, and nothing is mistaken for another.
func TestCacheBounded(t *testing.T) {
	v := verifier(Rules{MaxBytes: 20_000}, 64)
	token := func(i int) []byte {
		return []byte(signed(plain, fmt.Sprintf(`{"sub":"user%d","exp":1800000060}`, i), secret))
	}
	hot := token(-1)
	for i := range 2000 {
		for _, c := range []struct {
			token []byte
			who   string
		}{{hot, "user-1"}, {token(i), fmt.Sprintf("user%d", i)}} {
			if g, _, why := v.Verify(c.token, now); why != 0 || string(g.Subject) != c.who {
				t.Fatalf("%s: %v, %+v", c.who, why, g)
			}
		}
		if v.cache.find(hot) == nil {
			t.Fatalf("what is used all the time has gone after %d others", i)
		}
	}
	kept := 0
	for _, h := range v.cache.hashes {
		if h != 0 {
			kept++
		}
	}
	if kept != 64 || len(v.cache.entries) != 64 {
		t.Errorf("%d of %d entries are in use, 64 were asked for", kept, len(v.cache.entries))
	}
	long := []byte(signed(plain, `{"sub":"long","exp":1800000060,"x":"`+strings.Repeat("x", maxKept)+`"}`, secret))
	if _, _, why := v.Verify(long, now); why != 0 || v.cache.find(long) != nil {
		t.Errorf("a long token: %v, kept: %v", why, v.cache.find(long) != nil)
	}
	// Expired ones make room first.
	v = verifier(Rules{}, 8)
	for i := range 8 {
		v.Verify([]byte(signed(plain, fmt.Sprintf(`{"sub":"user%d","exp":%d}`, i, nowS+100-int64(i)), secret)), now)
	}
	at := now + 93*second // user7 has expired
	v.Verify([]byte(signed(plain, `{"sub":"next","exp":1900000000}`, secret)), at)
	for i := range 7 {
		if v.cache.find([]byte(signed(plain, fmt.Sprintf(`{"sub":"user%d","exp":%d}`, i, nowS+100-int64(i)), secret))) == nil {
			t.Errorf("user%d made room, though another had expired", i)
		}
	}
}

func TestPool(t *testing.T) {
	v := NewVerifier(Rules{}, NewAnchor(&Trust{Keys: must(NewKeyring(public("e", &keys().ec.PublicKey)))}), 0)
	check := func(user string) *Check {
		_, c, why := v.Verify([]byte(asymmetric(t, ES256, "e", `{"sub":"`+user+`","exp":1800000060}`)), now)
		if why != 0 {
			t.Fatal(why)
		}
		return c
	}
	const queue = 3
	p := NewPool(1, queue)
	blocked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	results := make(chan *Check, 10)
	done := func(c *Check) {
		once.Do(func() { close(blocked); <-release })
		results <- c
	}
	if !p.Try(check("0"), done) {
		t.Fatal("an idle pool is full")
	}
	<-blocked // its only worker waits: the queue is all there is
	for i := range queue {
		if !p.Try(check(fmt.Sprint(i+1)), done) {
			t.Fatalf("full after %d of %d", i, queue)
		}
	}
	if p.Try(check("x"), done) {
		t.Error("the queue takes more than its length")
	}
	close(release)
	p.Close()
	if p.Try(check("x"), done) {
		t.Error("a closed pool takes something")
	}
	close(results)
	n := 0
	for c := range results {
		if g, why := v.Settle(c, now); why != 0 || string(g.Subject) != fmt.Sprint(n) {
			t.Errorf("check %d: %v %+v", n, why, g)
		}
		n++
	}
	if n != queue+1 {
		t.Errorf("%d checks came back, want %d", n, queue+1)
	}
}
