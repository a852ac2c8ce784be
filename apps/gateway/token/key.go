package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
)

// Algorithm is a signature algorithm of RFC 7518 §3.1. A key has one, and a token that names another is refused: the
// token has no say in how it is verified, RFC 8725 §3.1.
type Algorithm uint8

const (
	HS256 Algorithm = iota + 1 // HMAC with SHA-256: on the loop
	RS256                      // RSASSA-PKCS1-v1_5 with SHA-256: off it
	ES256                      // ECDSA on P-256 with SHA-256: off it
)

// String returns the name as RFC 7518 §3.1 has it.
func (a Algorithm) String() string {
	switch a {
	case HS256:
		return "HS256"
	case RS256:
		return "RS256"
	case ES256:
		return "ES256"
	}
	return "none"
}

const (
	minSecret  = 32   // bytes, RFC 7518 §3.2: as long as the hash, or longer
	minModulus = 2048 // bits, RFC 7518 §3.3
	maxModulus = 8192 // bits: verification takes longer with the square of it
)

// Key verifies what was signed by one key. It is never changed, and any goroutine may use it.
type Key struct {
	ID  string // kid; empty may be meant by any token
	Alg Algorithm

	secret []byte
	rsa    *rsa.PublicKey
	ec     *ecdsa.PublicKey
	print  [sha256.Size]byte // of all the above: two keys with the same one are the same
}

// Secret returns a key of HS256. The secret is copied.
func Secret(id string, secret []byte) (*Key, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("a secret of %d bytes: HS256 takes %d or more (RFC 7518 §3.2)", len(secret), minSecret)
	}
	k := &Key{ID: id, Alg: HS256, secret: append([]byte(nil), secret...)}
	k.seal(k.secret)
	return k, nil
}

// Public returns a key of RS256 or ES256, by what pub is: an *rsa.PublicKey, or an *ecdsa.PublicKey on P-256.
func Public(id string, pub crypto.PublicKey) (*Key, error) {
	k := &Key{ID: id}
	switch p := pub.(type) {
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < minModulus || n > maxModulus {
			return nil, fmt.Errorf("an RSA modulus of %d bits: RS256 takes %d (RFC 7518 §3.3) to %d here", n, minModulus, maxModulus)
		}
		if p.E < 3 || p.E&1 == 0 {
			return nil, fmt.Errorf("an RSA exponent of %d", p.E)
		}
		k.Alg, k.rsa = RS256, p
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return nil, fmt.Errorf("a key on %s: ES256 takes P-256", p.Curve.Params().Name)
		}
		if _, err := p.ECDH(); err != nil {
			return nil, fmt.Errorf("a point that is not on P-256: %w", err)
		}
		k.Alg, k.ec = ES256, p
	default:
		return nil, fmt.Errorf("a key of type %T: only RSA and ECDSA keys verify here", pub)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("a public key that can't be written again: %w", err)
	}
	k.seal(der)
	return k, nil
}

func (k *Key) seal(material []byte) {
	h := sha256.New()
	h.Write([]byte{byte(k.Alg), byte(len(k.ID) >> 8), byte(len(k.ID))})
	h.Write([]byte(k.ID))
	h.Write(material)
	h.Sum(k.print[:0])
}

// verifies reports whether sig is the signature of what has this digest. It is for keys of RS256 and ES256.
func (k *Key) verifies(digest *[sha256.Size]byte, sig []byte) bool {
	switch k.Alg {
	case RS256:
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest[:], sig) == nil
	case ES256: // RFC 7518 §3.4: both numbers, each of 32 bytes, and no ASN.1
		if len(sig) != 64 {
			return false
		}
		return ecdsa.Verify(k.ec, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	panic("token: a symmetric key is not verified off the loop")
}

// sigLen reports whether a signature can have n bytes, so that others are refused at once.
func (k *Key) sigLen(n int) bool {
	switch k.Alg {
	case HS256:
		return n == sha256.Size
	case ES256:
		return n == 64
	default:
		return n == k.rsa.Size()
	}
}

// maxNameless bounds the keys without ID, each of which a token may mean.
const maxNameless = 8

// Keyring is a set of keys to choose from. It is never changed: a rotation makes a new one.
type Keyring struct {
	keys     []*Key
	byID     map[string][]int32
	nameless []int32
}

// NewKeyring returns the set of those keys; with none, nothing is accepted. Several may have one ID, if their algorithms differ (RFC 7517 §4.5).
func NewKeyring(keys ...*Key) (*Keyring, error) {
	r := &Keyring{keys: keys, byID: make(map[string][]int32)}
	for i, k := range keys {
		if k.ID == "" {
			r.nameless = append(r.nameless, int32(i))
			continue
		}
		for _, j := range r.byID[k.ID] {
			if keys[j].Alg == k.Alg {
				return nil, fmt.Errorf("two keys of %s with the ID %q", k.Alg, k.ID)
			}
		}
		r.byID[k.ID] = append(r.byID[k.ID], int32(i))
	}
	if len(r.nameless) > maxNameless {
		return nil, fmt.Errorf("%d keys without ID: at most %d can be tried", len(r.nameless), maxNameless)
	}
	return r, nil
}

// Len returns the number of keys.
func (r *Keyring) Len() int { return len(r.keys) }

// Join returns the keys of several sets as one.
func Join(rings ...*Keyring) (*Keyring, error) {
	var keys []*Key
	for _, r := range rings {
		keys = append(keys, r.keys...)
	}
	return NewKeyring(keys...)
}

// holds reports whether a key just like k is in r.
func (r *Keyring) holds(k *Key) bool {
	for _, other := range r.keys {
		if other == k || other.print == k.print {
			return true
		}
	}
	return false
}

// meant returns the keys that a token may mean, by index, in two parts: those of its kid and those without ID. A token
// without kid means the only key there is, or those without ID. kid is nil where there is none.
func (r *Keyring) meant(kid []byte) (named, nameless []int32) {
	if kid != nil {
		return r.byID[string(kid)], r.nameless
	}
	if len(r.keys) == 1 {
		return only, nil
	}
	return nil, r.nameless
}

var only = []int32{0}

// Print is a digest of all keys: two sets with the same one are the same.
func (r *Keyring) Print() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, k := range r.keys {
		h.Write(k.print[:])
	}
	h.Sum(sum[:0])
	return sum
}
