package balance

import (
	"fmt"
	"testing"
)

// TestCheck tells results: + and - of probes, ( and ) of clients' successes and failures. The state after each is u or d.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		rise, fall    int
		results, want string
	}{
		{2, 3, "---", "uud"},
		{2, 3, "--+---", "uuuuud"},
		{2, 3, "---++", "uuddu"},
		{2, 3, "---+-++", "uuddddu"},
		{2, 3, "---++---", "uudduuud"},
		{1, 1, "-+-+", "dudu"},
		{2, 3, ")))", "uud"},     // a client's failure counts as a probe's
		{2, 3, "-)-", "uud"},     // together with them
		{2, 3, "-)(-)", "uuuuu"}, // a success of either begins anew
		{2, 1, "-((((", "ddddd"}, // clients bring nobody up
		{2, 1, "-+)+", "dddu"},   // nor keep anybody down
		{3, 1, "-++-+++", "ddddddu"},
	} {
		var check Check
		got := ""
		for _, r := range c.results {
			was := check.Down()
			source := Active
			if r == '(' || r == ')' {
				source = Passive
			}
			if changed := check.Told(source, r == '+' || r == '(', c.rise, c.fall); changed != (was != check.Down()) {
				t.Errorf("%s: changed %v, down was %v and is %v", c.results, changed, was, check.Down())
			}
			got += map[bool]string{true: "d", false: "u"}[check.Down()]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.results, got, c.want)
		}
	}
}

func ExampleCheck() {
	var c Check
	for range 3 {
		fmt.Println(c.Told(Active, false, 2, 3), c.Down())
	}
	// Output:
	// false false
	// false false
	// true true
}
