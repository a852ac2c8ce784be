package probe

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	tests := []struct {
		name           string
		allowed        []int
		server, client []int
		err            string
	}{
		{PlaceSplit, []int{0, 1}, []int{1}, []int{0}, ""},
		{PlaceSplit, []int{2, 5, 7}, []int{5, 7}, []int{2}, ""},
		{PlaceSplit, []int{3}, nil, nil, "only CPU 3"},
		{PlaceShared, []int{0, 1}, []int{0, 1}, []int{0, 1}, ""},
		{PlaceShared, []int{0}, []int{0}, []int{0}, ""},
		{PlaceOne, []int{0, 1}, []int{1}, []int{1}, ""},
		{PlaceOne, nil, nil, nil, "no CPU"},
		{"both", []int{0}, nil, nil, "none of split, shared, one"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s on %v", test.name, test.allowed), func(t *testing.T) {
			p, err := place(test.name, test.allowed)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || !slices.Equal(p.Server, test.server) || !slices.Equal(p.Client, test.client) {
				t.Errorf("got %v, %v; want server %v, generator %v", p, err, test.server, test.client)
			}
		})
	}
}

func TestCPUList(t *testing.T) {
	for want, cpus := range map[string][]int{
		"": nil, "0": {0}, "0-1": {1, 0}, "0-3,6": {0, 1, 2, 3, 6}, "1,3,5-6": {6, 5, 3, 1}, "2": {2, 2},
	} {
		if got := CPUList(cpus); got != want {
			t.Errorf("CPUList(%v) = %q, want %q", cpus, got, want)
		}
	}
}

func TestAllowed(t *testing.T) {
	cpus, err := Allowed()
	if err != nil || len(cpus) == 0 {
		t.Fatalf("Allowed() = %v, %v", cpus, err)
	}
	if !slices.IsSorted(cpus) {
		t.Errorf("not ascending: %v", cpus)
	}
}

func ExamplePlacement() {
	p := Placement{Name: PlaceSplit, Server: []int{2, 3}, Client: []int{0, 1}}
	fmt.Println(p)
	// Output: split (server 2-3, generator 0-1)
}

func TestCountCPUs(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3,6": 5, "1,2": 2, "": 0, "3-1": 0, "x": 0, "0-": 0} {
		if got := CountCPUs(list); got != want {
			t.Errorf("%q: %d, want %d", list, got, want)
		}
	}
}
