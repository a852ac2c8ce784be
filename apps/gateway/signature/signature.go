package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"

	"corelab/httpcore"
)

// Refusal says why a request is not accepted; zero is none. Its text may be shown to the client.
type Refusal uint8

const (
	Missing   Refusal = iota + 1 // no Signature-Input or no Signature
	Malformed                    // they are not what this profile takes
	Uncovered                    // something that must be covered is not, or what is covered is not there
	UnknownKey
	Wrong    // the MAC is another one
	Stale    // created too long ago, before the memory of nonces, or expired
	Early    // created ahead of our time
	Replayed // the nonce was used
	Full     // no room to remember the nonce: not the client's fault
	numRefusals

	// Refusals is how many there are, 0 included.
	Refusals = int(numRefusals)
)

var refusals = [numRefusals]string{
	0:          "the signature is accepted",
	Missing:    "the request is not signed",
	Malformed:  "the signature is malformed",
	Uncovered:  "the signature does not cover what it must",
	UnknownKey: "the key is not known",
	Wrong:      "the signature is wrong",
	Stale:      "the signature is too old",
	Early:      "the signature was made in the future",
	Replayed:   "the request came before",
	Full:       "too many signed requests",
}

// Error is a sentence for the client.
func (r Refusal) Error() string {
	if r >= numRefusals {
		return "the signature is refused"
	}
	return refusals[r]
}

const minSecret = 32 // bytes: as long as the hash

// Key is a secret of somebody.
type Key struct {
	ID     string
	Owner  int // whoever made the keys knows what it means
	Secret []byte
	Nonces *Nonces
}

// Keys are the keys that are known. They are never changed.
type Keys struct {
	keys []Key
	byID map[string]int
}

// NewKeys returns those keys.
func NewKeys(keys []Key) (*Keys, error) {
	k := &Keys{keys, make(map[string]int)}
	for i, key := range keys {
		if len(key.Secret) < minSecret {
			return nil, fmt.Errorf("the secret of key %q has %d bytes: at least %d are needed", key.ID, len(key.Secret), minSecret)
		}
		if _, found := k.byID[key.ID]; found || !isText(key.ID) {
			return nil, fmt.Errorf("the key ID %q is there twice, or no text of visible ASCII without quotes and backslashes", key.ID)
		}
		k.byID[key.ID] = i
	}
	return k, nil
}

func isText(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// Window is for how long a signature is good, in seconds.
type Window struct {
	Age  int64 // after created
	Skew int64 // before created: by how much the client's clock may be ahead
}

// Verified is what a signature says.
type Verified struct {
	Owner   int
	Content [sha256.Size]byte // the SHA-256 of the content, where HasBody
	HasBody bool
}

// Verifier verifies signatures. It belongs to one shard: its methods are for one goroutine at a time. In steady state it
// allocates nothing.
type Verifier struct {
	keys   *Keys
	macs   []hash.Hash
	window Window
	base   []byte
	in     input
	sum    [sha256.Size]byte
}

// NewVerifier returns a Verifier with those keys.
func NewVerifier(keys *Keys, w Window) *Verifier {
	return &Verifier{keys: keys, macs: make([]hash.Hash, len(keys.keys)), window: w}
}

// Verify verifies the signature of a request, at now in Unix nanoseconds, and uses its nonce up.
func (v *Verifier) Verify(x *httpcore.Exchange, now int64) (ok Verified, why Refusal) {
	given, mac, why := v.fields(x)
	if why != 0 {
		return ok, why
	}
	in := &v.in
	if !in.parse(given) || !in.signature(mac) {
		return ok, Malformed
	}
	i, found := v.keys.byID[string(in.keyID)]
	if !found {
		return ok, UnknownKey
	}
	key := &v.keys.keys[i]
	now /= 1e9
	if why := in.timely(v.window, key.Nonces.Since(), now); why != 0 {
		return ok, why
	}
	ok.Owner, ok.HasBody = key.Owner, x.ContentLength() != 0
	if why := v.cover(x, &ok); why != 0 {
		return ok, why
	}
	if v.macs[i] == nil {
		v.macs[i] = hmac.New(sha256.New, key.Secret)
	}
	h := v.macs[i]
	h.Reset()
	h.Write(v.base)
	if !hmac.Equal(h.Sum(v.sum[:0]), in.mac[:]) {
		return ok, Wrong
	}
	return ok, key.Nonces.use(in.nonce, in.created+v.window.Age, now)
}

// fields finds both fields, each of which must be there in one line.
func (v *Verifier) fields(x *httpcore.Exchange) (given, mac []byte, why Refusal) {
	n, m := 0, 0
	for i := range x.NumFields() {
		name, value := x.FieldAt(i)
		switch {
		case isFold(name, signatureName):
			mac = value
			m++
		case isFold(name, inputName):
			given = value
			n++
		}
	}
	switch {
	case n == 0 || m == 0:
		return nil, nil, Missing
	case n > 1 || m > 1:
		return nil, nil, Malformed
	}
	return given, mac, 0
}

// timely says whether a signature of these times is good now.
func (in *input) timely(w Window, since, now int64) Refusal {
	switch {
	case in.created > now+w.Skew:
		return Early
	case in.created+w.Age < now, in.created <= since, in.expires != 0 && in.expires < now:
		return Stale
	}
	return 0
}

// cover makes the signature base of RFC 9421 §2.5 in v.base, and checks that what is covered is enough.
func (v *Verifier) cover(x *httpcore.Exchange, ok *Verified) Refusal {
	var method, path, query, target, content bool
	v.base = v.base[:0]
	for _, c := range v.in.components[:v.in.count] {
		v.base = append(v.base, '"')
		v.base = append(v.base, c...)
		v.base = append(v.base, '"', ':', ' ')
		switch string(c) {
		case "@method":
			method = true
			v.base = append(v.base, x.MethodName()...)
		case "@path":
			path = true
			v.base = append(v.base, x.Path()...)
		case "@query":
			query = true
			v.base = append(v.base, '?')
			v.base = append(v.base, x.Query()...)
		case "@request-target":
			target = true
			v.base = append(v.base, x.Target()...)
		case "@authority":
			v.authority(x.Host())
		case "content-digest":
			var valid bool
			ok.Content, valid = v.content(x)
			if !valid {
				return Uncovered
			}
			content = true
		default:
			if c[0] == '@' || !v.field(x, c) {
				return Uncovered
			}
		}
		v.base = append(v.base, '\n')
	}
	v.base = append(v.base, `"@signature-params": `...)
	v.base = append(v.base, v.in.params...)
	if !method || !target && !(path && query) || ok.HasBody && !content {
		return Uncovered
	}
	return 0
}

// authority appends the host in small letters and without the usual port, RFC 9421 §2.2.3.
func (v *Verifier) authority(host []byte) {
	host = bytes.TrimSuffix(host, []byte(":80"))
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		v.base = append(v.base, c)
	}
}

// field appends the value of a field, its lines joined, RFC 9421 §2.1.
func (v *Verifier) field(x *httpcore.Exchange, lower []byte) (found bool) {
	for i := range x.NumFields() {
		name, value := x.FieldAt(i)
		if !isFold(name, lower) {
			continue
		}
		if found {
			v.base = append(v.base, ',', ' ')
		}
		found = true
		v.base = append(v.base, value...)
	}
	return found
}

// content appends the Content-Digest and reads it: sha-256 alone, RFC 9530 §2.
func (v *Verifier) content(x *httpcore.Exchange) (sum [sha256.Size]byte, valid bool) {
	from := len(v.base)
	if !v.field(x, digestName) {
		return sum, false
	}
	value, found := bytes.CutPrefix(v.base[from:], []byte("sha-256=:"))
	return sum, found && unquote(&sum, value)
}

// unquote decodes 32 bytes as a Byte Sequence of RFC 9651 §3.3.5, behind its first colon.
func unquote(sum *[sha256.Size]byte, value []byte) bool {
	const length = 44
	if len(value) != length+1 || value[length] != ':' {
		return false
	}
	var b [length]byte
	n, err := strict.Decode(b[:], value[:length])
	return err == nil && copy(sum[:], b[:n]) == sha256.Size
}

var (
	signatureName = []byte("signature")
	inputName     = []byte("signature-input")
	digestName    = []byte("content-digest")
)

var strict = base64.StdEncoding.Strict()

// isFold compares a name with one in small letters.
func isFold(name, lower []byte) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c != lower[i] && (c|0x20 != lower[i] || c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
