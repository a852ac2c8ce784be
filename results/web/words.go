package web

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"corelab/results"
)

// Texts of records for people. What is said here is plain text: the templates escape it.

// where names a case.
func where(scenario, name string) string {
	return strings.TrimSpace(results.Printable(scenario) + " " + results.Printable(name))
}

// roleWords say of what kind a trial is, where it is not one of those that count.
var roleWords = map[string]string{
	results.RoleAA: "A/A", results.RoleSecond: "second generator", results.RoleObserved: "observed",
	results.RoleCompared: "window", results.RoleKnee: "search", results.RoleProfiled: "profiled", results.RoleCeiling: "ceiling",
}

func roleWord(role string) string {
	if word, known := roleWords[role]; known || role == "" {
		return word
	}
	return results.Printable(role)
}

// States of a run.
const (
	stateGoing       = "goes on"
	stateEnded       = "ended"
	stateInterrupted = "interrupted"
	stateKilled      = "killed"
)

// stateOf says whether a run ended, and how.
func stateOf(end *results.End, going bool) string {
	switch {
	case end != nil && end.Interrupted:
		return stateInterrupted
	case end != nil:
		return stateEnded
	case going:
		return stateGoing
	}
	return stateKilled
}

// kindBench is the kind of run that can be gone on with.
const kindBench = "bench"

// commandKinds are the commands that make runs.
var commandKinds = []string{kindBench, "compare", "knee", "tuning", "selftest", "profile", "load"}

// kindOf is the command that made a run.
func kindOf(run *results.Run) string {
	switch {
	case run.Compare != nil:
		return "compare"
	case run.Knee != nil:
		return "knee"
	case run.Tuning != nil:
		return "tuning"
	}
	for _, kind := range commandKinds {
		if strings.Contains(run.ID, "-"+kind) || len(run.Command) > 1 && run.Command[1] == kind {
			return kind
		}
	}
	return "run"
}

// span is a time in the words of a command line.
func span(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// runPath is the path of a run's page, with a slash behind it: what the page links to lies below it.
func runPath(id string) string {
	var parts []string
	for part := range strings.SplitSeq(id, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return "/run/" + path.Join(parts...) + "/"
}

// names are the printable names of something, each once.
func names[T any](list []T, of func(T) string) []string {
	var out []string
	for _, item := range list {
		if name := results.Printable(of(item)); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
