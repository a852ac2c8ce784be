package servers

import "testing"

func TestCountHeads(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int
	}{
		{"", 0},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1},
		{"a\r\n\r\nb\r\n\r\nc", 2},
		{"\r\n\r\n\r\n\r\n", 2},
		{"\r\n\r\n\r\n", 1},
		{"\r\r\n\r\n", 1},
		{"\r\n\r\r\n\r\n", 1},
		{"\n\r\n\r", 0},
		{"\r\n\n\r\n\r\n", 1},
		{"a\rb\r\n\r\n", 1},
	} {
		for split := range len(c.in) + 1 {
			var m uint8
			n := countHeads([]byte(c.in[:split]), &m)
			n += countHeads([]byte(c.in[split:]), &m)
			if n != c.want {
				t.Errorf("%q split at %d has %d heads, want %d", c.in, split, n, c.want)
			}
		}
	}
}
