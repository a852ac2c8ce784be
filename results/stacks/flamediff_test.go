package stacks

import (
	"math"
	"strings"
	"testing"
)

// degreesOf are the colours of functions in a difference, by name, of the first graph that has them.
func degreesOf(t *testing.T, svg []byte) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, f := range frames(t, svg) {
		if _, known := got[f.name]; !known {
			got[f.name] = f.kind
		}
	}
	return got
}

func TestFlameDiffByCost(t *testing.T) {
	before, after := unfold(t, foldedBefore, "nanoseconds"), unfold(t, foldedAfter, "nanoseconds")
	// A request cost 30 µs and costs 11: shares of 10 and 25 % are 3 and 2.75 µs, of 30 and 60 % are 9 and 6.6 µs.
	svg := FlameDiff(before, after, DiffOptions{Title: "t", BeforeName: "old", AfterName: "new", BeforeCost: 30000, AfterCost: 11000})
	got := degreesOf(t, svg)
	for name, want := range map[string]int{
		"server":                          -4, // 30 → 11 µs
		"corelab/httpcore.(*Conn).Feed":   -1, // 3 → 2.75: less, though its share grew
		"do_epoll_wait":                   3,  // 0 → 1.65
		"tcp_sendmsg":                     -3, // 9 → 6.6
		"tcp_write_xmit":                  -2, // 6 → 4.95
		"inet_csk_accept":                 -4, // 12 → 0: only below
		"corelab/servers.(*reactor).loop": 0,  // new, but what it calls is not
		"runtime.schedule":                -4, // 6 → 0: only below
	} {
		if got[name] != diffClass(want) {
			t.Errorf("%s has the colour %q, want %q", name, got[name], diffClass(want))
		}
	}
	text := words(t, svg)
	for _, want := range []string{"after: new, 11 µs a request", "before: old, 30 µs a request", "less by 4.50 µs and more", "more by 150 ns to 600 ns"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(svg), ">idle<") {
		t.Error("idle time is compared")
	}
}

func TestFlameDiffByShare(t *testing.T) {
	before, after := unfold(t, foldedBefore, "nanoseconds"), unfold(t, foldedAfter, "nanoseconds")
	svg := FlameDiff(before, after, DiffOptions{Title: "t", AfterCost: 10000})
	got := degreesOf(t, svg)
	for name, want := range map[string]int{
		"server":                        0, // all of it, before as after
		"corelab/httpcore.(*Conn).Feed": 4, // 10 → 25 %
		"tcp_sendmsg":                   4, // 30 → 60 %
		"do_epoll_wait":                 4, // 0 → 15 %
		"inet_csk_accept":               -4,
	} {
		if got[name] != diffClass(want) {
			t.Errorf("%s has the colour %q, want %q", name, got[name], diffClass(want))
		}
	}
	if text := words(t, svg); !strings.Contains(text, "percent of each profile's own time") || strings.Contains(text, "µs") {
		t.Errorf("does not say that shares are compared:\n%s", text)
	}
}

// Programs of other names have one root, and a function counts once in a stack however often it calls itself.
func TestFlameDiffRootsAndRecursion(t *testing.T) {
	before := unfold(t, "nginx;f;f;f 50\nnginx;g 50\n", "nanoseconds")
	after := unfold(t, "coreserver;f;f 50\ncoreserver;h;f 0\ncoreserver;g 50\n", "nanoseconds")
	for i := range before.Stacks { // the same functions, in files of the same name
		for j := range before.Stacks[i].Frames[1:] {
			before.Stacks[i].Frames[j+1].Module = "coreserver"
		}
	}
	o := DiffOptions{Title: "t", BeforeCost: 1000, AfterCost: 1000}
	for name, kind := range degreesOf(t, FlameDiff(before, after, o)) {
		if kind != diffClass(0) {
			t.Errorf("%s changed: %s", name, kind)
		}
		if name == "nginx" || name == "coreserver" {
			t.Errorf("the root is %s", name)
		}
	}
}

// With few samples a difference is no difference; what the samples prove is one.
func TestFlameDiffKnowsChance(t *testing.T) {
	before := unfold(t, "s;steady 900\ns;little 100\n", "nanoseconds")
	after := unfold(t, "s;steady 870\ns;little 130\n", "nanoseconds")
	for samples, want := range map[uint64]int{100: 0, 100000: 2, 0: 2} {
		svg := FlameDiff(before, after, DiffOptions{Title: "t", BeforeCost: 10000, AfterCost: 10000, BeforeSamples: samples, AfterSamples: samples})
		if got := degreesOf(t, svg)["little"]; got != diffClass(want) {
			t.Errorf("10 → 13 %% with %d samples has the colour %s, want %s", samples, got, diffClass(want))
		}
		if chance := strings.Contains(string(svg), ` data-s=""`); chance != (samples == 100) {
			t.Errorf("%d samples: chance is said: %v", samples, chance)
		}
	}
}

func TestDegree(t *testing.T) {
	c := comparison{scale: 100}
	for _, v := range []struct {
		by   float64
		want int
	}{{0, 0}, {0.4, 0}, {0.5, 1}, {-0.5, -1}, {1.9, 1}, {2, 2}, {5, 3}, {-14.9, -3}, {15, 4}, {-80, -4}} {
		if got := c.degree(change{before: 100, after: 100 + v.by}); got != v.want {
			t.Errorf("%+.1f is of degree %d, want %d", v.by, got, v.want)
		}
	}
}

// What grey stands for, by numbers: all differences of two draws from the same server are within chance in about 19 of 20.
func TestSpread(t *testing.T) {
	if got, want := spread(0.2, 10000), 0.004; math.Abs(got-want) > 1e-4 {
		t.Errorf("the standard error of 20 %% in 10000 samples is %.5f, want %.5f", got, want)
	}
	if spread(0, 100) == 0 {
		t.Error("what 100 samples do not show is certain to be nothing")
	}
	if spread(0.2, 0) != 0 {
		t.Error("uncounted samples have an error")
	}
}

// A function that one of the two has counts without what it calls of those that both have, at whatever depth.
func TestPartsOf(t *testing.T) {
	list, _ := busy(unfold(t, "s;new;newer;kernel 60\ns;new;newer 25\ns;new;kernel;new 10\ns;kernel 5\n", "nanoseconds"))
	parts := partsOf(rootless(list), func(f Frame) bool { return f.Name == "kernel" })
	want := map[string]float64{"kernel": 0.75, "new": 0.35, "newer": 0.25, serverRoot.Name: 1}
	for f, part := range parts {
		if math.Abs(part-want[f.Name]) > 1e-9 {
			t.Errorf("%s has %.2f, want %.2f", f.Name, part, want[f.Name])
		}
		delete(want, f.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}
