package target

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestKept(t *testing.T) {
	for in, want := range map[string][]int{
		"":                          nil,
		"+10\n+20\n":                {10, 20},
		"+10\n-10\n+20\n":           {20},
		"+10\n+10\n-10\n":           nil,
		"+1\n+0\n-1\n+x\n\n+30\n+4": {4, 30},
	} {
		if got := slices.Sorted(maps.Keys(kept(strings.NewReader(in)))); !slices.Equal(got, want) {
			t.Errorf("kept(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestKilledLabLeavesNothing(t *testing.T) {
	lab := exec.Command(os.Args[0], "as:lab")
	lab.Stderr = os.Stderr
	out, err := lab.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	root, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	f := family{root: root, mark: "found by the group alone"}
	if len(f.members()) < 2 {
		t.Errorf("the lab has started %v", f.members())
	}
	if err := lab.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lab.Wait()
	for end := time.Now().Add(5 * time.Second); len(f.members()) > 0; time.Sleep(pollEvery) {
		if time.Now().After(end) {
			t.Fatalf("left behind: %v", f.members())
		}
	}
}
