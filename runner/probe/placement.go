package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Names of placements.
const (
	PlaceSplit  = "split"  // server and generator on disjoint CPUs
	PlaceShared = "shared" // both on all CPUs
	PlaceOne    = "one"    // both on the same single CPU
)

// Placement says on which CPUs the server and the generator run.
type Placement struct {
	Name           string
	Server, Client []int
}

// String says it to people: "split (server 0, generator 1)".
func (p Placement) String() string {
	return fmt.Sprintf("%s (server %s, generator %s)", p.Name, CPUList(p.Server), CPUList(p.Client))
}

// Place lays out the named placement on the CPUs this process may use. The error says why it cannot be done.
func Place(name string) (Placement, error) {
	cpus, err := Allowed()
	if err != nil {
		return Placement{}, err
	}
	return place(name, cpus)
}

// place takes the last CPU for `one`: the first one serves most interrupts. For `split` the server gets the upper half,
// for the same reason, and the odd one.
func place(name string, allowed []int) (Placement, error) {
	if len(allowed) == 0 {
		return Placement{}, fmt.Errorf("placement %s: no CPU to place on", name)
	}
	n := len(allowed)
	switch name {
	case PlaceSplit:
		if n < 2 {
			return Placement{}, fmt.Errorf("placement split needs two CPUs, this process may use only CPU %s; use %s", CPUList(allowed), PlaceOne)
		}
		return Placement{name, slices.Clone(allowed[n/2:]), slices.Clone(allowed[:n/2])}, nil
	case PlaceShared:
		return Placement{name, slices.Clone(allowed), slices.Clone(allowed)}, nil
	case PlaceOne:
		return Placement{name, []int{allowed[n-1]}, []int{allowed[n-1]}}, nil
	}
	return Placement{}, fmt.Errorf("placement %q is none of %s, %s, %s", name, PlaceSplit, PlaceShared, PlaceOne)
}

// Allowed returns the CPUs that this process might use when it first asked, ascending. Later answers are the same: the
// thread that asks may have been pinned since.
func Allowed() ([]int, error) {
	cpus, err := allowed()
	return slices.Clone(cpus), err
}

var allowed = sync.OnceValues(func() ([]int, error) { return Affinity(0) })

// Affinity returns the CPUs that the thread may use, ascending; 0 is the calling one.
func Affinity(tid int) ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(tid, &set); err != nil {
		return nil, fmt.Errorf("read the affinity of %d: %w", tid, err)
	}
	var cpus []int
	for i := range len(set) * strconv.IntSize {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

// CountCPUs is how many CPUs a list of CPUList names; 0 where it is none.
func CountCPUs(list string) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(to)
		}
		if err != nil || last < first {
			return 0
		}
		n += last - first + 1
	}
	return n
}

// CPUList writes CPUs as the kernel does: "0-3,6".
func CPUList(cpus []int) string {
	sorted := slices.Sorted(slices.Values(cpus))
	var b strings.Builder
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] <= sorted[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(sorted[i]))
		if sorted[j] > sorted[i] {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(sorted[j]))
		}
		i = j + 1
	}
	return b.String()
}
