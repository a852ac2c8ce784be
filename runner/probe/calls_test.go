package probe

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestCounterCountsByName(t *testing.T) {
	if err := CallsAvailable(); err != nil {
		t.Logf("cannot count here: %v", err)
		if !strings.HasPrefix(err.Error(), "count system calls: ") {
			t.Errorf("the reason does not say what for: %v", err)
		}
		if _, err := Calls(t.Context(), nil, 0); err == nil {
			t.Error("Calls works where it is not available")
		}
		return
	}
	h := start(t, "spin")
	c, err := OpenCounter([]int{h.pid})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for round := range 2 {
		if err := c.Begin(); err != nil {
			t.Fatal(err)
		}
		h.spin(t)
		calls, err := c.End()
		if err != nil {
			t.Fatal(err)
		}
		// 1000 to the null device, one to say so, and the runtime may wake its own pipe.
		if n := calls["write"]; n < 1001 || n > 1010 {
			t.Errorf("round %d: %d writes, want 1001 and a few: %v", round, n, calls)
		}
		// The helper opens one file; Go's runtime may open those of its CPU limit meanwhile.
		if calls["openat"] < 1 || calls["openat"] > 100 || calls["sendfile"] != 0 {
			t.Errorf("round %d: %v", round, calls)
		}
	}
}

func TestCallsEnds(t *testing.T) {
	if CallsAvailable() != nil {
		return // TestCounterCountsByName looks at the reason
	}
	h := start(t, "spin")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Calls(ctx, []int{h.pid}, time.Hour); err == nil {
		t.Error("a cancelled Calls gives figures")
	}
	if calls, err := Calls(t.Context(), []int{h.pid}, time.Millisecond); err != nil || calls["write"] != 0 {
		t.Errorf("an idle process: %v, %v", calls, err)
	}
	if _, err := Calls(t.Context(), []int{1 << 22}, time.Millisecond); err == nil {
		t.Error("no process, no error")
	}
}
