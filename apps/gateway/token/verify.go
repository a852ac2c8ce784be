package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"strings"
)

// Grant is what a verified token says. Its slices are borrowed from the Verifier until its next Verify or Settle.
type Grant struct {
	Issuer, Subject, ID []byte
	Scope               []byte // texts with a space between them: see Rules.Scope
	Expires             int64  // Unix nanoseconds; the largest number for never

	// Note is the caller's: what it leaves here it finds again with the same token, for as long as that is in the cache.
	Note any
}

// Verifier verifies tokens. It belongs to one shard: its methods are for one goroutine at a time. It allocates nothing
// once its memory has grown to what the tokens need.
type Verifier struct {
	rules  Rules
	anchor *Anchor
	trust  *Trust
	macs   []hash.Hash // of the keys of trust, nil where they are public
	cache  cache

	scan, in scanner // of the object at hand, and of an array in it
	header   []byte  // decoded, as payload and sig
	payload  []byte
	sig      []byte
	scope    []byte
	sum      [sha256.Size]byte
	said     claims
	grant    Grant // of a token that is not kept
}

// NewVerifier returns a Verifier with a cache of about entries tokens, or none if that is 0. anchor holds a Trust already.
func NewVerifier(rules Rules, anchor *Anchor, entries int) *Verifier {
	if rules.Scope == "" {
		rules.Scope = "scope"
	}
	if rules.MaxBytes == 0 {
		rules.MaxBytes = defaultMaxBytes
	}
	return &Verifier{rules: rules, anchor: anchor, cache: newCache(entries)}
}

// Verify verifies a token, at now in Unix nanoseconds. One of the results is not zero: a Grant if the token is accepted, a
// Check if the rest must be done off the loop, else the Refusal. The token is borrowed for the call.
func (v *Verifier) Verify(token []byte, now int64) (*Grant, *Check, Refusal) {
	if len(token) > v.rules.MaxBytes {
		return nil, nil, TooLong
	}
	v.adopt()
	if e := v.cache.find(token); e != nil {
		if why := v.again(e, now); why != 0 {
			v.cache.drop(e)
			return nil, nil, why
		}
		return &e.grant, nil, 0
	}
	signed, why := v.split(token)
	if why != 0 {
		return nil, nil, why
	}
	named, nameless, alg, why := v.meant()
	if why != 0 {
		return nil, nil, why
	}
	if alg != HS256 {
		c, why := v.check(token, signed, alg, named, nameless, now)
		return nil, c, why
	}
	key := v.authentic(signed, named)
	if key == nil {
		key = v.authentic(signed, nameless)
	}
	if key == nil {
		return nil, nil, WrongMAC
	}
	g, why := v.accept(token, key, now)
	return g, nil, why
}

// adopt takes over the anchor's Trust if it is another one.
func (v *Verifier) adopt() {
	t := v.anchor.Load()
	if t == v.trust {
		return
	}
	v.trust = t
	clear(v.macs)
	v.macs = v.macs[:0]
	for _, k := range t.Keys.keys {
		var mac hash.Hash
		if k.Alg == HS256 {
			mac = hmac.New(sha256.New, k.secret)
		}
		v.macs = append(v.macs, mac)
	}
}

// again looks at a token that was verified before.
func (v *Verifier) again(e *entry, now int64) Refusal {
	if e.trust != v.trust {
		if !v.trust.Keys.holds(e.key) || v.trust.Revoked.cover(e.grant.ID, e.grant.Subject, e.issued) {
			return Revoked
		}
		e.trust = v.trust
	}
	switch {
	case now >= e.until:
		return Expired
	case now < e.from:
		return TooEarly
	}
	return 0
}

// split decodes the three parts of a token, RFC 7515 §7.1, and returns what is signed: the first two as they are.
func (v *Verifier) split(token []byte) (signed []byte, why Refusal) {
	head := bytes.IndexByte(token, '.')
	if head < 0 {
		return nil, Malformed
	}
	body := bytes.IndexByte(token[head+1:], '.')
	if body < 0 {
		return nil, Malformed
	}
	body += head + 1
	var headOK, bodyOK, sigOK bool
	v.header, headOK = decode(v.header[:0], token[:head])
	v.payload, bodyOK = decode(v.payload[:0], token[head+1:body])
	v.sig, sigOK = decode(v.sig[:0], token[body+1:]) // a third dot is no base64url
	if !headOK || !bodyOK || !sigOK {
		return nil, Malformed
	}
	return token[:body], 0
}

// meant reads the header, and returns the keys that it may mean, and their algorithm: that which it names, if one of the
// keys has it.
func (v *Verifier) meant() (named, nameless []int32, alg Algorithm, why Refusal) {
	var name, kid, typ []byte
	v.scan.open(v.header)
	for {
		member, val, more := v.scan.next()
		if !more {
			break
		}
		switch string(member) {
		case "crit":
			return nil, nil, 0, Critical
		case "alg":
			name = val.data
		case "kid":
			kid = val.data
		case "typ":
			typ = val.data
		default:
			continue
		}
		if val.kind != text {
			return nil, nil, 0, Malformed
		}
	}
	if v.scan.bad != 0 {
		return nil, nil, 0, v.scan.bad
	}
	if !v.isType(typ) {
		return nil, nil, 0, WrongType
	}
	named, nameless = v.trust.Keys.meant(kid)
	if len(named)+len(nameless) == 0 {
		return nil, nil, 0, UnknownKey
	}
	for _, part := range [2][]int32{named, nameless} {
		for _, i := range part {
			if a := v.trust.Keys.keys[i].Alg; string(name) == a.String() {
				return named, nameless, a, 0
			}
		}
	}
	return nil, nil, 0, WrongAlg
}

// isType compares media types without their "application/", RFC 7515 §4.1.9.
func (v *Verifier) isType(typ []byte) bool {
	if v.rules.Type == "" {
		return true
	}
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(string(typ[:len(prefix)]), prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(string(typ), v.rules.Type)
}

// authentic returns the key of HS256 among those by which v.sig is the MAC of signed, or nil. The comparison takes as long
// whatever the bytes are.
func (v *Verifier) authentic(signed []byte, among []int32) *Key {
	for _, i := range among {
		k := v.trust.Keys.keys[i]
		if k.Alg != HS256 {
			continue
		}
		mac := v.macs[i]
		mac.Reset()
		mac.Write(signed)
		if hmac.Equal(mac.Sum(v.sum[:0]), v.sig) {
			return k
		}
	}
	return nil
}

// accept judges the claims of a token whose signature is right, and keeps it.
func (v *Verifier) accept(token []byte, key *Key, now int64) (*Grant, Refusal) {
	c := &v.said
	if why := v.read(v.payload, c); why != 0 {
		return nil, why
	}
	from, until, why := v.judge(c, now)
	if why != 0 {
		return nil, why
	}
	if v.trust.Revoked.cover(c.id, c.subject, c.issued) {
		return nil, Revoked
	}
	v.grant = Grant{c.issuer, c.subject, c.id, c.scope, maxTime, nil}
	if c.has&hasExpires != 0 {
		v.grant.Expires = c.expires
	}
	e := v.cache.place(token, now)
	if e == nil {
		return &v.grant, 0
	}
	e.keep(token, &v.grant)
	e.from, e.until, e.issued, e.key, e.trust = from, until, c.issued, key, v.trust
	return &e.grant, 0
}
