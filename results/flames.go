package results

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"time"

	"corelab/results/stacks"
)

// flameKinds are the kinds of profiles that have a flame graph.
var flameKinds = []struct {
	kind   string
	suffix string // of the file's name
	what   string // the graph is of
}{
	{ProfileCPU, "", "CPU time"},
	{ProfileOffCPU, "-off-cpu", "time off the CPU"},
}

// Folders of a run that graphs and folded stacks are in.
const (
	flameFolder  = "flame/"
	foldedFolder = "profiles/"
)

// FlameFile is the name, below the run's folder, of the flame graph of a target's profile of that kind.
func FlameFile(scenario, name, target, kind string) string {
	suffix := "-" + fileWord(kind)
	for _, k := range flameKinds {
		if k.kind == kind {
			suffix = k.suffix
		}
	}
	return flameFolder + flameWords(scenario, name, target) + suffix + ".svg"
}

// FlameDiffFile is the name, below the run's folder, of the differential flame graph of two targets' CPU profiles.
func FlameDiffFile(scenario, name, from, to string) string {
	return flameFolder + "diff-" + flameWords(scenario, name, from, to) + ".svg"
}

// foldedFile is the name of the folded stacks of a target's CPU profile.
func foldedFile(scenario, name, target string) string {
	return foldedFolder + flameWords(scenario, name, target) + "-cpu.folded"
}

// longestWord bounds each word of a file's name: a record may say anything.
const longestWord = 60

// flameWords joins words for a file's name, without those that are empty.
func flameWords(words ...string) string {
	var safe []string
	for _, w := range words {
		if w = fileWord(w); w != "" {
			safe = append(safe, w[:min(len(w), longestWord)])
		}
	}
	return strings.Join(safe, "-")
}

// Step is what changed from one core to the next, in one case: both have a profile of their CPU time.
type Step struct {
	Scenario, Case, From, To string
	File                     string // of the differential flame graph, as FlameDiffFile names it
}

// Steps are the steps of the migration in all cases that were profiled: from each core to the next, and from the last one to
// each of those that are there for comparison.
// In a tuning they are its own.
func Steps(rec *Record) []Step {
	if rec.Run.Tuning != nil {
		return tuningSteps(rec)
	}
	var steps []Step
	for _, s := range orderedScenarios(rec) {
		for _, name := range orderedCases(rec, s) {
			last := ""
			for _, stage := range migrationStages {
				if _, p := rec.ProfileOf(s.Name, name, stage.name, ProfileCPU); p == nil {
					continue
				}
				if last != "" {
					steps = append(steps, Step{s.Name, name, last, stage.name, FlameDiffFile(s.Name, name, last, stage.name)})
				}
				if stage.path {
					last = stage.name
				}
			}
		}
	}
	return steps
}

// flame is a graph that the record has, of one target.
type flame struct {
	trial   *Trial
	profile *Profile
	what    string
	file    string
}

// flamesIn are the graphs of a case, in the order of the run's targets. Of two trials of one target it is the first.
func flamesIn(rec *Record, scenario, name string) []flame {
	var all []flame
	for _, target := range TargetsOf(rec) {
		for _, k := range flameKinds {
			if t, p := rec.ProfileOf(scenario, name, target.Name, k.kind); p != nil {
				all = append(all, flame{t, p, k.what, FlameFile(scenario, name, target.Name, k.kind)})
			}
		}
	}
	return all
}

// Flames makes the flame graphs of a record's profiles, those of the differences that the steps of the migration made, and
// the folded stacks of the CPU profiles, by file name below the run's folder. A profile that cannot be read has none: the report
// says why. It is a pure function of the record and its profiles.
func Flames(rec *Record) (map[string][]byte, error) {
	files := map[string][]byte{}
	costs := newFlameCosts(rec)
	scenarios := orderedScenarios(rec)
	if rec.Run.Tuning != nil {
		scenarios = nil // what changed is all that it is about
	}
	for _, s := range scenarios {
		for _, name := range orderedCases(rec, s) {
			for _, f := range flamesIn(rec, s.Name, name) {
				p, err := rec.Stacks(f.profile)
				if err != nil || files[f.file] != nil {
					continue
				}
				o := stacks.FlameOptions{Title: f.title(), Subtitle: f.subtitle(s.Load), What: f.what, Waiting: f.profile.Kind == ProfileOffCPU}
				if f.profile.Kind == ProfileCPU {
					o.Cost = costs.of(s.Name, name, f.trial.Target)
					var folded bytes.Buffer
					if err := stacks.Fold(&folded, p); err != nil {
						return nil, fmt.Errorf("results: fold %s: %w", f.profile.Path, err)
					}
					files[foldedFile(s.Name, name, f.trial.Target)] = folded.Bytes()
				}
				files[f.file] = stacks.Flame(p, o)
			}
		}
	}
	for _, step := range Steps(rec) {
		if b := flameDiff(rec, costs, step); b != nil {
			files[step.File] = b
		}
	}
	return files, nil
}

// FlameDiff draws the difference between the CPU profiles of two targets in a case; nil where one has none that can be read.
func FlameDiff(rec *Record, scenario, name, from, to string) []byte {
	return flameDiff(rec, newFlameCosts(rec), Step{Scenario: scenario, Case: name, From: from, To: to})
}

func flameDiff(rec *Record, costs *flameCosts, s Step) []byte {
	o := stacks.DiffOptions{
		Title:      fmt.Sprintf("%s: %s → %s, what each function costs a request", inCase(s.Scenario, s.Case), s.From, s.To),
		BeforeName: s.From, AfterName: s.To,
		BeforeCost: costs.of(s.Scenario, s.Case, s.From), AfterCost: costs.of(s.Scenario, s.Case, s.To),
	}
	before, after := (*stacks.Profile)(nil), (*stacks.Profile)(nil)
	if before, o.BeforeSamples = cpuProfile(rec, s, s.From); before == nil {
		return nil
	}
	if after, o.AfterSamples = cpuProfile(rec, s, s.To); after == nil {
		return nil
	}
	o.Subtitle = fmt.Sprintf("%s samples of %s, %s of %s, in profiled trials; what a request costs in all is of the ranked trials.",
		formatCount(float64(o.BeforeSamples)), s.From, formatCount(float64(o.AfterSamples)), s.To)
	return stacks.FlameDiff(before, after, o)
}

// cpuProfile is a target's CPU profile in the step's case, nil where there is none that can be read, and how many of its
// samples are of the server and not of idle CPUs.
func cpuProfile(rec *Record, s Step, target string) (*stacks.Profile, uint64) {
	_, entry := rec.ProfileOf(s.Scenario, s.Case, target, ProfileCPU)
	if entry == nil {
		return nil, 0
	}
	p, err := rec.Stacks(entry)
	if err != nil {
		return nil, 0
	}
	a, err := rec.attribution(entry)
	all := a.Busy + a.By[stacks.Idle]
	if err != nil || all <= 0 {
		return p, 0
	}
	return p, uint64(float64(entry.Samples) * float64(a.Busy) / float64(all))
}

// inCase names a scenario, and its case if it has one, for people.
func inCase(scenario, name string) string {
	if name == "" {
		return scenario
	}
	return scenario + " " + name
}

func (f *flame) title() string {
	return fmt.Sprintf("%s: %s, %s", inCase(f.trial.Scenario, f.trial.Case), f.trial.Target, f.what)
}

// subtitle says under which load and by what the profile was taken.
func (f *flame) subtitle(load string) string {
	p := f.profile
	how := orElse(p.Event, "unknown event")
	if p.Rate > 0 {
		how += fmt.Sprintf(" at %s samples a second and CPU", formatCount(p.Rate))
	}
	how += fmt.Sprintf(" over %s: %s samples", formatSpan(p.Elapsed.Round(100*time.Millisecond)), formatCount(float64(p.Samples)))
	if p.Lost > 0 {
		how += fmt.Sprintf(", and %s lost", formatCount(float64(p.Lost)))
	}
	if load == "" {
		return how
	}
	return load + "; " + how
}

// flameCosts knows what a request of a target costs, in ns of CPU time: by the ranked trials whose load is most like that of the
// profiled ones.
type flameCosts struct {
	rec   *Record
	cells []*Cell
	tuned map[[3]string]float64 // in a tuning
}

func newFlameCosts(rec *Record) *flameCosts {
	c := &flameCosts{rec: rec, cells: Cells(rec)}
	if rec.Run.Tuning != nil {
		c.tuned = tuningCosts(rec)
	}
	return c
}

// of is 0 where the cost is not known.
func (c *flameCosts) of(scenario, name, target string) float64 {
	if c.tuned != nil {
		return c.tuned[[3]string{scenario, name, target}]
	}
	k, ok := layerKey(c.rec, scenario, name, tableKeys(c.cells, scenario, name))
	if !ok {
		return 0
	}
	for _, cell := range c.cells {
		if cell.Target == target && cell.Role == RoleRanked && cell.sameTable(k) {
			if e, ok := cell.Estimate(ServerCPU); ok {
				return e.Median
			}
		}
	}
	return 0
}

// addFlames adds links to the graphs that are among files, and why there are no others.
func addFlames(d *document, rec *Record, files map[string][]byte) {
	var l linked
	var lacks list
	steps := Steps(rec)
	for _, s := range orderedScenarios(rec) {
		for _, name := range orderedCases(rec, s) {
			for _, f := range flamesIn(rec, s.Name, name) {
				if files[f.file] != nil {
					l = append(l, link{inCase(s.Name, name) + ", " + f.trial.Target, f.what, f.file})
				}
			}
			for _, step := range steps {
				if step.Scenario == s.Name && step.Case == name && files[step.File] != nil {
					l = append(l, link{inCase(s.Name, name) + ", what changed", step.From + " → " + step.To, step.File})
				}
			}
			lacks = append(lacks, flamesLacking(rec, s.Name, name)...)
		}
	}
	if len(l) == 0 && len(lacks) == 0 {
		return
	}
	d.add(heading{2, "Flame graphs"})
	if len(l) > 0 {
		d.add(paragraph("One self-contained SVG each: opened in a browser it zooms (click, Enter) and searches (/). Those of what changed show what the second of two targets spends more or less of. The profiles themselves are in profiles/, for go tool pprof, and those of CPU time as folded stacks."))
		d.add(l)
	}
	if len(lacks) > 0 {
		d.add(paragraph("Not drawn:"))
		d.add(lacks)
	}
}

// flamesLacking says of each profiled target which graphs it has not, and why.
func flamesLacking(rec *Record, scenario, name string) list {
	var l list
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if t.Role != RoleProfiled || t.Scenario != scenario || t.Case != name {
			continue
		}
		who := inCase(scenario, name) + ", " + t.Target
		if t.Error != "" || t.Skipped != "" {
			l = append(l, who+": "+orElse(t.Error, t.Skipped))
			continue
		}
		for _, k := range flameKinds {
			why := missing(t, "profiles."+k.kind)
			if _, p := rec.ProfileOf(scenario, name, t.Target, k.kind); p != nil {
				_, err := rec.Stacks(p)
				if err == nil {
					continue
				}
				why = err.Error()
			}
			if why != "" {
				l = append(l, who+", "+k.what+": "+why)
			}
		}
	}
	return l
}

// withFlames adds the flame graphs to the files of a report.
func withFlames(files map[string][]byte, rec *Record) error {
	flames, err := Flames(rec)
	maps.Copy(files, flames)
	return err
}
