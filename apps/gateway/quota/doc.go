// Package quota counts what consumers, keys, addresses and routes use up, and says when it is too much. It reads no clock,
// opens nothing and starts no goroutine: time comes in as Unix nanoseconds that never step back.
//
//	request ─▶ Lease (of a shard) ─▶ Book (of the process) ─▶ Tally, carried to a store that several processes share
//	           plain memory          one CAS for a batch       by whoever has a connection: package ledger
//
// [Policy] is the arithmetic: a token bucket, kept as the one time of GCRA, and a sliding window, kept as two counters. Each
// is one word, so that a compare-and-swap takes from it.
//
// [Book] holds such words, one for each key, for all shards. It is bounded, and no key can be made to begin anew: what is
// evicted leaves what it had used up behind, and who comes instead begins with that.
//
// [Leases] is what a shard holds of a Book: tokens taken in batches and given out one by one, without an atomic. A lease
// ends after the policy's Interval; its size follows what the shard uses.
//
// How exact it is. A bucket admits, over any time d, at most Burst + d·Limit/Period; the rounding of one token to a
// sixteenth of a nanosecond makes that right within 0.004 % at a million a second. A window admits at most Limit in each
// aligned window, and, of any window that is not aligned, what the weighted counter estimates: exact for an even load.
// Shards add this: a token that was leased may be used up to one interval later, so the tokens of an interval, at most
// Limit·Interval/Period and at most [MaxBatch] for each shard, may come on top in any stretch of time; never in the sum.
// Tokens of a lease that ends unused go back.
package quota
