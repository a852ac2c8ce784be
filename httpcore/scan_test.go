package httpcore

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestClasses holds the table against the grammars, written in another way.
func TestClasses(t *testing.T) {
	alnum := func(c byte) bool {
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for c := range 256 {
		c := byte(c)
		for _, class := range []struct {
			name string
			bit  uint8
			want bool
		}{
			// RFC 9110 §5.6.2: VCHAR except delimiters.
			{"token", tokenByte, c > ' ' && c < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(c))},
			{"value", valueByte, c >= ' ' && c != 0x7f || c == '\t'},
			// RFC 3986 §3.3: VCHAR except what is neither unreserved, sub-delim, ":", "@" nor "/".
			{"path", pathByte, c > ' ' && c < 0x7f && !strings.ContainsRune("\"#%<>?[\\]^`{|}", rune(c))},
			{"query", queryByte, c > ' ' && c < 0x7f && !strings.ContainsRune("\"#%<>[\\]^`{|}", rune(c))},
			{"host", hostByte, c > ' ' && c < 0x7f && !strings.ContainsRune("\"#%/:<>?@[\\]^`{|}", rune(c))},
			{"hex", hexByte, alnum(c) && c|0x20 <= 'f' || '0' <= c && c <= '9'},
			{"digit", digitByte, '0' <= c && c <= '9'},
		} {
			if got := classOf(c, class.bit); got != class.want {
				t.Errorf("%q is %s: %v", c, class.name, got)
			}
		}
	}
}

func classOf(c, bit byte) bool { return scanClass([]byte{c}, 0, bit) == 1 }

// TestScanValue puts every byte at every place of a word, next to bytes whose borrow or carry could hide or invent one.
func TestScanValue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	neighbours := []byte{0, '\t', ' ', '!', 'a', '~', 0x7f, 0x80, 0xff}
	for range 200000 {
		b := make([]byte, 1+random.IntN(24))
		for i := range b {
			b[i] = neighbours[random.IntN(len(neighbours))]
			if random.IntN(4) == 0 {
				b[i] = byte(random.IntN(256))
			}
		}
		from := random.IntN(len(b) + 1)
		if got, want := scanValue(b, from), scanClass(b, from, valueByte); got != want {
			t.Fatalf("%q from %d: %d, want %d", b, from, got, want)
		}
	}
}

// TestScanSet puts every byte at every place of what is looked up at one time.
func TestScanSet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		b := make([]byte, 1+random.IntN(40))
		for i := range b {
			b[i] = 'a'
			if random.IntN(16) == 0 {
				b[i] = byte(random.IntN(256))
			}
		}
		from := random.IntN(len(b) + 1)
		for _, c := range []uint8{tokenByte, pathByte, queryByte, hostByte} {
			if got, want := scanSet(b, from, c), scanClass(b, from, c); got != want {
				t.Fatalf("class %d in %q from %d: %d, want %d", c, b, from, got, want)
			}
		}
		if got, want := scanValue(b, from), scanClass(b, from, valueByte); got != want {
			t.Fatalf("value %q from %d: %d, want %d", b, from, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for c := range 128 {
		if in := "chun" + string(rune(c)) + "ed"; c >= ' ' && isWord([]byte(in), "chunked") != strings.EqualFold(in, "chunked") {
			t.Errorf("isWord(%q) is wrong", in)
		}
		for _, d := range "akK^~@`-\r" {
			a, b := string(rune(c)), string(d)
			if equalFold([]byte(a), b) != strings.EqualFold(a, b) {
				t.Errorf("equalFold(%q, %q) is wrong", a, b)
			}
		}
	}
}
