package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"corelab/results"
)

// Sides of a comparison.
const (
	sideA = "a"
	sideB = "b"
)

// side is what stands on one side: a run, one of its cases, and a target in it.
type side struct {
	Name    string // sideA or sideB
	Run     Run
	Cases   []choice
	Targets []choice
	Case    string // the label of the case
	Target  string // the label of the target
	Problem string // why there is no Cell

	kept  *kept
	cells []*results.Cell
	key   results.Key // of the case's table; no Target
	cell  *results.Cell
}

// choice is one entry of a list to choose from.
type choice struct {
	Value, Label string
	Chosen       bool
}

// Label names the side for people.
func (v *side) Label() string { return strings.ToUpper(v.Name) }

// Title is what is on the side in one line.
func (v *side) Title() string {
	return strings.Join(slices.DeleteFunc([]string{v.Target, v.Case, results.Printable(v.Run.ID)}, func(s string) bool { return s == "" }), " · ")
}

// newSide takes a side from a query. Like is the other side, where it is known: what is not chosen is as it is there.
func (s *Site) newSide(name string, q url.Values, all []Run, like *side) *side {
	v := &side{Name: name}
	id := q.Get(name)
	if id == "" && like != nil {
		id = like.Run.ID
	}
	if id == "" {
		v.Problem = "No run is chosen."
		return v
	}
	at := slices.IndexFunc(all, func(r Run) bool { return r.ID == id })
	if at < 0 {
		v.Problem = "There is no run " + results.Printable(id) + "."
		return v
	}
	v.Run = all[at]
	k, err := s.records.get(s.dir, v.Run)
	if err != nil {
		v.Problem = "The record of " + results.Printable(id) + " cannot be read: " + plain(err)
		return v
	}
	v.kept, v.cells = k, results.Cells(k.rec)
	v.choose(q.Get(name+"-case"), q.Get(name+"-target"), like)
	return v
}

// choose finds the case and the target: those that were asked for, or as on the other side, or the first.
func (v *side) choose(kase, target string, like *side) {
	keys := v.tables()
	if len(keys) == 0 {
		v.Problem = "The run " + results.Printable(v.Run.ID) + " has no ranked cells to put beside others: it is of the kind " + kindOf(v.Run.Head) + ". Its report says what it found."
		return
	}
	at := slices.IndexFunc(keys, func(k results.Key) bool { return caseLabel(k) == kase })
	if at < 0 && like != nil {
		at = slices.Index(keys, like.key)
	}
	v.key = keys[max(at, 0)]
	v.Case = caseLabel(v.key)
	for _, k := range keys {
		v.Cases = append(v.Cases, choice{caseLabel(k), caseLabel(k), k == v.key})
	}
	v.chooseTarget(target, like)
}

// chooseTarget finds the target. In the same table as the other side, the first that is not chosen there is the default.
func (v *side) chooseTarget(asked string, like *side) {
	var found []*results.Cell
	var labels []string
	for _, t := range results.TargetsOf(v.kept.rec) {
		for _, role := range []string{results.RoleRanked, results.RoleAA} {
			for _, c := range v.cells {
				if c.Target == t.Name && c.Role == role && tableOf(c) == v.key {
					found, labels = append(found, c), append(labels, cellLabel(c))
				}
			}
		}
	}
	at := slices.Index(labels, asked)
	if at < 0 && like != nil {
		same := like.Run.ID == v.Run.ID && like.key == v.key
		if at = slices.Index(labels, like.Target); same {
			at = slices.IndexFunc(labels, func(l string) bool { return l != like.Target })
		}
	}
	at = max(at, 0)
	v.cell, v.Target = found[at], labels[at]
	for i, label := range labels {
		v.Targets = append(v.Targets, choice{label, label, i == at})
	}
}

// tables are the cases of the run that have a table, in the order in which the run names its scenarios and their cases: that of
// the record is random.
func (v *side) tables() []results.Key {
	var keys []results.Key
	for _, c := range v.cells {
		if k := tableOf(c); c.Role == results.RoleRanked && c.Generator != "" && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b results.Key) int { return v.place(a) - v.place(b) })
	return keys
}

// place is where a table stands among those that the run planned; those that it did not plan stand behind them.
func (v *side) place(k results.Key) int {
	n := 0
	for _, s := range v.Run.Head.Scenarios {
		if s.Name == k.Scenario {
			if at := slices.Index(s.Cases, k.Case); at > 0 {
				n += at
			}
			return n
		}
		n += len(s.Cases) + 1
	}
	return n
}

// tableOf is the key of the table that a cell stands in: that of no target. Cells of other roles than those that count, and
// of the A/A ones beside them, are in none that is like it.
func tableOf(c *results.Cell) results.Key {
	k := c.Key
	k.Target = ""
	if k.Role == results.RoleAA {
		k.Role = results.RoleRanked
	}
	return k
}

// caseLabel names a table within its run.
func caseLabel(k results.Key) string {
	return fmt.Sprintf("%s · %s loop, %s, placement %s", where(k.Scenario, k.Case), results.Printable(k.Loop), results.Printable(k.Generator), results.Printable(k.Placement))
}

// cellLabel names a cell within its table.
func cellLabel(c *results.Cell) string {
	if c.Role == results.RoleAA {
		return results.Printable(c.Target) + " (A/A)"
	}
	return results.Printable(c.Target)
}

// reference is the cell that those of the table are held against; nil where it was not measured.
func (v *side) reference() *results.Cell {
	for _, c := range v.cells {
		if c.Target == results.ReferenceTarget && c.Role == results.RoleRanked && tableOf(c) == v.key {
			return c
		}
	}
	return nil
}

// query is the side's part of a query that chooses it.
func (v *side) query(q url.Values) {
	q.Set(v.Name, v.Run.ID)
	q.Set(v.Name+"-case", v.Case)
	q.Set(v.Name+"-target", v.Target)
}
