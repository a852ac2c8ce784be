// Package token verifies JSON Web Tokens (RFC 7519, signed as RFC 7515 has it, by the practice of RFC 8725) for a server
// that must not wait and must not allocate. It reads no clock and opens nothing: time, keys and revocations come in.
//
//	              found: still valid?
//	token ─▶ cache ───────────────────────────────────────────▶ Grant or Refusal
//	           │ not found                                          ▲
//	           ▼                                                    │
//	        split, header ─▶ HS256: MAC ─▶ claims, revocations ─────┤
//	           │                                                    │
//	           └────────▶ RS256, ES256: claims ─▶ Check ─▶ Pool ─▶ Settle
//
// A [Verifier] belongs to a shard and has a cache of its own. An [Anchor] holds the [Trust] of the process, keys and
// revocations, and is replaced whole. A MAC takes less than a microsecond and is verified where the request is; a public
// key takes 30 to 60 and is for a [Pool], which is bounded and says so when it is full.
//
// What it refuses: "none" and every algorithm but the key's own; any crit, since no extension is implemented; duplicate
// members, other encodings of the same bytes, invalid UTF-8; secrets shorter than the hash and moduli below 2048 bits; a
// token that expires never, names an audience that is not ours, or has no subject, unless [Rules] say otherwise. There is
// no key that is there by default.
//
// What it does not do: encrypted tokens (RFC 7516), JWS of JSON form, keys that a token brings along (jwk, jku, x5c, x5u).
package token
