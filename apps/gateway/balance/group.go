package balance

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// Method is how a group chooses.
type Method uint8

// The methods, see the package's documentation.
const (
	RoundRobin Method = iota
	Weighted
	LeastConnections
	PeakEWMA
	Adaptive
)

// Methods names the methods as configurations do.
var Methods = map[string]Method{
	"round-robin": RoundRobin, "weighted": Weighted, "least-connections": LeastConnections, "peak-ewma": PeakEWMA, "adaptive": Adaptive,
}

// Member is an endpoint in a group. Weight is at least 1; RoundRobin does not heed it.
type Member struct {
	*Endpoint
	Weight int
}

// Group is a set of endpoints, of which one is chosen for each request. It belongs to the owner of its shard.
type Group struct {
	method Method
	slow   int64 // SlowStart
	random rand.PCG
	all    []member
	live   []int32 // those that are up, in their order
	turn   int     // of RoundRobin, in live
	ramp   int64   // until when some weight still grows
	second int64   // of Adaptive's weights
}

type member struct {
	*Endpoint
	weight  int64 // as configured, times scale
	now     int64 // as it is now
	current int64 // what smooth weighted round robin has given it
	since   int64 // when it came up
	up      bool
}

const (
	// scale is what weights are counted in, so that a small one can still grow and shrink in steps.
	scale = 1000
	// floor is the least part of its weight that an endpoint keeps: it must be asked to show that it is better.
	floor = 20
	// firstShare is the part of its weight that a slow start begins with.
	firstShare = 10
)

// New returns a group of members that are all up and have been for long. Seed is for those methods that choose at random.
func New(m Method, slowStart time.Duration, members []Member, seed uint64) *Group {
	g := &Group{method: m, slow: int64(slowStart), all: make([]member, len(members)), live: make([]int32, len(members)), second: -1}
	g.random.Seed(seed, 0x9e3779b97f4a7c15)
	for i, e := range members {
		w := int64(e.Weight) * scale
		if m == RoundRobin {
			w = scale
		}
		g.all[i] = member{Endpoint: e.Endpoint, weight: w, now: w, up: true}
		g.live[i] = int32(i)
	}
	return g
}

// Set says whether member i may be chosen. One that comes up begins slowly. Saying it again changes nothing.
func (g *Group) Set(i int, up bool, now int64) {
	e := &g.all[i]
	if e.up == up {
		return
	}
	e.up, e.current = up, 0
	g.live = g.live[:0]
	for j := range g.all {
		if g.all[j].up {
			g.live = append(g.live, int32(j))
		}
	}
	if up && len(g.live) > 1 {
		g.Warm(i, now)
	}
}

// Warm has member i begin slowly: it came back, or is new among others that are not.
func (g *Group) Warm(i int, now int64) {
	if g.slow > 0 {
		g.all[i].since = now
		g.ramp = now + g.slow
	}
}

// Up reports whether member i may be chosen, and Live how many may.
func (g *Group) Up(i int) bool { return g.all[i].up }

// Live is the number of members that may be chosen.
func (g *Group) Live() int { return len(g.live) }

// Pick returns the member to ask, one that was not tried where there is any; -1 if none is up. It does not Begin.
func (g *Group) Pick(now int64, tried *Tried) int {
	live := g.live
	if tried.n > 0 {
		var others [maxLive]int32
		if rest := tried.without(live, others[:0]); len(rest) > 0 {
			live = rest
		}
	}
	switch len(live) {
	case 0:
		return -1
	case 1:
		return int(live[0])
	}
	if now < g.ramp || g.method == Adaptive {
		g.weigh(now)
	} else if g.ramp != 0 {
		g.ramp = 0
		g.settle()
	}
	switch g.method {
	case RoundRobin:
		if g.ramp == 0 {
			return g.next(live)
		}
	case LeastConnections:
		return g.least(live)
	case PeakEWMA:
		return g.better(live, now)
	}
	return g.smooth(live)
}

// maxLive bounds how many endpoints a second attempt chooses among without taking memory.
const maxLive = 64

// next is plain round robin.
func (g *Group) next(live []int32) int {
	if g.turn++; g.turn >= len(live) {
		g.turn = 0
	}
	return int(live[g.turn])
}

// smooth is a turn of nginx's smooth weighted round robin.
func (g *Group) smooth(live []int32) int {
	best, sum := &g.all[live[0]], int64(0)
	at := live[0]
	for _, i := range live {
		e := &g.all[i]
		e.current += e.now
		sum += e.now
		if e.current > best.current {
			best, at = e, i
		}
	}
	best.current -= sum
	return int(at)
}

// least chooses the fewest requests for the weight, and those that tie in turn.
func (g *Group) least(live []int32) int {
	best := &g.all[live[0]]
	ties := 1
	for _, i := range live[1:] {
		e := &g.all[i]
		switch a, b := e.busy*best.now, best.busy*e.now; {
		case a < b:
			best, ties = e, 1
		case a == b:
			ties++
		}
	}
	if ties == 1 {
		for _, i := range live {
			if &g.all[i] == best {
				return int(i)
			}
		}
	}
	var chosen *member
	at, sum := int32(0), int64(0)
	for _, i := range live {
		e := &g.all[i]
		if e.busy*best.now != best.busy*e.now {
			continue
		}
		e.current += e.now
		sum += e.now
		if chosen == nil || e.current > chosen.current {
			chosen, at = e, i
		}
	}
	chosen.current -= sum
	return int(at)
}

// better takes two at random and chooses the one with less load for its weight.
func (g *Group) better(live []int32, now int64) int {
	r := g.random.Uint64()
	n := uint64(len(live))
	a, _ := bits.Mul64(r<<32, n) // the low half, scaled to n
	b, _ := bits.Mul64(r&^(1<<32-1), n-1)
	if b >= a {
		b++
	}
	x, y := &g.all[live[a]], &g.all[live[b]]
	if y.load(now)*float64(x.now) < x.load(now)*float64(y.now) {
		a = b
	}
	return int(live[a])
}

// weigh computes the weights as they are now.
func (g *Group) weigh(now int64) {
	if g.method == Adaptive {
		second := now / int64(time.Second)
		if second == g.second && now >= g.ramp {
			return
		}
		g.second = second
		g.settle()
		g.adapt(now)
	} else {
		g.settle()
	}
	for _, i := range g.live {
		e := &g.all[i]
		if e.since == 0 || now-e.since >= g.slow {
			continue
		}
		share := max(float64(now-e.since)/float64(g.slow), 1.0/firstShare)
		e.now = max(1, int64(float64(e.now)*share))
	}
}

// settle sets the weights to those configured.
func (g *Group) settle() {
	for i := range g.all {
		g.all[i].now = g.all[i].weight
	}
}

// adapt lowers weights by what happened lately.
func (g *Group) adapt(now int64) {
	sum, known := 0.0, 0
	for _, i := range g.live {
		e := &g.all[i]
		e.roll(now)
		if e.slow > 0 {
			sum += e.slow
			known++
		}
	}
	for _, i := range g.live {
		e := &g.all[i]
		w := float64(e.weight) * (1 - e.badness)
		if mean := sum / float64(max(known, 1)); e.slow > mean {
			w *= mean / e.slow
		}
		e.now = max(int64(w), e.weight/floor)
	}
}

// Tried is which members a request has tried. The zero Tried is none.
type Tried struct {
	n  int
	at [maxTried]int32
}

// maxTried bounds how many a request remembers; of more attempts the first are forgotten.
const maxTried = 8

// Add notes that member i was tried.
func (t *Tried) Add(i int) {
	t.at[t.n%maxTried] = int32(i)
	t.n++
}

// Has reports whether member i was tried.
func (t *Tried) Has(i int) bool {
	for _, at := range t.at[:min(t.n, maxTried)] {
		if at == int32(i) {
			return true
		}
	}
	return false
}

// without appends those of live that were not tried to dst.
func (t *Tried) without(live, dst []int32) []int32 {
	for _, i := range live {
		if !t.Has(int(i)) {
			dst = append(dst, i)
		}
	}
	return dst
}
