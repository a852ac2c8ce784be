package store

import (
	"fmt"
	"testing"
)

// typical is a request as a browser sends it.
const typical = "Host: example.org|User-Agent: Mozilla/5.0|Accept: text/html|Accept-Encoding: gzip, br|Accept-Language: en|Cookie: a=b|Connection: keep-alive"

const answer = "Cache-Control: max-age=3600|Content-Type: text/html|ETag: \"12345678\"|Vary: Accept-Encoding"

func TestAllocates(t *testing.T) {
	c := New(Rules{}.Filled())
	q := get("/", typical)
	ask(c, q, answer, "body", 0)
	conditional := get("/", typical+"|If-None-Match: \"12345678\"|If-Modified-Since: "+date0)
	var a, b Ask
	one := client{}
	miss := *get("/miss", typical)
	for name, f := range map[string]func(){
		"a hit":             func() { a = Ask{}; c.Look(&a, q, second) },
		"a conditional hit": func() { a = Ask{}; c.Look(&a, conditional, second) },
		"a miss that fails": func() {
			a, b = Ask{}, Ask{Owner: &one}
			c.Look(&a, &miss, second)
			c.Join(&a, &miss)
			c.Look(&b, &miss, second)
			c.Join(&b, &miss)
			one.woken = one.woken[:0]
			c.Failed(&a)
		},
		"an unsafe method": func() { c.Invalidate("up", q.Host, conditional.Target[:0], nil) },
	} {
		f()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}

// BenchmarkHit looks for 1 … 10,000 answers in turn, each as a browser asks for it.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			c := New(Rules{}.Filled())
			var all []*Request
			for i := range n {
				all = append(all, get(fmt.Sprintf("/some/path/%d", i), typical))
				ask(c, all[i], answer, "body", 0)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				var a Ask
				if f := c.Look(&a, all[i], second); f.Status != Hit {
					b.Fatal(f.Status)
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkStore is a miss, with the answer stored in a full cache and another evicted for it.
func BenchmarkStore(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			c := New(Rules{Bytes: 4 << 20}.Filled())
			body, head := make([]byte, size), lines(answer)
			q := get("/", typical)
			target := []byte("/some/path/00000000")
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				for n, at := i, len(target)-1; n > 0; n, at = n/10, at-1 {
					target[at] = byte('0' + n%10)
				}
				q.Target = target
				var a Ask
				c.Look(&a, q, 0)
				c.Join(&a, q)
				if !c.Begin(&a, q, 200, head, int64(size), wall0, 0, 0) || !c.Add(&a, q, body, 0) {
					b.Fatal("not stored")
				}
				c.Commit(&a)
				c.Leave(&a)
			}
		})
	}
}

// BenchmarkCollapse is one of 10,000 requests that miss together, waiting and waking included.
func BenchmarkCollapse(b *testing.B) {
	const n = 10_000
	q := get("/", typical)
	all := make([]client, n)
	b.ReportAllocs()
	for b.Loop() {
		c := New(Rules{}.Filled())
		for i := range all {
			all[i] = client{q: q, woken: all[i].woken[:0]}
			all[i].arrive(c, 0)
		}
		upstream(c, &all[0].Ask, q, 200, answer, "body", 0)
		for i := range all {
			c.Look(&all[i].Ask, q, 0)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/request")
}
