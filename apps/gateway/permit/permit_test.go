package permit

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func need(t testing.TB, s string) *Need {
	t.Helper()
	n, err := ParseNeed(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		grants, need string
		args         string
		want         bool
	}{
		{"orders:42:read", "orders:42:read", "", true},
		{"orders:42:read", "orders:42:write", "", false},
		{"orders:42:read", "orders:42", "", false},
		{"orders:42:read", "orders:42:read:all", "", false},
		{"orders", "orders", "", true},
		{"orders", "order", "", false},
		{"Orders", "orders", "", false},
		{"orders:*:read", "orders:42:read", "", true},
		{"orders:*:read", "orders:42:write", "", false},
		{"orders:*:read", "orders:read", "", false},
		{"orders:*:read", "orders:1:2:read", "", false},
		{"*", "orders", "", true},
		{"*", "orders:42", "", false},
		{"*:*", "orders:42", "", true},
		{"orders:**", "orders:42:read", "", true},
		{"orders:**", "orders:42", "", true},
		{"orders:**", "orders", "", false},
		{"orders:*:**", "orders:42", "", false},
		{"orders:*:**", "orders:42:read", "", true},
		{"**", "anything:at:all", "", true},
		{"a:b:c a:*:d *:b:e", "a:b:d", "", true},
		{"a:b:c a:*:d *:b:e", "a:b:e", "", true},
		{"a:b:c a:*:d *:b:e", "a:b:f", "", false},
		{"a b c", "b", "", true},
		{"", "a", "", false},

		{"orders:42:read", "orders:{id}:read", "42", true},
		{"orders:42:read", "orders:{id}:read", "43", false},
		{"orders:*:read", "orders:{id}:read", "43", true},
		{"orders:*:read", "orders:{id}:read", "", false}, // a parameter without a value
		{"orders:**", "orders:{id}:read", "", false},
		{"orders:1:read", "orders:{id}:read", "1:read", false},
		{"orders:*", "orders:{id}", "a:b", true}, // a value fills one segment
		{"orders:a", "orders:{id}", "*", false},
		{"t:1:2", "t:{a}:{b}", "1 2", true},
		{"t:1:2", "t:{a}:{b}", "2 1", false},
		{"t:1:2", "t:{a}:{b}", "1", false},
	} {
		n := need(t, c.need)
		var args [][]byte
		for _, a := range strings.Fields(c.args) {
			args = append(args, []byte(a))
		}
		s, err := Compile(strings.Fields(c.grants)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Allows(n, args...); got != c.want {
			t.Errorf("the set of %q allows %s %q: %v", c.grants, c.need, c.args, got)
		}
		if got := Listed([]byte(c.grants), n, args...); got != c.want {
			t.Errorf("the list %q allows %s %q: %v", c.grants, c.need, c.args, got)
		}
	}
	if (*Set)(nil).Allows(need(t, "a")) {
		t.Error("no set allows something")
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("a:", maxSegments) + "a"
	for _, g := range []string{"", ":", "a:", ":a", "a::b", "a:**:b", "ord*", "***", "a b", "a\n", "ä", `a"`, "{id}", "a,b", long} {
		if _, err := Compile(g); err == nil {
			t.Errorf("%q is accepted as a grant", g)
		}
		if g != "" && strings.IndexByte(g, ' ') < 0 && Listed([]byte(g), need(t, "a:b")) {
			t.Errorf("%q in a list grants something", g)
		}
	}
	for _, n := range []string{"", ":", "a:", "a::b", "*", "a:*", "a:**", "a b", "{}", "{a", "a}", "{a}b", "{a:b}", long} {
		if _, err := ParseNeed(n); err == nil {
			t.Errorf("%q is accepted as a need", n)
		}
	}
}

// FuzzAllows compares the set and the list with a regular expression made of the grants.
func FuzzAllows(f *testing.F) {
	f.Add("a:*:c b:**", "a:b:c")
	f.Add("** a", "x:y")
	f.Fuzz(func(t *testing.T, grants, name string) {
		n, err := ParseNeed(name)
		if err != nil || len(n.Params) > 0 {
			return
		}
		s, err := Compile(strings.Fields(grants)...)
		if err != nil {
			return
		}
		want := false
		for _, g := range strings.Fields(grants) {
			e := regexp.QuoteMeta(g)
			e = strings.ReplaceAll(e, `\*\*`, `.+`)
			e = strings.ReplaceAll(e, `\*`, `[^:]+`)
			want = want || regexp.MustCompile(`^(?:`+e+`)$`).MatchString(name)
		}
		if got := s.Allows(n); got != want {
			t.Errorf("the set of %q allows %q: %v", grants, name, got)
		}
		if got := Listed([]byte(strings.Join(strings.Fields(grants), " ")), n); got != want {
			t.Errorf("the list %q allows %q: %v", grants, name, got)
		}
	})
}

func TestAllocates(t *testing.T) {
	s, err := Compile("orders:*:read", "users:**", "admin")
	if err != nil {
		t.Fatal(err)
	}
	n, list, id := need(t, "orders:{id}:read"), []byte("admin orders:*:read"), []byte("42")
	if allocs := testing.AllocsPerRun(100, func() {
		if !s.Allows(n, id) || !Listed(list, n, id) {
			t.Fatal("not allowed")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkSet(b *testing.B) {
	grants := []string{"orders:*:read"}
	for i := range 100 {
		grants = append(grants, fmt.Sprintf("group%d:*:read", i))
	}
	s, err := Compile(grants...)
	if err != nil {
		b.Fatal(err)
	}
	n, id := need(b, "orders:{id}:read"), []byte("42")
	b.ReportAllocs()
	for b.Loop() {
		if !s.Allows(n, id) {
			b.Fatal("not allowed")
		}
	}
}

func BenchmarkListed(b *testing.B) {
	list := []byte("admin users:self invoices:*:read orders:*:read")
	n, id := need(b, "orders:{id}:read"), []byte("42")
	b.ReportAllocs()
	for b.Loop() {
		if !Listed(list, n, id) {
			b.Fatal("not allowed")
		}
	}
}

func Example() {
	may, err := Compile("orders:*:read", "users:7:**")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []string{"orders:42:read", "orders:42:write", "users:7:email:write"} {
		n, err := ParseNeed(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s, may.Allows(n))
	}
	// Output:
	// orders:42:read true
	// orders:42:write false
	// users:7:email:write true
}
