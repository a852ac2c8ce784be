package httpcore

import (
	"strings"
	"testing"
	"time"
)

// keptBuffers lends the same few buffers again and again, as a core does.
type keptBuffers struct{ free [][]byte }

func (k *keptBuffers) Get(n int) []byte {
	if i := len(k.free) - 1; i >= 0 && cap(k.free[i]) >= n {
		b := k.free[i]
		k.free = k.free[:i]
		return b[:cap(b)]
	}
	return make([]byte, max(n, 16<<10))
}

func (k *keptBuffers) Put(b []byte) { k.free = append(k.free, b) }

// benchmarkConn measures parse, route, reply and the bookkeeping of in, which holds depth requests.
func benchmarkConn(b *testing.B, in string, depth int) {
	var r testRoutes
	m := &memoryCore{t: b, time: 1e9}
	m.env = Env{Handler: r.handler(b, Limits{}), Buffers: new(keptBuffers), Date: FormatDate(time.Unix(1e9, 0))}
	m.conn.Open(&m.env, m, m.time)
	request := []byte(in)
	var segments []Segment
	turn := func() {
		m.conn.Feed(request, m.time)
		segments = m.conn.Pending(segments[:0])
		n := int64(0)
		for i := range segments {
			n += segments[i].Len
		}
		m.conn.Wrote(n)
	}
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		b.Fatalf("%v allocations for each turn", n)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for i := 0; i < b.N; i += depth {
		turn()
	}
	if m.conn.Want() != Read {
		b.Fatalf("in the end the Conn wants %b", m.conn.Want())
	}
}

func BenchmarkConn(b *testing.B) {
	wrk := "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
	b.Run("request", func(b *testing.B) { benchmarkConn(b, wrk, 1) })
	b.Run("param", func(b *testing.B) { benchmarkConn(b, get("/users/1234"), 1) })
	b.Run("pipelined16", func(b *testing.B) { benchmarkConn(b, strings.Repeat(wrk, 16), 16) })
	b.Run("echo", func(b *testing.B) { benchmarkConn(b, post("/echo", strings.Repeat("x", 1000)), 1) })
}
