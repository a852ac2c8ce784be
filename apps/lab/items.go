package lab

import (
	"strconv"
	"unicode/utf8"

	"corelab/httpcore"
)

// maxFactor bounds m, so that no total leaves an int64.
const maxFactor = 1_000_000_000

var (
	badItems  = badRequest("the path must be /json/COUNT, COUNT a number of items from 0 to 50")
	badFactor = badRequest("m must be an integer from -1000000000 to 1000000000")
)

// itemsRoom is, for each count, the length of buffer that the longest document of that many items fits into.
var itemsRoom = func() (room [datasetItems + 1]int) {
	room[0] = len(`{"items":[],"count":}`) + maxNumberText
	for i := range dataset {
		room[i+1] = room[i] + len(appendItem(nil, &dataset[i], 0)) + maxNumberText + len(",")
	}
	return room
}()

// serveItems answers the first count items of the data set, each with its total. The document is made anew for every
// request, in one buffer of the connection's, which goes out as it is.
func serveItems(x *httpcore.Exchange) {
	count, valid := parseCount(x.Param("count"))
	if !valid {
		x.Reply(&badItems)
		return
	}
	factor, valid := factorOf(x.Query())
	if !valid {
		x.Reply(&badFactor)
		return
	}
	count = min(count, datasetItems)
	b := appendItems(x.Buffer(itemsRoom[count])[:0], dataset[:count], factor)
	x.Reply(&httpcore.Reply{Type: jsonType, Body: b, Pooled: true})
}

// factorOf returns the first m of a query, 1 if there is none.
func factorOf(query []byte) (factor int64, valid bool) {
	for rest := query; len(rest) > 0; {
		var name, value []byte
		name, value, rest = nextPair(rest)
		if string(name) == "m" {
			n, valid := parseInteger(value)
			return n, valid && n >= -maxFactor && n <= maxFactor
		}
	}
	return 1, true
}

// appendItems appends {"items":[…],"count":N}.
func appendItems(b []byte, items []item, factor int64) []byte {
	b = append(b, `{"items":[`...)
	for i := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendItem(b, &items[i], factor)
	}
	b = append(b, `],"count":`...)
	b = strconv.AppendInt(b, int64(len(items)), 10)
	return append(b, '}')
}

func appendItem(b []byte, it *item, factor int64) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, it.id, 10)
	b = append(b, `,"name":`...)
	b = appendString(b, it.name)
	b = append(b, `,"category":`...)
	b = appendString(b, it.category)
	b = append(b, `,"price":`...)
	b = strconv.AppendInt(b, it.price, 10)
	b = append(b, `,"quantity":`...)
	b = strconv.AppendInt(b, it.quantity, 10)
	b = append(b, `,"active":`...)
	b = strconv.AppendBool(b, it.active)
	b = append(b, `,"tags":[`...)
	for i, tag := range it.tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, tag)
	}
	b = append(b, `],"rating":{"score":`...)
	b = strconv.AppendInt(b, it.score, 10)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, it.reviews, 10)
	b = append(b, `},"total":`...)
	b = strconv.AppendInt(b, it.price*it.quantity*factor, 10)
	return append(b, '}')
}

// appendString appends s as a JSON string, RFC 8259 §7. It looks at every byte, as a serialiser of any data must;
// what is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0 // of the bytes that are copied as they are
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch {
		case c >= utf8.RuneSelf:
			b = utf8.AppendRune(b, utf8.RuneError)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
