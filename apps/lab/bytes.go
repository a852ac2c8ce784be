package lab

import (
	"bytes"
	"sync"

	"corelab/httpcore"
)

const (
	alphabet = "abcdefghijklmnopqrstuvwxyz"
	letters  = 26
	// maxBytes bounds the body of /bytes.
	maxBytes = 64 << 20
	// blockBytes is the length of the one block that all replies are cut from: whole alphabets, so that the pattern goes
	// on where one block follows another, and a little more than 1 MiB, so that a body of 1 MiB is one stretch of it.
	blockBytes = (1<<20/letters + 1) * letters
)

var badBytes = badRequest("the path must be /bytes/N, N a number of bytes from 0 to 67108864")

// block returns the pattern. It is made by the first request that wants it, so that it does not weigh on the memory of
// a server that is measured by something else; it never changes afterwards.
var block = sync.OnceValue(func() []byte { return bytes.Repeat([]byte(alphabet), blockBytes/letters) })

// serveBytes answers that many bytes of the pattern, without copying them: byte i is the letter i modulo 26.
func serveBytes(x *httpcore.Exchange) {
	n, valid := parseCount(x.Param("n"))
	if !valid || n > maxBytes {
		x.Reply(&badBytes)
		return
	}
	if n <= blockBytes {
		x.Reply(&httpcore.Reply{Type: octetsType, Body: block()[:n]})
		return
	}
	x.Reply(&httpcore.Reply{Type: octetsType, Source: &pattern{left: n}, Sized: true, Len: n})
}

// pattern is the Source of a body longer than the block.
type pattern struct {
	sent, left int64
}

// Next returns a stretch of the block, which outlives the loan.
func (p *pattern) Next(max int) ([]byte, bool) {
	from := int(p.sent % blockBytes)
	n := min(max, blockBytes-from, int(p.left))
	p.sent += int64(n)
	p.left -= int64(n)
	return block()[from : from+n], p.left == 0
}

// Close has nothing to give back.
func (p *pattern) Close(error) {}
