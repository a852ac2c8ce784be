package gateway

import (
	"fmt"
	"time"

	"corelab/apps/gateway/apikey"
	"corelab/apps/gateway/signature"
)

// Bounds and defaults of credentials.
const (
	defaultAge    = time.Minute
	defaultSkew   = 5 * time.Second
	maxAge        = 24 * 60 * 60 // seconds
	defaultNonces = 1 << 16
	maxNonces     = 1 << 24
	maxSubjects   = 1 << 16 // that a shard knows by name, besides the configured ones
	maxBearer     = 16 << 10
)

// compile reads a key.
func (kc *KeyConfig) compile(b *Builder, at string, owner int) apikey.Key {
	d, err := apikey.ParseDigest(kc.Digest)
	if err != nil {
		b.Fault(at+".digest", "%v; write digest = \"sha256:…\", as printf %%s KEY | sha256sum says", err)
	}
	k := apikey.Key{Digest: d, Owner: owner}
	if kc.Expires != "" {
		t, err := time.Parse(time.RFC3339, kc.Expires)
		if err != nil {
			b.Fault(at+".expires", "%q is no time; write it like 2027-01-31T12:00:00Z", kc.Expires)
		}
		k.Expires = t.UnixNano()
	}
	return k
}

// compile reads a secret. Its nonces are remembered by the process, over reloads too.
func (sc *SigningConfig) compile(b *Builder, at string, owner, nonces int) signature.Key {
	secret, err := sc.Secret.Get()
	if err != nil {
		b.Fault(at+".secret", "%v", err)
	}
	if nonces == 0 {
		nonces = defaultNonces
	}
	k := signature.Key{ID: sc.ID, Owner: owner, Secret: []byte(secret)}
	if nonces > 0 && nonces <= maxNonces {
		k.Nonces = Share(b, "nonces", sc.ID, fmt.Sprint(nonces), func() *signature.Nonces { return signature.NewNonces(nonces, time.Now().UnixNano()) })
	}
	return k
}

// credentials are the fields of a request that say who asks.
type credentials struct {
	key, bearer   []byte
	keys, bearers int  // lines
	other         bool // Authorization is of another scheme
	signature     bool
}

// credentialsOf looks through the fields once.
func credentialsOf(r *Request, keyField string) (c credentials) {
	for i := range r.X.NumFields() {
		name, value := r.X.FieldAt(i)
		switch {
		case len(name) == len("authorization") && foldEqual(name, "authorization"):
			c.bearers++
			c.bearer = value
		case len(name) == len("signature-input") && foldEqual(name, "signature-input"):
			c.signature = true
		case len(name) == len(keyField) && foldEqual(name, keyField):
			c.keys++
			c.key = value
		}
	}
	const scheme = "bearer" // RFC 6750 §2.1, RFC 9110 §11.1: in any case
	if c.bearers > 0 {
		n := len(scheme)
		if len(c.bearer) > n && c.bearer[n] == ' ' && foldEqual(c.bearer[:n], scheme) {
			c.bearer = trim(c.bearer[n:])
		} else {
			c.bearer, c.other = nil, true
		}
	}
	return c
}
