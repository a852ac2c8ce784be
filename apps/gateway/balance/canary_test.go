package balance

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"testing"
)

// fields are field lines.
type fields [][2]string

func (f fields) NumFields() int { return len(f) }

func (f fields) FieldAt(i int) (name, value []byte) { return []byte(f[i][0]), []byte(f[i][1]) }

func (f fields) Field(name string) ([]byte, bool) {
	for _, line := range f {
		if bytes.EqualFold([]byte(line[0]), []byte(name)) {
			return []byte(line[1]), true
		}
	}
	return nil, false
}

func TestCanary(t *testing.T) {
	all := Canary{Header: "X-Canary", Cookie: "canary", Users: map[string]bool{"ann": true}}
	valued := Canary{Header: "X-Version", HeaderValue: "2", Cookie: "v", CookieValue: "two", Percent: 100}
	for _, c := range []struct {
		name   string
		canary Canary
		fields fields
		user   string
		want   bool
	}{
		{"nothing said", all, nil, "", false},
		{"header always", all, fields{{"x-canary", "always"}}, "", true},
		{"header never, though the user is one", all, fields{{"X-Canary", "never"}}, "ann", false},
		{"header without meaning", all, fields{{"X-Canary", "maybe"}}, "ann", true},
		{"header before cookie", all, fields{{"Cookie", "canary=always"}, {"X-Canary", "never"}}, "", false},
		{"cookie among others", all, fields{{"Cookie", "a=1; canary=always; b=2"}}, "", true},
		{"cookie in a second line", all, fields{{"Cookie", "a=1"}, {"cookie", "canary=always"}}, "", true},
		{"cookie never", all, fields{{"Cookie", "canary=never"}}, "ann", false},
		{"a cookie whose name ends so", all, fields{{"Cookie", "xcanary=always; canaryx=always"}}, "", false},
		{"a cookie in another case", all, fields{{"Cookie", "Canary=always"}}, "", false},
		{"user", all, nil, "ann", true},
		{"another user", all, nil, "anna", false},
		{"no percentage is nobody", Canary{}, nil, "", false},
		{"all", Canary{Percent: 100}, nil, "", true},
		{"the value", valued, fields{{"X-Version", "2"}}, "", true},
		{"another value does not decide", valued, fields{{"X-Version", "never"}}, "", true},
		{"cookie's value", Canary{Cookie: "v", CookieValue: "two"}, fields{{"Cookie", "v=two"}}, "", true},
		{"cookie's other value", Canary{Cookie: "v", CookieValue: "two"}, fields{{"Cookie", "v=always"}}, "", false},
	} {
		if got := c.canary.Takes(c.fields, []byte(c.user), []byte(c.user)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestPercent: over a million users the share is the percentage within four standard deviations; who is in stays in when it
// grows; another salt chooses others.
func TestPercent(t *testing.T) {
	const users = 1_000_000
	var counts [shares]int
	both := 0
	for i := range users {
		key := []byte("user-" + strconv.Itoa(i))
		share := Share("a", key)
		counts[share]++
		if share < shares/10 && Share("b", key) < shares/10 {
			both++
		}
	}
	sum := 0
	for i, percent := range []float64{0.01, 0.5, 1, 5, 10, 33.33, 50, 99.99} {
		sum = 0
		for _, n := range counts[:int(percent*shares/100+0.5)] {
			sum += n
		}
		p := percent / 100
		if off, most := float64(sum)-p*users, 4*math.Sqrt(users*p*(1-p)); math.Abs(off) > most {
			t.Errorf("%d: %g %% are %d of %d users: off by %.0f, at most %.0f", i, percent, sum, users, off, most)
		}
	}
	// 9,999 degrees of freedom: the mean ± 4 standard deviations of √(2·9,999).
	if x := chiSquare(counts[:]); x > 9999+4*math.Sqrt(2*9999) || x < 9999-4*math.Sqrt(2*9999) {
		t.Errorf("chi-square over all shares is %.0f", x)
	}
	if off := math.Abs(float64(both) - users/100); off > 4*math.Sqrt(users*0.01*0.99) {
		t.Errorf("%d users are in both canaries of 10 %%", both)
	}
	for i := range 1000 {
		key := []byte(strconv.Itoa(i))
		in := false
		for percent := 0.0; percent <= 100; percent += 2.5 {
			c := Canary{Percent: percent}
			if now := c.Takes(fields{}, nil, key); in && !now {
				t.Fatalf("user %d leaves the canary at %g %%", i, percent)
			} else {
				in = now
			}
		}
		if !in {
			t.Fatalf("user %d is not among 100 %%", i)
		}
	}
}

// TestShareIsStable: other processes and later versions must send the same users the same way.
func TestShareIsStable(t *testing.T) {
	for key, want := range map[string]int{"": 6915, "ann": 4533, "192.0.2.1": 6692} {
		if got := Share("salt", []byte(key)); got != want {
			t.Errorf("%q is in %d, was in %d", key, got, want)
		}
	}
	if Share("ab", []byte("c")) == Share("a", []byte("bc")) {
		t.Error("salt and key run into each other")
	}
}

func TestCanaryCheck(t *testing.T) {
	for percent, good := range map[float64]bool{0: true, 100: true, -1: false, 100.1: false, math.Inf(1): false} {
		if err := (&Canary{Percent: percent}).Check(); (err == nil) != good {
			t.Errorf("%g: %v", percent, err)
		}
	}
	if (&Canary{Percent: math.NaN()}).Check() == nil {
		t.Error("NaN is accepted")
	}
}

func TestCanaryAllocates(t *testing.T) {
	c := Canary{Header: "X-Canary", Cookie: "canary", Users: map[string]bool{"ann": true}, Percent: 10}
	var f Fields = lines{}
	user := []byte("bob")
	if n := testing.AllocsPerRun(100, func() { c.Takes(f, user, user) }); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// lines are field lines that allocate nothing.
type lines struct{}

var lineName, lineValue = []byte("Cookie"), []byte("session=12345; theme=dark")

func (lines) NumFields() int                   { return 1 }
func (lines) FieldAt(int) (name, value []byte) { return lineName, lineValue }
func (lines) Field(string) ([]byte, bool)      { return nil, false }

func BenchmarkCanary(b *testing.B) {
	c := Canary{Header: "X-Canary", Cookie: "canary", Percent: 10, Salt: "users"}
	var f Fields = lines{}
	key := []byte("user-4711")
	b.ReportAllocs()
	for b.Loop() {
		c.Takes(f, nil, key)
	}
}

func ExampleCanary() {
	c := Canary{Header: "X-Canary", Percent: 5}
	fmt.Println(c.Takes(fields{{"X-Canary", "always"}}, nil, []byte("ann")))
	// Output: true
}
