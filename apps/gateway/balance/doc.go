// Package balance chooses which endpoint of an upstream is asked, and says which of them may be. It is plain state of one
// shard: no lock, no clock (the time comes in, monotonic and in nanoseconds), no memory taken once a [Group] is made. With S
// shards each balances its own requests and sees its own latencies.
//
// A [Group] is a set of endpoints and a [Method]:
//
//	RoundRobin        one after the other
//	Weighted          nginx's smooth weighted round robin: of weights 5, 1, 1 not aaaaabc but aabacaa
//	LeastConnections  the fewest requests under way for its weight; those that tie by smooth weighted round robin
//	PeakEWMA          the better of two at random by Finagle's peak-EWMA load
//	Adaptive          smooth weighted round robin by weights that failures and latency lower
//
// Smooth weighted round robin is that of nginx 1.3.1 (commit 52327e0627f4): each turn every endpoint gains its weight, the
// one with the most is chosen and loses the sum of all. In any sum-of-weights turns each endpoint is chosen exactly weight
// times.
//
// Two random choices are enough to keep the fullest of n queues at log log n (Mitzenmacher, "The Power of Two Choices in
// Randomized Load Balancing", 2001). The load that they are compared by is that of Finagle's P2CPeakEwma: a moving average
// of latencies that goes up to a peak at once and comes down with time, times the requests under way plus one.
//
// The weights of Adaptive are those of gateways that run nginx with Lua, where a timer computes them anew once a second:
//
//	effective = weight · (1 − f) · min(1, m ⁄ l), at least weight ⁄ 20
//
// f is the share of failures and l the mean latency of the endpoint's recent requests, m the mean of l over the group. Both
// are smoothed: new = 0.7 · old + 0.3 · of the last second; a second without requests counts as one without failures, so that
// an endpoint that is hardly asked recovers.
//
// An endpoint that comes back, or is new while others are not, gets its share slowly: its weight grows from a tenth to the
// whole over SlowStart, in a straight line.
//
// Who is up is said from outside, by [Group.Set]: by active checks, counted by [Check], and by outlier ejection, package
// circuit. A [Canary] splits requests between two groups, and keeps each user on a side.
package balance
