package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// client is a request that may wait.
type client struct {
	Ask
	q     *Request
	woken []Wake
}

func (c *client) Wake(w Wake) { c.woken = append(c.woken, w) }

// arrive looks and joins, and reports whether the client asks the upstream.
func (c *client) arrive(cache *Cache, now int64) bool {
	c.Owner = c
	f := cache.Look(&c.Ask, c.q, now)
	if f.Status != Miss && f.Status != Expired {
		return false
	}
	return f.Alone || cache.Join(&c.Ask, c.q)
}

// crowd has n requests for the same arrive, and returns those who ask the upstream.
func crowd(c *Cache, n int) (all []*client, asking []*client) {
	for range n {
		one := &client{q: get("/", "")}
		all = append(all, one)
		if one.arrive(c, 0) {
			asking = append(asking, one)
		}
	}
	return all, asking
}

// TestCollapse: ten thousand misses are one question.
func TestCollapse(t *testing.T) {
	const n = 10_000
	c := New(Rules{}.Filled())
	all, asking := crowd(c, n)
	if len(asking) != 1 {
		t.Fatalf("%d ask the upstream", len(asking))
	}
	upstream(c, &asking[0].Ask, asking[0].q, 200, "Cache-Control: max-age=10", "x", 0)
	for i, one := range all[1:] {
		if fmt.Sprint(one.woken) != fmt.Sprint([]Wake{Again}) || one.arrive(c, 0) || one.Waits() {
			t.Fatalf("%d: woken %v", i, one.woken)
		}
	}
	if c.Count.Looks[Hit] != n-1 || c.Count.Waited != n-1 || len(c.flights) != 0 {
		t.Errorf("%d hits, %d waited, %d flights", c.Count.Looks[Hit], c.Count.Waited, len(c.flights))
	}
}

// TestCollapseRefused: where the answer cannot be shared, all go on at once, and for a while nobody waits.
func TestCollapseRefused(t *testing.T) {
	c := New(Rules{}.Filled())
	all, asking := crowd(c, 100)
	upstream(c, &asking[0].Ask, asking[0].q, 200, "Cache-Control: private", "x", 0)
	for i, one := range all[1:] {
		if fmt.Sprint(one.woken) != fmt.Sprint([]Wake{Alone}) {
			t.Fatalf("%d: woken %v", i, one.woken)
		}
		upstream(c, &one.Ask, one.q, 200, "Cache-Control: private", "x", 0)
	}
	_, asking = crowd(c, 100)
	if len(asking) != 100 {
		t.Errorf("%d of 100 ask by themselves", len(asking))
	}
	// One of them is stored after all: the mark is gone.
	upstream(c, &asking[7].Ask, asking[7].q, 200, "Cache-Control: max-age=1", "x", 0)
	if _, asking = crowd(c, 10); len(asking) != 0 {
		t.Errorf("%d ask for what is stored", len(asking))
	}
	c = New(Rules{}.Filled())
	_, asking = crowd(c, 2)
	upstream(c, &asking[0].Ask, asking[0].q, 200, "Cache-Control: private", "x", 0)
	one := &client{q: get("/", "")}
	if f := c.Look(&one.Ask, one.q, c.rules.Alone+1); f.Alone || c.Len() != 0 {
		t.Errorf("the mark does not end: %+v", f)
	}
}

// TestCollapseFailed: a failure wakes all at once, and leaves no mark.
func TestCollapseFailed(t *testing.T) {
	c := New(Rules{}.Filled())
	all, asking := crowd(c, 100)
	c.Failed(&asking[0].Ask)
	c.Leave(&asking[0].Ask)
	for _, one := range all[1:] {
		if fmt.Sprint(one.woken) != fmt.Sprint([]Wake{Alone}) {
			t.Fatalf("woken %v", one.woken)
		}
	}
	if _, asking = crowd(c, 10); len(asking) != 1 || c.Len() != 0 {
		t.Errorf("after a failure %d ask, %d marks", len(asking), c.Len())
	}
}

// TestCollapseCancelled: the next one leads when the leader's client leaves, before the answer or in the middle of it.
func TestCollapseCancelled(t *testing.T) {
	c := New(Rules{}.Filled())
	all, _ := crowd(c, 5)
	c.Leave(&all[2].Ask) // one who waits
	c.Leave(&all[2].Ask)
	c.Leave(&all[0].Ask)
	if fmt.Sprint(all[1].woken) != fmt.Sprint([]Wake{Lead}) || len(all[3].woken)+len(all[2].woken) > 0 {
		t.Fatalf("woken: %v %v %v", all[1].woken, all[2].woken, all[3].woken)
	}
	c.Begin(&all[1].Ask, all[1].q, 200, lines("Cache-Control: max-age=10"), 2, wall0, 0, 0)
	c.Add(&all[1].Ask, all[1].q, []byte("x"), 0)
	c.Leave(&all[1].Ask)
	if fmt.Sprint(all[3].woken) != fmt.Sprint([]Wake{Lead}) || c.Len() != 0 || c.reserved != 0 {
		t.Fatalf("woken: %v, %d stored, %d reserved", all[3].woken, c.Len(), c.reserved)
	}
	upstream(c, &all[3].Ask, all[3].q, 200, "Cache-Control: max-age=10", "x", 0)
	if fmt.Sprint(all[4].woken) != fmt.Sprint([]Wake{Again}) {
		t.Errorf("woken: %v", all[4].woken)
	}
	all, asking := crowd(New(Rules{}.Filled()), 1)
	c.Leave(&asking[0].Ask) // nobody else
	c.Leave(&all[0].Ask)
}

// TestCollapseVariants: before the first answer nobody knows what selects variants. Who got the wrong one asks again, as one.
func TestCollapseVariants(t *testing.T) {
	c := New(Rules{}.Filled())
	var all []*client
	for i := range 300 {
		one := &client{q: get("/", fmt.Sprintf("Accept-Encoding: %d", i%3))}
		all = append(all, one)
		if one.arrive(c, 0) != (i == 0) {
			t.Fatalf("%d asks", i)
		}
	}
	const vary = "Cache-Control: max-age=10|Vary: Accept-Encoding"
	upstream(c, &all[0].Ask, all[0].q, 200, vary, "x", 0)
	var leaders []*client
	hits := 0
	for i, one := range all[1:] {
		f := c.Look(&one.Ask, one.q, 0)
		if f.Status == Hit {
			hits++
		} else if !one.MayRejoin() || one.MayRejoin() {
			t.Fatalf("%d may not join again exactly once", i)
		} else if c.Join(&one.Ask, one.q) {
			leaders = append(leaders, one)
		}
	}
	if hits != 99 || len(leaders) != 2 {
		t.Fatalf("%d hits and %d leaders", hits, len(leaders))
	}
	for _, one := range leaders {
		upstream(c, &one.Ask, one.q, 200, vary, "x", 0)
	}
	for i, one := range all[1:] {
		if f := c.Look(&one.Ask, one.q, 0); f.Status != Hit {
			t.Fatalf("%d: %s", i, f.Status)
		}
		c.Leave(&one.Ask)
	}
	if len(c.flights) != 0 {
		t.Errorf("%d flights", len(c.flights))
	}
}

// TestCollapseExpired: the waiters of a validation are woken by the 304. Who looks while it is under way gets the stale one
// where that is allowed, and is not told to refresh.
func TestCollapseExpired(t *testing.T) {
	c := New(Rules{}.Filled())
	ask(c, get("/", ""), "Cache-Control: max-age=10, stale-while-revalidate=10|ETag: \"a\"", "x", 0)
	var first Ask
	q := get("/", "")
	if f := c.Look(&first, q, 11*second); f.Status != Updating || !f.Refresh || string(f.ETag) != `"a"` {
		t.Fatalf("%+v", f)
	}
	if !c.Join(&first, q) {
		t.Fatal("the first does not lead")
	}
	if f := c.Look(new(Ask), q, 11*second); f.Status != Updating || f.Refresh {
		t.Errorf("%+v", f)
	}
	late := &client{q: q}
	if late.arrive(c, 21*second) {
		t.Error("a second one asks")
	}
	c.Freshen(&first, q, lines("ETag: \"a\""), wall0+21, 21*second, 0)
	if fmt.Sprint(late.woken) != fmt.Sprint([]Wake{Again}) || late.arrive(c, 21*second) {
		t.Errorf("woken %v", late.woken)
	}
	c.Leave(&first)
}

// TestCollapseRandom: whatever happens, everybody who waits is woken exactly once or left, and at most one leads.
func TestCollapseRandom(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 5))
		c := New(Rules{Bytes: 1 << 20}.Filled())
		var waiting, leading []*client
		now := int64(0)
		settle := func() {
			for i := 0; i < len(waiting); i++ {
				one := waiting[i]
				if len(one.woken) == 0 {
					continue
				}
				if len(one.woken) > 1 {
					t.Fatalf("seed %d: woken %v", seed, one.woken)
				}
				waiting = append(waiting[:i], waiting[i+1:]...)
				i--
				if one.woken[0] == Lead {
					leading = append(leading, one)
				} else {
					c.Leave(&one.Ask)
				}
				one.woken = nil
			}
		}
		for range 500 {
			now += random.Int64N(second)
			switch n := random.IntN(10); {
			case n < 5:
				one := &client{q: get(fmt.Sprint("/", random.IntN(4)), "")}
				if one.arrive(c, now) {
					leading = append(leading, one)
				} else if one.Waits() {
					waiting = append(waiting, one)
				}
			case n < 6 && len(waiting) > 0:
				i := random.IntN(len(waiting))
				c.Leave(&waiting[i].Ask)
				waiting = append(waiting[:i], waiting[i+1:]...)
			case len(leading) > 0:
				i := random.IntN(len(leading))
				one := leading[i]
				leading = append(leading[:i], leading[i+1:]...)
				switch random.IntN(5) {
				case 0:
					c.Failed(&one.Ask)
				case 1:
					upstream(c, &one.Ask, one.q, 200, "Cache-Control: no-store", "x", now)
				case 2:
					c.Begin(&one.Ask, one.q, 200, lines("Cache-Control: max-age=1"), -1, wall0, now, 0)
				case 3:
					c.Invalidate("up", one.q.Host, one.q.Target, nil)
					upstream(c, &one.Ask, one.q, 200, "Cache-Control: max-age=1", "x", now)
				default:
					upstream(c, &one.Ask, one.q, 200, "Cache-Control: max-age=1", "x", now)
				}
				c.Leave(&one.Ask)
			}
			settle()
		}
		for len(leading) > 0 {
			c.Leave(&leading[0].Ask)
			leading = leading[1:]
			settle()
		}
		if len(waiting) > 0 || len(c.flights) > 0 || c.reserved != 0 || c.used != sum(c) {
			t.Fatalf("seed %d: %d wait, %d flights, %d reserved, %d bytes counted of %d", seed, len(waiting), len(c.flights), c.reserved, c.used, sum(c))
		}
	}
}
