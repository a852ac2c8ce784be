package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"corelab/results"
	"corelab/results/page"
	"corelab/results/stacks"
)

// besideBody is two cells beside each other.
type besideBody struct {
	Runs   [2][]choice
	A, B   *side
	Swap   string // the same with A and B exchanged
	Ready  bool   // both sides have a cell
	Apart  []apartRow
	Loads  string // what is not the same though the run is
	Rows   []figureRow
	Lacks  []string // why figures are missing
	Limits [2]limitView
	Data   *page.Data // of the charts; its targets are A and B
	Layers []layerRow // of both, where both were profiled
	Flame  string     // where the flame graph of the difference is
	NoDiff string     // why there is none, and why the cost is not by layer
	Tables []caseTable
}

// Reference is the target that each is held against in its own run.
func (b *besideBody) Reference() string { return results.ReferenceTarget }

// sideForm is what a side is chosen with.
type sideForm struct {
	Side *side
	Runs []choice
}

// caseTable is the whole table that a side's cell stands in.
type caseTable struct {
	Title string
	HTML  template.HTML
}

// serveBeside is the page of two cells; with part=choose only the piece of it that they are chosen with.
func (s *Site) serveBeside(w http.ResponseWriter, r *http.Request) {
	all, _, err := s.runs.list()
	if err != nil {
		s.fail(w, http.StatusInternalServerError, "The folder of runs cannot be read: "+plain(err))
		return
	}
	all = slices.DeleteFunc(all, func(run Run) bool { return run.Broken != "" })
	q := r.URL.Query()
	body := s.newBeside(q, all)
	if q.Get("part") == "choose" {
		s.render(w, http.StatusOK, "choose", body)
		return
	}
	if body.Ready {
		if err := body.fill(); err != nil {
			s.fail(w, http.StatusInternalServerError, plain(err))
			return
		}
	}
	s.render(w, http.StatusOK, "beside", view{Title: "Beside each other", Where: "beside", Charts: body.Ready, Body: body})
}

// newBeside finds both sides. Where only one run is named, both are of it.
func (s *Site) newBeside(q url.Values, all []Run) *besideBody {
	if q.Get(sideA) == "" && q.Get(sideB) != "" {
		q.Set(sideA, q.Get(sideB))
	}
	b := &besideBody{A: s.newSide(sideA, q, all, nil)}
	like := b.A
	if like.cell == nil {
		like = nil
	}
	b.B = s.newSide(sideB, q, all, like)
	for i, v := range []*side{b.A, b.B} {
		b.Runs[i] = append(b.Runs[i], choice{"", "choose a run", v.Run.ID == ""})
		for _, run := range all {
			label := results.Printable(run.ID) + ", " + run.Head.Started.UTC().Format("2006-01-02 15:04")
			b.Runs[i] = append(b.Runs[i], choice{run.ID, label, run.ID == v.Run.ID})
		}
	}
	b.Ready = b.A.cell != nil && b.B.cell != nil
	if b.Ready {
		b.Swap = "/beside?" + swapped(b.A, b.B).Encode()
	}
	return b
}

// swapped is the query that chooses a's side for B and b's for A.
func swapped(a, b *side) url.Values {
	q := url.Values{}
	x, y := *b, *a
	x.Name, y.Name = sideA, sideB
	x.query(q)
	y.query(q)
	return q
}

// fill holds the two cells against each other.
func (b *besideBody) fill() error {
	apart := b.A.Run.ID != b.B.Run.ID
	if apart {
		b.Apart = apartness(b.A.Run.Head, b.B.Run.Head)
	} else if b.A.key != b.B.key {
		b.Loads = "The two cells are of one run, but not under the same load: a ratio says what the loads cost as well as what the targets do."
	}
	b.Rows = figuresOf(b.A, b.B)
	b.Lacks = lacksOf(b.Rows)
	b.Limits = [2]limitView{limitOf(b.A.cell), limitOf(b.B.cell)}
	b.fillCharts()
	b.fillFlame()
	return b.fillTables()
}

// fillCharts makes the data of the charts: two targets, called A and B, for two of the same name would share a line.
func (b *besideBody) fillCharts() {
	b.Data = &page.Data{ID: "beside", Targets: []page.Target{}, Layers: []page.Layer{}, Cells: []page.Cell{}}
	for _, v := range []*side{b.A, b.B} {
		name := v.Label() + ": " + v.Target
		b.Data.Targets = append(b.Data.Targets, page.Target{Name: name})
		cell, ok := v.drawn()
		if !ok {
			continue
		}
		cell.Target = name
		b.Data.Cells = append(b.Data.Cells, cell)
		for _, l := range v.kept.data().Layers {
			if !slices.ContainsFunc(b.Data.Layers, func(have page.Layer) bool { return have.Name == l.Name }) {
				b.Data.Layers = append(b.Data.Layers, l)
			}
		}
	}
	slices.SortFunc(b.Data.Layers, func(x, y page.Layer) int { return x.Place - y.Place })
}

// drawn is what the charts draw of the side's cell. A/A cells are not drawn.
func (v *side) drawn() (page.Cell, bool) {
	for _, c := range v.kept.data().Cells {
		if c.Scenario == v.cell.Scenario && c.Case == v.cell.Case && c.Target == v.cell.Target && c.Generator == v.cell.Generator &&
			c.Loop == v.cell.Loop && c.Placement == v.cell.Placement && v.cell.Role == results.RoleRanked {
			return c, true
		}
	}
	return page.Cell{}, false
}

// fillFlame links to the flame graph of the difference, or says whose profile is missing, and why.
func (b *besideBody) fillFlame() {
	var lacks []string
	var costs [2]*results.LayerCost
	for i, v := range []*side{b.A, b.B} {
		var lack string
		if costs[i], lack = v.kept.rec.LayersOf(v.cell); costs[i] == nil {
			lacks = append(lacks, v.Label()+", "+v.Target+", "+results.Printable(lack))
		}
	}
	if lacks != nil {
		b.NoDiff = "There is no flame graph of the difference: " + strings.Join(lacks, "; ") + "."
		return
	}
	b.Layers = layersOf(costs[0], costs[1])
	asked := url.Values{}
	b.A.query(asked)
	b.B.query(asked)
	b.Flame = "/beside/flame.svg?" + asked.Encode()
}

// fillTables adds the whole tables that the cells stand in: one, where it is the same.
func (b *besideBody) fillTables() error {
	for i, v := range []*side{b.A, b.B} {
		if i == 1 && b.A.Run.ID == v.Run.ID && b.A.key == v.key {
			break
		}
		sections, err := v.kept.sections()
		if err != nil {
			return fmt.Errorf("web: make the tables of %s: %w", v.Run.ID, err)
		}
		for _, section := range sections {
			for _, f := range section.Fragments {
				if f.Table == v.key {
					b.Tables = append(b.Tables, caseTable{results.Printable(v.Run.ID) + ": " + v.Case, apartIDs(f.HTML, v.Name)})
				}
			}
		}
	}
	return nil
}

// idAttribute finds the attributes that name a part of the page. Text of records has no quotation marks in HTML, they are escaped.
var idAttribute = regexp.MustCompile(`( (?:id|for|aria-controls|aria-labelledby|aria-describedby)="| href="#)`)

// apartIDs gives the parts of a report names of their own, so that those of two reports can stand in one page.
func apartIDs(html, name string) template.HTML {
	return template.HTML(idAttribute.ReplaceAllString(html, "${1}"+name+"-"))
}

// serveFlameDiff draws the difference of a profile of two cells.
func (s *Site) serveFlameDiff(w http.ResponseWriter, r *http.Request) {
	all, _, err := s.runs.list()
	if err != nil {
		s.fail(w, http.StatusInternalServerError, "The folder of runs cannot be read: "+plain(err))
		return
	}
	b := s.newBeside(r.URL.Query(), slices.DeleteFunc(all, func(run Run) bool { return run.Broken != "" }))
	if !b.Ready {
		s.fail(w, http.StatusNotFound, b.A.Problem+" "+b.B.Problem)
		return
	}
	svg, err := b.flame()
	if err != nil {
		s.fail(w, http.StatusNotFound, plain(err))
		return
	}
	w.Header().Set("Content-Security-Policy", stacks.FlamePolicy())
	answer(w, http.StatusOK, "image/svg+xml", svg)
}

// flame is the flame graph of the difference: A is before, B is after. What a request costs in two runs is not comparable, so
// there the parts of its time are.
func (b *besideBody) flame() ([]byte, error) {
	b.fillFlame()
	if b.NoDiff != "" {
		return nil, errors.New(b.NoDiff)
	}
	var profiles [2]*stacks.Profile
	var costs [2]*results.LayerCost
	for i, v := range []*side{b.A, b.B} {
		costs[i], _ = v.kept.rec.LayersOf(v.cell)
		var err error
		if profiles[i], err = v.kept.rec.Stacks(costs[i].Profile); err != nil {
			return nil, err
		}
	}
	o := stacks.DiffOptions{
		Title:      b.A.Target + " → " + b.B.Target,
		Subtitle:   "A: " + b.A.Title() + "; B: " + b.B.Title(),
		BeforeName: "A, " + b.A.Target, AfterName: "B, " + b.B.Target,
		BeforeSamples: uint64(costs[0].Samples()), AfterSamples: uint64(costs[1].Samples()),
	}
	if b.A.Run.ID == b.B.Run.ID {
		o.BeforeCost, o.AfterCost = costs[0].CPU, costs[1].CPU
	}
	return stacks.FlameDiff(profiles[0], profiles[1], o), nil
}
