package servers_test

import (
	"errors"
	"testing"

	"corelab/servers"
)

// TestPoolWaits holds every thread of a pool: the next connection waits in the backlog, not accepted, until one is free.
func TestPoolWaits(t *testing.T) {
	t.Parallel()
	core, ok := servers.Find("pool")
	if !ok {
		t.Fatal("no core of that name")
	}
	const threads = 3
	r := start(t, core, newService(t, testLimits), servers.Config{Threads: threads})
	var inside []*client
	for range threads {
		c, err := dial(r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		inside = append(inside, c)
	}
	if err := until("all threads are busy", func() bool { return r.openNow() == threads }); err != nil {
		t.Fatal(err)
	}
	outside, err := dial(r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if err := outside.send(get); err != nil {
		t.Fatal(err)
	}
	for range 50 { // those inside are served all the while
		for _, c := range inside {
			if err := c.send(get); err != nil {
				t.Fatal(err)
			}
			if _, err := c.answer(""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.accepted() != threads {
		t.Fatal(errors.New("a connection was accepted with no thread for it"))
	}
	inside[0].Close()
	a, err := outside.answer("")
	if err != nil {
		t.Fatal(err)
	}
	if err := hello[0].check(a); err != nil {
		t.Error(err)
	}
}
