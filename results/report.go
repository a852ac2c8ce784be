package results

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the files that Report makes beside its plots.
const (
	ReportFile = "report.md"
	BenchFile  = "bench.txt"
)

// Summary is report.md for a terminal that is width columns wide, with colours where colour is set. It leaves out how each
// target was run: a peer's whole configuration would push the tables off the screen.
func Summary(rec *Record, width int, colour bool) string {
	return newDocument(rec, nil).terminal(width, colour)
}

// Report makes all that is made of a record: report.md, bench.txt, the plots and the flame graphs, by file name below the run's
// folder. It is a pure function of the record and its profiles: the same ones give the same bytes.
func Report(rec *Record) (map[string][]byte, error) {
	files, err := Plots(rec)
	if err != nil {
		return nil, err
	}
	if err := withFlames(files, rec); err != nil {
		return nil, err
	}
	d := newDocument(rec, files)
	if rec.Run.Tuning == nil {
		addFlames(d, rec, files)
	}
	addTargets(d, &rec.Run)
	files[ReportFile] = []byte(d.markdown())
	bench, err := Bench(rec)
	if err != nil {
		return nil, err
	}
	files[BenchFile] = bench
	return files, nil
}

// Markdown is report.md. Of a comparison, which has no report, it is the text that compare prints.
func Markdown(rec *Record) ([]byte, error) {
	if rec.Run.Compare != nil {
		c, err := Compared(rec)
		if err != nil {
			return nil, err
		}
		d := &document{title: "corelab run " + rec.Run.ID}
		d.add(listing(strings.Split(strings.TrimRight(CompareText(c), "\n"), "\n")))
		return []byte(d.markdown()), nil
	}
	files, err := Report(rec)
	return files[ReportFile], err
}

// WriteReport reads the record in dir and writes its Report beside it, replacing older files at once each.
func WriteReport(dir string) error {
	rec, err := Read(dir)
	if err != nil {
		return err
	}
	files, err := Report(rec)
	if err != nil {
		return err
	}
	var errs []error
	for name, b := range files {
		errs = append(errs, replaceFile(filepath.Join(dir, name), b))
	}
	return errors.Join(errs...)
}

// replaceFile writes b beside path and renames it there: a reader finds the old file or the new one, never half of one. The
// folder is made if there is none.
func replaceFile(path string, b []byte) error {
	tmp := path + ".new"
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(tmp, b, 0o666)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("results: write a report: %w%s", err, fullDisk(err))
	}
	return nil
}

// newDocument is the head and the tables of the report, with those of its pictures that are among files.
func newDocument(rec *Record, files map[string][]byte) *document {
	d := &document{title: "corelab run " + rec.Run.ID}
	addHead(d, rec)
	if rec.Run.Tuning != nil {
		addTuning(d, rec, files)
		return d
	}
	cells := Cells(rec)
	if m := newMigration(rec, cells); m != nil {
		m.add(d, files)
	}
	for _, s := range orderedScenarios(rec) {
		addScenario(d, rec, s, cells, files)
		if t := headlineTable(rec, cells); t != nil && t.key.Scenario == s.Name && files[CostPlot] != nil {
			d.add(picture{CostPlot, "CPU per request of each target"})
		}
		if name := fileWord(s.Name) + connectionsPlot; files[name] != nil {
			d.add(picture{name, "throughput and p99 over connections"})
		}
		for _, p := range overloadPictures(s, files) {
			d.add(p)
		}
	}
	return d
}

// orderedScenarios are the run's scenarios, and behind them those that only trials name.
func orderedScenarios(rec *Record) []Scenario {
	scenarios := slices.Clone(rec.Run.Scenarios)
	for _, t := range rec.Trials {
		if !slices.ContainsFunc(scenarios, func(s Scenario) bool { return s.Name == t.Scenario }) {
			scenarios = append(scenarios, Scenario{Name: t.Scenario})
		}
	}
	return scenarios
}

// addScenario adds a section: the question, and the tables that answer it. Without files it keeps to what a terminal has room
// for.
func addScenario(d *document, rec *Record, s Scenario, cells []*Cell, files map[string][]byte) {
	brief := files == nil
	d.add(heading{2, s.Name})
	for _, text := range []string{s.Question, s.Why, s.Load} {
		if text != "" {
			d.add(paragraph(text))
		}
	}
	names := orderedCases(rec, s)
	if len(names) == 0 {
		d.add(paragraph("No trial of this scenario was made."))
	}
	if rec.Run.Knee != nil {
		addKnees(d, rec)
		return
	}
	if rec.Run.Siege != nil {
		addSiege(d, rec)
		return
	}
	if rec.Run.Soak != nil {
		addSoak(d, rec)
		return
	}
	if g := overloadGrid(rec, s, cells); g != nil {
		d.add(g)
		addBottlenecks(d, rec, overloadLimited(rec, s, cells), cells, brief)
		names = nil
	}
	if g := priceGrid(rec, s, cells); g != nil {
		d.add(heading{3, "what each work costs"})
		d.add(g)
		if brief {
			return // the report has a table for each work
		}
	}
	for _, name := range names {
		keys := tableKeys(cells, s.Name, name)
		for _, k := range keys {
			if title := tableTitle(k, len(keys) > 1); title != "" {
				d.add(heading{3, title})
			}
			t := newLoadTable(&rec.Run, k, cells)
			d.add(t.build(runNoise(cells, k)))
			addBottlenecks(d, rec, t.limited(), cells, brief)
		}
		for _, k := range keys {
			if brief && !observedCase(cells, k) {
				continue // the report has it
			}
			if g := ledgerGrid(&rec.Run, k, cells, brief); g != nil {
				d.add(heading{3, join(tableTitle(k, len(keys) > 1), "the ledger of a request")})
				d.add(g)
			}
		}
		addLayers(d, rec, s.Name, name, keys, cells, files)
		addRunQueue(d, rec, s.Name, name)
		if g := secondGrid(&rec.Run, s.Name, name, cells); g != nil {
			d.add(heading{3, join(name, "two generators")})
			d.add(g)
			if g := costsGrid(&rec.Run, s.Name, name, cells); g != nil {
				d.add(heading{3, join(name, "what the generators cost")})
				d.add(g)
			}
		}
		g := callsGrid(&rec.Run, s.Name, name, cells)
		reasons := observedReasons(s.Name, name, cells)
		if g != nil || len(reasons) > 0 {
			d.add(heading{3, join(name, "system calls")})
		}
		if g != nil {
			d.add(g)
		}
		if len(reasons) > 0 {
			d.add(paragraph("Not observed everywhere: " + strings.Join(reasons, "; ")))
		}
	}
	if ceilings := ceilingList(&rec.Run, s.Name, cells); len(ceilings) > 0 {
		d.add(paragraph("The ceilings that the rates were taken from, by short closed loops:"))
		d.add(ceilings)
	}
}

// orderedCases are the scenario's cases that have a trial, as the run planned them.
func orderedCases(rec *Record, s Scenario) []string {
	var tried []string
	for _, t := range rec.Trials {
		if t.Scenario == s.Name && !slices.Contains(tried, t.Case) {
			tried = append(tried, t.Case)
		}
	}
	var names []string
	for _, name := range slices.Concat(s.Cases, tried) {
		if slices.Contains(tried, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// tableKeys are the tables of one case: closed loops first, then by first appearance. A case in which no trial was loaded
// has one table, for the reasons.
func tableKeys(cells []*Cell, scenario, name string) []Key {
	var keys []Key
	unloaded := Key{Scenario: scenario, Case: name}
	idle := false
	for _, c := range cells {
		if c.Scenario != scenario || c.Case != name || c.Role != RoleRanked {
			continue
		}
		k := c.Key
		k.Target = ""
		if k.Generator == "" {
			idle, unloaded.Placement = true, c.Placement
		} else if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 && idle {
		keys = append(keys, unloaded)
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return cmp.Compare(a.Loop, b.Loop) })
	return keys
}

// tableTitle names the case, and what else tells the tables of the case apart.
func tableTitle(k Key, several bool) string {
	if !several {
		return k.Case
	}
	return join(k.Case, k.Loop+" loop, "+k.Generator+", placement "+orElse(k.Placement, "not asked for"))
}

func join(name, rest string) string {
	if name == "" {
		return rest
	}
	return name + ": " + rest
}

// runNoise is the first noise floor of the run for a table that has none of its own: of the same placement and loop, where
// there is one.
func runNoise(cells []*Cell, k Key) []Noise {
	var found []Noise
	for _, c := range cells {
		if c.Role != RoleAA {
			continue
		}
		f := ServerCPU
		if c.Placement == PlacementOne {
			f = CPUShare
		}
		floor := NoiseFloor(cells, c.Key, f)
		if c.Placement == k.Placement && c.Loop == k.Loop && len(floor) > 0 {
			return floor
		}
		if len(found) == 0 {
			found = floor
		}
	}
	return found
}

// ceilingList says from which closed loop each open loop's rate was taken.
func ceilingList(run *Run, scenario string, cells []*Cell) list {
	var l list
	for _, t := range orderedTargets(run, cells) {
		for _, c := range cells {
			if c.Role != RoleCeiling || c.Target != t.Name || c.Scenario != scenario {
				continue
			}
			if e, ok := c.Estimate(Throughput); ok {
				l = append(l, fmt.Sprintf("%s: %s req/s by %s", t.Name, formatCount(e.Median), c.Generator))
			} else {
				l = append(l, t.Name+": none; "+c.Lack(Throughput))
			}
		}
	}
	return l
}
