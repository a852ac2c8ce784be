package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const (
	ms     = int64(time.Millisecond)
	second = int64(time.Second)
)

func group(m Method, slow time.Duration, weights ...int) *Group {
	var members []Member
	for _, w := range weights {
		members = append(members, Member{new(Endpoint), w})
	}
	return New(m, slow, members, 1)
}

// picks chooses n times and counts; letters are the sequence.
func picks(g *Group, n int, now int64) (counts []int, letters string) {
	counts = make([]int, len(g.all))
	sequence := make([]byte, n)
	for k := range n {
		i := g.Pick(now, &Tried{})
		counts[i]++
		sequence[k] = byte('a' + i)
	}
	return counts, string(sequence)
}

func TestSequence(t *testing.T) {
	for _, c := range []struct {
		method  Method
		weights []int
		want    string
	}{
		{Weighted, []int{5, 1, 1}, "aabacaa"}, // the example of nginx's commit
		{Weighted, []int{1, 1, 1}, "abc"},
		{Weighted, []int{4, 2, 1}, "abacaba"},
		{Weighted, []int{7}, "a"},
		{Weighted, []int{3, 2}, "ababa"},
		{RoundRobin, []int{9, 1, 1}, "bca"}, // weights are not heeded
		{Adaptive, []int{5, 1, 1}, "aabacaa"},
		{LeastConnections, []int{5, 1, 1}, "aabacaa"}, // none is busy: all tie
	} {
		g := group(c.method, 0, c.weights...)
		if _, got := picks(g, 3*len(c.want), 0); got != strings.Repeat(c.want, 3) {
			t.Errorf("%d of weights %v: %s, want %s", c.method, c.weights, got, c.want)
		}
	}
}

// TestExact: in any sum-of-weights turns of a cycle each is chosen exactly weight times, whatever the weights.
func TestExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		sum, weights := 0, make([]int, 1+random.IntN(12))
		for i := range weights {
			weights[i] = 1 + random.IntN(40)
			sum += weights[i]
		}
		g := group(Weighted, 0, weights...)
		for cycle := range 3 {
			if counts, _ := picks(g, sum, 0); fmt.Sprint(counts) != fmt.Sprint(weights) {
				t.Fatalf("cycle %d of %v: %v", cycle, weights, counts)
			}
		}
	}
}

func TestUpAndDown(t *testing.T) {
	for m := RoundRobin; m <= Adaptive; m++ {
		g := group(m, 0, 1, 1, 1)
		g.Set(1, false, 0)
		g.Set(1, false, 0)
		counts, _ := picks(g, 3000, 0)
		if counts[1] != 0 || g.Live() != 2 || g.Up(1) || !g.Up(0) {
			t.Errorf("%d: %v with the second down", m, counts)
		}
		if m != PeakEWMA && counts[0] != 1500 { // those left share what it would have had
			t.Errorf("%d: %v", m, counts)
		}
		g.Set(0, false, 0)
		g.Set(2, false, 0)
		if i := g.Pick(0, &Tried{}); i != -1 {
			t.Errorf("%d: %d of none", m, i)
		}
		g.Set(1, true, 0)
		if i := g.Pick(0, &Tried{}); i != 1 {
			t.Errorf("%d: %d, only 1 is up", m, i)
		}
	}
}

func TestTried(t *testing.T) {
	for m := RoundRobin; m <= Adaptive; m++ {
		g := group(m, 0, 10, 1, 1)
		for range 100 {
			var tried Tried
			seen := 0
			for range 3 {
				i := g.Pick(0, &tried)
				if tried.Has(i) {
					t.Fatalf("%d: %d was tried, and another was not", m, i)
				}
				tried.Add(i)
				seen |= 1 << i
			}
			if i := g.Pick(0, &tried); seen != 7 || i < 0 {
				t.Fatalf("%d: after all were tried %d", m, i)
			}
		}
	}
}

// TestLeast: whoever has the fewest requests for its weight gets the next.
func TestLeast(t *testing.T) {
	g := group(LeastConnections, 0, 4, 2, 1)
	for range 70 {
		g.all[g.Pick(0, &Tried{})].Begin()
	}
	for i, want := range []int{40, 20, 10} {
		if got := g.all[i].Busy(); got != want {
			t.Errorf("%d requests under way at %d, want %d", got, i, want)
		}
	}
	for range 10 {
		g.all[1].End(0, 1, true, true)
	}
	for range 10 {
		i := g.Pick(0, &Tried{})
		if i != 1 {
			t.Fatalf("%d is chosen while 1 has fewer", i)
		}
		g.all[i].Begin()
	}
}

// TestRandomIsEven: the two choices of PeakEWMA are even over all and over all pairs: chi-square at 1 in 10,000.
func TestRandomIsEven(t *testing.T) {
	const n = 7
	g := group(PeakEWMA, 0, 1, 1, 1, 1, 1, 1, 1)
	// Of endpoints that are all idle and unknown the first choice is taken.
	counts, _ := picks(g, 70_000, 0)
	if x := chiSquare(counts); x > 27.9 { // 6 degrees of freedom
		t.Errorf("chi-square of %v is %.1f", counts, x)
	}
	// With costs that fall from 0 to n-1, endpoint i is the better one in i of the n·(n-1)/2 pairs.
	for i := range g.all {
		g.all[i].cost = float64(1000 - i)
	}
	counts, _ = picks(g, 210_000, 0)
	x := 0.0
	for i, got := range counts {
		if i == 0 {
			if got != 0 {
				t.Errorf("the slowest is chosen %d times: two choices were one", got)
			}
			continue
		}
		want := 210_000 * float64(i) / (n * (n - 1) / 2)
		x += (float64(got) - want) * (float64(got) - want) / want
	}
	if x > 25.8 { // 5 degrees of freedom
		t.Errorf("chi-square of pairs %v is %.1f", counts, x)
	}
}

func chiSquare(counts []int) (x float64) {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	want := float64(sum) / float64(len(counts))
	for _, n := range counts {
		x += (float64(n) - want) * (float64(n) - want) / want
	}
	return x
}

// TestPeakEWMA: the cost goes up at once, and down by time alone.
func TestPeakEWMA(t *testing.T) {
	var e Endpoint
	tell := func(now, took int64, ok bool) {
		e.Begin()
		e.End(now, took, ok, true)
	}
	near := func(got, want float64) bool { return math.Abs(got-want) <= 1e-6*want }
	tell(0, 10*ms, true)
	if !near(e.load(0), float64(10*ms)) {
		t.Errorf("load %g after the first", e.load(0))
	}
	tell(0, 50*ms, true)
	if !near(e.load(0), float64(50*ms)) {
		t.Errorf("a peak of 50 ms is %g", e.load(0))
	}
	tell(0, 10*ms, true)
	if !near(e.load(0), float64(50*ms)) {
		t.Errorf("no time has passed, and the peak is %g", e.load(0))
	}
	tell(10*second, 10*ms, true)
	want := 50e6/math.E + 10e6*(1-1/math.E)
	if !near(e.load(10*second), want) {
		t.Errorf("ten seconds later: %g, want %g", e.load(10*second), want)
	}
	e.Begin()
	if !near(e.load(20*second), 2*want/math.E) {
		t.Errorf("with one under way, another ten seconds later: %g, want %g", e.load(20*second), 2*want/math.E)
	}
	e.End(20*second, 1, false, true)
	if !near(e.load(20*second), 1e9) {
		t.Errorf("a failure at once costs %g", e.load(20*second))
	}
	before := e.cost
	e.Begin()
	e.End(20*second, 1, false, false)
	if e.cost != before || e.busy != 0 {
		t.Errorf("what nothing is known of changed %g to %g", before, e.cost)
	}
	var fresh Endpoint
	fresh.Begin()
	if fresh.load(0) < 1e12 {
		t.Errorf("an unknown endpoint that is asked has the load %g", fresh.load(0))
	}
	for x := int64(0); x < 10*second/64; x += 7 * ms { // the short form of exp
		got, want := (&Endpoint{}).fade(x), math.Exp(-float64(x)/1e10)
		if math.Abs(got-want) > 1e-6 {
			t.Fatalf("%d ns fade to %g, want %g", x, got, want)
		}
	}
}

// simulate sends requests at a rate to endpoints that serve one at a time, each in its own time, and counts them.
func simulate(g *Group, service []int64, requests int, gap int64) (counts []int, worst int64) {
	type pending struct {
		i           int
		begin, done int64
	}
	free := make([]int64, len(service))
	counts = make([]int, len(service))
	var flying []pending
	for n := range requests {
		now := int64(n) * gap
		rest := flying[:0]
		for _, p := range flying {
			if p.done <= now {
				g.all[p.i].End(p.done, p.done-p.begin, true, true)
			} else {
				rest = append(rest, p)
			}
		}
		flying = rest
		i := g.Pick(now, &Tried{})
		g.all[i].Begin()
		counts[i]++
		done := max(now, free[i]) + service[i]
		free[i] = done
		worst = max(worst, done-now)
		flying = append(flying, pending{i, now, done})
	}
	return counts, worst
}

// TestSlowEndpoint: one of four is ten times as slow. Those methods that look avoid it; round robin drowns in it.
func TestSlowEndpoint(t *testing.T) {
	service := []int64{ms, ms, 10 * ms, ms}
	_, blind := simulate(group(RoundRobin, 0, 1, 1, 1, 1), service, 20_000, ms/2)
	for _, m := range []Method{LeastConnections, PeakEWMA} {
		counts, worst := simulate(group(m, 0, 1, 1, 1, 1), service, 20_000, ms/2)
		if counts[2] > 2000 || worst > 60*ms || worst*10 > blind {
			t.Errorf("%d: %v, %d ms at worst; round robin %d ms", m, counts, worst/ms, blind/ms)
		}
	}
	counts, worst := simulate(group(Adaptive, 0, 1, 1, 1, 1), service, 40_000, ms/2)
	if counts[2]*10 > counts[0]*4 || worst*2 > blind {
		t.Errorf("adaptive: %v, %d ms at worst; round robin %d ms", counts, worst/ms, blind/ms)
	}
}

// TestAdaptive holds the weights against the formula.
func TestAdaptive(t *testing.T) {
	g := group(Adaptive, 0, 10, 10, 20)
	for now := int64(0); now < 60*second; now += 100 * ms {
		for i, took := range []int64{10 * ms, 20 * ms, 30 * ms} {
			g.all[i].Begin()
			g.all[i].End(now, took, i != 0 || now/(100*ms)%2 == 0, true)
		}
		g.Pick(now, &Tried{})
	}
	g.Pick(60*second, &Tried{})
	for i, want := range []float64{10 * (1 - 0.5), 10, 20 * 20.0 / 30} {
		if got := float64(g.all[i].now) / scale; math.Abs(got-want) > 0.01 {
			t.Errorf("weight of %d is %g, want %g", i, got, want)
		}
	}
	// The first fails all the time now, and keeps a twentieth. Then it is not asked, and recovers.
	for now := 60 * second; now < 120*second; now += 100 * ms {
		g.all[0].Begin()
		g.all[0].End(now, 10*ms, false, true)
	}
	g.Pick(120*second, &Tried{})
	if got := g.all[0].now; got != 10*scale/floor {
		t.Errorf("all requests fail, and it has %d", got)
	}
	g.Pick(180*second, &Tried{})
	if got := g.all[0].now; got < 99*scale/10 {
		t.Errorf("a minute without a failure, and it has %d", got)
	}
}

// TestSlowStart: one that comes back gets a tenth of its share, then ever more, and all of it in the end.
func TestSlowStart(t *testing.T) {
	for _, m := range []Method{RoundRobin, Weighted, Adaptive} {
		g := group(m, 10*time.Second, 1, 1)
		if counts, _ := picks(g, 100, second); counts[1] != 50 {
			t.Errorf("%d: before: %v", m, counts)
		}
		g.Set(1, false, 2*second)
		g.Set(1, true, 100*second)
		for _, c := range []struct {
			after int64
			want  float64 // times the weight
		}{{0, 0.1}, {500 * ms, 0.1}, {2 * second, 0.2}, {5 * second, 0.5}, {9 * second, 0.9}, {10 * second, 1}, {20 * second, 1}} {
			counts, _ := picks(g, 11_000, 100*second+c.after)
			want := 11_000 * c.want / (1 + c.want)
			if math.Abs(float64(counts[1])-want) > 2 {
				t.Errorf("%d: %d ms after: %v, want %.0f", m, c.after/ms, counts, want)
			}
		}
	}
	g := group(LeastConnections, 10*time.Second, 1, 1)
	g.Set(1, false, second)
	g.Set(1, true, 100*second)
	for range 110 {
		g.all[g.Pick(100*second, &Tried{})].Begin()
	}
	if g.all[1].Busy() != 10 {
		t.Errorf("least connections: %d of 110 under way at the one that came back", g.all[1].Busy())
	}
	g = group(PeakEWMA, 10*time.Second, 1, 1)
	for i := range g.all {
		g.all[i].cost, g.all[i].stamp = 1e6, 100*second
	}
	g.Set(1, false, second)
	g.Set(1, true, 100*second)
	for range 110 {
		g.all[g.Pick(100*second, &Tried{})].Begin()
	}
	if n := g.all[1].Busy(); n < 9 || n > 10 { // (1+busy)·cost ÷ weight evens out
		t.Errorf("peak-EWMA: %d of 110 under way at the one that came back", n)
	}
	g = group(Weighted, 10*time.Second, 1, 1) // the only one left has nobody to go slowly for
	g.Set(0, false, 0)
	g.Set(1, false, 0)
	g.Set(1, true, second)
	g.Set(0, true, 50*second)
	if counts, _ := picks(g, 110, 50*second); counts[0] != 10 {
		t.Errorf("after all were down: %v", counts)
	}
}

func TestAllocates(t *testing.T) {
	for m := RoundRobin; m <= Adaptive; m++ {
		g := group(m, time.Minute, 3, 2, 1, 1)
		g.Set(1, false, 0)
		g.Set(1, true, 1)
		now := int64(0)
		if n := testing.AllocsPerRun(1000, func() {
			now += 10 * ms
			var tried Tried
			tried.Add(g.Pick(now, &tried))
			i := g.Pick(now, &tried)
			g.all[i].Begin()
			g.all[i].End(now, ms, true, true)
			g.Set(2, now/ms/10%2 == 0, now)
		}); n != 0 {
			t.Errorf("%d: %.0f allocations", m, n)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for name, m := range Methods {
		for _, n := range []int{2, 8, 32} {
			b.Run(fmt.Sprintf("%s/endpoints=%d", name, n), func(b *testing.B) {
				weights := make([]int, n)
				for i := range weights {
					weights[i] = 1 + i%3
				}
				g := group(m, 0, weights...)
				now := int64(0)
				b.ReportAllocs()
				for b.Loop() {
					now += 10_000
					i := g.Pick(now, &Tried{})
					g.all[i].Begin()
					g.all[i].End(now, ms, true, true)
				}
			})
		}
	}
}

func ExampleGroup() {
	var a, b Endpoint
	g := New(Weighted, 0, []Member{{&a, 2}, {&b, 1}}, 1)
	for range 6 {
		fmt.Print(g.Pick(0, &Tried{}))
	}
	fmt.Println()
	// Output: 010010
}
