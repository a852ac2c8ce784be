package wire

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"corelab/peers/routes"
)

// Inline is the longest body that is copied behind its head; a longer one is written from where it lies.
const Inline = 4 << 10

// Append appends the reply's head to b, and its body where it is no longer than [Inline]; whoever writes a longer one
// does so next. The body is left out for HEAD.
func Append(b []byte, server string, r *routes.Reply, head, closes bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	switch r.Status {
	case 200:
		b = append(b, "200 OK"...)
	default:
		b = strconv.AppendInt(b, int64(r.Status), 10)
		b = append(append(b, ' '), http.StatusText(r.Status)...)
	}
	b = append(append(b, "\r\nServer: "...), server...)
	b = append(append(b, "\r\nDate: "...), *date.Load()...)
	if r.Type != "" {
		b = append(append(b, "\r\nContent-Type: "...), r.Type...)
	}
	if r.Status != 204 && r.Status != 304 { // RFC 9110 §8.6
		b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(r.Body)), 10)
	}
	if closes {
		b = append(b, "\r\nConnection: close\r\n\r\n"...)
	} else {
		b = append(b, "\r\nConnection: keep-alive\r\n\r\n"...)
	}
	if !head && len(r.Body) <= Inline {
		b = append(b, r.Body...)
	}
	return b
}

// date is the value of Date, of this second.
var date atomic.Pointer[string]

func init() { tick() }

func tick() {
	s := time.Now().UTC().Format(http.TimeFormat)
	date.Store(&s)
}

// Tick keeps the date of the replies, once a second, and never returns.
func Tick() {
	for range time.Tick(time.Second) {
		tick()
	}
}
