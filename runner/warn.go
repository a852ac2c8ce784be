package runner

import (
	"fmt"

	"corelab/results"
)

// headSlack is by how many bytes a reply's head may differ from the reference's. What a trial's own figures say against it is
// results.Check's; here is what only the runner can know.
const headSlack = 16

// reference is the reply that others' heads are held against.
type reference struct {
	target string
	head   int // bytes; 0: there is none
}

// warn says in t how its reply differs from the reference.
func warn(t *results.Trial, ref reference) {
	if w := t.Wire; w != nil && ref.head > 0 && ref.target != t.Target {
		if d := w.HeadBytes - ref.head; d > headSlack || d < -headSlack {
			t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnHead,
				Text: fmt.Sprintf("the reply's head has %d bytes, %s's %d", w.HeadBytes, ref.target, ref.head)})
		}
	}
}

// warnPlacement says where a process ran when it was not where it should.
func warnPlacement(t *results.Trial, who string, u *results.Usage, want string) {
	if u != nil && want != "" && u.Affinity != "" && u.Affinity != want {
		t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnPlacement, Text: fmt.Sprintf("the %s might use CPU %s instead of %s", who, u.Affinity, want)})
	}
}
