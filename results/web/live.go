package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"corelab/results"
)

// recentShown is how many of the newest trials a page of a run that goes on lists.
const recentShown = 12

// liveView is a run as far as it got.
type liveView struct {
	Run    Run
	State  string // in words
	Going  bool
	Error  string // why no more can be read
	Hint   string // what can be done about the state
	Facts  []string
	Part   *float64 // of its time that is used up, 0 to 1; nil where it has no bound
	Last   *trialView
	Title  string // of the table
	Rows   []soFarRow
	Recent []trialView // the newest first
	Cases  []caseCount
}

// trialView is one trial in words.
type trialView struct {
	At, Where, Target, Role string
	Round                   int
	Figures                 []figureView
	Problem                 string // why it failed or was skipped
	Warnings                []string
}

// figureView is a figure with its value, or with the reason why it is missing.
type figureView struct{ Name, Value, Lack string }

// soFarRow is a target in the table of the case under way.
type soFarRow struct {
	Target, Role string
	Rounds       int
	Figures      []figureView
	New          bool // the newest trial is its
}

// caseCount is how far a case got.
type caseCount struct {
	Name   string
	Trials int
	Now    bool
}

// liveFigures are those of a trial and of the table so far.
var liveFigures = []results.Figure{results.Throughput, results.P50, results.P99, results.ServerCPU, results.CPUShare, results.Failed}

// vigil looks at the record of one run again and again. One goroutine uses it.
type vigil struct {
	site   *Site
	run    Run
	file   *os.File
	info   fs.FileInfo
	follow *results.Follower
	going  bool
	failed string
	shown  bool
}

// watchRun publishes the run's page whenever its record grew, until it ended or ctx does.
func (s *Site) watchRun(run Run) func(context.Context, *topic) {
	return func(ctx context.Context, t *topic) {
		v := &vigil{site: s, run: run}
		defer v.close()
		for {
			if v.look() {
				data, over := v.page()
				t.publish(data, over)
				if over {
					return
				}
			}
			select {
			case <-time.After(s.options.Poll):
			case <-ctx.Done():
				return
			}
		}
	}
}

func (v *vigil) close() {
	if v.file != nil {
		v.file.Close()
	}
}

// look takes in what was added, and reports whether there is something new to show.
func (v *vigil) look() bool {
	before, going := "", v.going
	before, v.failed = v.failed, ""
	more, err := v.next()
	if err != nil {
		v.failed = plain(err)
		v.close()
		v.file, v.follow, v.going = nil, nil, false // from the start, the next time
	}
	first := !v.shown
	v.shown = true
	return first || more || v.going != going || v.failed != before
}

func (v *vigil) next() (more bool, err error) {
	info, err := v.site.root.Lstat(filepath.Join(v.run.path, results.RunFile))
	if err != nil {
		return false, err
	}
	if v.file == nil || !os.SameFile(v.info, info) || info.Size() < v.info.Size() {
		v.close()
		v.file = nil
		if v.file, info, err = openRecord(v.site.root, v.run.path, v.site.options.MaxRecord); err != nil {
			return false, err
		}
		v.follow = results.Follow(v.run.path)
	}
	v.info = info
	if info.Size() > v.site.options.MaxRecord {
		return false, fmt.Errorf("the record grew beyond %d MiB, and no more are read", v.site.options.MaxRecord>>20)
	}
	if more, err = v.follow.Next(v.file, info.Size()); err != nil {
		return more, err
	}
	rec := v.follow.Record()
	v.going = rec != nil && rec.End == nil && results.BeingWritten(v.file)
	return more, nil
}

// page is the part of the page that changes; over says that nothing will follow.
func (v *vigil) page() (b []byte, over bool) {
	view := &liveView{Run: v.run, Error: v.failed, Going: v.going}
	if v.follow != nil {
		if rec := v.follow.Record(); rec != nil {
			view.fill(rec)
			over = rec.End != nil
		}
	}
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, "livepart", view); err != nil {
		panic("web: the part of a page that changes cannot be made: " + err.Error())
	}
	return out.Bytes(), over
}

// fill says how far the record got.
func (v *liveView) fill(rec *results.Record) {
	v.State = stateOf(rec.End, v.Going)
	if v.State == stateKilled {
		v.Hint = "Nobody writes this record, and it has no end: the run was killed."
		if kindOf(&rec.Run) == kindBench {
			v.Hint += " \"corelab bench --resume\" goes on with it, and this page then shows that."
		}
	}
	tried, failed, skipped := 0, 0, 0
	for i := range rec.Trials {
		switch t := &rec.Trials[i]; {
		case t.Skipped != "":
			skipped++
		case t.Error != "":
			failed++
			fallthrough
		default:
			tried++
		}
	}
	v.Facts = []string{fmt.Sprintf("%d trials", tried)}
	if failed > 0 {
		v.Facts = append(v.Facts, fmt.Sprintf("%d of them failed", failed))
	}
	if skipped > 0 {
		v.Facts = append(v.Facts, fmt.Sprintf("%d skipped", skipped))
	}
	used := rec.Used()
	v.Facts = append(v.Facts, span(used)+" of measuring")
	bound, word := rec.Run.Budget, "a budget of "
	if c := rec.Run.Compare; c != nil {
		bound, word = c.Max, "at most "
	}
	if bound > 0 {
		part := min(1, used.Seconds()/bound.Seconds())
		if rec.End != nil {
			part = 1
		}
		v.Part = &part
		v.Facts = append(v.Facts, word+span(bound))
	}
	v.fillTrials(rec)
}

// fillTrials shows the newest trials, and the table of the case that the last of them belongs to.
func (v *liveView) fillTrials(rec *results.Record) {
	var last *results.Trial
	for i := len(rec.Trials) - 1; i >= 0 && len(v.Recent) < recentShown; i-- {
		t := &rec.Trials[i]
		if last == nil && t.Skipped == "" {
			last = t
			view := trialOf(t)
			v.Last = &view
		}
		v.Recent = append(v.Recent, trialOf(t))
	}
	for i := range rec.Trials {
		t := &rec.Trials[i]
		name := where(t.Scenario, t.Case)
		at := slices.IndexFunc(v.Cases, func(c caseCount) bool { return c.Name == name })
		if at < 0 {
			v.Cases, at = append(v.Cases, caseCount{Name: name, Now: last != nil && name == where(last.Scenario, last.Case)}), len(v.Cases)
		}
		if t.Skipped == "" {
			v.Cases[at].Trials++
		}
	}
	if last == nil {
		return
	}
	v.Title = where(last.Scenario, last.Case)
	cells := results.Cells(rec)
	for _, target := range results.TargetsOf(rec) {
		for _, c := range cells {
			if c.Scenario == last.Scenario && c.Case == last.Case && c.Target == target.Name && c.Generator != "" {
				v.Rows = append(v.Rows, rowOf(c, slices.Contains(c.Trials, last)))
			}
		}
	}
}

func rowOf(c *results.Cell, isNew bool) soFarRow {
	row := soFarRow{Target: results.Printable(c.Target), Role: roleWord(c.Role), Rounds: len(c.Trials), New: isNew}
	for _, f := range liveFigures {
		view := figureView{Name: f.Name}
		if e, ok := c.Estimate(f); ok {
			view.Value = f.Text(e.Median)
			if f.Unit == results.Failed.Unit {
				sum, _ := c.Sum(f) // a median would hide them
				view.Value = f.Text(sum)
			}
		} else {
			view.Lack = results.Printable(c.Lack(f))
		}
		row.Figures = append(row.Figures, view)
	}
	return row
}

func trialOf(t *results.Trial) trialView {
	v := trialView{At: t.Started.UTC().Format("15:04:05"), Where: where(t.Scenario, t.Case), Target: results.Printable(t.Target),
		Role: roleWord(t.Role), Round: t.Round}
	switch {
	case t.Skipped != "":
		v.Problem = "skipped: " + results.Printable(t.Skipped)
	case t.Error != "":
		v.Problem = "failed: " + results.Printable(t.Error)
	}
	for _, f := range liveFigures {
		view := figureView{Name: f.Name}
		if value, ok := f.Of(t); ok {
			view.Value = f.Text(value)
		} else {
			view.Lack = results.Printable(f.Lack(t))
		}
		v.Figures = append(v.Figures, view)
	}
	for _, w := range results.Check(t) {
		v.Warnings = append(v.Warnings, results.Printable(w.Code+": "+w.Text))
	}
	return v
}

// serveLive is the page of a run that is watched. What it shows at first is what the events will show: without JavaScript it
// is as good as when it was loaded.
func (s *Site) serveLive(w http.ResponseWriter, run Run) {
	v := &vigil{site: s, run: run}
	defer v.close()
	v.look()
	part, over := v.page()
	body := livePage{Kind: "run", Name: results.Printable(run.ID), Report: runPath(run.ID), Part: template.HTML(part)}
	if run.Head != nil {
		body.Kind = kindOf(run.Head)
	}
	if !over {
		body.Events = runPath(run.ID) + "events"
	}
	s.render(w, http.StatusOK, "live", view{Title: "Watching " + body.Name, Body: body})
}

// livePage is what stands around a liveView.
type livePage struct {
	Kind, Name, Report string
	Events             string // where news come from; empty where none will
	Part               template.HTML
}
