package gateway

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"corelab/apps/gateway/apikey"
	"corelab/apps/gateway/permit"
	"corelab/apps/gateway/settings"
	"corelab/apps/gateway/signature"
	"corelab/apps/gateway/token"
)

// AuthPlace is what the stage auth knows about a request: who asks, and whether they may.
type AuthPlace struct {
	credential [8]byte      // which of the consumer's: the beginning of its digest
	check      *token.Check // a signature that is verified off the loop
}

// AuthRoute is what a route says about auth: routes.N.auth.
type AuthRoute struct {
	By          []string `toml:"by"`          // "key", "jwt", "signature": which credentials are taken
	Permissions []string `toml:"permissions"` // all of them are needed: "orders:{id}:read", with parameters of the path
	Optional    bool     `toml:"optional"`    // who has no credential goes on as nobody; a bad one is refused nevertheless
	Hide        bool     `toml:"hide"`        // keeps the credential from the upstream
}

// AuthConfig is what the whole gateway has for auth.
type AuthConfig struct {
	Realm string `toml:"realm"` // in challenges; "gateway"
	// Identity is the field that tells upstreams who asks. What a client sends by that name is taken out, on every route.
	Identity  string           `toml:"identity"`
	KeyField  string           `toml:"key_field"` // where API keys come; "X-API-Key"
	JWT       *JWTConfig       `toml:"jwt"`
	Signature *SignatureConfig `toml:"signature"`
}

// ConsumerConfig is one of consumers.NAME.
type ConsumerConfig struct {
	Subject     string            `toml:"subject"`     // the sub of tokens; the consumer's name
	Permissions []string          `toml:"permissions"` // what keys and signatures may; a token says by itself what it may
	Keys        []*KeyConfig      `toml:"keys"`
	Signatures  []*SigningConfig  `toml:"signatures"`
	Tags        map[string]string `toml:"tags"`
}

// KeyConfig is an API key: only its SHA-256 is written.
type KeyConfig struct {
	Digest  string `toml:"digest"`  // "sha256:" and 64 hexadecimal digits
	Expires string `toml:"expires"` // RFC 3339; none: never
}

// SigningConfig is a secret that requests are signed with.
type SigningConfig struct {
	ID     string          `toml:"id"` // keyid
	Secret settings.Secret `toml:"secret"`
}

// SignatureConfig says how long a signature is good: auth.signature.
type SignatureConfig struct {
	Age    settings.Duration `toml:"age"`    // after created; 60s
	Skew   settings.Duration `toml:"skew"`   // that created may be ahead of us; 5s
	Nonces int               `toml:"nonces"` // that are remembered for each key; 65536
}

// Consumer is somebody whom auth knows.
type Consumer struct {
	Name string
	Tags map[string]string

	may  *permit.Set
	text []byte // Name
}

// realm is what all routes of a configuration share about auth.
type realm struct {
	config    *AuthConfig
	consumers []*Consumer
	subjects  map[string]*Consumer
	keys      *apikey.Table
	digests   []apikey.Digest // of keys, in their order, as owners below
	owners    []*Consumer
	signers   *signature.Keys
	window    signature.Window
	signed    Kept[signature.Verifier]
	tokens    *tokens
	clock     Kept[wall]
}

// auth finds out who asks, and whether they may.
type auth struct {
	realm    *realm
	keyField string
	key      bool
	jwt      bool
	signed   bool
	optional bool
	hide     bool
	needs    []*permit.Need
	answers  *refusals
}

// maxNeedParams bounds the parameters of a permission.
const maxNeedParams = 4

// buildAuth compiles the stage for a route.
func buildAuth(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	rm := Memo(b, "auth", "", func() *realm { return buildRealm(b) })
	rc := rt.Auth
	if rc == nil {
		if identity := b.Config.Auth.Identity; identity != "" && up != nil {
			return anonymous{identity}
		}
		return nil
	}
	at += ".auth"
	a := &auth{realm: rm, optional: rc.Optional, hide: rc.Hide, keyField: rm.config.KeyField}
	for i, by := range rc.By {
		switch by {
		case "key":
			a.key = true
		case "jwt":
			a.jwt = true
			if rm.tokens == nil {
				b.Fault(at+".by", "tokens are taken here, but there is no [auth.jwt] with a key")
			}
		case "signature":
			a.signed = true
		default:
			b.Fault(fmt.Sprintf("%s.by.%d", at, i), "%q is none of key, jwt and signature", by)
		}
	}
	if len(rc.By) == 0 {
		b.Fault(at, "by = [\"key\", \"jwt\", \"signature\"]: one of them at least")
	}
	for i, text := range rc.Permissions {
		n, err := parseNeed(text, rt.Path)
		if err != nil {
			b.Fault(fmt.Sprintf("%s.permissions.%d", at, i), "%v", err)
			continue
		}
		a.needs = append(a.needs, n)
	}
	if rc.Optional && len(rc.Permissions) > 0 {
		b.Fault(at+".optional", "nobody has permissions: leave optional out, or the permissions")
	}
	a.answers = Memo(b, "auth answers", fmt.Sprintf("%v %v %v %q", a.key, a.jwt, a.signed, rc.Permissions), func() *refusals {
		return newRefusals(rm.config, a, rc.Permissions)
	})
	return a
}

// parseNeed reads a permission whose parameters are among those of a path pattern.
func parseNeed(text, pattern string) (*permit.Need, error) {
	n, err := permit.ParseNeed(text)
	if err != nil {
		return nil, err
	}
	if len(n.Params) > maxNeedParams {
		return nil, fmt.Errorf("permission %q: at most %d parameters are taken", text, maxNeedParams)
	}
	segments := strings.Split(pattern, "/")
	for _, p := range n.Params {
		if !slices.Contains(segments, ":"+p) && !slices.Contains(segments, "*"+p) {
			return nil, fmt.Errorf("permission %q: the path %q has no parameter %s", text, pattern, p)
		}
	}
	return n, nil
}

// buildRealm compiles [auth] and [consumers].
func buildRealm(b *Builder) *realm {
	c := b.Config.Auth
	if c.Realm == "" {
		c.Realm = "gateway"
	}
	if c.KeyField == "" {
		c.KeyField = "X-API-Key"
	}
	for at, name := range map[string]string{"auth.identity": c.Identity, "auth.key_field": c.KeyField} {
		if name != "" && !isFieldName(name) {
			b.Fault(at, "%q is no name of a field", name)
		}
	}
	if strings.ContainsAny(c.Realm, "\"\\") || !isVisible(c.Realm) {
		b.Fault("auth.realm", "visible ASCII without quotes and backslashes, please")
	}
	rm := &realm{config: &c, subjects: map[string]*Consumer{}, clock: keepWall(b)}
	var keys []apikey.Key
	var signers []signature.Key
	window := SignatureConfig{}
	if c.Signature != nil {
		window = *c.Signature
	}
	rm.window = signature.Window{Age: int64(window.Age.Or(defaultAge).Seconds()), Skew: int64(window.Skew.Or(defaultSkew).Seconds())}
	if rm.window.Age < 1 || rm.window.Age > maxAge || rm.window.Skew > rm.window.Age || window.Nonces < 0 || window.Nonces > maxNonces {
		b.Fault("auth.signature", "age is from a second to a day, skew at most age, and nonces up to %d", maxNonces)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Config.Consumers)) {
		cc, at := b.Config.Consumers[name], "consumers."+name
		who := rm.consumer(b, name, cc, at)
		for i, kc := range cc.Keys {
			keys = append(keys, kc.compile(b, fmt.Sprintf("%s.keys.%d", at, i), len(rm.owners)))
			rm.digests = append(rm.digests, keys[len(keys)-1].Digest)
			rm.owners = append(rm.owners, who)
		}
		for i, sc := range cc.Signatures {
			signers = append(signers, sc.compile(b, fmt.Sprintf("%s.signatures.%d", at, i), len(rm.owners), window.Nonces))
			rm.digests = append(rm.digests, apikey.Of([]byte(sc.ID)))
			rm.owners = append(rm.owners, who)
		}
	}
	rm.index(b, keys, signers)
	if c.JWT != nil {
		rm.tokens = buildTokens(b, c.JWT)
	}
	return rm
}

// index makes the tables of keys and secrets.
func (rm *realm) index(b *Builder, keys []apikey.Key, signers []signature.Key) {
	if !b.sound() {
		return // a key that could not be read is all zeros, as the next one is
	}
	var err error
	if rm.keys, err = apikey.New(keys); err != nil {
		b.Fault("consumers", "%v", err)
	}
	if rm.signers, err = signature.NewKeys(signers); err != nil {
		b.Fault("consumers", "%v", err)
		return
	}
	sum := sha256.New()
	for _, k := range signers {
		fmt.Fprintf(sum, "%d %q %d %x\n", k.Owner, k.ID, len(k.Secret), sha256.Sum256(k.Secret))
	}
	fmt.Fprint(sum, rm.window)
	signed, window := rm.signers, rm.window
	rm.signed = Keep(b, "auth signature", fmt.Sprintf("%x", sum.Sum(nil)), func(*Shard) *signature.Verifier {
		return signature.NewVerifier(signed, window)
	})
}

// consumer compiles one of consumers.NAME.
func (rm *realm) consumer(b *Builder, name string, cc *ConsumerConfig, at string) *Consumer {
	if !isVisible(name) {
		b.Fault(at, "a name of visible ASCII, please: it is passed on in a field")
	}
	may, err := permit.Compile(cc.Permissions...)
	if err != nil {
		b.Fault(at+".permissions", "%v", err)
	}
	who := &Consumer{Name: name, Tags: cc.Tags, may: may, text: []byte(name)}
	subject := cc.Subject
	if subject == "" {
		subject = name
	}
	if other := rm.subjects[subject]; other != nil {
		b.Fault(at+".subject", "%q is the subject of %s too", subject, other.Name)
	}
	rm.subjects[subject] = who
	rm.consumers = append(rm.consumers, who)
	return who
}

// isVisible reports whether s can be passed on in a field as it is.
func isVisible(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[len(s)-1] != ' '
}

// isFieldName reports whether s is the usual name of a field: what RFC 9110 §5.1 allows beyond that helps nobody.
func isFieldName(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// anonymous is the stage of routes without auth: nobody is known there, whatever the client says.
type anonymous struct{ identity string }

// Enter implements Stage.
func (a anonymous) Enter(r *Request) Verdict {
	r.ToUpstream.Drop(a.identity)
	return Next
}

// Leave implements Stage.
func (anonymous) Leave(*Request, *Outcome) {}
