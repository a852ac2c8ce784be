// Package circuit decides whom a gateway asks at all: a [Breaker] stops asking an upstream that fails, and [Outliers] takes
// single endpoints out of one. Both are plain state of one shard: they take no lock, start nothing, read no clock (the time
// comes in, monotonic and in nanoseconds) and allocate nothing once made. With S shards there are S breakers, each of which
// sees its share of the requests and sends its own probes.
//
// A breaker has three states, as Nygard's book (Release It!, 2007) names them:
//
//	            a rule trips                     Open has passed
//	closed ───────────────────▶ open ───────────────────────────▶ half-open
//	   ▲                          ▲                                 │     │
//	   │                          └──────── a probe failed ─────────┘     │
//	   └──────────────────── Probes in a row succeeded ───────────────────┘
//
// Half-open admits exactly Probes requests. A probe that comes to no result, because its client left, gives its place back.
// Results of requests that were admitted before the state last changed say nothing about it now, and are dropped.
//
// Outliers follow Envoy's outlier detection: an endpoint that fails Consecutive times in a row, or too large a share of an
// interval's results, is ejected, for longer each time, and returns by itself. No more than a set share of the endpoints is
// ever out: where all fail, the upstream is the trouble and not one of them, and what is left must not carry all the load.
package circuit
