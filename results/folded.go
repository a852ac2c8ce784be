package results

import (
	"bytes"
	"fmt"
	"strings"

	"corelab/results/stacks"
)

// Folded is the CPU profile of one target in one case as folded stacks: a line for each, for other people's flame graphs. only
// must leave one.
func Folded(rec *Record, only Only) ([]byte, error) {
	var found []*Profile
	var names []string
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if !only.has(t.Scenario, t.Case, t.Target) {
			continue
		}
		for j := range t.Profiles {
			if _, p := rec.ProfileOf(t.Scenario, t.Case, t.Target, ProfileCPU); p == &t.Profiles[j] {
				found = append(found, p)
				names = append(names, t.Target+" in "+caseName(t.Scenario, t.Case))
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("results: the record has no profile of the CPU time of %s: record one with bench --profile", only)
	case 1:
	default:
		return nil, fmt.Errorf("results: folded stacks are of one profile, and of %s there are %d: %s; name one by target, scenario and case",
			only, len(found), printable(strings.Join(names, ", ")))
	}
	p, err := rec.Stacks(found[0])
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := stacks.Fold(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
