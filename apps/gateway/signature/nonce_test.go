package signature

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestNonceRemembered(t *testing.T) {
	n := NewNonces(100, now)
	for _, c := range []struct {
		nonce      string
		until, now int64
		want       Refusal
	}{
		{"a", nowS + 10, nowS, 0}, {"a", nowS + 10, nowS, Replayed}, {"b", nowS + 10, nowS, 0},
		{"a", nowS + 20, nowS + 10, Replayed}, {"a", nowS + 20, nowS + 11, 0}, {"a", nowS + 20, nowS + 11, Replayed},
	} {
		if why := n.use([]byte(c.nonce), c.until, c.now); why != c.want {
			t.Errorf("%s at %d: %v, want %v", c.nonce, c.now-nowS, why, c.want)
		}
	}
}

// TestNoncesFull fills the memory far over: what was taken is never forgotten, what finds no room is refused, and there is
// room again when the time is over.
func TestNoncesFull(t *testing.T) {
	const room = 10_000
	n := NewNonces(room, now)
	id := func(i int) []byte { return fmt.Appendf(nil, "nonce-%d", i) }
	for i := range room {
		if why := n.use(id(i), nowS+60, nowS); why != 0 {
			t.Fatalf("nonce %d of %d finds no room: %v", i, room, why)
		}
	}
	full := 0
	for i := room; i < 10*room; i++ {
		if n.use(id(i), nowS+60, nowS) == Full {
			full++
		}
	}
	if full < 7*room {
		t.Errorf("of %d more, %d were refused", 9*room, full)
	}
	for i := range room {
		if why := n.use(id(i), nowS+60, nowS+60); why != Replayed {
			t.Fatalf("nonce %d is forgotten: %v", i, why)
		}
	}
	for i := range room {
		if why := n.use(id(i), nowS+121, nowS+61); why != 0 {
			t.Fatalf("nonce %d, when its time is over: %v", i, why)
		}
	}
}

// TestNonceOnce has many goroutines use the same nonces at once: each is taken once at most, whatever clock they have.
func TestNonceOnce(t *testing.T) {
	n := NewNonces(4000, now)
	var stale [4000]byte
	for i := range stale { // places that are free for some of them only
		n.use(binary.LittleEndian.AppendUint32(nil, uint32(i)), nowS+int64(i%3), nowS)
	}
	const nonces, users = 2000, 4
	var taken [nonces]atomic.Int32
	var wait sync.WaitGroup
	for u := range users {
		wait.Go(func() {
			for i := range nonces {
				if n.use(fmt.Appendf(nil, "n%d", i), nowS+100, nowS+int64(u%3)) == 0 {
					taken[i].Add(1)
				}
			}
		})
	}
	wait.Wait()
	none := 0
	for i := range taken {
		switch taken[i].Load() {
		case 0:
			none++
		case 1:
		default:
			t.Errorf("nonce %d was taken %d times", i, taken[i].Load())
		}
	}
	if none > nonces/10 {
		t.Errorf("%d of %d were taken by nobody", none, nonces)
	}
}

func BenchmarkNonce(b *testing.B) {
	n := NewNonces(1<<16, now)
	var nonce [16]byte
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		binary.LittleEndian.PutUint64(nonce[:], i)
		at := nowS + int64(i>>15)
		if why := n.use(nonce[:], at, at); why != 0 {
			b.Fatal(why)
		}
	}
}
