package probe

import "testing"

// TestRecordHeld has a recording wait for its turn: nothing of the time before is in it.
func TestRecordHeld(t *testing.T) {
	perfHere(t, PerfAvailable)
	h := spinner(t)
	for _, begins := range []bool{false, true} {
		dir := t.TempDir()
		r, err := RecordCPU(t.Context(), RecordSpec{Pids: func() []int { return []int{h.pid} }, Dir: dir, Bound: liveBound, Held: true})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-r.Done():
			t.Fatal("it ended before its turn")
		default:
		}
		if begins {
			if err := r.Begin(); err != nil {
				t.Fatal(err)
			}
		}
		h.spin(t)
		s, err := r.Stop(t.Context())
		leavesNothing(t, dir)
		switch {
		case begins && (err != nil || s.Samples == 0 || s.Elapsed <= 0 || s.Elapsed > liveBound):
			t.Errorf("after its begin: %+v, %v", s, err)
		case !begins && err == nil && (s.Samples > 0 || s.Elapsed != 0):
			t.Errorf("it recorded before its begin: %+v", s)
		}
	}
}

func TestRecordSchedHeld(t *testing.T) {
	perfHere(t, SchedAvailable)
	h := start(t, "spin")
	dir := t.TempDir()
	r, err := RecordSched(t.Context(), RecordSpec{Pids: func() []int { return []int{h.pid} }, Dir: dir, Bound: liveBound, Held: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	h.spin(t)
	h.spin(t)
	if s, _, err := r.Stop(t.Context()); err != nil || s.Samples == 0 || s.Elapsed <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
	leavesNothing(t, dir)
}
