package results

import (
	"fmt"
	"strings"
	"testing"
)

func TestContestTable(t *testing.T) {
	in := "goos: linux\ncpu: a|b\n"
	for round := range 6 {
		speed := 1 + float64(round)/10 // of the machine, which falls out
		for _, fields := range []int{1, 40} {
			in += fmt.Sprintf("BenchmarkHead/fields=%d/parser=ours-2 100 %g ns/op 0 B/op\n", fields, float64(fields)*100*speed)
			in += fmt.Sprintf("BenchmarkHead/fields=%d/parser=theirs-2 100 %g ns/op 12 B/op\n", fields, float64(fields)*300*speed)
		}
	}
	got, err := ContestTable(strings.NewReader(in), "parser")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| | parser=ours | parser=theirs |\n", "| fields=1 | 125 ns ±20 % | 375 ns ±20 % · × 3.00 (3.00–3.00) |\n",
		"| fields=40 | ", "- goos: linux\n", `- cpu: a\|b` + "\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if _, err := ContestTable(strings.NewReader("PASS\n"), "parser"); err == nil {
		t.Error("a table of nothing")
	}
}
