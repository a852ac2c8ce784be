package lab

import (
	"strconv"

	"corelab/httpcore"
)

// maxDigits is the length of the longest number that is read: whatever it says fits into an int64.
const maxDigits = 18

// maxNumberText is the length of the longest int64 in decimal, with its sign.
const maxNumberText = 20

// parseCount reads a decimal number without sign.
func parseCount(b []byte) (n int64, valid bool) {
	if len(b) == 0 || len(b) > maxDigits {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// parseInteger reads a decimal number that may begin with '-'.
func parseInteger(b []byte) (n int64, valid bool) {
	if len(b) > 0 && b[0] == '-' {
		n, valid = parseCount(b[1:])
		return -n, valid
	}
	return parseCount(b)
}

// nextPair splits the first name=value off a query. A pair without '=' has an empty value.
func nextPair(query []byte) (name, value, rest []byte) {
	pair := query
	for i, c := range query {
		if c == '&' {
			pair, rest = query[:i], query[i+1:]
			break
		}
	}
	for i, c := range pair {
		if c == '=' {
			return pair[:i], pair[i+1:], rest
		}
	}
	return pair, nil, rest
}

// replyNumber answers n as text, without allocating.
func replyNumber(x *httpcore.Exchange, n int64) {
	b := strconv.AppendInt(x.Buffer(maxNumberText)[:0], n, 10)
	x.Reply(&httpcore.Reply{Type: arenaType, Body: b, Pooled: true})
}
