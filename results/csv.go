package results

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"corelab/results/stacks"
)

// Only names the cells that are wanted; an empty name takes all.
type Only struct{ Scenario, Case, Target string }

// whole reports whether all cells are wanted.
func (o Only) whole() bool { return o == Only{} }

func (o Only) has(scenario, name, target string) bool {
	return (o.Scenario == "" || o.Scenario == scenario) && (o.Case == "" || o.Case == name) && (o.Target == "" || o.Target == target)
}

func (o Only) String() string {
	var words []string
	for _, w := range []struct{ what, name string }{{"scenario", o.Scenario}, {"case", o.Case}, {"target", o.Target}} {
		if w.name != "" {
			words = append(words, w.what+" "+printable(w.name))
		}
	}
	return orElse(strings.Join(words, ", "), "the run")
}

// CSV is the record as a table for spreadsheets, R and pandas, in the form of RFC 4180 with CRLF and a line of heads: one line
// for each cell and figure. Numbers are in base units (ns, bytes, requests per second), with a point and without separators;
// what is missing is an empty field, never zero, and "lack" says why. The columns:
//
//	run, commit          of the record
//	scenario, case, target, kind, limit, role, generator, loop, connections, placement
//	                     the cell; role is empty for the trials that count, rate and depth stand in the case
//	verdict, ranked      what limited it, and whether it takes part in the ranks of its table
//	figure, unit, better the figure, its unit as in bench.txt, and whether "lower" or "higher" is better
//	rounds, left_out     rounds that have the figure, and loaded trials of the cell in which something else took the CPU
//	median, lo, hi       the median over the rounds and its interval of 95 %, which takes 6 rounds
//	min, max             of the rounds
//	lack                 why there is no value
//
// Of a cell that was profiled, "layer: NAME" is the layer's part of a request's CPU time; lo and hi are how far it may be off
// for the number of samples alone.
//
// A comparison and a knee search have tables of their own, whose heads say what they are. A field of text that a spreadsheet
// would take for a formula begins with an apostrophe.
func CSV(rec *Record, only Only) ([]byte, error) {
	t := &csvTable{}
	switch {
	case rec.Run.Compare != nil:
		if !only.whole() {
			return nil, fmt.Errorf("results: a comparison is of one case and two targets: there is nothing to choose of")
		}
		c, err := Compared(rec)
		if err != nil {
			return nil, err
		}
		t.comparison(c)
	case rec.Run.Tuning != nil:
		return nil, fmt.Errorf("results: the steps of a tuning have no table of lines: take json")
	case rec.Run.Knee != nil:
		t.knees(rec, only)
	default:
		t.cells(rec, only)
	}
	if len(t.rows) == 1 && !only.whole() {
		return nil, nothingOf(rec, only)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.WriteAll(t.rows); err != nil {
		return nil, fmt.Errorf("results: write CSV: %w", err)
	}
	return b.Bytes(), nil
}

// nothingOf is the error of names that the record does not have.
func nothingOf(rec *Record, only Only) error {
	var cases, targets []string
	for _, t := range rec.Trials {
		if name := caseName(t.Scenario, t.Case); !slices.Contains(cases, name) {
			cases = append(cases, name)
		}
		if !slices.Contains(targets, t.Target) {
			targets = append(targets, t.Target)
		}
	}
	return fmt.Errorf("results: the record has no trial of %s; it has the scenarios and cases %s, of %s",
		only, printable(strings.Join(cases, ", ")), printable(strings.Join(targets, ", ")))
}

// csvTable is lines of fields, the heads first.
type csvTable struct{ rows [][]string }

// csvNumber is a field that is a number, or empty.
type csvNumber string

func number(v float64) csvNumber { return csvNumber(strconv.FormatFloat(v, 'g', -1, 64)) }

// add adds a line; text is made safe, numbers stay as they are.
func (t *csvTable) add(fields ...any) {
	var row []string
	for _, f := range fields {
		switch f := f.(type) {
		case csvNumber:
			row = append(row, string(f))
		case bool:
			row = append(row, strconv.FormatBool(f))
		case int:
			row = append(row, strconv.Itoa(f))
		case uint64:
			row = append(row, strconv.FormatUint(f, 10))
		case time.Duration:
			row = append(row, strconv.FormatInt(int64(f), 10))
		case string:
			row = append(row, plainField(f))
		default:
			panic(fmt.Sprintf("results: a field of CSV cannot be a %T", f))
		}
	}
	t.rows = append(t.rows, row)
}

func (t *csvTable) heads(names string) { t.rows = append(t.rows, strings.Fields(names)) }

// plainField is text that no spreadsheet takes for a formula: those begin with one of these signs, also in their wide forms.
func plainField(s string) string {
	s = printable(s)
	if first := strings.TrimLeft(s, " "); first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0]) {
		return "'" + s
	}
	return s
}

// csvFigures are the figures of a cell, each once.
func csvFigures(c *Cell) []Figure {
	figures := append([]Figure{Offered}, benchFigures...)
	for _, e := range ledgerEntries {
		if e.observed == (c.Role == RoleObserved) && !slices.ContainsFunc(figures, func(f Figure) bool { return f.Unit == e.figure.Unit }) {
			figures = append(figures, e.figure)
		}
	}
	if c.hasBurst() {
		figures = append(figures, BurstOffered, BurstGoodput, BurstP99, BaseP99, BurstErrors, BurstUnsent, Recovery)
	}
	if c.Loop != LoopOpen {
		figures = slices.DeleteFunc(figures, func(f Figure) bool { return f.Unit == Offered.Unit })
	}
	return figures
}

// cells are the lines of a run of ordinary tables.
func (t *csvTable) cells(rec *Record, only Only) {
	t.heads(`run commit scenario case target kind limit role generator loop connections placement verdict ranked
		figure unit better rounds left_out median lo hi min max lack`)
	cells := Cells(rec)
	for _, c := range cells {
		if !only.has(c.Scenario, c.Case, c.Target) {
			continue
		}
		of := t.cellFields(rec, c)
		left, _ := c.disturbed()
		for _, f := range csvFigures(c) {
			better := "higher"
			if f.Falls {
				better = "lower"
			}
			fields := append(slices.Clone(of), f.Name, f.Unit, better)
			e, ok := c.Estimate(f)
			if !ok {
				t.add(append(fields, 0, left, csvNumber(""), csvNumber(""), csvNumber(""), csvNumber(""), csvNumber(""), c.Lack(f))...)
				continue
			}
			lo, hi := csvNumber(""), csvNumber("")
			if e.Bounded() {
				lo, hi = number(e.Lo), number(e.Hi)
			}
			t.add(append(fields, e.N, left, number(e.Median), lo, hi, number(e.Min), number(e.Max), "")...)
		}
		t.layers(rec, c, cells, of, left)
	}
}

// cellFields are the fields that say which cell it is.
func (t *csvTable) cellFields(rec *Record, c *Cell) []any {
	target := targetNamed(&rec.Run, c.Target)
	v, _ := c.Verdict()
	kind, ranked := string(v.Kind), v.Sound() && c.Role == RoleRanked && !target.Limit
	if c.Role == RoleObserved || c.Role == RoleProfiled {
		kind = "" // it is slowed: nobody asks what limits it
	}
	connections := csvNumber("")
	if l := c.Trials[0].Load; l != nil {
		connections = csvNumber(strconv.Itoa(l.Connections))
	}
	return []any{rec.Run.ID, rec.Run.Commit, c.Scenario, c.Case, c.Target, target.Kind, target.Limit, c.Role, c.Generator, c.Loop, connections, c.Placement, kind, ranked}
}

// layers are the lines of a cell whose requests' cost is known by layer.
func (t *csvTable) layers(rec *Record, c *Cell, cells []*Cell, of []any, left int) {
	k, ok := layerKey(rec, c.Scenario, c.Case, tableKeys(cells, c.Scenario, c.Case))
	if !ok || c.Role != RoleRanked || !c.sameTable(k) {
		return
	}
	none := csvNumber("")
	cost, lack := rec.LayersOf(c)
	if cost == nil {
		t.add(append(slices.Clone(of), "layers", "ns/req", "lower", 0, left, none, none, none, none, none, lack)...)
		return
	}
	for _, l := range stacks.Layers {
		if l == stacks.Idle {
			continue
		}
		v, open := cost.Of(l), cost.ShareError(l)*cost.CPU
		t.add(append(slices.Clone(of), "layer: "+string(l), "ns/req", "lower", 1, left, number(v), number(max(0, v-open)), number(v+open), none, none, "")...)
	}
}

// comparison are the lines of a comparison: a figure each.
func (t *csvTable) comparison(c *Comparison) {
	t.heads(`run commit scenario case a b figure name unit confidence blocks a_value b_value ratio lo hi could_show verdict why`)
	for _, d := range c.Figures {
		value := func(v float64) csvNumber {
			if d.Ratio == 0 {
				return ""
			}
			return number(v)
		}
		bound := func(v *float64) csvNumber {
			if v == nil {
				return ""
			}
			return number(*v)
		}
		t.add(c.Run, c.Commit, c.Scenario, c.Case, c.A.Target, c.B.Target, d.Figure, d.Name, d.Unit, number(d.Confidence), d.Blocks,
			value(d.A), value(d.B), value(d.Ratio), bound(d.Lo), bound(d.Hi), bound(d.CouldShow), d.Verdict, d.Why)
	}
}

// knees are the lines of a knee search: a target and a rate each.
func (t *csvTable) knees(rec *Record, only Only) {
	t.heads(`run commit scenario case target p99_budget_ns ceiling knee fails_at confirmed rate outcome p99_ns trials left_out reason`)
	scenario := ""
	if len(rec.Run.Scenarios) > 0 {
		scenario = rec.Run.Scenarios[0].Name
	}
	known := func(v float64) csvNumber {
		if v == 0 {
			return ""
		}
		return number(v)
	}
	for _, k := range Knees(rec) {
		if !only.has(scenario, k.Case, k.Target) {
			continue
		}
		of := []any{rec.Run.ID, rec.Run.Commit, scenario, k.Case, k.Target, k.Budget, known(k.Ceiling), known(k.Passes), known(k.Fails), k.Confirmed}
		if len(k.Rates) == 0 {
			t.add(append(of, csvNumber(""), "", csvNumber(""), k.Trials, k.LeftOut, k.Error)...)
		}
		for _, r := range k.Rates {
			t.add(append(slices.Clone(of), number(r.Rate), r.Outcome, known(float64(r.P99)), r.Counted, r.Disturbed, r.Reason)...)
		}
	}
}
