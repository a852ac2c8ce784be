package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// maxKeys bounds a JWK set.
const maxKeys = 256

// jwk is a JSON Web Key, RFC 7517 §4 and RFC 7518 §6. Private members are not even read.
type jwk struct {
	Type    string   `json:"kty"`
	Use     *string  `json:"use"`
	Ops     []string `json:"key_ops"`
	Alg     string   `json:"alg"`
	ID      string   `json:"kid"`
	Secret  string   `json:"k"`
	Modulus string   `json:"n"`
	Power   string   `json:"e"`
	Curve   string   `json:"crv"`
	X       string   `json:"x"`
	Y       string   `json:"y"`
}

// ParseSet reads a JWK set, RFC 7517 §5. Keys that are for something else, or of a kind that is not supported, are left
// out as the RFC asks, and ignored says which and why. With public, secrets are among them: what anybody may fetch is no
// secret. A set of which nothing remains is an error.
func ParseSet(b []byte, public bool) (r *Keyring, ignored []string, err error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&set); err != nil {
		return nil, nil, fmt.Errorf("a JWK set: %w", err)
	}
	if d.More() {
		return nil, nil, errors.New("a JWK set: something follows it")
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("a JWK set of %d keys: at most %d are taken", len(set.Keys), maxKeys)
	}
	var keys []*Key
	for i, j := range set.Keys {
		k, err := j.key(public)
		if err != nil {
			ignored = append(ignored, fmt.Sprintf("key %d %q: %v", i+1, j.ID, err))
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, ignored, fmt.Errorf("a JWK set without a key to verify with; ignored: %q", ignored)
	}
	if r, err = NewKeyring(keys...); err != nil {
		return nil, ignored, fmt.Errorf("a JWK set: %w", err)
	}
	return r, ignored, nil
}

// key makes a key of j, for verification.
func (j *jwk) key(public bool) (k *Key, err error) {
	if j.Use != nil && *j.Use != "sig" {
		return nil, fmt.Errorf("use is %q", *j.Use)
	}
	if j.Ops != nil && !slices.Contains(j.Ops, "verify") {
		return nil, errors.New("key_ops is without verify")
	}
	switch j.Type {
	case "oct":
		if public {
			return nil, errors.New("a secret that is public")
		}
		var secret []byte
		if secret, err = field("k", j.Secret); err == nil {
			k, err = Secret(j.ID, secret)
		}
	case "RSA":
		k, err = j.rsaKey()
	case "EC":
		k, err = j.ecKey()
	default:
		return nil, fmt.Errorf("kty is %q", j.Type)
	}
	if err != nil {
		return nil, err
	}
	if j.Alg != "" && j.Alg != k.Alg.String() {
		return nil, fmt.Errorf("alg is %q", j.Alg)
	}
	return k, nil
}

func (j *jwk) rsaKey() (*Key, error) {
	n, err := field("n", j.Modulus)
	if err != nil {
		return nil, err
	}
	e, err := field("e", j.Power)
	if err != nil {
		return nil, err
	}
	if len(e) > 4 || len(n) > maxModulus/8 {
		return nil, errors.New("n or e is too long")
	}
	return Public(j.ID, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())})
}

// ecKey reads a point of P-256: both coordinates have 32 bytes, RFC 7518 §6.2.1.2.
func (j *jwk) ecKey() (*Key, error) {
	if j.Curve != "P-256" {
		return nil, fmt.Errorf("crv is %q", j.Curve)
	}
	x, err := field("x", j.X)
	if err != nil {
		return nil, err
	}
	y, err := field("y", j.Y)
	if err != nil {
		return nil, err
	}
	if len(x) != 32 || len(y) != 32 {
		return nil, errors.New("x or y has not 32 bytes")
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("x and y: %w", err)
	}
	return Public(j.ID, pub)
}

// field decodes a member of base64url, which must be there.
func field(name, value string) ([]byte, error) {
	b, ok := decode(nil, []byte(value))
	if !ok || len(b) == 0 {
		return nil, fmt.Errorf("%s is no base64url", name)
	}
	return b, nil
}

// ParsePEM reads the public keys of a PEM file: PUBLIC KEY, RSA PUBLIC KEY, and the key of a CERTIFICATE, whose chain and
// validity are not looked at: the file itself is what is trusted. They get the ID id, which must be empty for several.
func ParsePEM(b []byte, id string) (*Keyring, error) {
	var keys []*Key
	for n := 1; ; n++ {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		b = rest
		pub, err := publicOf(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d, %s: %w", n, block.Type, err)
		}
		k, err := Public(id, pub)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d, %s: %w", n, block.Type, err)
		}
		keys = append(keys, k)
	}
	if len(bytes.TrimSpace(b)) > 0 && len(keys) > 0 {
		return nil, errors.New("a PEM file that ends with something else")
	}
	if len(keys) == 0 {
		return nil, errors.New("a PEM file without a key")
	}
	return NewKeyring(keys...)
}

func publicOf(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return nil, errors.New("only public keys and certificates have a place here")
}
