// Package signature verifies requests that their sender signed with a shared secret, by a strict profile of HTTP Message
// Signatures (RFC 9421) with HMAC-SHA256, and refuses those that come twice.
//
//	Signature-Input: s=("@method" "@path" "@query" "content-digest");created=1800000000;keyid="alice";nonce="4f0c6ab1d2"
//	Signature: s=:BASE64 of the HMAC:
//	Content-Digest: sha-256=:BASE64 of the content's SHA-256:      where there is content, RFC 9530
//
// What a signature must cover: @method, the target (@path and @query, or @request-target), and content-digest where there
// is content. It may cover @authority and any field as well. It must have created, keyid and nonce, may have expires, and
// alg and tag as they are known here; nothing else. There is one signature a request, written in the one canonical way of
// RFC 9651, so that the text that was signed is the text that came.
//
// A signature is good for [Window.Age] from created on, and a nonce is remembered as long: see [Nonces], which is bounded,
// forgets nothing within that time, and refuses when it is full. What was created before the memory of nonces began is
// refused, since it may have been used before: after a start for a second, and what was delayed until then.
//
// The content itself is not here. [Verified.Content] is what its SHA-256 must be, for whoever reads it.
package signature
