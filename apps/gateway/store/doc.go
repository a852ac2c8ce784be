// Package store is a shared HTTP cache, RFC 9111, as plain state of one shard: no lock, no I/O, no clock (the time comes in),
// and a hit takes no memory.
//
//	Look ──▶ Hit, Updating, Stale ─────────────────────────▶ the answer is here
//	   └───▶ Miss, Expired, Bypass ──▶ ask the upstream ──▶ Begin, Add …, Commit; or Freshen after a 304
//
// A [Cache] is bounded by bytes, everything that an entry costs counted: its key, field lines, content, the entry itself, its
// place in the index, and what the allocator rounds up. Which entry goes is decided by S3-FIFO (Yang, Zhang, Qiu, Yue and
// Vigfusson, "FIFO queues are all you need for cache eviction", SOSP 2023): what is new waits in a small queue for a second
// request, what had one lives in the main queue, and who was evicted from the small one and comes again soon goes into the
// main one at once. A scan of things asked for once passes through a tenth of the memory and leaves the rest alone, which
// LRU, the usual choice, does not withstand; and a hit moves nothing, it counts to three.
//
// What may be stored, for how long it is fresh, and whom it may answer is decided by RFC 9111 alone, as a shared cache:
//
//   - GET answers are stored; HEAD is answered from them. Parts (206) are neither stored nor made: a Range is passed on.
//   - Freshness is what the answer says: s-maxage, max-age, Expires less Date (§4.2.1). Contradictions make it stale. A
//     guess (§4.2.2) only where [Rules] has a share for it: off by default.
//   - no-store, private, and must-understand are obeyed; no-cache and private with field names as if without (§5.2.2.4).
//     An answer with Set-Cookie is stored only if it is public or has s-maxage.
//   - An answer to an authorised request is stored only if it says must-revalidate, public or s-maxage (§3.5), and, which the
//     RFC does not ask for, an authorised request is answered only by such an entry.
//   - Vary makes variants (§4.1): field values are compared byte by byte once white space around list members is gone.
//   - The request's no-cache, no-store, max-age, min-fresh, max-stale and only-if-cached are obeyed (§5.2.1).
//   - A 304 freshens what it validates (§4.3.4); a successful unsafe method invalidates its target (§4.4).
//   - stale-while-revalidate and stale-if-error (RFC 5861), unless must-revalidate, proxy-revalidate, s-maxage or no-cache
//     forbid all stale answers (§4.2.4).
//
// Who misses together asks once: the first request is the [Flight]'s leader, the others wait. When the answer is stored all
// are woken and find it; when it cannot be stored, or failed, all are woken and go on by themselves, at once, and for a
// while nobody waits for that key. When the leader is cancelled, because its client left, one of the others leads.
//
// Memory that was handed out (an answer's lines and content) is never written again nor reused: it may be sent for as long
// as that takes. What was evicted meanwhile is not counted any more, though it is still there.
package store
