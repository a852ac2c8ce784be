package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"corelab/httpcore"
)

const (
	nowS = int64(1_800_000_000)
	now  = nowS * 1e9
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func mac(base string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(base))
	return b64(h.Sum(nil))
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256=:" + b64(sum[:]) + ":"
}

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys([]Key{{ID: "bob", Owner: 1, Secret: []byte(strings.Repeat("b", 32)), Nonces: NewNonces(100, now-1e12)},
		{ID: "alice", Owner: 7, Secret: secret, Nonces: NewNonces(100, now-1e12)}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// heap lends no buffer twice.
type heap struct{}

func (heap) Get(n int) []byte { return make([]byte, n) }
func (heap) Put([]byte)       {}

// exchange calls ask with a request.
func exchange(t testing.TB, request string, ask func(x *httpcore.Exchange)) {
	t.Helper()
	router := new(httpcore.Router)
	asked := false
	err := router.Add(httpcore.Route{Method: httpcore.AnyMethod, Pattern: "/*path", Stream: true, MaxBody: -1, Serve: func(x *httpcore.Exchange) {
		asked = true
		ask(x)
		x.Reply(&httpcore.Reply{})
	}})
	if err != nil {
		t.Fatal(err)
	}
	var c httpcore.Conn
	c.Open(&httpcore.Env{Handler: httpcore.NewHandler(router, httpcore.Limits{}, ""), Buffers: heap{}}, nil, 1)
	c.Feed([]byte(request), 1)
	c.Abort(nil)
	if !asked {
		t.Fatalf("the request did not arrive: %q", request)
	}
}

// sign returns a request with the fields and, if params are given, a signature over base and these.
func sign(line, fields, params, base string) string {
	return line + " HTTP/1.1\r\nHost: API.example:80\r\n" + fields + "Signature-Input: s=" + params + "\r\nSignature: s=:" +
		mac(base+`"@signature-params": `+params) + ":\r\n\r\n"
}

const (
	target  = `("@method" "@path" "@query")`
	created = `;created=1799999990;keyid="alice";nonce="12345678"`
	getBase = "\"@method\": GET\n\"@path\": /a/b%20c\n\"@query\": ?x=1&y\n"
	line    = "GET /a/b%20c?x=1&y"
)

func TestVerify(t *testing.T) {
	good := sign(line, "", target+created, getBase)
	content := digest("hello")
	post := func(covered, base string) string {
		return sign("POST /a", "Content-Length: 5\r\nContent-Digest: "+content+"\r\n", covered+created, base)
	}
	postBase := "\"@method\": POST\n\"@path\": /a\n\"@query\": ?\n"
	for _, c := range []struct {
		name, request string
		want          Refusal
	}{
		{"plain", good, 0},
		{"request target", sign(line, "", `("@request-target" "@method")`+created, "\"@request-target\": /a/b%20c?x=1&y\n\"@method\": GET\n"), 0},
		{"authority", sign(line, "", `("@method" "@path" "@query" "@authority")`+created, getBase+"\"@authority\": api.example\n"), 0},
		{"a field", sign(line, "X-A: 1\r\nx-a:  2 \r\n", `("@method" "@path" "@query" "x-a")`+created, getBase+"\"x-a\": 1, 2\n"), 0},
		{"an empty field", sign(line, "X-A:\r\n", `("@method" "@path" "@query" "x-a")`+created, getBase+"\"x-a\": \n"), 0},
		{"with alg and expires", sign(line, "", target+`;expires=1800000000;alg="hmac-sha256"`+created, getBase), 0},
		{"content", post(`("@method" "@path" "@query" "content-digest")`, postBase+"\"content-digest\": "+content+"\n"), 0},
		{"another label", strings.ReplaceAll(strings.ReplaceAll(good, "Input: s=", "Input: sig-1.b_*="), "Signature: s=", "Signature: sig-1.b_*="), 0},

		{"a method of its own", sign("BREW /a", "", target+created, "\"@method\": BREW\n\"@path\": /a\n\"@query\": ?\n"), 0},

		{"unsigned", line + " HTTP/1.1\r\nHost: a\r\n\r\n", Missing},
		{"no signature", strings.Replace(good, "\r\nSignature: ", "\r\nX: ", 1), Missing},
		{"no input", strings.Replace(good, "Signature-Input: ", "X: ", 1), Missing},
		{"two inputs", strings.Replace(good, "Signature-Input: ", "Signature-Input: a=()\r\nSignature-Input: ", 1), Malformed},
		{"two signatures", strings.Replace(good, "Signature: ", "Signature: a=::\r\nSignature: ", 1), Malformed},
		{"labels differ", strings.Replace(good, "Signature: s=", "Signature: t=", 1), Malformed},

		{"another method", strings.Replace(good, "GET", "PUT", 1), Wrong},
		{"another path", strings.Replace(good, "/a/b", "/a/B", 1), Wrong},
		{"another query", strings.Replace(good, "x=1", "x=2", 1), Wrong},
		{"query without its mark", sign("GET /a", "", target+created, "\"@method\": GET\n\"@path\": /a\n\"@query\": \n"), Wrong},
		{"another secret", strings.Replace(sign(line, "", target+strings.Replace(created, "alice", "bob", 1), getBase), "x", "x", 1), Wrong},
		{"another nonce", strings.Replace(good, "12345678", "12345679", 1), Wrong},
		{"unknown key", strings.Replace(good, "alice", "carol", 1), UnknownKey},

		{"method uncovered", sign(line, "", `("@path" "@query")`+created, getBase), Uncovered},
		{"query uncovered", sign(line, "", `("@method" "@path")`+created, getBase), Uncovered},
		{"path uncovered", sign(line, "", `("@method" "@query")`+created, getBase), Uncovered},
		{"nothing covered", sign(line, "", `()`+created, ""), Uncovered},
		{"content uncovered", post(target, postBase), Uncovered},
		{"covered field is not there", sign(line, "", `("@method" "@path" "@query" "x-a")`+created, getBase+"\"x-a\": \n"), Uncovered},
		{"unknown derived", sign(line, "", `("@method" "@path" "@query" "@status")`+created, getBase), Uncovered},
		{"another digest", sign("POST /a", "Content-Length: 5\r\nContent-Digest: sha-512=:AAAA:\r\n", `("@method" "@path" "@query" "content-digest")`+created,
			postBase+"\"content-digest\": sha-512=:AAAA:\n"), Uncovered},
		{"two digests", sign("POST /a", "Content-Length: 5\r\nContent-Digest: "+content+"\r\nContent-Digest: "+content+"\r\n",
			`("@method" "@path" "@query" "content-digest")`+created, postBase+"\"content-digest\": "+content+", "+content+"\n"), Uncovered},

		{"too old", sign(line, "", target+strings.Replace(created, "1799999990", "1799999939", 1), getBase), Stale},
		{"just not too old", sign(line, "", target+strings.Replace(created, "1799999990", "1799999940", 1), getBase), 0},
		{"expired", sign(line, "", target+`;expires=1799999999`+created, getBase), Stale},
		{"ahead", sign(line, "", target+strings.Replace(created, "1799999990", "1800000006", 1), getBase), Early},
		{"ahead, within skew", sign(line, "", target+strings.Replace(created, "1799999990", "1800000005", 1), getBase), 0},
	} {
		keys := newKeys(t)
		exchange(t, c.request, func(x *httpcore.Exchange) {
			v := NewVerifier(keys, Window{Age: 60, Skew: 5})
			ok, why := v.Verify(x, now)
			if why != c.want {
				t.Errorf("%s: %v, want %v", c.name, why, c.want)
			}
			if why != 0 {
				return
			}
			if ok.Owner != 7 || ok.HasBody != (c.name == "content") || ok.HasBody && ok.Content != sha256.Sum256([]byte("hello")) {
				t.Errorf("%s: %+v", c.name, ok)
			}
			if _, why := NewVerifier(keys, Window{Age: 60, Skew: 5}).Verify(x, now+1e9); why != Replayed && why != Stale {
				t.Errorf("%s, again, on another shard: %v", c.name, why)
			}
		})
	}
}

// TestForm has inputs that are not written in the one way that is taken.
func TestForm(t *testing.T) {
	for _, params := range []string{
		``, `(`, `)`, `"@method"`, `("@method)`, `("@method"`, `("@method" )`, `( "@method")`, `("@method"  "@path")`, `("@method","@path")`,
		`("@method";req)`, `("@method" "@method")`, `("@Method")`, `("")`, `("a b")`, `("a\"b")`, `(@method)`, "(\"\x7f\")",
		`("@method") ;created=1`, `("@method"); created=1`, `("@method")created=1`,
	} {
		var in input
		if in.parse([]byte("s=" + params + created)) {
			t.Errorf("%q is accepted", params)
		}
	}
	for _, rest := range []string{
		``, `;created=1799999990;keyid="alice"`, `;created=1799999990;nonce="12345678"`, `;keyid="alice";nonce="12345678"`,
		created + `;created=1`, created + `;nonce="12345678"`, created + `;x=1`, created + `;alg="rsa-pss-sha512"`, created + `;alg=hmac-sha256`,
		created + `;expires`, created + `;expires=`, created + `;expires=-1`, created + `;expires=01`, created + `;expires=1.5`, created + `;expires="1"`,
		created + `;expires=1234567890123`, created + `, t=()`, created + ` `, created + `;`,
		strings.Replace(created, "12345678", "1234567", 1), strings.Replace(created, "12345678", strings.Repeat("x", maxText+1), 1), strings.Replace(created, "12345678", `1234\\5678`, 1),
	} {
		var in input
		if in.parse([]byte("s=" + target + rest)) {
			t.Errorf("%q is accepted", rest)
		}
	}
	for _, label := range []string{"", "=", "S=", "1=", "s s=", "s"} {
		var in input
		if in.parse([]byte(label + target + created)) {
			t.Errorf("label %q is accepted", label)
		}
	}
	long := "(\"c0\""
	for i := range maxComponents {
		long += fmt.Sprintf(" \"c%d\"", i+1)
	}
	var in input
	if in.parse([]byte("s=" + long + ")" + created)) {
		t.Error("more components than are taken are taken")
	}
}

func TestNewKeys(t *testing.T) {
	for _, keys := range [][]Key{{{ID: "a", Secret: secret[:31]}}, {{ID: "", Secret: secret}}, {{ID: `a"`, Secret: secret}}, {{ID: "a", Secret: secret}, {ID: "a", Secret: secret}}} {
		if _, err := NewKeys(keys); err == nil {
			t.Errorf("%+v is accepted", keys)
		}
	}
}

// FuzzInput: what is accepted is written again as it was.
func FuzzInput(f *testing.F) {
	f.Add("s=" + target + created)
	f.Add(`a=();created=1;nonce="********";keyid="a";alg="hmac-sha256";expires=9`)
	f.Fuzz(func(t *testing.T, s string) {
		var in input
		if !in.parse([]byte(s)) {
			return
		}
		again := string(in.label) + "=("
		for i, c := range in.components[:in.count] {
			if i > 0 {
				again += " "
			}
			again += `"` + string(c) + `"`
		}
		again += ")"
		if !strings.HasPrefix(s, again) || !strings.Contains(s, fmt.Sprintf(";created=%d", in.created)) ||
			!strings.Contains(s, `;nonce="`+string(in.nonce)+`"`) || !strings.Contains(s, `;keyid="`+string(in.keyID)+`"`) {
			t.Errorf("%q is read as %s … %+v", s, again, in)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	keys, err := NewKeys([]Key{{ID: "alice", Owner: 7, Secret: secret, Nonces: NewNonces(1000, now-1e12)}})
	if err != nil {
		b.Fatal(err)
	}
	exchange(b, sign(line, "", target+created, getBase), func(x *httpcore.Exchange) {
		v := NewVerifier(keys, Window{Age: 60, Skew: 5})
		v.Verify(x, now)
		b.ReportAllocs()
		for b.Loop() {
			if _, why := v.Verify(x, now); why != Replayed { // all but the remembering: one nonce is all there is
				b.Fatal(why)
			}
		}
	})
}

func TestAllocates(t *testing.T) {
	exchange(t, sign(line, "X-A: 1\r\n", `("@method" "@path" "@query" "x-a")`+created, getBase+"\"x-a\": 1\n"), func(x *httpcore.Exchange) {
		v := NewVerifier(newKeys(t), Window{Age: 60, Skew: 5})
		if _, why := v.Verify(x, now); why != 0 {
			t.Fatal(why)
		}
		if n := testing.AllocsPerRun(100, func() { v.Verify(x, now) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
