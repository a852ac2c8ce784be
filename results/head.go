package results

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// addHead adds what a reader must know before the first table: the machine, the versions, how to repeat it, how to read it.
func addHead(d *document, rec *Record) {
	d.add(list(stateLines(rec)))
	d.add(heading{2, "Machine"})
	d.add(list(machineLines(&rec.Run.Host)))
	d.add(heading{2, "Versions"})
	d.add(list(versionLines(&rec.Run)))
	d.add(heading{2, "To repeat it"})
	d.add(listing(repeatLines(&rec.Run)))
	d.add(heading{2, "How to read the tables"})
	d.add(list(slices.Concat(legend, verdictLegend)))
}

// stateLines say when the run was made and whether it is whole.
func stateLines(rec *Record) []string {
	r := &rec.Run
	tried := 0
	for _, t := range rec.Trials {
		if t.Skipped == "" {
			tried++
		}
	}
	lines := []string{fmt.Sprintf("started %s, commit %s, seed %d", r.Started.UTC().Format(time.RFC3339), orElse(r.Commit, "unknown"), r.Seed)}
	if r.Budget > 0 {
		lines = append(lines, "budget "+formatSpan(r.Budget)+" of measuring")
	}
	switch {
	case rec.End == nil:
		lines = append(lines, fmt.Sprintf("NOT WHOLE: the run was killed, or still goes on; %d trials were recorded", tried))
	case rec.End.Interrupted:
		lines = append(lines, fmt.Sprintf("NOT WHOLE: the run was interrupted after %s; %d trials were recorded",
			formatSpan(rec.End.Elapsed), tried))
	default:
		lines = append(lines, fmt.Sprintf("%d trials in %s", tried, formatSpan(rec.End.Elapsed)))
	}
	if rec.End != nil && rec.End.Trials > len(rec.Trials) { // some count those that were skipped, some do not
		lines = append(lines, fmt.Sprintf("THE RECORD LACKS TRIALS: it counts %d and holds %d", rec.End.Trials, len(rec.Trials)))
	}
	if rec.Torn != "" {
		lines = append(lines, rec.Torn)
	}
	return append(lines, partLines(rec)...)
}

// partLines say that the run was made in parts, and what was not the same in all of them.
func partLines(rec *Record) []string {
	n := len(rec.Parts)
	if n == 0 {
		return nil
	}
	last := rec.Parts[n-1]
	times := "once"
	if n > 1 {
		times = fmt.Sprintf("%d times", n)
	}
	lines := []string{fmt.Sprintf("interrupted and taken up again %s, last %s, behind %d trials", times, last.GoOn.Started.UTC().Format(time.RFC3339), last.Trials)}
	var said []string
	for _, p := range rec.Parts {
		for _, what := range p.GoOn.Differs {
			if !slices.Contains(said, what) {
				said = append(said, what)
			}
		}
	}
	for _, what := range said {
		lines = append(lines, "NOT THE SAME IN ALL PARTS: "+what)
	}
	return lines
}

func machineLines(h *Host) []string {
	lines := []string{
		fmt.Sprintf("%s; %d CPUs usable; %s MiB of memory", orElse(h.CPU, "unknown CPU"), h.CPUs, formatCount(float64(h.MemoryKiB)/1024)),
		"kernel " + orElse(h.Kernel, "unknown") + ", host " + orElse(h.Hostname, "unknown"),
		fmt.Sprintf("%s open files per process", formatCount(float64(h.OpenFiles))),
	}
	if h.Virtual != "" {
		lines = append(lines, "virtual: "+h.Virtual)
	}
	if len(h.Sysctl) > 0 {
		var settings []string
		for _, name := range slices.Sorted(maps.Keys(h.Sysctl)) {
			settings = append(settings, name+" = "+h.Sysctl[name])
		}
		lines = append(lines, strings.Join(settings, ", "))
	}
	return lines
}

func versionLines(r *Run) []string {
	lines := []string{"built with " + orElse(r.Host.GoVersion, "an unknown Go")}
	for _, name := range slices.Sorted(maps.Keys(r.Tools)) {
		lines = append(lines, name+": "+r.Tools[name])
	}
	for _, t := range r.Targets {
		if t.Version != "" && t.Kind != "core" && r.Tools[t.Name] != t.Version {
			lines = append(lines, t.Name+": "+t.Version)
		}
	}
	for _, m := range r.Missing {
		lines = append(lines, "missing: "+m.Figure+": "+m.Reason)
	}
	return lines
}

// repeatLines are the commands that make the run again.
func repeatLines(r *Run) []string {
	var lines []string
	if commit, dirty := strings.CutSuffix(r.Commit, "+dirty"); commit != "" {
		line := "git checkout " + shellquote.Join(commit)
		if dirty {
			line += "   # and changes that were not committed"
		}
		lines = append(lines, line, "make build")
	}
	return append(lines, commandLine(r.Command))
}

var legend = []string{
	"A row is a target, a figure the median over rounds in which all targets take turns in random order. A closed loop (fixed connections) finds the ceiling; an open loop (fixed rate) measures latency. They never share a table.",
	Unproven + ": the difference is not proven; the interval of the ratio reaches 1. " + Dash + ": missing, and the footnote says why. ≥: a lower bound, because the generator was at its limit.",
	"#: one more than the number of targets that are proven better. 2= is shared: among these, nothing more is proven. Rows with a warning that casts doubt on them, and limits that do less than the others, have no rank.",
	"server÷gen: CPU time of the server ÷ that of the generator in the same seconds; ÷ " + ReferenceTarget + ": ÷ the same of " + ReferenceTarget + " in the same round. It counts as proven only if the plain CPU per request says so too, wherever the generator's own cost per request differs by more than 3 %.",
	"CPU is the process CPU clock of all threads; user and system are sampled by the kernel. On loopback the receive path is charged to whoever sends, so each side pays for a part of the other.",
	"switches: context switches of all threads. allocs: heap objects. RSS at the end of a trial. Errors are summed over all rounds.",
}

// addTargets adds how each target was run, with the whole configuration of the peers.
func addTargets(d *document, r *Run) {
	d.add(heading{2, "Targets"})
	for _, t := range r.Targets {
		d.add(heading{3, t.Name})
		about := list{"kind: " + orElse(t.Kind, "unknown")}
		if t.Limit {
			about = append(about, "a limit that does less than the others: never ranked")
		}
		if t.Note != "" {
			about = append(about, t.Note)
		}
		if t.Version != "" {
			about = append(about, "version: "+t.Version)
		}
		d.add(about)
		if len(t.Command) > 0 {
			d.add(listing{commandLine(t.Command)})
		}
		if t.Config != "" {
			d.add(listing(strings.Split(strings.TrimRight(t.Config, "\n"), "\n")))
		}
	}
}

// plainWord is a word of a command line that any shell takes as it is, and {port}, which stands for a number.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]*(\{\w+\}[\w@%+=:,./-]*)*$`)

// commandLine is a command as a person would type it.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; w == "" || !plainWord.MatchString(w) {
			quoted[i] = shellquote.Join(w)
		}
	}
	return strings.Join(quoted, " ")
}
