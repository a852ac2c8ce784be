package runner

import (
	"fmt"

	"corelab/results"
)

// From where on a row says that something was not as it should be. What a trial's own figures say against it is
// results.Check's; here is what only the runner can know.
const (
	muchSteal  = 0.02 // of all CPUs, taken by the hypervisor
	muchOthers = 0.10 // of all CPUs, used by neither server nor generator
	headSlack  = 16   // bytes by which a reply's head may differ from the reference's
)

// reference is the reply that others' heads are held against.
type reference struct {
	target string
	head   int // bytes; 0: there is none
}

// warn adds to t what disturbed it, on a machine of so many CPUs, and how its reply differs from the reference.
func warn(t *results.Trial, cpus int, ref reference) {
	say := func(code, format string, args ...any) {
		t.Warnings = append(t.Warnings, results.Warning{Code: code, Text: fmt.Sprintf(format, args...)})
	}
	if m := t.Machine; m != nil && t.Server != nil && t.Server.Elapsed > 0 {
		all := float64(t.Server.Elapsed) * float64(cpus)
		if part := float64(m.Steal) / all; part > muchSteal {
			say(results.WarnSteal, "the hypervisor took %.1f %% of the CPU time", 100*part)
		}
		if part := min(float64(m.Others)/all, 1); part > muchOthers {
			say(results.WarnSteal, "other processes took %.1f %% of the CPU time", 100*part)
		}
	}
	if w := t.Wire; w != nil && ref.head > 0 && ref.target != t.Target {
		if d := w.HeadBytes - ref.head; d > headSlack || d < -headSlack {
			say(results.WarnHead, "the reply's head has %d bytes, %s's %d", w.HeadBytes, ref.target, ref.head)
		}
	}
}

// warnPlacement says where a process ran when it was not where it should.
func warnPlacement(t *results.Trial, who string, u *results.Usage, want string) {
	if u != nil && want != "" && u.Affinity != "" && u.Affinity != want {
		t.Warnings = append(t.Warnings, results.Warning{Code: results.WarnPlacement, Text: fmt.Sprintf("the %s might use CPU %s instead of %s", who, u.Affinity, want)})
	}
}
