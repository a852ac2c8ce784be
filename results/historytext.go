package results

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSuspects bounds the commits that are listed behind one step.
const maxSuspects = 12

// maxSparks is how many runs, the last ones, the small chart of a line shows.
const maxSparks = 60

// HistoryText renders h for a terminal of so many columns. last bounds the runs that each table shows, 0 shows all; the
// small chart beside a target's name shows them all, and what is flagged is said of all.
func HistoryText(h *History, width int, colour bool, last int) string {
	d := &document{title: "history of " + h.Figure}
	for i, m := range h.Machines {
		d.add(heading{2, machineName(m)})
		shape := ""
		for _, l := range h.Lines {
			if l.Machine != i {
				continue
			}
			if s := l.Shape.String(); s != shape {
				shape = s
				d.add(heading{3, s})
			}
			l.addTo(d, last)
		}
	}
	d.add(list(h.remarks()))
	return d.terminal(width, colour)
}

func machineName(m Host) string {
	name := fmt.Sprintf("%s, %d CPUs, %.1f GiB", orElse(m.CPU, "unknown CPU"), m.CPUs, float64(m.MemoryKiB)/(1<<20))
	if m.Hostname != "" {
		name += ", host " + m.Hostname
	}
	return name
}

// remarks are what is said once, below all lines.
func (h *History) remarks() []string {
	var lines []string
	changed := 0
	for _, l := range h.Lines {
		for _, s := range l.Steps {
			if s.Flag != HistoryOnce {
				changed++
			}
		}
	}
	switch {
	case len(h.Lines) == 0:
		lines = append(lines, "no run has this figure")
	case h.Runs == 1:
		lines = append(lines, "one run: there is nothing to compare yet; `corelab bench` makes another, and a second one of the same commit measures the noise between runs")
	case changed == 0:
		lines = append(lines, fmt.Sprintf("no change is flagged in %s of %s", counted(len(h.Lines), "line"), counted(h.Runs, "run")))
	default:
		lines = append(lines, fmt.Sprintf("%s flagged in %s of %s", counted(changed, "change"), counted(len(h.Lines), "line"), counted(h.Runs, "run")))
	}
	if h.Renamed {
		lines = append(lines, "some machines differ in nothing but the host's name; if they are one, --any-host puts their runs in one line")
	}
	lines = append(lines, "in brackets behind a value: the 95 % interval of its median over the run's rounds; behind a change: what it may be, the noise between runs included; verdicts are at 99 %. "+
		Unproven+": no difference shown. An asterisk behind a commit: built with changes that were not committed")
	if slices.ContainsFunc(h.Lines, func(l *HistoryLine) bool { return len(l.Points) > 1 && l.Noise.Repeats < minRepeats }) {
		lines = append(lines, fmt.Sprintf("the noise between runs is taken, not measured, where too few commits were run more than once; "+
			"%d runs of one commit measure it", minRepeats+1))
	}
	for _, s := range h.Skipped {
		lines = append(lines, "left out: "+s)
	}
	return lines
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return formatCount(float64(n)) + " " + noun
}

// addTo adds the line's chart, its table and its flags.
func (l *HistoryLine) addTo(d *document, last int) {
	g := &grid{columns: []column{{"started", true}, {"commit", true}, {l.column(), true}, {"against the run before", true}, {"verdict", true}}}
	shown := l.Points
	if last > 0 && len(shown) > last {
		g.facts = append(g.facts, fmt.Sprintf("the last %d of %d runs; --last 0 shows all", last, len(shown)))
		shown = shown[len(shown)-last:]
	}
	for _, p := range shown {
		g.rows = append(g.rows, l.row(g, p))
	}
	if len(l.Points) == 1 {
		g.facts = append(g.facts, "one run: there is nothing to compare yet")
	} else {
		g.facts = append(g.facts, fmt.Sprintf("a difference of two runs within %s means nothing: %s", percent(l.Noise.Limit), l.Noise.Basis))
	}
	if !l.Relative {
		g.facts = append(g.facts, l.absoluteWords())
	}
	d.add(paragraph(l.Target + "  " + l.sparks()))
	d.add(g)
	for _, s := range slices.Concat(l.Steps, l.Creeps) {
		head, details := s.words()
		d.add(list{head})
		if details != nil {
			d.add(details)
		}
	}
}

// column heads the values.
func (l *HistoryLine) column() string {
	if l.Relative {
		return "÷ " + ReferenceTarget
	}
	return "absolute"
}

// absoluteWords say what to think of a figure that is not held against the reference.
func (l *HistoryLine) absoluteWords() string {
	switch l.figure.Unit {
	case CPUShare.Unit:
		return "not held against " + ReferenceTarget + ": changes of the generator are in it"
	case Memory.Unit, Allocs.Unit:
		return "as measured, not held against " + ReferenceTarget
	}
	return "absolute: drifts with the machine"
}

func (l *HistoryLine) row(g *grid, p HistoryPoint) gridRow {
	commit := orElse(p.Commit, "unknown")
	commit = commit[:min(12, len(commit))]
	if p.Dirty {
		commit += "*"
	}
	value := l.value(p.Value.e)
	for _, m := range p.Marks {
		value += g.notes.markExactly(m)
	}
	change, verdict := "", ""
	if c := p.Change; c != nil {
		change = signedRange(c.Ratio, c.Lo, c.Hi)
		if verdict = c.Verdict; verdict == historySame {
			verdict = Unproven
		}
	}
	if p.Doubt != "" {
		change, verdict = Dash+g.notes.mark(p.Doubt), Dash
	}
	switch p.Flag {
	case HistoryChanged:
		verdict += " ◀ changed"
	case HistoryOnce:
		verdict += " ◀ once"
	case HistoryNew:
		verdict += " ◀ new: run again"
	}
	return gridRow{doubtful: p.Doubt != "", cells: []string{p.Started.UTC().Format("2006-01-02 15:04"), commit, value, change, verdict}}
}

// value is the figure with its interval.
func (l *HistoryLine) value(e Estimate) string {
	lo, hi := e.Range()
	if l.Relative {
		return fmt.Sprintf("%.3f (%.3f–%.3f)", e.Median, lo, hi)
	}
	return fmt.Sprintf("%s (%s–%s)", l.figure.format(e.Median), l.figure.format(lo), l.figure.format(hi))
}

// signedRange is a ratio with its interval as a change: "−4.1 % (−4.9 to −3.3)".
func signedRange(ratio, lo, hi float64) string {
	return fmt.Sprintf("%s %% (%s to %s)", signed(ratio), signed(lo), signed(hi))
}

// signed is a ratio as a change in per cent.
func signed(ratio float64) string {
	v := 100 * (ratio - 1)
	places := 1
	if math.Abs(v) < 0.095 {
		places = 2
	}
	return strings.Replace(fmt.Sprintf("%+.*f", places, v), "-", "−", 1)
}

func percent(part float64) string { return strconv.FormatFloat(100*part, 'f', 1, 64) + " %" }

// sparks is the line as a small chart. It spans at least the noise on both sides, so that noise looks flat.
func (l *HistoryLine) sparks() string {
	points := l.Points[max(0, len(l.Points)-maxSparks):]
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		if p.Doubt == "" {
			lo, hi = min(lo, p.log()), max(hi, p.log())
		}
	}
	if lo > hi || len(points) < 2 {
		return ""
	}
	if room := 2*math.Log1p(l.Noise.Limit) - (hi - lo); room > 0 {
		lo, hi = lo-room/2, hi+room/2
	}
	const levels = "▁▂▃▄▅▆▇█"
	runes := []rune(levels)
	var b strings.Builder
	for _, p := range points {
		at := len(runes) / 2
		if hi > lo {
			at = int((p.log()-lo)/(hi-lo)*float64(len(runes)-1) + 0.5)
		}
		if p.Doubt != "" {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(runes[min(max(at, 0), len(runes)-1)])
	}
	return b.String()
}

// words say what a step is, and behind it what may have caused it and what to do to be sure.
func (s *HistoryStep) words() (head string, details listing) {
	size := signedRange(s.Ratio, s.Lo, s.Hi) + ", " + s.Verdict
	switch s.Flag {
	case HistoryOnce:
		return fmt.Sprintf("run %s stands alone: %s; the run after it is where those before it were", s.To, size), nil
	case historyCrept:
		head = fmt.Sprintf("crept from %s to %s, in steps too small to tell which: %s", s.From, s.To, size)
	case HistoryNew:
		head = s.cause() + ": " + size + "; nothing was run since: run again to see whether it stays"
	default:
		head = s.cause() + ": " + size + "; confirmed by " + counted(s.Stayed, "later run")
	}
	if s.Alone {
		details = append(details, "one run alone stands for what was before: it may be that one which is the odd one")
	}
	for _, b := range s.Beside {
		details = append(details, "changed as well: "+b)
	}
	for i, c := range s.Suspects {
		if len(s.Suspects) == 1 && s.Flag != historyCrept {
			break // it is named as the cause
		}
		if i == maxSuspects {
			details = append(details, fmt.Sprintf("and %d more: git log %s..%s", len(s.Suspects)-i, s.OldCommit, s.NewCommit))
			break
		}
		details = append(details, "suspect "+c.Hash+" "+c.Subject)
	}
	if s.Note != "" {
		details = append(details, s.Note)
	}
	if s.Compare != "" {
		details = append(details, "to be sure: "+s.Compare)
	}
	return head, details
}

// cause names the commit, or the commits between which it is.
func (s *HistoryStep) cause() string {
	name := func(commit string, dirty bool) string {
		commit = orElse(commit, "an unknown commit")
		if dirty {
			commit += "+dirty"
		}
		return commit
	}
	before, after := name(s.OldCommit, s.OldDirty), name(s.NewCommit, s.NewDirty)
	switch {
	case s.OldCommit == s.NewCommit && s.OldCommit != "" && !s.OldDirty && !s.NewDirty:
		return "changed, and not by a commit: both runs are of " + after
	case len(s.Suspects) == 1 && !s.OldDirty && !s.NewDirty:
		return fmt.Sprintf("changed by %s (%s)", s.Suspects[0].Hash, s.Suspects[0].Subject)
	}
	return "changed between " + before + " and " + after
}

// formatDay is a time as a tick of an axis.
func formatDay(t time.Time) string { return t.UTC().Format("01-02 15:04") }
