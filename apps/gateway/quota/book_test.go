package quota

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func name(i int) []byte { return fmt.Appendf(nil, "key-%d", i) }

// TestThrash: a table far too small gives no key more than a table without bounds would have.
func TestThrash(t *testing.T) {
	for _, kind := range []Kind{Bucket, Window} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 7))
			p := policy(t, kind, 5, time.Second, 5, 0)
			b := NewBook(8, nil)
			exact := map[int]word{}
			now, admitted := start, 0
			for range 20_000 {
				now += r.Int64N(int64(20 * time.Millisecond))
				k := r.IntN(100)
				if r.IntN(3) == 0 {
					k = r.IntN(4) // some often
				}
				got, _ := b.Take(p, b.Key(name(k)), nil, now, 1)
				if got == 0 {
					continue
				}
				admitted++
				// What is admitted here is admitted by the exact one, which counts just that.
				after, ok := p.take(exact[k], now, 1)
				if ok == 0 {
					t.Fatalf("kind %d, seed %d: key %d got more than its limit", kind, seed, k)
				}
				exact[k] = after
			}
			if admitted < 100 {
				t.Errorf("kind %d, seed %d: %d admitted in all", kind, seed, admitted)
			}
		}
	}
}

// TestRoomForAll: as many keys as were asked for have a place each, nearly all of them: none waits for another.
func TestRoomForAll(t *testing.T) {
	p := policy(t, Bucket, 1, time.Minute, 1, 0)
	const n = 100_000
	b := NewBook(n, nil)
	refused := 0
	for i := range n {
		if got, _ := b.Take(p, b.Key(name(i)), nil, start, 1); got == 0 {
			refused++
		}
	}
	if refused > n/20 {
		t.Errorf("%d of %d keys had no place of their own", refused, n)
	}
	again := 0
	for i := range n {
		got, _ := b.Take(p, b.Key(name(i)), nil, start, 1)
		again += int(got)
	}
	if again > 0 {
		t.Errorf("%d keys got a second token", again)
	}
}

// TestConcurrent: what many goroutines take of the same keys at once is the burst of each, and not one token more.
func TestConcurrent(t *testing.T) {
	for _, kind := range []Kind{Bucket, Window} {
		p := policy(t, kind, 50, time.Hour, 50, 0)
		const keys, users = 500, 4
		b := NewBook(4*keys, nil)
		var taken [keys]atomic.Int64
		var wait sync.WaitGroup
		for range users {
			wait.Go(func() {
				for range 30 {
					for k := range keys {
						got, _ := b.Take(p, b.Key(name(k)), nil, start, 1)
						taken[k].Add(got)
					}
				}
			})
		}
		wait.Wait()
		for k := range taken {
			if n := taken[k].Load(); n != 50 {
				t.Errorf("kind %d: key %d got %d of 50", kind, k, n)
			}
		}
	}
}

// TestConcurrentThrash: the same in a table that is too small for the keys; then it may be less.
func TestConcurrentThrash(t *testing.T) {
	p := policy(t, Bucket, 10, time.Hour, 10, 0)
	const keys, users = 200, 4
	b := NewBook(16, nil)
	var taken [keys]atomic.Int64
	var wait sync.WaitGroup
	for u := range users {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(u), 1))
			for range 20_000 {
				k := r.IntN(keys)
				got, _ := b.Take(p, b.Key(name(k)), nil, start, 1)
				taken[k].Add(got)
			}
		})
	}
	wait.Wait()
	for k := range taken {
		if n := taken[k].Load(); n > 10 {
			t.Errorf("key %d got %d of 10", k, n)
		}
	}
}

// TestLeasedOverload offers ten times the limit to several shards in simulated time: what all admit is the limit within
// 0.1 %, and in no stretch of time more than the bound that doc.go gives.
func TestLeasedOverload(t *testing.T) {
	for _, kind := range []Kind{Bucket, Window} {
		for _, shards := range []int{1, 2, 4} {
			for _, limit := range []int64{100, 2000, 50_000} {
				p := policy(t, kind, limit, time.Second, 100, 20*time.Millisecond)
				b := NewBook(100, nil)
				var leases []*Leases
				for range shards {
					leases = append(leases, NewLeases(b, shards, 64))
				}
				key, seconds := b.Key([]byte("all")), int64(8)
				n := limit * 10 * seconds
				r := rand.New(rand.NewPCG(5, uint64(limit)))
				var times []int64
				for i := range n {
					now := start + i*int64(time.Second)/(limit*10)
					if leases[r.IntN(shards)].Take(p, key, nil, now) {
						times = append(times, now)
					}
				}
				want := float64(limit * seconds)
				if got := float64(len(times)); got > want*1.001+float64(p.Burst) || got < want*0.999 {
					t.Errorf("kind %d, %d shards: %d admitted in %d s at %d a second", kind, shards, len(times), seconds, limit)
				}
				if kind == Bucket {
					bound(t, p, shards, times)
				}
			}
		}
	}
}

// bound holds what was admitted against what a bucket may at most, leases included.
func bound(t *testing.T, p *Policy, shards int, times []int64) {
	t.Helper()
	late := min(float64(p.Limit)*float64(p.Interval)/float64(p.Period), float64(shards*MaxBatch))
	for i := 0; i < len(times); i += 1 + len(times)/3000 {
		for j := i; j < len(times); j += 1 + len(times)/300 {
			most := float64(p.Burst) + float64(times[j]-times[i])*float64(p.Limit)*1.0001/float64(p.Period) + late
			if got := float64(j - i + 1); got > most+1 {
				t.Fatalf("%v in %v, at most %v may be", got, time.Duration(times[j]-times[i]), most)
			}
		}
	}
}

// TestLargestOvershoot has shards do their worst: each gathers the largest lease, waits, and gives it out with all that can
// be had a moment before it ends.
func TestLargestOvershoot(t *testing.T) {
	const shards = 4
	p := policy(t, Bucket, 10_000, time.Second, 100, 20*time.Millisecond)
	b := NewBook(100, nil)
	key, now := b.Key([]byte("all")), start
	var leases []*Leases
	for range shards {
		leases = append(leases, NewLeases(b, shards, 64))
	}
	var times []int64
	take := func(s int) bool {
		if leases[s].Take(p, key, nil, now) {
			times = append(times, now)
			return true
		}
		return false
	}
	r := rand.New(rand.NewPCG(9, 9))
	held := int64(0)
	for range 1000 {
		switch r.IntN(3) {
		case 0: // a while of steady use, so that batches grow
			for range 1000 {
				take(r.IntN(shards))
				now += int64(110 * time.Microsecond)
			}
		case 1: // nearly an interval of silence, then everything
			now += int64(p.Interval) - int64(time.Millisecond)
			for s := range shards {
				for take(s) {
				}
			}
		case 2:
			now += r.Int64N(int64(p.Interval))
		}
		sum := int64(0)
		for _, l := range leases {
			if e := l.find(key); e != nil {
				sum += e.left
			}
		}
		held = max(held, sum)
	}
	if held < 50 {
		t.Errorf("the shards never held more than %d tokens: this is not their worst", held)
	}
	bound(t, p, shards, times)
}

// TestIdleShard: what a shard leased and does not use is not lost to the others for longer than an interval.
func TestIdleShard(t *testing.T) {
	p := policy(t, Bucket, 1000, time.Second, 1000, 100*time.Millisecond)
	b := NewBook(100, nil)
	quiet, busy := NewLeases(b, 2, 64), NewLeases(b, 2, 64)
	key, now := b.Key([]byte("all")), start
	for range 300 { // the quiet one was busy once
		quiet.Take(p, key, nil, now)
		now += 10_000
	}
	admitted, seconds := 0, 20
	for i := range seconds * 10_000 {
		now += int64(100 * time.Microsecond)
		if busy.Take(p, key, nil, now) {
			admitted++
		}
		if i%2500 == 0 && quiet.Take(p, key, nil, now) {
			admitted++
		}
	}
	if want := float64(seconds*1000) * 0.99; float64(admitted) < want {
		t.Errorf("%d admitted of %.0f: the quiet shard keeps tokens from the busy one", admitted, want)
	}
	small := NewLeases(b, 1, 4) // leases that are evicted go back as well
	for i := range 1000 {
		small.Take(p, b.Key(name(i)), name(i), now)
	}
}

// TestTallies: what the journal says is what was taken, though keys come and go in a table that is too small.
func TestTallies(t *testing.T) {
	p := policy(t, Bucket, 1000, time.Second, 1000, 10*time.Millisecond)
	j := NewJournal(10_000)
	b := NewBook(16, j)
	const users, keys = 4, 60
	var taken, noted [keys]atomic.Int64
	var wait sync.WaitGroup
	for u := range users {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(u), 3))
			now := start
			for range 20_000 {
				now += 1000
				k := r.IntN(keys)
				got, _ := b.Take(p, b.Key(name(k)), name(k), now, 3)
				taken[k].Add(got)
				if got > 1 {
					b.Refund(p, b.Key(name(k)), name(k), now, now, 1)
					taken[k].Add(-1)
				}
			}
		})
	}
	stop := make(chan struct{})
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		var all []*Tally
		count := func(t *Tally, n int64) {
			var k int
			fmt.Sscanf(t.Name, "key-%d", &k)
			noted[k].Add(n)
		}
		for last := false; !last; {
			select {
			case <-stop:
				last = true
			default:
			}
			j.Fresh(func(t *Tally) { all = append(all, t) })
			for i, t := range all {
				n, _ := t.Collect()
				count(t, n)
				if i == 0 && !last { // one is let go each time
					count(t, j.Done(t))
				}
			}
			if len(all) > 0 && !last {
				all = all[1:]
			}
		}
	}()
	wait.Wait()
	close(stop)
	<-collected
	if j.Lost() != 0 {
		t.Errorf("%d were lost", j.Lost())
	}
	for k := range taken {
		if n, m := taken[k].Load(), noted[k].Load(); n != m {
			t.Errorf("key %d took %d, noted are %d", k, n, m)
		}
	}
	full := NewBook(16, NewJournal(1))
	for k := range 3 {
		full.Take(p, full.Key(name(k)), name(k), start, 2)
	}
	if n := full.journal.Lost(); n != 4 {
		t.Errorf("of three keys one has a tally: %d tokens of the others are counted as lost, want 4", n)
	}
}

func TestAllocates(t *testing.T) {
	p := policy(t, Bucket, 1000, time.Second, 1000, 10*time.Millisecond)
	b := NewBook(100, nil)
	l := NewLeases(b, 1, 16)
	alice, now := []byte("alice"), start
	if n := testing.AllocsPerRun(1000, func() {
		now += 100_000
		l.Take(p, b.Key(alice), alice, now)
		l.Left(p, b.Key(alice), now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLeased(b *testing.B) {
	p, err := NewPolicy(Bucket, 1_000_000, time.Second, 1_000_000, 10*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	book := NewBook(100_000, nil)
	l := NewLeases(book, 2, 10_000)
	alice, now := []byte("alice"), start
	b.ReportAllocs()
	for b.Loop() {
		now += 2000
		if !l.Take(&p, book.Key(alice), alice, now) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkRefused(b *testing.B) {
	p, err := NewPolicy(Bucket, 1, time.Hour, 1, 10*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	book := NewBook(100_000, nil)
	l := NewLeases(book, 2, 10_000)
	alice := []byte("alice")
	l.Take(&p, book.Key(alice), alice, start)
	b.ReportAllocs()
	for b.Loop() {
		if l.Take(&p, book.Key(alice), alice, start) {
			b.Fatal("admitted")
		}
	}
}

// BenchmarkUnleased goes to the book each time, as a limit of a few a second does.
func BenchmarkUnleased(b *testing.B) {
	for _, kind := range []Kind{Bucket, Window} {
		b.Run(map[Kind]string{Bucket: "bucket", Window: "window"}[kind], func(b *testing.B) {
			p, err := NewPolicy(kind, 1_000_000, time.Second, 1_000_000, 0)
			if err != nil {
				b.Fatal(err)
			}
			book := NewBook(100_000, nil)
			alice, now := []byte("alice"), start
			b.ReportAllocs()
			for b.Loop() {
				now += 2000
				if got, _ := book.Take(&p, book.Key(alice), alice, now, 1); got == 0 {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkManyKeys has as many keys as the book was made for.
func BenchmarkManyKeys(b *testing.B) {
	p, err := NewPolicy(Bucket, 100, time.Second, 1000, 10*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	book := NewBook(n, nil)
	l := NewLeases(book, 2, n)
	var names [n][]byte
	for i := range names {
		names[i] = name(i)
	}
	now := start
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now += 1000
		k := names[i*7919%n]
		l.Take(&p, book.Key(k), k, now)
	}
}

// BenchmarkShared has all CPUs take of one key.
func BenchmarkShared(b *testing.B) {
	p, err := NewPolicy(Bucket, 1_000_000, time.Second, 1_000_000, 10*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	book := NewBook(100_000, nil)
	alice := []byte("alice")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		l, now := NewLeases(book, 2, 10_000), start
		for pb.Next() {
			now += 2000
			l.Take(&p, book.Key(alice), alice, now)
		}
	})
}
