package results

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// revisionPrefix begins the name of a target that is another revision of this repository.
const revisionPrefix = "git:"

// otherRoles stand in lines of trials that no history shows.
var otherRoles = [][]byte{[]byte(`"role":"` + RoleSecond + `"`), []byte(`"role":"` + RoleObserved + `"`),
	[]byte(`"role":"` + RoleCeiling + `"`), []byte(`"role":"` + RoleCompared + `"`),
	[]byte(`"role":"` + RoleProfiled + `"`)}

// roleBound is how far into a line its role is looked for: before it there are only names.
const roleBound = 1 << 10

// wants reports whether a line of a record, behind the first, can hold anything that is asked for. It may say so of lines
// that do not, never the other way round.
func (a HistoryAsk) wants(run *Run, line []byte) bool {
	if !bytes.Contains(line, []byte(`"scenario":`)) {
		return true // not a trial, or not as this package writes it
	}
	if run.Started.Before(a.Since) || len(a.Scenarios) > 0 && !slices.ContainsFunc(a.Scenarios, func(name string) bool {
		quoted := strconv.Quote(name)
		return quoted != `"`+name+`"` || bytes.Contains(line, []byte(quoted)) // JSON may write a strange name in many ways
	}) {
		return false
	}
	begin := line[:min(len(line), roleBound)]
	return !slices.ContainsFunc(otherRoles, func(role []byte) bool { return bytes.Contains(begin, role) })
}

// Samples takes the figure out of every cell of a record that is asked for.
func Samples(rec *Record, ask HistoryAsk) []HistorySample {
	if rec.Run.Started.Before(ask.Since) {
		return nil
	}
	asked := func(names []string, name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	cells := Cells(rec)
	var samples []HistorySample
	for _, c := range cells {
		if c.Role != RoleRanked || c.Generator == "" || !asked(ask.Scenarios, c.Scenario) || !asked(ask.Cases, c.Case) {
			continue
		}
		target := targetNamed(&rec.Run, c.Target)
		if len(ask.Targets) == 0 && (target.Name == ReferenceTarget || target.Limit) || !asked(ask.Targets, target.Name) {
			continue
		}
		if s, ok := sampleOf(rec, cells, c, target, ask); ok {
			samples = append(samples, s)
		}
	}
	return samples
}

func targetNamed(run *Run, name string) Target {
	for _, t := range run.Targets {
		if t.Name == name {
			return t
		}
	}
	return Target{Name: name}
}

// sampleOf is the figure of one cell; false where it has none.
func sampleOf(rec *Record, cells []*Cell, c *Cell, target Target, ask HistoryAsk) (HistorySample, bool) {
	run := &rec.Run
	var reference *Cell
	for _, r := range cells {
		if r.Role == RoleRanked && r.Target == ReferenceTarget && r.sameTable(c.Key) && c.Target != ReferenceTarget {
			reference = r
		}
	}
	take := func(f Figure) (Estimate, bool) {
		if reference == nil {
			return c.Estimate(f)
		}
		return Ratio(c, reference, f)
	}
	if ask.Absolute {
		reference = nil
	}
	value, ok := take(ask.Figure.Figure)
	if !ok && reference != nil { // the reference has no such figure, as nginx counts no allocations
		reference = nil
		value, ok = take(ask.Figure.Figure)
	}
	if !ok {
		return HistorySample{}, false
	}
	s := HistorySample{host: run.Host, shape: shapeOf(run, c), target: target.Name, kind: target.Kind, relative: reference != nil,
		point: HistoryPoint{Run: run.ID, Dir: rec.Dir, Started: run.Started, Value: historyValue(value)}}
	p := &s.point
	p.Commit, p.Dirty = strings.CutSuffix(run.Commit, "+dirty")
	if revision := revisionOf(target); revision != "" {
		// Its name means another commit in each run. It is a line of its own: the lab is not of that commit.
		p.Commit, p.Dirty = revision, false
		s.target = revisionName(target, revision)
	}
	p.gen, _ = take(ClientCPU)
	p.plain, _ = take(ServerCPU)
	p.env = facts(run, target, c, reference)
	for _, n := range NoiseFloor(cells, c.Key, ask.Figure.Figure) {
		p.aa = max(p.aa, math.Abs(math.Log(n.Ratio.Median)))
	}
	p.Doubt = doubtOf(c, ask.Figure)
	if p.Doubt == "" && reference != nil {
		if d := doubtOf(reference, ask.Figure); d != "" {
			p.Doubt = ReferenceTarget + ": " + d
		}
	}
	for _, part := range rec.Parts {
		if other := part.GoOn.Commit; other != run.Commit && p.Doubt == "" {
			p.Doubt = "its rounds are of two commits: it went on with " + orElse(other, "an unknown commit")
		}
	}
	switch {
	case p.Doubt != "":
	case value.Median <= 0:
		p.Doubt = "there is no ratio to zero"
	case !value.Bounded():
		p.Doubt = "too few rounds for an interval: it takes " + strconv.Itoa(MinRounds)
	}
	if rec.End == nil {
		p.Marks = append(p.Marks, "not whole: the run was killed, or goes on")
	} else if rec.End.Interrupted {
		p.Marks = append(p.Marks, "not whole: the run was interrupted")
	}
	return s, true
}

// doubtOf says why the cell's figure proves nothing, or "".
func doubtOf(c *Cell, f HistoryFigure) string {
	s := c.soundness()
	if s.ranked && (s.speed || !f.speed) {
		return ""
	}
	if v, ok := c.Verdict(); ok && !v.Sound() {
		return fmt.Sprintf("%s: %s", v.Kind, v.Reason)
	}
	for _, m := range c.Marks() {
		if weigh(m.Code) != marks {
			return m.String()
		}
	}
	return "its cell is in doubt"
}

// revisionOf is the commit of a target that is another revision of this repository, or "".
func revisionOf(t Target) string {
	if !strings.HasPrefix(t.Name, revisionPrefix) {
		return ""
	}
	commit, found := strings.CutPrefix(t.Version, "commit ")
	if !found {
		return ""
	}
	commit, _, _ = strings.Cut(commit, ",")
	return commit
}

// revisionName names such a target by its commit: "git:0123456789ab:epoll --limit-pipelined 8".
func revisionName(t Target, commit string) string {
	name := revisionPrefix + commit
	if i := slices.Index(t.Command, "--core"); i >= 0 && i+1 < len(t.Command) {
		name += ":" + t.Command[i+1]
	}
	if _, flags, found := strings.Cut(t.Name, " "); found {
		name += " " + flags
	}
	return name
}

// facts are what may change a figure beside the commit.
func facts(run *Run, target Target, c, reference *Cell) map[string]fact {
	env := map[string]fact{"kernel": {text: run.Host.Kernel}, "Go": {text: run.Host.GoVersion}, "virtual": {text: run.Host.Virtual}}
	for name, value := range run.Host.Sysctl {
		env[name] = fact{text: value}
	}
	if c.Generator != generatorOwn {
		env["generator"] = fact{text: run.Tools[c.Generator]}
	}
	if target.Kind != "core" && target.Kind != "" {
		env["version"] = fact{text: target.Version}
	}
	if len(target.Command) > 1 { // where the program lies is not asked
		env["its command line"] = fact{text: commandLine(target.Command[1:])}
	}
	env["its configuration"] = hashed(target.Config)
	if reference != nil {
		t := targetNamed(run, ReferenceTarget)
		env[ReferenceTarget] = fact{text: orElse(t.Version, run.Tools[ReferenceTarget])}
		env["configuration of "+ReferenceTarget] = hashed(t.Config)
	}
	return env
}
