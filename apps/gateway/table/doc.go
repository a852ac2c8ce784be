// Package table finds the route of a request: by its host, its path, its method and its field lines, in this order, and each
// apart from the next.
//
//	host ──▶ a tree of paths ──▶ the rules of one path ──▶ a route
//	 hash      httpcore.Router     methods, field lines
//
// The most specific host that has the path decides: an exact one, then the longest "*.suffix", then no host. Then the path
// decides alone, by httpcore's rules: static bytes go before a parameter, that before a rest. Then the most specific of the
// path's rules that holds: a rule that takes a part of what another takes goes before it. So a lookup needs no order, no
// priorities and no regular expressions, and what it costs does not grow with the rules that it has nothing to do with.
//
// Two rules of which neither is more specific, and which one request could match both, are refused when the table is built;
// so are two that say the same, and one place in a path with two names. The message names both.
//
// A Table does not change once built; any number of goroutines may look up, and a lookup allocates nothing.
package table
