package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ecKey is a key of ES256 with an ID.
type ecKey struct {
	*ecdsa.PrivateKey
	id string
}

func newECKey(t testing.TB, id string) ecKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ecKey{k, id}
}

// jwks is a set of public keys.
func jwks(t testing.TB, keys ...ecKey) string {
	t.Helper()
	var all []string
	for _, k := range keys {
		b, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		text := base64.RawURLEncoding.EncodeToString
		all = append(all, fmt.Sprintf(`{"kty":"EC","crv":"P-256","use":"sig","kid":%q,"x":%q,"y":%q}`, k.id, text(b[1:33]), text(b[33:])))
	}
	return `{"keys":[` + strings.Join(all, ",") + `]}`
}

// bearerOf is a field with a token of a key.
func bearerOf(t testing.TB, k ecKey, sub string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": sub, "exp": time.Now().Add(time.Minute).Unix()})
	token.Header["kid"] = k.id
	text, err := token.SignedString(k.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + text + "\r\n"
}

func jwtText(keys, more string) string {
	return "[auth.jwt]\nrefresh = \"10ms\"\n" + more + "\n[[auth.jwt.keys]]\n" + keys + "\n[[routes]]\nname = \"r\"\npath = \"/r\"\nauth = { by = [\"jwt\"] }\n"
}

// until asks until the status is the one that is wanted, or for 20 s.
func (v *visitor) until(request, want string) {
	v.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		status, _, content := v.got(request)
		if status == want {
			return
		}
		if time.Now().After(end) {
			v.t.Fatalf("%s %q after 20 s, want %s", status, content, want)
		}
	}
}

// TestTokensOffLoop verifies tokens of a public key in the pool, on a shard of one loop and on a shared one.
func TestTokensOffLoop(t *testing.T) {
	k := newECKey(t, "1")
	file := filepath.Join(t.TempDir(), "keys.json")
	put(t, file, jwks(t, k))
	for _, shared := range []bool{false, true} {
		g := echoing(t, jwtText(fmt.Sprintf("set = %q", file), ""))
		w := newWorld(t, g, shared)
		p := w.visit("192.0.2.1")
		asked := request("/r", bearerOf(t, k, "alice"))
		for range 3 {
			if status, _, content := p.got(asked); status != "200" || !strings.HasPrefix(content, "alice|") {
				t.Errorf("%s %q", status, content)
			}
		}
		if status, _, content := p.got(request("/r", bearerOf(t, ecKey{newECKey(t, "").PrivateKey, "1"}, "alice"))); status != "401" || !strings.Contains(content, "wrong") {
			t.Errorf("by another key: %s %q", status, content)
		}
		// A client that leaves while its token is being verified is no trouble to anybody.
		gone := w.visit("192.0.2.2")
		gone.send(request("/r", bearerOf(t, k, "bob")))
		gone.leave(nil)
		p.got(request("/r", bearerOf(t, k, "carol")))
		p.leave(nil)
		w.whole(g)
	}
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPoolFull: when the pool has no room, the answer is 503, at once, and those that have room are answered.
func TestPoolFull(t *testing.T) {
	k := newECKey(t, "1")
	file := filepath.Join(t.TempDir(), "keys.json")
	put(t, file, jwks(t, k))
	g := echoing(t, jwtText(fmt.Sprintf("set = %q", file), "workers = 1\nqueue = 1"))
	w := newWorld(t, g, false)
	busy, served := 0, 0
	const clients = 200
	var all []*visitor
	for i := range clients {
		v := w.visit("192.0.2.1")
		v.send(request("/r", bearerOf(t, k, fmt.Sprint("user-", i))))
		if strings.HasPrefix(string(v.out), "HTTP/1.1 503 ") {
			if !strings.Contains(string(v.out), "\r\nRetry-After: 1\r\n") {
				t.Errorf("%q", v.out)
			}
			busy++
			v.leave(nil)
			continue
		}
		all = append(all, v)
	}
	for _, v := range all {
		out := v.out
		if status := "200"; len(out) == 0 {
			if status, _, _ = v.got(""); status != "200" {
				t.Errorf("status %s", status)
			}
		}
		served++
		v.leave(nil)
	}
	if served+busy != clients || served == 0 {
		t.Errorf("%d served, %d turned away", served, busy)
	}
	// Whether the pool fills depends on how fast the machine signs. A pool that is closed is full for certain.
	service := g.snapshot.Load().Routes[0].stages[0].(*auth).realm.tokens.service
	service.pool.Close()
	v := w.visit("192.0.2.1")
	if status, _, _ := v.got(request("/r", bearerOf(t, k, "late"))); status != "503" {
		t.Errorf("with no pool: %s", status)
	}
	service.pool = newTokenService(&JWTConfig{}, nil).pool // for Close
	v.leave(nil)
	w.whole(g)
}

// TestKeyFileRotates: a file of keys that changes is taken over, one that is broken is not, and revocations hold at once for
// tokens that are in the cache.
func TestKeyFileRotates(t *testing.T) {
	dir := t.TempDir()
	file, revoked := filepath.Join(dir, "keys.json"), filepath.Join(dir, "revoked")
	one, two := newECKey(t, "1"), newECKey(t, "2")
	put(t, file, jwks(t, one))
	put(t, revoked, "# none\n")
	g := echoing(t, jwtText(fmt.Sprintf("set = %q", file), fmt.Sprintf("revoked = %q", revoked)))
	p := newWorld(t, g, false).visit("192.0.2.1")
	first, second := request("/r", bearerOf(t, one, "alice")), request("/r", bearerOf(t, two, "bob"))
	p.until(first, "200")
	p.until(second, "401")
	put(t, file, jwks(t, one, two))
	p.until(second, "200")
	p.until(first, "200")
	put(t, file, "nonsense")
	service := g.snapshot.Load().Routes[0].stages[0].(*auth).realm.tokens.service
	for end := time.Now().Add(20 * time.Second); service.failed.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a broken file goes unnoticed")
		}
	}
	p.until(first, "200")
	put(t, file, jwks(t, two))
	p.until(first, "401")
	p.until(second, "200")
	put(t, revoked, "sub bob\n")
	p.until(second, "401")
}

// TestJWKS fetches keys from a server, by https whose certificate is trusted, and again when a token names a key that is not
// there.
func TestJWKS(t *testing.T) {
	one, two := newECKey(t, "1"), newECKey(t, "2")
	var set, status atomic.Value
	set.Store(jwks(t, one))
	status.Store(503)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/keys?of=us" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status.Load().(int))
		fmt.Fprint(w, set.Load().(string))
	})
	s := httptest.NewTLSServer(handler)
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	put(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	g := echoing(t, jwtText(fmt.Sprintf("url = %q\nca = %q", s.URL+"/keys?of=us", ca), ""))
	p := newWorld(t, g, false).visit("192.0.2.1")
	first := request("/r", bearerOf(t, one, "alice"))
	if status, _, _ := p.got(first); status != "503" {
		t.Errorf("before there is any key: %s", status)
	}
	status.Store(200)
	p.until(first, "200")
	set.Store(jwks(t, two))
	if status, _, _ := p.got(request("/r", bearerOf(t, two, "bob"))); status != "401" {
		t.Errorf("a key that is not known: %s", status)
	}
	// It was asked for, but the last time is not long enough ago: in a while.
	service := g.snapshot.Load().Routes[0].stages[0].(*auth).realm.tokens.service
	service.fetch(true)
	p.until(request("/r", bearerOf(t, two, "bob")), "200")
	p.until(first, "401")
}

// TestRemoteRefuses: what can't be trusted, or is no document, is an error.
func TestRemoteRefuses(t *testing.T) {
	for _, bad := range []string{"", "keys", "ftp://127.0.0.1/", "http://example.org/", "http://10.0.0.1/", "https://", "https://user@example.org/", "https://example.org/#a", "https:a"} {
		if _, err := parseRemote(bad, ""); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	r, err := parseRemote(untrusted.URL+"/", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.get()
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("a server without a trusted certificate: %v", err)
	}
	for _, answer := range []string{
		"", "HTTP/1.1 200 OK", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabcd", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxRemote),
	} {
		if b, err := document(strings.NewReader(answer)); err == nil {
			t.Errorf("%.60q is taken for a document: %.60q", answer, b)
		}
	}
	for _, answer := range []string{"HTTP/1.0 200 OK\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"} {
		if b, err := document(strings.NewReader(answer)); err != nil || string(b) != "abc" {
			t.Errorf("%q is %q, %v", answer, b, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if r, err = parseRemote("http://"+l.Addr().String()+"/", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.get(); err == nil {
		t.Error("nobody listens, and nothing is wrong")
	}
}
