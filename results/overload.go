package results

// Names of the phases of a load with a burst.
const (
	PhaseBefore = "before"
	PhaseBurst  = "burst"
	PhaseAfter  = "after"
)
