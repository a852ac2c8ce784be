package siege

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"

	"corelab/results"
)

// foe is one hostile client. It is used again for the one that takes its place.
type foe struct {
	fd       int // -1 while it is closed
	life     int32
	state    state
	stubborn bool   // goes on after the server's end
	again    bool   // it, or one whose place it took, was cut
	provoked int64  // when it did what it is to be cut for
	cut      int64  // when that was seen; 0 while it was not
	head     []byte // what came of the answer's first line
}

type state uint8

const (
	closed   state = iota
	opening        // connect is under way
	dripping       // it has done what it will be cut for
	answered       // cut, and not gone
)

// statusLine is how much of an answer is kept: HTTP/1.1 408.
const statusLine = len("HTTP/1.1 408")

// take keeps the begin of an answer, and reports whether the status is whole.
func (f *foe) take(b []byte) bool {
	if room := statusLine - len(f.head); room > 0 {
		f.head = append(f.head, b[:min(room, len(b))]...)
	}
	return len(f.head) == statusLine
}

// status is that of the answer, or 0.
func (f *foe) status() int {
	if len(f.head) < statusLine || !bytes.HasPrefix(f.head, []byte("HTTP/1.")) {
		return 0
	}
	n, err := strconv.Atoi(string(f.head[len("HTTP/1.1 "):]))
	if err != nil {
		return 0
	}
	return n
}

// arsenal is what foes of one kind send.
type arsenal struct {
	spec   Spec
	random *rand.Rand
	piece  []byte
	first  []byte
	chunk  []byte
}

// announced is the length of a body that never comes.
const announced = 1 << 20

// pipelined is how many large answers a reader asks for at once. The requests fit into any socket's buffer.
const pipelined = 16

func newArsenal(s Spec) *arsenal {
	a := &arsenal{spec: s, random: rand.New(rand.NewPCG(s.Seed, 0x7369656765))}
	switch s.Kind {
	case results.SiegeHeads:
		a.first = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: siege\r\nX-Slow: ", s.Plain)
		a.piece = []byte("a")
	case results.SiegeBodies:
		n := int(max(1, float64(s.Rate)*s.Every.Seconds()))
		a.first = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: siege\r\nContent-Length: %d\r\n\r\n", s.Slow, announced)
		a.piece = bytes.Repeat([]byte("b"), n)
		a.chunk = fmt.Appendf(nil, "%x\r\n%s\r\n", n, a.piece)
	case results.SiegeReaders:
		a.first = bytes.Repeat(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: siege\r\n\r\n", s.Large), pipelined)
	}
	return a
}

// opener is what foe i says first; nothing where it is silent.
func (a *arsenal) opener(i int) []byte {
	switch a.spec.Kind {
	case results.SiegeBodies:
		if i%2 == 1 {
			return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: siege\r\nTransfer-Encoding: chunked\r\n\r\n", a.spec.Slow)
		}
	case results.SiegeTLS:
		return a.hello()
	case results.SiegeGarbage:
		return a.garbage()
	}
	return a.first
}

// drip is what foe i says now and then; nothing where it has said all.
func (a *arsenal) drip(i int) []byte {
	if a.spec.Kind == results.SiegeBodies && i%2 == 1 {
		return a.chunk
	}
	return a.piece
}

// hello is a TLS 1.2 record with a ClientHello's begin: what a browser sends to a port that it takes for https.
func (a *arsenal) hello() []byte {
	b := []byte{0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xfc, 0x03, 0x03}
	for range 245 {
		b = append(b, byte(a.random.Uint32()))
	}
	return b
}

// garbage is something that is refused as soon as it is seen.
func (a *arsenal) garbage() []byte {
	switch a.random.IntN(6) {
	case 0: // noise, of which the first byte is none of a method
		b := make([]byte, 1+a.random.IntN(512))
		for i := range b {
			b[i] = byte(a.random.Uint32())
		}
		b[0] = 0x80 | b[0]
		return b
	case 1:
		return []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	case 2:
		return bytes.Repeat([]byte("A"), 4096)
	case 3:
		return []byte("GET / HTTP/1.1\nHost: siege\n\n")
	case 4:
		return []byte("GET /\x00 HTTP/1.1\r\nHost: siege\r\n\r\n")
	}
	return []byte("GET / HTTP/1.1\r\nHost: siege\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: siege\r\n\r\n")
}

// wanted reports whether a cut of the kind is the right one: 408 where a message had begun, no word to who said nothing, and
// an error to what is no HTTP. Who never reads cannot be told anything: a reset frees what was kept for it.
func wanted(kind string, how string) bool {
	switch kind {
	case results.SiegeHeads, results.SiegeBodies:
		return how == "408"
	case results.SiegeReaders:
		return how == results.SiegeReset
	case results.SiegeSilent:
		return how == results.SiegeClose
	}
	return len(how) == 3 && (how[0] == '4' || how[0] == '5')
}
