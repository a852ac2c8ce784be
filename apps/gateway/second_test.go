package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"corelab/apps/gateway/store"
)

// level is a second level that tells of each call when it has been done, and that may be held up.
type level struct {
	store.Memory
	calls chan string // of Put and Delete
	gate  sync.RWMutex
}

func (l *level) Get(key []byte) ([]byte, error) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	return l.Memory.Get(key)
}

func (l *level) Put(key, value []byte, ttl time.Duration) error {
	err := l.Memory.Put(key, value, ttl)
	l.calls <- "put"
	return err
}

func (l *level) Delete(key []byte) error {
	err := l.Memory.Delete(key)
	l.calls <- "delete"
	return err
}

// secondWorld is a gateway with that level, in a world whose loop hears of the workers' posts.
func secondWorld(t *testing.T, l *level, o *origin) (*world, *Gateway) {
	secondKinds["test"] = func(*Builder, *SecondConfig) *secondKind {
		return &secondKind{"test", 4, 1024, func() store.Second { return l }}
	}
	t.Cleanup(func() { delete(secondKinds, "test") })
	g := stand(t, "[cache.second]\nkind = \"test\"\nwait = \"1s\"\n"+cacheConfig, o)
	t.Cleanup(g.Close)
	return newWorld(t, g, false), g
}

// secondGet is get of a request that must hear from a worker first.
func secondGet(t *testing.T, w *world, path string) string {
	t.Helper()
	_, p := w.ask("GET " + path + " HTTP/1.1|Host: h")
	defer p.leave(nil)
	select {
	case <-w.posted:
	case <-time.After(20 * time.Second):
		t.Fatal("the second level does not answer")
	}
	w.turn(0)
	p.write()
	return short(string(p.out))
}

func (l *level) want(t *testing.T, call string) {
	t.Helper()
	select {
	case got := <-l.calls:
		if got != call {
			t.Errorf("the second level is called for %s, want %s", got, call)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", call)
	}
}

func newLevel() *level {
	return &level{Memory: store.Memory{Clock: time.Now, Most: 100}, calls: make(chan string, 100)}
}

// TestSecondLevel: what one gateway stored another finds, unless an unsafe request came between.
func TestSecondLevel(t *testing.T) {
	l := newLevel()
	o := says(200, "Cache-Control: max-age=1000", "hello")
	w, g := secondWorld(t, l, o)
	if got := secondGet(t, w, "/a"); got != "200 MISS hello" {
		t.Error(got)
	}
	l.want(t, "put")
	other := says(200, "Cache-Control: max-age=1000", "other")
	v, h := secondWorld(t, l, other)
	if got := secondGet(t, v, "/a"); !strings.HasPrefix(got, "200 HIT") || !strings.HasSuffix(got, "hello") || other.asked != 0 {
		t.Errorf("%s with %d asked", got, other.asked)
	}
	if got := v.get("/a", ""); !strings.HasSuffix(got, "hello") || other.asked != 0 { // by itself now
		t.Errorf("%s with %d asked", got, other.asked)
	}
	_, p := w.ask("DELETE /a HTTP/1.1|Host: h")
	p.leave(nil)
	l.want(t, "delete")
	if got := secondGet(t, w, "/a"); got != "200 MISS hello" || o.asked != 3 {
		t.Errorf("%s with %d asked", got, o.asked)
	}
	w.whole(g)
	v.whole(h)
}

// TestSecondLevelWaiters: those who miss together look there once.
func TestSecondLevelWaiters(t *testing.T) {
	l := newLevel()
	o := says(200, "Cache-Control: max-age=1000", "hello")
	w, _ := secondWorld(t, l, o)
	secondGet(t, w, "/a")
	l.want(t, "put")
	v, g := secondWorld(t, l, o)
	var all []*peer
	for range 100 {
		_, p := v.ask("GET /a HTTP/1.1|Host: h")
		all = append(all, p)
	}
	<-v.posted
	for range 3 {
		v.turn(0)
	}
	for _, p := range all {
		p.write()
		if got := short(string(p.out)); !strings.HasPrefix(got, "200 HIT") {
			t.Fatal(got)
		}
		p.leave(nil)
	}
	if o.asked != 1 {
		t.Errorf("%d asked", o.asked)
	}
	v.whole(g)
}

// TestSecondLevelAway: one that fails, is slow or holds garbage costs a miss nothing but the wait.
func TestSecondLevelAway(t *testing.T) {
	l := newLevel()
	o := says(200, "Cache-Control: max-age=1000", "hello")
	w, g := secondWorld(t, l, o)
	if err := l.Memory.Put([]byte("up\x00h\x00/a"), []byte("garbage"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := secondGet(t, w, "/a"); got != "200 MISS hello" {
		t.Error(got)
	}
	l.want(t, "put")
	l.gate.Lock()
	_, p := w.ask("GET /slow HTTP/1.1|Host: h")
	_, left := w.ask("GET /left HTTP/1.1|Host: h")
	left.leave(nil)
	w.turn(999 * time.Millisecond)
	if len(p.out) > 0 {
		t.Errorf("answered before the wait is over: %q", p.out)
	}
	w.turn(time.Millisecond)
	p.write()
	if got := short(string(p.out)); got != "200 MISS hello" {
		t.Error(got)
	}
	p.leave(nil)
	l.gate.Unlock()
	l.want(t, "put")
	<-w.posted // what comes too late finds nobody
	w.turn(0)
	w.whole(g)
}

// TestSecondInRedis: two gateways share what they store by way of a Redis; when it is gone each has its own, and goes on.
func TestSecondInRedis(t *testing.T) {
	address, kill := redisServer(t)
	config := fmt.Sprintf("[cache.second]\nkind = \"redis\"\nwait = \"10s\"\n[cache.second.redis]\naddress = %q\ntimeout = \"5s\"\nworkers = 1\n", address) + cacheConfig
	ours, others := says(200, "Cache-Control: max-age=1000", "hello"), says(200, "Cache-Control: max-age=1000", "other")
	one, two := stand(t, config, ours), stand(t, config, others)
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	w, v := newWorld(t, one, false), newWorld(t, two, false)
	if got := secondGet(t, w, "/a"); got != "200 MISS hello" {
		t.Error(got)
	}
	secondGet(t, w, "/b") // the one worker has put the first answer by now
	if got := secondGet(t, v, "/a"); !strings.HasPrefix(got, "200 HIT") || !strings.HasSuffix(got, "hello") || others.asked != 0 {
		t.Errorf("%s with %d asked", got, others.asked)
	}
	kill()
	if got := secondGet(t, v, "/c"); got != "200 MISS other" || others.asked != 1 {
		t.Errorf("%s with %d asked", got, others.asked)
	}
	if got := v.get("/a", ""); !strings.HasSuffix(got, "hello") { // by itself
		t.Error(got)
	}
	m := &Metrics{families: map[string]*family{}}
	two.collect(m)
	if got := string(m.Text(nil)); !strings.Contains(got, `gateway_cache_second_total{result="failed"}`) || !strings.Contains(got, "gateway_cache_second_found_total 1") {
		t.Error(got)
	}
	w.whole(one)
	v.whole(two)
}

func TestSecondRefused(t *testing.T) {
	for config, want := range map[string]string{
		"kind = \"disk\"":                                              "cache.second.kind",
		"kind = \"memory\"\nentries = -1":                              "cache.second.entries",
		"kind = \"redis\"":                                             "cache.second.redis",
		"kind = \"redis\"\n[cache.second.redis]":                       "cache.second.redis.address",
		"kind = \"redis\"\n[cache.second.redis]\naddress=\"a\"\ndb=-1": "cache.second.redis",
	} {
		if got := refused(t, "[cache.second]\n"+config+"\n"+cacheConfig); !strings.Contains(got, want) {
			t.Error(got)
		}
	}
}
