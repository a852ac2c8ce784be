package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"corelab/httpcore"
)

// echo is the end of a pipeline in tests: it answers who asks, and what would be sent upstream.
type echo struct{}

func (echo) Enter(r *Request) Verdict {
	if r.X.ContentLength() == 0 {
		echoed(r, "")
		return Done
	}
	r.Stream(&echoSink{r: r})
	r.Wait()
	return Wait
}

func (echo) Resumed(*Request) Verdict { return Next }
func (echo) Leave(*Request, *Outcome) {}

func echoed(r *Request, content string) {
	who := "nobody"
	if r.Consumer != nil {
		who = r.Consumer.Name
	}
	var lines []byte
	for i := range r.X.NumFields() {
		name, value := r.X.FieldAt(i)
		if !r.ToUpstream.Drops(name) {
			lines = fmt.Appendf(lines, "%s: %s\r\n", name, value)
		}
	}
	lines = append(lines, r.ToUpstream.Lines()...)
	r.Answer(&Answer{Status: 200, Body: fmt.Appendf(nil, "%s|%s|%s", who, lines, content)})
}

// echoSink takes the content, and notes how much came before its end.
type echoSink struct {
	r    *Request
	took []byte
}

var echoTook int // bytes of the last content, whether or not it was whole

func (e *echoSink) Piece(_ *httpcore.Exchange, p []byte) {
	e.took = append(e.took, p...)
	echoTook = len(e.took)
}
func (e *echoSink) End(*httpcore.Exchange) { echoed(e.r, string(e.took)) }
func (e *echoSink) Abort(error)            {}

// withEcho puts echo behind limit for the time of a test.
func withEcho(t testing.TB) {
	old := kinds
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == "limit" })
	kinds = append(slices.Clone(kinds[:i+1]), kind{"echo", func(*Builder, *RouteConfig, *Upstream, string) Stage { return echo{} }, nil})
	t.Cleanup(func() { kinds = old })
}

// echoing is a gateway of a configuration whose routes end with echo.
func echoing(t testing.TB, text string) *Gateway {
	t.Helper()
	withEcho(t)
	g, err := New(Read("test.toml", []byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// visitor is a peer with an address.
type visitor struct {
	*peer
	address netip.AddrPort
}

// visit opens a connection from an address.
func (w *world) visit(address string) *visitor {
	v := &visitor{peer: &peer{world: w}, address: netip.AddrPortFrom(netip.MustParseAddr(address), 1000)}
	v.conn.Open(&w.env, v, w.now)
	return v
}

func (v *visitor) PeerOf(*httpcore.Conn) netip.AddrPort { return v.address }

// got sends a request, and returns the status, the head and the content of its answer. It waits for what is done off the
// loop.
func (v *visitor) got(request string) (status, head, content string) {
	v.t.Helper()
	v.out = v.out[:0]
	v.send(request)
	for end := time.Now().Add(20 * time.Second); len(v.out) == 0; time.Sleep(100 * time.Microsecond) {
		for fire := v.next(); fire != nil; fire = v.next() {
			fire()
		}
		v.write()
		if time.Now().After(end) {
			v.t.Fatalf("no answer to %q", request)
		}
	}
	head, content, _ = strings.Cut(string(v.out), "\r\n\r\n")
	return strings.Fields(head)[1], head + "\r\n", content
}

// request is one without content.
func request(path, fields string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"
}

const jwtSecret = "0123456789abcdef0123456789abcdef"

func tokenOf(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	if _, found := claims["exp"]; !found {
		claims["exp"] = time.Now().Add(time.Minute).Unix()
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func digestOf(key string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(key))) }

var authText = `
[auth]
identity = "X-Consumer"
[auth.jwt]
issuer = "us"
[[auth.jwt.keys]]
secret = { value = "` + jwtSecret + `" }
[auth.signature]
age = "60s"
[consumers.alice]
permissions = ["orders:*:read"]
keys = [{ digest = "` + digestOf("key-of-alice") + `" }, { digest = "` + digestOf("old-key") + `", expires = "2020-01-01T00:00:00Z" }]
signatures = [{ id = "alice-1", secret = { value = "` + jwtSecret + `" } }]
[consumers.bob]
subject = "user-7"
permissions = ["orders:7:read"]
keys = [{ digest = "` + digestOf("key-of-bob") + `" }]
[upstreams.u]
endpoints = [{ address = "127.0.0.1:1" }]
[[routes]]
name = "open"
path = "/open"
upstream = "u"
[[routes]]
name = "any"
path = "/any"
upstream = "u"
auth = { by = ["key", "jwt", "signature"], hide = true }
[[routes]]
name = "optional"
path = "/optional"
upstream = "u"
auth = { by = ["key"], optional = true }
[[routes]]
name = "orders"
path = "/orders/:id"
upstream = "u"
auth = { by = ["key", "jwt"], permissions = ["orders:{id}:read"] }
[[routes]]
name = "signed"
path = "/signed"
upstream = "u"
auth = { by = ["signature"] }
`

func TestAuth(t *testing.T) {
	g := echoing(t, authText)
	w := newWorld(t, g, false)
	bearer := func(claims jwt.MapClaims) string {
		if _, found := claims["iss"]; !found {
			claims["iss"] = "us"
		}
		return "Authorization: Bearer " + tokenOf(t, claims) + "\r\n"
	}
	p := w.visit("192.0.2.1")
	for _, c := range []struct {
		name, path, fields, status, says string
	}{
		{"nobody is asked", "/open", "", "200", "nobody|Host: a\r\n|"},
		{"identity is stripped where nobody is asked", "/open", "x-consumer: root\r\n", "200", "nobody|Host: a\r\n|"},

		{"nothing", "/any", "", "401", "no credential"},
		{"key", "/any", "X-API-Key: key-of-alice\r\n", "200", "alice|Host: a\r\nX-Consumer: alice\r\n|"},
		{"key and a false identity", "/any", "X-Consumer: root\r\nx-api-key: key-of-bob\r\nX-CONSUMER: root\r\n", "200", "bob|Host: a\r\nX-Consumer: bob\r\n|"},
		{"wrong key", "/any", "X-API-Key: key-of-carol\r\n", "401", "not known"},
		{"expired key", "/any", "X-API-Key: old-key\r\n", "401", "not known"},
		{"empty key", "/any", "X-API-Key:\r\n", "401", "not known"},
		{"two keys", "/any", "X-API-Key: key-of-alice\r\nX-API-Key: key-of-alice\r\n", "401", "several"},

		{"token of a consumer", "/any", bearer(jwt.MapClaims{"sub": "user-7"}), "200", "bob|Host: a\r\nX-Consumer: bob\r\n|"},
		{"token of somebody else", "/any", bearer(jwt.MapClaims{"sub": "dora"}), "200", "dora|Host: a\r\nX-Consumer: dora\r\n|"},
		{"a subject that would break the head", "/any", bearer(jwt.MapClaims{"sub": "a\r\nX-Root: 1"}), "200", "X-Consumer: a  X-Root: 1\r\n|"},
		{"another issuer", "/any", bearer(jwt.MapClaims{"sub": "dora", "iss": "them"}), "401", "issuer"},
		{"expired token", "/any", bearer(jwt.MapClaims{"sub": "dora", "exp": 1}), "401", "expired"},
		{"no token", "/any", "Authorization: Bearer\r\n", "401", "several"},
		{"another scheme", "/any", "Authorization: Basic YTpi\r\n", "401", "can't be read"},
		{"rubbish", "/any", "Authorization: Bearer rubbish\r\n", "401", "malformed"},
		{"two tokens", "/any", bearer(jwt.MapClaims{"sub": "a"}) + bearer(jwt.MapClaims{"sub": "a"}), "401", "several"},
		{"a bad token beside a good key", "/any", "X-API-Key: key-of-alice\r\nAuthorization: Bearer rubbish\r\n", "401", "malformed"},

		{"optional, nothing", "/optional", "X-Consumer: root\r\n", "200", "nobody|Host: a\r\n|"},
		{"optional, good", "/optional", "X-API-Key: key-of-alice\r\n", "200", "alice|Host: a\r\nX-API-Key: key-of-alice\r\nX-Consumer: alice\r\n|"},
		{"optional, bad", "/optional", "X-API-Key: nonsense\r\n", "401", "not known"},

		{"may", "/orders/42", "X-API-Key: key-of-alice\r\n", "200", "alice|"},
		{"may not", "/orders/42", "X-API-Key: key-of-bob\r\n", "403", "may not"},
		{"may this one", "/orders/7", "X-API-Key: key-of-bob\r\n", "200", "bob|"},
		{"may not pass for this one", "/orders/%37", "X-API-Key: key-of-bob\r\n", "403", "may not"},
		{"token may", "/orders/42", bearer(jwt.MapClaims{"sub": "dora", "scope": "x orders:**"}), "200", "dora|"},
		{"token may not", "/orders/42", bearer(jwt.MapClaims{"sub": "dora", "scope": "orders:7:read"}), "403", "may not"},
		{"token without scope", "/orders/42", bearer(jwt.MapClaims{"sub": "alice"}), "403", "may not"},
	} {
		for range 2 {
			status, head, content := p.got(request(c.path, c.fields))
			if status != c.status || !strings.Contains(content, c.says) {
				t.Errorf("%s: %s %q, want %s %q", c.name, status, content, c.status, c.says)
			}
			if challenge := strings.Contains(head, "WWW-Authenticate: "); (status == "401") != challenge && status != "403" {
				t.Errorf("%s: %s", c.name, head)
			}
		}
	}
	_, head, _ := p.got(request("/any", "Authorization: Bearer rubbish\r\n"))
	for _, want := range []string{`WWW-Authenticate: Bearer realm="gateway", error="invalid_token", error_description="the token is malformed"`,
		`WWW-Authenticate: ApiKey realm="gateway", field="X-API-Key"`, `WWW-Authenticate: Signature realm="gateway"`, "Accept-Signature: s="} {
		if !strings.Contains(head, want+"\r\n") && !strings.Contains(head, want) {
			t.Errorf("%q is missing in\n%s", want, head)
		}
	}
	_, head, _ = p.got(request("/orders/42", bearer(jwt.MapClaims{"sub": "dora"})))
	if want := `error="insufficient_scope", scope="orders:{id}:read"`; !strings.Contains(head, want) {
		t.Errorf("%q is missing in\n%s", want, head)
	}
	w.whole(g)
}

// signedRequest signs a request with content, or without.
func signedRequest(path, nonce, content, sent string, chunked bool) string {
	fields, covered, base := "", `"@method" "@path" "@query"`, "\"@method\": POST\n\"@path\": "+path+"\n\"@query\": ?\n"
	if content != "" {
		sum := sha256.Sum256([]byte(content))
		digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
		fields += "Content-Digest: " + digest + "\r\n"
		covered += ` "content-digest"`
		base += "\"content-digest\": " + digest + "\n"
	}
	params := fmt.Sprintf(`(%s);created=%d;keyid="alice-1";nonce="%s"`, covered, time.Now().Unix()+2, nonce) // ahead, within skew: the memory of nonces begins with this second
	mac := hmac.New(sha256.New, []byte(jwtSecret))
	mac.Write([]byte(base + `"@signature-params": ` + params))
	fields += "Signature-Input: s=" + params + "\r\nSignature: s=:" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + ":\r\n"
	body := sent
	if chunked {
		fields += "Transfer-Encoding: chunked\r\n"
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(sent), sent)
	} else if sent != "" {
		fields += fmt.Sprintf("Content-Length: %d\r\n", len(sent))
	}
	return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body
}

// TestSigned: a signed request is taken once, and only with the content that was signed.
func TestSigned(t *testing.T) {
	g := echoing(t, authText)
	w := newWorld(t, g, false)
	p := w.visit("192.0.2.1")
	for _, c := range []struct {
		name, request, status, says string
	}{
		{"without content", signedRequest("/signed", "nonce-01", "", "", false), "200", "alice|"},
		{"with content", signedRequest("/signed", "nonce-02", "hello", "hello", false), "200", "|hello"},
		{"with chunked content", signedRequest("/signed", "nonce-03", "hello", "hello", true), "200", "|hello"},
		{"another path", strings.Replace(signedRequest("/any", "nonce-04", "", "", false), "POST /any", "POST /signed", 1), "401", "wrong"},
		{"content without a digest", signedRequest("/signed", "nonce-05", "", "hello", false), "401", "cover"},
		{"unsigned", request("/signed", ""), "401", "no credential"},
	} {
		if status, _, content := p.got(c.request); status != c.status || !strings.Contains(content, c.says) {
			t.Errorf("%s: %s %q", c.name, status, content)
		}
		if c.status != "200" {
			continue
		}
		if status, _, content := p.got(c.request); status != "401" || !strings.Contains(content, "came before") {
			t.Errorf("%s, again: %s %q", c.name, status, content)
		}
	}
	for _, chunked := range []bool{false, true} {
		p := w.visit("192.0.2.1")
		echoTook = 0
		status, _, content := p.got(signedRequest("/signed", fmt.Sprint("nonce-forged-", chunked), "hello", "jello", chunked))
		if status != "401" || !strings.Contains(content, "not what was signed") {
			t.Errorf("other content, chunked %v: %s %q", chunked, status, content)
		}
		if !chunked && echoTook != 0 {
			t.Errorf("%d bytes went on, though they are the last ones of content that is not what was signed", echoTook)
		}
		p.leave(nil)
	}
	p.leave(nil)
	w.whole(g)
}

// TestConfigurationFaults: what is wrong is refused, each with its place.
func TestConfigurationFaults(t *testing.T) {
	withEcho(t)
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.pem")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	const route = "\n[[routes]]\nname = \"r\"\npath = \"/r/:id\"\n"
	for _, c := range []struct{ text, want string }{
		{route + "auth = {}", "routes.0.auth: by ="},
		{route + `auth = { by = ["basic"] }`, `"basic" is none of`},
		{route + `auth = { by = ["jwt"] }`, "no [auth.jwt]"},
		{route + `auth = { by = ["key"], permissions = ["a:{x}"] }`, "has no parameter x"},
		{route + `auth = { by = ["key"], permissions = ["a:*"] }`, "is no word"},
		{route + `auth = { by = ["key"], permissions = ["a"], optional = true }`, "nobody has permissions"},
		{`[auth.jwt]` + route, "there is no key, and no default"},
		{"[[auth.jwt.keys]]\nsecret = { value = \"short\" }" + route, "32 or more"},
		{"[[auth.jwt.keys]]\nsecret = {}" + route, "there is no secret"},
		{"[[auth.jwt.keys]]\npem = \"" + bad + "\"" + route, "without a key"},
		{"[[auth.jwt.keys]]\nset = \"" + dir + "/none\"" + route, "no such file"},
		{"[[auth.jwt.keys]]\nurl = \"http://example.org/jwks\"" + route, "https, or http from a loopback address"},
		{"[[auth.jwt.keys]]\n" + route, "one of secret, pem, set and url"},
		{"[auth.jwt]\nrevoked = \"" + bad + "\"\n[[auth.jwt.keys]]\nsecret = { value = \"" + jwtSecret + "\" }" + route, "line 1"},
		{"[consumers.a]\nkeys = [{ digest = \"x\" }]" + route, "consumers.a.keys.0.digest"},
		{"[consumers.a]\nkeys = [{ digest = \"" + digestOf("x") + "\" }, { digest = \"" + digestOf("x") + "\" }]" + route, "two keys"},
		{"[consumers.a]\nkeys = [{ digest = \"" + digestOf("x") + "\", expires = \"soon\" }]" + route, "is no time"},
		{"[consumers.a]\nsignatures = [{ id = \"i\", secret = { value = \"short\" } }]" + route, "at least 32"},
		{"[consumers.a]\npermissions = [\"a:**:b\"]" + route, "consumers.a.permissions"},
		{"[consumers.a]\nsubject = \"b\"\n[consumers.b]" + route, "is the subject of a too"},
		{"[auth]\nidentity = \"X Y\"" + route, "is no name of a field"},
		{"[auth.signature]\nage = \"10s\"\nskew = \"1m\"" + route, "skew at most age"},
		{"[limit]\ndeny = [\"10.0.0.1/8\"]" + route, "did you mean 10.0.0.0/8"},
		{route + `limit = [{ limit = 1 }]`, "none of consumer, key, address and route"},
		{route + `limit = [{ by = "route" }]`, "at least 1"},
		{route + `limit = [{ by = "route", limit = 1, algorithm = "leaky" }]`, "neither bucket nor window"},
		{route + `limit = [{ by = "route", limit = 1, store = "redis" }]`, "no [limit.redis]"},
		{route + `limit = [{ by = "route", limit = 1, store = "disk" }]`, "none of local, redis"},
		{route + `limit = [{ by = "route", limit = 1 }, { by = "route", limit = 2 }]`, "give each a name"},
		{route + `limit = [{ by = "route", limit = 1, name = "a:b" }]`, "without quotes, colons"},
		{route + "limit = [{ by = \"route\", limit = 1, name = \"n\" }]\n[[routes]]\nname = \"s\"\npath = \"/s\"\nlimit = [{ by = \"route\", limit = 2, name = \"n\" }]", "says otherwise"},
		{route + `limit = [{ concurrency = { tolerance = 0.5 } }]`, "tolerance is from 1"},
		{"[limit.redis]\naddress = \"127.0.0.1:1\"" + route + `limit = [{ by = "route", limit = 1, store = "redis-each", algorithm = "window" }]`, "buckets only"},
	} {
		if _, err := New(Read("test.toml", []byte(c.text))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n%v\nwant %q", c.text, err, c.want)
		}
	}
}
