package web

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"corelab/results"
)

// ask is what the list of runs shall show.
type ask struct{ Text, Scenario, Target, Machine string }

func askOf(q url.Values) ask {
	return ask{results.Printable(strings.TrimSpace(q.Get("q"))), q.Get("scenario"), q.Get("target"), q.Get("machine")}
}

// indexBody is the list of runs.
type indexBody struct {
	Ask                          ask
	Scenarios, Targets, Machines choices
	Count                        string
	Runs                         []indexRow
	Nothing                      string // instead of rows
	Broken                       []brokenRow
	Foreign                      []string
	State                        string // another one when any of it is
}

// choices is a list to choose one of.
type choices struct {
	Name string
	List []choice
}

// indexRow is one run in the list.
type indexRow struct {
	ID, Name, Path, Kind, Started, Datetime, State, Commit, Machine string
	Going                                                           bool
	Trials                                                          int
	Scenarios, Targets                                              someNames
}

// someNames are names that take up less room than all of them would.
type someNames struct {
	Key, Some string
	All       []string
}

type brokenRow struct{ Name, Why string }

// serveIndex is the list; with part=runs only the piece of it that changes.
func (s *Site) serveIndex(w http.ResponseWriter, r *http.Request) {
	all, foreign, err := s.runs.list()
	if err != nil {
		s.fail(w, http.StatusInternalServerError, "The folder of runs cannot be read: "+plain(err))
		return
	}
	body := indexOf(all, foreign, askOf(r.URL.Query()))
	if r.URL.Query().Get("part") == "runs" {
		s.render(w, http.StatusOK, "runs", body)
		return
	}
	s.render(w, http.StatusOK, "index", view{Title: "Recorded runs", Where: "runs", Body: body})
}

func indexOf(all []Run, foreign []string, want ask) indexBody {
	b := indexBody{Ask: want}
	for _, name := range foreign {
		b.Foreign = append(b.Foreign, results.Printable(name))
	}
	var scenarios, targets, machines []string
	readable := 0
	for _, run := range all {
		if run.Broken != "" {
			b.Broken = append(b.Broken, brokenRow{results.Printable(run.ID), results.Printable(run.Broken)})
			continue
		}
		readable++
		scenarios = append(scenarios, scenarioNames(run.Head)...)
		targets = append(targets, targetNames(run.Head)...)
		machines = append(machines, machineOf(&run.Head.Host))
		if want.shows(&run) {
			b.Runs = append(b.Runs, rowOfRun(&run))
		}
	}
	b.Scenarios, b.Targets = choicesOf("scenario", scenarios, want.Scenario), choicesOf("target", targets, want.Target)
	b.Machines = choicesOf("machine", machines, want.Machine)
	switch b.Count = fmt.Sprintf("%d of %d runs", len(b.Runs), readable); {
	case readable == 1 && len(b.Runs) == 1:
		b.Count = "One run"
	case readable == len(b.Runs):
		b.Count = fmt.Sprintf("%d runs", readable)
	}
	b.Nothing = "No run is like that."
	if readable == 0 {
		b.Count, b.Nothing = "No runs yet", "There is no run here yet: corelab bench makes one, and it then appears by itself."
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%+v", b)
	b.State = strconv.FormatUint(h.Sum64(), 36)
	return b
}

// shows reports whether a run is like what was asked for.
func (a ask) shows(run *Run) bool {
	if a.Scenario != "" && !slices.Contains(scenarioNames(run.Head), a.Scenario) ||
		a.Target != "" && !slices.Contains(targetNames(run.Head), a.Target) ||
		a.Machine != "" && a.Machine != machineOf(&run.Head.Host) {
		return false
	}
	text := strings.ToLower(strings.Join(slices.Concat([]string{run.ID, run.Head.ID, run.Head.Commit, kindOf(run.Head), machineOf(&run.Head.Host),
		stateOf(run.End, run.Going), moment(run.Head.Started)}, scenarioNames(run.Head), targetNames(run.Head), run.Head.Command), " "))
	for word := range strings.FieldsSeq(strings.ToLower(a.Text)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func scenarioNames(r *results.Run) []string {
	return names(r.Scenarios, func(s results.Scenario) string { return s.Name })
}

func targetNames(r *results.Run) []string {
	return names(r.Targets, func(t results.Target) string { return t.Name })
}

// machineOf names a machine in a few words.
func machineOf(h *results.Host) string {
	return results.Printable(fmt.Sprintf("%s, %s, %d CPUs", orNone(h.Hostname), orNone(h.CPU), h.CPUs))
}

// choicesOf are the sorted names, each once.
func choicesOf(name string, list []string, chosen string) choices {
	slices.Sort(list)
	c := choices{Name: name}
	for _, item := range slices.Compact(list) {
		c.List = append(c.List, choice{item, item, item == chosen})
	}
	return c
}

// someShown is how many names of a long list are shown at once.
const someShown = 2

func rowOfRun(run *Run) indexRow {
	h := run.Head
	row := indexRow{
		ID: run.ID, Name: results.Printable(run.ID), Path: runPath(run.ID), Kind: kindOf(h),
		Started: h.Started.UTC().Format("2006-01-02 15:04"), Datetime: h.Started.UTC().Format(time.RFC3339),
		State: stateOf(run.End, run.Going), Commit: orNone(h.Commit), Machine: machineOf(&h.Host), Going: run.Going, Trials: run.Trials,
		Scenarios: someNames{Key: "s " + run.ID, All: scenarioNames(h)}, Targets: someNames{Key: "t " + run.ID, All: targetNames(h)},
	}
	for _, list := range []*someNames{&row.Scenarios, &row.Targets} {
		list.Some = strings.Join(list.All[:min(someShown, len(list.All))], ", ")
	}
	return row
}

// watchIndex publishes that the list of runs changed, as often as it does.
func (s *Site) watchIndex(ctx context.Context, t *topic) {
	var before uint64
	for first := true; ; first = false {
		if now := s.indexState(); first || now != before {
			before = now
			t.publish([]byte("changed"), false)
		}
		select {
		case <-time.After(listEvery * s.options.Poll):
		case <-ctx.Done():
			return
		}
	}
}

// indexState is a number that is another one when the list is.
func (s *Site) indexState() uint64 {
	h := fnv.New64a()
	all, foreign, err := s.runs.list()
	fmt.Fprintln(h, err, foreign)
	for _, r := range all {
		fmt.Fprintln(h, r.ID, r.Broken, r.Trials, r.End != nil, r.Going)
	}
	return h.Sum64()
}

func (s *Site) serveIndexEvents(w http.ResponseWriter, r *http.Request) {
	s.serveEvents(w, r, "runs", s.watchIndex)
}
